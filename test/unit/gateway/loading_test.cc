// Setups of thousands: what one transaction costs, and how its SAs are spread over the workers.
#include <set>

#include "catch.h"
#include "office.h"

using namespace torii;
using namespace torii::test;
using namespace std::chrono_literals;

namespace {

std::chrono::steady_clock::duration time_of(Wires& gateway, const std::string& setkey) {
    const auto begin = std::chrono::steady_clock::now();
    gateway.setkey(setkey);
    return std::chrono::steady_clock::now() - begin;
}
std::string network(std::string_view first, unsigned i) {
    return std::string{first} + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
}

}  // namespace

// The limits are loose: they tell a cost that grows with the number of SAs from one that grows with its square or cube.

TEST_CASE("ten thousand tunnels between the same two gateways, each with a reqid of its own, load in seconds") {
    Wires tokyo{office_configuration()};
    constexpr unsigned count = 10'000;
    std::string all;
    for (unsigned i = 1; i <= count; ++i) {
        const std::string id = std::to_string(i);
        all += "add 20.0.0.1 20.0.0.2 esp " + std::to_string(0x1000 + i) + " -m tunnel -u " + id + " -E aes-gcm-16 \"" +
               gcm_key(i) + "\"; spdadd 10.0.1.0/24 " + network("10.9.", i) +
               " any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/unique:" + id + ";\n";
    }
    CHECK(time_of(tokyo, all) < 20s);
    CHECK(time_of(tokyo, "flush; spdflush;" + all) < 20s);
    CHECK(time_of(tokyo, "flush; spdflush;") < 20s);
}

TEST_CASE("ten thousand SAs in transport mode under one policy of a wide network load in seconds") {
    Wires tokyo{office_configuration()};
    std::string all = "spdadd 10.0.1.0/24 20.1.0.0/16 any -P out ipsec esp/transport//require;\n";
    for (unsigned i = 1; i <= 10'000; ++i)
        all += "add 10.0.1.5 " + network("20.1.", i) + " esp " + std::to_string(0x1000 + i) +
               " -m transport -E aes-gcm-16 \"" + gcm_key(i) + "\";\n";
    CHECK(time_of(tokyo, all) < 20s);
    CHECK(time_of(tokyo, "flush; spdflush;") < 20s);
}

TEST_CASE("the SAs of each direction are spread over all workers, also in a file that takes turns") {
    constexpr unsigned workers = 2;
    Wires tokyo{office_configuration(workers)};
    for (unsigned i = 0; i < 4; ++i)
        tokyo.setkey("add 20.0.0.1 20.0.0.2 esp " + std::to_string(0x1000 + i) + " -E aes-gcm-16 \"" + gcm_key(2 * i) +
                     "\"; add 20.0.0.2 20.0.0.1 esp " + std::to_string(0x1000 + i) + " -E aes-gcm-16 \"" +
                     gcm_key(2 * i + 1) + "\";");
    std::multiset<unsigned> inbound, outbound;
    tokyo.gateway().each_sa(
        [&](const control::SaView& sa) { return (sa.inbound ? inbound : outbound).insert(sa.worker), true; });
    CHECK(inbound == std::multiset<unsigned>{0, 0, 1, 1});
    CHECK(outbound == std::multiset<unsigned>{0, 0, 1, 1});
}
