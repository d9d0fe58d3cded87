#include "ike/credentials/names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace torii::ike {
namespace {

using namespace openssl;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool same_letters(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }
std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

/// The object of an attribute's word, in whatever case, or of a dotted number; null: neither.
ObjectPtr attribute_of(std::string_view word) {
    static constexpr std::pair<std::string_view, int> words[] = {
        {"C", NID_countryName},
        {"ST", NID_stateOrProvinceName},
        {"S", NID_stateOrProvinceName},
        {"L", NID_localityName},
        {"O", NID_organizationName},
        {"OU", NID_organizationalUnitName},
        {"CN", NID_commonName},
        {"SN", NID_surname},
        {"GN", NID_givenName},
        {"T", NID_title},
        {"title", NID_title},
        {"serialNumber", NID_serialNumber},
        {"street", NID_streetAddress},
        {"UID", NID_userId},
        {"DC", NID_domainComponent},
        {"E", NID_pkcs9_emailAddress},
        {"emailAddress", NID_pkcs9_emailAddress},
        {"unstructuredName", NID_pkcs9_unstructuredName},
        {"unstructuredAddress", NID_pkcs9_unstructuredAddress},
    };
    for (const auto& [known, nid] : words)
        if (same_letters(word, known)) return ObjectPtr{OBJ_nid2obj(nid)};
    const std::string zero_terminated{word};
    return ObjectPtr{OBJ_txt2obj(zero_terminated.c_str(), 0)};
}

std::optional<int> nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
    return std::nullopt;
}

/// One "WORD=VALUE" taken off the front of `rest`, its escapes undone, with what ended it: ',', '+' or nothing.
struct Part {
    std::string word, value;
    char end = '\0';
};
Result<Part> take_part(std::string_view& rest) {
    Part part;
    const auto equals = rest.find('=');
    if (equals == rest.npos) return fail(Errc::bad_value, "'" + std::string{trimmed(rest)} + "' has no '='");
    part.word = trimmed(rest.substr(0, equals));
    std::size_t i = equals + 1, kept = 0;  // `kept`: blanks behind are not the value's unless escaped
    while (i < rest.size() && rest[i] == ' ') ++i;
    for (; i < rest.size() && rest[i] != ',' && rest[i] != '+'; ++i) {
        char c = rest[i];
        const bool escaped = c == '\\';
        if (escaped) {
            if (++i == rest.size()) return fail(Errc::bad_value, "nothing is behind the last '\\'");
            c = rest[i];
            const auto high = nibble(c), low = i + 1 < rest.size() ? nibble(rest[i + 1]) : std::nullopt;
            if (high && low) {
                c = static_cast<char>(*high * 16 + *low);
                ++i;
            }
        }
        part.value += c;
        if (escaped || c != ' ') kept = part.value.size();
    }
    part.value.resize(kept);
    part.end = i < rest.size() ? rest[i] : '\0';
    rest.remove_prefix(std::min(i + 1, rest.size()));
    return part;
}

/// The whole value "*" is kept as it is: countryName would otherwise want two letters.
NameEntryPtr entry_of(const ASN1_OBJECT* object, const std::string& value) {
    const auto* const data = reinterpret_cast<const unsigned char*>(value.data());
    const int type = value == "*" ? V_ASN1_UTF8STRING : MBSTRING_UTF8;
    return NameEntryPtr{X509_NAME_ENTRY_create_by_OBJ(nullptr, object, type, data, static_cast<int>(value.size()))};
}

/// An entry alone, as a name of its own: that is what OpenSSL compares by RFC 5280 7.1.
NamePtr alone(const X509_NAME_ENTRY* entry) {
    NamePtr name{X509_NAME_new()};
    if (name && X509_NAME_add_entry(name.get(), entry, -1, 0) != 1) name.reset();
    return name;
}

bool is_any(const X509_NAME_ENTRY* entry) { return text(bytes(X509_NAME_ENTRY_get_data(entry))) == "*"; }

bool same_entry(const X509_NAME_ENTRY* wanted, const X509_NAME_ENTRY* entry) {
    if (X509_NAME_ENTRY_set(wanted) != X509_NAME_ENTRY_set(entry)) return false;
    if (OBJ_cmp(X509_NAME_ENTRY_get_object(wanted), X509_NAME_ENTRY_get_object(entry)) != 0) return false;
    if (is_any(wanted)) return true;
    const NamePtr a = alone(wanted), b = alone(entry);
    return a && b && X509_NAME_cmp(a.get(), b.get()) == 0;
}

}  // namespace

Result<NamePtr> parse_name(std::string_view text) {
    const ErrorsForgotten forgotten;
    NamePtr name{X509_NAME_new()};
    bool joins = false, more = true;  // joins: the part belongs to the RDN before it, behind a '+'
    for (std::string_view rest = text; more;) {
        TORII_TRY(const Part part, take_part(rest));
        const ObjectPtr object = attribute_of(part.word);
        if (!object)
            return fail(Errc::bad_value,
                        "'" + part.word + "' is no attribute of a distinguished name, as C, O, OU, CN");
        if (part.value.empty()) return fail(Errc::bad_value, part.word + " has no value");
        const NameEntryPtr entry = entry_of(object.get(), part.value);
        if (!entry || !name || X509_NAME_add_entry(name.get(), entry.get(), -1, joins ? -1 : 0) != 1)
            return fail(Errc::bad_value, part.word + " cannot be '" + part.value + "'" +
                                             (OBJ_obj2nid(object.get()) == NID_countryName ? ": two letters are" : ""));
        joins = part.end == '+';
        more = part.end != '\0';
    }
    return name;
}

NamePtr name_of_der(std::span<const std::byte> der) {
    const ErrorsForgotten forgotten;
    const unsigned char* at = octets(der.data());
    if (der.empty() || der.size() > limits::certificate_octets) return nullptr;
    NamePtr name{d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size()))};
    if (name && at != octets(der.data()) + der.size()) name.reset();
    return name;
}

std::string text_of(const X509_NAME* name) {
    const ErrorsForgotten forgotten;
    const BioPtr bio{BIO_new(BIO_s_mem())};
    // Octets above 127 escaped too: a peer chose them, and terminals have control characters there.
    constexpr unsigned long how = ASN1_STRFLGS_RFC2253 | XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN;
    if (!bio || X509_NAME_print_ex(bio.get(), name, 0, how) < 0) return {};
    return text_in(bio.get());
}

bool same_name(const X509_NAME* wanted, const X509_NAME* name) {
    const ErrorsForgotten forgotten;
    if (wanted == nullptr || name == nullptr) return false;
    if (X509_NAME_cmp(wanted, name) == 0) return true;
    const int count = X509_NAME_entry_count(wanted);
    if (count != X509_NAME_entry_count(name)) return false;
    for (int i = 0; i < count; ++i)
        if (!same_entry(X509_NAME_get_entry(wanted, i), X509_NAME_get_entry(name, i))) return false;
    return true;
}

bool same_host(std::span<const std::byte> a, std::span<const std::byte> b) { return same_letters(text(a), text(b)); }

bool same_mailbox(std::span<const std::byte> a, std::span<const std::byte> b) {
    const std::string_view left = text(a), right = text(b);
    const auto at = left.rfind('@');
    return at != left.npos && at == right.rfind('@') && left.substr(0, at) == right.substr(0, at) &&
           same_letters(left.substr(at), right.substr(at));
}

}  // namespace torii::ike
