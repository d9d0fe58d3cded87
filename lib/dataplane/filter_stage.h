// The pipeline's looks into the packet filter, one a place: what has arrived, what is in clear, what leaves. A worker
// takes these stages only while the published Filter has something to do there. Worker threads.
#pragma once

#include <span>

#include "dataplane/tables.h"
#include "dataplane/verdict.h"
#include "filter/filter.h"

namespace torii {

/// Hook wire, in: packets as they came from a port. Drops: filter_wire.
void filter_arrived(const Filter& filter, FilterCounts& counts, const Batch& arrived);
/// Hook clear: behind inbound IPsec, before outbound. `verdicts` are those of the batch's live packets, in order; what
/// is blocked is given Drop::filter_clear there.
void filter_clear(const Filter& filter, FilterCounts& counts, const Batch& clear, std::span<Verdict> verdicts);
/// Hook wire, out: packets as they will be on the wire, once each, by the port of their next hop. What came out of
/// IPsec and is not protected again has passed this hook as it came. One whose hop has no number yet is judged when the
/// control core sends it back with one. Drops: filter_wire.
void filter_leaving(const Filter& filter, FilterCounts& counts, const Batch& leaving, const NextHopTable& hops);

}  // namespace torii
