// Traffic selectors between configuration, payload and SPD (RFC 7296 2.9, 3.13; RFC 4301 4.4.1). Any thread; pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "ike/message/payloads.h"
#include "policy/selector.h"

namespace torii::ike {

/// One prefix with protocol and ports, as a payload says it.
TrafficSelector to_traffic_selector(const Prefix& prefix, std::optional<std::uint8_t> protocol, const PortRange& ports);
/// What one end of a packet is: a single address, its protocol and its port (2.9: the packet's own selector goes
/// first).
TrafficSelector to_traffic_selector(const Address& address, std::uint8_t protocol, std::uint16_t port);

std::optional<TrafficSelector> intersection(const TrafficSelector& a, const TrafficSelector& b);
bool covers(const TrafficSelector& outer, const TrafficSelector& inner);
/// Every selector of `inner` lies in one of `outer`.
bool cover(const std::vector<TrafficSelector>& outer, const std::vector<TrafficSelector>& inner);

/// 2.9: what of `offered` fits into `ours`, without what lies in another one of the result. Empty: nothing does. A
/// first selector that is one packet's own is part of it whenever it fits, since it stands first.
std::vector<TrafficSelector> narrow(const std::vector<TrafficSelector>& offered,
                                    const std::vector<TrafficSelector>& ours);

/// Policies' selectors for traffic from `sources` to `destinations`: ranges as the fewest prefixes. Pairs whose
/// families or protocols differ make none. Errc::no_room: more than `most`; Errc::unsupported: a range of ports that no
/// policy can say (OPAQUE).
Result<std::vector<Selector>> to_selectors(const std::vector<TrafficSelector>& sources,
                                           const std::vector<TrafficSelector>& destinations);
inline constexpr std::size_t most_selectors = 64;  // policies of one child each way

/// Whose packet a notification quotes, as PacketSelector::text(); "which it does not show": no IP header is there.
std::string text_of_quoted(std::span<const std::byte> packet);

/// "10.0.1.0/24[tcp/80]", "10.0.0.1-10.0.0.9"; several with commas.
std::string text_of(const TrafficSelector& selector);
std::string text_of(const std::vector<TrafficSelector>& selectors);

}  // namespace torii::ike
