// IPv6 at the gateway's edges, from frame to frame: neighbour discovery on its ports, and what it tells senders whose
// packets cannot go on (RFC 4861, RFC 4443, RFC 4301 6.2).
#include "catch.h"
#include "forward/neighbour_discovery.h"
#include "test/unit/gateway/office6.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr std::string_view clear_setkey = "spdadd ::/0 ::/0 any -P in none; spdadd ::/0 ::/0 any -P out none;";
constexpr std::string_view here = "2001:db8:1::5", there = "2001:db8:2::5", our_office = "2001:db8:1::1";

struct ErrorSeen {
    unsigned type = 0, code = 0, mtu = 0;
    std::array<std::uint8_t, 16> source{}, destination{};
    Octets quoted;
};
ErrorSeen error_in(const Octets& packet) {
    REQUIRE(packet.size() >= 48);
    const Ipv6Header& ip = header6_of(packet);
    REQUIRE(ip.next_header == 58);
    CHECK(icmpv6_checksum(ip, packet.data() + 40, packet.size() - 40) == 0);
    const auto& icmp = *reinterpret_cast<const Icmpv6Header*>(packet.data() + 40);
    return {icmp.type, icmp.code, icmp.rest, ip.source, ip.destination, Octets(packet.begin() + 48, packet.end())};
}
/// The one error that comes back to the office.
ErrorSeen answer(Wires& gateway, const Octets& packet) {
    const auto back = pass6(gateway, office, {packet}, office);
    REQUIRE(back.size() == 1);
    return error_in(back[0]);
}
std::uint64_t untold(Wires& gateway, Drop reason) {
    return gateway.gateway().drops().at(static_cast<std::size_t>(reason) - 1).untold;
}
/// A message of neighbour discovery in its frame, from `host_mac`.
Octets discovery_frame(const NeighbourMessage& message) {
    const MacAddress to = message.destination.is_multicast() ? multicast_mac(message.destination) : MacAddress{};
    return ethernet(neighbour_packet(message), to, EtherType::ipv6, host_mac);
}
NeighbourMessage solicitation(std::string_view source, std::string_view target) {
    const Address wanted = Address::parse(target).value();
    return {.type = DiscoveryType::solicitation,
            .source = Address::parse(source).value(),
            .destination = solicited_node(wanted),
            .target = wanted,
            .mac = host_mac};
}
NeighbourMessage advertisement(std::string_view target) {
    return {.type = DiscoveryType::advertisement,
            .source = Address::parse(target).value(),
            .destination = Address::parse(our_office).value(),
            .target = Address::parse(target).value(),
            .mac = host_mac,
            .router = false,
            .solicited = true,
            .overrides = true};
}
/// The messages among `frames`. They tell the ports' MACs of zeros, which nobody would take: the last octet is made 1.
std::vector<NeighbourMessage> messages_of(const std::vector<Frame>& frames) {
    std::vector<NeighbourMessage> out;
    for (Octets packet : packets6_of(frames)) {
        if (!discovery_type_of(packet)) continue;
        REQUIRE(icmpv6_checksum(header6_of(packet), packet.data() + 40, packet.size() - 40) == 0);
        packet.back() = std::byte{1};
        if (const auto message = parse_neighbour_message(summed_icmpv6(packet))) out.push_back(*message);
    }
    return out;
}

}  // namespace

