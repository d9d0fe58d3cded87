#include "ike/credentials/identity.h"

#include <string>

#include "catch.h"
#include "ike/credentials/openssl.h"

using namespace torii;
using namespace std::string_literals;
using namespace torii::ike;

namespace {

Id id(std::string_view words) {
    const auto parsed = parse_id(words);
    INFO(words);
    REQUIRE(parsed);
    return *parsed;
}
Id raw(IdType type, std::string_view octets) {
    const auto view = openssl::bytes(octets);
    return {type, Octets{view.begin(), view.end()}};
}
std::string refusal(std::string_view words) {
    const auto parsed = parse_id(words);
    if (parsed) return "taken as " + text_of(*parsed);
    CHECK(parsed.error().code == Errc::bad_value);
    return parsed.error().message;
}

}  // namespace

TEST_CASE("an identity's words say which kind it is (RFC 7296 3.5)") {
    CHECK(id("20.0.0.1") == raw(IdType::ipv4_addr, "\x14\0\0\x01"s));
    CHECK(id("2001:db8::1").type == IdType::ipv6_addr);
    CHECK(id("2001:db8::1").data.size() == 16);
    CHECK(id("gw.example.com") == raw(IdType::fqdn, "gw.example.com"));
    CHECK(id("@gw.example.com") == raw(IdType::fqdn, "gw.example.com"));
    CHECK(id(" gw ") == raw(IdType::fqdn, "gw"));
    CHECK(id("user@example.com") == raw(IdType::rfc822_addr, "user@example.com"));
    CHECK(id("keyid:branch office 7") == raw(IdType::key_id, "branch office 7"));
    CHECK(id("keyid:0x0a0b") == raw(IdType::key_id, "\x0a\x0b"));
    CHECK(id("C=JP, O=Example, CN=gw").type == IdType::der_asn1_dn);
    CHECK(id("CN=gw, emailAddress=user@example.com").type == IdType::der_asn1_dn);
}

TEST_CASE("a distinguished name's first part is first in DER (RFC 5280 4.1.2.4)") {
    CHECK(id("C=JP,O=A").data == raw(IdType::der_asn1_dn,
                                     "\x30\x19"
                                     "\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02JP"
                                     "\x31\x0a\x30\x08\x06\x03\x55\x04\x0a\x0c\x01"
                                     "A"s)
                                     .data);
}

TEST_CASE("what is no identity is refused in words that say what is right") {
    CHECK(refusal("") == "there is no identity");
    CHECK(refusal("20.0.0.300").starts_with("'20.0.0.300' is no identity: an address, a host name"));
    CHECK(refusal("gw..example.com").starts_with("'gw..example.com' is no identity"));
    CHECK(refusal("gw.example.com.").starts_with("'gw.example.com.' is no identity"));
    CHECK(refusal("gw*.example.com").starts_with("'gw*.example.com' is no identity"));
    CHECK(refusal("*").starts_with("'*' is no identity"));
    CHECK(refusal("two words").starts_with("'two words' is no identity"));
    CHECK(refusal("gw\0.example.com"s).find("is no identity") != std::string::npos);
    CHECK(refusal("@") == "'@' is no host name behind its '@'");
    CHECK(refusal("user@") == "'user@' is no mail address like user@example.com");
    CHECK(refusal("keyid:") == "nothing is behind 'keyid:'");
    CHECK(refusal("keyid:0x0a0") == "'0x0a0' behind 'keyid:' is no pairs of hexadecimal digits");
    CHECK(refusal("C=JP, gw") == "distinguished name 'C=JP, gw': 'gw' has no '='");
    CHECK(refusal("C=Japan") == "distinguished name 'C=Japan': C cannot be 'Japan': two letters are");
    CHECK(refusal("X=a") == "distinguished name 'X=a': 'X' is no attribute of a distinguished name, as C, O, OU, CN");
    CHECK(refusal("=a").starts_with("distinguished name '=a': '' is no attribute"));
    CHECK(refusal("CN=") == "distinguished name 'CN=': CN has no value");
    CHECK(refusal("CN=a\\") == "distinguished name 'CN=a\\': nothing is behind the last '\\'");
    CHECK(refusal(std::string(5000, 'a')) == "an identity has at most 4096 octets");
}

TEST_CASE("an identity's text is taken for the same identity again") {
    for (const auto words :
         {"20.0.0.1", "2001:db8::1", "gw.example.com", "*.example.com", "user@example.com", "keyid:branch office 7",
          "keyid:0x0a0b", "C=JP, O=Example, CN=gw", "C=JP, OU=Sales + O=Example\\, Inc., CN=gw", "CN=*, O=*, C=*",
          "DC=com, DC=example, CN=\\ gw\\ ", "CN=a=b\\+c", "CN=\\E6\\9D\\B1\\E4\\BA\\AC",
          "CN=gw, emailAddress=user@example.com"}) {
        const Id first = id(words);
        CHECK(text_of(first) == words);
        CHECK(id(text_of(first)) == first);
    }
    CHECK(text_of(raw(IdType::fqdn, "20.0.0.1")) == "@20.0.0.1");  // not the address
    CHECK(id("@20.0.0.1") == raw(IdType::fqdn, "20.0.0.1"));
    CHECK(text_of(raw(IdType::key_id, "0x0a")) == "keyid:0x30783061");
}

