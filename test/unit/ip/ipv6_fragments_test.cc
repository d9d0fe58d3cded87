// Fragments of IPv6: what a tunnel makes too big is cut by the gateway as its source, IPsec for us is put together, and
// what attackers make of fragments ends by name (RFC 8200 4.5, RFC 5722, RFC 6946).
#include "catch.h"
#include "ip/fragments.h"
#include "test/unit/gateway/both_families.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr std::uint8_t fragment = 44;

std::string tunnel_setkey(const std::string& ends, const std::string& requests) {
    return "add " + ends + " esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 \"tokyo-newyork-key001\";" +
           "spdadd 2001:db8:1::/64 2001:db8:2::/64 any -P out ipsec " + requests + "; " +
           "spdadd 2001:db8:1::/64 2001:db8:2::/64 any -P in ipsec " + requests + "; " +
           "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec " + requests + "; " +
           "spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec " + requests + ";";
}
const std::string over_ipv6 =
    tunnel_setkey("2001:db8:f::1 2001:db8:f::2", "esp/tunnel/2001:db8:f::1-2001:db8:f::2/require");
const std::string over_ipv4 = tunnel_setkey("20.0.0.1 20.0.0.2", "esp/tunnel/20.0.0.1-20.0.0.2/require");

struct Pair {
    Wires tokyo, newyork{newyork_configuration_of_both()};
    explicit Pair(unsigned mtu = 1300, const std::string& setkey = over_ipv6)
        : tokyo(tokyo_configuration_of_both(mtu)) {
        tokyo.setkey(setkey);
        newyork.setkey(setkey);
    }
    std::vector<Octets> sent(const Octets& clear) { return carry(tokyo, office, {clear}, world); }
    std::vector<Octets> received(const std::vector<Octets>& wire) { return carry(newyork, world, wire, office); }
};

Octets of(std::size_t octets) {
    Octets payload(octets - 48);
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = std::byte(i * 7 + i / 256);
    return ipv6("2001:db8:1::5", "2001:db8:2::5", 17, udp(4000, 5000, payload));
}
const FragmentHeader& fragment_of(const Octets& packet) {
    return *reinterpret_cast<const FragmentHeader*>(packet.data() + 40);
}
/// Octets [from, to) of what stands behind the IPv6 header, as a fragment.
Octets piece(const Octets& packet, std::size_t from, std::size_t to, std::uint32_t identification = 4711) {
    const bool more = to < packet.size() - 40;
    const auto at = [&](std::size_t offset) { return packet.begin() + static_cast<std::ptrdiff_t>(40 + offset); };
    Octets out = Octets(packet.begin(), at(0)) +
                 fragment_header(ipv6_of(packet).next_header, static_cast<unsigned>(from), more, identification) +
                 Octets(at(from), at(to));
    auto& ip = *reinterpret_cast<Ipv6Header*>(out.data());
    ip.next_header = fragment;
    ip.payload_octets = static_cast<std::uint16_t>(out.size() - 40);
    return out;
}
/// An ESP packet whole, as tokyo sends it over a link that is wide enough.
Octets whole_esp(Pair& pair, const Octets& clear) {
    const auto wire = pair.sent(clear);
    REQUIRE(wire.size() == 1);
    REQUIRE(ipv6_of(wire[0]).next_header == 50);
    return wire[0];
}

}  // namespace

TEST_CASE("fragments of IPv6 pass a policy with ports by those of their first one, as they are (RFC 4301 7.3)") {
    const std::string ends = "esp/tunnel/2001:db8:f::1-2001:db8:f::2/require; ";
    const std::string setkey =
        "add 2001:db8:f::1 2001:db8:f::2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 \"tokyo-newyork-key001\";"
        "spdadd 2001:db8:1::/64 2001:db8:2::/64[5000] udp -P out ipsec " +
        ends + "spdadd 2001:db8:1::/64 2001:db8:2::/64[5000] udp -P in ipsec " + ends;
    Pair pair{1500, setkey};
    const Octets whole = of(2000), first = piece(whole, 0, 1200), second = piece(whole, 1200, 1960);
    CHECK(pair.received(pair.sent(first)) == only(hops_on(first, 2)));
    CHECK(pair.received(pair.sent(second)) == only(hops_on(second, 2)));
    CHECK(pair.sent(piece(whole, 1200, 1960, 4712)).empty());  // of another packet
    Octets other_protocol = second;
    other_protocol[40] = std::byte{6};
    CHECK(pair.sent(other_protocol).empty());
    CHECK(pair.tokyo.drops(Drop::fragment_needs_ports) == 1);
    CHECK(pair.tokyo.drops(Drop::no_policy) == 1);
    CHECK(pair.newyork.buffers_missing() == 0);
}

