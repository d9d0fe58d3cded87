// IPsec over IPv6, and tunnels of one family inside the other: what stands on the wire, and what comes out at the other
// end. The scapy oracle has the octets themselves (test/oracle).
#include "ah/ah.h"
#include "catch.h"
#include "test/unit/gateway/both_families.h"

using namespace torii;
using namespace torii::test;

namespace {

struct Site {
    std::string_view here, there, net, other_net, host, other_host;
    std::size_t header_octets;
    std::uint8_t protocol;
};
constexpr Site ipv4_site{"20.0.0.1", "20.0.0.2", "10.0.1.0/24", "10.0.2.0/24", "10.0.1.5", "10.0.2.5", 20, 4};
constexpr Site ipv6_site{
    "2001:db8:f::1", "2001:db8:f::2", "2001:db8:1::/64", "2001:db8:2::/64", "2001:db8:1::5", "2001:db8:2::5", 40, 41};

std::string sa(std::string_view ends, std::string_view words) {
    return "add " + std::string{ends} + " " + std::string{words} + "\n";
}
constexpr std::string_view esp_words = "esp 0x1001 -m any -r 8 -E aes-gcm-16 \"tokyo-newyork-key001\";",
                           ah_words = "ah 0x3001 -m any -r 8 -A hmac-sha256 \"an ah key of thirty-two octets!!\";",
                           ipcomp_words = "ipcomp 0x11 -m any -C deflate;";

/// All three SAs between two ends, and a policy both gateways share: tokyo's way out is newyork's way in.
std::string setkey_between(const Site& inside, const std::string& ends, std::string_view requests) {
    const std::string selectors = std::string{inside.net} + " " + std::string{inside.other_net} + " any -P ";
    return sa(ends, esp_words) + sa(ends, ah_words) + sa(ends, ipcomp_words) + "spdadd " + selectors + "out ipsec " +
           std::string{requests} + ";\nspdadd " + selectors + "in ipsec " + std::string{requests} + ";\n";
}

struct Pair {
    Wires tokyo, newyork;
    explicit Pair(const std::string& setkey, unsigned mtu = 1500)
        : tokyo(tokyo_configuration_of_both(mtu)), newyork(newyork_configuration_of_both(mtu)) {
        tokyo.setkey(setkey);
        newyork.setkey(setkey);
    }
    std::vector<Octets> sent(const Octets& clear) { return carry(tokyo, office, {clear}, world); }
    std::vector<Octets> received(const std::vector<Octets>& wire, std::size_t at = office) {
        return carry(newyork, world, wire, at);
    }
};

Octets between(const Site& site, std::size_t octets, std::uint8_t dscp_ecn = 0) {
    const Octets payload = udp(4000, 5000, Octets(octets - site.header_octets - 8, std::byte{0x5a}));
    if (site.protocol == 4) return ipv4(site.host, site.other_host, 17, payload, {.dscp_ecn = dscp_ecn});
    return ipv6(site.host, site.other_host, 17, payload, {.traffic_class = dscp_ecn, .flow_label = 0x12345});
}
unsigned class_of(const Octets& packet) {
    return is_ipv6(packet) ? ipv6_of(packet).version_class_flow >> 20 & 0xff : header_of(packet).dscp_ecn;
}
Octets with_class(Octets packet, std::uint8_t value) {
    if (is_ipv6(packet)) {
        reinterpret_cast<Ipv6Header*>(packet.data())->version_class_flow = 6u << 28 | std::uint32_t{value} << 20;
        return packet;
    }
    auto& ip = *reinterpret_cast<Ipv4Header*>(packet.data());
    ip.dscp_ecn = value;
    ip.checksum = 0;
    ip.checksum = internet_checksum(&ip, sizeof ip);
    return packet;
}

}  // namespace

