// What the configuration asks of gif ports.
#include "app/config/read.h"
#include "catch.h"

using namespace torii;

namespace {

struct Told {
    std::string text, error;
};
void check_all(const std::vector<Told>& cases) {
    for (const auto& [text, error] : cases) {
        const auto read = config::from_text(text, "FILE", 2);
        CHECK((read ? "no error" : read.error().message) == error);
    }
}

}  // namespace

TEST_CASE("a gif port has two ends instead of a device, and an MTU of 1280 unless it says another") {
    const auto file = [](const std::string& gif, const std::string& rest = "") {
        return "ports = ( { name = \"wan\"; device = \"net_null0\"; addresses = [\"20.0.0.1/24\", \"2001:db8::1/64\"]; "
               "},\n{ name = \"gif0\"; " +
               gif + " } );\n" + rest;
    };
    const std::string ends = R"(gif = { local = "20.0.0.1"; remote = "20.0.0.2"; };)";
    const auto read = config::from_text(
        file(ends, R"(routes = ( { destination = "2001:db8:2::/64"; via = "2001:db8:9::2"; port = "gif0"; } );)"),
        "FILE", 2);
    REQUIRE(read);
    REQUIRE(read->ports[1].gif);
    CHECK(read->ports[1].gif->local == *Address::parse("20.0.0.1"));
    CHECK(read->ports[1].gif->remote == *Address::parse("20.0.0.2"));
    CHECK(read->ports[1].mtu == 1280);
    CHECK(read->ports[0].mtu == 1500);
    CHECK(read->routes[0].port == "gif0");
    CHECK(config::from_text(file("mtu = 1400; " + ends), "FILE", 2)->ports[1].mtu == 1400);
    const auto with = [&](const std::string& local, const std::string& remote) {
        return file("gif = { local = \"" + local + "\"; remote = \"" + remote + "\"; };");
    };
    check_all({
        {file("gif = { local = \"20.0.0.1\"; };"),
         "FILE:2: ports.[1].gif.remote is missing: it is required, as in remote = \"20.0.0.2\""},
        {with("20.0.0.9", "20.0.0.2"), "FILE:2: ports.[1].gif.local is 20.0.0.9: right is an address of another port"},
        {with("20.0.0.1", "20.0.0.1"),
         "FILE:2: ports.[1].gif.remote is 20.0.0.1: that is this gateway's own address; another host's is wanted"},
        {with("20.0.0.1", "2001:db8::2"), "FILE:2: ports.[1].gif is 20.0.0.1-2001:db8::2: both ends are of one family"},
        {with("20.0.0.1", "224.0.0.1"),
         "FILE:2: ports.[1].gif.remote is \"224.0.0.1\", a multicast address: one host is wanted, as in 20.0.0.2"},
        {with("20.0.0.1", "fe80::1"),
         "FILE:2: ports.[1].gif.remote is \"fe80::1\", a link-local address: one that has routes is wanted, as in "
         "20.0.0.2"},
        {file("device = \"net_null1\"; " + ends),
         "FILE:2: ports.[1].device stands beside gif: a port is one or the other"},
        {file("role = \"host\"; " + ends),
         "FILE:2: ports.[1].role is \"host\": a gif port is protected or unprotected"},
        {file("queues = 2; " + ends), "FILE:2: ports.[1].queues is given: a gif port has no queues"},
        {file(ends + " }, { name = \"gif1\"; " + ends),
         "FILE:2: ports.[2].gif is 20.0.0.1-20.0.0.2, as ports.[1].gif is: every gif port has ends of its own"},
        {file("addresses = [\"10.9.0.1/24\"]; " + ends,
              "neighbours = ( { address = \"10.9.0.2\"; mac = \"02:00:00:00:00:01\"; } );"),
         "FILE:3: neighbours.[0].address is 10.9.0.2: nobody has a MAC address on gif port gif0"},
    });
}
