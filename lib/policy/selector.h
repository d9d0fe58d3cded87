// What a policy matches and what a packet offers to be matched (RFC 4301 4.4.1.1). Any thread; values only.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/address.h"

namespace torii {

struct PortRange {
    std::uint16_t low = 0, high = 65535;
    static PortRange any() { return {}; }
    static PortRange only(std::uint16_t port) { return {port, port}; }
    bool is_any() const { return low == 0 && high == 65535; }
    bool contains(std::uint16_t port) const { return low <= port && port <= high; }
    friend auto operator<=>(const PortRange&, const PortRange&) = default;
};

/// Protocols whose packets carry two ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
constexpr bool has_ports(std::uint8_t protocol) {
    return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}
/// ICMP and ICMPv6, which carry a type and a code instead.
constexpr bool is_icmp(std::uint8_t protocol) { return protocol == 1 || protocol == 58; }
/// GRE, which may carry a key (RFC 2890 2.1): its upper half stands where others have a source port, the lower one
/// where they have a destination port, as in Linux.
constexpr bool has_gre_key(std::uint8_t protocol) { return protocol == 47; }

/// What the packet filter marks packets with, for policies to know them by: the number of a name, which the gateway
/// gives out. none: nothing has marked the packet.
enum class Tag : std::uint8_t { none = 0 };
inline constexpr unsigned last_tag = 127;  // a flow's key has seven bits for it
/// Whether a tag may be called so: 1 to 15 letters, digits, '-', '_', '.' and ':', a letter first. KAME's PF_KEY has
/// room for 15.
bool is_tag_name(std::string_view name);

/// The word for a protocol, or its number where there is none: "tcp", "esp", "253".
std::string protocol_text(std::uint8_t protocol);
/// Its number, from a word or digits; nothing for what is neither.
std::optional<std::uint8_t> parse_protocol(std::string_view text);

/// One rule's reach. ICMP keeps its type in `source_ports` and its code in `destination_ports`, as PF_KEY does, and GRE
/// its key. A rule with a tag reaches what the packet filter has marked so, of either family, and says nothing else.
/// A rule that asks for ports reaches the protocols that have them and no other: asked of GRE or ESP it reaches
/// nothing, and without a protocol it does not take an ICMP type for a port.
struct Selector {
    Prefix source, destination;
    PortRange source_ports, destination_ports;
    std::optional<std::uint8_t> protocol;  // none: any
    std::string tag{};                     // empty: none is asked for
    friend auto operator<=>(const Selector&, const Selector&) = default;
    bool asks_for_ports() const { return !source_ports.is_any() || !destination_ports.is_any(); }
    /// Whether packets between these addresses may be among those it reaches.
    bool may_hold(const Address& from, const Address& to) const {
        return !tag.empty() || (source.contains(from) && destination.contains(to));
    }
    /// As `setkey -DP` writes it: "10.0.1.0/24[any] 10.0.2.0/24[80] tcp", "10.0.1.1 10.0.2.1 icmp 8,0", "10.0.1.1
    /// 10.0.2.1 gre 77"; or "tagged "mail"".
    std::string text() const;
};

/// A packet seen as a selector sees it. For fragments behind the first, and whatever is too short to hold them, the
/// ports are unknown (RFC 4301's OPAQUE). What has neither ports nor type and code leaves them 0, and known.
struct PacketSelector {
    Address source, destination;
    std::uint16_t source_port = 0, destination_port = 0;  // ICMP: type, code
    std::uint8_t protocol = 0;
    bool ports_known = true;
    Tag tag = Tag::none;
    friend bool operator==(const PacketSelector&, const PacketSelector&) = default;
    /// "10.0.1.5[4711] 10.0.2.6[80] tcp"; ports that the packet does not tell are [unknown].
    std::string text() const;
};

enum class Match : std::uint8_t {
    no,
    yes,
    needs_ports,  // all matches but the ports, which the rule asks for and the packet does not tell
};
/// Of a rule without a tag; policy.h has those with one as well.
Match matches(const Selector& rule, const PacketSelector& packet);
/// The one thing that keeps `rule` from matching: "source address", "destination address", "protocol" or "ports" (for
/// ICMP the type and code). Empty when it matches, and when more than one thing is in the way.
std::string_view near_miss(const Selector& rule, const PacketSelector& packet);

}  // namespace torii
