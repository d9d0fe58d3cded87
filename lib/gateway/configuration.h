// The gateway's configuration as plain, checked values. app/config reads it from a libconfig file; tests and the bench
// write it in code. No DPDK here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/filter_rule.h"
#include "control/settings.h"
#include "net/address.h"
#include "policy/policy.h"

namespace torii {

enum class Polling : std::uint8_t { busy, adaptive };
/// protected: behind the gateway, its packets are outbound; unprotected: the world; host: the door to this machine's
/// own stack.
enum class PortRole : std::uint8_t { unprotected_port, protected_port, host_port };

struct InterfaceAddress {
    Address address;
    unsigned prefix_length = 0;
};

/// The outer addresses of a gif port's packets: one of ours, and the far end's.
struct GifConfiguration {
    Address local, remote;
};

struct PortConfiguration {
    std::string name;
    /// EAL device: a PCI address ("0000:03:00.0") or vdev devargs ("net_af_packet0,iface=wan"). A gif has none.
    std::string device;
    std::optional<GifConfiguration> gif;  // the port is a tunnel of IP in IP
    std::vector<InterfaceAddress> addresses;
    unsigned mtu = 1500;  // octets of an IP packet: 576 .. 9000
    PortRole role = PortRole::unprotected_port;
    unsigned queues = 0;  // 0: one per worker, or as many as the device has
};

struct RouteConfiguration {
    Prefix destination;
    Address via;
    std::string port;  // in the file it may stand for itself: the port whose network holds `via`
};

inline constexpr std::size_t most_neighbours = 4095;  // configured, next hops of routes and gifs, those that ARP finds
inline constexpr unsigned gif_mtu = 1280;             // of a gif port that says nothing else, as in KAME

struct NeighbourConfiguration {  // a static one
    Address address;
    MacAddress mac;
    std::string port;
};

/// What happens to a file that holds keys and that others may read.
enum class ReadableKeys : std::uint8_t { warn, refuse };

/// A tunnel's outer DSCP, by that of the packet inside.
using DscpMap = std::array<std::uint8_t, 64>;
constexpr DscpMap unchanged_dscps() {
    DscpMap out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i);
    return out;
}

/// The settings it inherits are first values: what an operator changes later stands elsewhere.
struct Configuration : control::Settings {
    std::string name = "torii";
    unsigned workers = 1;         // 1 .. 16
    std::vector<unsigned> cores;  // control core first, then one per worker; empty: spread over what there is
    Polling polling = Polling::adaptive;
    unsigned burst = 64;  // packets taken from a queue at once: 1 .. 256
    unsigned memory_megabytes = 256;
    unsigned mbufs = 16384;  // in the packet pool
    std::vector<PortConfiguration> ports;
    std::vector<RouteConfiguration> routes;
    std::vector<NeighbourConfiguration> neighbours;

    ReadableKeys readable_keys = ReadableKeys::warn;
    /// By control::Hook; the first rule that matches decides.
    struct FilterHook {
        std::vector<control::FilterRule> rules;
        control::FilterAction otherwise = control::FilterAction::pass;
    };
    FilterHook filter_wire, filter_clear;

    DscpMap dscp_map = unchanged_dscps();
    bool legacy = false;      // SAs may use what RFC 8221 forbids or advises against
    std::string setkey_file;  // loaded at start; empty: none
    std::string control_socket = "/run/torii/control.sock";
    std::string policy_socket;  // for everybody's own sockets; empty: none
    std::string log_file;       // empty: standard error
    std::string log_level = "info";
    std::string only_kernels;  // CryptoBook::Options::only
    bool time_kernels = true;
};

}  // namespace torii
