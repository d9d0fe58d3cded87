// Packets whose policy requires an SA that is not there: who is told, how often, and what becomes of the first ones.
#include "catch.h"
#include "office.h"

using namespace torii;
using namespace torii::test;
using namespace std::chrono_literals;
using Kind = Told::Kind;

namespace {

constexpr std::string_view require =
    "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;";
constexpr std::string_view sa = "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -E aes-gcm-16 \"tokyo-newyork-key001\";";
const control::SaId asked_for = sa_id("20.0.0.1", "20.0.0.2", 0);

/// The office, whose packets wait for SAs as they do by default.
struct Tokyo {
    explicit Tokyo(std::string_view setkey) : gateway(patient()) { gateway.setkey(setkey); }
    static Configuration patient() {
        Configuration c = office_configuration();
        c.acquire_hold = control::Settings{}.acquire_hold;
        c.neighbours.push_back({Address::v4(0x14000003), peer_mac, "world"});
        return c;
    }
    std::vector<Octets> send(const Octets& packet) { return pass(gateway, office, {packet}, world); }
    std::vector<Octets> leaving() {
        gateway.turn();
        return packets_of(gateway.sent_by(world));
    }
    std::size_t waiting() { return gateway.gateway().waiting_for_sas(); }
    void set(std::string_view name, std::string_view value) { REQUIRE(gateway.gateway().set(name, value)); }
    Wires gateway;
    Told told{gateway};
};

/// Packets that can be told apart by their size.
Octets nth(unsigned n) { return datagram("10.0.1.5", "10.0.2.5", 100 + n); }

}  // namespace

