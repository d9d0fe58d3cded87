#include "dataplane/worker.h"

#include <rte_pause.h>
#include <time.h>

#include <algorithm>

#include "dataplane/chain_size.h"
#include "dataplane/flow_key.h"
#include "dataplane/inbound_check.h"
#include "dataplane/inbound_sas.h"
#include "ip/ip.h"

namespace torii {

namespace {

constexpr std::size_t ahead = 6;  // packets between a prefetch and its use

/// What the pipeline will touch of a frame: its first two lines, and the one before for the headers to come.
void prefetch_frame(const rte_mbuf* mbuf) {
    const auto* const at = rte_pktmbuf_mtod(mbuf, const std::byte*);
    __builtin_prefetch(at - 64, 1);
    __builtin_prefetch(at, 1);
    __builtin_prefetch(at + 64, 1);
}
constexpr unsigned turns_before_napping = 2000;
constexpr unsigned largest_packet = 0xffff;
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

/// One hop may serve both families, as the host port's does.
void write_ethernet(std::byte* frame, const NextHop& hop, Family family) {
    std::memcpy(frame, &hop.ethernet, sizeof(EthernetHeader));
    auto& ethernet = *reinterpret_cast<EthernetHeader*>(frame);
    ethernet.type = static_cast<std::uint16_t>(family == Family::ipv4 ? EtherType::ipv4 : EtherType::ipv6);
}

/// What RFC 4301 5.2 wants told of a packet that came otherwise than its policy asks.
Notice mismatch(const Packet& p) {
    return {.kind = control::Event::Kind::selector_mismatch,
            .serial = p.opened != 0 ? p.used[p.opened - 1]->serial : 0,
            .packet = flow_key(p).selector()};
}

}  // namespace

Worker::Worker(WorkerSetup setup, const Tables& tables, std::unique_ptr<CryptoEngine> crypto)
    : setup_(std::move(setup)),
      tables_(tables),
      crypto_(std::move(crypto)),
      flows_(setup_.flow_entries, setup_.seed),
      reassembler_(*setup_.large_pool, reassembly_places),
      next_identification_(static_cast<std::uint32_t>(setup_.seed) + (setup_.index << 24)),
      outgoing_(setup_.tx_queues.size()) {
    for (std::size_t port = 0; port < setup_.tx_queues.size(); ++port)
        if (setup_.tx_queues[port] != 0) ports_.push_back(static_cast<std::uint16_t>(port));
}

Worker::~Worker() = default;

// ---- the life of a packet, on one page

void Worker::carry() {
    parse();                              // arrived_ -> encrypted_, clear_, control core
    while (!encrypted_.empty()) open();   // encrypted_ -> encrypted_ (nested), clear_, another worker
    classify();                           // clear_ -> protect_, leaving_, control core
    while (!protect_.empty()) protect();  // protect_ -> protect_ (bundles), leaving_, another worker
    emit();                               // leaving_ -> ports, control core (no MAC yet)
    finish();                             // what was dropped on the way is counted and freed
}

std::size_t Worker::turn() {
    std::size_t moved = 0;
    rules_ = tables_.rules.load(std::memory_order_acquire);
    sad_ = tables_.sad.load(std::memory_order_acquire);
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

// ---- parse

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
                route_arrived(p);
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
    if (const Drop reason = parse_ipv6(p, octets); reason != Drop::none) return Batch::drop(p, reason);
    const Address destination = p.destination();
    const bool for_us = destination.is_multicast() || p.arrival == Arrival::host;
    if (is_discovery(p) && (for_us || rules_->routes->is_own(destination))) return punt(p, Punt::neighbour_discovery);
    if (!ours) return Batch::drop(p, Drop::multicast);
    route_arrived(p);
}

/// IPsec goes to be opened unless it comes from inside, where it is payload like any other. Where no SPI can be read,
/// only the address tells whose it is. An IPv6 packet that should go on from here by its routing header goes nowhere
/// (RFC 8200 4.4).
void Worker::route_arrived(Packet& p) {
    if (p.fragment && !is_whole(p)) [[unlikely]]
        return;
    if (p.family == Family::ipv6 && p.waypoint && rules_->routes->is_own(p.destination())) [[unlikely]]
        return Batch::drop(p, Drop::source_route);
    const bool ipsec = is_ipsec(p.protocol) && p.arrival == Arrival::outside;
    const bool ours = ipsec && (has_readable_spi(p) || rules_->routes->is_own(p.destination()));
    (ours ? encrypted_ : clear_).add(p);
}

/// Fragments that must be whole first: IPsec for us, and what the host's own stack sends, since transport mode takes no
/// fragments (RFC 4303 3.3.4). True: the packet is whole now, or need not be.
bool Worker::is_whole(Packet& p) {
    const bool for_us = is_ipsec(p.protocol) && rules_->routes->is_own(p.destination());
    if (p.arrival == Arrival::outside ? !for_us : p.arrival != Arrival::host) return true;
    return reassembler_.add(p, tables_.now_seconds.load(std::memory_order_relaxed));
}

/// What waited for too long, or was pushed out, is counted: its mbufs are gone already.
void Worker::look_after_fragments() {
    reassembler_.expire(tables_.now_seconds.load(std::memory_order_relaxed));
    const Reassembler::Abandoned abandoned = reassembler_.take_abandoned();
    counters_.drops[static_cast<std::size_t>(Drop::fragment_timeout)].add(abandoned.timed_out);
    counters_.drops[static_cast<std::size_t>(Drop::fragment_overlap)].add(abandoned.spoiled);
}

// ---- open

/// Drops: unknown_spi, unknown_cpi, nested_too_deep, and those of find_inbound_sas, open_esp, open_ah and open_ipcomp.
void Worker::open() {
    find_inbound_sas(*sad_, encrypted_);
    Batch mine, esp, ah, ipcomp;
    for (Packet& p : encrypted_.live()) {
        if (p.inbound_sa == nullptr && !may_go_without_sa(p)) [[unlikely]] {
            continue;
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
        if (const IpProtocol inner{p.protocol}; inner == IpProtocol::ipv4 || inner == IpProtocol::ipv6) [[unlikely]]
            leave_bare_tunnel(p, inner == IpProtocol::ipv4 ? Family::ipv4 : Family::ipv6);
        if (p.drop == Drop::none) route_arrived(p);
    }
}

/// What to do with a packet whose SPI or CPI nobody has: somebody else's is transit; DEFLATE's own CPI needs no SA (RFC
/// 3173 3.3); the rest is dropped, and told.
bool Worker::may_go_without_sa(Packet& p) {
    const Address destination = p.destination();
    if (!rules_->routes->is_own(destination)) {
        clear_.add(p);
        return false;
    }
    const Spi spi = spi_of(p);
    const bool ipcomp = IpsecProtocol{p.protocol} == IpsecProtocol::ipcomp;
    if (ipcomp && spi == Spi{static_cast<std::uint32_t>(Cpi::deflate)}) return true;
    Batch::drop(p, ipcomp ? Drop::unknown_cpi : Drop::unknown_spi);
    notices_.tell(
        {.kind = control::Event::Kind::unknown_spi,
         .spi = spi,
         .sequence = sequence_low_of(p),
         .packet = {.source = p.source(), .destination = destination, .protocol = p.protocol, .ports_known = false}});
    return false;
}

/// IP in IP that a transport SA protected is how a tunnel of IPComp looks whose packet did not compress (RFC 3173 2.2):
/// it is left if the inbound policy of what is inside asks for such a tunnel. Otherwise it is payload for this host.
void Worker::leave_bare_tunnel(Packet& p, Family inner) {
    const bool out_of_transport = p.opened != 0 && p.used[p.opened - 1u]->mode == Mode::transport;
    if (!out_of_transport || p.fragment || !rules_->routes->is_own(p.destination())) return;
    Packet inside = p;
    inside.ip = p.payload();
    if (parse_ip(inner, inside, p.payload_octets()) != Drop::none) return;
    const Policy* const policy = rules_->inbound->find(flow_key(inside).selector()).policy;
    if (policy == nullptr || !asks_for_ipcomp_tunnel(*policy)) return;
    if (const Drop reason = leave_tunnel(p, p.payload(), p.payload_octets(), inner); reason != Drop::none)
        Batch::drop(p, reason);
}

// ---- classify

/// Drops: whatever the flow's verdict says; see decide().
void Worker::classify() {
    if (clear_.empty()) return;
    std::size_t count = 0, misses = 0;
    for (Packet& p : clear_.live()) {
        keys_[count] = flow_key(p);
        p.hash = flows_.hash(keys_[count++]);
        flows_.prefetch(p.hash);
    }
    count = 0;
    for (Packet& p : clear_.live()) {
        const Flows::Entry* entry = flows_.find(p.hash, keys_[count], rules_->generation);
        if (entry == nullptr || entry->verdict.used_serial != cacheable_sa(p) || p.opened > 1) [[unlikely]] {
            ++misses;
            Flows::Entry& fresh = flows_.remember(p.hash, keys_[count], rules_->generation,
                                                  decide(*rules_, tables_.hops, keys_[count].selector(), p));
            if (!is_settled(fresh.verdict)) fresh.generation = 0;
            entry = &fresh;
        }
        verdicts_[count++] = entry->verdict;
        __builtin_prefetch(entry->verdict.cell);
    }
    counters_.flow_misses.add(misses);
    counters_.flow_hits.add(count - misses);
    count = 0;
    for (Packet& p : clear_.live()) act(p, verdicts_[count++]);
    clear_.clear();
}

void Worker::act(Packet& p, const Verdict& verdict) {
    if (verdict.reason == Drop::policy_mismatch) [[unlikely]]
        notices_.tell(mismatch(p));
    if (verdict.kind == Verdict::Kind::drop) return Batch::drop(p, verdict.reason);
    p.next_hop = verdict.hop;
    if (verdict.kind == Verdict::Kind::local) {
        if (verdict.hop == HopIndex::none) return punt(p, Punt::local);
        return leaving_.add(p);
    }
    const bool counts_hops = p.arrival == Arrival::outside || p.arrival == Arrival::inside;
    if (counts_hops && hops_left(p) <= 1) return punt(p, Punt::ttl_exceeded);
    if (verdict.cell != nullptr) {
        const ChainCell::Value value = verdict.cell->read();
        if (value.kind() == ChainCell::Kind::no_sa) {
            ask_for_sa(p, *verdict.cell);
            return Batch::drop(p, Drop::no_sa);
        }
        if (value.kind() == ChainCell::Kind::clear) {
            ask_for_sa(p, *verdict.cell);
        } else {
            p.chain = value.kind() == ChainCell::Kind::chain ? value.chain() : nullptr;
            if (p.chain != nullptr && p.chain->incomplete) ask_for_sa(p, *verdict.cell);
            p.outbound_sa = p.chain ? p.chain->sas[0] : value.sa();
            __builtin_prefetch(p.outbound_sa, 1);
            __builtin_prefetch(reinterpret_cast<std::byte*>(p.outbound_sa) + 64);
            if (counts_hops) spend_hop(p);
            return protect_.add(p);
        }
    }
    if (verdict.hop == HopIndex::none && verdict.kind != Verdict::Kind::glean) return punt(p, Punt::no_route);
    if (counts_hops) spend_hop(p);
    leaving_.add(p);
}

void Worker::ask_for_sa(const Packet& p, const ChainCell& cell) {
    notices_.tell({.kind = control::Event::Kind::acquire,
                   .packet = flow_key(p).selector(),
                   .policy = rules_->cell_policies[&cell - rules_->cells]});
}

// ---- protect

/// Drops: no_room, and those of protect_esp, protect_ah and protect_ipcomp.
void Worker::protect() {
    Batch mine, esp, ah, ipcomp;
    for (Packet& p : protect_.live()) {
        if (p.outbound_sa->owner != setup_.index) [[unlikely]]
            hand_over(p, p.outbound_sa->owner, Resume::protect);
        else if (p.chain_step != 0 || fits(p)) [[likely]] {
            mine.add(p);
            switch (p.outbound_sa->protocol) {
                case IpsecProtocol::esp: esp.add(p); break;
                case IpsecProtocol::ah: ah.add(p); break;
                case IpsecProtocol::ipcomp: ipcomp.add(p); break;
            }
        }
    }
    protect_.clear();
    if (!esp.empty()) protect_esp(*crypto_, jobs_, notices_, esp);
    if (!ah.empty()) protect_ah(*crypto_, jobs_, ah_scratch_, notices_, ah);
    if (!ipcomp.empty()) protect_ipcomp(deflate_, notices_, ipcomp);
    for (Packet& p : mine.live()) {
        if (p.chain != nullptr && ++p.chain_step < p.chain->size) {
            p.outbound_sa = p.chain->sas[p.chain_step];
            protect_.add(p);
        } else {
            leaving_.add(p);
        }
    }
}

/// Whether the packet will fit the link at the chain's far end; if not, its sender is told what would (RFC 4301 8.2.1).
/// No sender of IPv6 can be told of less than every link carries: such packets are cut in the tunnel (RFC 2473 7.1),
/// and those that transport mode makes too large are lost.
bool Worker::fits(Packet& p) {
    const OutboundSa& last = p.chain ? *p.chain->sas[p.chain->size - 1u] : *p.outbound_sa;
    const unsigned mtu = last.mtu.load(std::memory_order_relaxed);
    const unsigned octets = protected_octets(p, p.ip_octets);
    if (octets <= mtu) [[likely]]
        return true;
    const bool told_all = p.family == Family::ipv6 && p.ip_octets <= ipv6_minimum_mtu;
    if (told_all || may_be_cut(p)) {  // when it leaves (RFC 4303 3.3.4)
        if (octets > largest_packet) Batch::drop(p, Drop::no_room);
        return octets <= largest_packet;
    }
    const unsigned fitting = fitting_octets(p, mtu);
    p.mtu = static_cast<std::uint16_t>(p.family == Family::ipv6 ? std::max(fitting, ipv6_minimum_mtu) : fitting);
    punt(p, Punt::too_big);
    return false;
}

// ---- emit

/// Drops: handover_full, punt_full, no_buffer; tx_full is counted by flush().
void Worker::emit() {
    for (Packet& p : leaving_.live()) {
        const NextHop* const hop = tables_.hops.read(p.next_hop);
        if (hop == nullptr || !hop->resolved) [[unlikely]] {
            punt(p, Punt::neighbour);
            continue;
        }
        const bool too_big = p.ip_octets > hop->mtu;
        if (too_big && !may_be_cut(p)) [[unlikely]] {
            p.mtu = hop->mtu;
            punt(p, Punt::too_big);
            continue;
        }
        if (const unsigned queues = setup_.tx_queues[hop->port]; setup_.index >= queues) [[unlikely]] {
            hand_over(p, setup_.index % queues, Resume::transmit);  // the device has fewer queues than we have workers
            continue;
        }
        if (too_big) [[unlikely]] {
            send_in_pieces(p, *hop);
            continue;
        }
        std::byte* const frame = p.ip - sizeof(EthernetHeader);
        write_ethernet(frame, *hop, p.family);
        rte_mbuf& mbuf = *p.mbuf;
        mbuf.data_off = static_cast<std::uint16_t>(frame - static_cast<std::byte*>(mbuf.buf_addr));
        mbuf.data_len = static_cast<std::uint16_t>(p.ip_octets + sizeof(EthernetHeader));
        mbuf.pkt_len = mbuf.data_len;
        mbuf.ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;  // whose buffer it is stays true
        queue_frame(std::exchange(p.mbuf, nullptr), hop->port);
    }
    leaving_.clear();
}

/// RFC 791 3.2, RFC 1812 5.2.6, RFC 8200 4.5: fragments that fit the link, in order.
void Worker::send_in_pieces(Packet& p, const NextHop& hop) {
    for (FragmentCutter cut{p, hop.mtu, next_identification_++}; cut.more();) {
        rte_mbuf* const mbuf = rte_pktmbuf_alloc(setup_.pool);
        if (mbuf == nullptr) return Batch::drop(p, Drop::no_buffer);
        std::byte* const frame = rte_pktmbuf_mtod(mbuf, std::byte*);
        write_ethernet(frame, hop, p.family);
        mbuf->data_len = static_cast<std::uint16_t>(cut.next(frame + sizeof(EthernetHeader)) + sizeof(EthernetHeader));
        mbuf->pkt_len = mbuf->data_len;
        queue_frame(mbuf, hop.port);
    }
    rte_pktmbuf_free(std::exchange(p.mbuf, nullptr));
}

void Worker::queue_frame(rte_mbuf* mbuf, std::uint16_t port) {
    Outgoing& out = outgoing_[port];
    if (out.size == out.frames.size()) flush(port);
    out.frames[out.size++] = mbuf;
}

void Worker::flush(std::uint16_t port) {
    Outgoing& out = outgoing_[port];
    if (out.size == 0) return;
    std::uint64_t octets = 0;
    for (std::size_t i = 0; i < out.size; ++i) octets += out.frames[i]->pkt_len;
    const std::size_t sent = rte_eth_tx_burst(port, static_cast<std::uint16_t>(setup_.index), out.frames.data(),
                                              static_cast<std::uint16_t>(out.size));
    for (std::size_t i = sent; i < out.size; ++i) {
        octets -= out.frames[i]->pkt_len;
        rte_pktmbuf_free(out.frames[i]);
    }
    counters_.drops[static_cast<std::size_t>(Drop::tx_full)].add(out.size - sent);
    counters_.ports[port].tx_full.add(out.size - sent);
    counters_.ports[port].tx_packets.add(sent);
    counters_.ports[port].tx_octets.add(octets);
    out.size = 0;
}

// ---- leaving this worker

void Worker::hand_over(Packet& p, unsigned worker, Resume resume) {
    p.resume = resume;
    carried(*p.mbuf) = p;
    if (rte_ring_sp_enqueue(setup_.rings.to_worker[worker], p.mbuf) != 0) return Batch::drop(p, Drop::handover_full);
    p.mbuf = nullptr;
    counters_.handed_over.add(1);
}

/// SA pointers stay behind: what the control core holds may outlive them.
void Worker::punt(Packet& p, Punt why) {
    p.punt = why;
    p.inbound_sa = nullptr;
    p.outbound_sa = nullptr;
    p.chain = nullptr;
    p.used = {};
    carried(*p.mbuf) = p;
    rte_ring* const ring = setup_.rings.to_control[static_cast<std::size_t>(way_of(why))];
    if (rte_ring_sp_enqueue(ring, p.mbuf) != 0) return Batch::drop(p, Drop::punt_full);
    p.mbuf = nullptr;
}

void Worker::take_over(rte_ring* ring) {
    std::array<void*, Batch::capacity> mbufs;
    burst_size_ = rte_ring_sc_dequeue_burst(ring, mbufs.data(), Batch::capacity, nullptr);
    for (std::size_t i = 0; i < burst_size_; ++i) {
        Packet& p = burst_[i];
        p = carried(*static_cast<rte_mbuf*>(mbufs[i]));
        switch (p.resume) {
            case Resume::open: encrypted_.add(p); break;
            case Resume::classify: clear_.add(p); break;
            case Resume::protect: protect_.add(p); break;
            case Resume::transmit: leaving_.add(p); break;
            case Resume::frame: queue_frame(std::exchange(p.mbuf, nullptr), p.port); break;
        }
    }
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
        dropped[count++] = p.mbuf;
    }
    if (count != 0) rte_pktmbuf_free_bulk(dropped.data(), count);
    burst_size_ = 0;
}

// ---- the lcore

void Worker::register_thread() {
    rte_rcu_qsbr_thread_register(setup_.quiescence, setup_.index);
    rte_rcu_qsbr_thread_online(setup_.quiescence, setup_.index);
}

void Worker::unregister_thread() {
    rte_rcu_qsbr_thread_offline(setup_.quiescence, setup_.index);
    rte_rcu_qsbr_thread_unregister(setup_.quiescence, setup_.index);
}

void Worker::run() {
    register_thread();
    while (!stopping_.load(std::memory_order_relaxed)) {
        if (turn() != 0) {
            idle_turns_ = 0;
            continue;
        }
        counters_.empty_polls.add(1);
        nap();
    }
    unregister_thread();
}

void Worker::nap() {
    if (!setup_.polling.adaptive || ++idle_turns_ < turns_before_napping) return rte_pause();
    const unsigned naps = idle_turns_ - turns_before_napping;
    const unsigned microseconds = std::min(50 + naps / 16, setup_.polling.longest_nap_microseconds);
    rte_rcu_qsbr_thread_offline(setup_.quiescence, setup_.index);
    const timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(microseconds) * 1000};
    nanosleep(&time, nullptr);
    rte_rcu_qsbr_thread_online(setup_.quiescence, setup_.index);
    counters_.sleeps.add(1);
}

}  // namespace torii
