// Kernels and parts of kernels on OpenSSL 3's EVP: what IPsec-MB lacks or is slow at, and the independent second
// opinion on the rest. Each key block holds contexts that are keyed already, so a packet costs an IV and the octets.
#pragma once

#include <memory>

namespace torii {

struct Suite;
class Kernel;
class CipherPart;
class AuthPart;

/// AES-GCM; suites of aes-gcm-16 only.
std::unique_ptr<Kernel> evp_gcm_kernel(const Suite& suite);
/// Any CBC cipher; null when OpenSSL here lacks it (DES and Blowfish live in its legacy provider).
std::unique_ptr<CipherPart> evp_cipher_part(const Suite& suite);
/// Any HMAC. OpenSSL 3.0 allocates in it for each packet, so it is the last resort and the reference.
std::unique_ptr<AuthPart> evp_hmac_part(const Suite& suite);

}  // namespace torii
