// What notifications say of a child's traffic beside its selectors: that more would be taken, or single pairs of hosts
// alone; fragments, padding, and packets that came otherwise (RFC 7296 1.3.1, 2.9, 3.10.1; RFC 4301 7.3).
#include "base/reader.h"
#include "catch.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

/// In how many requests or answers that was said, before anybody changed it on its way.
std::size_t said(World& world, NotifyType type, bool response) {
    std::size_t n = 0;
    const auto record = world.record;
    for (const Datagram& d : record)
        if (const auto message = open(world, d); message && message->header.response == response)
            n += find_notify(message->payloads, type) != nullptr;
    return n;
}

bool carries_child(const Datagram& d, bool response) {
    const Header header = *parse_header(d.octets);
    return header.response == response &&
           (header.exchange == ExchangeType::ike_auth || header.exchange == ExchangeType::create_child_sa);
}

/// Node 1's children are for 10.2.0.0/16 and 10.3.0.0/16, node 0's one child for both.
World one_for_two(const std::function<void(ChildConfig&)>& change_second = {}) {
    auto mine = connection(1, 2), other = connection(2, 1);
    mine->children[0].remote = {*Prefix::parse("10.2.0.0/15")};
    ChildConfig second = other->children[0];
    second.name = "second";
    second.local = {*Prefix::parse("10.3.0.0/16")};
    if (change_second) change_second(second);
    other->children.push_back(second);
    World world = two_offices(mine, other, 71);
    bring_up(world);
    return world;
}

PacketSelector packet_to(const char* destination) {
    PacketSelector packet = packet_between(1, 2);
    packet.destination = Address::parse(destination).value();
    return packet;
}

/// Whether the pair of selectors is of one host each.
bool is_of_hosts(const std::vector<TrafficSelector>& initiator, const std::vector<TrafficSelector>& responder) {
    const auto host = [](const TrafficSelector& s) { return s.low == s.high; };
    return std::ranges::all_of(initiator, host) && std::ranges::all_of(responder, host);
}

/// Makes node 1 one who has SAs for single pairs of hosts alone: what is asked for more makes it refuse, in these
/// words.
void wants_pairs(World& world) {
    world.tap = [&](Datagram& d) {
        if (carries_child(d, false))
            rewrite(world, d, [](Opened& message) {
                auto* const tsi = get<TsInitiator>(message.payloads);
                auto* const tsr = get<TsResponder>(message.payloads);
                if (tsi == nullptr || tsr == nullptr || is_of_hosts(tsi->selectors, tsr->selectors)) return;
                for (TrafficSelector& s : tsr->selectors) s.low = s.high = *Address::parse("192.0.2.1");
            });
        if (carries_child(d, true))
            rewrite(world, d, [](Opened& message) {
                for (Payload& payload : message.payloads)
                    if (auto* const n = std::get_if<Notify>(&payload);
                        n != nullptr && n->type == NotifyType::ts_unacceptable)
                        n->type = NotifyType::single_pair_required;
            });
        return true;
    };
}

}  // namespace

TEST_CASE("a responder that has further children for the rest says so, and the initiator tells it (RFC 7296 2.9)") {
    World world = one_for_two();
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(said(world, NotifyType::additional_ts_possible, true) == 1);
    CHECK(world[0].said("the peer has further children for the rest of it"));
    CHECK(count_children(world[1], ChildSa::State::installed) == 1);
    REQUIRE(order(world, 0, "rekey", "offices-2"));  // what is rekeyed is not more than it was
    world.settle();
    CHECK(said(world, NotifyType::additional_ts_possible, true) == 1);
}

TEST_CASE("of what nobody has or what is another kind of child nothing more is possible (RFC 7296 2.9)") {
    World elsewhere = one_for_two([](ChildConfig& c) { c.local = {*Prefix::parse("10.9.0.0/16")}; });
    World otherwise = one_for_two([](ChildConfig& c) { c.protocol = ProtocolId::ah; });
    World within = one_for_two([](ChildConfig& c) { c.local = {*Prefix::parse("10.2.7.0/24")}; });
    for (World* const world : {&elsewhere, &otherwise, &within}) {
        CHECK(disagreement(*world, 1, 1) == "");
        CHECK(said(*world, NotifyType::additional_ts_possible, true) == 0);
    }
}

TEST_CASE("a peer who wants an SA for each pair of hosts is asked for the packet's, the first and each next (2.9)") {
    World world = two_offices(connection(1, 2, StartAction::trap), connection(2, 1), 72);
    wants_pairs(world);
    CHECK(!world.ping(0, 1, packet_to("10.2.0.5")));
    world.settle();
    INFO(world.tail(30));
    CHECK(said(world, NotifyType::ts_unacceptable, true) == 1);
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(world.ping(0, 1, packet_to("10.2.0.5")));
    CHECK(!world.ping(0, 1, packet_to("10.2.0.6")));
    world.settle();
    CHECK(said(world, NotifyType::ts_unacceptable, true) == 2);
    CHECK(count_children(world[0], ChildSa::State::installed) == 2);
    CHECK(count_children(world[1], ChildSa::State::installed) == 2);
    CHECK(world.ping(0, 1, packet_to("10.2.0.5")));
    CHECK(world.ping(0, 1, packet_to("10.2.0.6")));
    for (const auto& child : only(world[0])->children) CHECK(is_of_hosts(child->traffic.local, child->traffic.remote));
}