TEST_CASE("tunnels of each family carry packets of each, by every transform (RFC 4301 5.1.2)") {
    const Site& inside = GENERATE(ipv4_site, ipv6_site);
    const Site& outside = GENERATE(ipv4_site, ipv6_site);
    const std::string ends = std::string{outside.here} + " " + std::string{outside.there};
    const std::string tunnel = "/tunnel/" + std::string{outside.here} + "-" + std::string{outside.there} + "/require";
    struct Chain {
        std::string requests;
        std::uint8_t outermost;
    };
    for (const auto& [requests, outermost] :
         {Chain{"esp" + tunnel, 50}, Chain{"ah" + tunnel, 51}, Chain{"ipcomp" + tunnel, 108},
          Chain{"esp" + tunnel + " ah/transport//require", 51},
          Chain{"ipcomp" + tunnel + " esp/transport//require ah/transport//require", 51}}) {
        INFO(requests << " around " << inside.net);
        Pair pair{setkey_between(inside, ends, requests)};
        const Octets packet = between(inside, 400, 0xba);
        const auto wire = pair.sent(packet);
        REQUIRE(wire.size() == 1);
        REQUIRE(is_ipv6(wire[0]) == (outside.protocol == 41));
        CHECK(std::to_integer<unsigned>(wire[0][outside.protocol == 41 ? 6 : 9]) == outermost);
        CHECK(class_of(wire[0]) == 0xba);
        if (is_ipv6(wire[0])) {
            CHECK((ipv6_of(wire[0]).version_class_flow & 0xfffff) == 0);  // nobody sees which flow it is
            CHECK(ipv6_of(wire[0]).hop_limit == 64);
            CHECK(ipv6_of(wire[0]).payload_octets == wire[0].size() - 40);
        }
        CHECK(pair.received(wire) == only(hops_on(packet, 2)));
        CHECK(pair.newyork.buffers_missing() == 0);
    }
}

TEST_CASE("what does not compress goes through a tunnel of either family without IPComp (RFC 3173 2.2)") {
    const Site& inside = GENERATE(ipv4_site, ipv6_site);
    const Site& outside = GENERATE(ipv4_site, ipv6_site);
    const std::string ends = std::string{outside.here} + " " + std::string{outside.there};
    Pair pair{setkey_between(inside, ends,
                             "ipcomp/tunnel/" + std::string{outside.here} + "-" + std::string{outside.there} +
                                 "/require esp/transport//require")};
    const Octets packet = between(inside, 90);  // shorter than what is worth a try
    CHECK(pair.received(pair.sent(packet)) == only(hops_on(packet, 2)));
}

TEST_CASE("congestion met by a tunnel reaches the packet inside, whatever the families (RFC 6040 4.2)") {
    const Site& inside = GENERATE(ipv4_site, ipv6_site);
    const Site& outside = GENERATE(ipv4_site, ipv6_site);
    constexpr unsigned dropped = 9;
    constexpr unsigned not_ect = 0, ect1 = 1, ect0 = 2, ce = 3;
    constexpr unsigned arrives[4][4] = {{not_ect, not_ect, not_ect, dropped},  // of what is inside: under each outside
                                        {ect1, ect1, ect1, ce},
                                        {ect0, ect1, ect0, ce},
                                        {ce, ce, ce, ce}};
    const std::string ends = std::string{outside.here} + " " + std::string{outside.there};
    Pair pair{setkey_between(
        inside, ends, "esp/tunnel/" + std::string{outside.here} + "-" + std::string{outside.there} + "/require")};
    for (unsigned own = 0; own < 4; ++own)
        for (unsigned outer = 0; outer < 4; ++outer) {
            INFO(own << " under " << outer);
            const Octets packet = between(inside, 100, static_cast<std::uint8_t>(0xb8 | own));
            const auto wire = pair.sent(packet);
            REQUIRE(wire.size() == 1);
            CHECK(class_of(wire[0]) == (0xb8 | own));
            const auto got = pair.received(only(with_class(wire[0], static_cast<std::uint8_t>(0x28 | outer))));
            REQUIRE(got.size() == (arrives[own][outer] == dropped ? 0 : 1));
            if (!got.empty()) CHECK(class_of(got[0]) == (0xb8 | arrives[own][outer]));
        }
    CHECK(pair.newyork.drops(Drop::bad_ecn) == 1);
}

