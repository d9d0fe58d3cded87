// A worker's life on its lcore: known to RCU, turning until it is told to stop, resting when there is nothing to do.
#include <rte_pause.h>
#include <time.h>

#include <algorithm>

#include "dataplane/worker.h"

namespace torii {

namespace {

constexpr unsigned turns_before_napping = 2000;

}  // namespace

void Worker::register_thread() {
    rte_rcu_qsbr_thread_register(setup_.quiescence, setup_.index);
    rte_rcu_qsbr_thread_online(setup_.quiescence, setup_.index);
}

void Worker::unregister_thread() {
    rte_rcu_qsbr_thread_offline(setup_.quiescence, setup_.index);
    rte_rcu_qsbr_thread_unregister(setup_.quiescence, setup_.index);
}

void Worker::run() {
    register_thread();
    while (!stopping_.load(std::memory_order_relaxed)) {
        if (turn() != 0) {
            idle_turns_ = 0;
            continue;
        }
        counters_.empty_polls.add(1);
        nap();
    }
    unregister_thread();
}

void Worker::nap() {
    if (!setup_.polling.adaptive || ++idle_turns_ < turns_before_napping) return rte_pause();
    const unsigned naps = idle_turns_ - turns_before_napping;
    const unsigned microseconds = std::min(50 + naps / 16, setup_.polling.longest_nap_microseconds);
    rte_rcu_qsbr_thread_offline(setup_.quiescence, setup_.index);
    const timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(microseconds) * 1000};
    nanosleep(&time, nullptr);
    rte_rcu_qsbr_thread_online(setup_.quiescence, setup_.index);
    counters_.sleeps.add(1);
}

}  // namespace torii
