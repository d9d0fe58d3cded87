#include <openssl/rsa.h>

#include <algorithm>
#include <string>

#include "authority.h"
#include "catch.h"
#include "ike/credentials/hexadecimal.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::made;

namespace {

constexpr SignatureHash every_hash[] = {SignatureHash::sha2_256, SignatureHash::sha2_384, SignatureHash::sha2_512,
                                        SignatureHash::identity};
const Octets& exchange() {
    static const Octets octets = [] {
        const auto view = openssl::bytes("RealMessage1 | NonceRData | MACedIDForI");
        return Octets{view.begin(), view.end()};
    }();
    return octets;
}

Auth signed_by(const std::string& name, std::span<const SignatureHash> hashes = every_hash, bool sha1 = false) {
    const auto auth = sign(context(), PrivateKey{key(name)}, exchange(), hashes, sha1);
    INFO(name << ": " << (auth ? "" : auth.error().text()));
    REQUIRE(auth);
    return *auth;
}
std::string refusal_to_sign(const std::string& name, std::span<const SignatureHash> hashes, bool sha1 = false) {
    const auto auth = sign(context(), PrivateKey{key(name)}, exchange(), hashes, sha1);
    return auth ? "signed" : auth.error().text();
}
std::string verdict(const Key& key, const Auth& auth, bool sha1 = false, OctetView octets = exchange()) {
    const auto good = verify(context(), PublicKey{key}, auth, octets, sha1);
    return good ? "good" : good.error().text();
}
std::string verdict(const std::string& name, const Auth& auth, bool sha1 = false) {
    return verdict(key(name), auth, sha1);
}

/// The AlgorithmIdentifier that stands in front of a signature, in hexadecimal digits.
std::string identifier_of(const Auth& auth) {
    REQUIRE(auth.method == AuthMethod::digital_signature);
    return hexadecimal_of(OctetView{auth.data}.subspan(1, std::to_integer<std::size_t>(auth.data[0])));
}
/// The same signature behind another identifier.
Auth with_identifier(const Auth& auth, std::string_view digits) {
    const auto identifier = octets_of_hexadecimal(digits);
    REQUIRE(identifier);
    Auth out{auth.method, {static_cast<std::byte>(identifier->size())}};
    const auto signature = OctetView{auth.data}.subspan(1 + std::to_integer<std::size_t>(auth.data[0]));
    out.data.insert(out.data.end(), identifier->octets().begin(), identifier->octets().end());
    out.data.insert(out.data.end(), signature.begin(), signature.end());
    return out;
}
Auth behind(std::string_view identifier, OctetView signature) {
    return with_identifier(Auth{AuthMethod::digital_signature,
                                [&] {
                                    Octets data{std::byte{0}};
                                    data.insert(data.end(), signature.begin(), signature.end());
                                    return data;
                                }()},
                           identifier);
}

/// A signature of OpenSSL's own making, to be put where one of ours would stand.
Octets openssl_signature(const Key& key, const char* digest, int padding = 0, int salt = 0,
                         const char* mask = nullptr) {
    const openssl::DigestContext how{EVP_MD_CTX_new()};
    EVP_PKEY_CTX* options = nullptr;
    std::size_t count = 0;
    REQUIRE(EVP_DigestSignInit_ex(how.get(), &options, digest, nullptr, nullptr, key.get(), nullptr) == 1);
    if (padding != 0) REQUIRE(EVP_PKEY_CTX_set_rsa_padding(options, padding) == 1);
    if (padding == RSA_PKCS1_PSS_PADDING) REQUIRE(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, salt) == 1);
    if (mask != nullptr) REQUIRE(EVP_PKEY_CTX_set_rsa_mgf1_md_name(options, mask, nullptr) == 1);
    REQUIRE(EVP_DigestSign(how.get(), nullptr, &count, openssl::octets(exchange().data()), exchange().size()) == 1);
    Octets out(count);
    REQUIRE(EVP_DigestSign(how.get(), openssl::octets(out.data()), &count, openssl::octets(exchange().data()),
                           exchange().size()) == 1);
    out.resize(count);
    return out;
}

