// ESP in UDP (RFC 3948): what stands on the wire, what port 4500 takes and what not, and what transport mode mends that
// NAT has broken.
#include "catch.h"
#include "test/unit/esp/forge.h"
#include "test/unit/gateway/both_families.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr std::string_view office_in_udp = R"(
add 20.0.0.1[4500] 20.0.0.2[61234] esp-udp 0x1001 -m tunnel -r 8 -E aes-gcm-16 "tokyo-newyork-key001";
add 20.0.0.2[4500] 20.0.0.1 esp-udp 0x1002 -m tunnel -r 8 -E aes-gcm-16 "newyork-tokyo-key002";
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
spdadd 10.0.2.0/24 10.0.1.0/24 any -P in ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;
)";

const UdpHeader& udp_of(const Octets& packet, std::size_t header_octets = 20) {
    return *reinterpret_cast<const UdpHeader*>(packet.data() + header_octets);
}
/// `packet`, IP | payload, with its payload behind a UDP header.
Octets in_udp(const Octets& packet, std::uint16_t source, std::uint16_t destination = 4500) {
    const Ipv4Header& ip = header_of(packet);
    const Address from = Address::v4(ip.source), to = Address::v4(ip.destination);
    return ipv4(from.text(), to.text(), 17, udp(source, destination, Octets(packet.begin() + 20, packet.end())));
}
Octets to_port_4500(const Octets& payload) { return ipv4("20.0.0.2", "20.0.0.1", 17, udp(4500, 4500, payload)); }

struct Tokyo {
    explicit Tokyo(std::string_view setkey = office_in_udp) { gateway.setkey(setkey); }
    std::vector<Octets> arrive(const Octets& packet) { return pass(gateway, world, {packet}, office); }
    Wires gateway{office_configuration()};
    Forger newyork{"newyork-tokyo-key002"};
};

}  // namespace

TEST_CASE("ESP goes out as the payload of UDP between the SA's ports, without a checksum over IPv4 (RFC 3948 2.1)") {
    Tokyo tokyo;
    const Octets inner = datagram("10.0.1.5", "10.0.2.5", 100);
    const auto wire = pass(tokyo.gateway, office, {inner}, world);
    REQUIRE(wire.size() == 1);
    CHECK(header_of(wire[0]).protocol == 17);
    CHECK(header_of(wire[0]).total_octets == wire[0].size());
    CHECK(internet_checksum(wire[0].data(), 20) == 0);
    const UdpHeader& udp = udp_of(wire[0]);
    CHECK(udp.source_port == 4500);
    CHECK(udp.destination_port == 61234);
    CHECK(udp.octets == wire[0].size() - 20);
    CHECK(udp.checksum == 0);
    CHECK(reinterpret_cast<const EspHeader*>(wire[0].data() + 28)->spi == 0x1001);
}

