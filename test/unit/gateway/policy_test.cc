// Which policy a packet meets and what that does to it outbound: docs/conformance.md, row by row.
#include "catch.h"
#include "office.h"

using namespace torii;
using namespace torii::test;
using Kind = control::Event::Kind;

namespace {

struct Tokyo {
    explicit Tokyo(std::string_view setkey = "", Configuration configuration = office_configuration())
        : gateway(std::move(configuration)) {
        if (!setkey.empty()) gateway.setkey(setkey);
    }
    /// What leaves toward the world of a packet from the office.
    std::vector<Octets> send(const Octets& packet) { return pass(gateway, office, {packet}, world); }
    bool sends_clear(const Octets& packet) { return send(packet) == only(after_hops(packet, 1)); }
    /// The SPI a packet leaves with; 0 for one that leaves in clear or not at all.
    std::uint32_t spi_of(const Octets& packet) {
        const auto wire = send(packet);
        return wire.size() == 1 && header_of(wire[0]).protocol == 50 ? esp_of(wire[0]).spi.value() : 0;
    }
    std::vector<std::string> selectors(Direction direction) {
        std::vector<std::string> out;
        gateway.gateway().each_policy([&](const control::PolicyView& view) {
            if (view.policy.direction == direction) out.push_back(view.policy.selector.text());
            return true;
        });
        return out;
    }
    Wires gateway;
};

Configuration kame() {
    Configuration c = office_configuration();
    c.default_policy = PolicyAction::bypass;
    return c;
}

const Octets packet = datagram("10.0.1.5", "10.0.2.5");
constexpr std::string_view two_sas = R"(
add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -E aes-gcm-16 "tokyo-newyork-key001";
add 20.0.0.1 20.0.0.3 esp 0x1003 -m tunnel -E aes-gcm-16 "tokyo-newyork-key003";
)";
std::string with_sas(std::string_view policies) { return std::string{two_sas} + std::string{policies}; }

Configuration two_peers() {
    Configuration c = office_configuration();
    c.neighbours.push_back({Address::v4(0x14000003), peer_mac, "world"});
    return c;
}

}  // namespace

TEST_CASE("without a match a packet passes in clear under def_policy none, and is dropped under discard") {
    Tokyo open{"", kame()}, closed;
    CHECK(open.sends_clear(packet));
    CHECK(closed.send(packet).empty());
    CHECK(closed.gateway.drops(Drop::no_policy) == 1);
    CHECK(open.gateway.drops(Drop::no_policy) == 0);
    const Octets inbound = datagram("10.0.2.5", "10.0.1.5");
    CHECK(pass(open.gateway, world, {inbound}, office) == only(after_hops(inbound, 1)));
    CHECK(pass(closed.gateway, world, {inbound}, office).empty());
    CHECK(closed.gateway.drops(Drop::no_policy) == 2);
}

TEST_CASE("an explicit none ends the search and an explicit discard is not an accident") {
    Tokyo tokyo{R"(
spdadd 10.0.1.0/24 10.0.2.5 any -P out none;
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out discard;
)"};
    CHECK(tokyo.sends_clear(packet));
    CHECK(tokyo.send(datagram("10.0.1.5", "10.0.2.6")).empty());
    CHECK(tokyo.gateway.drops(Drop::policy_discard) == 1);
    CHECK(tokyo.gateway.drops(Drop::no_policy) == 0);
}

TEST_CASE("of policies that match, the one added first is met") {
    Tokyo tokyo{with_sas(R"(
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
spdadd 10.0.1.5 10.0.2.5 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.3/require;
)"),
                two_peers()};
    CHECK(tokyo.spi_of(packet) == 0x1001);
}

TEST_CASE("priority comes before the order of addition, and equal priorities keep it") {
    Tokyo tokyo{with_sas(R"(
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out prio low ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
spdadd 10.0.1.5 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.3/require;
spdadd 10.0.1.5 10.0.2.5 any -P out none;
spdadd 10.0.1.5 10.0.2.9 any -P out prio high discard;
)"),
                two_peers()};
    CHECK(tokyo.spi_of(packet) == 0x1003);
    CHECK(tokyo.spi_of(datagram("10.0.1.6", "10.0.2.5")) == 0x1001);
    CHECK(tokyo.send(datagram("10.0.1.5", "10.0.2.9")).empty());
    CHECK(tokyo.gateway.drops(Drop::policy_discard) == 1);
    CHECK(tokyo.selectors(Direction::outbound) == std::vector<std::string>{
                                                      "10.0.1.5[any] 10.0.2.9[any] any",
                                                      "10.0.1.5[any] 10.0.2.0/24[any] any",
                                                      "10.0.1.5[any] 10.0.2.5[any] any",
                                                      "10.0.1.0/24[any] 10.0.2.0/24[any] any",
                                                  });
}

