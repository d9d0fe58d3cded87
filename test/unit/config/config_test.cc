#include "catch.h"

#include "app/config/read.h"
#include "app/config/settings.h"
#include "every_setting.h"

using namespace torii;

namespace {

constexpr unsigned two_cores = 2;

std::string error_of(std::string_view text) {
    const auto read = config::from_text(text, "FILE", two_cores);
    return read ? "no error" : read.error().message;
}

/// A file around `rest`, whose first line is line 2.
std::string with_wan(const std::string& rest) {
    return R"(ports = ( { name = "wan"; device = "net_null0"; addresses = ["20.0.0.1/24"]; } );)"
           "\n" +
           rest;
}

/// A file with one port whose settings are `settings`, on line 2.
std::string port(const std::string& settings) {
    return "ports = ( { name = \"wan\"; device = \"net_null0\";\n" + settings + " } );";
}

struct Told {
    std::string text, error;
};

void check_all(const std::vector<Told>& cases) {
    for (const auto& [text, error] : cases) CHECK(error_of(text) == error);
}

}  // namespace

TEST_CASE("a file with every setting reads into what it says") {
    const auto read = config::from_text(every_setting, "/etc/torii/tokyo.conf", two_cores);
    REQUIRE(read);
    const Configuration& c = *read;
    CHECK(c.name == "tokyo");
    CHECK(c.workers == 1);
    CHECK(c.cores == std::vector{0u, 1u});
    CHECK(c.polling == Polling::busy);
    CHECK(c.burst == 32);
    CHECK(c.memory_megabytes == 512);
    CHECK(c.mbufs == 32768);
    REQUIRE(c.ports.size() == 3);
    CHECK(c.ports[0].name == "office");
    CHECK(c.ports[0].device == "net_af_packet0,iface=office0");
    REQUIRE(c.ports[0].addresses.size() == 2);
    CHECK(c.ports[0].addresses[1].address.text() == "2001:db8:1::1");
    CHECK(c.ports[0].addresses[1].prefix_length == 64);
    CHECK(c.ports[0].mtu == 9000);
    CHECK(c.ports[0].role == PortRole::protected_port);
    CHECK(c.ports[0].queues == 1);
    CHECK(c.ports[1].role == PortRole::unprotected_port);
    CHECK(c.ports[2].role == PortRole::host_port);
    REQUIRE(c.routes.size() == 2);
    CHECK(c.routes[0].destination.text() == "10.0.2.0/24");
    CHECK(c.routes[0].via.text() == "20.0.0.2");
    CHECK(c.routes[0].port == "wan");
    CHECK(c.routes[1].port == "wan");
    REQUIRE(c.neighbours.size() == 1);
    CHECK(c.neighbours[0].mac.text() == "02:00:5e:10:00:02");
    CHECK(c.neighbours[0].port == "wan");  // found by its network
    CHECK(c.default_policy == PolicyAction::bypass);
    CHECK(c.esp_trans_deflev == Level::require);
    CHECK(c.esp_net_deflev == Level::require);
    CHECK(c.ah_trans_deflev == Level::require);
    CHECK(c.ah_net_deflev == Level::use);
    CHECK(c.prefer_old_sa);
    CHECK((c.dscp_map[46] == 34 && c.dscp_map[0] == 1 && c.dscp_map[34] == 34 && c.tunnel_ttl == 0));
    CHECK(c.tunnel_flowlabel == control::FlowLabelTunnel::copy);
    CHECK(c.legacy);
    CHECK(c.readable_keys == ReadableKeys::refuse);
    CHECK(config::summary(*read).find("\n           legacy algorithms may be used\n") != std::string::npos);
    CHECK(c.setkey_file == "/etc/torii/keys/tokyo.setkey");
    CHECK(c.control_socket == "/etc/torii/tokyo.sock");
    CHECK(c.log_file == "/var/log/torii.log");
    CHECK(c.log_level == "debug");
    CHECK(c.only_kernels == "openssl");
    CHECK_FALSE(c.time_kernels);
}

