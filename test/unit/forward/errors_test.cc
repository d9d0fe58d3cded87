// What the gateway tells senders whose packets cannot go on, and how their next attempt fares (RFC 792, RFC 1191,
// RFC 1812 4.3, RFC 4301 6.2 and 8.2).
#include "catch.h"
#include "test/unit/esp/forge.h"
#include "test/unit/gateway/office.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr std::string_view clear_setkey =
    "spdadd 0.0.0.0/0 0.0.0.0/0 any -P in none;"
    "spdadd 0.0.0.0/0 0.0.0.0/0 any -P out none;";

/// Type, code and MTU of an ICMP error, and what it quotes.
struct ErrorSeen {
    unsigned type = 0, code = 0, mtu = 0;
    std::uint32_t source = 0, destination = 0;
    Octets quoted;
};
ErrorSeen error_in(const Octets& packet) {
    REQUIRE(packet.size() >= 28);
    REQUIRE(header_of(packet).protocol == 1);
    CHECK(internet_checksum(packet.data() + 20, packet.size() - 20) == 0);
    const auto& icmp = *reinterpret_cast<const IcmpHeader*>(packet.data() + 20);
    return {icmp.type,
            icmp.code,
            icmp.rest_low,
            header_of(packet).source,
            header_of(packet).destination,
            Octets(packet.begin() + 28, packet.end())};
}
/// The one error that comes back to the office.
ErrorSeen answer(Wires& gateway, const Octets& packet) {
    const auto back = pass(gateway, office, {packet}, office);
    REQUIRE(back.size() == 1);
    return error_in(back[0]);
}
/// How many of the packets dropped by `reason` nobody was told of.
std::uint64_t untold(Wires& gateway, Drop reason) {
    return gateway.gateway().drops().at(static_cast<std::size_t>(reason) - 1).untold;
}
Octets df(std::size_t octets) { return datagram("10.0.1.5", "10.0.2.5", octets, {.flags_offset = 0x4000}); }

}  // namespace

TEST_CASE("a packet whose hop limit ends here is reported to its sender, quoted as it came (RFC 792)") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(GENERATE(office_setkey, clear_setkey));
    const Octets packet = datagram("10.0.1.5", "10.0.2.5", 100, {.ttl = 1});
    const ErrorSeen error = answer(tokyo, packet);
    CHECK(error.type == 11);
    CHECK(error.code == 0);
    CHECK(error.source == number("10.0.1.1"));
    CHECK(error.destination == number("10.0.1.5"));
    CHECK(error.quoted == packet);
    CHECK(tokyo.drops(Drop::ttl_exceeded) == 1);
    CHECK(pass(tokyo, office, {datagram("10.0.1.5", "10.0.2.5", 100, {.ttl = 2})}, world).size() == 1);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("a packet without a way is reported as net unreachable") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(clear_setkey);
    const ErrorSeen error = answer(tokyo, datagram("10.0.1.5", "99.9.9.9"));
    CHECK(error.type == 3);
    CHECK(error.code == 0);
    CHECK(tokyo.drops(Drop::no_route) == 1);
}

TEST_CASE("packets for a host that does not answer ARP are reported as host unreachable (RFC 1812 4.3.3.1)") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(clear_setkey);
    CHECK(pass(tokyo, world, {datagram("10.0.2.5", "10.0.1.77"), datagram("10.0.2.6", "10.0.1.77")}, world).empty());
    tokyo.pass(std::chrono::milliseconds{2500});
    CHECK(packets_of(tokyo.sent_by(world)).empty());
    tokyo.pass(std::chrono::seconds{1});
    const auto back = packets_of(tokyo.sent_by(world));
    REQUIRE(back.size() == 2);
    const ErrorSeen error = error_in(back[0]);
    CHECK(error.type == 3);
    CHECK(error.code == 1);
    CHECK(error.destination == number("10.0.2.5"));
    CHECK(tokyo.drops(Drop::no_neighbour) == 2);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("ESP that finds no peer is dropped by name, and no error goes to ourselves") {
    Configuration c = office_configuration();
    c.neighbours = {{Address::v4(0x0a000105), host_mac, "office"}};
    Wires tokyo{c};
    tokyo.setkey(office_setkey);
    CHECK(pass(tokyo, office, {datagram("10.0.1.5", "10.0.2.5")}, office).empty());
    tokyo.pass(std::chrono::seconds{4});
    CHECK(packets_of(tokyo.sent_by(office)).empty());
    CHECK(packets_of(tokyo.sent_by(world)).empty());
    CHECK(tokyo.drops(Drop::no_neighbour) == 1);
    CHECK(tokyo.drops(Drop::local_unwanted) == 0);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("ESP to a far end that no route leads to is dropped as that, not as a silent neighbour") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(
        "add 20.0.0.1 30.0.0.1 esp 0x1001 -m tunnel -E aes-gcm-16 \"tokyo-newyork-key001\";"
        "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-30.0.0.1/require;");
    CHECK(pass(tokyo, office, {datagram("10.0.1.5", "10.0.2.5")}, world).empty());
    CHECK(tokyo.drops(Drop::no_route) == 1);
    CHECK(tokyo.drops(Drop::no_neighbour) == 0);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("UDP for ourselves that nobody takes is answered by port unreachable") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(office_setkey);
    const ErrorSeen error = answer(tokyo, datagram("10.0.1.5", "10.0.1.1"));
    CHECK(error.type == 3);
    CHECK(error.code == 3);
    CHECK(tokyo.drops(Drop::local_unwanted) == 1);
}

