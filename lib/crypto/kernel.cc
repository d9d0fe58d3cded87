#include "crypto/kernel.h"

#include "crypto/openssl.h"

namespace torii {
namespace {

std::uint32_t icv_octets_of(const Suite& suite) {
    return info(suite.cipher).aead() ? info(suite.cipher).icv_octets : info(suite.auth).icv_octets;
}

class NoCipher final : public CipherPart {
public:
    Result<void> expand(std::span<const std::byte>, std::byte*) const override { return {}; }
    void encrypt(Workbench&, std::span<CryptoJob* const>) const override {}
    void decrypt(Workbench&, std::span<CryptoJob* const>) const override {}
};

class NoAuth final : public AuthPart {
public:
    Result<void> expand(std::span<const std::byte>, std::byte*) const override { return {}; }
    void stamp(Workbench&, std::span<CryptoJob* const>) const override {}
    void verify(Workbench&, std::span<CryptoJob* const> jobs) const override {
        for (CryptoJob* job : jobs) job->authentic = true;
    }
};

/// Cipher, then authenticate; verify, then decrypt what is authentic.
class SplitKernel final : public Kernel {
public:
    SplitKernel(const Suite& suite, std::string name, std::unique_ptr<CipherPart> cipher,
                std::unique_ptr<AuthPart> auth)
        : shape_(suite), name_(std::move(name)), cipher_(std::move(cipher)), auth_(std::move(auth)) {}
    std::string name() const override { return name_; }
    Result<void> expand(const SuiteKeys& keys, std::byte* block) const override {
        TORII_CHECK(cipher_->expand(keys.cipher, block));
        if (auto done = auth_->expand(keys.auth, block); !done) {
            cipher_->release(block);
            return done;
        }
        return {};
    }
    void release(std::byte* block) const override {
        cipher_->release(block);
        auth_->release(block);
    }
    void seal(Workbench& bench, std::span<CryptoJob> jobs) const override {
        const auto live = gather_outbound(bench, shape_, jobs);
        cipher_->encrypt(bench, live);
        auth_->stamp(bench, live);
    }
    void open(Workbench& bench, std::span<CryptoJob> jobs) const override {
        const auto live = gather_inbound(bench, shape_, jobs);
        auth_->verify(bench, live);
        const auto end =
            std::remove_if(bench.live.begin(), bench.live.begin() + static_cast<std::ptrdiff_t>(live.size()),
                           [](const CryptoJob* job) { return !job->authentic; });
        cipher_->decrypt(bench, {bench.live.begin(), end});
    }

private:
    SuiteShape shape_;
    std::string name_;
    std::unique_ptr<CipherPart> cipher_;
    std::unique_ptr<AuthPart> auth_;
};

using Kernels = std::vector<std::unique_ptr<Kernel>>;

void add(Kernels& out, std::unique_ptr<Kernel> kernel) {
    if (kernel) out.push_back(std::move(kernel));
}

/// Splits of `suite` into parts that are there; a part the suite does not need does nothing.
void add_split(Kernels& out, const Suite& suite, std::string name, std::unique_ptr<CipherPart> cipher,
               std::unique_ptr<AuthPart> auth) {
    if (suite.cipher == CipherId::null) cipher = std::make_unique<NoCipher>();
    if (suite.auth == AuthId::null) auth = std::make_unique<NoAuth>();
    if (cipher && auth)
        out.push_back(std::make_unique<SplitKernel>(suite, std::move(name), std::move(cipher), std::move(auth)));
}

void add_ipsec_mb(Kernels& out, const Suite& suite, ImbArch arch) {
    const std::string mb = "ipsec-mb " + std::string{name_of(arch)};
    add_split(out, suite, mb + " split", imb_cipher_part(suite, arch), imb_hash_part(suite, arch));
    add(out, imb_chained_kernel(suite, arch));
    if (!imb_has(suite.cipher) && suite.auth != AuthId::null) {
        auto hash = imb_hash_part(suite, arch);
        if (!hash) hash = imb_hash_jobs_part(suite, arch);
        add_split(out, suite, "evp + " + mb, evp_cipher_part(suite), std::move(hash));
    }
}

}  // namespace

SuiteShape::SuiteShape(const Suite& of)
    : suite(of),
      iv_octets(info(of.cipher).iv_octets),
      icv_octets(icv_octets_of(of)),
      text_unit(info(of.cipher).block_octets > 4 ? info(of.cipher).block_octets : 1) {}

std::span<CryptoJob* const> gather_outbound(Workbench& bench, const SuiteShape& shape, std::span<CryptoJob> jobs) {
    std::size_t count = 0;
    for (CryptoJob& job : jobs) {
        if (!shape.fits(job)) [[unlikely]] {
            blot(shape, job);
            continue;
        }
        bench.live[count++] = &job;
    }
    return {bench.live.data(), count};
}

std::span<CryptoJob* const> gather_inbound(Workbench& bench, const SuiteShape& shape, std::span<CryptoJob> jobs) {
    std::size_t count = 0;
    for (CryptoJob& job : jobs) {
        job.authentic = false;
        bench.live[count] = &job;
        count += shape.fits(job);
    }
    return {bench.live.data(), count};
}

void blot(const SuiteShape& shape, const CryptoJob& job) {
    std::memset(job.head + shape.text_at(), 0, job.text_octets);
}

std::vector<std::unique_ptr<Kernel>> candidates(const Suite& suite) {
    Kernels out;
    if (info(suite.cipher).aead()) {
        out = imb_gcm_kernels(suite);
        for (const ImbArch arch : imb_arches)
            if (imb_supports(arch)) add(out, imb_aead_kernel(suite, arch));
        add(out, evp_aead_kernel(suite));
        return out;
    }
    for (const ImbArch arch : imb_arches)
        if (imb_supports(arch)) add_ipsec_mb(out, suite, arch);
    add_split(out, suite, "openssl", evp_cipher_part(suite), evp_auth_part(suite));
    return out;
}

}  // namespace torii
