// What an attacker tries: strangers who flood or send in another's name, whoever repeats what he has seen, and peers
// who have proven who they are and then misbehave. Peers' forgeries are sealed with the peer's own keys, taken out of
// his engine. RFC 7296; each class of attack names the fault of another implementation where there was one.
#include "catch.h"
#include "ike/message/message.h"
#include "world.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

/// tokyo (20.0.0.1) and newyork (20.0.0.2), who is attacked.
World offices(EngineConfig newyork = config_of({connection(2, 1)})) {
    World world{33};
    world.add("tokyo", config_of({connection(1, 2)}));
    world.add("newyork", std::move(newyork));
    return world;
}

void up(World& world, std::size_t node = 0, const std::string& name = "to-2") {
    auto actions = world[node].engine->up(name, world.now());
    REQUIRE(actions);
    world.perform(world[node], std::move(*actions));
}

const IkeSa& first_sa(const Node& node) {
    const IkeSa* found = nullptr;
    node.engine->each([&](const IkeSa& sa) { found = found != nullptr ? found : &sa; });
    REQUIRE(found != nullptr);
    return *found;
}

/// A request or response of the peer's end `sa`, protected as he would.
Datagram forged(const IkeSa& sa, ExchangeType exchange, std::uint32_t id, const Payloads& payloads,
                bool response = false) {
    Header header{sa.spi_initiator, sa.spi_responder, 2, 0, exchange, sa.initiator, false, response, id};
    const auto sealed = sa.sealing->seal(header, payloads.empty() ? PayloadType::none : type_of(payloads.front()),
                                         build_payloads(payloads));
    REQUIRE(sealed);
    return {sa.remote, sa.local, *sealed};  // as its receiver sees the ends
}

/// What `node` sends in answer.
std::vector<Datagram> deliver(World& world, std::size_t node, const Datagram& datagram) {
    const std::size_t before = world.record.size();
    world.perform(world[node], world[node].engine->receive(datagram, world.now()));
    return {world.record.begin() + static_cast<std::ptrdiff_t>(before), world.record.end()};
}

/// The notification in the answer that `sa`, the peer's end, can open.
std::optional<NotifyType> told(const IkeSa& sa, const std::vector<Datagram>& answers) {
    if (answers.empty()) return {};
    const auto taken = split(answers.front().octets);
    if (!taken || !taken->encrypted) return {};
    const auto inner = sa.opening->open(*taken->encrypted);
    if (!inner) return {};
    const auto payloads = parse_payloads(taken->encrypted->inner_first, *inner);
    const auto* n = payloads ? find<Notify>(*payloads) : nullptr;
    return n != nullptr ? std::optional{n->type} : std::nullopt;
}

/// The IKE_SA_INIT request that tokyo sent, as if `from` had sent it with SPI number `n`.
Datagram init_from(const World& world, const Endpoint& from, unsigned n) {
    Octets octets = world.record.at(0).octets;
    octets[0] = std::byte{0x55};
    octets[1] = static_cast<std::byte>(n >> 8);
    octets[2] = static_cast<std::byte>(n);
    return {{address_of(2), 500}, from, octets};
}

Payloads child_request(const IkeSa& sa, std::uint32_t spi) {
    Proposal proposal = sa.connection->children[0].proposals[0];
    proposal.spi.clear();
    for (int shift = 24; shift >= 0; shift -= 8) proposal.spi.push_back(static_cast<std::byte>(spi >> shift));
    const TrafficPair traffic = configured_traffic(sa.connection->children[0], sa.local.address, sa.remote.address);
    return {Sa{{proposal}}, Nonce{Octets(32, std::byte{7})}, TsInitiator{traffic.local}, TsResponder{traffic.remote}};
}

Payloads rekey_request(const IkeSa& sa, unsigned n) {
    Proposal proposal = sa.connection->proposals[0];
    proposal.spi = Octets(8, static_cast<std::byte>(n + 1));
    Octets value(32, std::byte{0});
    value[0] = std::byte{9};
    return {Sa{{proposal}}, Nonce{Octets(32, static_cast<std::byte>(n))}, Ke{sa.suite.ke, value}};
}

}  // namespace

// ---- before anybody is authenticated

