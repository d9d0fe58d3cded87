// netstat's IPsec counters: each packet moves exactly those that KAME's and NetBSD's would, and no others.
#include "catch.h"
#include "office.h"

using namespace torii;
using namespace torii::test;

namespace {

using Counts = std::map<std::string, std::uint64_t>;

/// The IPv4 counters that are not 0.
Counts counts(Wires& gateway) {
    Counts out;
    for (const auto& stat : gateway.gateway().stats()) {
        if (stat.total == 0 || stat.family.empty()) continue;
        CHECK(stat.family == "ipv4");
        out[stat.counter] = stat.total;
    }
    return out;
}

/// NetBSD's that are not 0: "esp.input".
Counts netbsd(Wires& gateway) {
    Counts out;
    for (const auto& stat : gateway.gateway().stats())
        if (stat.total != 0 && stat.group != "ipsec" && !stat.counter.starts_with("spdcache"))
            out[stat.group + "." + stat.counter] = stat.total;
    return out;
}

const Octets packet = datagram("10.0.1.5", "10.0.2.5");
constexpr std::string_view bundle = R"(
add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-cbc "sixteen octets!!" -A hmac-sha1 "twenty octets of key";
add 20.0.0.1 20.0.0.2 ah 0x1002 -m transport -r 8 -A hmac-sha256 "an ah key of thirty-two octets!!";
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require ah/transport//require;
spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec esp/tunnel/20.0.0.1-20.0.0.2/require ah/transport//require;
)";

Octets without_last_octet_right(Octets wire) {
    wire.back() ^= std::byte{1};
    return wire;
}

}  // namespace

TEST_CASE("each IPsec header put on and taken off counts once, by algorithm and with its authentication") {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(bundle);
    newyork.setkey(bundle);
    const auto wire = pass(tokyo, office, {packet, packet}, world);
    REQUIRE(wire.size() == 2);
    CHECK(counts(tokyo) == Counts{{"out_success", 4}, {"out_esphist.aes-cbc", 2}, {"out_ahhist.hmac-sha256", 2}});
    REQUIRE(pass(newyork, world, wire, office).size() == 2);
    CHECK(counts(newyork) == Counts{{"in_success", 4},
                                    {"in_ahauthsucc", 2},
                                    {"in_espauthsucc", 2},
                                    {"in_esphist.aes-cbc", 2},
                                    {"in_ahhist.hmac-sha256", 2}});
}

TEST_CASE("what is refused moves the counter of its reason and no success") {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(office_setkey);
    newyork.setkey(office_setkey);  // without the inbound policy of newyork: refused after opening
    const auto wire = pass(tokyo, office, {packet}, world);
    REQUIRE(wire.size() == 1);
    SECTION("a wrong ICV") {
        pass(newyork, world, {without_last_octet_right(wire[0])}, office);
        CHECK(counts(newyork) == Counts{{"in_espauthfail", 1}});
    }
    SECTION("a policy that does not take it, and then a replay") {
        pass(newyork, world, wire, office);
        Counts expected{{"in_success", 1}, {"in_espauthsucc", 1}, {"in_esphist.aes-gcm-16", 1}, {"in_polvio", 1}};
        CHECK(counts(newyork) == expected);
        pass(newyork, world, wire, office);
        expected["in_espreplay"] = 1;
        CHECK(counts(newyork) == expected);
    }
    SECTION("an SPI nobody has") {
        newyork.setkey("flush;");
        pass(newyork, world, wire, office);
        CHECK(counts(newyork) == Counts{{"in_nosa", 1}});
    }
    SECTION("clear text where a tunnel is required") {
        newyork.setkey(
            "spdflush; spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;");
        pass(newyork, world, {packet}, office);
        CHECK(counts(newyork) == Counts{{"in_polvio", 1}});
    }
}

