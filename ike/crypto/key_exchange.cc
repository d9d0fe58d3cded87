#include "ike/crypto/key_exchange.h"

#include <openssl/crypto.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>

#include "ike/crypto/key_encapsulation.h"
#include "ike/crypto/openssl.h"

namespace torii::ike {
namespace {

using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;

/// How OpenSSL names a method of Diffie and Hellman's.
struct Spelling {
    KeMethod method;
    const char* key_type;
    const char* group;  // null: OpenSSL has the type alone, or the group goes by its numbers
};
constexpr std::array spellings{
    Spelling{KeMethod::modp1024, "DH", nullptr},     Spelling{KeMethod::modp1536, "DH", "modp_1536"},
    Spelling{KeMethod::modp2048, "DH", "modp_2048"}, Spelling{KeMethod::modp3072, "DH", "modp_3072"},
    Spelling{KeMethod::modp4096, "DH", "modp_4096"}, Spelling{KeMethod::ecp256, "EC", "P-256"},
    Spelling{KeMethod::ecp384, "EC", "P-384"},       Spelling{KeMethod::ecp521, "EC", "P-521"},
    Spelling{KeMethod::x25519, "X25519", nullptr}};

const Spelling* spelling_of(KeMethod method) {
    const auto* const found = std::ranges::find(spellings, method, &Spelling::method);
    return found == spellings.end() ? nullptr : found;
}

/// The domain parameters of a group, to which keys may be added. Null: OpenSSL failed.
ParamBuilder domain(const Spelling& spelling, std::vector<NumberPtr>& kept) {
    ParamBuilder builder{OSSL_PARAM_BLD_new()};
    if (!builder) return nullptr;
    if (spelling.group != nullptr)
        return OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, spelling.group, 0) == 1
                   ? std::move(builder)
                   : nullptr;
    // OpenSSL has a name for all but the Second Oakley Group (RFC 2409 6.2). Its order stays untold: with it OpenSSL
    // would refuse to make keys of less than 112 bits of strength.
    const auto keep = [&](BIGNUM* made) { return kept.emplace_back(made).get(); };
    BIGNUM *const p = keep(BN_get_rfc2409_prime_1024(nullptr)), *const g = keep(BN_new());
    const bool well = p != nullptr && g != nullptr && BN_set_word(g, 2) == 1 &&
                      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_FFC_P, p) == 1 &&
                      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_FFC_G, g) == 1;
    return well ? std::move(builder) : nullptr;
}

PkeyPtr from_params(CryptoContext& context, const Spelling& spelling, OSSL_PARAM_BLD* builder, int selection) {
    const Params params{OSSL_PARAM_BLD_to_param(builder)};
    const PkeyContext maker{EVP_PKEY_CTX_new_from_name(context.library(), spelling.key_type, nullptr)};
    EVP_PKEY* made = nullptr;
    if (!params || !maker || EVP_PKEY_fromdata_init(maker.get()) != 1 ||
        EVP_PKEY_fromdata(maker.get(), &made, selection, params.get()) != 1)
        return nullptr;
    return PkeyPtr{made};
}

NumberPtr number(OctetView value) {
    return NumberPtr{BN_bin2bn(octets(value.data()), static_cast<int>(value.size()), nullptr)};
}

NumberPtr number_of(const EVP_PKEY* key, const char* name) {
    BIGNUM* found = nullptr;
    EVP_PKEY_get_bn_param(key, name, &found);
    return NumberPtr{found};
}

/// Ready to make key pairs. Null: OpenSSL failed.
EVP_PKEY_CTX* make_maker(CryptoContext& context, const Spelling& spelling) {
    PkeyContext maker;
    if (spelling.key_type == std::string_view{"X25519"}) {
        maker.reset(EVP_PKEY_CTX_new_from_name(context.library(), "X25519", nullptr));
    } else {
        std::vector<NumberPtr> kept;
        const ParamBuilder builder = domain(spelling, kept);
        const PkeyPtr group =
            builder ? from_params(context, spelling, builder.get(), EVP_PKEY_KEY_PARAMETERS) : nullptr;
        if (group) maker.reset(EVP_PKEY_CTX_new_from_pkey(context.library(), group.get(), nullptr));
    }
    return maker && EVP_PKEY_keygen_init(maker.get()) == 1 ? maker.release() : nullptr;
}

PkeyPtr generate(CryptoContext& context, const Spelling& spelling) {
    EVP_PKEY_CTX* const maker = context.key_maker(spelling.group != nullptr ? spelling.group : spelling.key_type,
                                                  [&] { return make_maker(context, spelling); });
    EVP_PKEY* made = nullptr;
    if (maker == nullptr || EVP_PKEY_generate(maker, &made) != 1) return nullptr;
    return PkeyPtr{made};
}

bool all_zero(OctetView secret) {  // in time that does not depend on where the first other octet is
    std::byte any{};
    for (const std::byte octet : secret) any |= octet;
    return any == std::byte{};
}

