// The catalogue of collisions, enumerated: two orders at two ends, every order in which they and the messages that they
// make can come to pass, each single message lost, and each of the four nonces once the lowest (RFC 7296 2.8.1, 2.8.2,
// 2.25, 2.25.1, 2.25.2).
#include <array>
#include <cstdlib>
#include <set>

#include "catch.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

struct Order {
    std::size_t node;
    const char* verb;
    const char* name;
};
struct Collision {
    const char* what;
    std::array<Order, 2> orders;
    std::size_t ike_sas, children;     // in the end
    std::array<bool, 2> additional{};  // who wants additional key exchanges (RFC 9370) where he begins
    bool is_additional() const { return additional[0] || additional[1]; }
};
constexpr std::array all{true, true};

/// One way through the tree of what may come next; advance() goes to the one behind it.
class Path {
public:
    std::size_t choose(std::size_t among) {
        if (at_ == steps_.size()) steps_.push_back({0, among});
        steps_[at_].among = among;
        return steps_[at_++].chosen;
    }
    bool advance() {
        at_ = 0;
        while (!steps_.empty()) {
            if (++steps_.back().chosen < steps_.back().among) return true;
            steps_.pop_back();
        }
        return false;
    }

private:
    struct Step {
        std::size_t chosen, among;
    };
    std::vector<Step> steps_;
    std::size_t at_ = 0;
};

/// A CREATE_CHILD_SA that was granted, as whoever knows the keys sees it on the wire.
struct Exchange {
    std::size_t asker = 0;
    bool of_ike = false, granted = false;
    Octets asked, answered;  // nonces
    Octets spi;              // the asker's of what it makes
    Octets old;              // of a child's rekey: the asker's inbound SPI
    const Octets& lowest() const { return std::min(asked, answered); }
};
using Key = std::tuple<IkeSpi, std::size_t, std::uint32_t>;  // IKE SA, asker, message

void note(World& world, const Datagram& datagram, std::map<Key, Exchange>& seen) {
    const auto message = open(world, datagram);
    if (!message || message->header.exchange != ExchangeType::create_child_sa) return;
    const std::size_t sender = world.addresses.at(datagram.local.address);
    const std::size_t asker = message->header.response ? 1 - sender : sender;
    Exchange& exchange = seen[{message->header.initiator_spi, asker, message->header.message_id}];
    exchange.asker = asker;
    const auto* sa = find<Sa>(message->payloads);
    const auto* nonce = find<Nonce>(message->payloads);
    if (sa == nullptr || nonce == nullptr) return;
    exchange.of_ike = sa->proposals[0].protocol == ProtocolId::ike;
    if (message->header.response) {
        exchange.granted = true;
        exchange.answered = nonce->value;
        return;
    }
    exchange.asked = nonce->value;
    exchange.spi = sa->proposals[0].spi;
    if (const Notify* rekeyed = find_notify(message->payloads, NotifyType::rekey_sa)) exchange.old = rekeyed->spi;
}

Octets octets_of(std::uint64_t number, int octets) {
    Octets out;
    for (int i = octets - 1; i >= 0; --i) out.push_back(static_cast<std::byte>(number >> (8 * i)));
    return out;
}

struct Tally {
    std::size_t ways = 0, messages = 0;
    std::array<unsigned, 4> lowest{};  // twins whose lowest nonce was: 0's Ni, 1's Nr, 1's Ni, 0's Nr
};

/// Of two granted rekeys of one SA the one with the lowest nonce is gone (2.8.1, 2.8.2). Empty: so it is.
std::string judged(const IkeSa& a, const std::map<Key, Exchange>& seen, const std::array<Octets, 2>& old_spis,
                   IkeSpi old_ike, Tally& tally) {
    std::vector<const Exchange*> twins;
    for (const auto& [key, exchange] : seen)
        if (exchange.granted && std::get<0>(key) == old_ike &&
            (exchange.of_ike || (!exchange.old.empty() && exchange.old == old_spis[exchange.asker])))
            twins.push_back(&exchange);
    if (twins.size() != 2 || twins[0]->of_ike != twins[1]->of_ike) return {};
    const Exchange& loser = twins[0]->lowest() < twins[1]->lowest() ? *twins[0] : *twins[1];
    const bool by_asker = loser.asked < loser.answered;
    ++tally.lowest[loser.asker * 2 + !by_asker];
    bool there = false;
    if (loser.of_ike)
        there = octets_of(static_cast<std::uint64_t>(a.spi_initiator), 8) == loser.spi;
    else
        for (const auto& child : a.children)
            there = there || octets_of(static_cast<std::uint32_t>(loser.asker == 0 ? child->inbound : child->outbound),
                                       4) == loser.spi;
    return there ? "the SA with the lowest nonce was kept" : "";
}

