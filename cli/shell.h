// The interactive shell: the command table behind libedit, with completion, `?`, history, and a prompt that names the
// gateway. The same table read line by line when standard input is no terminal. One thread.
#pragma once

#include <string>
#include <string_view>

#include "cli/runner.h"

namespace torii::cli {

/// Runs commands from standard input until its end or `exit`. From a terminal: 0. Otherwise all lines are run, and the
/// gravest exit code of all is returned; `#` starts a comment line.
ExitCode run_shell(const std::string& socket);

/// Whether a line may hold key material and must not be remembered: a setkey statement with -E or -A, or any long
/// hexadecimal number, also when the line is mistyped.
bool holds_key(std::string_view line);

/// Where the shell remembers its lines: under XDG_STATE_HOME or ~/.local/state; empty without a home.
std::string history_path();

}  // namespace torii::cli
