#include "filter/filter.h"

#include <cstring>

namespace torii {

using control::Fragments;
using control::Hook;
using control::Way;

namespace {

/// Whether the packet is a fragment behind the first, which has no ports.
bool is_later_fragment(const Packet& p, bool is_v4) {
    if (!p.fragment) return false;
    if (is_v4) return (p.ipv4().flags_offset & Ipv4Header::offset_mask) != 0;
    return reinterpret_cast<const FragmentHeader*>(p.ip + p.fragment_at)->offset_octets() != 0;
}

}  // namespace

Filter::Filter(const std::array<HookRules, control::hooks>& hooks) {
    for (std::size_t i = 0; i < hooks.size(); ++i) {
        for (const NumberedRule& rule : hooks[i].rules) hooks_[i].rules.push_back(compiled(rule));
        hooks_[i].block_otherwise = hooks[i].otherwise == control::FilterAction::block;
        hooks_[i].active = hooks[i].active();
    }
}

Filter::Side Filter::side_of(const Prefix& prefix) {
    std::array<std::uint8_t, 16> mask{};
    for (unsigned bit = 0; bit < prefix.length(); ++bit) mask[bit / 8] |= static_cast<std::uint8_t>(0x80u >> bit % 8);
    Side side;
    std::memcpy(side.mask.data(), mask.data(), sizeof mask);
    std::memcpy(side.value.data(), prefix.base().raw().data(), sizeof mask);
    return side;
}

Filter::Rule Filter::compiled(const NumberedRule& numbered) {
    const control::FilterRule& rule = numbered.rule;
    Rule out{.source_ports = rule.source_ports,
             .destination_ports = rule.destination_ports,
             .port = numbered.port,
             .place = numbered.place,
             .protocol = rule.protocol.value_or(0),
             .any_protocol = !rule.protocol,
             .any_family = !rule.source && !rule.destination,
             .asks_for_ports = rule.asks_for_ports(),
             .block = rule.action == control::FilterAction::block,
             .way = rule.way,
             .fragments = rule.fragments};
    if (rule.source) out.source = side_of(*rule.source);
    if (rule.destination) out.destination = side_of(*rule.destination);
    if (!out.any_family) out.is_v4 = (rule.source ? rule.source : rule.destination)->family() == Family::ipv4;
    return out;
}

/// Addresses as they stand on the wire; those of IPv4 fill the first half of the first word, as in Address.
Filter::Key Filter::key_of(const Packet& p) {
    Key key{.protocol = p.protocol, .is_v4 = std::to_integer<unsigned>(*p.ip) >> 4 == 4, .fragment = p.fragment};
    const std::size_t octets = key.is_v4 ? 4 : 16, at = key.is_v4 ? 12 : 8;
    std::memcpy(key.source.data(), p.ip + at, octets);
    std::memcpy(key.destination.data(), p.ip + at + octets, octets);
    const std::byte* const l4 = p.payload();
    if (has_ports(key.protocol)) {
        key.ports_known = !is_later_fragment(p, key.is_v4) && p.payload_octets() >= 4;
        if (!key.ports_known) return key;
        Big16 ports[2];
        std::memcpy(ports, l4, sizeof ports);
        key.source_port = ports[0];
        key.destination_port = ports[1];
    } else if (is_icmp(key.protocol)) {
        key.ports_known = !is_later_fragment(p, key.is_v4) && p.payload_octets() >= 2;
        if (!key.ports_known) return key;
        key.source_port = std::to_integer<std::uint16_t>(l4[0]);
        key.destination_port = std::to_integer<std::uint16_t>(l4[1]);
    }
    return key;
}

bool Filter::matches(const Rule& rule, const Key& key, Way way, std::uint16_t port) {
    if (rule.way != Way::both && rule.way != way) return false;
    if (rule.port != NumberedRule::any_port && rule.port != port) return false;
    if (!rule.any_protocol && rule.protocol != key.protocol) return false;
    if (!rule.any_family && rule.is_v4 != key.is_v4) return false;
    if (!rule.source.holds(key.source) || !rule.destination.holds(key.destination)) return false;
    if (rule.fragments != Fragments::either && (rule.fragments == Fragments::only) != key.fragment) return false;
    if (!rule.asks_for_ports) return true;
    if (!has_ports(key.protocol) && (rule.any_protocol || !is_icmp(key.protocol))) return false;
    if (!key.ports_known) return rule.block;
    return rule.source_ports.contains(key.source_port) && rule.destination_ports.contains(key.destination_port);
}

bool Filter::passes(Hook hook, const Packet& p, Way way, std::uint16_t port, FilterCounts& counts) const {
    const Compiled& rules = hooks_[static_cast<std::size_t>(hook)];
    auto& by_place = counts.by_place[static_cast<std::size_t>(hook)];
    const auto counted = [&](std::size_t place, bool block) {
        by_place[place].packets.add(1);
        by_place[place].octets.add(p.ip_octets);
        return !block;
    };
    const Key key = key_of(p);
    for (const Rule& rule : rules.rules)
        if (matches(rule, key, way, port)) return counted(rule.place, rule.block);
    return counted(0, rules.block_otherwise);
}

}  // namespace torii
