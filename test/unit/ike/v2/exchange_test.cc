// Ladders: one exchange a test, both peers' IKE SAs and both SADs asserted (RFC 7296 1.2 to 1.4, 2).
#include "catch.h"
#include "ike/message/message.h"
#include "world.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

/// Two offices; node 0 is 20.0.0.1, node 1 is 20.0.0.2.
World offices(StartAction first = StartAction::none, StartAction second = StartAction::none, std::uint64_t seed = 7) {
    World world{seed};
    world.add("tokyo", config_of({connection(1, 2, first)}));
    world.add("newyork", config_of({connection(2, 1, second)}));
    world.begin();
    return world;
}

void up(World& world, std::size_t node = 0) {
    auto actions = world[node].engine->up(node == 0 ? "to-2" : "to-1", world.now());
    REQUIRE(actions);
    world.perform(world[node], std::move(*actions));
}

bool talks(World& world) { return world.ping(0, 1, packet_between(1, 2)) && world.ping(1, 0, packet_between(2, 1)); }

std::vector<std::string> messages(const World& world) {
    std::vector<std::string> out;
    for (const Datagram& d : world.record) {
        const auto header = parse_header(d.octets);
        out.push_back(name_of(header->exchange) + (header->response ? " <-- " : " --> ") +
                      std::to_string(header->message_id));
    }
    return out;
}

/// Both ends hold the same one IKE SA, and one child that is up both ways.
void check_up(World& world, std::size_t children = 1) {
    for (std::size_t i = 0; i < 2; ++i) {
        INFO(world[i].name);
        CHECK(count(world[i], IkeState::established) == 1);
        CHECK(world[i].engine->size() == 1);
        CHECK(count_children(world[i], ChildSa::State::installed) == children);
        CHECK(world[i].sad.size() == 2 * children);
    }
    const IkeSa* const a = only(world[0]);
    const IkeSa* const b = only(world[1]);
    REQUIRE(a != nullptr);
    REQUIRE(b != nullptr);
    CHECK(a->spi_initiator == b->spi_initiator);
    CHECK(a->spi_responder == b->spi_responder);
    CHECK(a->initiator != b->initiator);
}

}  // namespace

TEST_CASE("two gateways with one pre-shared key have an IKE SA and a child after four messages (RFC 7296 1.2)") {
    World world = offices();
    up(world);
    world.settle();
    CHECK(messages(world) ==
          std::vector<std::string>{"IKE_SA_INIT --> 0", "IKE_SA_INIT <-- 0", "IKE_AUTH --> 1", "IKE_AUTH <-- 1"});
    check_up(world);
    CHECK(talks(world));
    CHECK(world[0].engine->half_open() == 0);
    CHECK(world[1].engine->half_open() == 0);
}

TEST_CASE("nothing of IKE_AUTH can be read on the wire, and the identities least of all (RFC 7296 1.2, 3.14)") {
    World world = offices();
    up(world);
    world.settle();
    REQUIRE(world.record.size() == 4);
    for (std::size_t i = 2; i < 4; ++i) {
        const auto taken = split(world.record[i].octets);
        REQUIRE(taken);
        CHECK(taken->clear.empty());
        CHECK(taken->encrypted);
    }
}

