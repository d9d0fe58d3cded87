// ARP (RFC 826, RFC 1122 2.3.2) by hand: a table, a clock that we wind, and a note of everything the table wants done.
#include "forward/neighbours.h"

#include <rte_mbuf.h>

#include <map>

#include "catch.h"
#include "test/support/packets.h"

using namespace torii;
using namespace std::chrono_literals;
using test::number;

namespace {

constexpr MacAddress our_mac{{2, 0, 0, 0, 0, 1}}, peer_mac{{2, 0, 0, 0, 0, 2}}, other_mac{{2, 0, 0, 0, 0, 3}},
    broadcast{{255, 255, 255, 255, 255, 255}}, nobody{};
constexpr std::uint16_t world = 1;

Address address(std::string_view text) { return Address::parse(text).value(); }

struct Noted final : NeighbourActions {
    struct Asked {
        std::uint16_t port;
        MacAddress to;
        ArpIpv4 arp;
    };
    std::vector<Asked> arps;
    std::map<HopIndex, std::unique_ptr<const NextHop>> hops;
    std::vector<HopIndex> retired;
    std::vector<rte_mbuf*> released;
    std::vector<std::pair<rte_mbuf*, Drop>> discarded;

    void send_arp(std::uint16_t port, const MacAddress& to, const ArpIpv4& arp) override {
        arps.push_back({port, to, arp});
    }
    void send_discovery(std::uint16_t, const MacAddress&, const NeighbourMessage&) override {
        FAIL("an IPv4 neighbour is asked for by ARP");
    }
    void publish_hop(HopIndex hop, std::unique_ptr<const NextHop> next) override { hops[hop] = std::move(next); }
    void retire_hop(HopIndex hop) override { retired.push_back(hop); }
    void release(rte_mbuf* mbuf) override { released.push_back(mbuf); }
    void discard(rte_mbuf* mbuf, Drop reason) override { discarded.emplace_back(mbuf, reason); }
};

struct Table {
    Noted noted;
    std::vector<rte_mbuf> mbufs = std::vector<rte_mbuf>(32);  // never looked into
    SteadyTime now = SteadyTime{} + 1000s;
    static constexpr std::size_t room = 20;
    Neighbours neighbours{{{.port = world,
                            .mac = our_mac,
                            .mtu = 1400,
                            .addresses = {{address("20.0.0.1"), Prefix::parse("20.0.0.0/24").value()},
                                          {address("30.0.0.1"), Prefix::parse("30.0.0.0/24").value()}}}},
                          room,
                          noted};

    HopIndex want(std::string_view a) { return neighbours.want(address(a), world, now); }
    /// The clock goes on by `time`, in the steps in which the gateway looks.
    void pass(std::chrono::milliseconds time) {
        for (; time > 0ms; time -= 100ms) {
            now += 100ms;
            neighbours.tick(now);
        }
    }
    Drop hear(std::uint16_t operation, const MacAddress& mac, std::string_view sender, std::string_view target) {
        return neighbours.arrived(
            world, {1, 0x0800, 6, 4, operation, mac.octets, number(sender), our_mac.octets, number(target)}, now);
    }
    NeighbourState state(std::string_view a) const {
        for (const auto& n : neighbours.all(now))
            if (n.address == address(a)) return n.state;
        FAIL("no neighbour " << a);
        return {};
    }
    std::size_t known() const { return neighbours.all(now).size(); }
};

}  // namespace

TEST_CASE("a wanted neighbour is asked for by broadcast, from our address in its network") {
    Table table;
    const HopIndex hop = table.want("30.0.0.7");
    REQUIRE(hop != HopIndex::none);
    REQUIRE(table.noted.arps.size() == 1);
    const auto& [port, to, arp] = table.noted.arps[0];
    CHECK(port == world);
    CHECK(to == broadcast);
    CHECK(arp.operation == 1);
    CHECK(arp.sender == number("30.0.0.1"));
    CHECK(arp.sender_mac == our_mac.octets);
    CHECK(arp.target == number("30.0.0.7"));
    CHECK(arp.target_mac == nobody.octets);
    CHECK_FALSE(table.noted.hops.at(hop)->resolved);
    CHECK(table.want("30.0.0.7") == hop);
    CHECK(table.noted.arps.size() == 1);  // asking twice is no second request
}

