// The packet filter where packets meet it: on the wire, and in clear.
#include "catch.h"
#include "test/unit/gateway/both_families.h"

using namespace torii;
using namespace torii::test;
using control::ChangeFilter;
using control::Hook;

namespace {

Configuration open_office() {
    Configuration c = office_configuration();
    c.default_policy = PolicyAction::bypass;
    return c;
}

Result<std::vector<control::Outcome>> change(Wires& gateway, ChangeFilter how) {
    std::vector<control::Located> transaction;
    transaction.push_back({std::move(how), "test"});
    return gateway.gateway().apply(std::move(transaction));
}
/// Adds a rule and returns its number.
std::uint32_t add(Wires& gateway, Hook hook, std::string_view rule, std::uint32_t before = 0) {
    return change(gateway, {.kind = ChangeFilter::Kind::add,
                            .hook = hook,
                            .rule = control::parse_filter_rule(rule).value(),
                            .id = before})
        .value()
        .at(0)
        .filter_rule;
}
void set_default(Wires& gateway, Hook hook, control::FilterAction action) {
    REQUIRE(change(gateway, {.kind = ChangeFilter::Kind::set_default, .hook = hook, .rule = {}, .otherwise = action}));
}
/// What each row of a hook has counted: its rules in order, then its default.
std::vector<std::uint64_t> counts(Wires& gateway, Hook hook) {
    std::vector<std::uint64_t> out;
    for (const auto& row : gateway.gateway().filter())
        if (row.hook == name_of(hook)) out.push_back(row.packets);
    return out;
}
using Counts = std::vector<std::uint64_t>;

const Octets packet = datagram("10.0.1.5", "10.0.2.5");

}  // namespace

TEST_CASE("hook wire sees ESP and not what is in it, both ways; hook clear sees what is in it and not ESP") {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(office_setkey);
    newyork.setkey(newyork_setkey);
    const auto esp_out = [](Wires& g) {
        add(g, Hook::wire, "block in on world proto udp");
        add(g, Hook::wire, "block out on world proto udp");
        add(g, Hook::wire, "pass on world proto esp");
        add(g, Hook::clear, "block proto esp");
        add(g, Hook::clear, "pass proto udp");
    };
    esp_out(tokyo);
    esp_out(newyork);
    const auto wire = pass(tokyo, office, {packet}, world);
    REQUIRE(wire.size() == 1);
    REQUIRE(pass(newyork, world, wire, office) == only(after_hops(packet, 2)));
    CHECK(counts(tokyo, Hook::wire) == Counts{0, 0, 1, 1});  // the default: UDP in on office
    CHECK(counts(tokyo, Hook::clear) == Counts{0, 1, 0});
    CHECK(counts(newyork, Hook::wire) == Counts{0, 0, 1, 0});  // decapsulated, it does not pass hook wire again
    CHECK(counts(newyork, Hook::clear) == Counts{0, 1, 0});
}

TEST_CASE("what a hook blocks is dropped by the hook's name, before IPsec is asked about it or after") {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(office_setkey);
    newyork.setkey(newyork_setkey);
    const auto wire = pass(tokyo, office, {packet, packet}, world);
    REQUIRE(wire.size() == 2);

    const auto rule = add(newyork, Hook::wire, "block in on world proto esp from 20.0.0.1");
    CHECK(pass(newyork, world, {wire[0]}, office).empty());
    CHECK(newyork.drops(Drop::filter_wire) == 1);
    REQUIRE(change(newyork, {.kind = ChangeFilter::Kind::remove, .hook = Hook::wire, .rule = {}, .id = rule}));
    CHECK(pass(newyork, world, {wire[0]}, office).size() == 1);  // it was not opened before: no replay

    add(newyork, Hook::clear, "block in from 10.0.1.0/24 to 10.0.2.5");
    CHECK(pass(newyork, world, {wire[1]}, office).empty());
    CHECK(newyork.drops(Drop::filter_clear) == 1);

    add(tokyo, Hook::clear, "block out from 10.0.1.5");
    CHECK(pass(tokyo, office, {packet}, world).empty());
    CHECK(tokyo.drops(Drop::filter_clear) == 1);
    REQUIRE(change(tokyo, {.kind = ChangeFilter::Kind::flush, .hook = Hook::clear, .rule = {}}));
    add(tokyo, Hook::wire, "block out on world proto 50");
    CHECK(pass(tokyo, office, {packet}, world).empty());
    CHECK(tokyo.drops(Drop::filter_wire) == 1);
    CHECK(tokyo.buffers_missing() == 0);
    CHECK(newyork.buffers_missing() == 0);
}

