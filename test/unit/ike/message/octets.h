// Octets as a person writes them, and the usual questions about a payload. Tests only.
#pragma once

#include <string_view>

#include "catch.h"
#include "ike/message/message.h"

namespace torii::ike::test {

/// "00 1c 0a": spaces do not count.
inline Octets octets(std::string_view hexadecimal) {
    Octets out;
    int high = -1;
    for (const char c : hexadecimal) {
        if (c == ' ' || c == '\n') continue;
        const auto digit = std::string_view{"0123456789abcdef"}.find(c);
        if (digit == std::string_view::npos) FAIL("not hexadecimal: " << hexadecimal);
        if (high < 0) {
            high = static_cast<int>(digit);
        } else {
            out.push_back(static_cast<std::byte>(high << 4 | static_cast<int>(digit)));
            high = -1;
        }
    }
    if (high >= 0) FAIL("half an octet: " << hexadecimal);
    return out;
}

inline Octets repeated(std::size_t n, unsigned char value) { return Octets(n, std::byte{value}); }

/// `body` behind a generic header, alone in its chain.
inline Octets alone(const Octets& body, unsigned flags = 0) {
    const std::size_t length = payload_header_octets + body.size();
    Octets out{std::byte{0}, static_cast<std::byte>(flags), static_cast<std::byte>(length >> 8),
               static_cast<std::byte>(length)};
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

/// Whether `part` is in `text`, which a failure shows.
inline bool says(const std::string& text, std::string_view part) {
    UNSCOPED_INFO(text);
    return text.find(part) != std::string::npos;
}

/// Why the payload of these octets is refused, or "" when it is not.
inline std::string refusal(PayloadType type, const Octets& body) {
    const auto parsed = parse_payloads(type, alone(body));
    if (parsed) return {};
    CHECK(parsed.error().notify == NotifyType::invalid_syntax);
    CHECK_FALSE(parsed.error().why.empty());
    return parsed.error().why;
}

}  // namespace torii::ike::test
