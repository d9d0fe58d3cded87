#include "crypto/ipsec_mb.h"

#include "crypto/ipsec_mb_jobs.h"
#include "crypto/kernel.h"
#include "net/headers.h"

namespace torii {
namespace {

using InitManager = void (*)(IMB_MGR*);

struct ArchRow {
    std::string_view name;
    InitManager init;
    std::uint64_t features;  // what its oldest code path uses
};
constexpr std::array<ArchRow, 3> arch_rows{{
    {"sse", init_mb_mgr_sse, IMB_CPUFLAGS_SSE},
    {"avx2", init_mb_mgr_avx2, IMB_CPUFLAGS_AVX2},
    {"avx512", init_mb_mgr_avx512, IMB_CPUFLAGS_AVX512},
}};
const ArchRow& row(ImbArch arch) { return arch_rows[static_cast<std::size_t>(arch)]; }

}  // namespace

std::string_view name_of(ImbArch arch) { return row(arch).name; }

std::uint64_t imb_cpu_features() {
    static const std::uint64_t features = [] {
        IMB_MGR* probe = alloc_mb_mgr(0);
        const std::uint64_t found = probe == nullptr ? 0 : probe->features;
        if (probe != nullptr) free_mb_mgr(probe);
        return found;
    }();
    return features;
}

IMB_MGR& imb_routines(ImbArch arch) {
    static const ImbManagers managers;
    return *managers[arch];
}

bool imb_supports(ImbArch arch) { return (imb_cpu_features() & row(arch).features) == row(arch).features; }

ImbManagers::ImbManagers() {
    for (const ImbArch arch : imb_arches) {
        if (!imb_supports(arch)) continue;
        auto& held = held_[static_cast<std::size_t>(arch)];
        held.reset(alloc_mb_mgr(0));
        if (!held) throw std::bad_alloc{};
        row(arch).init(held.get());
    }
}

namespace {

/// IPsec-MB's words for an authenticator; IMB_AUTH_NULL for what it lacks.
struct ImbHash {
    IMB_HASH_ALG hash = IMB_AUTH_NULL;
    std::uint32_t tag_octets = 0;  // the library writes this many, or the whole digest
    std::size_t block_octets = 0;  // of an HMAC
    hash_one_block_t IMB_MGR::*one_block = nullptr;
};
ImbHash imb_hash(AuthId auth) {
    switch (auth) {
        case AuthId::hmac_md5: return {IMB_AUTH_MD5, 12, 64, &IMB_MGR::md5_one_block};
        case AuthId::hmac_sha1: return {IMB_AUTH_HMAC_SHA_1, 12, 64, &IMB_MGR::sha1_one_block};
        case AuthId::hmac_sha256:
        case AuthId::hmac_sha256_96: return {IMB_AUTH_HMAC_SHA_256, 16, 64, &IMB_MGR::sha256_one_block};
        case AuthId::hmac_sha384:
        case AuthId::hmac_sha384_96: return {IMB_AUTH_HMAC_SHA_384, 24, 128, &IMB_MGR::sha384_one_block};
        case AuthId::hmac_sha512:
        case AuthId::hmac_sha512_96: return {IMB_AUTH_HMAC_SHA_512, 32, 128, &IMB_MGR::sha512_one_block};
        case AuthId::aes_xcbc_mac: return {.hash = IMB_AUTH_AES_XCBC, .tag_octets = 12};
        case AuthId::aes_cmac: return {.hash = IMB_AUTH_AES_CMAC, .tag_octets = 12};
        case AuthId::null:
        case AuthId::hmac_ripemd160:
        case AuthId::keyed_md5:
        case AuthId::keyed_sha1:
        case AuthId::hmac_md5_128:
        case AuthId::hmac_sha1_128:
        case AuthId::keyed_md5_128:
        case AuthId::keyed_sha1_128: break;
    }
    return {};
}

/// Whether the library's tag is longer than the ICV: it must not be written to the packet then.
bool is_cut(const Suite& suite) { return imb_hash(suite.auth).tag_octets != info(suite.auth).icv_octets; }

/// The two hash states an HMAC starts from (RFC 2104 4: the padded key's block, hashed ahead of time).
void expand_hmac(const IMB_MGR& manager, AuthId auth, std::span<const std::byte> key, PairKeyBlock& block) {
    const ImbHash hash = imb_hash(auth);
    if (hash.one_block == nullptr) return;
    std::array<std::byte, 128> padded;
    const auto start = [&](std::byte pad, std::byte* state) {
        padded.fill(pad);
        for (std::size_t i = 0; i < key.size(); ++i) padded[i] ^= key[i];
        (manager.*hash.one_block)(padded.data(), state);
    };
    assert(key.size() <= hash.block_octets);
    start(std::byte{0x36}, block.inner.data());
    start(std::byte{0x5c}, block.outer.data());
    wipe(padded);
}

/// What an authenticator computes ahead of packets.
void expand_auth(const IMB_MGR& manager, AuthId auth, std::span<const std::byte> key, PairKeyBlock& block) {
    if (auth == AuthId::aes_xcbc_mac) {
        manager.xcbc_keyexp(key.data(), block.mac_round_keys.data(), block.inner.data(), block.outer.data());
    } else if (auth == AuthId::aes_cmac) {
        alignas(16) std::array<std::byte, 176> unused;  // for decryption
        manager.keyexp_128(key.data(), block.mac_round_keys.data(), unused.data());
        manager.cmac_subkey_gen_128(block.mac_round_keys.data(), block.inner.data(), block.outer.data());
        wipe(unused);
    } else {
        expand_hmac(manager, auth, key, block);
    }
}

/// AES round keys, and the salt that a counter mode's key ends with.
void expand_aes(const IMB_MGR& manager, const Suite& suite, std::span<const std::byte> key, PairKeyBlock& block) {
    const keyexp_t expand = suite.cipher_key_bits == 128   ? manager.keyexp_128
                            : suite.cipher_key_bits == 192 ? manager.keyexp_192
                                                           : manager.keyexp_256;
    expand(key.data(), block.aes_encrypt.data(), block.aes_decrypt.data());
    std::ranges::copy(key.subspan(suite.cipher_key_bits / 8u), block.salt.begin());
}

IMB_CIPHER_MODE imb_cipher(CipherId cipher) {
    return cipher == CipherId::aes_cbc   ? IMB_CIPHER_CBC
           : cipher == CipherId::aes_ctr ? IMB_CIPHER_CNTR
                                         : IMB_CIPHER_NULL;
}

constexpr std::uint32_t ctr_nonce_octets = 12;  // with these the library counts blocks from 1, as RFC 3686 4 wants

/// The IV as the library wants it: what is on the wire, or a counter mode's nonce.
const std::uint8_t* imb_iv(const Suite& suite, const CryptoJob& job, std::array<std::byte, 16>& nonce) {
    if (suite.cipher != CipherId::aes_ctr) return reinterpret_cast<const std::uint8_t*>(job.head + esp_header_octets);
    put_nonce(PairKeyBlock::in(job.key).salt, job, nonce.data());
    return reinterpret_cast<const std::uint8_t*>(nonce.data());
}
std::uint32_t imb_iv_octets(const Suite& suite) {
    return suite.cipher == CipherId::aes_ctr ? ctr_nonce_octets : info(suite.cipher).iv_octets;
}

/// Where an authenticator's keys are.
void point_to_auth_keys(IMB_JOB& out, const PairKeyBlock& keys) {
    const auto* const inner = reinterpret_cast<const std::uint8_t*>(keys.inner.data());
    const auto* const outer = reinterpret_cast<const std::uint8_t*>(keys.outer.data());
    if (out.hash_alg == IMB_AUTH_AES_XCBC) {
        out.u.XCBC._k1_expanded = reinterpret_cast<const std::uint32_t*>(keys.mac_round_keys.data());
        out.u.XCBC._k2 = inner;
        out.u.XCBC._k3 = outer;
    } else if (out.hash_alg == IMB_AUTH_AES_CMAC) {
        out.u.CMAC._key_expanded = keys.mac_round_keys.data();
        out.u.CMAC._skey1 = inner;
        out.u.CMAC._skey2 = outer;
    } else {
        out.u.HMAC._hashed_auth_key_xor_ipad = inner;
        out.u.HMAC._hashed_auth_key_xor_opad = outer;
    }
}

/// Asks for key lines while jobs are filled in, so that they are near when the burst is submitted.
void fetch_auth(const PairKeyBlock& keys) {
    __builtin_prefetch(&keys.inner);
    __builtin_prefetch(&keys.outer);
}
void fetch_aes(const PairKeyBlock& keys, IMB_CIPHER_DIRECTION direction) {
    const auto& round_keys = direction == IMB_DIR_ENCRYPT ? keys.aes_encrypt : keys.aes_decrypt;
    for (std::size_t at = 0; at < round_keys.size(); at += 64) __builtin_prefetch(&round_keys[at]);
}

// With an extended sequence number an HMAC covers its high half too, as if it stood behind the text (RFC 4303 2.2.1).
// It is put there for as long as the hash runs, and what stood there is put back: inbound before ICVs are compared,
// outbound unless the ICV has been written there (AH's stands in its header, RFC 4302 3.3.3).

bool has_tail(const SuiteShape& shape, const CryptoJob& job) { return job.esn && shape.icv_octets != 0; }

std::size_t hashed_octets(const SuiteShape& shape, const CryptoJob& job) {
    return shape.covered(job) + (has_tail(shape, job) ? 4 : 0);
}

void put_tail(const SuiteShape& shape, const CryptoJob& job, std::uint32_t& saved) {
    if (!has_tail(shape, job)) return;
    std::byte* const tail = job.head + shape.covered(job);
    const Big32 high = job.sequence_high;
    std::memcpy(&saved, tail, 4);
    std::memcpy(tail, &high, 4);
}

void take_tail(const SuiteShape& shape, const CryptoJob& job, std::uint32_t saved) {
    if (has_tail(shape, job)) std::memcpy(job.head + shape.covered(job), &saved, 4);
}

/// The end of every outbound hash. `cut`: the tags are on the bench, longer than the ICVs made of them.
void conclude(const SuiteShape& shape, const Workbench& bench, std::span<CryptoJob* const> jobs, bool cut) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        const CryptoJob& job = *jobs[i];
        if (job.icv != job.head + shape.covered(job)) take_tail(shape, job, bench.tails[i]);
        if (cut) std::memcpy(job.icv, bench.tags[i].data(), shape.icv_octets);
    }
}

