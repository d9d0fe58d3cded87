// Neighbour discovery (RFC 4861) by hand: the table of neighbours, a clock that we wind, a note of everything it wants
// done, and messages that arrive as the octets of IPv6 packets.
#include "forward/neighbour_discovery.h"

#include <rte_mbuf.h>

#include <map>

#include "catch.h"
#include "forward/neighbours.h"
#include "test/support/packets.h"

using namespace torii;
using namespace std::chrono_literals;
using test::icmpv6_echo;
using test::ipv6;
using test::Octets;
using test::octets_of;
using test::operator+;
using test::summed_icmpv6;

namespace {

constexpr MacAddress our_mac{{2, 0, 0, 0, 0, 1}}, peer_mac{{2, 0, 0, 0, 0, 2}}, other_mac{{2, 0, 0, 0, 0, 3}};
constexpr std::uint16_t world = 1, office = 2, host = 3;
constexpr std::string_view our_link_local = "fe80::ff:fe00:1", ours = "2001:db8::1", peer = "2001:db8::2",
                           peer_group = "ff02::1:ff00:2", our_group = "ff02::1:ff00:1";

Address address(std::string_view text) { return Address::parse(text).value(); }

struct Noted final : NeighbourActions {
    struct Said {
        std::uint16_t port;
        MacAddress to;
        NeighbourMessage message;
    };
    std::vector<Said> said;
    std::map<HopIndex, std::unique_ptr<const NextHop>> hops;
    std::vector<rte_mbuf*> released;
    std::vector<std::pair<rte_mbuf*, Drop>> discarded;

    void send_arp(std::uint16_t, const MacAddress&, const ArpIpv4&) override {
        FAIL("an IPv6 neighbour is not asked for by ARP");
    }
    void send_discovery(std::uint16_t port, const MacAddress& to, const NeighbourMessage& message) override {
        said.push_back({port, to, message});
    }
    void publish_hop(HopIndex hop, std::unique_ptr<const NextHop> next) override { hops[hop] = std::move(next); }
    void retire_hop(HopIndex) override {}
    void release(rte_mbuf* mbuf) override { released.push_back(mbuf); }
    void discard(rte_mbuf* mbuf, Drop reason) override { discarded.emplace_back(mbuf, reason); }
};

LocalInterface interface(std::uint16_t port, std::vector<std::string> prefixes) {
    LocalInterface out{.port = port, .mac = our_mac, .mtu = 1400, .addresses = {}};
    for (const std::string& text : prefixes)
        out.addresses.emplace_back(address(text.substr(0, text.find('/'))), Prefix::parse(text).value());
    return out;
}

struct Table {
    Noted noted;
    std::vector<rte_mbuf> mbufs = std::vector<rte_mbuf>(8);  // never looked into
    SteadyTime now = SteadyTime{} + 1000s;
    Neighbours neighbours = make(noted);

    static Neighbours make(Noted& noted) {
        std::vector<LocalInterface> interfaces;
        interfaces.push_back(interface(world, {"20.0.0.1/24", "2001:db8::1/64", "fe80::ff:fe00:1/64"}));
        interfaces.push_back(interface(office, {"2001:db8:1::1/64", "fe80::ff:fe00:1/64"}));
        interfaces.push_back(interface(host, {}));
        interfaces.back().answers_for_all = true;
        return {std::move(interfaces), 20, noted};
    }
    HopIndex want(std::string_view a, std::uint16_t port = world) { return neighbours.want(address(a), port, now); }
    void pass(std::chrono::milliseconds time) {
        for (; time > 0ms; time -= 100ms) {
            now += 100ms;
            neighbours.tick(now);
        }
    }
    Drop hear(const Octets& packet, std::uint16_t port = world) {
        return neighbours.arrived(port, other_mac, packet, now);
    }
    Drop hear(const NeighbourMessage& message, std::uint16_t port = world) {
        return hear(neighbour_packet(message), port);
    }
    NeighbourState state(std::string_view a, std::uint16_t port = world) const {
        for (const auto& n : neighbours.all(now))
            if (n.address == address(a) && n.port == port) return n.state;
        FAIL("no neighbour " << a);
        return {};
    }
    std::size_t known() const { return neighbours.all(now).size(); }
};

NeighbourMessage solicitation(std::string_view source, std::string_view target,
                              std::optional<MacAddress> mac = peer_mac) {
    return {.type = DiscoveryType::solicitation,
            .source = address(source),
            .destination = solicited_node(address(target)),
            .target = address(target),
            .mac = mac};
}
struct Flags {
    bool solicited = true, overrides = true;
};
NeighbourMessage advertisement(std::string_view target, std::optional<MacAddress> mac, Flags flags = {}) {
    return {.type = DiscoveryType::advertisement,
            .source = address(target),
            .destination = flags.solicited ? address(ours) : all_nodes(),
            .target = address(target),
            .mac = mac,
            .router = false,
            .solicited = flags.solicited,
            .overrides = flags.overrides};
}

}  // namespace

