// Which SAs a policy's packets go through: bundles, levels within them, reqids, several SAs, transport mode between
// pairs of hosts, and how that follows the SAD.
#include <set>

#include "catch.h"
#include "office.h"

using namespace torii;
using namespace torii::test;

namespace {

const Octets packet = datagram("10.0.1.5", "10.0.2.5");

Configuration with_peers(Configuration c) {
    c.neighbours.push_back({Address::v4(0x14000003), peer_mac, "world"});
    c.neighbours.push_back({Address::v4(0x14000004), peer_mac, "world"});
    return c;
}
std::vector<Octets> send(Wires& gateway, const Octets& what = packet) { return pass(gateway, office, {what}, world); }
std::uint32_t spi_of(Wires& gateway, const Octets& what = packet) {
    const auto wire = send(gateway, what);
    return wire.size() == 1 && header_of(wire[0]).protocol == 50 ? esp_of(wire[0]).spi.value() : 0;
}
std::string sa(std::uint32_t spi, std::string_view options = "", std::string_view ends = "20.0.0.1 20.0.0.2") {
    return "add " + std::string{ends} + " esp " + std::to_string(spi) + " " + std::string{options} +
           " -E aes-gcm-16 \"" + gcm_key(spi) + "\";";
}
/// Outbound for tokyo's office and inbound for newyork's, of the same requests.
std::string both(std::string_view requests) {
    return "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec " + std::string{requests} +
           "; spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec " + std::string{requests} + ";";
}

constexpr std::string_view tunnel = "esp/tunnel/20.0.0.1-20.0.0.2/require";

}  // namespace

TEST_CASE("a bundle's first request is the innermost: each layer opened at the other end shows the next") {
    const std::string setkey = sa(0x2001, "-m transport", "10.0.1.5 10.0.2.5") + sa(0x2002, "-m tunnel") +
                               both("esp/transport//require esp/tunnel/20.0.0.1-20.0.0.2/require");
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(setkey);
    newyork.setkey(sa(0x2002, "-m tunnel") + both(tunnel));  // it can open the outer layer alone
    const auto wire = send(tokyo);
    REQUIRE(wire.size() == 1);
    CHECK(esp_of(wire[0]).spi == 0x2002);
    CHECK(header_of(wire[0]).destination == number("20.0.0.2"));
    const auto opened = pass(newyork, world, wire, office);
    REQUIRE(opened.size() == 1);
    CHECK(header_of(opened[0]).protocol == 50);
    CHECK(header_of(opened[0]).source == number("10.0.1.5"));
    CHECK(esp_of(opened[0]).spi == 0x2001);
}

TEST_CASE("two tunnels to the same peer, one in the other, are opened and checked against both requests") {
    const std::string requests = "esp/tunnel/20.0.0.1-20.0.0.2/unique:1 esp/tunnel/20.0.0.1-20.0.0.2/unique:2";
    const std::string setkey = sa(0x2001, "-m tunnel -u 1") + sa(0x2002, "-m tunnel -u 2") + both(requests);
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(setkey);
    newyork.setkey(setkey);
    const auto wire = send(tokyo);
    REQUIRE(wire.size() == 1);
    CHECK(esp_of(wire[0]).spi == 0x2002);
    CHECK(pass(newyork, world, wire, office) == only(after_hops(packet, 2)));
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("transport around a tunnel protects between the tunnel's ends, both ways of looking at it") {
    const std::string setkey = sa(0x2001, "-m tunnel") + sa(0x2002, "-m transport") +
                               both("esp/tunnel/20.0.0.1-20.0.0.2/require esp/transport//require");
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(setkey);
    newyork.setkey(setkey);
    const auto wire = send(tokyo);
    REQUIRE(wire.size() == 1);
    CHECK(esp_of(wire[0]).spi == 0x2002);
    CHECK(pass(newyork, world, wire, office) == only(after_hops(packet, 2)));
    CHECK(newyork.drops(Drop::policy_mismatch) == 0);
}

TEST_CASE("a burst's packets of one flow leave in the order in which they came, compressed or not (RFC 3173 2.2)") {
    const std::string chain =
        std::string{"ipcomp/tunnel/20.0.0.1-20.0.0.2/use"} + (GENERATE(false, true) ? " esp/transport//require" : "");
    CAPTURE(chain);
    const std::string setkey = "add 20.0.0.1 20.0.0.2 ipcomp 2 -m any -C deflate;" + sa(0x2001) + both(chain);
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(setkey);
    newyork.setkey(setkey);
    std::vector<Octets> sent, expected;
    for (unsigned i = 0; i < 20; ++i) {  // the short ones do not compress
        sent.push_back(datagram("10.0.1.5", "10.0.2.5", (i % 2 == 0 ? 60 : 1000) + i));
        expected.push_back(after_hops(sent.back(), 2));
    }
    const auto wire = pass(tokyo, office, sent, world);
    REQUIRE(wire.size() == sent.size());
    CHECK(pass(newyork, world, wire, office) == expected);
}

TEST_CASE("a use request without SA is skipped and the others of its bundle still apply") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(sa(0x2001, "-m tunnel -u 1") +
                 both("esp/tunnel/20.0.0.1-20.0.0.2/unique:1 esp/tunnel/20.0.0.1-20.0.0.3/use"));
    CHECK(spi_of(tokyo) == 0x2001);
    tokyo.setkey("delete 20.0.0.1 20.0.0.2 esp 0x2001;");
    CHECK(send(tokyo).empty());
    CHECK(tokyo.drops(Drop::no_sa) == 1);
}

