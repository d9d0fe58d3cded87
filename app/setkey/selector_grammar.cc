// Addresses, address ranges, ports and upper-layer protocols.
#include <algorithm>
#include <charconv>

#include "app/setkey/grammar.h"
#include "app/setkey/names.h"

namespace torii::setkey {
namespace {

constexpr std::uint8_t icmp = 1, gre = 47, icmp6 = 58, mobility = 135, any_protocol = 255;

bool has_type(std::optional<std::uint8_t> protocol) { return protocol == icmp || protocol == icmp6; }
bool has_no_ports(std::optional<std::uint8_t> protocol) {
    return has_type(protocol) || protocol == gre || protocol == mobility;
}

std::optional<std::uint16_t> u16_of(std::string_view digits) {
    std::uint16_t value = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (problem != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

/// "8" or "8-10" as setkey means it: 0 stands for any.
std::optional<PortRange> range_of(std::string_view text) {
    const auto hyphen = text.find('-');
    const auto low = u16_of(text.substr(0, hyphen));
    const auto high = hyphen == text.npos ? low : u16_of(text.substr(hyphen + 1));
    if (!low || !high || *low > *high) return std::nullopt;
    return *high == 0 ? PortRange::any() : PortRange{*low, *high};
}

/// -4, -6, -n or several of them in one: the last family wins; -n asks for what is always so.
Result<std::optional<Family>> parse_family(Cursor& in) {
    std::optional<Family> only;
    while (in.token().kind == Token::Kind::word && in.token().text.front() == '-') {
        const auto letters = in.token().text.substr(1);
        if (letters.empty() || letters.find_first_not_of("46n") != letters.npos)
            return in.fail(Errc::bad_syntax, "before the addresses only -4, -6 and -n may stand");
        for (const char letter : letters)
            if (letter != 'n') only = letter == '4' ? Family::ipv4 : Family::ipv6;
        in.take();
    }
    return only;
}

/// [number], [low-high], [any] or [service]; none of them: any.
Result<PortRange> parse_ports(Cursor& in) {
    if (!in.take_if('[')) return PortRange::any();
    const Token name = in.token();
    if (name.kind != Token::Kind::word) return in.fail(Errc::bad_syntax, "a port, a service or any is needed");
    auto ports = range_of(name.text);
    if (const auto service = service_named(name.text)) ports = PortRange::only(*service);
    if (name.is("any")) ports = PortRange::any();
    if (!ports) return in.fail(Errc::bad_value, "this is no port (0 to 65535) and no service that is known here");
    in.take();
    if (!in.take_if(']')) return in.fail(Errc::bad_syntax, "']' is needed behind a port");
    return *ports;
}

struct Range {
    Prefix prefix;
    PortRange ports;
};
Result<Range> parse_range(Cursor& in, std::optional<Family> only) {
    TORII_TRY(const auto base, parse_address(in, only));
    std::uint64_t length = base.bits();
    if (in.take_if('/')) {
        TORII_TRY(length, in.number("a prefix length of this address", 0, base.bits()));
    }
    TORII_TRY(const auto ports, parse_ports(in));
    return Range{Prefix{base, static_cast<unsigned>(length)}, ports};
}

Result<std::optional<std::uint8_t>> parse_protocol(Cursor& in) {
    if (in.take_if("any")) return std::nullopt;
    if (in.token().kind == Token::Kind::word) {
        if (const auto number = protocol_named(in.token().text)) {
            in.take();
            return number;
        }
        if (const auto number = u16_of(in.token().text); number && *number <= 255) {
            in.take();
            if (*number == any_protocol) return std::nullopt;  // KAME's number for any
            return static_cast<std::uint8_t>(*number);
        }
    }
    return in.fail(Errc::bad_value, "an upper-layer protocol is needed: any, a number of 0 to 255 or a known name");
}

/// Puts "type,code" or "type" where PF_KEY has it: in the ports.
Result<void> parse_type_and_code(Cursor& in, Selector& selector) {
    const auto text = in.token().text;
    const auto comma = text.find(',');
    const auto type = range_of(text.substr(0, comma));
    const auto code = comma == text.npos ? PortRange::any() : range_of(text.substr(comma + 1));
    const auto too_large = [](const PortRange& range) { return !range.is_any() && range.high > 255; };
    if (!type || !code || too_large(*type) || too_large(*code))
        return in.fail(Errc::bad_value, "icmp takes 'type,code', each 0 to 255 and 0 for any");
    selector.source_ports = *type;
    selector.destination_ports = *code;
    in.take();
    return {};
}

}  // namespace

Result<Address> parse_address(Cursor& in, std::optional<Family> only) {
    const Token token = in.token();
    if (token.kind != Token::Kind::word) return in.fail(Errc::bad_syntax, "an address is needed");
    const auto address = Address::parse(token.text);
    if (!address) {
        const bool letters =
            std::ranges::any_of(token.text, [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; });
        const bool name = letters && token.text.find(':') == token.text.npos;
        if (name) return in.fail(Errc::unsupported, "names are not looked up here: an address is needed");
        return in.fail(Errc::bad_value, "this is not an IPv4 or IPv6 address");
    }
    if (only && address->family() != *only)
        return in.fail(Errc::bad_value,
                       *only == Family::ipv4 ? "-4 asks for IPv4 addresses" : "-6 asks for IPv6 addresses");
    in.take();
    return *address;
}

Result<void> parse_no_port(Cursor& in) {
    const Token bracket = in.token();
    TORII_TRY(const auto ports, parse_ports(in));
    if (!ports.is_any())
        return in.fail(Errc::unsupported, "ports here belong to NAT traversal, which this version does not offer",
                       bracket);
    return {};
}

Result<Endpoints> parse_addresses(Cursor& in) {
    TORII_TRY(const auto only, parse_family(in));
    TORII_TRY(const auto source, parse_address(in, only));
    TORII_CHECK(parse_no_port(in));
    const Token second = in.token();
    TORII_TRY(const auto destination, parse_address(in, only));
    if (source.family() != destination.family())
        return in.fail(Errc::bad_value, "source and destination are of different families", second);
    TORII_CHECK(parse_no_port(in));
    return Endpoints{source, destination};
}

Result<Selector> parse_selector(Cursor& in) {
    TORII_TRY(const auto only, parse_family(in));
    TORII_TRY(const auto source, parse_range(in, only));
    const Token second = in.token();
    TORII_TRY(const auto destination, parse_range(in, only));
    if (source.prefix.family() != destination.prefix.family())
        return in.fail(Errc::bad_value, "source and destination are of different families", second);
    Selector selector{source.prefix, destination.prefix, source.ports, destination.ports, {}};
    const Token upper = in.token();
    TORII_TRY(selector.protocol, parse_protocol(in));
    if (has_no_ports(selector.protocol) && !(source.ports.is_any() && destination.ports.is_any()))
        return in.fail(Errc::bad_value, "this protocol has no ports; icmp takes 'type,code' behind it", upper);
    if (in.token().kind == Token::Kind::word && in.token().text.front() != '-') {
        if (!has_type(selector.protocol))
            return in.fail(Errc::unsupported, "only icmp and icmp6 take more than their name in this version");
        TORII_CHECK(parse_type_and_code(in, selector));
    }
    return selector;
}

}  // namespace torii::setkey
