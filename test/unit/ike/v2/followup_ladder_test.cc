// IKE_FOLLOWUP_KE (RFC 9370 2.2.4): children and IKE SAs whose CREATE_CHILD_SA has additional key exchanges, what
// becomes of them when a message is lost, wrong or too late, and when both ends want the same.
#include "catch.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

std::shared_ptr<Connection> hybrid(unsigned local, unsigned remote) {
    auto c = connection(local, remote);
    c->proposals = {*parse_ike_proposal("aes128gcm16-prfsha256-x25519-ke1_ecp256", LegacyAlgorithms::refused)};
    c->children[0].proposals = {*parse_child_proposal(ProtocolId::esp, "aes128gcm16-x25519-ke1_ecp256-ke3_modp2048",
                                                      LegacyAlgorithms::refused)};
    return c;
}

World up(std::uint64_t seed = 41) {
    World world = two_offices(hybrid(1, 2), hybrid(2, 1), seed);
    bring_up(world);
    REQUIRE(disagreement(world, 1, 1) == "");
    world.record.clear();
    return world;
}

bool is_of(const Datagram& d, ExchangeType exchange, bool response) {
    const Header header = *parse_header(d.octets);
    return header.exchange == exchange && header.response == response;
}
bool is_follow_up(const Datagram& d) { return parse_header(d.octets)->exchange == ExchangeType::ike_followup_ke; }

std::string requests(const World& world) {
    std::string out;
    for (const Datagram& d : world.record) {
        const Header header = *parse_header(d.octets);
        if (!header.response) out.append(out.empty() ? "" : ", ").append(name_of(header.exchange));
    }
    return out;
}

/// What was rekeyed is not what was there; nobody waits for anything any more.
std::string disagreement_after(World& world, Spi former_child, IkeSpi former_ike, bool of_ike) {
    std::string wrong = disagreement(world, 1, 1);
    if (!wrong.empty()) return wrong;
    for (std::size_t i = 0; i < 2; ++i)
        if (!only(world[i])->awaited.empty()) return "somebody awaits something";
    if ((only(world[0])->spi_initiator != former_ike) != of_ike) return "the IKE SA";
    if ((only(world[0])->children[0]->inbound != former_child) == of_ike) return "the child";
    return {};
}

struct Rekey {
    const char* what;
    bool of_ike;
};
constexpr Rekey rekeys[]{{"offices-2", false}, {"to-2", true}};

}  // namespace