TEST_CASE("addresses of neighbour discovery are made as the RFCs show (RFC 4291 2.7.1 and appendix A, RFC 2464 7)") {
    CHECK(link_local_address(MacAddress::parse("34:56:78:9a:bc:de").value()).text() == "fe80::3656:78ff:fe9a:bcde");
    CHECK(link_local_address(our_mac).text() == our_link_local);
    CHECK(solicited_node(address("4037::1:800:200e:8c6c")).text() == "ff02::1:ff0e:8c6c");
    CHECK(multicast_mac(address("ff02::1:ff0e:8c6c")).text() == "33:33:ff:0e:8c:6c");
    CHECK(all_nodes().text() == "ff02::1");
    CHECK(address("fe80::1").is_link_local());
    CHECK(address("febf::1").is_link_local());
    CHECK_FALSE(address("fec0::1").is_link_local());
    CHECK_FALSE(Address::v4(0xfe800000).is_link_local());
}

TEST_CASE("a message is what was said, octet for octet (RFC 4861 4.3, 4.4)") {
    const Octets said = neighbour_packet(advertisement(peer, peer_mac));
    const Octets expected =
        summed_icmpv6(ipv6(peer, ours, 58,
                           octets_of(Icmpv6Header{136, 0, 0, 0x60000000}) + octets_of(address(peer).raw()) +
                               octets_of(std::array<std::uint8_t, 8>{2, 1, 2, 0, 0, 0, 0, 2}),
                           {.hop_limit = 255}));
    CHECK(said == expected);
    const auto heard = parse_neighbour_message(said);
    REQUIRE(heard);
    CHECK(heard->type == DiscoveryType::advertisement);
    CHECK(heard->target == address(peer));
    CHECK(heard->mac == peer_mac);
    CHECK(heard->solicited);
    CHECK(heard->overrides);
    CHECK_FALSE(heard->router);
}

TEST_CASE("messages that RFC 4861 7.1 has us discard are bad, and change nothing") {
    Table table;
    const Octets good = neighbour_packet(solicitation(peer, ours));
    const auto changed = [&](std::size_t at, unsigned to) {
        Octets out = good;
        out[at] = static_cast<std::byte>(to);
        return summed_icmpv6(out);
    };
    const auto cut = [&](std::size_t octets) {
        Octets out(good.begin(), good.end() - static_cast<std::ptrdiff_t>(octets));
        out[5] = static_cast<std::byte>(out.size() - 40);
        return summed_icmpv6(out);
    };
    Octets wrong_sum = good;
    wrong_sum[50] ^= std::byte{1};
    CHECK(table.hear(changed(7, 254)) == Drop::bad_discovery);  // hop limit: it came through a router
    CHECK(table.hear(wrong_sum) == Drop::bad_discovery);
    CHECK(table.hear(changed(41, 1)) == Drop::bad_discovery);  // code
    CHECK(table.hear(changed(65, 0)) == Drop::bad_discovery);  // an option of no octets
    CHECK(table.hear(changed(65, 2)) == Drop::bad_discovery);  // an option beyond the end
    CHECK(table.hear(changed(66, 3)) == Drop::bad_discovery);  // a group's MAC
    CHECK(table.hear(cut(4)) == Drop::bad_discovery);          // half an option
    CHECK(table.hear(cut(9)) == Drop::bad_discovery);          // shorter than 24 octets
    CHECK(table.hear(cut(27)) == Drop::bad_discovery);
    CHECK(table.hear(solicitation(peer, "ff02::1")) == Drop::bad_discovery);
    CHECK(table.hear(solicitation("::", ours, peer_mac)) == Drop::bad_discovery);  // a MAC of nobody's
    auto direct = solicitation("::", ours, {});
    direct.destination = address(ours);
    CHECK(table.hear(direct) == Drop::bad_discovery);
    auto to_all = advertisement(peer, peer_mac);
    to_all.destination = all_nodes();
    CHECK(table.hear(to_all) == Drop::bad_discovery);  // solicited by all at once
    CHECK(table.hear(icmpv6_echo(peer, ours, 1, 56, {.hop_limit = 255})) == Drop::bad_discovery);
    CHECK(table.known() == 0);
    CHECK(table.noted.said.empty());
    CHECK(table.hear(good) == Drop::none);
}