TEST_CASE("the first rule that matches decides, also over a later one") {
    Wires tokyo{open_office()};
    const auto block = add(tokyo, Hook::wire, "block proto udp");
    CHECK(pass(tokyo, office, {packet}, world).empty());
    add(tokyo, Hook::wire, "pass proto udp from 10.0.1.5");  // behind
    CHECK(pass(tokyo, office, {packet}, world).empty());
    add(tokyo, Hook::wire, "pass proto udp from 10.0.1.5 to 10.0.2.5", block);  // before
    CHECK(pass(tokyo, office, {packet}, world).size() == 1);
    CHECK(counts(tokyo, Hook::wire) == Counts{2, 2, 0, 0});
}

TEST_CASE("a default of block lets through what a pass rule names, and nothing else") {
    Wires tokyo{open_office()};
    set_default(tokyo, Hook::wire, control::FilterAction::block);
    CHECK(pass(tokyo, office, {packet}, world).empty());
    add(tokyo, Hook::wire, "pass in on office proto udp from 10.0.1.0/24 to any port 5000");
    CHECK(pass(tokyo, office, {packet}, world).empty());  // it came in, and may not leave
    add(tokyo, Hook::wire, "pass out on world proto udp");
    CHECK(pass(tokyo, office, {packet}, world).size() == 1);
    CHECK(pass(tokyo, office, {ipv4("10.0.1.5", "10.0.2.5", 17, udp(4000, 5001, Octets(40)))}, world).empty());
    CHECK(pass(tokyo, office, {ipv4("10.0.1.5", "10.0.2.5", 6, Octets(40))}, world).empty());
    set_default(tokyo, Hook::wire, control::FilterAction::pass);
    CHECK(pass(tokyo, office, {ipv4("10.0.1.5", "10.0.2.5", 6, Octets(40))}, world).size() == 1);
}

TEST_CASE(
    "rules ask for ports, ICMP types and fragments; what a fragment does not tell, block takes and pass does not") {
    Wires tokyo{open_office()};
    const auto passes = [&](const Octets& each) { return pass(tokyo, office, {each}, world).size() == 1; };
    const Octets first = datagram("10.0.1.5", "10.0.2.5", 108, {.flags_offset = Ipv4Header::more_fragments});
    const Octets later = ipv4("10.0.1.5", "10.0.2.5", 17, Octets(40, std::byte{9}), {.flags_offset = 11});
    const Octets ping = ipv4("10.0.1.5", "10.0.2.5", 1, icmp_echo(1));
    SECTION("ports") {
        add(tokyo, Hook::wire, "block proto udp from any port 4000 to any port 4900-5000");
        CHECK_FALSE(passes(packet));
        CHECK_FALSE(passes(first));
        CHECK_FALSE(passes(later));  // it might belong to one of those
        CHECK(passes(ipv4("10.0.1.5", "10.0.2.5", 17, udp(4000, 5001, Octets(40)))));
        CHECK(passes(ping));
    }
    SECTION("ports let pass") {
        set_default(tokyo, Hook::clear, control::FilterAction::block);
        add(tokyo, Hook::clear, "pass from any to any port 5000");
        CHECK(passes(packet));
        CHECK(passes(first));
        CHECK_FALSE(passes(later));
        CHECK_FALSE(passes(ping));
    }
    SECTION("ICMP") {
        add(tokyo, Hook::wire, "block proto icmp type 8 code 0");
        CHECK_FALSE(passes(ping));
        CHECK(passes(ipv4("10.0.1.5", "10.0.2.5", 1, octets_of(IcmpHeader{0, 0, 0, 1, 1}))));
    }
    SECTION("fragments") {
        add(tokyo, Hook::wire, "block fragments");
        CHECK_FALSE(passes(first));
        CHECK_FALSE(passes(later));
        CHECK(passes(packet));
    }
    SECTION("no fragments") {
        add(tokyo, Hook::wire, "block proto udp whole");
        CHECK(passes(later));
        CHECK_FALSE(passes(packet));
    }
}