/// The end of every inbound hash: takes the tails away and compares what was received with the tags on the bench.
void compare(const SuiteShape& shape, const Workbench& bench, std::span<CryptoJob* const> jobs) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        CryptoJob& job = *jobs[i];
        take_tail(shape, job, bench.tails[i]);
        job.authentic = same_icv(job.icv, bench.tags[i].data(), shape.icv_octets);
    }
}

/// The job's fields that every packet of a suite and direction shares.
IMB_JOB job_template(const Suite& suite, IMB_CIPHER_DIRECTION direction) {
    IMB_JOB job{};
    job.cipher_direction = direction;
    job.chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    job.hash_alg = imb_hash(suite.auth).hash;
    job.auth_tag_output_len_in_bytes = imb_hash(suite.auth).tag_octets;
    job.iv_len_in_bytes = imb_iv_octets(suite);
    job.cipher_mode = imb_cipher(suite.cipher);
    job.key_len_in_bytes = suite.cipher_key_bits / 8u;
    return job;
}

/// Submits jobs to one manager and sees them through; chained kernels and hash parts share it.
class JobRunner {
public:
    /// `shape` is the packet's; `suite` is what this runner does of it.
    JobRunner(const SuiteShape& shape, const Suite& suite, ImbArch arch)
        : shape_(shape), suite_(suite), arch_(arch), cut_(is_cut(suite)) {
        for (const auto direction : {IMB_DIR_ENCRYPT, IMB_DIR_DECRYPT}) {
            IMB_JOB& job = templates_[direction - 1];
            job = job_template(suite, direction);
#if IMB_VERSION_NUM >= IMB_VERSION(1, 4, 0)
            imb_set_session(&imb_routines(arch), &job);  // the same ids in every manager of an arch
#endif
        }
    }
    JobRunner(const JobRunner&) = delete;