TEST_CASE("a cookie for one address and nonce is none for another address and a shorter nonce (RFC 7296 2.6)") {
    const auto crypto = *CryptoContext::deterministic(1);
    Cookies cookies;
    Octets nonce(16, std::byte{1});
    Octets longer = nonce;  // its last 12 octets and our IPv4 address are somebody's IPv6 address
    for (unsigned i = 0; i < 12; ++i) longer.push_back(static_cast<std::byte>(0x20 + i));
    const Octets cookie = cookies.make(*crypto, {address_of(9), 500}, IkeSpi{5}, longer, Instant{1});
    Octets victim(longer.end() - 12, longer.end());
    const Address near = address_of(9);
    for (const std::byte b : near.octets()) victim.push_back(b);
    CHECK(cookies.is_ours(*crypto, cookie, {address_of(9), 500}, IkeSpi{5}, longer, Instant{2}));
    CHECK(!cookies.is_ours(*crypto, cookie, {Address::from_octets(victim), 500}, IkeSpi{5}, nonce, Instant{2}));
}

TEST_CASE("whoever is there gets his cookie in the middle of a flood of forged requests (RFC 7296 2.6)") {
    EngineConfig config = config_of({connection(2, 1)});
    config.limits.cookies_from = 0;
    World world = offices(config);
    up(world);
    for (unsigned i = 0; i < 500; ++i)
        (void)world[1].engine->receive(init_from(world, {address_of(9), 500}, i), world.now());
    world.run(Instant{500});
    CHECK(count(world[0], IkeState::established) == 1);
}

TEST_CASE("requests in a peer's name do not lock him out: his address is asked for a cookie (RFC 7296 2.6)") {
    World world = offices();
    up(world);
    for (unsigned i = 0; i < 100; ++i)
        (void)world[1].engine->receive(init_from(world, {address_of(1), 500}, i), world.now());
    world.run(Instant{500});
    CHECK(count(world[0], IkeState::established) == 1);
    CHECK(world[1].engine->half_open() <= EngineLimits{}.half_open_per_source);
}

