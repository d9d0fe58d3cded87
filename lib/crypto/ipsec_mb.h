// Intel IPsec-MB as the crypto room sees it: its managers, one for each instruction set this CPU has, and the kernels
// built on them. Several managers are worth having on one CPU: the SSE one may win where SHA-NI beats wide vectors.
#pragma once

#include <intel-ipsec-mb.h>

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "crypto/registry.h"

namespace torii {

/// How many jobs one burst call is given: the library's own limit.
inline constexpr std::size_t imb_burst_jobs = IMB_MAX_BURST_SIZE;

enum class ImbArch : std::uint8_t { sse, avx2, avx512 };
inline constexpr std::array imb_arches{ImbArch::avx512, ImbArch::avx2, ImbArch::sse};  // as they are tried
std::string_view name_of(ImbArch arch);

/// Whether this CPU runs the code of `arch`.
bool imb_supports(ImbArch arch);
/// IMB_FEATURE_* of this CPU.
std::uint64_t imb_cpu_features();

/// One thread's managers: one for each arch this CPU supports.
class ImbManagers {
public:
    /// Throws std::bad_alloc.
    ImbManagers();
    /// Null for an arch this CPU does not support.
    IMB_MGR* operator[](ImbArch arch) const { return held_[static_cast<std::size_t>(arch)].get(); }

private:
    struct Free {
        void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
    };
    std::array<std::unique_ptr<IMB_MGR, Free>, 3> held_;
};

/// A manager of the process, for its pointers to key expansion and direct routines (which keep no state) and for
/// imb_set_session; never for jobs. Any thread.
IMB_MGR& imb_routines(ImbArch arch);

struct Suite;
class Kernel;
class CipherPart;
class AuthPart;

/// AES-GCM through the routines that take one packet a call: one for each manager, and IPsec-MB's VAES-AVX2 routines
/// by themselves. None for other ciphers.
std::vector<std::unique_ptr<Kernel>> imb_gcm_kernels(const Suite& suite);

/// AES-CCM and ChaCha20-Poly1305 as jobs, a burst a call; AES-GMAC one packet a call. Null for other ciphers, and for
/// AES-CCM with a key of 192 bits, which the library lacks.
std::unique_ptr<Kernel> imb_aead_kernel(const Suite& suite, ImbArch arch);

/// Whether the library does this cipher, AEADs aside: AES-CBC, AES-CTR and null. It has DES as well, but in AVX-512 it
/// mixes up its lanes' buffers (its issue 169, in 2.0 and before), and elsewhere it is many times slower than OpenSSL.
bool imb_has(CipherId cipher);

/// Cipher and authenticator as one job, a burst a call; lanes fill across SAs. Null for what the library lacks.
std::unique_ptr<Kernel> imb_chained_kernel(const Suite& suite, ImbArch arch);
/// AES-CBC or AES-CTR alone, a burst a call; null for other ciphers.
std::unique_ptr<CipherPart> imb_cipher_part(const Suite& suite, ImbArch arch);
/// HMAC-SHA alone, a burst a call; null for other authenticators.
std::unique_ptr<AuthPart> imb_hash_part(const Suite& suite, ImbArch arch);
/// Any authenticator of the library through the jobs of a chained kernel whose cipher is null: what serves MD5, CMAC
/// and XCBC.
std::unique_ptr<AuthPart> imb_hash_jobs_part(const Suite& suite, ImbArch arch);

}  // namespace torii
