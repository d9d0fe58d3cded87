// IPComp between two gateways: both wire forms of a compressed tunnel, packets that do not compress, and what may never
// pass because of it.
#include <random>

#include "catch.h"
#include "ipcomp/ipcomp.h"
#include "test/unit/gateway/office.h"

using namespace torii;
using namespace torii::test;

namespace {

const Octets text = datagram("10.0.1.5", "10.0.2.5", 1000);

Octets noise(std::size_t octets = 1000) {
    static std::mt19937 random{1};
    Octets payload(octets - 28);
    for (std::byte& octet : payload) octet = std::byte(random());
    return ipv4("10.0.1.5", "10.0.2.5", 17, udp(4000, 5000, payload));
}

std::string both_ways(std::string_view requests) {
    return "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec " + std::string{requests} +
           "; spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec " + std::string{requests} + ";";
}
const std::string compressed_tunnel =
    "add 20.0.0.1 20.0.0.2 ipcomp 7 -m tunnel -C deflate;"
    "add 20.0.0.1 20.0.0.2 esp 0x1001 -m transport -r 8 -E aes-gcm-16 \"tokyo-newyork-key001\";" +
    both_ways("ipcomp/tunnel/20.0.0.1-20.0.0.2/require esp/transport//require");

struct Pair {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    explicit Pair(const std::string& setkey) {
        tokyo.setkey(setkey);
        newyork.setkey(setkey);
    }
    Octets sent(const Octets& clear) {
        const auto wire = pass(tokyo, office, {clear}, world);
        REQUIRE(wire.size() == 1);
        return wire[0];
    }
    std::vector<Octets> received(const Octets& on_wire) { return pass(newyork, world, {on_wire}, office); }
};

control::SaId ipcomp_id(std::string_view source, std::string_view destination, std::uint32_t spi) {
    control::SaId id = sa_id(source, destination, spi);
    id.protocol = IpsecProtocol::ipcomp;
    return id;
}
/// What the oldest SA there has counted.
std::uint64_t packets_in(Wires& gateway) {
    std::uint64_t packets = 0;
    gateway.gateway().each_sa([&](const control::SaView& sa) { return packets = sa.packets, false; });
    return packets;
}

/// IPComp around `packet`, as anybody may write it who has no key.
Octets wrapped(const Octets& packet, std::uint16_t cpi = 2, std::uint8_t next_header = 4) {
    Deflate deflate;
    const auto packed = deflate.compress(packet, 65536).value();
    return ipv4("20.0.0.2", "20.0.0.1", 108,
                octets_of(IpCompHeader{next_header, 0, cpi}) + Octets(packed.begin(), packed.end()));
}

}  // namespace

TEST_CASE("ipcomp/tunnel esp/transport carries a packet smaller than it came, and whole (RFC 3173 2.1)") {
    Pair pair{compressed_tunnel};
    const Octets wire = pair.sent(text);
    CHECK(header_of(wire).protocol == 50);
    CHECK(wire.size() < 200);
    CHECK(pair.received(wire) == only(after_hops(text, 2)));
    CHECK(pair.newyork.buffers_missing() == 0);
}

TEST_CASE("a packet that does not compress goes through the same tunnel without IPComp (RFC 3173 2.2)") {
    Pair pair{compressed_tunnel};
    const Octets packet = noise();
    const Octets wire = pair.sent(packet);
    CHECK(wire.size() == packet.size() + 20 + 8 + 8 + 2 + 2 + 16);  // outer header, ESP; no IPComp header
    CHECK(pair.received(wire) == only(after_hops(packet, 2)));
}

TEST_CASE("IP in IP out of a transport SA is left only where the policy asks for an IPComp tunnel") {
    Pair pair{compressed_tunnel};
    pair.newyork.setkey(
        "spdflush; spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec esp/transport/20.0.0.1-20.0.0.2/require;"
        "spdadd 20.0.0.1 20.0.0.2 any -P in ipsec esp/transport//require;");
    CHECK(pair.received(pair.sent(noise())).empty());
    CHECK(pair.newyork.drops(Drop::local_unwanted) == 1);  // payload for the gateway itself, which takes none
}

TEST_CASE("IPComp on its own on the wire names DEFLATE's well-known CPI, or its own with -R (RFC 3173 3.3)") {
    for (const bool raw : {false, true}) {
        Pair pair{"add 20.0.0.1 20.0.0.2 ipcomp 0x1234 -m tunnel -C deflate" + std::string{raw ? " -R;" : ";"} +
                  both_ways("ipcomp/tunnel/20.0.0.1-20.0.0.2/require")};
        const Octets wire = pair.sent(text);
        REQUIRE(header_of(wire).protocol == 108);
        const auto& ipcomp = *reinterpret_cast<const IpCompHeader*>(wire.data() + 20);
        CHECK(ipcomp.cpi == (raw ? 0x1234 : 2));
        CHECK(ipcomp.next_header == 4);
        CHECK(pair.received(wire) == only(after_hops(text, 2)));
        pair.newyork.setkey("flush;");
        CHECK(pair.received(pair.sent(text)).size() == (raw ? 0 : 1));
        CHECK(pair.newyork.drops(Drop::unknown_cpi) == (raw ? 1 : 0));
    }
}

