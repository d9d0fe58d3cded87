// What an inbound ESP packet may hold and what it may not, field by field (RFC 4303 2 and 3.4), from a peer that has
// the key; and what tunnels pass on between outer and inner header (RFC 4301 5.1.2.1, RFC 6040).
#include "catch.h"
#include "test/unit/esp/forge.h"
#include "test/unit/gateway/office.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr std::uint8_t ipv4_inside = 4, ipv6_inside = 41, udp_inside = 17, nothing_inside = 59;
const Octets inner = datagram("10.0.2.5", "10.0.1.5", 102);  // with the trailer a multiple of 4

/// Tokyo, and a newyork that writes its packets by hand.
struct Tokyo {
    explicit Tokyo(std::string_view setkey = office_setkey) { gateway.setkey(setkey); }
    /// What comes out at the office of one ESP packet around `text`.
    std::vector<Octets> open(const Octets& text, const Ipv4Options& outer = {}) {
        return arrive(ipv4("20.0.0.2", "20.0.0.1", 50, newyork.esp(0x1002, ++sequence, text), outer));
    }
    std::vector<Octets> arrive(const Octets& packet) { return pass(gateway, world, {packet}, office); }
    Wires gateway{office_configuration()};
    Forger newyork{"newyork-tokyo-key002"};
    std::uint32_t sequence = 0;
};

constexpr std::string_view any_mode_setkey = R"(
add 20.0.0.2 20.0.0.1 esp 0x1002 -r 8 -E aes-gcm-16 "newyork-tokyo-key002";
spdadd 10.0.2.0/24 10.0.1.0/24 any -P in ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;
spdadd 20.0.0.2 20.0.0.1 any -P in ipsec esp/transport//require;
)";

}  // namespace

TEST_CASE("a well-made tunnel packet opens, also with more padding than alignment asks for") {
    Tokyo tokyo;
    CHECK(tokyo.open(esp_text(inner, ipv4_inside)) == only(after_hops(inner, 1)));
    Octets padding;
    for (unsigned i = 1; i <= 252; ++i) padding.push_back(std::byte(i));
    CHECK(tokyo.open(esp_text(inner, ipv4_inside, padding, 252)) == only(after_hops(inner, 1)));
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("octets between the inner packet and the padding hide its length and are dropped (RFC 4303 2.7)") {
    Tokyo tokyo;
    CHECK(tokyo.open(esp_text(inner + Octets(100, std::byte{0xee}), ipv4_inside)) == only(after_hops(inner, 1)));
}

TEST_CASE("padding that is not 1, 2, 3, ... is refused where the SA pads in sequence (RFC 4303 2.4)") {
    const Octets padding = GENERATE(Octets{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{5}},
                                    Octets{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}},
                                    Octets{std::byte{2}, std::byte{2}, std::byte{3}, std::byte{4}},
                                    Octets{std::byte{4}, std::byte{3}, std::byte{2}, std::byte{1}});
    Tokyo tokyo;
    CHECK(tokyo.open(esp_text(inner, ipv4_inside, padding, 4)).empty());
    CHECK(tokyo.gateway.drops(Drop::bad_padding) == 1);
}

TEST_CASE("an SA whose peer pads with zeros or at random takes any padding") {
    const std::string flag = GENERATE(std::string{"zero-pad"}, std::string{"random-pad"});
    Tokyo tokyo{"add 20.0.0.2 20.0.0.1 esp 0x1002 -m tunnel -f " + flag +
                " -E aes-gcm-16 \"newyork-tokyo-key002\";"
                "spdadd 10.0.2.0/24 10.0.1.0/24 any -P in ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;"};
    CHECK(tokyo.open(esp_text(inner, ipv4_inside, Octets(4, std::byte{0}), 4)).size() == 1);
    CHECK(tokyo.open(esp_text(inner, ipv4_inside, Octets(4, std::byte{0xa7}), 4)).size() == 1);
}

TEST_CASE("a pad length beyond the text is refused") {
    Tokyo tokyo;
    CHECK(tokyo.open(esp_text(inner, ipv4_inside, {}, 103)).empty());
    CHECK(tokyo.open(esp_text(inner, ipv4_inside, {}, 255)).empty());
    CHECK(tokyo.open(esp_text({std::byte{1}, std::byte{2}}, ipv4_inside, {}, 3)).empty());
    CHECK(tokyo.gateway.drops(Drop::bad_padding) == 3);
}

