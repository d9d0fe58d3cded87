// Gif ports: what goes into one and comes out of one, alone and under transport-mode ESP, at the filter, too large, one
// in another, and wrong. RFC 2003, RFC 2473, RFC 4213; RFC 6040 for congestion marks.
#include "catch.h"
#include "test/unit/gateway/both_families.h"

using namespace torii;
using namespace torii::test;

namespace {

PortConfiguration gif_port(std::string name, std::string_view local, std::string_view remote, unsigned mtu = 1280) {
    return {.name = std::move(name), .gif = GifConfiguration{v6(local), v6(remote)}, .mtu = mtu};
}

/// Both offices lie behind gif0, whose packets are of the family of `local`.
Configuration through_gif(Configuration c, std::string_view local, std::string_view remote, unsigned mtu = 1280) {
    c.ports.push_back(gif_port("gif0", local, remote, mtu));
    for (RouteConfiguration& route : c.routes) route.port = "gif0";
    return c;
}

struct Ends {
    std::string_view here, there;
    std::size_t header_octets;
};
constexpr Ends ipv4_ends{"20.0.0.1", "20.0.0.2", 20}, ipv6_ends{"2001:db8:f::1", "2001:db8:f::2", 40};

struct Pair {
    Wires tokyo, newyork;
    explicit Pair(const Ends& ends = ipv4_ends, unsigned mtu = 1280)
        : tokyo(through_gif(tokyo_configuration_of_both(), ends.here, ends.there, mtu)),
          newyork(through_gif(newyork_configuration_of_both(), ends.there, ends.here, mtu)) {}
    Pair& setkey(const std::string& text) {
        tokyo.setkey(text);
        newyork.setkey(text);
        return *this;
    }
    std::vector<Octets> sent(const Octets& packet) { return carry(tokyo, office, {packet}, world); }
    std::vector<Octets> received(const std::vector<Octets>& wire) { return carry(newyork, world, wire, office); }
};

Octets packet4(std::size_t octets = 100, const Ipv4Options& options = {}) {
    return datagram("10.0.1.5", "10.0.2.5", octets, options);
}
Octets packet6(std::size_t octets = 100, const Ipv6Options& options = {}) {
    return ipv6("2001:db8:1::5", "2001:db8:2::5", 17, udp(4000, 5000, Octets(octets - 48, std::byte{0x5a})), options);
}
Octets in_envelope(const Octets& inside, const Ipv4Options& options = {}) {
    return ipv4("20.0.0.1", "20.0.0.2", is_ipv6(inside) ? 41 : 4, inside, options);
}

/// What `torii show ports` says of a port.
/// A counter of NetBSD's group ipip.
std::uint64_t netbsd_of(Wires& gateway, std::string_view name) {
    for (const auto& stat : gateway.gateway().stats())
        if (stat.group == "ipip" && stat.counter == name) return stat.total;
    return 0;
}
control::PortStatus status_of(Wires& gateway, std::string_view name) {
    for (const control::PortStatus& port : gateway.gateway().ports())
        if (port.name == name) return port;
    return {};
}

/// The MTU that an ICMP error of either family tells; 0 when it is no such error.
unsigned told_mtu(const std::vector<Octets>& packets) {
    if (packets.size() != 1) return 0;
    const Octets& packet = packets[0];
    const bool six = is_ipv6(packet);
    const std::size_t at = six ? 40 : 20;
    const bool too_big =
        six ? packet[at] == std::byte{2} : packet[at] == std::byte{3} && packet[at + 1] == std::byte{4};
    return too_big ? std::to_integer<unsigned>(packet[at + 6]) << 8 | std::to_integer<unsigned>(packet[at + 7]) : 0;
}

/// Transport mode for whatever the gateways' outer addresses exchange as IP in IP, and no word on what is inside.
const std::string protected_envelopes =
    "add 20.0.0.1 20.0.0.2 esp 0x1001 -m transport -r 8 -E aes-gcm-16 \"tokyo-newyork-key001\";"
    "add 20.0.0.2 20.0.0.1 esp 0x1002 -m transport -r 8 -E aes-gcm-16 \"newyork-tokyo-key002\";";
const std::string tokyo_envelopes =
    "spdadd 20.0.0.1 20.0.0.2 4 -P out ipsec esp/transport//require;"
    "spdadd 20.0.0.2 20.0.0.1 4 -P in ipsec esp/transport//require;";
const std::string newyork_envelopes =
    "spdadd 20.0.0.2 20.0.0.1 4 -P out ipsec esp/transport//require;"
    "spdadd 20.0.0.1 20.0.0.2 4 -P in ipsec esp/transport//require;";

void protect(Pair& pair) {
    pair.tokyo.setkey(protected_envelopes + tokyo_envelopes + std::string{everything_passes});
    pair.newyork.setkey(protected_envelopes + newyork_envelopes + std::string{everything_passes});
}

}  // namespace

