#include "ike/v2/address_pools.h"

#include "catch.h"
#include "ike/credentials/identity.h"

using namespace torii;
using namespace torii::ike;

namespace {

Prefix net(const char* text) { return *Prefix::parse(text); }
Address at(const char* text) { return *Address::parse(text); }
Id peer(unsigned number) { return *parse_id("peer" + std::to_string(number) + ".example"); }

std::string lend(AddressPools& pools, const char* pool, unsigned who, std::optional<Address> wanted = {},
                 bool shares = true) {
    const auto address = pools.lend(net(pool), peer(who), wanted, shares);
    return address ? address->text() : "none";
}

}  // namespace

TEST_CASE("a pool lends hosts' addresses in order, each once, until none is left (RFC 7296 2.19)") {
    AddressPools pools;
    for (unsigned i = 1; i <= 6; ++i) CHECK(lend(pools, "10.9.0.0/29", i) == "10.9.0." + std::to_string(i));
    CHECK(lend(pools, "10.9.0.0/29", 7) == "none");
    CHECK(pools.lent() == 6);
    CHECK(lend(pools, "10.9.1.4/31", 1) == "10.9.1.4");
    CHECK(lend(pools, "10.9.1.4/31", 2) == "10.9.1.5");
    CHECK(lend(pools, "10.9.1.4/31", 3) == "none");
    CHECK(lend(pools, "10.9.1.9/32", 1) == "10.9.1.9");
    CHECK(lend(pools, "10.9.1.9/32", 2) == "none");
    CHECK(lend(pools, "2001:db8::/126", 1) == "2001:db8::1");
    CHECK(lend(pools, "2001:db8::/126", 2) == "2001:db8::2");
    CHECK(lend(pools, "2001:db8::/126", 3) == "2001:db8::3");
    CHECK(lend(pools, "2001:db8::/126", 4) == "none");
    CHECK(lend(pools, "10.9.0.254/23", 1) == "10.9.0.1");
}

TEST_CASE("who comes back has the address that he had, and who needs one takes what was left longest ago") {
    AddressPools pools;
    for (unsigned i = 1; i <= 6; ++i) lend(pools, "10.9.0.0/29", i);
    for (const char* const address : {"10.9.0.4", "10.9.0.2", "10.9.0.5"}) pools.give_back(at(address));
    CHECK(pools.lent() == 3);
    CHECK(lend(pools, "10.9.0.0/29", 2) == "10.9.0.2");
    CHECK(lend(pools, "10.9.0.0/29", 7) == "10.9.0.4");
    CHECK(lend(pools, "10.9.0.0/29", 4) == "10.9.0.5");  // his own is another's now
    CHECK(lend(pools, "10.9.0.0/29", 5) == "none");
    pools.give_back(at("10.9.0.1"));
    pools.give_back(at("10.9.0.1"));  // nobody has it: nothing happens
    pools.give_back(at("192.0.2.1"));
    CHECK(lend(pools, "10.9.0.0/29", 5) == "10.9.0.1");
    CHECK(lend(pools, "10.9.0.0/29", 8) == "none");
}

TEST_CASE("the IKE SA that takes another's place shares its address, and both must give it back (RFC 7296 2.8.3)") {
    AddressPools pools;
    CHECK(lend(pools, "10.9.0.0/30", 1) == "10.9.0.1");
    CHECK(lend(pools, "10.9.0.0/30", 1) == "10.9.0.1");
    CHECK(lend(pools, "10.9.0.0/30", 2) == "10.9.0.2");
    pools.give_back(at("10.9.0.1"));
    CHECK(lend(pools, "10.9.0.0/30", 3) == "none");
    pools.give_back(at("10.9.0.1"));
    CHECK(lend(pools, "10.9.0.0/30", 3) == "10.9.0.1");
}

TEST_CASE("where one identity may have several IKE SAs each has an address, unless it asks for a standing one's") {
    AddressPools pools;
    CHECK(lend(pools, "10.9.0.0/29", 1, {}, false) == "10.9.0.1");
    CHECK(lend(pools, "10.9.0.0/29", 1, {}, false) == "10.9.0.2");
    CHECK(lend(pools, "10.9.0.0/29", 1, at("10.9.0.1"), false) == "10.9.0.1");
    pools.give_back(at("10.9.0.2"));
    CHECK(lend(pools, "10.9.0.0/29", 1, {}, false) == "10.9.0.2");
}

TEST_CASE("the address that a peer asks for is his if it is a free host's of the pool") {
    AddressPools pools;
    CHECK(lend(pools, "10.9.0.0/29", 1, at("10.9.0.5")) == "10.9.0.5");
    CHECK(lend(pools, "10.9.0.0/29", 2, at("10.9.0.5")) == "10.9.0.1");
    CHECK(lend(pools, "10.9.0.0/29", 3, at("10.9.0.0")) == "10.9.0.2");
    CHECK(lend(pools, "10.9.0.0/29", 4, at("10.9.0.7")) == "10.9.0.3");
    CHECK(lend(pools, "10.9.0.0/29", 5, at("10.8.0.1")) == "10.9.0.4");
    CHECK(lend(pools, "10.9.0.0/29", 6) == "10.9.0.6");
    CHECK(lend(pools, "2001:db8::/64", 1, at("2001:db8::")) == "2001:db8::1");
    CHECK(lend(pools, "2001:db8::/64", 2, at("2001:db8::ffff:0:0:1")) == "2001:db8::ffff:0:0:1");
}

TEST_CASE("a pool remembers no more borrowers than it may lend addresses, however large its prefix is") {
    AddressPools pools;
    for (unsigned i = 0; i < AddressPools::most_addresses; ++i) REQUIRE(lend(pools, "2001:db8::/32", i) != "none");
    CHECK(lend(pools, "2001:db8::/32", 70'000) == "none");
    CHECK(lend(pools, "2001:db8::/32", 70'000, at("2001:db8:5::1")) == "none");
    pools.give_back(at("2001:db8::1"));
    CHECK(lend(pools, "2001:db8::/32", 70'000) == "2001:db8::1");
}

TEST_CASE("a pool that is configured no longer is forgotten once nobody has an address of it") {
    AddressPools pools;
    lend(pools, "10.9.0.0/29", 1);
    pools.keep_only({});
    CHECK(pools.lent() == 1);
    pools.give_back(at("10.9.0.1"));
    pools.keep_only({net("10.9.0.0/29")});
    CHECK(lend(pools, "10.9.0.0/29", 2) == "10.9.0.2");
    pools.give_back(at("10.9.0.2"));
    pools.keep_only({});
    CHECK(lend(pools, "10.9.0.0/29", 2) == "10.9.0.1");
}
