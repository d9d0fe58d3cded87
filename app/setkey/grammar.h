// The productions of the setkey language, each a function that takes its tokens from a Cursor. On an error the Cursor
// is left where it stood; the whole text is given up then.
#pragma once

#include <optional>

#include "app/setkey/cursor.h"
#include "base/error.h"
#include "control/operations.h"

namespace torii::setkey {

/// The ends of an SA, and of its UDP encapsulation; 0: no port was written.
struct SaEnds : Endpoints {
    std::uint16_t source_port = 0, destination_port = 0;
};
/// [-46n] source[port] destination[port]: one pair, or where they are host names every pair of one family. While a name
/// is not known there is one pair that means nothing.
Result<std::vector<SaEnds>> parse_addresses(Cursor& in);
/// One numeric address, of the family `only` where that is given.
Result<Address> parse_address(Cursor& in, std::optional<Family> only);
/// [number] or [service]; 0 for [any] and for none. A range is no port.
Result<std::uint16_t> parse_port(Cursor& in);
/// [-46n] range range upperspec [type,code]
Result<Selector> parse_selector(Cursor& in);

/// tagged "name": what the packet filter has marked packets with.
Result<std::string> parse_tag(Cursor& in);

/// Why there is no -ctx.
inline constexpr std::string_view no_contexts =
    "security contexts are labels of a host's own programs (SELinux): no packet on a gateway has one";

/// esp, ah, ipcomp or nothing, for statements that only look for SAs.
Result<std::optional<IpsecProtocol>> parse_protocol_filter(Cursor& in);
/// protocol spi, of the SA between `ends`
Result<control::SaId> parse_sa_id(Cursor& in, const Endpoints& ends);
/// The options between the SPI and the algorithms: -m -r -u -f -l. -b. -p.
Result<void> parse_extensions(Cursor& in, control::SaSpec& spec);
/// What stands behind the addresses of add and update.
Result<control::SaSpec> parse_sa(Cursor& in, const SaEnds& ends);

/// in or out; fwd, Linux's direction of what passes through, is in.
Result<Direction> parse_direction(Cursor& in);
/// [prio] discard | none | ipsec request..., into `policy`.
Result<void> parse_action(Cursor& in, Policy& policy);

}  // namespace torii::setkey
