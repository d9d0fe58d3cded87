// What a worker writes down for `torii capture`: packets in fixed places of a ring it alone fills and the control core
// alone empties. A record is shown only when its burst has ended, so that the reason of a drop on the way still comes
// with it. A full ring loses packets and counts them. Without a capture no ring is there.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "control/filter_rule.h"
#include "packet/packet.h"

namespace torii {

class CaptureRing {
public:
    static constexpr std::size_t capacity = 512;      // 1 MiB a worker
    static constexpr std::size_t kept_octets = 2016;  // of a packet; what is longer is cut
    struct Record {
        std::uint64_t cycles = 0;  // the time stamp counter when its burst was looked at
        std::uint16_t port = 0, octets = 0, original_octets = 0;
        control::Hook hook{};
        control::Way way{};
        Drop drop = Drop::none;
        std::array<std::byte, kept_octets> data;
    };

    /// Worker: the next record, to be filled now and shown by show(); null when there is no room, which is counted.
    Record* add() {
        if (next_ - begin_.load(std::memory_order_acquire) == capacity) {
            lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
            return nullptr;
        }
        return &records_[next_++ % capacity];
    }
    /// Worker: the control core may take what was added.
    void show() { end_.store(next_, std::memory_order_release); }
    /// Control thread: the oldest record, or null; it stays until drop_front().
    const Record* front() const {
        const auto begin = begin_.load(std::memory_order_relaxed);
        return begin == end_.load(std::memory_order_acquire) ? nullptr : &records_[begin % capacity];
    }
    void drop_front() { begin_.store(begin_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
    std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

private:
    std::vector<Record> records_{capacity};
    std::uint64_t next_ = 0;  // worker
    alignas(64) std::atomic<std::uint64_t> end_{0}, lost_{0};
    alignas(64) std::atomic<std::uint64_t> begin_{0};
};

/// A capture that is on: which hooks, and a ring for each worker. Published to workers, and retired when it ends.
struct Capture {
    bool wire = false, clear = false;
    std::vector<std::unique_ptr<CaptureRing>> rings;  // by worker
    bool at(control::Hook hook) const { return hook == control::Hook::wire ? wire : clear; }
};

}  // namespace torii
