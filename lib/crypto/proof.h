// What a kernel must do before it is trusted, and how fast it does it. A proof seals a fixed set of packets under five
// keys mixed in one batch, with and without extended sequence numbers, at lengths from one block to more than a link's
// MTU, and compares a digest of everything written with the one recorded from an independent implementation; then it
// opens them again, and must refuse altered ones. Inside the crypto room only.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "crypto/kernel.h"

namespace torii {

/// A key block of automatic life, expanded by one kernel.
class HeldKey {
public:
    HeldKey(const Kernel& kernel, const SuiteKeys& keys);
    HeldKey(HeldKey&&) = delete;
    ~HeldKey();
    const std::byte* block() const { return block_; }
    /// Errc::internal when the kernel refused the key.
    const Result<void>& outcome() const { return outcome_; }

private:
    const Kernel& kernel_;
    alignas(64) std::byte block_[key_block_octets]{};
    Result<void> outcome_;
};

/// Errc::internal with what went wrong.
Result<void> prove(const Kernel& kernel, const Suite& suite, Workbench& bench);

/// TSC cycles per packet over a batch of 32 packets of 32 keys: the least of a few rounds.
struct Speed {
    double seal_64 = 0, seal_1420 = 0, open_64 = 0, open_1420 = 0;
};
Speed measure(const Kernel& kernel, const Suite& suite, Workbench& bench);

/// The recorded digest of the sealed proof packets; 0 where none is recorded.
std::uint64_t known_answer(const Suite& suite);

/// The packets of a proof, for those who prove or check the record: unsealed, each in a slot of its own, with ESP
/// header and IV in place and a fixed pattern wherever nothing belongs.
class ProofPackets {
public:
    explicit ProofPackets(const Suite& suite);
    static constexpr std::size_t count = 48, keys = 5, slot_octets = 1664;

    SuiteKeys key(std::size_t which) const;
    /// Jobs over the packets; packet i has the key block keys[i % ProofPackets::keys].
    std::vector<CryptoJob> jobs(std::span<const std::byte* const> key_blocks);
    const std::vector<std::byte>& octets() const { return octets_; }
    std::uint64_t digest() const;

private:
    SuiteShape shape_;
    std::vector<std::byte> key_octets_;
    std::vector<std::byte> octets_;
};

}  // namespace torii