TEST_CASE("a gif port carries packets of each family in packets of each (RFC 2003, RFC 2473, RFC 4213)") {
    const Ends& ends = GENERATE(ipv4_ends, ipv6_ends);
    Pair pair{ends};
    pair.setkey(std::string{everything_passes});
    for (const Octets& packet : {packet4(100, {.dscp_ecn = 0xba}), packet6(100, {.traffic_class = 0xba})}) {
        const auto wire = pair.sent(packet);
        REQUIRE(wire.size() == 1);
        const std::uint8_t protocol = is_ipv6(packet) ? 41 : 4;
        REQUIRE(wire[0].size() == packet.size() + ends.header_octets);
        REQUIRE(is_ipv6(wire[0]) == (ends.header_octets == 40));
        if (is_ipv6(wire[0])) {
            CHECK(ipv6_of(wire[0]).next_header == protocol);
            CHECK(ipv6_of(wire[0]).hop_limit == 64);
            CHECK((ipv6_of(wire[0]).version_class_flow >> 20 & 0xff) == 0xba);
            CHECK(Address::v6(ipv6_of(wire[0]).source) == v6(ends.here));
        } else {
            CHECK(header_of(wire[0]).protocol == protocol);
            CHECK(header_of(wire[0]).ttl == 64);
            CHECK(header_of(wire[0]).dscp_ecn == 0xba);
            CHECK(internet_checksum(wire[0].data(), 20) == 0);
        }
        CHECK(pair.received(wire) == only(hops_on(packet, 2)));  // one for each gateway, none for the tunnel
    }
    const auto here = status_of(pair.tokyo, "gif0"), there = status_of(pair.newyork, "gif0");
    CHECK(here.tx_packets == 2);
    CHECK(here.tx_octets == 200);
    CHECK(there.rx_packets == 2);
    CHECK(there.rx_octets == 200);
    CHECK(netbsd_of(pair.tokyo, "opackets") == 2);
    CHECK(netbsd_of(pair.tokyo, "obytes") == 200);
    CHECK(netbsd_of(pair.newyork, "ipackets") == 2);
    CHECK(netbsd_of(pair.newyork, "ibytes") == 200);
    CHECK(here.driver == "gif");
    CHECK(here.device == std::string{ends.here} + "-" + std::string{ends.there});
    CHECK(here.link_up);
    CHECK(pair.tokyo.buffers_missing() + pair.newyork.buffers_missing() == 0);
}

TEST_CASE("transport-mode ESP protects a gif port's packets, and nothing else comes out of it") {
    Pair pair;
    protect(pair);
    const auto wire = pair.sent(packet4());
    REQUIRE(wire.size() == 1);
    CHECK(header_of(wire[0]).protocol == 50);
    CHECK(header_of(wire[0]).source == number("20.0.0.1"));
    CHECK(pair.received(wire) == only(after_hops(packet4(), 2)));
    SECTION("the same in clear is refused") {
        CHECK(pair.received(only(in_envelope(packet4()))).empty());
        CHECK(pair.newyork.drops(Drop::policy_mismatch) == 1);
    }
    SECTION("what is inside has its own policies, as what arrived in clear by the gif") {
        pair.newyork.setkey("spdflush; spdadd 10.0.1.0/24 10.0.2.0/24 any -P in discard;" + newyork_envelopes);
        CHECK(pair.received(pair.sent(packet4())).empty());
        CHECK(pair.newyork.drops(Drop::policy_discard) == 1);
    }
}

