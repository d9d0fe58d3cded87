#include "dataplane/gif.h"

#include "ip/ip.h"
#include "transform/transform.h"

namespace torii {

namespace {

constexpr std::uint8_t envelope_hops = 64;
constexpr unsigned largest_packet = 0xffff;

OuterHeader envelope(const Address& source, const Address& destination, IpProtocol inside) {
    if (source.is_v4()) return outer_header(source.v4_number(), destination.v4_number(), inside);
    return outer_header(source, destination, inside);
}

}  // namespace

Gif::Gif(const Address& our_end, const Address& far_end, HopIndex next_hop)
    : local(our_end),
      remote(far_end),
      hop(next_hop),
      envelopes{envelope(our_end, far_end, IpProtocol::ipv4), envelope(our_end, far_end, IpProtocol::ipv6)} {}

bool may_leave_in_pieces(const Packet& inside) {
    if (inside.family == Family::ipv4) return (inside.ipv4().flags_offset & Ipv4Header::dont_fragment) == 0;
    return inside.ip_octets <= ipv6_minimum_mtu || inside.made_here || inside.arrival == Arrival::self;
}

Drop enter_gif(Packet& p, const Gif& gif, std::uint16_t port, std::uint16_t identification) {
    Packet out;
    out.gifs = p.arrival == Arrival::gif ? p.gifs : std::uint8_t{0};
    if (out.gifs++ == most_nested_gifs) return Drop::gif_too_deep;
    const unsigned header = gif.envelope_octets(), total = p.ip_octets + header;
    if (total > largest_packet || !has_room(p, header, 0)) return Drop::no_room;
    const OuterHeader& envelope = gif.envelopes[p.family == Family::ipv4 ? 0 : 1];
    out.made_here = may_leave_in_pieces(p);
    out.mbuf = p.mbuf;
    out.ip = p.ip - header;
    out.family = gif.local.family();
    if (out.family == Family::ipv4) {
        write_outer(out.ip, envelope.ipv4, dscp_ecn(p), envelope_hops,
                    out.made_here ? std::uint16_t{0} : Ipv4Header::dont_fragment, static_cast<std::uint16_t>(total),
                    identification);
    } else {
        write_outer(out.ip, envelope.ipv6, dscp_ecn(p), envelope_hops, 0, total);
        out.next_header_at = offsetof(Ipv6Header, next_header);
    }
    out.ip_octets = static_cast<std::uint16_t>(total);
    out.ip_header_octets = static_cast<std::uint8_t>(header);
    out.protocol = protocol_of(p.family);
    out.tag = p.tag;
    out.port = port;
    out.arrival = Arrival::gif;
    p = out;
    return Drop::none;
}

Drop leave_gif(Packet& p, std::uint16_t port, Arrival side) {
    if (p.gifs == most_nested_gifs) return Drop::gif_too_deep;
    Packet in;
    in.mbuf = p.mbuf;
    in.ip = p.payload();
    if (const Drop reason = parse_ip(family_inside(p), in, p.payload_octets()); reason != Drop::none) return reason;
    if (!inherit_ecn(dscp_ecn(p), in)) return Drop::bad_ecn;
    in.port = port;
    in.arrival = side;
    in.gifs = static_cast<std::uint8_t>(p.gifs + 1);
    in.nesting = p.nesting;
    in.tag = p.tag;
    p = in;
    return Drop::none;
}

}  // namespace torii
