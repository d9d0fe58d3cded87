// The floor: what a work's transforms cost when nothing else is done. The same octets, keys and order as the gateway
// meets, through the same kernel in bursts of the same size; for IPComp, zlib alone over the same texts. The packets
// are in the nearest caches, the keys wherever their number leaves them: what the gateway pays for packets that are not
// is its overhead.
#pragma once

#include <memory>
#include <vector>

#include "crypto/engine.h"
#include "test/bench/traffic.h"

namespace torii::bench {

class Floor {
public:
    virtual ~Floor() = default;
    /// TSC cycles per packet over the next `packets` packets, a multiple of the burst; nothing when the system
    /// interrupted every stretch of them.
    virtual std::optional<double> window(std::size_t packets) = 0;
};

/// The transforms of `work` one after another over `draws`, of which every window takes the next ones. `clear` has the
/// packets themselves, in the order of `draws`.
std::unique_ptr<Floor> make_floor(const CryptoBook& book, const Work& work, Direction direction, const Setting& setting,
                                  const std::vector<Draw>& draws, const Frames& clear);

}  // namespace torii::bench