TEST_CASE("an IPv6 packet whose rest does not come within thirty seconds is reported as it began (RFC 4443 3.3)") {
    Pair pair;
    const Octets wire = ipv6("2001:db8:f::1", "2001:db8:f::2", 50, Octets(200, std::byte{3}));
    pair.newyork.setkey(everything_passes);
    CHECK(carry(pair.newyork, world, {piece(wire, 0, 96)}, world).empty());
    pair.newyork.pass(std::chrono::seconds{31});
    (void)pair.newyork.sent_by(office);
    const auto told = carry(pair.newyork, office, {}, world);
    REQUIRE(told.size() == 1);
    CHECK(told[0].at(40) == std::byte{3});
    CHECK(told[0].at(41) == std::byte{1});
    CHECK(Octets(told[0].begin() + 48, told[0].end()) == piece(wire, 0, 96));
    CHECK(pair.newyork.drops(Drop::fragment_timeout) == 1);
    CHECK(pair.newyork.buffers_missing() == 0);
}

TEST_CASE(
    "what every sender may send goes through a narrow IPv6 tunnel in fragments, and arrives whole (RFC 2473 7.1)") {
    Pair pair;
    for (const std::size_t octets : {1260u, 1280u}) {
        const auto wire = pair.sent(of(octets));
        REQUIRE(wire.size() == 2);
        for (const Octets& each : wire) {
            CHECK(each.size() <= 1300);
            CHECK(ipv6_of(each).next_header == fragment);
            CHECK(fragment_of(each).next_header == 50);
            CHECK(ipv6_of(each).payload_octets == each.size() - 40);
        }
        CHECK(fragment_of(wire[0]).offset_octets() == 0);
        CHECK(!fragment_of(wire[0]).is_last());
        CHECK((wire[0].size() - 48) % 8 == 0);
        CHECK(fragment_of(wire[1]).offset_octets() == wire[0].size() - 48);
        CHECK(fragment_of(wire[1]).is_last());
        CHECK(fragment_of(wire[0]).identification == fragment_of(wire[1]).identification.value());
        CHECK(pair.received({wire[1], wire[0]}) == only(hops_on(of(octets), 2)));
    }
    CHECK(pair.newyork.buffers_missing() == 0);
}

TEST_CASE("a larger IPv6 packet is not cut: its sender is to learn what fits") {
    Pair pair;
    CHECK(pair.sent(of(1281)).empty());
    CHECK(pair.tokyo.drops(Drop::too_big) == 1);
}

TEST_CASE("an IPv4 packet that may be cut is cut behind ESP in an IPv6 tunnel") {
    Pair pair;
    const Octets packet = datagram("10.0.1.5", "10.0.2.5", 1400);
    const auto wire = pair.sent(packet);
    REQUIRE(wire.size() == 2);
    CHECK(pair.received(wire) == only(hops_on(packet, 2)));
}

TEST_CASE("an IPv4 tunnel is cut under an IPv6 packet of 1,280 octets, and says DF under a larger one (RFC 4213 3.2)") {
    Pair pair{1300, over_ipv4};
    const auto wire = pair.sent(of(1280));
    REQUIRE(wire.size() == 2);
    CHECK((header_of(wire[0]).flags_offset & Ipv4Header::dont_fragment) == 0);
    CHECK(pair.received(wire) == only(hops_on(of(1280), 2)));
    Pair wide{1500, over_ipv4};
    const auto whole = wide.sent(of(1281));
    REQUIRE(whole.size() == 1);
    CHECK((header_of(whole[0]).flags_offset & Ipv4Header::dont_fragment) != 0);
}

TEST_CASE("IPv6 fragments of IPsec are put together in any order; the same one twice changes nothing (RFC 8200 4.5)") {
    Pair pair{1500};
    const Octets esp = whole_esp(pair, of(1000));
    const Octets a = piece(esp, 0, 400), b = piece(esp, 400, 800), c = piece(esp, 800, esp.size() - 40);
    CHECK(pair.received({c, a, a, c}).empty());
    CHECK(pair.newyork.drops(Drop::fragment_repeated) == 2);
    CHECK(pair.received({b}) == only(hops_on(of(1000), 2)));
    CHECK(pair.newyork.buffers_missing() == 0);
}

TEST_CASE("an IPv6 fragment that is all of its packet needs no other (RFC 6946)") {
    Pair pair{1500};
    const Octets esp = whole_esp(pair, of(300));
    CHECK(pair.received({piece(esp, 0, 96), piece(esp, 0, esp.size() - 40)}) == only(hops_on(of(300), 2)));
}

TEST_CASE("IPv6 fragments that overlap spoil their whole packet (RFC 5722)") {
    Pair pair{1500};
    const Octets esp = whole_esp(pair, of(600));
    Octets other = piece(esp, 192, 400);
    other.back() ^= std::byte{1};
    CHECK(pair.received({piece(esp, 0, 200), other, piece(esp, 200, esp.size() - 40)}).empty());
    CHECK(pair.newyork.drops(Drop::fragment_overlap) == 2);  // it, and the one it fell on
    CHECK(pair.received({piece(esp, 0, 200, 12), piece(esp, 200, esp.size() - 40, 12)}) == only(hops_on(of(600), 2)));
}

