#include "cli/json.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace torii::cli {

namespace {

using Json = nlohmann::ordered_json;

Value value_of(const Json& json) {
    Value out;
    switch (json.type()) {
        case Json::value_t::object:
            out.kind = Value::Kind::object;
            for (const auto& [name, member] : json.items()) out.members.push_back({name, value_of(member)});
            break;
        case Json::value_t::array:
            out.kind = Value::Kind::array;
            for (const Json& item : json) out.items.push_back(value_of(item));
            break;
        case Json::value_t::string:
            out.kind = Value::Kind::string;
            out.text = json.get_ref<const std::string&>();
            break;
        case Json::value_t::boolean:
            out.kind = Value::Kind::boolean;
            out.text = json.dump();
            break;
        case Json::value_t::number_integer:
        case Json::value_t::number_unsigned:
        case Json::value_t::number_float:
            out.kind = Value::Kind::number;
            out.text = json.dump();
            break;
        case Json::value_t::null:
        case Json::value_t::binary:
        case Json::value_t::discarded: break;
    }
    return out;
}

Json json_of(const Value& value) {
    switch (value.kind) {
        case Value::Kind::null: return nullptr;
        case Value::Kind::boolean: return value.truth();
        case Value::Kind::number: return Json::parse(value.text, nullptr, false);
        case Value::Kind::string: return value.text;
        case Value::Kind::array: {
            Json out = Json::array();
            for (const Value& item : value.items) out.push_back(json_of(item));
            return out;
        }
        case Value::Kind::object: {
            Json out = Json::object();
            for (const auto& [name, member] : value.members) out[name] = json_of(member);
            return out;
        }
    }
    return nullptr;
}

template <class Number>
Number number_of(const Value& value) {
    Number out{};
    if (value.kind == Value::Kind::number)
        std::from_chars(value.text.data(), value.text.data() + value.text.size(), out);
    return out;
}

}  // namespace

const Value& Value::operator[](std::string_view name) const {
    static const Value none;
    for (const auto& [member, value] : members) {
        if (member == name) return value;
    }
    return none;
}

std::uint64_t Value::count() const { return number_of<std::uint64_t>(*this); }
double Value::real() const { return number_of<double>(*this); }

Result<Value> parse_json(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) return fail(Errc::bad_syntax, "not JSON");
    return value_of(json);
}

std::string print_json(const Value& value, bool compact) {
    const std::string text = json_of(value).dump(compact ? -1 : 2, ' ', false, Json::error_handler_t::replace);
    return compact ? text : text + '\n';
}

std::string request_line(std::string_view method, const Params& params) {
    Json request{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}};
    for (const auto& [name, value] : params) {
        Json& member = request["params"][std::string{name}];
        if (const auto* const text = std::get_if<std::string_view>(&value)) member = *text;
        if (const auto* const flag = std::get_if<bool>(&value)) member = *flag;
        if (const auto* const hosts = std::get_if<const Hosts*>(&value)) member = **hosts;
    }
    return request.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace torii::cli
