// Kernels and parts of kernels on OpenSSL 3's EVP: what IPsec-MB lacks or is slow at, and the independent second
// opinion on the rest. Each key block holds contexts that are keyed already, so a packet costs an IV and the octets.
#pragma once

#include <memory>

namespace torii {

struct Suite;
class Kernel;
class CipherPart;
class AuthPart;

/// Any AEAD; null when OpenSSL here lacks it.
std::unique_ptr<Kernel> evp_aead_kernel(const Suite& suite);
/// Any other cipher; null when OpenSSL here lacks it (DES, Blowfish and CAST-128 live in its legacy provider).
std::unique_ptr<CipherPart> evp_cipher_part(const Suite& suite);
/// Any HMAC, CMAC or keyed hash; null for XCBC. OpenSSL 3.0 allocates in HMAC and CMAC for each packet, so they are the
/// last resort and the reference.
std::unique_ptr<AuthPart> evp_auth_part(const Suite& suite);

}  // namespace torii
