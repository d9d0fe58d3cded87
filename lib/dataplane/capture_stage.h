// The pipeline's looks aside for `torii capture`, at the places where the packet filter looks, before it decides. A
// worker takes these stages only while a capture is on. Worker threads.
#pragma once

#include "dataplane/tables.h"
#include "observe/capture.h"

namespace torii {

/// The records of one burst's packets, the latest of each, by their places in the burst.
class BurstRecords {
public:
    explicit BurstRecords(const Packet* burst) : burst_(burst) {}
    /// Writes the packet down; what the ring has no room for is counted there. `cycles`: now.
    void write(CaptureRing& ring, const Packet& packet, control::Hook hook, control::Way way, std::uint16_t port,
               std::uint64_t cycles);
    /// The burst has ended: what was dropped on its way is told with its reason, and all is shown.
    void finish(CaptureRing& ring, std::size_t burst_size);

private:
    const Packet* burst_;
    std::array<CaptureRing::Record*, Batch::capacity> latest_{};
};

/// Hook wire, in: packets as they came from a port.
void capture_arrived(CaptureRing& ring, BurstRecords& records, const Batch& arrived);
/// Hook clear.
void capture_clear(CaptureRing& ring, BurstRecords& records, const Batch& clear);
/// Hook wire, out: packets whose next hop is known, as they will be on the wire but for fragmentation; also those that
/// the filter does not judge again.
void capture_leaving(CaptureRing& ring, BurstRecords& records, const Batch& leaving, const NextHopTable& hops);

}  // namespace torii
