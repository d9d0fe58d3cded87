// Dummy packets (RFC 4303 2.6): what an SA with `-f dummy:N` sends beside what its users say, so that its volume and
// times tell little. Made here, sealed by the worker that owns the SA, thrown away by the peer. Control thread.
#include <algorithm>
#include <random>

#include "gateway/gateway.h"
#include "ip/ip.h"

namespace torii {

namespace {

constexpr unsigned most_at_once = 64;  // of one poll, over all SAs
constexpr unsigned longest_dummy = 1280, most_overhead = 200, shortest_dummy = 64;
constexpr std::uint64_t one_packet = 1000;  // credit: packets a second times milliseconds

/// `ip` becomes a packet of `octets` octets between the SA's ends, zeroes behind its header.
void write_dummy(std::byte* ip, unsigned octets, const control::SaId& id) {
    std::memset(ip, 0, octets);
    if (!id.source.is_v4()) {
        auto& header = *reinterpret_cast<Ipv6Header*>(ip);
        header = outer_header(id.source, id.destination, IpProtocol::none).ipv6;
        write_outer(ip, header, 0, 64, 0, octets);
        return;
    }
    const OuterHeader outer = outer_header(id.source.v4_number(), id.destination.v4_number(), IpProtocol::none);
    write_outer(ip, outer.ipv4, 0, 64, Ipv4Header::dont_fragment, static_cast<std::uint16_t>(octets), 0);
}

/// Any length that fits: the SA's own where it hides lengths.
unsigned dummy_octets(const OutboundSa& sa) {
    static thread_local std::minstd_rand lengths{std::random_device{}()};
    const unsigned mtu = sa.mtu.load(std::memory_order_relaxed);
    const unsigned longest = std::clamp(mtu - std::min(mtu, most_overhead), shortest_dummy, longest_dummy);
    if (sa.tfc_octets != 0) return shortest_dummy;
    return std::uniform_int_distribution{shortest_dummy, longest}(lengths);
}

}  // namespace

void Gateway::remember_dummies(const Journal& journal) {
    for (const Change& change : journal) {
        const bool added = change.kind == Change::Kind::sa_added || change.kind == Change::Kind::sa_kept;
        if (!added || !change.sa->outbound || change.sa->spec.dummies_per_second == 0) continue;
        const auto known = std::ranges::find(dummy_streams_, change.sa, &DummyStream::sa);
        if (known == dummy_streams_.end()) dummy_streams_.push_back({change.sa, 0});
    }
}

void Gateway::send_dummies(SteadyTime now) {
    using std::chrono::milliseconds;
    const auto passed = std::chrono::duration_cast<milliseconds>(now - dummies_since_);
    if (passed < milliseconds{1}) return;
    dummies_since_ += passed;
    std::erase_if(dummy_streams_, [&](const DummyStream& stream) { return !database_->is_there(*stream.sa); });
    const auto waited = static_cast<std::uint64_t>(std::min(passed, milliseconds{1000}).count());
    unsigned left = most_at_once;
    for (DummyStream& stream : dummy_streams_) {
        const std::uint64_t rate = stream.sa->spec.dummies_per_second;
        stream.credit = std::min(stream.credit + rate * waited, rate * one_packet + one_packet);
        for (; stream.credit >= one_packet && left > 0; --left) {
            stream.credit -= one_packet;
            send_dummy(*stream.sa);
        }
    }
    std::ranges::rotate(dummy_streams_, dummy_streams_.begin() + (dummy_streams_.empty() ? 0 : 1));
}

void Gateway::send_dummy(const SaEntry& sa) {
    rte_ring* const way = worker_rings_[sa.worker].from_control;
    if (rte_ring_count(way) >= rte_ring_get_capacity(way) / 2) return;  // there is other work: nobody misses a dummy
    rte_mbuf* const mbuf = allocate();
    if (mbuf == nullptr) return;
    const unsigned octets = dummy_octets(*sa.outbound);
    Packet& p = carried(*mbuf) = Packet{};
    p.mbuf = mbuf;
    p.ip = rte_pktmbuf_mtod(mbuf, std::byte*);
    write_dummy(p.ip, octets, sa.spec.id);
    (void)parse_ip(sa.spec.id.source.family(), p, octets);
    p.outbound_sa = sa.outbound;
    p.arrival = Arrival::self;
    p.resume = Resume::dummy;
    if (rte_ring_sp_enqueue(way, mbuf) != 0) forget(mbuf, Drop::punt_full);
}

}  // namespace torii
