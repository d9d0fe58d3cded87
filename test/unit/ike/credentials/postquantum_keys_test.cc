#include "ike/credentials/postquantum_keys.h"

#include <string>

#include "catch.h"
#include "ike/credentials/openssl.h"

using namespace torii;
using namespace torii::ike;

namespace {

const std::string key32 = "0x" + std::string(64, 'a');

std::string refusal(std::string_view text) {
    const auto parsed = PostquantumKeys::parse(text, "ppk.txt");
    return parsed ? "taken" : parsed.error().text();
}
std::size_t octets(const PostquantumKeys& keys, std::string_view id) {
    const SecretBytes* key = keys.find(*parse_ppk_id(id));
    return key == nullptr ? 0 : key->size();
}

}  // namespace

TEST_CASE("a file of post-quantum keys: a name, blanks, and 32 octets or more (RFC 8784 5.1)") {
    const auto keys = PostquantumKeys::parse(
        "# made in 2026\n\noffices-2026\t" + key32 + "\n0x00ff 0123456789 0123456789 0123456789 \r\nA+b/c= " + key32,
        "ppk.txt");
    REQUIRE(keys);
    CHECK(keys->size() == 3);
    CHECK(octets(*keys, "offices-2026") == 32);
    CHECK(octets(*keys, "0x00ff") == 33);  // as text, blanks and all
    CHECK(octets(*keys, "A+b/c=") == 32);
    CHECK(octets(*keys, "OFFICES-2026") == 0);
    CHECK(keys->find({}) == nullptr);
    CHECK(keys->names() == "offices-2026, 0x00ff, A+b/c=");
    CHECK(PostquantumKeys::parse("", "ppk.txt")->names() == "none");
}

TEST_CASE("a bad line of post-quantum keys is told by its number, and never by what stands in it") {
    CHECK(refusal("hunter2\n") == "ppk.txt:1: there is no key behind the identifier [bad_syntax]");
    CHECK(refusal("\na 0x0102\n") ==
          "ppk.txt:2: a PPK has at least 32 octets, and this one has 2: 0x$(openssl rand -hex 32) makes one "
          "[bad_key_length]");
    CHECK(refusal("a hunter2\n").find("hunter2") == std::string::npos);
    CHECK(refusal("a 0xhunter2\n") ==
          "ppk.txt:1: a key behind 0x is pairs of hexadecimal digits; other text is written without 0x [bad_value]");
    CHECK(refusal("a " + key32 + "\n# c\na " + key32) == "ppk.txt:3: this PPK has a key in line 1 already [exists]");
    CHECK(refusal("0x6 " + key32) == refusal(std::string(256, 'x') + " " + key32));
    CHECK(refusal("0x6 " + key32).starts_with("ppk.txt:1: the first word is no name of a PPK"));
}

TEST_CASE("the name of a PPK comes back in the words in which it was written, on one line whatever it holds") {
    for (const char* const words : {"offices-2026", "a=+/", "0x00ff", "0x20"})
        CHECK(text_of_ppk_id(*parse_ppk_id(words)) == words);
    CHECK(text_of_ppk_id(*parse_ppk_id("0x6162")) == "ab");
    CHECK(text_of_ppk_id(Octets{std::byte{'0'}, std::byte{'x'}}) == "0x3078");
    for (const char* const words : {"", "0x", "0x6", "0xyz"}) CHECK(!parse_ppk_id(words));
    CHECK(!parse_ppk_id(std::string(256, 'x')));
}
