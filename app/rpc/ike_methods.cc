#include "app/rpc/ike_methods.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

namespace torii::rpc {

namespace {

using Json = nlohmann::basic_json<nlohmann::ordered_map, std::vector, WipedString>;
using Params = std::span<const std::string_view>;

constexpr std::size_t lines_shown = 100, most_lines = 10000;

WipedString text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// As Wireshark and other daemons print one: 16 digits.
std::string spi_text(std::uint64_t spi) {
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, spi, 16).ptr;
    return std::string(static_cast<std::size_t>(digits + sizeof digits - end), '0') + std::string(digits, end);
}

// ---- status values as JSON; the field names are those of ike_control.h

Json json_of(const IkeStatus& ike) {
    return {{"connection", ike.connection},
            {"number", ike.number},
            {"state", ike.state},
            {"initiator", ike.initiator},
            {"local", ike.local},
            {"local_port", ike.local_port},
            {"local_id", ike.local_id},
            {"local_auth", ike.local_auth},
            {"local_nat", ike.local_nat},
            {"remote", ike.remote},
            {"remote_port", ike.remote_port},
            {"remote_id", ike.remote_id},
            {"remote_auth", ike.remote_auth},
            {"remote_nat", ike.remote_nat},
            {"initiator_spi", spi_text(ike.initiator_spi)},
            {"responder_spi", spi_text(ike.responder_spi)},
            {"suite", ike.suite},
            {"ppk", ike.ppk},
            {"internal_addresses", ike.internal_addresses},
            {"internal_dns", ike.internal_dns},
            {"age_seconds", ike.age_seconds},
            {"rekey_in_seconds", ike.rekey_in_seconds},
            {"reauth_in_seconds", ike.reauth_in_seconds},
            {"silent_seconds", ike.silent_seconds},
            {"children", ike.children}};
}

Json json_of(const IkeChildStatus& child) {
    return {{"connection", child.connection},
            {"name", child.name},
            {"number", child.number},
            {"ike", child.ike},
            {"state", child.state},
            {"protocol", child.protocol},
            {"mode", child.mode},
            {"in_udp", child.in_udp},
            {"ipcomp", child.ipcomp},
            {"inbound_spi", child.inbound_spi},
            {"outbound_spi", child.outbound_spi},
            {"suite", child.suite},
            {"local", child.local},
            {"remote", child.remote},
            {"age_seconds", child.age_seconds},
            {"rekey_in_seconds", child.rekey_in_seconds},
            {"ends_in_seconds", child.ends_in_seconds},
            {"inbound_packets", child.inbound_packets},
            {"inbound_octets", child.inbound_octets},
            {"outbound_packets", child.outbound_packets},
            {"outbound_octets", child.outbound_octets}};
}

Json json_of(const IkeLogLine& line) {
    return {{"unix_milliseconds", line.unix_milliseconds},
            {"level", line.level},
            {"connection", line.connection},
            {"number", line.number},
            {"text", line.text}};
}

template <class Row>
WipedString rows_of(const std::vector<Row>& rows) {
    Json out = Json::array();
    for (const Row& row : rows) out.push_back(json_of(row));
    return text_of(out);
}

// ---- methods

/// The last lines; how many is a number, or 100 when it is empty.
Result<WipedString> log(IkeControl& ike, Params params) {
    const std::string_view count = params[1];
    std::size_t most = lines_shown;
    if (!count.empty()) {
        const auto [behind, problem] = std::from_chars(count.data(), count.data() + count.size(), most);
        if (problem != std::errc{} || behind != count.data() + count.size() || most == 0 || most > most_lines)
            return fail(Errc::bad_value, "how many lines is a number of 1 to " + std::to_string(most_lines));
    }
    return rows_of(ike.log(params[0], most));
}

template <auto deed>
Result<WipedString> run_deed(IkeControl& ike, Params params) {
    TORII_TRY(const std::string done, (ike.*deed)(params[0]));
    return text_of({{"done", done}});
}

}  // namespace

std::string ike_event_line(const IkeLogLine& line) {
    Json params = json_of(line);
    params["kind"] = "ike";
    const WipedString text = text_of({{"jsonrpc", "2.0"}, {"method", "event"}, {"params", std::move(params)}});
    return {text.data(), text.size()};
}

std::span<const IkeMethod> ike_methods() {
    static const std::array table{
        IkeMethod{"ike.list",
                  "connections and their IKE SAs",
                  {},
                  [](IkeControl& ike, Params) -> Result<WipedString> { return rows_of(ike.list()); }},
        IkeMethod{"ike.children",
                  "what is protected with each peer, and by which pairs of SAs",
                  {},
                  [](IkeControl& ike, Params) -> Result<WipedString> { return rows_of(ike.children()); }},
        IkeMethod{"ike.log",
                  "the last lines of IKE's log; empty params: of all connections, 100 lines",
                  {"connection", "lines"},
                  log},
        IkeMethod{"ike.up", "begins to negotiate a connection or a child", {"name"}, run_deed<&IkeControl::up>},
        IkeMethod{
            "ike.down", "ends a connection or a child, and tells the peer", {"name"}, run_deed<&IkeControl::down>},
        IkeMethod{"ike.rekey", "gives an IKE SA or a child new keys", {"name"}, run_deed<&IkeControl::rekey>},
        IkeMethod{"ike.reauth",
                  "has both sides prove again who they are, the new IKE SA before the old one goes",
                  {"name"},
                  run_deed<&IkeControl::reauth>},
        IkeMethod{"ike.move",
                  "takes an IKE SA and its children to another address of ours",
                  {"name", "address"},
                  [](IkeControl& ike, Params params) -> Result<WipedString> {
                      TORII_TRY(const std::string done, ike.move(params[0], params[1]));
                      return text_of({{"done", done}});
                  }},
    };
    return table;
}

}  // namespace torii::rpc
