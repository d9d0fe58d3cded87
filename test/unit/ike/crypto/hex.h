// Octets written as hexadecimal in tests of ike/crypto.
#pragma once

#include <string>
#include <string_view>

#include "base/secret_bytes.h"
#include "ike/crypto/prf.h"

namespace torii::ike::test {

/// Spaces may stand anywhere.
inline Octets from_hex(std::string_view text) {
    const auto value = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    Octets out;
    int high = -1;
    for (const char c : text) {
        if (c == ' ') continue;
        if (high < 0) {
            high = value(c);
        } else {
            out.push_back(static_cast<std::byte>(high * 16 + value(c)));
            high = -1;
        }
    }
    return out;
}

inline std::string to_hex(OctetView octets) {
    std::string out;
    for (const std::byte octet : octets)
        for (const int shift : {4, 0}) out += "0123456789abcdef"[(static_cast<unsigned>(octet) >> shift) & 15];
    return out;
}
inline std::string to_hex(const SecretBytes& secret) { return to_hex(secret.octets()); }

}  // namespace torii::ike::test
