// Addresses change while the SAs live (RFC 4555): by order, because a way is dead, behind a NAT, at either end; and
// what nobody may be moved by.
#include "ike/v2/mobike.h"

#include "catch.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

const Address second_of_tokyo = address_of(51), second_of_newyork = address_of(52), outside = address_of(99);

std::shared_ptr<Connection> mobile(unsigned local, unsigned remote, std::vector<Address> others = {}) {
    auto c = connection(local, remote);
    c->mobike = true;
    c->other_locals = std::move(others);
    return c;
}

/// Tokyo, which begins, may move to 20.0.0.51, newyork to 20.0.0.52.
World two_homes(bool ipcomp = false, std::vector<Address> of_newyork = {}) {
    auto a = mobile(1, 2, {second_of_tokyo}), b = mobile(2, 1, std::move(of_newyork));
    b->remote.reset();
    a->children[0].ipcomp = b->children[0].ipcomp = ipcomp;
    World world = two_offices(a, b, 21);
    world.addresses[second_of_tokyo] = 0;
    world.addresses[second_of_newyork] = 1;
    return world;
}

const IkeSa& held(World& world, std::size_t node) {
    const IkeSa* const sa = only(world[node]);
    REQUIRE(sa != nullptr);
    return *sa;
}

void move_tokyo(World& world, const Address& local) {
    auto moved = world[0].engine->move("to-2", local, world.now());
    REQUIRE(moved);
    world.perform(world[0], std::move(*moved));
}

/// Every SA of the gateway is between these two, and the policies lead there.
bool is_between(World& world, std::size_t node, const Address& own, const Address& peer) {
    for (const auto& [id, entry] : world[node].sad.sas()) {
        const bool inbound = id.destination == own && id.source == peer;
        const bool outbound = id.source == own && id.destination == peer;
        if (!inbound && !outbound) return false;
    }
    for (const Policy& policy : world[node].sad.spd()) {
        const bool out = policy.direction == Direction::outbound;
        const auto& ends = policy.requests[0].endpoints;
        if (!ends || (out ? ends->source : ends->destination) != own ||
            (out ? ends->destination : ends->source) != peer)
            return false;
    }
    const IkeSa* const sa = only(world[node]);
    return sa != nullptr && sa->local.address == own && sa->remote.address == peer;
}

std::set<Spi> spis(World& world, std::size_t node) {
    std::set<Spi> out;
    for (const auto& [id, entry] : world[node].sad.sas()) out.insert(id.spi);
    return out;
}

/// The wire between these two addresses is cut.
auto cut(const Address& a) {
    return [a](Datagram& d) { return d.local.address != a && d.remote.address != a; };
}

std::size_t count_on_wire(World& world, NotifyType type) {
    std::size_t n = 0;
    for (const Datagram& d : world.record)
        if (const auto opened = open(world, d)) n += find_notify(opened->payloads, type) != nullptr;
    return n;
}

/// Every INFORMATIONAL request that holds `type`, or its response, is changed on its way.
void change(World& world, NotifyType type, std::function<void(Payloads&)> how) {
    world.tap = [&world, type, how = std::move(how)](Datagram& d) {
        const auto opened = open(world, d);
        if (opened && opened->header.exchange == ExchangeType::informational && find_notify(opened->payloads, type))
            REQUIRE(rewrite(world, d, [&](Opened& o) { how(o.payloads); }));
        return true;
    };
}

}  // namespace

TEST_CASE(
    "MOBIKE is on when both ends say so, and then IKE is on port 4500 though there is no NAT (RFC 4555 3.2, 3.3)") {
    for (const bool first : {true, false})
        for (const bool second : {true, false}) {
            auto a = mobile(1, 2), b = mobile(2, 1);
            a->mobike = first;
            b->mobike = second;
            World world = two_offices(a, b, 22);
            bring_up(world);
            INFO(world.tail(20));
            CHECK(disagreement(world, 1, 1) == "");
            for (std::size_t node = 0; node < 2; ++node) {
                CHECK(held(world, node).mobike == (first && second));
                CHECK(held(world, node).local.port == (first ? 4500 : 500));
                CHECK(!held(world, node).uses_udp());
                for (const auto& [id, entry] : world[node].sad.sas()) CHECK(!entry.spec.udp);
            }
        }
}

