// The productions of the setkey language, each a function that takes its tokens from a Cursor. On an error the Cursor
// is left where it stood; the whole text is given up then.
#pragma once

#include <optional>

#include "app/setkey/cursor.h"
#include "base/error.h"
#include "control/operations.h"

namespace torii::setkey {

/// [-46n] source destination, without ports: one pair, or where they are host names every pair of one family. While a
/// name is not known there is one pair that means nothing.
Result<std::vector<Endpoints>> parse_addresses(Cursor& in);
/// One numeric address, of the family `only` where that is given.
Result<Address> parse_address(Cursor& in, std::optional<Family> only);
/// Refuses a [port] that is not any: in SAs and tunnels ports belong to NAT traversal.
Result<void> parse_no_port(Cursor& in);
/// [-46n] range range upperspec [type,code]
Result<Selector> parse_selector(Cursor& in);

/// esp, ah, ipcomp or nothing, for statements that only look for SAs.
Result<std::optional<IpsecProtocol>> parse_protocol_filter(Cursor& in);
/// protocol spi, of the SA between `ends`
Result<control::SaId> parse_sa_id(Cursor& in, const Endpoints& ends);
/// The options between the SPI and the algorithms: -m -r -u -f -l. -b. -p.
Result<void> parse_extensions(Cursor& in, control::SaSpec& spec);
/// What stands behind the addresses of add and update.
Result<control::SaSpec> parse_sa(Cursor& in, const Endpoints& ends);

/// in or out; fwd, Linux's direction of what passes through, is in.
Result<Direction> parse_direction(Cursor& in);
/// [prio] discard | none | ipsec request..., into `policy`.
Result<void> parse_action(Cursor& in, Policy& policy);

}  // namespace torii::setkey