TEST_CASE("a request without reqid takes any SA of its addresses, unique takes only its own") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(sa(0x2001, "-m tunnel -u 7") + sa(0x2002, "-m tunnel -u 8") + sa(0x2003, "-m tunnel") + R"(
spdadd 10.0.1.0/24 10.0.2.7 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/unique:7;
spdadd 10.0.1.0/24 10.0.2.8 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/unique:8;
spdadd 10.0.1.0/24 10.0.2.9 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/unique:9;
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
)");
    CHECK(spi_of(tokyo, datagram("10.0.1.5", "10.0.2.7")) == 0x2001);
    CHECK(spi_of(tokyo, datagram("10.0.1.5", "10.0.2.8")) == 0x2002);
    CHECK(send(tokyo, datagram("10.0.1.5", "10.0.2.9")).empty());
    CHECK(tokyo.drops(Drop::no_sa) == 1);
    CHECK(spi_of(tokyo) == 0x2003);  // the newest
    tokyo.setkey("delete 20.0.0.1 20.0.0.2 esp 0x2003;");
    CHECK(spi_of(tokyo) == 0x2002);
}

TEST_CASE("unique without an id gets one from 0x4000 on, each request its own") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(R"(
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/unique;
spdadd 10.0.1.0/24 10.0.3.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/unique;
)");
    std::vector<std::uint32_t> ids;
    tokyo.gateway().each_policy([&](const control::PolicyView& view) {
        ids.push_back(static_cast<std::uint32_t>(view.policy.requests[0].reqid));
        return true;
    });
    CHECK(ids == std::vector<std::uint32_t>{0x4000, 0x4001});
    tokyo.setkey(sa(0x2001, "-m tunnel"));
    CHECK(send(tokyo).empty());
    tokyo.setkey(sa(0x2002, "-m tunnel -u 16384"));
    CHECK(spi_of(tokyo) == 0x2002);
}

TEST_CASE("of several SAs the newest carries the traffic, the oldest when prefered_oldsa says so") {
    const bool prefer_old = GENERATE(false, true);
    Configuration c = office_configuration();
    c.prefer_old_sa = prefer_old;
    Wires tokyo{c};
    tokyo.setkey(sa(0x2009, "-m tunnel") + both(tunnel));
    CHECK(spi_of(tokyo) == 0x2009);
    tokyo.setkey(sa(0x2005, "-m tunnel"));
    tokyo.setkey(sa(0x2007, "-m tunnel"));
    CHECK(spi_of(tokyo) == (prefer_old ? 0x2009 : 0x2007));
    tokyo.setkey(prefer_old ? "delete 20.0.0.1 20.0.0.2 esp 0x2009;" : "delete 20.0.0.1 20.0.0.2 esp 0x2007;");
    CHECK(spi_of(tokyo) == 0x2005);
}