TEST_CASE("all of an IPv6 /64 is one source of half-open IKE SAs (RFC 7296 2.6)") {
    auto anybody = connection(2, 1);
    anybody->local.reset();
    anybody->remote.reset();
    World world = offices(config_of({anybody}));
    up(world);
    std::array<std::byte, 16> address{std::byte{0x20}, std::byte{0x01}};
    for (unsigned i = 0; i < 90; ++i) {
        address[15] = static_cast<std::byte>(i + 1);
        Datagram d = init_from(world, {Address::from_octets(address), 500}, i);
        d.local.address = Address::from_octets(std::array<std::byte, 16>{std::byte{0x20}, std::byte{0x02}});
        (void)world[1].engine->receive(d, world.now());
    }
    CHECK(world[1].engine->half_open() > 0);
    CHECK(world[1].engine->half_open() <= EngineLimits{}.half_open_per_source);
    world.run(Instant{60'000});
    CHECK(world[1].engine->half_open() == 0);
}

TEST_CASE("INVALID_SYNTAX is told under protection alone (RFC 7296 3.10.1)") {
    World world = offices();
    Header header{IkeSpi{77}, IkeSpi{0}, 2, 0, ExchangeType::ike_sa_init, true, false, false, 0};
    const Datagram bare{{address_of(2), 500}, {address_of(1), 500}, build_message(header, {Nonce{Octets(32)}})};
    CHECK(deliver(world, 1, bare).empty());
    CHECK(world[1].engine->half_open() == 0);
}

TEST_CASE("an answer in clear never has the V flag set, whatever the request had (RFC 7296 3.1)") {
    World world = offices();
    Header header{IkeSpi{77}, IkeSpi{78}, 2, 0, ExchangeType::informational, true, true, false, 0};
    const auto answers = deliver(world, 1, {{address_of(2), 500}, {address_of(1), 500}, build_message(header, {})});
    REQUIRE(answers.size() == 1);
    CHECK(!parse_header(answers[0].octets)->higher_version);
}

TEST_CASE("strangers do not fill the log: what is told of them has a limit each second") {
    World world = offices();
    up(world);
    for (unsigned i = 0; i < 500; ++i)
        world.perform(world[1], world[1].engine->receive(init_from(world, {address_of(9), 500}, i), world.now()));
    CHECK(world[1].told.size() <= 25);
}

TEST_CASE("IKE SAs that were refused count as half open until they are forgotten (RFC 7296 2.21.2)") {
    auto other = connection(2, 1);
    other->shared_keys = std::make_shared<SharedKeys>(*SharedKeys::parse("* something else\n", "psk.txt"));
    World world = offices(config_of({other}));
    up(world);
    world.run(Instant{10});
    CHECK(count(world[1], IkeState::closed) == 1);
    CHECK(world[1].engine->half_open() == 1);
    world.run(Instant{60'000});
    CHECK(world[1].engine->half_open() == 0);
    CHECK(world[1].engine->size() == 0);
}

TEST_CASE("who was refused gets no second attempt through the same IKE SA (RFC 7296 2.21.2)") {
    auto other = connection(2, 1);
    other->shared_keys = std::make_shared<SharedKeys>(*SharedKeys::parse("* something else\n", "psk.txt"));
    World world = offices(config_of({other}));
    world.tap = [](Datagram& d) {  // tokyo does not hear of it, and keeps his keys
        const auto header = parse_header(d.octets);
        return !(header->response && header->exchange == ExchangeType::ike_auth);
    };
    up(world);
    world.run(Instant{10});
    const IkeSa& mine = first_sa(world[0]);
    const IkeSa& his = first_sa(world[1]);
    REQUIRE(his.state == IkeState::closed);
    const Instant ends = his.expires_at;
    world.run(Instant{100});
    for (const ExchangeType exchange :
         {ExchangeType::ike_auth, ExchangeType::create_child_sa, ExchangeType::informational}) {
        CHECK(deliver(world, 1, forged(mine, exchange, 2, {Delete{ProtocolId::ike, {}}})).empty());
        CHECK(his.state == IkeState::closed);
        CHECK(his.expected_request == 2);
        CHECK(his.expires_at == ends);
    }
}

TEST_CASE("before IKE_AUTH nothing else is heard, even under the right keys (CVE-2014-2338, CVE-2019-12312)") {
    World world = offices();
    world.tap = [](Datagram& d) { return parse_header(d.octets)->exchange != ExchangeType::ike_auth; };
    up(world);
    world.run(Instant{10});
    const IkeSa& mine = first_sa(world[0]);
    REQUIRE(first_sa(world[1]).state == IkeState::init_answered);
    CHECK(deliver(world, 1, forged(mine, ExchangeType::create_child_sa, 1, rekey_request(mine, 1))).empty());
    CHECK(deliver(world, 1, forged(mine, ExchangeType::create_child_sa, 1, child_request(mine, 0x12345))).empty());
    CHECK(deliver(world, 1, forged(mine, ExchangeType::informational, 1, {Delete{ProtocolId::ike, {}}})).empty());
    CHECK(first_sa(world[1]).state == IkeState::init_answered);
}

TEST_CASE("without a NAT, a copy of IKE_AUTH from elsewhere does not take the IKE SA there (RFC 7296 2.11, 2.23)") {
    World world = offices();
    std::optional<Datagram> held;
    world.tap = [&](Datagram& d) {
        if (parse_header(d.octets)->exchange == ExchangeType::ike_auth && !held) held = d;
        return true;
    };
    up(world);
    for (unsigned i = 0; i < 10 && !held; ++i) world.step(world.clock + Instant{100});
    REQUIRE(held);
    (void)deliver(world, 1, {held->remote, {address_of(9), 4500}, held->octets});
    world.run(Instant{5'000});
    CHECK(first_sa(world[1]).remote.address == address_of(1));
    CHECK(count(world[0], IkeState::established) == 1);
}

// ---- replays

TEST_CASE("an old request sent again moves no peer behind a NAT, and is no sign of life (RFC 7296 2.4, 2.23)") {
    auto other = connection(2, 1);
    other->remote.reset();
    World world = offices(config_of({other}));
    const Address nat = address_of(77);
    world.addresses[nat] = 0;
    world.tap = [&](Datagram& d) {  // a NAT in front of tokyo
        if (d.local.address == address_of(1)) d.local.address = nat;
        return true;
    };
    up(world);
    world.run(Instant{50});
    const IkeSa& his = first_sa(world[1]);
    REQUIRE(his.state == IkeState::established);
    REQUIRE(his.peer_behind_nat);
    const Datagram last = world.record[2];  // IKE_AUTH
    const Instant heard = his.last_heard;
    world.run(Instant{1'000});
    const auto answers = deliver(world, 1, {last.remote, {address_of(9), 4500}, last.octets});
    CHECK(answers.size() == 1);
    CHECK(his.remote.address == nat);
    CHECK(his.last_heard == heard);
}

// ---- peers who proved who they are

TEST_CASE("identities are proven once: another IKE_AUTH in an IKE SA is not heard (RFC 7296 1.2)") {
    World world = offices();
    up(world);
    world.settle();
    const IkeSa& mine = first_sa(world[0]);
    const IkeSa& his = first_sa(world[1]);
    const Id before = his.remote_id;
    const Payloads again{IdInitiator{{IdType::fqdn, Octets(4, std::byte{'x'})}},
                         Auth{AuthMethod::shared_key, Octets(32)}};
    CHECK(deliver(world, 1, forged(mine, ExchangeType::ike_auth, 2, again)).empty());
    CHECK(his.state == IkeState::established);
    CHECK(his.remote_id == before);
}

TEST_CASE("an SPI that another IKE SA's child uses is refused, so that no Delete takes the other's SA") {
    auto mine = connection(1, 2), other = connection(2, 1);
    mine->uniqueness = other->uniqueness = Uniqueness::never;
    World world{34};
    world.add("tokyo", config_of({mine}));
    world.add("newyork", config_of({other}));
    up(world);
    world.settle();
    const IkeSa& first = first_sa(world[0]);
    const auto spi = static_cast<std::uint32_t>(first.children[0]->inbound);
    auto actions = world[0].engine->reauth("to-2", world.now());
    REQUIRE(actions);
    world.perform(world[0], std::move(*actions));
    world.run(Instant{1'000});
    const IkeSa* second = nullptr;
    world[0].engine->each([&](const IkeSa& sa) { second = sa.state == IkeState::established ? &sa : second; });
    REQUIRE(second != nullptr);
    const std::uint32_t next = second->next_request;
    (void)deliver(world, 1, forged(*second, ExchangeType::create_child_sa, next, child_request(*second, spi)));
    (void)deliver(world, 1, forged(*second, ExchangeType::informational, next + 1, {Delete{ProtocolId::esp, {spi}}}));
    world.run(Instant{1'000});
    std::size_t there = 0;
    for (const auto& [id, entry] : world[1].sad.sas()) there += id.spi == Spi{spi} && id.destination == address_of(1);
    CHECK(there == 1);
    CHECK(!world[1].said("SAD:"));
}

TEST_CASE("rekeys of IKE SAs in a chain are as few a second as those of one (RFC 7296 2.25)") {
    World world = offices();
    up(world);
    world.settle();
    world.tap = [](Datagram& d) { return parse_header(d.octets)->exchange != ExchangeType::informational; };
    for (unsigned i = 0; i < 60; ++i) {
        if (auto actions = world[0].engine->rekey("to-2", world.now())) world.perform(world[0], std::move(*actions));
        world.run(Instant{5});
    }
    CHECK(world[1].engine->size() > 10);
    CHECK(world[1].engine->size() <= EngineLimits{}.requests_per_second + 2);
}

TEST_CASE("while our rekey of the IKE SA is under way the peer's own is taken once (RFC 7296 2.8.2, 2.25.2)") {
    World world = offices();
    up(world);
    world.settle();
    world.tap = [](Datagram&) { return false; };
    auto actions = world[1].engine->rekey("to-1", world.now());
    REQUIRE(actions);
    world.perform(world[1], std::move(*actions));
    const IkeSa& mine = first_sa(world[0]);
    (void)deliver(world, 1, forged(mine, ExchangeType::create_child_sa, 2, rekey_request(mine, 1)));
    CHECK(world[1].engine->size() == 2);
    const auto answers = deliver(world, 1, forged(mine, ExchangeType::create_child_sa, 3, rekey_request(mine, 2)));
    CHECK(told(mine, answers) == NotifyType::temporary_failure);
    CHECK(world[1].engine->size() == 2);
}

TEST_CASE("nobody takes over the traffic of a peer of another identity (RFC 4301 4.4.3)") {
    auto anybody = connection(2, 1);
    anybody->remote.reset();
    World world = offices(config_of({anybody}));
    auto mallory = connection(3, 2);
    mallory->children[0].local = {Prefix{Address::v4(10u << 24 | 1u << 16), 16}};
    world.add("mallory", config_of({mallory}));
    up(world);
    world.settle();
    REQUIRE(world.ping(1, 0, packet_between(2, 1)));
    up(world, 2);
    world.settle();
    CHECK(world[2].said("TS_UNACCEPTABLE"));
    CHECK(world.ping(1, 0, packet_between(2, 1)));
    CHECK(world.ping(0, 1, packet_between(1, 2)));
}

TEST_CASE("hostile CREATE_CHILD_SA and INFORMATIONAL are answered and harm nothing (CVE-2023-38710, CVE-2023-38712)") {
    World world = offices();
    up(world);
    world.settle();
    const IkeSa& mine = first_sa(world[0]);
    const IkeSa& his = first_sa(world[1]);
    std::uint32_t id = 2;
    const auto ask = [&](ExchangeType exchange, const Payloads& payloads) {
        return deliver(world, 1, forged(mine, exchange, id++, payloads));
    };
    Payloads bad = child_request(mine, 0x777777);  // REKEY_SA of IKE
    bad.emplace_back(Notify{ProtocolId::ike, NotifyType::rekey_sa, {}, {}});
    CHECK(told(mine, ask(ExchangeType::create_child_sa, bad)) == NotifyType::invalid_syntax);
    CHECK(told(mine, ask(ExchangeType::create_child_sa, child_request(mine, 77))) == NotifyType::invalid_syntax);
    CHECK(ask(ExchangeType::create_child_sa, {}).size() == 1);
    Payloads zero = rekey_request(mine, 1);  // key exchange value of no order (CVE-2015-3240)
    std::get<Ke>(zero[2]).value = Octets(32);
    CHECK(told(mine, ask(ExchangeType::create_child_sa, zero)) == NotifyType::invalid_syntax);
    Payloads configured = child_request(mine, 0x888888);  // what others choke on: CP in a rekey (libreswan 293)
    configured.emplace_back(Configuration{CfgType::request, {}});
    CHECK(ask(ExchangeType::create_child_sa, configured).size() == 1);
    const auto spi = static_cast<std::uint32_t>(mine.children[0]->inbound);
    CHECK(his.children.size() == 2);
    const Delete one{ProtocolId::esp, {spi}}, other{ProtocolId::ah, {spi}}, nobody{ProtocolId::esp, {1, 2, 3}};
    CHECK(ask(ExchangeType::informational, {one, one, other, nobody, one}).size() == 1);  // libreswan 67
    CHECK(ask(ExchangeType::informational, {one}).size() == 1);
    CHECK(his.state == IkeState::established);
    CHECK(ask(ExchangeType::informational, {Delete{ProtocolId::ike, {}}, Delete{ProtocolId::ike, {}}}).size() == 1);
    CHECK(his.state == IkeState::closed);
}

TEST_CASE("a responder whom we do not believe is tried again, when the connection is to be up (RFC 7296 2.21.2)") {
    auto mine = connection(1, 2, StartAction::start), other = connection(2, 1);
    mine->shared_keys = std::make_shared<SharedKeys>(
        *SharedKeys::parse("20.0.0.2 a test's key and no other's\ngw.example something else\n", "psk.txt"));
    other->local_id = *parse_id("gw.example");
    World world{35};
    world.add("tokyo", config_of({mine}));
    world.add("newyork", config_of({other}));
    world.begin();
    world.run(Instant{30'000});
    REQUIRE(world[0].said("the pre-shared keys differ"));
    std::size_t begun = 0;
    for (const Datagram& d : world.record) {
        const auto header = parse_header(d.octets);
        begun += header->exchange == ExchangeType::ike_sa_init && !header->response;
    }
    CHECK(begun > 2);
}
