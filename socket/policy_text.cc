#include "socket/policy_text.h"

#include <linux/ipsec.h>
#include <linux/pfkeyv2.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <limits>

namespace torii::socket_policy {

namespace {

constexpr std::array<std::string_view, 5> type_words{"discard", "none", "ipsec", "entrust", "bypass"};
constexpr std::int64_t priority_offset = std::int64_t{1} << 31;  // KAME's kernel counts down from here
constexpr std::int64_t priority_step = 1 << 30;                  // what `low` and `high` stand for

std::unexpected<Error> bad(std::string_view what, std::string_view word) {
    std::string message{what};
    if (!word.empty()) message += " at '" + std::string{word} + "'";
    return fail(Errc::bad_syntax, std::move(message));
}

/// Words and slashes, one after another; "" at the end.
class Words {
public:
    explicit Words(std::string_view text) : rest_(text) {}
    std::string_view peek() const {
        const std::size_t first = std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size());
        const std::string_view from = rest_.substr(first);
        if (from.starts_with('/')) return from.substr(0, 1);
        return from.substr(0, std::min(from.find_first_of(" \t\r\n/"), from.size()));
    }
    std::string_view next() {
        const std::string_view word = peek();
        rest_.remove_prefix(static_cast<std::size_t>(word.data() + word.size() - rest_.data()));
        return word;
    }
    bool take(std::string_view word) {
        if (peek() != word) return false;
        next();
        return true;
    }

private:
    std::string_view rest_;
};

template <class Number>
Result<Number> number(std::string_view word) {
    Number value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size()) return bad("a number was expected", word);
    return value;
}

std::optional<IpsecProtocol> protocol_named(std::string_view word) {
    for (const IpsecProtocol protocol : {IpsecProtocol::esp, IpsecProtocol::ah, IpsecProtocol::ipcomp})
        if (word == name_of(protocol)) return protocol;
    return std::nullopt;
}

/// "priority" or "prio", then a number, or low, def or high with an offset (ipsec_set_policy(3)).
Result<std::int32_t> parse_priority(Words& words) {
    if (!words.take("priority") && !words.take("prio")) return 0;
    const std::string_view word = words.next();
    std::int64_t value = 0;
    const bool named = word == "low" || word == "def" || word == "high";
    if (named) {
        value = word == "low" ? -priority_step : word == "high" ? priority_step : 0;
        if (const bool minus = words.peek() == "-"; minus || words.peek() == "+") {
            words.next();
            TORII_TRY(const auto offset, number<std::uint32_t>(words.next()));
            value += minus ? -std::int64_t{offset} : std::int64_t{offset};
        }
    } else {
        TORII_TRY(value, number<std::int64_t>(word));
    }
    using Limits = std::numeric_limits<std::int32_t>;
    if (value < Limits::min() + 1 || value > Limits::max()) return bad("the priority is out of range", word);
    return static_cast<std::int32_t>(value);
}

Result<Endpoints> parse_endpoints(std::string_view word) {
    const std::size_t dash = word.find('-');
    if (dash == word.npos) return bad("SOURCE-DESTINATION was expected", word);
    const auto source = Address::parse(word.substr(0, dash)), destination = Address::parse(word.substr(dash + 1));
    if (!source || !destination) return bad("an address was expected", word);
    if (source->family() != destination->family()) return bad("the addresses are of two families", word);
    return Endpoints{*source, *destination};
}

Result<void> parse_level(std::string_view word, Request& request) {
    for (const Level level : {Level::system_default, Level::use, Level::require, Level::unique})
        if (word == name_of(level)) {
            request.level = level;
            return {};
        }
    constexpr std::string_view unique = "unique:";
    if (!word.starts_with(unique)) return bad("a level was expected", word);
    TORII_TRY(const auto id, number<std::uint32_t>(word.substr(unique.size())));
    if (id == 0 || id > IPSEC_MANUAL_REQID_MAX)
        return bad("unique takes a number from 1 to " + std::to_string(IPSEC_MANUAL_REQID_MAX), word);
    request.level = Level::unique;
    request.reqid = ReqId{id};
    return {};
}

bool starts_request_or_ends(std::string_view word) { return word.empty() || protocol_named(word).has_value(); }

