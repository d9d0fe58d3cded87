// What `torii explain` says is what then happens: each answer is held against a real packet of the same kind.
#include "catch.h"
#include "office6.h"

using namespace torii;
using namespace torii::test;
using Fate = control::Explanation::Fate;

namespace {

control::Explanation explained(Wires& gateway, std::string_view source, std::string_view destination,
                               std::uint8_t protocol = 17, std::uint16_t source_port = 4000,
                               std::uint16_t destination_port = 5000, const std::string& port = "") {
    const control::Question question{.packet = {.source = Address::parse(source).value(),
                                                .destination = Address::parse(destination).value(),
                                                .source_port = source_port,
                                                .destination_port = destination_port,
                                                .protocol = protocol},
                                     .port = port};
    return gateway.gateway().explain(question).value();
}

/// All that was said of one stage and of what follows it without a stage of its own.
std::string said(const control::Explanation& answer, std::string_view stage) {
    std::string out;
    bool inside = false;
    for (const auto& step : answer.steps) {
        if (!step.stage.empty()) inside = step.stage == stage;
        if (inside) out += step.text + "\n";
    }
    return out;
}
bool says(const control::Explanation& answer, std::string_view stage, std::string_view words) {
    return said(answer, stage).find(words) != std::string::npos;
}

// The mail server of the FAQ: A is 20.0.0.1, whose POP clients must use AH, but for A itself.
constexpr std::string_view exceptions = R"(
spdadd 20.0.0.1[110] 20.0.0.1 tcp -P out none;
spdadd 20.0.0.1 20.0.0.1[110] tcp -P in none;
)";
constexpr std::string_view for_clients = R"(
spdadd 20.0.0.1[110] 0.0.0.0/0 tcp -P out ipsec ah/transport//require;
spdadd 0.0.0.0/0 20.0.0.1[110] tcp -P in ipsec ah/transport//require;
)";

}  // namespace

TEST_CASE("explain tells policy, SA, route, next hop and size of a packet that will leave through a tunnel") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(office_setkey);
    const auto answer = explained(tokyo, "10.0.1.5", "10.0.2.5");
    CHECK(answer.fate == Fate::protect);
    REQUIRE(answer.spd.size() == 2);
    CHECK_FALSE(answer.spd[0].asked);
    CHECK(answer.spd[1].asked);
    REQUIRE(answer.spd[1].match);
    CHECK(answer.spd[1].match->text ==
          "10.0.1.0/24[any] 10.0.2.0/24[any] any PROTECT esp/tunnel/20.0.0.1-20.0.0.2/require");
    REQUIRE(answer.sas.size() == 1);
    CHECK(answer.sas[0].id->spi == Spi{0x1001});
    CHECK(answer.route == "10.0.2.0/24");
    CHECK(answer.port == "world");
    CHECK(answer.neighbour == "20.0.0.2");
    CHECK(answer.mac == peer_mac.text());
    CHECK(says(answer, "arrival", "from inside, by protected port office"));
    CHECK(says(answer, "spd in", "not asked, because it comes by a protected port"));

    const auto through = [&](unsigned octets) {
        return pass(tokyo, office, {datagram("10.0.1.5", "10.0.2.5", octets, {.flags_offset = 0x4000})}, world).size();
    };
    CHECK(answer.mtu == 1500);
    CHECK(through(answer.largest_octets) == 1);
    CHECK(through(answer.largest_octets + 1) == 0);
}

TEST_CASE("explain asks nothing of the gateway: no counter moves and no event is told") {
    Wires tokyo{office_configuration()};
    tokyo.setkey("spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;");
    Told told{tokyo};
    const auto answer = explained(tokyo, "10.0.1.5", "10.0.2.5");
    tokyo.turn();
    CHECK(answer.fate == Fate::drop);
    CHECK(answer.drop == "no_sa");
    REQUIRE(answer.sas.size() == 1);
    CHECK(answer.sas[0].state == "missing");
    CHECK(tokyo.drops(Drop::no_sa) == 0);
    CHECK(told.count(Told::Kind::acquire) == 0);
    CHECK(pass(tokyo, office, {datagram("10.0.1.5", "10.0.2.5")}, world).empty());
    CHECK(tokyo.drops(Drop::no_sa) == 1);
}

