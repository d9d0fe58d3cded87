// ICMP as pure functions over octets: when an error is due, what it quotes, and echo replies.
#include "forward/icmp.h"

#include "catch.h"
#include "test/support/packets.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr std::uint32_t router = 0x0a000101;

Octets error_about(const Octets& packet, const IcmpError& error = hop_limit_exceeded) {
    return wants_icmp_error(packet) ? icmp_error(packet, router, error) : std::vector<std::byte>{};
}

}  // namespace

TEST_CASE("an ICMP error goes to the offender's sender and quotes it (RFC 792, RFC 1812 4.3.2.3)") {
    const Octets packet = ipv4("10.0.1.5", "10.0.2.5", 17, udp(4000, 5000, Octets(40)));
    const Octets error = error_about(packet, too_big(1434));
    REQUIRE(error.size() == 28 + packet.size());
    const auto& ip = *reinterpret_cast<const Ipv4Header*>(error.data());
    CHECK(ip.source == router);
    CHECK(ip.destination == number("10.0.1.5"));
    CHECK(ip.total_octets == error.size());
    CHECK(internet_checksum(error.data(), 20) == 0);
    CHECK(internet_checksum(error.data() + 20, error.size() - 20) == 0);
    const auto& icmp = *reinterpret_cast<const IcmpHeader*>(error.data() + 20);
    CHECK(icmp.type == 3);
    CHECK(icmp.code == 4);
    CHECK(icmp.rest_high == 0);
    CHECK(icmp.rest_low == 1434);
    CHECK(Octets(error.begin() + 28, error.end()) == packet);
}

TEST_CASE("an ICMP error about a long packet is 576 octets and quotes its beginning") {
    const Octets packet = ipv4("10.0.1.5", "10.0.2.5", 17, Octets(1400, std::byte{1}));
    const Octets error = error_about(packet);
    REQUIRE(error.size() == 576);
    CHECK(std::equal(error.begin() + 28, error.end(), packet.begin()));
}

TEST_CASE("no ICMP error is about an ICMP error, a later fragment or a group (RFC 1122 3.2.2)") {
    const auto icmp = [](std::uint8_t type) { return octets_of(IcmpHeader{type, 0, 0, 0, 0}) + Octets(20); };
    for (const auto type : std::to_array<std::uint8_t>({3, 4, 5, 11, 12})) {
        INFO("ICMP type " << unsigned{type});
        CHECK(error_about(ipv4("10.0.1.5", "10.0.2.5", 1, icmp(type))).empty());
    }
    for (const auto type : std::to_array<std::uint8_t>({0, 8, 13})) {
        INFO("ICMP type " << unsigned{type});
        CHECK_FALSE(error_about(ipv4("10.0.1.5", "10.0.2.5", 1, icmp(type))).empty());
    }
    CHECK(error_about(ipv4("10.0.1.5", "10.0.2.5", 1, {})).empty());  // ICMP without a type: could be one
    CHECK(error_about(ipv4("10.0.1.5", "10.0.2.5", 17, Octets(64), {.flags_offset = 100})).empty());
    CHECK_FALSE(error_about(ipv4("10.0.1.5", "10.0.2.5", 17, Octets(64), {.flags_offset = 0x2000})).empty());
    CHECK(error_about(ipv4("10.0.1.5", "224.0.0.5", 17, Octets(64))).empty());
    CHECK(error_about(ipv4("10.0.1.5", "255.255.255.255", 17, Octets(64))).empty());
    CHECK(error_about(ipv4("0.0.0.0", "10.0.2.5", 17, Octets(64))).empty());
    CHECK(error_about(ipv4("224.0.0.5", "10.0.2.5", 17, Octets(64))).empty());
}

TEST_CASE("an echo request becomes its reply in place, with both checksums right (RFC 1122 3.2.2.6)") {
    Octets packet = ipv4("10.0.1.5", "10.0.1.1", 1, icmp_echo(3), {.ttl = 3});
    const Octets before = packet;
    REQUIRE(answer_echo(packet));
    const auto& ip = *reinterpret_cast<const Ipv4Header*>(packet.data());
    CHECK(ip.source == number("10.0.1.1"));
    CHECK(ip.destination == number("10.0.1.5"));
    CHECK(ip.ttl == 64);
    CHECK(internet_checksum(packet.data(), 20) == 0);
    CHECK(packet[20] == std::byte{0});
    CHECK(internet_checksum(packet.data() + 20, packet.size() - 20) == 0);
    CHECK(std::equal(packet.begin() + 24, packet.end(), before.begin() + 24));  // identifier, number and data
}

TEST_CASE("what is no whole echo request with a right checksum is not answered") {
    const auto answered = [](Octets packet) { return answer_echo(packet); };
    Octets wrong = icmp_echo(1);
    wrong[30] ^= std::byte{1};
    CHECK_FALSE(answered(ipv4("10.0.1.5", "10.0.1.1", 1, wrong)));
    CHECK_FALSE(answered(ipv4("10.0.1.5", "10.0.1.1", 17, icmp_echo(1))));
    CHECK_FALSE(answered(ipv4("10.0.1.5", "10.0.1.1", 1, icmp_echo(1), {.flags_offset = 0x2000})));
    CHECK_FALSE(answered(ipv4("10.0.1.5", "10.0.1.1", 1, Octets(7))));
    CHECK(answered(ipv4("10.0.1.5", "10.0.1.1", 1, icmp_echo(1, 0))));
}

TEST_CASE("ICMP errors go with precedence 6, internetwork control (RFC 1812 4.3.2.5)") {
    const Octets error = error_about(ipv4("10.0.1.5", "10.0.2.5", 17, Octets(64), {.dscp_ecn = 0x20}));
    CHECK(reinterpret_cast<const Ipv4Header*>(error.data())->dscp_ecn == 0xc0);
}
