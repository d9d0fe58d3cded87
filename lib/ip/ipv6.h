// IPv6 headers on the packet path: validation (RFC 8200 3, 4), the bounded walk over extension headers, and where IPsec
// stands among them. Worker threads; a packet at a time, called from the stages' loops.
#pragma once

#include <bit>
#include <cstdint>

#include "net/headers.h"
#include "packet/packet.h"
#include "sa/security_association.h"

namespace torii {

/// What we take of extension headers: nodes may set such limits (RFC 8504 5.3). Offsets into them fit an octet.
inline constexpr unsigned most_extension_headers = 8, longest_ip_header = 248;

/// RFC 2460 and 8200 4.1: the headers that a walk passes on its way to what a packet carries. ESP and AH are not among
/// them: to Torii they are what is carried.
constexpr bool is_extension_header(std::uint8_t protocol) {
    switch (IpProtocol{protocol}) {
        case IpProtocol::hop_by_hop:
        case IpProtocol::routing:
        case IpProtocol::fragment:
        case IpProtocol::destination_options: return true;
        default: return false;
    }
}

/// Addresses that may never be a packet's source or destination on a wire: ::/64 with the unspecified, the loopback and
/// the mapped ones in it (RFC 4291 2.5), multicast as source. The unspecified one asks groups whether an address is
/// taken (RFC 4862 5.4.2).
inline bool is_martian(const Ipv6Header& ip) {
    const auto halves = [](const std::array<std::uint8_t, 16>& a) {
        return std::bit_cast<std::array<std::uint64_t, 2>>(a);
    };
    const auto source = halves(ip.source), destination = halves(ip.destination);
    if (source[0] != 0 && destination[0] != 0) [[likely]]
        return ip.source[0] == 0xff;
    return source[1] != 0 || ip.destination[0] != 0xff;
}

/// Whether the IPv6 packet is a fragment behind the first: behind its fragment header stand no headers, but octets of
/// the first one's.
inline bool is_later_ipv6_fragment(const Packet& p) {
    return p.fragment_at != 0 && reinterpret_cast<const FragmentHeader*>(p.ip + p.fragment_at)->offset_octets() != 0;
}

/// Walks the extension headers of the packet, whose IPv6 header is valid, and fills in what they change. Returns
/// Drop::none, bad_extension_header, too_many_headers, source_route, opaque_fragment.
Drop walk_extension_headers(Packet& packet);

/// Checks the IPv6 header at `packet.ip`, of which `available` octets arrived, and its extension headers, and fills in
/// what later stages read: family, ip_octets, ip_header_octets, protocol, fragment and IPv6's own. Octets behind the
/// payload length are padding and are ignored. A fragment that is all of its packet (RFC 6946) counts as none.
/// Returns Drop::none, truncated, bad_ip_version, bad_ip_length, martian, and those of walk_extension_headers.
inline Drop parse_ipv6(Packet& packet, std::size_t available) {
    if (available < sizeof(Ipv6Header)) return Drop::truncated;
    const Ipv6Header& ip = packet.ipv6();
    if (std::to_integer<unsigned>(packet.ip[0]) >> 4 != 6) return Drop::bad_ip_version;
    const unsigned total = unsigned{sizeof(Ipv6Header)} + ip.payload_octets;
    if (total > available) return Drop::bad_ip_length;
    if (is_martian(ip)) return Drop::martian;
    packet.family = Family::ipv6;
    packet.ip_octets = static_cast<std::uint16_t>(total);
    packet.ip_header_octets = sizeof(Ipv6Header);
    packet.protocol = ip.next_header;
    packet.next_header_at = offsetof(Ipv6Header, next_header);
    packet.fragment_at = 0;
    packet.fragment = packet.waypoint = packet.made_here = false;
    return is_extension_header(ip.next_header) ? walk_extension_headers(packet) : Drop::none;
}

/// Where IPsec and IPComp stand in a packet of transport mode: behind hop-by-hop options, routing and fragment headers
/// and the destination options in front of a routing header. Destination options for the last receiver come behind, and
/// are protected with the rest (RFC 4303 3.1.1, RFC 4302 3.1.1, RFC 3173 2.1).
struct IpsecPlace {
    std::uint8_t header_octets, next_header_at, protocol;  // as Packet's
};
IpsecPlace ipsec_place(const Packet& packet);

/// Zeroes what may change on the way in the IPv6 header at `ip` and the extension headers behind it, `header_octets` in
/// all and valid (RFC 4302 3.3.3.1.2): class, flow label, hop limit, and the data of options that say so. Routing
/// headers are in their last form: packet.waypoint is false.
void zero_mutable_ipv6_fields(std::byte* ip, unsigned header_octets);

/// The constant part of a tunnel's outer header: payload `protocol`.
inline OuterHeader outer_header(const Address& source, const Address& destination, IpProtocol protocol) {
    OuterHeader outer;
    outer.ipv6.next_header = static_cast<std::uint8_t>(protocol);
    outer.ipv6.source = source.raw();
    outer.ipv6.destination = destination.raw();
    return outer;
}

/// Writes a tunnel's outer header at `at` (RFC 2473 5, RFC 4301 5.1.2.1).
inline void write_outer(std::byte* at, const Ipv6Header& outer, std::uint8_t dscp_ecn, std::uint8_t hop_limit,
                        std::uint32_t flow_label, unsigned total_octets) {
    std::memcpy(at, &outer, sizeof outer);
    auto& ip = *reinterpret_cast<Ipv6Header*>(at);
    ip.version_class_flow = 6u << 28 | std::uint32_t{dscp_ecn} << 20 | flow_label;
    ip.hop_limit = hop_limit;
    ip.payload_octets = static_cast<std::uint16_t>(total_octets - sizeof(Ipv6Header));
}

}  // namespace torii