TEST_CASE("a file with the required settings alone keeps every default, and drops what no policy names") {
    const auto read = config::from_text(with_wan(""), "FILE", two_cores);
    REQUIRE(read);
    CHECK(read->name == Configuration{}.name);
    CHECK(read->default_policy == PolicyAction::discard);
    CHECK(read->ports[0].mtu == 1500);
    CHECK(read->control_socket == "/run/torii/control.sock");
    CHECK(read->setkey_file.empty());
    CHECK_FALSE(read->legacy);
    CHECK(read->log_file.empty());
}

TEST_CASE("the defaults the manual names are those of the code") {
    const Configuration c;
    const PortConfiguration p;
    const std::pair<std::string_view, std::string> defaults[] = {
        {"gateway.name", "\"" + c.name + "\""},        {"gateway.workers", std::to_string(c.workers)},
        {"gateway.burst", std::to_string(c.burst)},    {"gateway.memory_megabytes", std::to_string(c.memory_megabytes)},
        {"gateway.mbufs", std::to_string(c.mbufs)},    {"ports.[].mtu", std::to_string(p.mtu)},
        {"ports.[].queues", std::to_string(p.queues)}, {"control.socket", "\"" + c.control_socket + "\""},
        {"log.level", "\"" + c.log_level + "\""}};
    for (const auto& [path, text] : defaults) CHECK(config::find_setting(path)->fallback == text);
    const std::pair<std::string_view, int> choices[] = {{"gateway.polling", int(c.polling)},
                                                        {"ports.[].role", int(p.role)},
                                                        {"ipsec.def_policy", int(c.default_policy)},
                                                        {"ipsec.readable_keys", int(c.readable_keys)},
                                                        {"ipsec.esp_trans_deflev", int(c.esp_trans_deflev)},
                                                        {"ipsec.esp_net_deflev", int(c.esp_net_deflev)},
                                                        {"ipsec.ah_trans_deflev", int(c.ah_trans_deflev)},
                                                        {"ipsec.ah_net_deflev", int(c.ah_net_deflev)}};
    for (const auto& [path, value] : choices)
        for (const auto& choice : config::find_setting(path)->choices)
            CHECK((config::find_setting(path)->fallback == "\"" + std::string{choice.name} + "\"") ==
                  (choice.value == value));
}

TEST_CASE("a number out of range is told with its range") {
    check_all({
        {port("mtu = 90000;"), "FILE:2: ports.[0].mtu is 90000: an MTU is 576 to 9000 octets"},
        {port("mtu = 575;"), "FILE:2: ports.[0].mtu is 575: an MTU is 576 to 9000 octets"},
        {port("queues = 17;"), "FILE:2: ports.[0].queues is 17: the number of queues is 0 to 16"},
        {with_wan("gateway = { workers = 0; };"), "FILE:2: gateway.workers is 0: the number of workers is 1 to 16"},
        {with_wan("gateway = { workers = 17; };"), "FILE:2: gateway.workers is 17: the number of workers is 1 to 16"},
        {with_wan("gateway = { burst = 257; };"), "FILE:2: gateway.burst is 257: a burst is 1 to 256 packets"},
        {with_wan("gateway = { memory_megabytes = 63; };"),
         "FILE:2: gateway.memory_megabytes is 63: the memory is 64 to 1048576 megabytes"},
        {with_wan("gateway = { mbufs = -1; };"),
         "FILE:2: gateway.mbufs is -1: the packet pool is 1024 to 16777216 packets"},
    });
}

