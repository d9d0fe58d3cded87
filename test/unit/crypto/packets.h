// What the crypto tests work on: ESP packets in memory of exactly their size, key blocks, and a reference that seals
// with plain one-shot OpenSSL calls, sharing no code with the engine.
#pragma once

#include <openssl/evp.h>
#include <openssl/provider.h>

#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "catch.h"
#include "crypto/engine.h"

namespace torii::test {

using Octets = std::vector<std::byte>;

inline Octets hex(std::string_view text) {
    Octets out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        out.push_back(static_cast<std::byte>(std::stoi(std::string{text.substr(i, 2)}, nullptr, 16)));
    return out;
}

inline Octets text(std::string_view characters) {
    const auto octets = std::as_bytes(std::span{characters});
    return {octets.begin(), octets.end()};
}

inline Octets random_octets(std::mt19937& random, std::size_t count) {
    Octets out(count);
    for (std::byte& b : out) b = static_cast<std::byte>(random());
    return out;
}

inline std::unique_ptr<CryptoBook> book(const std::string& only = {}) {
    auto made = CryptoBook::make({.time_kernels = false, .only = only});
    if (!made) FAIL(made.error().text());
    return std::move(*made);
}

/// The names of all kernels that this machine has, found by asking.
inline const std::vector<std::string>& kernel_names() {
    static const std::vector<std::string> names = [] {
        std::set<std::string> found;
        const auto made = CryptoBook::make({.time_kernels = true, .only = {}});
        if (!made) FAIL(made.error().text());
        for (const CipherInfo& cipher : ciphers())  // one suite a cipher, one an authenticator: no others have more
            (void)(*made)->suite({cipher.id, cipher.aead() ? AuthId::null : AuthId::hmac_sha256,
                                  static_cast<std::uint16_t>(cipher.key_bits.low - cipher.salt_octets * 8)});
        for (const AuthInfo& auth : auths()) (void)(*made)->suite({CipherId::aes_cbc, auth.id, 128});
        for (const KernelChoice& row : (*made)->choices()) found.insert(row.kernel);
        return std::vector<std::string>(found.begin(), found.end());
    }();
    return names;
}

/// A key block as a SA holds one; erased and checked to be so.
class KeyBlock {
public:
    KeyBlock(const CryptoBook& book, SuiteIndex suite, Octets cipher_key, Octets auth_key)
        : cipher(std::move(cipher_key)), auth(std::move(auth_key)), book_(book), suite_(suite) {
        const auto done = book.expand(suite, cipher, auth, block_);
        if (!done) FAIL(done.error().text());
    }
    KeyBlock(const KeyBlock&) = delete;
    ~KeyBlock() { book_.erase(suite_, block_); }
    const std::byte* block() const { return block_; }
    SuiteIndex suite() const { return suite_; }

    const Octets cipher, auth;

private:
    const CryptoBook& book_;
    SuiteIndex suite_;
    alignas(64) std::byte block_[key_block_octets]{};
};

/// One packet: ESP header, IV, text and room for the ICV, and not an octet more.
struct Packet {
    Octets octets;
    std::size_t iv_octets = 0, text_octets = 0;
    std::uint32_t sequence_high = 0;
    bool esn = false;

