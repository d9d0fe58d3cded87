// The kernel's side of af_packet ports. What it lost: DPDK 22.11's driver has rings whose overflow it never counts, but
// the sockets are ours and the kernel tells per socket (packet(7), PACKET_STATISTICS). And what it must not do: a
// packet socket gets copies, so the kernel's own stack sees each packet as well, before any policy. Control thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/error.h"

namespace torii {

/// Has the kernel's stack drop every packet that comes by the interface which `device` names by "iface=", for good:
/// with rp_filter it takes no IPv4 from an interface it has no route by, and IPv6 is disabled there. Clear text could
/// else reach the host port's programs, or be forwarded, past the gateway. Nothing to do for devices of other kinds,
/// for interfaces that are not there, and where it is so. Errors: io, with what to set. `settings`: the kernel's, of
/// net.
Result<void> keep_kernel_out(const std::string& device, const std::filesystem::path& settings = "/proc/sys/net");

class PacketSocketLosses {
public:
    /// Frames lost on packet sockets bound to the interface `device` names by "iface=", since the first call; 0 for
    /// devices of other kinds. Reading resets the kernel's count, so this keeps the sum.
    std::uint64_t of(const std::string& device);

private:
    std::map<std::string, std::uint64_t> lost_;
};

}  // namespace torii
