#include "ike/crypto/message_cipher.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "ike/crypto/mac.h"
#include "ike/crypto/openssl.h"
#include "ike/message/fragments.h"

namespace torii::ike {
namespace {

constexpr std::size_t fragment_header_octets = 4;  // number and total (RFC 7383 2.5)
constexpr std::size_t least_datagram_octets = 256;

std::unexpected<Error> not_authentic() {
    ERR_clear_error();
    return fail(Errc::bad_value, "the encrypted payload is not authentic or not well formed");
}

void put_u16(Octets& out, std::size_t value) {
    out.push_back(static_cast<std::byte>(value >> 8));
    out.push_back(static_cast<std::byte>(value));
}

/// Where in a run of fragments a payload stands; 0 of 0: SK.
struct Place {
    std::uint16_t number = 0, total = 0;
    bool fragment() const { return total != 0; }
};

/// What all suites have in common: the form of SK and SKF. How the body is sealed and opened is the suite's.
class FramedCipher : public MessageCipher {
public:
    FramedCipher(CryptoContext& context, const EncrInfo& encr, const EVP_CIPHER* cipher, std::size_t icv_octets)
        : context_(context),
          iv_octets_(encr.iv_octets),
          block_octets_(encr.block_octets),
          icv_octets_(icv_octets),
          cipher_(cipher) {}

    Result<Octets> seal(const Header& header, PayloadType inner_first, OctetView inner) override {
        if (frame_octets({}) + padded(inner.size()) > limits::message_octets)
            return fail(Errc::no_room, "a message of " + std::to_string(inner.size()) + " octets fits no datagram");
        return seal_at(header, inner_first, inner, {});
    }

    Result<std::vector<Octets>> seal_fragments(const Header& header, PayloadType inner_first, OctetView inner,
                                               std::size_t datagram_octets) override {
        const std::size_t datagram = std::min(std::max(datagram_octets, least_datagram_octets), limits::message_octets);
        const std::size_t room = datagram - frame_octets({.number = 1, .total = 1});
        const std::size_t most = room / block_octets_ * block_octets_ - 1;  // behind it stands the pad length
        const std::size_t total = inner.empty() ? 1 : (inner.size() + most - 1) / most;
        if (total > FragmentAssembly::most_fragments || inner.size() > FragmentAssembly::most_octets)
            return fail(Errc::no_room, "a message of " + std::to_string(inner.size()) + " octets would take " +
                                           std::to_string(total) + " fragments of " + std::to_string(datagram) +
                                           " octets");
        std::vector<Octets> out;
        for (std::size_t i = 0; i < total; ++i) {
            const OctetView part = inner.subspan(i * most, std::min(most, inner.size() - i * most));
            // The first fragment tells what the message begins with, the others tell nothing (RFC 7383 2.5).
            const Place place{.number = static_cast<std::uint16_t>(i + 1), .total = static_cast<std::uint16_t>(total)};
            TORII_TRY(Octets sealed, seal_at(header, i == 0 ? inner_first : PayloadType::none, part, place));
            out.push_back(std::move(sealed));
        }
        return out;
    }

    Result<Octets> open(const Split::Encrypted& encrypted) override {
        const OctetView body = encrypted.body;
        if (body.size() < iv_octets_ + block_octets_ + icv_octets_) return not_authentic();
        const OctetView iv = body.first(iv_octets_), icv = body.last(icv_octets_);
        const OctetView text = body.subspan(iv_octets_, body.size() - iv_octets_ - icv_octets_);
        if (text.size() % block_octets_ != 0) return not_authentic();
        SecretBytes clear{text};
        TORII_CHECK(open_body(encrypted.associated, iv, clear.octets(), icv));
        const OctetView opened = clear.octets();
        const auto padding = static_cast<std::size_t>(opened.back());  // its octets may be anything (3.14)
        if (padding + 1 > opened.size()) return not_authentic();
        const OctetView inner = opened.first(opened.size() - padding - 1);
        return Octets{inner.begin(), inner.end()};
    }

protected:
    /// A fresh one for the next message.
    virtual Result<Octets> next_iv() = 0;
    /// Encrypts `text` in place, which lies in `message` behind everything that is authenticated with it, and appends
    /// the ICV.
    virtual Result<void> seal_body(Octets& message, std::size_t iv_at) = 0;
    /// Checks, then decrypts in place. Errc::bad_value: not authentic.
    virtual Result<void> open_body(OctetView associated, OctetView iv, std::span<std::byte> text, OctetView icv) = 0;

    /// OpenSSL's context of one message, keyed, or null.
    CipherContext keyed(OctetView key, const std::byte* nonce, bool encrypt) const {
        CipherContext out{EVP_CIPHER_CTX_new()};
        if (!out ||
            EVP_CipherInit_ex2(out.get(), cipher_, octets(key.data()), octets(nonce), encrypt ? 1 : 0, nullptr) != 1 ||
            EVP_CIPHER_CTX_set_padding(out.get(), 0) != 1)
            return nullptr;
        return out;
    }
    static bool run(EVP_CIPHER_CTX* context, std::span<std::byte> text) {
        int written = 0;
        return EVP_CipherUpdate(context, octets(text.data()), &written, octets(text.data()),
                                static_cast<int>(text.size())) == 1 &&
               written == static_cast<int>(text.size());
    }