/// Where both want additional key exchanges nothing else is offered; where one does both take either.
void offer_additional(Connection& connection, const std::array<bool, 2>& wanted, std::size_t end) {
    ChildConfig& child = connection.children[0];
    connection.proposals = {*parse_ike_proposal("aes128gcm16-prfsha256-x25519-ke1_ecp256", LegacyAlgorithms::refused)};
    child.proposals = {
        *parse_child_proposal(ProtocolId::esp, "aes128gcm16-x25519-ke1_ecp256", LegacyAlgorithms::refused)};
    if (wanted == all) return;
    const auto place = [&](const auto& proposals) { return wanted[end] ? proposals.end() : proposals.begin(); };
    connection.proposals.insert(place(connection.proposals),
                                *parse_ike_proposal("aes128gcm16-prfsha256-x25519", LegacyAlgorithms::refused));
    connection.proposals[1].number = 2;
    child.proposals.insert(place(child.proposals),
                           *parse_child_proposal(ProtocolId::esp, "aes128gcm16-x25519", LegacyAlgorithms::refused));
}

/// Empty: all is well at the end of this way. `lost`: the message of that number is lost, the first time it is sent.
std::string walk(const Collision& collision, std::uint64_t seed, std::size_t lost, Path& path, Tally& tally) {
    auto mine = connection(1, 2), other = connection(2, 1);
    if (collision.is_additional())
        for (std::size_t i = 0; i < 2; ++i) offer_additional(i == 0 ? *mine : *other, collision.additional, i);
    for (const auto& c : {mine, other}) {  // a second child, that nobody has asked for yet
        ChildConfig second = c->children[0];
        second.name = "second";
        second.local = {c == mine ? *Prefix::parse("10.11.0.0/16") : *Prefix::parse("10.12.0.0/16")};
        second.remote = {c == mine ? *Prefix::parse("10.12.0.0/16") : *Prefix::parse("10.11.0.0/16")};
        c->children.push_back(std::move(second));
    }
    World world = two_offices(mine, other, seed);
    REQUIRE(order(world, 0, "up", "offices-2"));
    world.settle();
    const IkeSa* const first = only(world[0]);
    const auto& child = *first->children[0];
    const std::array<Octets, 2> old_spis{octets_of(static_cast<std::uint32_t>(child.inbound), 4),
                                         octets_of(static_cast<std::uint32_t>(child.outbound), 4)};
    const IkeSpi old_ike = first->spi_initiator;

    std::size_t sent = 0;
    std::map<Key, Exchange> seen;
    world.tap = [&](Datagram& datagram) {
        note(world, datagram, seen);
        return sent++ != lost;
    };
    // Rekeys and new children stop no packet, as long as nothing is deleted by order.
    bool stops = false;
    for (const Order& o : collision.orders) stops = stops || std::string_view{o.verb} == "down";
    std::vector<Order> waiting(collision.orders.begin(), collision.orders.end());
    while (!waiting.empty() || !world.flights.empty()) {
        const std::size_t next = path.choose(waiting.size() + world.flights.size());
        if (next < waiting.size()) {
            const Order o = waiting[next];
            waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(next));
            order(world, o.node, o.verb, o.name);
        } else {
            world.deliver(next - waiting.size());
        }
        if (!stops && seed % 2 == 0 && !both_talk(world)) return "a packet was lost meanwhile\n" + world.tail(60);
        if (sent > 40) return "there is no end to it\n" + world.tail(60);
    }
    tally.messages = std::max(tally.messages, sent);
    world.run(Instant{130'000});
    world.settle();
    std::string wrong = disagreement(world, collision.ike_sas, collision.children);
    if (wrong.empty() && collision.ike_sas != 0) wrong = judged(*only(world[0]), seen, old_spis, old_ike, tally);
    return wrong.empty() ? wrong : wrong + "\n" + world.tail(60);
}

constexpr std::size_t none = 1000;

/// Every order of delivery; `lossy`: with each single message lost too.
Tally enumerate(const Collision& collision, std::uint64_t seed, bool lossy = true) {
    // With additional key exchanges there are ten times as many ways: with each loss for who asks for more.
    lossy = lossy && !sanitized && (!collision.is_additional() || std::getenv("TORII_SEEDS") != nullptr);
    Tally tally;
    for (std::size_t lost = none; lost == none || (lossy && lost < tally.messages);
         lost = lost == none ? 0 : lost + 1) {
        Path path;
        do {
            ++tally.ways;
            const std::string wrong = walk(collision, seed, lost, path, tally);
            INFO(collision.what << ", seed " << seed << ", lost " << lost << ", way " << tally.ways << ": " << wrong);
            REQUIRE(wrong.empty());
        } while (path.advance());
    }
    return tally;
}

constexpr Order rekey_child_0{0, "rekey", "offices-2"}, rekey_child_1{1, "rekey", "offices-1"};
constexpr Order rekey_ike_0{0, "rekey", "to-2"}, rekey_ike_1{1, "rekey", "to-1"};
constexpr Order end_child_0{0, "down", "offices-2"}, end_child_1{1, "down", "offices-1"};
constexpr Order end_ike_0{0, "down", "to-2"}, end_ike_1{1, "down", "to-1"};
constexpr Order create_0{0, "up", "second"}, create_1{1, "up", "second"};

void check_ways(const Collision& collision) { CHECK(enumerate(collision, 4).ways > 10); }

/// All four nonces were the lowest in one way or another.
void check_each_nonce(const Collision& collision) {
    if (sanitized) return check_ways(collision);
    std::array<unsigned, 4> lowest{};
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        Tally tally = enumerate(collision, seed, false);
        bool another = false;
        for (std::size_t i = 0; i < 4; ++i) another = another || (lowest[i] == 0 && tally.lowest[i] != 0);
        if (another) tally = enumerate(collision, seed);
        for (std::size_t i = 0; i < 4; ++i) lowest[i] += tally.lowest[i];
        if (std::ranges::all_of(lowest, [](unsigned times) { return times != 0; })) break;
    }
    for (const unsigned times : lowest) CHECK(times != 0);
}

