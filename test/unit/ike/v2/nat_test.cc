// A NAT between the ends: it is seen, port 4500 is used, ESP goes in UDP, and a peer whose NAT gives him another port
// is followed when he himself says something new, and at nobody else's word (RFC 7296 2.23, 2.23.1).
#include "base/reader.h"
#include "catch.h"
#include "ike/v2/traffic.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

const Address outside = address_of(99);

/// In front of node 0. Its ports are the inner ones and `shift`; what comes to another one finds nobody.
struct Nat {
    std::uint16_t shift = 10'000;
    bool operator()(Datagram& d) const {
        if (d.local.address == address_of(1)) {
            d.local = {outside, static_cast<std::uint16_t>(d.local.port + shift)};
            return true;
        }
        if (d.remote.address != outside) return d.remote.address != address_of(1);
        if (d.remote.port != 500 + shift && d.remote.port != 4500 + shift) return false;
        d.remote = {address_of(1), static_cast<std::uint16_t>(d.remote.port - shift)};
        return true;
    }
};

std::shared_ptr<Connection> anybody() {
    auto c = connection(2, 1);
    c->remote.reset();
    return c;
}

void put(World& world, const Nat& nat) {
    world.tap = [&nat](Datagram& d) { return nat(d); };
}

const IkeSa& held(World& world, std::size_t node) {
    const IkeSa* const sa = only(world[node]);
    REQUIRE(sa != nullptr);
    return *sa;
}

void check_encapsulation(World& world, std::size_t node, std::uint16_t own_port, std::uint16_t peers_port) {
    for (const auto& [id, entry] : world[node].sad.sas()) {
        const bool outbound = id.source == address_of(static_cast<unsigned>(node) + 1);
        REQUIRE(entry.spec.udp);
        CHECK(entry.spec.udp->source_port == (outbound ? own_port : peers_port));
        CHECK(entry.spec.udp->destination_port == (outbound ? peers_port : own_port));
    }
}

}  // namespace

