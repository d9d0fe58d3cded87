// What a tunnel's outer header takes from the packet inside, by the settings that say so (RFC 4301 5.1.2.1, RFC 6040):
// each holds from the next packet on, for SAs that are there already.
#include "catch.h"
#include "test/unit/gateway/both_families.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr std::string_view tunnels = R"(
add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 "tokyo-newyork-key001";
add 2001:db8:f::1 2001:db8:f::2 esp 0x1002 -m tunnel -r 8 -E aes-gcm-16 "tokyo-newyork-key002";
spdadd 10.0.1.0/24 10.0.2.0/24 udp -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
spdadd 10.0.1.0/24 10.0.2.0/24 udp -P in ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
spdadd 2001:db8:1::/64 2001:db8:2::/64 udp -P out ipsec esp/tunnel/2001:db8:f::1-2001:db8:f::2/require;
spdadd 2001:db8:1::/64 2001:db8:2::/64 udp -P in ipsec esp/tunnel/2001:db8:f::1-2001:db8:f::2/require;
)";
/// IPv6 packets in an IPv4 tunnel instead.
constexpr std::string_view mixed = R"(
add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 "tokyo-newyork-key001";
spdadd 2001:db8:1::/64 2001:db8:2::/64 udp -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
)";

struct Pair {
    explicit Pair(std::string_view text = tunnels, const DscpMap& dscps = unchanged_dscps())
        : tokyo(with_dscps(tokyo_configuration_of_both(), dscps)), newyork(newyork_configuration_of_both()) {
        tokyo.setkey(text);
        newyork.setkey(text);
    }
    static Configuration with_dscps(Configuration c, const DscpMap& dscps) {
        c.dscp_map = dscps;
        return c;
    }
    void set(std::string_view name, std::string_view value) {
        REQUIRE(tokyo.gateway().set(name, value));
        REQUIRE(newyork.gateway().set(name, value));
    }
    std::vector<Octets> sent(const Octets& clear) { return carry(tokyo, office, {clear}, world); }
    Octets one_sent(const Octets& clear) {
        const auto wire = sent(clear);
        REQUIRE(wire.size() == 1);
        if (!is_ipv6(wire[0])) CHECK(internet_checksum(wire[0].data(), sizeof(Ipv4Header)) == 0);
        return wire[0];
    }
    std::vector<Octets> received(const Octets& wire) { return carry(newyork, world, {wire}, office); }
    Wires tokyo, newyork;
};

Octets inside4(std::size_t octets, Ipv4Options options) { return datagram("10.0.1.5", "10.0.2.5", octets, options); }
Octets inside6(std::size_t octets, Ipv6Options options = {}) {
    return ipv6("2001:db8:1::5", "2001:db8:2::5", 17, udp(4000, 5000, Octets(octets - 48)), options);
}
unsigned class_of(const Octets& packet) {
    return is_ipv6(packet) ? ipv6_of(packet).version_class_flow >> 20 & 0xff : header_of(packet).dscp_ecn;
}
Octets with_class(Octets packet, unsigned value) {
    if (is_ipv6(packet)) {
        reinterpret_cast<Ipv6Header*>(packet.data())->version_class_flow = 6u << 28 | value << 20;
        return packet;
    }
    auto& ip = *reinterpret_cast<Ipv4Header*>(packet.data());
    ip.dscp_ecn = static_cast<std::uint8_t>(value);
    ip.checksum = 0;
    ip.checksum = internet_checksum(&ip, sizeof ip);
    return packet;
}
bool has_df(const Octets& packet) { return (header_of(packet).flags_offset & Ipv4Header::dont_fragment) != 0; }

}  // namespace

TEST_CASE("dfbit copies, sets or clears the DF bit of the outer header, of SAs that are there too (RFC 4301 8.1)") {
    Pair pair;
    struct Row {
        std::string_view value;
        bool without, with;
    };
    for (const Row& row : {Row{"2", false, true}, Row{"clear", false, false}, Row{"1", true, true},
                           Row{"copy", false, true}, Row{"0", false, false}}) {
        INFO(row.value);
        pair.set("net.inet.ipsec.dfbit", row.value);
        CHECK(has_df(pair.one_sent(inside4(200, {}))) == row.without);
        CHECK(has_df(pair.one_sent(inside4(200, {.flags_offset = Ipv4Header::dont_fragment}))) == row.with);
    }
}