/// RSA's private operation on a block as it is: what somebody signs who pads wrongly.
Octets raw_rsa(const Key& key, const Octets& block) {
    const std::unique_ptr<EVP_PKEY_CTX, openssl::FreeWith<EVP_PKEY_CTX_free>> how{
        EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr)};
    Octets out(block.size());
    std::size_t count = out.size();
    REQUIRE(EVP_PKEY_sign_init(how.get()) == 1);
    REQUIRE(EVP_PKEY_CTX_set_rsa_padding(how.get(), RSA_NO_PADDING) == 1);
    REQUIRE(EVP_PKEY_sign(how.get(), openssl::octets(out.data()), &count, openssl::octets(block.data()),
                          block.size()) == 1);
    return out;
}
Octets digest_of_exchange() {
    Octets out(32);
    EVP_Digest(exchange().data(), exchange().size(), openssl::octets(out.data()), nullptr, EVP_sha256(), nullptr);
    return out;
}
/// 00 01 FF... 00 INFO HASH BEHIND, `block` octets long: the FFs fill what is left, or `padding` many.
Octets padded(std::string_view info, std::string_view behind = {}, std::size_t padding = 0, std::size_t block = 256) {
    const Octets hash = digest_of_exchange();
    const auto front = octets_of_hexadecimal(info), back = octets_of_hexadecimal(behind);
    REQUIRE((front && back));
    const std::size_t tail = front->size() + hash.size() + back->size();
    Octets out{std::byte{0}, std::byte{1}};
    out.insert(out.end(), padding != 0 ? padding : block - 3 - tail, std::byte{0xff});
    out.push_back(std::byte{0});
    out.insert(out.end(), front->octets().begin(), front->octets().end());
    out.insert(out.end(), hash.begin(), hash.end());
    out.insert(out.end(), back->octets().begin(), back->octets().end());
    out.resize(block);
    return out;
}

constexpr const char* pkcs1_sha256 = "300d06092a864886f70d01010b0500";
constexpr const char* sha256_info = "3031300d060960864801650304020105000420";
// RFC 7427 A.4.3, as it stands there: with the trailer's default written out
constexpr const char* rfc_pss_sha256 =
    "304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d"
    "06096086480165030402010500a203020120a303020101";
// the same in DER, where a default is left out; then without the NULLs too
constexpr const char* pss_sha256 =
    "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d"
    "06096086480165030402010500a203020120";
constexpr const char* pss_sha256_without_null =
    "303d06092a864886f70d01010a3030a00d300b0609608648016503040201a11a301806092a864886f70d010108300b0609"
    "608648016503040201a203020120";

}  // namespace

TEST_CASE("each key signs with each hash that the peer takes, and what it signed is verified (RFC 7427 3)") {
    for (const char* name : {"RSA 2048", "P-256", "P-384", "P-521", "ED25519"}) {
        for (const SignatureHash hash : every_hash) {
            const auto auth = sign(context(), PrivateKey{key(name)}, exchange(), std::span{&hash, 1}, false);
            INFO(name << " " << static_cast<int>(hash));
            const bool can = std::string_view{name} == "ED25519" ? hash == SignatureHash::identity
                             : std::string_view{name} == "P-256" ? hash == SignatureHash::sha2_256
                             : std::string_view{name} == "P-384" ? hash <= SignatureHash::sha2_384
                                                                 : hash != SignatureHash::identity;
            REQUIRE(auth.has_value() == can);
            if (!can) continue;
            CHECK(auth->method == AuthMethod::digital_signature);
            CHECK(verdict(name, *auth) == "good");
            CHECK(verdict(name + std::string{" 2"}, *auth) != "good");
            CHECK(verdict(key(name), *auth, false, OctetView{exchange()}.first(5)) != "good");
        }
    }
}

TEST_CASE("AlgorithmIdentifiers are those of RFC 7427 appendix A and RFC 8420 A.1") {
    const auto with = [](const char* name, SignatureHash hash) {
        return identifier_of(signed_by(name, std::span{&hash, 1}));
    };
    CHECK(with("P-256", SignatureHash::sha2_256) == "300a06082a8648ce3d040302");  // A.3.2
    CHECK(with("P-384", SignatureHash::sha2_384) == "300a06082a8648ce3d040303");  // A.3.3
    CHECK(with("P-521", SignatureHash::sha2_512) == "300a06082a8648ce3d040304");  // A.3.4
    CHECK(with("RSA 2048", SignatureHash::sha2_256) == pss_sha256);
    CHECK(with("RSA 2048", SignatureHash::sha2_384) ==
          "304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d"
          "06096086480165030402020500a203020130");
    CHECK(with("RSA 2048", SignatureHash::sha2_512) ==
          "304106092a864886f70d01010a3034a00f300d06096086480165030402030500a11c301a06092a864886f70d010108300d"
          "06096086480165030402030500a203020140");
    CHECK(with("ED25519", SignatureHash::identity) == "300506032b6570");
}

