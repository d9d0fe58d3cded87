// Shows that a stretch of work neither allocates, nor locks, nor calls the system: it counts, instead of claiming.
// Allocations and locks are counted by test/support/counted.h; system calls are caught by the kernel's syscall user
// dispatch. For one thread at a time; slow, so never around what is timed.
#pragma once

#include <cstdint>

namespace torii::bench {

struct Disturbances {
    std::uint64_t allocations = 0, locks = 0;
    std::uint64_t system_calls = 0;  // at least: one at most is seen in each stretch
    Disturbances& operator+=(const Disturbances& more) {
        allocations += more.allocations;
        locks += more.locks;
        system_calls += more.system_calls;
        return *this;
    }
    std::uint64_t all() const { return allocations + locks + system_calls; }
};

/// Watches the calling thread from construction to end().
class Watch {
public:
    Watch();
    Disturbances end();
};

/// Whether a watch sees what it should: it is shown one of each. False under the sanitizers, whose allocator it is, and
/// where the kernel has no syscall user dispatch (before 5.11).
bool watching_works();

}  // namespace torii::bench
