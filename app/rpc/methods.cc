#include "app/rpc/methods.h"

#include <array>
#include <exception>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

namespace torii::rpc {

namespace {

// Fields keep their order, and every string is wiped when it goes: a request may be a setkey file.
using Json = nlohmann::basic_json<nlohmann::ordered_map, std::vector, WipedString>;

constexpr int parse_error = -32700, method_not_found = -32601, invalid_params = -32602, internal_error = -32603;
constexpr int method_failed = -32000;  // the method's own error; data.code is Errc's name

// What a request may make the parser build, whatever its length: no method needs more than a few values.
constexpr unsigned max_depth = 16;
constexpr unsigned max_values = 4096;

std::string_view view(const WipedString& text) { return {text.data(), text.size()}; }

WipedString text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// ---- status values as JSON; the field names are those of control/status.h and control/operations.h

Json json_of(const control::PortStatus& port) {
    return {{"name", port.name},
            {"device", port.device},
            {"driver", port.driver},
            {"role", port.role},
            {"mac", port.mac},
            {"addresses", port.addresses},
            {"mtu", port.mtu},
            {"link_up", port.link_up},
            {"rx_queues", port.rx_queues},
            {"tx_queues", port.tx_queues},
            {"rx_packets", port.rx_packets},
            {"rx_octets", port.rx_octets},
            {"tx_packets", port.tx_packets},
            {"tx_octets", port.tx_octets},
            {"rx_missed", port.rx_missed},
            {"rx_errors", port.rx_errors},
            {"rx_no_mbuf", port.rx_no_mbuf},
            {"tx_full", port.tx_full},
            {"ring_lost", port.ring_lost}};
}

Json json_of(const control::RouteStatus& route) {
    return {{"prefix", route.prefix}, {"via", route.via}, {"port", route.port}, {"origin", route.origin}};
}

Json json_of(const control::NeighbourStatus& neighbour) {
    return {{"address", neighbour.address},
            {"mac", neighbour.mac},
            {"port", neighbour.port},
            {"state", neighbour.state},
            {"age_seconds", neighbour.age_seconds},
            {"waiting", neighbour.waiting}};
}

Json json_of(const control::DropStatus& drop) {
    return {{"reason", drop.reason},
            {"advice", drop.advice},
            {"total", drop.total},
            {"by_worker", drop.by_worker},
            {"untold", drop.untold}};
}

Json json_of(const control::WorkerStatus& worker) {
    return {{"index", worker.index},
            {"lcore", worker.lcore},
            {"core", worker.core},
            {"polling", worker.polling},
            {"bursts", worker.bursts},
            {"packets", worker.packets},
            {"empty_polls", worker.empty_polls},
            {"sleeps", worker.sleeps},
            {"handed_over", worker.handed_over},
            {"taken_over", worker.taken_over},
            {"flow_hits", worker.flow_hits},
            {"flow_misses", worker.flow_misses},
            {"inbound_sas", worker.inbound_sas},
            {"outbound_sas", worker.outbound_sas}};
}

Json json_of(const control::CryptoStatus& crypto) {
    return {{"suite", crypto.suite},
            {"kernel", crypto.kernel},
            {"note", crypto.note},
            {"proven", crypto.proven},
            {"chosen", crypto.chosen},
            {"cycles_64", crypto.cycles_64},
            {"cycles_1420", crypto.cycles_1420}};
}

Json algorithms() {
    const auto row = [](std::string_view option, const auto& algorithm) {
        return Json{{"option", option},
                    {"name", algorithm.name},
                    {"alias", algorithm.alias},
                    {"key_bits", spelled(algorithm.key_bits)},
                    {"icv_octets", algorithm.icv_octets},
                    {"legacy", algorithm.legacy()}};
    };
    Json out = Json::array();
    for (const CipherInfo& cipher : ciphers()) out.push_back(row("-E", cipher));
    for (const AuthInfo& auth : auths()) out.push_back(row("-A", auth));
    return out;
}

Json json_of(const control::VersionStatus& version) {
    return {{"torii", version.torii},
            {"dpdk", version.dpdk},
            {"ipsec_mb", version.ipsec_mb},
            {"openssl", version.openssl},
            {"gateway_name", version.gateway_name},
            {"uptime_seconds", version.uptime_seconds},
            {"hugepages", version.hugepages}};
}

Json json_of(const control::Lifetime& lifetime) {
    return {{"seconds", lifetime.seconds}, {"octets", lifetime.octets}, {"packets", lifetime.packets}};
}

Json json_of(const control::SaId& id) {
    return {{"source", id.source.text()},
            {"destination", id.destination.text()},
            {"protocol", name_of(id.protocol)},
            {"spi", static_cast<std::uint32_t>(id.spi)}};
}

Json json_of(const control::SaView& sa) {
    const control::SaSpec& spec = sa.spec;
    Json out = json_of(spec.id);
    out.update({{"mode", name_of(spec.mode)},
                {"reqid", static_cast<std::uint32_t>(spec.reqid)},
                {"inbound", sa.inbound},
                {"state", name_of(sa.state)},
                {"cipher", info(spec.cipher).name},
                {"cipher_key_bits", spec.cipher_key.bits()},
                {"auth", info(spec.auth).name},
                {"auth_key_bits", spec.auth_key.bits()},
                {"replay_octets", spec.replay_octets},
                {"cyclic_sequence", spec.cyclic_sequence},
                {"extended_sequence", spec.extended_sequence},
                {"padding", name_of(spec.padding)},
                {"hard", json_of(spec.hard)},
                {"soft", json_of(spec.soft)},
                {"sequence", sa.sequence},
                {"octets", sa.octets},
                {"packets", sa.packets},
                {"icv_failures", sa.icv_failures},
                {"replays", sa.replays},
                {"created_unix_seconds", sa.created_unix_seconds},
                {"last_used_unix_seconds", sa.last_used_unix_seconds},
                {"worker", sa.worker}});
    return out;
}

Json json_of(const PortRange& ports) {
    if (ports.is_any()) return "any";
    if (ports.low == ports.high) return std::to_string(ports.low);
    return std::to_string(ports.low) + "-" + std::to_string(ports.high);
}

Json json_of(const Selector& selector) {
    return {{"source", selector.source.text()},
            {"source_ports", json_of(selector.source_ports)},
            {"destination", selector.destination.text()},
            {"destination_ports", json_of(selector.destination_ports)},
            {"protocol", selector.protocol ? Json(*selector.protocol) : Json("any")}};
}

Json json_of(const Request& request) {
    Json out{{"protocol", name_of(request.protocol)},
             {"mode", name_of(request.mode)},
             {"level", name_of(request.level)},
             {"reqid", static_cast<std::uint32_t>(request.reqid)}};
    if (request.endpoints) {
        out["source"] = request.endpoints->source.text();
        out["destination"] = request.endpoints->destination.text();
    }
    return out;
}

Json json_of(const control::PolicyView& view) {
    Json requests = Json::array();
    for (const Request& request : view.policy.requests) requests.push_back(json_of(request));
    return {{"id", static_cast<std::uint32_t>(view.policy.id)},
            {"direction", name_of(view.policy.direction)},
            {"selector", json_of(view.policy.selector)},
            {"action", name_of(view.policy.action)},
            {"priority", view.policy.priority},
            {"requests", requests},
            {"created_unix_seconds", view.policy.created_unix_seconds}};
}

Json json_of(const PacketSelector& packet) {
    Json out{
        {"source", packet.source.text()}, {"destination", packet.destination.text()}, {"protocol", packet.protocol}};
    if (packet.ports_known) {
        out["source_port"] = packet.source_port;
        out["destination_port"] = packet.destination_port;
    }
    return out;
}

template <class Status>
Json rows_of(const std::vector<Status>& rows) {
    Json out = Json::array();
    for (const Status& row : rows) out.push_back(json_of(row));
    return out;
}

// ---- methods

Result<Json> show_sa(const Call& call, const Json&) {
    Json out = Json::array();
    call.control.each_sa([&](const control::SaView& sa) {
        out.push_back(json_of(sa));
        return true;
    });
    return out;
}

Result<Json> show_policy(const Call& call, const Json&) {
    Json policies = Json::array();
    call.control.each_policy([&](const control::PolicyView& policy) {
        policies.push_back(json_of(policy));
        return true;
    });
    return Json{{"exemptions", call.control.exemptions()}, {"policies", policies}};
}

Json output_of(std::string text) {
    Json out{{"output", text}};
    wipe(std::as_writable_bytes(std::span{text}));
    return out;
}

bool flag(const Json& params, const char* name) { return params.value(name, false); }

/// {"NAME": ["ADDRESS", ...], ...}
Result<decltype(SetkeyText::hosts)> hosts_of(const Json& json) {
    decltype(SetkeyText::hosts) hosts;
    for (const auto& [name, addresses] : json.items()) {
        if (!addresses.is_array() || addresses.size() > setkey::max_host_addresses || hosts.size() == setkey::max_hosts)
            return fail(Errc::bad_value, "a host has an array of up to " + std::to_string(setkey::max_host_addresses) +
                                             " addresses, and a text up to " + std::to_string(setkey::max_hosts) +
                                             " hosts");
        auto& list = hosts[std::string{view(name)}];
        for (const Json& address : addresses) {
            if (!address.is_string()) return fail(Errc::bad_value, "the address of a host must be a string");
            list.emplace_back(view(address.get_ref<const WipedString&>()));
        }
    }
    return hosts;
}

Result<Json> setkey_run(const Call& call, const Json& params) {
    SetkeyText text{.text = view(params.at("text").get_ref<const WipedString&>()),
                    .file = view(params.at("file").get_ref<const WipedString&>()),
                    .check = flag(params, "check"),
                    .verbose = flag(params, "verbose"),
                    .readable_by_others = flag(params, "readable_by_others")};
    if (const auto hosts = params.find("hosts"); hosts != params.end()) {
        TORII_TRY(text.hosts, hosts_of(*hosts));
    }
    TORII_TRY(SetkeyAnswer answer, call.setkey.run(text, call.keys));
    Json out = output_of(std::move(answer.output));
    if (!answer.warnings.empty()) out["warnings"] = answer.warnings;
    for (const auto& [name, where] : answer.unknown_hosts)
        out["unknown_hosts"].push_back({{"name", name}, {"where", where}});
    return out;
}

Result<Json> setkey_dump_sas(const Call& call, const Json& params) {
    return output_of(
        call.setkey.dump_sas({call.keys, flag(params, "dead"), flag(params, "ports"), flag(params, "verbose")}));
}

Result<Json> subscribe(const Call& call, const Json&) {
    call.subscribe();
    return Json{{"subscribed", true}};
}

Result<Json> help(const Call&, const Json&);

struct Method {
    std::string_view name;
    std::string_view text;
    std::vector<std::string_view> params;  // all are strings, all are needed
    Result<Json> (*run)(const Call&, const Json& params);
    std::vector<std::string_view> flags = {};  // booleans, false unless given
    std::string_view object = {};              // one more that may be given
};

std::span<const Method> methods() {
    static const std::array table{
        Method{"show.ports",
               "ports with their addresses and counters",
               {},
               [](const Call& call, const Json&) -> Result<Json> { return rows_of(call.control.ports()); }},
        Method{"show.routes",
               "routes, longest prefix wins",
               {},
               [](const Call& call, const Json&) -> Result<Json> { return rows_of(call.control.routes()); }},
        Method{"show.neighbours",
               "addresses resolved by ARP or given",
               {},
               [](const Call& call, const Json&) -> Result<Json> { return rows_of(call.control.neighbours()); }},
        Method{"show.sa", "security associations in order of creation, without keys", {}, show_sa},
        Method{"show.policy", "built-in exemptions, and policies in search order", {}, show_policy},
        Method{"show.drops",
               "every drop reason, its count and what to check",
               {},
               [](const Call& call, const Json&) -> Result<Json> { return rows_of(call.control.drops()); }},
        Method{"show.crypto",
               "kernels of each suite, their proof and their cycles",
               {},
               [](const Call& call, const Json&) -> Result<Json> { return rows_of(call.control.crypto()); }},
        Method{"show.algorithms",
               "what -E, -A and -C of setkey take, with key lengths",
               {},
               [](const Call&, const Json&) -> Result<Json> { return algorithms(); }},
        Method{"show.workers",
               "packet workers and their counters",
               {},
               [](const Call& call, const Json&) -> Result<Json> { return rows_of(call.control.workers()); }},
        Method{"show.version",
               "versions, gateway name, uptime",
               {},
               [](const Call& call, const Json&) -> Result<Json> { return json_of(call.control.version()); }},
        Method{"setkey.run",
               "applies statements whole or not at all",
               {"text", "file"},
               setkey_run,
               {"check", "verbose", "readable_by_others"},
               "hosts"},
        Method{"setkey.dump_sas",
               "as `setkey -D`; keys to uid 0 alone",
               {},
               setkey_dump_sas,
               {"dead", "ports", "verbose"}},
        Method{"setkey.dump_policies",
               "as `setkey -DP`",
               {},
               [](const Call& call, const Json&) -> Result<Json> { return output_of(call.setkey.dump_policies()); }},
        Method{"events.subscribe", "sends each event as a notification `event` from now on", {}, subscribe},
        Method{"help", "this list", {}, help},
    };
    return table;
}

Result<Json> help(const Call&, const Json&) {
    Json out = Json::array();
    for (const Method& method : methods()) {
        Json row{{"method", method.name}, {"params", method.params}, {"text", method.text}};
        if (!method.flags.empty()) row["flags"] = method.flags;
        if (!method.object.empty()) row["object"] = method.object;
        out.push_back(std::move(row));
    }
    return out;
}

// ---- requests

Json error_of(const Json& id, int code, std::string_view message) {
    return {{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", message}}}};
}

/// Why `params` do not fit `method`; empty when they do.
std::string mismatch(const Method& method, const Json& params) {
    if (!params.is_object()) return "params must be an object";
    for (const std::string_view wanted : method.params) {
        const auto found = params.find(WipedString{wanted});
        if (found == params.end()) return "params lack '" + std::string{wanted} + "'";
        if (!found->is_string()) return "param '" + std::string{wanted} + "' must be a string";
    }
    std::size_t known = method.params.size();
    for (const std::string_view name : method.flags) {
        const auto found = params.find(WipedString{name});
        if (found == params.end()) continue;
        if (!found->is_boolean()) return "param '" + std::string{name} + "' must be true or false";
        ++known;
    }
    if (const auto found = params.find(WipedString{method.object}); found != params.end() && !method.object.empty()) {
        if (!found->is_object()) return "param '" + std::string{method.object} + "' must be an object";
        ++known;
    }
    if (params.size() != known) return "params hold more than " + std::string{method.name} + " takes";
    return {};
}

Json run(const Call& call, const Method& method, const Json& params, const Json& id) {
    if (const std::string wrong = mismatch(method, params); !wrong.empty()) return error_of(id, invalid_params, wrong);
    Result<Json> result = method.run(call, params);
    if (result) return {{"jsonrpc", "2.0"}, {"id", id}, {"result", *std::move(result)}};
    Json out = error_of(id, method_failed, result.error().message);
    out["error"]["data"] = {{"code", torii::name_of(result.error().code)}};
    return out;
}

/// The answer to one request; a null value for a notification, which gets none whatever happens (JSON-RPC 2.0
/// section 4.1).
Json answer_request(const Call& call, const Json& request) {
    if (!request.is_object()) return error_of(nullptr, invalid_request, "a request is an object");
    const auto id = request.find("id");
    const bool notification = id == request.end();
    if (!notification && !id->is_string() && !id->is_number() && !id->is_null())
        return error_of(nullptr, invalid_request, "id must be a string, a number or null");
    const Json answer_id = notification ? Json{} : *id;
    const auto version = request.find("jsonrpc");
    if (version == request.end() || *version != "2.0")
        return error_of(answer_id, invalid_request, "jsonrpc must be \"2.0\"");
    const auto name = request.find("method");
    if (name == request.end() || !name->is_string())
        return error_of(answer_id, invalid_request, "method must be a string");
    static const Json none = Json::object();
    const auto params = request.find("params");
    for (const Method& method : methods()) {
        if (method.name != view(name->get_ref<const WipedString&>())) continue;
        Json out = run(call, method, params == request.end() ? none : *params, answer_id);
        return notification ? Json{} : out;
    }
    return notification ? Json{} : error_of(answer_id, method_not_found, "no such method; `help` lists them");
}

WipedString answer_batch(const Call& call, const Json& batch) {
    if (batch.empty()) return text_of(error_of(nullptr, invalid_request, "an empty batch"));
    if (batch.size() > call.max_batch)
        return text_of(error_of(nullptr, invalid_request,
                                "a batch holds at most " + std::to_string(call.max_batch) + " requests"));
    Json answers = Json::array();
    for (const Json& request : batch) {
        if (Json one = answer_request(call, request); !one.is_null()) answers.push_back(std::move(one));
    }
    return answers.empty() ? WipedString{} : text_of(answers);
}

/// Whether parsing `line` costs no more than its text: neither deep nor made of very many values.
bool is_modest(std::string_view line) {
    unsigned depth = 0, values = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
            continue;
        }
        if (c == '"') in_string = true;
        if ((c == '[' || c == '{') && ++depth > max_depth) return false;
        if ((c == ']' || c == '}') && depth > 0) --depth;
        if ((c == ',' || c == '[' || c == '{') && ++values > max_values) return false;
    }
    return true;
}

}  // namespace

WipedString answer(const Call& call, std::string_view line) {
    try {
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) return {};
        if (!is_modest(line)) return text_of(error_of(nullptr, invalid_request, "nested too deep, or too many values"));
        const Json request = Json::parse(line, nullptr, false);
        if (request.is_discarded()) return text_of(error_of(nullptr, parse_error, "the line is not JSON"));
        if (request.is_array()) return answer_batch(call, request);
        const Json one = answer_request(call, request);
        return one.is_null() ? WipedString{} : text_of(one);
    } catch (const std::exception& fault) {
        return text_of(error_of(nullptr, internal_error, fault.what()));
    }
}

std::string refusal(int code, std::string_view message) {
    return std::string{view(text_of(error_of(nullptr, code, message)))};
}

std::string event_line(const control::Event& event, std::int64_t unix_milliseconds) {
    Json params{{"unix_milliseconds", unix_milliseconds}, {"kind", control::name_of(event.kind)}};
    if (event.sa != control::SaId{}) params["sa"] = json_of(event.sa);
    if (event.policy != PolicyId{}) params["policy"] = static_cast<std::uint32_t>(event.policy);
    if (event.request) params["request"] = json_of(*event.request);
    if (event.sequence != 0) params["sequence"] = event.sequence;
    if (event.packet != PacketSelector{}) params["packet"] = json_of(event.packet);
    params["repeated"] = event.repeated;
    return std::string{view(text_of({{"jsonrpc", "2.0"}, {"method", "event"}, {"params", params}}))};
}

std::string lost_line(std::uint64_t lost) {
    return std::string{view(text_of({{"jsonrpc", "2.0"}, {"method", "events.lost"}, {"params", {{"lost", lost}}}}))};
}

}  // namespace torii::rpc