TEST_CASE("an SA whose hard lifetime is over is passed over when another is there") {
    Wires tokyo{office_configuration()};
    Told told{tokyo};
    tokyo.setkey(sa(0x2001, "-m tunnel") + sa(0x2002, "-m tunnel -ph 2") + both(tunnel));
    CHECK(spi_of(tokyo) == 0x2002);
    CHECK(spi_of(tokyo) == 0x2002);
    tokyo.pass(std::chrono::seconds{2});
    CHECK(told.count(control::Event::Kind::expire_hard) == 1);
    CHECK(spi_of(tokyo) == 0x2001);
    CHECK(tokyo.drops(Drop::lifetime_exceeded) == 0);
}

TEST_CASE("an SA of one mode does not serve a request of the other, one of mode any serves both") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(sa(0x2001, "-m transport") + both(tunnel));
    CHECK(send(tokyo).empty());
    CHECK(tokyo.drops(Drop::no_sa) == 1);
    tokyo.setkey(sa(0x2002));
    const auto wire = send(tokyo);
    REQUIRE(wire.size() == 1);
    CHECK(esp_of(wire[0]).spi == 0x2002);
    CHECK(header_of(wire[0]).source == number("20.0.0.1"));
    tokyo.setkey("spdadd 10.0.1.5 20.0.0.2 any -P out ipsec esp/transport//require;" +
                 sa(0x2003, "", "10.0.1.5 20.0.0.2"));
    const auto direct = send(tokyo, datagram("10.0.1.5", "20.0.0.2"));
    REQUIRE(direct.size() == 1);
    CHECK(esp_of(direct[0]).spi == 0x2003);
    CHECK(header_of(direct[0]).source == number("10.0.1.5"));
}

TEST_CASE("an SA of mode any serves each request in the request's own mode") {
    const std::string any = sa(0x2001, "", "10.0.1.5 20.0.0.2");
    const std::string transport = "spdadd 10.0.1.5 20.0.0.2 any -P out ipsec esp/transport//require;";
    const std::string tunnel_policy =
        "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/10.0.1.5-20.0.0.2/require;";
    Wires tokyo{office_configuration()};
    tokyo.setkey(any + GENERATE_COPY(transport + tunnel_policy, tunnel_policy + transport));
    const Octets direct = datagram("10.0.1.5", "20.0.0.2");
    for (unsigned round = 0; round < 2; ++round) {
        const auto wire = pass(tokyo, office, {packet, direct, packet}, world);  // one burst, one SA, both modes
        REQUIRE(wire.size() == 3);
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(esp_of(wire[i]).spi == 0x2001);
            CHECK(esp_of(wire[i]).sequence_low == 3 * round + i + 1);
            CHECK(wire[i].size() == 100 + 8 + 8 + 2 + 2 + 16 + (i == 1 ? 0 : 20));
        }
    }
    const Octets large = datagram("10.0.1.5", "10.0.2.5", 1500 - 54 + 1, {.flags_offset = 0x4000});
    CHECK(pass(tokyo, office, {large}, world).empty());  // the tunnel's header counts
    CHECK(tokyo.drops(Drop::too_big) == 1);
    const Octets fitting = datagram("10.0.1.5", "20.0.0.2", 1500 - 54 + 1, {.flags_offset = 0x4000});
    CHECK(pass(tokyo, office, {fitting}, world).size() == 1);
}

TEST_CASE("an SA of mode any follows when its policy changes from transport to tunnel") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(sa(0x2001) + "spdadd 20.0.0.1 20.0.0.2 any -P out ipsec esp/transport//require;");
    tokyo.setkey("spdflush;" + both(tunnel));
    CHECK(spi_of(tokyo) == 0x2001);
}

TEST_CASE("deleting an SA under a policy makes it no_sa at once, adding one makes it work at once") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(office_setkey);
    CHECK(spi_of(tokyo) == 0x1001);
    tokyo.setkey("delete 20.0.0.1 20.0.0.2 esp 0x1001;");
    CHECK(send(tokyo).empty());
    CHECK(tokyo.drops(Drop::no_sa) == 1);
    tokyo.setkey(sa(0x2001, "-m tunnel"));
    CHECK(spi_of(tokyo) == 0x2001);
    tokyo.setkey("deleteall 20.0.0.1 20.0.0.2 esp;");
    CHECK(send(tokyo).empty());
    CHECK(tokyo.drops(Drop::no_sa) == 2);
    tokyo.turn(16);
    CHECK(tokyo.gateway().retired().empty());
}

