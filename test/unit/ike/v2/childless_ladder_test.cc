// IKE SAs without a child (RFC 6023): a responder announces that it takes them, an initiator that hears so makes the
// IKE SA alone, and children come by CREATE_CHILD_SA, each with a key exchange of its own if it has one.
#include "catch.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

std::shared_ptr<Connection> childless(unsigned local, unsigned remote, StartAction start = StartAction::none) {
    auto c = connection(local, remote, start);
    c->childless = true;
    c->children[0].proposals = {
        *parse_child_proposal(ProtocolId::esp, "aes128gcm16-x25519", LegacyAlgorithms::refused)};
    return c;
}
std::shared_ptr<Connection> without_children(unsigned local, unsigned remote) {
    auto c = connection(local, remote);
    c->children.clear();
    return c;
}

/// What was said in IKE_AUTH and CREATE_CHILD_SA so far, in order: "IKE_AUTH request: IDi AUTH ...".
std::string said(World& world) {
    std::string out;
    for (const Datagram& datagram : world.record)
        if (auto opened = open(world, datagram); opened && opened->header.exchange != ExchangeType::informational)
            out += name_of(opened->header.exchange) + (opened->header.response ? " response: " : " request: ") +
                   brief(opened->payloads) + "\n";
    return out;
}
bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// Takes the responder's word away, as from a peer that does not know RFC 6023.
void strip_announcement(World& world) {
    world.tap = [&world](Datagram& datagram) {
        const auto header = parse_header(datagram.octets);
        if (header->exchange == ExchangeType::ike_sa_init && header->response)
            rewrite(world, datagram, [](Opened& opened) {
                std::erase_if(opened.payloads, [](const Payload& payload) {
                    const auto* n = std::get_if<Notify>(&payload);
                    return n != nullptr && n->type == NotifyType::childless_ikev2_supported;
                });
            });
        return true;
    };
}

}  // namespace

TEST_CASE("a responder announces that it takes IKE SAs without a child, an initiator need not (RFC 6023 3)") {
    World world = two_offices(2);
    bring_up(world);
    for (const Datagram& datagram : world.record) {
        const auto opened = open(world, datagram);
        if (!opened || opened->header.exchange != ExchangeType::ike_sa_init) continue;
        CHECK((find_notify(opened->payloads, NotifyType::childless_ikev2_supported) != nullptr) ==
              opened->header.response);
    }
    CHECK(holds(said(world), "IKE_AUTH request: IDi AUTH N(INITIAL_CONTACT) SA TSi TSr N(NON_FIRST_FRAGMENTS_ALSO)\n"));
}

TEST_CASE("a connection without children makes the IKE SA alone (RFC 6023 4)") {
    World world = two_offices(without_children(1, 2), connection(2, 1), 2);
    bring_up(world);
    INFO(world.tail(20));
    CHECK(disagreement(world, 1, 0) == "");
    CHECK(holds(said(world), "IKE_AUTH request: IDi AUTH N(INITIAL_CONTACT)\nIKE_AUTH response: IDr AUTH\n"));
    REQUIRE(order(world, 0, "rekey", "to-2"));
    world.run(Instant{40'000});
    CHECK(disagreement(world, 1, 0) == "");
    REQUIRE(order(world, 1, "up", "offices-1"));  // the peer asks for one, and we have none like it
    world.run(Instant{1'000});
    CHECK(world[1].said("TS_UNACCEPTABLE"));
}

TEST_CASE("with childless, the first child too is made by CREATE_CHILD_SA, with a key exchange (RFC 6023, 1.3.1)") {
    World world = two_offices(childless(1, 2), childless(2, 1), 2);
    bring_up(world);
    INFO(world.tail(20));
    CHECK(disagreement(world, 1, 1) == "");
    const std::string all = said(world);
    INFO(all);
    CHECK(holds(all, "IKE_AUTH request: IDi AUTH N(INITIAL_CONTACT)\nIKE_AUTH response: IDr AUTH\n"));
    CHECK(holds(all,
                "CREATE_CHILD_SA request: SA No KE TSi TSr N(NON_FIRST_FRAGMENTS_ALSO)\nCREATE_CHILD_SA response: SA "
                "No KE TSi TSr N(NON_FIRST_FRAGMENTS_ALSO)\n"));
    CHECK(only(world[0])->children[0]->suite.ke == KeMethod::x25519);
}

TEST_CASE("a childless connection that starts by itself, traps or is authenticated anew has its child (RFC 6023)") {
    for (const StartAction start : {StartAction::start, StartAction::trap}) {
        World world = two_offices(childless(1, 2, start), childless(2, 1), 2);
        if (start == StartAction::trap) CHECK(!world.ping(0, 1, packet_between(1, 2)));
        world.settle();
        INFO(world.tail(20));
        CHECK(disagreement(world, 1, 1) == "");
        REQUIRE(order(world, 0, "reauth", "to-2"));
        world.run(Instant{40'000});
        CHECK(disagreement(world, 1, 1) == "");
    }
}

TEST_CASE("a childless IKE SA whose messages are lost still comes to its child (RFC 6023, RFC 7296 2.1)") {
    for (std::size_t lost = 0; lost < 6; ++lost) {
        World world = two_offices(childless(1, 2), childless(2, 1), 2);
        std::size_t seen = 0;
        world.tap = [&](Datagram&) { return seen++ != lost; };
        bring_up(world);
        world.run(Instant{10'000});
        INFO(lost << world.tail(20));
        CHECK(disagreement(world, 1, 1) == "");
    }
}

TEST_CASE("to a peer that announces nothing the first child goes with IKE_AUTH (RFC 6023 3)") {
    World world = two_offices(childless(1, 2), childless(2, 1), 2);
    strip_announcement(world);
    bring_up(world);
    std::string asked;
    for (const Tell& tell : world[1].told) asked += tell.text + "\n";
    INFO(asked);
    CHECK(world[1].said("child offices-1"));             // it was in IKE_AUTH
    CHECK(world[0].said("the pre-shared keys differ"));  // whose AUTH covers what was taken away on the way
    world.run(Instant{90'000});
    CHECK(world[0].engine->size() + world[1].engine->size() == 0);
}

TEST_CASE("without children nothing is sent to a peer that announces nothing, and the operator is told (RFC 6023 3)") {
    World world = two_offices(without_children(1, 2), connection(2, 1), 2);
    strip_announcement(world);
    bring_up(world);
    INFO(world.tail(20));
    CHECK(world[0].engine->size() == 0);
    CHECK(world[0].said("the peer takes no IKE SA without a child"));
    CHECK(world.record.size() == 2);
}
