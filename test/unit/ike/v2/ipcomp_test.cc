// IPComp with a child's ESP or AH: agreed on by notifications, one bundle in the gateway, rekeyed and deleted with it,
// and done without where the peer does not know it (RFC 7296 2.22, RFC 3173 3.3).
#include "ike/v2/ipcomp.h"

#include <set>

#include "base/reader.h"
#include "catch.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

std::shared_ptr<Connection> compressing(unsigned local, unsigned remote, StartAction start = StartAction::none) {
    auto c = connection(local, remote, start);
    c->children[0].ipcomp = true;
    return c;
}

void to_transport(Connection& c) {
    c.children[0].mode = Mode::transport;
    c.children[0].local.clear();
    c.children[0].remote.clear();
}

const ChildSa& child_of(World& world, std::size_t node) {
    const IkeSa* const sa = only(world[node]);
    REQUIRE(sa != nullptr);
    REQUIRE(sa->children.size() == 1);
    return *sa->children[0];
}

std::vector<const control::SaSpec*> specs(World& world, std::size_t node, IpsecProtocol protocol) {
    std::vector<const control::SaSpec*> out;
    for (const auto& [id, entry] : world[node].sad.sas())
        if (id.protocol == protocol) out.push_back(&entry.spec);
    return out;
}

/// Every message of `exchange` that node 0 or 1 sends is opened, changed and sealed again.
void change(World& world, ExchangeType exchange, bool response, std::function<void(Payloads&)> how) {
    world.tap = [&world, exchange, response, how = std::move(how)](Datagram& d) {
        const auto header = parse_header(d.octets);
        if (header && header->exchange == exchange && header->response == response)
            REQUIRE(rewrite(world, d, [&](Opened& opened) { how(opened.payloads); }));
        return true;
    };
}

void drop_ipcomp(Payloads& payloads) {
    std::erase_if(payloads, [](const Payload& payload) {
        const auto* n = std::get_if<Notify>(&payload);
        return n != nullptr && n->type == NotifyType::ipcomp_supported;
    });
}

Notify offer(std::uint16_t cpi, std::uint8_t transform, std::size_t octets = 3) {
    Octets data;
    Writer{data}.u16(cpi).u8(transform).zeros(1);
    data.resize(octets);
    return notify(NotifyType::ipcomp_supported, data);
}

/// The operator's policies, as setkey would write them.
void write_policies(World& world, std::size_t node, const std::vector<Request>& requests) {
    const auto other = static_cast<unsigned>(2 - node), self = static_cast<unsigned>(node + 1);
    for (const Direction direction : {Direction::outbound, Direction::inbound}) {
        Policy policy;
        policy.direction = direction;
        policy.action = PolicyAction::protect;
        const bool out = direction == Direction::outbound;
        policy.selector.source = Prefix{Address::v4(10u << 24 | (out ? self : other) << 16), 16};
        policy.selector.destination = Prefix{Address::v4(10u << 24 | (out ? other : self) << 16), 16};
        policy.requests = requests;
        for (Request& request : policy.requests)
            if (request.mode == Mode::tunnel)
                request.endpoints = out ? Endpoints{address_of(self), address_of(other)}
                                        : Endpoints{address_of(other), address_of(self)};
        REQUIRE(world[node].sad.apply([&] {
            std::vector<control::Operation> all;
            all.emplace_back(control::AddPolicy{policy});
            return all;
        }()));
    }
}

Request request_of(IpsecProtocol protocol, Mode mode, std::uint32_t reqid = 0) {
    Request request;
    request.protocol = protocol;
    request.mode = mode;
    request.level = reqid == 0 ? Level::require : Level::unique;
    request.reqid = ReqId{reqid};
    return request;
}

}  // namespace

TEST_CASE("both ends compress: each names a CPI of its own, and the child is IPComp within ESP (RFC 7296 2.22)") {
    World world = two_offices(compressing(1, 2), compressing(2, 1), 5);
    bring_up(world);
    INFO(world.tail(20));
    REQUIRE(disagreement(world, 1, 1) == "");
    const ChildSa &a = child_of(world, 0), &b = child_of(world, 1);
    REQUIRE(a.ipcomp);
    REQUIRE(b.ipcomp);
    CHECK(a.ipcomp->inbound.cpi() == b.ipcomp->outbound);
    CHECK(b.ipcomp->inbound.cpi() == a.ipcomp->outbound);
    for (std::size_t node = 0; node < 2; ++node) {
        const auto ipcomp = specs(world, node, IpsecProtocol::ipcomp), esp = specs(world, node, IpsecProtocol::esp);
        REQUIRE(ipcomp.size() == 2);
        REQUIRE(esp.size() == 2);
        for (const control::SaSpec* spec : ipcomp) {
            CHECK(spec->mode == Mode::tunnel);
            CHECK(spec->raw_cpi);
            CHECK(static_cast<std::uint32_t>(spec->id.spi) >= first_cpi);
            CHECK(static_cast<std::uint32_t>(spec->id.spi) <= last_cpi);
        }
        for (const control::SaSpec* spec : esp) CHECK(spec->mode == Mode::transport);  // IP | ESP | IPComp | IP
        for (const Policy& policy : world[node].sad.spd()) {
            REQUIRE(policy.requests.size() == 2);
            CHECK(policy.requests[0].protocol == IpsecProtocol::ipcomp);  // the innermost
            CHECK(policy.requests[0].mode == Mode::tunnel);
            CHECK(policy.requests[0].endpoints);
            CHECK(policy.requests[1].protocol == IpsecProtocol::esp);
            CHECK(policy.requests[1].mode == Mode::transport);
        }
    }
}