TEST_CASE("nobody is told about ICMP errors, later fragments and broadcasts (RFC 1122 3.2.2)") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(clear_setkey);
    const Octets unreachable = octets_of(IcmpHeader{3, 1, 0, 0, 0}) + Octets(28);
    for (const Octets& packet : {ipv4("10.0.1.5", "10.0.2.5", 1, unreachable, {.ttl = 1}),
                                 ipv4("10.0.1.5", "10.0.2.5", 17, Octets(64), {.ttl = 1, .flags_offset = 0x0010})})
        CHECK(pass(tokyo, office, {packet}, office).empty());
    CHECK(tokyo.drops(Drop::ttl_exceeded) == 2);
    CHECK(untold(tokyo, Drop::ttl_exceeded) == 2);
    CHECK(pass(tokyo, world, {datagram("10.0.2.5", "10.0.1.255", 100, {.ttl = 1})}, world).empty());
    CHECK(pass(tokyo, world, {datagram("10.0.2.5", "224.0.0.5", 100, {.ttl = 1})}, world).empty());
    CHECK(tokyo.drops(Drop::multicast) == 2);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("errors are limited: a burst of fifty, two hundred a second, the rest keeps its name and is counted") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(clear_setkey);
    const std::vector<Octets> sixty(60, datagram("10.0.1.5", "10.0.2.5", 100, {.ttl = 1}));
    CHECK(pass(tokyo, office, sixty, office).size() == 50);
    CHECK(tokyo.drops(Drop::ttl_exceeded) == 60);
    CHECK(untold(tokyo, Drop::ttl_exceeded) == 10);
    tokyo.pass(std::chrono::milliseconds{100});
    const auto later = pass(tokyo, office, sixty, office).size();
    CHECK(later >= 20);
    CHECK(later <= 24);
}

