// ICMP as a router and host must speak it: echo replies from our own addresses (RFC 1122 3.2.2.6) and errors about
// packets that cannot go on (RFC 792, RFC 1812 4.3). Pure functions over octets; control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "net/headers.h"

namespace torii {

enum class IcmpType : std::uint8_t { echo_reply = 0, unreachable = 3, echo = 8, time_exceeded = 11 };

struct IcmpError {
    IcmpType type = IcmpType::unreachable;
    std::uint8_t code = 0;
    std::uint16_t mtu = 0;  // next hop's, with unreachable code 4 (RFC 1191)
};
inline constexpr IcmpError net_unreachable{IcmpType::unreachable, 0}, host_unreachable{IcmpType::unreachable, 1},
    hop_limit_exceeded{IcmpType::time_exceeded, 0};
inline constexpr IcmpError fragmentation_needed(std::uint16_t mtu) { return {IcmpType::unreachable, 4, mtu}; }

/// Turns the echo request `ip` (a whole, validated IPv4 packet) into its reply, in place. False when it is none, or
/// its ICMP checksum is wrong.
bool answer_echo(std::span<std::byte> ip);

/// The error about `offender` (a whole, validated IPv4 packet), sent from `source`. Empty when none may be sent: about
/// ICMP errors, fragments behind the first, and group or broadcast addresses (RFC 1122 3.2.2). Quotes as much as fits
/// in 576 octets (RFC 1812 4.3.2.3).
std::vector<std::byte> icmp_error(std::span<const std::byte> offender, std::uint32_t source, const IcmpError& error);

}  // namespace torii