class EvpKeyExchange : public KeyExchange {
public:
    EvpKeyExchange(CryptoContext& context, KeMethod method, PkeyPtr key, Octets public_value)
        : context_(context), key_(std::move(key)) {
        method_ = method;
        public_value_ = std::move(public_value);
    }
    Result<SecretBytes> finish(OctetView peers_value) override {
        const std::size_t wanted = public_value_.size();
        if (peers_value.size() != wanted) return refused_length(method_, peers_value.size(), wanted);
        TORII_CHECK(check_range(peers_value));
        const PkeyPtr peer = peers_key(peers_value);
        if (!peer) return refused(method_, "it is no point of the curve");
        const PkeyContext context{EVP_PKEY_CTX_new_from_pkey(context_.library(), key_.get(), nullptr)};
        if (!context || EVP_PKEY_derive_init(context.get()) != 1 || !prepare(context.get()))
            return openssl_failed("agree by " + name_of(method_));
        SecretBytes secret;
        std::size_t size = 0;
        // It is valid: check_range() has seen to DH's; that a point is on its curve is seen to where it is decoded, and
        // of a curve of prime order that is all (RFC 6989 2.3); RFC 7748 6.1 takes any octets. What OpenSSL would
        // check once more, that its order is the group's, is as dear as the agreement.
        if (EVP_PKEY_derive_set_peer_ex(context.get(), peer.get(), 0) != 1 ||
            EVP_PKEY_derive(context.get(), nullptr, &size) != 1)
            return refused(method_, "OpenSSL finds it invalid");
        secret = SecretBytes{size};
        if (EVP_PKEY_derive(context.get(), octets(secret.octets().data()), &size) != 1 || size != secret.size() ||
            all_zero(secret.octets()))
            return refused(method_, "it makes no secret");  // RFC 8031 2.1, RFC 7748 6.1
        return secret;
    }

protected:
    virtual Result<void> check_range(OctetView) const { return {}; }
    virtual PkeyPtr peers_key(OctetView value) const = 0;
    virtual bool prepare(EVP_PKEY_CTX*) const { return true; }
    CryptoContext& context_;
    PkeyPtr key_;
};

/// RFC 7296 3.4: values and secrets are as long as the prime, with zeros in front.
class ModpKeyExchange final : public EvpKeyExchange {
public:
    using EvpKeyExchange::EvpKeyExchange;

private:
    /// RFC 6989 2.1. The primes are safe ones, (p - 1) / 2 is a prime too: the only small subgroup has 1 and p - 1.
    Result<void> check_range(OctetView value) const override {
        const NumberPtr y = number(value), limit = number_of(key_.get(), OSSL_PKEY_PARAM_FFC_P);
        if (!y || !limit || BN_sub_word(limit.get(), 1) != 1) return openssl_failed("read a number");
        if (BN_is_zero(y.get()) || BN_is_one(y.get()) || BN_cmp(y.get(), limit.get()) >= 0)
            return refused(method_, "it is outside of 2 to p - 2 (RFC 6989 2.1)");
        return {};
    }
    PkeyPtr peers_key(OctetView value) const override {
        PkeyPtr peer{EVP_PKEY_new()};
        if (!peer || EVP_PKEY_copy_parameters(peer.get(), key_.get()) != 1 ||
            EVP_PKEY_set1_encoded_public_key(peer.get(), octets(value.data()), value.size()) != 1)
            return nullptr;
        return peer;
    }
    bool prepare(EVP_PKEY_CTX* context) const override {
        unsigned int pad = 1;
        const OSSL_PARAM params[] = {OSSL_PARAM_construct_uint(OSSL_EXCHANGE_PARAM_PAD, &pad),
                                     OSSL_PARAM_construct_end()};
        return EVP_PKEY_CTX_set_params(context, params) == 1;
    }
};

/// RFC 5903 7: x and y one behind the other; the secret is x alone.
class EcpKeyExchange final : public EvpKeyExchange {
public:
    using EvpKeyExchange::EvpKeyExchange;
    static constexpr std::byte uncompressed{4};  // in front of x and y where OpenSSL has them (SEC 1, 2.3.3)

private:
    PkeyPtr peers_key(OctetView value) const override {
        Octets point{uncompressed};
        point.insert(point.end(), value.begin(), value.end());
        PkeyPtr peer{EVP_PKEY_new()};
        if (!peer || EVP_PKEY_copy_parameters(peer.get(), key_.get()) != 1 ||
            EVP_PKEY_set1_encoded_public_key(peer.get(), octets(point.data()), point.size()) != 1)
            return nullptr;
        return peer;
    }
};

/// RFC 8031 2 and 3.1: RFC 7748's octets as they are.
class X25519KeyExchange final : public EvpKeyExchange {
public:
    using EvpKeyExchange::EvpKeyExchange;

private:
    PkeyPtr peers_key(OctetView value) const override {
        return PkeyPtr{
            EVP_PKEY_new_raw_public_key_ex(context_.library(), "X25519", nullptr, octets(value.data()), value.size())};
    }
};

