#include "test/bench/lane.h"

#include <cstdio>
#include <cstdlib>

#include "test/bench/stopwatch.h"

namespace torii::bench {

namespace {
constexpr std::size_t handful = 256;  // mbufs moved at once on this side of the wires
}

void give_up(const std::string& why) {
    std::fprintf(stderr, "torii-bench: %s\n", why.c_str());
    std::_Exit(1);  // EAL is in the middle of something
}

void Lane::enter(std::size_t count) {
    std::array<rte_mbuf*, handful> mbufs;
    while (count != 0) {
        const auto some = static_cast<unsigned>(std::min(count, mbufs.size()));
        if (rte_pktmbuf_alloc_bulk(wires_.gateway().pool(), mbufs.data(), some) != 0) give_up("out of mbufs");
        for (unsigned i = 0; i < some; ++i) {
            const auto frame = frames_[entered_++ % frames_.size()];
            const auto octets = static_cast<std::uint16_t>(frame.size());
            std::memcpy(rte_pktmbuf_append(mbufs[i], octets), frame.data(), octets);
        }
        if (rte_ring_enqueue_bulk(&rx_, reinterpret_cast<void**>(mbufs.data()), some, nullptr) == 0)
            give_up("the wire is full");
        count -= some;
    }
}

std::optional<double> Lane::carry_window() {
    Stopwatch watch;
    for (std::size_t carried = 0; carried < window; carried += step) {
        watch.start();
        turn_a_step();
        watch.stop();
        watch.end_stretch(step);
        take(nullptr);
        enter(step);
    }
    return watch.mean();
}

Disturbances Lane::watch_window() {
    Disturbances seen;
    for (std::size_t carried = 0; carried < window; carried += step) {
        Watch watch;
        turn_a_step();
        seen += watch.end();
        take(nullptr);
        enter(step);
    }
    return seen;
}

void Lane::turn_a_step() {
    Worker& worker = wires_.gateway().worker(0);
    for (std::size_t moved = 0; moved < step;) moved += worker.turn();
}

void Lane::empty(Frames* leave) {
    while (wires_.gateway().worker(0).turn() != 0) take(leave);
    if (left_ != entered_) give_up_lost();
}

void Lane::take(Frames* leave) {
    std::array<rte_mbuf*, handful> mbufs;
    while (const unsigned count =
               rte_ring_dequeue_burst(&tx_, reinterpret_cast<void**>(mbufs.data()), handful, nullptr)) {
        for (unsigned i = 0; i < count; ++i, ++left_) {
            check(*mbufs[i]);
            if (leave != nullptr) leave->add({rte_pktmbuf_mtod(mbufs[i], const std::byte*), mbufs[i]->data_len});
        }
        rte_pktmbuf_free_bulk(mbufs.data(), count);
    }
}

/// Order is kept, so that the n-th to leave is the n-th that entered.
void Lane::check(const rte_mbuf& mbuf) const {
    const unsigned expected = leaving_[left_ % leaving_.size()];
    if (mbuf.pkt_len == expected || (may_shrink_ && mbuf.pkt_len < expected)) return;
    std::fprintf(stderr, "torii-bench: a frame of %u octets left where one of %u was expected\n", mbuf.pkt_len,
                 expected);
    give_up_lost();
}

void Lane::give_up_lost() const {
    std::string why = std::to_string(entered_) + " packets entered, " + std::to_string(left_) + " left";
    for (const control::DropStatus& drop : wires_.gateway().drops())
        if (drop.total != 0) why += ", " + std::to_string(drop.total) + " dropped: " + drop.reason;
    give_up(why);
}

}  // namespace torii::bench