TEST_CASE("a gif port on the protected side owes no policy for what is inside") {
    Configuration c = through_gif(newyork_configuration_of_both(), "20.0.0.2", "20.0.0.1");
    c.ports.back().role = PortRole::protected_port;
    Wires newyork{c};
    newyork.setkey("spdadd 20.0.0.1 20.0.0.2 4 -P in none;");  // and everything else is discarded
    CHECK(carry(newyork, world, {in_envelope(packet4())}, office) == only(after_hops(packet4(), 1)));
}

TEST_CASE("IP in IP from somebody else than a gif port's far end is not taken out") {
    Pair pair;
    pair.setkey(std::string{everything_passes});
    const Octets stranger = ipv4("20.0.0.9", "20.0.0.2", 4, packet4());
    CHECK(pair.received(only(stranger)).empty());
    CHECK(status_of(pair.newyork, "gif0").rx_packets == 0);
    // The far end's packets for somebody else are transit, like any.
    CHECK(pair.received(only(ipv4("20.0.0.1", "10.0.2.5", 4, packet4()))).size() == 1);
}

TEST_CASE("the packet filter knows a gif port by its name, at both hooks and both ways") {
    Pair pair;
    pair.setkey(std::string{everything_passes});
    using control::Hook;
    const auto block = [](Wires& gateway, Hook hook, std::string_view rule) {
        std::vector<control::Located> transaction;
        transaction.push_back({control::ChangeFilter{.kind = control::ChangeFilter::Kind::add,
                                                     .hook = hook,
                                                     .rule = control::parse_filter_rule(rule).value()},
                               "test"});
        REQUIRE(gateway.gateway().apply(std::move(transaction)));
    };
    SECTION("hook wire, out: what goes in, before its envelope") {
        block(pair.tokyo, Hook::wire, "block out on gif0 proto udp");
        CHECK(pair.sent(packet4()).empty());
        CHECK(pair.tokyo.drops(Drop::filter_wire) == 1);
    }
    SECTION("hook wire, in: what has come out") {
        block(pair.newyork, Hook::wire, "block in on gif0 proto udp");
        CHECK(pair.received(pair.sent(packet4())).empty());
        CHECK(pair.newyork.drops(Drop::filter_wire) == 1);
    }
    SECTION("hook clear, in") {
        block(pair.newyork, Hook::clear, "block in on gif0 from 10.0.1.0/24 to any");
        CHECK(pair.received(pair.sent(packet4())).empty());
        CHECK(pair.newyork.drops(Drop::filter_clear) == 1);
    }
    SECTION("the envelope is of the port it arrives by and leaves by") {
        block(pair.newyork, Hook::wire, "block in on world proto 4");
        block(pair.tokyo, Hook::wire, "block out on world proto 41");
        CHECK(pair.received(pair.sent(packet4())).empty());
        CHECK(pair.newyork.drops(Drop::filter_wire) == 1);
        CHECK(pair.sent(packet6()).empty());
        CHECK(pair.tokyo.drops(Drop::filter_wire) == 1);
    }
}

TEST_CASE("congestion met by a gif port's packets reaches what is inside (RFC 6040 4.2)") {
    Wires newyork{through_gif(newyork_configuration_of_both(), "20.0.0.2", "20.0.0.1")};
    newyork.setkey(everything_passes);
    const auto arrived = [&](std::uint8_t inside, std::uint8_t outside) {
        return carry(newyork, world, {in_envelope(packet4(100, {.dscp_ecn = inside}), {.dscp_ecn = outside})}, office);
    };
    CHECK(header_of(arrived(2, 3).at(0)).dscp_ecn == 3);
    CHECK(header_of(arrived(1, 0).at(0)).dscp_ecn == 1);
    CHECK(arrived(0, 3).empty());
    CHECK(newyork.drops(Drop::bad_ecn) == 1);
}

