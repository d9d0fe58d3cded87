// What stands behind the generic header of each payload, as a value (RFC 7296 3.3 to 3.16). For parse.cc alone; any
// thread; pure functions.
#pragma once

#include "base/reader.h"
#include "ike/message/payloads.h"

namespace torii::ike {

/// The types of which parse_body() makes a value: those of RFC 7296 without the encrypted ones.
bool has_body(PayloadType type);

/// Reads a payload's octets to the last. Only for a type that has_body().
Result<Payload> parse_body(PayloadType type, Reader in);

}  // namespace torii::ike