TEST_CASE("a packet too short for its SA's header, IV, trailer and ICV is a runt") {
    Tokyo tokyo;
    const Octets whole = tokyo.newyork.esp(0x1002, 1, esp_text({std::byte{1}, std::byte{2}}, nothing_inside));
    REQUIRE(whole.size() == 8 + 8 + 4 + 16);
    std::uint64_t runts = 0;
    for (std::size_t octets = 0; octets < 8 + 8 + 2 + 16; ++octets) {
        const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(octets));
        CHECK(tokyo.arrive(ipv4("20.0.0.2", "20.0.0.1", 50, cut)).empty());
        CHECK(tokyo.gateway.drops(Drop::esp_truncated) == ++runts);
    }
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("text that is no multiple of its cipher's block is refused before it is decrypted") {
    Tokyo tokyo{
        "add 20.0.0.2 20.0.0.1 esp 0x1002 -m tunnel -E aes-cbc \"sixteen octets!!\" -A hmac-sha1 "
        "\"twenty octets exactl\";"};
    Forger cbc{{CipherId::aes_cbc, AuthId::hmac_sha1, 128}, "sixteen octets!!", "twenty octets exactl"};
    Octets packet = cbc.esp(0x1002, 1, esp_text(inner, ipv4_inside, 16));
    packet.erase(packet.begin() + 40);
    CHECK(tokyo.arrive(ipv4("20.0.0.2", "20.0.0.1", 50, packet)).empty());
    CHECK(tokyo.gateway.drops(Drop::esp_truncated) == 1);
}

TEST_CASE("one flipped bit anywhere behind the SPI fails the integrity check (RFC 4303 3.4.4.1)") {
    Tokyo tokyo;
    const Octets whole = tokyo.newyork.esp(0x1002, 1, esp_text(inner, ipv4_inside));
    for (std::size_t octet = 4; octet < whole.size(); octet += 7) {
        Octets altered = whole;
        altered[octet] ^= std::byte{0x10};
        CHECK(tokyo.arrive(ipv4("20.0.0.2", "20.0.0.1", 50, altered)).empty());
    }
    CHECK(tokyo.gateway.drops(Drop::bad_icv) == (whole.size() - 4 + 6) / 7);
    CHECK(tokyo.arrive(ipv4("20.0.0.2", "20.0.0.1", 50, whole)).size() == 1);  // none of them spent number 1
}

TEST_CASE("dummy packets vanish by name (RFC 4303 2.6)") {
    Tokyo tokyo;
    CHECK(tokyo.open(esp_text(Octets(54, std::byte{9}), nothing_inside)).empty());
    CHECK(tokyo.gateway.drops(Drop::dummy_packet) == 1);
    CHECK(tokyo.open(esp_text(inner, ipv4_inside)).size() == 1);
}

TEST_CASE("a tunnel carries IP and nothing else") {
    Tokyo tokyo;
    CHECK(tokyo.open(esp_text(udp(4000, 5000, Octets(10)), udp_inside)).empty());
    CHECK(tokyo.gateway.drops(Drop::bad_inner_protocol) == 1);
    CHECK(tokyo.open(esp_text(Octets(62), ipv6_inside)).empty());
    CHECK(tokyo.gateway.drops(Drop::bad_ip_version) == 1);
}

TEST_CASE("the inner header is judged like one from a wire (RFC 1812 5.2.2)") {
    Tokyo tokyo;
    const auto opened_with = [&](auto alter) {
        Octets packet = inner;
        alter(*reinterpret_cast<Ipv4Header*>(packet.data()));
        return tokyo.open(esp_text(packet, ipv4_inside));
    };
    CHECK(opened_with([](Ipv4Header& ip) { ip.version_ihl = 0x65; }).empty());
    CHECK(tokyo.gateway.drops(Drop::bad_ip_version) == 1);
    CHECK(opened_with([](Ipv4Header& ip) { ip.version_ihl = 0x44; }).empty());
    CHECK(tokyo.gateway.drops(Drop::bad_ip_header) == 1);
    CHECK(opened_with([](Ipv4Header& ip) { ip.total_octets = 103; }).empty());
    CHECK(tokyo.gateway.drops(Drop::bad_ip_length) == 1);
    CHECK(opened_with([](Ipv4Header& ip) { ip.ttl = 63; }).empty());
    CHECK(tokyo.gateway.drops(Drop::bad_ip_checksum) == 1);
    CHECK(tokyo.open(esp_text(datagram("127.0.0.1", "10.0.1.5", 102), ipv4_inside)).empty());
    CHECK(tokyo.gateway.drops(Drop::martian) == 1);
    CHECK(tokyo.open(esp_text(Octets(18), ipv4_inside)).empty());
    CHECK(tokyo.gateway.drops(Drop::truncated) == 1);
}

TEST_CASE("an SA of mode any is a tunnel for IP and transport for everything else") {
    Tokyo tokyo{any_mode_setkey};
    CHECK(tokyo.open(esp_text(inner, ipv4_inside)) == only(after_hops(inner, 1)));
    (void)tokyo.open(esp_text(icmp_echo(1, 54), 1));
    CHECK(tokyo.gateway.drops(Drop::policy_mismatch) == 0);
    CHECK(tokyo.gateway.drops(Drop::no_policy) + tokyo.gateway.drops(Drop::no_sa) == 1);  // the reply had no policy
}

