// The office VPN from one frame to the next.
#include "office.h"
#include "catch.h"

using namespace torii;
using namespace torii::test;

TEST_CASE("an office packet leaves as ESP between the gateways and arrives as it was, one hop on") {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(office_setkey);
    newyork.setkey(newyork_setkey);
    const Octets packet = ipv4("10.0.1.5", "10.0.2.5", 17, udp(4000, 5000, Octets(40, std::byte{0x5a})));
    REQUIRE(tokyo.send(office, ethernet(packet)));
    tokyo.turn();
    const auto wire = tokyo.sent_by(world);
    REQUIRE(wire.size() == 1);
    CHECK(ip_of(wire[0]).protocol == 50);
    CHECK(ip_of(wire[0]).source == number("20.0.0.1"));
    CHECK(ip_of(wire[0]).destination == number("20.0.0.2"));
    CHECK(internet_checksum(&ip_of(wire[0]), 20) == 0);
    CHECK(std::search(wire[0].begin(), wire[0].end(), packet.end() - 40, packet.end()) == wire[0].end());

    auto there = wire[0];
    std::memset(there.data(), 0, 6);  // newyork's port has a MAC of zeros
    REQUIRE(newyork.send(world, there));
    newyork.turn();
    const auto delivered = newyork.sent_by(office);
    REQUIRE(delivered.size() == 1);
    const Octets expected = ipv4("10.0.1.5", "10.0.2.5", 17, udp(4000, 5000, Octets(40, std::byte{0x5a})), {.ttl = 62});
    CHECK(ip_octets_of(delivered[0]) == expected);
    CHECK(tokyo.buffers_missing() == 0);
    CHECK(newyork.buffers_missing() == 0);

    REQUIRE(newyork.send(world, there));  // once more: a replay
    newyork.turn();
    CHECK(newyork.sent_by(office).empty());
    CHECK(newyork.drops(Drop::replayed) == 1);
}

TEST_CASE("a neighbour nobody knows is asked for, and the packet that wanted it is delivered (RFC 826)") {
    Configuration c = office_configuration();
    c.neighbours.clear();
    Wires tokyo{c};
    tokyo.setkey(office_setkey);
    tokyo.turn();
    const auto early = tokyo.sent_by(world);  // the static route's next hop is asked for before any packet wants it
    REQUIRE(early.size() == 1);
    CHECK(early[0] == arp(1, {}, "20.0.0.1", {}, "20.0.0.2"));

    tokyo.send(office, ethernet(ipv4("10.0.1.5", "10.0.2.5", 1, icmp_echo(1))));
    tokyo.turn();
    CHECK(tokyo.sent_by(world).empty());
    tokyo.send(world, arp(2, peer_mac, "20.0.0.2", {}, "20.0.0.1"));
    tokyo.turn();
    const auto wire = tokyo.sent_by(world);
    REQUIRE(wire.size() == 1);
    CHECK(std::memcmp(wire[0].data(), peer_mac.octets.data(), 6) == 0);
    CHECK(ip_of(wire[0]).protocol == 50);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("the gateway answers ARP and echo requests for its own addresses and for no others") {
    Wires tokyo{office_configuration()};
    tokyo.turn();
    tokyo.send(office, arp(1, host_mac, "10.0.1.5", {}, "10.0.1.1"));
    tokyo.send(office, arp(1, host_mac, "10.0.1.5", {}, "10.0.1.77"));
    tokyo.send(office, ethernet(ipv4("10.0.1.5", "10.0.1.1", 1, icmp_echo(9))));
    tokyo.turn();
    const auto answers = tokyo.sent_by(office);
    REQUIRE(answers.size() == 2);
    CHECK(answers[0] == arp(2, {}, "10.0.1.1", host_mac, "10.0.1.5"));
    const auto reply = ip_octets_of(answers[1]);
    CHECK(std::to_integer<int>(reply[20]) == 0);
    CHECK(internet_checksum(reply.data() + 20, reply.size() - 20) == 0);
    CHECK(ip_of(answers[1]).source == number("10.0.1.1"));
}

TEST_CASE("a decrypted packet waits for its receiver's MAC like any other") {
    Configuration c = newyork_configuration();
    c.neighbours.pop_back();
    Wires tokyo{office_configuration()}, newyork{c};
    tokyo.setkey(office_setkey);
    newyork.setkey(newyork_setkey);
    newyork.turn();
    tokyo.send(office, ethernet(ipv4("10.0.1.5", "10.0.2.5", 1, icmp_echo(1))));
    tokyo.turn();
    auto wire = tokyo.sent_by(world);
    REQUIRE(wire.size() == 1);
    std::memset(wire[0].data(), 0, 6);
    newyork.send(world, wire[0]);
    newyork.turn();
    const auto asked = newyork.sent_by(office);
    REQUIRE(asked.size() == 1);
    CHECK(asked[0] == arp(1, {}, "10.0.2.1", {}, "10.0.2.5"));
    newyork.send(office, arp(2, host_mac, "10.0.2.5", {}, "10.0.2.1"));
    newyork.turn();
    const auto delivered = newyork.sent_by(office);
    REQUIRE(delivered.size() == 1);
    CHECK(ip_octets_of(delivered[0]) == ipv4("10.0.1.5", "10.0.2.5", 1, icmp_echo(1), {.ttl = 62}));
}

TEST_CASE("a gateway without memory for its rings says so and ends") {
    unsigned last = 0;  // rings are numbered through the process's life
    {
        const Wires before{office_configuration()};
        for (unsigned n = 0; n < 100000; ++n)
            if (rte_ring_lookup(("torii_ring_" + std::to_string(n)).c_str()) != nullptr) last = n;
    }
    REQUIRE(last != 0);
    rte_ring* const in_the_way =
        rte_ring_create(("torii_ring_" + std::to_string(last + 3)).c_str(), 64, SOCKET_ID_ANY, 0);
    REQUIRE(in_the_way != nullptr);
    Configuration c = office_configuration();
    c.ports.clear();
    c.time_kernels = false;
    const auto made = Gateway::make(c, {.launch_workers = false, .ring_losses = {}});
    rte_ring_free(in_the_way);
    REQUIRE_FALSE(made);
    CHECK(made.error().text().find("no memory for the rings") != std::string::npos);
}

TEST_CASE("addresses that may not stand on a wire are martians, each side by its own rule (RFC 1812 5.3.7)") {
    Wires tokyo{office_configuration()};
    tokyo.setkey("spdadd 0.0.0.0/0 0.0.0.0/0 any -P in none; spdadd 0.0.0.0/0 0.0.0.0/0 any -P out none;");
    const auto is_martian = [&](std::string_view source, std::string_view destination) {
        const std::uint64_t before = tokyo.drops(Drop::martian);
        pass(tokyo, world, {datagram(source, destination)}, office);
        return tokyo.drops(Drop::martian) == before + 1;
    };
    for (const auto* source : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.5", "240.0.0.1", "255.255.255.255"})
        CHECK(is_martian(source, "10.0.1.5"));
    for (const auto* destination : {"0.0.0.0", "127.0.0.1", "240.0.0.1", "255.255.255.254"})
        CHECK(is_martian("10.0.2.5", destination));
    for (const auto* destination : {"10.0.1.5", "224.0.0.5", "255.255.255.255"})
        CHECK_FALSE(is_martian("10.0.2.5", destination));
}
