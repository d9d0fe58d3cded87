// What both families' headers have in common, told by a packet's family. Worker threads.
#pragma once

#include "ip/ipv4.h"
#include "ip/ipv6.h"

namespace torii {

inline constexpr unsigned ipv6_minimum_mtu = 1280;  // octets every link carries (RFC 8200 5)

/// What names a packet of this family inside another.
constexpr std::uint8_t protocol_of(Family family) {
    return static_cast<std::uint8_t>(family == Family::ipv4 ? IpProtocol::ipv4 : IpProtocol::ipv6);
}

/// parse_ipv4 or parse_ipv6.
inline Drop parse_ip(Family family, Packet& packet, std::size_t available) {
    return family == Family::ipv4 ? parse_ipv4(packet, available) : parse_ipv6(packet, available);
}

/// DSCP and ECN: IPv4's TOS, IPv6's traffic class.
inline std::uint8_t dscp_ecn(const Packet& p) {
    return p.family == Family::ipv4 ? p.ipv4().dscp_ecn : static_cast<std::uint8_t>(p.ipv6().version_class_flow >> 20);
}
inline void set_dscp_ecn(const Packet& p, std::uint8_t value) {
    if (p.family == Family::ipv4) return set_dscp_ecn(p.ipv4(), value);
    Ipv6Header& ip = p.ipv6();
    ip.version_class_flow = (ip.version_class_flow & ~(0xffu << 20)) | std::uint32_t{value} << 20;
}

/// The flow label, which RFC 4301 wants in audit records too; IPv4 has none.
inline std::uint32_t flow_label(const Packet& p) {
    return p.family == Family::ipv6 ? p.ipv6().version_class_flow & 0xfffffu : 0;
}

/// Whether the packet is a fragment behind the first, without the beginning of what it carries.
inline bool is_later_fragment(const Packet& p) {
    if (p.family == Family::ipv4) return (p.ipv4().flags_offset & Ipv4Header::offset_mask) != 0;
    return is_later_ipv6_fragment(p);
}

/// Carries congestion marks from a tunnel's outer header to the packet inside (RFC 6040 4.2). False: the packet must
/// be dropped, because it could not carry the mark.
inline bool inherit_ecn(std::uint8_t outer_dscp_ecn, const Packet& inner) {
    enum : unsigned { not_ect, ect1, ect0, ce };
    const std::uint8_t before = dscp_ecn(inner);
    const unsigned outer = outer_dscp_ecn & 3u, own = before & 3u;
    if (outer != ce && !(outer == ect1 && own == ect0)) [[likely]]
        return true;
    if (own == not_ect) return false;
    set_dscp_ecn(inner, static_cast<std::uint8_t>((before & ~3u) | outer));
    return true;
}

inline unsigned hops_left(const Packet& p) { return p.family == Family::ipv4 ? p.ipv4().ttl : p.ipv6().hop_limit; }

/// One hop less. The caller has seen that there is more than one.
inline void spend_hop(const Packet& p) {
    if (p.family == Family::ipv4)
        decrement_ttl(p.ipv4());
    else
        --p.ipv6().hop_limit;
}

/// Whether the packet may be cut on its way: of IPv6's, only what we send in our own name (RFC 8200 4.5).
inline bool may_be_cut(const Packet& p) {
    if (p.family == Family::ipv4) return (p.ipv4().flags_offset & Ipv4Header::dont_fragment) == 0;
    return p.made_here || p.arrival == Arrival::host || p.arrival == Arrival::self;
}

/// DF of a tunnel's outer header, from the packet that goes inside. IPv6 packets are as if they had it, but for those
/// that every sender believes to pass, which never get it (RFC 4213 3.2.1).
inline std::uint16_t outer_flags(const TunnelHeader& rules, const Packet& inner) {
    if (inner.family == Family::ipv4) return rules.outer_df(inner.ipv4().flags_offset);
    return inner.ip_octets > ipv6_minimum_mtu ? rules.outer_df(Ipv4Header::dont_fragment) : std::uint16_t{0};
}

/// The TCP or UDP checksum of a packet that came through NAT covers addresses that it no longer has: it is computed
/// anew (RFC 3948 3.1.2). The ICV has vouched for what it covers besides.
void renew_checksum(const Packet& packet);

}  // namespace torii
