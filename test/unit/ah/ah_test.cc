// The Authentication Header between two gateways: what stands on the wire, what its ICV covers, and what is refused.
// The scapy oracle has the ICVs themselves (test/oracle).
#include "catch.h"
#include "test/unit/gateway/office.h"

using namespace torii;
using namespace torii::test;

namespace {

const Octets packet = datagram("10.0.1.5", "10.0.2.5");

std::string both_ways(std::string_view sa, std::string_view requests) {
    return std::string{sa} + "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec " + std::string{requests} +
           "; spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec " + std::string{requests} + ";";
}
const std::string tunnel_setkey =
    both_ways("add 20.0.0.1 20.0.0.2 ah 0x3001 -m tunnel -r 8 -A hmac-sha256 \"an ah key of thirty-two octets!!\";",
              "ah/tunnel/20.0.0.1-20.0.0.2/require");
constexpr std::string_view esp_sa =
    "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 \"tokyo-newyork-key001\";";
constexpr std::string_view transport_sa =
    "add 20.0.0.1 20.0.0.2 ah 0x3002 -m transport -r 8 -A hmac-sha1 \"twenty octets of key\";";

const AhHeader& ah_of(const Octets& on_wire) {
    return *reinterpret_cast<const AhHeader*>(on_wire.data() + header_of(on_wire).header_octets());
}

struct Pair {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    explicit Pair(const std::string& setkey) {
        tokyo.setkey(setkey);
        newyork.setkey(setkey);
    }
    Octets sent(const Octets& clear = packet) {
        const auto wire = pass(tokyo, office, {clear}, world);
        REQUIRE(wire.size() == 1);
        return wire[0];
    }
    std::vector<Octets> received(const Octets& on_wire) { return pass(newyork, world, {on_wire}, office); }
};

Octets altered(Octets on_wire, std::size_t at, std::uint8_t bits) {
    on_wire[at] ^= std::byte{bits};
    auto& ip = *reinterpret_cast<Ipv4Header*>(on_wire.data());
    ip.checksum = 0;
    ip.checksum = internet_checksum(on_wire.data(), ip.header_octets());
    return on_wire;
}

}  // namespace

TEST_CASE("AH in tunnel mode is IP, AH, IP: nothing is hidden, and the other end finds it whole (RFC 4302 3.1.2)") {
    Pair pair{tunnel_setkey};
    const Octets wire = pair.sent();
    CHECK(header_of(wire).protocol == 51);
    CHECK(header_of(wire).source == number("20.0.0.1"));
    CHECK(ah_of(wire).next_header == 4);
    CHECK(ah_of(wire).payload_words == (12 + 16) / 4 - 2);
    CHECK(ah_of(wire).spi == 0x3001);
    CHECK(ah_of(wire).sequence_low == 1);
    CHECK(wire.size() == packet.size() + 20 + 28);
    CHECK(Octets(wire.begin() + 48, wire.end()) == after_hops(packet, 1));
    CHECK(pair.received(wire) == only(after_hops(packet, 2)));
    CHECK(pair.newyork.buffers_missing() == 0);
}

TEST_CASE("esp/tunnel ah/transport is IP, AH, ESP (KAME's order), and is opened from the outside in") {
    Pair pair{both_ways(std::string{esp_sa} + std::string{transport_sa},
                        "esp/tunnel/20.0.0.1-20.0.0.2/require ah/transport//require")};
    const Octets wire = pair.sent();
    CHECK(header_of(wire).protocol == 51);
    CHECK(ah_of(wire).next_header == 50);
    CHECK(ah_of(wire).spi == 0x3002);
    CHECK(pair.received(wire) == only(after_hops(packet, 2)));
}

TEST_CASE("esp alone does not pass where esp and ah are required, nor ah where esp is") {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    const auto require = [&](std::string_view requests) {
        newyork.setkey("spdflush;");
        newyork.setkey("spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec " + std::string{requests} + ";");
    };
    tokyo.setkey(both_ways(esp_sa, "esp/tunnel/20.0.0.1-20.0.0.2/require"));
    newyork.setkey(std::string{esp_sa} + std::string{transport_sa} +
                   "add 20.0.0.1 20.0.0.2 ah 0x3001 -m tunnel -r 8 "
                   "-A hmac-sha256 \"an ah key of thirty-two octets!!\";");
    require("esp/tunnel/20.0.0.1-20.0.0.2/require ah/transport//require");
    CHECK(pass(newyork, world, pass(tokyo, office, {packet}, world), office).empty());
    CHECK(newyork.drops(Drop::policy_mismatch) == 1);
    Wires other{office_configuration()};
    other.setkey(tunnel_setkey);
    require("esp/tunnel/20.0.0.1-20.0.0.2/require");
    CHECK(pass(newyork, world, pass(other, office, {packet}, world), office).empty());
    CHECK(newyork.drops(Drop::policy_mismatch) == 2);
}

