#include "sa/arena.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace torii {

namespace {
constexpr std::size_t huge_page = std::size_t{2} << 20;
}

Result<LockedPages> LockedPages::reserve(std::size_t octets) {
    octets = (octets + 2 * huge_page - 1) / huge_page * huge_page;  // one more page, so that the start can be aligned
    void* const at = mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return fail(Errc::io, std::string{"cannot reserve memory for SAs: "} + std::strerror(errno));
    auto* const first = static_cast<std::byte*>(at);
    const std::size_t lead = (huge_page - reinterpret_cast<std::uintptr_t>(first) % huge_page) % huge_page;
    if (lead != 0) munmap(first, lead);
    std::byte* const base = first + lead;
    octets -= lead;
    madvise(base, octets, MADV_HUGEPAGE);  // advice: absent support only costs speed
    madvise(base, octets, MADV_DONTDUMP);
    // Without the privilege to lock the keys could be swapped out; toriid runs with it, tests may not.
    mlock2(base, octets, MLOCK_ONFAULT);
    return LockedPages{base, octets};
}

LockedPages::~LockedPages() {
    if (base_ != nullptr) munmap(base_, octets_);
}

}  // namespace torii
