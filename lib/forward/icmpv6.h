// ICMPv6 as a router and host must speak it (RFC 4443): echo replies from our own addresses, and errors about packets
// that cannot go on. Pure functions over octets; control thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "forward/icmp.h"
#include "net/headers.h"

namespace torii {

/// What kind of error an ICMPv6 message of this type is (RFC 4443 2.1); nothing for those that are none. A type that
/// RFC 4443 does not know is as good as unreachable.
std::optional<control::IcmpKind> icmpv6_kind(std::uint8_t type);

/// Turns the echo request `packet` (a whole, validated IPv6 packet) into its reply, in place (RFC 4443 4.2). False when
/// it is none, stands behind extension headers, or its checksum is wrong.
bool answer_icmpv6_echo(std::span<std::byte> packet);

/// What stands behind a packet's extension headers: a protocol and the octets of it that are there. Of a later fragment
/// only the protocol is known.
struct UpperLayer {
    IpProtocol protocol{};
    std::span<const std::byte> octets;
};

/// Whether an error may be sent about `offender` (a whole, validated IPv6 packet): never about ICMPv6 errors and
/// redirects, nor when either address stands for more than one host or for none (RFC 4443 2.4 e). ICMPv6 whose type
/// cannot be read may be an error. Nor about link-local senders, of whom the way back is not known.
bool wants_icmpv6_error(std::span<const std::byte> offender, const UpperLayer& upper);

/// The error about `offender`, of which wants_icmpv6_error() is true, sent from `source`. Quotes as much as fits in
/// 1,280 octets (RFC 4443 2.4 c).
std::vector<std::byte> icmpv6_error(std::span<const std::byte> offender, const Address& source, const IcmpError& error);

}  // namespace torii
