#include "crypto/registry.h"

#include <array>

namespace torii {
namespace {

// Key bits as NetBSD's kernel accepts them, PF_KEY numbers as in KAME's pfkeyv2.h.

using enum Standing;

constexpr CipherInfo cbc(CipherId id, std::string_view name, KeyBits key_bits, std::uint8_t block_octets,
                         Standing standing, std::uint8_t pfkey) {
    return {.id = id,
            .name = name,
            .alias = {},
            .printed = name,
            .key_bits = key_bits,
            .block_octets = block_octets,
            .iv_octets = block_octets,
            .salt_octets = 0,
            .icv_octets = 0,
            .counter_mode = false,
            .standing = standing,
            .pfkey = pfkey};
}

/// A stream cipher under a counter, with or without an ICV of its own.
constexpr CipherInfo counter(CipherId id, std::string_view name, KeyBits key_bits, std::uint8_t salt_octets,
                             std::uint8_t icv_octets, Standing standing, std::uint8_t pfkey) {
    return {.id = id,
            .name = name,
            .alias = {},
            .printed = name,
            .key_bits = key_bits,
            .block_octets = 4,
            .iv_octets = 8,
            .salt_octets = salt_octets,
            .icv_octets = icv_octets,
            .counter_mode = true,
            .standing = standing,
            .pfkey = pfkey};
}

template <class Info>
constexpr Info also_called(std::string_view alias, Info info) {
    info.alias = alias;
    return info;
}

template <class Info>
constexpr Info printed_as(std::string_view printed, Info info) {
    info.printed = printed;
    return info;
}

/// No IV on the wire: it is made of the sequence number.
constexpr CipherInfo without_iv(CipherInfo info) {
    info.iv_octets = 0;
    return info;
}

constexpr CipherInfo null_cipher{.id = CipherId::null,
                                 .name = "null",
                                 .alias = "simple",  // KAME's old word
                                 .printed = "null",
                                 .key_bits = {0, 0, 0},
                                 .block_octets = 4,
                                 .iv_octets = 0,
                                 .salt_octets = 0,
                                 .icv_octets = 0,
                                 .counter_mode = false,
                                 .standing = wanted,
                                 .pfkey = 11};

constexpr KeyBits with_salt_32{160, 288, 64}, with_salt_24{152, 280, 64};  // AES keys

constexpr std::array cipher_table{
    null_cipher,
    cbc(CipherId::des_cbc, "des-cbc", {64, 64, 0}, 8, legacy, 2),
    // esp-old has a 32-bit IV where ESP has the sequence number, and uses it alike (RFC 1829)
    printed_as("des-cbc",
               also_called("des-32iv", without_iv(cbc(CipherId::des_deriv, "des-deriv", {64, 64, 0}, 8, legacy, 2)))),
    cbc(CipherId::des3_cbc, "3des-cbc", {192, 192, 0}, 8, legacy, 3),
    cbc(CipherId::blowfish_cbc, "blowfish-cbc", {40, 448, 8}, 8, legacy, 7),
    cbc(CipherId::cast128_cbc, "cast128-cbc", {40, 128, 8}, 8, legacy, 6),
    also_called("rijndael-cbc", cbc(CipherId::aes_cbc, "aes-cbc", {128, 256, 64}, 16, wanted, 12)),
    cbc(CipherId::camellia_cbc, "camellia-cbc", {128, 256, 64}, 16, allowed, 22),
    counter(CipherId::aes_ctr, "aes-ctr", with_salt_32, 4, 0, allowed, 13),
    counter(CipherId::aes_gcm_16, "aes-gcm-16", with_salt_32, 4, 16, wanted, 20),
    counter(CipherId::aes_gcm_12, "aes-gcm-12", with_salt_32, 4, 12, allowed, 19),
    counter(CipherId::aes_gcm_8, "aes-gcm-8", with_salt_32, 4, 8, allowed, 18),
    counter(CipherId::aes_ccm_16, "aes-ccm-16", with_salt_24, 3, 16, allowed, 16),
    counter(CipherId::aes_ccm_12, "aes-ccm-12", with_salt_24, 3, 12, allowed, 15),
    counter(CipherId::aes_ccm_8, "aes-ccm-8", with_salt_24, 3, 8, allowed, 14),
    counter(CipherId::chacha20_poly1305, "chacha20-poly1305", {288, 288, 0}, 4, 16, wanted, 0),
    counter(CipherId::aes_gmac, "aes-gmac", with_salt_32, 4, 16, allowed, 23),
};

constexpr AuthInfo auth(AuthId id, std::string_view name, std::string_view alias, std::uint16_t key_bits,
                        std::uint8_t icv_octets, Standing standing, std::uint8_t pfkey) {
    return {.id = id,
            .name = name,
            .alias = alias,
            .printed = name,
            .key_bits = {key_bits, key_bits, 0},
            .icv_octets = icv_octets,
            .standing = standing,
            .pfkey = pfkey};
}

constexpr AuthInfo in_ah_old(AuthInfo info) {
    info.ah_old = true;
    return info;
}

constexpr std::array auth_table{
    auth(AuthId::null, "null", {}, 0, 0, allowed, 251),
    auth(AuthId::hmac_md5, "hmac-md5", {}, 128, 12, legacy, 2),
    auth(AuthId::hmac_sha1, "hmac-sha1", {}, 160, 12, wanted, 3),
    auth(AuthId::hmac_sha256, "hmac-sha256", "hmac-sha2-256", 256, 16, wanted, 5),
    auth(AuthId::hmac_sha384, "hmac-sha384", "hmac-sha2-384", 384, 24, allowed, 6),
    auth(AuthId::hmac_sha512, "hmac-sha512", "hmac-sha2-512", 512, 32, wanted, 7),
    auth(AuthId::hmac_sha256_96, "hmac-sha256-96", "hmac-sha2-256-96", 256, 12, allowed, 0),
    auth(AuthId::hmac_sha384_96, "hmac-sha384-96", "hmac-sha2-384-96", 384, 12, allowed, 0),
    auth(AuthId::hmac_sha512_96, "hmac-sha512-96", "hmac-sha2-512-96", 512, 12, allowed, 0),
    auth(AuthId::hmac_ripemd160, "hmac-ripemd160", {}, 160, 12, allowed, 8),
    auth(AuthId::aes_xcbc_mac, "aes-xcbc-mac", {}, 128, 12, allowed, 9),
    auth(AuthId::aes_cmac, "aes-cmac", {}, 128, 12, allowed, 0),
    printed_as("md5", auth(AuthId::keyed_md5, "keyed-md5", {}, 128, 12, legacy, 249)),
    printed_as("sha", auth(AuthId::keyed_sha1, "keyed-sha1", {}, 160, 12, legacy, 250)),
    printed_as("hmac-md5", in_ah_old(auth(AuthId::hmac_md5_128, "hmac-md5-128", {}, 128, 16, legacy, 2))),
    printed_as("hmac-sha1", in_ah_old(auth(AuthId::hmac_sha1_128, "hmac-sha1-128", {}, 160, 16, legacy, 3))),
    printed_as("md5", in_ah_old(auth(AuthId::keyed_md5_128, "keyed-md5-128", {}, 128, 16, legacy, 249))),
    printed_as("sha", in_ah_old(auth(AuthId::keyed_sha1_128, "keyed-sha1-128", {}, 160, 16, legacy, 250))),
};

template <class Table>
constexpr bool in_order_of_ids(const Table& table) {
    for (std::size_t i = 0; i < table.size(); ++i)
        if (static_cast<std::size_t>(table[i].id) != i) return false;
    return true;
}
static_assert(in_order_of_ids(cipher_table) && in_order_of_ids(auth_table), "info() finds rows by id");

template <class Info>
Result<void> check(const Info& info, std::size_t bits, std::string_view salt = {}) {
    if (info.key_bits.allows(bits)) return {};
    const std::string name{info.name};
    if (info.key_bits.high == 0)
        return fail(Errc::bad_key_length, name + " takes no key, not " + std::to_string(bits) + " bits");
    return fail(Errc::bad_key_length, name + " takes keys of " + spelled(info.key_bits) + std::string{salt} + ", not " +
                                          std::to_string(bits));
}

template <class Table>
auto named(const Table& table, std::string_view what, std::string_view name) -> Result<decltype(table[0].id)> {
    std::string known;
    for (const auto& row : table) {
        if (name == row.name || (!row.alias.empty() && name == row.alias)) return row.id;
        known.append(known.empty() ? "" : ", ").append(row.name);
    }
    return fail(Errc::unsupported,
                "there is no " + std::string{what} + " '" + std::string{name} + "'; there are " + known);
}

/// What KAME's manual names and nobody ever had, or has without harm.
struct Refused {
    std::string_view name, why;
};
constexpr Refused refused_names[]{
    {"twofish-cbc", "twofish-cbc is not supported: KAME's manual names it, and no kernel ever had it"},
    {"3des-deriv", "3des-deriv is not supported: KAME's manual names it, and no kernel ever had it"},
    {"tcp-md5", "tcp-md5 is not supported: it protects TCP (RFC 2385), not IPsec"},
};

Result<void> check_refused(std::string_view name) {
    for (const Refused& row : refused_names)
        if (row.name == name) return fail(Errc::unsupported, std::string{row.why});
    return {};
}

}  // namespace

std::string spelled(KeyBits bits) {
    const auto text = [](int number) { return std::to_string(number); };
    if (bits.high == 0) return "no key";
    if (bits.low == bits.high) return text(bits.low) + " bits";
    const int lengths = (bits.high - bits.low) / bits.step + 1;
    if (lengths > 4) return text(bits.low) + " to " + text(bits.high) + " bits in steps of " + text(bits.step);
    std::string out = text(bits.low);
    for (int at = bits.low + bits.step; at <= bits.high; at += bits.step)
        out += (at == bits.high ? " or " : ", ") + text(at);
    return out + " bits";
}

std::span<const CipherInfo> ciphers() { return cipher_table; }
std::span<const AuthInfo> auths() { return auth_table; }
const CipherInfo& info(CipherId id) { return cipher_table[static_cast<std::size_t>(id)]; }
const AuthInfo& info(AuthId id) { return auth_table[static_cast<std::size_t>(id)]; }

Result<CipherId> cipher_named(std::string_view name) {
    TORII_CHECK(check_refused(name));
    return named(cipher_table, "cipher", name);
}

Result<AuthId> auth_named(std::string_view name) {
    TORII_CHECK(check_refused(name));
    return named(auth_table, "authenticator", name);
}

AuthId ah_old_form(AuthId id) {
    switch (id) {
        case AuthId::hmac_md5: return AuthId::hmac_md5_128;
        case AuthId::hmac_sha1: return AuthId::hmac_sha1_128;
        case AuthId::keyed_md5: return AuthId::keyed_md5_128;
        case AuthId::keyed_sha1: return AuthId::keyed_sha1_128;
        default: return AuthId::null;
    }
}

Result<void> check_key(CipherId id, std::size_t bits) {
    const int salt_bits = info(id).salt_octets * 8;
    return check(info(id), bits, salt_bits == 0 ? "" : ", the last " + std::to_string(salt_bits) + " of them the salt");
}
Result<void> check_key(AuthId id, std::size_t bits) { return check(info(id), bits); }

}  // namespace torii
