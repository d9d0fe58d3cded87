// Over OpenSSL's interface for KEMs, which has ML-KEM since 3.5. A peer's key is checked as it is taken (FIPS 203 7.2),
// a ciphertext by its length (7.3): what else is wrong with it shows in AUTH.
#include "ike/crypto/key_encapsulation.h"

#include "ike/crypto/openssl.h"

namespace torii::ike {
namespace {

constexpr std::size_t secret_octets = 32;  // FIPS 203 table 3
constexpr const char* seed_parameter = "seed";

class Encapsulation final : public KeyExchange {
public:
    Encapsulation(CryptoContext& context, KeMethod method, PkeyPtr key, Octets public_value)
        : context_(context), key_(std::move(key)) {
        method_ = method;
        public_value_ = std::move(public_value);
    }
    Result<SecretBytes> finish(OctetView ciphertext) override {
        const std::size_t wanted = find(method_)->answer_octets;
        if (ciphertext.size() != wanted) return refused_length(method_, ciphertext.size(), wanted);
        const PkeyContext opener{EVP_PKEY_CTX_new_from_pkey(context_.library(), key_.get(), nullptr)};
        SecretBytes secret{secret_octets};
        std::size_t size = secret.size();
        if (!opener || EVP_PKEY_decapsulate_init(opener.get(), nullptr) != 1 ||
            EVP_PKEY_decapsulate(opener.get(), octets(secret.octets().data()), &size, octets(ciphertext.data()),
                                 ciphertext.size()) != 1 ||
            size != secret.size())
            return refused(method_, "OpenSSL cannot open it");
        return secret;
    }

private:
    CryptoContext& context_;
    PkeyPtr key_;
};

Result<std::unique_ptr<KeyExchange>> with_key(CryptoContext& context, KeMethod method, PkeyPtr key) {
    Octets value(find(method)->public_octets);
    std::size_t size = value.size();
    if (!key || EVP_PKEY_get_raw_public_key(key.get(), octets(value.data()), &size) != 1 || size != value.size())
        return openssl_failed("make a key pair of " + name_of(method));
    return std::make_unique<Encapsulation>(context, method, std::move(key), std::move(value));
}

}  // namespace

const char* encapsulation_name(KeMethod method) {
    switch (method) {
        case KeMethod::mlkem512: return "ML-KEM-512";
        case KeMethod::mlkem768: return "ML-KEM-768";
        case KeMethod::mlkem1024: return "ML-KEM-1024";
        default: return nullptr;
    }
}

Result<std::unique_ptr<KeyExchange>> initiate_encapsulation(CryptoContext& context, KeMethod method) {
    const PkeyContext maker{EVP_PKEY_CTX_new_from_name(context.library(), encapsulation_name(method), nullptr)};
    EVP_PKEY* made = nullptr;
    if (maker && EVP_PKEY_keygen_init(maker.get()) == 1) EVP_PKEY_generate(maker.get(), &made);
    return with_key(context, method, PkeyPtr{made});
}

Result<std::unique_ptr<KeyExchange>> encapsulation_of_seed(CryptoContext& context, KeMethod method, OctetView seed) {
    const PkeyContext maker{EVP_PKEY_CTX_new_from_name(context.library(), encapsulation_name(method), nullptr)};
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(seed_parameter, const_cast<std::byte*>(seed.data()), seed.size()),
        OSSL_PARAM_construct_end()};
    EVP_PKEY* made = nullptr;
    if (maker && EVP_PKEY_fromdata_init(maker.get()) == 1)
        EVP_PKEY_fromdata(maker.get(), &made, EVP_PKEY_KEYPAIR, params);
    return with_key(context, method, PkeyPtr{made});
}

Result<KeyExchange::Answer> respond_encapsulation(CryptoContext& context, KeMethod method, OctetView peers_key) {
    const KeInfo& info = *find(method);
    if (peers_key.size() != info.public_octets) return refused_length(method, peers_key.size(), info.public_octets);
    const PkeyPtr key{EVP_PKEY_new_raw_public_key_ex(context.library(), encapsulation_name(method), nullptr,
                                                     octets(peers_key.data()), peers_key.size())};
    if (!key) return refused(method, "it is no key (FIPS 203 7.2)");
    const PkeyContext sealer{EVP_PKEY_CTX_new_from_pkey(context.library(), key.get(), nullptr)};
    KeyExchange::Answer out{Octets(info.answer_octets), SecretBytes{secret_octets}};
    std::size_t size = out.value.size(), secret_size = out.secret.size();
    if (!sealer || EVP_PKEY_encapsulate_init(sealer.get(), nullptr) != 1 ||
        EVP_PKEY_encapsulate(sealer.get(), octets(out.value.data()), &size, octets(out.secret.octets().data()),
                             &secret_size) != 1 ||
        size != out.value.size() || secret_size != out.secret.size())
        return openssl_failed("encapsulate by " + name_of(method));
    return out;
}

}  // namespace torii::ike