// ---- transport mode

namespace {

constexpr std::uint8_t hop_by_hop = 0, routing = 43, options = 60, udp_number = 17;
constexpr std::string_view near = "2001:db8:1::5", newyork = "2001:db8:f::2";

/// tokyo protects what its host sends to newyork's gateway itself, whose host port gets it.
std::string transport_setkey(std::string_view requests) {
    const std::string ends = std::string{near} + " " + std::string{newyork};
    return sa(ends, esp_words) + sa(ends, ah_words) + sa(ends, ipcomp_words) + "spdadd " + ends + " any -P out ipsec " +
           std::string{requests} + ";\nspdadd " + ends + " any -P in ipsec " + std::string{requests} + ";\n";
}
/// A packet with every kind of extension header: 40 | hop-by-hop 8 | options 8 | routing 24 | options 8 | UDP.
Octets with_headers() {
    const Octets last = options_header(udp_number, Octets{std::byte{0x3e}, std::byte{2}, std::byte{1}, std::byte{2}});
    return ipv6(near, newyork, hop_by_hop,
                options_header(options, Octets{std::byte{0x1e}, std::byte{2}, std::byte{7}, std::byte{7}}) +
                    options_header(routing, Octets{std::byte{0x3e}, std::byte{2}, std::byte{8}, std::byte{8}}) +
                    routing_header(options, 4, 0) + last + udp(4000, 5000, Octets(300, std::byte{0x5a})));
}
constexpr std::size_t routing_at = 56, ipsec_at = 80;

}  // namespace

TEST_CASE(
    "in transport mode IPsec stands behind the headers for routers and in front of the last options (RFC 4303 3.1.1)") {
    struct Chain {
        std::string_view requests;
        std::uint8_t outermost;
    };
    for (const auto& [requests, outermost] :
         {Chain{"esp/transport//require", 50}, Chain{"ah/transport//require", 51}, Chain{"ipcomp/transport//use", 108},
          Chain{"ipcomp/transport//use esp/transport//require ah/transport//require", 51}}) {
        INFO(requests);
        Pair pair{transport_setkey(requests)};
        const auto wire = pair.sent(with_headers());
        REQUIRE(wire.size() == 1);
        REQUIRE(is_ipv6(wire[0]));
        CHECK(ipv6_of(wire[0]).payload_octets == wire[0].size() - 40);
        const Octets before = hops_on(with_headers(), 1);
        CHECK(Octets(wire[0].begin() + 40, wire[0].begin() + routing_at) ==
              Octets(before.begin() + 40, before.begin() + routing_at));
        CHECK(std::to_integer<unsigned>(wire[0][routing_at]) == outermost);
        CHECK(pair.received(wire, host) == only(before));
        const Octets plain = ipv6(near, newyork, udp_number, udp(4000, 5000, Octets(300)));
        CHECK(pair.received(pair.sent(plain), host) == only(hops_on(plain, 1)));
        CHECK(pair.newyork.buffers_missing() == 0);
    }
}

TEST_CASE("transport mode takes no fragments of IPv6, and AH no routing that is not at its end") {
    Pair pair{transport_setkey("ah/transport//require")};
    CHECK(pair.sent(ipv6(near, newyork, 44, fragment_header(udp_number, 0, true) + Octets(64))).empty());
    CHECK(pair.tokyo.drops(Drop::fragment_in_transport) == 1);
    CHECK(pair.sent(ipv6(near, newyork, routing, routing_header(udp_number, 4, 1) + Octets(64))).empty());
    CHECK(pair.tokyo.drops(Drop::source_route) == 1);
}

