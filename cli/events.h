// The gateway's events as they happen, for `torii events` and `setkey -x`. One thread.
#pragma once

#include <functional>
#include <string>

#include "cli/client.h"

namespace torii::cli {

/// One event without its time, on one line. Pure.
std::string event_text(const Value& event);
/// "17:33:08" and `digits` digits of the second, in local time.
std::string clock_text(std::uint64_t unix_milliseconds, int digits);

/// Prints what `line` makes of each event, if it makes something of it, until Ctrl-C; complains when events were lost.
/// Errors are the client's.
Result<void> follow_events(Client& client, const std::function<std::string(const Value& event)>& line);

}  // namespace torii::cli
