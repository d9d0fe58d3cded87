// The names of upper-layer protocols and services that the language knows. Small fixed tables instead of the system's
// files: the gateway reads no file for a statement, and one text means the same on every machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace torii::setkey {

std::optional<std::uint8_t> protocol_named(std::string_view name);
std::optional<std::uint16_t> service_named(std::string_view name);
/// "6(tcp)" as NetBSD's setkey -DP prints it; the number alone where there is no name; "255(reserved)" for any.
std::string protocol_text(std::optional<std::uint8_t> protocol);

}  // namespace torii::setkey
