// Sequence numbers and lifetimes of ESP SAs, to the packet (RFC 4303 3.3.3, 3.4.3; docs/conformance.md).
#include "catch.h"
#include "test/unit/esp/forge.h"
#include "test/unit/gateway/office.h"

using namespace torii;
using namespace torii::test;
using Kind = control::Event::Kind;

namespace {

const control::SaId to_newyork = sa_id("20.0.0.1", "20.0.0.2", 0x1001);
const Octets office_packet = datagram("10.0.1.5", "10.0.2.5");

OutboundSa& outbound(Wires& gateway) { return *gateway.gateway().database().find(to_newyork)->outbound; }
InboundSa& inbound(Wires& gateway) { return *gateway.gateway().database().find(to_newyork)->inbound; }

/// An SA from tokyo to newyork and the policies of that way on both ends.
std::string one_way(std::string_view options) {
    return "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel " + std::string{options} +
           "; spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;"
           "  spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;";
}

struct OneWay {
    explicit OneWay(std::string_view options) {
        tokyo.setkey(one_way(options));
        newyork.setkey(one_way(options));
    }
    std::vector<Octets> protect(std::size_t count = 1) {
        return pass(tokyo, office, std::vector<Octets>(count, office_packet), world);
    }
    std::vector<Octets> open(const std::vector<Octets>& wire) { return pass(newyork, world, wire, office); }
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
};

constexpr std::string_view gcm = "-E aes-gcm-16 \"tokyo-newyork-key001\"";

}  // namespace

TEST_CASE("an SA's first packet is number 1 and each next is one more, within a batch and across (RFC 4303 3.3.3)") {
    OneWay way{gcm};
    auto wire = way.protect(3);
    const auto later = way.protect(2);
    wire.insert(wire.end(), later.begin(), later.end());
    REQUIRE(wire.size() == 5);
    for (std::uint32_t i = 0; i < 5; ++i) CHECK(esp_of(wire[i]).sequence_low == i + 1);
}

