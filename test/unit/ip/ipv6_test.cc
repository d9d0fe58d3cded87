// IPv6 headers as they arrive: what is taken, what is refused and by which name, and what is forwarded how.
#include "ip/ipv6.h"
#include "catch.h"
#include "test/unit/gateway/both_families.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr std::string_view near = "2001:db8:1::5", far = "2001:db8:2::5";
constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, options = 60, udp_number = 17;
const Octets text = udp(4000, 5000, Octets(32, std::byte{0x5a}));

Octets packet(std::uint8_t next_header, const Octets& payload, const Ipv6Options& header = {}) {
    return ipv6(near, far, next_header, payload, header);
}
Octets cut_to(Octets octets, std::size_t count) {
    octets.resize(count);
    return octets;
}
struct Router {
    Wires tokyo{tokyo_configuration_of_both()};
    Router() { tokyo.setkey(everything_passes); }
    std::vector<Octets> forwarded(const Octets& packet) { return carry(tokyo, office, {packet}, world); }
    /// The reason for which the packet was dropped, and no other one was.
    bool drops(const Octets& packet, Drop reason) {
        const std::uint64_t before = tokyo.drops(reason);
        return forwarded(packet).empty() && tokyo.drops(reason) == before + 1;
    }
};

}  // namespace

TEST_CASE("an IPv6 packet goes on with its hop limit one less, and nothing else changed (RFC 8200 3)") {
    Router router;
    const Octets plain = packet(udp_number, text, {.hop_limit = 9, .traffic_class = 0xba, .flow_label = 0xabcde});
    CHECK(router.forwarded(plain) == only(hops_on(plain, 1)));
    const Octets with_headers =
        packet(hop_by_hop, options_header(options) + options_header(routing) + routing_header(options, 4, 2) +
                               options_header(udp_number) + text);
    CHECK(router.forwarded(with_headers) == only(hops_on(with_headers, 1)));
    CHECK(router.drops(packet(udp_number, text, {.hop_limit = 1}), Drop::ttl_exceeded));
    CHECK(router.tokyo.buffers_missing() == 0);
}

TEST_CASE("padding behind an IPv6 payload is not part of it") {
    Router router;
    const Octets plain = packet(udp_number, text);
    CHECK(router.forwarded(plain + Octets(6)) == only(hops_on(plain, 1)));
}

TEST_CASE("an IPv6 header that is wrong is dropped by name (RFC 8200 3)") {
    Router router;
    const Octets plain = packet(udp_number, text);
    CHECK(router.drops(cut_to(plain, 39), Drop::truncated));
    CHECK(router.drops(cut_to(plain, plain.size() - 1), Drop::bad_ip_length));
    for (const std::string_view source : {"::", "::1", "::ffff:10.0.1.5", "ff02::1"})
        CHECK(router.drops(ipv6(source, far, udp_number, text), Drop::martian));
    for (const std::string_view destination : {"::", "::1", "::ffff:10.0.2.5"})
        CHECK(router.drops(ipv6(near, destination, udp_number, text), Drop::martian));
    CHECK(router.drops(ipv6(near, "ff0e::1", udp_number, text), Drop::multicast));
    CHECK(router.drops(ipv6("fe80::5", far, udp_number, text), Drop::link_local));
    CHECK(router.drops(ipv6(near, "fe80::6", udp_number, text), Drop::link_local));
    CHECK(router.drops(ipv6("2001:db8:1::1", far, udp_number, text), Drop::own_source));
    Octets version = plain;
    version[0] = std::byte{0x40};
    router.tokyo.send(office, ethernet(version, {}, EtherType::ipv6));
    router.tokyo.turn();
    CHECK(router.tokyo.drops(Drop::bad_ip_version) == 1);
}

TEST_CASE("extension headers that are cut short, misplaced or overfull are dropped by name (RFC 8200 4)") {
    Router router;
    const auto wrong = [&](std::uint8_t next_header, const Octets& payload) {
        return router.drops(packet(next_header, payload), Drop::bad_extension_header);
    };
    CHECK(wrong(options, {}));
    CHECK(wrong(options, cut_to(options_header(udp_number), 7)));
    CHECK(wrong(options, Octets{std::byte{udp_number}, std::byte{1}} + Octets(6)));  // says 16 octets, has 8
    CHECK(wrong(options, Octets{std::byte{udp_number}, std::byte{0}, std::byte{1}, std::byte{5}} + Octets(4)));
    CHECK(wrong(options, Octets{std::byte{udp_number}, std::byte{0}} + Octets(5) + Octets{std::byte{1}}));
    CHECK(wrong(options, options_header(hop_by_hop) + options_header(udp_number) + text));  // not the first
    CHECK(wrong(fragment, fragment_header(fragment, 0, true) + fragment_header(udp_number, 0, true) + text));
    CHECK(wrong(fragment, cut_to(fragment_header(udp_number, 0, true), 7)));
}