TEST_CASE("the strongest hash that the peer takes signs, of ECDSA up to the curve's own") {
    CHECK(identifier_of(signed_by("RSA 2048")).ends_with("a203020140"));
    CHECK(identifier_of(signed_by("P-256")) == "300a06082a8648ce3d040302");
    CHECK(identifier_of(signed_by("P-384")) == "300a06082a8648ce3d040303");
    CHECK(identifier_of(signed_by("P-521")) == "300a06082a8648ce3d040304");
    const SignatureHash one[] = {SignatureHash::sha1, SignatureHash::sha2_256};
    CHECK(identifier_of(signed_by("P-384", one)) == "300a06082a8648ce3d040302");  // a peer with SHA-256 alone
}

TEST_CASE("without a hash in common nothing is signed, and never by way of SHA-1 (RFC 8247 3.2)") {
    const SignatureHash old[] = {SignatureHash::sha1};
    CHECK(refusal_to_sign("RSA 2048", old, true) ==
          "the peer takes no hash that our key (RSA 2048) signs with [unsupported]");
    CHECK(refusal_to_sign("ED25519", std::span{every_hash}.first(3)) ==
          "the peer takes no hash that our key (Ed25519) signs with [unsupported]");
    CHECK(refusal_to_sign("RSA 1024", every_hash) ==
          "an RSA 1024 key is too short: 2048 bits and more are taken [unsupported]");
}

TEST_CASE("a peer without RFC 7427 gets ECDSA's own methods, and RSA with SHA-1 if that is allowed (RFC 7296 3.8)") {
    const Auth p256 = signed_by("P-256", {}), p384 = signed_by("P-384", {}), p521 = signed_by("P-521", {});
    CHECK(p256.method == AuthMethod::ecdsa_sha256_p256);
    CHECK(p256.data.size() == 64);
    CHECK(p384.method == AuthMethod::ecdsa_sha384_p384);
    CHECK(p384.data.size() == 96);
    CHECK(p521.method == AuthMethod::ecdsa_sha512_p521);
    CHECK(p521.data.size() == 132);
    CHECK(verdict("P-256", p256) == "good");
    CHECK(verdict("P-384", p384) == "good");
    CHECK(verdict("P-521", p521) == "good");
    const Auth rsa = signed_by("RSA 2048", {}, true);
    CHECK(rsa.method == AuthMethod::rsa_signature);
    CHECK(verdict("RSA 2048", rsa, true) == "good");
    CHECK(verdict("RSA 2048", rsa) ==
          "the peer signs by way of SHA-1 (RSA signature, RFC 7296 3.8), which is not allowed [denied]");
    CHECK(refusal_to_sign("RSA 2048", {}) ==
          "the peer knows no digital signatures (RFC 7427), and without them our key (RSA 2048) cannot sign: RSA would "
          "need SHA-1, which is not allowed [unsupported]");
    CHECK(refusal_to_sign("ED25519", {}, true) ==
          "the peer knows no digital signatures (RFC 7427), and without them our key (Ed25519) cannot sign "
          "[unsupported]");
}

TEST_CASE("ECDSA's own methods want r and s of the curve's length, and the curve's own key (RFC 4754 7)") {
    const Auth good = signed_by("P-256", {});
    Auth other = good;
    other.method = AuthMethod::ecdsa_sha384_p384;
    CHECK(verdict("P-256", other) ==
          "the signature is by ECDSA with SHA-384 on P-384, the peer's key is ECDSA P-256 [denied]");
    CHECK(verdict("P-384", other) == "the signature has 64 octets, where its curve has 96 [denied]");
    for (const std::size_t size : {0u, 1u, 63u, 65u, 72u}) {
        Auth changed = good;
        changed.data.resize(size);
        CHECK(verdict("P-256", changed) ==
              "the signature has " + std::to_string(size) + " octets, where its curve has 64 [denied]");
    }
    for (const std::byte fill : {std::byte{0}, std::byte{0xff}}) {  // r and s of 0, and beyond the order
        Auth changed = good;
        std::ranges::fill(changed.data, fill);
        CHECK(verdict("P-256", changed).starts_with("the signature (ECDSA with SHA-256) is not of the peer's key"));
        std::ranges::copy(std::span{good.data}.first(32), changed.data.begin());
        CHECK(verdict("P-256", changed) != "good");
    }
    CHECK(verdict("RSA 2048", good) ==
          "the signature is by ECDSA with SHA-256 on P-256, the peer's key is RSA 2048 [denied]");
}

