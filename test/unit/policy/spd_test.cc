#include "policy/spd.h"

#include "catch.h"
#include "written.h"

using namespace torii;
using test::packet;
using test::rule;

namespace {

PolicyPtr policy(std::uint32_t id, const std::string& selector, std::int32_t priority = 0,
                 Direction direction = Direction::outbound) {
    Policy out;
    out.id = PolicyId{id};
    out.direction = direction;
    out.selector = rule(selector);
    out.priority = priority;
    return std::make_shared<const Policy>(out);
}

Spd spd_of(std::initializer_list<PolicyPtr> policies) {
    Spd out;
    for (const auto& one : policies) REQUIRE(out.add(one));
    return out;
}

/// The ids in search order, "3 1 2".
std::string order(const Spd& spd, Direction direction = Direction::outbound) {
    std::string out;
    for (const auto& one : spd.in_order(direction))
        out += (out.empty() ? "" : " ") + std::to_string(static_cast<std::uint32_t>(one->id));
    return out;
}

constexpr auto office = "10.0.1.0/24[any] 10.0.2.0/24[any] any", web = "10.0.1.0/24[any] 10.0.2.0/24[80] tcp",
               leaf = "10.0.1.0/24[any] 0.0.0.0/0[any] any", telnet = "10.0.1.0/24[any] 10.0.2.0/24[23] tcp";

/// What a packet meets in `policies`, by the walk and by the index alike: "2", "none", "2, needs ports".
std::string met(const Spd& spd, const std::string& written_packet) {
    const auto in_order = spd.in_order(Direction::outbound);
    const auto walked = find_linear(in_order, packet(written_packet));
    const auto looked_up = SpdIndex{in_order}.find(packet(written_packet));
    CHECK(looked_up.policy == walked.policy);
    CHECK(looked_up.needs_ports == walked.needs_ports);
    const std::string id = walked.policy ? std::to_string(static_cast<std::uint32_t>(walked.policy->id)) : "none";
    return walked.needs_ports ? id + ", needs ports" : id;
}

}  // namespace

TEST_CASE("policies are searched by priority, the higher first, then in order of addition") {
    CHECK(order(spd_of({policy(1, office), policy(2, web), policy(3, leaf)})) == "1 2 3");
    CHECK(order(spd_of({policy(1, office, -5), policy(2, web), policy(3, leaf, 7), policy(4, telnet)})) == "3 2 4 1");
    CHECK(order(spd_of({policy(1, office, INT32_MIN), policy(2, web, INT32_MAX)})) == "2 1");
}

TEST_CASE("a privileged socket's policy beats the SPD, another socket's comes behind it (KAME)") {
    const auto of = [](std::uint32_t id, PolicyOwner owner, std::int32_t priority) {
        Policy out = *policy(id, office, priority);
        out.owner = owner;
        return std::make_shared<const Policy>(out);
    };
    Spd spd = spd_of({of(1, PolicyOwner::socket, 1000), of(2, PolicyOwner::spd, 0),
                      of(3, PolicyOwner::privileged_socket, -1000), policy(4, web, 5)});
    CHECK(order(spd) == "3 4 2 1");
    CHECK(spd.find(Direction::outbound, rule(office))->id == PolicyId{2});  // the SPD's own
    CHECK_FALSE(spd.add(of(5, PolicyOwner::socket, 3)));
    REQUIRE(spd.remove(Direction::outbound, rule(office), PolicyOwner::privileged_socket));
    CHECK(order(spd) == "4 2 1");
}

TEST_CASE("the directions are two lists") {
    const auto spd = spd_of({policy(1, office), policy(2, office, 0, Direction::inbound), policy(3, web)});
    CHECK(order(spd) == "1 3");
    CHECK(order(spd, Direction::inbound) == "2");
    CHECK(spd.size() == 3);
}

TEST_CASE("the same selector and direction twice is refused by name, whatever else differs (KAME's EEXIST)") {
    auto spd = spd_of({policy(1, office)});
    const auto refused = spd.add(policy(2, office, 9));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::exists);
    CHECK(refused.error().message == "an outbound policy for 10.0.1.0/24[any] 10.0.2.0/24[any] any is there already");
    CHECK(order(spd) == "1");
    CHECK(spd.find(PolicyId{2}) == nullptr);
}

TEST_CASE("a policy is found by its selector and by its id until it is removed") {
    auto spd = spd_of({policy(1, office), policy(2, web)});
    CHECK(spd.find(Direction::outbound, rule(web))->id == PolicyId{2});
    CHECK(spd.find(Direction::inbound, rule(web)) == nullptr);
    CHECK(spd.find(PolicyId{1})->selector == rule(office));

    CHECK(spd.remove(Direction::outbound, rule(web)).value()->id == PolicyId{2});
    CHECK(spd.find(Direction::outbound, rule(web)) == nullptr);
    CHECK(spd.find(PolicyId{2}) == nullptr);
    CHECK(spd.size() == 1);

    const auto missing = spd.remove(Direction::inbound, rule(office));
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == Errc::not_found);
    CHECK(missing.error().message == "there is no inbound policy for 10.0.1.0/24[any] 10.0.2.0/24[any] any");
}

