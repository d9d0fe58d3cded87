// Daemons on a network that loses, repeats and reorders, with restarts and orders at random (DESIGN 7). Each seed is
// one life; the one that fails prints its ladder. What must hold once it has been quiet for a while: both ends agree,
// what was intended is there and nothing else, nothing leaks, and packets arrive.
#include "catch.h"

#include "world.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

std::string live(std::uint64_t seed) {
    World world{seed};
    std::mt19937_64 random{seed * 31 + 7};
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    const std::array starts{StartAction::start, StartAction::trap};
    const bool first_starts = chance(60), second_starts = chance(60);
    auto mine = connection(1, 2, starts[!first_starts]), other = connection(2, 1, starts[!second_starts]);
    for (const auto& c : {mine, other}) {
        c->rekey_seconds = 200;
        c->children[0].rekey_seconds = 60;
        c->children[0].life_seconds = 120;
        if (chance(30))
            c->children[0].proposals = {
                *parse_child_proposal(ProtocolId::esp, "aes128gcm16-x25519", LegacyAlgorithms::refused)};
    }
    std::mt19937_64 kinds{seed};  // a generator of its own: the lives of before stay as they were
    mine->children[0].ipcomp = kinds() % 3 == 0;
    other->children[0].ipcomp = kinds() % 3 == 0;
    const bool mobile = kinds() % 2 == 0;  // each has a second address, and moves to and fro
    // Additional key exchanges, of the cheapest, for IKE and for children with keys of their own.
    const unsigned exchanges = kinds() % 4;
    for (const auto& c : {mine, other}) {
        if ((exchanges & 1) != 0)
            c->proposals = {*parse_ike_proposal("aes128gcm16-prfsha256-x25519-ke1_ecp256", LegacyAlgorithms::refused)};
        if ((exchanges & 2) != 0)
            c->children[0].proposals = {*parse_child_proposal(ProtocolId::esp, "aes128gcm16-x25519-ke2_ecp256-ke2_none",
                                                              LegacyAlgorithms::refused)};
        c->mobike = mobile;
        if (mobile) c->other_locals = {address_of(c == mine ? 51 : 52)};
    }
    if (mine->children[0].proposals != other->children[0].proposals)
        other->children[0].proposals = mine->children[0].proposals;
    world.add("a", config_of({mine}));
    world.add("b", config_of({other}));
    world.addresses[address_of(51)] = 0;
    world.addresses[address_of(52)] = 1;
    world.loss = static_cast<double>(random() % 51) / 100;
    world.repeat = static_cast<double>(random() % 30) / 100;
    world.most_delay = Instant{1 + static_cast<std::int64_t>(random() % 400)};
    world.begin();

    for (unsigned i = 0; i < 40; ++i) {
        world.run(Instant{static_cast<std::int64_t>(random() % 10'000)});
        const std::size_t who = random() % 2;
        Node& node = world[who];
        const std::string peer = who == 0 ? "2" : "1";
        Result<Actions> actions{Actions{}};
        switch (random() % 12) {
            case 0: actions = node.engine->rekey("to-" + peer, world.now()); break;
            case 1: actions = node.engine->rekey("offices-" + peer, world.now()); break;
            case 2: actions = node.engine->up("to-" + peer, world.now()); break;
            case 3: {  // both at once
                for (std::size_t j = 0; j < 2; ++j)
                    if (auto both = world[j].engine->rekey("offices-" + std::string{j == 0 ? "2" : "1"}, world.now()))
                        world.perform(world[j], std::move(*both));
                break;
            }
            case 4: {
                for (std::size_t j = 0; j < 2; ++j)
                    if (auto both = world[j].engine->rekey("to-" + std::string{j == 0 ? "2" : "1"}, world.now()))
                        world.perform(world[j], std::move(*both));
                break;
            }
            case 5:
                if (chance(25)) world.restart(who);
                break;
            case 6:
                if (chance(40)) actions = node.engine->down("offices-" + peer, world.now());
                break;
            case 7:
                if (chance(30)) actions = node.engine->reauth("to-" + peer, world.now());
                break;
            default: world.ping(who, 1 - who, who == 0 ? packet_between(1, 2) : packet_between(2, 1));
        }
        if (actions) world.perform(node, std::move(*actions));
        const IkeSa* const held = (seed + i) % 7 == 0 ? only(node) : nullptr;
        if (held != nullptr && !held->children.empty())
            world.perform(node, node.engine->mismatched(mismatch(*held, *held->children.back(), {}), world.now()));
        if (!mobile || kinds() % 6 != 0) continue;
        const auto to = address_of(static_cast<unsigned>(who) + (kinds() % 2 == 0 ? 51 : 1));
        if (auto moved = node.engine->move("to-" + peer, to, world.now())) world.perform(node, std::move(*moved));
    }

    // Quiet: the network behaves, and nobody is ordered about. Lifetimes would go on, so they are watched at their
    // ends: within a minute or two of any moment there is one at which nothing is under way.
    world.loss = 0;
    world.repeat = 0;
    world.most_delay = Instant{2};
    world.run(Instant{700'000});
    if (auto again = world[0].engine->up("to-2", world.now()))  // what an order took down stays down until another one
        world.perform(world[0], std::move(*again));
    std::string last;
    for (unsigned i = 0; i < 400; ++i) {
        world.ping(0, 1, packet_between(1, 2));
        world.ping(1, 0, packet_between(2, 1));
        world.run(Instant{500});
        last = complaint(world);
        if (!last.empty()) continue;
        if (!world.ping(0, 1, packet_between(1, 2)) || !world.ping(1, 0, packet_between(2, 1))) {
            last = "no packet arrives";
            continue;
        }
        const IkeSa* a = only(world[0]);
        const IkeSa* b = only(world[1]);
        if (a == nullptr || b == nullptr || a->spi_initiator != b->spi_initiator) {
            last = "the ends do not agree on one IKE SA";
            continue;
        }
        if (a->children.size() != 1 || b->children.size() != 1) {
            last = "there are " + std::to_string(a->children.size()) + " and " + std::to_string(b->children.size()) +
                   " children";
            continue;
        }
        return {};
    }
    std::string out = last + "\n";
    for (std::size_t i = 0; i < world.size(); ++i) out += world[i].name + ": " + holdings(world[i]) + "\n";
    return out + world.tail(2000);
}

}  // namespace

TEST_CASE(
    "whatever happens to two gateways, after quiet they agree on one IKE SA and one child, and nothing else is left") {
    const std::uint64_t first = from_environment("TORII_FIRST_SEED", 1),
                        seeds = from_environment("TORII_SEEDS", sanitized ? 40 : 10'000);
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
        const std::string wrong = live(seed);
        INFO("seed " << seed << ": " << wrong);
        REQUIRE(wrong.empty());
    }
}

TEST_CASE("one seed is one life, to the octet") {
    const auto life = [] {
        World world{99};
        world.add("a", config_of({connection(1, 2, StartAction::start)}));
        world.add("b", config_of({connection(2, 1)}));
        world.loss = 0.3;
        world.begin();
        world.run(Instant{20'000'000});
        std::vector<Octets> out;
        for (const Datagram& d : world.record) out.push_back(d.octets);
        return out;
    };
    CHECK(life() == life());
}