TEST_CASE("one bit changed anywhere in a signature refuses it") {
    for (const char* name : {"RSA 2048", "P-256", "ED25519"}) {
        const Auth good = signed_by(name);
        for (std::size_t i = 0; i < good.data.size(); i += 3) {
            Auth changed = good;
            changed.data[i] ^= std::byte{4};
            CHECK(verdict(name, changed).ends_with("[denied]"));
        }
    }
}

TEST_CASE("octets behind a signature, or missing from it, refuse it") {
    for (const char* name : {"RSA 2048", "P-256", "P-521", "ED25519"}) {
        const Auth good = signed_by(name);
        Auth longer = good;
        longer.data.push_back(std::byte{0});
        CHECK(verdict(name, longer).ends_with("[denied]"));
        for (std::size_t kept = 0; kept < good.data.size(); ++kept) {
            Auth cut = good;
            cut.data.resize(kept);
            CHECK(verdict(name, cut).ends_with("[denied]"));
        }
    }
    CHECK(verdict("P-256", Auth{AuthMethod::digital_signature, {}}) ==
          "the signature ends within its AlgorithmIdentifier [denied]");
    CHECK(verdict("P-256", Auth{AuthMethod::digital_signature, Octets(20, std::byte{200})}) ==
          "the signature ends within its AlgorithmIdentifier [denied]");
}

TEST_CASE("an error code of OpenSSL about a signature is no yes (CVE-2013-2944, CVE-2004-0155)") {
    for (const std::size_t size : {0u, 1u, 8u, 70u, 256u, 512u}) {
        const Octets junk(size, std::byte{0x30});
        CHECK(verdict("P-256", behind("300a06082a8648ce3d040302", junk)).ends_with("[denied]"));
        CHECK(verdict("RSA 2048", behind(pkcs1_sha256, junk)).ends_with("[denied]"));
        CHECK(verdict("RSA 2048", behind(pss_sha256, junk)).ends_with("[denied]"));
        CHECK(verdict("ED25519", behind("300506032b6570", junk)).ends_with("[denied]"));
        CHECK(verdict("RSA 2048", Auth{AuthMethod::rsa_signature, junk}, true).ends_with("[denied]"));
    }
    CHECK(verdict("RSA 2048", behind(pkcs1_sha256, Octets(256, std::byte{0}))).ends_with("[denied]"));
    CHECK(verdict("RSA 2048", behind(pkcs1_sha256, Octets(256, std::byte{0xff}))).ends_with("[denied]"));
}

TEST_CASE("PSS is taken as RFC 7427 A.4 writes it and as DER does, NULLs written or not (RFC 4055 2.1)") {
    const SignatureHash one[] = {SignatureHash::sha2_256};
    const Auth good = signed_by("RSA 2048", one);
    CHECK(verdict("RSA 2048", with_identifier(good, rfc_pss_sha256)) == "good");
    CHECK(verdict("RSA 2048", with_identifier(good, pss_sha256)) == "good");
    CHECK(verdict("RSA 2048", with_identifier(good, pss_sha256_without_null)) == "good");
}

TEST_CASE("PSS with absent, empty or default parameters is refused (RFC 8247 3.2, CVE-2018-6459)") {
    const Octets sha1 = openssl_signature(key("RSA 2048"), "SHA1", RSA_PKCS1_PSS_PADDING, 20);
    const std::string refused =
        "the signature is not taken: its RSASSA-PSS has other parameters than SHA-256, SHA-384 or SHA-512 with MGF1 of "
        "the same hash and a salt of its length; none at all mean SHA-1 [denied]";
    for (const char* identifier : {
             "300b06092a864886f70d01010a",      // absent
             "300d06092a864886f70d01010a3000",  // empty: RFC 7427 A.4.1
             "300d06092a864886f70d01010a0500",  // NULL
             "303e06092a864886f70d01010a3031a00b300906052b0e03021a0500a118301606092a864886f70d010108300906052b0e"
             "03021a0500a203020114a303020101",                                        // the defaults written out: A.4.2
             "302006092a864886f70d01010a3013a00f300d06096086480165030402010500a000",  // no mask
             "302306092a864886f70d01010a3016a00f300d06096086480165030402010500a203020120"  // MGF1 with SHA-1 by default
         }) {
        INFO(identifier);
        CHECK(verdict("RSA 2048", behind(identifier, sha1), true) == refused);
    }
}

