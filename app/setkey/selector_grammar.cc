// Addresses, address ranges, ports and upper-layer protocols.
#include <algorithm>
#include <charconv>

#include "app/setkey/grammar.h"
#include "app/setkey/names.h"

namespace torii::setkey {
namespace {

constexpr std::uint8_t icmp = 1, icmp6 = 58, mobility = 135, any_protocol = 255;

bool has_type(std::optional<std::uint8_t> protocol) { return protocol == icmp || protocol == icmp6; }
bool is_gre(std::optional<std::uint8_t> protocol) { return protocol && has_gre_key(*protocol); }
bool has_no_ports(std::optional<std::uint8_t> protocol) {
    return has_type(protocol) || is_gre(protocol) || protocol == mobility;
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

/// What -4, -6 and -n ask of addresses.
struct Asked {
    std::optional<Family> only;
    bool numeric = false;
};

/// -4, -6, -n or several of them in one: the last family wins.
Result<Asked> parse_asked(Cursor& in) {
    Asked asked;
    while (in.token().kind == Token::Kind::word && in.token().text.front() == '-') {
        const auto letters = in.token().text.substr(1);
        if (letters.empty() || letters.find_first_not_of("46n") != letters.npos)
            return in.fail(Errc::bad_syntax, "before the addresses only -4, -6 and -n may stand");
        for (const char letter : letters) {
            if (letter == 'n') asked.numeric = true;
            if (letter != 'n') asked.only = letter == '4' ? Family::ipv4 : Family::ipv6;
        }
        in.take();
    }
    return asked;
}

/// Whether the token is written as a host name is (RFC 1123 2.1) and can be no number.
bool is_name(const Token& token) {
    constexpr std::size_t longest = 253;
    const auto is_letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
    const auto in_name = [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    };
    return token.kind == Token::Kind::word && token.text.size() <= longest &&
           std::ranges::all_of(token.text, in_name) && std::ranges::any_of(token.text, is_letter);
}

/// An address, or a host name and all its addresses of the family that was asked for. None: the name is not known yet.
Result<std::vector<Address>> parse_host(Cursor& in, const Asked& asked) {
    const Token name = in.token();
    if (!is_name(name) || Address::parse(name.text)) {
        TORII_TRY(const auto address, parse_address(in, asked.only));
        return std::vector{address};
    }
    if (asked.numeric) return in.fail(Errc::bad_value, "-n asks for numeric addresses");
    TORII_TRY(auto addresses, in.host());
    if (addresses.empty()) return addresses;
    if (asked.only) std::erase_if(addresses, [&](const Address& a) { return a.family() != *asked.only; });
    if (addresses.empty())
        return in.fail(Errc::bad_value,
                       asked.only == Family::ipv4 ? "this host has no IPv4 address" : "this host has no IPv6 address",
                       name);
    return addresses;
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
    bool known = true;  // else its host's address is not known yet, and the prefix means nothing
};
Result<Range> parse_range(Cursor& in, const Asked& asked) {
    const Token name = in.token();
    TORII_TRY(const auto hosts, parse_host(in, asked));
    if (hosts.size() > 1)
        return in.fail(Errc::bad_value,
                       "this host has several addresses, and a policy takes one: write it, or -4 or -6", name);
    const Address base = hosts.empty() ? Address::any(Family::ipv6) : hosts.front();
    std::uint64_t length = base.bits();
    if (in.take_if('/')) {
        TORII_TRY(length, in.number("a prefix length of this address", 0, base.bits()));
    }
    TORII_TRY(const auto ports, parse_ports(in));
    return Range{Prefix{base, static_cast<unsigned>(length)}, ports, !hosts.empty()};
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

/// Puts a key of GRE, a number or written like an IPv4 address, into the ports; 0 stands for any.
Result<void> parse_gre_key(Cursor& in, Selector& selector) {
    const auto text = in.token().text;
    std::uint32_t key = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), key);
    if (problem != std::errc{} || end != text.data() + text.size()) {
        const auto quad = Address::parse(text);
        if (!quad || !quad->is_v4())
            return in.fail(Errc::bad_value, "a key of GRE has 32 bits: a number, or four octets as in 0.0.1.44");
        key = quad->v4_number();
    }
    if (key != 0) {
        selector.source_ports = PortRange::only(static_cast<std::uint16_t>(key >> 16));
        selector.destination_ports = PortRange::only(static_cast<std::uint16_t>(key));
    }
    in.take();
    return {};
}

}  // namespace

Result<Address> parse_address(Cursor& in, std::optional<Family> only) {
    const Token token = in.token();
    if (token.kind != Token::Kind::word) return in.fail(Errc::bad_syntax, "an address is needed");
    const auto address = Address::parse(token.text);
    if (!address) {
        if (is_name(token))
            return in.fail(Errc::unsupported,
                           "a numeric address is needed here: names are for the ends of SAs and policies");
        return in.fail(Errc::bad_value, "this is not an IPv4 or IPv6 address");
    }
    if (only && address->family() != *only)
        return in.fail(Errc::bad_value,
                       *only == Family::ipv4 ? "-4 asks for IPv4 addresses" : "-6 asks for IPv6 addresses");
    in.take();
    return *address;
}

Result<std::uint16_t> parse_port(Cursor& in) {
    const Token bracket = in.token();
    TORII_TRY(const auto ports, parse_ports(in));
    if (ports.is_any()) return std::uint16_t{0};
    if (ports.low != ports.high) return in.fail(Errc::bad_value, "one port is needed here, not a range", bracket);
    return ports.low;
}

Result<std::vector<SaEnds>> parse_addresses(Cursor& in) {
    TORII_TRY(const auto asked, parse_asked(in));
    TORII_TRY(const auto sources, parse_host(in, asked));
    TORII_TRY(const auto source_port, parse_port(in));
    const Token second = in.token();
    TORII_TRY(const auto destinations, parse_host(in, asked));
    TORII_TRY(const auto destination_port, parse_port(in));
    std::vector<SaEnds> pairs;
    for (const Address& source : sources)
        for (const Address& destination : destinations)
            if (source.family() == destination.family())
                pairs.push_back({{source, destination}, source_port, destination_port});
    const bool known = !sources.empty() && !destinations.empty();
    if (known && pairs.empty())
        return in.fail(Errc::bad_value, "source and destination are of different families", second);
    if (!known) pairs.push_back({{}, source_port, destination_port});
    return pairs;
}

Result<Selector> parse_selector(Cursor& in) {
    TORII_TRY(const auto asked, parse_asked(in));
    TORII_TRY(const auto source, parse_range(in, asked));
    const Token second = in.token();
    TORII_TRY(const auto destination, parse_range(in, asked));
    if (source.known && destination.known && source.prefix.family() != destination.prefix.family())
        return in.fail(Errc::bad_value, "source and destination are of different families", second);
    Selector selector{source.prefix, destination.prefix, source.ports, destination.ports, {}};
    const Token upper = in.token();
    TORII_TRY(selector.protocol, parse_protocol(in));
    if (has_no_ports(selector.protocol) && !(source.ports.is_any() && destination.ports.is_any()))
        return in.fail(Errc::bad_value, "this protocol has no ports; icmp takes 'type,code' behind it", upper);
    if (in.token().kind == Token::Kind::word && in.token().text.front() != '-') {
        if (!has_type(selector.protocol) && !is_gre(selector.protocol))
            return in.fail(Errc::bad_syntax,
                           "only icmp and icmp6 take a type and a code behind their name, and gre takes a key");
        TORII_CHECK(is_gre(selector.protocol) ? parse_gre_key(in, selector) : parse_type_and_code(in, selector));
    }
    return selector;
}

Result<std::string> parse_tag(Cursor& in) {
    in.take();
    const Token name = in.token();
    if (name.kind != Token::Kind::quoted)
        return in.fail(Errc::bad_syntax, "the name of a tag is needed here, in quotes on one line");
    if (!is_tag_name(name.text))
        return in.fail(Errc::bad_value,
                       "a tag's name has 1 to 15 letters, digits, '-', '_', '.' and ':', a letter first");
    in.take();
    return std::string{name.text};
}

}  // namespace torii::setkey
