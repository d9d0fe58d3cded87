// IPsec-MB's AEADs other than AES-GCM: AES-CCM (RFC 4309) and ChaCha20-Poly1305 (RFC 7634) as jobs, and AES-GMAC
// (RFC 4543), which leaves the text in clear.
#include "crypto/ipsec_mb.h"
#include "crypto/ipsec_mb_jobs.h"
#include "crypto/kernel.h"
#include "net/headers.h"

namespace torii {
namespace {

std::uint8_t* raw(std::byte* octets) { return reinterpret_cast<std::uint8_t*>(octets); }

struct AeadKeyBlock {
    std::array<std::byte, 256> key, unused;  // AES round keys (CCM only encrypts), or ChaCha20's key
    std::array<std::byte, 4> salt;

    static AeadKeyBlock& in(std::byte* block) { return *reinterpret_cast<AeadKeyBlock*>(block); }
    static const AeadKeyBlock& in(const std::byte* block) { return *reinterpret_cast<const AeadKeyBlock*>(block); }
};
static_assert(sizeof(AeadKeyBlock) <= key_block_octets);

class AeadJobsKernel final : public Kernel {
public:
    AeadJobsKernel(const Suite& suite, ImbArch arch)
        : shape_(suite), arch_(arch), is_ccm_(suite.cipher != CipherId::chacha20_poly1305) {
        for (const auto direction : {IMB_DIR_ENCRYPT, IMB_DIR_DECRYPT}) {
            IMB_JOB& job = templates_[direction - 1];
            const bool encrypts = direction == IMB_DIR_ENCRYPT;
            job.cipher_direction = direction;
            job.cipher_mode = is_ccm_ ? IMB_CIPHER_CCM : IMB_CIPHER_CHACHA20_POLY1305;
            job.hash_alg = is_ccm_ ? IMB_AUTH_AES_CCM : IMB_AUTH_CHACHA20_POLY1305;
            // CCM authenticates the clear text, ChaCha20-Poly1305 the encrypted one.
            job.chain_order = encrypts == is_ccm_ ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH;
            job.key_len_in_bytes = suite.cipher_key_bits / 8u;
            job.iv_len_in_bytes = salt_octets() + shape_.iv_octets;
            job.auth_tag_output_len_in_bytes = shape_.icv_octets;
#if IMB_VERSION_NUM >= IMB_VERSION(1, 4, 0)
            imb_set_session(&imb_routines(arch), &job);
#endif
        }
    }
    std::string name() const override { return "ipsec-mb " + std::string{name_of(arch_)} + " burst"; }
    Result<void> expand(const SuiteKeys& keys, std::byte* block) const override {
        AeadKeyBlock& into = AeadKeyBlock::in(block);
        const std::size_t key_octets = shape_.suite.cipher_key_bits / 8u;
        std::ranges::copy(keys.cipher.subspan(key_octets), into.salt.begin());
        const IMB_MGR& manager = imb_routines(arch_);
        if (!is_ccm_)
            std::ranges::copy(keys.cipher.first(key_octets), into.key.begin());
        else
            (key_octets == 16 ? manager.keyexp_128 : manager.keyexp_256)(keys.cipher.data(), into.key.data(),
                                                                         into.unused.data());
        return {};
    }
    void seal(Workbench& bench, std::span<CryptoJob> jobs) const override { run(bench, jobs, IMB_DIR_ENCRYPT); }
    void open(Workbench& bench, std::span<CryptoJob> jobs) const override {
        run(bench, jobs, IMB_DIR_DECRYPT);
        for (std::size_t i = 0; i < jobs.size(); ++i)
            jobs[i].authentic = same_icv(jobs[i].icv, bench.tags[i].data(), shape_.icv_octets);
    }

private:
    std::size_t salt_octets() const { return info(shape_.suite.cipher).salt_octets; }

