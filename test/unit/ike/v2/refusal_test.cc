// Everything that may not come: each (state, message) pair, higher versions, unknown SPIs, octets that are no message,
// forgeries. Nothing changes but counters of the clock (RFC 7296 2.5, 2.21; DESIGN: one table, one refusal).
#include "catch.h"
#include "ike/message/message.h"
#include "world.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

World offices(const char* proposal = "aes128gcm16-prfsha256-x25519") {
    World world{21};
    auto mine = connection(1, 2), other = connection(2, 1);
    mine->proposals = other->proposals = {*parse_ike_proposal(proposal, LegacyAlgorithms::refused)};
    world.add("tokyo", config_of({mine}));
    world.add("newyork", config_of({other}));
    return world;
}

void up(World& world) {
    auto actions = world[0].engine->up("to-2", world.now());
    REQUIRE(actions);
    world.perform(world[0], std::move(*actions));
}

std::string picture(const Node& node) {
    std::string out;
    node.engine->each([&](const IkeSa& sa) {
        out += std::string{name_of(sa.state)} + " " + std::to_string(sa.next_request) + "/" +
               std::to_string(sa.expected_request) + " " + std::to_string(sa.children.size()) + " " +
               std::to_string(sa.queue.size()) + (sa.outstanding ? " waits" : "") + "; ";
    });
    return out + std::to_string(node.sad.size()) + "/" + std::to_string(node.sad.policies());
}

constexpr std::array exchanges{ExchangeType::ike_sa_init,
                               ExchangeType::ike_auth,
                               ExchangeType::create_child_sa,
                               ExchangeType::informational,
                               ExchangeType::ike_intermediate,
                               ExchangeType::ike_followup_ke,
                               ExchangeType{99}};

}  // namespace

TEST_CASE("in each state every message without protection is refused and changes nothing") {
    // stop the ladder after each of its messages, and throw everything at both ends
    for (unsigned stop = 1; stop <= 7; ++stop) {
        World world = offices("aes128gcm16-prfsha256-x25519-ke1_ecp256");
        up(world);
        for (unsigned i = 1; i < stop && !world.flights.empty(); ++i) world.step(world.clock + Instant{100});
        for (std::size_t victim = 0; victim < 2; ++victim) {
            const IkeSa* sa = nullptr;
            world[victim].engine->each([&](const IkeSa& s) { sa = &s; });
            if (sa == nullptr) continue;
            for (const ExchangeType exchange : exchanges)
                for (const bool response : {false, true})
                    for (const std::uint32_t id : {0u, 1u, 2u, 0xffffffffu}) {
                        Header header;
                        header.initiator_spi = sa->spi_initiator;
                        header.responder_spi = sa->spi_responder;
                        header.exchange = exchange;
                        header.from_initiator = !sa->initiator;
                        header.response = response;
                        header.message_id = id;
                        const std::string before = picture(world[victim]);
                        for (const Payloads& payloads :
                             {Payloads{}, Payloads{notify(NotifyType::authentication_failed)},
                              Payloads{Delete{ProtocolId::ike, {}}}, Payloads{notify(NotifyType::invalid_syntax)}}) {
                            // an unauthenticated error in answer to IKE_SA_INIT may shorten the wait, and no more
                            if (exchange == ExchangeType::ike_sa_init) continue;
                            const Datagram forged{sa->local, sa->remote, build_message(header, payloads)};
                            world.perform(world[victim], world[victim].engine->receive(forged, world.now()));
                            INFO(name_of(exchange) << (response ? " response " : " request ") << id << " in state "
                                                   << name_of(sa->state));
                            CHECK(picture(world[victim]) == before);
                        }
                    }
        }
    }
}

TEST_CASE("the table of legal messages: states that wait take their one message, and dead SAs none") {
    CHECK(is_legal(IkeState::init_sent, true, ExchangeType::ike_sa_init));
    CHECK(!is_legal(IkeState::init_sent, true, ExchangeType::ike_auth));
    CHECK(!is_legal(IkeState::init_answered, false, ExchangeType::create_child_sa));
    CHECK(!is_legal(IkeState::init_answered, false, ExchangeType::informational));
    CHECK(!is_legal(IkeState::auth_sent, false, ExchangeType::create_child_sa));
    CHECK(!is_legal(IkeState::established, true, ExchangeType::ike_sa_init));
    // RFC 9242 3.2, RFC 9370 2.2.4: the one before IKE_AUTH alone, the other behind it alone
    CHECK(is_legal(IkeState::init_answered, false, ExchangeType::ike_intermediate));
    CHECK(!is_legal(IkeState::init_answered, false, ExchangeType::ike_followup_ke));
    CHECK(!is_legal(IkeState::intermediate_sent, true, ExchangeType::ike_auth));
    CHECK(!is_legal(IkeState::intermediate_sent, true, ExchangeType::ike_followup_ke));
    CHECK(!is_legal(IkeState::auth_sent, true, ExchangeType::ike_intermediate));
    for (const bool response : {false, true}) {
        CHECK(!is_legal(IkeState::established, response, ExchangeType::ike_intermediate));
        CHECK(is_legal(IkeState::established, response, ExchangeType::ike_followup_ke));
    }
    for (const ExchangeType exchange : exchanges)
        for (const bool response : {false, true}) CHECK(!is_legal(IkeState::dead, response, exchange));
    for (const Legal& row : legal_messages()) CHECK(!row.section.empty());
}

