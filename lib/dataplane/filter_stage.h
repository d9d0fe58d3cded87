// The pipeline's looks into the packet filter, one a place: what has arrived, what is in clear, what leaves. A worker
// takes these stages only while the published Filter has something to do there. Worker threads.
#pragma once

#include <span>

#include "dataplane/fragment_ports.h"
#include "dataplane/tables.h"
#include "dataplane/verdict.h"
#include "filter/filter.h"

namespace torii {

/// What a worker brings to the hook at the wire, where packets get tags: the ports of fragments' first ones.
struct TaggingPlace {
    FragmentPorts& fragment_ports;
    std::uint32_t now_seconds;
};

/// Hook wire, in: packets as they came from a port; they get their tags here. Drops: filter_wire; fragment_needs_ports
/// where a tag hangs on the ports of a fragment, and the packet's first one did not come before.
void filter_arrived(const Filter& filter, FilterCounts& counts, const Batch& arrived, TaggingPlace place);
/// Hook clear: behind inbound IPsec, before outbound. `verdicts` are those of the batch's live packets, in order; what
/// is blocked is given Drop::filter_clear there.
void filter_clear(const Filter& filter, FilterCounts& counts, const Batch& clear, std::span<Verdict> verdicts);
/// Hook wire, out: packets as they will be on the wire, once each, by the port of their next hop. What came out of
/// IPsec and is not protected again has passed this hook as it came. One whose hop has no number yet is judged when the
/// control core sends it back with one. A tag that it gets here is for what a gif port makes of it. Drops: as
/// filter_arrived.
void filter_leaving(const Filter& filter, FilterCounts& counts, const Batch& leaving, const NextHopTable& hops,
                    TaggingPlace place);

}  // namespace torii