TEST_CASE("what routers change does not break the ICV, and what they must not change does (RFC 4302 3.3.3.1)") {
    struct Field {
        std::string_view name;
        std::size_t at;
        std::uint8_t bits;
        bool is_mutable;
    };
    for (const Field& field :
         {Field{"DSCP", 1, 0x20, true}, Field{"DF", 6, 0x40, true}, Field{"TTL", 8, 0x07, true},
          Field{"identification", 4, 1, false}, Field{"source", 15, 2, false}, Field{"AH's next header", 20, 1, false},
          Field{"AH's reserved", 22, 1, false}, Field{"ICV", 33, 1, false}, Field{"inner TTL", 48 + 8, 1, false},
          Field{"last octet", 147, 1, false}}) {
        INFO(field.name);
        Pair pair{tunnel_setkey};
        CHECK(pair.received(altered(pair.sent(), field.at, field.bits)).size() == (field.is_mutable ? 1 : 0));
        CHECK(pair.newyork.drops(Drop::bad_icv) == (field.is_mutable ? 0 : 1));
    }
}

TEST_CASE("without ah_cleartos the ICV covers DSCP and ECN as well, for SAs that are there too (KAME)") {
    Pair pair{tunnel_setkey};
    const auto with_other_dscp = [&] { return altered(pair.sent(), 1, 0x20); };
    const auto set = [](Wires& gateway, std::string_view value) {
        REQUIRE(gateway.gateway().set("net.inet.ipsec.ah_cleartos", value));
    };
    CHECK(pair.received(with_other_dscp()).size() == 1);
    set(pair.tokyo, "0");
    set(pair.newyork, "0");
    CHECK(pair.received(with_other_dscp()).empty());
    CHECK(pair.newyork.drops(Drop::bad_icv) == 1);
    CHECK(pair.received(pair.sent(datagram("10.0.1.5", "10.0.2.5", 100, {.dscp_ecn = 0xb8}))).size() == 1);
    set(pair.newyork, "1");  // both ends must agree
    CHECK(pair.received(pair.sent(datagram("10.0.1.5", "10.0.2.5", 100, {.dscp_ecn = 0xb8}))).empty());
    CHECK(pair.newyork.drops(Drop::bad_icv) == 2);
}

TEST_CASE(
    "options that routers rewrite count as zeroes, and those that stay are authenticated (RFC 4302 appendix A1)") {
    const std::array<std::byte, 8> options{std::byte{7},   std::byte{3}, std::byte{4},  // record route, nothing yet
                                           std::byte{148}, std::byte{4}, std::byte{0}, std::byte{0},  // router alert
                                           std::byte{0}};
    Octets header(28 + 12), other = header;
    header[0] = std::byte{0x47};
    std::ranges::copy(options, header.begin() + 20);
    header[8] = std::byte{64};
    zero_mutable_fields(header.data(), 28);
    CHECK(header[8] == std::byte{0});
    CHECK(std::ranges::all_of(std::span{header}.subspan(20, 3), [](std::byte b) { return b == std::byte{0}; }));
    CHECK(header[23] == std::byte{148});
    CHECK(header[24] == std::byte{4});
}

TEST_CASE("AH takes each sequence number once, and a changed packet does not move its window (RFC 4302 3.4.3)") {
    Pair pair{tunnel_setkey};
    const Octets first = pair.sent(), second = pair.sent();
    CHECK(pair.received(altered(second, 147, 1)).empty());
    CHECK(pair.received(first).size() == 1);
    CHECK(pair.received(second).size() == 1);
    CHECK(pair.received(first).empty());
    CHECK(pair.received(second).empty());
    CHECK(pair.newyork.drops(Drop::replayed) == 2);
}

