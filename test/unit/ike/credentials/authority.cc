#include "authority.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <map>
#include <stdexcept>

#include "ike/credentials/names.h"

namespace torii::ike::made {
namespace {

using namespace openssl;

void want(bool good, const char* what) {
    if (!good) throw std::runtime_error{std::string{"the test's authority cannot: "} + what};
}

void add(X509* certificate, X509* issuer, int nid, const std::string& words) {
    if (words.empty()) return;
    X509V3_CTX about;
    X509V3_set_ctx(&about, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &about, nid, words.c_str());
    want(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, words.c_str());
    X509_EXTENSION_free(extension);
}

/// An extension of a number that nobody knows.
void add_unknown(X509* certificate, bool critical) {
    const ObjectPtr number{OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1)};
    const std::unique_ptr<ASN1_OCTET_STRING, FreeWith<ASN1_STRING_free>> value{ASN1_OCTET_STRING_new()};
    X509_EXTENSION* const extension =
        X509_EXTENSION_create_by_OBJ(nullptr, number.get(), critical ? 1 : 0, value.get());
    want(X509_add_ext(certificate, extension, -1) == 1, "add an extension");
    X509_EXTENSION_free(extension);
}

NamePtr name(const std::string& words) {
    if (words.empty()) return NamePtr{X509_NAME_new()};
    auto parsed = parse_name(words);
    want(parsed.has_value(), words.c_str());
    return std::move(*parsed);
}

const EVP_MD* digest_for(const Key& key, const char* digest) {
    return EVP_PKEY_is_a(key.get(), "ED25519") == 1 ? nullptr : EVP_get_digestbyname(digest);
}

Certificate build(const Wish& wish, const Key& key, const X509* issuer, const Key& issuer_key) {
    const CertificatePtr out{X509_new()};
    X509_set_version(out.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(out.get()), wish.serial);
    const NamePtr subject = name(wish.subject);
    X509_set_subject_name(out.get(), subject.get());
    X509_set_issuer_name(out.get(), issuer != nullptr ? X509_get_subject_name(issuer) : subject.get());
    ASN1_TIME_set(X509_getm_notBefore(out.get()), wish.from);
    ASN1_TIME_set(X509_getm_notAfter(out.get()), wish.until);
    X509_set_pubkey(out.get(), key.get());
    X509* const above = issuer != nullptr ? const_cast<X509*>(issuer) : out.get();
    add(out.get(), above, NID_basic_constraints, wish.basic);
    add(out.get(), above, NID_key_usage, wish.usage);
    add(out.get(), above, NID_subject_alt_name, wish.alternative);
    add(out.get(), above, NID_ext_key_usage, wish.extended);
    add(out.get(), above, NID_name_constraints, wish.constraints);
    if (wish.unknown != Wish::Unknown::none) add_unknown(out.get(), wish.unknown == Wish::Unknown::critical);
    want(X509_sign(out.get(), issuer_key.get(), digest_for(issuer_key, wish.digest)) > 0, "sign");
    auto parsed = Certificate::parse_der(context(), der_of(out.get(), i2d_X509));
    want(parsed.has_value(), "read its own certificate");
    return std::move(*parsed);
}

}  // namespace

CryptoContext& context() {
    static const auto made = CryptoContext::system();
    return **made;
}

Key rsa(unsigned bits, unsigned exponent) {
    const std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>> how{
        EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr)};
    BIGNUM* const e = BN_new();
    BN_set_word(e, exponent);
    EVP_PKEY* made = nullptr;
    want(EVP_PKEY_keygen_init(how.get()) == 1 &&
             EVP_PKEY_CTX_set_rsa_keygen_bits(how.get(), static_cast<int>(bits)) == 1 &&
             EVP_PKEY_CTX_set1_rsa_keygen_pubexp(how.get(), e) == 1 && EVP_PKEY_generate(how.get(), &made) == 1,
         "make an RSA key");
    BN_free(e);
    return Key{KeyPtr{made}};
}

Key key(const std::string& name) {
    static std::map<std::string, Key> keys;
    Key& out = keys[name];
    if (out) return out;
    if (name.starts_with("RSA ")) return out = rsa(static_cast<unsigned>(std::stoul(name.substr(4))), 65537);
    if (name.starts_with("ED25519") || name.starts_with("X25519") || name.starts_with("ED448"))
        out = Key{KeyPtr{EVP_PKEY_Q_keygen(nullptr, nullptr, name.substr(0, name.find(' ')).c_str())}};
    else
        out = Key{KeyPtr{EVP_EC_gen(name.substr(0, name.find(' ')).c_str())}};
    want(out != nullptr, name.c_str());
    return out;
}

Wish authority(std::string subject, std::string constraints, std::string basic) {
    Wish out;
    out.subject = std::move(subject);
    out.alternative.clear();
    out.basic = std::move(basic);
    out.usage = "critical,keyCertSign,cRLSign";
    out.constraints = std::move(constraints);
    out.serial = 1;
    return out;
}

Issuer root(const Wish& wish, const Key& key) { return {build(wish, key, nullptr, key), key}; }

Certificate issue(const Issuer& by, const Wish& wish, const Key& key) {
    return build(wish, key, by.certificate.get(), by.key);
}

Issuer issue_authority(const Issuer& by, const Wish& wish, const Key& key) { return {issue(by, wish, key), key}; }

Octets revocations(const Issuer& by, const ListWish& wish) {
    const CrlPtr out{X509_CRL_new()};
    X509_CRL_set_version(out.get(), 1);
    X509_CRL_set_issuer_name(out.get(), X509_get_subject_name(by.certificate.get()));
    const std::unique_ptr<ASN1_TIME, FreeWith<ASN1_STRING_free>> from{ASN1_TIME_set(nullptr, wish.from)},
        until{ASN1_TIME_set(nullptr, wish.until)};
    X509_CRL_set1_lastUpdate(out.get(), from.get());
    X509_CRL_set1_nextUpdate(out.get(), until.get());
    for (const long serial : wish.revoked) {
        X509_REVOKED* const entry = X509_REVOKED_new();
        const std::unique_ptr<ASN1_INTEGER, FreeWith<ASN1_INTEGER_free>> number{ASN1_INTEGER_new()};
        ASN1_INTEGER_set(number.get(), serial);
        X509_REVOKED_set_serialNumber(entry, number.get());
        X509_REVOKED_set_revocationDate(entry, from.get());
        X509_CRL_add0_revoked(out.get(), entry);
    }
    want(X509_CRL_sign(out.get(), by.key.get(), digest_for(by.key, "SHA256")) > 0, "sign a revocation list");
    return der_of(out.get(), i2d_X509_CRL);
}

std::string pem(const Certificate& certificate) {
    const BioPtr bio{BIO_new(BIO_s_mem())};
    want(PEM_write_bio_X509(bio.get(), certificate.get()) == 1, "write PEM");
    return text_in(bio.get());
}

std::string private_pem(const Key& key, const char* passphrase) {
    const BioPtr bio{BIO_new(BIO_s_mem())};
    want(PEM_write_bio_PKCS8PrivateKey(
             bio.get(), key.get(), passphrase != nullptr ? EVP_aes_256_cbc() : nullptr, passphrase,
             passphrase != nullptr ? static_cast<int>(std::string_view{passphrase}.size()) : 0, nullptr, nullptr) == 1,
         "write a private key");
    return text_in(bio.get());
}

Octets public_der(const Key& key) { return der_of(key.get(), i2d_PUBKEY); }

}  // namespace torii::ike::made
