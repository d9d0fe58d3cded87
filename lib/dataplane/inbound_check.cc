#include "dataplane/inbound_check.h"

#include <algorithm>

namespace torii {

bool answers(const InboundSa& sa, const Request& request, const Endpoints& ends) {
    return sa.protocol == request.protocol && sa.is_between(ends) &&
           (sa.mode == Mode::any || sa.mode == request.mode) &&
           (request.level != Level::unique || sa.reqid.load(std::memory_order_relaxed) == request.reqid);
}

Endpoints ends_of(const Policy& policy, std::size_t request, const PacketSelector& selector) {
    for (std::size_t inner = request + 1; inner-- > 0;)
        if (policy.requests[inner].endpoints) return *policy.requests[inner].endpoints;
    return {selector.source, selector.destination};
}

bool satisfies(const Policy& policy, const PacketSelector& selector, const Packet& p) {
    unsigned opened = 0;
    for (std::size_t i = policy.requests.size(); i-- > 0;) {
        const Request& request = policy.requests[i];
        if (request.protocol == IpsecProtocol::ipcomp) continue;
        const InboundSa* const sa = opened < p.opened ? p.used[opened] : nullptr;
        if (sa != nullptr && answers(*sa, request, ends_of(policy, i, selector)))
            ++opened;
        else if (request.level != Level::use)
            return false;
    }
    return opened == p.opened;
}

bool asks_for_ipcomp_tunnel(const Policy& policy, const Endpoints& ends) {
    return std::ranges::any_of(policy.requests, [&](const Request& request) {
        return request.protocol == IpsecProtocol::ipcomp && request.mode == Mode::tunnel && request.endpoints == ends;
    });
}

}  // namespace torii
