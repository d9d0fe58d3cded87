// THE command table: what `torii` can do, told once. The shell, the one-shot command, completion, `?` and help all
// read it. Any thread; constants only.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/json.h"
#include "cli/text.h"

namespace torii::cli {

/// What shows one row of an answer in one column.
struct Column {
    Heading heading;
    std::string (*cell)(const Value& row);
};

/// A table drawn from an answer.
struct View {
    std::string_view title;   // above the table; empty: none
    std::string_view member;  // of the answer that holds the rows; empty: the answer itself
    std::vector<Column> columns;
};

enum class Action { show, counts, ask, setkey, events, capture, keys, help, leave };  // counts: rows of 0 are left out

struct Option {
    std::string_view name;   // "--json", "-f"
    std::string_view value;  // "FILE"; empty: takes none
    std::string_view text;
};

/// The live names a command may be narrowed to: `torii show ports wan`.
struct Argument {
    std::string_view name;                                          // "PORT"; empty: the command takes none
    std::vector<std::string> (*names)(const Value& row) = nullptr;  // those of one row; the first is the one offered
};

/// What a command of Action::ask tells the method: its arguments in order, and options with a value. Those not given
/// are empty.
struct Parameter {
    std::string_view name;
    std::string_view option = {};  // empty: an argument
    bool rest = false;             // all arguments that are left, as one text
};

struct Command {
    std::vector<std::string_view> words;  // "show", "sa"
    Action action = Action::show;
    std::string_view summary;  // one line of help
    std::string_view manual;   // what it prints and what to make of it; paragraphs parted by newlines
    std::vector<std::string_view> examples = {};
    std::string_view method = {};  // of the control socket; empty: none
    Argument argument = {};
    std::vector<Option> options = {};
    std::vector<Parameter> parameters = {};
    std::size_t needed = 0;  // arguments
    std::vector<View> views = {};
    std::string_view when_empty = {};  // said instead of an empty table

    std::string name() const;
    /// How many arguments it takes.
    std::size_t most_arguments() const;
};

std::span<const Command> commands();

/// A command with what was given to it.
struct Invocation {
    const Command* command = nullptr;
    std::vector<std::pair<std::string_view, std::string>> options;  // the table's name, and the value if it takes one
    std::vector<std::string> arguments;
    bool has(std::string_view option) const;
    std::optional<std::string_view> value(std::string_view option) const;
};

/// Finds the command that `words` call, each word in full or as an unambiguous beginning, and checks its options and
/// arguments. Errc::bad_syntax: what is wrong, and the nearest word that would be right.
Result<Invocation> parse(std::span<const std::string> words);

/// Words that may stand behind `before` when they begin with `partial`, with what each means: commands, options, and
/// through `live` the names of the gateway's own objects. Nothing when `before` is not understood.
struct Candidate {
    std::string word, text;
    bool placeholder = false;  // stands for what only the user knows: FILE
    friend bool operator==(const Candidate&, const Candidate&) = default;
};
using LiveNames = std::function<std::vector<std::string>(const Command&)>;
std::vector<Candidate> candidates(std::span<const std::string> before, std::string_view partial, const LiveNames& live);
/// The longest beginning that all share.
std::string common_beginning(const std::vector<Candidate>& list);

/// How to call torii and one line a command; for `torii help`.
std::string overview();
/// One line a command.
std::string summaries(std::span<const Command* const> list);
/// As a manual page; for `torii help COMMAND`.
std::string manual_page(const Command& command);
/// The commands whose names begin with `words`, each in full or shortened. Errc::bad_syntax as parse().
Result<std::vector<const Command*>> commands_under(std::span<const std::string> words);

}  // namespace torii::cli