TEST_CASE("an answer resolves the neighbour and releases what waited, in order") {
    Table table;
    const HopIndex hop = table.want("20.0.0.2");
    table.neighbours.hold(hop, &table.mbufs[0], table.now);
    table.neighbours.hold(hop, &table.mbufs[1], table.now);
    CHECK(table.noted.released.empty());
    CHECK(table.neighbours.all(table.now)[0].waiting == 2);
    CHECK(table.hear(2, peer_mac, "20.0.0.2", "20.0.0.1") == Drop::none);
    CHECK(table.noted.released == std::vector{&table.mbufs[0], &table.mbufs[1]});
    CHECK(table.state("20.0.0.2") == NeighbourState::reachable);
    const NextHop& next = *table.noted.hops.at(hop);
    CHECK(next.resolved);
    CHECK(next.port == world);
    CHECK(next.mtu == 1400);
    CHECK(next.ethernet.destination == peer_mac.octets);
    CHECK(next.ethernet.source == our_mac.octets);
    table.neighbours.hold(hop, &table.mbufs[2], table.now);  // it was on its way when the answer came
    CHECK(table.noted.released.size() == 3);
}

TEST_CASE("a neighbour that does not answer three requests, a second apart, has failed") {
    Table table;
    const HopIndex hop = table.want("20.0.0.2");
    table.neighbours.hold(hop, &table.mbufs[0], table.now);
    table.pass(900ms);
    CHECK(table.noted.arps.size() == 1);
    table.pass(100ms);
    CHECK(table.noted.arps.size() == 2);
    table.pass(1s);
    CHECK(table.noted.arps.size() == 3);
    CHECK(table.state("20.0.0.2") == NeighbourState::incomplete);
    CHECK(table.noted.discarded.empty());
    table.pass(1s);
    CHECK(table.noted.arps.size() == 3);
    CHECK(table.state("20.0.0.2") == NeighbourState::failed);
    CHECK_FALSE(table.noted.hops.at(hop)->resolved);
    REQUIRE(table.noted.discarded.size() == 1);
    CHECK(table.noted.discarded[0] == std::pair{&table.mbufs[0], Drop::no_neighbour});
    table.pass(60s);
    CHECK(table.noted.arps.size() == 3);  // nobody wants it: nobody asks
    CHECK(table.want("20.0.0.2") == hop);
    CHECK(table.noted.arps.size() == 4);  // somebody does
    CHECK(table.state("20.0.0.2") == NeighbourState::incomplete);
}

TEST_CASE("a packet that comes to wait late is given time too: the requests before it do not count") {
    Table table;
    const HopIndex hop = table.want("20.0.0.2");  // by a route, while the neighbour still boots
    table.pass(2900ms);
    table.neighbours.hold(hop, &table.mbufs[0], table.now);
    table.pass(1900ms);
    CHECK(table.noted.arps.size() == 5);
    CHECK(table.noted.discarded.empty());
    table.pass(300ms);
    CHECK(table.noted.discarded == std::vector{std::pair{&table.mbufs[0], Drop::no_neighbour}});
}

TEST_CASE("packets for a neighbour that just failed are discarded at once, not queued") {
    Table table;
    const HopIndex hop = table.want("20.0.0.2");
    table.pass(3s);
    REQUIRE(table.state("20.0.0.2") == NeighbourState::failed);
    const auto asked = table.noted.arps.size();
    table.neighbours.hold(hop, &table.mbufs[0], table.now);  // the last request is a second old: one more try
    CHECK(table.noted.arps.size() == asked + 1);
    CHECK(table.noted.discarded.empty());
    table.neighbours.hold(HopIndex::none, &table.mbufs[1], table.now);
    CHECK(table.noted.discarded == std::vector{std::pair{&table.mbufs[1], Drop::no_neighbour}});
}

TEST_CASE("at most 4 packets wait for a neighbour: the oldest leaves by name") {
    Table table;
    const HopIndex hop = table.want("20.0.0.2");
    for (std::size_t i = 0; i < 6; ++i) table.neighbours.hold(hop, &table.mbufs[i], table.now);
    CHECK(table.noted.discarded == std::vector{std::pair{&table.mbufs[0], Drop::neighbour_queue_full},
                                               std::pair{&table.mbufs[1], Drop::neighbour_queue_full}});
    (void)table.hear(2, peer_mac, "20.0.0.2", "20.0.0.1");
    REQUIRE(table.noted.released.size() == 4);
    CHECK(table.noted.released.front() == &table.mbufs[2]);
    CHECK(table.noted.released.back() == &table.mbufs[5]);
}