TEST_CASE("a transport SA does not tunnel: IP in it is payload for the host, not a packet of the office") {
    Tokyo tokyo{R"(
add 20.0.0.2 20.0.0.1 esp 0x1002 -m transport -r 8 -E aes-gcm-16 "newyork-tokyo-key002";
spdadd 10.0.2.0/24 10.0.1.0/24 any -P in ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;
spdadd 20.0.0.2 20.0.0.1 any -P in ipsec esp/transport//require;
)"};
    CHECK(tokyo.open(esp_text(inner, ipv4_inside)).empty());
    CHECK(tokyo.gateway.drops(Drop::local_unwanted) == 1);
}

TEST_CASE("congestion marks come out of a tunnel as RFC 6040 4.2 says, all sixteen ways") {
    constexpr int dropped = -1;
    constexpr std::uint8_t not_ect = 0, ect1 = 1, ect0 = 2, ce = 3;
    constexpr int expected[4][4] = {
        // outer:    not-ECT  ECT(1)   ECT(0)   CE
        /* not-ECT */ {not_ect, not_ect, not_ect, dropped},
        /* ECT(1)  */ {ect1, ect1, ect1, ce},
        /* ECT(0)  */ {ect0, ect1, ect0, ce},
        /* CE      */ {ce, ce, ce, ce},
    };
    Tokyo tokyo;
    std::uint64_t drops = 0;
    for (std::uint8_t own = 0; own < 4; ++own)
        for (std::uint8_t outer = 0; outer < 4; ++outer) {
            INFO("inner " << unsigned{own} << ", outer " << unsigned{outer});
            const std::uint8_t dscp = 0xb8;
            const Octets packet =
                datagram("10.0.2.5", "10.0.1.5", 102, {.dscp_ecn = static_cast<std::uint8_t>(dscp | own)});
            const auto out = tokyo.open(esp_text(packet, ipv4_inside), {.dscp_ecn = outer});
            if (expected[own][outer] == dropped) {
                CHECK(out.empty());
                CHECK(tokyo.gateway.drops(Drop::bad_ecn) == ++drops);
                continue;
            }
            REQUIRE(out.size() == 1);
            CHECK(header_of(out[0]).dscp_ecn == (dscp | expected[own][outer]));  // the outer DSCP stays outside
            CHECK(internet_checksum(out[0].data(), 20) == 0);
        }
}

TEST_CASE("a tunnel copies DSCP, ECN and DF outward, and neither fragment flags nor TTL (RFC 4301 5.1.2.1)") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(office_setkey);
    for (const auto dscp_ecn : std::to_array<std::uint8_t>({0x00, 0xb8, 0xbb, 0x02, 0x01}))
        for (const auto flags : std::to_array<std::uint16_t>({0x0000, 0x4000, 0x2000, 0x2005})) {
            INFO("dscp_ecn " << unsigned{dscp_ecn} << ", flags " << flags);
            const auto wire = pass(
                tokyo, office,
                {ipv4("10.0.1.5", "10.0.2.5", 17, Octets(64), {.ttl = 9, .dscp_ecn = dscp_ecn, .flags_offset = flags})},
                world);
            REQUIRE(wire.size() == 1);
            const Ipv4Header& outer = header_of(wire[0]);
            CHECK(outer.dscp_ecn == dscp_ecn);
            CHECK(outer.flags_offset == (flags & 0x4000));
            CHECK(outer.ttl == 64);
            CHECK(internet_checksum(wire[0].data(), 20) == 0);
        }
}

TEST_CASE("ESP in fragments for us waits to be whole, and somebody else's goes on its way") {
    Tokyo tokyo{"spdadd 0.0.0.0/0 0.0.0.0/0 any -P in none; spdadd 0.0.0.0/0 0.0.0.0/0 any -P out none;"};
    for (const auto flags : std::to_array<std::uint16_t>({0x2000, 0x0005})) {
        CHECK(tokyo.arrive(ipv4("20.0.0.2", "20.0.0.1", 50, Octets(64), {.flags_offset = flags})).empty());
        CHECK(tokyo.arrive(ipv4("20.0.0.2", "10.0.1.5", 50, Octets(64), {.flags_offset = flags})).size() == 1);
    }
    CHECK(tokyo.gateway.drops(Drop::fragment_overlap) ==
          2);  // those for us were of one packet, and do not fit together
    CHECK(tokyo.arrive(ipv4("20.0.0.2", "10.0.1.5", 50, Octets(64))).size() == 1);
    CHECK(tokyo.arrive(ipv4("20.0.0.2", "10.0.1.5", 50, Octets(4))).size() == 1);
    CHECK(tokyo.gateway.drops(Drop::unknown_spi) == 0);
}