TEST_CASE("by order the initiator moves with SPIs, keys and counts, and no packet is lost (RFC 4555 3.5)") {
    for (const bool ipcomp : {false, true}) {
        World world = two_homes(ipcomp);
        bring_up(world);
        REQUIRE(disagreement(world, 1, 1) == "");
        for (unsigned i = 0; i < 10; ++i) CHECK(both_talk(world));
        const auto before = spis(world, 0);
        move_tokyo(world, second_of_tokyo);
        for (unsigned i = 0; i < 30; ++i) {
            CHECK(both_talk(world));
            world.run(Instant{1});
        }
        INFO(world.tail(30));
        CHECK(is_between(world, 0, second_of_tokyo, address_of(2)));
        CHECK(is_between(world, 1, address_of(2), second_of_tokyo));
        CHECK(disagreement(world, 1, 1) == "");
        CHECK(spis(world, 0) == before);
        for (std::size_t node = 0; node < 2; ++node)
            for (const auto& [id, entry] : world[node].sad.sas()) CHECK(entry.packets >= 40);
        CHECK(count_on_wire(world, NotifyType::update_sa_addresses) == 1);
        CHECK(count_on_wire(world, NotifyType::cookie2) == 2);
        // and a rekey there, and back again
        REQUIRE(order(world, 1, "rekey", "offices-1"));
        world.run(Instant{10'000});
        CHECK(disagreement(world, 1, 1) == "");
        move_tokyo(world, address_of(1));
        world.run(Instant{100});
        CHECK(is_between(world, 1, address_of(2), address_of(1)));
        CHECK(disagreement(world, 1, 1) == "");
    }
}

TEST_CASE(
    "nothing of the children moves at the responder before the initiator has answered from there (RFC 4555 3.7)") {
    for (const bool missing : {false, true}) {
        World world = two_homes();
        bring_up(world);
        change(world, NotifyType::cookie2, [&](Payloads& payloads) {
            if (missing)
                drop(payloads, NotifyType::cookie2);
            else
                get<Notify>(payloads)->data.back() ^= std::byte{1};
        });
        // request and answer are both turned, which comes to the same; so the answer alone
        const auto both = world.tap;
        world.tap = [&, both](Datagram& d) { return !parse_header(d.octets)->response || both(d); };
        bool moved = false;
        move_tokyo(world, second_of_tokyo);
        for (unsigned i = 0; i < 1000; ++i) {
            world.run(Instant{1});
            for (const auto& [id, entry] : world[1].sad.sas())
                moved = moved || (id.source != address_of(1) && id.destination != address_of(1));
        }
        INFO(missing << "\n" << world.tail(20));
        CHECK_FALSE(moved);
        CHECK(world[1].said("the peer does not prove that he is at 20.0.0.51"));
        world.run(Instant{60'000});  // the IKE SA MUST be closed
        for (std::size_t node = 0; node < 2; ++node) CHECK(world[node].engine->size() == 0);
        CHECK(world[1].sad.size() == 0);
    }
}

TEST_CASE("a way that dies is noticed, and the SAs go on by another one (RFC 4555 3.10)") {
    World world = two_homes();
    bring_up(world);
    const auto before = spis(world, 0);
    world.tap = cut(address_of(1));
    world.run(Instant{120'000});
    INFO(world.tail(40));
    CHECK(is_between(world, 0, second_of_tokyo, address_of(2)));
    CHECK(is_between(world, 1, address_of(2), second_of_tokyo));
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(spis(world, 0) == before);
}

TEST_CASE("the responder's other addresses are told in IKE_AUTH, and used when his first dies (RFC 4555 3.4, 3.10)") {
    World world = two_homes(false, {second_of_newyork});
    bring_up(world);
    CHECK(std::ranges::count(held(world, 0).peer_addresses, second_of_newyork) == 1);
    CHECK(std::ranges::count(held(world, 1).peer_addresses, second_of_tokyo) == 1);
    world.tap = cut(address_of(2));
    world.run(Instant{120'000});
    INFO(world.tail(40));
    CHECK(is_between(world, 0, address_of(1), second_of_newyork));
    CHECK(is_between(world, 1, second_of_newyork, address_of(1)));
    CHECK(disagreement(world, 1, 1) == "");
}

TEST_CASE("behind a NAT at the new place ESP goes in UDP, and bare again at the old one (RFC 4555 3.5)") {
    World world = two_homes();
    bring_up(world);
    world.tap = [&](Datagram& d) {  // in front of tokyo's second address alone
        if (d.local.address == second_of_tokyo)
            d.local = {outside, 14'500};
        else if (d.remote == Endpoint{outside, 14'500})
            d.remote = {second_of_tokyo, 4500};
        return true;
    };
    move_tokyo(world, second_of_tokyo);
    world.run(Instant{1'000});
    INFO(world.tail(30));
    CHECK(held(world, 0).behind_nat);
    CHECK(held(world, 1).peer_behind_nat);
    CHECK(held(world, 1).remote == Endpoint{outside, 14'500});
    for (const auto& [id, entry] : world[1].sad.sas()) {
        const bool outbound = id.destination == outside;
        REQUIRE(entry.spec.udp);
        CHECK((outbound ? entry.spec.udp->destination_port : entry.spec.udp->source_port) == 14'500);
    }
    CHECK(disagreement(world, 1, 1) == "");
    move_tokyo(world, address_of(1));
    world.run(Instant{1'000});
    CHECK(!held(world, 0).uses_udp());
    CHECK(!held(world, 1).uses_udp());
    for (const auto& [id, entry] : world[1].sad.sas()) CHECK(!entry.spec.udp);
    CHECK(disagreement(world, 1, 1) == "");
}

TEST_CASE(
    "a NAT that changes its mind is told of by whoever is behind it; no packet alone moves anybody (RFC 4555 3.8)") {
    World world = two_homes();
    std::uint16_t port = 14'500;
    world.tap = [&](Datagram& d) {
        if (d.local.address == address_of(1)) {
            d.local = {outside, d.local.port == 500 ? std::uint16_t{10'500} : port};
            return true;
        }
        if (d.remote.address != outside) return d.remote.address != address_of(1);
        if (d.remote.port != port && d.remote.port != 10'500) return false;
        d.remote = {address_of(1), d.remote.port == 10'500 ? std::uint16_t{500} : std::uint16_t{4500}};
        return true;
    };
    bring_up(world);
    world.run(Instant{40'000});  // how newyork sees it is known by now
    REQUIRE(disagreement(world, 1, 1) == "");
    const auto before = spis(world, 0);
    port = 24'500;
    REQUIRE(order(world, 0, "rekey", "to-2"));  // an authentic request from the new port
    world.run(Instant{200});
    CHECK(held(world, 1).remote == Endpoint{outside, 14'500});
    world.run(Instant{100'000});
    INFO(world.tail(40));
    CHECK(held(world, 1).remote == Endpoint{outside, 24'500});
    CHECK(spis(world, 0) == before);
    CHECK(disagreement(world, 1, 1) == "");
    port = 34'500;
    REQUIRE(order(world, 0, "rekey", "offices-2"));  // it ends with a Delete, and that asks as well
    world.run(Instant{200});
    CHECK(held(world, 1).remote == Endpoint{outside, 34'500});
}

TEST_CASE("where NATs are forbidden a translated move is refused, and undone (RFC 4555 3.9)") {
    World world = two_homes();
    bring_up(world);
    change(world, NotifyType::update_sa_addresses, [](Payloads& payloads) {
        payloads.emplace_back(no_nats_allowed({{address_of(77), 4500}, {address_of(2), 4500}}));
    });
    move_tokyo(world, second_of_tokyo);
    world.run(Instant{1'000});
    INFO(world.tail(20));
    CHECK(world[0].said("UNEXPECTED_NAT_DETECTED"));
    world.tap = nullptr;
    CHECK(is_between(world, 0, address_of(1), address_of(2)));
    CHECK(is_between(world, 1, address_of(2), address_of(1)));
    change(world, NotifyType::update_sa_addresses, [](Payloads& payloads) {
        payloads.emplace_back(no_nats_allowed({{second_of_tokyo, 4500}, {address_of(2), 4500}}));
    });
    move_tokyo(world, second_of_tokyo);
    world.run(Instant{1'000});
    CHECK(is_between(world, 1, address_of(2), second_of_tokyo));
}

TEST_CASE(
    "a move to an address that is none of the responder's own is UNACCEPTABLE_ADDRESSES, and undone (RFC 4555 3.5)") {
    World world = two_homes();
    world.tap = [&](Datagram& d) {  // newyork is said to have an address that its connection does not know
        const auto header = parse_header(d.octets);
        if (header->exchange == ExchangeType::ike_auth && header->response)
            REQUIRE(
                rewrite(world, d, [](Opened& o) { o.payloads.emplace_back(additional_address(second_of_newyork)); }));
        return true;
    };
    bring_up(world);
    world.tap = cut(address_of(2));
    world.run(Instant{60'000});
    INFO(world.tail(30));
    CHECK(world[0].said("UNACCEPTABLE_ADDRESSES"));
    world.tap = nullptr;
    CHECK(!is_between(world, 0, address_of(1), second_of_newyork));
    CHECK(!is_between(world, 1, second_of_newyork, address_of(1)));
}

TEST_CASE(
    "the initiator alone decides: the responder cannot move, and his UPDATE_SA_ADDRESSES moves nobody (RFC 4555 3.5)") {
    World world = two_homes(false, {second_of_newyork});
    bring_up(world);
    const auto refused = world[1].engine->move("to-1", second_of_newyork, world.now());
    REQUIRE(!refused);
    CHECK(refused.error().message.find("the peer began it") != std::string::npos);
    world.tap = [&](Datagram& d) {
        const auto opened = open(world, d);
        if (d.local.address == address_of(2) && opened && !opened->header.response &&
            opened->header.exchange == ExchangeType::informational) {
            REQUIRE(
                rewrite(world, d, [](Opened& o) { o.payloads.emplace_back(notify(NotifyType::update_sa_addresses)); }));
            d.local.address = second_of_newyork;
        }
        return true;
    };
    world.run(Instant{200'000});  // newyork asks whether tokyo is there
    CHECK(is_between(world, 0, address_of(1), address_of(2)));
    // and whoever began stays who he is when the other end rekeys the IKE SA
    world.tap = nullptr;
    REQUIRE(order(world, 1, "rekey", "to-1"));
    world.run(Instant{100});
    CHECK(!held(world, 0).initiator);
    move_tokyo(world, second_of_tokyo);
    world.run(Instant{100});
    CHECK(is_between(world, 1, address_of(2), second_of_tokyo));
}

TEST_CASE("copies of true messages from elsewhere, and answers from strangers' addresses, move nobody (RFC 4555 5.1)") {
    World world = two_homes();
    bring_up(world);
    world.tap = [&](Datagram& d) {  // somebody on the path gives every message another source
        if (d.local.address == address_of(1) || d.local.address == address_of(2)) d.local = {address_of(77), 7777};
        return true;
    };
    REQUIRE(order(world, 0, "rekey", "to-2"));
    world.run(Instant{100});
    REQUIRE(order(world, 1, "rekey", "offices-1"));
    world.run(Instant{100});
    INFO(world.tail(30));
    for (std::size_t node = 0; node < 2; ++node)
        world[node].engine->each([&](const IkeSa& sa) { CHECK(sa.remote.address == address_of(node == 0 ? 2 : 1)); });
}

TEST_CASE("an order to move that cannot be says why") {
    World plain = two_offices(23);
    bring_up(plain);
    CHECK(plain[0].engine->move("to-2", second_of_tokyo, plain.now()).error().message.find("mobike = true") !=
          std::string::npos);
    World world = two_homes();
    CHECK(world[0].engine->move("to-2", second_of_tokyo, world.now()).error().message == "to-2 is not up");
    bring_up(world);
    CHECK(world[0].engine->move("to-2", address_of(66), world.now()).error().message.find("other_locals") !=
          std::string::npos);
    const std::size_t sent = world.record.size();
    move_tokyo(world, address_of(1));  // where it is
    CHECK(world.record.size() == sent);
}

TEST_CASE(
    "where an operator has an SA of that name a move leaves it alone, and the child gets another SPI (RFC 4555 3.5)") {
    World world = two_homes();
    bring_up(world);
    const control::SaId taken{address_of(2), second_of_tokyo, IpsecProtocol::esp, held(world, 1).children[0]->outbound};
    control::SaSpec manual;
    manual.id = taken;
    manual.cipher_key = SecretBytes{16};
    std::vector<control::Operation> by_hand;
    by_hand.emplace_back(control::AddSa{std::move(manual)});
    REQUIRE(world[1].sad.apply(std::move(by_hand)));
    const auto untouched = [&] { return world[1].sad.sas().contains(taken); };
    move_tokyo(world, second_of_tokyo);
    world.run(Instant{20'000});
    INFO(world.tail(30));
    CHECK(untouched());
    CHECK(world[1].said("the gateway does not take child offices-1"));
    CHECK(both_talk(world));
    REQUIRE(held(world, 1).children.size() == 1);
    CHECK(held(world, 1).children[0]->outbound != taken.spi);
    CHECK(held(world, 1).children[0]->ends == Endpoints{address_of(2), second_of_tokyo});
    CHECK(world[1].sad.size() == 3);
    REQUIRE(order(world, 0, "down", "to-2"));
    world.run(Instant{20'000});
    CHECK(untouched());
    CHECK(world[1].sad.size() == 1);
    CHECK(world[1].sad.policies() == 0);
    CHECK(world[0].sad.size() == 0);
}

TEST_CASE("two moves in a row end at the second, whatever is lost (RFC 4555 3.5)") {
    for (unsigned lost = 0; lost < 12; ++lost) {
        World world = two_homes();
        bring_up(world);
        unsigned n = 0;
        world.tap = [&](Datagram&) { return n++ != lost; };
        move_tokyo(world, second_of_tokyo);
        world.run(Instant{2});
        move_tokyo(world, address_of(1));
        world.run(Instant{1});
        move_tokyo(world, second_of_tokyo);
        world.run(Instant{60'000});
        INFO(lost << "\n" << world.tail(30));
        CHECK(is_between(world, 0, second_of_tokyo, address_of(2)));
        CHECK(is_between(world, 1, address_of(2), second_of_tokyo));
        CHECK(disagreement(world, 1, 1) == "");
    }
}

TEST_CASE("which copy of an UPDATE_SA_ADDRESSES the peer took nobody knows, and he is told again (RFC 4555 3.10)") {
    World world = two_homes(false, {second_of_newyork});
    bring_up(world);
    bool arrived = false, lost = false;
    world.tap = [&](Datagram& d) {  // a copy by another way is the first that arrives, and its answer is lost
        const auto opened = open(world, d);
        if (opened && find_notify(opened->payloads, NotifyType::update_sa_addresses) != nullptr && !arrived) {
            arrived = d.remote.address == second_of_newyork;
            return arrived;
        }
        if (!arrived || lost || d.local.address != second_of_newyork) return true;
        lost = true;
        return false;
    };
    move_tokyo(world, second_of_tokyo);
    world.run(Instant{60'000});
    INFO(world.tail(40));
    CHECK((arrived && lost));
    CHECK(held(world, 0).remote == held(world, 1).local);
    CHECK(held(world, 0).local == held(world, 1).remote);
    CHECK(disagreement(world, 1, 1) == "");
}

TEST_CASE("a move meets a rekey of either kind by either end, and both come to their end (RFC 4555 3.5)") {
    for (const std::string what : {"to-2", "offices-2", "to-1", "offices-1"})
        for (unsigned delay = 0; delay < 6; ++delay)
            for (const bool first : {true, false}) {
                World world = two_homes();
                bring_up(world);
                const std::size_t who = what.ends_with("2") ? 0 : 1;
                if (first) {
                    move_tokyo(world, second_of_tokyo);
                    world.run(Instant{delay});
                    REQUIRE(order(world, who, "rekey", what));
                } else {
                    REQUIRE(order(world, who, "rekey", what));
                    world.run(Instant{delay});
                    move_tokyo(world, second_of_tokyo);
                }
                world.run(Instant{50'000});
                INFO(what << " " << delay << " " << first << "\n" << world.tail(40));
                CHECK(is_between(world, 0, second_of_tokyo, address_of(2)));
                CHECK(is_between(world, 1, address_of(2), second_of_tokyo));
                CHECK(disagreement(world, 1, 1) == "");
            }
}

TEST_CASE("of other addresses those that can be somebody's are read, sixteen at most (RFC 4555 3.6, 4.2.2, 4.2.3)") {
    CHECK(!additional_addresses({}));
    CHECK(additional_addresses({notify(NotifyType::no_additional_addresses)})->empty());
    const auto of = [](NotifyType type, std::size_t octets, unsigned first = 20) {
        Octets data(octets, std::byte{1});
        if (!data.empty()) data[0] = std::byte(first);
        return notify(type, data);
    };
    using enum NotifyType;
    for (const std::size_t octets : {0, 3, 5, 16})
        CHECK(additional_addresses({of(additional_ip4_address, octets)})->empty());
    for (const std::size_t octets : {0, 4, 15, 17})
        CHECK(additional_addresses({of(additional_ip6_address, octets)})->empty());
    for (const unsigned first : {224, 239, 255})
        CHECK(additional_addresses({of(additional_ip4_address, 4, first)})->empty());
    CHECK(additional_addresses({of(additional_ip6_address, 16, 0xff)})->empty());
    CHECK(additional_addresses({of(additional_ip4_address, 4), of(additional_ip4_address, 4)})->size() == 1);
    CHECK(additional_addresses({of(additional_ip6_address, 16)})->at(0).text() == "1401:101:101:101:101:101:101:101");
    Payloads many;
    for (unsigned i = 1; i < 60; ++i) many.emplace_back(additional_address(address_of(i)));
    CHECK(additional_addresses(many)->size() == limits::additional_addresses);
}

TEST_CASE("COOKIE2 comes back as it was, but for those of a length that cannot be (RFC 4555 3.7, 4.2.5)") {
    for (const std::size_t octets : {0, 7, 8, 16, 64, 65, 500}) {
        World world = two_homes();
        bring_up(world);
        const Octets cookie(octets, std::byte{7});
        std::optional<Payloads> answer;
        world.tap = [&](Datagram& d) {
            const auto opened = open(world, d);
            if (!opened || opened->header.exchange != ExchangeType::informational) return true;
            if (opened->header.response)
                answer = opened->payloads;
            else
                REQUIRE(rewrite(world, d,
                                [&](Opened& o) { o.payloads.emplace_back(notify(NotifyType::cookie2, cookie)); }));
            return true;
        };
        world.run(Instant{60'000});
        REQUIRE(answer.has_value());
        const Notify* const back = find_notify(*answer, NotifyType::cookie2);
        CHECK((back != nullptr && back->data == cookie) == (octets >= 8 && octets <= 64));
    }
}