TEST_CASE("the packets that wait for all neighbours together are bounded, and make room when they leave") {
    Table table;
    const auto hold = [&](std::string_view a) { table.neighbours.hold(table.want(a), &table.mbufs[0], table.now); };
    const auto waiting = [&] {
        std::size_t sum = 0;
        for (const auto& n : table.neighbours.all(table.now)) sum += n.waiting;
        return sum;
    };
    for (std::size_t i = 0; i < Table::room; ++i) hold("20.0.0." + std::to_string(100 + i / 2));
    CHECK(table.noted.discarded.empty());
    hold("20.0.0.2");  // a newcomer finds no room
    CHECK(table.noted.discarded.size() == 1);
    hold("20.0.0.100");  // one that waits already keeps its newest
    CHECK(table.noted.discarded == std::vector(2, std::pair{&table.mbufs[0], Drop::neighbour_queue_full}));
    CHECK(waiting() == Table::room);
    SECTION("by an answer") {
        (void)table.hear(2, peer_mac, "20.0.0.100", "20.0.0.1");
        CHECK(waiting() == Table::room - 2);
    }
    SECTION("by silence") {
        table.pass(3s);
        CHECK(waiting() == 0);
    }
    table.noted.discarded.clear();
    hold("20.0.0.2");
    hold("20.0.0.3");
    CHECK(table.noted.discarded.empty());
}

TEST_CASE("a neighbour known for a minute is asked again directly, and used meanwhile (RFC 1122 2.3.2.1)") {
    Table table;
    const HopIndex hop = table.want("20.0.0.2");
    (void)table.hear(2, peer_mac, "20.0.0.2", "20.0.0.1");
    table.pass(59900ms);
    CHECK(table.noted.arps.size() == 1);
    table.pass(100ms);
    REQUIRE(table.noted.arps.size() == 2);
    CHECK(table.noted.arps[1].to == peer_mac);
    CHECK(table.state("20.0.0.2") == NeighbourState::probing);
    CHECK(table.noted.hops.at(hop)->resolved);
    SECTION("its answer makes it fresh again") {
        (void)table.hear(2, peer_mac, "20.0.0.2", "20.0.0.1");
        CHECK(table.state("20.0.0.2") == NeighbourState::reachable);
        table.pass(59s);
        CHECK(table.noted.arps.size() == 2);
    }
    SECTION("its silence makes it fail after three requests") {
        table.pass(3s);
        CHECK(table.noted.arps.size() == 4);
        CHECK(table.state("20.0.0.2") == NeighbourState::failed);
        CHECK_FALSE(table.noted.hops.at(hop)->resolved);
    }
    SECTION("another MAC in its answer is taken over") {
        (void)table.hear(2, other_mac, "20.0.0.2", "20.0.0.1");
        CHECK(table.noted.hops.at(hop)->ethernet.destination == other_mac.octets);
    }
}

TEST_CASE("gratuitous ARP refreshes those we know and adds nobody (RFC 826)") {
    Table table;
    CHECK(table.hear(1, other_mac, "20.0.0.9", "20.0.0.9") == Drop::none);
    CHECK(table.hear(2, other_mac, "20.0.0.9", "20.0.0.9") == Drop::none);
    CHECK(table.hear(1, other_mac, "20.0.0.9", "20.0.0.8") == Drop::none);  // somebody asks for somebody else
    CHECK(table.known() == 0);
    CHECK(table.noted.arps.empty());
    const HopIndex hop = table.want("20.0.0.2");
    (void)table.hear(2, peer_mac, "20.0.0.2", "20.0.0.1");
    CHECK(table.hear(1, other_mac, "20.0.0.2", "20.0.0.2") == Drop::none);
    CHECK(table.noted.hops.at(hop)->ethernet.destination == other_mac.octets);
}

TEST_CASE("who asks for us is answered and known from then on") {
    Table table;
    CHECK(table.hear(1, peer_mac, "20.0.0.2", "20.0.0.1") == Drop::none);
    REQUIRE(table.noted.arps.size() == 1);
    CHECK(table.noted.arps[0].to == peer_mac);
    CHECK(table.noted.arps[0].arp.operation == 2);
    CHECK(table.noted.arps[0].arp.sender == number("20.0.0.1"));
    CHECK(table.noted.arps[0].arp.target_mac == peer_mac.octets);
    CHECK(table.state("20.0.0.2") == NeighbourState::reachable);
    SECTION("but a stranger from another network is only answered") {
        CHECK(table.hear(1, other_mac, "99.0.0.9", "20.0.0.1") == Drop::none);
        CHECK(table.known() == 1);
    }
}