TEST_CASE("transport mode and AH are compressed as tunnels and ESP are (RFC 7296 2.22)") {
    for (const bool ah : {false, true})
        for (const bool transport : {false, true}) {
            auto a = compressing(1, 2), b = compressing(2, 1);
            for (const auto& c : {a, b}) {
                if (transport) to_transport(*c);
                if (!ah) continue;
                c->children[0].protocol = ProtocolId::ah;
                c->children[0].proposals = {*parse_child_proposal(ProtocolId::ah, "sha256", LegacyAlgorithms::refused)};
            }
            World world = two_offices(a, b, 5);
            bring_up(world);
            for (std::size_t node = 0; node < 2; ++node) {
                const auto ipcomp = specs(world, node, IpsecProtocol::ipcomp);
                REQUIRE(ipcomp.size() == 2);
                CHECK(ipcomp[0]->mode == (transport ? Mode::transport : Mode::tunnel));
                CHECK(specs(world, node, ah ? IpsecProtocol::ah : IpsecProtocol::esp).size() == 2);
            }
        }
}

TEST_CASE("where one end does not compress the child does without, whoever begins (RFC 7296 2.22)") {
    for (const bool first : {false, true}) {
        World world =
            two_offices(first ? compressing(1, 2) : connection(1, 2), first ? connection(2, 1) : compressing(2, 1), 5);
        bring_up(world);
        INFO(world.tail(20));
        CHECK(disagreement(world, 1, 1) == "");
        CHECK(!child_of(world, 0).ipcomp);
        CHECK(!child_of(world, 1).ipcomp);
        CHECK(specs(world, 0, IpsecProtocol::esp)[0]->mode == Mode::tunnel);
        CHECK(world[0].sad.size() == 2);
    }
}