TEST_CASE("integers that libconfig 1.5 would wrap arrive whole and are refused by their setting") {
    check_all({
        {port("mtu = 5000000000;"), "FILE:2: ports.[0].mtu is 5000000000: an MTU is 576 to 9000 octets"},
        {port("mtu = 4294968796;"),
         "FILE:2: ports.[0].mtu is 4294968796: an MTU is 576 to 9000 octets"},  // 1500 modulo 2^32
        {port("mtu = 4294968796L;"), "FILE:2: ports.[0].mtu is 4294968796: an MTU is 576 to 9000 octets"},
        {port("mtu = 0x1000005dc;"), "FILE:2: ports.[0].mtu is 4294968796: an MTU is 576 to 9000 octets"},
        {port("mtu = 0x1000005dcL;"), "FILE:2: ports.[0].mtu is 4294968796: an MTU is 576 to 9000 octets"},
        {port("mtu = 18446744073709553116;"),
         "FILE:2: ports.[0].mtu is beyond 64 bits: an MTU is 576 to 9000 octets"},  // 1500 modulo 2^64
        {port("mtu = 0x100000000000005dcL;"), "FILE:2: ports.[0].mtu is beyond 64 bits: an MTU is 576 to 9000 octets"},
        {port("mtu = -18446744073709550116;"), "FILE:2: ports.[0].mtu is beyond 64 bits: an MTU is 576 to 9000 octets"},
        {with_wan("gateway = { cores = [0,\n4294967296]; };"),
         "FILE:3: gateway.cores.[1] is 4294967296: a core is 0 to 1023"},
    });
    for (const auto* right :
         {"mtu = 1500;", "mtu = 1500L;", "mtu = 1500LL;", "mtu = 0x5dc;", "mtu = 0X5DCL;", "mtu = +1500;", "mtu=1500"})
        CHECK(error_of(port(right)) == "no error");
    CHECK(error_of(port("# mtu = 5000000000\n// 5000000000\n/* 5000000000\n\" */ mtu = 1500;")) == "no error");
    CHECK(config::from_text(with_wan("crypto = { only_kernels = \"5000000000 \\\" 5000000000\"; };"), "FILE")
              ->only_kernels == "5000000000 \" 5000000000");
}

TEST_CASE("a name out of a list is told with the list") {
    check_all({
        {port("role = \"inside\";"), "FILE:2: ports.[0].role is \"inside\": a role is protected, unprotected or host"},
        {with_wan("gateway = { polling = \"lazy\"; };"),
         "FILE:2: gateway.polling is \"lazy\": polling is busy or adaptive"},
        {with_wan("log = { level = \"loud\"; };"),
         "FILE:2: log.level is \"loud\": a log level is trace, debug, info, warning, error, critical or off"},
        {with_wan("ipsec = { def_policy = \"bypass\"; };"),
         "FILE:2: ipsec.def_policy is \"bypass\": def_policy is discard or none"},
        {with_wan("ipsec = { dscp_map = [ \"46:64\" ]; };"),
         "FILE:2: ipsec.dscp_map.[0] is \"46:64\": a mapping is two DSCPs of 0 to 63, as in 46:34"},
        {with_wan("ipsec = { esp_net_deflev = \"unique\"; };"),
         "FILE:2: ipsec.esp_net_deflev is \"unique\": a level is use or require"},
    });
}

TEST_CASE("an unknown setting is told with the name that was meant") {
    check_all({
        {port("mut = 1500;"), "FILE:2: ports.[0].mut is not a setting: did you mean mtu?"},
        {port("adresses = [];"), "FILE:2: ports.[0].adresses is not a setting: did you mean addresses?"},
        {with_wan("ipsec = { preferred_oldsa = true; };"),
         "FILE:2: ipsec.preferred_oldsa is not a setting: did you mean prefered_oldsa?"},
        {with_wan("route = ();"), "FILE:2: route is not a setting: did you mean routes?"},
        {with_wan("workers = 2;"), "FILE:2: workers is not a setting: it belongs to gateway"},
        {with_wan("gateway = { mtu = 1500; };"), "FILE:2: gateway.mtu is not a setting: it belongs to ports.[]"},
        {with_wan("crypto = { colour = { blue = 1; }; };"),
         "FILE:2: crypto.colour is not a setting: known here: only_kernels, time_kernels"},
    });
}

TEST_CASE("a value of the wrong kind is told with the kind that is wanted") {
    check_all({
        {port("mtu = \"1500\";"), "FILE:2: ports.[0].mtu is a string: an integer is wanted, as in mtu = 9000"},
        {port("mtu = 1.5e3;"), "FILE:2: ports.[0].mtu is a fraction: an integer is wanted, as in mtu = 9000"},
        {port("mtu = [1500];"), "FILE:2: ports.[0].mtu is a list: an integer is wanted, as in mtu = 9000"},
        {port("role = true;"), "FILE:2: ports.[0].role is a boolean: a string is wanted, as in role = \"protected\""},
        {port("addresses = \"10.0.1.1/24\";"),
         "FILE:2: ports.[0].addresses is a string: a list is wanted, as in addresses = [\"20.0.0.1/24\"]"},
        {port("addresses = (7);"),
         "FILE:2: ports.[0].addresses.[0] is an integer: a string is wanted, as in \"20.0.0.1/24\""},
        {with_wan("ipsec = { prefered_oldsa = 1; };"),
         "FILE:2: ipsec.prefered_oldsa is an integer: true or false is wanted, as in prefered_oldsa = true"},
        {with_wan("gateway = ( );"),
         "FILE:2: gateway is a list: a group { ... } is wanted, as in gateway = { name = \"tokyo\"; }"},
        {with_wan("routes = [ \"10.0.2.0/24\" ];"),
         "FILE:2: routes.[0] is a string: a group { ... } is wanted, as in { destination = \"10.0.2.0/24\"; via = "
         "\"20.0.0.2\"; }"},
        {"ports = { name = \"wan\"; };",
         "FILE:1: ports is a group: a list is wanted, as in ports = ( { name = \"wan\"; device = \"0000:03:00.0\"; } "
         ")"},
    });
}

