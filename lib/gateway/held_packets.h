// Packets that came before an SA that they need: the first ones wait on the control core for as long as it may take to
// be made. Control thread.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "packet/drop.h"
#include "policy/policy.h"

namespace torii {

/// Owns what it holds until it is sent on or dropped. Whoever makes it empties it before it goes. `Key`: whose packets
/// they are, a policy that requires the SA or an SPI.
template <class Key>
class HeldPackets {
public:
    static constexpr std::size_t most = 256;       // in all: a look at each costs less than the change that asks for it
    static constexpr unsigned share_of_pool = 16;  // of the packets of any pool, at most one in so many waits
    using Time = std::chrono::steady_clock::time_point;
    using Send = std::function<void(rte_mbuf*)>;

    /// Holds `mbuf` for `key`, of whose packets `most_of_key` may wait. Otherwise the caller keeps it, to drop it by
    /// the reason that comes back: no_sa where nothing may wait, sa_queue_full.
    Drop hold(rte_mbuf* mbuf, Key key, std::size_t most_of_key, Time now) {
        if (most_of_key == 0) return Drop::no_sa;
        if (waiting_.size() == most) return Drop::sa_queue_full;
        std::size_t of_key = 0, of_pool = 0;
        for (const Waiting& held : waiting_) {
            of_key += held.key == key;
            of_pool += held.mbuf->pool == mbuf->pool;
        }
        if (of_key >= most_of_key || of_pool >= mbuf->pool->size / share_of_pool) return Drop::sa_queue_full;
        waiting_.push_back({mbuf, key, now});
        return Drop::none;
    }
    /// Sends on, in order of arrival, whatever `still_lacks` says no to.
    void release(const std::function<bool(rte_mbuf*, Key)>& still_lacks, const Send& send) {
        const auto first = std::ranges::stable_partition(
            waiting_, [&](const Waiting& held) { return still_lacks(held.mbuf, held.key); });
        const std::vector<Waiting> ready{first.begin(), first.end()};
        waiting_.erase(first.begin(), first.end());
        for (const Waiting& held : ready) send(held.mbuf);
    }
    /// Gives away what came before `earliest`.
    void expire(Time earliest, const Send& drop) {
        const auto fresh = std::ranges::find_if(waiting_, [&](const Waiting& held) { return held.since > earliest; });
        for (auto at = waiting_.begin(); at != fresh; ++at) drop(at->mbuf);
        waiting_.erase(waiting_.begin(), fresh);
    }
    std::size_t size() const { return waiting_.size(); }

private:
    struct Waiting {
        rte_mbuf* mbuf;
        Key key;
        Time since;
    };
    std::vector<Waiting> waiting_;  // in order of arrival
};

}  // namespace torii
