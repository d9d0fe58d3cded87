#include "ike/credentials/secret_lines.h"

#include "ike/credentials/hexadecimal.h"

namespace torii::ike {
namespace {

constexpr std::string_view blanks = " \t";

/// The next line without its end, which may be that of a DOS text.
std::string_view take_line(std::string_view& rest) {
    const auto end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

}  // namespace

Result<std::optional<SecretLines::Line>> SecretLines::next() {
    while (!rest_.empty()) {
        ++number_;
        std::string_view line = take_line(rest_);
        if (line.starts_with('#')) continue;
        const auto first = line.find_first_not_of(blanks);
        if (first == line.npos) continue;
        line.remove_prefix(first);
        const auto word_end = line.find_first_of(blanks);
        const auto key_begin = line.find_first_not_of(blanks, word_end);
        if (word_end == line.npos || key_begin == line.npos)
            return fail(Errc::bad_syntax, where() + ": there is no key behind the identifier");
        return Line{line.substr(0, word_end), line.substr(key_begin)};
    }
    return std::nullopt;
}

Result<SecretBytes> parse_secret(std::string_view text) {
    if (!text.starts_with("0x")) return SecretBytes{std::as_bytes(std::span{text})};
    auto octets = octets_of_hexadecimal(text.substr(2));
    if (!octets)
        return fail(Errc::bad_value,
                    "a key behind 0x is pairs of hexadecimal digits; other text is written without 0x");
    if (octets->empty()) return fail(Errc::bad_value, "there are no digits behind the key's 0x");
    return std::move(*octets);
}

}  // namespace torii::ike