TEST_CASE("what is required and missing is told with an example") {
    check_all({
        {"",
         "FILE:1: ports is missing: it is required, as in ports = ( { name = \"wan\"; device = \"0000:03:00.0\"; } )"},
        {"\nports = ();", "FILE:2: ports has 0: a gateway has 1 to 32 ports"},
        {"ports = (\n{ name = \"wan\"; } );",
         "FILE:2: ports.[0].device is missing: it is required, as in device = \"net_af_packet0,iface=wan0\""},
        {"ports = (\n{ device = \"net_null0\"; } );",
         "FILE:2: ports.[0].name is missing: it is required, as in name = \"wan\""},
        {with_wan("routes = ( { via = \"20.0.0.2\"; } );"),
         "FILE:2: routes.[0].destination is missing: it is required, as in destination = \"10.0.2.0/24\""},
        {with_wan("routes = ( { destination = \"10.0.2.0/24\"; } );"),
         "FILE:2: routes.[0].via is missing: it is required, as in via = \"20.0.0.2\""},
        {with_wan("neighbours = ( { address = \"20.0.0.2\"; } );"),
         "FILE:2: neighbours.[0].mac is missing: it is required, as in mac = \"02:00:5e:10:00:01\""},
    });
}

TEST_CASE("a port's address is one host's, with its prefix length") {
    const std::string right = ": a port's address is one host's, with its prefix length, as in 20.0.0.1/24";
    const std::vector<Told> wrong = {
        {"20.0.0.1", ", without a prefix length" + right},
        {"20.0.0/24", ", not an IPv4 or IPv6 address" + right},
        {"20.0.0.1/33", ": a prefix length is 1 to 32, as in 20.0.0.1/24"},
        {"20.0.0.1/0", ": a prefix length is 1 to 32, as in 20.0.0.1/24"},
        {"2001:db8::1/129", ": a prefix length is 1 to 128, as in 20.0.0.1/24"},
        {"20.0.0.0/24", ", the address of the network itself" + right},
        {"20.0.0.255/24", ", the network's broadcast address" + right},
        {"127.0.0.1/8", ", a loopback address" + right},
        {"::1/128", ", a loopback address" + right},
        {"224.0.0.1/24", ", a multicast address" + right},
        {"ff02::1/64", ", a multicast address" + right},
        {"255.255.255.255/32", ", a reserved address" + right},
        {"0.0.0.0/24", ", an address of no host" + right},
        {"::/64", ", an address of no host" + right},
        {"::ffff:20.0.0.1/120", ", an IPv4-mapped address" + right},
        {"2001:db8::/64", ", the address of the network itself" + right},
        {"fe80::1/10", ": a link-local address's network is fe80::/64, as in fe80::1/64"},
    };
    for (const auto& [address, error] : wrong)
        CHECK(error_of(port("addresses = [\"" + address + "\"];")) ==
              "FILE:2: ports.[0].addresses.[0] is \"" + address + "\"" + error);
    for (const std::string address :
         {"20.0.0.1/32", "20.0.0.0/31", "20.0.0.1/31", "20.0.0.255/23", "2001:db8::/127", "fe80::1/64"})
        CHECK(error_of(port("addresses = [\"" + address + "\"];")) == "no error");
}

