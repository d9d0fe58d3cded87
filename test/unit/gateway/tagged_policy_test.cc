// Policies for what the packet filter has marked (KAME's `spdadd tagged`): which packets they meet, whatever way those
// take through workers and the control core.
#include "catch.h"
#include "test/unit/gateway/both_families.h"

using namespace torii;
using namespace torii::test;
using control::ChangeFilter;
using control::Hook;

namespace {

constexpr std::string_view sas = R"(
add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -E aes-gcm-16 "tokyo-newyork-key001";
add 20.0.0.2 20.0.0.1 esp 0x1002 -m tunnel -E aes-gcm-16 "newyork-tokyo-key002";
)";
constexpr std::string_view mail_out =
    "spdadd tagged \"mail\" -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;"
    "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out none;";
constexpr std::string_view marks_mail = "pass in on office proto udp from any to any port 25 tag mail";

Result<std::vector<control::Outcome>> change(Wires& gateway, ChangeFilter how) {
    std::vector<control::Located> transaction;
    transaction.push_back({std::move(how), "test"});
    return gateway.gateway().apply(std::move(transaction));
}
Result<std::uint32_t> try_rule(Wires& gateway, std::string_view rule, Hook hook = Hook::wire) {
    TORII_TRY(auto parsed, control::parse_filter_rule(rule));
    TORII_TRY(const auto done,
              change(gateway, {.kind = ChangeFilter::Kind::add, .hook = hook, .rule = std::move(parsed)}));
    return done.at(0).filter_rule;
}
std::uint32_t add_rule(Wires& gateway, std::string_view rule) { return try_rule(gateway, rule).value(); }
void remove_rule(Wires& gateway, std::uint32_t id) {
    REQUIRE(change(gateway, {.kind = ChangeFilter::Kind::remove, .hook = Hook::wire, .rule = {}, .id = id}));
}

Octets to_port(std::uint16_t port, std::string_view source = "10.0.1.5", std::string_view destination = "10.0.2.5") {
    return ipv4(source, destination, 17, udp(4000, port, Octets(60, std::byte{0x5a})));
}
const Octets mail = to_port(25), web = to_port(80);

struct Tokyo {
    explicit Tokyo(std::string_view setkey = mail_out, Configuration configuration = office_configuration())
        : gateway(std::move(configuration)) {
        gateway.setkey(sas);
        gateway.setkey(setkey);
    }
    std::vector<Octets> send(const Octets& packet) { return pass(gateway, office, {packet}, world); }
    bool sends_clear(const Octets& packet) { return send(packet) == only(after_hops(packet, 1)); }
    bool sends_esp(const Octets& packet) {
        const auto wire = send(packet);
        return wire.size() == 1 && header_of(wire[0]).protocol == 50 && esp_of(wire[0]).spi.value() == 0x1001;
    }
    Wires gateway;
};

std::vector<std::string> warnings_of(Wires& gateway, std::string_view text) {
    return setkey::run(gateway.gateway(), setkey::parse(text, "FILE").value(), {}).value().warnings;
}

}  // namespace

TEST_CASE("a policy with a tag meets what a rule of the filter has marked with it, and nothing else") {
    Tokyo tokyo;
    CHECK(tokyo.sends_clear(mail));  // nothing marks it yet
    add_rule(tokyo.gateway, marks_mail);
    CHECK(tokyo.sends_esp(mail));
    CHECK(tokyo.sends_clear(web));
    CHECK(tokyo.sends_esp(mail));
}

TEST_CASE("a flow that is marked otherwise than before meets another policy at once") {
    Tokyo tokyo;
    const auto rule = add_rule(tokyo.gateway, marks_mail);
    for (int i = 0; i < 3; ++i) CHECK(tokyo.sends_esp(mail));
    remove_rule(tokyo.gateway, rule);
    CHECK(tokyo.sends_clear(mail));
    add_rule(tokyo.gateway, "pass in on office tag other");
    CHECK(tokyo.sends_clear(mail));
    tokyo.gateway.setkey("spdadd tagged \"other\" -P out prio high discard;");
    CHECK(tokyo.send(mail).empty());
    CHECK(tokyo.gateway.drops(Drop::policy_discard) == 1);
}

TEST_CASE("policies with a tag stand in the order of the search like all others, and are deleted by their tag") {
    Tokyo tokyo{
        "spdadd 10.0.1.0/24 10.0.2.0/24 udp -P out none;"
        "spdadd tagged \"mail\" -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;"};
    add_rule(tokyo.gateway, marks_mail);
    CHECK(tokyo.sends_clear(mail));  // the one before it matches
    tokyo.gateway.setkey("spdupdate tagged \"mail\" -P out prio high ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;");
    CHECK(tokyo.sends_esp(mail));
    CHECK(refusal_of(tokyo.gateway, "spdadd tagged \"mail\" -P out none;").ends_with("[exists]"));
    tokyo.gateway.setkey("spddelete tagged \"mail\" -P out;");
    CHECK(tokyo.sends_clear(mail));
    CHECK(refusal_of(tokyo.gateway, "spddelete tagged \"mail\" -P out;") ==
          "test:1: no policy tagged \"mail\" [not_found]");
}

