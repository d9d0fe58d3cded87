#include "dataplane/verdict.h"

#include <algorithm>

#include "dataplane/inbound_check.h"

namespace torii {

namespace {

/// RFC 7296 2.23: UDP 500 and 4500, to us, before any policy. Told from the selectors alone, because that is all a
/// remembered verdict is told by: a runt must not decide for the whole packets of its flow.
bool is_ike(const PacketSelector& packet) {
    return packet.protocol == static_cast<std::uint8_t>(IpProtocol::udp) && packet.ports_known &&
           (packet.destination_port == 500 || packet.destination_port == 4500);
}

/// The policy for the packet, which learns of its use in `second`; 0: the packet is made up, and uses nothing.
Found meet(const SpdIndex& policies, const PacketSelector& selector, std::uint32_t second) {
    const Found found = policies.find(selector);
    if (found.policy != nullptr && second != 0) found.policy->last_use->note(second);
    return found;
}

/// Groups and IPv4's reserved addresses, 255.255.255.255 among them.
bool is_for_many(const Address& destination) {
    return destination.is_v4() ? destination.v4_number() >> 28 >= 14 : destination.is_multicast();
}

/// Whether the inbound policy lets the packet pass as it came: in clear, or through the SAs it was opened with.
Drop inbound_verdict(const Rules& rules, const PacketSelector& selector, const Packet& p, std::uint32_t second,
                     Trail* trail) {
    const Found found = meet(*rules.inbound, selector, second);
    if (trail) trail->inbound = found;
    if (found.needs_ports) return Drop::fragment_needs_ports;
    const PolicyAction action = found.policy ? found.policy->action : rules.default_action;
    switch (action) {
        case PolicyAction::bypass: return Drop::none;
        case PolicyAction::discard: return found.policy ? Drop::policy_discard : Drop::no_policy;
        case PolicyAction::protect: break;
    }
    return satisfies(*found.policy, selector, p) ? Drop::none : Drop::policy_mismatch;
}

/// Completes `verdict` for a packet that goes on: the outbound policy applies when it leaves by an unprotected port.
Verdict outbound_verdict(const Rules& rules, const NextHopTable& hops, const PacketSelector& selector, Verdict verdict,
                         std::uint32_t second, Trail* trail) {
    const RouteAnswer route = rules.routes->find(selector.destination);
    if (trail) trail->route = route;
    if (route.route != nullptr) verdict.hop = hops.find(route.neighbour, route.route->port);
    verdict.kind =
        route.route != nullptr && verdict.hop == HopIndex::none ? Verdict::Kind::glean : Verdict::Kind::forward;
    verdict.reason = Drop::none;
    if (selector.destination.is_link_local()) verdict.kind = Verdict::Kind::glean;  // our answer: the port is known
    if (route.route != nullptr && rules.port_arrival[route.route->port] != Arrival::outside) return verdict;

    const Found found = meet(*rules.outbound, selector, second);
    if (trail) trail->outbound = found;
    const PolicyAction action = found.policy ? found.policy->action : rules.default_action;
    if (found.needs_ports || action == PolicyAction::discard) {
        verdict.kind = Verdict::Kind::drop;
        verdict.reason = found.needs_ports ? Drop::fragment_needs_ports
                         : found.policy    ? Drop::policy_discard
                                           : Drop::no_policy;
    } else if (action == PolicyAction::protect) {
        verdict.cell = rules.index_of(cell_of(rules, *found.policy, selector.source, selector.destination));
    }
    return verdict;
}

}  // namespace

Verdict decide(const Rules& rules, const NextHopTable& hops, const PacketSelector& selector, const Packet& p,
               std::uint32_t second, Trail* trail) {
    const Routes& routes = *rules.routes;
    Verdict verdict;
    for (std::size_t i = 0; i < std::min<std::size_t>(p.opened, most_cacheable_sas); ++i)
        verdict.used_serials[i] = p.used[i]->serial;
    const auto dropped = [&](Drop reason) {
        verdict.kind = Verdict::Kind::drop;
        verdict.reason = reason;
        return verdict;
    };
    const bool for_us = routes.is_own(selector.destination);
    if (for_us && p.opened == 0 && is_ike(selector)) {  // exempt from the SPD: docs/conformance.md
        verdict.kind = Verdict::Kind::local;
        return verdict;
    }
    if (p.arrival == Arrival::outside || p.arrival == Arrival::inside) {
        if (routes.is_own(selector.source)) return dropped(Drop::own_source);
        if (is_for_many(selector.destination) || routes.is_network_broadcast(selector.destination))
            return dropped(Drop::multicast);
        if (!for_us && (selector.destination.is_link_local() || selector.source.is_link_local()))
            return dropped(Drop::link_local);
    }
    if (p.arrival == Arrival::outside)
        if (const Drop reason = inbound_verdict(rules, selector, p, second, trail); reason != Drop::none)
            return dropped(reason);
    if (for_us) {
        verdict.kind = Verdict::Kind::local;
        // Link-local addresses are the ports' own: the host port's stack has others.
        if (p.arrival != Arrival::host && !selector.destination.is_link_local()) verdict.hop = rules.host_hop;
        return verdict;
    }
    return outbound_verdict(rules, hops, selector, verdict, second, trail);
}

Verdict decide_outbound(const Rules& rules, const NextHopTable& hops, const PacketSelector& selector,
                        std::uint32_t second) {
    return outbound_verdict(rules, hops, selector, {}, second, nullptr);
}

bool is_settled(const Rules& rules, const Verdict& verdict) {
    return verdict.kind != Verdict::Kind::glean ||
           (verdict.cell != CellIndex::none && rules.cell(verdict.cell).read().kind() != ChainCell::Kind::clear);
}

}  // namespace torii