TEST_CASE("the gateway advertises its own IPv6 addresses on their port and no others, without asking any policy") {
    Wires tokyo{office6_configuration()};  // def_policy is discard, and there is no policy
    tokyo.turn();
    (void)tokyo.sent_by(office);
    for (const std::string_view target : {"2001:db8:1::1", "2001:db8:1::77", "2001:db8::1"})
        tokyo.send(office, discovery_frame(solicitation(here, target)));
    tokyo.turn();
    const auto frames = tokyo.sent_by(office);
    const auto said = messages_of(frames);
    REQUIRE(said.size() == 1);
    CHECK(said[0].type == DiscoveryType::advertisement);
    CHECK(said[0].target == Address::parse(our_office).value());
    CHECK(std::equal(host_mac.octets.begin(), host_mac.octets.end(),
                     reinterpret_cast<const std::uint8_t*>(frames[0].data())));
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("an IPv6 neighbour nobody knows is solicited, and the packet that wanted it is delivered (RFC 4861 7.2)") {
    Configuration c = office6_configuration();
    c.neighbours.pop_back();
    Wires tokyo{c};
    tokyo.setkey(clear_setkey);
    tokyo.turn();
    (void)tokyo.sent_by(office);
    CHECK(pass6(tokyo, world, {datagram6(there, here)}, world).empty());
    const auto asked = messages_of(tokyo.sent_by(office));
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].target == Address::parse(here).value());
    CHECK(asked[0].source == Address::parse(our_office).value());
    tokyo.send(office, discovery_frame(advertisement(here)));
    tokyo.turn();
    const auto delivered = packets6_of(tokyo.sent_by(office));
    REQUIRE(delivered.size() == 1);
    CHECK(delivered[0] == datagram6(there, here, 100, {.hop_limit = 63}));
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("a neighbour solicitation out of an SA is not believed: the tunnel's far end is on no link of ours") {
    Wires tokyo{office6_configuration()}, newyork{office6_configuration(true)};
    tokyo.setkey(office6_setkey("2001:db8::1", "2001:db8::2"));
    newyork.setkey(office6_setkey("2001:db8::1", "2001:db8::2", true));
    NeighbourMessage message = solicitation("2001:db8:2::5", our_office);
    message.destination = message.target;
    Octets forged = neighbour_packet(message);
    const auto sealed = pass6(newyork, office, {forged}, world);
    REQUIRE(sealed.size() == 1);
    CHECK(header6_of(sealed[0]).next_header == 50);
    tokyo.turn();
    (void)tokyo.sent_by(world);
    (void)tokyo.sent_by(office);
    CHECK(pass6(tokyo, world, sealed, world).empty());
    CHECK(messages_of(tokyo.sent_by(office)).empty());
    CHECK(tokyo.drops(Drop::local_unwanted) == 1);
    for (const auto& n : tokyo.gateway().neighbours()) CHECK(n.address != "2001:db8:2::5");
}

