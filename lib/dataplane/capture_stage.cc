#include "dataplane/capture_stage.h"

#include <rte_cycles.h>

namespace torii {

using control::Hook;
using control::Way;

void BurstRecords::write(CaptureRing& ring, const Packet& p, Hook hook, Way way, std::uint16_t port,
                         std::uint64_t cycles) {
    CaptureRing::Record* const record = ring.add();
    latest_[static_cast<std::size_t>(&p - burst_)] = record;
    if (record == nullptr) return;
    record->cycles = cycles;
    record->port = port;
    record->original_octets = p.ip_octets;
    record->octets = static_cast<std::uint16_t>(std::min<std::size_t>(p.ip_octets, CaptureRing::kept_octets));
    record->hook = hook;
    record->way = way;
    record->drop = Drop::none;
    std::memcpy(record->data.data(), p.ip, record->octets);
}

void BurstRecords::finish(CaptureRing& ring, std::size_t burst_size) {
    for (std::size_t i = 0; i < burst_size; ++i)
        if (latest_[i] != nullptr && burst_[i].mbuf != nullptr) latest_[i]->drop = burst_[i].drop;
    latest_ = {};
    ring.show();
}

void capture_arrived(CaptureRing& ring, BurstRecords& records, const Batch& arrived) {
    const std::uint64_t now = rte_rdtsc();
    for (const Packet& p : arrived.live()) records.write(ring, p, Hook::wire, Way::in, p.port, now);
}

void capture_clear(CaptureRing& ring, BurstRecords& records, const Batch& clear) {
    const std::uint64_t now = rte_rdtsc();
    for (const Packet& p : clear.live())
        records.write(ring, p, Hook::clear, p.arrival == Arrival::outside ? Way::in : Way::out, p.port, now);
}

void capture_leaving(CaptureRing& ring, BurstRecords& records, const Batch& leaving, const NextHopTable& hops) {
    const std::uint64_t now = rte_rdtsc();
    for (const Packet& p : leaving.live()) {
        const NextHop* const hop = hops.read(p.next_hop);
        if (hop != nullptr && hop->resolved) records.write(ring, p, Hook::wire, Way::out, hop->port, now);
    }
}

}  // namespace torii
