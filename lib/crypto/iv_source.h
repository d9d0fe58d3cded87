// Unpredictable octets for CBC IVs (RFC 3602 2.1 asks for such). One worker's; not shared.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace torii {

/// AES-256-CTR output under a key from the operating system, made a page at a time. No octet is given out twice.
class IvSource {
public:
    /// Throws std::runtime_error when the operating system gives no randomness.
    IvSource();
    ~IvSource();
    IvSource(const IvSource&) = delete;
    /// 1..most_octets of them, valid until the next call.
    std::span<const std::byte> take(std::size_t octets);
    static constexpr std::size_t most_octets = 32;

private:
    void refill();
    struct Free {
        void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    };
    std::unique_ptr<EVP_CIPHER_CTX, Free> stream_;
    std::array<std::byte, 4096> page_;
    std::size_t used_ = page_.size();
};

}  // namespace torii
