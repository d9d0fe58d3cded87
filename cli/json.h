// JSON as the command line needs it: a plain tree to draw tables from, requests, and a printer for --json. The one
// file that knows the JSON library is json.cc. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace torii::cli {

/// One JSON value. Numbers stay text, as exact as they came.
struct Value {
    enum class Kind : std::uint8_t { null, boolean, number, string, array, object };
    Kind kind = Kind::null;
    std::string text;  // number, string; "true" or "false"
    std::vector<Value> items;
    struct Member;
    std::vector<Member> members;  // in the order they came

    /// The member of that name; a null value when there is none.
    const Value& operator[](std::string_view name) const;
    bool is_null() const { return kind == Kind::null; }
    bool truth() const { return text == "true"; }
    /// The number; 0 for anything else, and for what does not fit.
    std::uint64_t count() const;
    double real() const;
};
struct Value::Member {
    std::string name;
    Value value;
};

/// Errc::bad_syntax for what is not JSON.
Result<Value> parse_json(std::string_view text);
/// One valid JSON document, indented, ending with a newline; on one line without the newline when `compact`.
std::string print_json(const Value& value, bool compact = false);

/// Host names and their addresses as text.
using Hosts = std::map<std::string, std::vector<std::string>>;
/// Of a request; borrowed.
using Param = std::variant<std::string_view, bool, const Hosts*>;
using Params = std::vector<std::pair<std::string_view, Param>>;
/// A JSON-RPC 2.0 request on one line, with its newline.
std::string request_line(std::string_view method, const Params& params);

}  // namespace torii::cli
