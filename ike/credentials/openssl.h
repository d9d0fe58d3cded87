// OpenSSL's objects as this room holds them, and the little that all of it needs to hand octets over. Inside the
// credentials room only. Any thread.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/c_library.h"
#include "ike/message/payloads.h"

namespace torii::ike::openssl {

using torii::FreeWith;
using torii::octets;
using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using NamePtr = std::unique_ptr<X509_NAME, FreeWith<X509_NAME_free>>;
using NameEntryPtr = std::unique_ptr<X509_NAME_ENTRY, FreeWith<X509_NAME_ENTRY_free>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, FreeWith<ASN1_OBJECT_free>>;
using TypePtr = std::unique_ptr<ASN1_TYPE, FreeWith<ASN1_TYPE_free>>;
using CertificatePtr = std::unique_ptr<X509, FreeWith<X509_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, FreeWith<X509_CRL_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using DigestPtr = std::unique_ptr<EVP_MD, FreeWith<EVP_MD_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using EcdsaSignaturePtr = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;

/// OpenSSL keeps what went wrong in a queue of the thread; whoever looks at its own failure alone leaves none behind.
struct ErrorsForgotten {
    ErrorsForgotten() = default;
    ErrorsForgotten(const ErrorsForgotten&) = delete;
    ErrorsForgotten& operator=(const ErrorsForgotten&) = delete;
    ~ErrorsForgotten() { ERR_clear_error(); }
};

inline std::span<const std::byte> bytes(const unsigned char* p, std::size_t n) {
    return {reinterpret_cast<const std::byte*>(p), n};
}
inline std::span<const std::byte> bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view text(std::span<const std::byte> octets) {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}
inline std::span<const std::byte> bytes(const ASN1_STRING* string) {
    return bytes(ASN1_STRING_get0_data(string), static_cast<std::size_t>(ASN1_STRING_length(string)));
}
/// DER of an object, by its i2d function; empty when OpenSSL cannot.
template <class T, class ToDer>
Octets der_of(const T* object, ToDer to_der) {
    unsigned char* der = nullptr;
    const int count = to_der(object, &der);
    if (count <= 0) return {};
    const auto view = bytes(der, static_cast<std::size_t>(count));
    Octets out{view.begin(), view.end()};
    OPENSSL_free(der);
    return out;
}
/// All that a memory BIO holds.
inline std::string text_in(BIO* bio) {
    char* first = nullptr;
    const long count = BIO_get_mem_data(bio, &first);
    return count > 0 ? std::string{first, static_cast<std::size_t>(count)} : std::string{};
}

}  // namespace torii::ike::openssl