TEST_CASE("ARP that claims our address, or is none for IPv4 over Ethernet, is bad") {
    Table table;
    CHECK(table.hear(1, other_mac, "20.0.0.1", "20.0.0.1") == Drop::bad_arp);
    CHECK(table.hear(2, other_mac, "30.0.0.1", "20.0.0.2") == Drop::bad_arp);
    CHECK(table.hear(2, broadcast, "20.0.0.2", "20.0.0.1") == Drop::bad_arp);  // nobody's MAC is a group's
    CHECK(table.hear(2, nobody, "20.0.0.2", "20.0.0.1") == Drop::bad_arp);
    ArpIpv4 arp{1, 0x0800, 6, 4, 1, peer_mac.octets, number("20.0.0.2"), our_mac.octets, number("20.0.0.1")};
    const auto judged = [&] { return table.neighbours.arrived(world, arp, table.now); };
    arp.hardware = 6;
    CHECK(judged() == Drop::bad_arp);
    arp.hardware = 1;
    arp.protocol = 0x86dd;
    CHECK(judged() == Drop::bad_arp);
    arp.protocol = 0x0800;
    arp.hardware_octets = 8;
    CHECK(judged() == Drop::bad_arp);
    arp.hardware_octets = 6;
    arp.protocol_octets = 16;
    CHECK(judged() == Drop::bad_arp);
    CHECK(table.known() == 0);
    CHECK(table.noted.arps.empty());
    arp.protocol_octets = 4;
    CHECK(judged() == Drop::none);
}

TEST_CASE("a neighbour fixed by configuration believes no ARP and never ages") {
    Table table;
    const HopIndex hop = table.neighbours.fix(address("20.0.0.2"), world, peer_mac);
    CHECK(table.noted.hops.at(hop)->resolved);
    CHECK(table.hear(1, other_mac, "20.0.0.2", "20.0.0.1") == Drop::none);
    CHECK(table.noted.hops.at(hop)->ethernet.destination == peer_mac.octets);
    table.noted.arps.clear();
    table.pass(200s);
    CHECK(table.noted.arps.empty());
    CHECK(table.state("20.0.0.2") == NeighbourState::fixed);
}

TEST_CASE("an answer on another port than the one we asked on is not believed") {
    Noted noted;
    const SteadyTime now = SteadyTime{} + 1s;
    Neighbours neighbours{
        {{.port = 0, .mac = our_mac, .addresses = {{address("10.0.1.1"), Prefix::parse("10.0.1.0/24").value()}}},
         {.port = 1, .mac = our_mac, .addresses = {{address("20.0.0.1"), Prefix::parse("20.0.0.0/24").value()}}}},
        1,
        noted};
    const HopIndex hop = neighbours.want(address("20.0.0.2"), 1, now);
    const ArpIpv4 answer{1, 0x0800, 6, 4, 2, other_mac.octets, number("20.0.0.2"), our_mac.octets, number("10.0.1.1")};
    (void)neighbours.arrived(0, answer, now);
    CHECK_FALSE(noted.hops.at(hop)->resolved);
    (void)neighbours.arrived(1, answer, now);
    CHECK(noted.hops.at(hop)->resolved);
}

namespace {

/// Nobody in here will ever answer; 20.0.0.2 is pinned.
struct FullTable : Table {
    HopIndex pinned = neighbours.want(address("20.0.0.2"), world, now, true);
    FullTable() {
        for (std::size_t i = 1; i < Neighbours::most; ++i)
            REQUIRE(neighbours.want(Address::v4(0x50000000u + static_cast<std::uint32_t>(i)), world, now) !=
                    HopIndex::none);
    }
    /// What the gateway does once no packet carries them any more.
    void reuse_retired() {
        for (const HopIndex hop : std::exchange(noted.retired, {})) neighbours.reuse(hop);
    }
};

}  // namespace

