// Where randomness and algorithms come from: one OpenSSL library context, the system's or, in tests and simulations,
// one whose generator is an octet-for-octet function of a seed. Everything in ike/ that draws randomness, key pairs
// included, draws it from a context, so that a simulation can be run again. One thread at a time a context.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/secret_bytes.h"

struct evp_cipher_st;
struct evp_mac_ctx_st;
struct evp_md_st;
struct evp_pkey_ctx_st;
struct ossl_lib_ctx_st;
struct ossl_provider_st;

namespace torii::ike {

class CryptoContext {
public:
    /// OpenSSL's own generator. Errc::internal when OpenSSL cannot be set up.
    static Result<std::unique_ptr<CryptoContext>> system();
    /// For tests alone: the same seed gives the same octets, keys and nonces.
    static Result<std::unique_ptr<CryptoContext>> deterministic(std::uint64_t seed);
    ~CryptoContext();
    CryptoContext(const CryptoContext&) = delete;
    CryptoContext& operator=(const CryptoContext&) = delete;

    /// Fills `out` with random octets. OpenSSL's generator failing is not survivable: the process ends with a message.
    void fill(std::span<std::byte> out);
    std::uint64_t number();
    /// 0 to bound - 1, evenly; bound above 0.
    std::uint64_t below(std::uint64_t bound);
    ossl_lib_ctx_st* library() const { return library_; }

    // What OpenSSL finds by its name, found once: looking for it takes longer than the short texts of IKE do. All live
    // as long as the context; null: OpenSSL here lacks it.
    const evp_cipher_st* cipher(const char* name);
    const evp_md_st* digest(const char* name);
    /// A MAC with its one parameter set, for whoever keys it next.
    evp_mac_ctx_st* mac(const char* name, const char* parameter, const char* value);
    /// What key pairs are made by, for `group` as OpenSSL names it; `make` makes it when the first is wanted.
    evp_pkey_ctx_st* key_maker(const char* group, const std::function<evp_pkey_ctx_st*()>& make);

private:
    struct Found;
    explicit CryptoContext(ossl_lib_ctx_st* library);
    std::unique_ptr<Found> found_;
    ossl_lib_ctx_st* library_;                  // owned; null: OpenSSL's default one, shared with the process
    std::vector<ossl_provider_st*> providers_;  // of a library of our own
};

}  // namespace torii::ike