TEST_CASE("an operator's policy is for more than one pair of hosts: no SA of a pair is made for it (RFC 7296 2.9)") {
    auto mine = connection(1, 2), other = connection(2, 1);
    mine->children[0].makes_policies = other->children[0].makes_policies = false;
    World world = two_offices(mine, other, 77);
    wants_pairs(world);
    Request request;
    request.protocol = IpsecProtocol::esp;
    request.mode = Mode::tunnel;
    request.endpoints = Endpoints{address_of(1), address_of(2)};
    Policy policy;
    policy.direction = Direction::outbound;
    policy.action = PolicyAction::protect;
    policy.selector.source = mine->children[0].local[0];
    policy.selector.destination = mine->children[0].remote[0];
    policy.requests.push_back(request);
    control::Event event;
    event.kind = control::Event::Kind::acquire;
    event.request = request;
    event.packet = packet_between(1, 2);
    event.sa = {address_of(1), address_of(2), IpsecProtocol::esp, {}};
    world.perform(world[0], world[0].engine->acquire(event, &policy, world.now()));
    world.settle();
    INFO(world.tail(20));
    CHECK(said(world, NotifyType::ts_unacceptable, true) == 1);
    CHECK(world[0].said("SINGLE_PAIR_REQUIRED"));
    CHECK(disagreement(world, 1, 0) == "");
}

TEST_CASE("without a packet there is no pair of hosts to ask for, and that is told (RFC 7296 2.9)") {
    World world = two_offices(connection(1, 2), connection(2, 1), 73);
    wants_pairs(world);
    bring_up(world);
    CHECK(said(world, NotifyType::ts_unacceptable, true) == 1);
    CHECK(world[0].said("SINGLE_PAIR_REQUIRED: it wants SAs for two hosts each"));
    CHECK(disagreement(world, 1, 0) == "");
}

TEST_CASE(
    "later fragments go through a tunnel for certain ports if both ends said so, else they do not (RFC 4301 7.3)") {
    enum class Silent : std::uint8_t { nobody, initiator, responder };
    for (const bool ports : {false, true})
        for (const Silent silent : {Silent::nobody, Silent::initiator, Silent::responder}) {
            auto mine = connection(1, 2), other = connection(2, 1);
            if (ports) {  // in what the responder narrows it to alone
                other->children[0].ip_protocol = 6;
                other->children[0].local_ports = {80, 80};
            }
            World world = two_offices(mine, other, 74);
            world.tap = [&](Datagram& d) {
                if (silent != Silent::nobody && carries_child(d, silent == Silent::responder))
                    rewrite(world, d,
                            [](Opened& message) { drop(message.payloads, NotifyType::non_first_fragments_also); });
                return true;
            };
            bring_up(world);
            REQUIRE(order(world, 0, "rekey", "offices-2"));
            world.settle();
            INFO(world.tail(20));
            CHECK(count_children(world[0], ChildSa::State::installed) == 1);
            CHECK(said(world, NotifyType::non_first_fragments_also, false) == 2);
            CHECK(said(world, NotifyType::non_first_fragments_also, true) == (silent == Silent::initiator ? 0 : 2));
            for (std::size_t i = 0; i < 2; ++i) {  // a responder whose answer lost it has no way to know
                const bool knows = silent == Silent::initiator || (silent == Silent::responder && i == 0);
                CHECK(world[i].said("of fragments the peer takes the first alone") == (ports && knows));
                for (const auto& [id, entry] : world[i].sad.sas())
                    CHECK(entry.spec.first_fragments_alone == (ports && knows));
            }
        }
}

TEST_CASE("in transport mode nothing is said of fragments (RFC 4301 7)") {
    auto mine = connection(1, 2), other = connection(2, 1);
    for (const auto& c : {mine, other}) {
        c->children[0].mode = Mode::transport;
        c->children[0].local.clear();
        c->children[0].remote.clear();
    }
    World world = two_offices(mine, other, 74);
    bring_up(world);
    CHECK(said(world, NotifyType::use_transport_mode, true) == 1);
    CHECK(said(world, NotifyType::non_first_fragments_also, false) == 0);
    CHECK(said(world, NotifyType::non_first_fragments_also, true) == 0);
}

TEST_CASE("a peer that takes no TFC padding has none: IKE's SAs pad nothing (RFC 7296 1.3.1)") {
    World world = two_offices(75);
    world.tap = [&](Datagram& d) {
        if (carries_child(d, false) || carries_child(d, true))
            rewrite(world, d, [](Opened& message) {
                message.payloads.emplace_back(notify(NotifyType::esp_tfc_padding_not_supported));
            });
        return true;
    };
    bring_up(world);
    CHECK(disagreement(world, 1, 1) == "");
    for (std::size_t i = 0; i < 2; ++i)
        for (const auto& [id, entry] : world[i].sad.sas()) CHECK(entry.spec.tfc_octets == 0);
}

TEST_CASE(
    "a peer that dropped a packet of ours as none of its SA's is listened to, and nothing else (RFC 7296 3.10.1)") {
    World world = two_offices(76);
    bring_up(world);
    for (const bool named : {true, false}) {
        const Spi spi = only(world[0])->children[0]->outbound;
        world[0].told.clear();
        world.tap = [&](Datagram& d) {
            if (d.local.address == address_of(2) && !parse_header(d.octets)->response)
                rewrite(world, d, [&](Opened& message) {
                    Notify n = notify(NotifyType::invalid_selectors, Octets(28, std::byte{0x45}));
                    n.protocol = ProtocolId::esp;
                    if (named) Writer{n.spi}.u32(static_cast<std::uint32_t>(spi));
                    message.payloads.emplace_back(n);
                });
            return true;
        };
        REQUIRE(order(world, 1, "rekey", "offices-1"));  // its Delete is an INFORMATIONAL of node 1
        world.settle();
        CHECK(world[0].said("INVALID_SELECTORS, SPI " + (named ? text_of(spi) : "none")));
        world.run(Instant{10'000});
        CHECK(disagreement(world, 1, 1) == "");
    }
}