    void expand(const SuiteKeys& keys, std::byte* block) const {
        const IMB_MGR& manager = imb_routines(arch_);
        PairKeyBlock& into = PairKeyBlock::in(block);
        if (suite_.cipher != CipherId::null) expand_aes(manager, suite_, keys.cipher, into);
        expand_auth(manager, suite_.auth, keys.auth, into);
    }

    void run(Workbench& bench, std::span<CryptoJob* const> jobs, IMB_CIPHER_DIRECTION direction) const {
        for (std::size_t i = 0; i < jobs.size(); ++i) put_tail(shape_, *jobs[i], bench.tails[i]);
        submit(bench, jobs, direction);
        if (direction == IMB_DIR_DECRYPT)
            compare(shape_, bench, jobs);
        else
            conclude(shape_, bench, jobs, cut_);
    }
    const SuiteShape& shape() const { return shape_; }
    ImbArch arch() const { return arch_; }

private:
    void submit(Workbench& bench, std::span<CryptoJob* const> jobs, IMB_CIPHER_DIRECTION direction) const {
        imb_run_jobs(bench.managers[arch_], bench, jobs.size(),
                     [&](IMB_JOB& out, std::size_t i) { fill(out, bench, jobs, i, direction); });
    }
    void fill(IMB_JOB& out, Workbench& bench, std::span<CryptoJob* const> jobs, std::size_t i,
              IMB_CIPHER_DIRECTION direction) const {
        const CryptoJob& job = *jobs[i];
        const PairKeyBlock& keys = PairKeyBlock::in(job.key);
        fetch_auth(keys);
        if (suite_.cipher != CipherId::null) fetch_aes(keys, direction);
        out = templates_[direction - 1];
        out.src = reinterpret_cast<const std::uint8_t*>(job.head);
        out.dst = reinterpret_cast<std::uint8_t*>(job.head + shape_.text_at());
        out.iv = imb_iv(suite_, job, bench.nonces[i]);
        out.cipher_start_src_offset_in_bytes = shape_.text_at();
        out.msg_len_to_cipher_in_bytes = job.text_octets;
        out.msg_len_to_hash_in_bytes = hashed_octets(shape_, job);
        std::byte* const tag = direction == IMB_DIR_ENCRYPT && !cut_ ? job.icv : bench.tags[i].data();
        out.auth_tag_output = reinterpret_cast<std::uint8_t*>(tag);
        point_to_auth_keys(out, keys);
        out.enc_keys = keys.aes_encrypt.data();
        out.dec_keys = keys.aes_decrypt.data();
    }
    SuiteShape shape_;
    Suite suite_;
    ImbArch arch_;
    bool cut_;
    std::array<IMB_JOB, 2> templates_;  // by direction - 1
};

