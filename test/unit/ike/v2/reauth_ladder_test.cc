// An IKE SA begun again from the beginning (RFC 7296 2.8.3): by its age, by order, or because the peer rekeys nothing.
// The new one has all that the old one had, whoever rekeyed it in between and whatever is unique.
#include "catch.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

PacketSelector packet_of(unsigned child, unsigned from, unsigned to) {
    PacketSelector packet = packet_between(from, to);
    packet.source = Address::v4(10u << 24 | from << 16 | child << 8 | 5);
    packet.destination = Address::v4(10u << 24 | to << 16 | child << 8 | 5);
    return packet;
}

bool all_talk(World& world, unsigned children) {
    for (unsigned i = 0; i < children; ++i)
        if (!world.ping(0, 1, packet_of(i, 1, 2)) || !world.ping(1, 0, packet_of(i, 2, 1))) return false;
    return true;
}

std::size_t authentications(const World& world) {
    return static_cast<std::size_t>(std::ranges::count_if(world.record, [](const Datagram& d) {
        const auto header = parse_header(d.octets);
        return header->exchange == ExchangeType::ike_auth && !header->response;
    }));
}

/// Time goes by; how long node 0 had no child that carries packets.
Instant without_child(World& world, Instant time) {
    constexpr Instant step{1000};
    Instant gap{};
    for (Instant gone{}; gone < time; gone += step) {
        world.run(step);
        if (!both_talk(world)) gap += step;
    }
    return gap;
}

}  // namespace

TEST_CASE("a reauthentication brings every child along, and no packet of any is lost (RFC 7296 2.8.3)") {
    constexpr unsigned children = 12;
    for (const Instant delay : {Instant{1}, Instant{300}}) {  // then the children take longer than the old one stays
        World world = two_offices(with_children(1, 2, children), with_children(2, 1, children), 5);
        world.least_delay = world.most_delay = delay;
        bring_up(world);
        REQUIRE(disagreement(world, 1, children) == "");
        const IkeSaId before = only(world[0])->id;
        REQUIRE(order(world, 0, "reauth", "to-2"));
        for (unsigned i = 0; i < 200; ++i) {
            world.run(Instant{100});
            INFO(delay.count() << " ms, " << i << "\n" << world.tail(20));
            REQUIRE(all_talk(world, children));
        }
        world.run(Instant{60'000});
        CHECK(disagreement(world, 1, children) == "");
        REQUIRE(only(world[0]) != nullptr);
        CHECK(only(world[0])->id > before);
    }
}

TEST_CASE("reauthentication goes on by whoever began, whichever end rekeys the IKE SA in between (RFC 7296 2.8.3)") {
    for (const std::size_t rekeyer : {0u, 1u}) {
        auto mine = connection(1, 2), other = connection(2, 1);
        mine->reauth_seconds = 500;
        World world = two_offices(mine, other, 6);
        bring_up(world);
        for (unsigned i = 0; i < 6; ++i) {
            REQUIRE(order(world, rekeyer, "rekey", rekeyer == 0 ? "to-2" : "to-1"));
            world.run(Instant{500'000});
        }
        INFO("rekeyed by " << rekeyer);
        CHECK(authentications(world) >= 6);
        world.run(Instant{20'000});
        CHECK(both_talk(world));
    }
}

TEST_CASE("reauthentication leaves one IKE SA, whatever is unique (RFC 7296 2.4, 2.8.3)") {
    for (const auto unique : {Uniqueness::replace, Uniqueness::keep, Uniqueness::never}) {
        auto mine = connection(1, 2), other = connection(2, 1);
        mine->uniqueness = other->uniqueness = unique;
        mine->reauth_seconds = 100;
        World world = two_offices(mine, other, 7);
        bring_up(world);
        const IkeSaId first = only(world[0])->id;
        world.run(Instant{1'000'000});
        INFO(static_cast<int>(unique) << "\n" << world.tail(20));
        CHECK(authentications(world) >= 10);
        CHECK(world[0].engine->find(first) == nullptr);
        for (std::size_t i = 0; i < 2; ++i) CHECK(world[i].engine->size() <= 2);  // the next may be under way
        CHECK(both_talk(world));
    }
}

TEST_CASE("a rekey while the reauthentication is under way: the rekeyed IKE SA is the one that goes") {
    for (const auto unique : {Uniqueness::replace, Uniqueness::never})
        for (const Instant head_start : {Instant{0}, Instant{50}, Instant{150}}) {
            auto mine = connection(1, 2), other = connection(2, 1);
            mine->uniqueness = other->uniqueness = unique;
            World world = two_offices(mine, other, 8);
            world.least_delay = world.most_delay = Instant{50};
            bring_up(world);
            REQUIRE(order(world, 1, "rekey", "to-1"));
            world.run(head_start);
            REQUIRE(order(world, 0, "reauth", "to-2"));
            world.run(Instant{60'000});
            INFO(static_cast<int>(unique) << " " << head_start.count() << "\n" << world.tail(30));
            CHECK(disagreement(world, 1, 1) == "");
            CHECK(only(world[0])->initiator);
        }
}

TEST_CASE("a peer that rekeys nothing gets a new IKE SA in time: the traffic never stops (RFC 7296 4)") {
    for (const bool ike : {false, true}) {
        auto mine = connection(1, 2), other = connection(2, 1);
        (ike ? mine->rekey_seconds : mine->children[0].rekey_seconds) = 100;
        mine->children[0].life_seconds = 200;
        if (ike) mine->children[0].rekey_seconds = mine->children[0].life_seconds = 0;
        other->rekey_seconds = other->children[0].rekey_seconds = other->children[0].life_seconds = 0;
        World world = two_offices(mine, other, 9);
        world.tap = [&](Datagram& d) {
            const auto header = parse_header(d.octets);
            if (header->response && header->exchange == ExchangeType::create_child_sa)
                rewrite(world, d, [](Opened& m) { m.payloads = {notify(NotifyType::no_additional_sas)}; });
            return true;
        };
        bring_up(world);
        INFO("ike " << ike << "\n" << world.tail(20));
        CHECK(without_child(world, Instant{1'000'000}) == Instant{});
        CHECK(authentications(world) >= 9);
        CHECK(world[0].engine->size() <= 2);
    }
}
