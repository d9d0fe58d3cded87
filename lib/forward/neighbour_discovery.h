// Neighbour discovery's messages (RFC 4861 4.3, 4.4 and 7.1) and the addresses that belong to them (RFC 4291 2.7.1 and
// appendix A, RFC 2464 7): pure functions over octets and values. What follows from a message is Neighbours' business.
// Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/headers.h"

namespace torii {

enum class DiscoveryType : std::uint8_t {  // ICMPv6 types, RFC 4861 4
    router_solicitation = 133,
    router_advertisement = 134,
    solicitation = 135,
    advertisement = 136,
    redirect = 137
};

/// A neighbour solicitation or advertisement.
struct NeighbourMessage {
    DiscoveryType type = DiscoveryType::solicitation;
    Address source, destination, target;
    std::optional<MacAddress> mac;  // whose: a solicitation's source's, an advertisement's target's
    bool router = false, solicited = false, overrides = false;  // an advertisement's flags
};

/// What `packet`, a whole and validated IPv6 packet, says; nothing when it is neither message, or one that RFC 4861 7.1
/// has us discard. Options of other kinds are read over; messages behind extension headers, and MAC addresses that are
/// zero or a group's, are taken for invalid.
std::optional<NeighbourMessage> parse_neighbour_message(std::span<const std::byte> packet);

/// The IPv6 packet that says `message`.
std::vector<std::byte> neighbour_packet(const NeighbourMessage& message);

/// The type of a packet that is an ICMPv6 message of RFC 4861; nothing for any other.
std::optional<DiscoveryType> discovery_type_of(std::span<const std::byte> packet);

/// fe80::/64 with the EUI-64 of `mac` (RFC 4291 appendix A).
Address link_local_address(const MacAddress& mac);
/// ff02::1:ffXX:XXXX, which whoever has `address` listens to (RFC 4291 2.7.1).
Address solicited_node(const Address& address);
/// Where frames for a group go (RFC 2464 7).
MacAddress multicast_mac(const Address& group);
/// ff02::1
Address all_nodes();

}  // namespace torii
