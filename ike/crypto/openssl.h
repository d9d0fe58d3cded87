// OpenSSL's objects as ike/crypto holds them, and its view of octets. Inside ike/crypto alone.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>
#include <string>

#include "base/error.h"

namespace torii::ike {

template <auto release>
struct ReleaseWith {
    template <class T>
    void operator()(T* p) const {
        release(p);
    }
};
using CipherPtr = std::unique_ptr<EVP_CIPHER, ReleaseWith<EVP_CIPHER_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, ReleaseWith<EVP_CIPHER_CTX_free>>;
using MacPtr = std::unique_ptr<EVP_MAC, ReleaseWith<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, ReleaseWith<EVP_MAC_CTX_free>>;
using PkeyPtr = std::unique_ptr<EVP_PKEY, ReleaseWith<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, ReleaseWith<EVP_PKEY_CTX_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, ReleaseWith<BN_clear_free>>;

inline unsigned char* octets(std::byte* p) { return reinterpret_cast<unsigned char*>(p); }
inline const unsigned char* octets(const std::byte* p) { return reinterpret_cast<const unsigned char*>(p); }

/// Errc::internal: OpenSSL cannot do `what`. Its queue of errors is emptied.
inline std::unexpected<Error> openssl_failed(const std::string& what) {
    ERR_clear_error();
    return fail(Errc::internal, "OpenSSL here cannot " + what);
}

}  // namespace torii::ike
