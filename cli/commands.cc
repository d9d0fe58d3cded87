#include "cli/commands.h"

#include <algorithm>

namespace torii::cli {

namespace {

constexpr std::string_view exit_codes =
    "0 done; 1 the command failed, the reason is on standard error; 2 it was not understood";

// ---- finding commands

std::string joined(const std::vector<std::string_view>& words, std::string_view between) {
    std::string out;
    for (const std::string_view word : words) out.append(out.empty() ? "" : between).append(word);
    return out;
}

/// Commands that begin with the words of `under`, and the different words that follow there.
std::vector<std::string_view> words_at(const std::vector<std::string_view>& under) {
    std::vector<std::string_view> out;
    for (const Command& command : commands()) {
        if (command.words.size() <= under.size() || !std::equal(under.begin(), under.end(), command.words.begin()))
            continue;
        if (const auto word = command.words[under.size()]; std::ranges::find(out, word) == out.end())
            out.push_back(word);
    }
    return out;
}

/// The one word of `choices` that `given` is, or begins.
Result<std::string_view> choose(const std::string& given, const std::vector<std::string_view>& choices,
                                std::string_view what) {
    std::vector<std::string_view> begun;
    for (const std::string_view choice : choices) {
        if (choice == given) return choice;
        if (choice.starts_with(given)) begun.push_back(choice);
    }
    if (begun.size() == 1) return begun[0];
    if (begun.size() > 1) return fail(Errc::bad_syntax, "'" + given + "' may be " + joined(begun, " or "));
    std::string message = "there is no " + std::string{what} + " '" + printable(given) + "'";
    const auto meant = nearest(given, choices);
    return fail(Errc::bad_syntax,
                message + (meant.empty() ? ": try help" : ": did you mean '" + std::string{meant} + "'?"));
}

/// Resolves as many words as name a command; the path so far, and how many words it took.
Result<std::vector<std::string_view>> resolve(std::span<const std::string> words) {
    std::vector<std::string_view> path;
    for (const std::string& word : words) {
        const auto choices = words_at(path);
        if (choices.empty()) break;
        TORII_TRY(const auto chosen, choose(word, choices, path.empty() ? "command" : joined(path, " ")));
        path.push_back(chosen);
    }
    return path;
}

const Command* command_at(const std::vector<std::string_view>& path) {
    for (const Command& command : commands()) {
        if (command.words == path) return &command;
    }
    return nullptr;
}

bool needs_value(const Command& command, std::string_view name) {
    const auto option = std::ranges::find(command.options, name, &Option::name);
    return option != command.options.end() && !option->value.empty();
}

/// Whether `word` is one flag, or several joined ones as in -DP; only the last may take a value, as in -nf FILE.
bool take_short_flags(const Command& command, std::string_view word, Invocation& out) {
    for (std::size_t i = 1; i < word.size(); ++i) {
        const auto found = std::ranges::find_if(command.options, [&](const Option& option) {
            return option.name.size() == 2 && option.name[1] == word[i];
        });
        if (found == command.options.end()) return false;
        if (!found->value.empty() && i + 1 != word.size()) return false;
        out.options.emplace_back(found->name, "");
    }
    return true;
}

Result<void> take_option(std::span<const std::string>& rest, Invocation& out) {
    const std::string word = rest.front();
    rest = rest.subspan(1);
    const Command& command = *out.command;
    if (word.starts_with("--")) {
        std::vector<std::string_view> names;
        for (const Option& option : command.options) names.push_back(option.name);
        TORII_TRY(const auto name, choose(word, names, "option of " + command.name()));
        out.options.emplace_back(name, "");
        return {};
    }
    if (!take_short_flags(command, word, out))
        return fail(Errc::bad_syntax, command.name() + " has no option '" + printable(word) + "'");
    if (!needs_value(command, out.options.back().first)) return {};
    const auto option = std::ranges::find(command.options, out.options.back().first, &Option::name);
    if (rest.empty())
        return fail(Errc::bad_syntax,
                    std::string{option->name} + " needs a " + std::string{option->value} + " behind it");
    out.options.back().second = rest.front();
    rest = rest.subspan(1);
    return {};
}

/// setkey takes one of its options, or a statement.
Result<void> check_setkey(const Invocation& given) {
    std::size_t asked = given.arguments.empty() ? 0 : 1;
    for (const std::string_view option : {"-c", "-f", "-D", "-F", "-x"}) asked += given.has(option);
    if (asked == 0) return fail(Errc::bad_syntax, "setkey needs one of -c, -f FILE, -D, -DP, -F, -FP, -x");
    if (asked > 1) return fail(Errc::bad_syntax, "setkey takes only one of -c, -f FILE, -D, -F, -x");
    const bool tables = given.has("-D") || given.has("-F");
    for (const std::string_view option : {"-P", "-p", "-a", "-N"})
        if (given.has(option) && !tables) return fail(Errc::bad_syntax, std::string{option} + " goes with -D or -F");
    if (given.has("-l") && (!given.has("-D") || given.has("-P")))
        return fail(Errc::bad_syntax, "-l goes with -D alone");
    if (given.has("-n") && !given.has("-c") && !given.has("-f"))
        return fail(Errc::bad_syntax, "-n goes with -c or -f FILE");
    if (given.has("-H") && !given.has("-x")) return fail(Errc::bad_syntax, "-H goes with -x");
    return {};
}

}  // namespace

std::string Command::name() const { return joined(words, " "); }

bool Invocation::has(std::string_view option) const {
    return std::ranges::any_of(options, [&](const auto& given) { return given.first == option; });
}

std::optional<std::string_view> Invocation::value(std::string_view option) const {
    for (const auto& [name, value] : options) {
        if (name == option) return value;
    }
    return std::nullopt;
}

namespace {

/// Takes the words apart; what they say together is yet to be judged.
Result<Invocation> take_apart(std::span<const std::string> words) {
    TORII_TRY(const auto path, resolve(words));
    Invocation out;
    out.command = command_at(path);
    if (out.command == nullptr)
        return fail(Errc::bad_syntax, joined(path, " ") + " what? " + joined(words_at(path), ", "));
    for (auto rest = words.subspan(path.size()); !rest.empty();) {
        // What follows `setkey add ...` is the statement's own, minus signs and all.
        const bool statement = out.command->action == Action::setkey && !out.arguments.empty();
        if (rest.front().starts_with("-") && rest.front().size() > 1 && !statement) {
            TORII_CHECK(take_option(rest, out));
        } else {
            out.arguments.push_back(rest.front());
            rest = rest.subspan(1);
        }
    }
    return out;
}

}  // namespace

Result<Invocation> parse(std::span<const std::string> words) {
    TORII_TRY(Invocation out, take_apart(words));
    if (out.command->action == Action::setkey) TORII_CHECK(check_setkey(out));
    if (out.command->action == Action::help) TORII_CHECK(commands_under(out.arguments));
    const bool many = out.command->action == Action::setkey || out.command->action == Action::help;
    if (out.arguments.size() > (out.command->argument.name.empty() ? 0u : many ? out.arguments.size() : 1u))
        return fail(Errc::bad_syntax, out.command->name() + " does not take '" + printable(out.arguments.back()) + "'");
    return out;
}

std::vector<Candidate> candidates(std::span<const std::string> before, std::string_view partial,
                                  const LiveNames& live) {
    std::vector<Candidate> out;
    const auto offer = [&](std::string_view word, std::string_view text) {
        if (word.starts_with(partial)) out.push_back({std::string{word}, std::string{text}});
    };
    const auto path = resolve(before);
    if (!path) return out;
    if (const auto next = words_at(*path); !next.empty() && path->size() == before.size()) {
        for (const std::string_view word : next) {
            auto longer = *path;
            longer.push_back(word);
            const Command* command = command_at(longer);
            offer(word, command != nullptr ? command->summary : "the gateway's state, table by table");
        }
        return out;
    }
    const Command* command = command_at(*path);
    if (command == nullptr) return out;
    if (command->action == Action::help) return candidates(before.subspan(1), partial, nullptr);
    const auto given = take_apart(before);
    if (!given) {  // only an option still waiting for its value is understood so far
        for (const Option& option : command->options) {
            if (!option.value.empty() && !before.empty() && before.back() == option.name)
                out.push_back({std::string{option.value}, std::string{option.text}, true});
        }
        return out;
    }
    if (live && command->argument.names != nullptr && given->arguments.empty() && !partial.starts_with("-")) {
        for (const std::string& name : live(*command)) offer(name, "");
    }
    for (const Option& option : command->options) {
        auto longer = *given;
        longer.options.emplace_back(option.name, "");
        const bool fits = command->action != Action::setkey || check_setkey(longer);
        if (fits && !given->has(option.name)) offer(option.name, option.text);
    }
    return out;
}

std::string common_beginning(const std::vector<Candidate>& list) {
    if (list.empty()) return {};
    std::string out = list[0].word;
    for (const Candidate& candidate : list) {
        const auto end = std::ranges::mismatch(out, candidate.word).in1;
        out.erase(end, out.end());
    }
    return out;
}

std::string overview() {
    std::string out = "usage: torii [--socket PATH] [COMMAND ...]      without a command: an interactive shell\n\n";
    std::vector<const Command*> all;
    for (const Command& command : commands()) all.push_back(&command);
    out += summaries(all);
    return out +
           "\n  --socket PATH  the control socket of toriid; else TORII_SOCKET, else /run/torii/control.sock\n"
           "  --version      the version of this command\n\n"
           "Words may be shortened while they stay unambiguous: `torii sh sa`. `torii help COMMAND` tells more.\n";
}

std::string summaries(std::span<const Command* const> list) {
    std::string out;
    std::size_t width = 0;
    for (const Command* command : list) width = std::max(width, command->name().size());
    for (const Command* command : list) {
        const std::string name = command->name();
        out += "  " + name + std::string(width - name.size() + 2, ' ') + std::string{command->summary} + '\n';
    }
    return out;
}

std::string manual_page(const Command& command) {
    std::string usage = "torii " + command.name();
    for (const Option& option : command.options)
        usage += " [" + std::string{option.name} + (option.value.empty() ? "" : " " + std::string{option.value}) + "]";
    if (!command.argument.name.empty() && command.action != Action::setkey)
        usage += " [" + std::string{command.argument.name} + "]";
    if (command.action == Action::leave) usage = command.name() + "     (in the shell)";
    std::string out = "NAME\n    " + command.name() + " - " + std::string{command.summary} + "\n\nUSAGE\n    " + usage +
                      "\n\nDESCRIPTION\n";
    std::string_view paragraphs = command.manual;
    while (!paragraphs.empty()) {
        const auto paragraph = paragraphs.substr(0, paragraphs.find('\n'));
        out += wrapped(paragraph, 4);
        paragraphs.remove_prefix(std::min(paragraphs.size(), paragraph.size() + 1));
    }
    if (!command.options.empty()) out += "\nOPTIONS\n";
    for (const Option& option : command.options) {
        std::string name = std::string{option.name} + ' ' + std::string{option.value};
        name.resize(std::max<std::size_t>(name.size(), 10), ' ');
        out += "    " + name + std::string{option.text} + '\n';
    }
    out += "\nEXAMPLES\n";
    for (const std::string_view example : command.examples) out += "    " + std::string{example} + '\n';
    return out + "\nEXIT CODES\n    " + std::string{exit_codes} + '\n';
}

Result<std::vector<const Command*>> commands_under(std::span<const std::string> words) {
    TORII_TRY(const auto path, resolve(words));
    if (path.size() != words.size())
        return fail(Errc::bad_syntax,
                    joined(path, " ") + " has nothing called '" + printable(words[path.size()]) + "'");
    std::vector<const Command*> out;
    for (const Command& command : commands()) {
        if (command.words.size() >= path.size() && std::equal(path.begin(), path.end(), command.words.begin()))
            out.push_back(&command);
    }
    return out;
}

}  // namespace torii::cli