TEST_CASE("what may not leave moves the outbound counters") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(R"(spdadd 10.0.1.0/24 10.0.2.0/24 tcp -P out discard;
                    spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
                    spdadd 0.0.0.0/0 0.0.0.0/0 any -P out none;)");
    pass(tokyo, office, {packet, packet}, world);
    CHECK(counts(tokyo) == Counts{{"out_nosa", 2}});
    pass(tokyo, office, {ipv4("10.0.1.5", "10.0.2.5", 6, Octets(20))}, world);
    CHECK(counts(tokyo) == Counts{{"out_nosa", 2}, {"out_polvio", 1}});
    pass(tokyo, office, {datagram("10.0.1.5", "99.0.0.1")}, world);
    CHECK(counts(tokyo) == Counts{{"out_nosa", 2}, {"out_polvio", 1}, {"out_noroute", 1}});
}

TEST_CASE("the flow cache's look-ups and misses are told as KAME tells those of its SPD cache") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(office_setkey);
    pass(tokyo, office, {packet}, world);
    pass(tokyo, office, {packet}, world);
    for (const auto& stat : tokyo.gateway().stats()) {
        if (stat.counter == "spdcachelookup") CHECK(stat.total == 2);
        if (stat.counter == "spdcachemiss") CHECK(stat.total == 1);
    }
}

TEST_CASE("a packet that did not compress is no compressed one, and one without an SPI is counted as such") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(R"(add 20.0.0.1 20.0.0.2 ipcomp 7 -m tunnel -C deflate;
                    spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec ipcomp/tunnel/20.0.0.1-20.0.0.2/require;)");
    pass(tokyo, office, {datagram("10.0.1.5", "10.0.2.5", 60)}, world);  // shorter than what is worth a try
    CHECK(counts(tokyo) == Counts{{"out_success", 1}});
    pass(tokyo, office, {datagram("10.0.1.5", "10.0.2.5", 600)}, world);
    CHECK(counts(tokyo) == Counts{{"out_success", 2}, {"out_comphist.deflate", 1}});
    pass(tokyo, world, {ipv4("20.0.0.2", "20.0.0.1", 50, Octets(7)), ipv4("20.0.0.2", "20.0.0.1", 51, Octets(7))},
         office);
    CHECK(counts(tokyo) == Counts{{"out_success", 2}, {"out_comphist.deflate", 1}, {"in_badspi", 2}});
}

TEST_CASE("NetBSD's groups count each header under its own protocol, and both families together") {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(bundle);
    newyork.setkey(bundle);
    const auto wire = pass(tokyo, office, {packet, packet}, world);
    REQUIRE(wire.size() == 2);
    CHECK(netbsd(tokyo) == Counts{{"esp.output", 2}, {"ah.output", 2}});
    REQUIRE(pass(newyork, world, wire, office).size() == 2);
    Counts expected{{"esp.input", 2}, {"ah.input", 2}};
    CHECK(netbsd(newyork) == expected);
    pass(newyork, world, {wire[0]}, office);
    expected["ah.replay"] = 1, expected["ah.input"] = 3;
    CHECK(netbsd(newyork) == expected);
    pass(newyork, world, {without_last_octet_right(pass(tokyo, office, {packet}, world).at(0))}, office);
    expected["ah.badauth"] = 1, expected["ah.input"] = 4;
    CHECK(netbsd(newyork) == expected);
    newyork.setkey("delete 20.0.0.1 20.0.0.2 esp 0x1001;");  // what AH was around has no SA any more
    pass(newyork, world, pass(tokyo, office, {packet}, world), office);
    expected["ah.input"] = 5, expected["esp.input"] = 3, expected["esp.notdb"] = 1;
    CHECK(netbsd(newyork) == expected);
}

