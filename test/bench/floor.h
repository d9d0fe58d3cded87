// The crypto floor: what sealing or opening the same packets costs when nothing else is done. The same octets, keys
// and order as the gateway meets, through the same kernel in bursts of the same size. The packets are in the nearest
// caches, the keys wherever their number leaves them: what the gateway pays for packets that are not is its overhead.
#pragma once

#include <memory>
#include <vector>

#include "crypto/engine.h"
#include "sa/arena.h"
#include "sa/security_association.h"
#include "test/bench/traffic.h"

namespace torii::bench {

class Floor {
public:
    /// Sealed packets are kept for all of `draws`, of which every window takes the next ones.
    Floor(const CryptoBook& book, const MeasuredSuite& suite, Direction direction, unsigned tunnels,
          std::vector<Draw> draws, unsigned burst);
    ~Floor();
    Floor(const Floor&) = delete;
    Floor& operator=(const Floor&) = delete;

    /// TSC cycles per packet over the next `packets` packets, a multiple of the burst; nothing when the system
    /// interrupted every stretch of them.
    std::optional<double> window(std::size_t packets);

private:
    void make_keys(unsigned tunnels);
    void seal_all();
    /// A job for draw `i` whose ESP packet is in a slot at `at`.
    CryptoJob job(std::size_t i, std::byte* at) const;

    const CryptoBook& book_;
    const MeasuredSuite& suite_;
    const SuiteIndex index_;
    const Direction direction_;
    std::vector<Draw> draws_;
    const unsigned burst_;
    Arena<OutboundSa> arena_;  // keys stand as far apart as in a gateway
    std::vector<OutboundSa*> sas_;
    std::unique_ptr<CryptoEngine> engine_;
    std::vector<std::byte> sealed_;  // inbound: every packet's slot, one behind the other
    std::vector<std::byte> slots_;   // of one burst
    std::vector<CryptoJob> jobs_;
    std::size_t next_ = 0;
};

}  // namespace torii::bench
