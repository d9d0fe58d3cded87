// A long chain of certificates makes IKE_AUTH go in fragments: each lost once, all of them twice, or in any order (RFC
// 7383 2.3, 2.5, 2.6).
#include "../credentials/authority.h"
#include "catch.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

/// Offices whose certificates stand below two authorities of long names.
std::shared_ptr<Connection> long_chain(unsigned local, unsigned remote) {
    static const made::Issuer head = made::root(made::authority("CN=Head"), made::key("RSA 2048"));
    static const made::Issuer middle = made::issue_authority(
        head, made::authority("O=" + std::string(60, 'm') + ", CN=Middle"), made::key("RSA 2048 2"));
    static const made::Issuer low = made::issue_authority(
        middle, made::authority("O=" + std::string(60, 'l') + ", CN=Low"), made::key("RSA 2048 3"));
    made::Wish wish;
    wish.alternative = "DNS:gw" + std::to_string(local) + ".example.com";
    const made::Key key = made::key("RSA 2048 4");
    auto c = connection(local, remote);
    c->local_id = *parse_id("gw" + std::to_string(local) + ".example.com");
    c->remote_id = *parse_id("gw" + std::to_string(remote) + ".example.com");
    c->local_auth = c->remote_auth = AuthWay::certificate;
    auto own = OwnKey::make(PrivateKey{key}, {made::issue(low, wish, key), low.certificate, middle.certificate});
    REQUIRE(own);
    c->own_key = std::make_shared<const OwnKey>(std::move(*own));
    auto store = std::make_shared<TrustStore>(made::context());
    store->add_authority(head.certificate);
    c->trust = store;
    return c;
}

World chained() { return two_offices(long_chain(1, 2), long_chain(2, 1), 9); }

std::size_t largest_of_auth(const World& world) {
    std::size_t largest = 0;
    for (const Datagram& d : world.record)
        if (parse_header(d.octets)->exchange == ExchangeType::ike_auth) largest = std::max(largest, d.octets.size());
    return largest;
}

std::size_t of_auth(const World& world) {
    return static_cast<std::size_t>(std::ranges::count_if(
        world.record, [](const Datagram& d) { return parse_header(d.octets)->exchange == ExchangeType::ike_auth; }));
}

}  // namespace

TEST_CASE("a long chain of certificates goes in fragments that every path takes (RFC 7383 2.5.1)") {
    World world = chained();
    bring_up(world);
    INFO(world.tail(30));
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(of_auth(world) > 6);
    CHECK(largest_of_auth(world) <= 576 - 28);
}

TEST_CASE("whichever fragment is lost, all of them come again, and there are SAs (RFC 7383 2.6.1)") {
    std::size_t fragments = 2;
    for (std::size_t lost = 0; lost < fragments; ++lost) {
        World world = chained();
        std::size_t seen = 0;
        world.tap = [&](Datagram& d) {
            return parse_header(d.octets)->exchange != ExchangeType::ike_auth || seen++ != lost;
        };
        bring_up(world);
        world.run(Instant{10'000});
        if (lost == 0) fragments = of_auth(world) * 2 / 3;  // the request's twice, the answer's once
        INFO("lost " << lost << "\n" << world.tail(30));
        CHECK(disagreement(world, 1, 1) == "");
    }
    CHECK(fragments > 6);
}

TEST_CASE("fragments that come twice or in another order make the same message (RFC 7383 2.6)") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        World world = two_offices(long_chain(1, 2), long_chain(2, 1), seed);
        world.repeat = 0.5;
        world.most_delay = Instant{300};
        bring_up(world);
        world.run(Instant{10'000});
        INFO("seed " << seed << "\n" << world.tail(30));
        CHECK(disagreement(world, 1, 1) == "");
    }
}

TEST_CASE("a fragment that is forged spoils nothing (RFC 7383 2.6)") {
    World world = chained();
    world.tap = [&](Datagram& d) {
        if (parse_header(d.octets)->exchange != ExchangeType::ike_auth) return true;
        Datagram forged = d;
        forged.octets[forged.octets.size() / 2] ^= std::byte{1};
        world.flights.push_back({world.clock + Instant{1}, 0, forged});  // in front of the true one
        return true;
    };
    bring_up(world);
    CHECK(disagreement(world, 1, 1) == "");
}

TEST_CASE("fragmentation that either end has off is not said, and no message is cut (RFC 7383 2.3)") {
    for (const std::size_t off : {0u, 1u, 2u}) {
        auto a = long_chain(1, 2), b = long_chain(2, 1);
        a->fragmentation = off == 1;
        b->fragmentation = off == 0;
        World world = two_offices(a, b, 9);
        bring_up(world);
        INFO(off);
        CHECK(disagreement(world, 1, 1) == "");
        CHECK(of_auth(world) == 2);
        for (std::size_t i = 0; i < 2; ++i) {
            const auto init = open(world, world.record[i]);
            REQUIRE(init);
            const bool said = find_notify(init->payloads, NotifyType::ikev2_fragmentation_supported) != nullptr;
            CHECK(said == (i == 0 ? off == 1 : off == 0));
        }
    }
}

TEST_CASE("fragments of a peer to whom we have not said that we take them are no message (RFC 7383 2.3)") {
    auto a = long_chain(1, 2), b = long_chain(2, 1);
    b->fragmentation = false;
    World world = two_offices(a, b, 9);
    world.tap = [&](Datagram& d) {  // the answer is made to say that they may come
        return !parse_header(d.octets)->response || parse_header(d.octets)->exchange != ExchangeType::ike_sa_init ||
               rewrite(world, d, [](Opened& answer) {
                   answer.payloads.emplace_back(notify(NotifyType::ikev2_fragmentation_supported));
               });
    };
    bring_up(world);
    CHECK(of_auth(world) > 6);
    CHECK(count(world[1], IkeState::established) == 0);
    CHECK(world[1].sad.size() == 0);
}
