// The rows of the section `ike` that are about children. Any thread; constants only.
#include <charconv>

#include "app/config/ike_setters.h"
#include "app/config/setting_rows.h"

namespace torii::config {
namespace {

using ike::ChildConfig;
using ike::StartAction;

std::string set_ip_protocol(File& f, const Value& value) {
    const auto protocol = parse_protocol(value.text);
    if (!protocol) return ": a protocol is a word like tcp, udp or icmp, or a number of 1 to 255";
    child_form(f).child.ip_protocol = *protocol;
    return {};
}

/// "80" or "1024-65535".
template <auto member>
std::string set_ports(File& f, const Value& value) {
    PortRange range;
    const char *const end = value.text.data() + value.text.size(), *at = value.text.data();
    const auto port = [&](std::uint16_t& out) {
        const auto [behind, problem] = std::from_chars(at, end, out);
        at = behind;
        return problem == std::errc{};
    };
    bool right = port(range.low);
    range.high = range.low;
    if (right && at != end) right = *at++ == '-' && port(range.high);
    if (!right || at != end || range.low > range.high) return ": ports are one of 0 to 65535, or two, as in 1024-65535";
    field_of(f, member) = range;
    return {};
}

constexpr auto modes = std::to_array<Choice>({choice("tunnel", Mode::tunnel), choice("transport", Mode::transport)});
constexpr auto protocols =
    std::to_array<Choice>({choice("esp", ike::ProtocolId::esp), choice("ah", ike::ProtocolId::ah)});
constexpr auto starts = std::to_array<Choice>(
    {choice("none", StartAction::none), choice("trap", StartAction::trap), choice("start", StartAction::start)});

using H = IkeChildForm;

const Setting rows[] = {
    {.path = "ike.connections.[].children",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(( { name = "offices"; local = ["10.0.1.0/24"]; remote = ["10.0.2.0/24"]; } ))",
     .meaning = "What is protected with this peer."},
    {.path = "ike.connections.[].children.[]",
     .kind = Kind::group,
     .example = R"({ name = "offices"; local = ["10.0.1.0/24"]; remote = ["10.0.2.0/24"]; })",
     .meaning = "One pair of SAs.",
     .take = [](File& f, const Value&) { return connection_form(f).children.emplace_back(), std::string{}; }},
    {.path = "ike.connections.[].children.[].name",
     .required = true,
     .example = R"("offices")",
     .meaning = "What `torii ike up` and the log call it.",
     .take = set_name<&ChildConfig::name>},
    {.path = "ike.connections.[].children.[].mode",
     .kind = Kind::choice,
     .subject = "a mode",
     .choices = modes,
     .fallback = "\"tunnel\"",
     .example = R"("transport")",
     .meaning = "Between networks, or between the two ends themselves.",
     .take = set<&ChildConfig::mode>},
    {.path = "ike.connections.[].children.[].protocol",
     .kind = Kind::choice,
     .subject = "a protocol",
     .choices = protocols,
     .fallback = "\"esp\"",
     .example = R"("ah")",
     .meaning = "ESP encrypts, AH authenticates only.",
     .take = set<&ChildConfig::protocol>},
    {.path = "ike.connections.[].children.[].proposals",
     .kind = Kind::list,
     .fallback = "the usual ones",
     .example = R"(["aes128gcm16-x25519"])",
     .meaning =
         "What protects the packets, the best first; with a key exchange, new SAs have keys of their own (PFS)."},
    {.path = "ike.connections.[].children.[].proposals.[]",
     .example = R"("aes128gcm16-x25519")",
     .meaning = "Cipher, integrity, key exchange and esn or noesn by their usual words; additional key exchanges as in "
                "those of IKE.",
     .take = add_words<&H::proposals>},
    {.path = "ike.connections.[].children.[].local",
     .kind = Kind::list,
     .fallback = "our own address",
     .example = R"(["10.0.1.0/24"])",
     .meaning = "The networks on our side."},
    {.path = "ike.connections.[].children.[].local.[]",
     .example = R"("10.0.1.0/24")",
     .meaning = "One network, or one host.",
     .take = add_network<&ChildConfig::local>},
    {.path = "ike.connections.[].children.[].remote",
     .kind = Kind::list,
     .fallback = "the peer's address",
     .example = R"(["10.0.2.0/24"])",
     .meaning = "The networks on the peer's side."},
    {.path = "ike.connections.[].children.[].remote.[]",
     .example = R"("10.0.2.0/24")",
     .meaning = "One network, or one host.",
     .take = add_network<&ChildConfig::remote>},
    {.path = "ike.connections.[].children.[].ip_protocol",
     .fallback = "any",
     .example = R"("tcp")",
     .meaning = "The one protocol that is protected.",
     .take = set_ip_protocol},
    {.path = "ike.connections.[].children.[].local_ports",
     .fallback = "all",
     .example = R"("1024-65535")",
     .meaning = "Its ports on our side.",
     .take = set_ports<&ChildConfig::local_ports>},
    {.path = "ike.connections.[].children.[].remote_ports",
     .fallback = "all",
     .example = R"("110")",
     .meaning = "Its ports on the peer's side.",
     .take = set_ports<&ChildConfig::remote_ports>},
    {.path = "ike.connections.[].children.[].ipcomp",
     .kind = Kind::flag,
     .fallback = "false",
     .example = "true",
     .meaning = "Compress packets too, where the peer does (RFC 3173).",
     .take = set<&ChildConfig::ipcomp>},
    {.path = "ike.connections.[].children.[].start",
     .kind = Kind::choice,
     .subject = "start",
     .choices = starts,
     .fallback = "\"none\"",
     .example = R"("trap")",
     .meaning = "When it is negotiated: when the peer or `torii ike up` asks, with the first packet, or at once.",
     .take = set<&ChildConfig::start>},
    {.path = "ike.connections.[].children.[].policies",
     .kind = Kind::flag,
     .fallback = "true",
     .example = "false",
     .meaning = "Make the policies as well; false: they are setkey's, and IKE brings the SAs that they ask for.",
     .take = set<&ChildConfig::makes_policies>},
    {.path = "ike.connections.[].children.[].rekey_seconds",
     .kind = Kind::integer,
     .subject = "a lifetime",
     .range = {60, 86400 * 30, "seconds"},
     .fallback = "3600",
     .example = "28800",
     .meaning = "How old its SAs become before new ones take their place.",
     .take = set<&ChildConfig::rekey_seconds>},
    {.path = "ike.connections.[].children.[].rekey_octets",
     .kind = Kind::integer,
     .subject = "a lifetime",
     .range = {0, 1ll << 62, "octets"},
     .fallback = "0",
     .example = "1000000000000",
     .meaning = "The same in octets; 0: as many as there are.",
     .take = set<&ChildConfig::rekey_octets>},
    {.path = "ike.connections.[].children.[].rekey_packets",
     .kind = Kind::integer,
     .subject = "a lifetime",
     .range = {0, 1ll << 62, "packets"},
     .fallback = "0",
     .example = "1000000000",
     .meaning = "The same in packets.",
     .take = set<&ChildConfig::rekey_packets>},
    {.path = "ike.connections.[].children.[].life_seconds",
     .kind = Kind::integer,
     .subject = "a lifetime",
     .range = {60, 86400 * 31, "seconds"},
     .fallback = "4320",
     .example = "36000",
     .meaning = "How old an SA becomes when nobody replaces it: then it ends.",
     .take = set<&ChildConfig::life_seconds>},
    {.path = "ike.connections.[].children.[].replay_packets",
     .kind = Kind::integer,
     .subject = "a replay window",
     .range = {0, 65536, "packets"},
     .fallback = "1024",
     .example = "64",
     .meaning = "How late a packet may come; 0: replays are not looked for.",
     .take = set<&ChildConfig::replay_packets>},
};

}  // namespace

std::span<const Setting> rows_of_ike_children() { return rows; }

}  // namespace torii::config
