// What the engine's kernels have in common: a kernel is one way to do one suite, from one library through one of its
// interfaces. Kernels are immutable once made and shared by all workers; what they write to while they work is the
// caller's Workbench. Inside the crypto room only.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "crypto/engine.h"
#include "crypto/ipsec_mb.h"

namespace torii {

/// The most jobs seal() and open() take at once.
inline constexpr std::size_t batch_jobs = 256;
inline constexpr std::size_t esp_header_octets = 8;  // SPI and sequence number (RFC 4303 2)
inline constexpr std::size_t icv_octets_max = 32;

/// What a suite means for the octets of a packet.
struct SuiteShape {
    Suite suite;
    std::uint32_t iv_octets, icv_octets;
    std::uint32_t text_unit;  // text is a positive multiple of this; 1 where any length will do, none included

    explicit SuiteShape(const Suite& of);
    std::size_t text_at() const { return esp_header_octets + iv_octets; }
    /// ESP header, IV and text: what an authenticator covers, but for the high half of an extended sequence number.
    std::size_t covered(const CryptoJob& job) const { return text_at() + job.text_octets; }
    bool fits(const CryptoJob& job) const {
        return text_unit == 1 || (job.text_octets != 0 && job.text_octets % text_unit == 0);
    }
};

/// Room in which one worker's kernels work, and the IPsec-MB managers they submit to. One thread at a time.
struct Workbench {
    ImbManagers managers;                                    // of every instruction set there is: no packet makes one
    std::array<CryptoJob*, batch_jobs> live;                 // the jobs whose length fits the cipher
    std::array<std::array<std::byte, 64>, batch_jobs> tags;  // computed ICVs of inbound jobs
    std::array<std::uint32_t, batch_jobs> tails;             // first octets of ICVs while sequence numbers stand there
    std::array<std::array<std::byte, 16>, batch_jobs> nonces;  // salt and IV in one piece
    std::array<std::array<std::byte, 16>, batch_jobs> aads;    // what an AEAD covers beside the text, in one piece
    std::array<IMB_JOB, imb_burst_jobs> imb_jobs;
    std::array<IMB_JOB*, imb_burst_jobs> imb_burst;
};

struct SuiteKeys {
    std::span<const std::byte> cipher;  // the salt at its end, when the cipher has one
    std::span<const std::byte> auth;
};

class Kernel {
public:
    virtual ~Kernel() = default;
    virtual std::string name() const = 0;
    /// `block` is zero; control thread. Errc::internal when a library refuses.
    virtual Result<void> expand(const SuiteKeys& keys, std::byte* block) const = 0;
    /// Frees what expand() left outside the block; the caller wipes the block.
    virtual void release(std::byte* /*block*/) const {}
    /// All jobs are this kernel's suite; 1..batch_jobs.
    virtual void seal(Workbench& bench, std::span<CryptoJob> jobs) const = 0;
    virtual void open(Workbench& bench, std::span<CryptoJob> jobs) const = 0;
};

/// One half of a kernel that ciphers and authenticates separately.
class CipherPart {
public:
    virtual ~CipherPart() = default;
    virtual Result<void> expand(std::span<const std::byte> key, std::byte* block) const = 0;
    virtual void release(std::byte* /*block*/) const {}
    virtual void encrypt(Workbench& bench, std::span<CryptoJob* const> jobs) const = 0;
    virtual void decrypt(Workbench& bench, std::span<CryptoJob* const> jobs) const = 0;
};

/// The other half. verify() sets `authentic`; neither touches text.
class AuthPart {
public:
    virtual ~AuthPart() = default;
    virtual Result<void> expand(std::span<const std::byte> key, std::byte* block) const = 0;
    virtual void release(std::byte* /*block*/) const {}
    virtual void stamp(Workbench& bench, std::span<CryptoJob* const> jobs) const = 0;
    virtual void verify(Workbench& bench, std::span<CryptoJob* const> jobs) const = 0;
};

/// The key block of every suite that is not an AEAD. Each kernel fills the fields it uses.
struct PairKeyBlock {
    std::array<std::byte, 64> inner, outer;  // HMAC states after the padded key (RFC 2104 4); a CMAC's subkeys, K2 and
                                             // K3 of an XCBC; the padded key and the key of a keyed hash
    std::array<std::byte, 256> aes_encrypt, aes_decrypt;  // round keys
    std::array<std::byte, 176> mac_round_keys;            // of a CMAC or XCBC
    std::array<std::byte, 4> salt;                        // of a counter mode
    void* encryptor;                                      // OpenSSL contexts, already keyed
    void* decryptor;
    void* mac;

    static PairKeyBlock& in(std::byte* block) { return *reinterpret_cast<PairKeyBlock*>(block); }
    static const PairKeyBlock& in(const std::byte* block) { return *reinterpret_cast<const PairKeyBlock*>(block); }
};
static_assert(sizeof(PairKeyBlock) <= key_block_octets);

/// The nonce of a counter mode: salt, then the IV on the wire (RFC 4106 4, RFC 4309 4, RFC 3686 4).
inline void put_nonce(std::span<const std::byte> salt, const CryptoJob& job, std::byte* out) {
    std::memcpy(out, salt.data(), salt.size());
    std::memcpy(out + salt.size(), job.head + esp_header_octets, 8);
}

/// What an AEAD covers beside the text: SPI and sequence number, the latter whole when it is extended (RFC 4106 5).
/// Returns its octets.
inline std::size_t put_aad(const CryptoJob& job, std::byte* out) {
    std::memcpy(out, job.head, esp_header_octets);
    if (!job.esn) return esp_header_octets;
    const std::uint32_t high = __builtin_bswap32(job.sequence_high);
    std::memcpy(out + 4, &high, 4);
    std::memcpy(out + 8, job.head + 4, 4);
    return esp_header_octets + 4;
}

/// Whether two ICVs of `octets` (a multiple of four) are the same, in time that depends on `octets` alone.
inline bool same_icv(const std::byte* a, const std::byte* b, std::size_t octets) {
    std::uint32_t difference = 0;
    for (std::size_t at = 0; at < octets; at += 4) {
        std::uint32_t x, y;
        std::memcpy(&x, a + at, 4);
        std::memcpy(&y, b + at, 4);
        difference |= x ^ y;
    }
    return difference == 0;
}

/// The jobs whose text fits the suite, gathered on the bench. Of the others an outbound text is blotted out, and an
/// inbound job is not authentic and left alone.
std::span<CryptoJob* const> gather_outbound(Workbench& bench, const SuiteShape& shape, std::span<CryptoJob> jobs);
std::span<CryptoJob* const> gather_inbound(Workbench& bench, const SuiteShape& shape, std::span<CryptoJob> jobs);

/// Zeroes a text that was not encrypted: a fault of ours must not become clear text on the wire.
void blot(const SuiteShape& shape, const CryptoJob& job);

/// Every candidate for `suite` that this machine could run, the likely fastest first. Proven by nobody yet.
std::vector<std::unique_ptr<Kernel>> candidates(const Suite& suite);

}  // namespace torii
