// The productions of the setkey language, each a function that takes its tokens from a Cursor. On an error the Cursor
// is left where it stood; the whole text is given up then.
#pragma once

#include <optional>

#include "app/setkey/cursor.h"
#include "base/error.h"
#include "control/operations.h"

namespace torii::setkey {

/// [-46n] source destination, of one family and without ports.
Result<Endpoints> parse_addresses(Cursor& in);
/// One numeric address, of the family `only` where that is given.
Result<Address> parse_address(Cursor& in, std::optional<Family> only);
/// Refuses a [port] that is not any: in SAs and tunnels ports belong to NAT traversal.
Result<void> parse_no_port(Cursor& in);
/// [-46n] range range upperspec [type,code]
Result<Selector> parse_selector(Cursor& in);

/// esp, ah, ipcomp or nothing, for statements that only look for SAs.
Result<std::optional<IpsecProtocol>> parse_protocol_filter(Cursor& in);
/// [-46n] source destination protocol spi
Result<control::SaId> parse_sa_id(Cursor& in);
/// The options between the SPI and the algorithms: -m -r -u -f -l. -b. -p.
Result<void> parse_extensions(Cursor& in, control::SaSpec& spec);
/// What stands behind add and update.
Result<control::SaSpec> parse_sa(Cursor& in);

/// in or out.
Result<Direction> parse_direction(Cursor& in);
/// [prio] discard | none | ipsec request..., into `policy`.
Result<void> parse_action(Cursor& in, Policy& policy);

}  // namespace torii::setkey
