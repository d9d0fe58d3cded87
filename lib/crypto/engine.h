// The bulk crypto engine. For each suite it holds candidate kernels (IPsec-MB managers and APIs, OpenSSL EVP), proves
// each against known answers, times them, and keeps the fastest: no one library is best. The choice is made once per
// process (CryptoBook), at start or when a suite is first wanted, and each worker then runs its own engine over the
// chosen kernels.
//
// What the engine seals and opens is one ESP packet at a time (RFC 4303 2): ESP header, IV, text, ICV, contiguous.
// It knows nothing of SAs beyond their key block. AH (RFC 4302) uses the suites of the null cipher: `head` is then the
// first covered octet, and the text is all that follows the first eight. With an extended sequence number the 4 octets
// behind the text must be the caller's, whatever they hold: kernels borrow them and put them back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/secret_bytes.h"
#include "crypto/registry.h"

namespace torii {

/// A cipher with its key length and an authenticator: what one kernel serves. Small, dense, fixed for the process.
enum class SuiteIndex : std::uint8_t {};

struct Suite {
    CipherId cipher = CipherId::null;
    AuthId auth = AuthId::null;
    std::uint16_t cipher_key_bits =
        0;  // without the salt; 0 from CryptoBook where any length is the same suite (blowfish)
    friend bool operator==(const Suite&, const Suite&) = default;
};

/// Room a SA keeps for its expanded keys, 64-octet aligned. No kernel's key form is longer (checked at start).
inline constexpr std::size_t key_block_octets = 1280;

/// One packet's work. 40 octets.
struct CryptoJob {
    const std::byte* key = nullptr;   // the SA's key block
    std::byte* head = nullptr;        // the ESP header; IV and text follow it without a gap
    std::byte* icv = nullptr;         // outbound: where it is written, inbound: the received one. Behind the text, but
                                      // for the null cipher also elsewhere, even in what it covers (AH)
    std::uint32_t text_octets = 0;    // behind the IV: payload, padding and trailer
    std::uint32_t sequence_high = 0;  // authenticated but not sent, when `esn` (RFC 4303 2.2.1)
    SuiteIndex suite{};
    bool esn = false;
    bool authentic = false;  // open() answers here; true for a suite without ICV
};

/// What `show crypto` prints: one row a suite and candidate.
struct KernelChoice {
    std::string suite;    // "aes-gcm-16 128", "aes-cbc 128 + hmac-sha256"
    std::string kernel;   // "ipsec-mb avx512 direct", "openssl"
    bool proven = false;  // passed every known answer
    bool chosen = false;
    std::string note;      // why not, when not proven
    double cycles_64 = 0;  // TSC cycles per packet, outbound, 64 and 1420 octets of text; 0 when not timed
    double cycles_1420 = 0;
};

class CryptoEngine;

/// The process's proven kernels. Made once, before the workers; outlives them and every key block.
class CryptoBook {
public:
    struct Options {
        bool time_kernels = true;  // false: the first proven candidate of each suite, and that when it is first wanted
        std::string only;          // keep kernels whose name contains this, for tests and bench; empty: all. A suite
                                   // that none of them does is then not offered.
    };
    /// With time_kernels, proves and times the suites that RFC 8221 wants (Standing::wanted). Errc::internal when one
    /// of them has no proven kernel, Errc::not_found when no kernel is called `only`.
    static Result<std::unique_ptr<CryptoBook>> make(const Options& options);
    virtual ~CryptoBook() = default;

    /// The first call for a suite proves its kernels and times them, which takes milliseconds; a slow cipher's, tens
    /// of them. Errc::unsupported for a pair that is not offered (an AEAD with an authenticator, null with null);
    /// Errc::bad_key_length; Errc::internal when no kernel of the suite is proven. Control thread.
    virtual Result<SuiteIndex> suite(const Suite& wanted) const = 0;
    virtual Suite suite(SuiteIndex index) const = 0;
    /// Expands `cipher_key` (salt at its end, when the cipher has one) and `auth_key` into `block`, which is
    /// key_block_octets long, 64-octet aligned and all zero; it must not move until erase(). One thread at a time may
    /// seal or open with it. Errc::bad_key_length. Control thread.
    virtual Result<void> expand(SuiteIndex suite, std::span<const std::byte> cipher_key,
                                std::span<const std::byte> auth_key, std::byte* block) const = 0;
    /// Frees what expand() made for `block` and wipes it to zero. Control thread, when no worker can hold it.
    virtual void erase(SuiteIndex suite, std::byte* block) const = 0;
    /// One per worker; used by that worker alone.
    virtual std::unique_ptr<CryptoEngine> make_engine() const = 0;
    /// Of the suites tried so far. Control thread.
    virtual std::vector<KernelChoice> choices() const = 0;
};

/// A worker's engine. No allocation, lock or system call in seal() and open(), unless OpenSSL's HMAC was asked for by
/// name: OpenSSL 3.0 allocates in it.
class CryptoEngine {
public:
    virtual ~CryptoEngine() = default;
    /// Encrypts each text in place and writes its ICV. The IVs stand on the wire already. Jobs may mix suites and
    /// keys in any order; 0..256 of them. Reads jobs' keys a few packets ahead. Each text is padded to its cipher's
    /// blocks, and what is not is zeroed rather than sent in clear.
    virtual void seal(std::span<CryptoJob> jobs) = 0;
    /// Verifies each ICV in constant time and decrypts in place; sets `authentic`. Text whose ICV fails is undefined.
    /// Text that is no positive multiple of a CBC cipher's block is not authentic. ICVs stay as received.
    virtual void open(std::span<CryptoJob> jobs) = 0;
    /// Unpredictable octets for CBC IVs: AES-CTR output under a key from the operating system, remade in bulk.
    /// At most 32 octets a call.
    virtual std::span<const std::byte> fresh_iv(std::size_t octets) = 0;
};

}  // namespace torii
