// How large a packet becomes on its way through its SAs. Worker threads.
#pragma once

#include <algorithm>
#include <limits>

#include "ah/ah.h"
#include "esp/esp.h"
#include "ipcomp/ipcomp.h"

namespace torii {

/// The most octets an SA adds in `mode` to a packet of `family` and `ip_octets` octets whose header has
/// `header_octets`.
inline unsigned overhead(const OutboundSa& sa, Mode mode, Family family, unsigned ip_octets, unsigned header_octets) {
    switch (sa.protocol) {
        case IpsecProtocol::esp: return esp_overhead(sa, mode, ip_octets, header_octets);
        case IpsecProtocol::ah: return ah_overhead(sa, mode, family);
        case IpsecProtocol::ipcomp: return ipcomp_overhead(sa, mode);
    }
    return 0;
}

/// How a packet grows through its SAs: to `octets` at most, `excess` more than the path of one of them takes. With 0 or
/// less it fits them all.
struct Grown {
    unsigned octets;
    int excess;
};
inline Grown grown(const Packet& p, unsigned ip_octets) {
    const auto beyond = [](const OutboundSa& sa, unsigned octets) {
        return static_cast<int>(octets) - sa.mtu.load(std::memory_order_relaxed);
    };
    Family family = p.family;
    unsigned header = transport_header_octets(p);
    if (p.chain == nullptr) {
        const OutboundSa& sa = *p.outbound_sa;
        ip_octets += overhead(sa, sa.mode, family, ip_octets, header);
        return {ip_octets, beyond(sa, ip_octets)};
    }
    int excess = std::numeric_limits<int>::min();
    for (std::size_t i = 0; i < p.chain->size; ++i) {
        const OutboundSa& sa = *p.chain->sas[i];
        ip_octets += overhead(sa, p.chain->modes[i], family, ip_octets, header);
        excess = std::max(excess, beyond(sa, ip_octets));
        if (p.chain->modes[i] != Mode::tunnel) continue;
        header = sa.outer_octets();
        family = sa.family;
    }
    return {ip_octets, excess};
}

/// The most octets that a packet like `p` may have so that it fits the paths of all SAs of its chain; 0: not one fits.
inline unsigned fitting_octets(const Packet& p) {
    auto fitting = static_cast<unsigned>(std::max(0, p.ip_octets - grown(p, p.ip_octets).excess));
    while (grown(p, fitting + 1).excess <= 0) ++fitting;  // padding makes the overhead vary by less than a block
    while (fitting > 0 && grown(p, fitting).excess > 0) --fitting;
    return fitting;
}

}  // namespace torii