TEST_CASE("ipcomp/transport esp/tunnel compresses inside the tunnel (IP, ESP, IP, IPComp)") {
    const std::string setkey =
        "add 10.0.1.5 10.0.2.5 ipcomp 9 -m transport -C deflate;"
        "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 \"tokyo-newyork-key001\";" +
        both_ways("ipcomp/transport//use esp/tunnel/20.0.0.1-20.0.0.2/require");
    Pair pair{setkey};
    const Octets wire = pair.sent(text);
    CHECK(wire.size() < 220);
    const auto inside = pair.received(wire);  // IPComp is the far host's to open, as transport mode has it
    REQUIRE(inside.size() == 1);
    CHECK(header_of(inside[0]).protocol == 108);
    CHECK(header_of(inside[0]).destination == number("10.0.2.5"));
}

TEST_CASE("clear text in IPComp does not pass where ESP is required: KAME's hole is closed") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(office_setkey);
    CHECK(pass(tokyo, world, {wrapped(datagram("10.0.2.5", "10.0.1.5", 400))}, office).empty());
    CHECK(tokyo.drops(Drop::policy_mismatch) == 1);
    tokyo.setkey("spdflush; spdadd 10.0.2.0/24 10.0.1.0/24 any -P in none;");
    CHECK(pass(tokyo, world, {wrapped(datagram("10.0.2.5", "10.0.1.5", 400))}, office).size() == 1);
}