TEST_CASE("an update, removal and addition, moves a policy to the end of its priority (KAME's spdupdate)") {
    auto spd = spd_of({policy(1, office), policy(2, web), policy(3, leaf, -1)});
    REQUIRE(spd.remove(Direction::outbound, rule(office)));
    REQUIRE(spd.add(policy(4, office)));
    CHECK(order(spd) == "2 4 3");
}

TEST_CASE("a restored policy stands where it stood, and what is added later still comes last") {
    auto spd = spd_of({policy(1, office), policy(2, web), policy(3, leaf)});
    const auto place = spd.order_of(*spd.find(PolicyId{2}));
    const auto removed = spd.remove(Direction::outbound, rule(web)).value();
    CHECK(spd.order_of(*removed) == 0);
    spd.restore(removed, place);
    CHECK(order(spd) == "1 2 3");
    CHECK(spd.order_of(*removed) == place);
    CHECK(spd.find(PolicyId{2}) == removed);
    REQUIRE(spd.add(policy(4, telnet)));
    CHECK(order(spd) == "1 2 3 4");
}

TEST_CASE("the first match wins, also over a narrower one behind it (RFC 4301 4.4.1)") {
    const auto broad_first = spd_of({policy(1, leaf), policy(2, office), policy(3, web)});
    CHECK(met(broad_first, "10.0.1.5[4711] 10.0.2.6[80] tcp") == "1");
    const auto narrow_first = spd_of({policy(1, web), policy(2, office), policy(3, leaf)});
    CHECK(met(narrow_first, "10.0.1.5[4711] 10.0.2.6[80] tcp") == "1");
    CHECK(met(narrow_first, "10.0.1.5[4711] 10.0.2.6[81] tcp") == "2");
    CHECK(met(narrow_first, "10.0.1.5[4711] 10.0.3.6[80] tcp") == "3");
    CHECK(met(narrow_first, "10.0.4.5[4711] 10.0.3.6[80] tcp") == "none");
    const auto by_priority = spd_of({policy(1, leaf), policy(2, office, 1)});
    CHECK(met(by_priority, "10.0.1.5 10.0.2.6 gre") == "2");
}

TEST_CASE("overlapping port ranges between the same networks are searched in order") {
    const auto spd = spd_of({policy(1, "10.0.1.0/24[any] 10.0.2.0/24[100-200] tcp"),
                             policy(2, "10.0.1.0/24[any] 10.0.2.0/24[150-300] tcp"),
                             policy(3, "10.0.1.0/24[any] 10.0.2.0/24[150] tcp"), policy(4, office)});
    CHECK(met(spd, "10.0.1.5[1] 10.0.2.6[150] tcp") == "1");
    CHECK(met(spd, "10.0.1.5[1] 10.0.2.6[201] tcp") == "2");
    CHECK(met(spd, "10.0.1.5[1] 10.0.2.6[301] tcp") == "4");
}

TEST_CASE("a fragment that a rule before its match might have claimed by its ports says so") {
    constexpr auto fragment = "10.0.1.5[unknown] 10.0.2.6[unknown] tcp";
    CHECK(met(spd_of({policy(1, web), policy(2, office)}), fragment) == "2, needs ports");
    CHECK(met(spd_of({policy(1, office), policy(2, web)}), fragment) == "1");  // the first claims all: nothing is open
    CHECK(met(spd_of({policy(1, web)}), fragment) == "none, needs ports");
    CHECK(met(spd_of({policy(1, web), policy(2, telnet), policy(3, leaf)}), fragment) == "3, needs ports");
    CHECK(met(spd_of({policy(1, web), policy(2, office)}), "10.0.1.5[unknown] 10.0.2.6[unknown] udp") == "2");
    CHECK(met(spd_of({policy(1, web), policy(2, office)}), "10.0.1.5[unknown] 10.0.2.6[unknown] gre") == "2");
    CHECK(met(spd_of({policy(1, office, -1), policy(2, web, -2)}), fragment) == "1");
}

TEST_CASE("an empty SPD answers nothing, and an index keeps its policies alive") {
    CHECK(met(Spd{}, "10.0.1.5 10.0.2.6 gre") == "none");
    std::weak_ptr<const Policy> watched;
    {
        auto spd = std::make_unique<Spd>(spd_of({policy(1, office)}));
        const SpdIndex index{spd->in_order(Direction::outbound)};
        watched = spd->find(PolicyId{1});
        spd.reset();
        CHECK(index.find(packet("10.0.1.5 10.0.2.6 gre")).policy == watched.lock().get());
        CHECK(index.in_order().size() == 1);
    }
    CHECK(watched.expired());
}
