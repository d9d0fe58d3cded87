#include "dataplane/filter_stage.h"

#include "dataplane/icmp_quote.h"

namespace torii {

using control::Hook;
using control::Way;

namespace {

/// Drops the packet, or gives it the tag of its rule.
void ask_at_wire(const Filter& filter, FilterCounts& counts, Packet& p, Way way, std::uint16_t port,
                 TaggingPlace place) {
    PacketSelector first;
    bool ports_known = false;
    if (p.fragment && filter.gives_tags_by_ports()) [[unlikely]] {
        first = selector_of(p);
        ports_known = place.fragment_ports.complete(first, p, place.now_seconds);
    }
    const Filter::Answer answer = filter.ask(Hook::wire, p, way, port, counts, ports_known ? &first : nullptr);
    if (!answer.passes) return Batch::drop(p, answer.needs_ports ? Drop::fragment_needs_ports : Drop::filter_wire);
    if (answer.tag != Tag::none) p.tag = answer.tag;
}

}  // namespace

void filter_arrived(const Filter& filter, FilterCounts& counts, const Batch& arrived, TaggingPlace place) {
    for (Packet& p : arrived.live()) {
        ask_at_wire(filter, counts, p, Way::in, p.port, place);
        if (!filter.gives_tags() || !may_be_icmp_error(p)) continue;
        if (const auto quote = icmp_quote(p); quote && quote->answer)
            p.answers_tag = filter.tag_of(Hook::wire, *quote->answer, Way::in, p.port);
    }
}

void filter_clear(const Filter& filter, FilterCounts& counts, const Batch& clear, std::span<Verdict> verdicts) {
    std::size_t i = 0;
    for (const Packet& p : clear.live()) {
        Verdict& verdict = verdicts[i++];
        if (verdict.kind == Verdict::Kind::drop) continue;
        const Way way = p.arrival == Arrival::outside ? Way::in : Way::out;
        if (!filter.passes(Hook::clear, p, way, p.port, counts))
            verdict = {.kind = Verdict::Kind::drop, .reason = Drop::filter_clear};
    }
}

void filter_leaving(const Filter& filter, FilterCounts& counts, const Batch& leaving, const NextHopTable& hops,
                    TaggingPlace place) {
    for (Packet& p : leaving.live()) {
        if (p.past_wire) continue;
        const NextHop* const hop = hops.read(p.next_hop);
        if (hop == nullptr) continue;
        p.past_wire = true;
        ask_at_wire(filter, counts, p, Way::out, hop->port, place);
    }
}

}  // namespace torii
