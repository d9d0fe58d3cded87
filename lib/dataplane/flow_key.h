// A packet's selectors as the flow cache wants them. Worker threads.
#pragma once

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

inline FlowRest flow_rest(const Packet& p) {
    // How many SAs it came out of belongs to the key, so that clear packets cannot push out a protected flow's entry.
    const auto arrival = static_cast<std::uint8_t>(static_cast<unsigned>(p.arrival) | p.opened * 0x10u);
    FlowRest rest{.arrival = arrival, .ports_known = !p.fragment};
    const std::byte* const l4 = p.payload();
    if (p.fragment) {
    } else if (has_ports(p.protocol)) {
        rest.ports_known = p.payload_octets() >= 4;
        if (rest.ports_known) std::memcpy(&rest.ports, l4, sizeof rest.ports);
    } else if (is_icmp(p.protocol)) {
        rest.ports_known = p.payload_octets() >= 2;
        if (rest.ports_known)
            rest.ports = std::to_integer<std::uint32_t>(l4[0]) << 8 | std::to_integer<std::uint32_t>(l4[1]) << 24;
    }
    return rest;
}

/// The selectors of a packet of this family. The two keys must not be merged before they are hashed: the way through
/// memory costs more than the hash.
inline FlowKey ipv4_flow_key(const Packet& p) {
    const FlowRest rest = flow_rest(p);
    std::uint32_t source, destination;
    std::memcpy(&source, p.ip + offsetof(Ipv4Header, source), sizeof source);
    std::memcpy(&destination, p.ip + offsetof(Ipv4Header, destination), sizeof destination);
    return FlowKey::ipv4(source, destination, rest.ports, p.protocol, rest.arrival, rest.ports_known);
}
inline FlowKey ipv6_flow_key(const Packet& p) {
    const FlowRest rest = flow_rest(p);
    return FlowKey::ipv6(p.ip + offsetof(Ipv6Header, source), rest.ports, p.protocol, rest.arrival, rest.ports_known);
}

inline FlowKey flow_key(const Packet& p) { return p.family == Family::ipv4 ? ipv4_flow_key(p) : ipv6_flow_key(p); }

}  // namespace torii