TEST_CASE("spdupdate replaces a policy and moves it to the end") {
    Tokyo tokyo{with_sas(R"(
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
spdadd 10.0.1.5 10.0.2.5 any -P out none;
)"),
                two_peers()};
    CHECK(tokyo.spi_of(packet) == 0x1001);
    tokyo.gateway.setkey("spdupdate 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.3/require;");
    CHECK(tokyo.sends_clear(packet));
    CHECK(tokyo.spi_of(datagram("10.0.1.6", "10.0.2.5")) == 0x1003);
    CHECK(tokyo.selectors(Direction::outbound).back() == "10.0.1.0/24[any] 10.0.2.0/24[any] any");
}

TEST_CASE("a second policy of the same selector and direction is refused, of the other direction taken") {
    Tokyo tokyo{"spdadd 10.0.1.0/24 10.0.2.0/24 any -P out none;"};
    CHECK(refusal_of(tokyo.gateway, "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out discard;").ends_with("[exists]"));
    CHECK(tokyo.sends_clear(packet));
    tokyo.gateway.setkey("spdadd 10.0.1.0/24 10.0.2.0/24 any -P in discard;");
    CHECK(tokyo.selectors(Direction::inbound).size() == 1);
}

TEST_CASE("policies are dumped inbound first, each direction in search order") {
    Tokyo tokyo{R"(
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out none;
spdadd 10.0.2.0/24 10.0.1.0/24 any -P in none;
spdadd 10.0.1.0/24 10.0.2.0/24 udp -P out prio high none;
)"};
    std::vector<std::string> order;
    tokyo.gateway.gateway().each_policy([&](const control::PolicyView& view) {
        order.push_back((view.policy.direction == Direction::inbound ? "in " : "out ") + view.policy.selector.text());
        return true;
    });
    CHECK(order == std::vector<std::string>{"in 10.0.2.0/24[any] 10.0.1.0/24[any] any",
                                            "out 10.0.1.0/24[any] 10.0.2.0/24[any] udp",
                                            "out 10.0.1.0/24[any] 10.0.2.0/24[any] any"});
}

TEST_CASE("a use request without SA lets the packet pass in clear, a require request drops it") {
    Tokyo use{"spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/use;"};
    CHECK(use.sends_clear(packet));
    Tokyo require{"spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;"};
    CHECK(require.send(packet).empty());
    CHECK(require.gateway.drops(Drop::no_sa) == 1);
    use.gateway.setkey(two_sas);
    require.gateway.setkey(two_sas);
    CHECK(use.spi_of(packet) == 0x1001);
    CHECK(require.spi_of(packet) == 0x1001);
}

TEST_CASE("a packet that finds no SA asks for it by policy and request, whether it passes or not") {
    const auto* const level = GENERATE("use", "require");
    Tokyo tokyo{
        "spdadd 10.0.9.0/24 10.0.2.0/24 any -P out none;"
        "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/" +
        std::string{level} + ";"};
    Told told{tokyo.gateway};
    (void)tokyo.send(packet);
    CHECK(told.count(Kind::acquire) == 1);
    const auto asked = told.last(Kind::acquire);
    CHECK(asked.packet.destination == Address::v4(0x0a000205));
    CHECK(asked.sa == sa_id("20.0.0.1", "20.0.0.2", 0));
    REQUIRE(asked.request);
    CHECK(setkey::request_text(*asked.request) == "esp/tunnel/20.0.0.1-20.0.0.2/" + std::string{level});
    tokyo.gateway.gateway().each_policy([&](const control::PolicyView& view) {
        CHECK((view.policy.id == asked.policy) == (view.policy.action == PolicyAction::protect));
        return true;
    });
    tokyo.gateway.setkey(two_sas);
    CHECK(tokyo.spi_of(packet) == 0x1001);
    CHECK(told.count(Kind::acquire) == 1);
}