class ChainedKernel final : public Kernel {
public:
    ChainedKernel(const Suite& suite, ImbArch arch)
        : runner_(SuiteShape{suite}, suite, arch), name_("ipsec-mb " + std::string{name_of(arch)} + " burst") {}
    std::string name() const override { return name_; }
    Result<void> expand(const SuiteKeys& keys, std::byte* block) const override {
        runner_.expand(keys, block);
        return {};
    }
    void seal(Workbench& bench, std::span<CryptoJob> jobs) const override {
        runner_.run(bench, gather_outbound(bench, runner_.shape(), jobs), IMB_DIR_ENCRYPT);
    }
    void open(Workbench& bench, std::span<CryptoJob> jobs) const override {
        runner_.run(bench, gather_inbound(bench, runner_.shape(), jobs), IMB_DIR_DECRYPT);
    }

private:
    JobRunner runner_;
    std::string name_;
};

class HashJobsPart final : public AuthPart {
public:
    HashJobsPart(const Suite& suite, ImbArch arch)
        : runner_(SuiteShape{suite}, Suite{CipherId::null, suite.auth, 0}, arch) {}
    Result<void> expand(std::span<const std::byte> key, std::byte* block) const override {
        runner_.expand({{}, key}, block);
        return {};
    }
    void stamp(Workbench& bench, std::span<CryptoJob* const> jobs) const override {
        runner_.run(bench, jobs, IMB_DIR_ENCRYPT);
    }
    void verify(Workbench& bench, std::span<CryptoJob* const> jobs) const override {
        runner_.run(bench, jobs, IMB_DIR_DECRYPT);
    }

private:
    JobRunner runner_;
};

