#include "cli/runner.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>

#include "base/secret_bytes.h"

namespace torii::cli {

namespace {

constexpr std::size_t max_text_octets = 15u << 20;  // toriid takes lines of 16 MiB; line ends grow by one octet in JSON

void wipe_text(std::string& text) { wipe(std::as_writable_bytes(std::span{text})); }

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

/// What a setkey method printed, as whole lines.
void print_output(const Value& answer) {
    const std::string text = printable(answer["output"].text, true);
    print(text);
    if (!text.empty() && !text.ends_with('\n')) print("\n");
}

void complain(std::string_view text) {
    std::fflush(stdout);
    const std::string line = "torii: " + printable(text, true) + '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}

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

std::string selector_text(const Value& packet) {
    const auto end = [&](std::string_view address, std::string_view port) {
        return packet[address].text + (packet[port].is_null() ? "" : "[" + packet[port].text + "]");
    };
    return end("source", "source_port") + " -> " + end("destination", "destination_port") + " protocol " +
           packet["protocol"].text;
}

std::string clock_text(std::uint64_t unix_milliseconds) {
    const auto seconds = static_cast<std::time_t>(unix_milliseconds / 1000);
    std::tm local{};
    localtime_r(&seconds, &local);
    char day[32], out[48];
    std::strftime(day, sizeof day, "%H:%M:%S", &local);
    std::snprintf(out, sizeof out, "%s.%03u", day, static_cast<unsigned>(unix_milliseconds % 1000));
    return out;
}

Result<std::string> read_file(const std::string& name) {
    if (name == "-") return read_all(stdin);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(name.c_str(), "re"), std::fclose};
    if (!file) return fail(Errc::io, name + ": " + std::strerror(errno));
    auto text = read_all(file.get());
    if (!text) return std::unexpected(std::move(text).error().in(name));
    return text;
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

std::string event_text(const Value& event) {
    std::string out = event["kind"].text;
    if (const Value& sa = event["sa"]; !sa.is_null()) {
        char spi[16];
        std::snprintf(spi, sizeof spi, "0x%08x", static_cast<unsigned>(sa["spi"].count()));
        out += "  " + sa["protocol"].text;
        if (const Value& request = event["request"]; !request.is_null()) out += "/" + request["mode"].text;
        out += " " + sa["source"].text + " -> " + sa["destination"].text;
        if (sa["spi"].count() != 0) out += std::string{" spi "} + spi;
    }
    if (!event["policy"].is_null()) out += "  policy " + event["policy"].text;
    if (!event["sequence"].is_null()) out += "  sequence " + event["sequence"].text;
    if (!event["packet"].is_null()) out += "  packet " + selector_text(event["packet"]);
    if (event["repeated"].count() > 1) out += "  (" + event["repeated"].text + " times)";
    return printable(out);
}

Result<std::string> read_all(std::FILE* stream) {
    std::string out;
    char octets[65536];
    std::size_t count = 0;
    while ((count = std::fread(octets, 1, sizeof octets, stream)) > 0) {
        out.append(octets, count);
        if (out.size() > max_text_octets) {
            wipe_text(out);
            return fail(Errc::no_room,
                        "more than " + std::to_string(max_text_octets >> 20) + " MiB of statements: split them");
        }
    }
    if (std::ferror(stream)) return fail(Errc::io, std::string{"reading: "} + std::strerror(errno));
    return out;
}

ExitCode Runner::run(std::span<const std::string> words, std::string_view line) {
    const auto invocation = parse(words);
    if (!invocation) {
        complain(invocation.error().message);
        return ExitCode::usage;
    }
    if (invocation->command->action == Action::setkey && !invocation->arguments.empty() && line.empty()) {
        complain("setkey: statements come by -c or -f FILE: in arguments everybody would see the keys (ps)");
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
        case Action::setkey: return setkey(invocation, line);
        case Action::events: return events(invocation);
        case Action::capture: return capture(invocation);
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

Result<void> Runner::setkey(const Invocation& invocation, std::string_view line) {
    const bool policies = invocation.has("-P");
    if (invocation.has("-D")) {
        TORII_TRY(const Value answer, client_.ask(policies ? "setkey.dump_policies" : "setkey.dump_sas"));
        print_output(answer);
        return {};
    }
    if (invocation.has("-F")) return run_statements(policies ? "spdflush;" : "flush;", policies ? "-FP" : "-F");
    if (invocation.has("-c")) {
        TORII_TRY(std::string text, read_statements_());
        return run_statements(std::move(text), "stdin");
    }
    if (const auto file = invocation.value("-f")) {
        TORII_TRY(std::string text, read_file(std::string{*file}));
        return run_statements(std::move(text), *file);
    }
    const std::size_t statement = split(line).list.at(1).begin;  // behind the word setkey
    std::string text{line.substr(statement)};
    if (text.find_last_of(';') == std::string::npos) text += ';';
    return run_statements(std::move(text), "statement");
}

Result<void> Runner::run_statements(std::string text, std::string_view file) {
    const auto answer = client_.ask("setkey.run", {{"text", text}, {"file", file}});
    wipe_text(text);
    if (!answer) return std::unexpected(answer.error());
    print_output(*answer);
    return {};
}

Result<void> Runner::events(const Invocation& invocation) {
    TORII_CHECK(client_.ask(invocation.command->method));
    for (;;) {
        const auto notification = client_.next_notification();
        if (interrupted != 0) {
            if (isatty(STDOUT_FILENO) == 1) print("\n");  // behind the terminal's ^C
            break;
        }
        if (!notification) return std::unexpected(notification.error());
        const Value& event = (*notification)["params"];
        if ((*notification)["method"].text == "events.lost") {
            complain(event["lost"].text + " events were lost here: they came faster than they were read");
        } else {
            print(invocation.has("--json") ? print_json(event, true)
                                           : clock_text(event["unix_milliseconds"].count()) + "  " + event_text(event));
            print("\n");
        }
        if (std::fflush(stdout) != 0) break;  // run() tells why
    }
    client_.close();  // ends the subscription
    return {};
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

}  // namespace torii::cli
