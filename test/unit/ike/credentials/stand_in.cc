// Stands in for ike/crypto's context and PRF until they are here; goes when they come.
#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "ike/crypto/prf.h"

namespace torii::ike {

Result<std::unique_ptr<CryptoContext>> CryptoContext::system() {
    return std::unique_ptr<CryptoContext>{new CryptoContext{nullptr}};
}
CryptoContext::~CryptoContext() = default;

Result<SecretBytes> prf(CryptoContext&, PrfId id, OctetView key, std::initializer_list<OctetView> parts) {
    const EVP_MD* digest = id == PrfId::hmac_sha1       ? EVP_sha1()
                           : id == PrfId::hmac_sha2_256 ? EVP_sha256()
                           : id == PrfId::hmac_sha2_384 ? EVP_sha384()
                           : id == PrfId::hmac_sha2_512 ? EVP_sha512()
                                                        : nullptr;
    if (digest == nullptr) return fail(Errc::unsupported, "no such PRF");
    Octets whole;
    for (const OctetView part : parts) whole.insert(whole.end(), part.begin(), part.end());
    SecretBytes out{static_cast<std::size_t>(EVP_MD_get_size(digest))};
    unsigned count = 0;
    HMAC(digest, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(whole.data()),
         whole.size(), reinterpret_cast<unsigned char*>(out.octets().data()), &count);
    return out;
}

}  // namespace torii::ike