TEST_CASE("what a gif port does not take is told the port's MTU, and what fits it passes (RFC 4213 3.2)") {
    Pair pair;
    pair.setkey(std::string{everything_passes});
    const auto told = [&](const Octets& packet) { return told_mtu(carry(pair.tokyo, office, {packet}, office)); };
    const Ipv4Options whole{.flags_offset = Ipv4Header::dont_fragment};
    CHECK(told(packet4(1281, whole)) == 1280);
    CHECK(told(packet6(1281)) == 1280);
    const auto largest4 = pair.sent(packet4(1280, whole)), largest6 = pair.sent(packet6(1280));
    REQUIRE(largest4.size() == 1);
    REQUIRE(largest6.size() == 1);
    CHECK((header_of(largest4[0]).flags_offset & Ipv4Header::dont_fragment) != 0);  // RFC 2003 3.1
    CHECK((header_of(largest6[0]).flags_offset & Ipv4Header::dont_fragment) == 0);  // everybody may send so much
}

TEST_CASE("what may be cut goes into a gif port whole, and its envelope is cut and put together again") {
    const Ends& ends = GENERATE(ipv4_ends, ipv6_ends);
    Pair pair{ends};
    pair.setkey(std::string{everything_passes});
    const auto wire = pair.sent(packet4(1490));
    REQUIRE(wire.size() == 2);
    for (const Octets& fragment : wire) CHECK(fragment.size() <= 1500);
    CHECK(pair.received(wire) == only(after_hops(packet4(1490), 2)));
    CHECK(pair.newyork.buffers_missing() == 0);
}

TEST_CASE("a gif port learns what its envelopes' SAs leave of the link, and tells it to the next sender (RFC 2003 5)") {
    Pair pair{ipv4_ends, 1480};
    protect(pair);
    const Ipv4Options whole{.flags_offset = Ipv4Header::dont_fragment};
    CHECK(carry(pair.tokyo, office, {packet4(1480, whole)}, office).empty());  // lost, and nobody knows whose it was
    CHECK(pair.tokyo.drops(Drop::too_big) == 1);
    const unsigned mtu = told_mtu(carry(pair.tokyo, office, {packet4(1480, whole)}, office));
    CHECK(mtu == status_of(pair.tokyo, "gif0").mtu);
    CHECK(mtu < 1460);
    const auto wire = pair.sent(packet4(mtu, whole));
    REQUIRE(wire.size() == 1);
    CHECK(wire[0].size() <= 1500);
    CHECK(wire[0].size() > 1496);  // but for what padding to four octets leaves
    CHECK(pair.received(wire) == only(after_hops(packet4(mtu, whole), 2)));
    pair.tokyo.pass(std::chrono::minutes{11});
    CHECK(status_of(pair.tokyo, "gif0").mtu == 1480);
}

TEST_CASE("gif ports may lie in one another, four deep and no deeper") {
    const auto nested = [](Configuration c, const std::string& here, const std::string& there, unsigned depth) {
        c.routes.clear();
        for (unsigned i = 0; i < depth; ++i) {
            const std::string net = "172.16." + std::to_string(i) + ".",
                              outer = "172.16." + std::to_string(i - 1) + ".";
            const std::string from = i == 0 ? "20.0.0." + here : outer + here,
                              to = i == 0 ? "20.0.0." + there : outer + there;
            c.ports.push_back(gif_port("gif" + std::to_string(i), from, to));
            c.ports.back().addresses = {{v6(net + here), 24}};
        }
        const std::string last = "gif" + std::to_string(depth - 1);
        c.routes.push_back({Prefix{v6("10.0." + there + ".0"), 24}, v6("172.16.0." + there), last});
        return c;
    };
    const unsigned depth = GENERATE(4u, 5u);
    Wires tokyo{nested(tokyo_configuration_of_both(), "1", "2", depth)};
    Wires newyork{nested(newyork_configuration_of_both(), "2", "1", depth)};
    tokyo.setkey(everything_passes);
    newyork.setkey(everything_passes);
    Octets packet = packet4();
    auto wire = carry(tokyo, office, {packet}, world);
    CHECK(wire.size() == (depth == 4 ? 1 : 0));
    CHECK(tokyo.drops(Drop::gif_too_deep) == (depth == 4 ? 0 : 1));
    if (wire.empty()) {  // what a bolder neighbour would send
        packet = after_hops(packet, 1);
        for (unsigned i = depth; i-- > 0;) {
            const std::string net = i == 0 ? "20.0.0." : "172.16." + std::to_string(i - 1) + ".";
            packet = ipv4(net + "1", net + "2", 4, packet);
        }
        wire = only(packet);
    }
    CHECK(carry(newyork, world, wire, office).size() == (depth == 4 ? 1 : 0));
    CHECK(newyork.drops(Drop::gif_too_deep) == (depth == 4 ? 0 : 1));
    CHECK(tokyo.buffers_missing() + newyork.buffers_missing() == 0);
}