TEST_CASE("octets of an identity that are no text stay on one line of a log, and look like no other identity") {
    CHECK(text_of(raw(IdType::fqdn, "gw\nfake line")) == "fqdn:0x67770a66616b65206c696e65");
    CHECK(text_of(raw(IdType::rfc822_addr, "\x1b[2J@x")) == "email:0x1b5b324a4078");
    CHECK(text_of(raw(IdType::key_id, "\xff")) == "keyid:0xff");
    CHECK(text_of(raw(IdType::ipv4_addr, "abc")) == "ipv4:0x616263");
    CHECK(text_of(raw(IdType::ipv6_addr, "")) == "ipv6:0x");
    CHECK(text_of(raw(IdType::der_asn1_gn, "a")) == "ID_DER_ASN1_GN:0x61");
    CHECK(text_of(raw(IdType::der_asn1_dn, "\x30\x80")) == "dn:0x3080");
    Id name = id("CN=gw.example.com");
    name.data[name.data.size() - 3] = std::byte{'\n'};
    CHECK(text_of(name) == "CN=gw.example.\\0Aom");
    for (const char c : text_of(id("CN=\\C2\\9B31m"))) CHECK((c >= ' ' && c < '\x7f'));
}

TEST_CASE("a peer is whom a name means without regard to case, and nobody else (RFC 4945 3.1)") {
    CHECK(matches(id("gw.example.com"), raw(IdType::fqdn, "GW.Example.COM")));
    CHECK(!matches(id("gw.example.com"), id("gw2.example.com")));
    CHECK(!matches(id("gw.example.com"), raw(IdType::fqdn, "gw.example.com\0.evil.org"s)));
    CHECK(!matches(id("gw.example.com"), raw(IdType::key_id, "gw.example.com")));
    CHECK(!matches(id("20.0.0.1"), raw(IdType::fqdn, "20.0.0.1")));
    CHECK(matches(id("20.0.0.1"), id("20.0.0.1")));
    CHECK(!matches(id("20.0.0.1"), id("20.0.0.2")));
    CHECK(matches(id("user@example.com"), id("user@EXAMPLE.com")));
    CHECK(!matches(id("user@example.com"), id("User@example.com")));  // RFC 5280 7.5
    CHECK(!matches(id("keyid:a"), id("keyid:A")));
    CHECK(!matches(raw(IdType::fqdn, ""), raw(IdType::fqdn, "")));
}

TEST_CASE("a wanted *.example.com takes one label, and no peer may call himself that") {
    CHECK(matches(id("*.example.com"), id("gw.example.com")));
    CHECK(matches(id("*.example.com"), id("gw.EXAMPLE.com")));
    CHECK(!matches(id("*.example.com"), id("example.com")));
    CHECK(!matches(id("*.example.com"), id("a.b.example.com")));
    CHECK(!matches(id("*.example.com"), raw(IdType::fqdn, ".example.com")));
    CHECK(!matches(id("*.example.com"), id("*.example.com")));
    CHECK(!matches(id("gw.example.com"), id("*.example.com")));
    CHECK(!matches(id("*.example.com"), raw(IdType::fqdn, "a\0b.example.com"s)));
}

TEST_CASE("distinguished names are compared as RFC 5280 7.1 says, whatever kind of string holds them") {
    const Id wanted = id("C=JP, O=Example Office, CN=gw");
    CHECK(matches(wanted, id("C=JP, O=example  OFFICE, CN=GW")));
    CHECK(!matches(wanted, id("C=JP, O=Example Office")));
    CHECK(!matches(wanted, id("C=JP, O=Example Office, CN=gw, OU=x")));
    CHECK(!matches(wanted, id("O=Example Office, C=JP, CN=gw")));
    CHECK(!matches(wanted, id("C=JP, O=Example Office + CN=gw")));
    Id printable = id("CN=gw");
    printable.data[printable.data.size() - 4] = std::byte{0x13};  // PrintableString for UTF8String
    CHECK(printable.data != id("CN=gw").data);
    CHECK(matches(id("CN=gw"), printable));
}

TEST_CASE("a * in a wanted distinguished name stands for one whole value, as racoon's") {
    CHECK(matches(id("C=JP, O=Example, CN=*"), id("C=JP, O=EXAMPLE, CN=gw")));
    CHECK(matches(id("C=*, O=*, CN=*"), id("C=JP, O=Example, CN=gw")));
    CHECK(!matches(id("C=JP, O=Example, CN=*"), id("C=JP, O=Other, CN=gw")));
    CHECK(!matches(id("C=JP, O=Example, CN=*"), id("C=JP, O=Example")));
    CHECK(!matches(id("C=JP, O=Example, CN=*"), id("C=JP, O=Example, OU=gw")));
    CHECK(!matches(id("CN=g*"), id("CN=gw")));
    CHECK(!matches(id("CN=gw"), id("CN=*")));  // the peer's star is a star
}

TEST_CASE("a distinguished name that lies about its lengths matches nothing (CVE-2013-6075)") {
    const Id wanted = id("CN=gw");
    for (std::size_t kept = 0; kept < wanted.data.size(); ++kept) {
        Id cut = wanted;
        cut.data.resize(kept);
        CHECK(!matches(wanted, cut));
    }
    Id longer = wanted;
    longer.data.push_back(std::byte{0});
    CHECK(!matches(wanted, longer));
    for (std::size_t i = 0; i < 6; ++i)
        for (const unsigned value : {0u, 0x7fu, 0x80u, 0x84u, 0xffu}) {
            Id changed = wanted;
            if (changed.data[i] == std::byte(value)) continue;
            changed.data[i] = std::byte(value);
            CHECK(!matches(wanted, changed));
            CHECK(!text_of(changed).empty());
        }
}