TEST_CASE("update replaces an SA's key without a gap, on both sides and in the middle of traffic") {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(office_setkey);
    newyork.setkey(newyork_setkey);
    const std::string update =
        "update 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 \"another key of twenty\";";
    const std::string fitting =
        "update 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 \"another key, twenty!\";";
    CHECK(refusal_of(tokyo, update).find("bad_key_length") != std::string::npos);
    CHECK(pass(newyork, world, send(tokyo), office).size() == 1);
    const auto old_packet = send(tokyo);
    tokyo.setkey(fitting);
    newyork.setkey(fitting);
    CHECK(pass(newyork, world, old_packet, office).empty());  // sealed with a key that is gone
    CHECK(newyork.drops(Drop::bad_icv) == 1);
    const auto wire = send(tokyo);
    REQUIRE(wire.size() == 1);
    CHECK(esp_of(wire[0]).sequence_low == 1);  // a new key starts its numbers anew
    CHECK(pass(newyork, world, wire, office).size() == 1);
    CHECK(tokyo.drops(Drop::no_sa) == 0);
    CHECK(newyork.drops(Drop::unknown_spi) == 0);
}

TEST_CASE("transport mode protects what two gateways say to each other: an echo and its reply") {
    const std::string sas = sa(0x2001, "-m transport") + sa(0x2002, "-m transport", "20.0.0.2 20.0.0.1");
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(sas +
                 "spdadd 20.0.0.1 20.0.0.2 any -P out ipsec esp/transport//require;"
                 "spdadd 20.0.0.2 20.0.0.1 any -P in ipsec esp/transport//require;");
    // What tokyo's own stack would send: sealed by a gateway that takes 20.0.0.1 for a host of its office.
    Configuration c = office_configuration();
    c.ports[office].addresses = {{Address::v4(0x140000fe), 25}};
    c.ports[world].addresses = {{Address::v4(0x14000005), 25}};
    c.neighbours = {{Address::v4(0x14000002), peer_mac, "world"}};
    c.routes.clear();
    Wires sealer{c};
    sealer.setkey(sas + "spdadd 20.0.0.1 20.0.0.2 any -P out ipsec esp/transport//require;");
    newyork.setkey(sas +
                   "spdadd 20.0.0.2 20.0.0.1 any -P out ipsec esp/transport//require;"
                   "spdadd 20.0.0.1 20.0.0.2 any -P in ipsec esp/transport//require;");
    const auto asked = pass(sealer, office, {ipv4("20.0.0.1", "20.0.0.2", 1, icmp_echo(5))}, world);
    REQUIRE(asked.size() == 1);
    CHECK(header_of(asked[0]).protocol == 50);
    CHECK(header_of(asked[0]).source == number("20.0.0.1"));
    const auto answered = pass(newyork, world, asked, world);
    REQUIRE(answered.size() == 1);
    CHECK(header_of(answered[0]).protocol == 50);
    CHECK(header_of(answered[0]).source == number("20.0.0.2"));
    CHECK(header_of(answered[0]).destination == number("20.0.0.1"));
    CHECK(esp_of(answered[0]).spi == 0x2002);
    CHECK(pass(tokyo, world, answered, office).empty());
    CHECK(tokyo.drops(Drop::local_unwanted) == 1);  // an echo reply nobody there asked for, but it opened and passed
    // In clear the same echo is refused.
    CHECK(pass(newyork, world, {ipv4("20.0.0.1", "20.0.0.2", 1, icmp_echo(6))}, world).empty());
    CHECK(newyork.drops(Drop::policy_mismatch) == 1);
}

