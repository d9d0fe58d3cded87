#include "observe/ipsec_counters.h"

#include <optional>

namespace torii {

namespace {

/// The family of the IP header the packet stands at.
std::size_t family_place(const Packet& p) { return std::to_integer<unsigned>(*p.ip) >> 4 == 6 ? 1 : 0; }

/// What KAME counts of this drop; nothing of most.
std::optional<IpsecStat> stat_of(const Packet& p, Drop reason) {
    const bool inbound = p.arrival == Arrival::outside;
    const bool ah = p.protocol == static_cast<std::uint8_t>(IpsecProtocol::ah);
    switch (reason) {
        case Drop::policy_discard:
        case Drop::no_policy:
        case Drop::policy_mismatch:
        case Drop::fragment_needs_ports:
        case Drop::fragment_not_agreed: return inbound ? IpsecStat::in_polvio : IpsecStat::out_polvio;
        case Drop::unknown_spi:
        case Drop::unknown_cpi: return IpsecStat::in_nosa;
        case Drop::no_sa: return IpsecStat::out_nosa;
        case Drop::lifetime_exceeded: return p.outbound_sa != nullptr ? IpsecStat::out_nosa : IpsecStat::in_nosa;
        case Drop::replayed: return ah ? IpsecStat::in_ahreplay : IpsecStat::in_espreplay;
        case Drop::bad_icv: return ah ? IpsecStat::in_ahauthfail : IpsecStat::in_espauthfail;
        case Drop::esp_truncated:
        case Drop::bad_ah_header:  // before there is an SA: too short to tell its SPI
            return p.inbound_sa == nullptr ? IpsecStat::in_badspi : IpsecStat::in_inval;
        case Drop::bad_ipcomp:
        case Drop::decompressed_too_big:
        case Drop::bad_padding:
        case Drop::bad_inner_protocol:
        case Drop::bad_ecn:
        case Drop::nested_too_deep: return IpsecStat::in_inval;
        case Drop::sequence_exhausted:
        case Drop::fragment_in_transport: return IpsecStat::out_inval;
        case Drop::no_room: return p.outbound_sa != nullptr ? IpsecStat::out_nomem : IpsecStat::in_nomem;
        case Drop::no_route: return IpsecStat::out_noroute;
        default: return std::nullopt;
    }
}

/// The protocol on account of whose header, there or to be put on, the packet was refused; none for all other reasons.
std::optional<IpsecProtocol> refuser(const Packet& p, Drop reason) {
    switch (reason) {
        case Drop::unknown_spi:
        case Drop::unknown_cpi:
        case Drop::esp_truncated:
        case Drop::bad_ah_header:
        case Drop::bad_ipcomp: return IpsecProtocol{p.protocol};  // before there is an SA
        case Drop::encapsulation_mismatch:
        case Drop::decompressed_too_big:
        case Drop::replayed:
        case Drop::bad_icv:
        case Drop::bad_padding:
        case Drop::bad_inner_protocol:
        case Drop::bad_ecn:
        case Drop::sequence_exhausted:
        case Drop::lifetime_exceeded:
        case Drop::handover_full: break;
        default: return std::nullopt;
    }
    if (p.outbound_sa != nullptr) return p.outbound_sa->protocol;
    if (p.inbound_sa != nullptr) return p.inbound_sa->protocol;
    constexpr auto ipcomp = IpsecProtocol::ipcomp;  // alone needs no SA
    return IpsecProtocol{p.protocol} == ipcomp ? std::optional{ipcomp} : std::nullopt;
}

}  // namespace

void count_dropped(IpsecCountersByFamily& counters, const Packet& packet, Drop reason) {
    const auto stat = stat_of(packet, reason);
    const auto protocol = refuser(packet, reason);
    if (!stat && !protocol) return;  // what is too short for an IP header tells no family
    IpsecCounters& c = counters[family_place(packet)];
    if (stat) c[*stat].add(1);
    if (protocol) {
        auto& refused = packet.outbound_sa != nullptr ? c.refused_out : c.refused_in;
        refused[IpsecCounters::place_of(*protocol)][static_cast<std::size_t>(reason)].add(1);
    }
}

}  // namespace torii
