// Text that may hold keys on its way between the socket and the setkey language: whatever memory it had, also on the
// way as it grew, is wiped before it is given back. Any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "base/secret_bytes.h"

namespace torii::rpc {

template <class T>
struct WipingAllocator {
    using value_type = T;
    WipingAllocator() = default;
    template <class U>
    WipingAllocator(const WipingAllocator<U>&) {}  // NOLINT: an allocator converts

    T* allocate(std::size_t count) { return std::allocator<T>{}.allocate(count); }
    void deallocate(T* memory, std::size_t count) {
        wipe(std::as_writable_bytes(std::span{memory, count}));
        std::allocator<T>{}.deallocate(memory, count);
    }
    friend bool operator==(const WipingAllocator&, const WipingAllocator&) { return true; }
};

/// As std::string. Texts of up to 15 octets live inside the object and are not wiped: no key line is that short.
using WipedString = std::basic_string<char, std::char_traits<char>, WipingAllocator<char>>;

}  // namespace torii::rpc
