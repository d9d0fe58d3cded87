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

bool is_set(const std::filesystem::path& setting) {
    std::ifstream file{setting};
    int value = 0;
    return file >> value && value != 0;
}

/// Sets `setting` of the interface, unless it is; nothing to do where the kernel does not have it.
Result<void> set(const std::filesystem::path& settings, const std::string& interface, const std::string& setting) {
    const auto path = settings / interface / setting;
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored) || is_set(path)) return {};
    std::ofstream{path} << "1\n" << std::flush;
    if (is_set(path)) return {};
    return fail(Errc::io, "the kernel's own stack takes packets of " + interface + " past the gateway: echo 1 > " +
                              path.string());
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
    if (interface.empty()) return {};
    TORII_CHECK(set(settings / "ipv6/conf", interface, "disable_ipv6"));
    if (is_set(settings / "ipv4/conf/all/rp_filter")) return {};  // the stricter of the two is in force
    return set(settings / "ipv4/conf", interface, "rp_filter");
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
