// The office VPN from one frame to the next.
#include "catch.h"
#include "office.h"

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
