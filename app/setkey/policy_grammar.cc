// The text behind -P: direction, priority, action and the requests of ipsec_set_policy(3), as setkey takes them.
#include <charconv>
#include <limits>

#include "app/setkey/grammar.h"
#include "app/setkey/setkey.h"

namespace torii::setkey {
namespace {

constexpr std::int64_t priority_low = -(1 << 30), priority_high = 1 << 30;

bool is_protocol(const Token& token) { return token.is("esp") || token.is("ah") || token.is("ipcomp"); }

/// The current token is a part of a request and not the begin of the next one.
bool is_part(const Token& token) { return token.kind == Token::Kind::word && !is_protocol(token); }

/// [-]N | low|def|high [+|- N]; a higher one is searched first.
Result<std::int32_t> parse_priority(Cursor& in) {
    std::int64_t base = 0;
    const Token first = in.token();
    const bool named = first.is("low") || first.is("def") || first.is("high");
    if (named) base = first.is("low") ? priority_low : first.is("high") ? priority_high : 0;
    if (named) in.take();
    std::int64_t sign = named ? 0 : 1;
    if (in.take_if('-'))
        sign = -1;
    else if (named && in.take_if('+'))
        sign = 1;
    const Token number = in.token();
    std::int64_t offset = 0;
    if (sign != 0) {
        TORII_TRY(offset, in.number("a priority", 0, std::uint64_t{1} << 31));
    }
    const std::int64_t priority = base + sign * offset;
    if (priority < std::numeric_limits<std::int32_t>::min() || priority > std::numeric_limits<std::int32_t>::max())
        return in.fail(Errc::bad_value, "a priority has 32 bits with its sign", number);
    return static_cast<std::int32_t>(priority);
}

/// me-any in policies out, any-me in policies in: the packet's own ends, as where transport mode names none.
Result<void> parse_own_ends(Cursor& in, Direction direction) {
    const bool out = direction == Direction::outbound;
    const std::string_view from = out ? "me" : "any", to = out ? "any" : "me";
    if (!in.token().is(from)) return in.fail(Errc::bad_value, "out takes me-any, and in takes any-me");
    in.take();
    if (!in.take_if('-')) return in.fail(Errc::bad_syntax, "'-' is needed: me-any or any-me");
    if (!in.token().is(to)) return in.fail(Errc::bad_value, "out takes me-any, and in takes any-me");
    in.take();
    return {};
}

/// source-destination, with ports as racoon writes them behind a NAT: they are the SA's own, and tell policies nothing.
Result<std::optional<Endpoints>> parse_endpoints(Cursor& in, Direction direction) {
    if (in.token().is("me") || in.token().is("any")) {
        TORII_CHECK(parse_own_ends(in, direction));
        return std::nullopt;
    }
    TORII_TRY(const auto source, parse_address(in, std::nullopt));
    TORII_CHECK(parse_port(in));
    if (!in.take_if('-')) return in.fail(Errc::bad_syntax, "'-' and the tunnel's destination are needed");
    const Token second = in.token();
    TORII_TRY(const auto destination, parse_address(in, std::nullopt));
    TORII_CHECK(parse_port(in));
    if (source.family() != destination.family())
        return in.fail(Errc::bad_value, "source and destination are of different families", second);
    return Endpoints{source, destination};
}

Result<void> parse_unique_id(Cursor& in, Request& request) {
    const auto digits = in.token().text.substr(std::string_view{"unique:"}.size());
    std::uint32_t id = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (problem != std::errc{} || end != digits.data() + digits.size() || id == 0 || id > max_unique_id)
        return in.fail(Errc::bad_value, "unique takes an id of 1 to " + std::to_string(max_unique_id));
    request.level = Level::unique;
    request.reqid = ReqId{id};
    return {};
}

Result<void> parse_level(Cursor& in, Request& request) {
    const auto& token = in.token();
    if (token.is("default"))
        request.level = Level::system_default;
    else if (token.is("use"))
        request.level = Level::use;
    else if (token.is("require"))
        request.level = Level::require;
    else if (token.is("unique"))
        request.level = Level::unique;  // without an id: the gateway gives one
    else if (token.text.starts_with("unique:"))
        TORII_CHECK(parse_unique_id(in, request));
    else if (token.text.starts_with("unique#"))
        return in.fail(Errc::bad_value, "ids behind # are given by the gateway: write unique alone");
    else
        return in.fail(Errc::bad_syntax, "a level is needed: default, use, require, unique or unique:ID");
    in.take();
    return {};
}

/// protocol/mode[/[source-destination][/[level]]]
Result<Request> parse_request(Cursor& in, Direction direction) {
    if (!is_protocol(in.token()))
        return in.fail(Errc::bad_syntax, "a request is needed: PROTOCOL/MODE/SOURCE-DESTINATION/LEVEL");
    const Token protocol = in.take();
    Request request;
    request.protocol = protocol.is("ah")       ? IpsecProtocol::ah
                       : protocol.is("ipcomp") ? IpsecProtocol::ipcomp
                                               : IpsecProtocol::esp;
    request.level = Level::system_default;
    if (!in.take_if('/')) return in.fail(Errc::bad_syntax, "'/' and a mode are needed behind the protocol");
    const Token mode = in.token();
    if (!mode.is("transport") && !mode.is("tunnel"))
        return in.fail(Errc::bad_syntax, "a mode is needed: transport or tunnel");
    request.mode = mode.is("tunnel") ? Mode::tunnel : Mode::transport;
    in.take();
    if (in.take_if('/')) {
        if (is_part(in.token())) {
            TORII_TRY(request.endpoints, parse_endpoints(in, direction));
        }
        if (in.take_if('/') && is_part(in.token())) TORII_CHECK(parse_level(in, request));
    }
    if (request.mode == Mode::tunnel && !request.endpoints)
        return in.fail(Errc::bad_value, "a tunnel needs its two addresses", mode);
    return request;
}

}  // namespace

Result<Direction> parse_direction(Cursor& in) {
    if (in.take_if("in") || in.take_if("fwd")) return Direction::inbound;
    if (in.take_if("out")) return Direction::outbound;
    return in.fail(Errc::bad_syntax, "a direction is needed: in or out");
}

Result<void> parse_action(Cursor& in, Policy& policy) {
    if (in.take_if("priority") || in.take_if("prio")) {
        TORII_TRY(policy.priority, parse_priority(in));
    }
    const Token action = in.token();
    if (action.is("entrust") || action.is("bypass"))
        return in.fail(Errc::unsupported,
                       "entrust and bypass are for sockets; a policy here takes discard, none or ipsec");
    if (!action.is("discard") && !action.is("none") && !action.is("ipsec"))
        return in.fail(Errc::bad_syntax, "an action is needed: discard, none or ipsec");
    in.take();
    if (action.is("discard")) policy.action = PolicyAction::discard;
    if (action.is("none")) policy.action = PolicyAction::bypass;
    if (!action.is("ipsec")) return {};
    policy.action = PolicyAction::protect;
    do {
        if (policy.requests.size() == max_requests)
            return in.fail(Errc::bad_value, "a policy takes at most " + std::to_string(max_requests) + " requests");
        TORII_TRY(auto request, parse_request(in, policy.direction));
        policy.requests.push_back(request);
    } while (!in.token().is(';'));
    return {};
}

}  // namespace torii::setkey