TEST_CASE("each message that is lost is sent again, the same octets, and the answer too (RFC 7296 2.1)") {
    for (unsigned lost = 0; lost < 4; ++lost) {
        World world = offices();
        unsigned seen = 0;
        world.tap = [&](Datagram&) { return seen++ != lost; };
        up(world);
        world.run(Instant{5'000});
        INFO("message " << lost << " is lost");
        check_up(world);
        CHECK(talks(world));
        const std::size_t again = lost + 1;  // the request's second time
        REQUIRE(world.record.size() > again);
        CHECK(world.record[again].octets == world.record[lost - lost % 2].octets);
    }
}

TEST_CASE("repeated and late messages change nothing (RFC 7296 2.1, 2.2)") {
    World world = offices();
    world.repeat = 1.0;
    up(world);
    world.settle();
    check_up(world);
    const auto before = world.record;
    for (const Datagram& d : before) {  // all of it once more, both ways
        Node* const receiver = world.owner(d.remote.address);
        world.perform(*receiver, receiver->engine->receive({d.remote, d.local, d.octets}, world.now()));
    }
    world.settle();
    check_up(world);
    CHECK(talks(world));
}

TEST_CASE("another key on the other side: no SA anywhere, and both are told why (RFC 7296 2.21.2)") {
    World world{3};
    world.add("tokyo", config_of({connection(1, 2)}));
    auto other = connection(2, 1);
    other->shared_keys = std::make_shared<SharedKeys>(*SharedKeys::parse("* something else\n", "psk.txt"));
    world.add("newyork", config_of({other}));
    up(world);
    world.settle();
    world.run(Instant{60'000});
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(world[i].sad.size() == 0);
        CHECK(world[i].sad.policies() == 0);
        CHECK(world[i].engine->size() == 0);
        CHECK(world[i].engine->half_open() == 0);
    }
    CHECK(world[1].said("the pre-shared keys differ"));
    CHECK(world[0].said("AUTHENTICATION_FAILED"));
}

TEST_CASE("a responder with the wrong identity gets no child, and is told (RFC 7296 2.21.2)") {
    World world{3};
    auto mine = connection(1, 2);
    mine->remote_id = *parse_id("gw.newyork.example");
    world.add("tokyo", config_of({mine}));
    auto other = connection(2, 1);
    world.add("newyork", config_of({other}));
    up(world);
    world.settle();
    world.run(Instant{60'000});
    CHECK(world[0].sad.size() == 0);
    CHECK(world[1].sad.size() == 0);
    CHECK(world[0].engine->size() + world[1].engine->size() == 0);
    CHECK(world[1].said("who asks for gw.newyork.example"));
}

TEST_CASE("where no proposal is common both sides' are told (RFC 7296 2.7)") {
    World world{3};
    auto mine = connection(1, 2);
    mine->proposals = {*parse_ike_proposal("aes256-sha512-modp3072", LegacyAlgorithms::refused)};
    world.add("tokyo", config_of({mine}));
    world.add("newyork", config_of({connection(2, 1)}));
    up(world);
    world.run(Instant{5'000});
    INFO(world.tail(9));
    CHECK(world[0].said("NO_PROPOSAL_CHOSEN; we offered aes256-prfsha512-sha512-modp3072"));
    CHECK(world[1].said("the encryption differs: the peer has aes256, we have aes128gcm16"));
    CHECK(world[1].said("the peer offers aes256-prfsha512-sha512-modp3072; we take aes128gcm16-prfsha256-x25519"));
    world.run(Instant{60'000});
    CHECK(world[0].engine->size() + world[1].engine->size() == 0);
}

TEST_CASE("INVALID_KE_PAYLOAD: the initiator begins again with the method that is wanted (RFC 7296 1.2)") {
    World world{5};
    auto mine = connection(1, 2);
    mine->proposals = {*parse_ike_proposal("aes128gcm16-prfsha256-x25519-ecp256", LegacyAlgorithms::refused)};
    world.add("tokyo", config_of({mine}));
    auto other = connection(2, 1);
    other->proposals = {*parse_ike_proposal("aes128gcm16-prfsha256-ecp256", LegacyAlgorithms::refused)};
    world.add("newyork", config_of({other}));
    up(world);
    world.settle();
    check_up(world);
    REQUIRE(only(world[0]) != nullptr);
    CHECK(only(world[0])->suite.ke == KeMethod::ecp256);
    CHECK(world.record.size() == 6);
    CHECK(talks(world));
}

TEST_CASE(
    "many half-open IKE SAs make a responder ask for cookies, and who answers to his address gets in (RFC 7296 2.6)") {
    World world{5};
    world.add("tokyo", config_of({connection(1, 2)}));
    EngineConfig config = config_of({connection(2, 1)});
    config.limits.cookies_from = 0;
    world.add("newyork", config);
    up(world);
    world.settle();
    check_up(world);
    CHECK(world.record.size() == 6);
    const auto first = split(world.record[2].octets);
    REQUIRE(first);
    CHECK(first->first == PayloadType::notify);  // the cookie stands in front

    SECTION("a cookie of another address or nonce, or an invented one, opens nothing") {
        const std::size_t before = world[1].engine->size();
        Datagram forged{{address_of(2), 500}, {address_of(9), 500}, world.record[2].octets};
        world.perform(world[1], world[1].engine->receive(forged, world.now()));
        CHECK(world[1].engine->size() == before);
        CHECK(world[1].engine->half_open() == 0);
    }
}

TEST_CASE("cookie and INVALID_KE_PAYLOAD together still come to an end (RFC 7296 2.6.1)") {
    World world{5};
    auto mine = connection(1, 2);
    mine->proposals = {*parse_ike_proposal("aes128gcm16-prfsha256-x25519-ecp256", LegacyAlgorithms::refused)};
    world.add("tokyo", config_of({mine}));
    auto other = connection(2, 1);
    other->proposals = {*parse_ike_proposal("aes128gcm16-prfsha256-ecp256", LegacyAlgorithms::refused)};
    EngineConfig config = config_of({other});
    config.limits.cookies_from = 0;
    world.add("newyork", config);
    up(world);
    world.settle();
    check_up(world);
}

TEST_CASE("a flood of IKE_SA_INIT from one source keeps little, and others still get in (RFC 7296 2.4, 2.6)") {
    World world = offices();
    up(world);
    // 1,000 requests with SPIs of their own from one address that never goes on
    REQUIRE(!world.record.empty());
    Octets request = world.record[0].octets;
    for (unsigned i = 0; i < 1000; ++i) {
        request[0] = static_cast<std::byte>(i);
        request[1] = static_cast<std::byte>(i >> 8);
        request[2] = std::byte{0x77};
        world.perform(world[1],
                      world[1].engine->receive({{address_of(2), 500}, {address_of(9), 500}, request}, world.now()));
    }
    CHECK(world[1].engine->half_open() <= EngineLimits{}.half_open_per_source);
    world.flights.erase(std::remove_if(world.flights.begin(), world.flights.end(),
                                       [&](const Flight& f) { return f.datagram.remote.address == address_of(9); }),
                        world.flights.end());
    world.settle();
    CHECK(count(world[1], IkeState::established) == 1);
    world.run(Instant{40'000});
    CHECK(world[1].engine->half_open() == 0);
    CHECK(world[1].engine->size() == 1);
}

TEST_CASE("a trapped child is negotiated by its first packet, whose own selector goes first (RFC 7296 2.9)") {
    World world = offices(StartAction::trap, StartAction::trap);
    CHECK(world[0].sad.policies() == 2);  // they stand before anybody speaks
    CHECK(world[0].engine->size() == 0);
    CHECK(!world.ping(0, 1, packet_between(1, 2)));  // asks
    CHECK(!world.ping(0, 1, packet_between(1, 2)));  // asks again, and changes nothing
    world.settle();
    check_up(world);
    CHECK(talks(world));
    CHECK(world.record.size() == 4);
    CHECK(world[0].sad.policies() == 2);
    CHECK(world[1].sad.policies() == 2);
    const IkeSa* sa = only(world[0]);
    REQUIRE(sa != nullptr);
    CHECK(sa->children[0]->traffic.local.size() == 1);  // what the first selector says lies in the whole one
}

TEST_CASE("what starts by itself is up without anybody's asking, and comes back (RFC 7296 2.4)") {
    World world = offices(StartAction::start);
    world.settle();
    check_up(world);
    world.restart(1);
    CHECK(!talks(world));
    world.run(Instant{400'000});  // the question whether anybody is there, its repetitions, and a new beginning
    check_up(world);
    CHECK(talks(world));
}

TEST_CASE("both start at once: one IKE SA with one child is left (RFC 7296 2.8)") {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        World world = offices(StartAction::start, StartAction::start, seed);
        world.settle();
        world.run(Instant{60'000});
        INFO("seed " << seed);
        check_up(world);
        CHECK(talks(world));
    }
}

TEST_CASE("a child is rekeyed without a moment without SA: every packet arrives (RFC 7296 1.3.3, 2.8)") {
    World world = offices();
    up(world);
    world.settle();
    const auto before = only(world[0])->children[0]->inbound;
    auto actions = world[0].engine->rekey("to-2/offices-2", world.now());
    REQUIRE(actions);
    world.perform(world[0], std::move(*actions));
    unsigned packets = 0;
    const Instant end = world.clock + Instant{10'000};
    while (world.clock < end) {
        world.step(std::min(end, world.clock + Instant{1}));
        REQUIRE(talks(world));
        packets += 2;
    }
    CHECK(packets > 1000);
    check_up(world);
    CHECK(only(world[0])->children[0]->inbound != before);
    CHECK(messages(world) == std::vector<std::string>{"IKE_SA_INIT --> 0", "IKE_SA_INIT <-- 0", "IKE_AUTH --> 1",
                                                      "IKE_AUTH <-- 1", "CREATE_CHILD_SA --> 2",
                                                      "CREATE_CHILD_SA <-- 2", "INFORMATIONAL --> 3",
                                                      "INFORMATIONAL <-- 3"});
}

TEST_CASE("perfect forward secrecy: a rekeyed child has a key exchange of its own (RFC 7296 1.3.1)") {
    World world{4};
    auto mine = connection(1, 2), other = connection(2, 1);
    for (const auto& c : {mine, other})
        c->children[0].proposals = {
            *parse_child_proposal(ProtocolId::esp, "aes128gcm16-x25519", LegacyAlgorithms::refused)};
    world.add("tokyo", config_of({mine}));
    world.add("newyork", config_of({other}));
    up(world);
    world.settle();
    check_up(world);
    CHECK(only(world[0])->children[0]->suite.ke == KeMethod::none);  // IKE_AUTH has none (1.2)
    auto actions = world[1].engine->rekey("to-1/offices-1", world.now());
    REQUIRE(actions);
    world.perform(world[1], std::move(*actions));
    world.settle();
    world.run(Instant{10'000});
    check_up(world);
    CHECK(only(world[0])->children[0]->suite.ke == KeMethod::x25519);
    CHECK(talks(world));
}

TEST_CASE("the IKE SA is rekeyed, its children go over, and no packet notices (RFC 7296 1.3.2, 2.18)") {
    World world = offices();
    up(world);
    world.settle();
    const IkeSpi before = only(world[0])->spi_initiator;
    const Spi child = only(world[0])->children[0]->inbound;
    auto actions = world[1].engine->rekey("to-1", world.now());  // by whoever was the responder
    REQUIRE(actions);
    world.perform(world[1], std::move(*actions));
    world.settle();
    REQUIRE(talks(world));
    world.run(Instant{90'000});
    check_up(world);
    CHECK(only(world[0])->spi_initiator != before);
    CHECK(!only(world[0])->initiator);  // whoever rekeys is the initiator of the new one
    CHECK(only(world[0])->children[0]->inbound == child);
    // and the new one works: its children can be rekeyed through it, by either side
    for (std::size_t i = 0; i < 2; ++i) {
        auto again = world[i].engine->rekey(i == 0 ? "to-2/offices-2" : "to-1/offices-1", world.now());
        REQUIRE(again);
        world.perform(world[i], std::move(*again));
        world.settle();
        world.run(Instant{10'000});
        check_up(world);
        CHECK(talks(world));
    }
}

TEST_CASE("down deletes the IKE SA with its children at both ends (RFC 7296 1.4.1)") {
    World world = offices();
    up(world);
    world.settle();
    auto actions = world[0].engine->down("to-2", world.now());
    REQUIRE(actions);
    world.perform(world[0], std::move(*actions));
    world.settle();
    world.run(Instant{60'000});
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(world[i].engine->size() == 0);
        CHECK(world[i].sad.size() == 0);
        CHECK(world[i].sad.policies() == 0);
    }
    CHECK(!world[0].engine->down("to-2", world.now()));
    CHECK(world[0].engine->up("to-3", world.now()).error().message ==
          "there is no connection or child to-3; there are to-2, offices-2");
}

TEST_CASE("down of a child leaves the IKE SA, and up brings the child back through it (RFC 7296 1.3.1, 1.4.1)") {
    World world = offices();
    up(world);
    world.settle();
    auto actions = world[1].engine->down("offices-1", world.now());
    REQUIRE(actions);
    world.perform(world[1], std::move(*actions));
    world.settle();
    world.run(Instant{10'000});
    CHECK(count(world[0], IkeState::established) == 1);
    CHECK(world[0].sad.size() == 0);
    CHECK(world[1].sad.size() == 0);
    up(world);
    world.settle();
    check_up(world);
    CHECK(talks(world));
    CHECK(messages(world).back() == "CREATE_CHILD_SA <-- 2");
}

TEST_CASE("a peer that falls silent is asked, then given up, and its SAs go (RFC 7296 2.4)") {
    World world = offices();
    up(world);
    world.settle();
    world[1].up = false;
    world.run(Instant{29'000});
    CHECK(count(world[0], IkeState::established) == 1);
    world.run(Instant{400'000});
    CHECK(world[0].engine->size() == 0);
    CHECK(world[0].sad.size() == 0);
    CHECK(world[0].said("does not answer INFORMATIONAL"));
}

TEST_CASE("traffic through a child is a sign of life: nobody is asked while it flows (RFC 7296 2.4)") {
    World world = offices();
    up(world);
    world.settle();
    const std::uint64_t before = world.sent;
    for (unsigned i = 0; i < 100; ++i) {
        world.run(Instant{5'000});
        REQUIRE(talks(world));
    }
    CHECK(world.sent == before);
    world.run(Instant{61'000});
    CHECK(world.sent > before);
}

TEST_CASE("SAs are replaced before their lifetimes end, again and again, and traffic never stops (RFC 7296 2.8)") {
    World world{11};
    auto mine = connection(1, 2), other = connection(2, 1);
    for (const auto& c : {mine, other}) {
        c->rekey_seconds = 300;
        c->children[0].rekey_seconds = 100;
        c->children[0].life_seconds = 150;
    }
    world.add("tokyo", config_of({mine}));
    world.add("newyork", config_of({other}));
    up(world);
    world.settle();
    for (unsigned i = 0; i < 3600; ++i) {
        world.run(Instant{1'000});
        REQUIRE(talks(world));
    }
    world.run(Instant{3'000});
    CHECK(count(world[0], IkeState::established) == 1);
    CHECK(count_children(world[0], ChildSa::State::installed) == 1);
    CHECK(world[0].sad.size() <= 4);
    CHECK(world[0].sad.policies() == 2);
    CHECK(world.sent > 4 + 30 * 4);
}

TEST_CASE("INITIAL_CONTACT: what a peer that restarted has forgotten goes here too (RFC 7296 2.4)") {
    World world = offices();
    up(world);
    world.settle();
    world.run(Instant{20'000});
    world.restart(0);
    up(world);
    world.settle();
    CHECK(count(world[1], IkeState::established) ==
          1);  // at once: a peer that only came again would have two for a while
    world.run(Instant{40'000});
    check_up(world);
    CHECK(talks(world));
}

TEST_CASE("reauthentication makes the new before it ends the old (RFC 7296 2.8.3)") {
    World world = offices();
    up(world);
    world.settle();
    world.run(Instant{20'000});
    auto actions = world[0].engine->reauth("to-2", world.now());
    REQUIRE(actions);
    world.perform(world[0], std::move(*actions));
    const Instant end = world.clock + Instant{5'000};
    while (world.clock < end) {
        world.step(std::min(end, world.clock + Instant{1}));
        INFO(world.tail(20));
        REQUIRE(talks(world));
    }
    world.run(Instant{60'000});
    check_up(world);
    CHECK(talks(world));
}

TEST_CASE("a reauthentication stands, whichever end made the IKE SA before it (RFC 7296 2.8.3)") {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        World world = offices(StartAction::none, StartAction::none, seed);
        up(world);
        world.settle();
        auto rekeyed = world[1].engine->rekey("to-1", world.now());  // the responder's own now
        REQUIRE(rekeyed);
        world.perform(world[1], std::move(*rekeyed));
        world.settle();
        const IkeSpi before = only(world[0])->spi_initiator;
        auto again = world[0].engine->reauth("to-2", world.now());
        REQUIRE(again);
        world.perform(world[0], std::move(*again));
        world.run(Instant{95'000});
        INFO("seed " << seed);
        check_up(world);
        REQUIRE(only(world[0]) != nullptr);
        CHECK(only(world[0])->initiator);
        CHECK(only(world[0])->spi_initiator != before);
        CHECK(talks(world));
    }
}

TEST_CASE("the gateway does not take a child's SAs: the peer is told, and neither end keeps half of it") {
    World world = offices();
    world[0].sad.refuse_next = true;
    up(world);
    world.settle();
    world.run(Instant{20'000});
    CHECK(world[0].sad.size() == 0);
    CHECK(world[1].sad.size() == 0);
    CHECK(count(world[0], IkeState::established) == 1);
    CHECK(world[0].said("the gateway does not take child offices-2"));
}

TEST_CASE("a responder narrows what it is asked for, and policies say what was agreed (RFC 7296 2.9)") {
    World world{6};
    auto mine = connection(1, 2);
    mine->children[0].local = {*Prefix::parse("10.1.0.0/16"), *Prefix::parse("10.7.0.0/16")};
    mine->children[0].remote = {*Prefix::parse("10.0.0.0/8")};
    world.add("tokyo", config_of({mine}));
    world.add("newyork", config_of({connection(2, 1)}));
    up(world);
    world.settle();
    check_up(world);
    const IkeSa* sa = only(world[0]);
    REQUIRE(sa != nullptr);
    REQUIRE(sa->children[0]->traffic.local.size() == 1);
    CHECK(sa->children[0]->traffic.local[0].low == Address::v4(10u << 24 | 1 << 16));
    REQUIRE(world[0].sad.spd().size() == 2);
    CHECK(talks(world));
}

TEST_CASE("traffic selectors that do not meet: TS_UNACCEPTABLE, told with both sides' (RFC 7296 2.9)") {
    World world{6};
    auto mine = connection(1, 2);
    mine->children[0].remote = {*Prefix::parse("172.16.0.0/16")};
    world.add("tokyo", config_of({mine}));
    world.add("newyork", config_of({connection(2, 1)}));
    up(world);
    world.settle();
    CHECK(count(world[0], IkeState::established) == 1);  // 1.2: the IKE SA stands
    CHECK(count(world[1], IkeState::established) == 1);
    CHECK(world[0].sad.size() + world[1].sad.size() == 0);
    CHECK(world[0].said("TS_UNACCEPTABLE; we asked for 10.1.0.0/16 === 172.16.0.0/16"));
    CHECK(world[1].said("the peer asks for 172.16.0.0/16 === 10.1.0.0/16"));
    CHECK(world[1].said("10.2.0.0/16 === 10.1.0.0/16"));
}

TEST_CASE("a shutdown tells the peers and leaves nothing behind (RFC 7296 1.4.1)") {
    World world = offices(StartAction::trap);
    up(world);
    world.settle();
    world.perform(world[0], world[0].engine->shut_down(world.now()));
    CHECK(world[0].engine->size() == 0);
    CHECK(world[0].sad.size() == 0);
    CHECK(world[0].sad.policies() == 0);
    world.run(Instant{60'000});
    CHECK(world[1].engine->size() == 0);
    CHECK(world[1].sad.size() == 0);
}

TEST_CASE("a reload leaves unchanged connections running, ends those that went and begins new ones") {
    World world = offices();
    up(world);
    world.settle();
    const std::uint64_t before = world.sent;
    auto same = connection(1, 2);
    world.perform(world[0],
                  world[0].engine->configure(config_of({same, connection(1, 3, StartAction::trap)}), world.now()));
    CHECK(world.sent == before);
    CHECK(talks(world));
    CHECK(world[0].sad.policies() == 4);
    world.perform(world[0], world[0].engine->configure(config_of({}), world.now()));
    world.settle();
    world.run(Instant{60'000});
    CHECK(world[0].engine->size() == 0);
    CHECK(world[0].sad.policies() == 0);
    CHECK(world[1].engine->size() == 0);
}
