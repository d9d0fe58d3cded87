#include "dataplane/verdict.h"

#include <algorithm>

#include "dataplane/icmp_quote.h"
#include "dataplane/inbound_check.h"
#include "dataplane/inbound_sas.h"

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

/// The gif port whose envelope a packet from a wire is; null: none's.
const Gif* gif_of(const Rules& rules, const PacketSelector& selector, Arrival arrival) {
    const bool by_wire = arrival == Arrival::outside || arrival == Arrival::inside;
    if (!by_wire || !is_ip_in_ip(selector.protocol) || !selector.ports_known) return nullptr;
    return rules.gifs.between(selector.source, selector.destination);
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
    if (!satisfies(*found.policy, selector, p)) return Drop::policy_mismatch;
    // A socket of somebody without privileges lets in clear what comes in clear anyway.
    const bool asks_default = found.policy->owner == PolicyOwner::socket && p.opened == 0;
    return asks_default && rules.default_action == PolicyAction::discard ? Drop::no_policy : Drop::none;
}

/// Whether an ICMP error may pass as it came. Where its own selectors may not, it passes through SAs that protect the
/// answers to the packet that it quotes, because routers on the way have addresses that nobody foresaw; where they may,
/// it says nothing about packets whose answers must come otherwise (RFC 4301 6.2).
Drop inbound_error_verdict(const Rules& rules, const PacketSelector& selector, const IcmpQuote& quote, const Packet& p,
                           std::uint32_t second, Trail* trail) {
    const Drop by_itself = inbound_verdict(rules, selector, p, second, trail);
    const Drop as_answer = quote.answer ? inbound_verdict(rules, *quote.answer, p, 0, nullptr) : Drop::icmp_quote;
    if (by_itself == Drop::none)
        return as_answer == Drop::none || !rules.icmp_quote_checked ? Drop::none : Drop::icmp_quote;
    if (p.opened == 0 || as_answer != Drop::none) return by_itself;
    const Policy* const policy = rules.inbound->find(*quote.answer).policy;
    return policy != nullptr && policy->action == PolicyAction::protect ? Drop::none : by_itself;
}

/// The SAs through which answers to the packet leave that an ICMP error quotes; none where they are not protected.
CellIndex cell_of_answers(const Rules& rules, const IcmpQuote& quote) {
    if (!quote.answer) return CellIndex::none;
    const Found found = rules.outbound->find(*quote.answer);
    const bool protects =
        found.policy != nullptr && !found.needs_ports && found.policy->action == PolicyAction::protect;
    if (!protects) return CellIndex::none;
    return rules.index_of(cell_of(rules, *found.policy, quote.answer->source, quote.answer->destination));
}

bool has_sas(const Rules& rules, CellIndex cell) {
    if (cell == CellIndex::none) return false;
    const ChainCell::Kind kind = rules.cell(cell).read().kind();
    return kind == ChainCell::Kind::one_sa || kind == ChainCell::Kind::chain;
}

/// An ICMP error that has no SA of its own leaves as answers to the packet would that it quotes, and never in clear
/// where those may not: it tells of them (RFC 4301 6.2).
Verdict leaving_as_answer(const Rules& rules, const IcmpQuote& quote, Verdict by_itself, Verdict verdict) {
    if (has_sas(rules, by_itself.cell)) return by_itself;
    const CellIndex cell = cell_of_answers(rules, quote);
    if (cell == CellIndex::none || rules.cell(cell).read().kind() == ChainCell::Kind::clear) return by_itself;
    if (has_sas(rules, cell)) {
        verdict.cell = cell;
        return verdict;
    }
    const bool asks_for_sa =
        by_itself.cell != CellIndex::none && rules.cell(by_itself.cell).read().kind() == ChainCell::Kind::no_sa;
    if (asks_for_sa || by_itself.kind == Verdict::Kind::drop) return by_itself;
    verdict.kind = Verdict::Kind::drop;
    verdict.reason = Drop::no_sa;
    return verdict;
}

