// Message authentication codes over OpenSSL: what PRFs and integrities are made of. Inside ike/crypto alone.
#pragma once

#include <span>

#include "base/secret_bytes.h"
#include "ike/crypto/context.h"

namespace torii::ike {

using OctetView = std::span<const std::byte>;

inline constexpr std::size_t xcbc_octets = 16;  // key and output

/// Whole outputs over the parts, one behind the other. Errc::internal: OpenSSL here lacks the algorithm.
Result<SecretBytes> hmac(CryptoContext& context, const char* digest, OctetView key, std::span<const OctetView> parts);
/// The same under the key that the context's last hmac() of this digest had: half of the work of a short text is its
/// key.
Result<SecretBytes> hmac_again(CryptoContext& context, const char* digest, std::span<const OctetView> parts);
/// AES-CMAC with a key of 16 octets (RFC 4493).
Result<SecretBytes> cmac(CryptoContext& context, OctetView key, std::span<const OctetView> parts);
/// AES-XCBC-MAC (RFC 3566 4), not truncated, with a key of 16 octets. OpenSSL has no such mode: its AES-CBC does the
/// work.
Result<SecretBytes> xcbc(CryptoContext& context, OctetView key, std::span<const OctetView> parts);

}  // namespace torii::ike
