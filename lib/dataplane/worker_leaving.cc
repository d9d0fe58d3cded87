// Where packets leave a worker: onto a port, to another worker, to the control core; and how they come back.

#include <algorithm>

#include "dataplane/flow_key.h"
#include "dataplane/worker.h"
#include "ip/ip.h"

namespace torii {

namespace {

/// One hop may serve both families, as the host port's does.
void write_ethernet(std::byte* frame, const NextHop& hop, Family family) {
    std::memcpy(frame, &hop.ethernet, sizeof(EthernetHeader));
    auto& ethernet = *reinterpret_cast<EthernetHeader*>(frame);
    ethernet.type = static_cast<std::uint16_t>(family == Family::ipv4 ? EtherType::ipv4 : EtherType::ipv6);
}

}  // namespace

// ---- emit

/// Drops: handover_full, punt_full, no_buffer, those of enter_gif; tx_full is counted by flush().
void Worker::emit() {
    for (Packet& p : leaving_.live()) {
        const NextHop* const hop = tables_.hops.read(p.next_hop);
        if (hop == nullptr || !hop->resolved) [[unlikely]] {
            punt(p, Punt::neighbour);
            continue;
        }
        if (is_gif(hop->port)) [[unlikely]] {
            enter(p, *hop);
            continue;
        }
        const std::uint16_t mtu = std::min(hop->mtu, p.mtu);
        const bool too_big = p.ip_octets > mtu;
        if (too_big && !may_be_cut(p)) [[unlikely]] {
            p.mtu = mtu;
            punt(p, Punt::too_big);
            continue;
        }
        if (const unsigned queues = setup_.tx_queues[hop->port]; setup_.index >= queues) [[unlikely]] {
            hand_over(p, setup_.index % queues, Resume::transmit);  // the device has fewer queues than we have workers
            continue;
        }
        if (too_big) [[unlikely]] {
            send_in_pieces(p, *hop, mtu);
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

/// The packet's envelope is a packet of ours, which the outbound policies have not seen yet.
void Worker::enter(Packet& p, const NextHop& gif) {
    if (p.ip_octets > gif.mtu && !may_leave_in_pieces(p)) {
        p.mtu = p.family == Family::ipv6 ? std::max<std::uint16_t>(gif.mtu, ipv6_minimum_mtu) : gif.mtu;
        return punt(p, Punt::too_big);
    }
    const std::uint64_t octets = p.ip_octets;
    const auto identification = static_cast<std::uint16_t>(next_identification_++);
    if (const Drop reason = enter_gif(p, rules_->gifs.at(gif.port), gif.port, identification); reason != Drop::none)
        return Batch::drop(p, reason);
    counters_.ports[gif.port].tx_packets.add(1);
    counters_.ports[gif.port].tx_octets.add(octets);
    clear_.add(p);
}

/// RFC 791 3.2, RFC 1812 5.2.6, RFC 8200 4.5: fragments that fit the link, or the path of an SA's packets, in order.
void Worker::send_in_pieces(Packet& p, const NextHop& hop, unsigned mtu) {
    for (FragmentCutter cut{p, mtu, next_identification_++}; cut.more();) {
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
    if (rte_ring_sp_enqueue(ring, p.mbuf) != 0)
        return Batch::drop(p, way_of(why) == PuntWay::sa ? Drop::sa_queue_full
                              : why == Punt::ike         ? Drop::ike_full
                                                         : Drop::punt_full);
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
            case Resume::outbound: act(p, decide_outbound(*rules_, tables_.hops, p, second_)); break;
            case Resume::protect:
            case Resume::dummy: protect_.add(p); break;
            case Resume::transmit: leaving_.add(p); break;
            case Resume::frame: queue_frame(std::exchange(p.mbuf, nullptr), p.port); break;
        }
    }
}

}  // namespace torii
