// Routing by longest prefix, and which addresses are nobody's.
#include "forward/routes.h"

#include "catch.h"

using namespace torii;

namespace {

Address address(std::string_view text) { return Address::parse(text).value(); }
Prefix prefix(std::string_view text) { return Prefix::parse(text).value(); }

/// Office and world, some nets behind the peer, one of them split, and a default route.
Routes office_routes() {
    return {{{prefix("10.0.1.0/24"), std::nullopt, 0},
             {prefix("20.0.0.0/24"), std::nullopt, 1},
             {prefix("0.0.0.0/0"), address("20.0.0.254"), 1},
             {prefix("10.0.0.0/8"), address("20.0.0.2"), 1},
             {prefix("10.0.2.0/24"), address("20.0.0.3"), 1},
             {prefix("10.0.2.128/25"), address("20.0.0.4"), 1},
             {prefix("10.0.2.200"), address("20.0.0.5"), 1},
             {prefix("192.0.2.0/31"), std::nullopt, 2}},
            {address("10.0.1.1"), address("20.0.0.1")}};
}

}  // namespace

TEST_CASE("the longest prefix that holds the destination tells the way (RFC 1812 5.2.4.3)") {
    struct Row {
        std::string_view destination, prefix, neighbour;
        std::uint16_t port;
    };
    const auto row = GENERATE(values<Row>({
        {"10.0.1.5", "10.0.1.0/24", "10.0.1.5", 0},
        {"10.0.1.6", "10.0.1.0/24", "10.0.1.6", 0},
        {"20.0.0.2", "20.0.0.0/24", "20.0.0.2", 1},
        {"10.9.9.9", "10.0.0.0/8", "20.0.0.2", 1},
        {"10.0.2.1", "10.0.2.0/24", "20.0.0.3", 1},
        {"10.0.2.127", "10.0.2.0/24", "20.0.0.3", 1},
        {"10.0.2.128", "10.0.2.128/25", "20.0.0.4", 1},
        {"10.0.2.200", "10.0.2.200/32", "20.0.0.5", 1},
        {"10.0.2.201", "10.0.2.128/25", "20.0.0.4", 1},
        {"8.8.8.8", "0.0.0.0/0", "20.0.0.254", 1},
        {"11.0.0.0", "0.0.0.0/0", "20.0.0.254", 1},
    }));
    const Routes routes = office_routes();
    INFO(row.destination);
    const RouteAnswer answer = routes.find(address(row.destination));
    REQUIRE(answer.route != nullptr);
    CHECK(answer.route->destination.text() == row.prefix);
    CHECK(answer.neighbour == address(row.neighbour));
    CHECK(answer.route->port == row.port);
}

TEST_CASE("without a default route most of the world has no way, and IPv6 has none") {
    const Routes routes{{{prefix("10.0.1.0/24"), std::nullopt, 0}}, {}};
    CHECK(routes.find(address("10.0.2.5")).route == nullptr);
    CHECK(routes.find(address("10.0.1.5")).route != nullptr);
    CHECK(office_routes().find(address("2001:db8::1")).route == nullptr);
}

TEST_CASE("the first of two equal routes stays") {
    const Routes routes{
        {{prefix("10.0.2.0/24"), address("20.0.0.2"), 1}, {prefix("10.0.2.0/24"), address("20.0.0.3"), 1}}, {}};
    CHECK(routes.find(address("10.0.2.5")).neighbour == address("20.0.0.2"));
}

TEST_CASE("own addresses are those of the ports, not of their networks") {
    const Routes routes = office_routes();
    CHECK(routes.is_own(address("10.0.1.1")));
    CHECK(routes.is_own(address("20.0.0.1")));
    CHECK_FALSE(routes.is_own(address("10.0.1.2")));
    CHECK_FALSE(routes.is_own(address("20.0.0.2")));
}

TEST_CASE("the first and last address of a connected network are broadcasts, of others they are hosts") {
    const Routes routes = office_routes();
    CHECK(routes.is_network_broadcast(address("10.0.1.255")));
    CHECK(routes.is_network_broadcast(address("10.0.1.0")));
    CHECK(routes.is_network_broadcast(address("20.0.0.255")));
    CHECK_FALSE(routes.is_network_broadcast(address("10.0.1.254")));
    CHECK_FALSE(routes.is_network_broadcast(address("10.0.2.255")));  // behind the peer: who knows its mask
    CHECK_FALSE(routes.is_network_broadcast(address("192.0.2.0")));   // RFC 3021: both of a /31 are hosts
    CHECK_FALSE(routes.is_network_broadcast(address("192.0.2.1")));
}
