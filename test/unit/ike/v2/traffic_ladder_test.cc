// What notifications say of a child's traffic beside its selectors: that more would be taken, or single pairs of hosts
// alone; fragments, padding, and packets that came otherwise (RFC 7296 1.3.1, 2.9, 3.10.1; RFC 4301 7.3).
#include "base/reader.h"
#include "catch.h"
#include "ike/v2/traffic.h"
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

namespace {

/// 10.9.9.9[1000] 10.1.0.5[53] udp.
Octets stray_packet() {
    Octets out;
    Writer{out}.u32(0x4500'0020).u32(0).u32(0x4011'0000).u32(0x0a09'0909).u32(0x0a01'0005).u16(1000).u16(53).u32(0);
    return out;
}

/// Node 0 got a packet by its newest child which that is not for.
void stray(World& world) {
    const IkeSa* const sa = only(world[0]);
    world.perform(world[0],
                  world[0].engine->mismatched(mismatch(*sa, *sa->children.back(), stray_packet()), world.now()));
    world.settle();
}

std::size_t told_of_strays(World& world) { return said(world, NotifyType::invalid_selectors, false); }

}  // namespace

TEST_CASE("a peer whose packet its SA is not for is told which, and both operators are (RFC 7296 3.10.1)") {
    for (const auto protocol : {ProtocolId::esp, ProtocolId::ah})
        for (const bool ipcomp : {false, true}) {
            auto mine = connection(1, 2), other = connection(2, 1);
            for (const auto& c : {mine, other}) {
                c->children[0].protocol = protocol;
                c->children[0].ipcomp = ipcomp;
                if (protocol == ProtocolId::ah)
                    c->children[0].proposals = {*parse_child_proposal(protocol, "sha256", LegacyAlgorithms::refused)};
            }
            World world = two_offices(mine, other, 77);
            bring_up(world);
            stray(world);
            const ChildSa& child = *only(world[0])->children[0];
            std::vector<Notify> notifications;
            for (const Datagram& d : std::vector{world.record})
                if (const auto message = open(world, d))
                    if (const Notify* n = find_notify(message->payloads, NotifyType::invalid_selectors))
                        notifications.push_back(*n);
            REQUIRE(notifications.size() == 1);
            CHECK(notifications[0].protocol == protocol);
            CHECK(Reader{notifications[0].spi}.u32() == static_cast<std::uint32_t>(child.inbound));
            CHECK(notifications[0].data == stray_packet());
            const std::string packet = "10.9.9.9[1000] 10.1.0.5[53] udp", spi = "SPI " + text_of(child.inbound);
            CHECK(world[0].said("sent by child offices-2 what it is not for: " + packet));
            CHECK(world[1].said("a packet of ours, " + packet + ", which child offices-1 is not for"));
            for (std::size_t i = 0; i < 2; ++i) CHECK(world[i].said("INVALID_SELECTORS, " + spi));
            CHECK(disagreement(world, 1, 1) == "");
        }
}

TEST_CASE(
    "of packets that an SA is not for one in ten seconds is told, and none where the setting says so (RFC 4301 5.2)") {
    World world = two_offices(78);
    bring_up(world);
    for (unsigned i = 0; i < 5; ++i) stray(world);  // settle() takes half a second
    CHECK(told_of_strays(world) == 1);
    world.run(Instant{10'000});
    stray(world);
    CHECK(told_of_strays(world) == 2);

    EngineConfig quiet = config_of({connection(1, 2)});
    quiet.tells_invalid_selectors = false;
    world.perform(world[0], world[0].engine->configure(quiet, world.now()));
    world.run(Instant{20'000});
    stray(world);
    CHECK(told_of_strays(world) == 2);
    CHECK(disagreement(world, 1, 1) == "");
}

TEST_CASE("a packet by an SA that goes, or that IKE has not made, is told to nobody") {
    World world = two_offices(79);
    bring_up(world);
    const IkeSa& sa = *only(world[0]);
    control::Event strange = mismatch(sa, *sa.children[0], stray_packet());
    strange.sa.spi = Spi{0x1234};
    world.perform(world[0], world[0].engine->mismatched(strange, world.now()));

    // It waits for the window, behind the rekey of its child and in front of nothing: the child is gone by then.
    REQUIRE(order(world, 0, "rekey", "offices-2"));
    const control::Event old = mismatch(sa, *sa.children[0], stray_packet());
    CHECK(world[0].engine->tells_mismatch(old.sa, world.now()));
    world.perform(world[0], world[0].engine->mismatched(old, world.now()));
    world.settle();
    CHECK_FALSE(world[0].engine->tells_mismatch(old.sa, world.now()));
    CHECK(told_of_strays(world) == 0);
    CHECK(only(world[0])->queue.empty());
    world.run(Instant{10'000});
    CHECK(disagreement(world, 1, 1) == "");
}

TEST_CASE("a quoted packet is as long as the peer likes, and shows what it has") {
    const Octets four = stray_packet();
    for (std::size_t octets = 0; octets <= four.size(); ++octets) {
        const std::string text = text_of_quoted(std::span{four}.first(octets));
        CHECK(text == (octets < 20   ? "which it does not show"
                       : octets < 24 ? "10.9.9.9[unknown] 10.1.0.5[unknown] udp"
                                     : "10.9.9.9[1000] 10.1.0.5[53] udp"));
    }
    Octets later = four;
    later[7] = std::byte{1};  // a later fragment: what stands there are no ports
    CHECK(text_of_quoted(later) == "10.9.9.9[unknown] 10.1.0.5[unknown] udp");
    Octets options = four;
    options[0] = std::byte{0x46};
    CHECK(text_of_quoted(options) == "10.9.9.9[0] 10.1.0.5[0] udp");
    options[0] = std::byte{0x4f};  // more than there are
    CHECK(text_of_quoted(options) == "10.9.9.9[unknown] 10.1.0.5[unknown] udp");

    Octets six;
    Writer{six}.u32(0x6000'0000).u32(0x0008'3a40).u64(0x2001'0db8'0000'0000).u64(1).u64(0x2001'0db8'0000'0000).u64(2);
    CHECK(text_of_quoted(six) == "2001:db8::1 2001:db8::2 icmp6 unknown,unknown");
    Writer{six}.u8(128).u8(0);
    CHECK(text_of_quoted(six) == "2001:db8::1 2001:db8::2 icmp6 128,0");
    CHECK(text_of_quoted(std::span{six}.first(39)) == "which it does not show");
    CHECK(text_of_quoted(Octets(40, std::byte{0x50})) == "which it does not show");
}
