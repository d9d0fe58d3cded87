// What this room asks of a key: which kind it is, and whether it is good enough. Inside the credentials room only. Any
// thread.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "ike/credentials/openssl.h"

namespace torii::ike {

enum class KeyKind : std::uint8_t { rsa, ecdsa_p256, ecdsa_p384, ecdsa_p521, ed25519 };

/// Nothing: none of ours. A curve must go by its name: parameters written out may be those of a look-alike curve.
std::optional<KeyKind> kind_of(const EVP_PKEY* key);
/// "RSA 2048", "ECDSA P-256", "Ed25519", or what OpenSSL calls it.
std::string text_of(const EVP_PKEY* key);
/// The kind, once nothing speaks against the key: RSA has 2048 bits or more and an odd exponent above 1.
Result<KeyKind> check_key(const EVP_PKEY* key);

}  // namespace torii::ike