    CryptoContext& context_;
    std::size_t iv_octets_, block_octets_, icv_octets_;

private:
    std::size_t padded(std::size_t inner) const {
        return (inner + 1 + block_octets_ - 1) / block_octets_ * block_octets_;
    }
    /// All of a datagram but the ciphertext.
    std::size_t frame_octets(Place place) const {
        return header_octets + payload_header_octets + (place.fragment() ? fragment_header_octets : 0) + iv_octets_ +
               icv_octets_;
    }

    Result<Octets> seal_at(const Header& header, PayloadType inner_first, OctetView inner, Place place) {
        const std::size_t text = padded(inner.size()), total = frame_octets(place) + text;
        Octets out;
        out.reserve(total);
        write_header(out, header, place.fragment() ? PayloadType::encrypted_fragment : PayloadType::encrypted, total);
        out.push_back(static_cast<std::byte>(inner_first));
        out.push_back(std::byte{0});
        put_u16(out, total - header_octets);
        if (place.fragment()) {
            put_u16(out, place.number);
            put_u16(out, place.total);
        }
        const std::size_t iv_at = out.size();
        TORII_TRY(const Octets iv, next_iv());
        out.insert(out.end(), iv.begin(), iv.end());
        out.insert(out.end(), inner.begin(), inner.end());
        out.resize(iv_at + iv_octets_ + text);
        out.back() = static_cast<std::byte>(text - inner.size() - 1);
        if (auto sealed = seal_body(out, iv_at); !sealed) {
            wipe(out);  // it may be in the clear
            return std::unexpected(std::move(sealed).error());
        }
        return out;
    }

    const EVP_CIPHER* cipher_;  // the context's
};

/// RFC 5282: the IV of 8 octets counts, behind the salt it is the nonce.
class AeadCipher final : public FramedCipher {
public:
    AeadCipher(CryptoContext& context, const EncrInfo& encr, const EVP_CIPHER* cipher, OctetView sk_e)
        : FramedCipher(context, encr, cipher, encr.icv_octets),
          key_(sk_e.first(encr.key_octets)),
          salt_(sk_e.subspan(encr.key_octets)) {}

private:
    static constexpr std::size_t nonce_octets = 12;
    std::array<std::byte, nonce_octets> nonce_of(OctetView iv) const {
        std::array<std::byte, nonce_octets> out{};
        std::ranges::copy(iv, std::ranges::copy(salt_.octets(), out.begin()).out);
        return out;
    }
    static bool cover(EVP_CIPHER_CTX* context, OctetView associated) {
        int written = 0;
        return EVP_CipherUpdate(context, nullptr, &written, octets(associated.data()),
                                static_cast<int>(associated.size())) == 1;
    }

    Result<Octets> next_iv() override {
        if (count_ == std::numeric_limits<std::uint64_t>::max())
            return fail(Errc::no_room, "the IVs of this key are used up (RFC 5282 3.1)");
        Octets iv(iv_octets_);
        for (std::size_t i = 0; i < iv.size(); ++i) iv[i] = static_cast<std::byte>(count_ >> (8 * (iv.size() - 1 - i)));
        ++count_;
        return iv;
    }
    Result<void> seal_body(Octets& message, std::size_t iv_at) override {
        const std::size_t text_at = iv_at + iv_octets_;
        const auto nonce = nonce_of(OctetView{message}.subspan(iv_at, iv_octets_));
        const CipherContext cipher = keyed(key_.octets(), nonce.data(), true);
        std::array<std::byte, 16> icv{};
        int written = 0;
        if (!cipher || !cover(cipher.get(), OctetView{message}.first(iv_at)) ||
            !run(cipher.get(), std::span{message}.subspan(text_at)) ||
            EVP_CipherFinal_ex(cipher.get(), octets(icv.data()), &written) != 1 ||
            EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(icv_octets_), icv.data()) != 1)
            return openssl_failed("seal a message");
        message.insert(message.end(), icv.begin(), icv.begin() + static_cast<std::ptrdiff_t>(icv_octets_));
        return {};
    }
    Result<void> open_body(OctetView associated, OctetView iv, std::span<std::byte> text, OctetView icv) override {
        const auto nonce = nonce_of(iv);
        const CipherContext cipher = keyed(key_.octets(), nonce.data(), false);
        std::array<std::byte, 16> wanted{}, rest{};
        std::ranges::copy(icv, wanted.begin());
        int written = 0;
        if (!cipher ||
            EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(icv_octets_), wanted.data()) !=
                1 ||
            !cover(cipher.get(), associated) || !run(cipher.get(), text) ||
            EVP_CipherFinal_ex(cipher.get(), octets(rest.data()), &written) != 1)
            return not_authentic();
        return {};
    }

    SecretBytes key_, salt_;
    std::uint64_t count_ = 0;
};

