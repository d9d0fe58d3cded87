// What stands in the file alone: a row for each setting that control/settings.h has not, and where its value goes. Any
// thread; constants only.
#include <algorithm>
#include <charconv>
#include <type_traits>

#include "app/config/ike_form.h"
#include "app/config/setting_rows.h"

namespace torii::config {
namespace {

// ---- where values go

/// The group being read: the root's settings live in the Configuration, a list's in its latest element.
template <class Owner>
Owner& place(Configuration& c) {
    if constexpr (std::is_same_v<Owner, PortConfiguration>) return c.ports.back();
    if constexpr (std::is_same_v<Owner, RouteConfiguration>) return c.routes.back();
    if constexpr (std::is_same_v<Owner, NeighbourConfiguration>) return c.neighbours.back();
    if constexpr (std::is_same_v<Owner, Configuration>) return c;
}

template <class Owner, class Field>
Field& field_of(Configuration& c, Field Owner::*member) {
    return place<Owner>(c).*member;
}

template <auto member>
std::string set(Configuration& c, const Value& value) {
    auto& field = field_of(c, member);
    using Field = std::remove_reference_t<decltype(field)>;
    if constexpr (std::is_same_v<Field, bool>)
        field = value.flag;
    else if constexpr (std::is_enum_v<Field> || std::is_integral_v<Field>)
        field = static_cast<Field>(value.number);
    else
        field = value.text;
    return {};
}

template <auto list>
std::string append(Configuration& c, const Value&) {
    (c.*list).emplace_back();
    return {};
}

// ---- texts that must mean something

template <auto member>
std::string set_name(Configuration& c, const Value& value) {
    constexpr std::size_t longest = 31;
    const auto fits = [](char ch) {
        return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '-' ||
               ch == '_' || ch == '.';
    };
    set<member>(c, value);
    if (!value.text.empty() && value.text.size() <= longest && std::ranges::all_of(value.text, fits)) return {};
    return ": a name is 1 to 31 letters, digits, '-', '_' and '.'";
}

template <auto member>
std::string set_file(Configuration& c, const Value& value) {
    if (value.text.empty()) return ": a file's path is wanted, or no such line";
    return set<member>(c, value);
}

std::string set_device(Configuration& c, const Value& value) {
    set<&PortConfiguration::device>(c, value);
    const std::string_view head = std::string_view{value.text}.substr(0, value.text.find(','));
    const bool blanks = value.text.find_first_of(" \t\r\n") != value.text.npos;
    // PCI addresses and bus names have a colon, driver names an underscore, a class filter an equals sign.
    if (!blanks && head.find_first_of(":_=") != head.npos) return {};
    std::string complaint =
        ": a device is a PCI address like 0000:03:00.0, or a DPDK driver with its arguments like net_af_packet0,iface=";
    const bool kernel_name = !blanks && !head.empty() && head.size() == value.text.size();
    return complaint.append(kernel_name ? head : "wan");
}

/// "46:34": what has DSCP 46 inside has 34 outside.
std::string add_dscp(Configuration& c, const Value& value) {
    constexpr std::string_view right = ": a mapping is two DSCPs of 0 to 63, as in 46:34";
    const char *const end = value.text.data() + value.text.size(), *at = value.text.data();
    const auto dscp = [&](unsigned& out) {
        const auto [behind, problem] = std::from_chars(at, end, out);
        at = behind;
        return problem == std::errc{} && out < c.dscp_map.size();
    };
    unsigned inside = 0, outside = 0;
    if (!dscp(inside) || at == end || *at++ != ':' || !dscp(outside) || at != end) return std::string{right};
    c.dscp_map[inside] = static_cast<std::uint8_t>(outside);
    return {};
}

constexpr std::string_view address_right =
    ": a port's address is one host's, with its prefix length, as in 20.0.0.1/24";

/// Why no port may have `address` in a network of `length` bits; empty when it may (RFC 1122 3.2.1.3, RFC 3021, RFC
/// 4291 2.4).
std::string_view no_interface_address(const Address& address, unsigned length) {
    const unsigned first = address.raw()[0];
    const bool v4 = address.is_v4();
    if (v4 ? first == 127 : address == Address::parse("::1").value()) return ", a loopback address";
    if (v4 ? first >= 224 && first < 240 : first == 0xff) return ", a multicast address";
    if (v4 && first >= 240) return ", a reserved address";
    if (static const auto mapped = Prefix::parse("::ffff:0:0/96").value(); mapped.contains(address))
        return ", an IPv4-mapped address";
    if (address.is_unspecified() || (v4 && first == 0)) return ", an address of no host";
    if (length + 2 > address.bits()) return {};  // point-to-point and host prefixes have neither of the following
    if (masked(address, length) == address) return ", the address of the network itself";
    if (v4 && (address.v4_number() | 0xffffffffu >> length) == address.v4_number())
        return ", the network's broadcast address";
    return {};
}

std::string add_address(Configuration& c, const Value& value) {
    auto& added = c.ports.back().addresses.emplace_back();
    const auto slash = value.text.find('/');
    const auto address = Address::parse(std::string_view{value.text}.substr(0, slash));
    if (!address) return ", not an IPv4 or IPv6 address" + std::string{address_right};
    if (slash == value.text.npos) return ", without a prefix length" + std::string{address_right};
    const auto prefix = Prefix::parse(value.text);
    if (!prefix || prefix->length() == 0)
        return ": a prefix length is 1 to " + std::to_string(address->bits()) + ", as in 20.0.0.1/24";
    if (const auto why = no_interface_address(*address, prefix->length()); !why.empty())
        return std::string{why} + std::string{address_right};
    if (address->is_link_local() && prefix->length() != 64)
        return ": a link-local address's network is fe80::/64, as in fe80::1/64";
    added = {*address, prefix->length()};
    return {};
}

std::string set_destination(Configuration& c, const Value& value) {
    const auto prefix = Prefix::parse(value.text);
    if (!prefix || value.text.find('/') == value.text.npos)
        return ": a destination is a network with its prefix length, as in 10.0.2.0/24 or 0.0.0.0/0";
    if (!value.text.starts_with(prefix->base().text() + "/") &&
        Address::parse(value.text.substr(0, value.text.find('/'))) != prefix->base())
        return " with bits set behind its prefix length: " + prefix->text() + " would be the network";
    const bool is_default = prefix->length() < 4;
    if (!is_default && prefix->base().is_link_local())
        return ": link-local addresses are on every link and have no route";
    if (!is_default && prefix->base().is_multicast()) return ": multicast is not forwarded";
    c.routes.back().destination = *prefix;
    return {};
}

template <auto member>
std::string set_host(Configuration& c, const Value& value) {
    const auto address = Address::parse(value.text);
    if (!address) return ", not an IPv4 or IPv6 address: one host is wanted, as in 20.0.0.2";
    if (const auto why = no_interface_address(*address, address->bits()); !why.empty())
        return std::string{why} + ": one host is wanted, as in 20.0.0.2";
    field_of(c, member) = *address;
    return {};
}

/// In the file a port says nothing of its MTU until it does: what holds then follows from what it is.
std::string append_port(Configuration& c, const Value&) {
    c.ports.emplace_back().mtu = 0;
    return {};
}

std::string append_gif(Configuration& c, const Value&) {
    c.ports.back().gif.emplace();
    return {};
}

template <auto end>
std::string set_gif_end(Configuration& c, const Value& value) {
    const auto address = Address::parse(value.text);
    if (!address) return ", not an IPv4 or IPv6 address: one host is wanted, as in 20.0.0.2";
    if (const auto why = no_interface_address(*address, address->bits()); !why.empty())
        return std::string{why} + ": one host is wanted, as in 20.0.0.2";
    if (address->is_link_local()) return ", a link-local address: one that has routes is wanted, as in 20.0.0.2";
    (*c.ports.back().gif).*end = *address;
    return {};
}

std::string set_mac(Configuration& c, const Value& value) {
    const auto mac = MacAddress::parse(value.text);
    if (!mac) return ": a MAC address has six octets, as in 02:00:5e:10:00:01";
    if ((mac->octets[0] & 1) != 0 || *mac == MacAddress{})
        return ": a neighbour's MAC address is one station's, no group's, as in 02:00:5e:10:00:01";
    c.neighbours.back().mac = *mac;
    return {};
}

// ---- the table

constexpr Choice pollings[]{{"busy", int(Polling::busy)}, {"adaptive", int(Polling::adaptive)}};
constexpr Choice roles[]{{"protected", int(PortRole::protected_port)},
                         {"unprotected", int(PortRole::unprotected_port)},
                         {"host", int(PortRole::host_port)}};
constexpr Choice readable_keys[]{{"warn", int(ReadableKeys::warn)}, {"refuse", int(ReadableKeys::refuse)}};
constexpr Choice log_levels[]{{"trace", 0}, {"debug", 1},    {"info", 2}, {"warning", 3},
                              {"error", 4}, {"critical", 5}, {"off", 6}};

constexpr Choice filter_actions[]{{"pass", int(control::FilterAction::pass)},
                                  {"block", int(control::FilterAction::block)}};

template <auto hook>
std::string add_rule(Configuration& c, const Value& value) {
    auto rule = control::parse_filter_rule(value.text);
    if (!rule) return ": " + rule.error().message;
    if ((c.*hook).rules.size() == control::most_filter_rules)
        return ": a hook holds at most " + std::to_string(control::most_filter_rules) + " rules";
    (c.*hook).rules.push_back(*std::move(rule));
    return {};
}

template <auto hook>
std::string set_rest(Configuration& c, const Value& value) {
    (c.*hook).otherwise = static_cast<control::FilterAction>(value.number);
    return {};
}

std::string set_log_level(Configuration& c, const Value& value) {
    c.log_level = log_levels[value.number].name;
    return {};
}

using C = Configuration;
using P = PortConfiguration;
using R = RouteConfiguration;
using N = NeighbourConfiguration;

const Setting fixed[] = {
    {.path = "gateway", .kind = Kind::group, .example = R"({ name = "tokyo"; })", .meaning = "The gateway as a whole."},
    {.path = "gateway.name",
     .fallback = "\"torii\"",
     .example = R"("tokyo")",
     .meaning = "What the gateway calls itself in prompts and logs.",
     .take = set_name<&C::name>},
    {.path = "gateway.workers",
     .kind = Kind::integer,
     .subject = "the number of workers",
     .range = {1, 16, ""},
     .fallback = "1",
     .example = "2",
     .meaning = "Threads that move packets; each polls its own queue of every port.",
     .take = set<&C::workers>},
    {.path = "gateway.cores",
     .kind = Kind::list,
     .fallback = "spread over the machine",
     .example = "[0, 1]",
     .meaning = "The CPU core of the control thread, then one for each worker. A core may be named more than once."},
    {.path = "gateway.cores.[]",
     .kind = Kind::integer,
     .subject = "a core",
     .range = {0, 1023, ""},
     .example = "1",
     .meaning = "A CPU core's number, as the operating system counts.",
     .take = [](C& c, const Value& v) { return c.cores.push_back(static_cast<unsigned>(v.number)), std::string{}; }},
    {.path = "gateway.polling",
     .kind = Kind::choice,
     .subject = "polling",
     .choices = pollings,
     .fallback = "\"adaptive\"",
     .example = R"("busy")",
     .meaning = "What a worker without packets does: spin, for the lowest latency, or sleep longer and longer.",
     .take = set<&C::polling>},
    {.path = "gateway.burst",
     .kind = Kind::integer,
     .subject = "a burst",
     .range = {1, 256, "packets"},
     .fallback = "64",
     .example = "32",
     .meaning = "Packets taken from a queue at once.",
     .take = set<&C::burst>},
    {.path = "gateway.memory_megabytes",
     .kind = Kind::integer,
     .subject = "the memory",
     .range = {64, 1048576, "megabytes"},
     .fallback = "256",
     .example = "1024",
     .meaning = "Memory for packets and tables, taken at start: huge pages where there are any.",
     .take = set<&C::memory_megabytes>},
    {.path = "gateway.mbufs",
     .kind = Kind::integer,
     .subject = "the packet pool",
     .range = {1024, 16777216, "packets"},
     .fallback = "16384",
     .example = "65536",
     .meaning = "Packets the gateway can hold at one time, in rings, queues and workers' hands.",
     .take = set<&C::mbufs>},

    {.path = "ports",
     .kind = Kind::list,
     .required = true,
     .example = R"(( { name = "wan"; device = "0000:03:00.0"; } ))",
     .meaning = "The network ports, at least one."},
    {.path = "ports.[]",
     .kind = Kind::group,
     .example = R"({ name = "wan"; device = "0000:03:00.0"; })",
     .meaning = "One port.",
     .take = append_port},
    {.path = "ports.[].name",
     .required = true,
     .example = R"("wan")",
     .meaning = "What routes, neighbours and `show ports` call the port.",
     .take = set_name<&P::name>},
    {.path = "ports.[].device",
     .required = true,
     .unless = "gif",
     .example = R"("net_af_packet0,iface=wan0")",
     .meaning = "A PCI address, or a DPDK driver with its arguments. An af_packet device's ring sizes are completed to "
                "fit the MTU unless given. A gif port has none.",
     .take = set_device},
    {.path = "ports.[].gif",
     .kind = Kind::group,
     .fallback = "none",
     .example = R"({ local = "20.0.0.1"; remote = "20.0.0.2"; })",
     .meaning = "Instead of a device: the port is a tunnel of IP in IP, and routes may lead into it.",
     .take = append_gif},
    {.path = "ports.[].gif.local",
     .required = true,
     .example = R"("20.0.0.1")",
     .meaning = "The tunnel's end here: an address of another port.",
     .take = set_gif_end<&GifConfiguration::local>},
    {.path = "ports.[].gif.remote",
     .required = true,
     .example = R"("20.0.0.2")",
     .meaning = "The tunnel's far end, which a route or a port's network leads to.",
     .take = set_gif_end<&GifConfiguration::remote>},
    {.path = "ports.[].addresses",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(["20.0.0.1/24"])",
     .meaning = "The gateway's own addresses on this port."},
    {.path = "ports.[].addresses.[]",
     .example = R"("20.0.0.1/24")",
     .meaning = "An IPv4 or IPv6 address with the prefix length of its network.",
     .take = add_address},
    {.path = "ports.[].mtu",
     .kind = Kind::integer,
     .subject = "an MTU",
     .range = {576, 9000, "octets"},
     .fallback = "1500",
     .example = "9000",
     .meaning =
         "The largest IP packet of the port's network; at least 1280 on a port with IPv6, and of a gif port 1280 "
         "when it is not given.",
     .take = set<&P::mtu>},
    {.path = "ports.[].role",
     .kind = Kind::choice,
     .subject = "a role",
     .choices = roles,
     .fallback = "\"unprotected\"",
     .example = R"("protected")",
     .meaning = "Behind the gateway (protected), towards the world (unprotected), or the door to this machine's own "
                "programs (host).",
     .take = set<&P::role>},
    {.path = "ports.[].queues",
     .kind = Kind::integer,
     .subject = "the number of queues",
     .range = {0, 16, ""},
     .fallback = "0",
     .example = "2",
     .meaning = "Receive and transmit queues; 0: one for each worker, or as many as the device has.",
     .take = set<&P::queues>},

    {.path = "routes",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(( { destination = "10.0.2.0/24"; via = "20.0.0.2"; } ))",
     .meaning = "Networks behind other routers; the longest prefix wins. The ports' own networks need no route."},
    {.path = "routes.[]",
     .kind = Kind::group,
     .example = R"({ destination = "10.0.2.0/24"; via = "20.0.0.2"; })",
     .meaning = "One route.",
     .take = append<&C::routes>},
    {.path = "routes.[].destination",
     .required = true,
     .example = R"("10.0.2.0/24")",
     .meaning = "The network; 0.0.0.0/0 is the default route, ::/0 that of IPv6.",
     .take = set_destination},
    {.path = "routes.[].via",
     .required = true,
     .example = R"("20.0.0.2")",
     .meaning = "The next router.",
     .take = set_host<&R::via>},
    {.path = "routes.[].port",
     .fallback = "the port whose network holds `via`",
     .example = R"("wan")",
     .meaning =
         "The port that leads there; wanted when no port's network holds `via`, or `via` is link-local (fe80::).",
     .take = set<&R::port>},

    {.path = "neighbours",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(( { address = "20.0.0.2"; mac = "02:00:5e:10:00:01"; } ))",
     .meaning = "Neighbours whose MAC addresses are not asked for by ARP or neighbour discovery."},
    {.path = "neighbours.[]",
     .kind = Kind::group,
     .example = R"({ address = "20.0.0.2"; mac = "02:00:5e:10:00:01"; })",
     .meaning = "One neighbour.",
     .take = append<&C::neighbours>},
    {.path = "neighbours.[].address",
     .required = true,
     .example = R"("20.0.0.2")",
     .meaning = "Its IP address, in the network of a port.",
     .take = set_host<&N::address>},
    {.path = "neighbours.[].mac",
     .required = true,
     .example = R"("02:00:5e:10:00:01")",
     .meaning = "Its MAC address.",
     .take = set_mac},
    {.path = "neighbours.[].port",
     .fallback = "the port whose network holds `address`",
     .example = R"("wan")",
     .meaning = "The port it is on; wanted when `address` is link-local (fe80::).",
     .take = set<&N::port>},

    {.path = "filter",
     .kind = Kind::group,
     .example = R"({ wire = ["pass in on wan proto esp"]; wire_default = "block"; })",
     .meaning = "The packet filter: rules in order, the first that matches decides."},
    {.path = "filter.wire",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(["pass in on wan proto esp", "block in on wan"])",
     .meaning = "Rules for packets as they are on a wire: before IPsec inbound, after IPsec outbound."},
    {.path = "filter.wire.[]",
     .example = R"("block in on wan proto tcp from any to any port 25")",
     .meaning = "A rule, as `torii filter add` takes it.",
     .take = add_rule<&C::filter_wire>},
    {.path = "filter.clear",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(["block in from 10.0.2.0/24 to 10.0.1.5"])",
     .meaning = "Rules for packets on the other side of IPsec."},
    {.path = "filter.clear.[]",
     .example = R"("block in from 10.0.2.0/24 to 10.0.1.5")",
     .meaning = "A rule, as `torii filter add` takes it.",
     .take = add_rule<&C::filter_clear>},
    {.path = "filter.wire_default",
     .kind = Kind::choice,
     .subject = "a default",
     .choices = filter_actions,
     .fallback = "\"pass\"",
     .example = R"("block")",
     .meaning = "What happens to packets that no rule of `wire` matches.",
     .take = set_rest<&C::filter_wire>},
    {.path = "filter.clear_default",
     .kind = Kind::choice,
     .subject = "a default",
     .choices = filter_actions,
     .fallback = "\"pass\"",
     .example = R"("block")",
     .meaning = "What happens to packets that no rule of `clear` matches.",
     .take = set_rest<&C::filter_clear>},

    {.path = "ipsec",
     .kind = Kind::group,
     .example = R"({ setkey_file = "tokyo.setkey"; })",
     .meaning = "Policies and keys. The names are those of KAME's sysctl variables."},
    {.path = "ipsec.setkey_file",
     .fallback = "none",
     .example = R"("tokyo.setkey")",
     .meaning = "SAs and policies loaded at start, in setkey's language.",
     .take = set_file<&C::setkey_file>},
    {.path = "ipsec.legacy",
     .kind = Kind::flag,
     .fallback = "false",
     .example = "true",
     .meaning = "Take SAs with algorithms that RFC 8221 forbids or advises against, and ESP without integrity.",
     .take = set<&C::legacy>},
    {.path = "ipsec.dscp_map",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(["46:34"])",
     .meaning = "What tunnel_dscp = 64 copies otherwise than as it is."},
    {.path = "ipsec.dscp_map.[]",
     .example = R"("46:34")",
     .meaning = "A packet's DSCP, and that of its tunnel's outer header.",
     .take = add_dscp},
    {.path = "ipsec.readable_keys",
     .kind = Kind::choice,
     .subject = "readable_keys",
     .choices = readable_keys,
     .fallback = "\"warn\"",
     .example = R"("refuse")",
     .meaning =
         "What happens to a setkey file that holds keys and that others may read or write, be it loaded at start "
         "or by `setkey -f`: a warning, or nothing of it is done.",
     .take = set<&C::readable_keys>},

    {.path = "control",
     .kind = Kind::group,
     .example = R"({ socket = "/run/torii/tokyo.sock"; })",
     .meaning = "How `torii` reaches the gateway."},
    {.path = "control.socket",
     .fallback = "\"/run/torii/control.sock\"",
     .example = R"("/run/torii/tokyo.sock")",
     .meaning = "Path of the control socket, at most 107 octets; only its owner may open it.",
     .take = set_file<&C::control_socket>},

    {.path = "control.policy_socket",
     .fallback = "none",
     .example = R"("/run/torii-policy.sock")",
     .meaning = "Path of a second socket, open to everybody, through which programs give their own sockets policies "
                "(libtorii-socket).",
     .take = set_file<&C::policy_socket>},

    {.path = "log", .kind = Kind::group, .example = R"({ level = "debug"; })", .meaning = "The gateway's log."},
    {.path = "log.file",
     .fallback = "standard error",
     .example = R"("/var/log/torii.log")",
     .meaning = "The file it is appended to.",
     .take = set_file<&C::log_file>},
    {.path = "log.level",
     .kind = Kind::choice,
     .subject = "a log level",
     .choices = log_levels,
     .fallback = "\"info\"",
     .example = R"("debug")",
     .meaning = "The least important thing that is still logged.",
     .take = set_log_level},

    {.path = "crypto",
     .kind = Kind::group,
     .example = "{ time_kernels = false; }",
     .meaning = "How the gateway chooses among its implementations of each algorithm (`show crypto`)."},
    {.path = "crypto.only_kernels",
     .fallback = "all",
     .example = R"("openssl")",
     .meaning = "Use only implementations whose name contains this text; for tests and measurements.",
     .take = set<&C::only_kernels>},
    {.path = "crypto.time_kernels",
     .kind = Kind::flag,
     .fallback = "true",
     .example = "false",
     .meaning = "Time all implementations at start and keep the fastest; false: the first that gives right answers, "
                "for a quicker start.",
     .take = set<&C::time_kernels>},
};

}  // namespace

std::span<const Setting> rows_of_the_file() { return fixed; }

}  // namespace torii::config
