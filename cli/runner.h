// Runs commands of the table: asks toriid, draws what it answers, and turns errors into a sentence and an exit code.
// The one-shot command and the shell both stand on it. One thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/client.h"
#include "cli/commands.h"
#include "cli/setkey.h"

namespace torii::cli {

enum class ExitCode : int { done = 0, failed = 1, usage = 2 };

/// The tables of one answer as text; `when_empty` of the command instead of none. `all`: also drop reasons that never
/// happened. Pure.
std::string draw(const Command& command, const Value& answer, bool all = false);

/// The answer with only the rows that bear `name` among their names. Errc::not_found names those there are.
Result<Value> narrowed(const Command& command, Value answer, const std::string& name);

class Runner {
public:
    Runner(std::string socket, ReadStatements read_statements)
        : client_(std::move(socket)), read_statements_(std::move(read_statements)) {}

    /// Runs the command that `words` call. `line` is what the words came from, for setkey statements; empty: not from
    /// a line. Prints the answer to standard output and errors to standard error.
    ExitCode run(std::span<const std::string> words, std::string_view line = {});
    /// `exit` was run.
    bool left() const { return left_; }

    Client& client() { return client_; }
    /// What completion offers for `command`; nothing when toriid cannot be reached.
    std::vector<std::string> live_names(const Command& command);

private:
    Result<void> perform(const Invocation& invocation, std::string_view line);
    Result<void> show(const Invocation& invocation);
    Result<void> ask(const Invocation& invocation);
    Result<void> events(const Invocation& invocation);
    Result<void> capture(const Invocation& invocation);
    Result<void> keys(const Invocation& invocation);

    Client client_;
    ReadStatements read_statements_;
    bool left_ = false;
};

}  // namespace torii::cli
