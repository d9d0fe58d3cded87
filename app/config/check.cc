#include "app/config/check.h"

#include <algorithm>
#include <optional>
#include <set>

#include "gateway/devargs.h"

namespace torii::config {
namespace {

std::string element(std::string_view list, std::size_t i) { return std::string{list} + ".[" + std::to_string(i) + "]"; }

std::string_view device_name(const PortConfiguration& port) {
    return std::string_view{port.device}.substr(0, port.device.find(','));
}

const PortConfiguration* port_named(const Configuration& c, std::string_view name) {
    const auto found = std::ranges::find(c.ports, name, &PortConfiguration::name);
    return found == c.ports.end() ? nullptr : &*found;
}

std::string port_names(const Configuration& c) {
    std::string out;
    for (const auto& port : c.ports) out += (out.empty() ? "" : ", ") + port.name;
    return out;
}

bool speaks(const PortConfiguration& port, Family family) {
    return std::ranges::any_of(port.addresses, [family](const auto& own) { return own.address.family() == family; });
}

/// A link-local address names a host together with its port; the port of others is left empty.
using Scoped = std::pair<Address, std::string>;
Scoped scoped(const Address& address, const std::string& port) {
    return {address, address.is_link_local() ? port : std::string{}};
}

/// One checking run; its members are the checks.
class Check {
public:
    Check(const Configuration& configuration, Problems& problems) : c_(configuration), problems_(problems) {}

    void cores(unsigned machine_cores) {
        if (problems_.under("gateway.cores") || problems_.under("gateway.workers") || c_.cores.empty()) return;
        const std::size_t wanted = c_.workers + 1;
        if (c_.cores.size() != wanted)
            problems_.add("gateway.cores", "names " + std::to_string(c_.cores.size()) +
                                               ": the control thread and gateway.workers = " +
                                               std::to_string(c_.workers) + " want " + std::to_string(wanted));
        for (std::size_t i = 0; i < c_.cores.size(); ++i)
            if (c_.cores[i] >= machine_cores)
                problems_.add(element("gateway.cores", i), "is " + std::to_string(c_.cores[i]) +
                                                               ": this machine's cores are 0 to " +
                                                               std::to_string(machine_cores - 1));
    }

    void socket() {
        constexpr std::size_t longest = 107;  // sockaddr_un's room
        for (const auto& [name, path] :
             {std::pair{"control.socket", &c_.control_socket}, std::pair{"control.policy_socket", &c_.policy_socket}})
            if (path->size() > longest)
                problems_.add(name, "is " + in_quotes(*path) + ", " + std::to_string(path->size()) +
                                        " octets with its folder: a socket's path has 1 to 107 octets");
    }

    void ports() {
        constexpr std::size_t most = 32;  // DPDK's RTE_MAX_ETHPORTS as Debian builds it
        if (problems_.under("ports") && c_.ports.empty()) return;
        if (c_.ports.empty() || c_.ports.size() > most)
            problems_.add("ports", "has " + std::to_string(c_.ports.size()) + ": a gateway has 1 to " +
                                       std::to_string(most) + " ports");
        for (std::size_t i = 0; i < c_.ports.size(); ++i) port(i);
    }

    void routes() {
        for (std::size_t i = 0; i < c_.routes.size(); ++i)
            if (!problems_.under(element("routes", i))) route(i);
    }

    void places() {
        std::set<Scoped> taken;
        for (const auto& neighbour : c_.neighbours) taken.insert(scoped(neighbour.address, neighbour.port));
        for (const auto& route : c_.routes) taken.insert(scoped(route.via, route.port));
        const auto has_fixed = [](const PortConfiguration& port) {
            return port.gif || port.role == PortRole::host_port;
        };
        const auto fixed = static_cast<std::size_t>(std::ranges::count_if(c_.ports, has_fixed));
        const std::size_t wanted = taken.size() + fixed;
        if (wanted > most_neighbours)
            problems_.add(c_.neighbours.size() > c_.routes.size() ? "neighbours" : "routes",
                          "with neighbours and routes together " + std::to_string(wanted) +
                              " next hops: the gateway knows " + std::to_string(most_neighbours) + " at most");
    }

    void neighbours() {
        for (std::size_t i = 0; i < c_.neighbours.size(); ++i)
            if (!problems_.under(element("neighbours", i))) neighbour(i);
    }

