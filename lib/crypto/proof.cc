#include "crypto/proof.h"

#include <openssl/evp.h>
#include <x86intrin.h>

#include <optional>

#include "base/secret_bytes.h"

namespace torii {
namespace {

/// Octets that look random and are the same everywhere: splitmix64, low octet first.
class Pattern {
public:
    explicit Pattern(std::uint64_t seed) : state_(seed) {}
    void fill(std::span<std::byte> out) {
        for (std::size_t at = 0; at < out.size(); at += 8) {
            const std::uint64_t word = next();
            std::memcpy(out.data() + at, &word, std::min<std::size_t>(8, out.size() - at));
        }
    }

private:
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
    std::uint64_t state_;
};

constexpr std::size_t cipher_key_room = 56, auth_key_room = 64;  // of the longest keys

std::size_t cipher_key_octets(const Suite& suite, std::size_t which) {
    const KeyBits lengths = info(suite.cipher).key_bits;
    if (lengths.step == 8) return (lengths.low + (lengths.high - lengths.low) / 8u * which / 4 * 8) / 8u;
    return suite.cipher_key_bits / 8u + info(suite.cipher).salt_octets;
}

/// From one block to 94, with lengths that are no multiple of 16 where the cipher allows them.
std::size_t proof_text_octets(const Suite& suite, std::size_t i) {
    const std::size_t unit = info(suite.cipher).block_octets;
    const std::size_t blocks = i < 34 ? 1 + i : 34 + (i - 33) * 4;
    return (blocks * 16 - 4 * (i % 4)) / unit * unit;
}

struct KnownAnswer {
    Suite suite;
    std::uint64_t digest;
};
constexpr KnownAnswer known_answers[]{
#include "crypto/known_answers.inc"
};

}  // namespace

HeldKey::HeldKey(const Kernel& kernel, const SuiteKeys& keys)
    : kernel_(kernel), outcome_(kernel.expand(keys, block_)) {}

HeldKey::~HeldKey() {
    if (outcome_) kernel_.release(block_);
    wipe(block_);
}

std::uint64_t known_answer(const Suite& suite) {
    for (const KnownAnswer& row : known_answers)
        if (row.suite == suite) return row.digest;
    return 0;
}

ProofPackets::ProofPackets(const Suite& suite)
    : shape_(suite), key_octets_(keys * (cipher_key_room + auth_key_room)), octets_(count * slot_octets) {
    Pattern{1}.fill(key_octets_);
    Pattern{2}.fill(octets_);
}

SuiteKeys ProofPackets::key(std::size_t which) const {
    const auto room = std::span{key_octets_}.subspan(which * (cipher_key_room + auth_key_room));
    return {room.first(cipher_key_octets(shape_.suite, which)),
            room.subspan(cipher_key_room).first(info(shape_.suite.auth).key_bits.low / 8u)};
}

std::vector<CryptoJob> ProofPackets::jobs(std::span<const std::byte* const> key_blocks) {
    std::vector<CryptoJob> out(count);
    for (std::size_t i = 0; i < count; ++i) {
        CryptoJob& job = out[i];
        job.key = key_blocks[i % keys];
        job.head = octets_.data() + i * slot_octets;
        job.text_octets = static_cast<std::uint32_t>(proof_text_octets(shape_.suite, i));
        job.icv = job.head + shape_.covered(job);
        job.esn = i % 3 == 1;
        job.sequence_high = static_cast<std::uint32_t>(0x01020304 * i);
    }
    return out;
}

std::uint64_t ProofPackets::digest() const {
    std::array<unsigned char, EVP_MAX_MD_SIZE> whole{};
    std::uint64_t first = 0;
    if (EVP_Digest(octets_.data(), octets_.size(), whole.data(), nullptr, EVP_sha256(), nullptr) == 1)
        for (std::size_t i = 0; i < 8; ++i) first = first << 8 | whole[i];
    return first;
}

namespace {

bool all_authentic(std::span<const CryptoJob> jobs) {
    return std::ranges::all_of(jobs, [](const CryptoJob& job) { return job.authentic; });
}

/// Alters one octet of every second packet, in its ICV and then in its text's first octets: refused, and nobody else
/// is.
Result<void> prove_refusal(const Kernel& kernel, Workbench& bench, std::span<CryptoJob> jobs, const SuiteShape& shape) {
    for (std::size_t i = 0; i < jobs.size(); i += 2)
        if (i % 4 == 0)
            jobs[i].icv[i % shape.icv_octets] ^= std::byte{0x10};
        else
            jobs[i].head[i % shape.covered(jobs[i])] ^= std::byte{0x01};
    kernel.open(bench, jobs);
    for (std::size_t i = 0; i < jobs.size(); ++i)
        if (jobs[i].authentic == (i % 2 == 0))
            return fail(Errc::internal, "does not tell altered packets from true ones");
    return {};
}

}  // namespace

Result<void> prove(const Kernel& kernel, const Suite& suite, Workbench& bench) {
    const SuiteShape shape{suite};
    ProofPackets packets{suite};
    std::array<std::optional<HeldKey>, ProofPackets::keys> held;
    std::array<const std::byte*, ProofPackets::keys> blocks;
    for (std::size_t i = 0; i < held.size(); ++i) {
        TORII_CHECK(held[i].emplace(kernel, packets.key(i)).outcome());
        blocks[i] = held[i]->block();
    }
    const std::vector<std::byte> unsealed = packets.octets();
    auto jobs = packets.jobs(blocks);
    kernel.seal(bench, jobs);
    if (packets.digest() != known_answer(suite)) return fail(Errc::internal, "gives wrong answers outbound");

    const std::vector<std::byte> sealed = packets.octets();
    kernel.open(bench, jobs);
    if (!all_authentic(jobs)) return fail(Errc::internal, "refuses true packets");
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        const std::size_t end = i * ProofPackets::slot_octets + shape.covered(jobs[i]);
        if (std::memcmp(jobs[i].head, unsealed.data() + i * ProofPackets::slot_octets, shape.covered(jobs[i])) != 0 ||
            std::memcmp(jobs[i].icv, sealed.data() + end, shape.icv_octets) != 0)
            return fail(Errc::internal, "gives wrong answers inbound");
    }
    if (shape.icv_octets == 0) return {};
    std::memcpy(jobs[0].head, sealed.data(), sealed.size());
    return prove_refusal(kernel, bench, jobs, shape);
}

