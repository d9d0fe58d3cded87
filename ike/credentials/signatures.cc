#include <openssl/rsa.h>

#include <algorithm>

#include "base/reader.h"
#include "ike/credentials/algorithm_identifier.h"
#include "ike/credentials/certificates.h"
#include "ike/credentials/keys.h"

namespace torii::ike {
namespace {

using namespace openssl;

/// ECDSA's own methods of RFC 4754: each curve with one hash, and a signature that is r and s alone.
struct EcdsaMethod {
    AuthMethod method;
    KeyKind kind;
    SignatureHash hash;
    std::size_t half_octets;
};
constexpr EcdsaMethod ecdsa_methods[] = {
    {AuthMethod::ecdsa_sha256_p256, KeyKind::ecdsa_p256, SignatureHash::sha2_256, 32},
    {AuthMethod::ecdsa_sha384_p384, KeyKind::ecdsa_p384, SignatureHash::sha2_384, 48},
    {AuthMethod::ecdsa_sha512_p521, KeyKind::ecdsa_p521, SignatureHash::sha2_512, 66},
};

Scheme scheme_of(KeyKind kind) {
    return kind == KeyKind::rsa ? Scheme::rsa_pss : kind == KeyKind::ed25519 ? Scheme::ed25519 : Scheme::ecdsa;
}
bool is_for(Scheme scheme, KeyKind kind) {
    return scheme == scheme_of(kind) || (scheme == Scheme::rsa_pkcs1 && kind == KeyKind::rsa);
}

/// The hash to sign with, of those that the peer takes: of RSA the strongest; of ECDSA that of the curve, else the
/// strongest below it.
std::optional<SignatureHash> hash_for(KeyKind kind, std::span<const SignatureHash> hashes) {
    const auto has = [&](SignatureHash hash) { return std::ranges::find(hashes, hash) != hashes.end(); };
    if (kind == KeyKind::ed25519)
        return has(SignatureHash::identity) ? std::optional{SignatureHash::identity} : std::nullopt;
    SignatureHash strongest = SignatureHash::sha2_512;
    for (const EcdsaMethod& method : ecdsa_methods)
        if (method.kind == kind) strongest = method.hash;
    for (const SignatureHash hash : {SignatureHash::sha2_512, SignatureHash::sha2_384, SignatureHash::sha2_256})
        if (hash <= strongest && has(hash)) return hash;
    return std::nullopt;
}

bool set_padding(EVP_PKEY_CTX* how, SignatureAlgorithm algorithm) {
    if (algorithm.scheme == Scheme::rsa_pkcs1) return EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PADDING) == 1;
    if (algorithm.scheme != Scheme::rsa_pss) return true;
    return EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md_name(how, digest_of(algorithm.hash), nullptr) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(how, static_cast<int>(digest_octets(algorithm.hash))) == 1;
}

Result<Octets> raw_sign(CryptoContext& context, EVP_PKEY* key, SignatureAlgorithm algorithm, OctetView signed_octets) {
    const DigestContext digest{EVP_MD_CTX_new()};
    EVP_PKEY_CTX* how = nullptr;
    std::size_t count = 0;
    Octets out;
    if (digest &&
        EVP_DigestSignInit_ex(digest.get(), &how, digest_of(algorithm.hash), context.library(), nullptr, key,
                              nullptr) == 1 &&
        set_padding(how, algorithm) &&
        EVP_DigestSign(digest.get(), nullptr, &count, octets(signed_octets.data()), signed_octets.size()) == 1) {
        out.resize(count);
        if (EVP_DigestSign(digest.get(), octets(out.data()), &count, octets(signed_octets.data()),
                           signed_octets.size()) == 1) {
            out.resize(count);
            return out;
        }
    }
    return fail(Errc::internal,
                "OpenSSL cannot sign by " + text_of(algorithm) + " with this key (" + text_of(key) + ")");
}

/// Anything but 1 is a refusal: OpenSSL tells a wrong signature (0) from one that it cannot read (below 0).
bool raw_verify(CryptoContext& context, EVP_PKEY* key, SignatureAlgorithm algorithm, OctetView signature,
                OctetView signed_octets) {
    const DigestContext digest{EVP_MD_CTX_new()};
    EVP_PKEY_CTX* how = nullptr;
    return digest &&
           EVP_DigestVerifyInit_ex(digest.get(), &how, digest_of(algorithm.hash), context.library(), nullptr, key,
                                   nullptr) == 1 &&
           set_padding(how, algorithm) &&
           EVP_DigestVerify(digest.get(), octets(signature.data()), signature.size(), octets(signed_octets.data()),
                            signed_octets.size()) == 1;
}

/// ECDSA-Sig-Value to r|s, each as long as the curve's order (RFC 4754 7).
Result<Octets> halves_of(OctetView der, std::size_t half_octets) {
    const unsigned char* at = octets(der.data());
    const EcdsaSignaturePtr signature{d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()))};
    Octets out(2 * half_octets);
    const int room = static_cast<int>(half_octets);
    if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), octets(out.data()), room) != room ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), octets(out.data()) + half_octets, room) != room)
        return fail(Errc::internal, "OpenSSL made a signature that does not fit its curve");
    return out;
}
Octets der_of_halves(OctetView halves) {
    const int half = static_cast<int>(halves.size() / 2);
    const EcdsaSignaturePtr signature{ECDSA_SIG_new()};
    BIGNUM* const r = BN_bin2bn(octets(halves.data()), half, nullptr);
    BIGNUM* const s = BN_bin2bn(octets(halves.data()) + half, half, nullptr);
    if (!signature || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return {};
    }
    return der_of(signature.get(), i2d_ECDSA_SIG);
}

