#include "app/rpc/methods.h"

#include "app/rpc/ike_methods.h"
#include "app/rpc/question.h"

#include <algorithm>
#include <array>
#include <charconv>
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

constexpr std::string_view socket_method = "socket.bind";  // the one method for callers that may do nothing else

std::string_view view(const WipedString& text) { return {text.data(), text.size()}; }

WipedString text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// ---- status values as JSON; the field names are those of control/status.h and control/operations.h

#include "app/rpc/selector_json.inc"

#include "app/rpc/database_json.inc"  // in which selectors are
#include "app/rpc/status_json.inc"

Json json_of(const control::SettingStatus& setting) {
    return {{"name", setting.name},   {"value", setting.value},     {"fallback", setting.fallback},
            {"right", setting.right}, {"meaning", setting.meaning}, {"effect", setting.effect}};
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

#include "app/rpc/explain_json.inc"

// ---- methods

std::string_view word(const Json& params, const char* name) {
    return view(params.at(name).get_ref<const WipedString&>());
}

Result<Json> explain(const Call& call, const Json& params) {
    TORII_TRY(const auto question, parse_question({.source = word(params, "source"),
                                                   .destination = word(params, "destination"),
                                                   .protocol = word(params, "protocol"),
                                                   .ports = word(params, "ports"),
                                                   .port = word(params, "port")}));
    TORII_TRY(const auto answer, call.control.explain(question));
    return json_of(answer);
}

// Changes of the filter: each a transaction of one operation.

using control::ChangeFilter;

Result<control::Outcome> change_filter(const Call& call, ChangeFilter change) {
    std::vector<control::Located> transaction;
    transaction.push_back({std::move(change), {}});
    TORII_TRY(const auto outcomes, call.control.apply(std::move(transaction)));
    return outcomes.at(0);
}

Result<Json> add_filter_rule(const Call& call, const Json& params) {
    ChangeFilter change{.kind = ChangeFilter::Kind::add, .hook = {}, .rule = {}};
    TORII_TRY(change.hook, control::parse_hook(word(params, "hook")));
    TORII_TRY(change.rule, control::parse_filter_rule(word(params, "rule")));
    if (const auto before = word(params, "before"); !before.empty()) {
        TORII_TRY(change.id, control::parse_rule_number(before));
    }
    TORII_TRY(const auto outcome, change_filter(call, std::move(change)));
    return Json{{"id", outcome.filter_rule}};
}

Result<Json> delete_filter_rule(const Call& call, const Json& params) {
    ChangeFilter change{.kind = ChangeFilter::Kind::remove, .hook = {}, .rule = {}};
    TORII_TRY(change.hook, control::parse_hook(word(params, "hook")));
    TORII_TRY(change.id, control::parse_rule_number(word(params, "id")));
    TORII_TRY(const auto outcome, change_filter(call, std::move(change)));
    return Json{{"removed", outcome.removed}};
}

Result<Json> flush_filter(const Call& call, const Json& params) {
    ChangeFilter change{.kind = ChangeFilter::Kind::flush, .hook = {}, .rule = {}};
    TORII_TRY(change.hook, control::parse_hook(word(params, "hook")));
    TORII_TRY(const auto outcome, change_filter(call, std::move(change)));
    return Json{{"removed", outcome.removed}};
}

Result<Json> set_filter_default(const Call& call, const Json& params) {
    ChangeFilter change{.kind = ChangeFilter::Kind::set_default, .hook = {}, .rule = {}};
    TORII_TRY(change.hook, control::parse_hook(word(params, "hook")));
    TORII_TRY(change.otherwise, control::parse_filter_action(word(params, "action")));
    TORII_TRY(const auto outcome, change_filter(call, std::move(change)));
    return Json{{"removed", outcome.removed}};
}

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
    if (call.counted != nullptr)
        for (const auto& [type, times] : answer.statements) call.counted->asked(type, times);
    Json out = output_of(std::move(answer.output));
    if (!answer.warnings.empty()) out["warnings"] = answer.warnings;
    for (const auto& [name, where] : answer.unknown_hosts)
        out["unknown_hosts"].push_back({{"name", name}, {"where", where}});
    return out;
}

Result<Json> setkey_dump_policies(const Call& call, const Json& params) {
    return output_of(call.setkey.dump_policies(flag(params, "without_sockets")));
}

