// What the kernel lost on this process's packet sockets: DPDK 22.11's af_packet driver has rings whose overflow it
// never counts, but the sockets are ours and the kernel tells per socket (packet(7), PACKET_STATISTICS). Control
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace torii {

class PacketSocketLosses {
public:
    /// Frames lost on packet sockets bound to the interface `device` names by "iface=", since the first call; 0 for
    /// devices of other kinds. Reading resets the kernel's count, so this keeps the sum.
    std::uint64_t of(const std::string& device);

private:
    std::map<std::string, std::uint64_t> lost_;
};

}  // namespace torii
