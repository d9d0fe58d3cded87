// What NetBSD's `netstat -s` calls IPsec's counters (FAST_IPSEC: the groups fast_ipsec, ah, esp, ipip and ipcomp): each
// is worked out of what workers count anyway, when somebody asks. docs/counters.md is drawn from this table.
#pragma once

#include <span>

#include "observe/counters.h"

namespace torii {

/// Sums over workers and the control core, both families together.
struct IpsecTotals {
    using Refusals = std::array<std::uint64_t, drop_count>;
    std::array<std::uint64_t, ipsec_stat_table.size()> stats{};
    std::array<std::uint64_t, 3> opened{}, sealed{};  // headers taken off, put on; by IpsecCounters::place_of
    std::array<Refusals, 3> refused_in{}, refused_out{};
    std::uint64_t gif_in{}, gif_in_octets{}, gif_out{}, gif_out_octets{};  // packets of gif ports
    std::uint64_t flow_hits{}, flow_misses{};

    void add(const WorkerCounters& counters);
};

struct NetbsdCounter {
    std::string_view group, name, words;  // as netstat prints them
    std::string_view source;              // what it is worked out of, for people
    std::uint64_t (*read)(const IpsecTotals&);
};
std::span<const NetbsdCounter> netbsd_counters();

}  // namespace torii
