#include "dataplane/retire_list.h"

namespace torii {

void RetireList::poll() {
    switch (phase_) {
        case Phase::idle:
            if (waiting_.empty()) return;
            leaving_.swap(waiting_);
            token_ = rte_rcu_qsbr_start(workers_);
            phase_ = Phase::unlinked;
            [[fallthrough]];
        case Phase::unlinked:
            if (rte_rcu_qsbr_check(workers_, token_, false) != 1) return;
            tails_.clear();
            for (const rte_ring* ring : rings_) tails_.push_back(__atomic_load_n(&ring->prod.tail, __ATOMIC_ACQUIRE));
            phase_ = Phase::draining;
            [[fallthrough]];
        case Phase::draining:
            if (!rings_moved_on()) return;
            token_ = rte_rcu_qsbr_start(workers_);
            phase_ = Phase::drained;
            [[fallthrough]];
        case Phase::drained:
            if (rte_rcu_qsbr_check(workers_, token_, false) != 1) return;
            for (const auto& release : leaving_) release();
            leaving_.clear();
            phase_ = Phase::idle;
    }
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