/// Both ends rekey one child, or the IKE SA, with such proposals.
void check_additional(const std::array<bool, 2>& wanted) {
    check_each_nonce({"child/child", {rekey_child_0, rekey_child_1}, 1, 1, wanted});
    check_each_nonce({"IKE/IKE", {rekey_ike_0, rekey_ike_1}, 1, 1, wanted});
}

}  // namespace

TEST_CASE("both ends rekey one child: the one with the lowest of four nonces goes, in every order (RFC 7296 2.8.1)") {
    check_each_nonce({"child/child", {rekey_child_0, rekey_child_1}, 1, 1});
}

TEST_CASE("both ends rekey the IKE SA: the one with the lowest of four nonces goes, in every order (RFC 7296 2.8.2)") {
    check_each_nonce({"IKE/IKE", {rekey_ike_0, rekey_ike_1}, 1, 1});
}

TEST_CASE("one end rekeys a child, the other the IKE SA: both get what they wanted (RFC 7296 2.25.2)") {
    check_ways({"child/IKE", {rekey_child_0, rekey_ike_1}, 1, 1});
    check_ways({"IKE/child", {rekey_ike_0, rekey_child_1}, 1, 1});
}

TEST_CASE("one end rekeys a child that the other deletes: it is gone (RFC 7296 2.25.1)") {
    check_ways({"rekey/Delete", {rekey_child_0, end_child_1}, 1, 0});
    check_ways({"Delete/rekey", {end_child_0, rekey_child_1}, 1, 0});
}

