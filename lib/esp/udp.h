// ESP in UDP, to pass NATs (RFC 3948): a step of its own behind protect_esp and before open_esp, for the packets of SAs
// that ask for it. Worker threads.
#pragma once

#include "transform/transform.h"

namespace torii {

/// What UDP to port 4500 of ours holds (RFC 3948 2).
enum class UdpContent : std::uint8_t {
    esp,
    ike,        // behind four octets of zero, or too short for ESP
    keepalive,  // a single octet 0xff
    malformed,  // the length in the header is wrong
};

/// Whether the packet is UDP to port 4500; whose that is, the caller knows. No fragment.
inline bool is_to_nat_traversal_port(const Packet& p) {
    if (p.protocol != static_cast<std::uint8_t>(IpProtocol::udp) || p.payload_octets() < sizeof(UdpHeader))
        return false;
    return reinterpret_cast<const UdpHeader*>(p.payload())->destination_port == nat_traversal_port;
}

/// In: a packet for which is_to_nat_traversal_port().
UdpContent udp_content(const Packet& packet);

/// IP | UDP | ESP becomes IP | ESP (RFC 3948 3.1.2, 3.2.2, its first step). The checksum is not looked at: the ICV says
/// more, and senders may leave it 0. In: a packet whose udp_content() is esp.
void leave_udp(Packet& packet);

/// IP | ESP becomes IP | UDP | ESP with the ports of each packet's SA (RFC 3948 3.1.1, 3.2.1); over IPv4 without a
/// checksum (2.1), over IPv6, which knows no UDP without one (RFC 8200 8.1), with it.
/// In:     packets that protect_esp has just protected.
/// Drops:  no_room.
void enter_udp(Batch& batch);

}  // namespace torii
