// One direction through one gateway whose worker is turned by hand. Frames wait in the wire's ring, 2,048 ahead, so
// that a packet has left the nearest caches when the worker meets it; only Worker::turn() is timed, never the writing
// of frames before it or the freeing of mbufs behind it. Every frame that leaves is counted and its length compared.
#pragma once

#include "test/bench/still.h"
#include "test/bench/traffic.h"
#include "test/support/wires.h"

namespace torii::bench {

/// Says why and ends the program with status 1: a figure from a run that lost packets is worth nothing.
[[noreturn]] void give_up(const std::string& why);

class Lane {
public:
    static constexpr std::size_t step = 1024;        // packets timed at a stretch
    static constexpr std::size_t ahead = 2 * step;   // waiting behind them
    static constexpr std::size_t window = 4 * step;  // packets a figure is the mean of

    /// From `enter` to `leave`, port numbers. Frame i of `frames` is to leave with `leaving[i]` octets, or, when
    /// `may_shrink`, with that many at most.
    Lane(test::Wires& wires, std::size_t enter, std::size_t leave, const Frames& frames,
         const std::vector<std::uint16_t>& leaving, bool may_shrink = false)
        : wires_(wires),
          rx_(wires.ring_into(enter)),
          tx_(wires.ring_out_of(leave)),
          frames_(frames),
          leaving_(leaving),
          may_shrink_(may_shrink) {}

    /// Puts the next `count` frames on the wire; after the last comes the first again.
    void enter(std::size_t count);
    /// Carries one window of packets and lets as many enter. TSC cycles per packet of the worker's turns; nothing when
    /// the system interrupted every stretch of it.
    std::optional<double> carry_window();
    /// Carries one window without timing it. What the worker's turns did beside computing.
    Disturbances watch_window();
    /// Carries what is still on the wire. Frames that leave go to `leave`, when there is one.
    void empty(Frames* leave = nullptr);

private:
    void turn_a_step();
    void take(Frames* leave);
    void check(const rte_mbuf& mbuf) const;
    [[noreturn]] void give_up_lost() const;

    test::Wires& wires_;
    rte_ring& rx_;
    rte_ring& tx_;
    const Frames& frames_;
    const std::vector<std::uint16_t>& leaving_;
    const bool may_shrink_;
    std::uint64_t entered_ = 0, left_ = 0;
};

}  // namespace torii::bench
