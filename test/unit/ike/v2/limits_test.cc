// What peers may have of us, and the kinds of children: limits, transport mode, AH, an operator's own policies, key
// exchanges and proposals that are not the first (RFC 7296 1.3, 1.3.1, 2.4, 2.7, 2.25).
#include "catch.h"
#include "ike/v2/traffic.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

World limited(unsigned children, const EngineLimits& first, const EngineLimits& second) {
    World world{12};
    EngineConfig a = config_of({with_children(1, 2, children)}), b = config_of({with_children(2, 1, children)});
    a.limits = first;
    b.limits = second;
    world.add("tokyo", a);
    world.add("newyork", b);
    return world;
}

std::size_t notified(World& world, NotifyType type) {
    std::size_t n = 0;
    const auto record = world.record;
    for (const Datagram& d : record)
        if (const auto message = open(world, d); message && find_notify(message->payloads, type) != nullptr) ++n;
    return n;
}

std::shared_ptr<Connection> transport(unsigned local, unsigned remote) {
    auto c = connection(local, remote);
    c->children[0].mode = Mode::transport;
    c->children[0].local.clear();
    c->children[0].remote.clear();
    return c;
}

PacketSelector host_packet(unsigned from, unsigned to) {
    PacketSelector packet = packet_between(from, to);
    packet.source = address_of(from);
    packet.destination = address_of(to);
    return packet;
}

}  // namespace

