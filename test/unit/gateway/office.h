// The office VPN's tokyo side on two wires: port 0 is the office (10.0.1.1/24, protected), port 1 the world
// (20.0.0.1/24, unprotected), and newyork's gateway 20.0.0.2 is a neighbour that needs no ARP.
#pragma once

#include "test/support/packets.h"
#include "test/support/wires.h"

namespace torii::test {

inline constexpr std::size_t office = 0, world = 1;
inline constexpr MacAddress host_mac{{2, 0, 0, 0, 1, 5}}, peer_mac{{2, 0, 0, 0, 0, 2}};

inline Configuration office_configuration(unsigned workers = 1) {
    Configuration c;
    c.workers = workers;
    c.name = "tokyo";
    c.mbufs = 8191;
    c.ports = {{.name = "office",
                .device = "",
                .addresses = {{Address::v4(0x0a000101), 24}},
                .role = PortRole::protected_port},
               {.name = "world",
                .device = "",
                .addresses = {{Address::v4(0x14000001), 24}},
                .role = PortRole::unprotected_port}};
    c.routes = {{Prefix{Address::v4(0x0a000200), 24}, Address::v4(0x14000002), "world"}};
    c.neighbours = {{Address::v4(0x14000002), peer_mac, "world"}, {Address::v4(0x0a000105), host_mac, "office"}};
    return c;
}

inline constexpr std::string_view office_setkey = R"(
add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 "tokyo-newyork-key001";
add 20.0.0.2 20.0.0.1 esp 0x1002 -m tunnel -r 8 -E aes-gcm-16 "newyork-tokyo-key002";
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
spdadd 10.0.2.0/24 10.0.1.0/24 any -P in ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;
)";

/// The same with the roles of the two gateways exchanged: what newyork would do.
inline constexpr std::string_view newyork_setkey = R"(
add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 "tokyo-newyork-key001";
add 20.0.0.2 20.0.0.1 esp 0x1002 -m tunnel -r 8 -E aes-gcm-16 "newyork-tokyo-key002";
spdadd 10.0.2.0/24 10.0.1.0/24 any -P out ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;
spdadd 10.0.1.0/24 10.0.2.0/24 any -P in ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
)";
inline Configuration newyork_configuration() {
    Configuration c = office_configuration();
    c.name = "newyork";
    c.ports[office].addresses = {{Address::v4(0x0a000201), 24}};
    c.ports[world].addresses = {{Address::v4(0x14000002), 24}};
    c.routes = {{Prefix{Address::v4(0x0a000100), 24}, Address::v4(0x14000001), "world"}};
    c.neighbours = {{Address::v4(0x14000001), peer_mac, "world"}, {Address::v4(0x0a000205), host_mac, "office"}};
    return c;
}

}  // namespace torii::test
