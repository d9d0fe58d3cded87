#include "ip/ipv6.h"

namespace torii {

namespace {

/// Whether the options of the header at `header` fill it without going beyond (RFC 8200 4.2). What they ask for is left
/// to whom it is meant for: a router need not look at them (RFC 8200 4).
bool are_whole(const std::byte* header, unsigned octets) {
    for (unsigned i = sizeof(ExtensionHeader); i < octets;) {
        if (header[i] == std::byte{0}) {  // Pad1, the only option without a length
            ++i;
            continue;
        }
        if (i + 1 == octets) return false;
        i += 2 + std::to_integer<unsigned>(header[i + 1]);
        if (i > octets) return false;
    }
    return true;
}

/// Type 0 is refused whoever it is for (RFC 5095): policies judge the next stop, and it would go on from there.
Drop pass_routing(Packet& p, const std::byte* header) {
    const auto& routing = *reinterpret_cast<const RoutingHeader*>(header);
    if (routing.segments_left == 0) return Drop::none;
    if (routing.type == 0) return Drop::source_route;
    p.waypoint = true;
    return Drop::none;
}

Drop pass_fragment(Packet& p, const std::byte* header) {
    if (p.fragment_at != 0) return Drop::bad_extension_header;
    const auto& fragment = *reinterpret_cast<const FragmentHeader*>(header);
    p.fragment_at = static_cast<std::uint8_t>(header - p.ip);
    p.fragment = fragment.offset_octets() != 0 || !fragment.is_last();
    return Drop::none;
}

/// The walk's step over the whole header at `header`. `type` is what the one before called it.
Drop pass(Packet& p, IpProtocol type, const std::byte* header, unsigned octets) {
    switch (type) {
        case IpProtocol::routing: return pass_routing(p, header);
        case IpProtocol::fragment: return pass_fragment(p, header);
        case IpProtocol::hop_by_hop:
            if (header != p.ip + sizeof(Ipv6Header)) return Drop::bad_extension_header;
            [[fallthrough]];
        default: return are_whole(header, octets) ? Drop::none : Drop::bad_extension_header;
    }
}

}  // namespace

namespace {

/// Octets of the extension header of `type` at `header`.
unsigned octets_of(IpProtocol type, const std::byte* header) {
    if (type == IpProtocol::fragment) return sizeof(FragmentHeader);
    return reinterpret_cast<const ExtensionHeader*>(header)->octets();
}

/// Calls `visit(type, offset, octets)` for each extension header of a valid packet, in order, as far as `end`.
template <class Visit>
void each_header(const std::byte* ip, unsigned end, Visit visit) {
    auto type = IpProtocol{reinterpret_cast<const Ipv6Header*>(ip)->next_header};
    for (unsigned at = sizeof(Ipv6Header); at < end;) {
        const unsigned octets = octets_of(type, ip + at);
        visit(type, at, octets);
        type = IpProtocol{std::to_integer<std::uint8_t>(ip[at])};
        at += octets;
    }
}

}  // namespace

Drop walk_extension_headers(Packet& p) {
    for (unsigned count = 0; is_extension_header(p.protocol); ++count) {
        if (is_later_ipv6_fragment(p)) return Drop::opaque_fragment;
        if (count == most_extension_headers) return Drop::too_many_headers;
        if (p.payload_octets() < 8) return Drop::bad_extension_header;
        const std::byte* const header = p.payload();
        const auto type = IpProtocol{p.protocol};
        const unsigned octets = octets_of(type, header);
        if (octets > p.payload_octets()) return Drop::bad_extension_header;
        if (p.ip_header_octets + octets > longest_ip_header) return Drop::too_many_headers;
        if (const Drop reason = pass(p, type, header, octets); reason != Drop::none) return reason;
        p.next_header_at = p.ip_header_octets;
        p.ip_header_octets = static_cast<std::uint8_t>(p.ip_header_octets + octets);
        p.protocol = std::to_integer<std::uint8_t>(*header);
    }
    return Drop::none;
}

IpsecPlace ipsec_place(const Packet& p) {
    IpsecPlace place{sizeof(Ipv6Header), offsetof(Ipv6Header, next_header), p.ipv6().next_header};
    each_header(p.ip, p.ip_header_octets, [&](IpProtocol type, unsigned at, unsigned octets) {
        if (type == IpProtocol::destination_options) return;
        place = {static_cast<std::uint8_t>(at + octets), static_cast<std::uint8_t>(at),
                 std::to_integer<std::uint8_t>(p.ip[at])};
    });
    return place;
}

namespace {

constexpr std::uint8_t changes_en_route = 0x20;  // RFC 8200 4.2, in an option's type

void zero_mutable_options(std::byte* header, unsigned octets) {
    for (unsigned i = sizeof(ExtensionHeader); i < octets;) {
        const auto option = std::to_integer<std::uint8_t>(header[i]);
        if (option == 0) {
            ++i;
            continue;
        }
        const unsigned data_octets = std::to_integer<unsigned>(header[i + 1]);
        if (option & changes_en_route) std::memset(header + i + 2, 0, data_octets);
        i += 2 + data_octets;
    }
}

}  // namespace

void zero_mutable_ipv6_fields(std::byte* ip, unsigned header_octets) {
    auto& header = *reinterpret_cast<Ipv6Header*>(ip);
    header.version_class_flow = 6u << 28;
    header.hop_limit = 0;
    each_header(ip, header_octets, [&](IpProtocol type, unsigned at, unsigned octets) {
        if (type == IpProtocol::hop_by_hop || type == IpProtocol::destination_options)
            zero_mutable_options(ip + at, octets);
    });
}

}  // namespace torii