Result<Json> setkey_dump_sas(const Call& call, const Json& params) {
    TORII_TRY(std::string text, call.setkey.dump_sas({call.keys, flag(params, "dead"), flag(params, "ports"),
                                                      flag(params, "verbose"), flag(params, "wireshark")}));
    return output_of(std::move(text));
}

Result<Json> show_stats(const Call& call, const Json&) {
    auto stats = call.control.stats();
    if (call.counted != nullptr) std::ranges::move(call.counted->rows(*call.traffic), std::back_inserter(stats));
    return rows_of(stats);
}

Result<Json> subscribe(const Call& call, const Json&) {
    call.subscribe();
    return Json{{"subscribed", true}};
}

Result<Json> start_capture(const Call& call, const Json& params) {
    const auto hook = word(params, "hook");
    control::CaptureHooks hooks{.wire = true, .clear = true};
    if (hook != "all") {
        TORII_TRY(const auto one, control::parse_hook(hook.empty() ? "wire" : hook));
        hooks = {.wire = one == control::Hook::wire, .clear = one == control::Hook::clear};
    }
    TORII_CHECK(call.capture(hooks));
    return Json{{"capturing", true}};
}

Result<Json> socket_bind(const Call& call, const Json& params) {
    const std::string_view number = view(params.at("fd").get_ref<const WipedString&>());
    int fd = -1;
    if (std::from_chars(number.data(), number.data() + number.size(), fd).ptr != number.data() + number.size() ||
        fd < 0)
        return fail(Errc::bad_value, "fd is the caller's descriptor, a number");
    TORII_TRY(const auto policies, call.bind_socket(fd, view(params.at("policy").get_ref<const WipedString&>())));
    return Json{{"policies", policies}};
}

Result<Json> help(const Call&, const Json&);

struct Method {
    std::string_view name;
    std::string_view text;
    std::vector<std::string_view> params;  // all are strings, all are needed
    std::function<Result<Json>(const Call&, const Json& params)> run;
    std::vector<std::string_view> flags = {};  // booleans, false unless given
    std::string_view object = {};              // one more that may be given
};

/// One of ike_methods.h, whose answers come as texts.
Method method_of(const IkeMethod& ike) {
    return {ike.name, ike.text, ike.params, [&ike](const Call& call, const Json& params) -> Result<Json> {
                if (call.ike == nullptr)
                    return fail(Errc::unsupported, "this gateway speaks no IKE: its configuration has no section ike");
                std::vector<std::string_view> words;
                for (const std::string_view name : ike.params) words.push_back(word(params, std::string{name}.c_str()));
                TORII_TRY(const WipedString text, ike.run(*call.ike, words));
                return Json::parse(text);
            }};
}

std::vector<Method> table() {
    std::vector<Method> out{
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
        Method{"show.stats", "counters of IPsec and of this socket, as netstat names them", {}, show_stats},
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
        Method{"show.settings",
               "what may be changed while the gateway runs",
               {},
               [](const Call& call, const Json&) -> Result<Json> { return rows_of(call.control.settings()); }},
        Method{"set",
               "changes one setting; answers with it",
               {"name", "value"},
               [](const Call& call, const Json& params) -> Result<Json> {
                   const std::string_view name = view(params.at("name").get_ref<const WipedString&>());
                   TORII_CHECK(call.control.set(name, view(params.at("value").get_ref<const WipedString&>())));
                   for (const control::SettingStatus& setting : call.control.settings())
                       if (setting.name == name || setting.name.ends_with("." + std::string{name}))
                           return json_of(setting);
                   return fail(Errc::internal, "a setting that was set is not listed");
               }},
        Method{"explain",
               "what would become of a packet, and why; empty params were not given",
               {"source", "destination", "protocol", "ports", "port"},
               explain},
        Method{"filter.list",
               "the packet filter's rules in order, each hook's default last, and what they counted",
               {},
               [](const Call& call, const Json&) -> Result<Json> { return rows_of(call.control.filter()); }},
        Method{"filter.add",
               "adds a rule at the end, or before the one of that number",
               {"hook", "rule", "before"},
               add_filter_rule},
        Method{"filter.delete", "removes the rule of that number", {"hook", "id"}, delete_filter_rule},
        Method{"filter.flush", "removes all rules of a hook", {"hook"}, flush_filter},
        Method{"filter.default", "pass or block what no rule matches", {"hook", "action"}, set_filter_default},
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
               {"dead", "ports", "verbose", "wireshark"}},
        Method{"setkey.dump_policies", "as `setkey -DP`", {}, setkey_dump_policies, {"without_sockets"}},
        Method{"events.subscribe", "sends each event as a notification `event` from now on", {}, subscribe},
        Method{"capture.start",
               "sends packets of a hook (wire, clear, all) as notifications `capture` from now on",
               {"hook"},
               start_capture},
        Method{socket_method,
               "gives a socket of the caller a policy while this connection stands",
               {"fd", "policy"},
               socket_bind},
        Method{"help", "this list", {}, help},
    };
    for (const IkeMethod& ike : ike_methods()) out.insert(std::prev(out.end()), method_of(ike));
    return out;
}

