// Whether a packet came through the SAs its inbound policy asks for (RFC 4301 5.2 step 4). Worker threads.
#pragma once

#include "packet/packet.h"
#include "policy/policy.h"
#include "sa/security_association.h"

namespace torii {

/// The SAs a packet really came through against what a policy asks for, with KAME's levels: every SA answers one
/// request, from the outside inwards; a request of level use may stay unanswered. Transport mode stands between the
/// ends of the tunnel it is around, and otherwise between the packet's own addresses. IPComp requests are answered by
/// nothing and stand open whatever their level, because a sender leaves out what would not compress (RFC 3173 2.2).
bool satisfies(const Policy& policy, const PacketSelector& selector, const Packet& packet);

/// Whether an SA is what `request` asks for between these ends.
bool answers(const InboundSa& sa, const Request& request, const Endpoints& ends);
/// The ends that the SA of a policy's request number `request` stands between: its own, those of the tunnel it is
/// around, or the packet's.
Endpoints ends_of(const Policy& policy, std::size_t request, const PacketSelector& selector);

/// Whether one of the policy's requests is an IPComp tunnel between these ends.
bool asks_for_ipcomp_tunnel(const Policy& policy, const Endpoints& ends);

}  // namespace torii