TEST_CASE("names, devices, MAC addresses and paths are such as work later") {
    const std::string device =
        ": a device is a PCI address like 0000:03:00.0, or a DPDK driver with its arguments like net_af_packet0,iface=";
    const std::string mac = ": a MAC address has six octets, as in 02:00:5e:10:00:01";
    const auto neighbour = [](const std::string& text) {
        return with_wan("neighbours = ( { address = \"20.0.0.2\"; mac = \"" + text + "\"; } );");
    };
    check_all({
        {"ports = ( { name = \"the wan\"; device = \"net_null0\"; } );",
         "FILE:1: ports.[0].name is \"the wan\": a name is 1 to 31 letters, digits, '-', '_' and '.'"},
        {with_wan("gateway = { name = \"\"; };"),
         "FILE:2: gateway.name is \"\": a name is 1 to 31 letters, digits, '-', '_' and '.'"},
        {"ports = ( { name = \"wan\"; device = \"eth0\"; } );",
         "FILE:1: ports.[0].device is \"eth0\"" + device + "eth0"},
        {"ports = ( { name = \"wan\"; device = \"net_tap0, iface=x\"; } );",
         "FILE:1: ports.[0].device is \"net_tap0, iface=x\"" + device + "wan"},
        {neighbour("02:00:5e:10:00"), "FILE:2: neighbours.[0].mac is \"02:00:5e:10:00\"" + mac},
        {neighbour("ff:ff:ff:ff:ff:ff"),
         "FILE:2: neighbours.[0].mac is \"ff:ff:ff:ff:ff:ff\": a neighbour's MAC address is one station's, no group's, "
         "as in 02:00:5e:10:00:01"},
        {with_wan("ipsec = { setkey_file = \"\"; };"),
         "FILE:2: ipsec.setkey_file is \"\": a file's path is wanted, or no such line"},
        {with_wan("control = { socket = \"\"; };"),
         "FILE:2: control.socket is \"\": a file's path is wanted, or no such line"},
        {with_wan("control = { socket = \"/" + std::string(107, 'x') + "\"; };"),
         "FILE:2: control.socket is \"/" + std::string(59, 'x') +
             "...\", 108 octets with its folder: a socket's path has 1 to 107 octets"},
    });
}

TEST_CASE("ports do not share names, devices, addresses or networks") {
    const auto two = [](const std::string& first, const std::string& second) {
        return "ports = (\n{ " + first + " },\n{ " + second + " } );";
    };
    check_all({
        {two("name = \"wan\"; device = \"net_null0\";", "name = \"wan\"; device = \"net_null1\";"),
         "FILE:3: ports.[1].name is \"wan\", as ports.[0].name is: every port has its own name"},
        {two("name = \"a\"; device = \"net_tap0,iface=a\";", "name = \"b\"; device = \"net_tap0,iface=b\";"),
         "FILE:3: ports.[1].device is \"net_tap0\", as ports.[0].device is: every port has its own device"},
        {two("name = \"a\"; device = \"net_null0\"; addresses = [\"20.0.0.1/24\"];",
             "name = \"b\"; device = \"net_null1\"; addresses = [\"20.0.0.1/16\"];"),
         "FILE:3: ports.[1].addresses.[0] is 20.0.0.1/16, as ports.[0].addresses.[0] is: every address stands once"},
        {two("name = \"a\"; device = \"net_null0\"; addresses = [\"20.0.0.1/24\"];",
             "name = \"b\"; device = \"net_null1\"; addresses = [\"20.0.0.2/24\"];"),
         "FILE:3: ports.[1].addresses.[0] is 20.0.0.2/24: 20.0.0.0/24 is the network of ports.[0] already; two ports "
         "have two networks"},
    });
    CHECK(error_of(port("addresses = [\"20.0.0.1/24\", \"20.0.0.2/24\"];")) == "no error");
}

TEST_CASE("rules of the packet filter are understood, and for ports that are there") {
    const auto read = config::from_text(
        with_wan(R"(filter = { wire = ["pass in on wan proto esp", "block"]; clear_default = "block"; };)"), "FILE",
        two_cores);
    REQUIRE(read);
    REQUIRE(read->filter_wire.rules.size() == 2);
    CHECK(read->filter_wire.rules[0].text() == "pass in on wan proto esp");
    CHECK(read->filter_wire.otherwise == control::FilterAction::pass);
    CHECK(read->filter_clear.otherwise == control::FilterAction::block);
    check_all({
        {with_wan(R"(filter = { wire = ["blok in"]; };)"),
         "FILE:2: filter.wire.[0] is \"blok in\": pass or block is wanted, not 'blok'"},
        {with_wan(R"(filter = { clear = ["block", "pass on lan"]; };)"),
         "FILE:2: filter.clear.[1] is for port \"lan\": there is wan"},
        {with_wan(R"(filter = { clear = ["pass on wan tag mail"]; };)"),
         "FILE:2: filter.clear.[0] gives a tag: that is for filter.wire, because policies have been asked before hook "
         "clear is"},
    });
}