TEST_CASE("a gif port whose own packets are routed into it sends nothing, and says so") {
    Configuration c = through_gif(tokyo_configuration_of_both(), "20.0.0.1", "30.0.0.2");
    c.routes.push_back({Prefix{v6("30.0.0.0"), 24}, v6("20.0.0.2"), "gif0"});
    Wires tokyo{c};
    tokyo.setkey(everything_passes);
    CHECK(carry(tokyo, office, {packet4()}, world).empty());
    CHECK(tokyo.drops(Drop::gif_too_deep) == 1);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("what is wrong inside a gif port's packet is dropped by the name it would have on a wire") {
    Wires newyork{through_gif(newyork_configuration_of_both(), "20.0.0.2", "20.0.0.1")};
    newyork.setkey(everything_passes);
    const auto refused = [&](const Octets& inside, std::uint8_t protocol, Drop reason) {
        INFO(info(reason).name);
        const auto before = newyork.drops(reason);
        for (const Room room : {Room::exact, Room::pool}) {
            REQUIRE(newyork.send(world, ethernet(ipv4("20.0.0.1", "20.0.0.2", protocol, inside)), 0, room));
            newyork.turn();
        }
        CHECK(packets_of(newyork.sent_by(office)).empty());
        CHECK(newyork.drops(reason) == before + 2);
    };
    refused({}, 4, Drop::truncated);
    refused(Octets(19, std::byte{0x45}), 4, Drop::truncated);
    refused(Octets(39, std::byte{0x60}), 41, Drop::truncated);
    refused(packet6(), 4, Drop::bad_ip_version);
    refused(packet4(), 41, Drop::bad_ip_version);
    Octets longer = packet4();
    longer.resize(90);
    refused(longer, 4, Drop::bad_ip_length);
    Octets altered = packet4();
    altered[8] = std::byte{1};
    refused(altered, 4, Drop::bad_ip_checksum);
    refused(datagram("10.0.2.1", "10.0.2.5"), 4, Drop::own_source);
    refused(datagram("127.0.0.1", "10.0.2.5"), 4, Drop::martian);
    refused(ipv6("fe80::1", "2001:db8:2::5", 17, udp(1, 2, {})), 41, Drop::link_local);
    CHECK(newyork.buffers_missing() == 0);
}

TEST_CASE("programs behind the host port speak through a gif port, and the gateway answers through it") {
    Pair pair;
    pair.setkey(std::string{everything_passes});
    const Octets outgoing = datagram("10.0.1.1", "10.0.2.5");
    constexpr MacAddress gateway_seen_by_host{{2, 0, 0, 0, 0, 1}};
    pair.tokyo.send(host, ethernet(outgoing, gateway_seen_by_host));
    pair.tokyo.turn();
    const auto wire = packets_of(pair.tokyo.sent_by(world));
    REQUIRE(wire.size() == 1);
    CHECK(pair.received(wire) == only(after_hops(outgoing, 1)));
    const Octets back = ipv4("20.0.0.2", "20.0.0.1", 4, datagram("10.0.2.5", "10.0.1.1"));
    CHECK(carry(pair.tokyo, world, {back}, host) == only(datagram("10.0.2.5", "10.0.1.1")));

    Configuration c = through_gif(newyork_configuration_of_both(), "20.0.0.2", "20.0.0.1");
    std::erase_if(c.ports, [](const PortConfiguration& port) { return port.role == PortRole::host_port; });
    Wires hostless{c};
    hostless.setkey(everything_passes);
    const Octets question = in_envelope(ipv4("10.0.1.5", "10.0.2.1", 1, icmp_echo(1)));
    const auto answer = carry(hostless, world, {question}, world);
    REQUIRE(answer.size() == 1);
    CHECK(header_of(answer[0]).protocol == 4);
    CHECK(header_of(answer[0]).destination == number("20.0.0.1"));
}

TEST_CASE("a bare IP in IP packet is left when the policy of what is inside asks for that tunnel of IPComp") {
    Wires newyork{newyork_configuration_of_both()};
    newyork.setkey("spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec ipcomp/tunnel/20.0.0.1-20.0.0.2/require;");
    CHECK(carry(newyork, world, {in_envelope(packet4())}, office) == only(after_hops(packet4(), 1)));
    SECTION("also when a gif port has the same ends, which gets the rest") {
        Wires both{through_gif(newyork_configuration_of_both(), "20.0.0.2", "20.0.0.1")};
        both.setkey("spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec ipcomp/tunnel/20.0.0.1-20.0.0.2/require;" +
                    std::string{everything_passes});
        CHECK(carry(both, world, {in_envelope(packet4())}, office) == only(after_hops(packet4(), 1)));
        CHECK(status_of(both, "gif0").rx_packets == 0);
        CHECK(carry(both, world, {in_envelope(datagram("10.0.3.5", "10.0.2.5"))}, office).size() == 1);
        CHECK(status_of(both, "gif0").rx_packets == 1);
    }
    SECTION("not between other ends") {
        CHECK(carry(newyork, world, {ipv4("20.0.0.9", "20.0.0.2", 4, packet4())}, office).empty());
        CHECK(newyork.drops(Drop::no_policy) == 1);
    }
    SECTION("not without what else the policy asks for") {
        newyork.setkey(
            "spdflush; spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec "
            "ipcomp/tunnel/20.0.0.1-20.0.0.2/require esp/transport//require;");
        CHECK(carry(newyork, world, {in_envelope(packet4())}, office).empty());
        CHECK(newyork.drops(Drop::policy_mismatch) == 1);
    }
    SECTION("and no deeper than any IPsec") {
        newyork.setkey("spdadd 20.0.0.1 20.0.0.2 4 -P in ipsec ipcomp/tunnel/20.0.0.1-20.0.0.2/require;");
        Octets packet = packet4();
        for (unsigned i = 0; i < 5; ++i) packet = in_envelope(packet);
        CHECK(carry(newyork, world, {packet}, office).empty());
        CHECK(newyork.drops(Drop::nested_too_deep) == 1);
    }
    CHECK(newyork.buffers_missing() == 0);
}

TEST_CASE("explain follows a packet into a gif port, and its envelope on its own way") {
    Pair pair;
    protect(pair);
    const auto told = [](Wires& gateway, std::string_view source, std::string_view destination, std::uint8_t protocol,
                         std::string port = {}) {
        return gateway.gateway()
            .explain({.packet = {.source = v6(source), .destination = v6(destination), .protocol = protocol},
                      .port = std::move(port)})
            .value();
    };
    const auto says = [](const control::Explanation& told, std::string_view stage, std::string_view text) {
        return std::ranges::any_of(told.steps, [&](const control::Explanation::Step& step) {
            return step.stage == stage && step.text.find(text) != std::string::npos;
        });
    };
    const auto out = told(pair.tokyo, "10.0.1.5", "10.0.2.5", 6);
    CHECK(out.fate == control::Explanation::Fate::protect);
    CHECK(out.port == "world");
    CHECK(out.largest_octets == 1280);
    REQUIRE(out.sas.size() == 1);
    CHECK(out.sas[0].state == "mature");
    CHECK(says(out, "next hop", "gif port gif0 toward 20.0.0.2"));
    CHECK(says(out, "fate", "FORWARDED into gif port gif0"));
    CHECK(says(out, "envelope", "20.0.0.1"));
    CHECK(says(out, "fate", "PROTECTED and sent"));

    const auto envelope = told(pair.newyork, "20.0.0.1", "20.0.0.2", 4);
    CHECK(envelope.fate == control::Explanation::Fate::deliver);
    CHECK(says(envelope, "fate", "DELIVERED to gif port gif0"));
    CHECK(says(told(pair.newyork, "10.0.1.5", "10.0.2.5", 6), "arrival", "by unprotected port gif0"));

    pair.tokyo.setkey("deleteall 20.0.0.1 20.0.0.2 esp;");
    CHECK(told(pair.tokyo, "10.0.1.5", "10.0.2.5", 6).drop == "no_sa");
}