TEST_CASE("PSS with other salts, masks or numbers out of range is refused (CVE-2021-41990)") {
    const Key& rsa = key("RSA 2048");
    const std::string front = std::string{pss_sha256}.substr(0, std::string_view{pss_sha256}.size() - 10);
    const auto resized = [&](std::string salt) {  // another salt, with the lengths around it put right
        std::string digits = front + salt;
        const std::size_t more = digits.size() / 2 - 67;
        digits.replace(2, 2, hexadecimal_of(Octets{static_cast<std::byte>(0x41 + more)}));
        digits.replace(28, 2, hexadecimal_of(Octets{static_cast<std::byte>(0x34 + more)}));
        return digits;
    };
    CHECK(resized("a203020120") == pss_sha256);
    CHECK(verdict(rsa, behind(resized("a203020114"), openssl_signature(rsa, "SHA256", RSA_PKCS1_PSS_PADDING, 20)))
              .starts_with("the signature is not taken: its RSASSA-PSS"));
    for (const char* salt :
         {"a203020100", "a2030201ff", "a20602047fffffff", "a206020480000000", "a20a020800000000000000ff",
          "a20702050100000020", "a20402020020", "a2020200", "a203020120a303020102"}) {
        INFO(salt);
        CHECK(verdict(rsa, behind(resized(salt), openssl_signature(rsa, "SHA256", RSA_PKCS1_PSS_PADDING, 32)))
                  .starts_with("the signature is not taken: its RSASSA-PSS"));
    }
    // said to be right, and made with another salt or mask
    CHECK(verdict(rsa, behind(pss_sha256, openssl_signature(rsa, "SHA256", RSA_PKCS1_PSS_PADDING, 20))) != "good");
    CHECK(verdict(rsa, behind(pss_sha256, openssl_signature(rsa, "SHA256", RSA_PKCS1_PSS_PADDING, 0))) != "good");
    CHECK(verdict(rsa, behind(pss_sha256, openssl_signature(rsa, "SHA256", RSA_PKCS1_PSS_PADDING, 32, "SHA1"))) !=
          "good");
    CHECK(verdict(rsa, behind(pss_sha256, openssl_signature(rsa, "SHA256", RSA_PKCS1_PADDING))) != "good");
    CHECK(verdict(rsa, behind(pss_sha256, openssl_signature(rsa, "SHA256", RSA_PKCS1_PSS_PADDING, 32))) == "good");
}

TEST_CASE("an AlgorithmIdentifier is compared octet for octet: no lax DER (CVE-2018-16151, CVE-2018-16152)") {
    const SignatureHash one[] = {SignatureHash::sha2_256};
    const Auth rsa = behind(pkcs1_sha256, openssl_signature(key("RSA 2048"), "SHA256", RSA_PKCS1_PADDING));
    CHECK(verdict("RSA 2048", rsa) == "good");
    for (const char* identifier : {"300b06092a864886f70d01010b",          // no NULL
                                   "30810d06092a864886f70d01010b0500",    // a length in two octets
                                   "300f06092a864886f70d01010b05000500",  // something behind
                                   "300e06092a864886f70d01010b050100",    // a NULL with content
                                   "300e060a2a864886f70d0101800b0500",    // a padded arc
                                   "308006092a864886f70d01010b05000000",  // BER's indefinite length
                                   "300d06092a864886f70d01010b050000", ""}) {
        INFO(identifier);
        CHECK(verdict("RSA 2048", with_identifier(rsa, identifier)).starts_with("the signature is not taken"));
    }
    const Auth ecdsa = signed_by("P-256", one);
    for (const char* identifier :
         {"300c06082a8648ce3d0403020500", "30810a06082a8648ce3d040302", "300a06082a8648ce3d040305"})
        CHECK(verdict("P-256", with_identifier(ecdsa, identifier)).starts_with("the signature is not taken"));
    CHECK(verdict("ED25519", with_identifier(signed_by("ED25519"), "300706032b65700500")) ==
          "the signature is not taken: its AlgorithmIdentifier 0x300706032b65700500 is none that is taken [denied]");
}