TEST_CASE("a packet that waits for its neighbour passes hook wire once, when it is known where it leaves") {
    Configuration c = open_office();
    c.neighbours.erase(c.neighbours.begin());
    Wires tokyo{c};
    tokyo.turn();
    (void)tokyo.sent_by(world);
    add(tokyo, Hook::wire, "pass out on world proto udp");
    CHECK(pass(tokyo, office, {packet}, world).empty());
    tokyo.send(world, arp(2, peer_mac, "20.0.0.2", {}, "20.0.0.1"));
    tokyo.turn();
    CHECK(packets_of(tokyo.sent_by(world)).size() == 1);
    CHECK(counts(tokyo, Hook::wire) == Counts{1, 1});

    // One that nobody has asked for yet: its hop has no number before the control core gives it one.
    add(tokyo, Hook::wire, "block out on world proto udp to 20.0.0.9", 1);
    CHECK(pass(tokyo, office, {datagram("10.0.1.5", "20.0.0.9")}, world).empty());
    tokyo.send(world, arp(2, peer_mac, "20.0.0.9", {}, "20.0.0.1"));
    tokyo.turn();
    CHECK(packets_of(tokyo.sent_by(world)).empty());
    CHECK(tokyo.drops(Drop::filter_wire) == 1);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("what the gateway itself answers passes both hooks on its way out") {
    Wires tokyo{open_office()};
    add(tokyo, Hook::clear, "pass out proto icmp from 10.0.1.1 type 0");
    add(tokyo, Hook::wire, "block out on office proto icmp from 10.0.1.1 type 0");
    CHECK(pass(tokyo, office, {ipv4("10.0.1.5", "10.0.1.1", 1, icmp_echo(1))}, office).empty());
    CHECK(counts(tokyo, Hook::clear)[0] == 1);
    CHECK(tokyo.drops(Drop::filter_wire) == 1);
}

TEST_CASE("changes of the filter belong to transactions: all or none, and each rule counts from when it came") {
    Wires tokyo{open_office()};
    const auto rule = add(tokyo, Hook::wire, "block proto udp");
    CHECK(pass(tokyo, office, {packet}, world).empty());
    std::vector<control::Located> transaction;
    transaction.push_back({ChangeFilter{.kind = ChangeFilter::Kind::flush, .hook = Hook::wire, .rule = {}}, "a"});
    transaction.push_back(
        {ChangeFilter{.kind = ChangeFilter::Kind::remove, .hook = Hook::clear, .rule = {}, .id = 99}, "b"});
    const auto refused = tokyo.gateway().apply(std::move(transaction));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "b: hook clear has no rule 99");
    CHECK(pass(tokyo, office, {packet}, world).empty());
    CHECK(counts(tokyo, Hook::wire) == Counts{2, 0});

    REQUIRE(change(tokyo, {.kind = ChangeFilter::Kind::remove, .hook = Hook::wire, .rule = {}, .id = rule}));
    for (std::size_t i = 0; i < control::most_filter_rules; ++i) add(tokyo, Hook::wire, "block proto tcp");
    CHECK(counts(tokyo, Hook::wire) == Counts(control::most_filter_rules + 1, 0));
    const auto full = change(tokyo, {.kind = ChangeFilter::Kind::add, .hook = Hook::wire, .rule = {}});
    CHECK(full.error().message == "test: a hook holds at most 256 rules");
    CHECK(pass(tokyo, office, {packet}, world).size() == 1);
    const auto nowhere = change(tokyo, {.kind = ChangeFilter::Kind::add,
                                        .hook = Hook::clear,
                                        .rule = control::parse_filter_rule("block on nowhere").value()});
    CHECK(nowhere.error().message == "test: there is no port nowhere");
}

TEST_CASE("the configuration's rules hold from the first packet") {
    Configuration c = open_office();
    c.filter_wire.rules.push_back(control::parse_filter_rule("pass in on office proto udp").value());
    c.filter_wire.otherwise = control::FilterAction::block;
    Wires tokyo{c};
    CHECK(pass(tokyo, office, {packet}, world).empty());
    CHECK(counts(tokyo, Hook::wire) == Counts{1, 1});
}

// ---- IPv6

namespace {

struct Tokyo6 {
    Wires gateway{tokyo_configuration_of_both()};
    Tokyo6() { gateway.setkey(everything_passes); }
    bool passes(const Octets& packet) { return carry(gateway, office, {packet}, world).size() == 1; }
};
constexpr std::string_view host6 = "2001:db8:1::5", far6 = "2001:db8:2::5";
Octets packet6(std::uint16_t port = 5000) { return ipv6(host6, far6, 17, udp(4000, port, Octets(40))); }
Octets behind(std::uint8_t first_header, const Octets& headers) {
    return ipv6(host6, far6, first_header, headers + udp(4000, 5000, Octets(40)));
}

}  // namespace

