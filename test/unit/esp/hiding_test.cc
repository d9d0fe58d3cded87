// What ESP sends so that outsiders learn less: its padding (RFC 4303 2.4), padding that hides how long packets are
// (2.7) and packets that mean nothing (2.6).
#include <set>

#include "catch.h"
#include "test/unit/gateway/both_families.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr std::string_view policies = R"(
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
)";
std::string gcm(std::string_view flags) {
    return "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 " + std::string{flags} +
           " -E aes-gcm-16 \"tokyo-newyork-key001\";" + std::string{policies};
}
/// Nothing is encrypted: the text can be seen.
std::string plain(std::string_view flags) {
    return "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 " + std::string{flags} +
           " -E null -A hmac-sha1 \"twenty octets of key\";" + std::string{policies};
}

struct Pair {
    explicit Pair(const std::string& setkey) : Pair(setkey, office_configuration(), newyork_configuration()) {}
    Pair(const std::string& setkey, const Configuration& here, const Configuration& there)
        : tokyo(here), newyork(there) {
        tokyo.setkey(setkey);
        newyork.setkey(setkey);
    }
    Octets sent(const Octets& clear) {
        const auto wire = pass(tokyo, office, {clear}, world);
        REQUIRE(wire.size() == 1);
        return wire[0];
    }
    std::vector<Octets> received(const Octets& wire) { return pass(newyork, world, {wire}, office); }
    Wires tokyo, newyork;
};

Octets inside(std::size_t octets, const Ipv4Options& options = {}) {
    return datagram("10.0.1.5", "10.0.2.5", octets, options);
}

/// The padding of a packet that plain() protects, whose ICV has 12 octets.
Octets padding_of(const Octets& wire) {
    const std::size_t trailer = wire.size() - 12 - 2, octets = std::to_integer<std::size_t>(wire[trailer]);
    return {wire.begin() + static_cast<std::ptrdiff_t>(trailer - octets),
            wire.begin() + static_cast<std::ptrdiff_t>(trailer)};
}

}  // namespace

TEST_CASE("ESP pads with 1, 2, 3, with zeroes or at random, as -f says (RFC 4303 2.4, KAME)") {
    const Octets packet = inside(99);  // 3 octets of padding to a multiple of 4
    SECTION("in sequence unless something else is asked for") {
        Pair pair{plain("")};
        CHECK(padding_of(pair.sent(packet)) == Octets{std::byte{1}, std::byte{2}, std::byte{3}});
        CHECK(padding_of(pair.sent(inside(100))) == Octets{std::byte{1}, std::byte{2}});
    }
    SECTION("with zeroes") {
        Pair pair{plain("-f zero-pad")};
        const Octets wire = pair.sent(packet);
        CHECK(padding_of(wire) == Octets(3));
        CHECK(pair.received(wire) == only(after_hops(packet, 2)));
    }
    SECTION("at random") {
        Pair pair{plain("-f random-pad")};
        std::set<Octets> seen;
        for (int i = 0; i < 8; ++i) {
            const Octets wire = pair.sent(packet);
            seen.insert(padding_of(wire));
            CHECK(pair.received(wire) == only(after_hops(packet, 2)));
        }
        CHECK(seen.size() > 1);
    }
}

TEST_CASE("packets up to the SA's length look alike with TFC padding, and arrive as they were (RFC 4303 2.7)") {
    Pair pair{gcm("-f tfc:1000")};
    const std::size_t longest = pair.sent(inside(1000)).size();
    for (const std::size_t octets : {28u, 29u, 30u, 31u, 500u, 998u, 999u, 1000u}) {
        INFO(octets);
        const Octets packet = inside(octets), wire = pair.sent(packet);
        CHECK(wire.size() == longest);
        CHECK(pair.received(wire) == only(after_hops(packet, 2)));
    }
    CHECK(pair.sent(inside(1003)).size() == longest + 4);
    CHECK(pair.tokyo.buffers_missing() == 0);
}

TEST_CASE("TFC padding never makes a packet larger than its way takes, through a bundle neither (RFC 4303 2.7)") {
    struct Way {
        std::string flags, requests;
    };
    const auto way = GENERATE(values<Way>({{"aes-gcm-16 \"tokyo-newyork-key001\"", ""},
                                           {"aes-cbc \"sixteen octets!!\" -A hmac-sha1 \"twenty octets of key\"", ""},
                                           {"aes-gcm-16 \"tokyo-newyork-key001\"", " ah/transport//require"},
                                           {"aes-gcm-16 \"tokyo-newyork-key001\"", " esp/transport//require"}}));
    const std::string requests = " ipsec esp/tunnel/20.0.0.1-20.0.0.2/require" + way.requests + ";";
    Pair pair{"add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -f tfc:9000 -E " + way.flags + ";" +
              "add 20.0.0.1 20.0.0.2 ah 0x1002 -m transport -A hmac-sha1 \"twenty octets of key\";" +
              "add 20.0.0.1 20.0.0.2 esp 0x1003 -m transport -E aes-cbc \"sixteen octets!!\";" +
              "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out" + requests + "spdadd 10.0.1.0/24 10.0.2.0/24 any -P in" +
              requests};
    std::size_t shortest = 9999, longest = 0;
    for (std::size_t octets = 28; octets < 1360; octets += 37) {
        INFO(octets);
        const Octets packet = inside(octets, {.flags_offset = Ipv4Header::dont_fragment}), wire = pair.sent(packet);
        shortest = std::min(shortest, wire.size());
        longest = std::max(longest, wire.size());
        CHECK(pair.received(wire) == only(after_hops(packet, 2)));
    }
    CHECK(longest <= 1500);
    CHECK(shortest > 1500 - 40);
    if (way.requests.empty()) CHECK(shortest + 4 > longest);
}

