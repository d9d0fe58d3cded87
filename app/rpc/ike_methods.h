// The methods of the control socket that are about IKE: a table of their own, which methods.cc joins with its own.
// Their answers are JSON texts, so that no header knows the JSON library. Control thread.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "app/rpc/ike_control.h"
#include "app/rpc/wiped.h"

namespace torii::rpc {

struct IkeMethod {
    std::string_view name;
    std::string_view text;
    std::vector<std::string_view> params;  // all are strings, all are needed
    /// `params` in the order of the table.
    Result<WipedString> (*run)(IkeControl& ike, std::span<const std::string_view> params);
};

/// The notification `event` that a subscriber gets of a line of IKE's log, as kind `ike`.
std::string ike_event_line(const IkeLogLine& line);

/// Constant.
std::span<const IkeMethod> ike_methods();

}  // namespace torii::rpc
