#include "dataplane/worker.h"

#include <algorithm>

#include "dataplane/filter_stage.h"
#include "dataplane/flow_key.h"
#include "dataplane/inbound_check.h"
#include "dataplane/inbound_sas.h"
#include "esp/udp.h"
#include "ip/ip.h"

namespace torii {

using control::Hook;

namespace {

constexpr std::size_t ahead = 6;  // packets between a prefetch and its use

/// What the pipeline will touch of a frame: its first two lines, and the one before for the headers to come.
void prefetch_frame(const rte_mbuf* mbuf) {
    const auto* const at = rte_pktmbuf_mtod(mbuf, const std::byte*);
    __builtin_prefetch(at - 64, 1);
    __builtin_prefetch(at, 1);
    __builtin_prefetch(at + 64, 1);
}
constexpr unsigned reassembly_places = 64;

/// Two loads and no call, unlike what comparing the arrays becomes.
bool same_mac(const std::array<std::uint8_t, 6>& a, const MacAddress& b) {
    std::uint32_t a_high, b_high;
    std::uint16_t a_low, b_low;
    std::memcpy(&a_high, a.data(), 4);
    std::memcpy(&b_high, b.octets.data(), 4);
    std::memcpy(&a_low, a.data() + 4, 2);
    std::memcpy(&b_low, b.octets.data() + 4, 2);
    return ((a_high ^ b_high) | static_cast<std::uint32_t>(a_low ^ b_low)) == 0;
}

/// 33:33 and the last four octets of an IPv6 group (RFC 2464 7).
bool is_ipv6_group(const std::array<std::uint8_t, 6>& mac) { return mac[0] == 0x33 && mac[1] == 0x33; }

/// Whether IPv6's neighbour discovery may have sent this: an ICMPv6 message of its own that no router has passed on
/// (RFC 4861 7.1).
bool is_discovery(const Packet& p) {
    if (p.protocol != static_cast<std::uint8_t>(IpProtocol::icmpv6) || p.ipv6().hop_limit != 255) return false;
    if (p.fragment || p.payload_octets() == 0) return false;
    const auto type = std::to_integer<unsigned>(*p.payload());
    return type >= 133 && type <= 137;
}

}  // namespace

PacketSelector selector_of(const Packet& packet) { return flow_key(packet).selector(); }

Worker::Worker(WorkerSetup setup, const Tables& tables, std::unique_ptr<CryptoEngine> crypto)
    : setup_(std::move(setup)),
      tables_(tables),
      crypto_(std::move(crypto)),
      flows_(setup_.flow_entries, setup_.seed),
      reassembler_(*setup_.large_pool, reassembly_places),
      fragment_ports_(setup_.seed),
      next_identification_(static_cast<std::uint32_t>(setup_.seed) + (setup_.index << 24)),
      outgoing_(setup_.tx_queues.size()) {
    for (std::size_t port = 0; port < setup_.tx_queues.size(); ++port)
        if (setup_.tx_queues[port] != 0) ports_.push_back(static_cast<std::uint16_t>(port));
}

Worker::~Worker() = default;

// ---- the life of a packet, on one page

void Worker::carry() {
    parse();  // arrived_ -> parsed_, control core
    do {      // once more for what has come out of a gif port, or gone into one
        if (captures_wire_) capture_arrived(*capture_, records_, parsed_);
        if (asks_filter(Hook::wire)) filter_arrived(*filter_, filter_counts_, parsed_, tagging_place());
        sort();                               // parsed_ -> encrypted_, clear_
        open_all();                           // encrypted_ -> clear_, another worker
        classify();                           // clear_ -> protect_, leaving_, parsed_ (out of a gif), control core
        while (!protect_.empty()) protect();  // protect_ -> protect_ (bundles), leaving_, another worker
        if (captures_wire_) capture_leaving(*capture_, records_, leaving_, tables_.hops);
        if (asks_filter(Hook::wire)) filter_leaving(*filter_, filter_counts_, leaving_, tables_.hops, tagging_place());
        emit();  // leaving_ -> ports, clear_ (into a gif), control core (no MAC yet)
    } while (!parsed_.empty() || !clear_.empty());
    finish();  // what was dropped on the way is counted and freed
}

std::size_t Worker::turn() {
    std::size_t moved = 0;
    rules_ = tables_.rules.load(std::memory_order_acquire);
    sad_ = tables_.sad.load(std::memory_order_acquire);
    date_flows();
    filter_ = tables_.filter.load(std::memory_order_acquire);
    look_for_capture();
    looks_at_arrived_ = captures_wire_ || asks_filter(Hook::wire);
    std::array<rte_mbuf*, Batch::capacity> mbufs;
    for (const WorkerQueue& queue : setup_.rx) {
        const std::size_t count =
            rte_eth_rx_burst(queue.port, queue.queue, mbufs.data(), static_cast<std::uint16_t>(setup_.burst));
        if (count == 0) continue;
        moved += count;
        receive(mbufs.data(), count, queue.port, rules_->port_arrival[queue.port]);
        carry();
    }
    const auto resume = [&](rte_ring* ring) {
        if (ring == nullptr || rte_ring_empty(ring)) return;
        take_over(ring);
        moved += burst_size_;
        counters_.taken_over.add(burst_size_);
        carry();
    };
    for (rte_ring* ring : setup_.rings.from_worker) resume(ring);
    resume(setup_.rings.from_control);
    for (const std::uint16_t port : ports_) flush(port);
    if (reassembler_.has_work()) [[unlikely]]
        look_after_fragments();
    if (moved != 0) {
        counters_.bursts.add(1);
        counters_.packets.add(moved);
    }
    rte_rcu_qsbr_quiescent(setup_.quiescence, setup_.index);
    return moved;
}

/// Flows are decided anew by other rules, and after a while by the same.
void Worker::date_flows() {
    second_ = tables_.now_seconds.load(std::memory_order_relaxed);
    if (rules_->generation == flow_generation_ && second_ - flows_since_ < rules_->flow_seconds) return;
    flow_generation_ = rules_->generation;
    flows_since_ = second_;
    ++flow_date_;
}

void Worker::look_for_capture() {
    const Capture* const capture = tables_.capture.load(std::memory_order_acquire);
    capture_ = capture != nullptr ? capture->rings[setup_.index].get() : nullptr;
    captures_wire_ = capture != nullptr && capture->at(Hook::wire);
    captures_clear_ = capture != nullptr && capture->at(Hook::clear);
}

// ---- parse

/// Where nobody looks at what arrives, each packet is sorted as it is parsed: that saves a pass over the burst.
inline void Worker::pass_parsed(Packet& p) {
    if (looks_at_arrived_) [[unlikely]]
        return parsed_.add(p);
    route_arrived(p);
}

void Worker::receive(rte_mbuf** mbufs, std::size_t count, std::uint16_t port, Arrival arrival) {
    std::uint64_t octets = 0;
    for (std::size_t i = 0; i < std::min(count, 2 * ahead); ++i) __builtin_prefetch(mbufs[i]);
    for (std::size_t i = 0; i < std::min(count, ahead); ++i) prefetch_frame(mbufs[i]);
    for (std::size_t i = 0; i < count; ++i) {
        if (i + 2 * ahead < count) __builtin_prefetch(mbufs[i + 2 * ahead]);
        if (i + ahead < count) prefetch_frame(mbufs[i + ahead]);
        Packet& p = burst_[i];
        p = Packet{};
        p.mbuf = mbufs[i];
        p.ip = rte_pktmbuf_mtod(mbufs[i], std::byte*);
        p.port = port;
        p.arrival = arrival;
        octets += mbufs[i]->pkt_len;
        arrived_.add(p);
    }
    burst_size_ = count;
    counters_.ports[port].rx_packets.add(count);
    counters_.ports[port].rx_octets.add(octets);
}

/// Drops: multi_segment, truncated, not_our_mac, multicast, unknown_ethertype, and those of parse_ipv4 and take_ipv6.
void Worker::parse() {
    for (std::size_t i = 0; i < arrived_.size(); ++i) {
        Packet& p = arrived_[i];
        if (p.mbuf->nb_segs != 1) {
            Batch::drop(p, Drop::multi_segment);
            continue;
        }
        const std::size_t frame_octets = p.mbuf->data_len;
        if (frame_octets < sizeof(EthernetHeader)) {
            Batch::drop(p, Drop::truncated);
            continue;
        }
        const auto& ethernet = *reinterpret_cast<const EthernetHeader*>(p.ip);
        const auto type = static_cast<EtherType>(std::uint16_t{ethernet.type});
        const bool ours = same_mac(ethernet.destination, setup_.port_macs[p.port]);
        if (type == EtherType::arp) {
            punt(p, Punt::arp);
        } else if (!ours && !(type == EtherType::ipv6 && is_ipv6_group(ethernet.destination))) [[unlikely]] {
            Batch::drop(p, ethernet.destination[0] & 1 ? Drop::multicast : Drop::not_our_mac);
        } else if (type == EtherType::ipv4) [[likely]] {
            p.ip += sizeof(EthernetHeader);
            const bool summed = (p.mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;
            const Drop reason = parse_ipv4(p, frame_octets - sizeof(EthernetHeader), summed);
            if (reason != Drop::none) [[unlikely]]
                Batch::drop(p, reason);
            else
                pass_parsed(p);
        } else if (type == EtherType::ipv6) {
            p.ip += sizeof(EthernetHeader);
            take_ipv6(p, frame_octets - sizeof(EthernetHeader), ours);
        } else {
            Batch::drop(p, Drop::unknown_ethertype);
        }
    }
    arrived_.clear();
}

/// Neighbour discovery is the control core's, whatever policies say: what is for us, and on the host port all, because
/// there we answer for everybody behind us. `ours`: the frame is for our MAC, not for a group.
/// Drops: multicast, and those of parse_ipv6.
void Worker::take_ipv6(Packet& p, std::size_t octets, bool ours) {
    const Drop reason = parse_ipv6(p, octets);
    // Behind the headers that the fragment announces may be IPsec for us: its packet's first one knows.
    const bool may_be_opened = reason == Drop::opaque_fragment && ours && p.arrival == Arrival::outside &&
                               rules_->routes->is_own(p.destination());
    if (may_be_opened) [[unlikely]] {
        if (!reassembler_.add(p, tables_.now_seconds.load(std::memory_order_relaxed))) return;
    } else if (reason != Drop::none) {
        return Batch::drop(p, reason);
    }
    const Address destination = p.destination();
    const bool for_us = destination.is_multicast() || p.arrival == Arrival::host;
    if (is_discovery(p) && (for_us || rules_->routes->is_own(destination))) return punt(p, Punt::neighbour_discovery);
    if (!ours) return Batch::drop(p, Drop::multicast);
    pass_parsed(p);
}

void Worker::sort() {
    for (Packet& p : parsed_.live()) route_arrived(p);
    parsed_.clear();
}

/// IPsec goes to be opened unless it comes from inside, where it is payload like any other. Where no SPI can be read,
/// only the address tells whose it is.
void Worker::route_arrived(Packet& p) {
    if ((p.fragment || p.waypoint) && !may_go_on(p)) [[unlikely]]
        return;
    if (is_ip_in_ip(p.protocol) && is_bare_tunnel(p)) [[unlikely]]
        return leave_bare_tunnel(p);
    if (p.arrival == Arrival::outside && is_to_nat_traversal_port(p) && rules_->routes->is_own(p.destination()))
        [[unlikely]]
        return take_from_udp(p);
    const bool ipsec = is_ipsec(p.protocol) && p.arrival == Arrival::outside;
    const bool ours = ipsec && (has_readable_spi(p) || rules_->routes->is_own(p.destination()));
    (ours ? encrypted_ : clear_).add(p);
}

/// What few packets ask: fragments may have to wait, and an IPv6 packet that should go on from here by its routing
/// header goes nowhere (RFC 8200 4.4).
bool Worker::may_go_on(Packet& p) {
    if (p.fragment && !is_whole(p)) return false;
    if (p.family == Family::ipv4 || !p.waypoint || !rules_->routes->is_own(p.destination())) return true;
    Batch::drop(p, Drop::source_route);
    return false;
}

/// What stands behind UDP to port 4500 of ours (RFC 3948 2): ESP to be opened, or IKE, which is for us like any other.
/// Drops: nat_keepalive, bad_udp_length.
void Worker::take_from_udp(Packet& p) {
    switch (udp_content(p)) {
        case UdpContent::esp: leave_udp(p); return encrypted_.add(p);
        case UdpContent::ike: return clear_.add(p);
        case UdpContent::keepalive: return Batch::drop(p, Drop::nat_keepalive);
        case UdpContent::malformed: return Batch::drop(p, Drop::bad_udp_length);
    }
}

/// Fragments that must be whole first: IPsec that came from outside, UDP, which may hold IPsec or IKE, and IP in IP,
/// all for us; and what the host's own stack sends, since transport mode takes no fragments (RFC 4303 3.3.4). True: the
/// packet is whole now, or need not be.
bool Worker::is_whole(Packet& p) {
    const bool is_opened = (is_ipsec(p.protocol) && p.arrival == Arrival::outside) || is_ip_in_ip(p.protocol);
    const bool is_taken_whole = is_opened || IpProtocol{p.protocol} == IpProtocol::udp;
    if (p.arrival != Arrival::host && !(is_taken_whole && rules_->routes->is_own(p.destination()))) return true;
    return reassembler_.add(p, tables_.now_seconds.load(std::memory_order_relaxed));
}

/// What waited for too long, or was pushed out, is counted: its mbufs are gone already.
void Worker::look_after_fragments() {
    reassembler_.expire(second_, [this](Packet& first_fragment) { tell_of_timeout(first_fragment); });
    const Reassembler::Abandoned abandoned = reassembler_.take_abandoned();
    counters_.drops[static_cast<std::size_t>(Drop::fragment_timeout)].add(abandoned.timed_out);
    counters_.drops[static_cast<std::size_t>(Drop::fragment_overlap)].add(abandoned.spoiled);
}

/// The control core tells its sender that the rest did not come (RFC 792, RFC 4443 3.3).
void Worker::tell_of_timeout(Packet& first_fragment) {
    punt(first_fragment, Punt::reassembly_timeout);
    if (first_fragment.mbuf == nullptr) return;
    counters_.drops[static_cast<std::size_t>(first_fragment.drop)].add(1);
    rte_pktmbuf_free(first_fragment.mbuf);
}

// ---- open

/// A flow's packets may need different numbers of rounds: what did not compress left IPComp out (RFC 3173 2.2). They go
/// on in the order in which they came.
void Worker::open_all() {
    if (encrypted_.empty()) return;
    bool uneven = !clear_.empty();
    open();
    for (; !encrypted_.empty(); uneven = true) open();  // nested
    if (uneven) clear_.restore_order();
}

/// Drops: unknown_spi, unknown_cpi, encapsulation_mismatch, nested_too_deep, and those of find_inbound_sas, open_esp,
/// open_ah and open_ipcomp.
void Worker::open() {
    find_inbound_sas(*sad_, encrypted_);
    Batch mine, esp, ah, ipcomp;
    for (Packet& p : encrypted_.live()) {
        if (p.inbound_sa == nullptr && !may_go_without_sa(p)) [[unlikely]] {
            continue;
        } else if (p.inbound_sa != nullptr && !p.inbound_sa->comes(p.in_udp)) [[unlikely]] {
            Batch::drop(p, Drop::encapsulation_mismatch);
        } else if (p.nesting == max_nesting) [[unlikely]] {
            Batch::drop(p, Drop::nested_too_deep);
        } else if (p.inbound_sa != nullptr && p.inbound_sa->owner != setup_.index) {
            hand_over(p, p.inbound_sa->owner, Resume::open);
        } else {
            ++p.nesting;
            mine.add(p);
            switch (IpsecProtocol{p.protocol}) {
                case IpsecProtocol::esp: esp.add(p); break;
                case IpsecProtocol::ah: ah.add(p); break;
                case IpsecProtocol::ipcomp: ipcomp.add(p); break;
            }
        }
    }
    encrypted_.clear();
    if (!esp.empty()) open_esp(*crypto_, jobs_, notices_, esp);
    if (!ah.empty()) open_ah(*crypto_, jobs_, ah_scratch_, notices_, ah);
    if (!ipcomp.empty()) open_ipcomp(deflate_, notices_, ipcomp);
    for (Packet& p : mine.live()) {
        if (p.inbound_sa != nullptr) [[likely]]
            count_opened(counters_.ipsec, *p.inbound_sa);
        else
            count_decompressed(counters_.ipsec, p);
        p.past_wire = true;
        p.in_udp = false;
        route_arrived(p);
    }
}

/// What to do with a packet whose SPI or CPI nobody has: somebody else's is transit; what came before its SA waits;
/// DEFLATE's own CPI needs no SA (RFC 3173 3.3); the rest is dropped, and told.
bool Worker::may_go_without_sa(Packet& p) {
    const Address destination = p.destination();
    if (!rules_->routes->is_own(destination)) {
        clear_.add(p);
        return false;
    }
    const Spi spi = spi_of(p);
    if (p.nesting == 0 && tables_.expected.contains(spi)) [[unlikely]] {
        punt(p, Punt::early);
        return false;
    }
    const bool ipcomp = IpsecProtocol{p.protocol} == IpsecProtocol::ipcomp;
    if (ipcomp && spi == Spi{static_cast<std::uint32_t>(Cpi::deflate)}) return true;
    Batch::drop(p, ipcomp ? Drop::unknown_cpi : Drop::unknown_spi);
    notices_.tell(
        {.kind = control::Event::Kind::unknown_spi,
         .spi = spi,
         .sequence = sequence_low_of(p),
         .flow_label = flow_label(p),
         .packet = {.source = p.source(), .destination = destination, .protocol = p.protocol, .ports_known = false}});
    return false;
}

/// IP in IP is how a tunnel of IPComp looks whose packet did not compress (RFC 3173 2.2): it is left if the inbound
/// policy of what is inside asks for such a tunnel between these ends. Otherwise it is a gif's, or payload for this
/// host.
bool Worker::is_bare_tunnel(const Packet& p) const {
    const Endpoints ends{p.source(), p.destination()};
    if (p.arrival != Arrival::outside || p.fragment || !rules_->routes->is_own(ends.destination)) return false;
    Packet inside = p;
    inside.ip = p.payload();
    if (parse_ip(family_inside(p), inside, p.payload_octets()) != Drop::none) return false;
    const Policy* const policy = rules_->inbound->find(flow_key(inside).selector()).policy;
    return policy != nullptr && asks_for_ipcomp_tunnel(*policy, ends);
}

/// As deep as any IPsec.
void Worker::leave_bare_tunnel(Packet& p) {
    if (p.nesting++ == max_nesting) return Batch::drop(p, Drop::nested_too_deep);
    if (const Drop reason = leave_tunnel(p, p.inbound_sa, p.payload(), p.payload_octets(), family_inside(p));
        reason != Drop::none)
        return Batch::drop(p, reason);
    route_arrived(p);
}

/// Every packet of the burst has met its fate by now: it belongs to somebody else, or it is dropped by name.
void Worker::finish() {
    std::array<rte_mbuf*, Batch::capacity> dropped;
    unsigned count = 0;
    for (std::size_t i = 0; i < burst_size_; ++i) {
        const Packet& p = burst_[i];
        if (p.mbuf == nullptr) [[likely]]
            continue;
        assert(p.drop != Drop::none);
        counters_.drops[static_cast<std::size_t>(p.drop)].add(1);
        count_dropped(counters_.ipsec, p, p.drop);
        dropped[count++] = p.mbuf;
    }
    if (capture_ != nullptr) records_.finish(*capture_, burst_size_);
    if (count != 0) rte_pktmbuf_free_bulk(dropped.data(), count);
    burst_size_ = 0;
}

}  // namespace torii
