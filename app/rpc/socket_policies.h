// Per-socket policies, the FAQ's second kind: a program asks for IPsec on one socket of its own, and gets it as
// policies of that socket's addresses and ports, which live as long as the connection they were asked through. The
// asker names its file descriptor; the kernel gives us that very socket (pidfd_getfd), so that nobody can speak for
// another's. Control thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/rpc/line_server.h"
#include "control/control_plane.h"

namespace torii::rpc {

/// One end of a socket; port 0 and an unspecified address are what nothing was bound or connected to.
struct SocketEnd {
    Address address;
    std::uint16_t port = 0;
};

/// What the kernel tells of an IPv4 or IPv6 socket.
struct SocketEnds {
    std::uint8_t protocol = 0;
    SocketEnd local;
    std::optional<SocketEnd> remote;  // of a connected one
};

/// The socket behind descriptor `fd` of the peer's process. Errc::denied when that process is another user's by now, or
/// we may not look into it; Errc::bad_value for what is no internet socket.
Result<SocketEnds> look_at_socket(const Peer& peer, int fd);

/// The statements whose policies stand for `policy` on that socket, one for each of `own` when it is bound to no
/// address in particular. `policy` is ipsec_set_policy(3)'s text: "in|out [priority] entrust|bypass|ipsec ...". None
/// for entrust, which leaves the socket to the SPD. Errors: bad_syntax; denied for a bypass that is not `privileged`;
/// unsupported for discard and none, which are no answers for a socket; bad_value for a socket without a port.
Result<std::vector<std::string>> statements_for(const SocketEnds& socket, std::string_view policy, bool privileged,
                                                const std::vector<Address>& own);

class SocketPolicies {
public:
    /// Makes the one policy that a spdadd statement adds.
    using Parse = std::function<Result<Policy>(std::string_view statement)>;

    /// Who asks the kernel about a peer's socket: look_at_socket, but in tests.
    using Look = std::function<Result<SocketEnds>(const Peer& peer, int fd)>;

    SocketPolicies(control::ControlPlane& control, Parse parse, Look look = look_at_socket)
        : control_(control), parse_(std::move(parse)), look_(std::move(look)) {}

    /// Gives the socket `fd` of `peer` this policy in place of what `client` had for the same direction. How many
    /// policies that makes. Errors: those of the functions above, Errc::exists when another socket has just these ends.
    Result<std::size_t> bind(ClientId client, const Peer& peer, int fd, std::string_view policy);
    /// `client` is gone, and its policies with it.
    void release(ClientId client);

private:
    struct Owned {
        PolicyId id{};
        Direction direction{};
    };
    std::vector<Address> own_addresses() const;

    control::ControlPlane& control_;
    Parse parse_;
    Look look_;
    std::map<ClientId, std::vector<Owned>> owned_;
};

}  // namespace torii::rpc