const std::vector<Method>& methods() {
    static const std::vector<Method> all = table();
    return all;
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

/// The same for what is no request, which counts.
Json refused(const Call& call, Malformed why, const Json& id, int code, std::string_view message) {
    if (call.counted != nullptr) call.counted->refused(why);
    return error_of(id, code, message);
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
    if (const std::string wrong = mismatch(method, params); !wrong.empty())
        return refused(call, Malformed::extension_type, id, invalid_params, wrong);
    Result<Json> result = method.run(call, params);
    if (call.counted != nullptr)
        result ? call.counted->called(method.name) : call.counted->refused(result.error().code);
    if (result) return {{"jsonrpc", "2.0"}, {"id", id}, {"result", *std::move(result)}};
    Json out = error_of(id, method_failed, result.error().message);
    out["error"]["data"] = {{"code", torii::name_of(result.error().code)}};
    return out;
}

/// The answer to one request; a null value for a notification, which gets none whatever happens (JSON-RPC 2.0
/// section 4.1).
Json answer_request(const Call& call, const Json& request) {
    if (!request.is_object())
        return refused(call, Malformed::too_short, nullptr, invalid_request, "a request is an object");
    const auto id = request.find("id");
    const bool notification = id == request.end();
    if (!notification && !id->is_string() && !id->is_number() && !id->is_null())
        return refused(call, Malformed::too_short, nullptr, invalid_request, "id must be a string, a number or null");
    const Json answer_id = notification ? Json{} : *id;
    const auto version = request.find("jsonrpc");
    if (version == request.end() || *version != "2.0")
        return refused(call, Malformed::version, answer_id, invalid_request, "jsonrpc must be \"2.0\"");
    const auto name = request.find("method");
    if (name == request.end() || !name->is_string())
        return refused(call, Malformed::message_type, answer_id, invalid_request, "method must be a string");
    static const Json none = Json::object();
    const auto params = request.find("params");
    for (const Method& method : methods()) {
        if (method.name != view(name->get_ref<const WipedString&>())) continue;
        if (call.sockets_alone && method.name != socket_method) break;
        Json out = run(call, method, params == request.end() ? none : *params, answer_id);
        return notification ? Json{} : out;
    }
    Json out = refused(call, Malformed::message_type, answer_id, method_not_found, "no such method; `help` lists them");
    return notification ? Json{} : out;
}

WipedString answer_batch(const Call& call, const Json& batch) {
    if (batch.empty()) return text_of(refused(call, Malformed::too_short, nullptr, invalid_request, "an empty batch"));
    if (batch.size() > call.max_batch)
        return text_of(refused(call, Malformed::length, nullptr, invalid_request,
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
        if (!is_modest(line))
            return text_of(
                refused(call, Malformed::length, nullptr, invalid_request, "nested too deep, or too many values"));
        const Json request = Json::parse(line, nullptr, false);
        if (request.is_discarded())
            return text_of(refused(call, Malformed::too_short, nullptr, parse_error, "the line is not JSON"));
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
    if (event.flow_label != 0) params["flow_label"] = event.flow_label;
    if (event.packet != PacketSelector{}) params["packet"] = json_of(event.packet);
    params["repeated"] = event.repeated;
    return std::string{view(text_of({{"jsonrpc", "2.0"}, {"method", "event"}, {"params", params}}))};
}

std::string capture_line(std::string_view hexadecimal, std::uint64_t lost) {
    const Json params{{"pcapng", hexadecimal}, {"lost", lost}};
    return std::string{view(text_of({{"jsonrpc", "2.0"}, {"method", "capture"}, {"params", params}}))};
}

std::string lost_line(std::uint64_t lost) {
    return std::string{view(text_of({{"jsonrpc", "2.0"}, {"method", "events.lost"}, {"params", {{"lost", lost}}}}))};
}

}  // namespace torii::rpc
