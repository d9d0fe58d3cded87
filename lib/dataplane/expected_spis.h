// SPIs that a negotiation has promised to a peer. He may send by them a little before we have his last message, which
// the SAs are made of (RFC 7296 2.8, 2.15): such packets wait on the control core instead of being dropped.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "policy/policy.h"

namespace torii {

/// Written by the control thread, read by any. Only the peer knows these numbers: a stranger's packet has none of them.
class ExpectedSpis {
public:
    static constexpr std::size_t most = 64;  // then the oldest is forgotten: its packets find no SA until it is there

    bool contains(Spi spi) const {
        for (const auto& expected : spis_)
            if (expected.load(std::memory_order_relaxed) == static_cast<std::uint32_t>(spi)) return spi != Spi{0};
        return false;
    }
    void add(Spi spi) {
        spis_[next_].store(static_cast<std::uint32_t>(spi), std::memory_order_relaxed);
        next_ = (next_ + 1) % most;
    }
    /// False: it was none of them.
    bool remove(Spi spi) {
        for (auto& expected : spis_)
            if (expected.load(std::memory_order_relaxed) == static_cast<std::uint32_t>(spi)) {
                expected.store(0, std::memory_order_relaxed);
                return true;
            }
        return false;
    }

private:
    std::array<std::atomic<std::uint32_t>, most> spis_{};  // 0: free, and nobody's SPI (RFC 4303 2.1)
    std::size_t next_ = 0;
};

}  // namespace torii