/// As it goes into the KE payload; empty: OpenSSL failed.
Octets public_value_of(const Spelling& spelling, const EVP_PKEY* key, std::size_t size) {
    Octets out;
    if (spelling.key_type == std::string_view{"DH"}) {
        const NumberPtr y = number_of(key, OSSL_PKEY_PARAM_PUB_KEY);
        out.resize(size);
        if (!y || BN_bn2binpad(y.get(), octets(out.data()), static_cast<int>(size)) < 0) out.clear();
        return out;
    }
    const bool curve = spelling.key_type == std::string_view{"EC"};
    out.resize(size + (curve ? 1 : 0));
    std::size_t written = 0;
    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, octets(out.data()), out.size(),
                                        &written) != 1 ||
        written != out.size() || (curve && out.front() != EcpKeyExchange::uncompressed))
        return {};
    if (curve) out.erase(out.begin());
    return out;
}

Result<std::unique_ptr<KeyExchange>> with_key(CryptoContext& context, const Spelling& spelling, PkeyPtr key) {
    Octets value = key ? public_value_of(spelling, key.get(), find(spelling.method)->public_octets) : Octets{};
    if (value.empty()) return openssl_failed("make a key pair of " + name_of(spelling.method));
    const std::string_view type = spelling.key_type;
    if (type == "DH")
        return std::make_unique<ModpKeyExchange>(context, spelling.method, std::move(key), std::move(value));
    if (type == "EC")
        return std::make_unique<EcpKeyExchange>(context, spelling.method, std::move(key), std::move(value));
    return std::make_unique<X25519KeyExchange>(context, spelling.method, std::move(key), std::move(value));
}

std::unexpected<Error> not_ours(KeMethod method) {
    return fail(Errc::unsupported, "we have no key exchange by " + name_of(method));
}

}  // namespace

std::unexpected<Error> refused(KeMethod method, const std::string& why) {
    ERR_clear_error();
    return fail(Errc::bad_value, "the peer's " + name_of(method) + " value is refused: " + why);
}

std::unexpected<Error> refused_length(KeMethod method, std::size_t is, std::size_t wanted) {
    return refused(method, std::to_string(is) + " octets, not " + std::to_string(wanted));
}

std::optional<std::string> KeyExchange::lacking(KeMethod method) {
    const char* const name = encapsulation_name(method);
    if (name == nullptr) return {};
    const std::unique_ptr<EVP_KEM, FreeWith<EVP_KEM_free>> there{EVP_KEM_fetch(nullptr, name, nullptr)};
    ERR_clear_error();
    if (there) return {};
    return std::string{name} + " needs OpenSSL 3.5 or later, and this is " + OpenSSL_version(OPENSSL_VERSION);
}

Result<std::unique_ptr<KeyExchange>> KeyExchange::initiate(CryptoContext& context, KeMethod method) {
    if (const auto lack = lacking(method)) return fail(Errc::unsupported, *lack);
    if (encapsulation_name(method) != nullptr) return initiate_encapsulation(context, method);
    const Spelling* const spelling = spelling_of(method);
    if (spelling == nullptr || find(method) == nullptr) return not_ours(method);
    return with_key(context, *spelling, generate(context, *spelling));
}

Result<KeyExchange::Answer> KeyExchange::respond(CryptoContext& context, KeMethod method, OctetView peers_value) {
    if (const auto lack = lacking(method)) return fail(Errc::unsupported, *lack);
    if (encapsulation_name(method) != nullptr) return respond_encapsulation(context, method, peers_value);
    TORII_TRY(const auto own, initiate(context, method));
    TORII_TRY(auto secret, own->finish(peers_value));
    return Answer{own->public_value(), std::move(secret)};
}

Result<std::unique_ptr<KeyExchange>> KeyExchange::from_pair(CryptoContext& context, KeMethod method,
                                                            OctetView private_value, OctetView public_value) {
    if (const auto lack = lacking(method)) return fail(Errc::unsupported, *lack);
    if (encapsulation_name(method) != nullptr) return encapsulation_of_seed(context, method, private_value);
    const Spelling* const spelling = spelling_of(method);
    if (spelling == nullptr || find(method) == nullptr) return not_ours(method);
    if (method == KeMethod::x25519)
        return with_key(context, *spelling,
                        PkeyPtr{EVP_PKEY_new_raw_private_key_ex(context.library(), "X25519", nullptr,
                                                                octets(private_value.data()), private_value.size())});
    std::vector<NumberPtr> kept;
    const ParamBuilder builder = domain(*spelling, kept);
    const NumberPtr secret = number(private_value), value = number(public_value);
    Octets point{EcpKeyExchange::uncompressed};
    point.insert(point.end(), public_value.begin(), public_value.end());
    const bool curve = spelling->key_type == std::string_view{"EC"};
    const bool well =
        builder && secret && value &&
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, secret.get()) == 1 &&
        (curve ? OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size())
               : OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, value.get())) == 1;
    return with_key(context, *spelling,
                    well ? from_params(context, *spelling, builder.get(), EVP_PKEY_KEYPAIR) : nullptr);
}

}  // namespace torii::ike