TEST_CASE("an unauthenticated error ends nothing at once: the true answer still counts (RFC 7296 2.21.1)") {
    World world = offices();
    up(world);
    const IkeSa* sa = nullptr;
    world[0].engine->each([&](const IkeSa& s) { sa = &s; });
    REQUIRE(sa != nullptr);
    Header header;
    header.initiator_spi = sa->spi_initiator;
    header.exchange = ExchangeType::ike_sa_init;
    header.response = true;
    const Datagram forged{sa->local, sa->remote, build_message(header, {notify(NotifyType::no_proposal_chosen)})};
    world.perform(world[0], world[0].engine->receive(forged, world.now()));
    world.settle();
    CHECK(count(world[0], IkeState::established) == 1);
    CHECK(count(world[1], IkeState::established) == 1);
}

TEST_CASE("a higher major version is answered with INVALID_MAJOR_VERSION, and never a response (RFC 7296 2.5)") {
    World world = offices();
    Header header;
    header.initiator_spi = IkeSpi{42};
    header.exchange = ExchangeType::ike_sa_init;
    header.from_initiator = true;
    header.major = 3;
    Datagram sent{{address_of(2), 500}, {address_of(1), 500}, build_message(header, {})};
    const auto actions = world[1].engine->receive(sent, world.now());
    REQUIRE(actions.size() == 1);
    const Datagram& answer = std::get<Send>(actions[0]).datagram;
    const auto taken = split(answer.octets);
    REQUIRE(taken);
    CHECK(taken->header.major == 2);
    CHECK(taken->header.response);
    const auto payloads = parse_payloads(taken->first, taken->clear);
    REQUIRE(payloads);
    CHECK(find_notify(*payloads, NotifyType::invalid_major_version) != nullptr);

    header.response = true;
    sent.octets = build_message(header, {});
    CHECK(world[1].engine->receive(sent, world.now()).empty());
}

TEST_CASE("unknown IKE SPIs are answered, a few a second, and responses never (RFC 7296 2.21.4, 1.5)") {
    World world = offices();
    Header header;
    header.initiator_spi = IkeSpi{42};
    header.responder_spi = IkeSpi{43};
    header.exchange = ExchangeType::informational;
    header.from_initiator = true;
    std::size_t answers = 0;
    for (unsigned i = 0; i < 1000; ++i)
        answers +=
            world[1]
                .engine->receive({{address_of(2), 500}, {address_of(1), 500}, build_message(header, {})}, world.now())
                .size();
    CHECK(answers > 0);
    CHECK(answers <= 20);
    header.response = true;
    world.clock += Instant{5000};
    CHECK(world[1]
              .engine->receive({{address_of(2), 500}, {address_of(1), 500}, build_message(header, {})}, world.now())
              .empty());
}

TEST_CASE("our own message sent back to us is not taken for the peer's (reflection)") {
    World world = offices();
    up(world);
    world.settle();
    const auto record = world.record;
    for (const Datagram& d : record) {
        Node* const sender = world.owner(d.local.address);
        const std::string before = picture(*sender);
        world.perform(*sender, sender->engine->receive({d.local, d.remote, d.octets}, world.now()));
        CHECK(picture(*sender) == before);
    }
}

TEST_CASE("20,000 mutations of every message of a life change nothing, and crash nobody") {
    World world{22};
    auto mine = connection(1, 2), other = connection(2, 1);
    mine->dpd_seconds = other->dpd_seconds = 0;  // nobody asks anything meanwhile
    world.add("tokyo", config_of({mine}));
    world.add("newyork", config_of({other}));
    up(world);
    world.settle();
    for (const char* name : {"to-2/offices-2", "to-2"}) {
        auto actions = world[0].engine->rekey(name, world.now());
        REQUIRE(actions);
        world.perform(world[0], std::move(*actions));
        world.settle();
        world.run(Instant{61'000});
    }
    const auto record = world.record;
    std::mt19937_64 random{4};
    const std::string before0 = picture(world[0]), before1 = picture(world[1]);
    for (unsigned i = 0; i < 20'000; ++i) {
        Datagram d = record[random() % record.size()];
        if (d.octets.empty()) continue;
        for (std::size_t changes = 1 + random() % 4; changes > 0; --changes)
            d.octets[random() % d.octets.size()] = static_cast<std::byte>(random());
        if (random() % 8 == 0) d.octets.resize(random() % d.octets.size() + 1);
        Node* const receiver = world.owner(d.remote.address);
        // half-open ones of mutated IKE_SA_INITs may come up; nothing else
        (void)receiver->engine->receive({d.remote, d.local, d.octets}, world.now());
    }
    world.run(Instant{40'000});
    CHECK(picture(world[0]) == before0);
    CHECK(picture(world[1]) == before1);
    CHECK(count(world[0], IkeState::established) == 1);
    CHECK(count(world[1], IkeState::established) == 1);
}