TEST_CASE("cores are as many as threads, and on this machine") {
    check_all({
        {with_wan("gateway = { cores = [0]; };"),
         "FILE:2: gateway.cores names 1: the control thread and gateway.workers = 1 want 2"},
        {with_wan("gateway = { cores = [0, 1, 1]; };"),
         "FILE:2: gateway.cores names 3: the control thread and gateway.workers = 1 want 2"},
        {with_wan("gateway = { cores = [0, 2]; };"), "FILE:2: gateway.cores.[1] is 2: this machine's cores are 0 to 1"},
    });
    CHECK(error_of(with_wan("gateway = { workers = 3; cores = [0, 1, 1, 1]; };")) == "no error");
}

TEST_CASE("a route leads to a network of its own, via a host that a port reaches") {
    const auto route = [](const std::string& destination, const std::string& rest) {
        return with_wan("routes = ( { destination = \"" + destination + "\"; " + rest + " } );");
    };
    const std::string via = "via = \"20.0.0.2\";";
    check_all({
        {route("10.0.2.0", via),
         "FILE:2: routes.[0].destination is \"10.0.2.0\": a destination is a network with its prefix length, as in "
         "10.0.2.0/24 or 0.0.0.0/0"},
        {route("10.0.2.5/24", via),
         "FILE:2: routes.[0].destination is \"10.0.2.5/24\" with bits set behind its prefix length: 10.0.2.0/24 would "
         "be the network"},
        {route("20.0.0.0/24", via),
         "FILE:2: routes.[0].destination is 20.0.0.0/24: that is the network of ports.[0] and needs no route"},
        {route("10.0.2.0/24", "via = \"20.0.0.2/24\";"),
         "FILE:2: routes.[0].via is \"20.0.0.2/24\", not an IPv4 or IPv6 address: one host is wanted, as in 20.0.0.2"},
        {route("10.0.2.0/24", "via = \"224.0.0.1\";"),
         "FILE:2: routes.[0].via is \"224.0.0.1\", a multicast address: one host is wanted, as in 20.0.0.2"},
        {route("10.0.2.0/24", "via = \"30.0.0.2\";"),
         "FILE:2: routes.[0].via is 30.0.0.2, in no port's network: right is an address of one, or name the port that "
         "leads there"},
        {route("10.0.2.0/24", "via = \"20.0.0.1\";"),
         "FILE:2: routes.[0].via is 20.0.0.1: that is this gateway's own address, at ports.[0].addresses.[0]; another "
         "host's is wanted"},
        {route("2001:db8::/32", via),
         "FILE:2: routes.[0].via is 20.0.0.2: a route to 2001:db8::/32 goes via an address of the same family"},
        {route("10.0.2.0/24", via + "port = \"lan\";"),
         "FILE:2: routes.[0].port is \"lan\": there is no such port; the ports are wan"},
        {with_wan("routes = ( { destination = \"0.0.0.0/0\"; via = \"20.0.0.2\"; },\n{ destination = \"0.0.0.0/0\"; "
                  "via = \"20.0.0.3\"; } );"),
         "FILE:3: routes.[1].destination is 0.0.0.0/0, as routes.[0].destination is: a network has one route"},
        {"ports = ( { name = \"a\"; device = \"net_null0\"; addresses = [\"20.0.0.1/24\"]; }, { name = \"b\"; device = "
         "\"net_null1\"; } );\n"
         "routes = ( { destination = \"10.0.2.0/24\"; via = \"20.0.0.2\"; port = \"b\"; } );",
         "FILE:2: routes.[0].port is \"b\": 20.0.0.2 is in the network of port a"},
    });
    CHECK(error_of(route("10.0.2.0/24", "via = \"30.0.0.2\"; port = \"wan\";")) == "no error");
}