/// RFC 7427 3: the identifier's length in one octet, the identifier, the signature.
Result<Auth> sign_by_identifier(CryptoContext& context, EVP_PKEY* key, SignatureAlgorithm algorithm, OctetView octets) {
    const Octets identifier = algorithm_identifier(algorithm);
    TORII_TRY(const Octets signature, raw_sign(context, key, algorithm, octets));
    Auth auth{AuthMethod::digital_signature, {}};
    Writer out{auth.data};
    out.u8(static_cast<std::uint8_t>(identifier.size())).put(identifier).put(signature);
    return auth;
}

Result<Auth> sign_by_own_method(CryptoContext& context, EVP_PKEY* key, KeyKind kind, OctetView octets, bool sha1) {
    if (kind == KeyKind::rsa && sha1) {
        TORII_TRY(Octets signature, raw_sign(context, key, {Scheme::rsa_pkcs1, SignatureHash::sha1}, octets));
        return Auth{AuthMethod::rsa_signature, std::move(signature)};
    }
    for (const EcdsaMethod& method : ecdsa_methods) {
        if (method.kind != kind) continue;
        TORII_TRY(const Octets der, raw_sign(context, key, {Scheme::ecdsa, method.hash}, octets));
        TORII_TRY(Octets halves, halves_of(der, method.half_octets));
        return Auth{method.method, std::move(halves)};
    }
    return fail(Errc::unsupported, "the peer knows no digital signatures (RFC 7427), and without them our key (" +
                                       text_of(key) + ") cannot sign" +
                                       (kind == KeyKind::rsa ? ": RSA would need SHA-1, which is not allowed" : ""));
}

struct Judged {
    CryptoContext& context;
    EVP_PKEY* key;
    KeyKind kind;
    OctetView octets;
};

Result<void> verify_one(const Judged& judged, SignatureAlgorithm algorithm, OctetView signature) {
    if (!is_for(algorithm.scheme, judged.kind))
        return fail(Errc::denied,
                    "the signature is " + text_of(algorithm) + ", the peer's key is " + text_of(judged.key));
    if (!raw_verify(judged.context, judged.key, algorithm, signature, judged.octets))
        return fail(Errc::denied, "the signature (" + text_of(algorithm) + ") is not of the peer's key (" +
                                      text_of(judged.key) + ") over this exchange");
    return {};
}

Result<void> verify_by_identifier(const Judged& judged, OctetView data) {
    Reader in{data};
    const auto count = in.u8();
    const auto identifier = count ? in.take(*count) : fail(Errc::truncated);
    if (!identifier) return fail(Errc::denied, "the signature ends within its AlgorithmIdentifier");
    const auto algorithm = find_algorithm(*identifier);
    if (!algorithm) return fail(Errc::denied, "the signature is not taken: " + why_refused(*identifier));
    return verify_one(judged, *algorithm, in.rest());
}

Result<void> verify_by_curve(const Judged& judged, const EcdsaMethod& method, OctetView halves) {
    if (judged.kind != method.kind)
        return fail(Errc::denied,
                    "the signature is by " + name_of(method.method) + ", the peer's key is " + text_of(judged.key));
    if (halves.size() != 2 * method.half_octets)
        return fail(Errc::denied, "the signature has " + std::to_string(halves.size()) +
                                      " octets, where its curve has " + std::to_string(2 * method.half_octets));
    return verify_one(judged, {Scheme::ecdsa, method.hash}, der_of_halves(halves));
}

}  // namespace

Result<Auth> sign(CryptoContext& context, const PrivateKey& key, OctetView octets,
                  std::span<const SignatureHash> hashes, bool sha1) {
    const ErrorsForgotten forgotten;
    TORII_TRY(const KeyKind kind, check_key(key.get()));
    if (hashes.empty()) return sign_by_own_method(context, key.get(), kind, octets, sha1);
    const auto hash = hash_for(kind, hashes);
    if (!hash) return fail(Errc::unsupported, "the peer takes no hash that our key (" + key.text() + ") signs with");
    return sign_by_identifier(context, key.get(), {scheme_of(kind), *hash}, octets);
}

Result<void> verify(CryptoContext& context, const PublicKey& key, const Auth& auth, OctetView octets, bool sha1) {
    const ErrorsForgotten forgotten;
    const auto kind = check_key(key.get());
    if (!kind) return fail(Errc::denied, "the peer's key is not taken: " + kind.error().message);
    const Judged judged{context, key.get(), *kind, octets};
    if (auth.method == AuthMethod::digital_signature) return verify_by_identifier(judged, auth.data);
    for (const EcdsaMethod& method : ecdsa_methods)
        if (method.method == auth.method) return verify_by_curve(judged, method, auth.data);
    if (auth.method != AuthMethod::rsa_signature)
        return fail(Errc::denied,
                    "the peer authenticates himself by " + name_of(auth.method) + ", where a signature is wanted");
    if (!sha1)
        return fail(Errc::denied, "the peer signs by way of SHA-1 (" + name_of(auth.method) +
                                      ", RFC 7296 3.8), which is not allowed");
    return verify_one(judged, {Scheme::rsa_pkcs1, SignatureHash::sha1}, auth.data);
}

}  // namespace torii::ike