TEST_CASE("explain takes what comes from outside through the SAs its policy asks for, and says what clear text meets") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(office_setkey);
    const auto answer = explained(tokyo, "10.0.2.5", "10.0.1.5");
    CHECK(answer.fate == Fate::forward);
    CHECK(answer.port == "office");
    REQUIRE(answer.sas.size() == 1);
    CHECK(answer.sas[0].direction == Direction::inbound);
    CHECK(answer.sas[0].id->spi == Spi{0x1002});
    CHECK(says(answer, "spd in", "in clear it is dropped as policy_mismatch"));
    CHECK(pass(tokyo, world, {datagram("10.0.2.5", "10.0.1.5")}, office).empty());
    CHECK(tokyo.drops(Drop::policy_mismatch) == 1);

    tokyo.setkey("flush;");
    const auto without = explained(tokyo, "10.0.2.5", "10.0.1.5");
    CHECK(without.fate == Fate::drop);
    CHECK(without.drop == "policy_mismatch");
    CHECK(without.sas.at(0).state == "missing");
}

TEST_CASE("the mail server's exceptions work in front, and explain shows what swallows them behind") {
    Wires in_front{office_configuration()}, behind{office_configuration()};
    in_front.setkey(std::string{exceptions} + std::string{for_clients});
    behind.setkey(std::string{for_clients} + std::string{exceptions});

    const auto right = explained(in_front, "20.0.0.1", "20.0.0.1", 6, 49152, 110);
    CHECK(right.spd[0].match->text == "20.0.0.1[any] 20.0.0.1[110] tcp BYPASS");
    REQUIRE(right.spd[0].hidden.size() == 1);
    CHECK(right.spd[0].hidden[0].text == "0.0.0.0/0[any] 20.0.0.1[110] tcp PROTECT ah/transport//require");

    const auto wrong = explained(behind, "20.0.0.1", "20.0.0.1", 6, 49152, 110);
    CHECK(wrong.spd[0].match->text == "0.0.0.0/0[any] 20.0.0.1[110] tcp PROTECT ah/transport//require");
    REQUIRE(wrong.spd[0].hidden.size() == 1);
    CHECK(wrong.spd[0].hidden[0].text == "20.0.0.1[any] 20.0.0.1[110] tcp BYPASS");
    CHECK(says(wrong, "spd in", "policy 2 of 2 (id 4) matches too, but stands behind and is never reached"));

    // A client's answer meets the exception before its own policy, and differs from it in the address alone.
    const auto client = explained(in_front, "20.0.0.1", "20.0.0.9", 6, 110, 49152);
    CHECK(client.spd[1].match->place == 2);
    REQUIRE(client.spd[1].nearly.size() == 1);
    CHECK(client.spd[1].nearly[0].why == "destination address");
    CHECK(client.drop == "no_sa");
}

TEST_CASE("explain names what kept each earlier policy from matching") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(R"(
        spdadd 10.0.1.7 10.0.2.5 any -P out discard;
        spdadd 10.0.1.5 10.0.2.5 tcp -P out discard;
        spdadd 10.0.1.5 10.0.2.5[80] udp -P out discard;
        spdadd 10.0.1.7 10.0.2.9 any -P out discard;
        spdadd 10.0.1.0/24 10.0.2.0/24 any -P out none;
        spdadd 0.0.0.0/0 0.0.0.0/0 any -P out discard;)");
    const auto out = explained(tokyo, "10.0.1.5", "10.0.2.5").spd.at(1);
    REQUIRE(out.match);
    CHECK(out.match->place == 5);
    REQUIRE(out.nearly.size() == 3);
    CHECK(out.nearly[0].why == "source address");
    CHECK(out.nearly[1].why == "protocol");
    CHECK(out.nearly[2].why == "ports");
    REQUIRE(out.hidden.size() == 1);
    CHECK(out.hidden[0].place == 6);
}