    /// Rules of the packet filter name ports that are there, and give tags where policies are still to be asked.
    void filter() {
        const auto hook = [&](const std::string& path, const std::vector<control::FilterRule>& rules) {
            for (std::size_t i = 0; i < rules.size(); ++i)
                if (!rules[i].port.empty() && !port_named(c_, rules[i].port) && !problems_.under(element(path, i)))
                    problems_.add(element(path, i),
                                  "is for port " + in_quotes(rules[i].port) + ": there is " + port_names(c_));
        };
        hook("filter.wire", c_.filter_wire.rules);
        hook("filter.clear", c_.filter_clear.rules);
        const auto& clear = c_.filter_clear.rules;
        for (std::size_t i = 0; i < clear.size(); ++i)
            if (!clear[i].tag.empty() && !problems_.under(element("filter.clear", i)))
                problems_.add(
                    element("filter.clear", i),
                    "gives a tag: that is for filter.wire, because policies have been asked before hook clear is");
    }

private:
    void port(std::size_t i) {
        const auto& port = c_.ports[i];
        const std::string path = element("ports", i);
        first_or(names_, port.name, path + ".name", [&](const std::string& other) {
            return "is " + in_quotes(port.name) + ", as " + other + " is: every port has its own name";
        });
        if (port.gif) return gif(i);
        first_or(devices_, std::string{device_name(port)}, path + ".device", [&](const std::string& other) {
            return "is " + in_quotes(device_name(port)) + ", as " + other + " is: every port has its own device";
        });
        if (receive_room_octets(port) > most_room_octets)
            problems_.add(path + ".device", "is " + in_quotes(port.device) +
                                                ": a packet buffer has room for a framesz of " +
                                                std::to_string(most_room_octets) + " octets at most");
        mtu_and_addresses(i);
    }

    void mtu_and_addresses(std::size_t i) {
        const auto& port = c_.ports[i];
        const std::string path = element("ports", i);
        constexpr unsigned least_mtu = 1280;  // RFC 8200 5
        if (port.mtu < least_mtu && speaks(port, Family::ipv6))
            problems_.add(path + ".mtu", "is " + std::to_string(port.mtu) +
                                             ": a port with an IPv6 address has one of " + std::to_string(least_mtu) +
                                             " octets at least");
        for (std::size_t j = 0; j < port.addresses.size(); ++j) address(i, j);
    }

    void gif(std::size_t i) {
        const auto& port = c_.ports[i];
        const auto& [local, remote] = *port.gif;
        const std::string path = element("ports", i), ends = local.text() + "-" + remote.text();
        if (!port.device.empty()) problems_.add(path + ".device", "stands beside gif: a port is one or the other");
        if (port.role == PortRole::host_port)
            problems_.add(path + ".role", "is \"host\": a gif port is protected or unprotected");
        if (port.queues != 0) problems_.add(path + ".queues", "is given: a gif port has no queues");
        mtu_and_addresses(i);
        const auto is_of_another = [&](const Address& end) {
            return std::ranges::any_of(c_.ports, [&](const PortConfiguration& other) {
                return &other != &port && std::ranges::count(other.addresses, end, &InterfaceAddress::address) != 0;
            });
        };
        if (problems_.under(path + ".gif")) return;
        if (local.family() != remote.family())
            return problems_.add(path + ".gif", "is " + ends + ": both ends are of one family");
        first_or(gifs_, ends, path + ".gif", [&](const std::string& other) {
            return "is " + ends + ", as " + other + " is: every gif port has ends of its own";
        });
        if (!is_of_another(local))
            problems_.add(path + ".gif.local", "is " + local.text() + ": right is an address of another port");
        if (addresses_.contains(scoped(remote, {})) || is_of_another(remote))
            problems_.add(path + ".gif.remote",
                          "is " + remote.text() + ": that is this gateway's own address; another host's is wanted");
    }

    void address(std::size_t i, std::size_t j) {
        const auto& [address, length] = c_.ports[i].addresses[j];
        const std::string path = element(element("ports", i) + ".addresses", j);
        if (problems_.under(path)) return;
        const auto written = address.text() + "/" + std::to_string(length);
        first_or(addresses_, scoped(address, c_.ports[i].name), path, [&](const std::string& other) {
            return "is " + written + ", as " + other + " is: every address stands once";
        });
        if (problems_.under(path) || address.is_link_local()) return;
        const Prefix network{address, length};
        const auto [first, added] = networks_.emplace(network, i);
        if (!added && first->second != i)
            problems_.add(path, "is " + written + ": " + network.text() + " is the network of " +
                                    element("ports", first->second) + " already; two ports have two networks");
    }

