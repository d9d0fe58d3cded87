// What workers tell the control core: a bounded single-producer ring per worker of small values, in which each kind has
// a share of its own. When that is full, notices are counted and not sent, so that a flood of bad packets costs the
// worker a store and the control core nothing, and hides nothing of another kind. The audit records of RFC 4303 2.2,
// 3.4.2 - 3.4.4 are made from them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "control/operations.h"

namespace torii {

struct Notice {
    control::Event::Kind kind{};
    std::uint32_t serial = 0;  // of the SA; 0: none
    Spi spi{};
    std::uint64_t sequence = 0;
    std::uint32_t flow_label = 0;  // of an IPv6 packet
    PacketSelector packet{};       // addresses as on the wire; protocol and ports where they are known
    control::PacketStart start{};  // selector_mismatch
    PolicyId policy{};
    std::uint64_t limit = 0;  // expire_hard: the lifetime that was reached, in octets or packets
};

class Notices {
public:
    static constexpr std::size_t kinds = static_cast<std::size_t>(control::Event::Kind::notices_lost);
    static constexpr std::size_t share = 64, capacity = share * kinds;  // the shares of all kinds fit

    /// Worker. `notice` is of a kind in front of notices_lost: the others are the control core's own.
    void tell(const Notice& notice) {
        const auto kind = static_cast<std::size_t>(notice.kind);
        if (told_[kind] - taken_[kind].load(std::memory_order_acquire) == share) {
            lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
            return;
        }
        ++told_[kind];
        const auto end = end_.load(std::memory_order_relaxed);
        ring_[end % capacity] = notice;
        end_.store(end + 1, std::memory_order_release);
    }
    /// Control thread. False when there is none.
    bool take(Notice& out) {
        const auto begin = begin_.load(std::memory_order_relaxed);
        if (begin == end_.load(std::memory_order_acquire)) return false;
        out = ring_[begin % capacity];
        begin_.store(begin + 1, std::memory_order_release);
        auto& taken = taken_[static_cast<std::size_t>(out.kind)];
        taken.store(taken.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        return true;
    }
    std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

private:
    std::array<Notice, capacity> ring_{};
    alignas(64) std::atomic<std::uint64_t> end_{0}, lost_{0};
    std::array<std::uint64_t, kinds> told_{};  // worker: of each kind
    alignas(64) std::atomic<std::uint64_t> begin_{0};
    std::array<std::atomic<std::uint64_t>, kinds> taken_{};
};

}  // namespace torii