TEST_CASE(
    "a child's rekey goes through each of its additional key exchanges before there is a child (RFC 9370 2.2.4)") {
    World world = up();
    const Spi former = only(world[0])->children[0]->inbound;
    REQUIRE(order(world, 0, "rekey", "offices-2"));
    world.run(Instant{3000});
    CHECK(requests(world) == "CREATE_CHILD_SA, IKE_FOLLOWUP_KE, IKE_FOLLOWUP_KE, INFORMATIONAL");
    world.run(Instant{10'000});
    INFO(world.tail(30));
    CHECK(disagreement_after(world, former, only(world[0])->spi_initiator, false) == "");
    for (std::size_t i = 0; i < 2; ++i)
        CHECK(only(world[i])->children[0]->suite.further() == std::vector{KeMethod::ecp256, KeMethod::modp2048});
    CHECK(world[0].said("aes128gcm16-x25519-ke1_ecp256-ke3_modp2048"));
}

TEST_CASE("the link of each answer comes back in the next request, and the last answer has none (RFC 9370 2.2.4)") {
    World world = up();
    std::vector<Octets> given, taken;
    world.tap = [&](Datagram& d) {
        if (const auto message = open(world, d))
            if (const Notify* link = find_notify(message->payloads, NotifyType::additional_key_exchange))
                (message->header.response ? given : taken).push_back(link->data);
        return true;
    };
    REQUIRE(order(world, 0, "rekey", "offices-2"));
    world.run(Instant{3000});
    CHECK(given.size() == 2);
    CHECK(given == taken);
    CHECK(given.front() != given.back());
}

TEST_CASE("the IKE SA's rekey too, and its keys are of all of them (RFC 9370 2.2.4)") {
    World world = up();
    const IkeSpi former = only(world[0])->spi_initiator;
    const Spi child = only(world[0])->children[0]->inbound;
    REQUIRE(order(world, 0, "rekey", "to-2"));
    world.run(Instant{3000});
    CHECK(requests(world) == "CREATE_CHILD_SA, IKE_FOLLOWUP_KE, INFORMATIONAL");
    world.run(Instant{40'000});
    INFO(world.tail(30));
    CHECK(disagreement_after(world, child, former, true) == "");
    CHECK(only(world[0])->suite.further() == std::vector{KeMethod::ecp256});
    REQUIRE(order(world, 1, "rekey", "to-1"));  // and the next one, by the other end, through it
    world.run(Instant{40'000});
    CHECK(disagreement(world, 1, 1) == "");
}

TEST_CASE("without IKE_AUTH's child, each child comes by IKE_FOLLOWUP_KE, and a PPK is in its keys too (RFC 6023)") {
    auto a = hybrid(1, 2), b = hybrid(2, 1);
    a->childless = true;
    for (const auto& c : {a, b}) {
        c->ppk = PpkUse::required;
        c->ppk_id = *parse_ppk_id("offices-2026");
        c->postquantum_keys = std::make_shared<PostquantumKeys>(
            *PostquantumKeys::parse("offices-2026 0123456789abcdef0123456789abcdef\n", "ppk.txt"));
    }
    World world = two_offices(a, b, 42);
    bring_up(world);
    INFO(world.tail(30));
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(requests(world) ==
          "IKE_SA_INIT, IKE_INTERMEDIATE, IKE_AUTH, CREATE_CHILD_SA, IKE_FOLLOWUP_KE, IKE_FOLLOWUP_KE");
}

TEST_CASE("until the last additional key exchange the old SA carries, whichever end begins (RFC 9370 2.2.4)") {
    for (const std::size_t by : {0u, 1u}) {
        World world = up();
        world.tap = [&](Datagram& d) {
            CHECK(both_talk(world));
            return !is_follow_up(d) || world.random() % 2 == 0;
        };
        REQUIRE(order(world, by, "rekey", by == 0 ? "offices-2" : "offices-1"));
        world.run(Instant{40'000});
        CHECK(disagreement(world, 1, 1) == "");
    }
}

TEST_CASE("whichever message of a rekey with additional key exchanges is lost, there are new SAs (RFC 7296 2.1)") {
    for (const Rekey& rekey : rekeys)
        for (std::size_t lost = 0; lost < 6; ++lost) {
            World world = up();
            const Spi child = only(world[0])->children[0]->inbound;
            const IkeSpi ike = only(world[0])->spi_initiator;
            std::size_t seen = 0;
            world.tap = [&](Datagram&) { return seen++ != lost; };
            REQUIRE(order(world, 0, "rekey", rekey.what));
            world.run(Instant{50'000});
            INFO(rekey.what << ", lost " << lost << "\n" << world.tail(30));
            CHECK(disagreement_after(world, child, ike, rekey.of_ike) == "");
        }
}

TEST_CASE("an IKE_FOLLOWUP_KE with a link that the responder does not know is STATE_NOT_FOUND (RFC 9370 2.2.4)") {
    for (const Rekey& rekey : rekeys)
        for (const bool without : {false, true}) {
            World world = up();
            const Spi child = only(world[0])->children[0]->inbound;
            const IkeSpi ike = only(world[0])->spi_initiator;
            unsigned changed = 0;
            bool told = false;
            world.tap = [&](Datagram& d) {
                if (is_of(d, ExchangeType::ike_followup_ke, false) && changed == 0)
                    changed += rewrite(world, d, [&](Opened& message) {
                        get<Notify>(message.payloads)->data.front() ^= std::byte{1};
                        if (without) drop<Notify>(message.payloads);
                    });
                if (is_of(d, ExchangeType::ike_followup_ke, true))
                    if (const auto message = open(world, d))
                        told = told || find_notify(message->payloads, NotifyType::state_not_found) != nullptr;
                return true;
            };
            REQUIRE(order(world, 0, "rekey", rekey.what));
            world.run(Instant{1000});
            CHECK(changed == 1);
            CHECK(told);
            CHECK(count(world[0], IkeState::established) == 1);
            CHECK(both_talk(world));
            world.run(Instant{50'000});  // it is begun once more
            INFO(world.tail(30));
            CHECK(disagreement_after(world, child, ike, rekey.of_ike) == "");
        }
}

TEST_CASE("a peer that forgets every time is told goodbye (RFC 9370 2.2.4)") {
    World world = up();
    world.tap = [&](Datagram& d) {
        if (is_of(d, ExchangeType::ike_followup_ke, false))
            rewrite(world, d, [](Opened& message) { drop<Notify>(message.payloads); });
        return true;
    };
    REQUIRE(order(world, 0, "rekey", "to-2"));
    world.run(Instant{60'000});
    CHECK(world[0].said("the peer forgets every additional key exchange"));
    CHECK(disagreement(world, 0, 0) == "");
}

TEST_CASE("a responder waits twenty seconds for the next one, and then a rekey begins anew (RFC 9370 2.2.4)") {
    for (const Rekey& rekey : rekeys) {
        World world = up();
        const Spi child = only(world[0])->children[0]->inbound;
        const IkeSpi ike = only(world[0])->spi_initiator;
        const Instant began = world.clock;
        world.tap = [&](Datagram& d) { return !is_follow_up(d) || world.clock > began + Instant{25'000}; };
        REQUIRE(order(world, 0, "rekey", rekey.what));
        world.run(Instant{19'000});
        CHECK(only(world[1])->awaited.size() == 1);
        world.run(Instant{2000});
        CHECK(only(world[1])->awaited.empty());
        CHECK(both_talk(world));
        world.run(Instant{60'000});
        INFO(world.tail(30));
        CHECK(disagreement_after(world, child, ike, rekey.of_ike) == "");
    }
}

TEST_CASE("another method, a wrong value or no link in IKE_FOLLOWUP_KE: the old SAs stay, and it is told (RFC 9370)") {
    struct Row {
        bool response;
        Payload instead;  // of the KE payload
        const char* told;
    };
    const Row rows[] = {{false, Ke{KeMethod::ecp384, Octets(96)}, "no value of ECP_256"},
                        {false, Ke{KeMethod::ecp256, Octets(64)}, "no point of the curve"},
                        {true, Ke{KeMethod::ecp256, Octets(63)}, "63 octets, not 64"},
                        {true, VendorId{{}}, "the answer has no key exchange"}};
    for (const Rekey& rekey : rekeys)
        for (const Row& row : rows) {
            World world = up();
            bool once = false;
            world.tap = [&](Datagram& d) {
                if (!once && is_of(d, ExchangeType::ike_followup_ke, row.response))
                    once = rewrite(world, d, [&](Opened& message) { message.payloads[0] = row.instead; });
                return true;
            };
            REQUIRE(order(world, 0, "rekey", rekey.what));
            world.run(Instant{1000});
            INFO(rekey.what << ": " << row.told << "\n" << world.tail(30));
            CHECK(world[row.response ? 0 : 1].said(row.told));
            CHECK(only(world[0]) != nullptr);
            CHECK(both_talk(world));
            if (row.response && rekey.of_ike) continue;  // the peer has it, and waits for us there
            world.run(Instant{90'000});
            CHECK(disagreement(world, 1, 1) == "");
        }
}

TEST_CASE("an answer to CREATE_CHILD_SA without a link leads nowhere, and the old SAs stay (RFC 9370 2.2.4)") {
    for (const Rekey& rekey : rekeys) {
        World world = up();
        world.tap = [&](Datagram& d) {
            if (is_of(d, ExchangeType::create_child_sa, true))
                rewrite(world, d, [](Opened& message) { drop<Notify>(message.payloads); });
            return true;
        };
        REQUIRE(order(world, 0, "rekey", rekey.what));
        world.run(Instant{1000});
        INFO(world.tail(30));
        CHECK(world[0].said("the peer gives no link to go on by"));
        CHECK(both_talk(world));
        CHECK(count_children(world[0], ChildSa::State::installed) == 1);
    }
}

TEST_CASE(
    "who is in his additional key exchanges answers a rekey of the same with TEMPORARY_FAILURE (RFC 9370 2.2.4)") {
    for (const bool of_ike : {false, true}) {
        World world = up();
        bool heard = false, told = false;
        world.tap = [&](Datagram& d) {  // of node 1's request only the second comes, and node 0 goes on after it alone
            const bool by_first = d.local.address == address_of(1);
            if (!by_first && is_of(d, ExchangeType::create_child_sa, false)) {
                if (world.clock < Instant{3000}) return false;
                heard = true;
            }
            if (by_first && is_of(d, ExchangeType::create_child_sa, true))
                if (const auto message = open(world, d))
                    told = told || find_notify(message->payloads, NotifyType::temporary_failure) != nullptr;
            return !by_first || !is_of(d, ExchangeType::ike_followup_ke, false) || heard;
        };
        world.clock = Instant{1500};
        REQUIRE(order(world, 1, "rekey", of_ike ? "to-1" : "offices-1"));
        REQUIRE(order(world, 0, "rekey", of_ike ? "to-2" : "offices-2"));
        world.run(Instant{60'000});
        INFO(world.tail(40));
        CHECK(heard);
        CHECK(told);
        CHECK(disagreement(world, 1, 1) == "");
    }
}

TEST_CASE("who begins series after series and ends none is refused the fifth, until those are forgotten (RFC 9370 5)") {
    auto mine = hybrid(1, 2), other = hybrid(2, 1);
    for (const auto& c : {mine, other})
        for (unsigned i = 0; i < 6; ++i) {
            ChildConfig more = c->children[0];
            const Prefix near{Address::v4((20 + i) << 24), 16}, far{Address::v4((30 + i) << 24), 16};
            more.name = "more-" + std::to_string(i);
            more.local = {c == mine ? near : far};
            more.remote = {c == mine ? far : near};
            c->children.push_back(more);
        }
    World world = two_offices(mine, other, 42);
    REQUIRE(order(world, 0, "up", "offices-2"));
    world.run(Instant{1000});
    world.tap = [&](Datagram& d) {  // node 0 never has a link to go on by
        if (is_of(d, ExchangeType::create_child_sa, true))
            rewrite(world, d, [](Opened& message) { drop<Notify>(message.payloads); });
        return true;
    };
    for (unsigned i = 0; i < 6; ++i) {
        REQUIRE(order(world, 0, "up", "more-" + std::to_string(i)));
        world.run(Instant{100});
        CHECK(only(world[1])->awaited.size() == std::min(i + 1, 4u));
        CHECK(world[1].said("he ends none that he has begun") == (i >= 4));
    }
    world.run(Instant{21'000});
    CHECK(only(world[1])->awaited.empty());
    CHECK(count_children(world[1], ChildSa::State::installed) == 1);
    CHECK(both_talk(world));
}
