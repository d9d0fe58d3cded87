// IKE's messages between the network and whoever speaks IKE: out of IP and UDP on the way in, into them on the way out
// (RFC 7296 2, 2.23; RFC 3948 2.2). They pass no policy, either way, and nobody's flood of them stands in the way of
// ARP or of what waits for SAs: they have a ring of their own. Control thread.
#include "esp/udp.h"
#include "gateway/gateway.h"
#include "ip/fragments.h"
#include "ip/ip.h"

namespace torii {

namespace {

constexpr unsigned marker_octets = 4;  // of zero, in front of IKE on port 4500
constexpr std::uint8_t usual_hop_limit = 64;
constexpr unsigned longest_datagram = longest_reassembled;  // with its UDP header: what we would take ourselves

bool has_marker(std::uint16_t port) { return port == nat_traversal_port; }

std::uint16_t checksum_of(const Packet& p, const void* udp, std::size_t octets) {
    return p.family == Family::ipv4 ? upper_layer_checksum(p.ipv4(), IpProtocol::udp, udp, octets)
                                    : upper_layer_checksum(p.ipv6(), IpProtocol::udp, udp, octets);
}

/// 0 says that the sender computed none, which IPv6 does not know (RFC 768, RFC 8200 8.1).
bool is_checksum_right(const Packet& p, const UdpHeader& udp) {
    if (udp.checksum == 0) return p.family == Family::ipv4;
    return checksum_of(p, p.payload(), udp.octets) == 0;
}

/// The IKE message in `p`, a packet whose UDP header may be cut short or lie, or why there is none.
/// Drops: own_source, bad_fragment, bad_udp_length, bad_udp_checksum, nat_keepalive, local_unwanted.
Drop take_message(const Packet& p, control::IkeDatagram& out) {
    if (p.fragment) return Drop::bad_fragment;
    if (p.payload_octets() < sizeof(UdpHeader)) return Drop::bad_udp_length;
    const auto& udp = *reinterpret_cast<const UdpHeader*>(p.payload());
    if (udp.octets < sizeof(UdpHeader) || udp.octets > p.payload_octets()) return Drop::bad_udp_length;
    if (!is_checksum_right(p, udp)) return Drop::bad_udp_checksum;
    out = {p.destination(), p.source(), udp.destination_port, udp.source_port,
           std::span{p.payload(), udp.octets}.subspan(sizeof udp)};
    if (!has_marker(out.local_port)) return Drop::none;
    switch (udp_content(p)) {
        case UdpContent::keepalive: return Drop::nat_keepalive;
        case UdpContent::malformed: return Drop::bad_udp_length;
        case UdpContent::esp: return Drop::local_unwanted;  // from inside, whose IPsec is not for us
        case UdpContent::ike: break;
    }
    if (out.octets.size() < marker_octets) return Drop::bad_udp_length;
    out.octets = out.octets.subspan(marker_octets);
    return Drop::none;
}

/// Writes IP | UDP | [marker] | message at `ip`; `udp_octets` are those of all behind the IP header. Returns the
/// octets.
unsigned write_datagram(std::byte* ip, const control::IkeDatagram& d, unsigned udp_octets,
                        std::uint16_t identification) {
    const bool v4 = d.local.is_v4();
    const unsigned header = v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header), total = header + udp_octets;
    const std::uint8_t hop_limit = d.remote.is_link_local() ? 255 : usual_hop_limit;
    if (v4)
        write_outer(ip, outer_header(d.local.v4_number(), d.remote.v4_number(), IpProtocol::udp).ipv4, 0, hop_limit, 0,
                    static_cast<std::uint16_t>(total), identification);
    else
        write_outer(ip, outer_header(d.local, d.remote, IpProtocol::udp).ipv6, 0, hop_limit, 0, total);
    UdpHeader udp{d.local_port, d.remote_port, static_cast<std::uint16_t>(udp_octets), 0};
    std::byte* const at = ip + header;
    std::byte* message = at + sizeof udp;
    std::memcpy(at, &udp, sizeof udp);
    if (has_marker(d.local_port)) {
        std::memset(message, 0, marker_octets);
        message += marker_octets;
    }
    if (!d.octets.empty()) std::memcpy(message, d.octets.data(), d.octets.size());
    const std::uint16_t checksum =
        v4 ? upper_layer_checksum(*reinterpret_cast<const Ipv4Header*>(ip), IpProtocol::udp, at, udp_octets)
           : upper_layer_checksum(*reinterpret_cast<const Ipv6Header*>(ip), IpProtocol::udp, at, udp_octets);
    udp.checksum = checksum != 0 ? checksum : std::uint16_t{0xffff};  // RFC 768
    std::memcpy(at, &udp, sizeof udp);
    return total;
}

}  // namespace

