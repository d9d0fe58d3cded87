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
        case IpsecProtocol::esp: return esp_overhead(sa, mode, ip_octets, header_octets) + sa.path().udp_octets();
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

/// How much longer the packet may become before its SAs, through which it grows by `excess`, so that it still fits.
/// What later SAs of a chain add for their padding may differ then.
inline unsigned spare_octets(const Packet& p, int excess) {
    const int reserved = p.chain == nullptr ? 0 : 16 * (p.chain->size - 1);
    return static_cast<unsigned>(std::max(0, -excess - reserved));
}

/// Whether what leaves may be cut on its way, of a packet larger than every sender believes to pass: the outermost
/// header's DF decides. IPv6 has none: what may be cut inside may be cut outside (RFC 2473 7.2).
inline bool may_be_cut_outside(const Packet& p) {
    Family family = p.family;
    bool cuttable = may_be_cut(p);
    const auto enter = [&](const OutboundSa& sa, Mode mode) {
        if (mode != Mode::tunnel) return;
        const std::uint16_t df = family == Family::ipv4 && cuttable ? std::uint16_t{0} : Ipv4Header::dont_fragment;
        if (sa.family == Family::ipv4) cuttable = sa.tunnel.load(std::memory_order_acquire)->outer_df(df) == 0;
        family = sa.family;
    };
    if (p.chain == nullptr) enter(*p.outbound_sa, p.outbound_sa->mode);
    for (std::size_t i = 0; p.chain != nullptr && i < p.chain->size; ++i) enter(*p.chain->sas[i], p.chain->modes[i]);
    return cuttable;
}

/// The most octets that a packet like `p` may have so that it fits the paths of all SAs of its chain; 0: not one fits.
inline unsigned fitting_octets(const Packet& p) {
    auto fitting = static_cast<unsigned>(std::max(0, p.ip_octets - grown(p, p.ip_octets).excess));
    while (grown(p, fitting + 1).excess <= 0) ++fitting;  // padding makes the overhead vary by less than a block
    while (fitting > 0 && grown(p, fitting).excess > 0) --fitting;
    return fitting;
}

}  // namespace torii