TEST_CASE("an IPv6 packet in an IPv4 tunnel counts as one with DF, but for those that every sender believes to pass") {
    Pair pair{mixed};
    CHECK(has_df(pair.one_sent(inside6(1281))));
    CHECK_FALSE(has_df(pair.one_sent(inside6(1280))));
    pair.set("net.inet.ipsec.dfbit", "set");
    CHECK(has_df(pair.one_sent(inside6(1281))));
    CHECK_FALSE(has_df(pair.one_sent(inside6(1280))));  // nobody could be told of less (RFC 4213 3.2.1)
    pair.set("net.inet.ipsec.dfbit", "clear");
    CHECK_FALSE(has_df(pair.one_sent(inside6(1281))));
}

TEST_CASE("a packet too big for its tunnel is cut or told by the outer header's DF, not by its own (RFC 4301 8.1)") {
    Pair pair;
    const Octets with = inside4(1480, {.flags_offset = Ipv4Header::dont_fragment}), without = inside4(1480, {});
    const auto told = [&] { return carry(pair.tokyo, office, {}, office).size(); };
    const auto send = [&](const Octets& packet) {
        pair.tokyo.send(office, framed(packet));
        pair.tokyo.turn();
        const std::size_t answers = packets_of(pair.tokyo.sent_by(office)).size();
        return std::pair{packets_of(pair.tokyo.sent_by(world)).size(), answers};
    };
    using Sent = std::pair<std::size_t, std::size_t>;  // pieces to the world, ICMP errors to the sender
    CHECK(told() == 0);
    CHECK(send(with) == Sent{0, 1});
    CHECK(send(without) == Sent{2, 0});
    pair.set("net.inet.ipsec.dfbit", "clear");
    CHECK(send(with) == Sent{2, 0});
    CHECK(send(without) == Sent{2, 0});
    pair.set("net.inet.ipsec.dfbit", "set");
    CHECK(send(with) == Sent{0, 1});
    CHECK(send(without) == Sent{0, 1});
}

TEST_CASE("the hop limit of the outer header is fixed, or that of the packet inside (RFC 4301 5.1.2.1)") {
    Pair pair;
    const auto hops = [&](const Octets& packet) -> unsigned {
        const Octets wire = pair.one_sent(packet);
        return is_ipv6(wire) ? ipv6_of(wire).hop_limit : header_of(wire).ttl;
    };
    const Octets four = inside4(200, {.ttl = 33}), six = inside6(200, {.hop_limit = 22});
    CHECK(hops(four) == 64);
    CHECK(hops(six) == 64);
    pair.set("net.inet.ipsec.tunnel_ttl", "200");
    CHECK(hops(four) == 200);
    CHECK(hops(six) == 200);
    pair.set("net.inet.ipsec.tunnel_ttl", "0");
    CHECK(hops(four) == 32);  // one was spent here
    CHECK(hops(six) == 21);
}

TEST_CASE("the DSCP of the outer header is copied, mapped or fixed, and ECN goes its own way (RFC 4301 5.1.2.1)") {
    DscpMap dscps = unchanged_dscps();
    dscps[46] = 34;
    Pair pair{tunnels, dscps};
    const auto outer = [&](unsigned inner) {
        const unsigned four = class_of(pair.one_sent(inside4(200, {.dscp_ecn = static_cast<std::uint8_t>(inner)})));
        const unsigned six = class_of(pair.one_sent(inside6(200, {.traffic_class = static_cast<std::uint8_t>(inner)})));
        CHECK(four == six);
        return four;
    };
    CHECK(outer(10 << 2 | 1) == (10 << 2 | 1));
    CHECK(outer(46 << 2 | 2) == (34 << 2 | 2));
    CHECK(outer(34 << 2 | 3) == (34 << 2 | 3));
    pair.set("net.inet.ipsec.tunnel_dscp", "8");
    CHECK(outer(46 << 2 | 2) == (8 << 2 | 2));
    CHECK(outer(0) == 8 << 2);
    pair.set("net.inet.ipsec.tunnel_dscp", "64");
    CHECK(outer(46 << 2) == 34 << 2);
}

TEST_CASE("the flow label of the outer header is zero unless it is to be copied (RFC 6437)") {
    Pair pair;
    const auto label = [&] {
        return ipv6_of(pair.one_sent(inside6(200, {.flow_label = 0x12345}))).version_class_flow & 0xfffff;
    };
    CHECK(label() == 0);
    pair.set("net.inet.ipsec.tunnel_flowlabel", "copy");
    CHECK(label() == 0x12345);
    pair.set("net.inet.ipsec.tunnel_flowlabel", "zero");
    CHECK(label() == 0);
}

