// The kernel's side of the host port: the interface that the net_tap driver made gets the gateway's own addresses and
// its routes, so that this machine's programs speak through the gateway from its first packet on (rtnetlink(7)). It
// goes, with all of this, when the gateway closes the port. Control thread, once, when the ports are open.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "gateway/configuration.h"

namespace torii {

/// What one kernel interface is given.
struct HostInterface {
    struct Route {
        Prefix destination;
        std::optional<Address> source;  // that programs speak from by themselves
    };
    std::string name;
    std::vector<InterfaceAddress> addresses;
    std::vector<Route> routes;
};

/// The interfaces of the configuration's host ports with what they want. Addresses: the gateway's own, those of every
/// port, but for link-local ones, which mean something on their own link alone. Routes: the other ports' networks and
/// the configured ones, each from the address of the port it leaves by. Host ports that no kernel interface is named
/// for ("iface=") are left out.
std::vector<HostInterface> host_interfaces(const Configuration& configuration);

/// Brings the interface up with its addresses and routes; those that are there already stay as they are. Routes have a
/// metric so great that the machine's other routes to the same networks come first. IPv6 addresses are usable at once:
/// nobody else on the interface could have them. Errc::io says what the kernel refused.
Result<void> set_up(const HostInterface& wanted);

}  // namespace torii