TEST_CASE("a bundle asks for each SA it lacks, up to the one that stops the packet, as KAME does") {
    Tokyo tokyo{with_sas(R"(
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec
    esp/tunnel/20.0.0.1-20.0.0.4/use esp/tunnel/20.0.0.1-20.0.0.2/require esp/tunnel/20.0.0.1-20.0.0.3/use;
spdadd 10.0.1.0/24 10.0.4.0/24 any -P out ipsec
    esp/tunnel/20.0.0.1-20.0.0.4/use esp/tunnel/20.0.0.1-20.0.0.5/require esp/tunnel/20.0.0.1-20.0.0.6/use;
)"),
                two_peers()};
    Told told{tokyo.gateway};
    CHECK(tokyo.spi_of(packet) == 0x1003);
    CHECK(told.count(Kind::acquire) == 1);
    CHECK(told.last(Kind::acquire).sa == sa_id("20.0.0.1", "20.0.0.4", 0));
    CHECK(tokyo.send(datagram("10.0.1.5", "10.0.4.5")).empty());
    CHECK(told.count(Kind::acquire) == 3);
    CHECK(told.last(Kind::acquire).sa == sa_id("20.0.0.1", "20.0.0.5", 0));
}

TEST_CASE("a transport policy between networks asks for an SA between the packet's own addresses") {
    Tokyo tokyo{"spdadd 10.0.1.0/24 20.0.0.0/24 any -P out ipsec esp/transport//use;"};
    Told told{tokyo.gateway};
    CHECK(tokyo.sends_clear(datagram("10.0.1.5", "20.0.0.2")));
    CHECK(told.last(Kind::acquire).sa == sa_id("10.0.1.5", "20.0.0.2", 0));
}

TEST_CASE("level default is what the setting for the mode says") {
    Configuration strict = office_configuration();
    strict.esp_net_deflev = Level::require;
    const std::string_view policy =
        "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/default;";
    Tokyo lenient{policy}, demanding{policy, strict};
    CHECK(lenient.sends_clear(packet));
    CHECK(demanding.send(packet).empty());
    CHECK(demanding.gateway.drops(Drop::no_sa) == 1);
}

TEST_CASE("IKE to our own address is taken in clear before the SPD is searched") {
    Tokyo tokyo{"spdadd 0.0.0.0/0 0.0.0.0/0 any -P in discard;"};
    for (const auto port : std::to_array<std::uint16_t>({500, 4500})) {
        (void)pass(tokyo.gateway, world, {ipv4("20.0.0.2", "20.0.0.1", 17, udp(port, port, Octets(28)))}, office);
        CHECK(tokyo.gateway.drops(Drop::policy_discard) == 0);
    }
    CHECK(tokyo.gateway.drops(Drop::local_unwanted) == 2);  // no IKE daemon takes it yet
    SECTION("but no other port of ours") {
        (void)pass(tokyo.gateway, world, {ipv4("20.0.0.2", "20.0.0.1", 17, udp(500, 501, Octets(28)))}, office);
        CHECK(tokyo.gateway.drops(Drop::policy_discard) == 1);
    }
    SECTION("nor TCP") {
        (void)pass(tokyo.gateway, world, {ipv4("20.0.0.2", "20.0.0.1", 6, udp(500, 500, Octets(28)))}, office);
        CHECK(tokyo.gateway.drops(Drop::policy_discard) == 1);
    }
    SECTION("in fragments too, once they are whole") {
        const Octets ike = udp(500, 500, Octets(28));
        const Octets first(ike.begin(), ike.begin() + 16), second(ike.begin() + 16, ike.end());
        (void)pass(tokyo.gateway, world, {ipv4("20.0.0.2", "20.0.0.1", 17, first, {.flags_offset = 0x2000})}, office);
        CHECK(tokyo.gateway.drops(Drop::local_unwanted) == 2);
        (void)pass(tokyo.gateway, world, {ipv4("20.0.0.2", "20.0.0.1", 17, second, {.flags_offset = 2})}, office);
        CHECK(tokyo.gateway.drops(Drop::local_unwanted) == 3);
        CHECK(tokyo.gateway.drops(Drop::policy_discard) == 0);
    }
    SECTION("nor IKE of hosts behind us") {
        CHECK(
            pass(tokyo.gateway, world, {ipv4("20.0.0.2", "10.0.1.5", 17, udp(500, 500, Octets(28)))}, office).empty());
        CHECK(tokyo.gateway.drops(Drop::policy_discard) == 1);
    }
}

