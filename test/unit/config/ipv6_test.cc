// What the configuration asks of IPv6 addresses, next hops and ports, beyond what holds for both families.
#include "app/config/read.h"
#include "catch.h"

using namespace torii;

namespace {

std::string error_of(const std::string& text) {
    const auto read = config::from_text(text, "FILE", 2);
    return read ? "no error" : read.error().message;
}

/// A file with one port whose settings are `settings`, on line 2.
std::string port(const std::string& settings) {
    return "ports = ( { name = \"wan\"; device = \"net_null0\";\n" + settings + " } );";
}

}  // namespace

TEST_CASE("IPv6 routes and neighbours: a link-local one names its port, and two ports may have the same") {
    const auto two = [](const std::string& rest) {
        return "ports = ( { name = \"lan\"; device = \"net_null0\"; addresses = [\"fe80::1/64\", "
               "\"2001:db8:1::1/64\"]; "
               "},\n{ name = \"wan\"; device = \"net_null1\"; addresses = [\"fe80::1/64\"]; },\n"
               "{ name = \"old\"; device = \"net_null2\"; addresses = [\"20.0.0.1/24\"]; } );\n" +
               rest;
    };
    const auto route = [&](const std::string& destination, const std::string& rest) {
        return two("routes = ( { destination = \"" + destination + "\"; " + rest + " } );");
    };
    const auto neighbour = [&](const std::string& rest) {
        return two("neighbours = ( { mac = \"02:00:5e:10:00:02\"; " + rest + " } );");
    };
    CHECK(error_of(two("")) == "no error");
    CHECK(error_of(route("::/0", "via = \"fe80::2\"; port = \"wan\";")) == "no error");
    CHECK(error_of(route("2001:db8:2::/48", "via = \"2001:db8:1::2\";")) == "no error");
    CHECK(error_of(neighbour("address = \"fe80::2\"; port = \"wan\"; },\n{ mac = \"02:00:5e:10:00:03\"; "
                             "address = \"fe80::2\"; port = \"lan\";")) == "no error");
    const std::pair<std::string, std::string> wrong[] = {
        {route("::/0", "via = \"fe80::2\";"),
         "FILE:4: routes.[0].via is fe80::2, a link-local address, which every link has for itself: name the port that "
         "leads there"},
        {route("::/0", "via = \"fe80::1\"; port = \"wan\";"),
         "FILE:4: routes.[0].via is fe80::1: that is this gateway's own address, at ports.[1].addresses.[0]; another "
         "host's is wanted"},
        {route("::/0", "via = \"fe80::2\"; port = \"old\";"),
         "FILE:4: routes.[0].port is \"old\", which has no IPv6 address to ask for fe80::2 from"},
        {route("10.0.2.0/24", "via = \"30.0.0.2\"; port = \"wan\";"),
         "FILE:4: routes.[0].port is \"wan\", which has no IPv4 address to ask for 30.0.0.2 from"},
        {route("fe80::/64", "via = \"2001:db8:1::2\";"),
         "FILE:4: routes.[0].destination is \"fe80::/64\": link-local addresses are on every link and have no route"},
        {route("ff00::/8", "via = \"2001:db8:1::2\";"),
         "FILE:4: routes.[0].destination is \"ff00::/8\": multicast is not forwarded"},
        {neighbour("address = \"fe80::2\";"),
         "FILE:4: neighbours.[0].address is fe80::2, a link-local address, which every link has for itself: name the "
         "port that leads there"},
        {neighbour("address = \"fe80::2\"; port = \"wan\"; },\n{ mac = \"02:00:5e:10:00:03\"; address = \"fe80::2\"; "
                   "port = \"wan\";"),
         "FILE:5: neighbours.[1].address is fe80::2, as neighbours.[0].address is: a neighbour stands once"},
    };
    for (const auto& [text, error] : wrong) CHECK(error_of(text) == error);
}

TEST_CASE("a port with an IPv6 address has an MTU of 1280 at least (RFC 8200 5)") {
    CHECK(error_of(port("addresses = [\"2001:db8::1/64\"]; mtu = 1279;")) ==
          "FILE:2: ports.[0].mtu is 1279: a port with an IPv6 address has one of 1280 octets at least");
    CHECK(error_of(port("addresses = [\"2001:db8::1/64\"]; mtu = 1280;")) == "no error");
    CHECK(error_of(port("addresses = [\"20.0.0.1/24\"]; mtu = 1279;")) == "no error");
}