/// PROTOCOL/MODE[/[SOURCE-DESTINATION][/[LEVEL]]]
Result<Request> parse_request(Words& words) {
    Request request{.level = Level::system_default};
    const std::string_view protocol = words.next();
    const auto known = protocol_named(protocol);
    if (!known) return bad("esp, ah or ipcomp was expected", protocol);
    request.protocol = *known;
    if (!words.take("/")) return bad("a request is PROTOCOL/MODE/SOURCE-DESTINATION/LEVEL", words.peek());
    const std::string_view mode = words.next();
    if (mode != "transport" && mode != "tunnel") return bad("transport or tunnel was expected", mode);
    request.mode = mode == "tunnel" ? Mode::tunnel : Mode::transport;
    if (words.take("/")) {
        if (words.peek() != "/" && !starts_request_or_ends(words.peek())) {
            TORII_TRY(request.endpoints, parse_endpoints(words.next()));
        }
        if (words.take("/") && !starts_request_or_ends(words.peek())) TORII_CHECK(parse_level(words.next(), request));
    }
    if (request.mode == Mode::tunnel && !request.endpoints)
        return bad("a tunnel needs SOURCE-DESTINATION", words.peek());
    return request;
}

// ---- PF_KEY's numbers

std::uint8_t pfkey(Mode mode) { return mode == Mode::tunnel ? IPSEC_MODE_TUNNEL : IPSEC_MODE_TRANSPORT; }

template <class T>
void append(std::vector<std::byte>& out, const T& value) {
    const auto octets = std::as_bytes(std::span{&value, 1});
    std::ranges::copy(octets, std::back_inserter(out));
}

void append(std::vector<std::byte>& out, const Address& address) {
    if (address.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        std::memcpy(&v4.sin_addr, address.octets().data(), 4);
        return append(out, v4);
    }
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, address.octets().data(), 16);
    append(out, v6);
    out.resize(out.size() + 4);  // to whole words of eight octets, as every extension of PF_KEY is
}

template <class T>
Result<T> take(std::span<const std::byte>& octets) {
    if (octets.size() < sizeof(T)) return fail(Errc::bad_value, "the policy is cut short");
    T value;
    std::memcpy(&value, octets.data(), sizeof value);
    octets = octets.subspan(sizeof value);
    return value;
}

Result<Address> take_address(std::span<const std::byte>& octets) {
    if (octets.size() < sizeof(sockaddr_in)) return fail(Errc::bad_value, "the policy is cut short");
    sa_family_t family;
    std::memcpy(&family, octets.data(), sizeof family);
    if (family == AF_INET) {
        TORII_TRY(const auto v4, take<sockaddr_in>(octets));
        return Address::from_octets(std::as_bytes(std::span{&v4.sin_addr, 1}));
    }
    if (family != AF_INET6) return fail(Errc::bad_value, "the policy has an address of no known family");
    TORII_TRY(const auto v6, take<sockaddr_in6>(octets));
    TORII_TRY([[maybe_unused]] const auto padding, take<std::uint32_t>(octets));
    return Address::from_octets(std::as_bytes(std::span{&v6.sin6_addr, 1}));
}

std::vector<std::byte> encode(const Request& request) {
    std::vector<std::byte> ends;
    if (request.endpoints) {
        append(ends, request.endpoints->source);
        append(ends, request.endpoints->destination);
    }
    std::vector<std::byte> out;
    sadb_x_ipsecrequest head{};
    head.sadb_x_ipsecrequest_len = static_cast<std::uint16_t>(sizeof head + ends.size());
    head.sadb_x_ipsecrequest_proto = static_cast<std::uint16_t>(request.protocol);
    head.sadb_x_ipsecrequest_mode = pfkey(request.mode);
    head.sadb_x_ipsecrequest_level = static_cast<std::uint8_t>(request.level);
    head.sadb_x_ipsecrequest_reqid = static_cast<std::uint32_t>(request.reqid);
    append(out, head);
    std::ranges::copy(ends, std::back_inserter(out));
    return out;
}

Result<Request> take_request(std::span<const std::byte>& octets) {
    const std::span<const std::byte> whole = octets;
    TORII_TRY(const auto head, take<sadb_x_ipsecrequest>(octets));
    if (head.sadb_x_ipsecrequest_len < sizeof head || head.sadb_x_ipsecrequest_len > whole.size() ||
        head.sadb_x_ipsecrequest_level > static_cast<int>(Level::unique))
        return fail(Errc::bad_value, "the policy has a request that cannot be");
    std::span<const std::byte> ends = whole.first(head.sadb_x_ipsecrequest_len).subspan(sizeof head);
    octets = whole.subspan(head.sadb_x_ipsecrequest_len);
    Request request{.protocol = IpsecProtocol{static_cast<std::uint8_t>(head.sadb_x_ipsecrequest_proto)},
                    .mode = head.sadb_x_ipsecrequest_mode == IPSEC_MODE_TUNNEL ? Mode::tunnel : Mode::transport,
                    .level = Level{head.sadb_x_ipsecrequest_level},
                    .reqid = ReqId{head.sadb_x_ipsecrequest_reqid}};
    if (!protocol_named(name_of(request.protocol))) return fail(Errc::bad_value, "the policy names no IPsec protocol");
    if (ends.empty()) return request;
    Endpoints endpoints;
    TORII_TRY(endpoints.source, take_address(ends));
    TORII_TRY(endpoints.destination, take_address(ends));
    request.endpoints = endpoints;
    return request;
}

