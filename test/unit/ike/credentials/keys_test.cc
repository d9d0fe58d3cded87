#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <string>

#include "authority.h"
#include "catch.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::made;

namespace {

Result<PrivateKey> opened(std::string pem, const char* passphrase = nullptr) {
    const SecretText text{std::move(pem)}, word{passphrase != nullptr ? passphrase : ""};
    return PrivateKey::parse(context(), text, passphrase != nullptr ? &word : nullptr);
}
std::string told(const Result<PrivateKey>& key) { return key ? key->text() : key.error().text(); }
std::string told(const Result<PublicKey>& key) { return key ? key->text() : key.error().text(); }

/// A key of EC whose curve is not named but written out.
Octets written_out() {
    const openssl::KeyPtr copy{EVP_PKEY_dup(key("P-256").get())};
    EVP_PKEY_set_utf8_string_param(copy.get(), "encoding", "explicit");
    return openssl::der_of(copy.get(), i2d_PUBKEY);
}

/// An RSA key of a modulus and an exponent as they are given.
Key from_numbers(const BIGNUM* modulus, const BIGNUM* exponent) {
    OSSL_PARAM_BLD* const builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(builder, "n", modulus);
    OSSL_PARAM_BLD_push_BN(builder, "e", exponent);
    OSSL_PARAM* const parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX* const how = EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr);
    EVP_PKEY* made = nullptr;
    CHECK(EVP_PKEY_fromdata_init(how) == 1);
    CHECK(EVP_PKEY_fromdata(how, &made, EVP_PKEY_PUBLIC_KEY, parameters) == 1);
    EVP_PKEY_CTX_free(how);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    return Key{openssl::KeyPtr{made}};
}

}  // namespace

TEST_CASE("private keys are taken in PEM, as PKCS#8 or traditional") {
    CHECK(told(opened(private_pem(key("RSA 2048")))) == "RSA 2048");
    CHECK(told(opened(private_pem(key("P-256")))) == "ECDSA P-256");
    CHECK(told(opened(private_pem(key("P-384")))) == "ECDSA P-384");
    CHECK(told(opened(private_pem(key("P-521")))) == "ECDSA P-521");
    CHECK(told(opened(private_pem(key("ED25519")))) == "Ed25519");
    const openssl::BioPtr bio{BIO_new(BIO_s_mem())};
    REQUIRE(PEM_write_bio_PrivateKey_traditional(bio.get(), key("RSA 2048").get(), nullptr, nullptr, 0, nullptr,
                                                 nullptr) == 1);
    CHECK(openssl::text_in(bio.get()).starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    CHECK(told(opened(openssl::text_in(bio.get()))) == "RSA 2048");
    CHECK(told(opened("no key")) == "there is no private key: PEM is wanted, PKCS#8 or traditional [bad_value]");
    CHECK(!opened(""));
}

TEST_CASE("an encrypted private key opens with its passphrase alone") {
    const std::string locked = private_pem(key("P-256"), "open sesame");
    CHECK(locked.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    CHECK(told(opened(locked, "open sesame")) == "ECDSA P-256");
    CHECK(told(opened(locked, "open")) == "the passphrase does not open the private key [denied]");
    CHECK(told(opened(locked, "")) == "the passphrase does not open the private key [denied]");
    CHECK(told(opened(locked)) == "the private key is encrypted, and there is no passphrase [denied]");
    CHECK(told(opened(locked, std::string(5000, 'x').c_str())) ==
          "the passphrase does not open the private key [denied]");
}

TEST_CASE("keys that are too weak or of a kind that IKE has not are refused (RFC 8247 3.1.1)") {
    CHECK(told(opened(private_pem(key("RSA 1024")))) ==
          "an RSA 1024 key is too short: 2048 bits and more are taken [unsupported]");
    CHECK(told(PublicKey::parse(context(), public_der(key("RSA 1024")))) ==
          "an RSA 1024 key is too short: 2048 bits and more are taken [unsupported]");
    CHECK(told(PublicKey::parse(context(), public_der(key("X25519")))) ==
          "a key of kind X25519 is not taken: RSA, ECDSA on P-256, P-384 or P-521 and Ed25519 are [unsupported]");
    CHECK(!PublicKey::parse(context(), public_der(key("P-224"))));
}

TEST_CASE("a curve whose parameters are written out is refused, whatever they are (CVE-2020-0601)") {
    const Octets der = written_out();
    CHECK(der.size() > public_der(key("P-256")).size());
    CHECK(told(PublicKey::parse(context(), der)).starts_with("a key of kind EC is not taken"));
}

TEST_CASE("RSA keys whose exponent makes no signature are refused (CVE-2017-9022)") {
    const auto with_exponent = [](unsigned exponent) {
        BIGNUM *modulus = nullptr, *word = BN_new();
        REQUIRE(EVP_PKEY_get_bn_param(key("RSA 2048").get(), "n", &modulus) == 1);
        BN_set_word(word, exponent);
        const Key made = from_numbers(modulus, word);
        BN_free(modulus);
        BN_free(word);
        return told(PublicKey::parse(context(), public_der(made)));
    };
    CHECK(with_exponent(65537) == "RSA 2048");
    CHECK(with_exponent(3) == "RSA 2048");
    for (const unsigned exponent : {0u, 1u, 2u, 65536u})
        CHECK(with_exponent(exponent) == "an RSA 2048 key has a bad exponent [unsupported]");
    CHECK(told(PublicKey::parse(context(), public_der(rsa(2048, 3)))) == "RSA 2048");
}

TEST_CASE("a raw public key is a SubjectPublicKeyInfo, PEM or DER, and nothing behind it (RFC 7670)") {
    for (const char* name : {"RSA 2048", "P-256", "ED25519"}) {
        const auto parsed = PublicKey::parse(context(), public_der(key(name)));
        REQUIRE(parsed);
        CHECK(EVP_PKEY_eq(parsed->get(), key(name).get()) == 1);
    }
    const openssl::BioPtr bio{BIO_new(BIO_s_mem())};
    REQUIRE(PEM_write_bio_PUBKEY(bio.get(), key("P-256").get()) == 1);
    CHECK(told(PublicKey::parse(context(), openssl::bytes(openssl::text_in(bio.get())))) == "ECDSA P-256");
    Octets longer = public_der(key("P-256"));
    longer.push_back(std::byte{0});
    CHECK(told(PublicKey::parse(context(), longer)) ==
          "this is no public key: a SubjectPublicKeyInfo is, as PEM or DER [bad_value]");
    CHECK(!PublicKey::parse(context(), {}));
    CHECK(!PublicKey::parse(context(), openssl::bytes(private_pem(key("P-256")))));
}

TEST_CASE("a private key goes with its own certificate, or with none") {
    const Issuer head = root(authority("CN=Head"), key("P-256"));
    const Certificate own = issue(head, {}, key("RSA 2048"));
    CHECK(OwnKey::make(PrivateKey{key("RSA 2048")}, {own, head.certificate}));
    CHECK(OwnKey::make(PrivateKey{key("ED25519")}, {}));
    const auto wrong = OwnKey::make(PrivateKey{key("ED25519")}, {own});
    REQUIRE(!wrong);
    CHECK(wrong.error().text() ==
          "certificate 'C=JP, O=Example, CN=gw' is not of this private key: its own key is RSA 2048, the private key "
          "Ed25519 [bad_value]");
    CHECK(!OwnKey::make(PrivateKey{key("RSA 2048")}, {head.certificate, own}));
}
