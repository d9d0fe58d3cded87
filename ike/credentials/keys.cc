#include "ike/credentials/keys.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>

#include <array>
#include <cstring>
#include <utility>

#include "ike/credentials/certificates.h"

namespace torii::ike {
namespace {

using namespace openssl;

constexpr int shortest_rsa_bits = 2048;
constexpr std::size_t longest_key_octets = 16384;  // RSA of 16384 bits, the most that OpenSSL takes, has 2 KiB

struct Curve {
    std::string_view group;
    KeyKind kind;
    std::string_view text;
};
constexpr Curve curves[] = {{"prime256v1", KeyKind::ecdsa_p256, "ECDSA P-256"},
                            {"secp384r1", KeyKind::ecdsa_p384, "ECDSA P-384"},
                            {"secp521r1", KeyKind::ecdsa_p521, "ECDSA P-521"}};

bool is_rsa(const EVP_PKEY* key) { return EVP_PKEY_is_a(key, "RSA") == 1 || EVP_PKEY_is_a(key, "RSA-PSS") == 1; }

const Curve* curve_of(const EVP_PKEY* key) {
    std::array<char, 64> group{};
    int written_out = 0;
    if (EVP_PKEY_is_a(key, "EC") != 1 || EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) != 1)
        return nullptr;
    if (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &written_out) == 1 &&
        written_out != 0)
        return nullptr;
    for (const Curve& curve : curves)
        if (curve.group == group.data()) return &curve;
    return nullptr;
}

/// With an exponent of 1 every number is its own signature; an even one is no exponent of RSA.
bool has_good_exponent(const EVP_PKEY* key) {
    BIGNUM* exponent = nullptr;
    const bool good = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 && BN_is_odd(exponent) == 1 &&
                      BN_is_one(exponent) == 0;
    BN_free(exponent);
    return good;
}

struct Passphrase {
    const SecretText* text = nullptr;
    bool asked = false;
};
int give_passphrase(char* out, int room, int, void* user) {
    auto& passphrase = *static_cast<Passphrase*>(user);
    passphrase.asked = true;
    if (passphrase.text == nullptr || passphrase.text->view().size() > static_cast<std::size_t>(room)) return -1;
    const std::string& text = passphrase.text->view();
    std::memcpy(out, text.data(), text.size());
    return static_cast<int>(text.size());
}

/// The DER inside a PEM block of that name; nothing: there is no such block.
std::optional<Octets> der_in_pem(OctetView pem, std::string_view wanted) {
    const BioPtr bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    char *name = nullptr, *header = nullptr;
    unsigned char* der = nullptr;
    long count = 0;
    std::optional<Octets> out;
    while (!out && bio && PEM_read_bio(bio.get(), &name, &header, &der, &count) == 1) {
        if (wanted == name) {
            const auto view = bytes(der, static_cast<std::size_t>(count));
            out.emplace(view.begin(), view.end());
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, static_cast<std::size_t>(count));
    }
    return out;
}

}  // namespace

std::optional<KeyKind> kind_of(const EVP_PKEY* key) {
    const ErrorsForgotten forgotten;
    if (key == nullptr) return std::nullopt;
    if (is_rsa(key)) return KeyKind::rsa;
    if (EVP_PKEY_is_a(key, "ED25519") == 1) return KeyKind::ed25519;
    const Curve* const curve = curve_of(key);
    return curve != nullptr ? std::optional{curve->kind} : std::nullopt;
}

std::string text_of(const EVP_PKEY* key) {
    const ErrorsForgotten forgotten;
    if (key == nullptr) return "unknown key";
    if (is_rsa(key)) return "RSA " + std::to_string(EVP_PKEY_get_bits(key));
    if (EVP_PKEY_is_a(key, "ED25519") == 1) return "Ed25519";
    if (const Curve* const curve = curve_of(key)) return std::string{curve->text};
    const char* const name = EVP_PKEY_get0_type_name(key);
    return name != nullptr ? name : "unknown key";
}

Result<KeyKind> check_key(const EVP_PKEY* key) {
    const ErrorsForgotten forgotten;
    const auto kind = kind_of(key);
    if (!kind)
        return fail(Errc::unsupported, "a key of kind " + text_of(key) +
                                           " is not taken: RSA, ECDSA on P-256, P-384 or P-521 and Ed25519 are");
    if (*kind != KeyKind::rsa) return *kind;
    if (EVP_PKEY_get_bits(key) < shortest_rsa_bits)
        return fail(Errc::unsupported, "an " + text_of(key) + " key is too short: 2048 bits and more are taken");
    if (!has_good_exponent(key)) return fail(Errc::unsupported, "an " + text_of(key) + " key has a bad exponent");
    return *kind;
}

Result<PublicKey> PublicKey::parse(CryptoContext& context, OctetView pem_or_der) {
    const ErrorsForgotten forgotten;
    if (pem_or_der.size() > longest_key_octets) return fail(Errc::no_room, "a public key has at most 16384 octets");
    const std::optional<Octets> inside = der_in_pem(pem_or_der, "PUBLIC KEY");
    const OctetView der = inside ? OctetView{*inside} : pem_or_der;
    const unsigned char* at = octets(der.data());
    KeyPtr key{der.empty() ? nullptr
                           : d2i_PUBKEY_ex(nullptr, &at, static_cast<long>(der.size()), context.library(), nullptr)};
    if (!key || at != octets(der.data()) + der.size())
        return fail(Errc::bad_value, "this is no public key: a SubjectPublicKeyInfo is, as PEM or DER");
    TORII_CHECK(check_key(key.get()));
    return PublicKey{std::shared_ptr<EVP_PKEY>{std::move(key)}};
}

std::string PublicKey::text() const { return text_of(key_.get()); }

Result<PrivateKey> PrivateKey::parse(CryptoContext& context, const SecretText& pem, const SecretText* passphrase) {
    const ErrorsForgotten forgotten;
    const std::string& text = pem.view();
    if (text.size() > longest_key_octets * 4) return fail(Errc::no_room, "a private key's text is too long");
    const BioPtr bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
    Passphrase given{passphrase};
    KeyPtr key{bio ? PEM_read_bio_PrivateKey_ex(bio.get(), nullptr, give_passphrase, &given, context.library(), nullptr)
                   : nullptr};
    if (!key && given.asked)
        return fail(Errc::denied, passphrase == nullptr ? "the private key is encrypted, and there is no passphrase"
                                                        : "the passphrase does not open the private key");
    if (!key) return fail(Errc::bad_value, "there is no private key: PEM is wanted, PKCS#8 or traditional");
    TORII_CHECK(check_key(key.get()));
    return PrivateKey{std::shared_ptr<EVP_PKEY>{std::move(key)}};
}

std::string PrivateKey::text() const { return text_of(key_.get()); }

Result<OwnKey> OwnKey::make(PrivateKey key, std::vector<Certificate> chain) {
    const ErrorsForgotten forgotten;
    if (!chain.empty()) {
        const PublicKey certified = chain.front().public_key();
        if (certified.get() == nullptr || EVP_PKEY_eq(certified.get(), key.get()) != 1)
            return fail(Errc::bad_value, "certificate '" + chain.front().subject_text() +
                                             "' is not of this private key: its own key is " + certified.text() +
                                             ", the private key " + key.text());
    }
    return OwnKey{std::move(key), std::move(chain)};
}

}  // namespace torii::ike