TEST_CASE("a route without a port leads by the one whose network holds its next hop, the host port's too") {
    const auto c = config::from_text(
        R"(ports = ( { name = "wan"; device = "net_null0"; addresses = ["20.0.0.1/24"]; },
                     { name = "host"; device = "net_tap0"; role = "host"; addresses = ["10.9.0.1/24"]; } );
           routes = ( { destination = "10.5.0.0/16"; via = "10.9.0.2"; },
                      { destination = "10.6.0.0/16"; via = "20.0.0.2"; } );)",
        "FILE", two_cores);
    REQUIRE(c);
    CHECK(c->routes.at(0).port == "host");
    CHECK(c->routes.at(1).port == "wan");
}

TEST_CASE("neighbours and next hops are no more than the gateway has places for") {
    const auto routes = [](unsigned count) {
        std::string list;
        for (unsigned i = 0; i < count; ++i)
            list += std::string{i ? "," : ""} + "{ destination = \"" + Address::v4(0x0a000000 + i * 256).text() +
                    "/24\"; via = \"" + Address::v4(0x1e000000 + i).text() + "\"; port = \"wan\"; }";
        return with_wan("routes = (" + list + ");");
    };
    CHECK(error_of(routes(4095)) == "no error");
    CHECK(error_of(routes(4096)) ==
          "FILE:2: routes with neighbours and routes together 4096 next hops: the gateway knows 4095 at most");
}

TEST_CASE("a ring frame that no packet buffer can hold is refused") {
    const auto framesz = [](const std::string& octets) {
        return "ports = ( { name = \"wan\"; device = \"net_af_packet0,iface=wan0,framesz=" + octets + "\"; } );";
    };
    CHECK(error_of(framesz("65024")) == "no error");
    CHECK(error_of(framesz("65536")) ==
          "FILE:1: ports.[0].device is \"net_af_packet0,iface=wan0,framesz=65536\": a packet buffer has room for a "
          "framesz of 65000 octets at most");
}

TEST_CASE("a neighbour is in a port's network, once") {
    const auto neighbour = [](const std::string& rest) {
        return with_wan("neighbours = ( { mac = \"02:00:5e:10:00:02\"; " + rest + " } );");
    };
    check_all({
        {neighbour("address = \"30.0.0.2\";"),
         "FILE:2: neighbours.[0].address is 30.0.0.2, in no port's network: right is an address of one"},
        {neighbour("address = \"30.0.0.2\"; port = \"wan\";"),
         "FILE:2: neighbours.[0].address is 30.0.0.2, in no port's network: right is an address of one"},
        {neighbour("address = \"20.0.0.2\"; port = \"lan\";"),
         "FILE:2: neighbours.[0].port is \"lan\": there is no such port; the ports are wan"},
        {neighbour("address = \"20.0.0.1\";"),
         "FILE:2: neighbours.[0].address is 20.0.0.1: that is this gateway's own address, at ports.[0].addresses.[0]; "
         "another host's is wanted"},
        {neighbour("address = \"20.0.0.2\"; }, { mac = \"02:00:5e:10:00:03\"; address = \"20.0.0.2\";"),
         "FILE:2: neighbours.[1].address is 20.0.0.2, as neighbours.[0].address is: a neighbour stands once"},
    });
}

TEST_CASE("a text that does not parse is told with its line and what would be right") {
    const std::string right = ", or just before it: a setting reads NAME = VALUE; and what ( { [ open ) } ] close";
    check_all({
        {"gateway = {\n  name tokyo;\n};", "FILE:2: the file does not parse at \"name tokyo;\"" + right},
        {"gateway = {\n  name = \"tokyo\";\n", "FILE:3: the file does not parse at the end of the file" + right},
        {"log = { };\nlog = { };",
         "FILE:2: a name stands twice in one group at \"log = { };\": each setting is given once"},
        {"gateway = { cores = [0, \"x\"]; };",
         "FILE:1: different kinds of values in one [ ... ] at \"gateway = { cores = [0, \"x\"]; };\": an array's "
         "elements are of one kind"},
        {"gateway = {\n  name = \"tokyo;\n};\n", "FILE:2: the string that begins here never ends: \" closes it"},
        {"/* gateway", "FILE:1: the comment that begins here never ends: */ closes it"},
        {"\n  @include \"more.conf\"\n", "FILE:2: @include is not offered: one gateway, one file"},
        {"log = { };\n# " + std::string(1, '\0') + "\n", "FILE:2: an octet 0 stands here: the file is not text"},
        {"log =\n" + std::string(17, '(') + std::string(17, ')') + ";",
         "FILE:2: groups and lists nest more than 16 deep here: no setting does"},
    });
}

