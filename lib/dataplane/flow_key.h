// A packet's selectors as the flow cache wants them. Worker threads.
#pragma once

#include "packet/packet.h"
#include "policy/flow_cache.h"
#include "policy/selector.h"

namespace torii {

/// The packet's selectors as octets. ICMP offers type and code where others have ports (RFC 4301 4.4.1.1).
inline FlowKey flow_key(const Packet& p) {
    std::uint32_t ports = 0;
    const std::byte* const l4 = p.payload();
    bool known = !p.fragment;
    if (!known) {
    } else if (has_ports(p.protocol)) {
        if (known = p.payload_octets() >= 4; known) std::memcpy(&ports, l4, sizeof ports);
    } else if (is_icmp(p.protocol)) {
        if (known = p.payload_octets() >= 2; known)
            ports = std::to_integer<std::uint32_t>(l4[0]) << 8 | std::to_integer<std::uint32_t>(l4[1]) << 24;
    }
    // Whether it came out of an SA belongs to the key, so that clear packets cannot push out a protected flow's entry.
    const auto arrival = static_cast<std::uint8_t>(static_cast<unsigned>(p.arrival) | (p.opened != 0 ? 0x80u : 0u));
    if (p.family == Family::ipv6)
        return FlowKey::ipv6(p.ip + offsetof(Ipv6Header, source), ports, p.protocol, arrival, known);
    std::uint32_t source, destination;
    std::memcpy(&source, p.ip + offsetof(Ipv4Header, source), sizeof source);
    std::memcpy(&destination, p.ip + offsetof(Ipv4Header, destination), sizeof destination);
    return FlowKey::ipv4(source, destination, ports, p.protocol, arrival, known);
}

}  // namespace torii