TEST_CASE("a trap's policies become the bundle once the peer compresses, and what they were for one who does not") {
    for (const bool peer : {true, false}) {
        World world = two_offices(compressing(1, 2, StartAction::trap), peer ? compressing(2, 1) : connection(2, 1), 6);
        CHECK(!world.ping(0, 1, packet_between(1, 2)));
        world.settle();
        INFO(world.tail(20));
        CHECK(disagreement(world, 1, 1) == "");
        for (const Policy& policy : world[0].sad.spd()) CHECK(policy.requests.size() == (peer ? 2 : 1));
        REQUIRE(order(world, 1, "down", "to-1"));
        world.run(Instant{40'000});
        CHECK(disagreement(world, 0, 0) == "");
        CHECK(!world.ping(0, 1, packet_between(1, 2)));  // and the trap still works
        world.settle();
        CHECK(disagreement(world, 1, 1) == "");
    }
}

TEST_CASE("a rekey has new CPIs, and the old IPComp SAs go with the old ESP, whichever end begins (RFC 7296 2.22)") {
    for (const std::size_t who : {std::size_t{0}, std::size_t{1}}) {
        World world = two_offices(compressing(1, 2), compressing(2, 1), 7);
        bring_up(world);
        const Cpi mine = child_of(world, 0).ipcomp->inbound.cpi(), theirs = child_of(world, 1).ipcomp->inbound.cpi();
        REQUIRE(order(world, who, "rekey", who == 0 ? "offices-2" : "offices-1"));
        for (unsigned i = 0; i < 40; ++i) {  // no moment without a whole chain
            CHECK(both_talk(world));
            world.run(Instant{1});
        }
        world.run(Instant{10'000});
        INFO(world.tail(30));
        CHECK(disagreement(world, 1, 1) == "");
        CHECK(child_of(world, 0).ipcomp->inbound.cpi() != mine);
        CHECK(child_of(world, 1).ipcomp->inbound.cpi() != theirs);
    }
}

TEST_CASE("deletion and a new IKE SA take the IPComp SAs along, and their CPIs are free again (RFC 7296 2.22)") {
    World world = two_offices(compressing(1, 2), compressing(2, 1), 8);
    bring_up(world);
    REQUIRE(order(world, 0, "rekey", "to-2"));
    world.run(Instant{40'000});  // the old one repeats its last answer for a while
    CHECK(disagreement(world, 1, 1) == "");
    REQUIRE(order(world, 1, "down", "offices-1"));
    world.run(Instant{10'000});
    CHECK(disagreement(world, 1, 0) == "");
    REQUIRE(order(world, 0, "up", "offices-2"));
    world.settle();
    CHECK(disagreement(world, 1, 1) == "");
    REQUIRE(order(world, 0, "down", "to-2"));
    world.run(Instant{40'000});
    CHECK(disagreement(world, 0, 0) == "");
    CHECK(world[0].sad.policies() + world[1].sad.policies() == 0);
}

TEST_CASE("an answer that compresses unasked, twice or otherwise than we offered makes no child (RFC 7296 2.22)") {
    struct Wrong {
        bool asks;
        std::vector<Notify> answer;
    };
    const std::vector<Wrong> all{
        {false, {offer(1000, 2)}},                 // not asked for
        {true, {offer(1000, 2), offer(1001, 2)}},  // MUST NOT: more than one
        {true, {offer(1000, 3)}},                  // LZS, which was not offered
        {true, {offer(255, 2)}},                   // reserved (RFC 3173 3.3)
        {true, {offer(61440, 2)}},                 // private
        {true, {offer(1000, 2, 2)}},               // no transform
        {true, {offer(1000, 2, 4)}},               // attributes, of which DEFLATE has none
        {true, {offer(0, 0, 0)}},                  // nothing
    };
    for (const Wrong& wrong : all) {
        World world = two_offices(wrong.asks ? compressing(1, 2) : connection(1, 2), compressing(2, 1), 9);
        change(world, ExchangeType::ike_auth, true, [&](Payloads& payloads) {
            drop_ipcomp(payloads);
            for (const Notify& n : wrong.answer) payloads.emplace_back(n);
        });
        bring_up(world);
        world.tap = nullptr;
        world.run(Instant{20'000});
        INFO(world.tail(30));
        CHECK(disagreement(world, 1, 0) == "");
    }
}

TEST_CASE("offers that mean nothing are passed over, and the first of DEFLATE is taken (RFC 7296 2.22)") {
    World world = two_offices(compressing(1, 2), compressing(2, 1), 10);
    change(world, ExchangeType::ike_auth, false, [&](Payloads& payloads) {
        const Notify ours = *find_notify(payloads, NotifyType::ipcomp_supported);
        drop_ipcomp(payloads);
        for (const Notify& n : {offer(7, 2), offer(5000, 1), offer(5001, 4), offer(5002, 2, 1), ours, offer(6000, 2)})
            payloads.emplace_back(n);
    });
    bring_up(world);
    INFO(world.tail(20));
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(child_of(world, 0).ipcomp);
    CHECK(child_of(world, 1).ipcomp->outbound == child_of(world, 0).ipcomp->inbound.cpi());
}

TEST_CASE("an offer without a usable CPI is one of nothing: the child comes without IPComp (RFC 7296 2.22)") {
    World world = two_offices(compressing(1, 2), compressing(2, 1), 11);
    change(world, ExchangeType::ike_auth, false, [&](Payloads& payloads) {
        drop_ipcomp(payloads);
        payloads.emplace_back(offer(3, 2));
    });
    bring_up(world);
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(!child_of(world, 1).ipcomp);
}

TEST_CASE("no two children receive by one CPI, and a peer's CPI that is in use is gone without (RFC 3173 3.3)") {
    auto a = compressing(1, 2), b = compressing(2, 1);
    for (const auto& c : {a, b}) {  // a second child, for the networks beside
        ChildConfig more = c->children[0];
        more.name += "-more";
        more.local = {Prefix{Address::v4(11u << 24 | (c == a ? 1u : 2u) << 16), 16}};
        more.remote = {Prefix{Address::v4(11u << 24 | (c == a ? 2u : 1u) << 16), 16}};
        c->children.push_back(more);
    }
    World world = two_offices(a, b, 12);
    REQUIRE(order(world, 0, "up", "offices-2"));
    world.settle();
    const Cpi first = child_of(world, 0).ipcomp->inbound.cpi();
    change(world, ExchangeType::create_child_sa, false, [&](Payloads& payloads) {
        drop_ipcomp(payloads);
        payloads.emplace_back(ipcomp_supported(first));
    });
    REQUIRE(order(world, 0, "up", "offices-2-more"));
    world.settle();
    const auto& children = only(world[1])->children;
    REQUIRE(children.size() == 2);
    CHECK(children[0]->ipcomp);
    CHECK(!children[1]->ipcomp);
    CHECK(!world[1].said("SAD: "));

    std::set<Cpi> taken;  // and of our own
    Cpis cpis;
    std::vector<CpiLease> held;
    auto crypto = *CryptoContext::deterministic(3);
    while (auto lease = cpis.take(*crypto)) {
        CHECK(taken.insert(lease->cpi()).second);
        held.push_back(std::move(*lease));
    }
    CHECK(cpis.taken() == held.size());
    CHECK(held.size() > 30'000);
    held.pop_back();
    CHECK(cpis.take(*crypto));
    held.clear();
    CHECK(cpis.taken() == 0);
}

TEST_CASE("setkey's policies that bundle ipcomp and esp get SAs of both by IKE, each of its own reqid") {
    auto a = compressing(1, 2), b = compressing(2, 1);
    a->children[0].makes_policies = b->children[0].makes_policies = false;
    World world = two_offices(a, b, 13);
    const std::vector<Request> out{request_of(IpsecProtocol::ipcomp, Mode::tunnel, 7),
                                   request_of(IpsecProtocol::esp, Mode::transport, 8)};
    write_policies(world, 0, out);
    write_policies(world, 1,
                   {request_of(IpsecProtocol::ipcomp, Mode::tunnel), request_of(IpsecProtocol::esp, Mode::transport)});
    CHECK(!world.ping(0, 1, packet_between(1, 2)));
    world.settle();
    INFO(world.tail(20));
    REQUIRE(world[0].sad.size() == 4);
    CHECK(world[1].sad.size() == 4);
    for (const control::SaSpec* spec : specs(world, 0, IpsecProtocol::ipcomp)) CHECK(spec->reqid == ReqId{7});
    for (const control::SaSpec* spec : specs(world, 0, IpsecProtocol::esp)) CHECK(spec->reqid == ReqId{8});
    REQUIRE(order(world, 1, "rekey", "offices-1"));
    world.run(Instant{20'000});
    for (const control::SaSpec* spec : specs(world, 0, IpsecProtocol::ipcomp)) CHECK(spec->reqid == ReqId{7});
    CHECK(world[0].sad.size() == 4);
}

TEST_CASE("setkey's policies that ask for IPComp get no child of a peer that does not compress, and both are told") {
    for (const bool first : {true, false}) {
        auto a = first ? compressing(1, 2) : connection(1, 2), b = first ? connection(2, 1) : compressing(2, 1);
        a->children[0].makes_policies = b->children[0].makes_policies = false;
        World world = two_offices(a, b, 14);
        bring_up(world);
        world.run(Instant{20'000});
        INFO(world.tail(20));
        CHECK(world[0].sad.size() + world[1].sad.size() == 0);
        CHECK(world[first ? 0 : 1].said("ask for IPComp, and the peer"));
    }
}

TEST_CASE("what is no bundle of two ends is negotiated for by no child (RFC 7296 2.22)") {
    const auto policy = [](std::vector<Request> requests) {
        Policy out;
        out.requests = std::move(requests);
        return out;
    };
    using enum IpsecProtocol;
    CHECK(bundle_of(policy({request_of(esp, Mode::tunnel)}))->ipcomp == false);
    CHECK(bundle_of(policy({request_of(ipcomp, Mode::tunnel), request_of(ah, Mode::transport)}))->protocol == ah);
    CHECK(bundle_of(policy({request_of(ipcomp, Mode::transport), request_of(esp, Mode::transport)}))->mode ==
          Mode::transport);
    CHECK(!bundle_of(policy({})));
    CHECK(!bundle_of(policy({request_of(ipcomp, Mode::tunnel)})));
    CHECK(!bundle_of(policy({request_of(ipcomp, Mode::transport), request_of(esp, Mode::tunnel)})));
    CHECK(!bundle_of(policy({request_of(esp, Mode::transport), request_of(ah, Mode::transport)})));
    CHECK(!bundle_of(policy({request_of(ipcomp, Mode::tunnel), request_of(ipcomp, Mode::transport)})));
}

TEST_CASE("an operator takes a child's IPComp SA away: the child ends as a whole, and comes again where it is wanted") {
    auto a = compressing(1, 2);
    a->children[0].start = StartAction::start;
    World world = two_offices(a, compressing(2, 1), 15);
    world.settle();
    REQUIRE(disagreement(world, 1, 1) == "");
    for (const bool outbound : {true, false}) {
        control::SaId gone;
        for (const auto& [id, entry] : world[0].sad.sas())
            if (id.protocol == IpsecProtocol::ipcomp && (id.source == address_of(1)) == outbound) gone = id;
        std::vector<control::Operation> away;
        away.emplace_back(control::DeleteSa{gone});
        REQUIRE(world[0].sad.apply(std::move(away)));
        world.perform(world[0], world[0].engine->expired(gone, true, world.now()));
        world.run(Instant{60'000});
        INFO(world.tail(30));
        CHECK(disagreement(world, 1, 1) == "");
    }
}
