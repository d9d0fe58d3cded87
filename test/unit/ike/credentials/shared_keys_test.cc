#include "ike/credentials/shared_keys.h"

#include <string>

#include "catch.h"
#include "ike/credentials/certificates.h"
#include "ike/credentials/hexadecimal.h"
#include "ike/credentials/openssl.h"

using namespace torii;
using namespace torii::ike;
using namespace std::string_literals;

namespace {

SharedKeys keys(std::string_view text) {
    auto parsed = SharedKeys::parse(text, "psk.txt");
    INFO(text);
    REQUIRE(parsed);
    return std::move(*parsed);
}
std::string refusal(std::string_view text) {
    const auto parsed = SharedKeys::parse(text, "psk.txt");
    return parsed ? "taken" : parsed.error().text();
}
std::string found(const SharedKeys& keys, std::string_view peer, std::string_view address = "192.0.2.9") {
    const SecretBytes* key = keys.find(*parse_id(peer), *Address::parse(address));
    return key == nullptr ? "none" : std::string{openssl::text(key->octets())};
}

}  // namespace

TEST_CASE("psk.txt of racoon: an identifier, blanks, and a key that may hold blanks") {
    const SharedKeys both = keys(
        "# the FAQ's own\n"
        "\n"
        "10.0.0.1\tsecret one\n"
        "gw.example.com   two # not a comment \n"
        "user@example.com 0x00ff0A\r\n"
        "  2001:db8::1 0x de ad\n"
        "C=JP,O=Example,CN=gw last line, no end");
    CHECK(both.size() == 5);
    CHECK(found(both, "10.0.0.1") == "secret one");
    CHECK(found(both, "GW.example.com") == "two # not a comment ");  // racoon keeps what is behind, blanks too
    CHECK(found(both, "user@example.com") == "\x00\xff\x0a"s);
    CHECK(found(both, "2001:db8::1") == "\xde\xad");
    CHECK(found(both, "C=jp, O=example, CN=GW") == "last line, no end");
    CHECK(found(both, "stranger.example.com") == "none");
    CHECK(keys("").size() == 0);
    CHECK(keys("# nothing\n\n  \t\n").size() == 0);
    CHECK(found(keys("10.0.0.1 a\0b\xff"s), "10.0.0.1") == "a\0b\xff"s);
}

TEST_CASE("a pre-shared key is found by the peer's identity, then by his address, then by *") {
    const SharedKeys all =
        keys("* for anybody\n*.example.com by pattern\n192.0.2.9 by address\ngw.example.com by name\n");
    CHECK(found(all, "gw.example.com") == "by name");
    CHECK(found(all, "gw2.example.com") == "by pattern");
    CHECK(found(all, "user@example.org") == "by address");
    CHECK(found(all, "user@example.org", "192.0.2.10") == "for anybody");
    CHECK(found(keys("192.0.2.9 k\n"), "user@example.org", "192.0.2.10") == "none");
    CHECK(found(keys("CN=* k\n"), "CN=*", "192.0.2.10") == "k");
    CHECK(found(keys("CN=gw k\n"), "CN=*", "192.0.2.10") == "none");
}

TEST_CASE("a bad line of psk.txt is told by its number, and never by what stands in it") {
    CHECK(refusal("\n\nhunter2\n") == "psk.txt:3: there is no key behind the identifier [bad_syntax]");
    CHECK(refusal("10.0.0.1   \n") == "psk.txt:1: there is no key behind the identifier [bad_syntax]");
    CHECK(
        refusal("hunter2!! 10.0.0.1\n") ==
        "psk.txt:1: the first word is no identifier: an address, a host name, user@host, a distinguished name without "
        "blanks, keyid:... or * are [bad_value]");
    CHECK(refusal("10.0.0.1 0xabc\n") ==
          "psk.txt:1: a key behind 0x is pairs of hexadecimal digits; other text is written without 0x [bad_value]");
    CHECK(refusal("10.0.0.1 0xhunter2\n") ==
          "psk.txt:1: a key behind 0x is pairs of hexadecimal digits; other text is written without 0x [bad_value]");
    CHECK(refusal("10.0.0.1 0x\n") == "psk.txt:1: there are no digits behind the key's 0x [bad_value]");
    CHECK(refusal("10.0.0.1 a\n# c\n10.0.0.1 b\n") ==
          "psk.txt:3: this identifier has a key in line 1 already [exists]");
    CHECK(refusal("* a\n* b\n") == "psk.txt:2: this identifier has a key in line 1 already [exists]");
}

TEST_CASE("AUTH of a shared key is prf(prf(key, Key Pad for IKEv2), octets) (RFC 7296 2.15)") {
    // The same by python3: hmac.digest(hmac.digest(b'secret', b'Key Pad for IKEv2', H), b'signed octets', H)
    auto context = CryptoContext::system();
    REQUIRE(context);
    const SecretBytes key{openssl::bytes("secret")};
    const auto auth = [&](PrfId id) {
        const auto octets = shared_key_auth(**context, id, key, openssl::bytes("signed octets"));
        return octets ? hexadecimal_of(octets->octets()) : octets.error().text();
    };
    CHECK(auth(PrfId::hmac_sha2_256) == "19bfdf542bd49158a67d4ee9591023e030135080fbbbf4fb49b495179c71f6c6");
    CHECK(auth(PrfId::hmac_sha1) == "9d04d27925596eba6a938f4131f74e03a9bac942");
    CHECK(auth(PrfId::hmac_sha2_512) ==
          "91bab1216817642b83a7bb0944b93e7fa4d5d2006d88dcfbc13bd77b46f9e921515b2aa45040faa11de7fcb75c146b4e85644fda42c4"
          "b3b50a0d364dbd761dac");
    CHECK(!shared_key_auth(**context, PrfId{999}, key, {}));
}