TEST_CASE("more children than an IKE SA may have: NO_ADDITIONAL_SAS, and what is there stays (RFC 7296 1.3)") {
    EngineLimits two;
    two.children_per_ike_sa = 2;
    World world = limited(3, {}, two);
    bring_up(world);
    CHECK(notified(world, NotifyType::no_additional_sas) == 1);
    CHECK(world[0].said("child child-2: the peer refuses it: NO_ADDITIONAL_SAS"));
    CHECK(disagreement(world, 1, 2) == "");
    SECTION("a full IKE SA rekeys what it has all the same") {
        for (const std::size_t node : {0u, 1u}) {
            Spi before{};
            for (const auto& child : only(world[0])->children)
                if (child->config->name == "child-0") before = child->inbound;
            REQUIRE(order(world, node, "rekey", "child-0"));
            world.run(Instant{20'000});
            INFO(world.tail(20));
            CHECK(disagreement(world, 1, 2) == "");
            CHECK(only(world[0])->child_by_inbound(before) == nullptr);
        }
    }
}

TEST_CASE("more CREATE_CHILD_SA than a second may bring: TEMPORARY_FAILURE, and later they come (RFC 7296 2.25)") {
    EngineLimits few;
    few.requests_per_second = 2;
    World world = limited(6, {}, few);
    bring_up(world);
    CHECK(notified(world, NotifyType::temporary_failure) >= 1);
    world.run(Instant{30'000});
    INFO(world.tail(30));
    CHECK(disagreement(world, 1, 6) == "");
}

TEST_CASE("tasks that wait for the window are bounded, and the one too many is told of") {
    EngineLimits few;
    few.queued_requests = 2;
    World world = limited(6, few, {});
    bring_up(world);
    world.run(Instant{10'000});
    CHECK(world[0].said("is not done: 2 others wait already"));
    CHECK(disagreement(world, 1, 3) == "");
}

TEST_CASE("more IKE SAs than a peer may have are refused, and the old one stays (RFC 7296 2.4)") {
    EngineLimits one;
    one.ike_sas_per_peer = 1;
    World world = limited(1, {}, one);
    bring_up(world);
    REQUIRE(order(world, 0, "reauth", "to-2"));
    world.run(Instant{60'000});
    CHECK(world[1].said("20.0.0.1 has 1 IKE SAs already"));
    CHECK(disagreement(world, 1, 1) == "");
    SECTION("a peer that has begun afresh is not counted by what he has forgotten") {
        world.run(Instant{20'000});
        world.restart(0);
        bring_up(world);
        world.run(Instant{60'000});
        INFO(world.tail(20));
        CHECK(disagreement(world, 1, 1) == "");
    }
}

TEST_CASE("where all of a peer's IKE SAs stay, their number is limited even if he says that he has begun afresh") {
    auto mine = connection(1, 2), other = connection(2, 1);
    other->uniqueness = Uniqueness::never;
    other->dpd_seconds = 0;
    World world = two_offices(mine, other, 14);
    for (unsigned i = 0; i < 12; ++i) {
        bring_up(world);
        world.restart(0);
    }
    CHECK(notified(world, NotifyType::initial_contact) == 12);
    CHECK(count(world[1], IkeState::established) == EngineLimits{}.ike_sas_per_peer);
    CHECK(world[1].said("20.0.0.1 has 8 IKE SAs already"));
}

TEST_CASE("transport mode when both ends want it, between their own addresses (RFC 7296 1.3.1)") {
    World world = two_offices(transport(1, 2), transport(2, 1), 4);
    bring_up(world);
    for (unsigned rekeys = 0; rekeys < 3; ++rekeys) {
        for (std::size_t i = 0; i < 2; ++i) {
            CHECK(count_children(world[i], ChildSa::State::installed) == 1);
            CHECK(world[i].sad.size() == 2);
            CHECK(world[i].sad.policies() == 2);
            for (const auto& [id, entry] : world[i].sad.sas()) CHECK(entry.spec.mode == Mode::transport);
            for (const Policy& policy : world[i].sad.spd()) CHECK(!policy.requests[0].endpoints);
        }
        CHECK(world.ping(0, 1, host_packet(1, 2)));
        CHECK(world.ping(1, 0, host_packet(2, 1)));
        REQUIRE(order(world, rekeys % 2, "rekey", rekeys % 2 == 0 ? "offices-2" : "offices-1"));
        world.run(Instant{20'000});
    }
    CHECK(notified(world, NotifyType::use_transport_mode) == 8);
}

TEST_CASE("an end that wants the other mode has no SA, and neither has its peer (RFC 7296 1.3.1)") {
    for (const bool first : {false, true}) {
        auto a = transport(1, 2), b = transport(2, 1);
        (first ? a : b)->children[0].mode = Mode::tunnel;
        World world = two_offices(a, b, 4);
        bring_up(world);
        world.run(Instant{20'000});
        INFO(first << "\n" << world.tail(20));
        CHECK(world[0].sad.size() + world[1].sad.size() == 0);
        CHECK(world[0].sad.policies() + world[1].sad.policies() == 0);
        CHECK(count(world[0], IkeState::established) == 1);
        if (first)
            CHECK(world[1].said("wants transport mode, and the peer tunnel mode"));
        else
            CHECK(world[0].said("the peer wants tunnel mode"));
    }
}

TEST_CASE("AH is negotiated and rekeyed as ESP is (RFC 7296 3.3.1)") {
    auto a = connection(1, 2), b = connection(2, 1);
    for (const auto& c : {a, b}) {
        c->children[0].protocol = ProtocolId::ah;
        c->children[0].proposals = {*parse_child_proposal(ProtocolId::ah, "sha256", LegacyAlgorithms::refused)};
    }
    World world = two_offices(a, b, 4);
    bring_up(world);
    CHECK(disagreement(world, 1, 1) == "");
    for (const auto& [id, entry] : world[0].sad.sas()) {
        CHECK(id.protocol == IpsecProtocol::ah);
        CHECK(entry.spec.cipher_key.empty());
        CHECK(!entry.spec.auth_key.empty());
    }
    REQUIRE(order(world, 1, "rekey", "offices-1"));
    world.run(Instant{20'000});
    CHECK(disagreement(world, 1, 1) == "");
}

TEST_CASE("an operator's policy wants SAs: they have its reqid and its selectors, and no policy is made (the FAQ)") {
    auto a = transport(1, 2), b = transport(2, 1);
    a->children[0].makes_policies = b->children[0].makes_policies = false;
    World world = two_offices(a, b, 4);
    Policy policy;
    policy.direction = Direction::outbound;
    policy.action = PolicyAction::protect;
    policy.selector.source = Prefix::host(address_of(1));
    policy.selector.destination = Prefix::host(address_of(2));
    policy.selector.protocol = 6;
    Request request;
    request.protocol = IpsecProtocol::esp;
    request.mode = Mode::transport;
    request.reqid = ReqId{77};
    policy.requests.push_back(request);
    control::Event event;
    event.kind = control::Event::Kind::acquire;
    event.request = request;
    event.packet = host_packet(1, 2);
    event.packet.protocol = 6;
    event.sa.protocol = IpsecProtocol::esp;
    event.sa.source = address_of(1);
    event.sa.destination = address_of(2);
    world.perform(world[0], world[0].engine->acquire(event, &policy, world.now()));
    world.settle();
    INFO(world.tail(20));
    for (unsigned rekeys = 0; rekeys < 2; ++rekeys) {
        REQUIRE(only(world[0]) != nullptr);
        REQUIRE(only(world[0])->children.size() == 1);
        CHECK(only(world[0])->children[0]->traffic.local[0].protocol == 6);
        CHECK(world[0].sad.size() == 2);
        CHECK(world[1].sad.size() == 2);
        for (const auto& [id, entry] : world[0].sad.sas()) CHECK(entry.spec.reqid == ReqId{77});
        CHECK(world[0].sad.policies() + world[1].sad.policies() == 0);
        REQUIRE(order(world, 0, "rekey", "offices-2"));
        world.run(Instant{20'000});
    }
    SECTION("a policy that no connection is for is told of") {
        event.sa.destination = address_of(9);
        world.perform(world[0], world[0].engine->acquire(event, &policy, world.now()));
        CHECK(world[0].said("and no connection is for that"));
    }
}

TEST_CASE("INVALID_KE_PAYLOAD in CREATE_CHILD_SA: once more with the method that is wanted (RFC 7296 1.3)") {
    auto a = connection(1, 2), b = connection(2, 1);
    a->children[0].proposals = {
        *parse_child_proposal(ProtocolId::esp, "aes128gcm16-x25519-ecp256", LegacyAlgorithms::refused)};
    b->children[0].proposals = {
        *parse_child_proposal(ProtocolId::esp, "aes128gcm16-ecp256", LegacyAlgorithms::refused)};
    a->proposals =
        b->proposals = {*parse_ike_proposal("aes128gcm16-prfsha256-x25519-ecp256", LegacyAlgorithms::refused)};
    World world = two_offices(a, b, 4);
    bring_up(world);
    REQUIRE(order(world, 0, "rekey", "offices-2"));
    world.run(Instant{20'000});
    CHECK(notified(world, NotifyType::invalid_ke_payload) == 1);
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(only(world[0])->children[0]->suite.ke == KeMethod::ecp256);
    CHECK(only(world[1])->children[0]->suite.ke == KeMethod::ecp256);
}

TEST_CASE("a responder takes the first proposal that it has, by its number (RFC 7296 2.7, 3.3.1)") {
    auto a = connection(1, 2), b = connection(2, 1);
    a->proposals = {*parse_ike_proposal("aes256-sha512-modp3072", LegacyAlgorithms::refused), a->proposals[0]};
    a->proposals[1].number = 2;
    a->children[0].proposals = {*parse_child_proposal(ProtocolId::esp, "aes256-sha512", LegacyAlgorithms::refused),
                                *parse_child_proposal(ProtocolId::esp, "chacha20poly1305", LegacyAlgorithms::refused),
                                *parse_child_proposal(ProtocolId::esp, "aes128gcm16", LegacyAlgorithms::refused)};
    World world = two_offices(a, b, 4);
    bring_up(world);
    INFO(world.tail(20));
    CHECK(disagreement(world, 1, 1) == "");
    const auto answer = open(world, world.record.back());
    REQUIRE(answer);
    REQUIRE(find<Sa>(answer->payloads) != nullptr);
    CHECK(find<Sa>(answer->payloads)->proposals[0].number == 3);
    REQUIRE(order(world, 0, "rekey", "to-2"));
    world.run(Instant{90'000});
    CHECK(disagreement(world, 1, 1) == "");
}

TEST_CASE("transforms that nobody here knows are passed over, as an offer (RFC 7296 3.3.6)") {
    World world = two_offices(4);
    world.tap = [&](Datagram& d) {
        const auto header = parse_header(d.octets);
        if (header->response || header->exchange != ExchangeType::ike_auth) return true;
        return rewrite(world, d, [](Opened& asked) {
            auto& proposals = get<Sa>(asked.payloads)->proposals;
            Proposal strange = proposals[0];
            strange.transforms = {{TransformType::encr, 1024, 256, true}, {TransformType::esn, 0, {}, true}};
            proposals[0].number = 2;
            proposals[0].transforms.insert(proposals[0].transforms.begin(), {TransformType::encr, 1025, 128, true});
            proposals.insert(proposals.begin(), strange);
        });
    };
    bring_up(world);
    INFO(world.tail(20));
    // The initiator did not offer it under that number; what counts here is what the responder chose.
    CHECK(world[1].said("child offices-1 ESP tunnel"));
    const auto answer = open(world, world.record[3]);
    REQUIRE(answer);
    REQUIRE(find<Sa>(answer->payloads) != nullptr);
    CHECK(find<Sa>(answer->payloads)->proposals[0].number == 2);
    CHECK(find<Sa>(answer->payloads)->proposals[0].transforms[0].id == static_cast<std::uint16_t>(20));  // AES-GCM, 16
}

TEST_CASE("what is due all at once is done one after the other, so that nobody has to wait for hundreds of key pairs") {
    constexpr std::size_t offices = 100;
    std::vector<std::shared_ptr<const Connection>> connections;
    for (unsigned i = 0; i < offices; ++i) connections.push_back(connection(1, 2 + i, StartAction::start));
    World world{3};
    Engine& engine = *world.add("tokyo", config_of(connections)).engine;
    (void)engine.begin(world.now());
    const auto ticks = [&] {  // until nothing is due; each sends one message
        std::size_t count = 0;
        for (; engine.next_tick() <= world.clock && count < 2 * offices; ++count) {
            const Actions actions = engine.tick(world.now());
            CHECK(std::ranges::count_if(actions, [](const Action& a) { return std::holds_alternative<Send>(a); }) == 1);
        }
        return count;
    };
    CHECK(ticks() == offices);
    world.clock = engine.next_tick() + Instant{1000};  // and each is due for sending again, at the same time
    CHECK(ticks() == offices);
}

TEST_CASE(
    "uniqueness: an older IKE SA of the same peer goes, stays alone, or stays beside the new one (RFC 7296 2.4)") {
    struct Row {
        Uniqueness theirs;
        bool told;   // by INITIAL_CONTACT that the peer has begun afresh
        bool moved;  // to another address
        std::size_t left;
        bool old_one, new_one;
    };
    for (const Row& row :
         {Row{Uniqueness::replace, false, false, 1, false, true}, Row{Uniqueness::replace, false, true, 1, false, true},
          Row{Uniqueness::keep, false, false, 1, false, true},  // may be a reauthentication
          Row{Uniqueness::keep, false, true, 1, true, false}, Row{Uniqueness::keep, true, true, 1, false, true},
          Row{Uniqueness::never, true, false, 2, true, true}}) {
        auto mine = connection(1, 2), other = connection(2, 1);
        mine->local_id = other->remote_id = *parse_id("tokyo.example");
        other->uniqueness = row.theirs;
        other->remote.reset();
        other->dpd_seconds = 0;
        World world = two_offices(mine, other, 14);
        const Address elsewhere = address_of(51);
        world.addresses[elsewhere] = 0;
        world.tap = [&](Datagram& d) {
            const Header header = *parse_header(d.octets);
            if (!row.told && header.exchange == ExchangeType::ike_auth && !header.response)
                rewrite(world, d, [](Opened& message) { drop(message.payloads, NotifyType::initial_contact); });
            return true;
        };
        bring_up(world);
        const IkeSaId first = only(world[1])->id;
        world.restart(0);
        if (row.moved) {
            auto there = std::make_shared<Connection>(*mine);
            there->local = elsewhere;
            there->fingerprint = "elsewhere";
            world.perform(world[0], world[0].engine->configure(config_of({there}), world.now()));
        }
        bring_up(world);
        world.run(Instant{30'000});
        INFO(static_cast<int>(row.theirs) << row.told << row.moved << "\n" << world.tail(20));
        CHECK(count(world[1], IkeState::established) == row.left);
        const IkeSa* const old = world[1].engine->find(first);
        CHECK((old != nullptr && old->state == IkeState::established) == row.old_one);
        CHECK((count(world[0], IkeState::established) == 1) == row.new_one);
    }
}

TEST_CASE("lifetimes differ by up to a tenth, so that what began together is not rekeyed together (RFC 7296 2.8)") {
    constexpr unsigned children = 200;
    EngineLimits wide;
    wide.queued_requests = wide.requests_per_second = 1000;
    World world = limited(children, wide, wide);
    bring_up(world);
    const IkeSa& sa = *only(world[0]);
    REQUIRE(sa.children.size() == children);
    std::set<Instant> lives;
    for (const auto& child : sa.children) {
        const Instant life = child->rekey_at - child->created, longest{child->config->rekey_seconds * 1000ll};
        CHECK(life <= longest);
        CHECK(life >= longest * 9 / 10);
        lives.insert(life);
    }
    CHECK(lives.size() > children * 9 / 10);
    CHECK(*lives.rbegin() - *lives.begin() > Instant{3'600'000} / 20);  // over half of that tenth at least
}

TEST_CASE("and so do those of IKE SAs, both to the next keys and to the next proof (RFC 7296 2.8, 2.8.3)") {
    constexpr unsigned worlds = 40;
    std::set<Instant> rekeys, reauths;
    for (unsigned seed = 1; seed <= worlds; ++seed) {
        auto mine = connection(1, 2);
        mine->reauth_seconds = 86'400;
        World world = two_offices(mine, connection(2, 1), seed);
        bring_up(world);
        const IkeSa& sa = *only(world[0]);
        for (const auto& [at, seconds, seen] :
             {std::tuple{sa.rekey_at, mine->rekey_seconds, &rekeys}, {sa.reauth_at, mine->reauth_seconds, &reauths}}) {
            const Instant life = at - sa.established_at, longest{seconds * 1000ll};
            CHECK(life <= longest);
            CHECK(life >= longest * 9 / 10);
            seen->insert(life);
        }
    }
    for (const auto* const lives : {&rekeys, &reauths}) {
        CHECK(lives->size() > worlds * 9 / 10);
        CHECK(*lives->rbegin() - *lives->begin() > *lives->rbegin() / 20);
    }
}
