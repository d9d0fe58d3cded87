#include "ike/credentials/shared_keys.h"

#include <map>
#include <utility>

#include "ike/credentials/certificates.h"
#include "ike/credentials/openssl.h"
#include "ike/credentials/secret_lines.h"

namespace torii::ike {
namespace {

constexpr std::string_view anybody = "*";

Id id_of(const Address& address) {
    return {address.is_v4() ? IdType::ipv4_addr : IdType::ipv6_addr,
            Octets{address.octets().begin(), address.octets().end()}};
}

}  // namespace

Result<SharedKeys> SharedKeys::parse(std::string_view text, std::string_view name) {
    SharedKeys keys;
    std::map<std::pair<IdType, Octets>, std::size_t> numbers;  // of the line where each identifier stood first
    SecretLines lines{text, name};
    for (;;) {
        TORII_TRY(const auto line, lines.next());
        if (!line) return keys;
        Entry entry;
        if (line->word != anybody) {
            auto id = parse_id(line->word);
            if (!id)
                return fail(Errc::bad_value,
                            lines.where() +
                                ": the first word is no identifier: an address, a host name, user@host, a "
                                "distinguished name without blanks, keyid:... or * are");
            entry.id = *std::move(id);
        }
        const Id written = entry.id.value_or(Id{});
        const auto [earlier, is_new] = numbers.try_emplace({written.type, written.data}, lines.number());
        if (!is_new)
            return fail(Errc::exists, lines.where() + ": this identifier has a key in line " +
                                          std::to_string(earlier->second) + " already");
        auto key = parse_secret(line->key);
        if (!key) return std::unexpected(std::move(key).error().in(lines.where()));
        entry.key = *std::move(key);
        keys.entries_.push_back(std::move(entry));
    }
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
