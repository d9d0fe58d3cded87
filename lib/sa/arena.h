// Memory for equal blocks that workers reach by pointer: SAs with their keys, chain cells. One reservation of address
// space, committed as it is touched, in 2 MiB pages where the system has them (random access to many SAs is bound by
// the TLB), locked against swapping and left out of core dumps because keys live there. Control thread.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/error.h"

namespace torii {

/// Reserved, zeroed, locked-on-touch address space.
class LockedPages {
public:
    /// Errc::io when the system refuses.
    static Result<LockedPages> reserve(std::size_t octets);
    LockedPages(LockedPages&& other) noexcept : base_(std::exchange(other.base_, nullptr)), octets_(other.octets_) {}
    LockedPages& operator=(LockedPages&&) = delete;
    ~LockedPages();
    std::byte* data() const { return base_; }

private:
    LockedPages(std::byte* base, std::size_t octets) : base_(base), octets_(octets) {}
    std::byte* base_;
    std::size_t octets_;
};

template <class T>
class Arena {
public:
    static Result<Arena> make(std::size_t most) {
        TORII_TRY(auto pages, LockedPages::reserve(most * sizeof(T)));
        return Arena{std::move(pages), most};
    }
    /// A fresh, default-constructed T, or null when all `most` are in use.
    T* take() {
        std::size_t index;
        if (!free_.empty()) {
            index = free_.back();
            free_.pop_back();
        } else if (used_ < most_) {
            index = used_++;
        } else {
            return nullptr;
        }
        return new (pages_.data() + index * sizeof(T)) T;
    }
    /// Once no worker can hold `block`.
    void give_back(T* block) {
        block->~T();
        free_.push_back(static_cast<std::size_t>(reinterpret_cast<std::byte*>(block) - pages_.data()) / sizeof(T));
    }
    std::size_t in_use() const { return used_ - free_.size(); }

private:
    Arena(LockedPages pages, std::size_t most) : pages_(std::move(pages)), most_(most) {}
    LockedPages pages_;
    std::size_t most_, used_ = 0;
    std::vector<std::size_t> free_;
};

}  // namespace torii
