#include "crypto/openssl_context.h"

#include <openssl/provider.h>

#include <utility>

namespace torii {
namespace {

/// A library context of our own: the machine's openssl.cnf and other users of OpenSSL in this process do not touch it.
class Library {
public:
    static OSSL_LIB_CTX* context() {
        static const Library library;
        return library.context_;
    }

private:
    Library()
        : context_(OSSL_LIB_CTX_new()),
          standard_(OSSL_PROVIDER_load(context_, "default")),
          legacy_(OSSL_PROVIDER_load(context_, "legacy")) {
        ERR_clear_error();  // a missing provider shows as missing ciphers
    }
    ~Library() {
        if (legacy_ != nullptr) OSSL_PROVIDER_unload(legacy_);
        if (standard_ != nullptr) OSSL_PROVIDER_unload(standard_);
        OSSL_LIB_CTX_free(context_);
    }
    OSSL_LIB_CTX* context_;
    OSSL_PROVIDER* standard_;
    OSSL_PROVIDER* legacy_;
};

/// A context with its key set and its IV still to come, or null.
CipherContext keyed(const EVP_CIPHER* cipher, std::span<const std::byte> key, Direction direction, BeforeKey before_key,
                    std::size_t icv_octets) {
    CipherContext context{EVP_CIPHER_CTX_new()};
    if (!context ||
        EVP_CipherInit_ex2(context.get(), cipher, nullptr, nullptr, static_cast<int>(direction), nullptr) != 1 ||
        (before_key != nullptr && !before_key(context.get(), icv_octets)) ||
        EVP_CIPHER_CTX_set_key_length(context.get(), length(key.size())) != 1 ||
        EVP_CIPHER_CTX_set_padding(context.get(), 0) != 1 ||
        EVP_CipherInit_ex2(context.get(), nullptr, octets(key.data()), nullptr, -1, nullptr) != 1)
        return nullptr;
    return context;
}

}  // namespace

OSSL_LIB_CTX* evp_library() { return Library::context(); }

CipherPtr evp_cipher(const char* name) {
    CipherPtr cipher;
    if (name != nullptr) cipher.reset(EVP_CIPHER_fetch(evp_library(), name, nullptr));
    ERR_clear_error();
    return cipher;
}

Result<void> expand_pair(const EVP_CIPHER* cipher, std::span<const std::byte> key, void*& encryptor, void*& decryptor,
                         BeforeKey before_key, std::size_t icv_octets) {
    CipherContext encrypt = keyed(cipher, key, Direction::encrypt, before_key, icv_octets);
    CipherContext decrypt = keyed(cipher, key, Direction::decrypt, before_key, icv_octets);
    if (!encrypt || !decrypt) {
        ERR_clear_error();
        return fail(Errc::internal, "OpenSSL refused the key");
    }
    encryptor = encrypt.release();
    decryptor = decrypt.release();
    return {};
}

void release_pair(void*& encryptor, void*& decryptor) {
    EVP_CIPHER_CTX_free(static_cast<EVP_CIPHER_CTX*>(std::exchange(encryptor, nullptr)));
    EVP_CIPHER_CTX_free(static_cast<EVP_CIPHER_CTX*>(std::exchange(decryptor, nullptr)));
}

}  // namespace torii
