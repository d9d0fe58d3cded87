#include "app/rpc/question.h"

#include <charconv>

namespace torii::rpc {

namespace {

constexpr std::uint16_t some_client_port = 49152;  // the first of RFC 6335's dynamic ports

Result<std::uint16_t> number(std::string_view text, unsigned most, std::string_view what) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > most)
        return fail(Errc::bad_syntax, "'" + std::string{text} + "' is no " + std::string{what} + ": 0 to " +
                                          std::to_string(most) + " is right");
    return static_cast<std::uint16_t>(value);
}

struct End {
    Address address;
    std::optional<std::uint16_t> port;
};

Result<End> parse_end(std::string_view text) {
    End out;
    const auto bracket = text.find('[');
    const auto address = Address::parse(text.substr(0, bracket));
    if (!address)
        return fail(Errc::bad_syntax, "'" + std::string{text} +
                                          "' is no IPv4 or IPv6 address, as in 10.0.1.5 or "
                                          "10.0.1.5[110]");
    out.address = *address;
    if (bracket == text.npos) return out;
    if (!text.ends_with(']')) return fail(Errc::bad_syntax, "'" + std::string{text} + "' lacks its ]");
    TORII_TRY(out.port, number(text.substr(bracket + 1, text.size() - bracket - 2), 0xffff, "port"));
    return out;
}

}  // namespace

Result<control::Question> parse_question(const QuestionText& text) {
    control::Question out{.packet = {}, .port = std::string{text.port}};
    PacketSelector& packet = out.packet;
    TORII_TRY(const End source, parse_end(text.source));
    TORII_TRY(const End destination, parse_end(text.destination));
    packet.source = source.address;
    packet.destination = destination.address;
    const std::string_view ping = source.address.is_v4() ? "icmp" : "icmp6";
    const auto protocol = parse_protocol(text.protocol.empty() ? ping : text.protocol);
    if (!protocol)
        return fail(Errc::bad_syntax, "'" + std::string{text.protocol} +
                                          "' is no protocol: a name like tcp or esp, or "
                                          "0 to 255 is right");
    packet.protocol = *protocol;
    const bool with_ports = has_ports(*protocol);
    if (!with_ports && (source.port || destination.port || (!is_icmp(*protocol) && !text.ports.empty())))
        return fail(Errc::bad_syntax, protocol_text(*protocol) + " has no ports");
    const auto comma = text.ports.find(',');
    const auto first = text.ports.substr(0, comma);
    const auto second = comma == text.ports.npos ? std::string_view{} : text.ports.substr(comma + 1);
    if (is_icmp(*protocol)) {
        packet.source_port = *protocol == 1 ? 8 : 128;
        if (!first.empty()) {
            TORII_TRY(packet.source_port, number(first, 255, "ICMP type"));
        }
        if (!second.empty()) {
            TORII_TRY(packet.destination_port, number(second, 255, "ICMP code"));
        }
        return out;
    }
    if (!with_ports) return out;
    packet.source_port = source.port.value_or(some_client_port);
    packet.destination_port = destination.port.value_or(some_client_port);
    const auto to = comma == text.ports.npos ? first : second;
    if (!to.empty()) {
        TORII_TRY(packet.destination_port, number(to, 0xffff, "port"));
    }
    if (comma != text.ports.npos) {
        TORII_TRY(packet.source_port, number(first, 0xffff, "port"));
    }
    return out;
}

}  // namespace torii::rpc
