// AES-GCM (RFC 4106) by the routines that take one packet a call: no job, no lanes, so all that is left beside the
// cipher is fetching the keys of packets to come. This is the path the gateway's speed rests on.
#include "crypto/kernel.h"

#ifdef TORII_GCM_VAES_AVX2
// In the static library of IPsec-MB 2.0, but in none of its headers. Its AVX2 manager takes them on CPUs that also have
// GFNI; the routines themselves use only VAES and VPCLMULQDQ, which older CPUs (Zen 3) have without GFNI.
extern "C" {
#define TORII_GCM_ROUTINES(bits)                                                                                    \
    void aes_gcm_pre_##bits##_vaes_avx2(const void*, gcm_key_data*);                                                \
    void aes_gcm_enc_##bits##_vaes_avx2(const gcm_key_data*, gcm_context_data*, std::uint8_t*, const std::uint8_t*, \
                                        std::uint64_t, const std::uint8_t*, const std::uint8_t*, std::uint64_t,     \
                                        std::uint8_t*, std::uint64_t);                                              \
    void aes_gcm_dec_##bits##_vaes_avx2(const gcm_key_data*, gcm_context_data*, std::uint8_t*, const std::uint8_t*, \
                                        std::uint64_t, const std::uint8_t*, const std::uint8_t*, std::uint64_t,     \
                                        std::uint8_t*, std::uint64_t);
TORII_GCM_ROUTINES(128)
TORII_GCM_ROUTINES(192)
TORII_GCM_ROUTINES(256)
#undef TORII_GCM_ROUTINES
}
#endif

namespace torii {
namespace {

struct GcmRoutines {
    aes_gcm_pre_t expand;
    aes_gcm_enc_dec_t encrypt, decrypt;
};

/// The salt stands right behind the library's key data, in a line that every packet needs anyway.
struct GcmKeyBlock {
    gcm_key_data data;
    std::array<std::byte, 4> salt;
};
static_assert(sizeof(GcmKeyBlock) <= key_block_octets);

constexpr std::size_t line_octets = 64;
constexpr std::size_t key_lines = key_block_octets / line_octets;
// Packets between the fetch of a key and its use (4 to 8 were best), and between the stores of a prelude and the
// routine's loads of it (2 left the stores unfinished, which cost 25 cycles a packet).
constexpr std::size_t keys_ahead = 8, preludes_ahead = 4;
constexpr std::size_t longest_kind = 64;  // texts of this many 16-octet blocks and more need the same lines

class GcmDirectKernel final : public Kernel {
public:
    GcmDirectKernel(std::string name, const GcmRoutines& routines, const Suite& suite)
        : name_(std::move(name)),
          routines_(routines),
          key_octets_(suite.cipher_key_bits / 8u),
          icv_octets_(info(suite.cipher).icv_octets) {
        for (std::size_t kind = 0; kind <= longest_kind; ++kind) lines_[kind] = lines_needed(kind * 16);
    }
    std::string name() const override { return name_; }
    Result<void> expand(const SuiteKeys& keys, std::byte* block) const override {
        auto& into = *reinterpret_cast<GcmKeyBlock*>(block);
        routines_.expand(keys.cipher.data(), &into.data);
        std::ranges::copy(keys.cipher.subspan(key_octets_), into.salt.begin());
        return {};
    }
    void seal(Workbench& /*bench*/, std::span<CryptoJob> jobs) const override {
        run(jobs,
            [this](const CryptoJob& job, const Prelude& prelude) { crypt(routines_.encrypt, job, prelude, job.icv); });
    }
    void open(Workbench& /*bench*/, std::span<CryptoJob> jobs) const override {
        run(jobs, [this](CryptoJob& job, const Prelude& prelude) {
            alignas(16) std::array<std::byte, 16> tag;
            crypt(routines_.decrypt, job, prelude, tag.data());
            job.authentic = same_icv(job.icv, tag.data(), icv_octets_);
        });
    }

private:
    static constexpr std::size_t text_at = esp_header_octets + 8;

    /// What the routine wants in one piece and the packet has in several: nonce (RFC 4106 4) and AAD (RFC 4106 5).
    struct alignas(64) Prelude {
        std::array<std::uint8_t, 16> nonce, aad;
        std::size_t aad_octets;
    };
    static void prepare_prelude(const CryptoJob& job, Prelude& out) {
        std::memcpy(out.nonce.data(), reinterpret_cast<const GcmKeyBlock*>(job.key)->salt.data(), 4);
        std::memcpy(out.nonce.data() + 4, job.head + esp_header_octets, 8);
        // In two stores that do not overlap, for one load of the routine's: three that did held it up more often.
        std::uint64_t header;  // SPI and sequence number, as they stand on the wire
        std::memcpy(&header, job.head, sizeof header);
        const std::uint64_t high = __builtin_bswap32(job.sequence_high);
        const std::uint64_t first = job.esn ? (header & 0xffffffff) | high << 32 : header;
        const std::uint64_t second = header >> 32;  // read with an extended sequence number alone
        std::memcpy(out.aad.data(), &first, sizeof first);
        std::memcpy(out.aad.data() + 8, &second, sizeof second);
        out.aad_octets = esp_header_octets + (job.esn ? 4 : 0);
    }

