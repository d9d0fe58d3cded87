// OpenSSL's contexts as the crypto room holds them: keyed once, freed with the key block. Inside the crypto room only.
#pragma once

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>
#include <span>

#include "base/c_library.h"
#include "base/error.h"

namespace torii {

using CipherPtr = std::unique_ptr<EVP_CIPHER, FreeWith<EVP_CIPHER_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using DigestPtr = std::unique_ptr<EVP_MD, FreeWith<EVP_MD_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using MacPtr = std::unique_ptr<EVP_MAC, FreeWith<EVP_MAC_free>>;

/// A library context of our own, with the default and the legacy provider, if they are there: the machine's openssl.cnf
/// and other users of OpenSSL in this process do not touch it. Any thread.
OSSL_LIB_CTX* evp_library();

/// Null when OpenSSL here lacks it, or for a null name.
CipherPtr evp_cipher(const char* name);

inline int length(std::size_t n) { return static_cast<int>(n); }

enum class Direction : int { decrypt = 0, encrypt = 1 };

/// What an AEAD must be told before its key; true when it took it. For others nothing.
using BeforeKey = bool (*)(EVP_CIPHER_CTX*, std::size_t icv_octets);

/// The pair of contexts at `encryptor` and `decryptor` of a key block, with keys set and IVs still to come.
/// Errc::internal when OpenSSL refuses the key.
Result<void> expand_pair(const EVP_CIPHER* cipher, std::span<const std::byte> key, void*& encryptor, void*& decryptor,
                         BeforeKey before_key = nullptr, std::size_t icv_octets = 0);
void release_pair(void*& encryptor, void*& decryptor);

}  // namespace torii