TEST_CASE("echo requests for our IPv6 addresses are answered, for the link-local one by the link they came from") {
    Wires tokyo{office6_configuration()};
    tokyo.setkey(clear_setkey);
    const auto to_us = pass6(tokyo, office, {icmpv6_echo(here, our_office, 9)}, office);
    REQUIRE(to_us.size() == 1);
    CHECK(std::to_integer<int>(to_us[0][40]) == 129);
    CHECK(header6_of(to_us[0]).destination == raw(here));
    const std::string link_local = link_local_address(MacAddress{}).text();
    for (const std::size_t port : {office, world}) {
        (void)tokyo.sent_by(port);
        CHECK(pass6(tokyo, port, {icmpv6_echo("fe80::5", link_local, 10)}, port).size() == 1);  // solicits fe80::5
        NeighbourMessage found = advertisement("fe80::5");
        found.destination = Address::parse(link_local).value();
        tokyo.send(port, discovery_frame(found));
        tokyo.turn();
        const auto replies = packets6_of(tokyo.sent_by(port));
        REQUIRE(replies.size() == 1);
        CHECK(std::to_integer<int>(replies[0][40]) == 129);
        CHECK(header6_of(replies[0]).source == raw(link_local));
    }
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("an IPv6 packet whose hop limit ends here is reported to its sender, quoted as it came (RFC 4443 3.3)") {
    Wires tokyo{office6_configuration()};
    const std::string tunnel = office6_setkey("2001:db8::1", "2001:db8::2");
    tokyo.setkey(GENERATE_COPY(values<std::string>({tunnel, std::string{clear_setkey}})));
    const Octets packet = datagram6(here, there, 100, {.hop_limit = 1});
    const ErrorSeen error = answer(tokyo, packet);
    CHECK(error.type == 3);
    CHECK(error.code == 0);
    CHECK(error.source == raw(our_office));
    CHECK(error.destination == raw(here));
    CHECK(error.quoted == packet);
    CHECK(tokyo.drops(Drop::ttl_exceeded) == 1);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("IPv6 without a way, a neighbour or a program that takes it is reported as unreachable (RFC 4443 3.1)") {
    Wires tokyo{office6_configuration()};
    tokyo.setkey(clear_setkey);
    const ErrorSeen no_route = answer(tokyo, datagram6(here, "2001:db8:99::9"));
    CHECK(no_route.type == 1);
    CHECK(no_route.code == 0);
    const ErrorSeen no_port = answer(tokyo, datagram6(here, our_office));
    CHECK(no_port.type == 1);
    CHECK(no_port.code == 4);
    CHECK(pass6(tokyo, world, {datagram6(there, "2001:db8:1::77")}, world).empty());
    tokyo.pass(std::chrono::milliseconds{3500});
    const auto back = packets6_of(tokyo.sent_by(world));
    REQUIRE(back.size() == 1);
    const ErrorSeen no_neighbour = error_in(back[0]);
    CHECK(no_neighbour.type == 1);
    CHECK(no_neighbour.code == 3);
    CHECK(no_neighbour.destination == raw(there));
    CHECK(messages_of(tokyo.sent_by(office)).size() == 3);
    CHECK(tokyo.drops(Drop::no_neighbour) == 1);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("packet too big tells the exact size that fits: it passes, one octet more does not (RFC 4443 3.2)") {
    struct Row {
        std::string_view name;
        std::string setkey;
    };
    const std::string transport =
        "add 2001:db8:1::5 2001:db8:2::5 esp 0x1001 -m transport -E aes-cbc \"sixteen octets!!\" -A hmac-sha1 "
        "\"twenty octets exactl\";"
        "spdadd 2001:db8:1::/64 2001:db8:2::/64 any -P out ipsec esp/transport//require;";
    const auto row = GENERATE_COPY(values<Row>({{"clear", std::string{clear_setkey}},
                                                {"IPv6 in IPv6", office6_setkey("2001:db8::1", "2001:db8::2")},
                                                {"IPv6 in IPv4", office6_setkey("20.0.0.1", "20.0.0.2")},
                                                {"a transport SA", transport}}));
    INFO(row.name);
    const unsigned link = GENERATE(1500u, 1403u);
    Configuration c = office6_configuration();
    c.ports[world].mtu = link;
    Wires tokyo{c};
    tokyo.setkey(row.setkey);
    const unsigned fits = answer(tokyo, datagram6(here, there, 1514)).mtu;
    INFO("link " << link << ", told " << fits);
    REQUIRE(fits >= 1280);
    REQUIRE(fits <= link);
    CHECK(pass6(tokyo, office, {datagram6(here, there, fits)}, office).empty());
    const auto wire = tokyo.sent_by(world);
    REQUIRE(wire.size() == 1);
    CHECK(wire[0].size() <= link + sizeof(EthernetHeader));
    const ErrorSeen error = answer(tokyo, datagram6(here, there, fits + 1));
    CHECK(error.type == 2);
    CHECK(error.code == 0);
    CHECK(error.mtu == fits);
    CHECK(tokyo.drops(Drop::too_big) == 2);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("an error about an IPv6 packet out of an SA leaves through an SA, in a tunnel of either family") {
    struct Ends {
        std::string_view tokyo, newyork;
    };
    const auto ends = GENERATE(values<Ends>({{"2001:db8::1", "2001:db8::2"}, {"20.0.0.1", "20.0.0.2"}}));
    Wires tokyo{office6_configuration()}, newyork{office6_configuration(true)};
    tokyo.setkey(office6_setkey(ends.tokyo, ends.newyork));
    newyork.setkey(office6_setkey(ends.tokyo, ends.newyork, true));
    tokyo.turn();
    newyork.turn();
    (void)tokyo.sent_by(world);
    const auto cross = [](Wires& from, std::size_t in, Wires& to) {  // what `from` sends to the world arrives at `to`
        from.turn();
        std::size_t crossed = 0;
        for (Frame frame : from.sent_by(in)) {
            std::memset(frame.data(), 0, 6);
            to.send(in, frame);
            ++crossed;
        }
        to.turn();
        return crossed;
    };
    (void)newyork.sent_by(world);
    (void)newyork.sent_by(office);
    const Octets dying = datagram6(there, here, 100, {.hop_limit = 2});
    newyork.send(office, ethernet(dying, {}, EtherType::ipv6));
    REQUIRE(cross(newyork, world, tokyo) == 1);
    REQUIRE(cross(tokyo, world, newyork) == 1);
    const auto back = packets6_of(newyork.sent_by(office));
    REQUIRE(back.size() == 1);
    const ErrorSeen error = error_in(back[0]);
    CHECK(error.type == 3);
    CHECK(error.source == raw(our_office));
    CHECK(error.destination == raw(there));
    CHECK(error.quoted == datagram6(there, here, 100, {.hop_limit = 1}));
}

TEST_CASE("an error about an IPv6 packet out of an SA never leaves in clear: without an SA for it there is none") {
    const std::string tunnel = office6_setkey("2001:db8::1", "2001:db8::2");
    const std::string change = "delete 2001:db8::1 2001:db8::2 esp 0x1001;";
    Configuration c = office6_configuration();
    c.default_policy = PolicyAction::bypass;
    Wires tokyo{c}, newyork{office6_configuration(true)};
    tokyo.setkey(tunnel + change);
    newyork.setkey(office6_setkey("2001:db8::1", "2001:db8::2", true));
    const auto sealed = pass6(newyork, office, {datagram6(there, here, 100, {.hop_limit = 2})}, world);
    REQUIRE(sealed.size() == 1);
    tokyo.turn();
    (void)tokyo.sent_by(world);
    CHECK(pass6(tokyo, world, sealed, world).empty());
    CHECK(packets6_of(tokyo.sent_by(office)).empty());
    CHECK(tokyo.drops(Drop::ttl_exceeded) == 1);
    CHECK(untold(tokyo, Drop::ttl_exceeded) == 1);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("nobody is told about ICMPv6 errors and later fragments of ICMPv6, which might be some (RFC 4443 2.4 e)") {
    Wires tokyo{office6_configuration()};
    tokyo.setkey(clear_setkey);
    const Octets error = octets_of(Icmpv6Header{1, 0, 0, 0}) + Octets(48);
    const Octets later = octets_of(FragmentHeader{58, 0, 8, 77}) + Octets(64);
    for (const Octets& packet :
         {ipv6(here, there, 58, error, {.hop_limit = 1}), ipv6(here, there, 44, later, {.hop_limit = 1})})
        CHECK(pass6(tokyo, office, {packet}, office).empty());
    CHECK(untold(tokyo, Drop::ttl_exceeded) == 2);
    const Octets first = octets_of(FragmentHeader{17, 0, 1, 77}) + udp(4000, 5000, Octets(64));
    CHECK(pass6(tokyo, office, {ipv6(here, there, 44, first, {.hop_limit = 1})}, office).size() == 1);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("errors about both families share one limit (RFC 4443 2.4 f)") {
    Wires tokyo{office6_configuration()};
    tokyo.setkey(std::string{clear_setkey} + "spdadd 0.0.0.0/0 0.0.0.0/0 any -P out none;");
    const std::vector<Octets> forty(40, datagram6(here, there, 100, {.hop_limit = 1}));
    CHECK(pass6(tokyo, office, forty, office).size() == 40);
    const std::vector<Octets> forty4(40, datagram("10.0.1.5", "10.0.2.5", 100, {.ttl = 1}));
    CHECK(pass(tokyo, office, forty4, office).size() == 10);  // of fifty at once
    CHECK(untold(tokyo, Drop::ttl_exceeded) == 30);
}
