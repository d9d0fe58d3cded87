// The office VPN's two sides in IPv6, on two wires each: port 0 is the office, port 1 the world. Both gateways speak
// IPv4 in the world as well. As with IPv4, the ports have MACs of zeros and know their peers.
#pragma once

#include "test/unit/gateway/office.h"

namespace torii::test {

inline Configuration office6_configuration(bool newyork = false) {
    const auto address = [](std::string_view text) { return Address::parse(text).value(); };
    Configuration c = newyork ? newyork_configuration() : office_configuration();
    c.ports[office].addresses.push_back({address(newyork ? "2001:db8:2::1" : "2001:db8:1::1"), 64});
    c.ports[world].addresses.push_back({address(newyork ? "2001:db8::2" : "2001:db8::1"), 64});
    const Address peer = address(newyork ? "2001:db8::1" : "2001:db8::2");
    c.routes.push_back({Prefix::parse(newyork ? "2001:db8:1::/64" : "2001:db8:2::/64").value(), peer, "world"});
    c.neighbours.push_back({peer, peer_mac, "world"});
    c.neighbours.push_back({address(newyork ? "2001:db8:2::5" : "2001:db8:1::5"), host_mac, "office"});
    return c;
}

/// `ends`: of the tunnel as setkey writes them, tokyo's first.
inline std::string office6_setkey(std::string_view tokyo, std::string_view newyork, bool at_newyork = false) {
    const std::string a{tokyo}, b{newyork};
    const std::string there = at_newyork ? "in" : "out", back = at_newyork ? "out" : "in";
    return "add " + a + " " + b + " esp 0x1001 -m tunnel -E aes-gcm-16 \"tokyo-newyork-key001\";" +  //
           "add " + b + " " + a + " esp 0x1002 -m tunnel -E aes-gcm-16 \"newyork-tokyo-key002\";" +
           "spdadd 2001:db8:1::/64 2001:db8:2::/64 any -P " + there + " ipsec esp/tunnel/" + a + "-" + b + "/require;" +
           "spdadd 2001:db8:2::/64 2001:db8:1::/64 any -P " + back + " ipsec esp/tunnel/" + b + "-" + a + "/require;";
}

/// The IPv6 packets among `frames`, without their Ethernet headers and padding.
inline std::vector<Octets> packets6_of(const std::vector<Frame>& frames) {
    std::vector<Octets> out;
    for (const Frame& frame : frames) {
        if (frame.at(12) != std::byte{0x86} || frame.at(13) != std::byte{0xdd}) continue;
        const auto& ip = *reinterpret_cast<const Ipv6Header*>(frame.data() + sizeof(EthernetHeader));
        const auto begin = frame.begin() + sizeof(EthernetHeader);
        out.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(sizeof ip + ip.payload_octets));
    }
    return out;
}
inline std::vector<Octets> pass6(Wires& gateway, std::size_t in, const std::vector<Octets>& packets, std::size_t out) {
    for (const Octets& packet : packets) gateway.send(in, ethernet(packet, {}, EtherType::ipv6));
    gateway.turn();
    return packets6_of(gateway.sent_by(out));
}
inline const Ipv6Header& header6_of(const Octets& packet) {
    return *reinterpret_cast<const Ipv6Header*>(packet.data());
}
inline Octets datagram6(std::string_view source, std::string_view destination, std::size_t octets = 100,
                        const Ipv6Options& options = {}) {
    return ipv6(source, destination, 17, udp(4000, 5000, Octets(octets - 48, std::byte{0x5a})), options);
}
inline std::array<std::uint8_t, 16> raw(std::string_view address) { return Address::parse(address).value().raw(); }

}  // namespace torii::test
