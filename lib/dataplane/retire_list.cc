#include "dataplane/retire_list.h"

namespace torii {

void RetireList::poll() {
    while (!empty() && step()) {
    }
}

/// False: what the phase waits for has not happened yet.
bool RetireList::step() {
    switch (phase_) {
        case Phase::idle:
            leaving_.swap(waiting_);
            rounds_left_ = rings_.empty() ? 0 : most_hand_overs;
            await_workers();
            return true;
        case Phase::quiescing:
            if (rte_rcu_qsbr_check(workers_, token_, false) != 1) return false;
            if (rounds_left_ != 0) {
                --rounds_left_;
                tails_.clear();
                for (const rte_ring* ring : rings_)
                    tails_.push_back(__atomic_load_n(&ring->prod.tail, __ATOMIC_ACQUIRE));
                phase_ = Phase::draining;
            } else {
                for (const auto& release : leaving_) release();
                leaving_.clear();
                phase_ = Phase::idle;
            }
            return true;
        case Phase::draining:
            if (!rings_moved_on()) return false;
            await_workers();
            return true;
    }
    return false;
}

void RetireList::await_workers() {
    token_ = rte_rcu_qsbr_start(workers_);
    phase_ = Phase::quiescing;
}

bool RetireList::rings_moved_on() const {
    for (std::size_t i = 0; i < rings_.size(); ++i) {
        const std::uint32_t taken = __atomic_load_n(&rings_[i]->cons.tail, __ATOMIC_ACQUIRE);
        if (static_cast<std::int32_t>(taken - tails_[i]) < 0) return false;  // indices wrap
    }
    return true;
}

void RetireList::free_all() {
    for (const auto& release : leaving_) release();
    for (const auto& release : waiting_) release();
    leaving_.clear();
    waiting_.clear();
    phase_ = Phase::idle;
}

}  // namespace torii
