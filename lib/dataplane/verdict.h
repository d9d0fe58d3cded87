// What becomes of a flow, decided from its first packet and the published rules; what the flow cache remembers. Worker
// threads, and the control thread for `explain`; reads published values and nothing else.
#pragma once

#include <array>
#include <optional>

#include "dataplane/tables.h"

namespace torii {

/// How many SAs of an inbound packet a verdict can tell: what the flow cache's line has room for.
inline constexpr std::size_t most_cacheable_sas = 3;

/// 20 octets.
struct Verdict {
    enum class Kind : std::uint8_t { drop, local, ike, gif, forward, protect, glean };  // gif: out of that at `hop`
    std::array<std::uint32_t, most_cacheable_sas> used_serials{};  // of the SAs that were checked, as Packet::used
    CellIndex cell = CellIndex::none;
    Kind kind = Kind::drop;
    Drop reason = Drop::no_policy;
    HopIndex hop{};
};

/// Whether the packet came through the very SAs with which the verdict's inbound check was made. The flow's key has
/// told already that they are as many. A packet through more than a verdict can tell is checked each time.
inline bool holds_for(const Verdict& verdict, const Packet& p) {
    if (p.opened > most_cacheable_sas) return false;
    for (std::size_t i = 0; i < p.opened; ++i)
        if (verdict.used_serials[i] != p.used[i]->serial) return false;
    return true;
}

/// What decide() came across, for whoever wants to tell why. Each is there when it was asked for.
struct Trail {
    std::optional<Found> inbound, outbound;
    std::optional<RouteAnswer> route;
};

/// What to do with a flow, from its first packet: inbound check, own addresses, outbound policy, route. The policies
/// that it meets were used in `second`; 0: by nobody, the packet is made up. ICMP errors are judged by the packet that
/// they quote as well (RFC 4301 6.2), and each alone; of a made-up packet, which has no protocol, `selector` is all.
Verdict decide(const Rules& rules, const NextHopTable& hops, const PacketSelector& selector, const Packet& packet,
               std::uint32_t second, Trail* trail = nullptr);

/// The same for a packet whose inbound checks are behind it: route and outbound policy alone.
Verdict decide_outbound(const Rules& rules, const NextHopTable& hops, const Packet& packet, std::uint32_t second);

/// What `packet`, a whole IP packet or a fragment, offers to be matched by policies.
PacketSelector selector_of(const Packet& packet);

/// Whether the verdict holds as long as its rules. A flow to a neighbour that nobody has asked for yet is decided again
/// until it is known, unless SAs take it elsewhere.
bool is_settled(const Rules& rules, const Verdict& verdict);

}  // namespace torii
