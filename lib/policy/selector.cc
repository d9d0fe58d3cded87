// Matching one rule against one packet, and how both are written.
#include "policy/selector.h"

#include <string_view>

namespace torii {

namespace {

/// The words setkey takes and prints; a number where it has none.
std::string protocol_text(std::uint8_t protocol) {
    switch (protocol) {
        case 1: return "icmp";
        case 2: return "igmp";
        case 4: return "ip4";
        case 6: return "tcp";
        case 17: return "udp";
        case 33: return "dccp";
        case 41: return "ipv6";
        case 47: return "gre";
        case 50: return "esp";
        case 51: return "ah";
        case 58: return "icmp6";
        case 89: return "ospf";
        case 103: return "pim";
        case 108: return "ipcomp";
        case 112: return "vrrp";
        case 132: return "sctp";
        case 136: return "udplite";
        default: return std::to_string(protocol);
    }
}

std::string range_text(const PortRange& ports) {
    if (ports.is_any()) return "any";
    if (ports.low == ports.high) return std::to_string(ports.low);
    return std::to_string(ports.low) + "-" + std::to_string(ports.high);
}

std::string prefix_text(const Prefix& prefix) { return prefix.is_host() ? prefix.base().text() : prefix.text(); }

std::string in_brackets(std::string_view text) { return "[" + std::string{text} + "]"; }

}  // namespace

std::string Selector::text() const {
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
    return is_icmp(protocol) ? hosts + " " + told(source_port) + "," + told(destination_port) : hosts;
}

Match matches(const Selector& rule, const PacketSelector& packet) {
    if (rule.protocol && *rule.protocol != packet.protocol) return Match::no;
    if (!rule.source.contains(packet.source) || !rule.destination.contains(packet.destination)) return Match::no;
    if (!rule.asks_for_ports()) return Match::yes;
    if (!has_ports(packet.protocol) && !(rule.protocol && is_icmp(packet.protocol))) return Match::no;
    if (!packet.ports_known) return Match::needs_ports;
    const bool inside =
        rule.source_ports.contains(packet.source_port) && rule.destination_ports.contains(packet.destination_port);
    return inside ? Match::yes : Match::no;
}

}  // namespace torii
