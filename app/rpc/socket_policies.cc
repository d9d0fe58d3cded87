#include "app/rpc/socket_policies.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace torii::rpc {

namespace {

/// A file descriptor that closes itself.
class Descriptor {
public:
    explicit Descriptor(long fd) : fd_(static_cast<int>(fd)) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

private:
    int fd_;
};

/// IPv4 in IPv6's clothes is IPv4 on the wire.
std::optional<SocketEnd> end_of(const sockaddr_storage& from) {
    if (from.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
        return SocketEnd{Address::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
    }
    if (from.ss_family != AF_INET6) return std::nullopt;
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    const auto octets = std::as_bytes(std::span{v6.sin6_addr.s6_addr});
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
    return SocketEnd{Address::from_octets(mapped ? octets.last(4) : octets), ntohs(v6.sin6_port)};
}

using NameOf = int (*)(int, sockaddr*, socklen_t*);
std::optional<SocketEnd> end_of(int fd, NameOf name_of) {
    sockaddr_storage address{};
    socklen_t octets = sizeof address;
    if (name_of(fd, reinterpret_cast<sockaddr*>(&address), &octets) != 0) return std::nullopt;
    return end_of(address);
}

std::unexpected<Error> no_socket(int fd) {
    return fail(Errc::bad_value, "descriptor " + std::to_string(fd) + " is no IPv4 or IPv6 socket");
}

/// "10.0.0.1[4711]", or everything of its family where the socket says nothing. What the kernel calls the port of a
/// ping or raw socket is none.
std::string range(const std::optional<SocketEnd>& end, const Address& other, bool with_port) {
    if (!end) return Prefix::everything(other.family()).text() + "[any]";
    return end->address.text() + "[" + (with_port ? std::to_string(end->port) : "any") + "]";
}

/// Whose packets a tunnel carries is its owner's to say, and so is who opens what comes out of it.
Result<void> check_requests(const Policy& policy) {
    for (const Request& request : policy.requests)
        if (request.endpoints)
            return fail(Errc::denied,
                        "only a privileged caller may name the ends of SAs: write 'esp/transport//require' and the "
                        "like, or run as root");
    return {};
}

/// Whether the process is this user's: its effective uid, which its files in /proc need not show.
bool runs_as(pid_t pid, uid_t uid) {
    std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
    std::string word;
    uid_t real = 0, effective = 0;
    while (status >> word)
        if (word == "Uid:") return status >> real >> effective && effective == uid;
    return false;
}

}  // namespace

Result<SocketEnds> look_at_socket(const Peer& peer, int fd) {
    const pid_t pid = peer.pid;
    const Descriptor process{syscall(SYS_pidfd_open, pid, 0)};
    if (process.get() >= 0 && !runs_as(pid, peer.uid))  // who connected may be gone, and its number another's
        return fail(Errc::denied, "process " + std::to_string(pid) + " is not the one that connected");
    const Descriptor socket{process.get() < 0 ? -1 : syscall(SYS_pidfd_getfd, process.get(), fd, 0)};
    if (socket.get() < 0) {
        if (errno == EBADF) return no_socket(fd);
        return fail(Errc::denied, "process " + std::to_string(pid) + " cannot be looked into: " + std::strerror(errno));
    }
    int protocol = 0;
    socklen_t octets = sizeof protocol;
    const auto local = end_of(socket.get(), getsockname);
    if (!local || getsockopt(socket.get(), SOL_SOCKET, SO_PROTOCOL, &protocol, &octets) != 0) return no_socket(fd);
    return SocketEnds{static_cast<std::uint8_t>(protocol), *local, end_of(socket.get(), getpeername)};
}

Result<std::vector<std::string>> statements_for(const SocketEnds& socket, std::string_view policy, bool privileged,
                                                const std::vector<Address>& own) {
    std::istringstream in{std::string{policy}};
    std::string direction, word, before;
    in >> direction >> word;
    while (in && word != "ipsec" && word != "bypass" && word != "entrust" && word != "discard" && word != "none") {
        before += word + " ";  // a priority, which setkey's grammar judges
        in >> word;
    }
    if (!in || (direction != "in" && direction != "out"))
        return fail(Errc::bad_syntax, "a socket's policy is: in|out [priority] entrust|bypass|ipsec REQUEST...");
    if (word == "entrust") return std::vector<std::string>{};
    if (word == "discard" || word == "none")
        return fail(Errc::unsupported, "'" + word + "' is for the SPD: a socket's policy is entrust, bypass or ipsec");
    if (word == "bypass" && !privileged)
        return fail(Errc::denied, "only a privileged caller may bypass the SPD: run as root, or use entrust");
    if (socket.local.port == 0 && has_ports(socket.protocol))
        return fail(Errc::bad_value, "the socket has no port yet: bind or connect it first");
    std::string rest;
    std::getline(in, rest, '\0');
    if (word == "bypass") word = "none", rest.clear();

    std::vector<SocketEnd> locals{socket.local};
    if (socket.local.address.is_unspecified()) {
        locals.clear();
        for (const Address& address : own)
            if (address.family() == socket.local.address.family()) locals.push_back({address, socket.local.port});
    }
    std::vector<std::string> out;
    for (const SocketEnd& local : locals) {
        const bool ports = has_ports(socket.protocol);
        const std::string here = range(local, local.address, ports), there = range(socket.remote, local.address, ports);
        out.push_back("spdadd " + (direction == "in" ? there + " " + here : here + " " + there) + " " +
                      std::to_string(socket.protocol) + " -P " + direction + " " + before + word + rest + ";");
    }
    return out;
}

Result<std::size_t> SocketPolicies::bind(ClientId client, const Peer& peer, int fd, std::string_view policy) {
    const bool privileged = peer.uid == 0;
    TORII_TRY(const SocketEnds socket, look_(peer, fd));
    TORII_TRY(const auto statements, statements_for(socket, policy, privileged, own_addresses()));
    const Direction direction =
        policy.find_first_not_of(" \t") != std::string_view::npos && policy[policy.find_first_not_of(" \t")] == 'i'
            ? Direction::inbound
            : Direction::outbound;
    std::vector<control::Located> transaction;
    std::vector<Owned>& owned = owned_[client];
    for (const Owned& old : owned)
        if (old.direction == direction) transaction.push_back({control::DeleteSocketPolicy{old.id}, {}});
    for (const std::string& statement : statements) {
        TORII_TRY(Policy made, parse_(statement));
        if (!privileged) TORII_CHECK(check_requests(made));
        made.owner = privileged ? PolicyOwner::privileged_socket : PolicyOwner::socket;
        transaction.push_back({control::AddPolicy{std::move(made)}, {}});
    }
    TORII_TRY(const auto outcomes, control_.apply(std::move(transaction)));
    std::erase_if(owned, [&](const Owned& old) { return old.direction == direction; });
    for (const control::Outcome& outcome : outcomes)
        if (outcome.policy) owned.push_back({*outcome.policy, direction});
    return statements.size();
}

void SocketPolicies::release(ClientId client) {
    const auto found = owned_.extract(client);
    if (found.empty()) return;
    std::vector<control::Located> transaction;
    for (const Owned& old : found.mapped()) transaction.push_back({control::DeleteSocketPolicy{old.id}, {}});
    (void)control_.apply(std::move(transaction));  // it names what may be gone already, and nothing else
}

/// As ports list them, each with its prefix length.
std::vector<Address> SocketPolicies::own_addresses() const {
    std::vector<Address> out;
    for (const control::PortStatus& port : control_.ports())
        for (const std::string& text : port.addresses)
            if (const auto address = Address::parse(std::string_view{text}.substr(0, text.find('/'))))
                out.push_back(*address);
    return out;
}

}  // namespace torii::rpc
