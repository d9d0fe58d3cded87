// Names as certificates and identities hold them: distinguished names between words and DER (RFC 5280 4.1.2.4, 7.1),
// and comparison of host names and mailboxes. Inside the credentials room only. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "ike/credentials/openssl.h"

namespace torii::ike {

/// "C=JP, O=Example, CN=gw", the first part first in DER, as racoon's asn1dn: not the reverse order of RFC 4514, but
/// its escapes ("\,", "\2C") are taken.
Result<openssl::NamePtr> parse_name(std::string_view text);
/// Null: these octets are not one distinguished name.
openssl::NamePtr name_of_der(std::span<const std::byte> der);
/// As parse_name takes it, one line of printable ASCII whatever a peer put into it.
std::string text_of(const X509_NAME* name);
/// RFC 5280 7.1: without regard to case, kind of string and number of blanks. A value that is "*" alone in `wanted`
/// stands for any value.
bool same_name(const X509_NAME* wanted, const X509_NAME* name);

/// Without regard to the case of ASCII letters, all octets counted.
bool same_host(std::span<const std::byte> a, std::span<const std::byte> b);
/// RFC 5280 7.5: the part in front of the @ exactly, the host without regard to case.
bool same_mailbox(std::span<const std::byte> a, std::span<const std::byte> b);

}  // namespace torii::ike
