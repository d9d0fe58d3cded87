// What a device's arguments must say for a port to work, beyond what the operator wrote. Only the start of the gateway
// asks this; the packet path knows no drivers. Any thread; values only.
#pragma once

#include <string>

#include "gateway/configuration.h"

namespace torii {

/// `port.device`, completed for EAL. DPDK's af_packet driver has one queue and rings of 512 frames with room for 1,982
/// octets by default: it loses bursts and cuts longer packets, both silently. Unless the operator set any of the ring's
/// sizes (blocksz, framesz, framecnt) they are chosen to fit `port.mtu`; qpairs becomes `queues` unless given. Devices
/// of other drivers come back as they are. `queues`: 1 or more.
std::string completed_devargs(const PortConfiguration& port, unsigned queues);

/// Whether the port's device is named by a PCI address, with or without arguments behind it.
bool is_hardware(const PortConfiguration& port);

/// Octets one mbuf must hold behind its headroom for this port: a whole frame, at least 2048, and for af_packet a whole
/// ring frame, since it refuses pools with smaller buffers.
unsigned receive_room_octets(const PortConfiguration& port);
inline constexpr unsigned most_room_octets = 65000;  // DPDK counts a buffer's octets, headroom and all, in 16 bits

}  // namespace torii