TEST_CASE("options of other kinds are read over (RFC 4861 4.6)") {
    Table table;
    Octets message = neighbour_packet(solicitation(peer, ours, {}));
    message = message + octets_of(std::array<std::uint8_t, 16>{14, 2}) +  // a nonce, RFC 3971
              octets_of(std::array<std::uint8_t, 8>{1, 1, 2, 0, 0, 0, 0, 2});
    message[5] = static_cast<std::byte>(message.size() - 40);
    CHECK(table.hear(summed_icmpv6(message)) == Drop::none);
    REQUIRE(table.noted.said.size() == 2);
    CHECK(table.noted.said[1].to == peer_mac);
}

TEST_CASE("a wanted IPv6 neighbour is asked for at its solicited-node group, from our address in its network") {
    Table table;
    const HopIndex hop = table.want(peer);
    REQUIRE(hop != HopIndex::none);
    REQUIRE(table.noted.said.size() == 1);
    const auto& [port, to, message] = table.noted.said[0];
    CHECK(port == world);
    CHECK(to.text() == "33:33:ff:00:00:02");
    CHECK(message.type == DiscoveryType::solicitation);
    CHECK(message.source == address(ours));
    CHECK(message.destination == address(peer_group));
    CHECK(message.target == address(peer));
    CHECK(message.mac == our_mac);
    CHECK_FALSE(table.noted.hops.at(hop)->resolved);
    CHECK(table.want(peer) == hop);
    CHECK(table.noted.said.size() == 1);
}

TEST_CASE("a neighbour in no network of ours is asked for from our link-local address") {
    Table table;
    (void)table.want("fe80::7");
    (void)table.want("2001:db8:9::7");
    REQUIRE(table.noted.said.size() == 2);
    CHECK(table.noted.said[0].message.source == address(our_link_local));
    CHECK(table.noted.said[1].message.source == address(our_link_local));
}

TEST_CASE("link-local neighbours with one address behind two ports are two") {
    Table table;
    const HopIndex here = table.want("fe80::7", world), there = table.want("fe80::7", office);
    CHECK(here != there);
    CHECK(table.hear(advertisement("fe80::7", peer_mac), world) == Drop::none);
    CHECK(table.hear(advertisement("fe80::7", other_mac), office) == Drop::none);
    CHECK(table.noted.hops.at(here)->ethernet.destination == peer_mac.octets);
    CHECK(table.noted.hops.at(there)->ethernet.destination == other_mac.octets);
    NextHopTable cells;
    for (auto& [hop, next] : table.noted.hops) (void)cells.publish(hop, std::make_unique<NextHop>(*next));
    CHECK(cells.find(address("fe80::7"), world) == here);
    CHECK(cells.find(address("fe80::7"), office) == there);
    CHECK(cells.find(address("fe80::7"), host) == HopIndex::none);
}

TEST_CASE("an advertisement resolves the neighbour and releases what waited, in order") {
    Table table;
    const HopIndex hop = table.want(peer);
    table.neighbours.hold(hop, &table.mbufs[0], table.now);
    table.neighbours.hold(hop, &table.mbufs[1], table.now);
    CHECK(table.hear(advertisement(peer, {})) == Drop::none);  // without a MAC it says nothing new
    CHECK(table.noted.released.empty());
    CHECK(table.hear(advertisement(peer, peer_mac)) == Drop::none);
    CHECK(table.noted.released == std::vector{&table.mbufs[0], &table.mbufs[1]});
    CHECK(table.state(peer) == NeighbourState::reachable);
    const NextHop& next = *table.noted.hops.at(hop);
    CHECK(next.resolved);
    CHECK(next.port == world);
    CHECK(next.mtu == 1400);
    CHECK(next.ethernet.destination == peer_mac.octets);
    CHECK(next.ethernet.source == our_mac.octets);
    CHECK(next.ethernet.type == 0x86dd);
}

TEST_CASE("an IPv6 neighbour that does not answer three solicitations, a second apart, has failed") {
    Table table;
    const HopIndex hop = table.want(peer);
    table.neighbours.hold(hop, &table.mbufs[0], table.now);
    table.pass(2900ms);
    CHECK(table.noted.said.size() == 3);
    CHECK(table.noted.discarded.empty());
    table.pass(100ms);
    CHECK(table.noted.said.size() == 3);
    CHECK(table.state(peer) == NeighbourState::failed);
    CHECK(table.noted.discarded == std::vector{std::pair{&table.mbufs[0], Drop::no_neighbour}});
    CHECK(table.hear(advertisement(peer, peer_mac)) == Drop::none);  // nobody asks any more
    CHECK(table.state(peer) == NeighbourState::failed);
}

