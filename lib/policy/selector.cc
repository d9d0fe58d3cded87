// Matching one rule against one packet, and how both are written.
#include "policy/selector.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>

namespace torii {

namespace {

struct ProtocolName {
    std::uint8_t number;
    std::string_view name;  // the first of a number is the one that is written
};
constexpr ProtocolName protocol_names[] = {
    {1, "icmp"},  {2, "igmp"},  {4, "ip4"},      {4, "ipv4"},   {6, "tcp"},    {17, "udp"},      {33, "dccp"},
    {41, "ipv6"}, {47, "gre"},  {50, "esp"},     {51, "ah"},    {58, "icmp6"}, {58, "icmpv6"},   {58, "ipv6-icmp"},
    {89, "ospf"}, {103, "pim"}, {108, "ipcomp"}, {112, "vrrp"}, {132, "sctp"}, {136, "udplite"},
};

std::string range_text(const PortRange& ports) {
    if (ports.is_any()) return "any";
    if (ports.low == ports.high) return std::to_string(ports.low);
    return std::to_string(ports.low) + "-" + std::to_string(ports.high);
}

std::string prefix_text(const Prefix& prefix) { return prefix.is_host() ? prefix.base().text() : prefix.text(); }

std::string in_brackets(std::string_view text) { return "[" + std::string{text} + "]"; }

std::string gre_key_text(std::uint16_t high, std::uint16_t low) {
    return std::to_string(std::uint32_t{high} << 16 | low);
}

}  // namespace

bool is_tag_name(std::string_view name) {
    constexpr std::size_t longest = 15;
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const auto may_stand = [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ':';
    };
    return !name.empty() && name.size() <= longest && is_letter(name.front()) && std::ranges::all_of(name, may_stand);
}

std::string protocol_text(std::uint8_t protocol) {
    const auto* const row = std::ranges::find(protocol_names, protocol, &ProtocolName::number);
    return row == std::end(protocol_names) ? std::to_string(protocol) : std::string{row->name};
}

std::optional<std::uint8_t> parse_protocol(std::string_view text) {
    const auto* const row = std::ranges::find(protocol_names, text, &ProtocolName::name);
    if (row != std::end(protocol_names)) return row->number;
    std::uint8_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return number;
}

std::string Selector::text() const {
    if (!tag.empty()) return "tagged \"" + tag + "\"";
    if (protocol && has_gre_key(*protocol) && asks_for_ports())
        return prefix_text(source) + " " + prefix_text(destination) + " " + protocol_text(*protocol) + " " +
               gre_key_text(source_ports.low, destination_ports.low);
    if (protocol && is_icmp(*protocol)) {
        const auto hosts = prefix_text(source) + " " + prefix_text(destination) + " " + protocol_text(*protocol);
        return asks_for_ports() ? hosts + " " + range_text(source_ports) + "," + range_text(destination_ports) : hosts;
    }
    return prefix_text(source) + in_brackets(range_text(source_ports)) + " " + prefix_text(destination) +
           in_brackets(range_text(destination_ports)) + " " + (protocol ? protocol_text(*protocol) : "any");
}

std::string PacketSelector::text() const {
    const auto told = [this](std::uint16_t number) { return ports_known ? std::to_string(number) : "unknown"; };
    if (has_ports(protocol))
        return source.text() + in_brackets(told(source_port)) + " " + destination.text() +
               in_brackets(told(destination_port)) + " " + protocol_text(protocol);
    const auto hosts = source.text() + " " + destination.text() + " " + protocol_text(protocol);
    if (has_gre_key(protocol) && (source_port != 0 || destination_port != 0))
        return hosts + " " + gre_key_text(source_port, destination_port);
    return is_icmp(protocol) ? hosts + " " + told(source_port) + "," + told(destination_port) : hosts;
}

Match matches(const Selector& rule, const PacketSelector& packet) {
    if (rule.protocol && *rule.protocol != packet.protocol) return Match::no;
    if (!rule.source.contains(packet.source) || !rule.destination.contains(packet.destination)) return Match::no;
    if (!rule.asks_for_ports()) return Match::yes;
    const bool instead_of_ports = rule.protocol && (is_icmp(packet.protocol) || has_gre_key(packet.protocol));
    if (!has_ports(packet.protocol) && !instead_of_ports) return Match::no;
    if (!packet.ports_known) return Match::needs_ports;
    const bool inside =
        rule.source_ports.contains(packet.source_port) && rule.destination_ports.contains(packet.destination_port);
    return inside ? Match::yes : Match::no;
}

std::string_view near_miss(const Selector& rule, const PacketSelector& packet) {
    const auto matches_with = [&](auto widen) {
        Selector wider = rule;
        widen(wider);
        return matches(wider, packet) == Match::yes;
    };
    if (matches(rule, packet) == Match::yes) return {};
    if (matches_with([&](Selector& s) { s.source = Prefix::host(packet.source); })) return "source address";
    if (matches_with([&](Selector& s) { s.destination = Prefix::host(packet.destination); }))
        return "destination address";
    if (matches_with([&](Selector& s) { s.protocol = packet.protocol; })) return "protocol";
    if (matches_with([&](Selector& s) { s.source_ports = s.destination_ports = PortRange::any(); })) return "ports";
    return {};
}

}  // namespace torii
