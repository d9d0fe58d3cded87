#include "ike/credentials/shared_keys.h"

#include <map>
#include <utility>

#include "ike/credentials/certificates.h"
#include "ike/credentials/hexadecimal.h"
#include "ike/credentials/openssl.h"

namespace torii::ike {
namespace {

constexpr std::string_view blanks = " \t";
constexpr std::string_view anybody = "*";

Id id_of(const Address& address) {
    return {address.is_v4() ? IdType::ipv4_addr : IdType::ipv6_addr,
            Octets{address.octets().begin(), address.octets().end()}};
}

/// The next line without its end, which may be that of a DOS text.
std::string_view take_line(std::string_view& rest) {
    const auto end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

/// Behind 0x hexadecimal digits; else the text itself, with the blanks in it and behind it, as racoon takes it.
Result<SecretBytes> parse_key(std::string_view text) {
    if (!text.starts_with("0x")) return SecretBytes{openssl::bytes(text)};
    auto octets = octets_of_hexadecimal(text.substr(2));
    if (!octets)
        return fail(Errc::bad_value,
                    "a key behind 0x is pairs of hexadecimal digits; other text is written without 0x");
    if (octets->empty()) return fail(Errc::bad_value, "there are no digits behind the key's 0x");
    return std::move(*octets);
}

}  // namespace

// What stands in a line is never quoted in an error: with its columns exchanged, the first word is the key.
Result<SharedKeys> SharedKeys::parse(std::string_view text, std::string_view name) {
    SharedKeys keys;
    std::map<std::pair<IdType, Octets>, std::size_t> lines;  // where each identifier stood first
    std::size_t number = 0;
    const auto where = [&] { return std::string{name} + ":" + std::to_string(number); };
    while (!text.empty()) {
        ++number;
        std::string_view line = take_line(text);
        if (line.starts_with('#')) continue;
        const auto first = line.find_first_not_of(blanks);
        if (first == line.npos) continue;
        line.remove_prefix(first);
        const auto word_end = line.find_first_of(blanks);
        const auto key_begin = line.find_first_not_of(blanks, word_end);
        if (word_end == line.npos || key_begin == line.npos)
            return fail(Errc::bad_syntax, where() + ": there is no key behind the identifier");

        Entry entry;
        if (const std::string_view word = line.substr(0, word_end); word != anybody) {
            auto id = parse_id(word);
            if (!id)
                return fail(Errc::bad_value,
                            where() +
                                ": the first word is no identifier: an address, a host name, user@host, a "
                                "distinguished name without blanks, keyid:... or * are");
            entry.id = *std::move(id);
        }
        const Id written = entry.id.value_or(Id{});
        const auto [earlier, is_new] = lines.try_emplace({written.type, written.data}, number);
        if (!is_new)
            return fail(Errc::exists, where() + ": this identifier has a key in line " +
                                          std::to_string(earlier->second) + " already");
        auto key = parse_key(line.substr(key_begin));
        if (!key) return std::unexpected(std::move(key).error().in(where()));
        entry.key = *std::move(key);
        keys.entries_.push_back(std::move(entry));
    }
    return keys;
}

const SecretBytes* SharedKeys::find(const Id& peer, const Address& address) const {
    const auto by_id = [this](const Id& id) -> const SecretBytes* {
        const Entry* pattern = nullptr;
        for (const Entry& entry : entries_) {
            if (!entry.id || !matches(*entry.id, id)) continue;
            if (matches(id, *entry.id)) return &entry.key;  // the very same: it goes before a pattern
            if (pattern == nullptr) pattern = &entry;
        }
        return pattern != nullptr ? &pattern->key : nullptr;
    };
    if (const SecretBytes* key = by_id(peer)) return key;
    if (const SecretBytes* key = by_id(id_of(address))) return key;
    for (const Entry& entry : entries_)
        if (!entry.id) return &entry.key;
    return nullptr;
}

Result<SecretBytes> shared_key_auth(CryptoContext& context, PrfId id, const SecretBytes& key, OctetView octets) {
    // RFC 7296 2.15: the pad is ASCII, 17 octets without a NUL behind it, so that a key kept elsewhere can be kept as
    // the inner value.
    constexpr std::string_view pad = "Key Pad for IKEv2";
    TORII_TRY(const SecretBytes inner, prf(context, id, key.octets(), {openssl::bytes(pad)}));
    return prf(context, id, inner.octets(), {octets});
}

}  // namespace torii::ike