TEST_CASE("AH over IPv6 allows for what may change on the way and for nothing else (RFC 4302 3.3.3.1.2)") {
    struct Field {
        std::string_view name;
        std::size_t at;
        std::uint8_t bits;
        bool is_mutable;
    };
    for (const Field& field :
         {Field{"class", 0, 0x0b, true}, Field{"class and flow label", 1, 0xf3, true},
          Field{"flow label", 3, 0xff, true}, Field{"hop limit", 7, 0x07, true}, Field{"source", 23, 2, false},
          Field{"an option that stays", 44, 1, false}, Field{"the type of one that changes", 50, 0x01, false},
          Field{"an option that changes", 52, 0xff, true}, Field{"routing header", routing_at + 20, 1, false},
          Field{"AH's padding", ipsec_at + 28, 1, false}, Field{"ICV", ipsec_at + 12, 1, false},
          Field{"options behind AH", ipsec_at + 32 + 4, 1, false}, Field{"last octet", 80 + 32 + 8 + 307, 1, false}}) {
        INFO(field.name);
        Pair pair{transport_setkey("ah/transport//require")};
        auto wire = pair.sent(with_headers());
        REQUIRE(wire.size() == 1);
        REQUIRE(field.at < wire[0].size());
        wire[0][field.at] ^= std::byte{field.bits};
        CHECK(pair.received(wire, host).size() == (field.is_mutable ? 1 : 0));
        CHECK(pair.newyork.drops(Drop::bad_icv) == (field.is_mutable ? 0 : 1));
    }
}

TEST_CASE("an AH in IPv6 is a multiple of 8 octets, in IPv4 of 4 (RFC 4302 2.2)") {
    CHECK(ah_octets(12, Family::ipv6) == 24);
    CHECK(ah_octets(16, Family::ipv6) == 32);
    CHECK(ah_octets(24, Family::ipv6) == 40);
    CHECK(ah_octets(32, Family::ipv6) == 48);
    CHECK(ah_octets(16, Family::ipv4) == 28);
    Pair pair{transport_setkey("ah/transport//require")};
    const auto wire = pair.sent(ipv6(near, newyork, udp_number, udp(1, 2, Octets(8))));
    REQUIRE(wire.size() == 1);
    CHECK(reinterpret_cast<const AhHeader*>(wire[0].data() + 40)->payload_words == 32 / 4 - 2);
    CHECK(wire[0].size() == 40 + 32 + 16);
    auto shorter = wire;
    shorter[0][41] = std::byte{28 / 4 - 2};
    CHECK(pair.received(shorter, host).empty());
    CHECK(pair.newyork.drops(Drop::bad_ah_header) == 1);
}

TEST_CASE("an IPv6 SPI that nobody knows is told, and another destination's is not ours") {
    Pair pair{transport_setkey("esp/transport//require")};
    auto wire = pair.sent(ipv6(near, newyork, udp_number, udp(1, 2, Octets(8))));
    REQUIRE(wire.size() == 1);
    Told told{pair.newyork};
    auto other_spi = wire, other_address = wire;
    other_spi[0][43] ^= std::byte{1};
    other_address[0][39] = std::byte{9};
    CHECK(pair.received(other_spi, host).empty());
    CHECK(pair.newyork.drops(Drop::unknown_spi) == 1);
    CHECK(told.last(Told::Kind::unknown_spi).packet.destination == v6(newyork));
    CHECK(pair.received(other_address, host).empty());
    CHECK(pair.newyork.drops(Drop::unknown_spi) == 1);
    CHECK(pair.received(wire, host).size() == 1);
    CHECK(pair.received(wire, host).empty());
    CHECK(pair.newyork.drops(Drop::replayed) == 1);
}

TEST_CASE("an audit record tells the flow label of an IPv6 packet (RFC 4301 4.4.2.1, RFC 4303 3.4)") {
    Wires tokyo{tokyo_configuration_of_both()};
    tokyo.setkey("add 2001:db8:f::2 2001:db8:f::1 esp 0x1002 -m tunnel -E aes-gcm-16 \"newyork-tokyo-key002\";");
    Told told{tokyo};
    const auto esp = [](std::uint32_t spi, std::uint32_t flow_label) {
        return ipv6("2001:db8:f::2", "2001:db8:f::1", 50, octets_of(EspHeader{spi, 1}) + Octets(64),
                    {.flow_label = flow_label});
    };
    (void)carry(tokyo, world, {esp(0x1003, 0x12345), esp(0x1002, 0xabcde)}, office);
    CHECK(told.last(control::Event::Kind::unknown_spi).flow_label == 0x12345);
    CHECK(told.last(control::Event::Kind::bad_icv).flow_label == 0xabcde);
}