TEST_CASE("IPv6 fragments of another identification or source are another packet's") {
    Pair pair{1500};
    const Octets esp = whole_esp(pair, of(600));
    Octets stranger = piece(esp, 200, esp.size() - 40);
    stranger[23] ^= std::byte{8};
    CHECK(pair.received({piece(esp, 0, 200, 1), piece(esp, 200, esp.size() - 40, 2), stranger}).empty());
    CHECK(pair.received({piece(esp, 200, esp.size() - 40, 1)}) == only(hops_on(of(600), 2)));
}

TEST_CASE("wrong IPv6 fragments end by name: no octets, odd lengths, a packet beyond all bounds") {
    Pair pair{1500};
    const Octets esp = whole_esp(pair, of(600));
    CHECK(pair.received({piece(esp, 0, 0)}).empty());
    CHECK(pair.received({piece(esp, 0, 100)}).empty());
    CHECK(pair.newyork.drops(Drop::bad_fragment) == 2);
    Octets far_out = piece(esp, 0, 400);
    reinterpret_cast<FragmentHeader*>(far_out.data() + 40)->offset_more = 0xfff9;
    CHECK(pair.received({far_out}).empty());
    CHECK(pair.newyork.drops(Drop::reassembled_too_big) == 1);
}

TEST_CASE("headers in front of an IPv6 fragment header stay, and what they name is mended (RFC 8200 4.5)") {
    Pair pair{1500};
    const Octets esp = whole_esp(pair, of(600));
    const auto with_options = [&](std::size_t from, std::size_t to) {
        const Octets plain = piece(esp, from, to);
        Octets out = Octets(plain.begin(), plain.begin() + 40) + options_header(fragment) +
                     Octets(plain.begin() + 40, plain.end());
        auto& ip = *reinterpret_cast<Ipv6Header*>(out.data());
        ip.next_header = 0;
        ip.payload_octets = static_cast<std::uint16_t>(out.size() - 40);
        return out;
    };
    CHECK(pair.received({with_options(0, 200), with_options(200, esp.size() - 40)}) == only(hops_on(of(600), 2)));
}

TEST_CASE("no later fragment of IPv6 can write over the ports its packet is judged by (RFC 4301 7.3, RFC 8200 4.5)") {
    const std::string ends = "esp/tunnel/2001:db8:f::1-2001:db8:f::2/require; ";
    Pair pair{1500,
              "add 2001:db8:f::1 2001:db8:f::2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 \"tokyo-newyork-key001\";"
              "spdadd 2001:db8:1::/64 2001:db8:2::/64[5000] udp -P out ipsec " +
                  ends};
    const auto part = [](std::uint8_t next, unsigned from, const Octets& payload) {
        return ipv6("2001:db8:1::5", "2001:db8:2::5", fragment, fragment_header(next, from, true) + payload);
    };
    // 8 octets of options, then the ports. What a later fragment calls its next header is nobody's concern (RFC 8200
    // 4.5), so it may say UDP.
    const Octets first = part(60, 0, options_header(17) + udp(4000, 5000, Octets(40)));
    CHECK(pair.sent(first).size() == 1);
    CHECK(pair.sent(part(17, 8, udp(4000, 5001, Octets(8)))).empty());
    CHECK(pair.tokyo.drops(Drop::fragment_needs_ports) == 1);
    CHECK(pair.sent(part(17, 16, Octets(40))).size() == 1);
}

TEST_CASE("IPsec for us behind options in fragments is put together, whichever piece comes first (RFC 8200 4.5)") {
    Pair pair{1500};
    const Octets esp = whole_esp(pair, of(600));
    const Octets behind_options =
        ipv6("2001:db8:f::1", "2001:db8:f::2", 60, options_header(50) + Octets(esp.begin() + 40, esp.end()));
    std::vector<Octets> pieces{piece(behind_options, 0, 200), piece(behind_options, 200, 400),
                               piece(behind_options, 400, behind_options.size() - 40)};
    if (GENERATE(false, true)) std::ranges::reverse(pieces);
    CHECK(pair.received(pieces) == only(hops_on(of(600), 2)));
    CHECK(pair.newyork.drops(Drop::opaque_fragment) == 0);
    // Somebody else's stay what they were.
    Octets transit = piece(behind_options, 200, 400);
    transit[37] = std::byte{9};
    CHECK(pair.received({transit}).empty());
    CHECK(pair.newyork.drops(Drop::opaque_fragment) == 1);
    CHECK(pair.newyork.buffers_missing() == 0);
}