TEST_CASE("what was encapsulated is never looked up again: a tunnel for everything does not take its own ESP") {
    Tokyo tokyo{with_sas(R"(
spdadd 0.0.0.0/0 0.0.0.0/0 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
)")};
    const auto wire = tokyo.send(packet);
    REQUIRE(wire.size() == 1);
    CHECK(esp_of(wire[0]).sequence_low == 1);
    CHECK(wire[0].size() == packet.size() + 20 + 8 + 8 + 2 + 2 + 16);  // one ESP tunnel around 100 octets, no more
    CHECK(esp_of(tokyo.send(packet)[0]).sequence_low == 2);
}

TEST_CASE("outbound policy is asked of packets that leave for the world, not of the office's own") {
    Configuration c = office_configuration();
    c.ports.push_back(
        {.name = "lab", .device = "", .addresses = {{Address::v4(0x0a000301), 24}}, .role = PortRole::protected_port});
    c.neighbours.push_back({Address::v4(0x0a000305), host_mac, "lab"});
    Tokyo tokyo{"spdadd 0.0.0.0/0 0.0.0.0/0 any -P out discard;", c};
    const Octets across = datagram("10.0.1.5", "10.0.3.5");
    CHECK(pass(tokyo.gateway, office, {across}, 2) == only(after_hops(across, 1)));
    CHECK(tokyo.send(packet).empty());
}

TEST_CASE("a fragment without ports does not slip past a policy that asks for ports") {
    Tokyo tokyo{R"(
spdadd 10.0.1.0/24 10.0.2.0/24[23] tcp -P out discard;
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out none;
)"};
    const auto fragment = [](std::uint8_t protocol) {
        return ipv4("10.0.1.5", "10.0.2.5", protocol, Octets(64), {.flags_offset = 0x0010});
    };
    CHECK(tokyo.send(fragment(6)).empty());
    CHECK(tokyo.gateway.drops(Drop::fragment_needs_ports) == 1);
    CHECK(tokyo.sends_clear(fragment(17)));
}

TEST_CASE("ports and ICMP types choose a policy, flow by flow") {
    Tokyo tokyo{with_sas(R"(
spdadd 10.0.1.0/24 10.0.2.0/24[5000] udp -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
spdadd 10.0.1.0/24 10.0.2.0/24 icmp 8,0 -P out ipsec esp/tunnel/20.0.0.1-20.0.0.3/require;
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out none;
)"),
                two_peers()};
    for (int again = 0; again < 2; ++again) {  // the second time out of the flow cache
        CHECK(tokyo.spi_of(packet) == 0x1001);
        CHECK(tokyo.spi_of(ipv4("10.0.1.5", "10.0.2.5", 1, icmp_echo(1))) == 0x1003);
        CHECK(tokyo.sends_clear(ipv4("10.0.1.5", "10.0.2.5", 17, udp(4000, 5001, Octets(20)))));
    }
}

TEST_CASE("an unprivileged socket's policy opens no way in clear that def_policy closes") {
    const std::string requests = GENERATE(as<std::string>{}, "esp/transport//use", "ipcomp/transport//require",
                                          "ipcomp/transport//use ah/transport//use");
    Tokyo tokyo;
    const auto bind = [&](const std::string& ends) {
        Policy policy = setkey::parse_policy("spdadd " + ends + " ipsec " + requests + ";").value();
        policy.owner = PolicyOwner::socket;
        std::vector<control::Located> transaction;
        transaction.push_back({control::AddPolicy{std::move(policy)}, {}});
        REQUIRE(tokyo.gateway.gateway().apply(std::move(transaction)));
    };
    tokyo.gateway.setkey("add 10.0.1.5 10.0.2.5 ipcomp 7 -m transport -C deflate;");
    bind("10.0.1.5[4000] 10.0.2.5[5000] 17 -P out");
    bind("0.0.0.0/0[any] 10.0.1.5[5000] 17 -P in");
    const Octets answer = datagram("10.0.2.5", "10.0.1.5");
    const auto receives = [&] { return pass(tokyo.gateway, world, {answer}, office).size() == 1; };
    CHECK(tokyo.send(packet).empty());
    CHECK_FALSE(receives());
    REQUIRE(tokyo.gateway.gateway().set("net.inet.ipsec.def_policy", "none"));
    CHECK(tokyo.send(packet).size() == 1);
    CHECK(receives());
    REQUIRE(tokyo.gateway.gateway().set("net.inet.ipsec.def_policy", "discard"));
    CHECK(tokyo.send(packet).empty());
    CHECK_FALSE(receives());
}
