// The half of Worker::carry() that protects: what becomes of a packet in clear, and the SAs it goes through.

#include <algorithm>

#include "dataplane/capture_stage.h"
#include "dataplane/chain_size.h"
#include "dataplane/filter_stage.h"
#include "dataplane/flow_key.h"
#include "dataplane/icmp_quote.h"
#include "dataplane/inbound_check.h"
#include "dataplane/worker.h"
#include "esp/udp.h"
#include "ip/ip.h"

namespace torii {

using control::Hook;

namespace {

constexpr unsigned largest_packet = 0xffff;

/// Whether RFC 4301 5.2 wants it told that the packet is dropped for `reason`: it came otherwise than its policy asks,
/// or out of an SA whose peer may not say it.
bool is_told(const Packet& p, Drop reason) {
    if (reason == Drop::policy_mismatch || reason == Drop::icmp_quote) return true;
    return p.opened != 0 && (reason == Drop::no_policy || reason == Drop::policy_discard);
}

/// Whether a packet that goes this way enters a tunnel whose peer takes no later fragments.
bool takes_first_fragments_alone(ChainCell::Value way) {
    const auto alone = [](const OutboundSa* sa) { return sa->first_fragments_alone; };
    if (way.kind() == ChainCell::Kind::one_sa) return alone(way.sa());
    if (way.kind() != ChainCell::Kind::chain) return false;
    return std::any_of(way.chain()->sas.begin(), way.chain()->sas.begin() + way.chain()->size, alone);
}

Notice mismatch(const Packet& p) {
    Notice notice{.kind = control::Event::Kind::selector_mismatch,
                  .serial = p.opened != 0 ? p.used[p.opened - 1]->serial : 0,
                  .flow_label = flow_label(p),
                  .packet = flow_key(p).selector()};
    notice.start.size = static_cast<std::uint8_t>(std::min<std::size_t>(p.ip_octets, notice.start.most));
    std::copy_n(p.ip, notice.start.size, notice.start.octets.begin());
    return notice;
}

}  // namespace

// ---- classify

/// Drops: whatever the flow's verdict says; see decide().
void Worker::classify() {
    if (clear_.empty()) return;
    std::size_t count = 0, misses = 0;
    const auto look_up = [&](Packet& p, const FlowKey& key) {
        keys_[count++] = key;
        p.hash = flows_.hash(key);
        flows_.prefetch(p.hash);
    };
    for (Packet& p : clear_.live()) {
        if (p.family == Family::ipv4) [[likely]]
            look_up(p, ipv4_flow_key(p));
        else
            look_up(p, ipv6_flow_key(p));
    }
    count = 0;
    for (Packet& p : clear_.live()) {
        const Flows::Entry* entry = flows_.find(p.hash, keys_[count], flow_date_);
        if (entry == nullptr || !holds_for(entry->verdict, p)) [[unlikely]] {
            ++misses;
            Flows::Entry& fresh = flows_.remember(p.hash, keys_[count], flow_date_,
                                                  decide(*rules_, tables_.hops, keys_[count].selector(), p, second_));
            if (!is_settled(*rules_, fresh.verdict) || may_be_icmp_error(p)) fresh.generation = 0;
            entry = &fresh;
        }
        const bool lacks_ports = entry->verdict.reason == Drop::fragment_needs_ports && p.fragment;
        const Verdict& verdict = verdicts_[count++] = lacks_ports ? verdict_by_ports(p) : entry->verdict;
        if (verdict.cell != CellIndex::none) __builtin_prefetch(&rules_->cell(verdict.cell));
    }
    counters_.flow_misses.add(misses);
    counters_.flow_hits.add(count - misses);
    if (captures_clear_) capture_clear(*capture_, records_, clear_);
    if (asks_filter(Hook::clear)) filter_clear(*filter_, filter_counts_, clear_, {verdicts_.data(), count});
    count = 0;
    for (Packet& p : clear_.live()) act(p, verdicts_[count++]);
    clear_.clear();
}

/// What becomes of a fragment that policies cannot judge without ports: they are those of its packet's first fragment
/// (RFC 4301 7.3). It waits for no SA, since nobody would know its ports any more.
Verdict Worker::verdict_by_ports(const Packet& p) {
    PacketSelector selector = selector_of(p);
    if (!fragment_ports_.complete(selector, p, second_)) return {.reason = Drop::fragment_needs_ports};
    const Verdict verdict = decide(*rules_, tables_.hops, selector, p, second_);
    if (verdict.cell == CellIndex::none) return verdict;
    const ChainCell::Value way = rules_->cell(verdict.cell).read();
    if (is_later_fragment(p) && takes_first_fragments_alone(way)) return {.reason = Drop::fragment_not_agreed};
    if (way.kind() != ChainCell::Kind::no_sa) return verdict;
    ask_for_sa(p, verdict.cell);
    return {.reason = Drop::no_sa};
}

void Worker::act(Packet& p, const Verdict& verdict) {
    if (verdict.kind == Verdict::Kind::drop) [[unlikely]] {
        if (is_told(p, verdict.reason)) notices_.tell(mismatch(p));
        return Batch::drop(p, verdict.reason);
    }
    if (verdict.kind == Verdict::Kind::gif) [[unlikely]]
        return leave(p, *tables_.hops.read(verdict.hop));
    if (verdict.kind == Verdict::Kind::ike) [[unlikely]]
        return punt(p, Punt::ike);
    p.next_hop = verdict.hop;
    if (verdict.kind == Verdict::Kind::local) {
        if (verdict.hop == HopIndex::none) return punt(p, Punt::local);
        p.made_here = true;  // its way ends here: the host port's stack gets in pieces what IPsec brought whole
        return leaving_.add(p);
    }
    const bool counts_hops = p.arrival == Arrival::outside || p.arrival == Arrival::inside;
    if (counts_hops && hops_left(p) <= 1) return punt(p, Punt::ttl_exceeded);
    if (verdict.cell != CellIndex::none) {
        const ChainCell::Value value = rules_->cell(verdict.cell).read();
        if (value.kind() == ChainCell::Kind::no_sa) return punt(p, Punt::no_sa);
        if (value.kind() == ChainCell::Kind::clear) {
            ask_for_sa(p, verdict.cell);
        } else {
            p.chain = value.kind() == ChainCell::Kind::chain ? value.chain() : nullptr;
            if (p.chain != nullptr && p.chain->incomplete) ask_for_sa(p, verdict.cell);
            p.outbound_sa = p.chain ? p.chain->sas[0] : value.sa();
            __builtin_prefetch(p.outbound_sa, 1);
            __builtin_prefetch(reinterpret_cast<std::byte*>(p.outbound_sa) + 64);
            if (counts_hops) spend_hop(p);
            return protect_.add(p);
        }
    }
    if (verdict.hop == HopIndex::none && verdict.kind != Verdict::Kind::glean) return punt(p, Punt::no_route);
    if (counts_hops) spend_hop(p);
    leaving_.add(p);
}

/// What is inside has arrived by the gif port `gif.port`.
void Worker::leave(Packet& p, const NextHop& gif) {
    if (const Drop reason = leave_gif(p, gif.port, rules_->port_arrival[gif.port]); reason != Drop::none)
        return Batch::drop(p, reason);
    counters_.ports[gif.port].rx_packets.add(1);
    counters_.ports[gif.port].rx_octets.add(p.ip_octets);
    parsed_.add(p);
}

void Worker::ask_for_sa(const Packet& p, CellIndex cell) {
    notices_.tell(
        {.kind = control::Event::Kind::acquire, .packet = flow_key(p).selector(), .policy = rules_->policy_of(cell)});
}

// ---- protect

inline bool Worker::fits(Packet& p) {
    const auto [octets, excess] = grown(p, p.ip_octets);
    if (excess > 0) [[unlikely]]
        return may_be_too_large(p, octets);
    p.spare_octets = static_cast<std::uint16_t>(spare_octets(p, excess));
    return true;
}

/// Drops: no_room, and those of protect_esp, enter_udp, protect_ah and protect_ipcomp.
void Worker::protect() {
    Batch mine, esp, in_udp, ah, ipcomp;
    for (Packet& p : protect_.live()) {
        if (p.outbound_sa->owner != setup_.index) [[unlikely]]
            hand_over(p, p.outbound_sa->owner, Resume::protect);
        else if (p.chain_step != 0 || fits(p)) [[likely]] {
            mine.add(p);
            p.path = &p.outbound_sa->path();
            switch (p.outbound_sa->protocol) {
                case IpsecProtocol::esp:
                    esp.add(p);
                    if (p.path->udp.is_used()) [[unlikely]]
                        in_udp.add(p);
                    break;
                case IpsecProtocol::ah: ah.add(p); break;
                case IpsecProtocol::ipcomp: ipcomp.add(p); break;
            }
        }
    }
    protect_.clear();
    if (!esp.empty()) protect_esp(*crypto_, jobs_, notices_, esp);
    if (!in_udp.empty()) enter_udp(in_udp);
    if (!ah.empty()) protect_ah(*crypto_, jobs_, ah_scratch_, notices_, ah);
    if (!ipcomp.empty()) protect_ipcomp(deflate_, notices_, ipcomp);
    for (Packet& p : mine.live()) {
        count_protected(counters_.ipsec, p);
        p.past_wire = false;
        if (p.chain != nullptr && ++p.chain_step < p.chain->size) {
            p.outbound_sa = p.chain->sas[p.chain_step];
            protect_.add(p);
        } else {
            leaving_.add(p);
        }
    }
}

/// What becomes of a packet that will have `octets` octets, more than the path of one of its SAs takes: it goes on to
/// be cut as it leaves, or goes nowhere and its sender is told what would have fitted (RFC 4301 8.2.1). No sender of
/// IPv6 can be told of less than every link carries: such packets are cut in the tunnel (RFC 2473 7.1), and those that
/// transport mode makes too large are lost.
bool Worker::may_be_too_large(Packet& p, unsigned octets) {
    const bool told_all = p.family == Family::ipv6 && p.ip_octets <= ipv6_minimum_mtu;
    if (told_all || may_be_cut_outside(p)) {  // when it leaves (RFC 4303 3.3.4)
        const OutboundSa& last = p.chain ? *p.chain->sas[p.chain->size - 1u] : *p.outbound_sa;
        p.mtu = last.mtu.load(std::memory_order_relaxed);
        if (octets > largest_packet) Batch::drop(p, Drop::no_room);
        return octets <= largest_packet;
    }
    const unsigned fitting = fitting_octets(p);
    p.mtu = static_cast<std::uint16_t>(p.family == Family::ipv6 ? std::max(fitting, ipv6_minimum_mtu) : fitting);
    punt(p, Punt::too_big);
    return false;
}

}  // namespace torii
