// Rules of the packet filter as an operator writes them, in a language like ipf's: "block in on wan proto tcp from any
// to 10.0.1.5 port 25". The configuration and the control socket take the same words. Any thread; values only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "policy/selector.h"

namespace torii::control {

/// wire: packets as they are on a wire, before IPsec inbound and after it outbound. clear: the other side of IPsec.
enum class Hook : std::uint8_t { wire, clear };
inline constexpr std::size_t hooks = 2;
enum class FilterAction : std::uint8_t { block, pass };
/// in: from a port, and at hook clear what came from outside; out: toward a port, or what is on its way out.
enum class Way : std::uint8_t { in, out, both };
enum class Fragments : std::uint8_t { either, only, none };

std::string_view name_of(Hook hook);
std::string_view name_of(FilterAction action);
std::string_view name_of(Way way);
/// Errc::bad_syntax: "wire" and "clear" are right.
Result<Hook> parse_hook(std::string_view text);
/// Errc::bad_syntax: "pass" and "block" are right.
Result<FilterAction> parse_filter_action(std::string_view text);

/// A rule's number, as `filter list` has it. Errc::bad_syntax.
Result<std::uint32_t> parse_rule_number(std::string_view text);

inline constexpr std::size_t most_filter_rules = 256;  // of each hook: they are asked one after the other

struct FilterRule {
    FilterAction action = FilterAction::block;
    Way way = Way::both;
    std::string port;                           // of the gateway's, by name; empty: any
    std::optional<Prefix> source, destination;  // none: any address of either family
    std::optional<std::uint8_t> protocol;
    PortRange source_ports, destination_ports;  // of ICMP the type and the code, as in Selector
    Fragments fragments = Fragments::either;
    std::string tag{};  // of a pass rule at hook wire: what it marks packets with, for policies; empty: nothing
    friend bool operator==(const FilterRule&, const FilterRule&) = default;
    bool asks_for_ports() const { return !source_ports.is_any() || !destination_ports.is_any(); }
    /// As parse_filter_rule takes it.
    std::string text() const;
};

/// pass|block [in|out] [on PORT] [proto PROTOCOL] [from any|PREFIX [port N[-M]]] [to any|PREFIX [port N[-M]]]
/// [type N [code N]] [fragments|whole] [tag NAME]. Errc::bad_syntax names the word that is not understood.
Result<FilterRule> parse_filter_rule(std::string_view text);

}  // namespace torii::control
