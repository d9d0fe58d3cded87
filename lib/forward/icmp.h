// ICMP as a router and host must speak it: echo replies from our own addresses (RFC 1122 3.2.2.6) and errors about
// packets that cannot go on (RFC 792, RFC 1812 4.3). What holds for ICMPv6 too is here; its messages are in icmpv6.h.
// Pure functions over octets; control thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "control/settings.h"
#include "net/headers.h"

namespace torii {

/// What is wrong with a packet, in either family; each has a type and a code of its own for it.
struct IcmpError {
    enum class Cause : std::uint8_t {
        net_unreachable,
        host_unreachable,
        port_unreachable,
        hop_limit,
        reassembly,
        too_big
    };
    Cause cause = Cause::net_unreachable;
    std::uint16_t mtu = 0;  // with too_big: what would have fitted (RFC 1191, RFC 4443 3.2)
};
inline constexpr IcmpError net_unreachable{IcmpError::Cause::net_unreachable},
    host_unreachable{IcmpError::Cause::host_unreachable}, port_unreachable{IcmpError::Cause::port_unreachable},
    hop_limit_exceeded{IcmpError::Cause::hop_limit}, reassembly_timed_out{IcmpError::Cause::reassembly};
inline constexpr IcmpError too_big(std::uint16_t mtu) { return {IcmpError::Cause::too_big, mtu}; }

/// What kind of error an ICMP message of this type and code is (RFC 792); nothing for those that are none.
std::optional<control::IcmpKind> icmp_kind(std::uint8_t type, std::uint8_t code);

/// Turns the echo request `ip` (a whole, validated IPv4 packet) into its reply, in place. False when it is none, or
/// its ICMP checksum is wrong.
bool answer_echo(std::span<std::byte> ip);

/// Whether an error may be sent about `offender` (a whole, validated IPv4 packet): never about ICMP errors, fragments
/// behind the first, and group or broadcast addresses (RFC 1122 3.2.2).
bool wants_icmp_error(std::span<const std::byte> offender);

/// The error about `offender`, of which wants_icmp_error() is true, sent from `source`. Quotes as much as fits in 576
/// octets (RFC 1812 4.3.2.3).
std::vector<std::byte> icmp_error(std::span<const std::byte> offender, std::uint32_t source, const IcmpError& error);

/// How many errors we send: 50 at once, 200 a second (RFC 1812 4.3.2.8). Asked before anything is made.
class IcmpRate {
public:
    using Time = std::chrono::steady_clock::time_point;
    bool ready(Time now) {
        const double passed = std::chrono::duration<double>(now - refilled_).count();
        refilled_ = now;
        tokens_ = std::min(at_once, tokens_ + passed * per_second);
        return tokens_ >= 1;
    }
    /// One is sent; after ready().
    void spend() { tokens_ -= 1; }

private:
    static constexpr double per_second = 200, at_once = 50;
    double tokens_ = 0;
    Time refilled_{};
};

}  // namespace torii