TEST_CASE("-f tfc and -f dummy are refused where they could do nothing") {
    Wires tokyo{office_configuration()};
    const std::string why = "-f tfc and -f dummy are for ESP in tunnel mode: -m tunnel [bad_value]";
    for (const std::string_view words :
         {"esp 0x1001 -m transport -f tfc:100 -E null -A hmac-sha1 \"twenty octets of key\";",
          "esp 0x1001 -f dummy:1 -E null -A hmac-sha1 \"twenty octets of key\";",
          "ah 0x1001 -m tunnel -f tfc:100 -A hmac-sha1 \"twenty octets of key\";"})
        CHECK(refusal_of(tokyo, "add 20.0.0.1 20.0.0.2 " + std::string{words}).ends_with(why));
}

// ---- packets that mean nothing

TEST_CASE("an SA sends as many dummy packets as it is told to, and its peer throws them away (RFC 4303 2.6)") {
    const bool four = GENERATE(true, false);
    const std::string ends = four ? "20.0.0.1 20.0.0.2" : "2001:db8:f::1 2001:db8:f::2";
    Pair pair{"add " + ends + " esp 0x1001 -m tunnel -r 8 -f dummy:20 -E aes-gcm-16 \"tokyo-newyork-key001\";",
              tokyo_configuration_of_both(), newyork_configuration_of_both()};
    Told told{pair.newyork};
    std::vector<Octets> dummies;
    for (int i = 0; i < 100; ++i) {  // each turn is a millisecond
        pair.tokyo.turn(20);
        for (const Octets& wire : carry(pair.tokyo, office, {}, world)) dummies.push_back(wire);
    }
    CHECK((dummies.size() >= 40 && dummies.size() <= 50));
    std::set<std::size_t> lengths;
    for (const Octets& wire : dummies) {
        lengths.insert(wire.size());
        CHECK(wire.size() <= 1500);
        CHECK(is_ipv6(wire) != four);
        CHECK(carry(pair.newyork, world, {wire}, office).empty());
    }
    CHECK(lengths.size() > 10);
    CHECK(pair.newyork.drops(Drop::dummy_packet) == dummies.size());
    for (const auto kind : {Told::Kind::bad_icv, Told::Kind::replayed, Told::Kind::selector_mismatch,
                            Told::Kind::unknown_spi, Told::Kind::notices_lost})
        CHECK(told.count(kind) == 0);
    pair.tokyo.turn();  // one may be on its way from the control core
    CHECK(pair.tokyo.buffers_missing() == 0);
    CHECK(pair.newyork.buffers_missing() == 0);
}

TEST_CASE("dummy packets look like the others: length, hop limit, DF and identification tell nothing") {
    Pair pair{gcm("-f tfc:600 -f dummy:100")};
    const auto identification_from_sequence = [](const Octets& esp) {
        return static_cast<std::uint16_t>(header_of(esp).identification - esp_of(esp).sequence_low);
    };
    const Octets real = pair.sent(inside(300, {.flags_offset = Ipv4Header::dont_fragment}));
    pair.tokyo.turn(30);
    const auto dummies = packets_of(pair.tokyo.sent_by(world));
    REQUIRE_FALSE(dummies.empty());
    for (const Octets& dummy : dummies) {
        CHECK(dummy.size() == real.size());
        CHECK(header_of(dummy).ttl == header_of(real).ttl);
        CHECK(header_of(dummy).flags_offset == header_of(real).flags_offset);
        CHECK(header_of(dummy).dscp_ecn == header_of(real).dscp_ecn);
        CHECK(identification_from_sequence(dummy) == identification_from_sequence(real));
    }
}

TEST_CASE("dummy packets end with their SA") {
    Pair pair{gcm("-f dummy:1000")};
    pair.tokyo.turn(20);
    CHECK_FALSE(pair.tokyo.sent_by(world).empty());
    pair.tokyo.setkey("flush;");
    pair.tokyo.turn(20);
    (void)pair.tokyo.sent_by(world);
    pair.tokyo.turn(20);
    CHECK(pair.tokyo.sent_by(world).empty());
    CHECK(pair.tokyo.buffers_missing() == 0);
}