    CryptoJob job(const KeyBlock& key) {
        std::byte* const icv = octets.data() + 8 + iv_octets + text_octets;
        return {.key = key.block(),
                .head = octets.data(),
                .icv = icv,
                .text_octets = static_cast<std::uint32_t>(text_octets),
                .sequence_high = sequence_high,
                .suite = key.suite(),
                .esn = esn};
    }
};

inline std::size_t icv_octets(const Suite& suite) {
    return info(suite.cipher).aead() ? info(suite.cipher).icv_octets : info(suite.auth).icv_octets;
}

inline Packet packet(std::mt19937& random, const Suite& suite, std::size_t text_octets) {
    const std::size_t iv = info(suite.cipher).iv_octets;
    return {.octets = random_octets(random, 8 + iv + text_octets + icv_octets(suite)),
            .iv_octets = iv,
            .text_octets = text_octets,
            .sequence_high = static_cast<std::uint32_t>(random()),
            .esn = random() % 2 == 1};
}

inline const EVP_CIPHER* evp_cipher(const Suite& suite) {
    static const auto* const legacy = OSSL_PROVIDER_load(nullptr, "legacy");
    static const auto* const standard = OSSL_PROVIDER_load(nullptr, "default");
    if (legacy == nullptr || standard == nullptr) return nullptr;
    switch (suite.cipher) {
        case CipherId::null: return EVP_enc_null();
        case CipherId::des_cbc: return EVP_des_cbc();
        case CipherId::des3_cbc: return EVP_des_ede3_cbc();
        case CipherId::blowfish_cbc: return EVP_bf_cbc();
        case CipherId::aes_cbc:
            return suite.cipher_key_bits == 128   ? EVP_aes_128_cbc()
                   : suite.cipher_key_bits == 192 ? EVP_aes_192_cbc()
                                                  : EVP_aes_256_cbc();
        case CipherId::aes_gcm_16:
            return suite.cipher_key_bits == 128   ? EVP_aes_128_gcm()
                   : suite.cipher_key_bits == 192 ? EVP_aes_192_gcm()
                                                  : EVP_aes_256_gcm();
    }
    return nullptr;
}

/// What `packet` must look like once sealed (RFC 4303 3.3.2, RFC 4106).
inline Octets sealed_by_reference(const Packet& packet, const Suite& suite, const KeyBlock& key) {
    Octets out = packet.octets;
    auto* const octets = reinterpret_cast<unsigned char*>(out.data());
    auto* const body = octets + 8 + packet.iv_octets;
    auto* const icv = body + packet.text_octets;
    const unsigned char high[4]{
        static_cast<unsigned char>(packet.sequence_high >> 24), static_cast<unsigned char>(packet.sequence_high >> 16),
        static_cast<unsigned char>(packet.sequence_high >> 8), static_cast<unsigned char>(packet.sequence_high)};
    const auto raw = [](const Octets& from) { return reinterpret_cast<const unsigned char*>(from.data()); };
    const int length = static_cast<int>(packet.text_octets);
    int written = 0;
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context{EVP_CIPHER_CTX_new(),
                                                                                  EVP_CIPHER_CTX_free};
    Octets nonce;
    if (info(suite.cipher).aead()) nonce.assign(key.cipher.end() - 4, key.cipher.end());
    nonce.insert(nonce.end(), out.begin() + 8, out.begin() + 8 + static_cast<std::ptrdiff_t>(packet.iv_octets));
    REQUIRE(EVP_EncryptInit_ex(context.get(), evp_cipher(suite), nullptr, nullptr, nullptr) == 1);
    if (suite.cipher == CipherId::blowfish_cbc)
        REQUIRE(EVP_CIPHER_CTX_set_key_length(context.get(), static_cast<int>(key.cipher.size())) == 1);
    REQUIRE(EVP_EncryptInit_ex(context.get(), nullptr, nullptr, raw(key.cipher), raw(nonce)) == 1);
    EVP_CIPHER_CTX_set_padding(context.get(), 0);
    if (info(suite.cipher).aead()) {
        EVP_EncryptUpdate(context.get(), nullptr, &written, octets, 4);
        if (packet.esn) EVP_EncryptUpdate(context.get(), nullptr, &written, high, 4);
        EVP_EncryptUpdate(context.get(), nullptr, &written, octets + 4, 4);
    }
    if (length != 0) REQUIRE(EVP_EncryptUpdate(context.get(), body, &written, body, length) == 1);
    if (info(suite.cipher).aead()) {
        REQUIRE(EVP_EncryptFinal_ex(context.get(), icv, &written) == 1);
        REQUIRE(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, 16, icv) == 1);
        return out;
    }
    if (suite.auth == AuthId::null) return out;
    const char* const digests[]{"", "MD5", "SHA1", "SHA256", "SHA384", "SHA512"};
    Octets covered{out.begin(), out.end() - static_cast<std::ptrdiff_t>(icv_octets(suite))};
    if (packet.esn)
        for (const unsigned char b : high) covered.push_back(std::byte{b});
    unsigned char mac[EVP_MAX_MD_SIZE];
    std::size_t mac_octets = 0;
    REQUIRE(EVP_Q_mac(nullptr, "HMAC", nullptr, digests[static_cast<int>(suite.auth)], nullptr, raw(key.auth),
                      key.auth.size(), raw(covered), covered.size(), mac, sizeof mac, &mac_octets) != nullptr);
    std::copy_n(mac, icv_octets(suite), icv);
    return out;
}

/// Every suite that `book` offers, with key lengths from one end of the range to the other.
inline std::vector<Suite> suites_of(const CryptoBook& book) {
    std::vector<Suite> out;
    for (const CipherInfo& cipher : ciphers())
        for (const AuthInfo& auth : auths())
            for (int bits = cipher.key_bits.low; bits <= cipher.key_bits.high;
                 bits += cipher.key_bits.step == 8 ? 136 : 64) {
                const Suite suite{cipher.id, auth.id, static_cast<std::uint16_t>(bits - cipher.salt_octets * 8)};
                if (book.suite(suite)) out.push_back(suite);
            }
    return out;
}

/// A fresh random key for `suite`.
inline std::unique_ptr<KeyBlock> random_key(std::mt19937& random, const CryptoBook& book, const Suite& suite) {
    return std::make_unique<KeyBlock>(
        book, book.suite(suite).value(),
        random_octets(random, suite.cipher_key_bits / 8u + info(suite.cipher).salt_octets),
        random_octets(random, info(suite.auth).key_bits.low / 8u));
}

/// Lengths of text that `suite` can have.
inline std::size_t text_unit(const Suite& suite) {
    return info(suite.cipher).aead() ? 1 : info(suite.cipher).block_octets;
}

}  // namespace torii::test
