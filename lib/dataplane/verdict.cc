#include "dataplane/verdict.h"

#include "dataplane/inbound_check.h"

namespace torii {

namespace {

/// RFC 7296 2.23: UDP 500 and 4500, to us, before any policy. Told from the selectors alone, because that is all a
/// remembered verdict is told by: a runt must not decide for the whole packets of its flow.
bool is_ike(const PacketSelector& packet) {
    return packet.protocol == static_cast<std::uint8_t>(IpProtocol::udp) && packet.ports_known &&
           (packet.destination_port == 500 || packet.destination_port == 4500);
}

/// Groups and IPv4's reserved addresses, 255.255.255.255 among them.
bool is_for_many(const Address& destination) {
    return destination.is_v4() ? destination.v4_number() >> 28 >= 14 : destination.is_multicast();
}

/// Whether the inbound policy lets the packet pass as it came: in clear, or through the SAs it was opened with.
Drop inbound_verdict(const Rules& rules, const PacketSelector& selector, const Packet& p) {
    const Found found = rules.inbound->find(selector);
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
Verdict outbound_verdict(const Rules& rules, const NextHopTable& hops, const PacketSelector& selector,
                         Verdict verdict) {
    const RouteAnswer route = rules.routes->find(selector.destination);
    if (route.route != nullptr) verdict.hop = hops.find(route.neighbour, route.route->port);
    verdict.kind =
        route.route != nullptr && verdict.hop == HopIndex::none ? Verdict::Kind::glean : Verdict::Kind::forward;
    verdict.reason = Drop::none;
    if (route.route != nullptr && rules.port_arrival[route.route->port] != Arrival::outside) return verdict;

    const Found found = rules.outbound->find(selector);
    const PolicyAction action = found.policy ? found.policy->action : rules.default_action;
    if (found.needs_ports || action == PolicyAction::discard) {
        verdict.kind = Verdict::Kind::drop;
        verdict.reason = found.needs_ports ? Drop::fragment_needs_ports
                         : found.policy    ? Drop::policy_discard
                                           : Drop::no_policy;
    } else if (action == PolicyAction::protect) {
        verdict.cell = &rules.cells[found.policy->slot];
        if (is_per_pair(*found.policy)) {
            const auto pair = rules.pairs->find({found.policy->id, selector.source, selector.destination});
            if (pair != rules.pairs->end()) verdict.cell = pair->second;
        }
    }
    return verdict;
}

}  // namespace

Verdict decide(const Rules& rules, const NextHopTable& hops, const PacketSelector& selector, const Packet& p) {
    const Routes& routes = *rules.routes;
    Verdict verdict{.used_serial = cacheable_sa(p)};
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
        if (const Drop reason = inbound_verdict(rules, selector, p); reason != Drop::none) return dropped(reason);
    if (for_us) {
        verdict.kind = Verdict::Kind::local;
        if (p.arrival != Arrival::host) verdict.hop = rules.host_hop;
        return verdict;
    }
    return outbound_verdict(rules, hops, selector, verdict);
}

bool is_settled(const Verdict& verdict) {
    return verdict.kind != Verdict::Kind::glean ||
           (verdict.cell != nullptr && verdict.cell->read().kind() != ChainCell::Kind::clear);
}

}  // namespace torii
