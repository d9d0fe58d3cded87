// MOBIKE (RFC 4555): what its notifications say, as values. What an IKE SA does with them is in mobike.cc. Pure; any
// thread.
#pragma once

#include <optional>
#include <vector>

#include "ike/message/payloads.h"
#include "ike/v2/actions.h"

namespace torii::ike {

/// From one of our addresses to one of the peer's.
struct Way {
    Endpoint local, remote;
    friend bool operator==(const Way&, const Way&) = default;
};

namespace limits {
inline constexpr std::size_t additional_addresses = 16;             // of one peer: each may have to be tried
inline constexpr std::size_t cookie2_least = 8, cookie2_most = 64;  // RFC 4555 4.2.5
}  // namespace limits

/// ADDITIONAL_IP4_ADDRESS, ADDITIONAL_IP6_ADDRESS (4.2.2).
Notify additional_address(const Address& address);
/// The peer's other addresses, when the message tells of them, be it that there are none (3.4, 3.6). Those that cannot
/// be anybody's, or are more than `additional_addresses`, are left out.
std::optional<std::vector<Address>> additional_addresses(const Payloads& payloads);

/// NO_NATS_ALLOWED (4.2.6): addresses and ports as the sender has them.
Notify no_nats_allowed(const Way& of_sender);
/// Whether the message forbids NATs, and came otherwise than it was sent. `way`: as it came, in our own words.
bool is_translated(const Payloads& payloads, const Way& way);

}  // namespace torii::ike
