// ESP packets as a peer may send them, right or wrong in any field: sealed with a key of our choice around a text that
// the test writes octet by octet.
#pragma once

#include <string_view>

#include "crypto/engine.h"
#include "test/support/packets.h"

namespace torii::test {

inline Octets octets_of_text(std::string_view text) {
    const auto view = std::as_bytes(std::span{text});
    return {view.begin(), view.end()};
}

/// Payload, padding and trailer: what ESP encrypts. The pad length may lie.
inline Octets esp_text(const Octets& payload, std::uint8_t next_header, const Octets& padding,
                       std::uint8_t padding_octets) {
    return payload + padding + Octets{std::byte{padding_octets}, std::byte{next_header}};
}
/// The same as RFC 4303 2.4 wants it: 1, 2, 3, ... up to a multiple of `alignment`.
inline Octets esp_text(const Octets& payload, std::uint8_t next_header, std::size_t alignment = 4) {
    Octets padding;
    while ((payload.size() + padding.size() + 2) % alignment != 0) padding.push_back(std::byte(padding.size() + 1));
    return esp_text(payload, next_header, padding, static_cast<std::uint8_t>(padding.size()));
}

class Forger {
public:
    Forger(const Suite& suite, std::string_view cipher_key, std::string_view auth_key = {})
        : suite_(book().suite(suite).value()),
          iv_octets_(info(suite.cipher).iv_octets),
          icv_octets_(info(suite.cipher).aead() ? info(suite.cipher).icv_octets : info(suite.auth).icv_octets),
          engine_(book().make_engine()) {
        (void)book()
            .expand(suite_, std::as_bytes(std::span{cipher_key}), std::as_bytes(std::span{auth_key}), key_)
            .value();
    }
    ~Forger() { book().erase(suite_, key_); }
    Forger(const Forger&) = delete;
    /// An AES-GCM key of setkey's: 16 octets and the salt.
    explicit Forger(std::string_view gcm_key) : Forger({CipherId::aes_gcm_16, AuthId::null, 128}, gcm_key) {}

    /// The ESP payload of an IP packet: header, IV, sealed text, ICV.
    Octets esp(std::uint32_t spi, std::uint32_t sequence, const Octets& text) {
        const EspHeader header{.spi = spi, .sequence_low = sequence};
        Octets out = octets_of(header) + Octets(iv_octets_, std::byte{static_cast<unsigned char>(sequence)}) + text +
                     Octets(icv_octets_);
        CryptoJob job;
        job.key = key_;
        job.head = out.data();
        job.text_octets = static_cast<std::uint32_t>(text.size());
        job.icv = out.data() + out.size() - icv_octets_;
        job.suite = suite_;
        engine_->seal({&job, 1});
        return out;
    }
    /// A tunnel packet around `inner`, as an honest peer would send it.
    Octets tunnel(std::string_view source, std::string_view destination, std::uint32_t spi, std::uint32_t sequence,
                  const Octets& inner, const Ipv4Options& outer = {}) {
        return ipv4(source, destination, 50, esp(spi, sequence, esp_text(inner, 4)), outer);
    }

private:
    static const CryptoBook& book() {
        static const auto made = CryptoBook::make({.time_kernels = false, .only = {}}).value();
        return *made;
    }
    SuiteIndex suite_;
    std::size_t iv_octets_, icv_octets_;
    std::unique_ptr<CryptoEngine> engine_;
    alignas(64) std::byte key_[key_block_octets]{};
};

}  // namespace torii::test