TEST_CASE("explain knows the drops that come before any policy, local delivery, and where there is no route") {
    Wires tokyo{office_configuration()};
    tokyo.setkey("spdadd 0.0.0.0/0 0.0.0.0/0 any -P in none; spdadd 0.0.0.0/0 0.0.0.0/0 any -P out none;");
    CHECK(explained(tokyo, "20.0.0.1", "10.0.1.5", 17, 1, 1, "world").drop == "own_source");
    CHECK(explained(tokyo, "10.0.1.5", "224.0.0.5").drop == "multicast");
    CHECK(explained(tokyo, "20.0.0.9", "20.0.0.1").fate == Fate::deliver);
    CHECK(explained(tokyo, "20.0.0.9", "20.0.0.1", 17, 500, 500).spd.at(0).asked == false);  // IKE is exempt
    CHECK(explained(tokyo, "10.0.1.5", "99.0.0.1").drop == "no_route");
    CHECK(explained(tokyo, "99.0.0.1", "10.0.1.5").fate == Fate::forward);
    const control::Question nowhere{.packet = {}, .port = "nowhere"};
    CHECK(tokyo.gateway().explain(nowhere).error().message == "there is no port nowhere");
}

TEST_CASE("explain tells the exact size that fits, of IPv6 packets too") {
    Wires tokyo{office6_configuration()};
    tokyo.setkey(GENERATE(office6_setkey("2001:db8::1", "2001:db8::2"), office6_setkey("20.0.0.1", "20.0.0.2"),
                          std::string{"add 2001:db8:1::5 2001:db8:2::5 ah 0x1001 -m transport -A hmac-sha256 "
                                      "\"thirty-two octets, hmac-sha2-256\";"
                                      "spdadd 2001:db8:1::5 2001:db8:2::5 any -P out ipsec ah/transport//require;"}));
    const unsigned fits = explained(tokyo, "2001:db8:1::5", "2001:db8:2::5").largest_octets;
    REQUIRE(fits > 1280);
    tokyo.turn();
    (void)tokyo.sent_by(world);
    CHECK(pass6(tokyo, office, {datagram6("2001:db8:1::5", "2001:db8:2::5", fits)}, office).empty());
    CHECK(tokyo.sent_by(world).size() == 1);
    CHECK(pass6(tokyo, office, {datagram6("2001:db8:1::5", "2001:db8:2::5", fits + 1)}, office).size() == 1);
    CHECK(tokyo.drops(Drop::too_big) == 1);
}

TEST_CASE("explain tells what the packet filter says of the packet as it is on the wire and in clear") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(office_setkey);
    const auto add = [&](control::Hook hook, std::string_view rule) {
        std::vector<control::Located> transaction;
        transaction.push_back({control::ChangeFilter{.kind = control::ChangeFilter::Kind::add,
                                                     .hook = hook,
                                                     .rule = control::parse_filter_rule(rule).value()},
                               ""});
        REQUIRE(tokyo.gateway().apply(std::move(transaction)));
    };
    add(control::Hook::wire, "block out on world proto udp");
    CHECK(explained(tokyo, "10.0.1.5", "10.0.2.5").fate == Fate::protect);  // it leaves as ESP
    add(control::Hook::clear, "block proto udp from 10.0.1.5 port 4000 to 10.0.2.5 port 5000");
    CHECK(explained(tokyo, "10.0.1.5", "10.0.2.5").drop == "filter_clear");
    CHECK(explained(tokyo, "10.0.1.5", "10.0.2.5", 17, 4000, 5001).fate == Fate::protect);
    CHECK(explained(tokyo, "10.0.2.5", "10.0.1.5").fate == Fate::forward);
    add(control::Hook::wire, "block in on world proto esp from 20.0.0.2");
    const auto answer = explained(tokyo, "10.0.2.5", "10.0.1.5");
    CHECK(answer.drop == "filter_wire");
    CHECK(says(answer, "filter", "hook wire in blocks it"));
    for (const auto& row : tokyo.gateway().filter()) CHECK(row.packets == 0);
}
