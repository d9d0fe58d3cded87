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

using Raw = const unsigned char*;
inline Raw raw(const Octets& octets) { return reinterpret_cast<Raw>(octets.data()); }
inline Octets joined(std::initializer_list<std::span<const std::byte>> parts) {
    Octets out;
    for (const auto part : parts) out.insert(out.end(), part.begin(), part.end());
    return out;
}
inline Octets big32(std::uint32_t value) {
    Octets out;
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::byte>(value >> shift));
    return out;
}

inline std::string reference_name(const Suite& suite) {
    const std::string bits = std::to_string(suite.cipher_key_bits);
    switch (suite.cipher) {
        case CipherId::null: return "";
        case CipherId::des_cbc:
        case CipherId::des_deriv: return "DES-CBC";
        case CipherId::des3_cbc: return "DES-EDE3-CBC";
        case CipherId::blowfish_cbc: return "BF-CBC";
        case CipherId::cast128_cbc: return "CAST5-CBC";
        case CipherId::aes_cbc: return "AES-" + bits + "-CBC";
        case CipherId::camellia_cbc: return "CAMELLIA-" + bits + "-CBC";
        case CipherId::aes_ctr: return "AES-" + bits + "-CTR";
        case CipherId::aes_ccm_16:
        case CipherId::aes_ccm_12:
        case CipherId::aes_ccm_8: return "AES-" + bits + "-CCM";
        case CipherId::chacha20_poly1305: return "ChaCha20-Poly1305";
        default: return "AES-" + bits + "-GCM";
    }
}

/// `text` under OpenSSL's cipher `name`; an AEAD covers `aad` too and its ICV follows.
inline Octets encrypted(const std::string& name, const Octets& key, const Octets& iv, const Octets& text,
                        const Octets& aad = {}, std::size_t icv_octets = 0) {
    static const auto* const legacy = OSSL_PROVIDER_load(nullptr, "legacy");
    static const auto* const standard = OSSL_PROVIDER_load(nullptr, "default");
    REQUIRE((legacy != nullptr && standard != nullptr));
    const std::unique_ptr<EVP_CIPHER, decltype(&EVP_CIPHER_free)> cipher{
        EVP_CIPHER_fetch(nullptr, name.c_str(), nullptr), EVP_CIPHER_free};
    const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context{EVP_CIPHER_CTX_new(),
                                                                                  EVP_CIPHER_CTX_free};
    auto* const c = context.get();
    const bool ccm = name.ends_with("-CCM");
    const int length = static_cast<int>(text.size()), tag_length = static_cast<int>(icv_octets);
    Octets out(text.size() + 16);  // never empty: CCM refuses a null pointer
    auto* const into = reinterpret_cast<unsigned char*>(out.data());
    int written = 0;
    REQUIRE(EVP_EncryptInit_ex(c, cipher.get(), nullptr, nullptr, nullptr) == 1);
    if (ccm) {
        REQUIRE(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, static_cast<int>(iv.size()), nullptr) == 1);
        REQUIRE(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, tag_length, nullptr) == 1);
    }
    REQUIRE(EVP_CIPHER_CTX_set_key_length(c, static_cast<int>(key.size())) == 1);
    REQUIRE(EVP_EncryptInit_ex(c, nullptr, nullptr, raw(key), raw(iv)) == 1);
    EVP_CIPHER_CTX_set_padding(c, 0);
    if (ccm) REQUIRE(EVP_EncryptUpdate(c, nullptr, &written, nullptr, length) == 1);
    if (!aad.empty()) REQUIRE(EVP_EncryptUpdate(c, nullptr, &written, raw(aad), static_cast<int>(aad.size())) == 1);
    const auto* const from = text.empty() ? into : raw(text);  // of no octets too: CCM makes no ICV of a null pointer
    if (length != 0 || ccm) REQUIRE(EVP_EncryptUpdate(c, into, &written, from, length) == 1);
    if (icv_octets != 0) {
        REQUIRE(EVP_EncryptFinal_ex(c, into + length, &written) == 1);
        REQUIRE(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, tag_length, into + length) == 1);
    }
    out.resize(text.size() + icv_octets);
    return out;
}

/// OpenSSL has no XCBC: RFC 3566 4 from its AES.
inline Octets xcbc(const Octets& key, const Octets& covered) {
    const auto aes = [](const Octets& with, const Octets& text) {
        return encrypted("AES-128-CBC", with, Octets(16), text);
    };
    const auto derived = [&](int n) { return aes(key, Octets(16, static_cast<std::byte>(n))); };
    Octets text = covered;
    const bool whole = !text.empty() && text.size() % 16 == 0;
    if (!whole) text.push_back(std::byte{0x80});
    text.resize((text.size() + 15) / 16 * 16);
    const Octets last = derived(whole ? 2 : 3);
    for (std::size_t i = 0; i < 16; ++i) text[text.size() - 16 + i] ^= last[i];
    const Octets chain = aes(derived(1), text);
    return {chain.end() - 16, chain.end()};
}

