// What becomes of a flow, decided from its first packet and the published rules; what the flow cache remembers. Worker
// threads, and the control thread for `explain`; reads published values and nothing else.
#pragma once

#include <optional>

#include "dataplane/tables.h"

namespace torii {

/// 16 octets.
struct Verdict {
    enum class Kind : std::uint8_t { drop, local, forward, protect, glean };
    ChainCell* cell = nullptr;
    std::uint32_t used_serial = 0;  // the SA through which the inbound check was passed; 0: none
    Kind kind = Kind::drop;
    Drop reason = Drop::no_policy;
    HopIndex hop{};
};

/// What a verdict may be remembered by of the inbound check: the one SA a packet came through. A packet through several
/// is checked each time, and its verdict stands for no other's.
inline std::uint32_t cacheable_sa(const Packet& p) { return p.opened == 1 ? p.used[0]->serial : 0; }

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
bool is_settled(const Verdict& verdict);

}  // namespace torii