    void route(std::size_t i) {
        const auto& route = c_.routes[i];
        const std::string path = element("routes", i);
        first_or(destinations_, route.destination, path + ".destination", [&](const std::string& other) {
            return "is " + route.destination.text() + ", as " + other + " is: a network has one route";
        });
        if (route.via.family() != route.destination.family())
            problems_.add(path + ".via", "is " + route.via.text() + ": a route to " + route.destination.text() +
                                             " goes via an address of the same family");
        if (problems_.under("ports")) return;  // the rest asks what the ports hold
        if (const auto own = networks_.find(route.destination); own != networks_.end())
            problems_.add(path + ".destination", "is " + route.destination.text() + ": that is the network of " +
                                                     element("ports", own->second) + " and needs no route");
        next_hop(path, "via", route.via, route.port.empty() ? std::nullopt : std::optional{route.port}, true);
    }

    void neighbour(std::size_t i) {
        const auto& neighbour = c_.neighbours[i];
        const std::string path = element("neighbours", i);
        first_or(neighbours_, scoped(neighbour.address, neighbour.port), path + ".address",
                 [&](const std::string& other) {
                     return "is " + neighbour.address.text() + ", as " + other + " is: a neighbour stands once";
                 });
        if (problems_.under("ports")) return;
        const auto port = neighbour.port.empty() ? std::nullopt : std::optional{neighbour.port};
        next_hop(path, "address", neighbour.address, port, false);
    }

    /// What routes and neighbours have in common: an address that a port must lead to. `far`: it may lie outside the
    /// port's networks when the port is named.
    void next_hop(const std::string& path, std::string_view name, const Address& address,
                  const std::optional<std::string>& port, bool far) {
        const std::string address_path = path + "." + std::string{name};
        const PortConfiguration* const holder = port_holding(c_, address);
        const PortConfiguration* const named = port ? port_named(c_, *port) : nullptr;
        if (const auto own = addresses_.find(scoped(address, port.value_or(""))); own != addresses_.end())
            return problems_.add(address_path, "is " + address.text() + ": that is this gateway's own address, at " +
                                                   own->second + "; another host's is wanted");
        if (port && named == nullptr)
            return problems_.add(path + ".port",
                                 "is " + in_quotes(*port) + ": there is no such port; the ports are " + port_names(c_));
        if (port && holder != nullptr && holder->name != *port)
            return problems_.add(path + ".port", "is " + in_quotes(*port) + ": " + address.text() +
                                                     " is in the network of port " + holder->name);
        if (address.is_link_local() && !port)
            return problems_.add(address_path, "is " + address.text() +
                                                   ", a link-local address, which every link has for itself: name the "
                                                   "port that leads there");
        if (holder == nullptr && !address.is_link_local() && !(far && port))
            return problems_.add(address_path,
                                 "is " + address.text() + ", in no port's network: " +
                                     (far ? "right is an address of one, or name the port that leads there"
                                          : "right is an address of one"));
        const PortConfiguration& there = holder != nullptr ? *holder : *named;
        if (there.gif && !far)
            return problems_.add(address_path,
                                 "is " + address.text() + ": nobody has a MAC address on gif port " + there.name);
        if (holder == nullptr && !named->gif && !speaks(*named, address.family()))
            problems_.add(path + ".port", "is " + in_quotes(*port) + ", which has no " +
                                              (address.is_v4() ? "IPv4" : "IPv6") + " address to ask for " +
                                              address.text() + " from");
    }

    /// Remembers `key` at `path`; when it was there already, tells so with where that was.
    template <class Key, class Sentence>
    void first_or(std::map<Key, std::string>& seen, const Key& key, const std::string& path, Sentence sentence) {
        if (problems_.under(path)) return;
        const auto [first, added] = seen.emplace(key, path);
        if (!added) problems_.add(path, sentence(first->second));
    }

    const Configuration& c_;
    Problems& problems_;
    std::map<std::string, std::string> names_, devices_, gifs_;
    std::map<Scoped, std::string> addresses_, neighbours_;
    std::map<Prefix, std::size_t> networks_;  // to the port's index
    std::map<Prefix, std::string> destinations_;
};

}  // namespace

const PortConfiguration* port_holding(const Configuration& configuration, const Address& address) {
    const PortConfiguration* best = nullptr;
    unsigned longest = 0;
    for (const auto& port : configuration.ports)
        for (const auto& own : port.addresses)
            if (own.prefix_length > longest && !own.address.is_link_local() &&
                Prefix{own.address, own.prefix_length}.contains(address)) {
                best = &port;
                longest = own.prefix_length;
            }
    return best;
}

void check(const Configuration& configuration, unsigned cores, Problems& problems) {
    Check checking{configuration, problems};
    checking.cores(cores);
    checking.socket();
    checking.ports();
    checking.routes();
    checking.neighbours();
    checking.filter();
    checking.places();
}

}  // namespace torii::config
