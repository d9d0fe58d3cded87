// The control core's half of the packet path: ARP and neighbour discovery, packets for our own addresses, packets that
// wait for a neighbour, and the ICMP errors about those that cannot go on. What it sends goes back through a worker
// (inject).
#include <algorithm>

#include "dataplane/icmp_quote.h"
#include "dataplane/inbound_sas.h"
#include "forward/icmpv6.h"
#include "gateway/gateway.h"
#include "ip/ip.h"

namespace torii {

namespace {

// By PuntWay and worker: a flood must not keep the control core from its timers, nor questions from what tunnels need.
constexpr std::array<unsigned, punt_ways> punts_per_poll = {128, 256, 128, 64, 64};

constexpr std::size_t most_early = 32;  // packets of one SPI that wait for its SA

constexpr bool is_ipsec(IpProtocol protocol) {
    return protocol == IpProtocol::esp || protocol == IpProtocol::ah || protocol == IpProtocol::ipcomp;
}

std::span<std::byte> ip_octets(const Packet& p) { return {p.ip, p.ip_octets}; }

/// What an IPv6 packet carries; of a later fragment there is no beginning to show.
UpperLayer upper_layer(const Packet& p) {
    return {IpProtocol{p.protocol}, {p.payload(), is_later_fragment(p) ? 0 : p.payload_octets()}};
}

/// Whether packets with these selectors leave through SAs that are there.
bool leaves_protected(const Rules& rules, const PacketSelector& packet) {
    const Found found = rules.outbound->find(packet);
    if (found.policy == nullptr || found.needs_ports || found.policy->action != PolicyAction::protect) return false;
    const auto kind = cell_of(rules, *found.policy, packet.source, packet.destination).read().kind();
    return kind == ChainCell::Kind::one_sa || kind == ChainCell::Kind::chain;
}

}  // namespace

bool Gateway::serve_punts(SteadyTime now) {
    bool any = false;
    for (const PuntWay way : {PuntWay::arp, PuntWay::neighbour, PuntWay::sa, PuntWay::ike, PuntWay::answer})
        for (const WorkerRings& rings : worker_rings_)
            for (unsigned i = 0; i < punts_per_poll[static_cast<std::size_t>(way)]; ++i) {
                void* mbuf = nullptr;
                if (way >= PuntWay::ike && !room_for_answers()) break;
                if (rte_ring_sc_dequeue(rings.to_control[static_cast<std::size_t>(way)], &mbuf) != 0) break;
                any = true;
                serve(static_cast<rte_mbuf*>(mbuf), now);
            }
    return any;
}

/// Answers fill half of the way to worker 0 at most; the rest is for ARP and for what waited.
bool Gateway::room_for_answers() const {
    const rte_ring* const way = worker_rings_[0].from_control;
    return rte_ring_count(way) < rte_ring_get_capacity(way) / 2;
}

void Gateway::serve(rte_mbuf* mbuf, SteadyTime now) {
    Packet& p = carried(*mbuf);
    switch (p.punt) {
        case Punt::arp: return serve_arp(mbuf, now);
        case Punt::neighbour_discovery: return serve_discovery(mbuf, now);
        case Punt::local: return serve_local(mbuf);
        case Punt::ike: return serve_ike(mbuf);
        case Punt::ttl_exceeded: return report(mbuf, hop_limit_exceeded, Drop::ttl_exceeded);
        case Punt::too_big:
            if (p.arrival == Arrival::gif) learn_gif_mtu(p);
            return report(mbuf, too_big(p.mtu), Drop::too_big);
        case Punt::reassembly_timeout: return report(mbuf, reassembly_timed_out, Drop::fragment_timeout);
        case Punt::no_route: return report(mbuf, net_unreachable, Drop::no_route);
        case Punt::neighbour: return await_neighbour(mbuf, now);
        case Punt::no_sa: return await_sa(mbuf, now);
        case Punt::early: return await_inbound_sa(mbuf, now);
    }
}

/// Without a hop the packet is the first for its neighbour, or its SA's far end had no route or no place in the table.
void Gateway::await_neighbour(rte_mbuf* mbuf, SteadyTime now) {
    Packet& p = carried(*mbuf);
    if (p.next_hop == HopIndex::none) {
        const Address destination = p.destination();
        const RouteAnswer answer = routes_->find(destination);
        if (destination.is_link_local())  // an answer of ours: it leaves where the question came in
            p.next_hop = is_gif(p.port) ? gif_hops_[p.port - max_ports] : neighbours_->want(destination, p.port, now);
        else if (answer.route == nullptr)
            return report(mbuf, net_unreachable, Drop::no_route);
        else
            p.next_hop = hop_toward(answer, false);
        if (p.next_hop == HopIndex::none) return report(mbuf, host_unreachable, Drop::neighbour_table_full);
    }
    p.resume = Resume::transmit;
    neighbours_->hold(p.next_hop, mbuf, now);
}

/// Its policy requires an SA that is not there: one is asked for, and the packet waits for it among the first ones.
void Gateway::await_sa(rte_mbuf* mbuf, SteadyTime now) {
    Packet& p = carried(*mbuf);
    p.resume = Resume::outbound;
    p.next_hop = HopIndex::none;  // by then the number may be another's
    const PacketSelector packet = selector_of(p);
    const Policy* const policy = publisher_->stopped_by(packet);
    if (policy == nullptr) return inject(mbuf);  // it came in the meantime
    const PolicyId id = policy->id;
    const Drop refused = held_.hold(mbuf, id, live_.acquire_hold, now);
    if (refused != Drop::none) forget(mbuf, refused);
    tell_acquire({.kind = control::Event::Kind::acquire, .policy = id, .packet = packet});  // it may go on at once
}

/// SAs or policies have changed: whoever is not stopped as it was goes through the outbound policy anew. A bundle that
/// has one SA now asks for the next.
void Gateway::send_what_waited(const Journal& journal) {
    for (const Change& change : journal)
        if (change.sa && change.kind != Change::Kind::sa_removed && change.sa->state != control::SaState::larval)
            acquires_.arrived({change.sa->spec.id.source, change.sa->spec.id.destination}, change.sa->spec.id.protocol);
    std::vector<control::Event> asking;
    const auto still_lacks = [&](rte_mbuf* mbuf, PolicyId id) {
        const PacketSelector packet = selector_of(carried(*mbuf));
        const Policy* const policy = publisher_->stopped_by(packet);
        if (policy == nullptr || policy->id != id) return false;
        asking.push_back({.kind = control::Event::Kind::acquire, .policy = id, .packet = packet, .repeated = 0});
        return true;
    };
    held_.release(still_lacks, [this](rte_mbuf* mbuf) { inject(mbuf); });
    for (const control::Event& event : asking) tell_acquire(event);
}

void Gateway::drop_what_waited(SteadyTime now) {
    const SteadyTime earliest = now - std::chrono::seconds{live_.larval_lifetime_seconds};
    const auto drop = [this](rte_mbuf* mbuf) { forget(mbuf, Drop::sa_timeout); };
    held_.expire(earliest, drop);
    early_.expire(earliest, drop);
}

/// The peer was quicker with his first packets than with the message that our end of the SA is made of.
void Gateway::await_inbound_sa(rte_mbuf* mbuf, SteadyTime now) {
    Packet& p = carried(*mbuf);
    p.resume = Resume::open;
    const Spi spi = spi_of(p);
    if (!publisher_->tables().expected.contains(spi)) return inject(mbuf);  // it came in the meantime
    const Drop refused = early_.hold(mbuf, spi, most_early, now);
    if (refused != Drop::none) forget(mbuf, refused);
}

void Gateway::open_what_was_early(const Journal& journal) {
    ExpectedSpis& expected = publisher_->tables().expected;
    bool any = false;
    for (const Change& change : journal)
        if (change.sa && change.kind != Change::Kind::sa_removed && change.sa->state != control::SaState::larval)
            any |= expected.remove(change.sa->spec.id.spi);
    if (!any) return;
    early_.release([&](rte_mbuf*, Spi spi) { return expected.contains(spi); },
                   [this](rte_mbuf* mbuf) { inject(mbuf); });
}

void Gateway::serve_arp(rte_mbuf* mbuf, SteadyTime now) {
    const Packet& p = carried(*mbuf);
    ArpIpv4 arp;
    Drop reason = Drop::bad_arp;
    if (mbuf->data_len >= sizeof(EthernetHeader) + sizeof arp) {
        std::memcpy(&arp, p.ip + sizeof(EthernetHeader), sizeof arp);
        reason = neighbours_->arrived(p.port, arp, now);
    }
    if (reason != Drop::none) return forget(mbuf, reason);
    rte_pktmbuf_free(mbuf);
}

void Gateway::serve_discovery(rte_mbuf* mbuf, SteadyTime now) {
    const Packet& p = carried(*mbuf);
    const auto& ethernet = *reinterpret_cast<const EthernetHeader*>(p.ip - sizeof(EthernetHeader));
    const Drop reason = neighbours_->arrived(p.port, MacAddress{ethernet.source}, ip_octets(p), now);
    if (reason != Drop::none) return forget(mbuf, reason);
    rte_pktmbuf_free(mbuf);
}

/// Echo requests are answered, what routers tell about our own IPsec packets is heard; everything else finds nobody.
void Gateway::serve_local(rte_mbuf* mbuf) {
    Packet& p = carried(*mbuf);
    if (p.family == Family::ipv4 ? answer_echo(ip_octets(p)) : answer_icmpv6_echo(ip_octets(p))) {
        p.arrival = Arrival::self;
        p.opened = 0;
        p.tag = Tag::none;  // it was given to the question
        p.resume = Resume::classify;
        return inject(mbuf);
    }
    if (may_be_icmp_error(p)) {
        const Drop reason = learn_path(p);
        return reason == Drop::none ? rte_pktmbuf_free(mbuf) : forget(mbuf, reason);
    }
    if (p.protocol == static_cast<std::uint8_t>(IpProtocol::udp))
        return report(mbuf, port_unreachable, Drop::local_unwanted);
    forget(mbuf, Drop::local_unwanted);
}

/// Drops the packet by `reason` and tells its sender, if the rules and the rate allow it and there is one: nobody is
/// told about what we made ourselves, as packets that have become our ESP. An error about a packet that came out of an
/// SA may only leave through one (RFC 4301 6.2).
void Gateway::report(rte_mbuf* mbuf, const IcmpError& error, Drop reason) {
    const Packet p = carried(*mbuf);
    if (is_made_by_us(p)) return forget(mbuf, reason);
    const std::vector<std::byte> message = error_about(p, error);
    forget(mbuf, reason);  // it need not have room for the news: its buffer may be the device's own
    mbuf = message.empty() ? nullptr : allocate();
    if (mbuf == nullptr) return untold_[static_cast<std::size_t>(reason)].add(1);
    std::byte* const at = rte_pktmbuf_mtod(mbuf, std::byte*);
    std::memcpy(at, message.data(), message.size());
    Packet reply;
    reply.mbuf = mbuf;
    reply.ip = at;
    reply.family = p.family;
    (void)parse_ip(p.family, reply, message.size());
    reply.arrival = Arrival::self;
    reply.resume = Resume::classify;
    carried(*mbuf) = reply;
    inject(mbuf);
}

/// The ICMP error about `offender`, or nothing when there may be none (RFC 1122 3.2.2, RFC 4443 2.4 e), no more now
/// (RFC 1812 4.3.2.8), or when it would have to leave in clear.
std::vector<std::byte> Gateway::error_about(const Packet& offender, const IcmpError& error) {
    const bool v4 = offender.family == Family::ipv4;
    const bool wanted =
        v4 ? wants_icmp_error(ip_octets(offender)) : wants_icmpv6_error(ip_octets(offender), upper_layer(offender));
    if (!wanted || !icmp_rate_.ready(now_)) return {};
    const std::optional<Address> source = error_source(offender);
    if (!source) return {};
    icmp_rate_.spend();
    return v4 ? icmp_error(ip_octets(offender), source->v4_number(), error)
              : icmpv6_error(ip_octets(offender), *source, error);
}

/// What programs send through the host port bears our address as well, and is theirs until an SA has taken it.
bool Gateway::is_made_by_us(const Packet& p) const {
    if (p.arrival == Arrival::host) return is_ipsec(IpProtocol{p.protocol});
    return p.arrival == Arrival::self || p.arrival == Arrival::gif || routes_->is_own(p.source());
}

/// Where an error about `offender` comes from: the arrival port's address; for a packet out of an SA, one of ours for
/// which the way back to the sender is protected, or any when the error can leave as answers to the packet do, or none
/// (RFC 4301 6.2). The host port's stack believes nobody who bears its own
/// address, but whoever it spoke to: that is where its route through us leads.
std::optional<Address> Gateway::error_source(const Packet& offender) const {
    if (offender.arrival == Arrival::host) return offender.destination();
    const Rules& rules = *publisher_->tables().rules.load();
    const bool v4 = offender.family == Family::ipv4;
    std::optional<Address> at_port;
    for (std::size_t i = 0; i < configuration_.ports.size(); ++i)
        for (const InterfaceAddress& a : configuration_.ports[i].addresses) {
            if (a.address.family() != offender.family || a.address.is_link_local()) continue;
            if (!at_port || port_number(i) == offender.port) at_port = a.address;
            if (offender.opened == 0) continue;
            const PacketSelector back{
                .source = a.address,
                .destination = offender.source(),
                .source_port = static_cast<std::uint16_t>(v4 ? 3 : 1),  // type: unreachable
                .protocol = static_cast<std::uint8_t>(v4 ? IpProtocol::icmp : IpProtocol::icmpv6)};
            if (leaves_protected(rules, back)) return a.address;
        }
    if (offender.opened != 0 && !leaves_protected(rules, reversed(selector_of(offender)))) return std::nullopt;
    return at_port;
}

// ---- toward the wire

/// Worker 0 has a transmit queue on every port, and hands over what another worker's SA must protect.
void Gateway::inject(rte_mbuf* mbuf) {
    if (rte_ring_sp_enqueue(worker_rings_[0].from_control, mbuf) != 0) forget(mbuf, Drop::punt_full);
}

/// A packet for what the control core has to say, or null, which is counted.
rte_mbuf* Gateway::allocate() {
    rte_mbuf* const mbuf = rte_pktmbuf_alloc(pool_->get());
    if (mbuf == nullptr) control_counters_.drops[static_cast<std::size_t>(Drop::no_buffer)].add(1);
    return mbuf;
}

void Gateway::forget(rte_mbuf* mbuf, Drop reason) {
    control_counters_.drops[static_cast<std::size_t>(reason)].add(1);
    count_dropped(control_counters_.ipsec, carried(*mbuf), reason);
    rte_pktmbuf_free(mbuf);
}

void Gateway::send_arp(std::uint16_t port, const MacAddress& to, const ArpIpv4& arp) {
    send_frame(port, to, EtherType::arp, std::as_bytes(std::span{&arp, 1}));
}

void Gateway::send_discovery(std::uint16_t port, const MacAddress& to, const NeighbourMessage& message) {
    send_frame(port, to, EtherType::ipv6, neighbour_packet(message));
}

void Gateway::send_frame(std::uint16_t port, const MacAddress& to, EtherType type, std::span<const std::byte> payload) {
    rte_mbuf* const mbuf = allocate();
    if (mbuf == nullptr) return;  // the next retry finds room
    const EthernetHeader ethernet{to.octets, our_macs_[port].octets, static_cast<std::uint16_t>(type)};
    auto* const at = reinterpret_cast<std::byte*>(
        rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(sizeof ethernet + payload.size())));
    std::memcpy(at, &ethernet, sizeof ethernet);
    std::memcpy(at + sizeof ethernet, payload.data(), payload.size());
    Packet frame;
    frame.mbuf = mbuf;
    frame.ip = at;
    frame.port = port;
    frame.resume = Resume::frame;
    carried(*mbuf) = frame;
    inject(mbuf);
}

void Gateway::publish_hop(HopIndex hop, std::unique_ptr<const NextHop> next) {
    retired_->add(publisher_->tables().hops.publish(hop, std::move(next)));
}

void Gateway::retire_hop(HopIndex hop) {
    publisher_->tables().hops.forget(hop);
    hops_changed_ = true;
    retired_hops_->add([this, hop] { neighbours_->reuse(hop); });
}

void Gateway::release(rte_mbuf* mbuf) { inject(mbuf); }

void Gateway::discard(rte_mbuf* mbuf, Drop reason) {
    if (reason != Drop::no_neighbour) return forget(mbuf, reason);
    report(mbuf, host_unreachable, reason);  // RFC 1812 4.3.3.1
}

}  // namespace torii
