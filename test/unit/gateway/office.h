// The office VPN's tokyo side on two wires: port 0 is the office (10.0.1.1/24, protected), port 1 the world
// (20.0.0.1/24, unprotected), and newyork's gateway 20.0.0.2 is a neighbour that needs no ARP.
#pragma once

#include "app/setkey/setkey.h"
#include "test/support/packets.h"
#include "test/support/wires.h"

namespace torii::test {

inline constexpr std::size_t office = 0, world = 1;
inline constexpr MacAddress host_mac{{2, 0, 0, 0, 1, 5}}, peer_mac{{2, 0, 0, 0, 0, 2}};

inline Configuration office_configuration(unsigned workers = 1) {
    Configuration c;
    c.workers = workers;
    c.name = "tokyo";
    c.mbufs = 8191;
    c.acquire_hold = 0;  // no packet waits for an SA where that is not what is tested
    c.ports = {{.name = "office",
                .device = "",
                .addresses = {{Address::v4(0x0a000101), 24}},
                .role = PortRole::protected_port},
               {.name = "world",
                .device = "",
                .addresses = {{Address::v4(0x14000001), 24}},
                .role = PortRole::unprotected_port}};
    c.routes = {{Prefix{Address::v4(0x0a000200), 24}, Address::v4(0x14000002), "world"}};
    c.neighbours = {{Address::v4(0x14000002), peer_mac, "world"}, {Address::v4(0x0a000105), host_mac, "office"}};
    return c;
}

inline constexpr std::string_view office_setkey = R"(
add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 "tokyo-newyork-key001";
add 20.0.0.2 20.0.0.1 esp 0x1002 -m tunnel -r 8 -E aes-gcm-16 "newyork-tokyo-key002";
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
spdadd 10.0.2.0/24 10.0.1.0/24 any -P in ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;
)";

/// The same with the roles of the two gateways exchanged: what newyork would do.
inline constexpr std::string_view newyork_setkey = R"(
add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 "tokyo-newyork-key001";
add 20.0.0.2 20.0.0.1 esp 0x1002 -m tunnel -r 8 -E aes-gcm-16 "newyork-tokyo-key002";
spdadd 10.0.2.0/24 10.0.1.0/24 any -P out ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;
spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
)";
inline Configuration newyork_configuration() {
    Configuration c = office_configuration();
    c.name = "newyork";
    c.ports[office].addresses = {{Address::v4(0x0a000201), 24}};
    c.ports[world].addresses = {{Address::v4(0x14000002), 24}};
    c.routes = {{Prefix{Address::v4(0x0a000100), 24}, Address::v4(0x14000001), "world"}};
    c.neighbours = {{Address::v4(0x14000001), peer_mac, "world"}, {Address::v4(0x0a000205), host_mac, "office"}};
    return c;
}

inline std::vector<Octets> only(Octets packet) { return std::vector<Octets>{std::move(packet)}; }
/// The IPv4 packets among `frames`, without their Ethernet headers.
inline std::vector<Octets> packets_of(const std::vector<Frame>& frames) {
    std::vector<Octets> out;
    for (const Frame& frame : frames)
        if (frame.at(12) == std::byte{8} && frame.at(13) == std::byte{0}) out.push_back(ip_octets_of(frame));
    return out;
}
/// `packets` arrive together on port `in`, the gateway turns, and what left by port `out` is returned. The ports have
/// MACs of zeros.
inline std::vector<Octets> pass(Wires& gateway, std::size_t in, const std::vector<Octets>& packets, std::size_t out) {
    for (const Octets& packet : packets) gateway.send(in, ethernet(packet));
    gateway.turn();
    return packets_of(gateway.sent_by(out));
}
inline const Ipv4Header& header_of(const Octets& packet) { return *reinterpret_cast<const Ipv4Header*>(packet.data()); }
inline const EspHeader& esp_of(const Octets& packet) {
    return *reinterpret_cast<const EspHeader*>(packet.data() + sizeof(Ipv4Header));
}
/// A packet of `octets` octets between two addresses.
inline Octets datagram(std::string_view source, std::string_view destination, std::size_t octets = 100,
                       const Ipv4Options& options = {}) {
    return ipv4(source, destination, 17, udp(4000, 5000, Octets(octets - 28, std::byte{0x5a})), options);
}
/// The same packet one or more hops on.
inline Octets after_hops(Octets packet, unsigned hops) {
    auto& ip = *reinterpret_cast<Ipv4Header*>(packet.data());
    ip.ttl = static_cast<std::uint8_t>(ip.ttl - hops);
    ip.checksum = 0;
    ip.checksum = internet_checksum(packet.data(), ip.header_octets());
    return packet;
}

/// An aes-gcm-16 key that no other SPI has: 16 octets and the salt.
inline std::string gcm_key(std::uint32_t spi) {
    const std::string digits = std::to_string(spi);
    return "gcm key of" + std::string(10 - digits.size(), '0') + digits;
}

/// Applies a setkey text that must be refused; returns why.
inline std::string refusal_of(Wires& gateway, std::string_view text) {
    auto program = setkey::parse(text, "test");
    if (!program) return program.error().text();
    const auto ran = setkey::run(gateway.gateway(), std::move(*program), {});
    return ran ? "it was not refused" : ran.error().text();
}

inline control::SaId sa_id(std::string_view source, std::string_view destination, std::uint32_t spi) {
    return {Address::parse(source).value(), Address::parse(destination).value(), IpsecProtocol::esp, Spi{spi}};
}

/// Everything a gateway tells its listeners, from now on.
class Told {
public:
    using Kind = control::Event::Kind;
    explicit Told(Wires& gateway)
        : handle_(gateway.gateway().listen([this](const control::Event& event) { events_.push_back(event); })) {}
    Told(const Told&) = delete;
    /// How often something of this kind happened, repeats included.
    std::uint64_t count(Kind kind) const {
        std::uint64_t total = 0;
        for (const auto& event : events_)
            if (event.kind == kind) total += event.repeated;
        return total;
    }
    /// The last one of this kind; a default one when there was none.
    control::Event last(Kind kind) const {
        control::Event found;
        for (const auto& event : events_)
            if (event.kind == kind) found = event;
        return found;
    }

private:
    std::vector<control::Event> events_;
    std::shared_ptr<void> handle_;
};

}  // namespace torii::test