TEST_CASE("signatures by way of hashes that we never offer are refused (RFC 7427 4)") {
    const Key &rsa = key("RSA 2048"), &ec = key("P-256");
    const auto refused = [](const Key& by, const char* identifier, const char* digest, int padding = 0) {
        return verdict(by, behind(identifier, openssl_signature(by, digest, padding)), true);
    };
    CHECK(refused(rsa, "300d06092a864886f70d0101050500", "SHA1", RSA_PKCS1_PADDING) ==
          "the signature is not taken: it is made by way of SHA-1, which RFC 8247 3.2 forbids [denied]");  // A.1.1
    CHECK(refused(ec, "300906072a8648ce3d0401", "SHA1") ==
          "the signature is not taken: it is made by way of SHA-1, which RFC 8247 3.2 forbids [denied]");  // A.3.1
    CHECK(refused(rsa, "300d06092a864886f70d0101040500", "MD5", RSA_PKCS1_PADDING)
              .starts_with("the signature is not taken"));
    CHECK(refused(rsa, "300d06092a864886f70d01010e0500", "SHA224", RSA_PKCS1_PADDING)
              .starts_with("the signature is not taken"));
    CHECK(refused(ec, "300a06082a8648ce3d040301", "SHA224").starts_with("the signature is not taken"));
    CHECK(refused(ec, "300b060960864801650304030a", "SHA3-256").starts_with("the signature is not taken"));
}

TEST_CASE("a signature counts for the algorithm that it names, and for the key's kind alone") {
    const Auth ecdsa = signed_by("P-256"), ed = signed_by("ED25519"), rsa = signed_by("RSA 2048");
    CHECK(verdict("RSA 2048", ecdsa) == "the signature is ECDSA with SHA-256, the peer's key is RSA 2048 [denied]");
    CHECK(verdict("P-256", rsa) == "the signature is RSASSA-PSS with SHA-512, the peer's key is ECDSA P-256 [denied]");
    CHECK(verdict("P-256", ed) == "the signature is Ed25519, the peer's key is ECDSA P-256 [denied]");
    CHECK(verdict("P-256", with_identifier(ecdsa, "300a06082a8648ce3d040303")) ==
          "the signature (ECDSA with SHA-384) is not of the peer's key (ECDSA P-256) over this exchange [denied]");
    CHECK(verdict("RSA 2048", with_identifier(rsa, pkcs1_sha256)).find("is not of the peer's key") !=
          std::string::npos);
    CHECK(verdict("P-256", Auth{AuthMethod::shared_key, ecdsa.data}) ==
          "the peer authenticates himself by shared key, where a signature is wanted [denied]");
    CHECK(verdict("P-256", Auth{AuthMethod::null, {}}) ==
          "the peer authenticates himself by NULL authentication, where a signature is wanted [denied]");
    CHECK(verdict("P-256", Auth{AuthMethod{99}, {}}).ends_with("[denied]"));
    CHECK(verdict(Key{}, ecdsa).starts_with("the peer's key is not taken"));
}

TEST_CASE("PKCS#1 v1.5 of peers is taken with SHA-2, and its padding must be exact (CVE-2026-50722)") {
    for (const auto& [identifier, digest] : {std::pair{pkcs1_sha256, "SHA256"},
                                             {"300d06092a864886f70d01010c0500", "SHA384"},
                                             {"300d06092a864886f70d01010d0500", "SHA512"}})
        CHECK(verdict("RSA 2048", behind(identifier, openssl_signature(key("RSA 2048"), digest, RSA_PKCS1_PADDING))) ==
              "good");
    const Key& rsa = key("RSA 2048");
    const auto made = [&](const Octets& block) { return verdict(rsa, behind(pkcs1_sha256, raw_rsa(rsa, block))); };
    CHECK(made(padded(sha256_info)) == "good");
    CHECK(made(padded("302f300b06096086480165030402010420")) != "good");  // no NULL
    CHECK(made(padded("3081313081"
                      "0d060960864801650304020105000420")) != "good");            // long lengths
    CHECK(made(padded("3033300f06096086480165030402010502abcd0420")) != "good");  // something in the NULL
    CHECK(made(padded(sha256_info, "00000000")) != "good");                       // something behind
    CHECK(made(padded(sha256_info, {}, 8)) != "good");                            // eight FFs, then nothing
    CHECK(made(padded("0420")) != "good");                                        // a hash alone
    CHECK(made(padded("")) != "good");
    CHECK(made(padded("3021300906052b0e03021a05000414")) != "good");  // another hash's info
    Octets typed = padded(sha256_info);
    typed[1] = std::byte{2};
    CHECK(made(typed) != "good");
}