TEST_CASE("an element of a list of many lines is told with its own line") {
    CHECK(error_of(port("addresses = [\n\"10.0.1.1/24\",\n\"10.0.2.1\" # the last\n];")) ==
          "FILE:4: ports.[0].addresses.[1] is \"10.0.2.1\", without a prefix length: a port's address is one host's, "
          "with its prefix length, as in 20.0.0.1/24");
    CHECK(error_of(port("addresses = [ \"10.0\" /* one\n string */ \".1.1/24\",\n \"x\"\n\n ];")) ==
          "FILE:4: ports.[0].addresses.[1] is \"x\", not an IPv4 or IPv6 address: a port's address is one host's, with "
          "its prefix length, as in 20.0.0.1/24");
}

TEST_CASE("all that is wrong with a file is told at once, in the order of its lines, twenty lines at most") {
    CHECK(error_of("gateway = { burst = 0;\n workers = 99; };\nports = (\n { name = \"wan\"; device = \"eth0\"; mtu = "
                   "1; colour = 1; } );") ==
          "FILE:1: gateway.burst is 0: a burst is 1 to 256 packets\n"
          "FILE:2: gateway.workers is 99: the number of workers is 1 to 16\n"
          "FILE:4: ports.[0].device is \"eth0\": a device is a PCI address like 0000:03:00.0, or a DPDK driver with "
          "its arguments like net_af_packet0,iface=eth0\n"
          "FILE:4: ports.[0].mtu is 1: an MTU is 576 to 9000 octets\n"
          "FILE:4: ports.[0].colour is not a setting: known here: name, device, gif, addresses, mtu, role, "
          "queues");
    std::string many = "ports = (";
    for (int i = 0; i < 23; ++i)
        many += (i == 0 ? "\n" : ",\n") + std::string{"{ name = \"p"} + std::to_string(i) + "\"; device = \"net_null" +
                std::to_string(i) + "\"; mtu = 1; }";
    const auto error = error_of(many + ");");
    CHECK(std::ranges::count(error, '\n') == 20);
    CHECK(error.ends_with("\nFILE:21: ports.[19].mtu is 1: an MTU is 576 to 9000 octets\nand 3 more"));
}

TEST_CASE("a wrong port is not told again by the routes that lead through it") {
    CHECK(error_of("ports = ( { name = \"wan\"; device = \"net_null0\"; addresses = [\"20.0.0.1\"]; } );\nroutes = ( { "
                   "destination = \"0.0.0.0/0\"; via = \"20.0.0.2\"; } );") ==
          "FILE:1: ports.[0].addresses.[0] is \"20.0.0.1\", without a prefix length: a port's address is one host's, "
          "with its prefix length, as in 20.0.0.1/24");
}

TEST_CASE("a file that cannot be read is told with the system's reason") {
    const auto absent = config::read("/nonexistent/tokyo.conf");
    CHECK(absent.error().code == Errc::io);
    CHECK(absent.error().message == "/nonexistent/tokyo.conf cannot be read: No such file or directory");
    const auto folder = config::read("/");
    CHECK(folder.error().code == Errc::io);
    CHECK(folder.error().message == "/ cannot be read: Is a directory");
}

TEST_CASE("a summary fits one screen however many routes there are") {
    std::string routes = "routes = (";
    for (int i = 0; i < 200; ++i)
        routes += std::string{i == 0 ? "" : ","} + "{ destination = \"10.1." + std::to_string(i) +
                  ".0/24\"; via = \"20.0.0.2\"; }";
    const auto read = config::from_text(with_wan(routes + ");"), "FILE", two_cores);
    REQUIRE(read);
    CHECK(std::ranges::count(config::summary(*read), '\n') < 24);
    CHECK(config::summary(*read).find("and 192 more routes\n") != std::string::npos);
}
