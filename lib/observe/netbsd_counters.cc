#include "observe/netbsd_counters.h"

#include <numeric>

namespace torii {

namespace {

using T = IpsecTotals;

constexpr std::size_t place(IpsecProtocol protocol) { return IpsecCounters::place_of(protocol); }

template <IpsecStat stat>
std::uint64_t stat_of(const T& t) {
    return t.stats[static_cast<std::size_t>(stat)];
}

std::uint64_t sum(const T::Refusals& refused) {
    return std::accumulate(refused.begin(), refused.end(), std::uint64_t{0});
}
std::uint64_t sum(const std::array<std::uint64_t, 3>& headers) {
    return std::accumulate(headers.begin(), headers.end(), std::uint64_t{0});
}

/// What IPComp left as it was: it succeeded and put no header on.
std::uint64_t useless(const T& t) {
    const std::uint64_t all = stat_of<IpsecStat::out_success>(t), headers = sum(t.sealed);
    return all > headers ? all - headers : 0;  // workers go on counting while they are read
}

template <IpsecProtocol protocol>
std::uint64_t input(const T& t) {
    return t.opened[place(protocol)] + sum(t.refused_in[place(protocol)]);
}
template <IpsecProtocol protocol>
std::uint64_t output(const T& t) {
    const std::uint64_t uncompressed = protocol == IpsecProtocol::ipcomp ? useless(t) : 0;
    return t.sealed[place(protocol)] + uncompressed + sum(t.refused_out[place(protocol)]);
}
/// Of both directions: most reasons have one.
template <IpsecProtocol protocol, Drop... reasons>
std::uint64_t refused(const T& t) {
    const auto of = [&](Drop reason) {
        const auto at = static_cast<std::size_t>(reason);
        return t.refused_in[place(protocol)][at] + t.refused_out[place(protocol)][at];
    };
    return (of(reasons) + ...);
}

constexpr auto esp = IpsecProtocol::esp, ah = IpsecProtocol::ah, ipcomp = IpsecProtocol::ipcomp;
constexpr std::string_view everything_in = "headers taken off (KAME's histogram), and all that was refused on the way";
constexpr std::string_view everything_out = "headers put on (KAME's histogram), and all that was refused on the way";

constexpr NetbsdCounter table[]{
    {"fast_ipsec", "in_polvio", "policy violations, input", "KAME's in_polvio", stat_of<IpsecStat::in_polvio>},
    {"fast_ipsec", "out_polvio", "policy violations, output", "KAME's out_polvio", stat_of<IpsecStat::out_polvio>},
    {"fast_ipsec", "out_nosa", "no SA found (output)", "KAME's out_nosa", stat_of<IpsecStat::out_nosa>},
    {"fast_ipsec", "out_nomem", "no memory available (output)", "KAME's out_nomem", stat_of<IpsecStat::out_nomem>},
    {"fast_ipsec", "out_noroute", "no route available (output)", "KAME's out_noroute", stat_of<IpsecStat::out_noroute>},
    {"fast_ipsec", "out_inval", "generic errors (output)", "KAME's out_inval", stat_of<IpsecStat::out_inval>},
    {"fast_ipsec", "spdcachelookup", "SPD cache lookups", "look-ups in the flow cache",
     [](const T& t) { return t.flow_hits + t.flow_misses; }},
    {"fast_ipsec", "spdcachemiss", "SPD cache misses", "misses of the flow cache",
     [](const T& t) { return t.flow_misses; }},

    {"ah", "input", "ah input packets processed", everything_in, input<ah>},
    {"ah", "output", "ah output packets processed", everything_out, output<ah>},
    {"ah", "hdrops", "ah headers too short", "bad_ah_header", refused<ah, Drop::bad_ah_header>},
    {"ah", "notdb", "ah packets with no SA", "unknown_spi", refused<ah, Drop::unknown_spi>},
    {"ah", "badauth", "ah packets with bad authentication", "bad_icv", refused<ah, Drop::bad_icv>},
    {"ah", "qfull", "ah packets dropped due to queue full", "handover_full", refused<ah, Drop::handover_full>},
    {"ah", "wrap", "ah packets dropped for replay counter wrap", "sequence_exhausted",
     refused<ah, Drop::sequence_exhausted>},
    {"ah", "replay", "ah packets dropped for possible replay", "replayed", refused<ah, Drop::replayed>},
    {"ah", "invalid", "ah packets with an invalid SA", "lifetime_exceeded", refused<ah, Drop::lifetime_exceeded>},
    {"ah", "tunnel", "ah tunnel sanity check failures", "bad_inner_protocol and bad_ecn",
     refused<ah, Drop::bad_inner_protocol, Drop::bad_ecn>},

    {"esp", "input", "esp input packets processed", everything_in, input<esp>},
    {"esp", "output", "esp output packets processed", everything_out, output<esp>},
    {"esp", "hdrops", "esp headers too short", "esp_truncated, which is also what NetBSD calls bad ilen",
     refused<esp, Drop::esp_truncated>},
    {"esp", "notdb", "esp packets with no SA", "unknown_spi", refused<esp, Drop::unknown_spi>},
    {"esp", "qfull", "esp packets dropped due to queue full", "handover_full", refused<esp, Drop::handover_full>},
    {"esp", "badenc", "esp packets with bad encryption", "bad_padding", refused<esp, Drop::bad_padding>},
    {"esp", "badauth", "esp packets with bad authentication", "bad_icv", refused<esp, Drop::bad_icv>},
    {"esp", "wrap", "esp packets dropped for replay counter wrap", "sequence_exhausted",
     refused<esp, Drop::sequence_exhausted>},
    {"esp", "replay", "esp packets dropped for possible replay", "replayed", refused<esp, Drop::replayed>},
    {"esp", "invalid", "esp packets with an invalid SA", "lifetime_exceeded and encapsulation_mismatch",
     refused<esp, Drop::lifetime_exceeded, Drop::encapsulation_mismatch>},
    {"esp", "tunnel", "esp tunnel sanity check failures", "bad_inner_protocol and bad_ecn",
     refused<esp, Drop::bad_inner_protocol, Drop::bad_ecn>},

    {"ipip", "ipackets", "ipip total input packets", "packets out of gif ports", [](const T& t) { return t.gif_in; }},
    {"ipip", "opackets", "ipip total output packets", "packets into gif ports", [](const T& t) { return t.gif_out; }},
    {"ipip", "ibytes", "ipip input bytes received", "octets out of gif ports",
     [](const T& t) { return t.gif_in_octets; }},
    {"ipip", "obytes", "ipip output bytes processed", "octets into gif ports",
     [](const T& t) { return t.gif_out_octets; }},

    {"ipcomp", "input", "ipcomp input IPcomp packets", everything_in, input<ipcomp>},
    {"ipcomp", "output", "ipcomp output IPcomp packets",
     "headers put on (KAME's histogram), what did not compress, and all that was refused on the way", output<ipcomp>},
    {"ipcomp", "hdrops", "ipcomp packets too short for header length", "bad_ipcomp, which is also no DEFLATE data",
     refused<ipcomp, Drop::bad_ipcomp>},
    {"ipcomp", "notdb", "ipcomp packets with no SA", "unknown_cpi", refused<ipcomp, Drop::unknown_cpi>},
    {"ipcomp", "qfull", "ipcomp queue full", "handover_full", refused<ipcomp, Drop::handover_full>},
    {"ipcomp", "invalid", "ipcomp packets with an invalid SA", "lifetime_exceeded",
     refused<ipcomp, Drop::lifetime_exceeded>},
    {"ipcomp", "toobig", "ipcomp packets decompressed as too big", "decompressed_too_big",
     refused<ipcomp, Drop::decompressed_too_big>},
    {"ipcomp", "useless", "ipcomp packet for which compression was useless",
     "KAME's out_success without all headers put on: too short to be tried, not tried, or not smaller", useless},
};

void add(const std::array<IpsecCounters::Refusals, 3>& counted, std::array<T::Refusals, 3>& sums) {
    for (std::size_t protocol = 0; protocol < counted.size(); ++protocol)
        for (std::size_t reason = 0; reason < drop_count; ++reason)
            sums[protocol][reason] += counted[protocol][reason].read();
}

void add(const std::array<IpsecCounters::Histogram, 3>& counted, std::array<std::uint64_t, 3>& sums) {
    for (std::size_t protocol = 0; protocol < counted.size(); ++protocol)
        for (const Counter& suite : counted[protocol]) sums[protocol] += suite.read();
}

}  // namespace

void IpsecTotals::add(const WorkerCounters& counters) {
    for (const IpsecCounters& family : counters.ipsec) {
        for (std::size_t i = 0; i < stats.size(); ++i) stats[i] += family.stats[i].read();
        torii::add(family.in, opened);
        torii::add(family.out, sealed);
        torii::add(family.refused_in, refused_in);
        torii::add(family.refused_out, refused_out);
    }
    for (std::size_t port = max_ports; port < port_numbers; ++port) {
        const PortCounters& gif = counters.ports[port];
        gif_in += gif.rx_packets.read(), gif_in_octets += gif.rx_octets.read();
        gif_out += gif.tx_packets.read(), gif_out_octets += gif.tx_octets.read();
    }
    flow_hits += counters.flow_hits.read();
    flow_misses += counters.flow_misses.read();
}

std::span<const NetbsdCounter> netbsd_counters() { return table; }

}  // namespace torii