TEST_CASE(
    "a child that is to be there by itself comes again when the peer deletes it in the middle of its rekey (2.25.1)") {
    for (unsigned lost = 0; lost < 6; ++lost) {
        World world = two_offices(connection(1, 2, StartAction::start), connection(2, 1), 4);
        world.settle();
        REQUIRE(disagreement(world, 1, 1) == "");
        unsigned n = 0;
        world.tap = [&](Datagram&) { return n++ != lost; };
        REQUIRE(order(world, 0, "rekey", "offices-2"));
        REQUIRE(order(world, 1, "down", "offices-1"));
        world.run(Instant{60'000});
        INFO(lost << "\n" << world.tail(30));
        CHECK(disagreement(world, 1, 1) == "");
    }
}

TEST_CASE("one end rekeys a child or the IKE SA that the other deletes: all is gone (RFC 7296 2.25.1, 2.25.2)") {
    check_ways({"child/Delete IKE", {rekey_child_0, end_ike_1}, 0, 0});
    check_ways({"Delete IKE/child", {end_ike_0, rekey_child_1}, 0, 0});
    check_ways({"IKE/Delete IKE", {rekey_ike_0, end_ike_1}, 0, 0});
    check_ways({"Delete IKE/IKE", {end_ike_0, rekey_ike_1}, 0, 0});
}

TEST_CASE("one end rekeys the IKE SA while the other deletes a child of it: it is gone (RFC 7296 2.25.2)") {
    check_ways({"IKE/Delete", {rekey_ike_0, end_child_1}, 1, 0});
    check_ways({"Delete/IKE", {end_child_0, rekey_ike_1}, 1, 0});
}

TEST_CASE("one end makes a child while the other rekeys the IKE SA: there are two (RFC 7296 2.25.2)") {
    check_ways({"create/IKE", {create_0, rekey_ike_1}, 1, 2});
    check_ways({"IKE/create", {rekey_ike_0, create_1}, 1, 2});
}

TEST_CASE("both ends make the same child, or other things at once: there is one of each (RFC 7296 2.25)") {
    check_ways({"create/create", {create_0, create_1}, 1, 2});
    check_ways({"create/rekey", {create_0, rekey_child_1}, 1, 2});
}

TEST_CASE("both ends delete the same child, or the IKE SA: neither is left with half of it (RFC 7296 1.4.1, 2.25)") {
    check_ways({"both delete a child", {end_child_0, end_child_1}, 1, 0});
    check_ways({"both delete the IKE SA", {end_ike_0, end_ike_1}, 0, 0});
    check_ways({"child, IKE SA", {end_child_0, end_ike_1}, 0, 0});
}

TEST_CASE(
    "rekeys with additional key exchanges collide as others do, and the loser stops before them (RFC 9370 2.2.4)") {
    check_additional(all);
}

TEST_CASE(
    "a rekey with additional key exchanges meets one without: the one with the lowest nonce goes (RFC 9370 2.2.4)") {
    check_additional({true, false});
}

TEST_CASE("a rekey with additional key exchanges meets whatever else may be under way (RFC 9370 2.2.4, 7296 2.25)") {
    check_ways({"child/IKE", {rekey_child_0, rekey_ike_1}, 1, 1, all});
    check_ways({"IKE/create", {rekey_ike_0, create_1}, 1, 2, all});
    check_ways({"rekey/Delete", {rekey_child_0, end_child_1}, 1, 0, all});
    check_ways({"IKE/Delete", {rekey_ike_0, end_child_1}, 1, 0, all});
    check_ways({"child/Delete IKE", {rekey_child_0, end_ike_1}, 0, 0, all});
    check_ways({"IKE/Delete IKE", {rekey_ike_0, end_ike_1}, 0, 0, all});
}

TEST_CASE(
    "a twin that is rekeyed before the old IKE SA's fate is known: the children go to who took its place (2.8.2)") {
    World world = two_offices(5);
    bring_up(world);
    const IkeSpi old = only(world[0])->spi_initiator;
    bool old_is_deaf = true;  // its rekey by node 0 is never heard, and at first nor is its Delete by node 1
    world.tap = [&](Datagram& datagram) {
        const auto header = parse_header(datagram.octets);
        const bool by_first = datagram.local.address == address_of(1);
        if (!header || header->response || header->initiator_spi != old) return true;
        return by_first ? header->exchange != ExchangeType::create_child_sa
                        : header->exchange != ExchangeType::informational || !old_is_deaf;
    };
    REQUIRE(order(world, 0, "rekey", "to-2"));
    REQUIRE(order(world, 1, "rekey", "to-1"));
    world.run(Instant{100});
    REQUIRE(order(world, 0, "rekey", "to-2"));  // the twin, too
    world.run(Instant{100});
    old_is_deaf = false;
    world.run(Instant{60'000});  // until node 1 has sent its Delete again, and the old one is forgotten
    world.settle();
    CHECK(disagreement(world, 1, 1) == "");
}
