// A policy back in the words it was written in, as KAME's ipsec_dump_policy has them.
#include <array>
#include <cstdlib>

#include "app/setkey/setkey.h"

namespace torii::setkey {
namespace {

constexpr std::int64_t base_step = 1 << 30;  // between low, def and high

/// "prio high + 5 ", told from the nearest of low, def and high; nothing for the default, as where KAME has no
/// priorities.
std::string priority_text(std::int64_t priority) {
    if (priority == 0) return {};
    const bool high = priority > base_step / 2, low = priority <= -base_step / 2;
    const std::int64_t offset = priority - (high ? base_step : low ? -base_step : 0);
    std::string text = high ? "prio high " : low ? "prio low " : "prio def ";
    if (offset != 0) text += (offset > 0 ? "+ " : "- ") + std::to_string(std::abs(offset)) + " ";
    return text;
}

}  // namespace

std::string request_text(const Request& request) {
    std::string text{name_of(request.protocol)};
    text.append("/").append(name_of(request.mode)).append("/");
    if (request.endpoints) text += request.endpoints->source.text() + "-" + request.endpoints->destination.text();
    text.append("/").append(name_of(request.by_default ? Level::system_default : request.level));
    if (const auto id = static_cast<std::uint32_t>(request.reqid); id != 0)
        text += (id <= max_unique_id ? ":" : "#") + std::to_string(id);  // # for what the gateway gave
    return text;
}

std::string policy_text(const Policy& policy, std::string_view delimiter) {
    std::string text{name_of(policy.direction)};
    text += " " + priority_text(policy.priority);
    switch (policy.action) {
        case PolicyAction::discard: return text + "discard";
        case PolicyAction::bypass: return text + "none";
        case PolicyAction::protect: text += "ipsec";
    }
    for (const Request& request : policy.requests) text.append(delimiter).append(request_text(request));
    return text;
}

}  // namespace torii::setkey
