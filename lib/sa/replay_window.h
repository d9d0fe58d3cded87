// The anti-replay window (RFC 4303 3.4.3), kept as a ring of 64-bit words so that sliding it clears words and shifts
// nothing (the idea of RFC 6479). A plain field of its SA, touched by the SA's owning worker alone.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace torii {

enum class Replay : std::uint8_t { fresh, duplicate, too_old };

inline constexpr std::uint32_t smallest_replay_window = 32, largest_replay_window = 65536;

/// How many words a ring for `window` packets needs: one more than the window fills, rounded up to a power of two.
constexpr std::uint32_t replay_words(std::uint32_t window) { return std::bit_ceil((window + 63) / 64 + 1); }

/// Accepts each sequence number once, as long as it is less than `window` behind the highest accepted one.
class ReplayWindow {
public:
    static constexpr std::uint32_t inline_words = 2;  // windows up to 64 need no memory of their own

    ReplayWindow() = default;  // no window: everything is fresh
    /// `words` is zeroed memory of replay_words(window) words that outlives this, or null when `window` is 64 or less.
    ReplayWindow(std::uint32_t window, std::uint64_t* words)
        : window_(window), mask_(replay_words(window) - 1), words_(words) {}
    explicit ReplayWindow(std::uint32_t window) : ReplayWindow(window, nullptr) {}

    /// Whether commit(n) would be fresh now. Numbers start at 1.
    bool admits(std::uint64_t n) const { return judge(n) == Replay::fresh; }

    /// Takes `n` as received and authenticated, unless it is not fresh.
    Replay commit(std::uint64_t n) {
        const Replay verdict = judge(n);
        if (verdict != Replay::fresh) return verdict;
        if (n > highest_) {
            if (window_ != 0) slide(n);
            __atomic_store_n(&highest_, n, __ATOMIC_RELAXED);
        }
        if (window_ != 0) words()[n / 64 & mask_] |= bit(n);
        return Replay::fresh;
    }

    /// The highest number taken. Any thread.
    std::uint64_t highest() const { return __atomic_load_n(&highest_, __ATOMIC_RELAXED); }
    std::uint32_t size() const { return window_; }

private:
    static std::uint64_t bit(std::uint64_t n) { return std::uint64_t{1} << (n & 63); }
    std::uint64_t* words() { return words_ ? words_ : inline_; }
    const std::uint64_t* words() const { return words_ ? words_ : inline_; }

    Replay judge(std::uint64_t n) const {
        if (window_ == 0) return Replay::fresh;
        if (n > highest_) return Replay::fresh;
        if (n == 0 || highest_ - n >= window_) return Replay::too_old;
        return words()[n / 64 & mask_] & bit(n) ? Replay::duplicate : Replay::fresh;
    }
    void slide(std::uint64_t n) {
        const std::uint64_t fresh_words = std::min<std::uint64_t>(n / 64 - highest_ / 64, mask_ + 1);
        for (std::uint64_t i = 1; i <= fresh_words; ++i) words()[(highest_ / 64 + i) & mask_] = 0;
    }

    std::uint64_t highest_ = 0;
    std::uint32_t window_ = 0;
    std::uint32_t mask_ = 0;
    std::uint64_t* words_ = nullptr;
    std::uint64_t inline_[inline_words]{};
};

/// The full sequence number whose low half came on the wire, when the SA uses ESN (RFC 4303 appendix A2.1).
inline std::uint64_t recovered_sequence(std::uint32_t low, std::uint64_t highest, std::uint32_t window) {
    const auto top_low = static_cast<std::uint32_t>(highest);
    auto high = static_cast<std::uint32_t>(highest >> 32);
    const std::uint32_t bottom = top_low - window + 1;
    if (top_low >= window - 1) {  // the window lies within one subspace
        if (low < bottom) ++high;
    } else if (low >= bottom && high != 0) {  // it spans two, and this one is in the lower
        --high;
    }
    return std::uint64_t{high} << 32 | low;
}

}  // namespace torii