TEST_CASE("AH is whole without the fragment header of a packet that is its only fragment (RFC 8200 4.5, RFC 6946)") {
    Pair pair{transport_setkey("ah/transport//require")};
    const auto in_one_fragment = [](Octets wire, std::size_t at, std::size_t named_at) {
        const Octets header = fragment_header(51, 0, false);
        wire[named_at] = std::byte{44};
        wire.insert(wire.begin() + static_cast<std::ptrdiff_t>(at), header.begin(), header.end());
        reinterpret_cast<Ipv6Header*>(wire.data())->payload_octets = static_cast<std::uint16_t>(wire.size() - 40);
        return wire;
    };
    const Octets plain = ipv6(near, newyork, udp_number, udp(4000, 5000, Octets(300)));
    auto wire = pair.sent(plain);
    REQUIRE(wire.size() == 1);
    CHECK(pair.received(only(in_one_fragment(wire[0], 40, 6)), host) == only(hops_on(plain, 1)));
    wire = pair.sent(with_headers());
    REQUIRE(wire.size() == 1);
    CHECK(pair.received(only(in_one_fragment(wire[0], ipsec_at, routing_at)), host) ==
          only(hops_on(with_headers(), 1)));
    CHECK(pair.newyork.drops(Drop::bad_icv) == 0);
    CHECK(pair.newyork.buffers_missing() == 0);
}

TEST_CASE("the machine's own IPv6 traffic goes through tunnels, from the host port and to it (RFC 4301 5.1, 5.2)") {
    const std::string here = "2001:db8:f::1", office_there = "2001:db8:2::/64",
                      requests = "ipsec esp/tunnel/2001:db8:f::1-2001:db8:f::2/require;",
                      back = "ipsec esp/tunnel/2001:db8:f::2-2001:db8:f::1/require;";
    std::string setkey = sa("2001:db8:f::1 2001:db8:f::2", esp_words) +
                         "add 2001:db8:f::2 2001:db8:f::1 esp 0x1002 -m any -r 8 -E aes-gcm-16 "
                         "\"newyork-tokyo-key002\";\n";
    for (const std::string direction : {"out ", "in "})
        setkey += "spdadd " + here + " " + office_there + " any -P " + direction + requests + "spdadd " + office_there +
                  " " + here + " any -P " + direction + back;
    Pair pair{setkey};
    const Octets asked = ipv6(here, "2001:db8:2::5", udp_number, udp(4000, 5000, Octets(300)));
    pair.tokyo.send(host, ethernet(asked, {{2, 0, 0, 0, 0, 1}}, EtherType::ipv6));  // what its stack takes us for
    const auto wire = carry(pair.tokyo, host, {}, world);
    REQUIRE(wire.size() == 1);
    CHECK(ipv6_of(wire[0]).next_header == 50);
    CHECK(pair.received(wire) == only(hops_on(asked, 1)));  // the host port counts no hop
    const Octets answered = ipv6("2001:db8:2::5", here, udp_number, udp(5000, 4000, Octets(300)));
    const auto way_back = carry(pair.newyork, office, {answered}, world);
    REQUIRE(way_back.size() == 1);
    CHECK(ipv6_of(way_back[0]).next_header == 50);
    CHECK(carry(pair.tokyo, world, way_back, host) == only(hops_on(answered, 1)));
    CHECK(carry(pair.tokyo, world, {answered}, host).empty());  // in clear
    CHECK(pair.tokyo.drops(Drop::policy_mismatch) == 1);
}