TEST_CASE("a NAT in front of the initiator: both see it, go to port 4500, and put ESP into UDP (RFC 7296 2.23)") {
    Nat nat;
    World world = two_offices(connection(1, 2), anybody(), 3);
    put(world, nat);
    bring_up(world);
    INFO(world.tail(20));
    REQUIRE(disagreement(world, 1, 1) == "");
    CHECK(held(world, 0).behind_nat);
    CHECK(!held(world, 0).peer_behind_nat);
    CHECK(!held(world, 1).behind_nat);
    CHECK(held(world, 1).peer_behind_nat);
    CHECK(held(world, 0).local == Endpoint{address_of(1), 4500});
    CHECK(held(world, 0).remote == Endpoint{address_of(2), 4500});
    CHECK(held(world, 1).remote == Endpoint{outside, 14'500});
    check_encapsulation(world, 0, 4500, 4500);
    check_encapsulation(world, 1, 4500, 14'500);
}

TEST_CASE("without a NAT nothing goes to port 4500, and ESP stands alone (RFC 7296 2.23)") {
    World world = two_offices(3);
    bring_up(world);
    CHECK(!held(world, 0).uses_udp());
    CHECK(!held(world, 1).uses_udp());
    for (const auto& [id, entry] : world[0].sad.sas()) CHECK(!entry.spec.udp);
    for (const Datagram& d : world.record) CHECK(d.remote.port == 500);
}

TEST_CASE("the NAT gives another port: the next new message moves the peer, and packets go there (RFC 7296 2.23)") {
    Nat nat;
    World world = two_offices(connection(1, 2), anybody(), 3);
    put(world, nat);
    bring_up(world);
    nat.shift = 20'000;
    world.run(Instant{100'000});  // somebody asks whether anybody is there
    INFO(world.tail(40));
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(held(world, 1).remote == Endpoint{outside, 24'500});
    check_encapsulation(world, 1, 4500, 24'500);
    CHECK(world[1].said("the peer moved from 20.0.0.99[14500] to 20.0.0.99[24500]"));
}

TEST_CASE("whoever is behind a NAT himself follows nobody (RFC 7296 2.23)") {
    Nat nat;
    World world = two_offices(connection(1, 2), anybody(), 3);
    put(world, nat);
    bring_up(world);
    world.tap = [&](Datagram& d) {  // somebody on the path gives the responder another address
        if (!nat(d)) return false;
        if (d.local.address == address_of(2)) d.local = {address_of(77), 7777};
        return true;
    };
    REQUIRE(order(world, 1, "rekey", "offices-1"));
    world.settle();
    CHECK(held(world, 0).remote == Endpoint{address_of(2), 4500});
}

TEST_CASE("without a NAT nobody is followed, however authentic his message (RFC 7296 2.23)") {
    World world = two_offices(3);
    bring_up(world);
    world.tap = [&](Datagram& d) {
        if (d.local.address == address_of(1)) d.local = {address_of(77), 7777};
        return true;
    };
    REQUIRE(order(world, 0, "rekey", "offices-2"));
    world.settle();
    CHECK(held(world, 1).remote == Endpoint{address_of(1), 500});
}

TEST_CASE("forged and repeated messages from elsewhere move nobody, not even true ones (RFC 7296 2.23)") {
    Nat nat;
    World world = two_offices(connection(1, 2), anybody(), 3);
    put(world, nat);
    bring_up(world);
    REQUIRE(order(world, 0, "rekey", "offices-2"));
    world.settle();
    const auto record = world.record;
    const Endpoint stranger{address_of(66), 6666};
    for (const Datagram& d : record) {
        if (d.local.address != address_of(1)) continue;
        Datagram again{{address_of(2), 4500}, stranger, d.octets};
        world.perform(world[1], world[1].engine->receive(again, world.now()));
        CHECK(held(world, 1).remote == Endpoint{outside, 14'500});
        again.octets.back() ^= std::byte{1};
        world.perform(world[1], world[1].engine->receive(again, world.now()));
        CHECK(held(world, 1).remote == Endpoint{outside, 14'500});
    }
    world.run(Instant{35'000});  // the repeated IKE_SA_INIT is forgotten as well
    CHECK(disagreement(world, 1, 1) == "");
}

TEST_CASE("a request that is repeated from the NAT's new port is answered there (RFC 7296 2.23)") {
    Nat nat;
    World world = two_offices(connection(1, 2), anybody(), 3);
    put(world, nat);
    bring_up(world);
    world.tap = [&](Datagram& d) {  // the answers to the old port are lost
        return nat.shift == 10'000 && d.local.address == address_of(2) ? false : nat(d);
    };
    REQUIRE(order(world, 0, "rekey", "offices-2"));
    world.run(Instant{100});
    nat.shift = 20'000;
    world.run(Instant{60'000});
    INFO(world.tail(40));
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(held(world, 1).remote == Endpoint{outside, 24'500});
}

TEST_CASE("AH does not pass a NAT, and is refused with the reason (RFC 7296 2.23)") {
    Nat nat;
    auto a = connection(1, 2), b = anybody();
    for (const auto& c : {a, b}) {
        c->children[0].protocol = ProtocolId::ah;
        c->children[0].proposals = {*parse_child_proposal(ProtocolId::ah, "sha256", LegacyAlgorithms::refused)};
    }
    World world = two_offices(a, b, 3);
    put(world, nat);
    bring_up(world);
    CHECK(world[0].sad.size() + world[1].sad.size() == 0);
    CHECK(world[0].said("NO_PROPOSAL_CHOSEN"));
    CHECK(world[1].said("AH does not pass the NAT between us"));
}

TEST_CASE("transport mode behind a NAT: each end's policies have the addresses that it sees (RFC 7296 2.23.1)") {
    Nat nat;
    auto a = connection(1, 2), b = anybody();
    for (const auto& c : {a, b}) {
        c->children[0].mode = Mode::transport;
        c->children[0].local.clear();
        c->children[0].remote.clear();
    }
    World world = two_offices(a, b, 3);
    put(world, nat);
    bring_up(world);
    INFO(world.tail(20));
    REQUIRE(held(world, 0).children.size() == 1);
    REQUIRE(held(world, 1).children.size() == 1);
    CHECK(text_of(held(world, 0).children[0]->traffic.local) == "20.0.0.1");
    CHECK(text_of(held(world, 0).children[0]->traffic.remote) == "20.0.0.2");
    CHECK(text_of(held(world, 1).children[0]->traffic.local) == "20.0.0.2");
    CHECK(text_of(held(world, 1).children[0]->traffic.remote) == "20.0.0.99");
    for (std::size_t i = 0; i < 2; ++i)
        for (const auto& [id, entry] : world[i].sad.sas()) CHECK(entry.spec.mode == Mode::transport);
    check_encapsulation(world, 1, 4500, 14'500);
    // and a rekey keeps to it
    REQUIRE(order(world, 1, "rekey", "offices-1"));
    world.run(Instant{20'000});
    INFO(world.tail(20));
    REQUIRE(held(world, 1).children.size() == 1);
    CHECK(text_of(held(world, 1).children[0]->traffic.remote) == "20.0.0.99");
    REQUIRE(order(world, 0, "rekey", "offices-2"));
    world.run(Instant{20'000});
    REQUIRE(held(world, 0).children.size() == 1);
    CHECK(world[0].sad.size() == 2);
    CHECK(world[1].sad.size() == 2);
}

TEST_CASE("a peer who moves to where another one's SA has his SPI cannot end it (RFC 7296 2.23)") {
    auto gateways = connection(2, 1);
    gateways->remote.reset();
    World world{77};
    world.add("mallory", config_of({connection(1, 2)}));
    world.add("gateway", config_of({connection(2, 3), gateways}));
    world.add("victim", config_of({connection(3, 2)}));
    Endpoint from{address_of(99),
                  10'000};  // as the gateway sees mallory: a NAT's address, and so much is added to ports
    Spi stolen{};
    world.tap = [&](Datagram& d) {
        const auto plus = [](std::uint16_t port, int n) { return static_cast<std::uint16_t>(port + n); };
        if (d.local.address == address_of(1)) {
            const auto header = parse_header(d.octets);
            if (stolen != Spi{} && header->exchange == ExchangeType::create_child_sa && !header->response)
                rewrite(world, d, [&](Opened& message) {
                    Octets spi;
                    Writer{spi}.u32(static_cast<std::uint32_t>(stolen));
                    get<Sa>(message.payloads)->proposals[0].spi = spi;
                });
            d.local = {from.address, plus(d.local.port, from.port)};
        } else if (d.remote.address == from.address && d.remote.port >= from.port) {
            d.remote = {address_of(1), plus(d.remote.port, -int{from.port})};
        }
        return true;
    };
    REQUIRE(order(world, 2, "up", "to-2"));
    world.settle();
    REQUIRE(order(world, 0, "up", "to-2"));
    world.settle();
    const auto reaches_victim = [&] { return world.ping(1, 2, packet_between(2, 3)); };
    REQUIRE(reaches_victim());
    stolen = only(world[2])->children[0]->inbound;
    REQUIRE(order(world, 0, "rekey", "offices-2"));
    world.run(Instant{10'000});
    CHECK(count_children(world[1], ChildSa::State::installed) == 2);
    stolen = Spi{};
    from = {address_of(3), 20'000};  // behind the victim's NAT, or with a source that he forged
    REQUIRE(order(world, 0, "rekey", "to-2"));
    world.run(Instant{10'000});
    CHECK(reaches_victim());
    REQUIRE(order(world, 0, "down", "to-2"));
    world.run(Instant{10'000});
    INFO(world.tail(30));
    CHECK(reaches_victim());
    CHECK(world[1].sad.size() == 2);
    for (const auto& [id, entry] : world[1].sad.sas())
        CHECK(world[1].engine->owns(id));  // and hears of their lifetimes
}