/// Key, padded as its hash pads a text of that length; text; key (RFC 1828, RFC 1852).
inline Octets keyed_hash(const char* digest, bool big_endian, const Octets& key, const Octets& covered) {
    Octets padded = key;
    padded.push_back(std::byte{0x80});
    padded.resize(64);
    padded[big_endian ? 63 : 56] = static_cast<std::byte>(key.size() * 8);
    const Octets whole = joined({padded, covered, key});
    Octets out(EVP_MAX_MD_SIZE);
    std::size_t octets = 0;
    REQUIRE(EVP_Q_digest(nullptr, digest, nullptr, raw(whole), whole.size(),
                         reinterpret_cast<unsigned char*>(out.data()), &octets) == 1);
    return out;
}

inline Octets authenticated(AuthId auth, const Octets& key, const Octets& covered) {
    const auto mac = [&](const char* name, const char* inside) {
        Octets out(EVP_MAX_MD_SIZE);
        std::size_t octets = 0;
        REQUIRE(EVP_Q_mac(nullptr, name, nullptr, inside, nullptr, raw(key), key.size(), raw(covered), covered.size(),
                          reinterpret_cast<unsigned char*>(out.data()), out.size(), &octets) != nullptr);
        return out;
    };
    switch (auth) {
        case AuthId::null: break;
        case AuthId::hmac_md5_128:
        case AuthId::hmac_md5: return mac("HMAC", "MD5");
        case AuthId::hmac_sha1_128:
        case AuthId::hmac_sha1: return mac("HMAC", "SHA1");
        case AuthId::hmac_sha256:
        case AuthId::hmac_sha256_96: return mac("HMAC", "SHA256");
        case AuthId::hmac_sha384:
        case AuthId::hmac_sha384_96: return mac("HMAC", "SHA384");
        case AuthId::hmac_sha512:
        case AuthId::hmac_sha512_96: return mac("HMAC", "SHA512");
        case AuthId::hmac_ripemd160: return mac("HMAC", "RIPEMD160");
        case AuthId::aes_xcbc_mac: return xcbc(key, covered);
        case AuthId::aes_cmac: return mac("CMAC", "AES-128-CBC");
        case AuthId::keyed_md5_128:
        case AuthId::keyed_md5: return keyed_hash("MD5", false, key, covered);
        case AuthId::keyed_sha1_128:
        case AuthId::keyed_sha1: return keyed_hash("SHA1", true, key, covered);
    }
    return {};
}

/// What `packet` must look like once sealed (RFC 4303 3.3.2; RFC 4106, 4309, 4543 and 7634 for AEADs).
inline Octets sealed_by_reference(const Packet& packet, const Suite& suite, const KeyBlock& block) {
    const auto part = [&](std::size_t from, std::size_t count) {
        const auto at = packet.octets.begin() + static_cast<std::ptrdiff_t>(from);
        return Octets{at, at + static_cast<std::ptrdiff_t>(count)};
    };
    const CipherInfo& cipher = info(suite.cipher);
    const Octets head = part(0, 8), iv = part(8, packet.iv_octets);
    const Octets high = packet.esn ? big32(packet.sequence_high) : Octets{};
    const Octets key{block.cipher.begin(), block.cipher.end() - cipher.salt_octets};
    const Octets salt{block.cipher.end() - cipher.salt_octets, block.cipher.end()};
    Octets text = part(8 + packet.iv_octets, packet.text_octets);
    if (cipher.aead()) {
        const Octets aad = joined({std::span{head}.first(4), high, std::span{head}.last(4)}),
                     nonce = joined({salt, iv});
        if (suite.cipher == CipherId::aes_gmac)
            return joined(
                {head, iv, text, encrypted(reference_name(suite), key, nonce, {}, joined({aad, iv, text}), 16)});
        return joined({head, iv, encrypted(reference_name(suite), key, nonce, text, aad, cipher.icv_octets)});
    }
    if (suite.cipher != CipherId::null) {
        Octets start = iv;
        if (suite.cipher == CipherId::aes_ctr) start = joined({salt, iv, big32(1)});
        if (suite.cipher == CipherId::des_deriv) {
            start = part(4, 4);
            for (std::size_t i = 0; i < 4; ++i) start.push_back(~start[i]);
        }
        text = encrypted(reference_name(suite), key, start, text);
    }
    Octets icv = authenticated(suite.auth, block.auth, joined({head, iv, text, high}));
    icv.resize(icv_octets(suite));
    return joined({head, iv, text, icv});
}

/// Every suite that `book` offers, with key lengths from one end of the range to the other.
inline std::vector<Suite> suites_of(const CryptoBook& book) {
    std::vector<Suite> out;
    for (const CipherInfo& cipher : ciphers())
        for (const AuthInfo& auth : auths())
            for (int bits = cipher.key_bits.low; bits <= cipher.key_bits.high;
                 bits += cipher.key_bits.step == 8 ? (cipher.key_bits.high - cipher.key_bits.low) / 3 / 8 * 8 : 64) {
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

/// Texts of `suite` are multiples of this: 1 where any length will do.
inline std::size_t text_unit(const Suite& suite) {
    const std::size_t block = info(suite.cipher).block_octets;
    return block > 4 ? block : 1;
}

}  // namespace torii::test