/// submit_hash_burst: the library's shortest way to many HMACs, for the SHA family alone.
class HashBurstPart final : public AuthPart {
public:
    HashBurstPart(const Suite& suite, ImbArch arch)
        : shape_(suite), auth_(suite.auth), arch_(arch), cut_(is_cut(suite)) {}
    Result<void> expand(std::span<const std::byte> key, std::byte* block) const override {
        expand_auth(imb_routines(arch_), auth_, key, PairKeyBlock::in(block));
        return {};
    }
    void stamp(Workbench& bench, std::span<CryptoJob* const> jobs) const override {
        hash(bench, jobs, [&](std::size_t i, CryptoJob& job) { return cut_ ? bench.tags[i].data() : job.icv; });
        conclude(shape_, bench, jobs, cut_);
    }
    void verify(Workbench& bench, std::span<CryptoJob* const> jobs) const override {
        hash(bench, jobs, [&](std::size_t i, CryptoJob&) { return bench.tags[i].data(); });
        compare(shape_, bench, jobs);
    }

private:
    template <class TagOf>
    void hash(Workbench& bench, std::span<CryptoJob* const> jobs, TagOf tag_of) const {
        for (std::size_t at = 0; at < jobs.size(); at += imb_burst_jobs) {
            const std::size_t count = std::min(jobs.size() - at, imb_burst_jobs);
            for (std::size_t i = 0; i < count; ++i) {
                CryptoJob& job = *jobs[at + i];
                put_tail(shape_, job, bench.tails[at + i]);
                fill(bench.imb_jobs[i], job, tag_of(at + i, job));
            }
            IMB_SUBMIT_HASH_BURST_NOCHECK(bench.managers[arch_], bench.imb_jobs.data(),
                                          static_cast<std::uint32_t>(count), imb_hash(auth_).hash);
        }
    }
    void fill(IMB_JOB& out, const CryptoJob& job, std::byte* tag) const {
        const PairKeyBlock& keys = PairKeyBlock::in(job.key);
        fetch_auth(keys);
        out.hash_alg = imb_hash(auth_).hash;
        out.src = reinterpret_cast<const std::uint8_t*>(job.head);
        out.hash_start_src_offset_in_bytes = 0;
        out.msg_len_to_hash_in_bytes = hashed_octets(shape_, job);
        out.auth_tag_output = reinterpret_cast<std::uint8_t*>(tag);
        out.auth_tag_output_len_in_bytes = imb_hash(auth_).tag_octets;
        point_to_auth_keys(out, keys);
    }

    SuiteShape shape_;
    AuthId auth_;
    ImbArch arch_;
    bool cut_;
};