TEST_CASE("an AH that is cut short, or longer than its ICV, is dropped by name before anything is computed") {
    Pair pair{tunnel_setkey};
    const Octets wire = pair.sent();
    CHECK(pair.received(altered(wire, 21, 1)).empty());  // its own length field
    const auto cut = [&](std::size_t octets) {
        Octets stump{wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(octets)};
        reinterpret_cast<Ipv4Header*>(stump.data())->total_octets = static_cast<std::uint16_t>(octets);
        return altered(stump, 1, 0);
    };
    for (const std::size_t octets : {20u, 31u, 32u, 47u}) CHECK(pair.received(cut(octets)).empty());
    CHECK(pair.newyork.drops(Drop::bad_ah_header) == 5);
    CHECK(pair.received(wire).size() == 1);
}

TEST_CASE("AH with extended sequence numbers authenticates the half that is not sent (RFC 4302 2.5.1)") {
    const auto setkey = [](std::string_view flag) {
        return both_ways("add 20.0.0.1 20.0.0.2 ah 0x3001 -m tunnel -r 8 " + std::string{flag} +
                             " -A hmac-sha256 \"an ah key of thirty-two octets!!\";",
                         "ah/tunnel/20.0.0.1-20.0.0.2/require");
    };
    Pair pair{setkey("-f esn")};
    CHECK(pair.received(pair.sent()) == only(after_hops(packet, 2)));
    Wires plain{newyork_configuration()};
    plain.setkey(setkey(""));
    CHECK(pass(plain, world, {pair.sent()}, office).empty());  // high half 0 is authenticated all the same
    CHECK(plain.drops(Drop::bad_icv) == 1);
}

TEST_CASE("an SPI of AH is not one of ESP: each protocol has its own") {
    Pair pair{tunnel_setkey};
    pair.newyork.setkey("flush; add 20.0.0.1 20.0.0.2 esp 0x3001 -m tunnel -E aes-gcm-16 \"tokyo-newyork-key001\";");
    CHECK(pair.received(pair.sent()).empty());
    CHECK(pair.newyork.drops(Drop::unknown_spi) == 1);
}

TEST_CASE("an ah SA without an algorithm is refused") {
    Wires tokyo{office_configuration()};
    CHECK(refusal_of(tokyo, "add 20.0.0.1 20.0.0.2 ah 0x3001 -A null;") ==
          "test:1: ah without an authentication algorithm authenticates nothing [bad_value]");
}

TEST_CASE("a packet that AH does not take spends no number and no lifetime of its SA") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(
        "add 10.0.1.5 10.0.2.5 ah 0x3003 -m transport -A hmac-sha1 \"twenty octets of key\";"
        "spdadd 10.0.1.5 10.0.2.5 any -P out ipsec ah/transport//require;");
    const Octets fragment = ipv4("10.0.1.5", "10.0.2.5", 17, Octets(64), {.flags_offset = 0x2000});
    CHECK(pass(tokyo, office, {fragment, fragment}, world).empty());
    CHECK(tokyo.drops(Drop::fragment_in_transport) == 2);
    const auto wire = pass(tokyo, office, {packet}, world);
    REQUIRE(wire.size() == 1);
    CHECK(ah_of(wire[0]).sequence_low == 1);
}

TEST_CASE("AH that was cut on the way is opened when it is whole (RFC 4302 3.3.4, 3.4.1)") {
    Pair pair{tunnel_setkey};
    const Octets clear = datagram("10.0.1.5", "10.0.2.5", 1000);
    const Octets wire = pair.sent(clear);
    const auto piece = [&](std::size_t from, std::size_t to, std::uint16_t flags_offset) {
        Octets out(wire.begin(), wire.begin() + 20);  // identification and all else that AH covers
        out.insert(out.end(), wire.begin() + static_cast<std::ptrdiff_t>(20 + from),
                   wire.begin() + static_cast<std::ptrdiff_t>(to == 0 ? wire.size() : 20 + to));
        auto& ip = *reinterpret_cast<Ipv4Header*>(out.data());
        ip.total_octets = static_cast<std::uint16_t>(out.size());
        ip.flags_offset = flags_offset;
        ip.checksum = 0;
        ip.checksum = internet_checksum(&ip, sizeof ip);
        return out;
    };
    CHECK(pair.received(piece(800, 0, 100)).empty());
    CHECK(pair.received(piece(0, 800, 0x2000)) == only(after_hops(clear, 2)));
}
