#include "crypto/registry.h"

#include <array>

namespace torii {
namespace {

// Key bits as NetBSD's kernel accepts them, PF_KEY numbers as in KAME's pfkeyv2.h, legacy as RFC 8221 5 and 6 judge.
constexpr std::array cipher_table{
    CipherInfo{.id = CipherId::null,
               .name = "null",
               .alias = {},
               .key_bits = {0, 0, 0},
               .block_octets = 4,
               .iv_octets = 0,
               .salt_octets = 0,
               .icv_octets = 0,
               .counter_mode = false,
               .legacy = false,
               .pfkey = 11},
    CipherInfo{.id = CipherId::des_cbc,
               .name = "des-cbc",
               .alias = {},
               .key_bits = {64, 64, 0},
               .block_octets = 8,
               .iv_octets = 8,
               .salt_octets = 0,
               .icv_octets = 0,
               .counter_mode = false,
               .legacy = true,
               .pfkey = 2},
    CipherInfo{.id = CipherId::des3_cbc,
               .name = "3des-cbc",
               .alias = {},
               .key_bits = {192, 192, 0},
               .block_octets = 8,
               .iv_octets = 8,
               .salt_octets = 0,
               .icv_octets = 0,
               .counter_mode = false,
               .legacy = true,
               .pfkey = 3},
    CipherInfo{.id = CipherId::blowfish_cbc,
               .name = "blowfish-cbc",
               .alias = {},
               .key_bits = {40, 448, 8},
               .block_octets = 8,
               .iv_octets = 8,
               .salt_octets = 0,
               .icv_octets = 0,
               .counter_mode = false,
               .legacy = true,
               .pfkey = 7},
    CipherInfo{.id = CipherId::aes_cbc,
               .name = "aes-cbc",
               .alias = "rijndael-cbc",
               .key_bits = {128, 256, 64},
               .block_octets = 16,
               .iv_octets = 16,
               .salt_octets = 0,
               .icv_octets = 0,
               .counter_mode = false,
               .legacy = false,
               .pfkey = 12},
    CipherInfo{.id = CipherId::aes_gcm_16,
               .name = "aes-gcm-16",
               .alias = {},
               .key_bits = {160, 288, 64},
               .block_octets = 4,
               .iv_octets = 8,
               .salt_octets = 4,
               .icv_octets = 16,
               .counter_mode = true,
               .legacy = false,
               .pfkey = 20},
};

constexpr std::array auth_table{
    AuthInfo{.id = AuthId::null,
             .name = "null",
             .alias = {},
             .key_bits = {0, 0, 0},
             .icv_octets = 0,
             .legacy = false,
             .pfkey = 251},
    AuthInfo{.id = AuthId::hmac_md5,
             .name = "hmac-md5",
             .alias = {},
             .key_bits = {128, 128, 0},
             .icv_octets = 12,
             .legacy = true,
             .pfkey = 2},
    AuthInfo{.id = AuthId::hmac_sha1,
             .name = "hmac-sha1",
             .alias = {},
             .key_bits = {160, 160, 0},
             .icv_octets = 12,
             .legacy = false,
             .pfkey = 3},
    AuthInfo{.id = AuthId::hmac_sha256,
             .name = "hmac-sha256",
             .alias = "hmac-sha2-256",
             .key_bits = {256, 256, 0},
             .icv_octets = 16,
             .legacy = false,
             .pfkey = 5},
    AuthInfo{.id = AuthId::hmac_sha384,
             .name = "hmac-sha384",
             .alias = "hmac-sha2-384",
             .key_bits = {384, 384, 0},
             .icv_octets = 24,
             .legacy = false,
             .pfkey = 6},
    AuthInfo{.id = AuthId::hmac_sha512,
             .name = "hmac-sha512",
             .alias = "hmac-sha2-512",
             .key_bits = {512, 512, 0},
             .icv_octets = 32,
             .legacy = false,
             .pfkey = 7},
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
    return check(info(id), bits, info(id).salt_octets != 0 ? ", the last 32 of them the salt" : "");
}
Result<void> check_key(AuthId id, std::size_t bits) { return check(info(id), bits); }

}  // namespace torii