    template <class Crypt>
    void run(std::span<CryptoJob> jobs, Crypt crypt) const {
        std::array<Prelude, 8> preludes;
        static_assert(preludes_ahead < preludes.size());
        const std::size_t count = jobs.size();
        for (std::size_t i = 0; i < std::min(keys_ahead, count); ++i) fetch_key(jobs[i]);
        for (std::size_t i = 0; i < std::min(preludes_ahead, count); ++i) prepare_prelude(jobs[i], preludes[i]);
        for (std::size_t i = 0; i < count; ++i) {
            if (i + keys_ahead < count) fetch_key(jobs[i + keys_ahead]);
            if (const std::size_t next = i + preludes_ahead; next < count)
                prepare_prelude(jobs[next], preludes[next % preludes.size()]);
            crypt(jobs[i], preludes[i % preludes.size()]);
        }
    }
    void crypt(aes_gcm_enc_dec_t routine, const CryptoJob& job, const Prelude& prelude, std::byte* tag) const {
        gcm_context_data context;
        auto* const text = reinterpret_cast<std::uint8_t*>(job.head + text_at);
        routine(&reinterpret_cast<const GcmKeyBlock*>(job.key)->data, &context, text, text, job.text_octets,
                prelude.nonce.data(), prelude.aad.data(), prelude.aad_octets, reinterpret_cast<std::uint8_t*>(tag),
                icv_octets_);
    }

    void fetch_key(const CryptoJob& job) const {
        const std::size_t kind = std::min<std::size_t>((job.text_octets + 15) / 16, longest_kind);
        for (std::uint32_t lines = lines_[kind]; lines != 0; lines &= lines - 1)
            __builtin_prefetch(job.key + static_cast<std::size_t>(__builtin_ctz(lines)) * line_octets);
    }

    /// Which lines of a key block the routine reads for a text of `octets`: those whose change changes the packet.
    /// Asked of the routine itself, since it differs between instruction sets, key lengths and library versions. A
    /// wrong answer would only cost time.
    std::uint32_t lines_needed(std::size_t octets) const;

    std::string name_;
    GcmRoutines routines_;
    std::size_t key_octets_, icv_octets_;
    std::array<std::uint32_t, longest_kind + 1> lines_{};
};

std::uint32_t GcmDirectKernel::lines_needed(std::size_t octets) const {
    struct alignas(line_octets) Block {
        std::array<std::byte, key_block_octets> octets{};
    } block;
    const std::array<std::byte, 36> key{};
    (void)expand({std::span{key}.first(key_octets_ + 4), {}}, block.octets.data());
    std::array<std::byte, text_at + longest_kind * 16 + 16> first, second;
    const auto seal_into = [&](std::span<std::byte> packet) {
        std::ranges::fill(packet, std::byte{0});
        const CryptoJob job{.key = block.octets.data(),
                            .head = packet.data(),
                            .icv = packet.data() + text_at + octets,
                            .text_octets = static_cast<std::uint32_t>(octets)};
        Prelude prelude;
        prepare_prelude(job, prelude);
        crypt(routines_.encrypt, job, prelude, job.icv);
    };
    seal_into(first);
    std::uint32_t needed = 0;
    for (std::size_t line = 0; line < key_lines; ++line) {
        const auto flip = [&] {
            for (std::size_t i = 0; i < line_octets; ++i) block.octets[line * line_octets + i] ^= std::byte{0x5a};
        };
        flip();
        seal_into(second);
        flip();
        if (first != second) needed |= 1u << line;
    }
    return needed;
}

void add_kernel(std::vector<std::unique_ptr<Kernel>>& out, std::string name, const Suite& suite,
                const std::array<GcmRoutines, 3>& by_key_length) {
    const GcmRoutines& routines = by_key_length[suite.cipher_key_bits / 64u - 2];
    out.push_back(std::make_unique<GcmDirectKernel>(std::move(name), routines, suite));
}

}  // namespace

std::vector<std::unique_ptr<Kernel>> imb_gcm_kernels(const Suite& suite) {
    std::vector<std::unique_ptr<Kernel>> out;
    const CipherId cipher = suite.cipher;
    if (cipher != CipherId::aes_gcm_16 && cipher != CipherId::aes_gcm_12 && cipher != CipherId::aes_gcm_8) return out;
    for (const ImbArch arch : imb_arches) {
        if (!imb_supports(arch)) continue;
        const IMB_MGR& m = imb_routines(arch);
        add_kernel(out, "ipsec-mb " + std::string{name_of(arch)} + " direct", suite,
                   {{{m.gcm128_pre, m.gcm128_enc, m.gcm128_dec},
                     {m.gcm192_pre, m.gcm192_enc, m.gcm192_dec},
                     {m.gcm256_pre, m.gcm256_enc, m.gcm256_dec}}});
    }
#ifdef TORII_GCM_VAES_AVX2
    constexpr std::uint64_t features = IMB_CPUFLAGS_AVX2 | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;
    if ((imb_cpu_features() & features) == features)
        add_kernel(out, "ipsec-mb vaes-avx2 direct", suite,
                   {{{aes_gcm_pre_128_vaes_avx2, aes_gcm_enc_128_vaes_avx2, aes_gcm_dec_128_vaes_avx2},
                     {aes_gcm_pre_192_vaes_avx2, aes_gcm_enc_192_vaes_avx2, aes_gcm_dec_192_vaes_avx2},
                     {aes_gcm_pre_256_vaes_avx2, aes_gcm_enc_256_vaes_avx2, aes_gcm_dec_256_vaes_avx2}}});
#endif
    return out;
}

}  // namespace torii