/// Completes `verdict` for a packet that goes on: the outbound policy applies when it leaves by an unprotected port.
Verdict outbound_verdict(const Rules& rules, const NextHopTable& hops, const PacketSelector& selector,
                         const std::optional<IcmpQuote>& quote, Verdict verdict, std::uint32_t second, Trail* trail) {
    const RouteAnswer route = rules.routes->find(selector.destination);
    if (trail) trail->route = route;
    if (route.route != nullptr)
        verdict.hop = is_gif(route.route->port) ? rules.gifs.at(route.route->port).hop
                                                : hops.find(route.neighbour, route.route->port);
    verdict.kind =
        route.route != nullptr && verdict.hop == HopIndex::none ? Verdict::Kind::glean : Verdict::Kind::forward;
    verdict.reason = Drop::none;
    if (selector.destination.is_link_local()) verdict.kind = Verdict::Kind::glean;  // our answer: the port is known
    if (route.route != nullptr && rules.port_arrival[route.route->port] != Arrival::outside) return verdict;

    const Found found = meet(*rules.outbound, selector, second);
    if (trail) trail->outbound = found;
    const PolicyAction action = found.policy ? found.policy->action : rules.default_action;
    const Verdict unprotected = verdict;
    if (found.needs_ports || action == PolicyAction::discard) {
        verdict.kind = Verdict::Kind::drop;
        verdict.reason = found.needs_ports ? Drop::fragment_needs_ports
                         : found.policy    ? Drop::policy_discard
                                           : Drop::no_policy;
    } else if (action == PolicyAction::protect) {
        verdict.cell = rules.index_of(cell_of(rules, *found.policy, selector.source, selector.destination));
    }
    return quote ? leaving_as_answer(rules, *quote, verdict, unprotected) : verdict;
}

/// What to do with an ICMP error in clear for us before policies are asked: unauthenticated ones are taken by setting
/// (RFC 4301 6.1.1), and those about our own IPsec packets are the control core's. Nothing for the rest.
std::optional<Verdict> verdict_of_local_error(const Rules& rules, const IcmpQuote& quote, const Packet& p) {
    const bool in_clear = p.arrival == Arrival::outside && p.opened == 0;
    if (in_clear && !rules.icmp_accepted[static_cast<std::size_t>(quote.kind)])
        return Verdict{.kind = Verdict::Kind::drop, .reason = Drop::icmp_refused};
    if (is_about_ipsec(quote) && p.arrival != Arrival::host)
        return Verdict{.kind = Verdict::Kind::local, .reason = Drop::none};
    return std::nullopt;
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
    const std::optional<IcmpQuote> quote = icmp_quote(p);
    if (for_us && p.opened == 0 && is_ike(selector)) {  // exempt from the SPD: docs/conformance.md
        verdict.kind = Verdict::Kind::ike;
        return verdict;
    }
    if (p.arrival == Arrival::outside || p.arrival == Arrival::inside) {
        if (routes.is_own(selector.source)) return dropped(Drop::own_source);
        if (is_for_many(selector.destination) || routes.is_network_broadcast(selector.destination))
            return dropped(Drop::multicast);
        if (!for_us && (selector.destination.is_link_local() || selector.source.is_link_local()))
            return dropped(Drop::link_local);
    }
    if (for_us && quote)
        if (const auto settled = verdict_of_local_error(rules, *quote, p)) return *settled;
    if (p.arrival == Arrival::outside) {
        const Drop reason = quote ? inbound_error_verdict(rules, selector, *quote, p, second, trail)
                                  : inbound_verdict(rules, selector, p, second, trail);
        if (reason != Drop::none) return dropped(reason);
    }
    if (const Gif* const gif = for_us ? gif_of(rules, selector, p.arrival) : nullptr) {
        verdict.kind = Verdict::Kind::gif;
        verdict.hop = gif->hop;
        return verdict;
    }
    if (for_us) {
        verdict.kind = Verdict::Kind::local;
        // Link-local addresses are the ports' own: the host port's stack has others.
        if (p.arrival != Arrival::host && !selector.destination.is_link_local()) verdict.hop = rules.host_hop;
        return verdict;
    }
    return outbound_verdict(rules, hops, selector, quote, verdict, second, trail);
}

Verdict decide_outbound(const Rules& rules, const NextHopTable& hops, const Packet& p, std::uint32_t second) {
    return outbound_verdict(rules, hops, selector_of(p), icmp_quote(p), {}, second, nullptr);
}

bool is_settled(const Rules& rules, const Verdict& verdict) {
    return verdict.kind != Verdict::Kind::glean ||
           (verdict.cell != CellIndex::none && rules.cell(verdict.cell).read().kind() != ChainCell::Kind::clear);
}

}  // namespace torii
