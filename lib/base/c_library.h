// What C libraries want of us: their own functions to free their objects, and octets as they call them. Any thread.
#pragma once

#include <cstddef>

namespace torii {

/// The deleter of a unique_ptr to an object of theirs: std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>.
template <auto free>
struct FreeWith {
    template <class T>
    void operator()(T* p) const {
        free(p);
    }
};

inline unsigned char* octets(std::byte* p) { return reinterpret_cast<unsigned char*>(p); }
inline const unsigned char* octets(const std::byte* p) { return reinterpret_cast<const unsigned char*>(p); }

}  // namespace torii
