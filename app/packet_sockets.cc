#include "app/packet_sockets.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <charconv>
#include <fstream>

namespace torii {

namespace {

/// The interface of an af_packet device, or nothing.
std::string interface_of(const std::string& device) {
    constexpr std::string_view key = "iface=";
    const auto at = device.find(key);
    if (device.rfind("net_af_packet", 0) != 0 || at == device.npos) return {};
    return device.substr(at + key.size(), device.find(',', at) - at - key.size());
}

bool filters(const std::filesystem::path& settings) {
    std::ifstream file{settings / "rp_filter"};
    int mode = 0;
    return file >> mode && mode != 0;
}

/// The packet socket's interface, or 0 when `fd` is none.
unsigned packet_socket_interface(int fd) {
    int domain = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_PACKET) return 0;
    sockaddr_ll bound{};
    size = sizeof bound;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0 || bound.sll_ifindex < 0) return 0;
    return static_cast<unsigned>(bound.sll_ifindex);
}

}  // namespace

Result<void> keep_kernel_out(const std::string& device, const std::filesystem::path& settings) {
    const std::string interface = interface_of(device);
    const auto own = settings / interface;
    std::error_code ignored;
    if (interface.empty() || !std::filesystem::exists(own, ignored)) return {};
    if (filters(settings / "all") || filters(own)) return {};  // the stricter of the two is in force
    std::ofstream{own / "rp_filter"} << "1\n" << std::flush;
    if (filters(own)) return {};
    return fail(Errc::io, "the kernel's own stack takes packets of " + interface +
                              " past the gateway: sysctl -w net.ipv4.conf." + interface + ".rp_filter=1");
}

std::uint64_t PacketSocketLosses::of(const std::string& device) {
    const std::string interface = interface_of(device);
    if (interface.empty()) return 0;
    std::uint64_t& lost = lost_[interface];
    const unsigned index = if_nametoindex(interface.c_str());
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd", ignored}) {
        const std::string name = entry.path().filename();
        int fd = -1;
        std::from_chars(name.data(), name.data() + name.size(), fd);
        if (fd < 0 || index == 0 || packet_socket_interface(fd) != index) continue;
        tpacket_stats counted{};
        socklen_t size = sizeof counted;
        if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &counted, &size) == 0) lost += counted.tp_drops;
    }
    return lost;
}

}  // namespace torii