TEST_CASE("a transport policy for a network picks the SA of each peer, and follows the SAD") {
    Configuration c = with_peers(office_configuration());
    c.neighbours.push_back({Address::v4(0x14000005), peer_mac, "world"});
    Wires tokyo{c};
    tokyo.setkey("spdadd 10.0.1.0/24 20.0.0.0/24 any -P out ipsec esp/transport//require;" +
                 sa(0x2003, "-m transport", "10.0.1.5 20.0.0.3"));
    const auto to = [](std::string_view peer) { return datagram("10.0.1.5", peer); };
    CHECK(spi_of(tokyo, to("20.0.0.3")) == 0x2003);
    CHECK(send(tokyo, to("20.0.0.4")).empty());
    CHECK(tokyo.drops(Drop::no_sa) == 1);
    tokyo.setkey(sa(0x2004, "-m transport", "10.0.1.5 20.0.0.4"));
    CHECK(spi_of(tokyo, to("20.0.0.4")) == 0x2004);
    CHECK(spi_of(tokyo, to("20.0.0.3")) == 0x2003);
    CHECK(send(tokyo, datagram("10.0.1.6", "20.0.0.4")).empty());  // the SA is another host's
    tokyo.setkey("delete 10.0.1.5 20.0.0.4 esp 0x2004;");
    CHECK(send(tokyo, to("20.0.0.4")).empty());
    CHECK(spi_of(tokyo, to("20.0.0.3")) == 0x2003);
    CHECK(tokyo.drops(Drop::no_sa) == 3);
    const auto wire = send(tokyo, to("20.0.0.3"));
    REQUIRE(wire.size() == 1);
    CHECK(header_of(wire[0]).source == number("10.0.1.5"));
    CHECK(header_of(wire[0]).destination == number("20.0.0.3"));
}

TEST_CASE("a transport policy of level use lets peers without SA pass in clear") {
    Wires tokyo{with_peers(office_configuration())};
    tokyo.setkey("spdadd 10.0.1.0/24 20.0.0.0/24 any -P out ipsec esp/transport//use;" +
                 sa(0x2003, "-m transport", "10.0.1.5 20.0.0.3"));
    CHECK(spi_of(tokyo, datagram("10.0.1.5", "20.0.0.3")) == 0x2003);
    const Octets clear = datagram("10.0.1.5", "20.0.0.4");
    CHECK(send(tokyo, clear) == only(after_hops(clear, 1)));
}

TEST_CASE("transport mode is not applied to fragments (RFC 4303 3.3.4), tunnel mode is") {
    Wires tokyo{with_peers(office_configuration())};
    tokyo.setkey(std::string{office_setkey} +
                 "spdadd 10.0.1.0/24 20.0.0.0/24 any -P out ipsec esp/transport//require;" +
                 sa(0x2003, "-m transport", "10.0.1.5 20.0.0.3"));
    for (const auto flags : std::to_array<std::uint16_t>({0x2000, 0x0010})) {
        CHECK(send(tokyo, ipv4("10.0.1.5", "20.0.0.3", 17, Octets(64), {.flags_offset = flags})).empty());
        CHECK(spi_of(tokyo, ipv4("10.0.1.5", "10.0.2.5", 17, Octets(64), {.flags_offset = flags})) == 0x1001);
    }
    CHECK(tokyo.drops(Drop::fragment_in_transport) == 2);
    const OutboundSa& sa = *tokyo.gateway().database().find(sa_id("10.0.1.5", "20.0.0.3", 0x2003))->outbound;
    CHECK(sa.next_sequence.read() == 1);  // and those spend no number and no lifetime
    CHECK(sa.octets.read() == 0);
    CHECK(spi_of(tokyo, datagram("10.0.1.5", "20.0.0.3")) == 0x2003);
}

TEST_CASE("two gateways made one after the other with the same manual key never use the same IV") {
    std::set<std::uint64_t> ivs;
    std::uint64_t last = 0;
    for (int life = 0; life < 3; ++life) {
        Wires tokyo{office_configuration()};
        tokyo.setkey(office_setkey);
        const auto wire = pass(tokyo, office, std::vector<Octets>(200, packet), world);
        REQUIRE(wire.size() == 200);
        for (const Octets& sent : wire) {
            Big64 iv;
            std::memcpy(&iv, sent.data() + 28, sizeof iv);
            CHECK(iv > last);  // later lives start beyond everything that an earlier one used
            last = iv;
            ivs.insert(iv);
        }
    }
    CHECK(ivs.size() == 600);
}

TEST_CASE("an SA deleted and added again with the same key starts beyond every IV it used") {
    Wires tokyo{office_configuration()};
    std::set<std::uint64_t> ivs;
    for (int life = 0; life < 5; ++life) {
        tokyo.setkey("flush; spdflush;");
        tokyo.setkey(office_setkey);
        for (const Octets& sent : pass(tokyo, office, std::vector<Octets>(50, packet), world)) {
            Big64 iv;
            std::memcpy(&iv, sent.data() + 28, sizeof iv);
            ivs.insert(iv);
        }
    }
    CHECK(ivs.size() == 250);
}
