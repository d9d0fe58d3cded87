#include "dataplane/icmp_quote.h"

#include <algorithm>

#include "dataplane/inbound_sas.h"
#include "dataplane/verdict.h"
#include "forward/icmpv6.h"
#include "ip/ip.h"

namespace torii {

namespace {

std::optional<control::IcmpKind> kind_of(const Packet& p) {
    if (!is_icmp(p.protocol) || is_later_fragment(p) || p.payload_octets() < 2) return std::nullopt;
    const auto type = std::to_integer<std::uint8_t>(p.payload()[0]);
    const auto code = std::to_integer<std::uint8_t>(p.payload()[1]);
    if (p.family == Family::ipv4)
        return p.protocol == static_cast<std::uint8_t>(IpProtocol::icmp) ? icmp_kind(type, code) : std::nullopt;
    return p.protocol == static_cast<std::uint8_t>(IpProtocol::icmpv6) ? icmpv6_kind(type) : std::nullopt;
}

/// A quote is cut short where the error's author liked; nothing behind `available` octets is read.
bool read_ipv4(Packet& quoted, unsigned available) {
    if (available < sizeof(Ipv4Header)) return false;
    const Ipv4Header& ip = quoted.ipv4();
    const unsigned header_octets = ip.header_octets();
    if (ip.version_ihl >> 4 != 4 || header_octets < sizeof(Ipv4Header) || header_octets > available) return false;
    quoted.family = Family::ipv4;
    quoted.ip_octets = static_cast<std::uint16_t>(std::clamp<unsigned>(ip.total_octets, header_octets, available));
    quoted.ip_header_octets = static_cast<std::uint8_t>(header_octets);
    quoted.protocol = ip.protocol;
    quoted.fragment = ip.is_fragment();
    return true;
}

bool read_ipv6(Packet& quoted, unsigned available) {
    if (available < sizeof(Ipv6Header)) return false;
    const Ipv6Header& ip = quoted.ipv6();
    if (ip.version_class_flow >> 28 != 6) return false;
    quoted.family = Family::ipv6;
    quoted.ip_octets =
        static_cast<std::uint16_t>(std::min<unsigned>(unsigned{sizeof(Ipv6Header)} + ip.payload_octets, available));
    quoted.ip_header_octets = sizeof(Ipv6Header);
    quoted.protocol = ip.next_header;
    quoted.next_header_at = offsetof(Ipv6Header, next_header);
    return walk_extension_headers(quoted) == Drop::none && !quoted.waypoint;
}

/// The type of the echo message that answers one of `type`; other types stay.
std::uint16_t answering(std::uint8_t protocol, std::uint16_t type) {
    const bool v4 = protocol == static_cast<std::uint8_t>(IpProtocol::icmp);
    const std::uint16_t request = v4 ? 8 : 128, reply = v4 ? 0 : 129;
    if (type == request) return reply;
    return type == reply ? request : type;
}

}  // namespace

bool may_be_icmp_error(const Packet& p) { return is_icmp(p.protocol) && (p.fragment || kind_of(p)); }

bool read_quoted(const Packet& p, Packet& quoted) {
    if (p.payload_octets() < sizeof(IcmpHeader)) return false;
    const unsigned available = p.payload_octets() - unsigned{sizeof(IcmpHeader)};
    quoted = Packet{};
    quoted.ip = p.payload() + sizeof(IcmpHeader);
    const bool readable = p.family == Family::ipv4 ? read_ipv4(quoted, available) : read_ipv6(quoted, available);
    return readable && quoted.source() == p.destination();
}

bool is_about_ipsec(const IcmpQuote& quote) {
    if (!quote.answer) return false;
    if (is_ipsec(quote.answer->protocol)) return true;
    const bool from_port_4500 = IpProtocol{quote.answer->protocol} == IpProtocol::udp && quote.answer->ports_known &&
                                quote.answer->destination_port == nat_traversal_port;
    return from_port_4500 && quote.kind == control::IcmpKind::too_big;
}

PacketSelector reversed(const PacketSelector& selector) {
    PacketSelector out = selector;
    std::swap(out.source, out.destination);
    if (is_icmp(selector.protocol))
        out.source_port = answering(selector.protocol, selector.source_port);
    else
        std::swap(out.source_port, out.destination_port);
    return out;
}

std::optional<IcmpQuote> icmp_quote(const Packet& p) {
    const auto kind = kind_of(p);
    if (!kind) return std::nullopt;
    IcmpQuote quote{.kind = *kind, .answer = {}};
    Packet quoted;
    if (!read_quoted(p, quoted)) return quote;
    quote.answer = reversed(selector_of(quoted));
    quote.answer->tag = p.opened != 0 ? p.tag : p.answers_tag;
    return quote;
}

}  // namespace torii
