// ICMP as a router and host must speak it: echo replies from our own addresses (RFC 1122 3.2.2.6) and errors about
// packets that cannot go on (RFC 792, RFC 1812 4.3). Pure functions over octets; control thread.
#pragma once

#include <algorithm>
#include <chrono>
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