    void run(Workbench& bench, std::span<CryptoJob> jobs, IMB_CIPHER_DIRECTION direction) const {
        imb_run_jobs(bench.managers[arch_], bench, jobs.size(),
                     [&](IMB_JOB& out, std::size_t i) { fill(out, bench, jobs[i], i, direction); });
    }
    void fill(IMB_JOB& out, Workbench& bench, const CryptoJob& job, std::size_t i,
              IMB_CIPHER_DIRECTION direction) const {
        const AeadKeyBlock& keys = AeadKeyBlock::in(job.key);
        put_nonce(std::span{keys.salt}.first(salt_octets()), job, bench.nonces[i].data());
        const std::size_t aad_octets = put_aad(job, bench.aads[i].data());
        out = templates_[direction - 1];
        out.src = raw(job.head);
        out.dst = raw(job.head + shape_.text_at());
        out.enc_keys = out.dec_keys = keys.key.data();
        out.iv = raw(bench.nonces[i].data());
        out.cipher_start_src_offset_in_bytes = out.hash_start_src_offset_in_bytes = shape_.text_at();
        out.msg_len_to_cipher_in_bytes = out.msg_len_to_hash_in_bytes = job.text_octets;
        out.auth_tag_output = raw(direction == IMB_DIR_ENCRYPT ? job.icv : bench.tags[i].data());
        if (is_ccm_) {
            out.u.CCM.aad = bench.aads[i].data();
            out.u.CCM.aad_len_in_bytes = aad_octets;
        } else {
            out.u.CHACHA20_POLY1305.aad = bench.aads[i].data();
            out.u.CHACHA20_POLY1305.aad_len_in_bytes = aad_octets;
        }
    }

    SuiteShape shape_;
    ImbArch arch_;
    bool is_ccm_;
    std::array<IMB_JOB, 2> templates_{};  // by direction - 1
};

struct GmacRoutines {
    aes_gcm_pre_t expand;
    aes_gmac_init_t begin;
    aes_gmac_update_t cover;
    aes_gmac_finalize_t end;
};

GmacRoutines gmac_routines(const IMB_MGR& m, unsigned key_bits) {
    if (key_bits == 128) return {m.gcm128_pre, m.gmac128_init, m.gmac128_update, m.gmac128_finalize};
    if (key_bits == 192) return {m.gcm192_pre, m.gmac192_init, m.gmac192_update, m.gmac192_finalize};
    return {m.gcm256_pre, m.gmac256_init, m.gmac256_update, m.gmac256_finalize};
}

/// The ICV covers header, IV and text; nothing is encrypted (RFC 4543 3).
class GmacKernel final : public Kernel {
public:
    GmacKernel(const Suite& suite, ImbArch arch)
        : shape_(suite), arch_(arch), routines_(gmac_routines(imb_routines(arch), suite.cipher_key_bits)) {}
    std::string name() const override { return "ipsec-mb " + std::string{name_of(arch_)} + " direct"; }
    Result<void> expand(const SuiteKeys& keys, std::byte* block) const override {
        Block& into = *reinterpret_cast<Block*>(block);
        routines_.expand(keys.cipher.data(), &into.data);
        std::ranges::copy(keys.cipher.last(into.salt.size()), into.salt.begin());
        return {};
    }
    void seal(Workbench& /*bench*/, std::span<CryptoJob> jobs) const override {
        for (const CryptoJob& job : jobs) compute(job, job.icv);
    }
    void open(Workbench& /*bench*/, std::span<CryptoJob> jobs) const override {
        for (CryptoJob& job : jobs) {
            alignas(16) std::array<std::byte, 16> tag;
            compute(job, tag.data());
            job.authentic = same_icv(job.icv, tag.data(), tag.size());
        }
    }

private:
    struct Block {
        gcm_key_data data;
        std::array<std::byte, 4> salt;
    };
    static_assert(sizeof(Block) <= key_block_octets);

    void compute(const CryptoJob& job, std::byte* tag) const {
        const Block& keys = *reinterpret_cast<const Block*>(job.key);
        gcm_context_data context;
        std::array<std::byte, 12> nonce;
        put_nonce(keys.salt, job, nonce.data());
        routines_.begin(&keys.data, &context, raw(nonce.data()), nonce.size());
        std::array<std::byte, 16> aad;
        routines_.cover(&keys.data, &context, raw(aad.data()), put_aad(job, aad.data()));
        routines_.cover(&keys.data, &context, raw(job.head + esp_header_octets), shape_.iv_octets + job.text_octets);
        routines_.end(&keys.data, &context, raw(tag), 16);
    }

    SuiteShape shape_;
    ImbArch arch_;
    GmacRoutines routines_;
};

}  // namespace

std::unique_ptr<Kernel> imb_aead_kernel(const Suite& suite, ImbArch arch) {
    switch (suite.cipher) {
        case CipherId::aes_ccm_16:
        case CipherId::aes_ccm_12:
        case CipherId::aes_ccm_8:
            if (suite.cipher_key_bits == 192) return nullptr;
            return std::make_unique<AeadJobsKernel>(suite, arch);
        case CipherId::chacha20_poly1305: return std::make_unique<AeadJobsKernel>(suite, arch);
        case CipherId::aes_gmac: return std::make_unique<GmacKernel>(suite, arch);
        default: return nullptr;
    }
}

}  // namespace torii
