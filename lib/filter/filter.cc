#include "filter/filter.h"

#include <algorithm>
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
        for (const NumberedRule& rule : hooks[i].rules) {
            hooks_[i].rules.push_back(compiled(rule));
            gives_tags_ |= rule.tag != Tag::none;  // hook wire's, and no other's
        }
        hooks_[i].block_otherwise = hooks[i].otherwise == control::FilterAction::block;
        hooks_[i].active = hooks[i].active();
    }
    const auto& at_wire = hooks_[static_cast<std::size_t>(Hook::wire)].rules;
    gives_tags_by_ports_ = gives_tags_ && std::ranges::any_of(at_wire, &Rule::asks_for_ports);
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
             .tag = numbered.tag,
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

Filter::Key Filter::key_of(const PacketSelector& packet) {
    Key key{.source_port = packet.source_port,
            .destination_port = packet.destination_port,
            .protocol = packet.protocol,
            .is_v4 = packet.source.is_v4(),
            .ports_known = packet.ports_known};
    std::memcpy(key.source.data(), packet.source.raw().data(), sizeof key.source);
    std::memcpy(key.destination.data(), packet.destination.raw().data(), sizeof key.destination);
    return key;
}

Match Filter::matches(const Rule& rule, const Key& key, Way way, std::uint16_t port) {
    if (rule.way != Way::both && rule.way != way) return Match::no;
    if (rule.port != NumberedRule::any_port && rule.port != port) return Match::no;
    if (!rule.any_protocol && rule.protocol != key.protocol) return Match::no;
    if (!rule.any_family && rule.is_v4 != key.is_v4) return Match::no;
    if (!rule.source.holds(key.source) || !rule.destination.holds(key.destination)) return Match::no;
    if (rule.fragments != Fragments::either && (rule.fragments == Fragments::only) != key.fragment) return Match::no;
    if (!rule.asks_for_ports) return Match::yes;
    if (!has_ports(key.protocol) && (rule.any_protocol || !is_icmp(key.protocol))) return Match::no;
    const auto inside = [&](std::uint16_t source, std::uint16_t destination) {
        return rule.source_ports.contains(source) && rule.destination_ports.contains(destination) ? Match::yes
                                                                                                  : Match::no;
    };
    if (key.ports_known) return inside(key.source_port, key.destination_port);
    if (key.first != nullptr && key.first->ports_known)
        return inside(key.first->source_port, key.first->destination_port);
    if (rule.block) return Match::yes;
    return key.first != nullptr ? Match::needs_ports : Match::no;
}

Filter::Answer Filter::ask(Hook hook, const Packet& p, Way way, std::uint16_t port, FilterCounts& counts,
                           const PacketSelector* first) const {
    const Compiled& rules = hooks_[static_cast<std::size_t>(hook)];
    auto& by_place = counts.by_place[static_cast<std::size_t>(hook)];
    const auto counted = [&](std::size_t place, bool block, Tag tag) {
        by_place[place].packets.add(1);
        by_place[place].octets.add(p.ip_octets);
        return Answer{.passes = !block, .tag = tag};
    };
    static constexpr PacketSelector unknown{.ports_known = false};
    Key key = key_of(p);
    key.first = first == nullptr && gives_tags_ && hook == Hook::wire ? &unknown : first;
    for (const Rule& rule : rules.rules) {
        const Match match = matches(rule, key, way, port);
        if (match == Match::needs_ports) return {.needs_ports = true};
        if (match == Match::yes) return counted(rule.place, rule.block, rule.tag);
    }
    return counted(0, rules.block_otherwise, Tag::none);
}

Tag Filter::tag_of(Hook hook, const PacketSelector& packet, Way way, std::uint16_t port) const {
    const Key key = key_of(packet);
    for (const Rule& rule : hooks_[static_cast<std::size_t>(hook)].rules)
        if (matches(rule, key, way, port) == Match::yes) return rule.tag;
    return Tag::none;
}

}  // namespace torii
