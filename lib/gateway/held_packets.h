// Packets whose policy requires an SA that is not there yet: the first ones of each policy wait on the control core for
// as long as an SA may take to be made. Control thread.
#pragma once

#include <rte_mbuf.h>

#include <chrono>
#include <functional>
#include <vector>

#include "packet/drop.h"
#include "policy/policy.h"

namespace torii {

/// Owns what it holds until it is sent on or dropped. Whoever makes it empties it before it goes.
class HeldPackets {
public:
    static constexpr std::size_t most = 256;       // in all: a look at each costs less than the change that asks for it
    static constexpr unsigned share_of_pool = 16;  // of the packets of any pool, at most one in so many waits
    using Time = std::chrono::steady_clock::time_point;
    using Send = std::function<void(rte_mbuf*)>;

    /// Holds `mbuf` for `policy`, of whose packets `most_of_policy` may wait. Otherwise the caller keeps it, to drop it
    /// by the reason that comes back: no_sa where nothing may wait, sa_queue_full.
    Drop hold(rte_mbuf* mbuf, PolicyId policy, std::size_t most_of_policy, Time now);
    /// Sends on, in order of arrival, whatever `still_lacks` says no to.
    void release(const std::function<bool(rte_mbuf*, PolicyId)>& still_lacks, const Send& send);
    /// Gives away what came before `earliest`.
    void expire(Time earliest, const Send& drop);
    std::size_t size() const { return waiting_.size(); }

private:
    struct Waiting {
        rte_mbuf* mbuf;
        PolicyId policy;
        Time since;
    };
    std::vector<Waiting> waiting_;  // in order of arrival
};

}  // namespace torii