TEST_CASE("one tag marks packets of both families, and transport mode finds the SA of each pair of addresses") {
    Wires tokyo{tokyo_configuration_of_both()};
    tokyo.setkey(R"(
add 10.0.1.5 10.0.2.5 esp 0x2001 -m transport -E aes-gcm-16 "transport-key-000004";
add 2001:db8:1::5 2001:db8:2::5 esp 0x2002 -m transport -E aes-gcm-16 "transport-key-000006";
spdadd tagged "office" -P out ipsec esp/transport//require;
)");
    add_rule(tokyo, "pass in on office proto udp tag office");
    const Octets packet6 = ipv6("2001:db8:1::5", "2001:db8:2::5", 17, udp(4000, 25, Octets(60)));
    const auto wire = carry(tokyo, office, {mail, packet6}, world);
    REQUIRE(wire.size() == 2);
    CHECK(header_of(wire[0]).protocol == 50);
    CHECK(esp_of(wire[0]).spi.value() == 0x2001);
    CHECK(wire[1][6] == std::byte{50});
    CHECK(carry(tokyo, office, {to_port(25, "10.0.1.6")}, world).empty());  // no SA between these
    CHECK(tokyo.drops(Drop::no_sa) == 1);
}

TEST_CASE("what waits for its SA keeps its tag") {
    Configuration c = office_configuration();
    c.acquire_hold = 8;
    Wires tokyo{c};
    tokyo.setkey(mail_out);
    add_rule(tokyo, marks_mail);
    Told told{tokyo};
    CHECK(pass(tokyo, office, {mail}, world).empty());
    tokyo.turn(4);
    CHECK(told.count(Told::Kind::acquire) == 1);
    CHECK(told.last(Told::Kind::acquire).sa == sa_id("20.0.0.1", "20.0.0.2", 0));
    tokyo.setkey(sas);
    tokyo.turn(4);
    const auto wire = packets_of(tokyo.sent_by(world));
    REQUIRE(wire.size() == 1);
    CHECK(esp_of(wire[0]).spi.value() == 0x1001);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("what comes out of an SA bears the tag of the packet it came in, by whichever worker it is opened") {
    Configuration two_workers = newyork_configuration();
    two_workers.workers = 2;
    Wires tokyo{office_configuration()}, newyork{two_workers};
    std::string out, in;
    for (unsigned n = 1; n <= 4; ++n) {  // the SAs take turns among the workers
        const std::string id = std::to_string(n), spi = std::to_string(0x1000 + n);
        const std::string sa = "add 20.0.0.1 20.0.0.2 esp " + spi + " -m tunnel -u " + id + " -E aes-gcm-16 \"" +
                               gcm_key(0x1000 + n) + "\";";
        out +=
            sa + "spdadd 10.0.1.2" + id + " 10.0.2.5 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/unique:" + id + ";";
        in += sa;
    }
    tokyo.setkey(out);
    newyork.setkey(in + "spdadd tagged \"partner\" -P in ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;");
    add_rule(newyork, "pass in on world proto esp from 20.0.0.1 tag partner");
    std::vector<Octets> sent, arriving;
    for (unsigned n = 1; n <= 4; ++n) sent.push_back(to_port(25, "10.0.1.2" + std::to_string(n)));
    const auto wire = pass(tokyo, office, sent, world);
    REQUIRE(wire.size() == 4);
    for (const Octets& packet : wire) newyork.send(world, ethernet(packet));
    newyork.turn(4);
    CHECK(packets_of(newyork.sent_by(office)).size() == 4);
    // In clear the same packet is nobody's.
    CHECK(pass(newyork, world, {sent[0]}, office).empty());
    CHECK(newyork.drops(Drop::no_policy) == 1);
    CHECK(newyork.buffers_missing() == 0);
}

TEST_CASE("all fragments of a packet are marked by the ports of the first (RFC 4301 7.3)") {
    Tokyo tokyo;
    add_rule(tokyo.gateway, marks_mail);
    const auto piece = [](std::uint16_t port, std::uint16_t identification, bool first) {
        const Octets datagram = udp(4000, port, Octets(1400, std::byte{0x5a}));
        const auto at = datagram.begin() + 1000;
        const Octets part = first ? Octets(datagram.begin(), at) : Octets(at, datagram.end());
        return ipv4(
            "10.0.1.5", "10.0.2.5", 17, part,
            {.flags_offset = static_cast<std::uint16_t>(first ? 0x2000 : 1000 / 8), .identification = identification});
    };
    CHECK(tokyo.sends_esp(piece(25, 1, true)));
    CHECK(tokyo.sends_esp(piece(25, 1, false)));
    CHECK(tokyo.sends_clear(piece(80, 2, true)));
    CHECK(tokyo.sends_clear(piece(80, 2, false)));
    // Whose first fragment has not come, nobody can say.
    CHECK(tokyo.send(piece(25, 3, false)).empty());
    CHECK(tokyo.gateway.drops(Drop::fragment_needs_ports) == 1);
    remove_rule(tokyo.gateway, 1);
    CHECK(tokyo.sends_clear(piece(25, 3, false)));
    // An exception by ports, before a rule that marks all the rest, is one for whole packets as well.
    add_rule(tokyo.gateway, "pass in on office proto udp to any port 80");
    add_rule(tokyo.gateway, "pass in on office tag mail");
    CHECK(tokyo.sends_clear(piece(80, 4, true)));
    CHECK(tokyo.sends_clear(piece(80, 4, false)));
    CHECK(tokyo.sends_esp(piece(25, 5, true)));
    CHECK(tokyo.sends_esp(piece(25, 5, false)));
    CHECK(tokyo.send(piece(80, 6, false)).empty());
    CHECK(tokyo.gateway.drops(Drop::fragment_needs_ports) == 2);
}

TEST_CASE("an ICMP error about marked packets leaves as the answers that would be marked do (RFC 4301 6.2)") {
    Tokyo tokyo{
        "spdadd tagged \"mail\" -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;"
        "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out none;"
        "spdadd 10.0.2.0/24 10.0.1.0/24 any -P in none;"};
    add_rule(tokyo.gateway, "pass in on office proto udp from any port 25 tag mail");  // answers of the mail server
    const auto error_about = [](const Octets& quoted) {
        Octets message = octets_of(IcmpHeader{3, 3, 0, 0, 0}) + quoted;
        const Big16 checksum{internet_checksum(message.data(), message.size())};
        std::memcpy(message.data() + 2, &checksum, 2);
        return ipv4("10.0.1.5", "10.0.2.5", 1, message);
    };
    CHECK(tokyo.sends_esp(error_about(to_port(25, "10.0.2.5", "10.0.1.5"))));
    CHECK(tokyo.sends_clear(error_about(to_port(80, "10.0.2.5", "10.0.1.5"))));
}

TEST_CASE("a tag goes along into a gif port and out of one, and a rule at the port may give another") {
    Configuration c = tokyo_configuration_of_both();
    c.ports.push_back({.name = "gif0",
                       .gif = GifConfiguration{v6("20.0.0.1"), v6("20.0.0.2")},
                       .mtu = 1280,
                       .role = PortRole::protected_port});  // so that the envelope alone meets the policy
    for (RouteConfiguration& route : c.routes) route.port = "gif0";
    c.default_policy = PolicyAction::bypass;
    Wires tokyo{c};
    tokyo.setkey(R"(
add 20.0.0.1 20.0.0.2 esp 0x1001 -m transport -E aes-gcm-16 "tokyo-newyork-key001";
spdadd tagged "secret" -P out ipsec esp/transport//require;
)");
    const auto is_esp = [&](const Octets& packet) {
        const auto wire = pass(tokyo, office, {packet}, world);
        REQUIRE(wire.size() == 1);
        return header_of(wire[0]).protocol == 50;
    };
    CHECK_FALSE(is_esp(mail));
    const auto rule = add_rule(tokyo, "pass in on office proto udp to any port 25 tag secret");
    CHECK(is_esp(mail));
    CHECK_FALSE(is_esp(web));
    remove_rule(tokyo, rule);
    add_rule(tokyo, "pass out on gif0 proto udp to any port 80 tag secret");
    CHECK_FALSE(is_esp(mail));
    CHECK(is_esp(web));
}

TEST_CASE("a policy whose tag no rule gives is taken with a warning") {
    Tokyo tokyo{""};
    const std::string text = "flush;\nspdadd tagged \"mail\" -P out discard;";
    CHECK(warnings_of(tokyo.gateway, text) ==
          std::vector<std::string>{
              "FILE:2: no rule of the packet filter gives the tag \"mail\": this policy meets no packet"});
    add_rule(tokyo.gateway, marks_mail);
    CHECK(warnings_of(tokyo.gateway, "spdupdate tagged \"mail\" -P out discard;").empty());
    CHECK(tokyo.send(mail).empty());
}

TEST_CASE("tags are given at hook wire, and 63 of them at a time") {
    Tokyo tokyo{""};
    CHECK(try_rule(tokyo.gateway, "pass tag mail", Hook::clear).error().text() ==
          "test: tags are given at hook wire: policies have been asked before hook clear is [bad_value]");
    const auto tag = [](unsigned n) { return "tag" + std::to_string(n); };
    for (unsigned n = 0; n < 62; ++n) add_rule(tokyo.gateway, "pass to 10.0.9." + std::to_string(n) + " tag " + tag(n));
    tokyo.gateway.setkey("spdadd tagged \"only-a-policy\" -P out none;");
    CHECK(try_rule(tokyo.gateway, "pass tag one-more").error().text() ==
          "test: the filter's rules and the policies name 63 tags already, and there may be no more [no_room]");
    CHECK(refusal_of(tokyo.gateway, "spdflush; spdadd tagged \"a\" -P in none; spdadd tagged \"b\" -P in none;")
              .ends_with("there may be no more [no_room]"));
    add_rule(tokyo.gateway, "pass to 10.0.9.9 tag " + tag(5));  // known already
    remove_rule(tokyo.gateway, 1);
    tokyo.gateway.setkey(mail_out);
    add_rule(tokyo.gateway, marks_mail);
    CHECK(tokyo.sends_esp(mail));
}

TEST_CASE("a transaction that fails leaves tags as they were") {
    Tokyo tokyo;
    add_rule(tokyo.gateway, marks_mail);
    std::string too_many = "spdflush;";
    for (unsigned n = 0; n < 70; ++n) too_many += "spdadd tagged \"t" + std::to_string(n) + "\" -P out discard;";
    CHECK(refusal_of(tokyo.gateway, too_many).ends_with("[no_room]"));
    CHECK(tokyo.sends_esp(mail));
    CHECK(tokyo.sends_clear(web));
}

TEST_CASE("explain walks the packet through the filter that marks it, and tells the tag") {
    Tokyo tokyo;
    const auto explained = [&](std::uint16_t port) {
        return tokyo.gateway.gateway()
            .explain({.packet = {.source = Address::parse("10.0.1.5").value(),
                                 .destination = Address::parse("10.0.2.5").value(),
                                 .source_port = 4000,
                                 .destination_port = port,
                                 .protocol = 17},
                      .port = ""})
            .value();
    };
    const auto says = [](const control::Explanation& answer, std::string_view words) {
        return std::ranges::any_of(answer.steps,
                                   [&](const auto& step) { return step.text.find(words) != step.text.npos; });
    };
    CHECK(explained(25).fate == control::Explanation::Fate::forward);
    add_rule(tokyo.gateway, marks_mail);
    const auto marked = explained(25), other = explained(80);
    CHECK(marked.fate == control::Explanation::Fate::protect);
    CHECK(says(marked, "the packet filter has marked it \"mail\""));
    REQUIRE(marked.spd.at(1).match);
    CHECK(marked.spd.at(1).match->text == "tagged \"mail\" PROTECT esp/tunnel/20.0.0.1-20.0.0.2/require");
    CHECK(other.fate == control::Explanation::Fate::forward);
    REQUIRE(other.spd.at(1).nearly.size() == 1);
    CHECK(other.spd.at(1).nearly[0].why == "tag");
}

TEST_CASE("a policy with a key of GRE meets the packets that carry it (RFC 2890 2.1)") {
    Tokyo tokyo{
        "spdadd 10.0.1.0/24 10.0.2.0/24 gre 0.1.0.44 -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;"
        "spdadd 10.0.1.0/24 10.0.2.0/24 gre -P out none;"};
    const auto gre = [](std::uint16_t flags, const Octets& rest) {
        return ipv4("10.0.1.5", "10.0.2.5", 47, octets_of(Big16{flags}) + octets_of(Big16{0x0800}) + rest + Octets(40));
    };
    const auto key = [](std::uint32_t number) { return octets_of(Big32{number}); };
    CHECK(tokyo.sends_esp(gre(0x2000, key(0x1002c))));
    CHECK(tokyo.sends_clear(gre(0x2000, key(0x1002d))));
    CHECK(tokyo.sends_clear(gre(0x2000, key(0x2c))));
    CHECK(tokyo.sends_clear(gre(0x0000, key(0x1002c))));         // what stands there is payload
    CHECK(tokyo.sends_esp(gre(0xa000, key(0) + key(0x1002c))));  // behind a checksum
    CHECK(tokyo.sends_esp(gre(0x3000, key(0x1002c) + key(7))));  // and a sequence number behind
    CHECK(tokyo.sends_clear(gre(0x2001, key(0x1002c))));         // PPTP's: a length and a call
    const Octets short_of_it = ipv4("10.0.1.5", "10.0.2.5", 47, octets_of(Big16{0x2000}) + octets_of(Big16{0x0800}));
    CHECK(tokyo.send(short_of_it).empty());
    CHECK(tokyo.gateway.drops(Drop::fragment_needs_ports) == 1);
}
