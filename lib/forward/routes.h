// Longest-prefix routing as an immutable value, built whole by the control thread and read by workers when they meet a
// new flow (the flow cache holds the answer afterwards, so this is not on the per-packet path and needs no 64 MiB
// tables).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/address.h"

namespace torii {

struct Route {
    Prefix destination;
    std::optional<Address> via;  // none: a connected network
    std::uint16_t port = 0;
};

struct AddressHash {
    std::size_t operator()(const Address& a) const { return hash_of(a, 0x51ed270b9f2ac3d1u); }
};

/// Answers for one address: the port it is reached through, and the neighbour to hand it to.
struct RouteAnswer {
    const Route* route = nullptr;  // null: no route
    Address neighbour;
};

class Routes {
public:
    Routes(std::vector<Route> routes, std::vector<Address> own);

    RouteAnswer find(const Address& destination) const;
    bool is_own(const Address& address) const;
    const std::vector<Address>& own() const { return own_; }
    const std::vector<Route>& all() const { return routes_; }
    /// The all-ones or all-zeros address of a connected network: never forwarded to (RFC 1812 5.3.5).
    bool is_network_broadcast(const Address& address) const;

private:
    using ByBase = std::unordered_map<Address, std::size_t, AddressHash>;
    struct Length {
        Family family;
        unsigned bits;
        ByBase routes;
    };
    std::vector<Route> routes_;
    std::vector<Length> lengths_;         // longest first
    std::vector<Prefix> with_broadcast_;  // connected networks that have such addresses
    std::vector<Address> own_;
};

}  // namespace torii
