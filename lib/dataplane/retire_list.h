// The one place where published things die. Unlink, wait, drain, free: what the control thread has unlinked is freed
// when (1) every worker has passed a quiescent state, so that none can still pick it up from a table; (2) every ring
// whose packets carry pointers has moved past what it held then: those between workers, and the control core's to them;
// and (3) every worker has passed another quiescent state, so that none still works on such a packet. By then a packet
// may have been handed over again, so (2) and (3) are repeated as often as a packet can be. Never blocks; polled by the
// control loop. rte_rcu_qsbr's start and check do the waiting. Control thread.
#pragma once

#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "packet/packet.h"

namespace torii {

class RetireList {
public:
    RetireList(rte_rcu_qsbr* workers, std::vector<const rte_ring*> rings)
        : workers_(workers), rings_(std::move(rings)) {}
    ~RetireList() { free_all(); }
    RetireList(const RetireList&) = delete;
    RetireList& operator=(const RetireList&) = delete;

    template <class T>
    void add(std::unique_ptr<T> old) {
        if (old) add([p = std::shared_ptr<T>{std::move(old)}] {});
    }
    void add(std::function<void()> release) { waiting_.push_back(std::move(release)); }
    /// Frees what nobody can hold any more. Call often; costs nothing when nothing waits.
    void poll();
    /// After the last worker has stopped.
    void free_all();
    bool empty() const { return waiting_.empty() && leaving_.empty(); }
    std::size_t size() const { return waiting_.size() + leaving_.size(); }

private:
    enum class Phase : std::uint8_t { idle, quiescing, draining };
    /// Hand-overs one packet can see: to the owner of each SA on the way in and on the way out, and to a worker that
    /// has a transmit queue.
    static constexpr unsigned most_hand_overs = 2 * max_nesting + 1;

    bool step();
    void await_workers();
    bool rings_moved_on() const;

    rte_rcu_qsbr* workers_;
    std::vector<const rte_ring*> rings_;
    std::vector<std::function<void()>> waiting_, leaving_;  // the next group, and the one under way
    Phase phase_ = Phase::idle;
    unsigned rounds_left_ = 0;
    std::uint64_t token_ = 0;
    std::vector<std::uint32_t> tails_;
};

}  // namespace torii
