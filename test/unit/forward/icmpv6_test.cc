// ICMPv6 as pure functions over octets: when an error is due, what it quotes, and echo replies (RFC 4443).
#include "forward/icmpv6.h"

#include "catch.h"
#include "test/support/packets.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr std::string_view sender = "2001:db8:1::5", receiver = "2001:db8:2::5", router = "2001:db8:1::1";

/// The error about a packet without extension headers; nothing when there may be none.
Octets error_about(const Octets& packet, const IcmpError& error = hop_limit_exceeded) {
    const auto& ip = *reinterpret_cast<const Ipv6Header*>(packet.data());
    const UpperLayer upper{IpProtocol{ip.next_header}, std::span{packet}.subspan(sizeof ip)};
    return wants_icmpv6_error(packet, upper) ? icmpv6_error(packet, Address::parse(router).value(), error) : Octets{};
}
const Icmpv6Header& message_of(const Octets& packet) {
    return *reinterpret_cast<const Icmpv6Header*>(packet.data() + sizeof(Ipv6Header));
}
bool is_summed(const Octets& packet) {
    return icmpv6_checksum(*reinterpret_cast<const Ipv6Header*>(packet.data()), packet.data() + 40,
                           packet.size() - 40) == 0;
}
Octets datagram(std::string_view from, std::string_view to, std::size_t octets = 40) {
    return ipv6(from, to, 17, udp(4000, 5000, Octets(octets, std::byte{0x5a})));
}

}  // namespace

TEST_CASE("the ICMPv6 checksum is that of a packet seen on a wire (RFC 4443 2.3)") {
    // Linux 6.1: fe80::1 asks fe80::2 for an echo, identifier 1, sequence 1, no data
    const Octets packet = ipv6("fe80::1", "fe80::2", 58, octets_of(Icmpv6Header{128, 0, 0, 0x00010001}));
    // By hand: fe80+1 + fe80+2 + 8 + 58 + 8000 + 1 + 1 = 27d47, folded 7d49, complemented 82b6.
    CHECK(message_of(summed_icmpv6(packet)).checksum == 0x82b6);
}

TEST_CASE("an ICMPv6 error goes to the offender's sender and quotes it (RFC 4443 2.4 c)") {
    const Octets packet = datagram(sender, receiver);
    struct Row {
        IcmpError error;
        unsigned type, code;
    };
    const auto row = GENERATE(values<Row>({{net_unreachable, 1, 0},
                                           {host_unreachable, 1, 3},
                                           {port_unreachable, 1, 4},
                                           {too_big(1434), 2, 0},
                                           {hop_limit_exceeded, 3, 0}}));
    const Octets error = error_about(packet, row.error);
    REQUIRE(error.size() == 48 + packet.size());
    const auto& ip = *reinterpret_cast<const Ipv6Header*>(error.data());
    CHECK(ip.source == Address::parse(router).value().raw());
    CHECK(ip.destination == Address::parse(sender).value().raw());
    CHECK(ip.payload_octets == error.size() - 40);
    CHECK(ip.next_header == 58);
    CHECK(is_summed(error));
    CHECK(message_of(error).type == row.type);
    CHECK(message_of(error).code == row.code);
    CHECK(message_of(error).rest == row.error.mtu);
    CHECK(Octets(error.begin() + 48, error.end()) == packet);
}

TEST_CASE("an ICMPv6 error about a long packet is 1,280 octets and quotes its beginning (RFC 4443 2.4 c)") {
    const Octets packet = datagram(sender, receiver, 1400);
    const Octets error = error_about(packet);
    REQUIRE(error.size() == 1280);
    CHECK(std::equal(error.begin() + 48, error.end(), packet.begin()));
}

TEST_CASE("no ICMPv6 error is about an error, a redirect, or an address that is not one host's (RFC 4443 2.4 e)") {
    const auto icmp = [](std::uint8_t type) {
        return ipv6(sender, receiver, 58, octets_of(Icmpv6Header{type, 0, 0, 0}) + Octets(20));
    };
    for (const auto type : std::to_array<std::uint8_t>({1, 2, 3, 4, 100, 127, 137})) {
        INFO("ICMPv6 type " << unsigned{type});
        CHECK(error_about(icmp(type)).empty());
    }
    for (const auto type : std::to_array<std::uint8_t>({128, 129, 135})) {
        INFO("ICMPv6 type " << unsigned{type});
        CHECK_FALSE(error_about(icmp(type)).empty());
    }
    CHECK(error_about(ipv6(sender, receiver, 58, {})).empty());  // ICMPv6 without a type: could be one
    CHECK(error_about(datagram("::", receiver)).empty());
    CHECK(error_about(datagram("ff02::1", receiver)).empty());
    CHECK(error_about(datagram("fe80::5", receiver)).empty());
    CHECK(error_about(datagram(sender, "ff02::1")).empty());
    CHECK_FALSE(error_about(datagram(sender, "fe80::5")).empty());
}

TEST_CASE("an ICMPv6 echo request becomes its reply in place, with its checksum right (RFC 4443 4.2)") {
    Octets packet = icmpv6_echo(sender, router, 3, 57, {.hop_limit = 3});
    const Octets before = packet;
    REQUIRE(answer_icmpv6_echo(packet));
    const auto& ip = *reinterpret_cast<const Ipv6Header*>(packet.data());
    CHECK(ip.source == Address::parse(router).value().raw());
    CHECK(ip.destination == Address::parse(sender).value().raw());
    CHECK(ip.hop_limit == 64);
    CHECK(message_of(packet).type == 129);
    CHECK(is_summed(packet));
    CHECK(std::equal(packet.begin() + 44, packet.end(), before.begin() + 44));  // identifier, number and data
}

TEST_CASE("what is no ICMPv6 echo request with a right checksum is not answered") {
    const auto answered = [](Octets packet) { return answer_icmpv6_echo(packet); };
    Octets wrong = icmpv6_echo(sender, router, 1);
    wrong[60] ^= std::byte{1};
    CHECK_FALSE(answered(wrong));
    Octets reply = icmpv6_echo(sender, router, 1);
    reply[40] = std::byte{129};
    CHECK_FALSE(answered(summed_icmpv6(reply)));
    CHECK_FALSE(answered(ipv6(sender, router, 17, Octets(64))));
    CHECK_FALSE(answered(ipv6(sender, router, 58, Octets(7))));
    CHECK_FALSE(answered(ipv6(sender, router, 58, {})));
    CHECK(answered(icmpv6_echo(sender, router, 1, 0)));
}
