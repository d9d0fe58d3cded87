// What `netstat -s -p ipsec` counts on KAME, for each address family: IPsec headers taken off and put on, and why
// packets were refused. A worker writes its own and so does the control core; anybody may read. `torii show stats`.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "packet/drop.h"
#include "packet/packet.h"
#include "policy/policy.h"
#include "sa/security_association.h"

namespace torii {

// KAME's name, and netstat's words for it
#define TORII_IPSEC_STATS(X)                                           \
    X(in_success, "inbound packets processed successfully")            \
    X(in_polvio, "inbound packets violated process security policy")   \
    X(in_nosa, "inbound packets with no SA available")                 \
    X(in_inval, "invalid inbound packets")                             \
    X(in_nomem, "inbound packets failed due to insufficient memory")   \
    X(in_badspi, "inbound packets failed getting SPI")                 \
    X(in_ahreplay, "inbound packets failed on AH replay check")        \
    X(in_espreplay, "inbound packets failed on ESP replay check")      \
    X(in_ahauthsucc, "inbound AH packets considered authentic")        \
    X(in_ahauthfail, "inbound AH packets failed on authentication")    \
    X(in_espauthsucc, "inbound ESP packets considered authentic")      \
    X(in_espauthfail, "inbound ESP packets failed on authentication")  \
    X(out_success, "outbound packets processed successfully")          \
    X(out_polvio, "outbound packets violated process security policy") \
    X(out_nosa, "outbound packets with no SA available")               \
    X(out_inval, "invalid outbound packets")                           \
    X(out_nomem, "outbound packets failed due to insufficient memory") \
    X(out_noroute, "outbound packets with no route")

enum class IpsecStat : std::uint8_t {
#define X(name, words) name,
    TORII_IPSEC_STATS(X)
#undef X
};
struct IpsecStatInfo {
    std::string_view name, words;
};
inline constexpr auto ipsec_stat_table = std::to_array<IpsecStatInfo>({
#define X(name, words) {#name, words},
    TORII_IPSEC_STATS(X)
#undef X
});

struct IpsecCounters {
    using Histogram = std::array<Counter, 256>;        // by SuiteIndex
    using Refusals = std::array<Counter, drop_count>;  // by Drop
    std::array<Counter, ipsec_stat_table.size()> stats;
    std::array<Histogram, 3> in, out;                 // by place_of(protocol)
    std::array<Refusals, 3> refused_in, refused_out;  // likewise: on account of such a header
    Counter& operator[](IpsecStat stat) { return stats[static_cast<std::size_t>(stat)]; }
    const Counter& operator[](IpsecStat stat) const { return stats[static_cast<std::size_t>(stat)]; }
    static constexpr std::size_t place_of(IpsecProtocol protocol) {
        return protocol == IpsecProtocol::esp ? 0 : protocol == IpsecProtocol::ah ? 1 : 2;
    }
};
using IpsecCountersByFamily = std::array<IpsecCounters, 2>;  // IPv4, IPv6

/// The packet came out of one IPsec header, that of its `inbound_sa`. The family is the SA's, so the outer one.
inline void count_opened(IpsecCountersByFamily& counters, const InboundSa& sa) {
    IpsecCounters& c = counters[sa.destination.is_v4() ? 0 : 1];
    c[IpsecStat::in_success].add(1);
    c.in[IpsecCounters::place_of(sa.protocol)][static_cast<std::size_t>(sa.suite)].add(1);
    if (sa.icv_octets != 0)
        c[sa.protocol == IpsecProtocol::ah ? IpsecStat::in_ahauthsucc : IpsecStat::in_espauthsucc].add(1);
}
/// The packet came out of IPComp without an SA, by its well-known CPI.
inline void count_decompressed(IpsecCountersByFamily& counters, const Packet& p) {
    IpsecCounters& c = counters[p.family == Family::ipv4 ? 0 : 1];
    c[IpsecStat::in_success].add(1);
    c.in[IpsecCounters::place_of(IpsecProtocol::ipcomp)][0].add(1);
}
/// The packet has been given one header by its `outbound_sa`, and stands at the IP header in front of it.
inline void count_protected(IpsecCountersByFamily& counters, const Packet& p) {
    const OutboundSa& sa = *p.outbound_sa;
    IpsecCounters& c = counters[p.family == Family::ipv4 ? 0 : 1];
    c[IpsecStat::out_success].add(1);
    if (sa.protocol == IpsecProtocol::ipcomp && p.protocol != static_cast<std::uint8_t>(IpsecProtocol::ipcomp))
        return;  // it did not compress
    c.out[IpsecCounters::place_of(sa.protocol)][static_cast<std::size_t>(sa.suite)].add(1);
}
/// The packet stands at the IP header it was refused with. A policy's refusal counts as inbound for what came from
/// outside or out of an SA, else as outbound. Reasons that have nothing to do with IPsec count nothing here.
void count_dropped(IpsecCountersByFamily& counters, const Packet& packet, Drop reason);

}  // namespace torii