TEST_CASE("fragmentation needed tells the exact size that fits: it passes, one octet more does not (RFC 1191)") {
    struct Row {
        std::string_view name, setkey;
    };
    const auto row = GENERATE(values<Row>({
        {"clear", clear_setkey},
        {"aes-gcm-16", office_setkey},
        {"aes-cbc with hmac-sha256",
         "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -E aes-cbc \"sixteen octets!!\" -A hmac-sha256 "
         "\"thirty-two octets, not one fewer\";"
         "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;"},
        {"3des-cbc with hmac-md5",
         "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -E 3des-cbc \"twenty-four octets in al\" -A hmac-md5 "
         "\"sixteen octets!!\";"
         "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;"},
        {"a transport SA",
         "add 10.0.1.5 10.0.2.5 esp 0x1001 -m transport -E aes-cbc \"sixteen octets!!\" -A hmac-sha1 "
         "\"twenty octets exactl\";"
         "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/transport//require;"},
        {"a bundle of transport in a tunnel",
         "add 10.0.1.5 10.0.2.5 esp 0x1001 -m transport -E aes-gcm-16 \"tokyo-newyork-key001\";"
         "add 20.0.0.1 20.0.0.2 esp 0x1002 -m tunnel -E aes-cbc \"sixteen octets!!\" -A hmac-sha1 "
         "\"twenty octets exactl\";"
         "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/transport//require "
         "esp/tunnel/20.0.0.1-20.0.0.2/require;"},
        {"a tunnel in a tunnel",
         "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -E aes-gcm-16 \"tokyo-newyork-key001\";"
         "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require "
         "esp/tunnel/20.0.0.1-20.0.0.2/require;"},
    }));
    INFO(row.name);
    const unsigned link = GENERATE(1500u, 1403u, 1398u);
    Configuration c = office_configuration();
    c.ports[world].mtu = link;
    Wires tokyo{c};
    tokyo.setkey(row.setkey);
    const unsigned fits = answer(tokyo, df(1514)).mtu;
    INFO("link " << link << ", told " << fits);
    REQUIRE(fits > 1200);
    REQUIRE(fits <= link);
    const auto wire = pass(tokyo, office, {df(fits)}, world);
    REQUIRE(wire.size() == 1);
    CHECK(wire[0].size() <= link);
    const ErrorSeen error = answer(tokyo, df(fits + 1));
    CHECK(error.type == 3);
    CHECK(error.code == 4);
    CHECK(error.mtu == fits);
    CHECK(tokyo.drops(Drop::too_big) == 2);
    CHECK(pass(tokyo, office, {datagram("10.0.1.5", "10.0.2.5", fits + 1)}, world).size() ==
          2);  // without DF it is cut
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("a program behind the host port is told what fits its SA, by an address its kernel believes (RFC 1191)") {
    constexpr std::size_t host = 2;
    constexpr MacAddress gateway_seen_by_host{{2, 0, 0, 0, 0, 1}};
    Configuration c = office_configuration();
    c.ports.push_back({.name = "host", .device = "", .addresses = {}, .role = PortRole::host_port});
    Wires tokyo{c};
    tokyo.setkey(
        "add 20.0.0.1 20.0.0.2 esp 0x1001 -m transport -E aes-gcm-16 \"tokyo-newyork-key001\";"
        "spdadd 20.0.0.1 20.0.0.2 any -P out ipsec esp/transport//require;");
    const auto send = [&](std::size_t octets) {
        const Octets packet = datagram("20.0.0.1", "20.0.0.2", octets, {.flags_offset = 0x4000});
        tokyo.send(host, ethernet(packet, gateway_seen_by_host));
        tokyo.turn();
        return packet;
    };
    const Octets packet = send(1500);
    CHECK(tokyo.sent_by(world).empty());
    const auto back = packets_of(tokyo.sent_by(host));
    REQUIRE(back.size() == 1);
    const ErrorSeen error = error_in(back[0]);
    CHECK(error.type == 3);
    CHECK(error.code == 4);
    CHECK(error.source == number("20.0.0.2"));
    CHECK(error.destination == number("20.0.0.1"));
    CHECK(error.quoted == Octets(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(error.quoted.size())));
    CHECK(tokyo.drops(Drop::too_big) == 1);
    (void)send(error.mtu);
    CHECK(packets_of(tokyo.sent_by(world)).size() == 1);
    CHECK(tokyo.sent_by(host).empty());
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("what an SA made of a program's packet is reported to nobody when it finds no peer") {
    constexpr std::size_t host = 2;
    Configuration c = office_configuration();
    c.neighbours.clear();
    c.ports.push_back({.name = "host", .device = "", .addresses = {}, .role = PortRole::host_port});
    Wires tokyo{c};
    tokyo.setkey(
        GENERATE("add 20.0.0.1 20.0.0.2 esp 0x1001 -m transport -E aes-gcm-16 \"tokyo-newyork-key001\";"
                 "spdadd 20.0.0.1 20.0.0.2 any -P out ipsec esp/transport//require;",
                 "add 20.0.0.1 20.0.0.2 ah 0x1001 -m transport -A hmac-sha1 \"twenty octets exactl\";"
                 "spdadd 20.0.0.1 20.0.0.2 any -P out ipsec ah/transport//require;"));
    tokyo.send(host, ethernet(datagram("20.0.0.1", "20.0.0.2"), {{2, 0, 0, 0, 0, 1}}));
    tokyo.pass(std::chrono::seconds{4});
    CHECK(tokyo.drops(Drop::no_neighbour) == 1);
    CHECK(tokyo.sent_by(host).empty());
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE(
    "an error about a packet out of an SA leaves through an SA, from an address its policy knows (RFC 4301 6.2)") {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(office_setkey);
    newyork.setkey(newyork_setkey);
    const Octets dying = datagram("10.0.2.5", "10.0.1.5", 100, {.ttl = 2});
    const auto sealed = pass(newyork, office, {dying}, world);
    REQUIRE(sealed.size() == 1);
    const auto wire = pass(tokyo, world, sealed, world);
    REQUIRE(wire.size() == 1);
    CHECK(header_of(wire[0]).protocol == 50);
    const auto back = pass(newyork, world, wire, office);
    REQUIRE(back.size() == 1);
    const ErrorSeen error = error_in(back[0]);
    CHECK(error.type == 11);
    CHECK(error.source == number("10.0.1.1"));
    CHECK(error.destination == number("10.0.2.5"));
    CHECK(error.quoted == after_hops(dying, 1));
}

TEST_CASE("an error about a packet out of an SA never leaves in clear: without an SA for it there is none") {
    const std::string setkey =
        std::string{office_setkey} +
        GENERATE(std::string{"delete 20.0.0.1 20.0.0.2 esp 0x1001;"},  // answers have no SA; are not protected
                 "spdadd 10.0.1.0/24 10.0.2.0/24 udp -P out prio high none;"
                 "spdadd 10.0.1.1 0.0.0.0/0 any -P out prio high none;");
    Configuration c = office_configuration();
    c.default_policy = PolicyAction::bypass;
    Wires tokyo{c};
    tokyo.setkey(setkey);
    Forger newyork{"newyork-tokyo-key002"};
    const Octets dying = datagram("10.0.2.5", "10.0.1.5", 102, {.ttl = 1});
    CHECK(pass(tokyo, world, {newyork.tunnel("20.0.0.2", "20.0.0.1", 0x1002, 1, dying)}, world).empty());
    CHECK(packets_of(tokyo.sent_by(office)).empty());
    CHECK(tokyo.drops(Drop::ttl_exceeded) == 1);
    CHECK(untold(tokyo, Drop::ttl_exceeded) == 1);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE(
    "an error about a packet out of an SA leaves as answers to it do when no address of ours may (RFC 4301 6.2)") {
    const std::string setkey =
        std::string{office_setkey} +
        GENERATE(
            std::string{// no policy for the gateway's own addresses; one that says clear
                        "spddelete 10.0.1.0/24 10.0.2.0/24 any -P out;"
                        "spdadd 10.0.1.5 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;"},
            "spdadd 10.0.1.1 0.0.0.0/0 any -P out prio high none;"
            "spdadd 20.0.0.1 0.0.0.0/0 any -P out prio high none;");
    Configuration c = office_configuration();
    c.default_policy = GENERATE(PolicyAction::bypass, PolicyAction::discard);
    Wires tokyo{c}, newyork{newyork_configuration()};
    tokyo.setkey(setkey);
    newyork.setkey(newyork_setkey);
    const Octets dying = datagram("10.0.2.5", "10.0.1.5", 102, {.ttl = 2});
    const auto wire = pass(tokyo, world, pass(newyork, office, {dying}, world), world);
    REQUIRE(wire.size() == 1);
    CHECK(esp_of(wire[0]).spi == 0x1001);
    const auto back = pass(newyork, world, wire, office);
    REQUIRE(back.size() == 1);
    CHECK(error_in(back[0]).type == 11);
    CHECK(error_in(back[0]).quoted == after_hops(dying, 1));
}

TEST_CASE("a scan of a network fills the neighbour table, and those who really are there get their place back") {
    Configuration c = office_configuration();
    c.ports[world].addresses = {{Address::v4(0x14000001), 16}};
    Wires tokyo{c};
    tokyo.setkey(clear_setkey);
    const auto scan = [&](std::uint32_t first, std::uint32_t last) {
        for (std::uint32_t host = first; host < last; ++host) {
            tokyo.send(office, ethernet(datagram("10.0.1.5", Address::v4(0x14000000 + host).text())));
            if (host % 32 == 0) tokyo.turn();
        }
        tokyo.turn();
        (void)tokyo.sent_by(world);
    };
    const Octets late = datagram("10.0.1.5", "20.0.200.1");
    scan(256, 256 + NextHopTable::capacity);
    CHECK(pass(tokyo, office, {late}, world).empty());
    CHECK(tokyo.drops(Drop::neighbour_table_full) > 0);
    CHECK(tokyo.drops(Drop::no_neighbour) == 0);
    tokyo.pass(std::chrono::seconds{14});
    (void)tokyo.sent_by(world);
    (void)tokyo.sent_by(office);
    CHECK(pass(tokyo, office, {late}, world).empty());
    tokyo.send(world, arp(2, peer_mac, "20.0.200.1", {}, "20.0.0.1"));
    tokyo.turn();
    CHECK(packets_of(tokyo.sent_by(world)) == only(after_hops(late, 1)));
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE(
    "a flood of questions to our own address keeps neither ARP nor packets for new neighbours from being served") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(clear_setkey);
    for (int i = 0; i < 1000; ++i) tokyo.send(office, ethernet(datagram("10.0.1.5", "10.0.1.1")));
    tokyo.send(world, ethernet(datagram("10.0.2.5", "10.0.1.77")));
    tokyo.send(world, arp(1, peer_mac, "20.0.0.2", {}, "20.0.0.1"));
    for (int i = 0; i < 20; ++i) tokyo.gateway().worker(0).turn();
    CHECK(tokyo.drops(Drop::punt_full) > 0);  // the flood's
    tokyo.turn(2);
    CHECK(tokyo.sent_by(world).size() == 1);  // the ARP answer
    bool asked = false;
    for (const Frame& frame : tokyo.sent_by(office))
        asked |= frame.at(12) == std::byte{8} && frame.at(13) == std::byte{6};
    CHECK(asked);
}

TEST_CASE("a scan of addresses nobody has leaves the packet pool to others") {
    Configuration c = office_configuration();
    c.mbufs = 1023;
    c.ports[world].addresses = {{Address::v4(0x14000001), 22}};
    Wires tokyo{c};
    tokyo.setkey(clear_setkey);
    for (std::uint32_t packet = 0; packet < 2000; ++packet) {
        const Address nobody = Address::v4(0x14000100 + packet % 700);
        tokyo.send(office, ethernet(datagram("10.0.1.5", nobody.text())));
        if (packet % 32 == 0) tokyo.turn(2);
        (void)tokyo.sent_by(world);
    }
    tokyo.turn();
    CHECK(tokyo.buffers_missing() == c.mbufs / 8);
    CHECK(tokyo.drops(Drop::neighbour_queue_full) == 2000 - c.mbufs / 8);
    const Octets ping = ipv4("10.0.1.5", "10.0.1.1", 1, icmp_echo(1));
    CHECK(pass(tokyo, office, {ping}, office).size() == 1);
}

TEST_CASE("a new neighbour makes nobody else's flow be decided anew") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(clear_setkey);
    const auto misses = [&] { return tokyo.gateway().workers().at(0).flow_misses; };
    const Octets known = datagram("10.0.1.5", "10.0.2.5"), late = datagram("10.0.2.5", "10.0.1.77");
    CHECK(pass(tokyo, office, {known}, world).size() == 1);
    CHECK(pass(tokyo, world, {late}, office).empty());
    tokyo.send(office, arp(2, host_mac, "10.0.1.77", {}, "10.0.1.1"));
    tokyo.turn();
    CHECK(packets_of(tokyo.sent_by(office)).size() == 1);
    const auto before = misses();
    CHECK(pass(tokyo, office, {known}, world).size() == 1);
    CHECK(misses() == before);
    CHECK(pass(tokyo, world, {late}, office).size() == 1);  // its own flow finds the neighbour, once
    CHECK(pass(tokyo, world, {late}, office).size() == 1);
    CHECK(misses() == before + 1);
}

TEST_CASE("an answer for which there is no buffer is counted by name") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(clear_setkey);
    tokyo.send(office, arp(1, host_mac, "10.0.1.5", {}, "10.0.1.1"));
    std::vector<rte_mbuf*> taken;
    while (rte_mbuf* const mbuf = rte_pktmbuf_alloc(tokyo.gateway().pool())) taken.push_back(mbuf);
    tokyo.turn();
    for (rte_mbuf* mbuf : taken) rte_pktmbuf_free(mbuf);
    CHECK(tokyo.drops(Drop::no_buffer) == 1);
    CHECK(tokyo.sent_by(office).empty());
}
