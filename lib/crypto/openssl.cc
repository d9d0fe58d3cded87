#include "crypto/openssl.h"

#include "crypto/kernel.h"
#include "crypto/openssl_context.h"
#include "net/headers.h"

namespace torii {
namespace {

const char* by_key_length(const Suite& suite, const char* bits128, const char* bits192, const char* bits256) {
    return suite.cipher_key_bits == 128 ? bits128 : suite.cipher_key_bits == 192 ? bits192 : bits256;
}

const char* evp_name(const Suite& suite) {
    switch (suite.cipher) {
        case CipherId::des_cbc:
        case CipherId::des_deriv: return "DES-CBC";
        case CipherId::des3_cbc: return "DES-EDE3-CBC";
        case CipherId::blowfish_cbc: return "BF-CBC";
        case CipherId::cast128_cbc: return "CAST5-CBC";
        case CipherId::aes_cbc: return by_key_length(suite, "AES-128-CBC", "AES-192-CBC", "AES-256-CBC");
        case CipherId::camellia_cbc:
            return by_key_length(suite, "CAMELLIA-128-CBC", "CAMELLIA-192-CBC", "CAMELLIA-256-CBC");
        case CipherId::aes_ctr: return by_key_length(suite, "AES-128-CTR", "AES-192-CTR", "AES-256-CTR");
        default: return nullptr;
    }
}

/// The digest of an HMAC or a keyed hash.
const char* evp_digest(AuthId auth) {
    switch (auth) {
        case AuthId::hmac_md5:
        case AuthId::hmac_md5_128:
        case AuthId::keyed_md5:
        case AuthId::keyed_md5_128: return "MD5";
        case AuthId::hmac_sha1:
        case AuthId::hmac_sha1_128:
        case AuthId::keyed_sha1:
        case AuthId::keyed_sha1_128: return "SHA1";
        case AuthId::hmac_sha256:
        case AuthId::hmac_sha256_96: return "SHA256";
        case AuthId::hmac_sha384:
        case AuthId::hmac_sha384_96: return "SHA384";
        case AuthId::hmac_sha512:
        case AuthId::hmac_sha512_96: return "SHA512";
        case AuthId::hmac_ripemd160: return "RIPEMD160";
        case AuthId::null:
        case AuthId::aes_xcbc_mac:
        case AuthId::aes_cmac: break;
    }
    return nullptr;
}

bool is_keyed_sha1(AuthId auth) { return auth == AuthId::keyed_sha1 || auth == AuthId::keyed_sha1_128; }
bool is_keyed_hash(AuthId auth) {
    return is_keyed_sha1(auth) || auth == AuthId::keyed_md5 || auth == AuthId::keyed_md5_128;
}

using Tag = std::array<std::byte, EVP_MAX_MD_SIZE>;

class EvpCipherPart final : public CipherPart {
public:
    EvpCipherPart(const Suite& suite, CipherPtr cipher) : shape_(suite), cipher_(std::move(cipher)) {}
    Result<void> expand(std::span<const std::byte> key, std::byte* block) const override {
        PairKeyBlock& into = PairKeyBlock::in(block);
        const std::size_t salt_octets = info(shape_.suite.cipher).salt_octets;
        std::ranges::copy(key.last(salt_octets), into.salt.begin());
        return expand_pair(cipher_.get(), key.first(key.size() - salt_octets), into.encryptor, into.decryptor);
    }
    void release(std::byte* block) const override {
        release_pair(PairKeyBlock::in(block).encryptor, PairKeyBlock::in(block).decryptor);
    }
    void encrypt(Workbench&, std::span<CryptoJob* const> jobs) const override {
        for (const CryptoJob* job : jobs)
            if (!run(PairKeyBlock::in(job->key).encryptor, *job)) blot(shape_, *job);
    }
    void decrypt(Workbench&, std::span<CryptoJob* const> jobs) const override {
        for (CryptoJob* job : jobs) job->authentic &= run(PairKeyBlock::in(job->key).decryptor, *job);
    }

private:
    bool run(void* held, const CryptoJob& job) const {
        auto* const context = static_cast<EVP_CIPHER_CTX*>(held);
        std::array<std::byte, 16> made;
        const std::byte* const iv = initial_vector(job, made);
        auto* const text = octets(job.head + shape_.text_at());
        int written = 0;
        return EVP_CipherInit_ex2(context, nullptr, nullptr, octets(iv), -1, nullptr) == 1 &&
               EVP_CipherUpdate(context, text, &written, text, length(job.text_octets)) == 1 &&
               written == length(job.text_octets);
    }
    /// The IV on the wire, or what takes its place, in `made`.
    const std::byte* initial_vector(const CryptoJob& job, std::array<std::byte, 16>& made) const {
        if (shape_.suite.cipher == CipherId::aes_ctr) {  // nonce and IV, then a block counter from 1 (RFC 3686 4)
            put_nonce(PairKeyBlock::in(job.key).salt, job, made.data());
            const Big32 first_block = 1;
            std::memcpy(made.data() + 12, &first_block, 4);
            return made.data();
        }
        if (shape_.suite.cipher == CipherId::des_deriv) {  // the sequence number and its complement
            const std::byte* const sequence = job.head + 4;
            for (std::size_t i = 0; i < 4; ++i) made[i] = sequence[i], made[4 + i] = ~sequence[i];
            return made.data();
        }
        return job.head + esp_header_octets;
    }
    SuiteShape shape_;
    CipherPtr cipher_;
};

/// An authenticator that OpenSSL computes, a packet at a time.
class EvpAuthPart : public AuthPart {
public:
    void stamp(Workbench&, std::span<CryptoJob* const> jobs) const override {
        for (const CryptoJob* job : jobs) {
            Tag tag{};
            compute(*job, tag);
            std::memcpy(job->icv, tag.data(), shape_.icv_octets);
        }
    }
    void verify(Workbench&, std::span<CryptoJob* const> jobs) const override {
        for (CryptoJob* job : jobs) {
            Tag tag{};
            job->authentic = compute(*job, tag) && same_icv(job->icv, tag.data(), shape_.icv_octets);
        }
    }

protected:
    explicit EvpAuthPart(const Suite& suite) : shape_(suite) {}
    const SuiteShape shape_;

private:
    /// The whole tag over what the authenticator covers of `job`; false when OpenSSL refused.
    virtual bool compute(const CryptoJob& job, Tag& tag) const = 0;
};

class EvpMacPart final : public EvpAuthPart {
public:
    EvpMacPart(const Suite& suite, MacPtr mac) : EvpAuthPart(suite), mac_(std::move(mac)) {}
    Result<void> expand(std::span<const std::byte> key, std::byte* block) const override {
        EVP_MAC_CTX* const context = EVP_MAC_CTX_new(mac_.get());
        PairKeyBlock::in(block).mac = context;
        const bool is_cmac = shape_.suite.auth == AuthId::aes_cmac;
        std::string inside = is_cmac ? "AES-128-CBC" : evp_digest(shape_.suite.auth);
        const OSSL_PARAM settings[]{
            OSSL_PARAM_construct_utf8_string(is_cmac ? OSSL_MAC_PARAM_CIPHER : OSSL_MAC_PARAM_DIGEST, inside.data(), 0),
            OSSL_PARAM_construct_end()};
        if (context == nullptr || EVP_MAC_init(context, octets(key.data()), key.size(), settings) != 1) {
            release(block);
            ERR_clear_error();
            return fail(Errc::internal, "OpenSSL refused the key");
        }
        return {};
    }
    void release(std::byte* block) const override {
        EVP_MAC_CTX_free(static_cast<EVP_MAC_CTX*>(std::exchange(PairKeyBlock::in(block).mac, nullptr)));
    }

private:
    bool compute(const CryptoJob& job, Tag& tag) const override {
        auto* const context = static_cast<EVP_MAC_CTX*>(PairKeyBlock::in(job.key).mac);
        const Big32 high = job.sequence_high;
        std::size_t written = 0;
        return EVP_MAC_init(context, nullptr, 0, nullptr) == 1 &&
               EVP_MAC_update(context, octets(job.head), shape_.covered(job)) == 1 &&
               (!job.esn || EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(&high), sizeof high) == 1) &&
               EVP_MAC_final(context, octets(tag.data()), &written, tag.size()) == 1;
    }
    MacPtr mac_;
};

/// KAME's keyed-md5 and keyed-sha1 (RFC 1828, RFC 1852): the hash of the key, padded as the hash pads a text of that
/// length, then what is covered, then the key again.
class EvpKeyedHashPart final : public EvpAuthPart {
public:
    EvpKeyedHashPart(const Suite& suite, DigestPtr digest)
        : EvpAuthPart(suite), digest_(std::move(digest)), key_octets_(info(suite.auth).key_bits.low / 8u) {}
    Result<void> expand(std::span<const std::byte> key, std::byte* block) const override {
        PairKeyBlock& into = PairKeyBlock::in(block);
        std::ranges::copy(key, into.outer.begin());
        std::ranges::copy(key, into.inner.begin());
        into.inner[key.size()] = std::byte{0x80};
        const Big32 low = static_cast<std::uint32_t>(key.size() * 8);  // MD5 counts bits low octet first, SHA-1 high
        if (is_keyed_sha1(shape_.suite.auth))
            std::memcpy(into.inner.data() + 60, &low, 4);
        else
            into.inner[56] = static_cast<std::byte>(key.size() * 8);
        DigestContext context{EVP_MD_CTX_new()};
        if (!context || EVP_DigestInit_ex2(context.get(), digest_.get(), nullptr) != 1)
            return fail(Errc::internal, "OpenSSL refused the digest");
        into.mac = context.release();
        return {};
    }
    void release(std::byte* block) const override {
        EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(std::exchange(PairKeyBlock::in(block).mac, nullptr)));
    }

private:
    bool compute(const CryptoJob& job, Tag& tag) const override {
        const PairKeyBlock& keys = PairKeyBlock::in(job.key);
        auto* const context = static_cast<EVP_MD_CTX*>(keys.mac);
        const Big32 high = job.sequence_high;
        return EVP_DigestInit_ex2(context, nullptr, nullptr) == 1 &&
               EVP_DigestUpdate(context, keys.inner.data(), keys.inner.size()) == 1 &&
               EVP_DigestUpdate(context, job.head, shape_.covered(job)) == 1 &&
               (!job.esn || EVP_DigestUpdate(context, &high, sizeof high) == 1) &&
               EVP_DigestUpdate(context, keys.outer.data(), key_octets_) == 1 &&
               EVP_DigestFinal_ex(context, octets(tag.data()), nullptr) == 1;
    }
    DigestPtr digest_;
    std::size_t key_octets_;
};

std::unique_ptr<AuthPart> keyed_hash_part(const Suite& suite) {
    DigestPtr digest{EVP_MD_fetch(evp_library(), evp_digest(suite.auth), nullptr)};
    ERR_clear_error();
    if (!digest) return nullptr;
    return std::make_unique<EvpKeyedHashPart>(suite, std::move(digest));
}

}  // namespace

std::unique_ptr<CipherPart> evp_cipher_part(const Suite& suite) {
    auto cipher = evp_cipher(evp_name(suite));
    if (!cipher) return nullptr;
    return std::make_unique<EvpCipherPart>(suite, std::move(cipher));
}

std::unique_ptr<AuthPart> evp_auth_part(const Suite& suite) {
    if (suite.auth == AuthId::null || suite.auth == AuthId::aes_xcbc_mac) return nullptr;
    if (is_keyed_hash(suite.auth)) return keyed_hash_part(suite);
    MacPtr mac{EVP_MAC_fetch(evp_library(), suite.auth == AuthId::aes_cmac ? "CMAC" : "HMAC", nullptr)};
    ERR_clear_error();
    if (!mac) return nullptr;
    return std::make_unique<EvpMacPart>(suite, std::move(mac));
}

}  // namespace torii
