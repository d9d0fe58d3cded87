// Lifetimes of SPD entries, which KAME calls lifetime and validtime, and of SAs without keys.
#include "catch.h"
#include "office.h"

using namespace torii;
using namespace torii::test;
using namespace std::chrono_literals;
using Kind = Told::Kind;

namespace {

const Octets packet = datagram("10.0.1.5", "10.0.2.5");

/// Adds the one policy of a setkey text with lifetimes, which PF_KEY carries.
void add(Wires& gateway, std::string_view text, std::uint32_t lifetime_seconds, std::uint32_t validtime_seconds) {
    auto program = setkey::parse(text, "test");
    REQUIRE(program);
    auto& policy = std::get<control::AddPolicy>(program->operations.at(0).operation).policy;
    policy.lifetime_seconds = lifetime_seconds;
    policy.validtime_seconds = validtime_seconds;
    REQUIRE(setkey::run(gateway.gateway(), std::move(*program), {}));
}

std::size_t policies(Wires& gateway) { return gateway.gateway().database().spd().size(); }

std::int64_t last_used(Wires& gateway) {
    std::int64_t out = -1;
    gateway.gateway().each_policy([&](const control::PolicyView& view) {
        out = view.last_used_unix_seconds;
        return true;
    });
    return out;
}

constexpr std::string_view out_none = "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out none;";
constexpr std::string_view in_none = "spdadd 10.0.2.0/24 10.0.1.0/24 any -P in none;";

}  // namespace

TEST_CASE("a policy is gone when its lifetime is over, however much it is used, and listeners hear of it once") {
    Wires tokyo{office_configuration()};
    Told told{tokyo};
    add(tokyo, out_none, 5, 0);
    for (int i = 0; i < 4; ++i) {
        tokyo.pass(1s);
        CHECK(pass(tokyo, office, {packet}, world).size() == 1);
    }
    CHECK(policies(tokyo) == 1);
    const PolicyId id = told.last(Kind::policy_added).policy;
    tokyo.pass(2s);
    CHECK(policies(tokyo) == 0);
    CHECK(told.count(Kind::policy_expired) == 1);
    CHECK(told.last(Kind::policy_expired).policy == id);
    CHECK(told.count(Kind::policy_deleted) == 0);
    CHECK(pass(tokyo, office, {packet}, world).empty());
    CHECK(tokyo.drops(Drop::no_policy) == 1);
    tokyo.pass(10s);
    CHECK(told.count(Kind::policy_expired) == 1);
}

TEST_CASE(
    "a policy with a validtime stays while packets meet it, remembered flows among them, and ends when none does") {
    const bool outbound = GENERATE(true, false);
    Wires tokyo{office_configuration()};
    Told told{tokyo};
    add(tokyo, outbound ? out_none : in_none, 0, 4);
    const Octets met = outbound ? packet : datagram("10.0.2.5", "10.0.1.5");
    for (int i = 0; i < 40; ++i) {  // 12 seconds
        tokyo.pass(300ms);
        CHECK(pass(tokyo, outbound ? office : world, {met}, outbound ? world : office).size() == 1);
    }
    CHECK(policies(tokyo) == 1);
    tokyo.pass(3s);
    CHECK(policies(tokyo) == 1);
    tokyo.pass(4s);
    CHECK(policies(tokyo) == 0);
    CHECK(told.count(Kind::policy_expired) == 1);
}

TEST_CASE("a policy that no packet meets ends its validtime after its creation") {
    Wires tokyo{office_configuration()};
    add(tokyo, out_none, 0, 3);
    tokyo.pass(2s);
    CHECK(policies(tokyo) == 1);
    tokyo.pass(4s);
    CHECK(policies(tokyo) == 0);
}

TEST_CASE("a policy updated before its end lives on by its new terms") {
    Wires tokyo{office_configuration()};
    Told told{tokyo};
    add(tokyo, out_none, 3, 0);
    tokyo.setkey("spdupdate 10.0.1.0/24 10.0.2.0/24 any -P out none;");
    tokyo.pass(10s);
    CHECK(policies(tokyo) == 1);
    CHECK(told.count(Kind::policy_expired) == 0);
}

TEST_CASE("a policy tells when a packet last met it, within ten seconds also for a flow that goes on and on") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(out_none);
    CHECK(last_used(tokyo) == 0);
    (void)pass(tokyo, office, {packet}, world);
    const std::int64_t first = last_used(tokyo);
    CHECK(std::abs(first - std::time(nullptr)) <= 2);
    for (int i = 0; i < 12; ++i) {
        tokyo.pass(1s);
        (void)pass(tokyo, office, {packet}, world);
    }
    CHECK(last_used(tokyo) > 0);
    const auto view_age = [&] { return std::time(nullptr) - last_used(tokyo); };
    CHECK(view_age() <= 11);  // by the gateway's clock, which the test turned on
    tokyo.pass(20s);
    CHECK(view_age() >= 20);
}

TEST_CASE("an SA without keys is gone after the larval lifetime, one that an update completed lives on") {
    Wires tokyo{office_configuration()};
    Told told{tokyo};
    tokyo.setkey("getspi 20.0.0.2 20.0.0.1 esp 0x3001; getspi 20.0.0.2 20.0.0.1 esp 0x3002;");
    tokyo.pass(20s);
    tokyo.setkey("update 20.0.0.2 20.0.0.1 esp 0x3001 -m tunnel -E aes-gcm-16 \"a key of twenty oct.\";");
    tokyo.pass(9s);
    CHECK(tokyo.gateway().database().sas().size() == 2);
    tokyo.pass(2s);
    REQUIRE(tokyo.gateway().database().sas().size() == 1);
    CHECK(tokyo.gateway().database().find(sa_id("20.0.0.2", "20.0.0.1", 0x3001)));
    CHECK(told.last(Kind::expire_hard).sa == sa_id("20.0.0.2", "20.0.0.1", 0x3002));
    tokyo.pass(60s);
    CHECK(tokyo.gateway().database().sas().size() == 1);
    SECTION("as long as net.key.larval_lifetime says") {
        REQUIRE(tokyo.gateway().set("net.key.larval_lifetime", "3"));
        tokyo.setkey("getspi 20.0.0.2 20.0.0.1 esp 0x3003;");
        tokyo.pass(2s);
        CHECK(tokyo.gateway().database().sas().size() == 2);
        tokyo.pass(2s);
        CHECK(tokyo.gateway().database().sas().size() == 1);
    }
}
