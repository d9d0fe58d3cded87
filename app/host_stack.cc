#include "app/host_stack.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>

namespace torii {

namespace {

constexpr std::uint32_t last_resort = 4096;  // the metric of our routes: what else the machine has comes first

std::unexpected<Error> refused(const std::string& what, int code) {
    return fail(Errc::io, what + ": " + std::strerror(code));
}

std::uint8_t family_of(const Address& address) { return address.is_v4() ? AF_INET : AF_INET6; }

/// One request to the kernel, with room for the few attributes we know.
template <class Body>
struct Request {
    nlmsghdr header{};
    Body body{};
    std::array<std::byte, 128> attributes{};

    Request(std::uint16_t type, std::uint16_t flags) {
        header.nlmsg_len = NLMSG_LENGTH(sizeof(Body));
        header.nlmsg_type = type;
        header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    }
    void add(std::uint16_t type, std::span<const std::byte> octets) {
        auto* const at = reinterpret_cast<std::byte*>(this) + NLMSG_ALIGN(header.nlmsg_len);
        const rtattr attribute{static_cast<unsigned short>(RTA_LENGTH(octets.size())), type};
        std::memcpy(at, &attribute, sizeof attribute);
        std::memcpy(at + RTA_LENGTH(0), octets.data(), octets.size());
        header.nlmsg_len = NLMSG_ALIGN(header.nlmsg_len) + RTA_ALIGN(attribute.rta_len);
    }
    void add(std::uint16_t type, std::uint32_t number) { add(type, std::as_bytes(std::span{&number, 1})); }
};

class Netlink {
public:
    static Result<Netlink> open() {
        const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        if (fd < 0) return refused("no rtnetlink socket", errno);
        return Netlink{fd};
    }
    Netlink(Netlink&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    ~Netlink() {
        if (fd_ >= 0) close(fd_);
    }

    /// Sends `request` and waits for its answer; what is there already is well.
    template <class Body>
    Result<void> ask(const Request<Body>& request, const std::string& what) {
        if (send(fd_, &request, request.header.nlmsg_len, 0) < 0) return refused(what, errno);
        struct {
            nlmsghdr header;
            nlmsgerr answer;
            std::array<std::byte, 512> request;
        } heard{};
        if (recv(fd_, &heard, sizeof heard, 0) < static_cast<ssize_t>(sizeof heard.header + sizeof heard.answer.error))
            return refused(what, errno);
        const int code = heard.header.nlmsg_type == NLMSG_ERROR ? -heard.answer.error : EPROTO;
        if (code != 0 && code != EEXIST) return refused(what, code);
        return {};
    }

private:
    explicit Netlink(int fd) : fd_(fd) {}
    int fd_;
};

/// The kernel's own IPv6 on the interface: on, and without what it would say there unasked.
Result<void> prepare_ipv6(const std::string& name) {
    for (const auto& [setting, value] : std::to_array<std::pair<std::string, char>>(
             {{"accept_dad", '0'}, {"accept_ra", '0'}, {"disable_ipv6", '0'}})) {
        const std::string path = "/proc/sys/net/ipv6/conf/" + name + "/" + setting;
        std::ofstream file{path};
        if (!(file << value).flush()) return fail(Errc::io, path + " cannot be written");
    }
    return {};
}

Result<void> bring_up(Netlink& kernel, int index) {
    Request<ifinfomsg> request{RTM_NEWLINK, 0};
    request.body.ifi_index = index;
    request.body.ifi_flags = request.body.ifi_change = IFF_UP;
    return kernel.ask(request, "it cannot be brought up");
}

Result<void> add_address(Netlink& kernel, unsigned index, const InterfaceAddress& wanted) {
    Request<ifaddrmsg> request{RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL};
    request.body.ifa_family = family_of(wanted.address);
    request.body.ifa_prefixlen = static_cast<std::uint8_t>(wanted.prefix_length);
    request.body.ifa_index = index;
    request.add(IFA_LOCAL, wanted.address.octets());
    request.add(IFA_ADDRESS, wanted.address.octets());
    request.add(IFA_FLAGS, std::uint32_t{IFA_F_NODAD | IFA_F_NOPREFIXROUTE});
    return kernel.ask(request, "address " + wanted.address.text());
}

Result<void> add_route(Netlink& kernel, unsigned index, const HostInterface::Route& wanted) {
    Request<rtmsg> request{RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL};
    request.body.rtm_family = family_of(wanted.destination.base());
    request.body.rtm_dst_len = static_cast<std::uint8_t>(wanted.destination.length());
    request.body.rtm_table = RT_TABLE_MAIN;
    request.body.rtm_protocol = RTPROT_STATIC;
    request.body.rtm_scope = wanted.destination.family() == Family::ipv4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    request.body.rtm_type = RTN_UNICAST;
    request.add(RTA_DST, wanted.destination.base().octets());
    request.add(RTA_OIF, index);
    request.add(RTA_PRIORITY, last_resort);
    if (wanted.source) request.add(RTA_PREFSRC, wanted.source->octets());
    return kernel.ask(request, "route " + wanted.destination.text());
}

std::string kernel_name(const PortConfiguration& port) {
    constexpr std::string_view key = ",iface=";
    const auto at = port.device.find(key);
    if (!port.device.starts_with("net_tap") || at == port.device.npos) return {};
    const auto begin = at + key.size();
    return port.device.substr(begin, port.device.find(',', begin) - begin);
}

std::optional<Address> source_at(const PortConfiguration& port, Family family) {
    for (const InterfaceAddress& own : port.addresses)
        if (own.address.family() == family && !own.address.is_link_local()) return own.address;
    return {};
}

}  // namespace

std::vector<HostInterface> host_interfaces(const Configuration& configuration) {
    HostInterface all;
    for (const PortConfiguration& port : configuration.ports)
        for (const InterfaceAddress& own : port.addresses) {
            if (own.address.is_link_local()) continue;
            all.addresses.push_back(own);
            all.routes.push_back({Prefix{own.address, own.prefix_length}, own.address});
        }
    for (const RouteConfiguration& route : configuration.routes) {
        const auto port = std::ranges::find(configuration.ports, route.port, &PortConfiguration::name);
        if (port == configuration.ports.end() || port->role == PortRole::host_port) continue;
        all.routes.push_back({route.destination, source_at(*port, route.destination.family())});
    }
    std::vector<HostInterface> out;
    for (const PortConfiguration& port : configuration.ports) {
        if (port.role != PortRole::host_port || kernel_name(port).empty()) continue;
        out.push_back(all);
        out.back().name = kernel_name(port);
    }
    return out;
}

Result<void> set_up(const HostInterface& wanted) {
    const unsigned index = if_nametoindex(wanted.name.c_str());
    if (index == 0) return refused("it is not there", errno);
    TORII_TRY(Netlink kernel, Netlink::open());
    const bool ipv6 = std::ranges::any_of(wanted.addresses, [](const auto& own) { return !own.address.is_v4(); });
    if (ipv6) TORII_CHECK(prepare_ipv6(wanted.name));
    TORII_CHECK(bring_up(kernel, static_cast<int>(index)));
    for (const InterfaceAddress& own : wanted.addresses) TORII_CHECK(add_address(kernel, index, own));
    for (const HostInterface::Route& route : wanted.routes) TORII_CHECK(add_route(kernel, index, route));
    return {};
}

}  // namespace torii