TEST_CASE("the walk over extension headers is bounded in count and in octets (RFC 8504 5.3)") {
    Router router;
    const auto chain = [](unsigned count) {
        Octets out;
        for (unsigned i = 1; i <= count; ++i) out = out + options_header(i == count ? udp_number : options);
        return packet(options, out + text);
    };
    CHECK(router.forwarded(chain(most_extension_headers)).size() == 1);
    CHECK(router.drops(chain(most_extension_headers + 1), Drop::too_many_headers));
    const auto filled = [](std::size_t octets) {
        return packet(options, options_header(udp_number, Octets(octets - 2)) + text);
    };
    CHECK(router.forwarded(filled(longest_ip_header - 40)).size() == 1);
    CHECK(router.drops(filled(longest_ip_header - 40 + 8), Drop::too_many_headers));
}

TEST_CASE("routing type 0 is refused, and nobody is sent on from here by another type (RFC 5095, RFC 8200 4.4)") {
    Router router;
    CHECK(router.drops(packet(routing, routing_header(udp_number, 0, 1) + text), Drop::source_route));
    CHECK(router.forwarded(packet(routing, routing_header(udp_number, 0, 0) + text)).size() == 1);
    CHECK(router.forwarded(packet(routing, routing_header(udp_number, 4, 1) + text)).size() == 1);
    CHECK(router.drops(ipv6(near, "2001:db8:1::1", routing, routing_header(udp_number, 4, 1) + text),
                       Drop::source_route));
}

TEST_CASE("policies see the protocol and ports behind extension headers (RFC 4301 4.4.1.1)") {
    Wires tokyo{tokyo_configuration_of_both()};
    tokyo.setkey("spdadd 2001:db8:1::/64 2001:db8:2::/64[5000] udp -P out discard;");
    tokyo.setkey(everything_passes);
    const Octets headers = options_header(options) + options_header(udp_number);
    CHECK(carry(tokyo, office, {packet(hop_by_hop, headers + text)}, world).empty());
    CHECK(tokyo.drops(Drop::policy_discard) == 1);
    const Octets other = packet(hop_by_hop, headers + udp(4000, 5001, Octets(4)));
    CHECK(carry(tokyo, office, {other}, world) == only(hops_on(other, 1)));
    // A fragment does not tell its ports, and one behind the first may not even tell its protocol.
    CHECK(carry(tokyo, office, {packet(fragment, fragment_header(udp_number, 64, false) + text)}, world).empty());
    CHECK(tokyo.drops(Drop::fragment_needs_ports) == 1);
    CHECK(carry(tokyo, office, {packet(fragment, fragment_header(options, 64, false) + text)}, world).empty());
    CHECK(tokyo.drops(Drop::opaque_fragment) == 1);
    // One that is all of its packet is no fragment (RFC 6946).
    const Octets atomic = packet(fragment, fragment_header(udp_number, 0, false) + udp(4000, 5001, Octets(4)));
    CHECK(carry(tokyo, office, {atomic}, world) == only(hops_on(atomic, 1)));
}

TEST_CASE("flows of IPv6 that differ in one octet of an address are different flows") {
    Wires tokyo{tokyo_configuration_of_both()};
    tokyo.setkey("spdadd 2001:db8:1::7/128 ::/0 any -P out discard;");
    tokyo.setkey(everything_passes);
    for (int round = 0; round < 3; ++round) {
        CHECK(carry(tokyo, office, {ipv6("2001:db8:1::7", far, udp_number, text)}, world).empty());
        CHECK(carry(tokyo, office, {ipv6("2001:db8:1::8", far, udp_number, text)}, world).size() == 1);
        CHECK(carry(tokyo, office, {datagram("10.0.1.5", "10.0.2.5")}, world).size() == 1);
    }
    CHECK(tokyo.drops(Drop::policy_discard) == 3);
}

TEST_CASE("an IPv6 router cuts nothing: what is too big is not sent (RFC 8200 4.5)") {
    Wires tokyo{tokyo_configuration_of_both(1300)};
    tokyo.setkey(everything_passes);
    const auto of = [](std::size_t octets) { return packet(udp_number, udp(4000, 5000, Octets(octets - 48))); };
    CHECK(carry(tokyo, office, {of(1300)}, world).size() == 1);
    CHECK(carry(tokyo, office, {of(1301)}, world).empty());
    CHECK(tokyo.drops(Drop::too_big) == 1);
}