TEST_CASE("what comes in UDP to port 4500 is opened as the same ESP without it would be (RFC 3948 3.1.2)") {
    Tokyo tokyo;
    const Octets inner = datagram("10.0.2.5", "10.0.1.5", 100);
    const Octets bare = tokyo.newyork.tunnel("20.0.0.2", "20.0.0.1", 0x1002, 1, inner);
    CHECK(tokyo.arrive(in_udp(bare, 4500)) == only(after_hops(inner, 1)));
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("an SA in UDP takes no ESP without, and an SA without none in UDP") {
    Tokyo tokyo{GENERATE(office_in_udp, office_setkey)};
    const bool wrapped =
        tokyo
            .arrive(in_udp(
                tokyo.newyork.tunnel("20.0.0.2", "20.0.0.1", 0x1002, 1, datagram("10.0.2.5", "10.0.1.5", 100)), 4500))
            .size() == 1;
    const bool bare =
        tokyo.arrive(tokyo.newyork.tunnel("20.0.0.2", "20.0.0.1", 0x1002, 2, datagram("10.0.2.5", "10.0.1.5", 100)))
            .size() == 1;
    CHECK(wrapped != bare);
    CHECK(tokyo.gateway.drops(Drop::encapsulation_mismatch) == 1);
}

TEST_CASE("port 4500 tells ESP, IKE and keepalives apart, and believes no length (RFC 3948 2.2, 2.3)") {
    Tokyo tokyo;
    CHECK(tokyo.arrive(to_port_4500(Octets{std::byte{0xff}})).empty());
    CHECK(tokyo.gateway.drops(Drop::nat_keepalive) == 1);
    CHECK(tokyo.gateway.drops(Drop::local_unwanted) == 0);

    CHECK(tokyo.arrive(to_port_4500(Octets(4) + Octets(28, std::byte{1}))).empty());  // IKE: for us, whom nobody serves
    CHECK(tokyo.arrive(to_port_4500(Octets(3, std::byte{1}))).empty());
    CHECK(tokyo.gateway.drops(Drop::nat_keepalive) == 1);
    CHECK(tokyo.gateway.drops(Drop::local_unwanted) == 2);

    CHECK(tokyo.arrive(to_port_4500(Octets(8, std::byte{9}))).empty());
    CHECK(tokyo.gateway.drops(Drop::unknown_spi) == 1);

    for (const unsigned length : {0u, 7u, 41u, 65535u}) {
        Octets lying = to_port_4500(Octets(32, std::byte{1}));
        reinterpret_cast<UdpHeader*>(lying.data() + 20)->octets = static_cast<std::uint16_t>(length);
        CHECK(tokyo.arrive(lying).empty());
    }
    CHECK(tokyo.gateway.drops(Drop::bad_udp_length) == 4);
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("octets of IP behind the UDP datagram are no part of the ESP in it") {
    Tokyo tokyo;
    const Octets inner = datagram("10.0.2.5", "10.0.1.5", 100);
    const Octets bare = tokyo.newyork.tunnel("20.0.0.2", "20.0.0.1", 0x1002, 1, inner);
    const Octets datagram_in_udp(udp(4500, 4500, Octets(bare.begin() + 20, bare.end())));
    CHECK(tokyo.arrive(ipv4("20.0.0.2", "20.0.0.1", 17, datagram_in_udp + Octets(5))) == only(after_hops(inner, 1)));
}

TEST_CASE("ESP in UDP that came in fragments is put together first") {
    Tokyo tokyo;
    const Octets inner = datagram("10.0.2.5", "10.0.1.5", 1000);
    const Octets whole = in_udp(tokyo.newyork.tunnel("20.0.0.2", "20.0.0.1", 0x1002, 1, inner), 4500);
    const Octets payload(whole.begin() + 20, whole.end());
    const Octets first(payload.begin(), payload.begin() + 800), second(payload.begin() + 800, payload.end());
    CHECK(tokyo.arrive(ipv4("20.0.0.2", "20.0.0.1", 17, first, {.flags_offset = 0x2000})).empty());
    CHECK(tokyo.arrive(ipv4("20.0.0.2", "20.0.0.1", 17, second, {.flags_offset = 100})) == only(after_hops(inner, 1)));
}

TEST_CASE("UDP of others to port 4500 passes as any other") {
    Tokyo tokyo{"spdadd 0.0.0.0/0 0.0.0.0/0 any -P in none; spdadd 0.0.0.0/0 0.0.0.0/0 any -P out none;"};
    const Octets packet = ipv4("20.0.0.2", "10.0.1.5", 17, udp(4500, 4500, Octets{std::byte{0xff}}));
    CHECK(tokyo.arrive(packet) == only(after_hops(packet, 1)));
}

TEST_CASE("over IPv6 the UDP checksum is there and right (RFC 8200 8.1), and the other end opens it") {
    const std::string setkey = R"(
add 2001:db8:f::1 2001:db8:f::2 esp-udp 0x1001 -m tunnel -r 8 -E aes-gcm-16 "tokyo-newyork-key001";
spdadd 2001:db8:1::/64 2001:db8:2::/64 any -P out ipsec esp/tunnel/2001:db8:f::1-2001:db8:f::2/require;
spdadd 2001:db8:1::/64 2001:db8:2::/64 any -P in ipsec esp/tunnel/2001:db8:f::1-2001:db8:f::2/require;
)";
    Wires tokyo{tokyo_configuration_of_both()}, newyork{newyork_configuration_of_both()};
    tokyo.setkey(setkey);
    newyork.setkey(setkey);
    const Octets inner = ipv6("2001:db8:1::5", "2001:db8:2::5", 17, udp(4000, 5000, Octets(100, std::byte{0x5a})));
    const auto wire = carry(tokyo, office, {inner}, world);
    REQUIRE(wire.size() == 1);
    const Ipv6Header& ip = ipv6_of(wire[0]);
    REQUIRE(ip.next_header == 17);
    CHECK(ip.payload_octets == wire[0].size() - 40);
    CHECK(udp_of(wire[0], 40).checksum != 0);
    CHECK(upper_layer_checksum(ip, IpProtocol::udp, wire[0].data() + 40, wire[0].size() - 40) == 0);
    CHECK(carry(newyork, world, wire, office).size() == 1);
}

TEST_CASE("transport mode behind a NAT: the checksum that its addresses broke is computed anew (RFC 3948 3.1.2)") {
    // The host at 10.9.9.9 sent to 20.0.0.1; its NAT made 20.0.0.2 of that, outside of what ESP covers.
    Wires tokyo{tokyo_configuration_of_both()};
    tokyo.setkey(R"(
add 20.0.0.2[61234] 20.0.0.1[4500] esp-udp 10.9.9.9 0x1002 -m transport -r 8 -E aes-gcm-16 "newyork-tokyo-key002";
spdadd 20.0.0.2 20.0.0.1 any -P in ipsec esp/transport//require;
)");
    Forger newyork{"newyork-tokyo-key002"};
    const auto arrives = [&](std::uint8_t protocol, const Octets& segment) {
        static std::uint32_t sequence = 0;
        const Octets esp = newyork.esp(0x1002, ++sequence, esp_text(segment, protocol));
        const auto left = carry(tokyo, world, {ipv4("20.0.0.2", "20.0.0.1", 17, udp(61234, 4500, esp))}, host);
        REQUIRE(left.size() == 1);
        CHECK(header_of(left[0]).protocol == protocol);
        return left[0];
    };
    const auto sum = [](const Octets& packet, IpProtocol protocol) {
        return upper_layer_checksum(header_of(packet), protocol, packet.data() + 20, packet.size() - 20);
    };
    Octets tcp(32, std::byte{0x21});
    const Octets before_nat = ipv4("10.9.9.9", "20.0.0.1", 6, tcp);
    reinterpret_cast<Big16&>(tcp[16]) = 0;
    reinterpret_cast<Big16&>(tcp[16]) =
        upper_layer_checksum(header_of(before_nat), IpProtocol::tcp, tcp.data(), tcp.size());
    CHECK(sum(ipv4("20.0.0.2", "20.0.0.1", 6, tcp), IpProtocol::tcp) != 0);  // as a NAT leaves it
    CHECK(sum(arrives(6, tcp), IpProtocol::tcp) == 0);

    Octets datagram = udp(4000, 5000, Octets(24, std::byte{0x42}));
    CHECK(udp_of(arrives(17, datagram)).checksum == 0);  // none is none
    reinterpret_cast<UdpHeader*>(datagram.data())->checksum = 0x1234;
    CHECK(sum(arrives(17, datagram), IpProtocol::udp) == 0);
}

TEST_CASE("an SA in UDP that says nothing sends a keepalive once an interval, and the peer takes it (RFC 3948 4)") {
    Tokyo tokyo;
    tokyo.gateway.sent_by(world);
    const auto sent_within = [&](unsigned seconds) {
        std::vector<Octets> out;
        for (unsigned i = 0; i < seconds * 10; ++i) {
            tokyo.gateway.pass(std::chrono::milliseconds{100});
            tokyo.gateway.turn();
            for (const Octets& packet : packets_of(tokyo.gateway.sent_by(world))) out.push_back(packet);
        }
        return out;
    };
    const auto sent = sent_within(41);
    REQUIRE(sent.size() == 2);
    CHECK(Octets(sent[0].begin() + 28, sent[0].end()) == Octets{std::byte{0xff}});
    CHECK(udp_of(sent[0]).source_port == 4500);
    CHECK(udp_of(sent[0]).destination_port == 61234);
    CHECK(header_of(sent[0]).total_octets == 29);
    CHECK(internet_checksum(sent[0].data(), 20) == 0);
}

TEST_CASE("an SA in UDP that has sent something is never silent for longer than the interval (RFC 3948 4)") {
    Tokyo tokyo;
    const auto tenths_until_keepalive = [&] {
        for (unsigned tenths = 1; tenths <= 500; ++tenths) {
            tokyo.gateway.pass(std::chrono::milliseconds{100});
            tokyo.gateway.turn();
            if (!tokyo.gateway.sent_by(world).empty()) return tenths;
        }
        return 9999u;
    };
    CHECK(tenths_until_keepalive() <= 200);
    for (const unsigned later : {1u, 15u, 99u}) {
        for (unsigned i = 0; i < later; ++i) tokyo.gateway.pass(std::chrono::milliseconds{100});
        REQUIRE(pass(tokyo.gateway, office, {datagram("10.0.1.5", "10.0.2.5")}, world).size() == 1);
        const unsigned silent = tenths_until_keepalive();
        CHECK(silent <= 200);
        CHECK(silent >= 150);
    }
}
