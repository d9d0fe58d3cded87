// The office VPN with both families: 10.0.1.0/24 and 2001:db8:1::/64 are tokyo's, 10.0.2.0/24 and 2001:db8:2::/64
// newyork's, and the gateways are 20.0.0.1, 20.0.0.2, 2001:db8:f::1 and 2001:db8:f::2 on the world between them.
#pragma once

#include "test/unit/gateway/office.h"

namespace torii::test {

inline constexpr std::size_t host = 2;  // the third port
inline constexpr std::string_view everything_passes =
    "spdadd 0.0.0.0/0 0.0.0.0/0 any -P in none; spdadd 0.0.0.0/0 0.0.0.0/0 any -P out none;"
    "spdadd ::/0 ::/0 any -P in none; spdadd ::/0 ::/0 any -P out none;";

inline Address v6(std::string_view text) { return Address::parse(text).value(); }

/// `c` of one family becomes one of both; `net` and `other` are the numbers of the two offices.
inline Configuration with_ipv6(Configuration c, const std::string& net, const std::string& other,
                               unsigned world_mtu = 1500) {
    const std::string far = "2001:db8:f::" + other;
    c.ports[office].addresses.push_back({v6("2001:db8:" + net + "::1"), 64});
    c.ports[world].addresses.push_back({v6("2001:db8:f::" + net), 64});
    c.ports[world].mtu = world_mtu;
    c.ports.push_back({.name = "host", .device = "", .addresses = {}, .role = PortRole::host_port});
    c.routes.push_back({Prefix{v6("2001:db8:" + other + "::"), 64}, v6(far), "world"});
    c.neighbours.push_back({v6(far), peer_mac, "world"});
    c.neighbours.push_back({v6("2001:db8:" + net + "::5"), host_mac, "office"});
    return c;
}
inline Configuration tokyo_configuration_of_both(unsigned world_mtu = 1500) {
    return with_ipv6(office_configuration(), "1", "2", world_mtu);
}
inline Configuration newyork_configuration_of_both(unsigned world_mtu = 1500) {
    return with_ipv6(newyork_configuration(), "2", "1", world_mtu);
}

inline bool is_ipv6(const Octets& packet) { return std::to_integer<unsigned>(packet.at(0)) >> 4 == 6; }
/// What stands behind a frame's Ethernet header, without the padding behind it.
inline Octets packet_in(const Frame& frame) {
    const Octets packet{frame.begin() + sizeof(EthernetHeader), frame.end()};
    if (!is_ipv6(packet)) return ip_octets_of(frame);
    const std::size_t octets = 40u + reinterpret_cast<const Ipv6Header*>(packet.data())->payload_octets;
    return {packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(octets)};
}
inline Octets framed(const Octets& packet) {
    return ethernet(packet, {}, is_ipv6(packet) ? EtherType::ipv6 : EtherType::ipv4);
}
/// As pass(), for packets of both families. What the control core says to neighbours is left out.
inline std::vector<Octets> carry(Wires& gateway, std::size_t in, const std::vector<Octets>& packets, std::size_t out) {
    for (const Octets& packet : packets) gateway.send(in, framed(packet));
    gateway.turn();
    std::vector<Octets> left;
    for (const Frame& frame : gateway.sent_by(out)) {
        const auto& ethernet = *reinterpret_cast<const EthernetHeader*>(frame.data());
        const bool ip = ethernet.type == static_cast<std::uint16_t>(EtherType::ipv4) ||
                        ethernet.type == static_cast<std::uint16_t>(EtherType::ipv6);
        if (ip && (ethernet.destination[0] & 1) == 0) left.push_back(packet_in(frame));
    }
    return left;
}
inline const Ipv6Header& ipv6_of(const Octets& packet) { return *reinterpret_cast<const Ipv6Header*>(packet.data()); }
inline Octets hops_on(const Octets& packet, unsigned hops) {
    if (!is_ipv6(packet)) return after_hops(packet, hops);
    Octets out = packet;
    out[offsetof(Ipv6Header, hop_limit)] = std::byte(ipv6_of(packet).hop_limit - hops);
    return out;
}

/// An extension header: `body` is filled up to whole 8 octets with PadN, or Pad1 (RFC 8200 4.2).
inline Octets options_header(std::uint8_t next_header, const Octets& body = {}) {
    const std::size_t used = 2 + body.size(), lacking = (8 - used % 8) % 8;
    Octets out(used + lacking);
    out[0] = std::byte{next_header};
    out[1] = std::byte(out.size() / 8 - 1);
    std::ranges::copy(body, out.begin() + 2);
    if (lacking > 1) {
        out[used] = std::byte{1};
        out[used + 1] = std::byte(lacking - 2);
    }
    return out;
}
inline Octets routing_header(std::uint8_t next_header, std::uint8_t type, std::uint8_t segments_left) {
    Octets out(24);
    const RoutingHeader header{next_header, 2, type, segments_left};
    const auto stop = v6("2001:db8:1::77").raw();
    std::memcpy(out.data(), &header, sizeof header);
    std::memcpy(out.data() + 8, stop.data(), stop.size());
    return out;
}
inline Octets fragment_header(std::uint8_t next_header, unsigned offset_octets, bool more,
                              std::uint32_t identification = 4711) {
    return octets_of(FragmentHeader{.next_header = next_header,
                                    .reserved = 0,
                                    .offset_more = static_cast<std::uint16_t>(offset_octets | (more ? 1u : 0u)),
                                    .identification = identification});
}

}  // namespace torii::test