TEST_CASE("what NetBSD calls too short, bad encryption and an invalid SA has its counter, in its protocol's group") {
    Wires newyork{newyork_configuration()};
    const auto arrive = [&](std::uint8_t protocol, const Octets& octets) {
        pass(newyork, world, {ipv4("20.0.0.1", "20.0.0.2", protocol, octets)}, office);
    };
    Counts expected;
    arrive(50, Octets(7));
    expected["esp.input"] = expected["esp.hdrops"] = 1;
    CHECK(netbsd(newyork) == expected);
    arrive(51, Octets(7));
    expected["ah.input"] = expected["ah.hdrops"] = 1;
    CHECK(netbsd(newyork) == expected);
    arrive(108, Octets(3));
    expected["ipcomp.input"] = expected["ipcomp.hdrops"] = 1;
    CHECK(netbsd(newyork) == expected);
    arrive(108, octets_of(IpCompHeader{4, 0, 0x1234}) + Octets(20));
    expected["ipcomp.input"] = 2, expected["ipcomp.notdb"] = 1;
    CHECK(netbsd(newyork) == expected);
    SECTION("a cipher without integrity, under another key") {
        newyork.setkey(R"(# torii: legacy
add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -E aes-cbc "sixteen octets!!";)");
        for (int i = 1; i <= 20; ++i)
            arrive(50, octets_of(EspHeader{0x1001, static_cast<std::uint32_t>(i)}) + Octets(48, std::byte(i)));
        const Counts counted = netbsd(newyork);
        CHECK(counted.at("esp.input") == 21);
        const auto of = [&](const char* name) { return counted.contains(name) ? counted.at(name) : 0; };
        CHECK(of("esp.badenc") == newyork.drops(Drop::bad_padding));
        CHECK(of("esp.tunnel") == newyork.drops(Drop::bad_inner_protocol));
        CHECK(of("esp.badenc") + of("esp.tunnel") > 0);
    }
    SECTION("an SA whose hard lifetime is over, both ways") {
        Wires tokyo{office_configuration()};
        const std::string add = "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -E aes-gcm-16 \"tokyo-newyork-key001\"";
        const std::string limited =
            "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -ph 1 -E aes-gcm-16 \"tokyo-newyork-key001\"";
        const std::string policy =
            "; spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;"
            "spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;";
        tokyo.setkey(add + policy);
        newyork.setkey(limited + policy);
        pass(newyork, world, pass(tokyo, office, {packet, packet}, world), office);
        expected["esp.input"] = 3, expected["esp.invalid"] = 1;
        CHECK(netbsd(newyork) == expected);
        Wires other{office_configuration()};
        other.setkey(limited + policy);
        pass(other, office, {packet, packet, packet}, world);
        CHECK(netbsd(other) == Counts{{"esp.output", 3}, {"esp.invalid", 2}, {"fast_ipsec.out_nosa", 2}});
    }
}

TEST_CASE("IPComp's useless attempts and IP in IP have NetBSD's counters too") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(R"(add 20.0.0.1 20.0.0.2 ipcomp 7 -m tunnel -C deflate;
                    spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec ipcomp/tunnel/20.0.0.1-20.0.0.2/require;)");
    pass(tokyo, office, {datagram("10.0.1.5", "10.0.2.5", 60)}, world);
    CHECK(netbsd(tokyo) == Counts{{"ipcomp.output", 1}, {"ipcomp.useless", 1}});
    pass(tokyo, office, {datagram("10.0.1.5", "10.0.2.5", 600)}, world);
    CHECK(netbsd(tokyo) == Counts{{"ipcomp.output", 2}, {"ipcomp.useless", 1}});
}

TEST_CASE("policies that refuse count in NetBSD's fast_ipsec as in KAME's ipsec") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(R"(spdadd 10.0.1.0/24 10.0.2.0/24 tcp -P out discard;
                    spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;)");
    pass(tokyo, office, {packet, packet}, world);
    pass(tokyo, office, {ipv4("10.0.1.5", "10.0.2.5", 6, Octets(20))}, world);
    CHECK(netbsd(tokyo) == Counts{{"fast_ipsec.out_nosa", 2}, {"fast_ipsec.out_polvio", 1}});
}
