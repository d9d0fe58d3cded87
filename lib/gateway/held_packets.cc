#include "gateway/held_packets.h"

#include <algorithm>

namespace torii {

Drop HeldPackets::hold(rte_mbuf* mbuf, PolicyId policy, std::size_t most_of_policy, Time now) {
    if (most_of_policy == 0) return Drop::no_sa;
    if (waiting_.size() == most) return Drop::sa_queue_full;
    std::size_t of_policy = 0, of_pool = 0;
    for (const Waiting& held : waiting_) {
        of_policy += held.policy == policy;
        of_pool += held.mbuf->pool == mbuf->pool;
    }
    if (of_policy >= most_of_policy || of_pool >= mbuf->pool->size / share_of_pool) return Drop::sa_queue_full;
    waiting_.push_back({mbuf, policy, now});
    return Drop::none;
}

void HeldPackets::release(const std::function<bool(rte_mbuf*, PolicyId)>& still_lacks, const Send& send) {
    const auto first = std::ranges::stable_partition(
        waiting_, [&](const Waiting& held) { return still_lacks(held.mbuf, held.policy); });
    const std::vector<Waiting> ready{first.begin(), first.end()};
    waiting_.erase(first.begin(), first.end());
    for (const Waiting& held : ready) send(held.mbuf);
}

void HeldPackets::expire(Time earliest, const Send& drop) {
    const auto fresh = std::ranges::find_if(waiting_, [&](const Waiting& held) { return held.since > earliest; });
    for (auto at = waiting_.begin(); at != fresh; ++at) drop(at->mbuf);
    waiting_.erase(waiting_.begin(), fresh);
}

}  // namespace torii