TEST_CASE("an SA without ESN stops after number 2^32-1, and says so (RFC 4303 3.3.3)") {
    const std::string options =
        GENERATE(std::string{"-r 4 "} + std::string{gcm}, std::string{gcm},  // a counter mode: CYCSEQ is not enough
                 "-r 4 -E aes-cbc \"sixteen octets!!\" -A hmac-sha1 \"twenty octets exactl\"",
                 "-f nocyclic-seq -E aes-cbc \"sixteen octets!!\" -A hmac-sha1 \"twenty octets exactl\"",
                 "-f nocyclic-seq -r 4 -E 3des-cbc \"twenty-four octets in al\" -A hmac-md5 \"sixteen octets!!\"");
    INFO(options);
    OneWay way{options};
    Told told{way.tokyo};
    outbound(way.tokyo).next_sequence.set(0xffff'fffe);
    const auto wire = way.protect(4);
    REQUIRE(wire.size() == 2);
    CHECK(esp_of(wire[0]).sequence_low == 0xffff'fffe);
    CHECK(esp_of(wire[1]).sequence_low == 0xffff'ffff);
    CHECK(way.tokyo.drops(Drop::sequence_exhausted) == 2);
    CHECK(told.count(Kind::sequence_exhausted) == 2);
    CHECK(told.last(Kind::sequence_exhausted).sa == to_newyork);
    CHECK(told.count(Kind::expire_hard) == 1);
    CHECK(way.protect().empty());  // it has ended, as after a hard lifetime
    CHECK(way.tokyo.drops(Drop::no_sa) == 1);
    CHECK(told.count(Kind::acquire) == 1);
    CHECK(way.tokyo.buffers_missing() == 0);
}

TEST_CASE("an SA whose numbers are spent gives way to the next one, before a packet is lost where there is time") {
    OneWay way{"-r 4 " + std::string{gcm}};
    way.tokyo.setkey("add 20.0.0.1 20.0.0.2 esp 0x1003 -m tunnel -r 4 -E aes-gcm-16 \"tokyo-newyork-key003\";");
    outbound(way.tokyo).next_sequence.set(0xffff'ffff);
    REQUIRE(way.tokyo.gateway().set("net.key.prefered_oldsa", "true"));
    Told told{way.tokyo};
    const bool in_time = GENERATE(true, false);
    const auto wire = way.protect(in_time ? 1 : 3);
    REQUIRE(wire.size() == 1);
    CHECK(esp_of(wire[0]).spi == 0x1001);
    if (in_time) way.tokyo.pass(std::chrono::seconds{2});
    CHECK(way.tokyo.drops(Drop::sequence_exhausted) == (in_time ? 0 : 2));
    CHECK(esp_of(way.protect().at(0)).spi == 0x1003);
    CHECK(told.count(Kind::expire_hard) == 1);
    CHECK(way.tokyo.gateway().database().sas().size() == 1);
}

TEST_CASE("an SA that has spent seven eighths of its numbers asks to be replaced, once, and goes on meanwhile") {
    OneWay way{gcm};
    Told told{way.tokyo};
    outbound(way.tokyo).next_sequence.set(0xdfff'0000);
    way.tokyo.pass(std::chrono::seconds{2});
    CHECK(told.count(Kind::expire_soft) == 0);
    outbound(way.tokyo).next_sequence.set(0xe000'0000);
    way.tokyo.pass(std::chrono::seconds{4});
    CHECK(told.count(Kind::expire_soft) == 1);
    CHECK(told.last(Kind::expire_soft).sa == to_newyork);
    CHECK(way.protect(3).size() == 3);
}

TEST_CASE("numbers wrap only with CYCSEQ, no replay window and no counter-mode cipher") {
    OneWay way{"-E aes-cbc \"sixteen octets!!\" -A hmac-sha1 \"twenty octets exactl\""};
    outbound(way.tokyo).next_sequence.set(0xffff'ffff);
    const auto wire = way.protect(3);
    REQUIRE(wire.size() == 3);
    CHECK(esp_of(wire[0]).sequence_low == 0xffff'ffff);
    CHECK(esp_of(wire[1]).sequence_low == 0);
    CHECK(esp_of(wire[2]).sequence_low == 1);
    CHECK(way.open(wire).size() == 3);
    CHECK(way.tokyo.drops(Drop::sequence_exhausted) == 0);
}

TEST_CASE("an SA with ESN goes on past 2^32, and its peer follows (RFC 4303 2.2.1)") {
    const std::string options =
        GENERATE("-f esn -r 4 -E aes-gcm-16 \"tokyo-newyork-key001\"",
                 "-f esn -r 64 -E aes-cbc \"sixteen octets!!\" -A hmac-sha256 \"thirty-two octets, not one fewer\"");
    INFO(options);
    OneWay way{options};
    outbound(way.tokyo).next_sequence.set(0xffff'fffe);
    (void)inbound(way.newyork).replay.commit(0xffff'fff0);
    const auto wire = way.protect(4);
    REQUIRE(wire.size() == 4);
    CHECK(esp_of(wire[3]).sequence_low == 1);
    CHECK(way.open(wire) == std::vector<Octets>(4, after_hops(office_packet, 2)));
    CHECK(inbound(way.newyork).replay.highest() == 0x1'0000'0001);
    CHECK(way.open(wire).empty());
    CHECK(way.newyork.drops(Drop::replayed) == 4);
}

TEST_CASE("the high half that is not sent is authenticated: a peer one epoch behind cannot open (RFC 4303 2.2.1)") {
    OneWay way{"-f esn -r 4 -E aes-gcm-16 \"tokyo-newyork-key001\""};
    outbound(way.tokyo).next_sequence.set(0x1'0000'0005);
    CHECK(way.open(way.protect()).empty());
    CHECK(way.newyork.drops(Drop::bad_icv) == 1);
}

TEST_CASE("outbound octet lifetimes hold to the packet: soft tells once, hard stops") {
    OneWay way{"-bs 150 -bh 300 -E aes-gcm-16 \"tokyo-newyork-key001\""};  // packets have 100 octets
    Told told{way.tokyo};
    CHECK(way.protect().size() == 1);
    CHECK(told.count(Kind::expire_soft) == 0);
    CHECK(way.protect().size() == 1);  // 200
    CHECK(told.count(Kind::expire_soft) == 1);
    CHECK(told.last(Kind::expire_soft).sa == to_newyork);
    CHECK(way.protect().size() == 1);  // 300: the last that fits
    CHECK(told.count(Kind::expire_soft) == 1);
    CHECK(told.count(Kind::expire_hard) == 0);
    CHECK(way.protect().empty());
    CHECK(told.count(Kind::expire_hard) == 1);
    CHECK(told.last(Kind::expire_hard).sa == to_newyork);
    CHECK(way.tokyo.drops(Drop::lifetime_exceeded) == 1);
}

TEST_CASE("outbound packet lifetimes hold to the packet: soft tells once, hard stops, inside a batch as well") {
    OneWay way{"-ps 2 -ph 5 -E aes-gcm-16 \"tokyo-newyork-key001\""};
    Told told{way.tokyo};
    CHECK(way.protect().size() == 1);
    CHECK(told.count(Kind::expire_soft) == 0);
    CHECK(way.protect().size() == 1);
    CHECK(told.count(Kind::expire_soft) == 1);
    CHECK(told.last(Kind::expire_soft).sa == to_newyork);
    CHECK(way.protect(8).size() == 3);
    CHECK(told.count(Kind::expire_soft) == 1);
    CHECK(told.count(Kind::expire_hard) >= 1);
    CHECK(way.tokyo.drops(Drop::lifetime_exceeded) == 5);
    CHECK(way.tokyo.drops(Drop::sequence_exhausted) == 0);
    CHECK(way.tokyo.gateway().database().sas().empty());
}

TEST_CASE("a hard limit alone ends an SA, in packets as in octets, and without any the SA goes on") {
    const auto* const limit = GENERATE("-ph 3", "-bh 300");
    OneWay way{std::string{limit} + " -E aes-gcm-16 \"tokyo-newyork-key001\""};
    Told told{way.tokyo};
    CHECK(way.protect(4).size() == 3);
    CHECK(told.count(Kind::expire_soft) == 0);
    CHECK(told.count(Kind::expire_hard) == 1);
    OneWay endless{gcm};
    CHECK(endless.protect(64).size() == 64);
}

TEST_CASE("inbound packet lifetimes hold to the packet, and neither replays nor forgeries age an SA") {
    Wires sender{office_configuration()};
    sender.setkey(one_way(gcm));
    const auto wire = pass(sender, office, std::vector<Octets>(4, office_packet), world);
    REQUIRE(wire.size() == 4);
    OneWay way{"-r 4 -ps 2 -ph 3 " + std::string{gcm}};
    Told told{way.newyork};
    CHECK(way.open({wire[0]}).size() == 1);
    for (int i = 0; i < 10; ++i) CHECK(way.open({wire[0]}).empty());
    Octets forged = wire[1];
    forged[60] ^= std::byte{1};
    for (int i = 0; i < 10; ++i) CHECK(way.open({forged}).empty());
    CHECK(inbound(way.newyork).packets.read() == 1);
    CHECK(told.count(Kind::expire_soft) == 0);
    CHECK(way.open({wire[1]}).size() == 1);
    CHECK(told.count(Kind::expire_soft) == 1);
    CHECK(way.open({wire[2]}).size() == 1);
    CHECK(told.count(Kind::expire_hard) == 0);
    CHECK(way.open({wire[3]}).empty());
    CHECK(told.count(Kind::expire_hard) == 1);
    CHECK(way.newyork.drops(Drop::lifetime_exceeded) == 1);
}

TEST_CASE("an octet lifetime that ends inside a batch lets exactly what fits through") {
    OneWay way{"-bh 350 -E aes-gcm-16 \"tokyo-newyork-key001\""};
    CHECK(way.protect(8).size() == 3);
    CHECK(way.tokyo.drops(Drop::lifetime_exceeded) == 5);
    CHECK(way.tokyo.gateway().database().sas().empty());
}

TEST_CASE("inbound octet lifetimes hold to the packet, and neither replays nor forgeries age an SA") {
    Wires sender{office_configuration()};
    sender.setkey(one_way(gcm));
    const auto wire = pass(sender, office, std::vector<Octets>(4, office_packet), world);
    REQUIRE(wire.size() == 4);
    const std::size_t each = wire[0].size();

    OneWay way{"-r 4 -bs " + std::to_string(2 * each) + " -bh " + std::to_string(3 * each) + " " + std::string{gcm}};
    Told told{way.newyork};
    CHECK(way.open({wire[0]}).size() == 1);
    for (int i = 0; i < 10; ++i) CHECK(way.open({wire[0]}).empty());
    Octets forged = wire[1];
    forged[60] ^= std::byte{1};
    for (int i = 0; i < 10; ++i) CHECK(way.open({forged}).empty());
    CHECK(way.newyork.drops(Drop::replayed) == 10);
    CHECK(way.newyork.drops(Drop::bad_icv) == 10);
    CHECK(inbound(way.newyork).octets.read() == each);
    CHECK(told.count(Kind::expire_soft) == 0);
    CHECK(way.open({wire[1]}).size() == 1);
    CHECK(told.count(Kind::expire_soft) == 1);
    CHECK(way.open({wire[2]}).size() == 1);
    CHECK(told.count(Kind::expire_hard) == 0);
    CHECK(way.open({wire[3]}).empty());
    CHECK(told.count(Kind::expire_hard) == 1);
    CHECK(told.count(Kind::expire_soft) == 1);
    CHECK(way.newyork.drops(Drop::lifetime_exceeded) == 1);
}

TEST_CASE("twins that meet inside one batch are told apart: one passes (RFC 4303 3.4.3)") {
    OneWay way{"-r 4 -E aes-gcm-16 \"tokyo-newyork-key001\""};
    const auto wire = way.protect(2);
    REQUIRE(wire.size() == 2);
    CHECK(way.open({wire[0], wire[1], wire[0], wire[1], wire[0]}).size() == 2);
    CHECK(way.newyork.drops(Drop::replayed) == 3);
    CHECK(inbound(way.newyork).packets.read() == 2);
    CHECK(way.newyork.buffers_missing() == 0);
}

TEST_CASE("an SA without a replay window takes the same packet again") {
    OneWay way{gcm};
    const auto wire = way.protect();
    REQUIRE(wire.size() == 1);
    CHECK(way.open({wire[0], wire[0]}).size() == 2);
}

TEST_CASE("replays and forgeries are told with the SA and the number (RFC 4303 3.4.3, 3.4.4)") {
    OneWay way{"-r 4 -E aes-gcm-16 \"tokyo-newyork-key001\""};
    Told told{way.newyork};
    auto wire = way.protect(2);
    REQUIRE(wire.size() == 2);
    (void)way.open({wire[0], wire[0]});
    CHECK(told.count(Kind::replayed) == 1);
    CHECK(told.last(Kind::replayed).sa == to_newyork);
    CHECK(told.last(Kind::replayed).sequence == 1);
    wire[1].back() ^= std::byte{0x80};
    (void)way.open({wire[1]});
    CHECK(told.count(Kind::bad_icv) == 1);
    CHECK(told.last(Kind::bad_icv).sa == to_newyork);
    CHECK(told.last(Kind::bad_icv).sequence == 2);
    CHECK(told.last(Kind::bad_icv).packet.source == Address::v4(0x14000001));
    CHECK(inbound(way.newyork).replays.read() == 1);
    CHECK(inbound(way.newyork).icv_failures.read() == 1);
}

TEST_CASE("-r counts octets of 8 packets each, and makes a window of 32 to 65,536 packets (KAME)") {
    const auto [written, window] = GENERATE(table<std::string_view, std::uint32_t>(
        {{"-r 1 ", 32}, {"-r 4 ", 32}, {"-r 5 ", 40}, {"-r 255 ", 2040}, {"-r 8192 ", 65536}, {"", 0}}));
    INFO(written);
    OneWay way{std::string{written} + std::string{gcm}};
    CHECK(inbound(way.newyork).replay.size() == window);
}
