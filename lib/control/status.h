// What the gateway tells about itself: plain values for `torii show`. Control thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "net/address.h"

namespace torii::control {

struct PortStatus {
    std::string name, device, driver, role;  // role: protected, unprotected, host
    std::string mac;
    std::vector<std::string> addresses;
    unsigned mtu = 0;
    bool link_up = false;
    unsigned rx_queues = 0, tx_queues = 0;
    std::uint64_t rx_packets = 0, rx_octets = 0, tx_packets = 0, tx_octets = 0;
    std::uint64_t rx_missed = 0, rx_errors = 0, rx_no_mbuf = 0, tx_full = 0;
    std::uint64_t ring_lost = 0;  // frames the device's own ring lost before we saw them, where the system tells
};

struct RouteStatus {
    std::string prefix, via, port;  // via: empty for a connected network
    std::string origin;             // connected, static
};

struct NeighbourStatus {
    std::string address, mac, port;
    std::string state;  // incomplete, reachable, probing, static, failed
    std::uint64_t age_seconds = 0;
    unsigned waiting = 0;  // packets held for it
};

struct DropStatus {
    std::string reason, advice;
    std::uint64_t total = 0;
    std::vector<std::uint64_t> by_worker;
    std::uint64_t untold = 0;  // of these, how often an ICMP error could have told the sender and was not sent
};

/// One rule of the packet filter, or with id 0 what a hook does with the rest.
struct FilterStatus {
    std::string hook;
    std::uint32_t id = 0;
    std::string text;
    std::uint64_t packets = 0, octets = 0;
};

/// One counter of KAME's or NetBSD's `netstat -s`.
struct StatStatus {
    std::string group;    // ipsec and pfkey (KAME); fast_ipsec, ah, esp, ipip and ipcomp (NetBSD)
    std::string family;   // ipv4, ipv6; empty for what both share
    std::string counter;  // in_success; of histograms in_esphist.aes-gcm-16
    std::string meaning;
    std::uint64_t total = 0;
};

struct WorkerStatus {
    unsigned index = 0, lcore = 0, core = 0;
    std::string polling;  // busy, adaptive
    std::uint64_t bursts = 0, packets = 0, empty_polls = 0, sleeps = 0;
    std::uint64_t handed_over = 0, taken_over = 0;
    std::uint64_t flow_hits = 0, flow_misses = 0;
    unsigned inbound_sas = 0, outbound_sas = 0;  // owned
};

struct CryptoStatus {
    std::string suite, kernel, note;
    bool proven = false, chosen = false;
    double cycles_64 = 0, cycles_1420 = 0;
};

struct SettingStatus {
    std::string name, value, fallback;  // the fallback is what holds when nobody sets it
    std::string right;                  // "0 to 4294967295 packets", "none or discard"
    std::string meaning, effect;        // what it is, and when a change counts: "at once"
};

struct VersionStatus {
    std::string torii, dpdk, ipsec_mb, openssl, gateway_name;
    std::uint64_t uptime_seconds = 0;
    bool hugepages = false;
};

}  // namespace torii::control