TEST_CASE("an IPv6 neighbour known for thirty seconds is asked again directly, and used meanwhile (RFC 4861 7.3.3)") {
    Table table;
    const HopIndex hop = table.want(peer);
    (void)table.hear(advertisement(peer, peer_mac));
    table.pass(29900ms);
    CHECK(table.noted.said.size() == 1);
    table.pass(100ms);
    REQUIRE(table.noted.said.size() == 2);
    CHECK(table.noted.said[1].to == peer_mac);
    CHECK(table.noted.said[1].message.destination == address(peer));
    CHECK(table.state(peer) == NeighbourState::probing);
    CHECK(table.noted.hops.at(hop)->resolved);
    SECTION("its answer makes it fresh again, without its MAC too") {
        (void)table.hear(advertisement(peer, {}));
        CHECK(table.state(peer) == NeighbourState::reachable);
        CHECK(table.noted.hops.at(hop)->ethernet.destination == peer_mac.octets);
    }
    SECTION("an advertisement nobody asked for does not say that it hears us") {
        (void)table.hear(advertisement(peer, peer_mac, {.solicited = false}));
        CHECK(table.state(peer) == NeighbourState::probing);
    }
    SECTION("its silence makes it fail after three solicitations") {
        table.pass(3s);
        CHECK(table.noted.said.size() == 4);
        CHECK(table.state(peer) == NeighbourState::failed);
        CHECK_FALSE(table.noted.hops.at(hop)->resolved);
    }
}

TEST_CASE("another MAC is taken over only with the override flag, and otherwise raises doubt (RFC 4861 7.2.5)") {
    Table table;
    const HopIndex hop = table.want(peer);
    const auto mac = [&] { return table.noted.hops.at(hop)->ethernet.destination; };
    (void)table.hear(advertisement(peer, peer_mac));
    SECTION("without it") {
        (void)table.hear(advertisement(peer, other_mac, {.solicited = true, .overrides = false}));
        CHECK(mac() == peer_mac.octets);
        CHECK(table.state(peer) == NeighbourState::probing);
        CHECK(table.noted.said.back().to == peer_mac);
    }
    SECTION("with it, solicited") {
        (void)table.hear(advertisement(peer, other_mac));
        CHECK(mac() == other_mac.octets);
        CHECK(table.state(peer) == NeighbourState::reachable);
    }
    SECTION("with it, unasked for: it moved, and is asked there") {
        (void)table.hear(advertisement(peer, other_mac, {.solicited = false}));
        CHECK(mac() == other_mac.octets);
        CHECK(table.state(peer) == NeighbourState::probing);
        CHECK(table.noted.said.back().to == other_mac);
    }
}

TEST_CASE("advertisements of strangers add nobody, and none from another port is believed (RFC 4861 7.2.5)") {
    Table table;
    CHECK(table.hear(advertisement("2001:db8::9", peer_mac, {.solicited = false})) == Drop::none);
    CHECK(table.known() == 0);
    const HopIndex hop = table.want(peer);
    CHECK(table.hear(advertisement(peer, peer_mac), office) == Drop::none);
    CHECK_FALSE(table.noted.hops.at(hop)->resolved);
}

TEST_CASE("who solicits us is answered, and asked whether it hears us (RFC 4861 7.2.3, 7.2.4)") {
    Table table;
    const auto target = GENERATE(ours, our_link_local);
    CHECK(table.hear(solicitation(peer, target)) == Drop::none);
    REQUIRE(table.noted.said.size() == 2);
    const auto& asked = table.noted.said[0];
    CHECK(asked.to == peer_mac);
    CHECK(asked.message.type == DiscoveryType::solicitation);
    CHECK(asked.message.target == address(peer));
    const auto& [port, to, answer] = table.noted.said[1];
    CHECK(port == world);
    CHECK(to == peer_mac);
    CHECK(answer.type == DiscoveryType::advertisement);
    CHECK(answer.source == address(target));
    CHECK(answer.destination == address(peer));
    CHECK(answer.target == address(target));
    CHECK(answer.mac == our_mac);
    CHECK(answer.router);
    CHECK(answer.solicited);
    CHECK(answer.overrides);
    CHECK(table.state(peer) == NeighbourState::probing);
    SECTION("its answer confirms it") {
        (void)table.hear(advertisement(peer, {}));
        CHECK(table.state(peer) == NeighbourState::reachable);
        SECTION("and the next question with the same MAC changes nothing") {
            (void)table.hear(solicitation(peer, target));
            CHECK(table.state(peer) == NeighbourState::reachable);
            CHECK(table.noted.said.size() == 3);
        }
    }
    SECTION("one that was being asked for is released to") {
        const HopIndex hop = table.want("2001:db8::8");
        table.neighbours.hold(hop, &table.mbufs[0], table.now);
        (void)table.hear(solicitation("2001:db8::8", target, other_mac));
        CHECK(table.noted.released == std::vector{&table.mbufs[0]});
    }
    SECTION("but a stranger from another network is only answered") {
        (void)table.hear(solicitation("2001:db8:9::9", target));
        CHECK(table.known() == 1);
    }
    SECTION("and a question for somebody else is not ours") {
        CHECK(table.hear(solicitation("2001:db8::8", "2001:db8::77")) == Drop::none);
        CHECK(table.hear(solicitation("2001:db8::8", "2001:db8:1::1")) == Drop::none);  // ours, on another port
        CHECK(table.noted.said.size() == 2);
        CHECK(table.known() == 1);
    }
}

