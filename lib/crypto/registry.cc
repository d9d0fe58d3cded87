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

constexpr CipherInfo null_cipher{.id = CipherId::null,
                                 .name = "null",
                                 .alias = {},
                                 .key_bits = {0, 0, 0},
                                 .block_octets = 4,
                                 .iv_octets = 0,
                                 .salt_octets = 0,
                                 .icv_octets = 0,
                                 .counter_mode = false,
                                 .standing = wanted,
                                 .pfkey = 11};

constexpr std::array cipher_table{
    null_cipher,
    cbc(CipherId::des_cbc, "des-cbc", {64, 64, 0}, 8, legacy, 2),
    cbc(CipherId::des3_cbc, "3des-cbc", {192, 192, 0}, 8, legacy, 3),
    cbc(CipherId::blowfish_cbc, "blowfish-cbc", {40, 448, 8}, 8, legacy, 7),
    also_called("rijndael-cbc", cbc(CipherId::aes_cbc, "aes-cbc", {128, 256, 64}, 16, wanted, 12)),
    counter(CipherId::aes_gcm_16, "aes-gcm-16", {160, 288, 64}, 4, 16, wanted, 20),
};

constexpr AuthInfo auth(AuthId id, std::string_view name, std::string_view alias, std::uint16_t key_bits,
                        std::uint8_t icv_octets, Standing standing, std::uint8_t pfkey) {
    return {.id = id,
            .name = name,
            .alias = alias,
            .key_bits = {key_bits, key_bits, 0},
            .icv_octets = icv_octets,
            .standing = standing,
            .pfkey = pfkey};
}

constexpr std::array auth_table{
    auth(AuthId::null, "null", {}, 0, 0, allowed, 251),
    auth(AuthId::hmac_md5, "hmac-md5", {}, 128, 12, legacy, 2),
    auth(AuthId::hmac_sha1, "hmac-sha1", {}, 160, 12, wanted, 3),
    auth(AuthId::hmac_sha256, "hmac-sha256", "hmac-sha2-256", 256, 16, wanted, 5),
    auth(AuthId::hmac_sha384, "hmac-sha384", "hmac-sha2-384", 384, 24, allowed, 6),
    auth(AuthId::hmac_sha512, "hmac-sha512", "hmac-sha2-512", 512, 32, wanted, 7),
};

template <class Table>
constexpr bool in_order_of_ids(const Table& table) {
    for (std::size_t i = 0; i < table.size(); ++i)
        if (static_cast<std::size_t>(table[i].id) != i) return false;
    return true;
}
static_assert(in_order_of_ids(cipher_table) && in_order_of_ids(auth_table), "info() finds rows by id");

/// "128, 192 or 256 bits" or "40 to 448 bits in steps of 8".
std::string spelled(KeyBits bits) {
    const auto text = [](int number) { return std::to_string(number); };
    if (bits.low == bits.high) return text(bits.low) + " bits";
    const int lengths = (bits.high - bits.low) / bits.step + 1;
    if (lengths > 4) return text(bits.low) + " to " + text(bits.high) + " bits in steps of " + text(bits.step);
    std::string out = text(bits.low);
    for (int at = bits.low + bits.step; at <= bits.high; at += bits.step)
        out += (at == bits.high ? " or " : ", ") + text(at);
    return out + " bits";
}

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

}  // namespace

std::span<const CipherInfo> ciphers() { return cipher_table; }
std::span<const AuthInfo> auths() { return auth_table; }
const CipherInfo& info(CipherId id) { return cipher_table[static_cast<std::size_t>(id)]; }
const AuthInfo& info(AuthId id) { return auth_table[static_cast<std::size_t>(id)]; }

Result<CipherId> cipher_named(std::string_view name) { return named(cipher_table, "cipher", name); }
Result<AuthId> auth_named(std::string_view name) { return named(auth_table, "authenticator", name); }

Result<void> check_key(CipherId id, std::size_t bits) {
    const int salt_bits = info(id).salt_octets * 8;
    return check(info(id), bits, salt_bits == 0 ? "" : ", the last " + std::to_string(salt_bits) + " of them the salt");
}
Result<void> check_key(AuthId id, std::size_t bits) { return check(info(id), bits); }

}  // namespace torii
