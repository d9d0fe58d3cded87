// The algorithm registry: ONE table from which key-length checks, help, docs and the crypto engine are fed.
// Names and key bits are setkey's; ICV lengths are RFC 4868's for SHA-2. Any thread; constants only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace torii {

/// What RFC 8221 (5 and 6) makes of an algorithm.
enum class Standing : std::uint8_t {
    wanted,   // MUST or SHOULD: its kernels are proven and timed at start, all others' when first wanted
    allowed,  // MAY, or never mentioned
    legacy,   // SHOULD NOT or MUST NOT, or a block of 64 bits: only for those who ask for it
};

enum class CipherId : std::uint8_t {
    null,
    des_cbc,
    des_deriv,
    des3_cbc,
    blowfish_cbc,
    cast128_cbc,
    aes_cbc,
    camellia_cbc,
    aes_ctr,
    aes_gcm_16,
    aes_gcm_12,
    aes_gcm_8,
    aes_ccm_16,
    aes_ccm_12,
    aes_ccm_8,
    chacha20_poly1305,
    aes_gmac
};
enum class AuthId : std::uint8_t {
    null,
    hmac_md5,
    hmac_sha1,
    hmac_sha256,
    hmac_sha384,
    hmac_sha512,
    hmac_sha256_96,
    hmac_sha384_96,
    hmac_sha512_96,
    hmac_ripemd160,
    aes_xcbc_mac,
    aes_cmac,
    keyed_md5,
    keyed_sha1,
    hmac_md5_128,  // these four in AH as in RFC 1826 alone
    hmac_sha1_128,
    keyed_md5_128,
    keyed_sha1_128
};

/// Key lengths an algorithm takes: `low`, `low + step`, ... `high` bits. One length alone has low == high.
struct KeyBits {
    std::uint16_t low, high, step;
    bool allows(std::size_t bits) const {
        return bits >= low && bits <= high && (step == 0 ? bits == low : (bits - low) % step == 0);
    }
};

/// "128, 192 or 256 bits", "40 to 448 bits in steps of 8", "no key".
std::string spelled(KeyBits bits);

struct CipherInfo {
    CipherId id;
    std::string_view name;      // as setkey takes it
    std::string_view alias;     // a second input name, or empty
    std::string_view printed;   // as setkey -D prints it
    KeyBits key_bits;           // what setkey takes: cipher key and, for counter modes, the 32-bit salt behind it
    std::uint8_t block_octets;  // what the plaintext is padded to (at least 4: RFC 4303 2.4)
    std::uint8_t iv_octets;     // on the wire
    std::uint8_t salt_octets;   // at the end of the key
    std::uint8_t icv_octets;    // of an AEAD; 0 for others
    bool counter_mode;          // an IV must never repeat under one key; manual keys deserve a warning (RFC 8221 3)
    Standing standing;
    std::uint8_t pfkey;  // SADB_EALG_* / SADB_X_EALG_*; 0 where PF_KEY has none
    constexpr bool aead() const { return icv_octets != 0; }
    constexpr bool legacy() const { return standing == Standing::legacy; }
};

struct AuthInfo {
    AuthId id;
    std::string_view name;
    std::string_view alias;
    std::string_view printed;
    KeyBits key_bits;
    std::uint8_t icv_octets;
    Standing standing;
    std::uint8_t pfkey;   // SADB_AALG_* / SADB_X_AALG_*; 0 where PF_KEY has none
    bool ah_old = false;  // has the ICV of RFC 1826's AH, and goes with nothing else
    constexpr bool legacy() const { return standing == Standing::legacy; }
};

std::span<const CipherInfo> ciphers();
std::span<const AuthInfo> auths();
const CipherInfo& info(CipherId id);
const AuthInfo& info(AuthId id);

/// By name or alias, as setkey spells them; Errc::unsupported names those there are, or says of one that KAME's manual
/// has why it is not offered.
Result<CipherId> cipher_named(std::string_view name);
Result<AuthId> auth_named(std::string_view name);

/// What takes an authenticator's place in AH as in RFC 1826, where KAME sends 128 bits of every hash (RFC 1828, RFC
/// 1852); null: nothing does.
AuthId ah_old_form(AuthId id);

/// Errc::bad_key_length with the lengths that would be right: "aes-cbc takes keys of 128, 192 or 256 bits, not 120".
Result<void> check_key(CipherId id, std::size_t bits);
Result<void> check_key(AuthId id, std::size_t bits);

}  // namespace torii