/// RFC 7296 3.14: encrypted in CBC mode under a random IV, then authenticated from the header on.
class CbcCipher final : public FramedCipher {
public:
    CbcCipher(CryptoContext& context, const EncrInfo& encr, const EVP_CIPHER* cipher, const IntegInfo& integ,
              OctetView sk_e, OctetView sk_a)
        : FramedCipher(context, encr, cipher, integ.icv_octets), integ_(integ.id), key_(sk_e), integ_key_(sk_a) {}

private:
    Result<Octets> next_iv() override {
        Octets iv(iv_octets_);
        context_.fill(iv);
        return iv;
    }
    Result<void> seal_body(Octets& message, std::size_t iv_at) override {
        const CipherContext cipher = keyed(key_.octets(), message.data() + iv_at, true);
        if (!cipher || !run(cipher.get(), std::span{message}.subspan(iv_at + iv_octets_)))
            return openssl_failed("seal a message");
        TORII_TRY(const SecretBytes icv, tag({message}));
        const OctetView kept = icv.octets().first(icv_octets_);
        message.insert(message.end(), kept.begin(), kept.end());
        return {};
    }
    Result<void> open_body(OctetView associated, OctetView iv, std::span<std::byte> text, OctetView icv) override {
        const auto wanted = tag({associated, iv, text});
        if (!wanted || CRYPTO_memcmp(wanted->octets().data(), icv.data(), icv_octets_) != 0) return not_authentic();
        const CipherContext cipher = keyed(key_.octets(), iv.data(), false);
        if (!cipher || !run(cipher.get(), text)) return not_authentic();
        return {};
    }
    Result<SecretBytes> tag(std::initializer_list<OctetView> parts) {
        const std::span<const OctetView> views{parts.begin(), parts.size()};
        switch (integ_) {
            case IntegId::hmac_sha1_96: return hmac(context_, "SHA1", integ_key_.octets(), views);
            case IntegId::hmac_sha2_256_128: return hmac(context_, "SHA256", integ_key_.octets(), views);
            case IntegId::hmac_sha2_384_192: return hmac(context_, "SHA384", integ_key_.octets(), views);
            case IntegId::hmac_sha2_512_256: return hmac(context_, "SHA512", integ_key_.octets(), views);
            case IntegId::aes_xcbc_96: return xcbc(context_, integ_key_.octets(), views);
            case IntegId::aes_cmac_96: return cmac(context_, integ_key_.octets(), views);
            default: return fail(Errc::unsupported, name_of(integ_) + " protects no messages");
        }
    }

    IntegId integ_;
    SecretBytes key_, integ_key_;
};

const char* evp_name(const EncrInfo& encr) {
    const auto by_key = [&](const char* bits128, const char* bits192, const char* bits256) {
        return encr.key_bits == 128 ? bits128 : encr.key_bits == 192 ? bits192 : bits256;
    };
    switch (encr.id) {
        case EncrId::aes_cbc: return by_key("AES-128-CBC", "AES-192-CBC", "AES-256-CBC");
        case EncrId::aes_gcm_16: return by_key("AES-128-GCM", "AES-192-GCM", "AES-256-GCM");
        case EncrId::chacha20_poly1305: return "ChaCha20-Poly1305";
        case EncrId::des3: return "DES-EDE3-CBC";
        default: return nullptr;
    }
}

std::unexpected<Error> wrong_key(const std::string& what, std::size_t is, std::size_t wanted) {
    return fail(Errc::bad_key_length,
                what + " takes " + std::to_string(wanted) + " octets of key, not " + std::to_string(is));
}

}  // namespace

Result<std::unique_ptr<MessageCipher>> MessageCipher::make(CryptoContext& context, const Suite& suite, OctetView sk_e,
                                                           OctetView sk_a) {
    const EncrInfo* const encr = find(suite.encr, suite.encr_key_bits);
    const char* const name = encr == nullptr || !encr->for_ike ? nullptr : evp_name(*encr);
    if (name == nullptr) return fail(Errc::unsupported, name_of(suite.encr) + " protects no messages of ours");
    const std::size_t key_octets = static_cast<std::size_t>(encr->key_octets) + encr->salt_octets;
    if (sk_e.size() != key_octets) return wrong_key(std::string{encr->word}, sk_e.size(), key_octets);
    const EVP_CIPHER* const cipher = context.cipher(name);
    if (cipher == nullptr) return openssl_failed(std::string{"run "} + name);
    if (encr->aead()) {
        if (suite.integ != IntegId::none || !sk_a.empty())
            return fail(Errc::bad_value, std::string{encr->word} + " takes no integrity beside it (RFC 7296 3.3)");
        return std::make_unique<AeadCipher>(context, *encr, cipher, sk_e);
    }
    const IntegInfo* const integ = find(suite.integ);
    if (integ == nullptr)
        return fail(Errc::unsupported, std::string{encr->word} + " needs an integrity beside it, and " +
                                           name_of(suite.integ) + " is none of ours");
    if (sk_a.size() != integ->key_octets) return wrong_key(std::string{integ->word}, sk_a.size(), integ->key_octets);
    return std::make_unique<CbcCipher>(context, *encr, cipher, *integ, sk_e, sk_a);
}

}  // namespace torii::ike
