// The packet filter as workers ask it: an immutable compiled value, published whole. Rules are asked in their order and
// the first that matches decides; what none matches meets the hook's default. A gateway without rules that could block
// anything publishes none, and its pipeline has no such stage. Worker threads read; a worker counts for itself.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "control/filter_rule.h"
#include "packet/packet.h"
#include "sa/security_association.h"

namespace torii {

/// A rule with the numbers of its port and its tag, and the place its packets are counted at. Place 0 is the default's.
struct NumberedRule {
    control::FilterRule rule;
    std::uint16_t port = any_port;
    std::uint16_t place = 0;
    Tag tag = Tag::none;
    static constexpr std::uint16_t any_port = 0xffff;
};

/// A worker's own: packets and octets of each rule of each hook.
struct FilterCounts {
    struct Count {
        Counter packets, octets;
    };
    std::array<std::array<Count, control::most_filter_rules + 1>, control::hooks> by_place;
};

class Filter {
public:
    struct HookRules {
        std::vector<NumberedRule> rules;
        control::FilterAction otherwise = control::FilterAction::pass;
        /// Whether the hook has anything to do: rules to count by, or a default that blocks.
        bool active() const { return !rules.empty() || otherwise == control::FilterAction::block; }
    };
    explicit Filter(const std::array<HookRules, control::hooks>& hooks);

    bool active(control::Hook hook) const { return hooks_[static_cast<std::size_t>(hook)].active; }
    /// Whether some rule gives a tag, and whether some rule beside it asks for ports: fragments have to tell theirs
    /// then.
    bool gives_tags() const { return gives_tags_; }
    bool gives_tags_by_ports() const { return gives_tags_by_ports_; }

    struct Answer {
        bool passes = false;
        bool needs_ports = false;  // the tag hangs on ports of the fragment, which nobody knows
        Tag tag = Tag::none;       // to be given; none: the packet keeps what it has
    };
    /// What this hook says of a packet at its IP header on its `way` at this port; counts the rule that said so. A
    /// block rule that asks for ports takes fragments too that do not tell theirs; a pass rule does not. At a hook that
    /// gives tags both take them by the ports of their packet's first fragment, which `first` has where they are known:
    /// all fragments of a packet shall meet the same policies.
    Answer ask(control::Hook hook, const Packet& packet, control::Way way, std::uint16_t port, FilterCounts& counts,
               const PacketSelector* first = nullptr) const;
    bool passes(control::Hook hook, const Packet& packet, control::Way way, std::uint16_t port,
                FilterCounts& counts) const {
        return ask(hook, packet, way, port, counts).passes;
    }
    /// The tag that a packet with these selectors would be given; counts nothing.
    Tag tag_of(control::Hook hook, const PacketSelector& packet, control::Way way, std::uint16_t port) const;

private:
    struct Key {  // what a packet offers
        std::array<std::uint64_t, 2> source{}, destination{};
        std::uint16_t source_port = 0, destination_port = 0;
        std::uint8_t protocol = 0;
        bool is_v4 = true, ports_known = true, fragment = false;
        const PacketSelector* first = nullptr;  // with the ports of the first fragment
    };
    struct Side {
        std::array<std::uint64_t, 2> mask{}, value{};
        bool holds(const std::array<std::uint64_t, 2>& a) const {
            return ((a[0] & mask[0]) ^ value[0]) == 0 && ((a[1] & mask[1]) ^ value[1]) == 0;
        }
    };
    struct Rule {
        Side source, destination;
        PortRange source_ports, destination_ports;
        std::uint16_t port = NumberedRule::any_port, place = 0;
        std::uint8_t protocol = 0;
        Tag tag = Tag::none;
        bool any_protocol = true, any_family = true, is_v4 = true, asks_for_ports = false, block = false;
        control::Way way = control::Way::both;
        control::Fragments fragments = control::Fragments::either;
    };
    struct Compiled {
        std::vector<Rule> rules;
        bool block_otherwise = false, active = false;
    };
    static Key key_of(const Packet& packet);
    static Key key_of(const PacketSelector& packet);
    static Side side_of(const Prefix& prefix);
    static Rule compiled(const NumberedRule& rule);
    static Match matches(const Rule& rule, const Key& key, control::Way way, std::uint16_t port);

    std::array<Compiled, control::hooks> hooks_;
    bool gives_tags_ = false, gives_tags_by_ports_ = false;
};

}  // namespace torii
