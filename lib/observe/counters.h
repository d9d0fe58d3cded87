// A worker's counters: plain fields it alone writes, readable from the control core at any moment.
#pragma once

#include <array>

#include "observe/ipsec_counters.h"
#include "packet/drop.h"
#include "sa/security_association.h"

namespace torii {

/// Devices have DPDK's numbers, gif ports those behind them.
inline constexpr std::size_t max_ports = 32, max_gifs = 32, port_numbers = max_ports + max_gifs;

struct PortCounters {
    Counter rx_packets, rx_octets, tx_packets, tx_octets, tx_full;
};

struct alignas(64) WorkerCounters {
    Counter bursts, packets, empty_polls, sleeps;
    Counter handed_over, taken_over;
    Counter flow_hits, flow_misses;
    std::array<Counter, drop_count> drops;
    std::array<PortCounters, port_numbers> ports;
    IpsecCountersByFamily ipsec;
};

}  // namespace torii