TEST_CASE("a direct question without a MAC is answered to the station that sent the frame") {
    Table table;
    CHECK(table.hear(solicitation(peer, ours, {})) == Drop::none);
    REQUIRE(table.noted.said.size() == 1);
    CHECK(table.noted.said[0].to == other_mac);
    CHECK(table.known() == 0);
}

TEST_CASE("who is about to take our address is told before all that it has an owner (RFC 4861 7.2.4, RFC 4862 5.4.3)") {
    Table table;
    CHECK(table.hear(solicitation("::", ours, {})) == Drop::none);
    REQUIRE(table.noted.said.size() == 1);
    const auto& [port, to, answer] = table.noted.said[0];
    CHECK(to.text() == "33:33:00:00:00:01");
    CHECK(answer.destination == all_nodes());
    CHECK(answer.source == address(ours));
    CHECK(answer.mac == our_mac);
    CHECK_FALSE(answer.solicited);
    CHECK(answer.overrides);
    CHECK(table.known() == 0);
}

TEST_CASE("whoever claims our IPv6 address is bad") {
    Table table;
    CHECK(table.hear(advertisement(ours, other_mac, {.solicited = false})) == Drop::bad_discovery);
    CHECK(table.hear(advertisement(our_link_local, other_mac, {.solicited = false})) == Drop::bad_discovery);
    CHECK(table.hear(solicitation(ours, peer, other_mac)) == Drop::bad_discovery);
    CHECK(table.noted.said.empty());
}

TEST_CASE("router solicitations, router advertisements and redirects are not taken: routes are configured") {
    Table table;
    for (const auto type : std::to_array<std::uint8_t>({133, 134, 137})) {
        INFO("ICMPv6 type " << unsigned{type});
        const Octets message = octets_of(Icmpv6Header{type, 0, 0, 0}) + Octets(40);
        CHECK(table.hear(summed_icmpv6(ipv6("fe80::9", "ff02::1", 58, message, {.hop_limit = 255}))) ==
              Drop::router_discovery);
    }
    CHECK(table.known() == 0);
}

TEST_CASE("the host port's stack is answered for everything but its own addresses and its link's") {
    Table table;
    const auto answered = [&](std::string_view source, std::string_view target) {
        table.noted.said.clear();
        CHECK(table.hear(solicitation(source, target, source == "::" ? std::nullopt : std::optional{peer_mac}), host) ==
              Drop::none);
        return !table.noted.said.empty();
    };
    CHECK(answered(ours, "2001:db8::2"));
    CHECK_FALSE(table.noted.said[0].message.overrides);  // RFC 4861 7.2.8
    CHECK(answered(ours, "2001:db8:77::2"));
    CHECK_FALSE(answered(ours, ours));
    CHECK_FALSE(answered("::", "2001:db8::1"));  // it only looks for a twin
    CHECK_FALSE(answered("fe80::5", "fe80::6"));
    CHECK(table.known() == 0);
}

TEST_CASE("an IPv6 neighbour fixed by configuration believes nobody and never ages") {
    Table table;
    const HopIndex hop = table.neighbours.fix(address(peer), world, peer_mac);
    CHECK(table.noted.hops.at(hop)->ethernet.type == 0x86dd);
    CHECK(table.hear(solicitation(peer, ours, other_mac)) == Drop::none);
    CHECK(table.hear(advertisement(peer, other_mac)) == Drop::none);
    CHECK(table.noted.hops.at(hop)->ethernet.destination == peer_mac.octets);
    table.noted.said.clear();
    table.pass(200s);
    CHECK(table.noted.said.empty());
    CHECK(table.state(peer) == NeighbourState::fixed);
}