TEST_CASE("a decompression bomb and what is no DEFLATE data are dropped by name, and cost no buffer") {
    Wires tokyo{office_configuration()};
    tokyo.setkey("spdadd 10.0.2.0/24 10.0.1.0/24 any -P in none;");
    Octets bomb = datagram("10.0.2.5", "10.0.1.5", 60000);
    CHECK(pass(tokyo, world, {wrapped(bomb)}, office).empty());
    CHECK(tokyo.drops(Drop::decompressed_too_big) == 1);
    const auto raw = [](const Octets& payload) { return ipv4("20.0.0.2", "20.0.0.1", 108, payload); };
    const Octets header = octets_of(IpCompHeader{4, 0, 2});
    CHECK(pass(tokyo, world, {raw(header + Octets(50, std::byte{0xff}))}, office).empty());
    CHECK(pass(tokyo, world, {raw(header)}, office).empty());
    CHECK(pass(tokyo, world, {raw(Octets(3))}, office).empty());
    CHECK(tokyo.drops(Drop::bad_ipcomp) == 3);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("IPComp within IPComp is opened four deep and no deeper, though no SA is needed for any") {
    Wires tokyo{office_configuration()};
    tokyo.setkey("spdadd 10.0.2.0/24 10.0.1.0/24 any -P in none;");
    Octets packet = datagram("10.0.2.5", "10.0.1.5", 400);
    for (int depth = 1; depth <= 4; ++depth) packet = wrapped(packet);
    CHECK(pass(tokyo, world, {packet}, office).size() == 1);
    CHECK(pass(tokyo, world, {wrapped(packet)}, office).empty());
    CHECK(tokyo.drops(Drop::nested_too_deep) == 1);
}

TEST_CASE("a flow that does not compress is tried less and less, and again when it changes") {
    Pair pair{compressed_tunnel};
    for (int i = 0; i < 12; ++i) CHECK(pair.received(pair.sent(noise(300))).size() == 1);
    CHECK(pair.sent(text).size() > text.size());  // passed over
    unsigned passed_over = 0;
    while (pair.sent(text).size() > text.size() && passed_over < 2000) ++passed_over;
    CHECK(passed_over < 2000);
    CHECK(pair.sent(text).size() < 200);  // and from then on as before
}

TEST_CASE("numbers that an IPComp SA cannot have are refused") {
    Wires tokyo{office_configuration()};
    CHECK(refusal_of(tokyo, "add 20.0.0.1 20.0.0.2 ipcomp 0 -C deflate;") ==
          "test:1: an IPComp SA needs a number other than 0 [bad_value]");
    CHECK(refusal_of(tokyo, "add 20.0.0.1 20.0.0.2 ipcomp 65536 -C deflate -R;") ==
          "test:1: a CPI of its own lies between 256 and 65535 (RFC 3173 3.3) [bad_value]");
}

TEST_CASE("a packet that finds no room for IPComp ages no SA") {
    Wires tokyo{office_configuration()};
    tokyo.setkey("add 20.0.0.1 20.0.0.2 ipcomp 7 -m tunnel -C deflate;" +
                 both_ways("ipcomp/tunnel/20.0.0.1-20.0.0.2/require"));
    const auto packets = [&] {
        std::uint64_t count = 0;
        tokyo.gateway().each_sa([&](const control::SaView& sa) { return count += sa.packets, true; });
        return count;
    };
    REQUIRE(tokyo.send(office, ethernet(text), 0, Room::exact));
    tokyo.turn();
    CHECK(tokyo.drops(Drop::no_room) == 1);
    CHECK(packets() == 0);
    CHECK(pass(tokyo, office, {text}, world).size() == 1);
    CHECK(packets() == 1);
}

TEST_CASE("limits of an inbound IPComp SA hold to the packet, by its ends where DEFLATE's own CPI does not tell it") {
    const std::string raw = GENERATE("", " -R"), of_octets = GENERATE("", "yes");
    const std::string add = "add 20.0.0.1 20.0.0.2 ipcomp 0x1234 -m tunnel -C deflate" + raw;
    Pair pair{add + ";" + both_ways("ipcomp/tunnel/20.0.0.1-20.0.0.2/require")};
    const Octets wire = pair.sent(text);
    const std::size_t passing = 3;
    const std::string limit = of_octets.empty() ? " -ph 3" : " -bh " + std::to_string(4 * wire.size() - 1);
    pair.newyork.setkey("flush;" + add.substr(0, add.find(" -C")) + limit + add.substr(add.find(" -C")) + ";");
    Told told{pair.newyork};
    CHECK(pass(pair.newyork, world, std::vector<Octets>(passing + 1, wire), office).size() == passing);
    CHECK(pair.newyork.drops(Drop::lifetime_exceeded) == 1);
    CHECK(told.count(control::Event::Kind::expire_hard) == 1);
    CHECK(told.last(control::Event::Kind::expire_hard).sa == ipcomp_id("20.0.0.1", "20.0.0.2", 0x1234));
    // It is gone. What still comes with its own CPI has no SA, what comes with DEFLATE's needs none (RFC 3173 3.3).
    CHECK(pair.received(wire).size() == (raw.empty() ? 1 : 0));
}

TEST_CASE("soft limits of an inbound IPComp SA ask for another in time, and only packets between its ends count") {
    Pair pair{"add 20.0.0.1 20.0.0.2 ipcomp 0x1234 -m tunnel -ps 2 -ph 9 -C deflate;" +
              both_ways("ipcomp/tunnel/20.0.0.1-20.0.0.2/require")};
    Told told{pair.newyork};
    const Octets mine = pair.sent(text);
    Octets strangers = mine;
    auto& ip = *reinterpret_cast<Ipv4Header*>(strangers.data());
    ip.source = number("20.0.0.3");
    ip.checksum = 0;
    ip.checksum = internet_checksum(&ip, sizeof ip);
    CHECK(packets_in(pair.newyork) == 0);
    for (int i = 0; i < 4; ++i) pair.received(strangers);
    CHECK(packets_in(pair.newyork) == 0);
    pair.received(mine);
    CHECK(told.count(control::Event::Kind::expire_soft) == 0);
    pair.received(mine);
    CHECK(packets_in(pair.newyork) == 2);
    CHECK(told.count(control::Event::Kind::expire_soft) == 1);
    SECTION("a newer SA counts in its place") {
        pair.newyork.setkey("add 20.0.0.1 20.0.0.2 ipcomp 0x1235 -m tunnel -ph 1 -C deflate;");
        CHECK(pair.received(mine).size() == 1);
        CHECK(pair.received(mine).empty());
        CHECK(told.last(control::Event::Kind::expire_hard).sa == ipcomp_id("20.0.0.1", "20.0.0.2", 0x1235));
        CHECK(pair.received(mine).size() == 1);  // now the older one's again
        CHECK(packets_in(pair.newyork) == 3);
    }
    SECTION("one without limits is not looked for") {
        pair.newyork.setkey("add 20.0.0.1 20.0.0.2 ipcomp 0x1235 -m tunnel -C deflate;");
        CHECK(pair.received(mine).size() == 1);
        CHECK(packets_in(pair.newyork) == 2);
    }
}

TEST_CASE("any number of IPComp SAs between two hosts leave the look-up as it is, and each may end at any time") {
    std::string many, fewer;
    for (int i = 1; i <= 40; ++i) {
        const std::string ends = " 20.0.0.1 20.0.0.2 ipcomp " + std::to_string(i);
        many += "add" + ends + " -m tunnel -ph 1000 -C deflate;";
        if (i != 17) fewer += "delete" + ends + ";";
    }
    Pair pair{many + both_ways("ipcomp/tunnel/20.0.0.1-20.0.0.2/require")};
    const Octets wire = pair.sent(text);
    CHECK(pair.received(wire).size() == 1);
    pair.newyork.setkey(fewer);
    CHECK(pair.received(wire).size() == 1);
    CHECK(packets_in(pair.newyork) == 1);
    pair.newyork.setkey("flush;");
    CHECK(pair.received(wire).size() == 1);
}
