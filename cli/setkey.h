// `setkey` of the command line: gives statements to toriid, prints what they answer, dumps, and looks host names up.
// One thread.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

#include "cli/client.h"
#include "cli/commands.h"

namespace torii::cli {

/// Where `setkey -c` takes its statements from where that is no terminal: standard input, or the shell's own lines.
using ReadStatements = std::function<Result<std::string>()>;

/// Does what `invocation` of the command setkey asks for. `line` is what its words came from; empty: not from a line of
/// the shell, and then -c of a terminal applies each statement as it is typed, as KAME's does.
Result<void> run_setkey(Client& client, const Invocation& invocation, std::string_view line,
                        const ReadStatements& read_statements);

/// All of `stream`. Errc::no_room beyond what toriid takes.
Result<std::string> read_all(std::FILE* stream);

/// The octets up to the semicolon that ends the first statement of `text`, itself included; npos: none is whole. Knows
/// comments, and quotes that end on their line. Pure.
std::size_t statement_octets(std::string_view text);
/// Whether `statement` is exit, quit or bye. Pure.
bool leaves(std::string_view statement);

}  // namespace torii::cli