TEST_CASE("rules match IPv6 addresses by their prefixes to the last bit, and no rule for IPv4 touches them") {
    Tokyo6 tokyo;
    SECTION("a prefix") {
        add(tokyo.gateway, Hook::wire, "block in from 2001:db8:1::4/127 to 2001:db8:2::/64");
        CHECK_FALSE(tokyo.passes(packet6()));
        CHECK(tokyo.passes(ipv6("2001:db8:1::6", far6, 17, udp(1, 2, {}))));
        CHECK(counts(tokyo.gateway, Hook::wire)[0] == 1);
    }
    SECTION("one host") {
        add(tokyo.gateway, Hook::wire, "block in from any to 2001:db8:2::4");
        CHECK(tokyo.passes(packet6()));
        add(tokyo.gateway, Hook::wire, "block in from any to 2001:db8:2::5");
        CHECK_FALSE(tokyo.passes(packet6()));
    }
    SECTION("the other family") {
        add(tokyo.gateway, Hook::wire, "block from 0.0.0.0/0 to any");
        CHECK(tokyo.passes(packet6()));
        CHECK_FALSE(tokyo.passes(packet));
        add(tokyo.gateway, Hook::wire, "block from any to ::/0");
        CHECK_FALSE(tokyo.passes(packet6()));
    }
    SECTION("a rule without addresses is for both") {
        add(tokyo.gateway, Hook::clear, "block proto udp");
        CHECK_FALSE(tokyo.passes(packet6()));
        CHECK_FALSE(tokyo.passes(packet));
    }
}

TEST_CASE("rules see the protocol and ports behind IPv6 extension headers (RFC 8200 4)") {
    Tokyo6 tokyo;
    const Octets in_options = behind(0, options_header(60) + options_header(17));
    const Octets in_routing = behind(43, routing_header(17, 4, 0));
    CHECK(tokyo.passes(in_options));
    const std::string_view rule =
        GENERATE("block proto udp", "block from any to any port 4999-5000", "block proto udp from any port 4000");
    add(tokyo.gateway, Hook::wire, rule);
    CHECK_FALSE(tokyo.passes(in_options));
    CHECK_FALSE(tokyo.passes(in_routing));
    CHECK(tokyo.gateway.drops(Drop::filter_wire) == 2);
    CHECK(tokyo.passes(ipv6(host6, far6, 60, options_header(6) + Octets(20))));
}

TEST_CASE("of an IPv6 fragment that does not tell its ports, block takes and pass does not, wherever it is cut") {
    Tokyo6 tokyo;
    const Octets first = behind(44, fragment_header(17, 0, true));
    const Octets later = ipv6(host6, far6, 44, fragment_header(17, 48, false) + Octets(40, std::byte{9}));
    const Octets short_first = ipv6(host6, far6, 44, fragment_header(17, 0, true));
    const Octets atomic = behind(44, fragment_header(17, 0, false));  // all of its packet (RFC 6946)
    SECTION("ports") {
        add(tokyo.gateway, Hook::wire, "block proto udp from any to any port 5001");
        CHECK(tokyo.passes(first));  // it does tell
        CHECK_FALSE(tokyo.passes(later));
        CHECK_FALSE(tokyo.passes(short_first));
        CHECK(tokyo.passes(atomic));
        CHECK(tokyo.passes(packet6()));
    }
    SECTION("ports let pass") {
        set_default(tokyo.gateway, Hook::clear, control::FilterAction::block);
        add(tokyo.gateway, Hook::clear, "pass proto udp from any to any port 5000");
        CHECK(tokyo.passes(atomic));
        CHECK(tokyo.passes(first));
        CHECK_FALSE(tokyo.passes(later));
        CHECK_FALSE(tokyo.passes(short_first));
    }
    SECTION("fragments") {
        add(tokyo.gateway, Hook::wire, "block fragments");
        CHECK_FALSE(tokyo.passes(first));
        CHECK_FALSE(tokyo.passes(later));
        CHECK(tokyo.passes(atomic));
        CHECK(tokyo.passes(packet6()));
    }
}

TEST_CASE("rules ask for ICMPv6 types and codes, and ESP over IPv6 is ESP at hook wire") {
    Tokyo6 tokyo;
    add(tokyo.gateway, Hook::clear, "block proto icmp6 type 128 code 0");
    CHECK_FALSE(tokyo.passes(icmpv6_echo(host6, far6, 1)));
    CHECK(tokyo.passes(summed_icmpv6(ipv6(host6, far6, 58, octets_of(Icmpv6Header{129, 0, 0, 1})))));
    tokyo.gateway.setkey(
        "spdflush; add 2001:db8:f::1 2001:db8:f::2 esp 0x1001 -m tunnel -E aes-gcm-16 \"tokyo-newyork-key001\";"
        "spdadd 2001:db8:1::/64 2001:db8:2::/64 any -P out ipsec "
        "esp/tunnel/2001:db8:f::1-2001:db8:f::2/require;");
    add(tokyo.gateway, Hook::wire, "block out on world proto udp");
    CHECK(tokyo.passes(packet6()));
    add(tokyo.gateway, Hook::wire, "block out on world proto esp from 2001:db8:f::1");
    CHECK_FALSE(tokyo.passes(packet6()));
    CHECK(tokyo.gateway.buffers_missing() == 0);
}
