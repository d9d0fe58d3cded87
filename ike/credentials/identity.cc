#include "ike/credentials/identity.h"

#include <algorithm>
#include <optional>

#include "ike/credentials/hexadecimal.h"
#include "ike/credentials/names.h"

namespace torii::ike {
namespace {

using openssl::bytes, openssl::text;

constexpr std::string_view keyid_word = "keyid:";
constexpr std::size_t longest = 4096;  // octets of one identity's words

Octets octets_of(std::string_view value) {
    const auto view = bytes(value);
    return {view.begin(), view.end()};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter_or_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= 63 &&
           std::ranges::all_of(label, [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; });
}

/// Labels with dots between them. RFC 7296 3.5: no terminators, no NUL, nothing but the name.
bool is_host_name(std::string_view name) {
    if (name.size() > 253) return false;
    while (true) {
        const auto dot = name.find('.');
        if (!is_label(name.substr(0, dot))) return false;
        if (dot == name.npos) return true;
        name.remove_prefix(dot + 1);
    }
}
bool is_wildcard(std::string_view name) { return name.starts_with("*.") && is_host_name(name.substr(2)); }
/// "20.0.0.300" is meant as an address: no top-level domain is a number.
bool ends_in_number(std::string_view name) { return std::ranges::all_of(name.substr(name.rfind('.') + 1), is_digit); }
bool is_mailbox(std::string_view name) {
    const auto at = name.find('@');
    return at != 0 && at != name.npos && is_host_name(name.substr(at + 1)) &&
           std::ranges::all_of(name.substr(0, at), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool is_plain(std::string_view value) {  // printable ASCII that comes back as it was
    return !value.empty() && value.front() != ' ' && value.back() != ' ' && !value.starts_with("0x") &&
           std::ranges::all_of(value, [](char c) { return c >= ' ' && c < '\x7f'; });
}

Result<Id> key_id(std::string_view value) {
    if (value.empty()) return fail(Errc::bad_value, "nothing is behind 'keyid:'");
    if (!value.starts_with("0x")) return Id{IdType::key_id, octets_of(value)};
    const auto octets = octets_of_hexadecimal(value.substr(2));
    if (!octets || octets->empty())
        return fail(Errc::bad_value, "'" + std::string{value} + "' behind 'keyid:' is no pairs of hexadecimal digits");
    return Id{IdType::key_id, Octets{octets->octets().begin(), octets->octets().end()}};
}

/// Octets that are no text, of a peer's making: told, and taken for nothing else.
std::string told(std::string_view kind, const Octets& data) { return std::string{kind} + ":0x" + hexadecimal_of(data); }

std::string told_if(bool fits, const char* kind, const Id& id) {
    return fits ? std::string{text(id.data)} : told(kind, id.data);
}

/// "*.example.com" takes one label in front of the rest, and no further dot.
bool wildcard_takes(std::string_view wanted, std::string_view name) {
    const auto dot = name.find('.');
    return dot != name.npos && is_label(name.substr(0, dot)) &&
           same_host(bytes(wanted.substr(1)), bytes(name.substr(dot)));
}

}  // namespace

Result<Id> parse_id(std::string_view words) {
    while (!words.empty() && words.front() == ' ') words.remove_prefix(1);
    while (words.ends_with(" ") && !words.ends_with("\\ ")) words.remove_suffix(1);
    const auto refuse = [&](std::string_view why) {
        return fail(Errc::bad_value, "'" + std::string{words} + "' " + std::string{why});
    };
    if (words.empty()) return fail(Errc::bad_value, "there is no identity");
    if (words.size() > longest) return fail(Errc::bad_value, "an identity has at most 4096 octets");
    if (words.starts_with(keyid_word)) return key_id(words.substr(keyid_word.size()));
    if (const auto address = Address::parse(words))
        return Id{address->is_v4() ? IdType::ipv4_addr : IdType::ipv6_addr,
                  Octets{address->octets().begin(), address->octets().end()}};
    if (words.front() == '@') {
        if (!is_host_name(words.substr(1))) return refuse("is no host name behind its '@'");
        return Id{IdType::fqdn, octets_of(words.substr(1))};
    }
    if (const auto equals = words.find('='); equals < words.find('@')) {
        auto name = parse_name(words);
        if (!name)
            return std::unexpected(std::move(name).error().in("distinguished name '" + std::string{words} + "'"));
        return Id{IdType::der_asn1_dn, openssl::der_of(name->get(), i2d_X509_NAME)};
    }
    if (words.find('@') != words.npos) {
        if (!is_mailbox(words)) return refuse("is no mail address like user@example.com");
        return Id{IdType::rfc822_addr, octets_of(words)};
    }
    if (is_wildcard(words) || (is_host_name(words) && !ends_in_number(words)))
        return Id{IdType::fqdn, octets_of(words)};
    return refuse(
        "is no identity: an address, a host name, user@host, a distinguished name like 'C=JP, O=Example, CN=gw', or "
        "keyid:...");
}

std::string text_of(const Id& id) {
    const std::string_view value = text(id.data);
    switch (id.type) {
        case IdType::ipv4_addr:
            return id.data.size() == 4 ? Address::from_octets(id.data).text() : told("ipv4", id.data);
        case IdType::ipv6_addr:
            return id.data.size() == 16 ? Address::from_octets(id.data).text() : told("ipv6", id.data);
        case IdType::fqdn:
            if (is_host_name(value) && ends_in_number(value)) return "@" + std::string{value};
            return told_if(is_host_name(value) || is_wildcard(value), "fqdn", id);
        case IdType::rfc822_addr: return told_if(is_mailbox(value), "email", id);
        case IdType::der_asn1_dn: {
            const auto name = name_of_der(id.data);
            const std::string words = name ? text_of(name.get()) : std::string{};
            return words.empty() ? told("dn", id.data) : words;
        }
        case IdType::key_id:
            return is_plain(value) ? std::string{keyid_word} + std::string{value} : told("keyid", id.data);
        case IdType::der_asn1_gn: break;
    }
    return told(name_of(id.type), id.data);
}

bool matches(const Id& wanted, const Id& id) {
    if (wanted.type != id.type || wanted.data.empty()) return false;
    switch (id.type) {
        case IdType::fqdn: {
            const std::string_view pattern = text(wanted.data), name = text(id.data);
            return is_wildcard(pattern) ? wildcard_takes(pattern, name) : same_host(wanted.data, id.data);
        }
        case IdType::rfc822_addr: return same_mailbox(wanted.data, id.data);
        case IdType::der_asn1_dn: return same_name(name_of_der(wanted.data).get(), name_of_der(id.data).get());
        default: return wanted.data == id.data;
    }
}

}  // namespace torii::ike