TEST_CASE("the first ping is answered: it waits until its acquire has brought the SA") {
    const auto* const level = GENERATE("require", "unique:7");
    Tokyo tokyo{"spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/" + std::string{level} +
                ";"};
    // What a key daemon does: it hears of the acquire, and sets up the SA some time later.
    std::string answer;
    const auto daemon = tokyo.gateway.gateway().listen([&](const control::Event& event) {
        if (event.kind != Kind::acquire) return;
        answer = "add " + event.sa.source.text() + " " + event.sa.destination.text() +
                 " esp 0x1001 -m tunnel -u 7 -E aes-gcm-16 \"tokyo-newyork-key001\";";
    });
    const Octets ping = ipv4("10.0.1.5", "10.0.2.5", 1, icmp_echo(1));
    CHECK(tokyo.send(ping).empty());
    CHECK(tokyo.waiting() == 1);
    REQUIRE(!answer.empty());
    tokyo.gateway.pass(5s);
    tokyo.gateway.setkey(answer);
    const auto wire = tokyo.leaving();
    REQUIRE(wire.size() == 1);
    CHECK(esp_of(wire[0]).spi.value() == 0x1001);
    CHECK(tokyo.waiting() == 0);
    Wires newyork{newyork_configuration()};
    newyork.setkey(newyork_setkey);
    CHECK(pass(newyork, world, wire, office) == only(after_hops(ping, 2)));
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("a daemon that answers an acquire at once loses no packet") {
    Tokyo tokyo{require};
    const auto daemon = tokyo.gateway.gateway().listen([&](const control::Event& event) {
        if (event.kind == Kind::acquire) tokyo.gateway.setkey(sa);
    });
    CHECK(tokyo.send(nth(0)).size() == 1);
    CHECK(tokyo.told.count(Kind::acquire) == 1);
}

TEST_CASE("packets that waited leave in their order, once, with sequence numbers from 1") {
    Tokyo tokyo{require};
    for (unsigned n = 0; n < 5; ++n) CHECK(tokyo.send(nth(4 * n)).empty());
    tokyo.gateway.setkey(sa);
    const auto wire = tokyo.leaving();
    REQUIRE(wire.size() == 5);
    for (unsigned n = 0; n < 5; ++n) CHECK(esp_of(wire[n]).sequence_low.value() == n + 1);
    Wires newyork{newyork_configuration()};
    newyork.setkey(newyork_setkey);
    const auto opened = pass(newyork, world, wire, office);
    REQUIRE(opened.size() == 5);
    for (unsigned n = 0; n < 5; ++n) CHECK(opened[n] == after_hops(nth(4 * n), 2));
}

TEST_CASE("a packet waits as long as a larval SA would live, and then has a name") {
    Tokyo tokyo{require};
    CHECK(tokyo.send(nth(0)).empty());
    tokyo.gateway.pass(29s);
    CHECK(tokyo.waiting() == 1);
    tokyo.gateway.pass(2s);
    CHECK(tokyo.waiting() == 0);
    CHECK(tokyo.gateway.drops(Drop::sa_timeout) == 1);
    tokyo.gateway.setkey(sa);
    CHECK(tokyo.leaving().empty());
    SECTION("the lifetime is net.key.larval_lifetime") {
        tokyo.gateway.setkey("flush;");
        tokyo.set("net.key.larval_lifetime", "3");
        CHECK(tokyo.send(nth(0)).empty());
        tokyo.gateway.pass(4s);
        CHECK(tokyo.gateway.drops(Drop::sa_timeout) == 2);
    }
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("only the first packets of a policy wait, so many as net.key.acquire_hold says") {
    Tokyo tokyo{std::string{require} +
                "spdadd 10.0.1.0/24 10.0.3.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/unique:9;"};
    for (unsigned n = 0; n < 40; ++n) CHECK(tokyo.send(nth(4 * n)).empty());
    CHECK(tokyo.waiting() == 32);
    CHECK(tokyo.gateway.drops(Drop::sa_queue_full) == 8);
    tokyo.set("net.key.acquire_hold", "0");
    CHECK(tokyo.send(nth(0)).empty());
    CHECK(tokyo.gateway.drops(Drop::no_sa) == 1);
    tokyo.gateway.setkey(sa);
    const auto wire = tokyo.leaving();
    REQUIRE(wire.size() == 32);
    CHECK(wire[0].size() < wire[31].size());
}

TEST_CASE("whatever is asked of how many policies, a small share of the pool waits at most") {
    Tokyo tokyo{""};
    std::string policies;
    for (unsigned n = 0; n < 20; ++n)
        policies += "spdadd 10.0.1.0/24 10.0.2." + std::to_string(n) +
                    " any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;";
    tokyo.gateway.setkey(policies);
    for (unsigned n = 0; n < 20; ++n)
        for (unsigned i = 0; i < 20; ++i)
            CHECK(tokyo.send(datagram("10.0.1.5", "10.0.2." + std::to_string(n))).empty());
    CHECK(tokyo.waiting() == HeldPackets<PolicyId>::most);
    CHECK(tokyo.gateway.drops(Drop::sa_queue_full) == 400 - HeldPackets<PolicyId>::most);
    tokyo.gateway.setkey(sa);
    CHECK(tokyo.leaving().size() == HeldPackets<PolicyId>::most);
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("a gateway that ends gives back what waits for SAs") {
    Tokyo tokyo{require};
    CHECK(tokyo.send(nth(0)).empty());
    CHECK(tokyo.waiting() == 1);  // the pool's own end tells whether a buffer is lost
}

TEST_CASE("an SA is asked for once, then after ten packets in vain, then after twenty seconds (KAME's blockacq)") {
    Tokyo tokyo{require};
    for (unsigned n = 0; n < 11; ++n) (void)tokyo.send(nth(0));
    CHECK(tokyo.told.count(Kind::acquire) == 1);
    (void)tokyo.send(nth(0));
    CHECK(tokyo.told.count(Kind::acquire) == 12);  // the second one stands for the eleven since
    CHECK(tokyo.told.last(Kind::acquire).repeated == 11);
    CHECK(tokyo.told.last(Kind::acquire).sa == asked_for);
    tokyo.gateway.pass(19s);
    (void)tokyo.send(nth(0));
    CHECK(tokyo.told.count(Kind::acquire) == 12);
    tokyo.gateway.pass(2s);
    (void)tokyo.send(nth(0));
    CHECK(tokyo.told.count(Kind::acquire) == 14);
    SECTION("both by setting") {
        tokyo.set("net.key.blockacq_count", "0");
        (void)tokyo.send(nth(0));
        CHECK(tokyo.told.count(Kind::acquire) == 15);
        tokyo.set("net.key.blockacq_count", "1000");
        tokyo.set("net.key.blockacq_lifetime", "2");
        tokyo.gateway.pass(3s);
        (void)tokyo.send(nth(0));
        CHECK(tokyo.told.count(Kind::acquire) == 16);
    }
}

TEST_CASE("an SA that came and went is asked for at once") {
    Tokyo tokyo{require};
    (void)tokyo.send(nth(0));
    tokyo.gateway.setkey(sa);
    CHECK(tokyo.leaving().size() == 1);
    tokyo.gateway.setkey("flush esp;");
    (void)tokyo.send(nth(0));
    CHECK(tokyo.told.count(Kind::acquire) == 2);
}

TEST_CASE("each client of a wildcard transport policy has an SA of its own asked for, and goes on with its own") {
    Tokyo tokyo{"spdadd 10.0.1.0/24 20.0.0.0/24 any -P out ipsec esp/transport//require;"};
    const Octets to_two = datagram("10.0.1.5", "20.0.0.2"), to_three = datagram("10.0.1.5", "20.0.0.3");
    (void)tokyo.send(to_two);
    (void)tokyo.send(to_three);
    (void)tokyo.send(to_two);
    CHECK(tokyo.told.count(Kind::acquire) == 2);
    CHECK(tokyo.told.last(Kind::acquire).sa == sa_id("10.0.1.5", "20.0.0.3", 0));
    CHECK(tokyo.waiting() == 3);
    tokyo.gateway.setkey("add 10.0.1.5 20.0.0.2 esp 0x1001 -E aes-gcm-16 \"tokyo-newyork-key001\";");
    CHECK(tokyo.leaving().size() == 2);
    CHECK(tokyo.waiting() == 1);
}

TEST_CASE("of a bundle the packet waits for the last SA, and each is asked for once") {
    Tokyo tokyo{
        "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require "
        "ah/transport//require;"};
    (void)tokyo.send(nth(0));
    CHECK(tokyo.told.count(Kind::acquire) == 1);
    CHECK(tokyo.told.last(Kind::acquire).sa == asked_for);
    tokyo.gateway.setkey(sa);
    CHECK(tokyo.leaving().empty());
    CHECK(tokyo.waiting() == 1);
    CHECK(tokyo.told.count(Kind::acquire) == 2);
    CHECK(tokyo.told.last(Kind::acquire).sa.protocol == IpsecProtocol::ah);
    tokyo.gateway.setkey("add 20.0.0.1 20.0.0.2 ah 0x1002 -A hmac-sha1 \"twenty octets of key\";");
    const auto wire = tokyo.leaving();
    REQUIRE(wire.size() == 1);
    CHECK(header_of(wire[0]).protocol == 51);
}

TEST_CASE("a use request asks for its SA as often, and its packets pass in clear meanwhile") {
    Tokyo tokyo{"spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/use;"};
    for (unsigned n = 0; n < 12; ++n) CHECK(tokyo.send(nth(0)) == only(after_hops(nth(0), 1)));
    CHECK(tokyo.told.count(Kind::acquire) == 12);
    CHECK(tokyo.told.last(Kind::acquire).repeated == 11);
    CHECK(tokyo.waiting() == 0);
}

TEST_CASE("a change of policy decides anew about packets that wait") {
    Tokyo tokyo{require};
    (void)tokyo.send(nth(0));
    SECTION("none lets them pass in clear") {
        tokyo.gateway.setkey("spdadd 10.0.1.5 10.0.2.5 any -P out prio high none;");
        CHECK(tokyo.leaving() == only(after_hops(nth(0), 1)));
    }
    SECTION("discard drops them by its own name") {
        tokyo.gateway.setkey("spdadd 10.0.1.5 10.0.2.5 any -P out prio high discard;");
        CHECK(tokyo.leaving().empty());
        CHECK(tokyo.gateway.drops(Drop::policy_discard) == 1);
    }
    SECTION("their policy's end leaves them to def_policy") {
        tokyo.gateway.setkey("spdflush;");
        CHECK(tokyo.leaving().empty());
        CHECK(tokyo.gateway.drops(Drop::no_policy) == 1);
    }
    CHECK(tokyo.waiting() == 0);
}

TEST_CASE("a packet out of one tunnel waits for the next, and is not asked for its inbound policy again") {
    Tokyo tokyo{std::string{office_setkey} + R"(
spdadd 10.0.2.0/24 10.0.3.0/24 any -P in ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;
spdadd 10.0.2.0/24 10.0.3.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.3/require;
)"};
    Configuration peer = newyork_configuration();
    peer.routes.push_back({Prefix{Address::v4(0x0a000300), 24}, Address::v4(0x14000001), "world"});
    Wires newyork{peer};
    newyork.setkey(std::string{newyork_setkey} +
                   "spdadd 10.0.2.0/24 10.0.3.0/24 any -P out ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;");
    const auto wire = pass(newyork, office, {datagram("10.0.2.5", "10.0.3.5")}, world);
    REQUIRE(wire.size() == 1);
    CHECK(pass(tokyo.gateway, world, wire, world).empty());
    CHECK(tokyo.waiting() == 1);
    CHECK(tokyo.told.last(Kind::acquire).sa == sa_id("20.0.0.1", "20.0.0.3", 0));
    tokyo.gateway.setkey("add 20.0.0.1 20.0.0.3 esp 0x1003 -m tunnel -E aes-gcm-16 \"tokyo-thethird-key03\";");
    const auto onward = tokyo.leaving();
    REQUIRE(onward.size() == 1);
    CHECK(esp_of(onward[0]).spi.value() == 0x1003);
    CHECK(tokyo.gateway.drops(Drop::policy_mismatch) == 0);
}

TEST_CASE("a scan of a wildcard policy makes the gateway ask for so many SAs and no more") {
    AcquireLimit limit;
    const control::Settings settings;
    const auto now = std::chrono::steady_clock::now();
    const auto wanted = [](std::uint32_t peer) {
        return WantedSa{.ends = {Address::v4(0x14000001), Address::v4(peer)}, .policy = PolicyId{1}};
    };
    for (std::uint32_t peer = 0; peer < AcquireLimit::most; ++peer)
        CHECK(limit.ask(wanted(peer), 1, settings, now) == 1);
    CHECK(limit.ask(wanted(AcquireLimit::most), 1, settings, now) == 0);
    CHECK(limit.size() == AcquireLimit::most);
    CHECK(limit.ask(wanted(AcquireLimit::most), 1, settings, now + 20s) == 1);
    CHECK(limit.size() == 1);
}

TEST_CASE("what a peer sends by an SA that is being negotiated waits until it is there, and nobody else's does") {
    const Octets plain = datagram("10.0.2.5", "10.0.1.5");
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    newyork.setkey(newyork_setkey);
    const std::string policies = "spdadd 10.0.2.0/24 10.0.1.0/24 any -P in ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;";
    const std::string its_sa =
        "add 20.0.0.2 20.0.0.1 esp 0x1002 -m tunnel -r 8 -E aes-gcm-16 \"newyork-tokyo-key002\";";
    tokyo.setkey(policies);
    const auto arrive = [&] { return pass(tokyo, world, pass(newyork, office, {plain}, world), office); };
    tokyo.gateway().expect(Spi{0x1003});
    CHECK(arrive().empty());
    CHECK(tokyo.drops(Drop::unknown_spi) == 1);

    tokyo.gateway().expect(Spi{0x1002});
    for (unsigned i = 0; i < 3; ++i) CHECK(arrive().empty());
    CHECK(tokyo.drops(Drop::unknown_spi) == 1);
    SECTION("then they go on, in their order, and the SPI is no longer expected") {
        tokyo.setkey(its_sa);
        tokyo.turn();
        CHECK(packets_of(tokyo.sent_by(office)) == std::vector(3, after_hops(plain, 2)));
        CHECK(arrive() == only(after_hops(plain, 2)));
        tokyo.setkey("flush;");
        CHECK(arrive().empty());
        CHECK(tokyo.drops(Drop::unknown_spi) == 2);
    }
    SECTION("in vain, and they are dropped by name") {
        tokyo.pass(31s);
        CHECK(tokyo.drops(Drop::sa_timeout) == 3);
    }
    SECTION("no more of them than the first ones") {
        for (unsigned i = 3; i < 40; ++i) CHECK(arrive().empty());
        CHECK(tokyo.drops(Drop::sa_queue_full) == 8);
    }
    SECTION("as long as the gateway is there") {}
}
