#include "crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "crypto/kernel.h"
#include "net/headers.h"

namespace torii {
namespace {

template <auto free>
struct FreeWith {
    template <class T>
    void operator()(T* p) const {
        free(p);
    }
};
using CipherPtr = std::unique_ptr<EVP_CIPHER, FreeWith<EVP_CIPHER_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using MacPtr = std::unique_ptr<EVP_MAC, FreeWith<EVP_MAC_free>>;

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

const char* evp_name(const Suite& suite) {
    switch (suite.cipher) {
        case CipherId::null: break;
        case CipherId::des_cbc: return "DES-CBC";
        case CipherId::des3_cbc: return "DES-EDE3-CBC";
        case CipherId::blowfish_cbc: return "BF-CBC";
        case CipherId::aes_cbc:
            return suite.cipher_key_bits == 128   ? "AES-128-CBC"
                   : suite.cipher_key_bits == 192 ? "AES-192-CBC"
                                                  : "AES-256-CBC";
        case CipherId::aes_gcm_16:
            return suite.cipher_key_bits == 128   ? "AES-128-GCM"
                   : suite.cipher_key_bits == 192 ? "AES-192-GCM"
                                                  : "AES-256-GCM";
    }
    return nullptr;
}

const char* evp_digest(AuthId auth) {
    switch (auth) {
        case AuthId::null: break;
        case AuthId::hmac_md5: return "MD5";
        case AuthId::hmac_sha1: return "SHA1";
        case AuthId::hmac_sha256: return "SHA256";
        case AuthId::hmac_sha384: return "SHA384";
        case AuthId::hmac_sha512: return "SHA512";
    }
    return nullptr;
}

unsigned char* octets(std::byte* p) { return reinterpret_cast<unsigned char*>(p); }
const unsigned char* octets(const std::byte* p) { return reinterpret_cast<const unsigned char*>(p); }
int length(std::size_t n) { return static_cast<int>(n); }

enum class Direction : int { decrypt = 0, encrypt = 1 };

/// A context with its key set and its IV still to come, or null.
CipherContext keyed(const EVP_CIPHER* cipher, std::span<const std::byte> key, Direction direction) {
    CipherContext context{EVP_CIPHER_CTX_new()};
    if (!context ||
        EVP_CipherInit_ex2(context.get(), cipher, nullptr, nullptr, static_cast<int>(direction), nullptr) != 1 ||
        EVP_CIPHER_CTX_set_key_length(context.get(), length(key.size())) != 1 ||
        EVP_CIPHER_CTX_set_padding(context.get(), 0) != 1 ||
        EVP_CipherInit_ex2(context.get(), nullptr, octets(key.data()), nullptr, -1, nullptr) != 1)
        return nullptr;
    return context;
}

/// The pair of contexts at `encryptor` and `decryptor` of a key block.
Result<void> expand_pair(const EVP_CIPHER* cipher, std::span<const std::byte> key, void*& encryptor, void*& decryptor) {
    CipherContext encrypt = keyed(cipher, key, Direction::encrypt);
    CipherContext decrypt = keyed(cipher, key, Direction::decrypt);
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

class EvpCipherPart final : public CipherPart {
public:
    EvpCipherPart(const Suite& suite, CipherPtr cipher) : shape_(suite), cipher_(std::move(cipher)) {}
    Result<void> expand(std::span<const std::byte> key, std::byte* block) const override {
        PairKeyBlock& into = PairKeyBlock::in(block);
        return expand_pair(cipher_.get(), key, into.encryptor, into.decryptor);
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
        const auto* iv = octets(job.head + esp_header_octets);
        auto* const text = octets(job.head + shape_.text_at());
        int written = 0;
        return EVP_CipherInit_ex2(context, nullptr, nullptr, iv, -1, nullptr) == 1 &&
               EVP_CipherUpdate(context, text, &written, text, length(job.text_octets)) == 1 &&
               written == length(job.text_octets);
    }
    SuiteShape shape_;
    CipherPtr cipher_;
};

class EvpHmacPart final : public AuthPart {
public:
    EvpHmacPart(const Suite& suite, MacPtr mac) : shape_(suite), mac_(std::move(mac)) {}
    Result<void> expand(std::span<const std::byte> key, std::byte* block) const override {
        EVP_MAC_CTX* const context = EVP_MAC_CTX_new(mac_.get());
        PairKeyBlock::in(block).mac = context;
        char digest[8];
        std::strncpy(digest, evp_digest(shape_.suite.auth), sizeof digest);
        const OSSL_PARAM settings[]{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
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

private:
    using Tag = std::array<std::byte, EVP_MAX_MD_SIZE>;
    bool compute(const CryptoJob& job, Tag& tag) const {
        auto* const context = static_cast<EVP_MAC_CTX*>(PairKeyBlock::in(job.key).mac);
        const Big32 high = job.sequence_high;
        std::size_t written = 0;
        return EVP_MAC_init(context, nullptr, 0, nullptr) == 1 &&
               EVP_MAC_update(context, octets(job.head), shape_.covered(job)) == 1 &&
               (!job.esn || EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(&high), sizeof high) == 1) &&
               EVP_MAC_final(context, octets(tag.data()), &written, tag.size()) == 1;
    }
    SuiteShape shape_;
    MacPtr mac_;
};

/// RFC 4106 with EVP.
class EvpGcmKernel final : public Kernel {
public:
    EvpGcmKernel(const Suite& suite, CipherPtr cipher) : shape_(suite), cipher_(std::move(cipher)) {}
    std::string name() const override { return "openssl"; }
    Result<void> expand(const SuiteKeys& keys, std::byte* block) const override {
        Block& into = *reinterpret_cast<Block*>(block);
        const std::size_t key_octets = keys.cipher.size() - into.salt.size();
        std::ranges::copy(keys.cipher.subspan(key_octets), into.salt.begin());
        return expand_pair(cipher_.get(), keys.cipher.first(key_octets), into.encryptor, into.decryptor);
    }
    void release(std::byte* block) const override {
        Block& from = *reinterpret_cast<Block*>(block);
        release_pair(from.encryptor, from.decryptor);
    }
    void seal(Workbench&, std::span<CryptoJob> jobs) const override {
        for (const CryptoJob& job : jobs) {
            auto* const context = static_cast<EVP_CIPHER_CTX*>(block(job).encryptor);
            int written = 0;
            const bool done =
                text(context, job) && EVP_CipherFinal_ex(context, octets(job.icv), &written) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, length(shape_.icv_octets), job.icv) == 1;
            if (!done) blot(shape_, job);
        }
    }
    void open(Workbench&, std::span<CryptoJob> jobs) const override {
        for (CryptoJob& job : jobs) {
            auto* const context = static_cast<EVP_CIPHER_CTX*>(block(job).decryptor);
            int written = 0;
            unsigned char none[16];
            job.authentic =
                text(context, job) &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, length(shape_.icv_octets), job.icv) == 1 &&
                EVP_CipherFinal_ex(context, none, &written) == 1;
        }
    }

private:
    struct Block {
        void* encryptor;
        void* decryptor;
        std::array<std::byte, 4> salt;
    };
    static const Block& block(const CryptoJob& job) { return *reinterpret_cast<const Block*>(job.key); }

    bool text(EVP_CIPHER_CTX* context, const CryptoJob& job) const {
        std::array<unsigned char, 12> nonce;
        std::memcpy(nonce.data(), block(job).salt.data(), 4);
        std::memcpy(nonce.data() + 4, job.head + esp_header_octets, 8);
        const Big32 high = job.sequence_high;
        auto* const body = octets(job.head + shape_.text_at());
        int written = 0;
        const auto aad = [&](const void* from, int count) {
            return EVP_CipherUpdate(context, nullptr, &written, static_cast<const unsigned char*>(from), count) == 1;
        };
        const bool begun = EVP_CipherInit_ex2(context, nullptr, nullptr, nonce.data(), -1, nullptr) == 1 &&
                           aad(job.head, 4) && (!job.esn || aad(&high, sizeof high)) && aad(job.head + 4, 4);
        return begun &&
               (job.text_octets == 0 || EVP_CipherUpdate(context, body, &written, body, length(job.text_octets)) == 1);
    }
    SuiteShape shape_;
    CipherPtr cipher_;
};

CipherPtr fetch(const Suite& suite) {
    CipherPtr cipher;
    if (const char* name = evp_name(suite)) cipher.reset(EVP_CIPHER_fetch(Library::context(), name, nullptr));
    ERR_clear_error();
    return cipher;
}

}  // namespace

std::unique_ptr<Kernel> evp_gcm_kernel(const Suite& suite) {
    auto cipher = fetch(suite);
    if (!cipher) return nullptr;
    return std::make_unique<EvpGcmKernel>(suite, std::move(cipher));
}

std::unique_ptr<CipherPart> evp_cipher_part(const Suite& suite) {
    auto cipher = fetch(suite);
    if (!cipher) return nullptr;
    return std::make_unique<EvpCipherPart>(suite, std::move(cipher));
}

std::unique_ptr<AuthPart> evp_hmac_part(const Suite& suite) {
    MacPtr mac{EVP_MAC_fetch(Library::context(), "HMAC", nullptr)};
    if (!mac || suite.auth == AuthId::null) return nullptr;
    return std::make_unique<EvpHmacPart>(suite, std::move(mac));
}

}  // namespace torii