TEST_CASE("a full table takes no one new, until somebody has failed for ten seconds and is not pinned") {
    FullTable table;
    CHECK(table.want("20.0.0.3") == HopIndex::none);
    table.pass(4s);  // everybody has failed
    table.reuse_retired();
    CHECK(table.want("20.0.0.3") == HopIndex::none);
    table.pass(10s);
    table.reuse_retired();
    const HopIndex reused = table.want("20.0.0.3");
    CHECK(reused != HopIndex::none);
    CHECK(reused != table.pinned);
    CHECK(table.want("20.0.0.2") == table.pinned);
    CHECK(table.known() == 2);
    for (unsigned i = 2; i < Neighbours::most; ++i)
        REQUIRE(table.neighbours.want(Address::v4(0x60000000u + i), world, table.now) != HopIndex::none);
    CHECK(table.want("20.0.0.4") == HopIndex::none);
}

TEST_CASE("a packet on its way to a forgotten neighbour does not go to the one after it") {
    FullTable table;
    table.pass(14s);
    REQUIRE(table.noted.retired.size() == Neighbours::most - 1);
    (void)table.hear(1, other_mac, "20.0.0.3", "20.0.0.1");
    for (unsigned hop = 1; hop <= Neighbours::most; ++hop)
        if (HopIndex{static_cast<std::uint16_t>(hop)} != table.pinned) {
            CHECK_FALSE(table.noted.hops.at(HopIndex{static_cast<std::uint16_t>(hop)})->resolved);
            table.neighbours.hold(HopIndex{static_cast<std::uint16_t>(hop)}, &table.mbufs[0], table.now);
        }
    CHECK(table.noted.released.empty());
    CHECK(table.noted.discarded.size() == Neighbours::most - 1);
}

TEST_CASE("a full table forgets many at once and seldom, because flows are decided anew each time") {
    FullTable table;
    table.pass(14s);
    table.reuse_retired();
    unsigned times = 0;
    for (std::uint32_t i = 0; i < 400; ++i) {  // a scan without end: more each tick than the table can keep
        for (std::uint32_t host = 0; host < 200; ++host)
            (void)table.neighbours.want(Address::v4(0x60000000u + i * 200 + host), world, table.now);
        table.pass(100ms);
        times += !table.noted.retired.empty();
        table.reuse_retired();
    }
    CHECK(times >= 2);
    CHECK(times <= 4);
}

TEST_CASE("a neighbour that failed is remembered while there is room for others") {
    Table table;
    (void)table.want("20.0.0.2");
    table.pass(60s);
    CHECK(table.state("20.0.0.2") == NeighbourState::failed);
    CHECK(table.noted.retired.empty());
}

TEST_CASE("what waits for a neighbour when the gateway stops leaves by name") {
    Noted noted;
    rte_mbuf mbuf{};
    {
        Neighbours neighbours{{{.port = 1, .mac = our_mac, .addresses = {}}}, 1, noted};
        const HopIndex hop = neighbours.want(address("20.0.0.2"), 1, SteadyTime{});
        neighbours.hold(hop, &mbuf, SteadyTime{});
    }
    CHECK(noted.discarded == std::vector{std::pair{&mbuf, Drop::shutting_down}});
}

TEST_CASE("a cell is found by its address from its first value on until it is forgotten, and by the next one's then") {
    NextHopTable table;
    const auto say = [&](unsigned hop, std::uint32_t a) {
        auto next = std::make_unique<NextHop>();
        next->address = Address::v4(a);
        (void)table.publish(HopIndex{static_cast<std::uint16_t>(hop)}, std::move(next));
    };
    for (unsigned hop = 1; hop < NextHopTable::capacity; ++hop) say(hop, 0x14000000 + hop);
    for (unsigned hop = 1; hop < NextHopTable::capacity; ++hop) {
        say(hop, 0x14000000 + hop);  // what ARP learned
        REQUIRE(table.find(Address::v4(0x14000000 + hop), 0) == HopIndex{static_cast<std::uint16_t>(hop)});
    }
    CHECK(table.find(Address::v4(0x14000000), 0) == HopIndex::none);
    table.forget(HopIndex{7});
    CHECK(table.find(Address::v4(0x14000007), 0) == HopIndex::none);
    CHECK(table.read(HopIndex{7}) != nullptr);
    say(7, 0x1e000001);
    CHECK(table.find(Address::v4(0x1e000001), 0) == HopIndex{7});
    CHECK(table.find(Address::v4(0x14000007), 0) == HopIndex::none);
    table.forget(HopIndex{7});
    say(7, 0x1e000001);  // the same once more
    CHECK(table.find(Address::v4(0x1e000001), 0) == HopIndex{7});
}
