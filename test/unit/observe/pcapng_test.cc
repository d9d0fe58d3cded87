// The pcapng we write, octet by octet where a reader needs it (draft-ietf-opsawg-pcapng), and as tcpdump reads it in
// the daemon suite.
#include "observe/pcapng.h"

#include <cstring>
#include <string>

#include "catch.h"

using namespace torii;

namespace {

std::uint32_t word(const pcapng::Octets& octets, std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, octets.data() + at, sizeof value);
    return value;
}
/// Where each block begins; its length stands in front and behind.
std::vector<std::size_t> blocks(const pcapng::Octets& octets) {
    std::vector<std::size_t> out;
    for (std::size_t at = 0; at < octets.size(); at += word(octets, at + 4)) {
        REQUIRE(word(octets, at + 4) % 4 == 0);
        REQUIRE(at + word(octets, at + 4) <= octets.size());
        CHECK(word(octets, at + word(octets, at + 4) - 4) == word(octets, at + 4));
        out.push_back(at);
    }
    return out;
}
bool holds(const pcapng::Octets& octets, std::string_view text) {
    return std::string_view{reinterpret_cast<const char*>(octets.data()), octets.size()}.find(text) != text.npos;
}

}  // namespace

TEST_CASE("a capture is a section, interfaces and packets, each a block with its length at both ends") {
    pcapng::Octets file;
    pcapng::add_section(file, "Torii");
    pcapng::add_interface(file, "wan", 65535);
    const std::array<std::byte, 5> packet{std::byte{0x45}, std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
    pcapng::add_packet(file, {.interface = 0,
                              .unix_nanoseconds = 0x0123456789abcdefu,
                              .octets = packet,
                              .original_octets = 1500,
                              .outbound = true,
                              .comment = "dropped: bad_icv"});
    const auto at = blocks(file);
    REQUIRE(at.size() == 3);
    CHECK(word(file, at[0]) == 0x0a0d0d0a);
    CHECK(word(file, at[0] + 8) == 0x1a2b3c4d);
    CHECK(word(file, at[1]) == 1);
    CHECK((word(file, at[1] + 8) & 0xffff) == 101);  // LINKTYPE_RAW
    CHECK(word(file, at[2]) == 6);
    CHECK(word(file, at[2] + 12) == 0x01234567);
    CHECK(word(file, at[2] + 16) == 0x89abcdef);
    CHECK(word(file, at[2] + 20) == 5);
    CHECK(word(file, at[2] + 24) == 1500);
    CHECK(word(file, at[2] + 36) == (2u | 4u << 16));  // behind five octets and three of padding: epb_flags
    CHECK(word(file, at[2] + 40) == 2);                // outbound
    CHECK(holds(file, "dropped: bad_icv"));
}

TEST_CASE("a packet without a comment has none, and a comment without end is cut") {
    pcapng::Octets plain, commented;
    pcapng::add_packet(plain, {});
    CHECK(blocks(plain).size() == 1);
    pcapng::add_packet(commented, {.octets = {}, .comment = std::string(100000, 'x')});
    CHECK(blocks(commented).size() == 1);
    CHECK(commented.size() < 2000);
}
