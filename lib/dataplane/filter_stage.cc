#include "dataplane/filter_stage.h"

namespace torii {

using control::Hook;
using control::Way;

void filter_arrived(const Filter& filter, FilterCounts& counts, const Batch& arrived) {
    for (Packet& p : arrived.live())
        if (!filter.passes(Hook::wire, p, Way::in, p.port, counts)) Batch::drop(p, Drop::filter_wire);
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

void filter_leaving(const Filter& filter, FilterCounts& counts, const Batch& leaving, const NextHopTable& hops) {
    for (Packet& p : leaving.live()) {
        if (p.past_wire) continue;
        const NextHop* const hop = hops.read(p.next_hop);
        if (hop == nullptr) continue;
        p.past_wire = true;
        if (!filter.passes(Hook::wire, p, Way::out, hop->port, counts)) Batch::drop(p, Drop::filter_wire);
    }
}

}  // namespace torii
