// Gif ports: tunnels of IP in IP without any protection of their own (RFC 2003, RFC 2473, RFC 4213), which one routes
// into like any port. What goes into one gets an outer header, its envelope, and is looked up again as that packet, so
// that transport-mode policies protect it; what comes out of one has arrived by that port. Worker threads; values only.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "net/headers.h"
#include "observe/counters.h"
#include "packet/packet.h"
#include "sa/security_association.h"

namespace torii {

inline constexpr unsigned most_nested_gifs = 4;  // envelopes one in another, each way

/// Whether a port's number is a gif's.
constexpr bool is_gif(std::uint16_t port) { return port >= max_ports; }
/// Protocols 4 and 41: an IP packet is the payload.
constexpr bool is_ip_in_ip(std::uint8_t protocol) {
    return IpProtocol{protocol} == IpProtocol::ipv4 || IpProtocol{protocol} == IpProtocol::ipv6;
}

/// The family that protocol 4 or 41 names.
inline Family family_inside(const Packet& ip_in_ip) {
    return IpProtocol{ip_in_ip.protocol} == IpProtocol::ipv4 ? Family::ipv4 : Family::ipv6;
}

/// One tunnel: the outer addresses, of one family, its next hop, whose port is the gif's number, and its envelopes.
struct Gif {
    Address local, remote;
    HopIndex hop{};
    std::array<OuterHeader, 2> envelopes;  // around IPv4, around IPv6

    Gif(const Address& our_end, const Address& far_end, HopIndex next_hop);
    unsigned envelope_octets() const { return local.is_v4() ? sizeof(Ipv4Header) : sizeof(Ipv6Header); }
};

/// All of them, in the order of their port numbers.
class Gifs {
public:
    Gifs() = default;
    explicit Gifs(std::vector<Gif> all) : all_(std::move(all)) {}
    const Gif& at(std::uint16_t port) const { return all_[port - max_ports]; }
    /// The one whose far end sends packets from `source` to our `destination`; null: there is none.
    const Gif* between(const Address& source, const Address& destination) const {
        const auto is_it = [&](const Gif& gif) { return gif.remote == source && gif.local == destination; };
        const auto at = std::ranges::find_if(all_, is_it);
        return at == all_.end() ? nullptr : &*at;
    }

private:
    std::vector<Gif> all_;
};

/// Whether the envelope around `inside` may be cut on its way: where no sender is to be told what fits (RFC 2003 3.1,
/// RFC 2473 7, RFC 4213 3.2).
bool may_leave_in_pieces(const Packet& inside);

/// The packet becomes the payload of one of ours from the gif's local to its remote address, with DSCP, ECN (RFC 6040
/// 4.1) and, in IPv4, DF by what is inside. It is a packet like new then, arrived by `port`: Arrival::gif.
/// Returns Drop::none, gif_too_deep, no_room.
Drop enter_gif(Packet& packet, const Gif& gif, std::uint16_t port, std::uint16_t identification);

/// The packet's envelope is taken off: what was inside has arrived by the gif `port`, in clear, from that port's side.
/// Returns Drop::none, gif_too_deep, bad_ecn (RFC 6040 4.2), and those of parse_ip.
Drop leave_gif(Packet& packet, std::uint16_t port, Arrival side);

}  // namespace torii
