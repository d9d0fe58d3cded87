// Octets as pairs of hexadecimal digits, for keys and for octets that are no text. Inside the credentials room only.
// Any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/secret_bytes.h"

namespace torii::ike {

/// Nothing: an odd number of digits, or something else among them. Blanks between digits are passed over, as racoon
/// does.
inline std::optional<SecretBytes> octets_of_hexadecimal(std::string_view digits) {
    const auto value_of = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    std::size_t count = 0;
    for (const char c : digits) {
        if (is_blank(c)) continue;
        if (value_of(c) < 0) return std::nullopt;
        ++count;
    }
    if (count % 2 != 0) return std::nullopt;
    SecretBytes out{count / 2};
    std::size_t i = 0;
    for (const char c : digits) {
        if (is_blank(c)) continue;
        auto& octet = out.octets()[i++ / 2];
        octet = octet << 4 | static_cast<std::byte>(value_of(c));
    }
    return out;
}

inline std::string hexadecimal_of(std::span<const std::byte> octets) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(octets.size() * 2);
    for (const std::byte b : octets) {
        out += digits[std::to_integer<unsigned>(b) >> 4];
        out += digits[std::to_integer<unsigned>(b) & 15];
    }
    return out;
}

}  // namespace torii::ike