TEST_CASE("a cube root is no signature of an RSA key with exponent 3 (CVE-2018-16152, CVE-2026-50722)") {
    // Bleichenbacher's: few FFs, a right DigestInfo, and rubbish behind, so that the block is near a cube.
    static const Key weak = rsa(3072, 3);
    const Octets block = padded(sha256_info, {}, 8, 384);
    BN_CTX* const room = BN_CTX_new();
    BIGNUM *wanted = BN_bin2bn(openssl::octets(block.data()), 384, nullptr), *low = BN_new(), *high = BN_new(),
           *middle = BN_new(), *cube = BN_new();
    BN_zero(low);
    BN_set_bit(high, 1024);
    while (BN_cmp(low, high) < 0) {  // the smallest number whose cube is not below the block
        BN_add(middle, low, high);
        BN_rshift1(middle, middle);
        BN_sqr(cube, middle, room);
        BN_mul(cube, cube, middle, room);
        if (BN_cmp(cube, wanted) < 0) {
            BN_copy(low, middle);
            BN_add_word(low, 1);
        } else {
            BN_copy(high, middle);
        }
    }
    BN_sqr(cube, low, room);
    BN_mul(cube, cube, low, room);
    Octets reached(384), forged(384);
    BN_bn2binpad(cube, openssl::octets(reached.data()), 384);
    BN_bn2binpad(low, openssl::octets(forged.data()), 384);
    CHECK(std::equal(block.begin(), block.begin() + 62, reached.begin()));  // as far as a lax verifier looks
    CHECK(verdict(weak, behind(pkcs1_sha256, forged)).ends_with("[denied]"));
    CHECK(verdict(weak, behind(pkcs1_sha256, raw_rsa(weak, padded(sha256_info, {}, 0, 384)))) == "good");
    for (BIGNUM* number : {wanted, low, high, middle, cube}) BN_free(number);
    BN_CTX_free(room);
}

TEST_CASE("ECDSA signatures behind an identifier are in DER and no other form") {
    const SignatureHash one[] = {SignatureHash::sha2_256};
    const Auth good = signed_by("P-256", one);
    const Octets signature{good.data.begin() + 13, good.data.end()};
    REQUIRE(signature[0] == std::byte{0x30});
    const auto changed = [&](auto change) {
        Octets der = signature;
        change(der);
        return verdict("P-256", behind("300a06082a8648ce3d040302", der));
    };
    CHECK(changed([](Octets&) {}) == "good");
    CHECK(changed([](Octets& der) { der.insert(der.begin() + 1, std::byte{0x81}); }) != "good");  // a long length
    CHECK(changed([](Octets& der) {  // r with a zero too many
              der.insert(der.begin() + 4, std::byte{0});
              der[1] = std::byte(std::to_integer<int>(der[1]) + 1);
              der[3] = std::byte(std::to_integer<int>(der[3]) + 1);
          }) != "good");
    CHECK(changed([](Octets& der) {  // something behind s, inside
              der.insert(der.end(), {std::byte{5}, std::byte{0}});
              der[1] = std::byte(std::to_integer<int>(der[1]) + 2);
          }) != "good");
    CHECK(verdict("P-256", behind("300a06082a8648ce3d040302", signed_by("P-256", {}).data)) != "good");  // r|s
}

TEST_CASE("RSA keys below 2048 bits sign nothing and verify nothing (RFC 8247 3.1.1, CVE-2018-17540)") {
    const Octets signature = openssl_signature(key("RSA 1024"), "SHA256", RSA_PKCS1_PADDING);
    CHECK(verdict("RSA 1024", behind(pkcs1_sha256, signature)) ==
          "the peer's key is not taken: an RSA 1024 key is too short: 2048 bits and more are taken [denied]");
    CHECK(verdict("RSA 512", Auth{AuthMethod::rsa_signature, Octets(64)}, true)
              .starts_with("the peer's key is not taken"));
}
