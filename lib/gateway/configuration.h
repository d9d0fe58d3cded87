// The gateway's configuration as plain, checked values. app/config reads it from a libconfig file; tests and the bench
// write it in code. No DPDK here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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

struct PortConfiguration {
    std::string name;
    /// EAL device: a PCI address ("0000:03:00.0") or vdev devargs ("net_af_packet0,iface=wan").
    std::string device;
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

inline constexpr std::size_t most_neighbours = 4095;  // configured, next hops of routes, and those that ARP finds

struct NeighbourConfiguration {  // a static one
    Address address;
    MacAddress mac;
    std::string port;
};

/// What happens to a file that holds keys and that others may read.
enum class ReadableKeys : std::uint8_t { warn, refuse };

struct Configuration {
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
    /// net.inet.ipsec.def_policy: bypass is KAME's `none`.
    PolicyAction default_policy = PolicyAction::discard;
    Level esp_trans_deflev = Level::use, esp_net_deflev = Level::use;
    Level ah_trans_deflev = Level::use, ah_net_deflev = Level::use;
    bool prefer_old_sa = false;  // net.key.prefered_oldsa

    bool legacy = false;      // SAs may use what RFC 8221 forbids or advises against
    std::string setkey_file;  // loaded at start; empty: none
    std::string control_socket = "/run/torii/control.sock";
    std::string log_file;  // empty: standard error
    std::string log_level = "info";
    std::string only_kernels;  // CryptoBook::Options::only
    bool time_kernels = true;
};

}  // namespace torii
