// AEADs through OpenSSL's EVP: AES-GCM (RFC 4106), AES-GMAC (RFC 4543), AES-CCM (RFC 4309), ChaCha20-Poly1305 (RFC
// 7634).
#include "crypto/kernel.h"
#include "crypto/openssl.h"
#include "crypto/openssl_context.h"

namespace torii {
namespace {

struct AeadBlock {
    void* encryptor;
    void* decryptor;
    std::array<std::byte, 4> salt;
};
const AeadBlock& aead_block(const CryptoJob& job) { return *reinterpret_cast<const AeadBlock*>(job.key); }

Result<void> expand_aead(const EVP_CIPHER* cipher, const SuiteShape& shape, const SuiteKeys& keys, std::byte* block,
                         BeforeKey before_key) {
    AeadBlock& into = *reinterpret_cast<AeadBlock*>(block);
    const std::size_t key_octets = keys.cipher.size() - info(shape.suite.cipher).salt_octets;
    std::ranges::copy(keys.cipher.subspan(key_octets), into.salt.begin());
    return expand_pair(cipher, keys.cipher.first(key_octets), into.encryptor, into.decryptor, before_key,
                       shape.icv_octets);
}

void release_aead(std::byte* block) {
    AeadBlock& from = *reinterpret_cast<AeadBlock*>(block);
    release_pair(from.encryptor, from.decryptor);
}

/// AES-GCM, ChaCha20-Poly1305 and AES-GMAC, whose text is clear and covered like the header.
class EvpAeadKernel final : public Kernel {
public:
    EvpAeadKernel(const Suite& suite, CipherPtr cipher) : shape_(suite), cipher_(std::move(cipher)) {}
    std::string name() const override { return "openssl"; }
    Result<void> expand(const SuiteKeys& keys, std::byte* block) const override {
        return expand_aead(cipher_.get(), shape_, keys, block, nullptr);
    }
    void release(std::byte* block) const override { release_aead(block); }
    void seal(Workbench&, std::span<CryptoJob> jobs) const override {
        for (const CryptoJob& job : jobs) {
            auto* const context = static_cast<EVP_CIPHER_CTX*>(aead_block(job).encryptor);
            int written = 0;
            const bool done =
                text(context, job) && EVP_CipherFinal_ex(context, octets(job.icv), &written) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, length(shape_.icv_octets), job.icv) == 1;
            if (!done) blot(shape_, job);
        }
    }
    void open(Workbench&, std::span<CryptoJob> jobs) const override {
        for (CryptoJob& job : jobs) {
            auto* const context = static_cast<EVP_CIPHER_CTX*>(aead_block(job).decryptor);
            int written = 0;
            unsigned char none[16];
            job.authentic =
                text(context, job) &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, length(shape_.icv_octets), job.icv) == 1 &&
                EVP_CipherFinal_ex(context, none, &written) == 1;
        }
    }

private:
    bool text(EVP_CIPHER_CTX* context, const CryptoJob& job) const {
        std::array<std::byte, 16> nonce, aad;
        put_nonce(aead_block(job).salt, job, nonce.data());
        auto* const body = octets(job.head + shape_.text_at());
        int written = 0;
        const auto cover = [&](const std::byte* from, std::size_t count) {
            return EVP_CipherUpdate(context, nullptr, &written, octets(from), length(count)) == 1;
        };
        const bool begun = EVP_CipherInit_ex2(context, nullptr, nullptr, octets(nonce.data()), -1, nullptr) == 1 &&
                           cover(aad.data(), put_aad(job, aad.data()));
        if (shape_.suite.cipher == CipherId::aes_gmac)
            return begun && cover(job.head + esp_header_octets, shape_.iv_octets + job.text_octets);
        return begun &&
               (job.text_octets == 0 || EVP_CipherUpdate(context, body, &written, body, length(job.text_octets)) == 1);
    }
    SuiteShape shape_;
    CipherPtr cipher_;
};

/// CCM wants to know the lengths of nonce and ICV before the key, and the text's before the AAD. The received ICV goes
/// in before the text, which comes out only when it is true.
class EvpCcmKernel final : public Kernel {
public:
    EvpCcmKernel(const Suite& suite, CipherPtr cipher) : shape_(suite), cipher_(std::move(cipher)) {}
    std::string name() const override { return "openssl"; }
    Result<void> expand(const SuiteKeys& keys, std::byte* block) const override {
        return expand_aead(cipher_.get(), shape_, keys, block, [](EVP_CIPHER_CTX* context, std::size_t icv_octets) {
            return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, nonce_octets, nullptr) == 1 &&
                   EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, length(icv_octets), nullptr) == 1;
        });
    }
    void release(std::byte* block) const override { release_aead(block); }
    void seal(Workbench&, std::span<CryptoJob> jobs) const override {
        for (const CryptoJob& job : jobs) {
            auto* const context = static_cast<EVP_CIPHER_CTX*>(aead_block(job).encryptor);
            const bool done = text(context, job) && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG,
                                                                        length(shape_.icv_octets), job.icv) == 1;
            if (!done) blot(shape_, job);
        }
    }
    void open(Workbench&, std::span<CryptoJob> jobs) const override {
        for (CryptoJob& job : jobs) {
            auto* const context = static_cast<EVP_CIPHER_CTX*>(aead_block(job).decryptor);
            job.authentic =
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, length(shape_.icv_octets), job.icv) == 1 &&
                text(context, job);
        }
    }

private:
    static constexpr int nonce_octets = 11;

    bool text(EVP_CIPHER_CTX* context, const CryptoJob& job) const {
        std::array<std::byte, 16> nonce, aad;
        put_nonce(std::span{aead_block(job).salt}.first(3), job, nonce.data());
        const std::size_t aad_octets = put_aad(job, aad.data());
        auto* const body = octets(job.head + shape_.text_at());
        int written = 0;
        return EVP_CipherInit_ex2(context, nullptr, nullptr, octets(nonce.data()), -1, nullptr) == 1 &&
               EVP_CipherUpdate(context, nullptr, &written, nullptr, length(job.text_octets)) == 1 &&
               EVP_CipherUpdate(context, nullptr, &written, octets(aad.data()), length(aad_octets)) == 1 &&
               EVP_CipherUpdate(context, body, &written, body, length(job.text_octets)) == 1;
    }
    SuiteShape shape_;
    CipherPtr cipher_;
};

std::string evp_aead_name(const Suite& suite) {
    const std::string aes = "AES-" + std::to_string(suite.cipher_key_bits);
    switch (suite.cipher) {
        case CipherId::chacha20_poly1305: return "ChaCha20-Poly1305";
        case CipherId::aes_ccm_16:
        case CipherId::aes_ccm_12:
        case CipherId::aes_ccm_8: return aes + "-CCM";
        default: return aes + "-GCM";
    }
}

}  // namespace

std::unique_ptr<Kernel> evp_aead_kernel(const Suite& suite) {
    const std::string name = evp_aead_name(suite);
    auto cipher = evp_cipher(name.c_str());
    if (!cipher) return nullptr;
    if (name.ends_with("-CCM")) return std::make_unique<EvpCcmKernel>(suite, std::move(cipher));
    return std::make_unique<EvpAeadKernel>(suite, std::move(cipher));
}

}  // namespace torii