std::string text_of(const Request& request) {
    std::string out = std::string{name_of(request.protocol)} + "/" + std::string{name_of(request.mode)} + "/";
    if (request.endpoints) out += request.endpoints->source.text() + "-" + request.endpoints->destination.text();
    out += "/" + std::string{name_of(request.level)};
    if (request.reqid != ReqId{}) out += ":" + std::to_string(static_cast<std::uint32_t>(request.reqid));
    return out;
}

}  // namespace

Result<SocketPolicy> parse(std::string_view text) {
    Words words{text};
    SocketPolicy out;
    const std::string_view direction = words.next();
    if (direction != "in" && direction != "out") return bad("in or out was expected", direction);
    out.direction = direction == "in" ? Direction::inbound : Direction::outbound;
    TORII_TRY(out.priority, parse_priority(words));
    const std::string_view word = words.next();
    const auto* const type = std::ranges::find(type_words, word);
    if (type == type_words.end()) return bad("discard, none, entrust, bypass or ipsec was expected", word);
    out.type = Type{static_cast<std::uint16_t>(type - type_words.begin())};
    while (out.type == Type::ipsec && !words.peek().empty()) {
        if (out.requests.size() == most_requests) return bad("there are too many requests", words.peek());
        TORII_TRY(out.requests.emplace_back(), parse_request(words));
    }
    if (!words.peek().empty()) return bad("nothing more was expected", words.peek());
    if (out.type == Type::ipsec && out.requests.empty()) return bad("ipsec needs a request", {});
    return out;
}

std::string text_of(const SocketPolicy& policy, std::string_view delimiter) {
    std::string out{name_of(policy.direction)};
    if (policy.priority != 0) out += " prio " + std::to_string(policy.priority);
    out += " " + std::string{type_words[static_cast<std::size_t>(policy.type)]};
    for (const Request& request : policy.requests) (out += delimiter) += text_of(request);
    return out;
}

std::vector<std::byte> encode(const SocketPolicy& policy) {
    std::vector<std::byte> requests;
    for (const Request& request : policy.requests) {
        const auto one = encode(request);
        std::ranges::copy(one, std::back_inserter(requests));
    }
    sadb_x_policy head{};
    head.sadb_x_policy_len = static_cast<std::uint16_t>((sizeof head + requests.size()) / 8);
    head.sadb_x_policy_exttype = SADB_X_EXT_POLICY;
    head.sadb_x_policy_type = static_cast<std::uint16_t>(policy.type);
    head.sadb_x_policy_dir = policy.direction == Direction::inbound ? IPSEC_DIR_INBOUND : IPSEC_DIR_OUTBOUND;
    head.sadb_x_policy_priority = static_cast<std::uint32_t>(priority_offset - policy.priority);
    std::vector<std::byte> out;
    append(out, head);
    std::ranges::copy(requests, std::back_inserter(out));
    return out;
}

Result<std::size_t> octets_of(std::span<const std::byte, 16> head) {
    sadb_x_policy policy;
    std::memcpy(&policy, head.data(), sizeof policy);
    const std::size_t octets = policy.sadb_x_policy_len * std::size_t{8};
    if (policy.sadb_x_policy_exttype != SADB_X_EXT_POLICY || octets < sizeof policy)
        return fail(Errc::bad_value, "this is no policy of ipsec_set_policy");
    return octets;
}

Result<SocketPolicy> decode(std::span<const std::byte> octets) {
    TORII_TRY(const auto head, take<sadb_x_policy>(octets));
    const bool inbound = head.sadb_x_policy_dir == IPSEC_DIR_INBOUND;
    if (head.sadb_x_policy_exttype != SADB_X_EXT_POLICY || head.sadb_x_policy_type >= type_words.size() ||
        (!inbound && head.sadb_x_policy_dir != IPSEC_DIR_OUTBOUND))
        return fail(Errc::bad_value, "this is no policy of ipsec_set_policy");
    SocketPolicy out{.direction = inbound ? Direction::inbound : Direction::outbound,
                     .type = Type{head.sadb_x_policy_type},
                     .priority = static_cast<std::int32_t>(priority_offset - head.sadb_x_policy_priority),
                     .requests = {}};
    while (!octets.empty()) {
        if (out.requests.size() == most_requests) return fail(Errc::bad_value, "the policy has too many requests");
        TORII_TRY(out.requests.emplace_back(), take_request(octets));
    }
    return out;
}

}  // namespace torii::socket_policy
