// A reload with other keys, authorities and revocation lists: they are what peers are believed by from then on, and IKE
// SAs end for which they change something, no others.
#include "../credentials/authority.h"
#include "catch.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

std::shared_ptr<Connection> with_keys(std::shared_ptr<Connection> c, const std::string& text) {
    c->shared_keys = std::make_shared<SharedKeys>(*SharedKeys::parse(text, "psk.txt"));
    return c;
}

/// Of whoever calls: no address, no identity.
std::shared_ptr<Connection> of_anybody(const std::string& keys) {
    auto c = with_keys(connection(1, 2), keys);
    c->name = "anybody";
    c->remote.reset();
    c->children[0].local = {Prefix::parse("10.1.0.0/16").value()};
    c->children[0].remote = {Prefix::parse("10.0.0.0/8").value()};
    return c;
}

void reload(World& world, std::size_t node, std::vector<std::shared_ptr<const Connection>> connections) {
    world.perform(world[node], world[node].engine->configure(config_of(std::move(connections)), world.now()));
}

const made::Issuer& head() {
    static const made::Issuer issuer = made::root(made::authority("C=JP, O=Example, CN=Head"), made::key("P-256"));
    return issuer;
}

/// The office that has certificate `local`, and believes the authority but for what it has `revoked`.
std::shared_ptr<Connection> certified(unsigned local, unsigned remote, const std::vector<long>& revoked) {
    const auto name = [](unsigned number) { return "gw" + std::to_string(number) + ".example.com"; };
    auto c = connection(local, remote);
    c->local_id = *parse_id(name(local));
    c->remote_id = *parse_id(name(remote));
    c->local_auth = c->remote_auth = AuthWay::certificate;
    made::Wish wish;
    wish.alternative = "DNS:" + name(local);
    wish.serial = local;
    const auto key = made::key(local == 1 ? "P-256 2" : "P-256 3");
    c->own_key = std::make_shared<const OwnKey>(*OwnKey::make(PrivateKey{key}, {made::issue(head(), wish, key)}));
    auto store = std::make_shared<TrustStore>(made::context());
    store->add_authority(head().certificate);
    REQUIRE(store->add_revocations(made::revocations(head(), {.revoked = revoked})));
    c->trust = std::move(store);
    return c;
}

}  // namespace

TEST_CASE("a key more in psk.txt, or another one for somebody else, ends no IKE SA at a reload") {
    for (const bool anybody : {false, true}) {
        const auto mine = [&](const std::string& keys) {
            return anybody ? of_anybody(keys) : with_keys(connection(1, 2), keys);
        };
        World world = two_offices(mine("20.0.0.2 between us\n20.0.0.3 a third's\n"),
                                  with_keys(connection(2, 1), "20.0.0.1 between us\n"), 41);
        REQUIRE(order(world, 1, "up", "to-1"));
        world.settle();
        REQUIRE(only(world[0]) != nullptr);
        const IkeSaId before = only(world[0])->id;
        const std::uint64_t sent = world.sent;
        reload(world, 0, {mine("20.0.0.2 between us\n20.0.0.3 another\n20.0.0.4 a new one's\n")});
        CHECK(world.sent == sent);
        world.run(Instant{20'000});
        CHECK(disagreement(world, 1, 1) == "");
        CHECK(only(world[0])->id == before);
    }
}

TEST_CASE("an IKE SA ends at a reload that changes the key it was proven by, or takes it away") {
    for (const char* const keys : {"20.0.0.2 another\n20.0.0.3 a third's\n", "20.0.0.3 a third's\n"})
        for (const bool anybody : {false, true}) {
            INFO(keys);
            const auto mine = [&](const std::string& text) {
                return anybody ? of_anybody(text) : with_keys(connection(1, 2), text);
            };
            World world = two_offices(mine("20.0.0.2 between us\n20.0.0.3 a third's\n"),
                                      with_keys(connection(2, 1), "20.0.0.1 between us\n"), 42);
            REQUIRE(order(world, 1, "up", "to-1"));
            world.settle();
            REQUIRE(only(world[0]) != nullptr);
            reload(world, 0, {mine(keys)});
            world.run(Instant{20'000});
            INFO(world.tail(20));
            CHECK(only(world[0]) == nullptr);
            CHECK(only(world[1]) == nullptr);
            CHECK(world[0].sad.size() == 0);
            CHECK(world[0].said("the reload changed the key"));
        }
}

TEST_CASE("what is to be up comes up again with the key that a reload brought") {
    World world = two_offices(with_keys(connection(1, 2, StartAction::start), "* between us\n"),
                              with_keys(connection(2, 1), "* between us\n"), 43);
    world.begin();
    world.settle();
    REQUIRE(disagreement(world, 1, 1) == "");
    const IkeSaId before = only(world[0])->id;
    reload(world, 1, {with_keys(connection(2, 1), "* another\n")});
    reload(world, 0, {with_keys(connection(1, 2, StartAction::start), "* another\n")});
    world.run(Instant{60'000});
    CHECK(disagreement(world, 1, 1) == "");
    REQUIRE(only(world[0]) != nullptr);
    CHECK(only(world[0])->id != before);
}

TEST_CASE("an IKE SA ends at a reload that changes the PPK in its keys, and no other") {
    const auto mine = [](unsigned local, const std::string& ppks) {
        auto c = connection(local, 3 - local);
        c->ppk = PpkUse::required;
        c->ppk_id = *parse_ppk_id("offices");
        c->postquantum_keys = std::make_shared<PostquantumKeys>(*PostquantumKeys::parse(ppks, "ppk.txt"));
        return c;
    };
    const std::string ours = "offices 0123456789abcdef0123456789abcdef\n";
    World world = two_offices(mine(1, ours), mine(2, ours), 44);
    bring_up(world);
    REQUIRE(disagreement(world, 1, 1) == "");
    const IkeSaId before = only(world[0])->id;
    reload(world, 0, {mine(1, ours + "laptops 0123456789abcdef0123456789abcdef\n")});
    world.run(Instant{20'000});
    REQUIRE(only(world[0]) != nullptr);
    CHECK(only(world[0])->id == before);
    reload(world, 0, {mine(1, "offices fedcba9876543210fedcba9876543210\n")});
    world.run(Instant{20'000});
    CHECK(only(world[0]) == nullptr);
}

TEST_CASE("a new revocation list ends no IKE SA, and is what the next authentication is judged by") {
    World world = two_offices(certified(1, 2, {77}), certified(2, 1, {77}), 45);
    bring_up(world);
    REQUIRE(disagreement(world, 1, 1) == "");
    const IkeSaId before = only(world[0])->id;
    const std::uint64_t sent = world.sent;
    reload(world, 0, {certified(1, 2, {77, 2})});  // the peer's own
    CHECK(world.sent == sent);
    world.run(Instant{20'000});
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(only(world[0])->id == before);

    REQUIRE(order(world, 0, "reauth", "to-2"));
    world.run(Instant{20'000});
    CHECK(world[0].said("revoked"));
}