// ---- in

/// Without a receiver it is UDP to a port of ours that nobody serves.
void Gateway::serve_ike(rte_mbuf* mbuf) {
    if (!ike_receiver_) return serve_local(mbuf);
    const Packet& p = carried(*mbuf);
    control::IkeDatagram datagram;
    Drop reason = routes_->is_own(p.source()) ? Drop::own_source : take_message(p, datagram);
    if (reason != Drop::none) return forget(mbuf, reason);
    if (!ike_receiver_(datagram)) return forget(mbuf, Drop::ike_full);
    rte_pktmbuf_free(mbuf);
}

Result<std::shared_ptr<void>> Gateway::receive_ike(control::IkeReceiver receiver) {
    if (ike_receiver_) return fail(Errc::exists, "somebody receives IKE's messages already");
    ike_receiver_ = std::move(receiver);
    return std::shared_ptr<void>{this, [](void* gateway) { static_cast<Gateway*>(gateway)->ike_receiver_ = {}; }};
}

// ---- out

/// The next hop; none where only the packet itself will ask for it. A link-local peer is on the link of our address.
Result<HopIndex> Gateway::way_to_peer(const control::IkeDatagram& d) {
    if (!d.remote.is_link_local()) {
        const RouteAnswer answer = routes_->find(d.remote);
        if (answer.route == nullptr) return fail(Errc::not_found, "no route to " + d.remote.text());
        return hop_toward(answer, false);
    }
    for (std::size_t i = 0; i < ports_.size(); ++i)
        for (const InterfaceAddress& a : configuration_.ports[i].addresses)
            if (a.address == d.local) return neighbours_->want(d.remote, port_number(i), now_);
    return fail(Errc::not_found, d.local.text() + " is on no link with " + d.remote.text());
}

/// It goes on behind the policies, as a packet that waited for ARP does; whoever makes its frame cuts it.
Result<void> Gateway::send_ike(const control::IkeDatagram& d) {
    if (d.local.family() != d.remote.family())
        return fail(Errc::bad_value, d.local.text() + " and " + d.remote.text() + " are of different families");
    if (!routes_->is_own(d.local)) return fail(Errc::bad_value, d.local.text() + " is no address of ours");
    if (routes_->is_own(d.remote)) return fail(Errc::bad_value, d.remote.text() + " is our own address");
    const std::size_t udp_octets = sizeof(UdpHeader) + (has_marker(d.local_port) ? marker_octets : 0) + d.octets.size();
    if (udp_octets > longest_datagram)
        return fail(Errc::bad_value, std::to_string(d.octets.size()) + " octets fit no UDP datagram");
    TORII_TRY(const HopIndex hop, way_to_peer(d));
    if (!room_for_answers()) return fail(Errc::no_room, "too many messages are on their way to the network already");
    const std::size_t needed = udp_octets + sizeof(Ipv6Header);
    const bool is_usual = needed + RTE_PKTMBUF_HEADROOM <= rte_pktmbuf_data_room_size(pool());
    rte_mbuf* const mbuf = is_usual ? allocate() : rte_pktmbuf_alloc(large_pool());
    if (mbuf == nullptr) return fail(Errc::no_room, "no buffer is free: raise mbufs");
    Packet& p = carried(*mbuf) = Packet{};
    p.mbuf = mbuf;
    p.ip = rte_pktmbuf_mtod(mbuf, std::byte*);
    const unsigned total = write_datagram(p.ip, d, static_cast<unsigned>(udp_octets), ike_identification_++);
    (void)parse_ip(d.local.family(), p, total);
    p.arrival = Arrival::self;
    p.next_hop = hop;
    p.resume = Resume::transmit;
    inject(mbuf);
    return {};
}

}  // namespace torii
