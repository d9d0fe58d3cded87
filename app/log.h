// The gateway's log: one line an event, to standard error or a file, reopened on request. Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "control/operations.h"

namespace torii::log {

/// Lines from `level` up ("trace" .. "critical", "off") go to `file`, or to standard error when that is empty.
/// Errc::io when the file cannot be opened.
Result<void> open(const std::string& file, const std::string& level);
void debug(std::string_view line);
void info(std::string_view line);
void warning(std::string_view line);
void error(std::string_view line);
/// Everything said so far is where it belongs. Before exit.
void flush();

/// Events as log lines, the audit records of RFC 4303 (SPI, time, addresses, sequence) among them; at most a handful of
/// each kind a second, with a count of those left out, so that a stranger's flood of one kind hides no other.
class Audit {
public:
    void tell(const control::Event& event);
    /// Once a second: says how many were left out, and lets the next ones through.
    void tick();

private:
    struct Budget {
        unsigned told = 0;
        std::uint64_t left_out = 0;
    };
    std::map<control::Event::Kind, Budget> this_second_;
};

}  // namespace torii::log
