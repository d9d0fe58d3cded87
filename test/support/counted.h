// Allocations and locks, counted: a program that links counted.cc has its own malloc and pthread locks, which count for
// the calling thread and pass on to the C library's. Under AddressSanitizer, whose allocator it is, its hooks count.
#pragma once

#include <cstdint>

namespace torii::test {

struct Counted {
    std::uint64_t allocations = 0, locks = 0;
};

/// The calling thread's, from nothing.
void start_counting();
/// What there was since start_counting().
Counted stop_counting();

}  // namespace torii::test
