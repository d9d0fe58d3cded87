// A packet's selectors as the flow cache wants them. Worker threads.
#pragma once

#include <optional>

#include "packet/packet.h"
#include "policy/flow_cache.h"
#include "policy/selector.h"

namespace torii {

/// What of a packet's selectors is no address. ICMP offers type and code where others have ports (RFC 4301 4.4.1.1).
struct FlowRest {
    std::uint32_t ports = 0;
    std::uint8_t arrival;
    bool ports_known;
};

/// The key of a GRE packet as it stands on the wire (RFC 2890 2), 0 where it has none; nothing where the packet ends
/// before it. In PPTP's version of GRE the field is no key (RFC 2637 4.1).
inline std::optional<std::uint32_t> gre_key_in(const Packet& p) {
    constexpr unsigned has_key = 0x2000, has_more_before = 0xc000, version = 7;
    const std::byte* const gre = p.payload();
    if (p.payload_octets() < 4) return std::nullopt;
    const unsigned flags = std::to_integer<unsigned>(gre[0]) << 8 | std::to_integer<unsigned>(gre[1]);
    std::uint32_t key = 0;
    if ((flags & has_key) == 0 || (flags & version) != 0) return key;
    const unsigned at = (flags & has_more_before) != 0 ? 8 : 4;  // behind a checksum
    if (p.payload_octets() < at + sizeof key) return std::nullopt;
    std::memcpy(&key, gre + at, sizeof key);
    return key;
}

/// The ports as they stand on the wire, type and code or a key in their places, 0 for what has none of them; nothing
/// where the packet, whole or a first fragment, ends before them.
inline std::optional<std::uint32_t> ports_in(const Packet& p) {
    const std::byte* const l4 = p.payload();
    std::uint32_t ports = 0;
    if (has_ports(p.protocol)) {
        if (p.payload_octets() < sizeof ports) return std::nullopt;
        std::memcpy(&ports, l4, sizeof ports);
    } else if (is_icmp(p.protocol)) {
        if (p.payload_octets() < 2) return std::nullopt;
        ports = std::to_integer<std::uint32_t>(l4[0]) << 8 | std::to_integer<std::uint32_t>(l4[1]) << 24;
    } else if (has_gre_key(p.protocol)) {
        return gre_key_in(p);
    }
    return ports;
}

inline FlowRest flow_rest(const Packet& p) {
    // How many SAs it came out of belongs to the key, so that clear packets cannot push out a protected flow's entry.
    const auto arrival = static_cast<std::uint8_t>(static_cast<unsigned>(p.arrival) | p.opened * 0x10u);
    if (p.fragment) return {.ports = 0, .arrival = arrival, .ports_known = false};
    const std::optional<std::uint32_t> ports = ports_in(p);
    return {.ports = ports.value_or(0), .arrival = arrival, .ports_known = ports.has_value()};
}

/// The selectors of a packet of this family. The two keys must not be merged before they are hashed: the way through
/// memory costs more than the hash.
inline FlowKey ipv4_flow_key(const Packet& p) {
    const FlowRest rest = flow_rest(p);
    std::uint32_t source, destination;
    std::memcpy(&source, p.ip + offsetof(Ipv4Header, source), sizeof source);
    std::memcpy(&destination, p.ip + offsetof(Ipv4Header, destination), sizeof destination);
    return FlowKey::ipv4(source, destination, rest.ports, p.protocol, rest.arrival, rest.ports_known, p.tag);
}
inline FlowKey ipv6_flow_key(const Packet& p) {
    const FlowRest rest = flow_rest(p);
    return FlowKey::ipv6(p.ip + offsetof(Ipv6Header, source), rest.ports, p.protocol, rest.arrival, rest.ports_known,
                         p.tag);
}

inline FlowKey flow_key(const Packet& p) { return p.family == Family::ipv4 ? ipv4_flow_key(p) : ipv6_flow_key(p); }

}  // namespace torii
