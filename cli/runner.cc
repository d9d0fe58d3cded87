#include "cli/runner.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "cli/events.h"
#include "cli/output.h"

namespace torii::cli {

namespace {

const Value& rows_of(const View& view, const Value& answer) {
    return view.member.empty() ? answer : answer[view.member];
}

/// The rows of a view; an answer that is one object is one row.
std::vector<const Value*> row_list(const View& view, const Value& answer) {
    const Value& rows = rows_of(view, answer);
    std::vector<const Value*> out;
    if (rows.kind == Value::Kind::object) out.push_back(&rows);
    for (const Value& row : rows.items) out.push_back(&row);
    return out;
}

bool bears(const Command& command, const Value& row, const std::string& name) {
    const auto names = command.argument.names(row);
    return std::ranges::find(names, name) != names.end();
}

Value& rows_of(const View& view, Value& answer) {
    for (auto& [member, value] : answer.members) {
        if (member == view.member) return value;
    }
    return answer;
}

/// The manual page when `words` name one command, else a line for each they begin.
Result<std::string> help_for(const std::vector<std::string>& words) {
    if (words.empty()) return overview();
    TORII_TRY(const auto found, commands_under(words));
    return found.size() == 1 ? manual_page(*found[0]) : summaries(found);
}

}  // namespace

std::string draw(const Command& command, const Value& answer, bool all) {
    std::string out;
    bool first = true;
    for (const View& view : command.views) {
        std::vector<Heading> headings;
        for (const Column& column : view.columns) headings.push_back(column.heading);
        std::vector<std::vector<std::string>> rows;
        for (const Value* row : row_list(view, answer)) {
            if (command.action == Action::counts && !all && (*row)["total"].count() == 0) continue;
            auto& cells = rows.emplace_back();
            for (const Column& column : view.columns) cells.push_back(column.cell(*row));
        }
        std::string table = draw_table(headings, rows);
        if (table.empty() && first) table = std::string{command.when_empty} + '\n';
        if (!table.empty() && !out.empty()) out += '\n';
        first = false;
        out += table;
    }
    return out;
}

Result<Value> narrowed(const Command& command, Value answer, const std::string& name) {
    const View& view = command.views.front();
    Value& rows = rows_of(view, answer);
    std::string there;
    for (const Value& row : rows.items) there += (there.empty() ? "" : ", ") + command.argument.names(row).front();
    std::erase_if(rows.items, [&](const Value& row) { return !bears(command, row, name); });
    if (!rows.items.empty()) return answer;
    if (there.size() > 300) there = there.substr(0, there.rfind(',', 300)) + ", ...";
    return fail(Errc::not_found,
                command.name() + ": there is no '" + name + "'; there is " + (there.empty() ? "none" : there));
}

ExitCode Runner::run(std::span<const std::string> words, std::string_view line) {
    const auto invocation = parse(words);
    if (!invocation) {
        complain(invocation.error().message);
        return ExitCode::usage;
    }
    if (invocation->command->action == Action::setkey && !invocation->arguments.empty() && line.empty()) {
        complain("setkey takes statements by -c or -f FILE: in arguments everybody would see the keys (ps)");
        return ExitCode::usage;
    }
    interrupted = 0;
    auto done = perform(*invocation, line);
    if (std::fflush(stdout) != 0 && done) done = fail(Errc::io, std::string{"writing: "} + std::strerror(errno));
    if (!done) complain(done.error().message);
    return done ? ExitCode::done : ExitCode::failed;
}

Result<void> Runner::perform(const Invocation& invocation, std::string_view line) {
    switch (invocation.command->action) {
        case Action::show:
        case Action::counts: return show(invocation);
        case Action::ask: return ask(invocation);
        case Action::setkey: return run_setkey(client_, invocation, line, read_statements_);
        case Action::events: return events(invocation);
        case Action::capture: return capture(invocation);
        case Action::keys: return keys(invocation);
        case Action::help: {
            TORII_TRY(const auto text, help_for(invocation.arguments));
            print(text);
            return {};
        }
        case Action::leave: left_ = true; return {};
    }
    return fail(Errc::internal, "a command without an action");
}

Result<void> Runner::show(const Invocation& invocation) {
    const Command& command = *invocation.command;
    TORII_TRY(Value answer, client_.ask(command.method));
    if (!invocation.arguments.empty()) {
        TORII_TRY(answer, narrowed(command, std::move(answer), invocation.arguments[0]));
    }
    // A reason asked for by name is shown also when it never happened.
    const bool all = invocation.has("--all") || !invocation.arguments.empty();
    print(invocation.has("--json") ? print_json(answer) : draw(command, answer, all));
    return {};
}

Result<void> Runner::ask(const Invocation& invocation) {
    const Command& command = *invocation.command;
    Params params;
    std::size_t next = 0;
    std::string rest;
    for (const auto& [name, option, takes_rest] : command.parameters) {
        if (takes_rest) {
            for (; next < invocation.arguments.size(); ++next)
                rest += (rest.empty() ? "" : " ") + invocation.arguments[next];
            params.emplace_back(name, rest);
        } else if (!option.empty())
            params.emplace_back(name, invocation.value(option).value_or(""));
        else
            params.emplace_back(name,
                                next < invocation.arguments.size() ? std::string_view{invocation.arguments[next]} : "");
        next += option.empty();
    }
    TORII_TRY(const Value answer, client_.ask(command.method, params));
    print(invocation.has("--json") ? print_json(answer) : draw(command, answer));
    return {};
}

Result<void> Runner::events(const Invocation& invocation) {
    const bool json = invocation.has("--json");
    return follow_events(client_, [&](const Value& event) {
        if (json) return print_json(event, true);
        return clock_text(event["unix_milliseconds"].count(), 3) + "  " + event_text(event);
    });
}

/// Where a capture goes: the file of -w, or standard output, which must not be a terminal.
using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
Result<File> capture_file(const Invocation& invocation) {
    const auto name = invocation.value("-w").value_or("-");
    if (name != "-") {
        File file{std::fopen(std::string{name}.c_str(), "we"), std::fclose};
        if (!file) return fail(Errc::io, std::string{name} + ": " + std::strerror(errno));
        return file;
    }
    if (isatty(STDOUT_FILENO) == 1)
        return fail(Errc::denied,
                    "a capture is no text for a terminal: give -w FILE, or a pipe to tcpdump -r - or tshark -r -");
    return File{stdout, [](std::FILE*) { return 0; }};
}

Result<void> Runner::capture(const Invocation& invocation) {
    std::string hook;
    for (const std::string& argument : invocation.arguments)
        if (argument != "-") hook = argument;
    std::uint64_t most = ~std::uint64_t{0};
    if (const auto count = invocation.value("-c")) most = std::strtoull(std::string{*count}.c_str(), nullptr, 10);
    if (most == 0) return fail(Errc::bad_syntax, "-c takes how many packets to capture");
    TORII_TRY(const File file, capture_file(invocation));
    TORII_CHECK(client_.ask(invocation.command->method, {{"hook", hook}}));
    std::uint64_t packets = 0, lost = 0;
    Result<void> ended;
    while (packets < most) {
        const auto notification = client_.next_notification();
        if (interrupted != 0) break;
        if (!notification) {
            ended = std::unexpected(notification.error());
            break;
        }
        if ((*notification)["method"].text != "capture") continue;
        const Value& packet = (*notification)["params"];
        const std::string octets = from_hexadecimal(packet["pcapng"].text);
        if (std::fwrite(octets.data(), 1, octets.size(), file.get()) != octets.size() || std::fflush(file.get()) != 0) {
            ended = fail(Errc::io, std::string{"writing the capture: "} + std::strerror(errno));
            break;
        }
        ++packets;
        lost = packet["lost"].count();
    }
    client_.close();  // ends the capture
    complain(grouped(std::to_string(packets)) + " packets captured, " + grouped(std::to_string(lost)) + " lost");
    return ended;
}

std::vector<std::string> Runner::live_names(const Command& command) {
    std::vector<std::string> out;
    constexpr std::chrono::milliseconds patience{2000};  // somebody is typing
    const auto answer = client_.ask(command.method, {}, patience);
    if (!answer) return out;
    for (const Value* row : row_list(command.views.front(), *answer)) {
        std::string name = printable(command.argument.names(*row).front());
        if (std::ranges::find(out, name) == out.end()) out.push_back(std::move(name));
    }
    return out;
}

namespace {

/// A new, empty file that its owner alone may read, also where an old one was open to others.
Result<File> secret_file(const std::string& name) {
    const int descriptor = open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    File file{descriptor < 0 ? nullptr : fdopen(descriptor, "w"), std::fclose};
    if (!file || fchmod(descriptor, S_IRUSR | S_IWUSR) != 0 || ftruncate(descriptor, 0) != 0)
        return fail(Errc::io, name + ": " + std::strerror(errno));
    return file;
}

}  // namespace

Result<void> Runner::keys(const Invocation& invocation) {
    TORII_TRY(Value answer, client_.ask(invocation.command->method, {{"wireshark", true}}));
    std::string text = answer["output"].text;
    const auto name = invocation.value("-w").value_or("-");
    if (name == "-") {
        print(text);
        return {};
    }
    TORII_TRY(File file, secret_file(std::string{name}));
    const bool written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size();
    if (!written || std::fclose(file.release()) != 0)
        return fail(Errc::io, std::string{name} + ": " + std::strerror(errno));
    return {};
}

}  // namespace torii::cli
