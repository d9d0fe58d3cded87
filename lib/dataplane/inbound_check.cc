#include "dataplane/inbound_check.h"

#include <algorithm>

namespace torii {

namespace {

bool answers(const InboundSa& sa, const Request& request, const Endpoints& ends) {
    return sa.protocol == request.protocol && sa.destination == ends.destination && sa.source == ends.source &&
           (sa.mode == Mode::any || sa.mode == request.mode) &&
           (request.level != Level::unique || sa.reqid.load(std::memory_order_relaxed) == request.reqid);
}

}  // namespace

bool satisfies(const Policy& policy, const PacketSelector& selector, const Packet& p) {
    unsigned opened = 0;
    for (auto request = policy.requests.rbegin(); request != policy.requests.rend(); ++request) {
        if (request->protocol == IpsecProtocol::ipcomp) continue;
        const InboundSa* const sa = opened < p.opened ? p.used[opened] : nullptr;
        const auto inner = std::find_if(request, policy.requests.rend(), [](const Request& r) { return r.endpoints; });
        const Endpoints ends =
            inner != policy.requests.rend() ? *inner->endpoints : Endpoints{selector.source, selector.destination};
        if (sa != nullptr && answers(*sa, *request, ends))
            ++opened;
        else if (request->level != Level::use)
            return false;
    }
    return opened == p.opened;
}

bool asks_for_ipcomp_tunnel(const Policy& policy) {
    return std::ranges::any_of(policy.requests, [](const Request& request) {
        return request.protocol == IpsecProtocol::ipcomp && request.mode == Mode::tunnel;
    });
}

}  // namespace torii
