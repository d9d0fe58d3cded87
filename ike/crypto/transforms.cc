#include "ike/crypto/transforms.h"

#include <algorithm>
#include <array>

#include "ike/crypto/words.h"

namespace torii::ike {
namespace {

enum Use : unsigned { ike = 1, esp = 2, old = 4 };  // old: only for who asks for legacy algorithms

constexpr EncrInfo cbc(EncrId id, std::string_view word, std::uint16_t key_bits, std::uint8_t block_octets,
                       CipherId data_plane, unsigned use) {
    return {.id = id,
            .word = word,
            .key_bits = key_bits,
            .key_octets = static_cast<std::uint8_t>(key_bits / 8),
            .salt_octets = 0,
            .iv_octets = block_octets,
            .block_octets = block_octets,
            .icv_octets = 0,
            .for_ike = (use & ike) != 0,
            .for_esp = (use & esp) != 0,
            .legacy = (use & old) != 0,
            .data_plane = data_plane};
}

/// A counter under salt and an IV of 8 octets.
constexpr EncrInfo counter(EncrId id, std::string_view word, std::uint16_t key_bits, std::uint8_t salt_octets,
                           std::uint8_t icv_octets, CipherId data_plane, unsigned use) {
    return {.id = id,
            .word = word,
            .key_bits = key_bits,
            .key_octets = static_cast<std::uint8_t>(key_bits / 8),
            .salt_octets = salt_octets,
            .iv_octets = 8,
            .block_octets = 1,
            .icv_octets = icv_octets,
            .for_ike = (use & ike) != 0,
            .for_esp = (use & esp) != 0,
            .legacy = (use & old) != 0,
            .data_plane = data_plane};
}

/// A transform whose key has one length: RFC 7296 3.3.5 forbids it the Key Length attribute.
constexpr EncrInfo of_one_length(std::uint8_t key_octets, EncrInfo info) {
    info.key_bits = 0;
    info.key_octets = key_octets;
    return info;
}

constexpr EncrId blowfish{7};  // ENCR_BLOWFISH (RFC 2451), which RFC 8221 5 forbids: for old peers alone

using enum EncrId;
// In the order in which they are told to people. Rows of RFC 8247 2.1 and RFC 8221 5.
constexpr std::array encr_table{
    counter(aes_gcm_16, "aes128gcm16", 128, 4, 16, CipherId::aes_gcm_16, ike | esp),
    counter(aes_gcm_16, "aes192gcm16", 192, 4, 16, CipherId::aes_gcm_16, ike | esp),
    counter(aes_gcm_16, "aes256gcm16", 256, 4, 16, CipherId::aes_gcm_16, ike | esp),
    of_one_length(32, counter(chacha20_poly1305, "chacha20poly1305", 0, 4, 16, CipherId::chacha20_poly1305,
                              ike | esp)),  // RFC 7634 3, 4: no Key Length attribute
    cbc(aes_cbc, "aes128", 128, 16, CipherId::aes_cbc, ike | esp),
    cbc(aes_cbc, "aes192", 192, 16, CipherId::aes_cbc, ike | esp),
    cbc(aes_cbc, "aes256", 256, 16, CipherId::aes_cbc, ike | esp),
    counter(aes_gcm_12, "aes128gcm12", 128, 4, 12, CipherId::aes_gcm_12, esp),
    counter(aes_gcm_12, "aes192gcm12", 192, 4, 12, CipherId::aes_gcm_12, esp),
    counter(aes_gcm_12, "aes256gcm12", 256, 4, 12, CipherId::aes_gcm_12, esp),
    counter(aes_gcm_8, "aes128gcm8", 128, 4, 8, CipherId::aes_gcm_8, esp),
    counter(aes_gcm_8, "aes192gcm8", 192, 4, 8, CipherId::aes_gcm_8, esp),
    counter(aes_gcm_8, "aes256gcm8", 256, 4, 8, CipherId::aes_gcm_8, esp),
    counter(aes_ccm_16, "aes128ccm16", 128, 3, 16, CipherId::aes_ccm_16, esp),
    counter(aes_ccm_16, "aes192ccm16", 192, 3, 16, CipherId::aes_ccm_16, esp),
    counter(aes_ccm_16, "aes256ccm16", 256, 3, 16, CipherId::aes_ccm_16, esp),
    counter(aes_ccm_12, "aes128ccm12", 128, 3, 12, CipherId::aes_ccm_12, esp),
    counter(aes_ccm_12, "aes192ccm12", 192, 3, 12, CipherId::aes_ccm_12, esp),
    counter(aes_ccm_12, "aes256ccm12", 256, 3, 12, CipherId::aes_ccm_12, esp),
    counter(aes_ccm_8, "aes128ccm8", 128, 3, 8, CipherId::aes_ccm_8, esp),
    counter(aes_ccm_8, "aes192ccm8", 192, 3, 8, CipherId::aes_ccm_8, esp),
    counter(aes_ccm_8, "aes256ccm8", 256, 3, 8, CipherId::aes_ccm_8, esp),
    counter(aes_ctr, "aes128ctr", 128, 4, 0, CipherId::aes_ctr, esp),
    counter(aes_ctr, "aes192ctr", 192, 4, 0, CipherId::aes_ctr, esp),
    counter(aes_ctr, "aes256ctr", 256, 4, 0, CipherId::aes_ctr, esp),
    counter(null_auth_aes_gmac, "aes128gmac", 128, 4, 16, CipherId::aes_gmac, esp),
    counter(null_auth_aes_gmac, "aes192gmac", 192, 4, 16, CipherId::aes_gmac, esp),
    counter(null_auth_aes_gmac, "aes256gmac", 256, 4, 16, CipherId::aes_gmac, esp),
    cbc(camellia_cbc, "camellia128", 128, 16, CipherId::camellia_cbc, esp),
    cbc(camellia_cbc, "camellia192", 192, 16, CipherId::camellia_cbc, esp),
    cbc(camellia_cbc, "camellia256", 256, 16, CipherId::camellia_cbc, esp),
    EncrInfo{.id = null,
             .word = "null",
             .key_bits = 0,
             .key_octets = 0,
             .salt_octets = 0,
             .iv_octets = 0,
             .block_octets = 1,
             .icv_octets = 0,
             .for_ike = false,
             .for_esp = true,
             .legacy = false,
             .data_plane = CipherId::null},
    of_one_length(24, cbc(des3, "3des", 0, 8, CipherId::des3_cbc, ike | esp | old)),
    cbc(blowfish, "blowfish128", 128, 8, CipherId::blowfish_cbc, esp | old),
    cbc(blowfish, "blowfish192", 192, 8, CipherId::blowfish_cbc, esp | old),
    cbc(blowfish, "blowfish256", 256, 8, CipherId::blowfish_cbc, esp | old),
};

constexpr std::array integ_table{
    IntegInfo{IntegId::hmac_sha2_256_128, "sha256", 32, 16, false, AuthId::hmac_sha256},
    IntegInfo{IntegId::hmac_sha2_384_192, "sha384", 48, 24, false, AuthId::hmac_sha384},
    IntegInfo{IntegId::hmac_sha2_512_256, "sha512", 64, 32, false, AuthId::hmac_sha512},
    IntegInfo{IntegId::hmac_sha1_96, "sha1", 20, 12, false, AuthId::hmac_sha1},
    IntegInfo{IntegId::aes_xcbc_96, "aesxcbc", 16, 12, false, AuthId::aes_xcbc_mac},
    IntegInfo{IntegId::aes_cmac_96, "aescmac", 16, 12, false, AuthId::aes_cmac},
};

constexpr std::array prf_table{
    PrfInfo{PrfId::hmac_sha2_256, "prfsha256", 32, false}, PrfInfo{PrfId::hmac_sha2_384, "prfsha384", 48, false},
    PrfInfo{PrfId::hmac_sha2_512, "prfsha512", 64, false}, PrfInfo{PrfId::hmac_sha1, "prfsha1", 20, false},
    PrfInfo{PrfId::aes128_xcbc, "prfaesxcbc", 16, false},
};

constexpr KeInfo diffie_hellman(KeMethod id, std::string_view word, std::uint16_t public_octets, bool legacy = false) {
    return {.id = id, .word = word, .public_octets = public_octets, .legacy = legacy, .answer_octets = public_octets};
}
/// FIPS 203 table 3: who begins sends an encapsulation key, who answers a ciphertext.
constexpr KeInfo encapsulation(KeMethod id, std::string_view word, std::uint16_t key, std::uint16_t ciphertext) {
    return {.id = id, .word = word, .public_octets = key, .legacy = false, .answer_octets = ciphertext};
}

constexpr std::array ke_table{
    diffie_hellman(KeMethod::x25519, "x25519", 32),
    diffie_hellman(KeMethod::ecp256, "ecp256", 64),
    diffie_hellman(KeMethod::ecp384, "ecp384", 96),
    diffie_hellman(KeMethod::ecp521, "ecp521", 132),
    diffie_hellman(KeMethod::modp2048, "modp2048", 256),
    diffie_hellman(KeMethod::modp3072, "modp3072", 384),
    diffie_hellman(KeMethod::modp4096, "modp4096", 512),
    diffie_hellman(KeMethod::modp1536, "modp1536", 192, true),
    diffie_hellman(KeMethod::modp1024, "modp1024", 128, true),
    encapsulation(KeMethod::mlkem512, "mlkem512", 800, 768),
    encapsulation(KeMethod::mlkem768, "mlkem768", 1184, 1088),
    encapsulation(KeMethod::mlkem1024, "mlkem1024", 1568, 1568),
};

template <class Table>
auto row_of(const Table& table, auto id) -> decltype(&table[0]) {
    const auto found = std::ranges::find(table, id, [](const auto& row) { return row.id; });
    return found == table.end() ? nullptr : &*found;
}

}  // namespace

std::span<const EncrInfo> encrs() { return encr_table; }
std::span<const IntegInfo> integs() { return integ_table; }
std::span<const PrfInfo> prfs() { return prf_table; }
std::span<const KeInfo> kes() { return ke_table; }

const EncrInfo* find(EncrId id, std::uint16_t key_bits) {
    const auto* const found =
        std::ranges::find_if(encr_table, [&](const EncrInfo& row) { return row.id == id && row.key_bits == key_bits; });
    return found == encr_table.end() ? nullptr : found;
}
const IntegInfo* find(IntegId id) { return row_of(integ_table, id); }
const PrfInfo* find(PrfId id) { return row_of(prf_table, id); }
const KeInfo* find(KeMethod id) { return row_of(ke_table, id); }

std::optional<PrfId> prf_of(IntegId id) {
    switch (id) {
        case IntegId::hmac_sha1_96: return PrfId::hmac_sha1;
        case IntegId::hmac_sha2_256_128: return PrfId::hmac_sha2_256;
        case IntegId::hmac_sha2_384_192: return PrfId::hmac_sha2_384;
        case IntegId::hmac_sha2_512_256: return PrfId::hmac_sha2_512;
        case IntegId::aes_xcbc_96: return PrfId::aes128_xcbc;
        default: return std::nullopt;
    }
}

}  // namespace torii::ike
