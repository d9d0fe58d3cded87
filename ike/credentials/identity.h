// Who somebody says he is (RFC 7296 3.5) between an operator's words and the payload, and whether a certificate bears
// it (RFC 4945 3.1). Any thread; values only.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "ike/message/payloads.h"

namespace torii::ike {

/// "20.0.0.1", "2001:db8::1", "gw.example.com" or "@gw.example.com", "user@example.com", a distinguished name ("C=JP,
/// O=Example, CN=gw"), "keyid:text" or "keyid:0x0a0b". Errc::bad_value says what is right.
Result<Id> parse_id(std::string_view text);
/// As parse_id takes it; octets that are no text as 0x..., so that a log line stays one line.
std::string text_of(const Id& id);
/// Whether a peer who calls himself `id` is whom `wanted` means: equal, without regard to case for names and (RFC 4945,
/// RFC 5280 7.1) for distinguished names. A wanted "*.example.com" takes one label, a distinguished name may hold "*"
/// for a whole value, as racoon's.
bool matches(const Id& wanted, const Id& id);

}  // namespace torii::ike