/// submit_cipher_burst over AES-CBC and AES-CTR.
class CipherBurstPart final : public CipherPart {
public:
    CipherBurstPart(const Suite& suite, ImbArch arch) : shape_(suite), arch_(arch) {}
    Result<void> expand(std::span<const std::byte> key, std::byte* block) const override {
        expand_aes(imb_routines(arch_), shape_.suite, key, PairKeyBlock::in(block));
        return {};
    }
    void encrypt(Workbench& bench, std::span<CryptoJob* const> jobs) const override {
        run(bench, jobs, IMB_DIR_ENCRYPT);
    }
    void decrypt(Workbench& bench, std::span<CryptoJob* const> jobs) const override {
        run(bench, jobs, IMB_DIR_DECRYPT);
    }

private:
    void run(Workbench& bench, std::span<CryptoJob* const> jobs, IMB_CIPHER_DIRECTION direction) const {
        const auto key_octets = static_cast<IMB_KEY_SIZE_BYTES>(shape_.suite.cipher_key_bits / 8);
        for (std::size_t at = 0; at < jobs.size(); at += imb_burst_jobs) {
            const std::size_t count = std::min(jobs.size() - at, imb_burst_jobs);
            for (std::size_t i = 0; i < count; ++i)
                fill(bench.imb_jobs[i], *jobs[at + i], direction, bench.nonces[at + i]);
            IMB_SUBMIT_CIPHER_BURST_NOCHECK(bench.managers[arch_], bench.imb_jobs.data(),
                                            static_cast<std::uint32_t>(count), imb_cipher(shape_.suite.cipher),
                                            direction, key_octets);
        }
    }
    void fill(IMB_JOB& out, const CryptoJob& job, IMB_CIPHER_DIRECTION direction,
              std::array<std::byte, 16>& nonce) const {
        const PairKeyBlock& keys = PairKeyBlock::in(job.key);
        fetch_aes(keys, direction);
        out.cipher_mode = imb_cipher(shape_.suite.cipher);
        out.key_len_in_bytes = shape_.suite.cipher_key_bits / 8u;
        out.enc_keys = keys.aes_encrypt.data();
        out.dec_keys = keys.aes_decrypt.data();
        out.src = reinterpret_cast<const std::uint8_t*>(job.head + shape_.text_at());
        out.dst = reinterpret_cast<std::uint8_t*>(job.head + shape_.text_at());
        out.cipher_start_src_offset_in_bytes = 0;
        out.msg_len_to_cipher_in_bytes = job.text_octets;
        out.iv = imb_iv(shape_.suite, job, nonce);
        out.iv_len_in_bytes = imb_iv_octets(shape_.suite);
    }

    SuiteShape shape_;
    ImbArch arch_;
};

}  // namespace

bool imb_has(CipherId cipher) {
    return cipher == CipherId::null || cipher == CipherId::aes_cbc || cipher == CipherId::aes_ctr;
}

std::unique_ptr<Kernel> imb_chained_kernel(const Suite& suite, ImbArch arch) {
    const bool lacks_auth = suite.auth != AuthId::null && imb_hash(suite.auth).hash == IMB_AUTH_NULL;
    if (!imb_has(suite.cipher) || lacks_auth) return nullptr;
    return std::make_unique<ChainedKernel>(suite, arch);
}

std::unique_ptr<CipherPart> imb_cipher_part(const Suite& suite, ImbArch arch) {
    if (!imb_has(suite.cipher) || suite.cipher == CipherId::null) return nullptr;
    return std::make_unique<CipherBurstPart>(suite, arch);
}

std::unique_ptr<AuthPart> imb_hash_part(const Suite& suite, ImbArch arch) {
    if (suite.auth == AuthId::hmac_md5 || imb_hash(suite.auth).one_block == nullptr) return nullptr;
    return std::make_unique<HashBurstPart>(suite, arch);
}

std::unique_ptr<AuthPart> imb_hash_jobs_part(const Suite& suite, ImbArch arch) {
    if (imb_hash(suite.auth).hash == IMB_AUTH_NULL) return nullptr;
    return std::make_unique<HashJobsPart>(suite, arch);
}

}  // namespace torii