TEST_CASE("ecn forbidden keeps marks of congestion out of tunnels and off the packets inside, as KAME has it") {
    Pair pair;
    const bool four = GENERATE(true, false);
    const auto packet = [&](unsigned own) {
        const auto value = static_cast<std::uint8_t>(0xb8 | own);
        return four ? inside4(200, {.dscp_ecn = value}) : inside6(200, {.traffic_class = value});
    };
    for (unsigned own = 0; own < 4; ++own)
        for (unsigned outer = 0; outer < 4; ++outer) {
            INFO(own << " under " << outer);
            pair.set("net.inet.ipsec.ecn", "forbidden");
            const Octets wire = pair.one_sent(packet(own));
            CHECK(class_of(wire) == 0xb8);
            const auto got = pair.received(with_class(wire, 0xb8 | outer));
            REQUIRE(got.size() == 1);
            CHECK(class_of(got[0]) == (0xb8 | own));
            pair.set("net.inet.ipsec.ecn", "allowed");
            CHECK(class_of(pair.one_sent(packet(own))) == (0xb8 | own));
        }
    CHECK(pair.newyork.drops(Drop::bad_ecn) == 0);
}

TEST_CASE(
    "an SA's own DSCP, DF, hop limit and flow label hold for it alone, whatever the settings say (RFC 4301 4.4.2.1)") {
    Pair pair;
    pair.tokyo.setkey(R"(delete 2001:db8:f::1 2001:db8:f::2 esp 0x1002;
        add 2001:db8:f::1 2001:db8:f::2 esp 0x1002 -m tunnel -r 8 -f tunnel_ttl:9 -f tunnel_dscp:46 -f dfbit:set
            -f tunnel_flowlabel:copy -E aes-gcm-16 "tokyo-newyork-key002";)");
    pair.set("net.inet.ipsec.tunnel_ttl", "100");
    pair.set("net.inet.ipsec.tunnel_dscp", "8");
    const Octets all = pair.one_sent(inside4(200, {}));
    CHECK(header_of(all).ttl == 100);
    CHECK(class_of(all) == 8 << 2);
    const Octets own = pair.one_sent(inside6(200, {.flow_label = 0x12345}));
    CHECK(ipv6_of(own).hop_limit == 9);
    CHECK(class_of(own) == 46 << 2);
    CHECK((ipv6_of(own).version_class_flow & 0xfffff) == 0x12345);
    SECTION("what it says nothing of follows the settings") {
        pair.tokyo.setkey(R"(flush; add 20.0.0.1 20.0.0.2 esp 0x1003 -m tunnel -f dfbit:set
            -E aes-gcm-16 "tokyo-newyork-key003";)");
        CHECK(has_df(pair.one_sent(inside4(200, {}))));
        CHECK(header_of(pair.one_sent(inside4(200, {}))).ttl == 100);
        pair.set("net.inet.ipsec.tunnel_ttl", "50");
        pair.set("net.inet.ipsec.dfbit", "clear");
        CHECK(header_of(pair.one_sent(inside4(200, {}))).ttl == 50);
        CHECK(has_df(pair.one_sent(inside4(200, {}))));
    }
    SECTION("transport mode has no outer header") {
        CHECK(refusal_of(pair.tokyo, "add 20.0.0.1 20.0.0.2 esp 0x1004 -m transport -f dfbit:set -E null;")
                  .find("transport mode has none") != std::string::npos);
    }
    CHECK(pair.tokyo.buffers_missing() == 0);
}

TEST_CASE("ecn forbidden of one SA holds for it alone, both ways (RFC 6040 4.1, 4.2)") {
    Pair pair{R"(
add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -f ecn:forbidden -E aes-gcm-16 "tokyo-newyork-key001";
add 2001:db8:f::1 2001:db8:f::2 esp 0x1002 -m tunnel -r 8 -E aes-gcm-16 "tokyo-newyork-key002";
spdadd 10.0.1.0/24 10.0.2.0/24 udp -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
spdadd 10.0.1.0/24 10.0.2.0/24 udp -P in ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
spdadd 2001:db8:1::/64 2001:db8:2::/64 udp -P out ipsec esp/tunnel/2001:db8:f::1-2001:db8:f::2/require;
spdadd 2001:db8:1::/64 2001:db8:2::/64 udp -P in ipsec esp/tunnel/2001:db8:f::1-2001:db8:f::2/require;
)"};
    const Octets four = pair.one_sent(inside4(200, {.dscp_ecn = 2}));
    CHECK(class_of(four) == 0);
    CHECK(class_of(pair.received(with_class(four, 3)).at(0)) == 2);
    const Octets six = pair.one_sent(inside6(200, {.traffic_class = 2}));
    CHECK(class_of(six) == 2);
    CHECK(class_of(pair.received(with_class(six, 3)).at(0)) == 3);
}