namespace {

constexpr std::size_t timed_packets = 32;

/// A batch of packets, each with a key of its own.
class TimedBatch {
public:
    TimedBatch(const Kernel& kernel, const SuiteShape& shape, Workbench& bench)
        : kernel_(kernel),
          shape_(shape),
          bench_(bench),
          octets_(timed_packets * ProofPackets::slot_octets),
          jobs_(timed_packets) {
        std::array<std::byte, cipher_key_room + auth_key_room> key;
        Pattern pattern{3};
        for (std::size_t i = 0; i < timed_packets; ++i) {
            pattern.fill(key);
            const auto& held = keys_[i].emplace(
                kernel, SuiteKeys{std::span{key}.first(cipher_key_octets(shape.suite, 2)),
                                  std::span{key}.subspan(cipher_key_room, info(shape.suite.auth).key_bits.low / 8u)});
            jobs_[i].key = held.block();
            jobs_[i].head = octets_.data() + i * ProofPackets::slot_octets;
        }
    }
    /// All texts become `octets` long, or the next length above that the cipher takes.
    void resize(std::uint32_t octets) {
        const std::uint32_t unit = info(shape_.suite.cipher).block_octets;
        for (CryptoJob& job : jobs_) {
            job.text_octets = (octets + unit - 1) / unit * unit;
            job.icv = job.head + shape_.covered(job);
        }
    }
    double seal_cycles() {
        return least_cycles([&] { kernel_.seal(bench_, jobs_); }, [] {});
    }
    /// After seal_cycles(). Each round opens true packets: a kernel may have less to do with others.
    double open_cycles() {
        const auto sealed = octets_;
        return least_cycles([&] { kernel_.open(bench_, jobs_); }, [&] { octets_ = sealed; });
    }

private:
    /// Per packet, the least of several rounds; slow kernels get fewer.
    template <class Work, class Before>
    static double least_cycles(Work work, Before before) {
        constexpr int rounds_most = 9, rounds_least = 2;
        constexpr std::uint64_t enough = 400'000;
        std::uint64_t least = ~std::uint64_t{0}, spent = 0;
        for (int round = 0; round < rounds_most && (spent < enough || round < rounds_least); ++round) {
            before();
            unsigned processor = 0;
            const std::uint64_t start = __rdtscp(&processor);
            work();
            const std::uint64_t took = __rdtscp(&processor) - start;
            least = std::min(least, took);
            spent += took;
        }
        return static_cast<double>(least) / timed_packets;
    }

    const Kernel& kernel_;
    const SuiteShape& shape_;
    Workbench& bench_;
    std::vector<std::byte> octets_;
    std::array<std::optional<HeldKey>, timed_packets> keys_;
    std::vector<CryptoJob> jobs_;
};

}  // namespace

Speed measure(const Kernel& kernel, const Suite& suite, Workbench& bench) {
    const SuiteShape shape{suite};
    TimedBatch batch{kernel, shape, bench};
    Speed speed;
    batch.resize(64);
    speed.seal_64 = batch.seal_cycles();
    speed.open_64 = batch.open_cycles();
    batch.resize(1420);
    speed.seal_1420 = batch.seal_cycles();
    speed.open_1420 = batch.open_cycles();
    return speed;
}

}  // namespace torii
