#include "cli/setkey.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <span>

#include "base/secret_bytes.h"
#include "cli/events.h"
#include "cli/output.h"

namespace torii::cli {

namespace {

constexpr std::size_t max_text_octets = 15u << 20;  // toriid takes lines of 16 MiB; line ends grow by one octet in JSON
constexpr std::size_t max_addresses = 32;           // of one host, for toriid

/// A text of statements, and what toriid should know of it.
struct Text {
    std::string statements;
    std::string file;  // its name in errors
    bool readable_by_others = false;
};

// ---- host names

std::string numeric(const addrinfo& found) {
    char text[NI_MAXHOST];
    const int failed = getnameinfo(found.ai_addr, found.ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
    return failed == 0 ? text : "";
}

Result<std::vector<std::string>> addresses_of(const std::string& name) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_DGRAM;  // each address once
    addrinfo* list = nullptr;
    if (const int failed = getaddrinfo(name.c_str(), nullptr, &wanted, &list); failed != 0)
        return fail(Errc::not_found, "host '" + name + "': " + gai_strerror(failed));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned{list, freeaddrinfo};
    std::vector<std::string> out;
    for (const addrinfo* found = list; found != nullptr && out.size() < max_addresses; found = found->ai_next) {
        const std::string address = numeric(*found);
        const bool scoped = address.find('%') != std::string::npos;
        if (!address.empty() && !scoped && std::ranges::find(out, address) == out.end()) out.push_back(address);
    }
    return out;
}

/// Errors begin with the line where the name stands.
Result<Hosts> look_up(const Value& unknown_hosts) {
    Hosts out;
    for (const Value& host : unknown_hosts.items) {
        auto addresses = addresses_of(host["name"].text);
        if (!addresses) return std::unexpected(std::move(addresses).error().in(host["where"].text));
        out[host["name"].text] = *std::move(addresses);
    }
    return out;
}

// ---- statements

/// What a setkey method printed, as whole lines.
void print_output(const Value& answer) {
    const std::string text = printable(answer["output"].text, true);
    print(text);
    if (!text.empty() && !text.ends_with('\n')) print("\n");
    for (const Value& warning : answer["warnings"].items) complain("warning: " + warning.text);
}

Result<void> run_text(Client& client, const Invocation& given, Text text) {
    Params params{{"text", std::string_view{text.statements}}, {"file", std::string_view{text.file}}};
    if (given.has("-n")) params.emplace_back("check", true);
    if (given.has("-v")) params.emplace_back("verbose", true);
    if (text.readable_by_others) params.emplace_back("readable_by_others", true);
    auto answer = client.ask("setkey.run", params);
    if (answer && !(*answer)["unknown_hosts"].is_null()) {
        auto hosts = look_up((*answer)["unknown_hosts"]);
        if (hosts) {
            params.emplace_back("hosts", &*hosts);
            answer = client.ask("setkey.run", params);
        } else {
            answer = std::unexpected(std::move(hosts).error());
        }
    }
    wipe_text(text.statements);
    if (!answer) return std::unexpected(answer.error());
    print_output(*answer);
    return {};
}

Result<Text> read_file(const std::string& name) {
    if (name == "-") {
        TORII_TRY(auto text, read_all(stdin));
        return Text{std::move(text), "stdin"};
    }
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(name.c_str(), "re"), std::fclose};
    if (!file) return fail(Errc::io, name + ": " + std::strerror(errno));
    auto text = read_all(file.get());
    if (!text) return std::unexpected(std::move(text).error().in(name));
    struct stat about {};
    const bool readable =
        fstat(fileno(file.get()), &about) == 0 && S_ISREG(about.st_mode) && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0;
    return Text{*std::move(text), name, readable};
}

/// Applies each statement when its semicolon was typed. A refused one is told, and the next is waited for.
Result<void> run_terminal(Client& client, const Invocation& given) {
    std::string waiting, line;
    std::size_t lines_before = 0;
    bool refused = false;
    const auto run = [&](std::string statement) {
        Text text{std::string(lines_before, '\n') + statement, "stdin"};
        lines_before += static_cast<std::size_t>(std::ranges::count(statement, '\n'));
        wipe_text(statement);
        const auto done = run_text(client, given, std::move(text));
        if (!done) complain(done.error().message);
        refused |= !done;
        std::fflush(stdout);
    };
    char octets[4096];
    while (std::fgets(octets, sizeof octets, stdin) != nullptr) {
        waiting += octets;
        for (std::size_t end = 0; (end = statement_octets(waiting)) != std::string::npos;) {
            std::string statement = waiting.substr(0, end);
            waiting.erase(0, end);
            if (leaves(statement))
                return refused ? fail(Errc::denied, "not every statement was applied") : Result<void>{};
            run(std::move(statement));
        }
    }
    wipe(std::as_writable_bytes(std::span{octets}));
    if (interrupted != 0) return fail(Errc::denied, "interrupted");
    if (waiting.find_first_not_of(" \t\r\n") != std::string::npos) run(std::move(waiting));
    return refused ? fail(Errc::denied, "not every statement was applied") : Result<void>{};
}

Result<void> run_statements(Client& client, const Invocation& given, const ReadStatements& read_statements) {
    TORII_TRY(auto text, read_statements());
    return run_text(client, given, {std::move(text), "stdin"});
}

// ---- tables

Result<void> dump(Client& client, const Invocation& given) {
    if (given.has("-P")) {
        Params params;
        if (given.has("-N")) params.emplace_back("without_sockets", true);
        TORII_TRY(const Value answer, client.ask("setkey.dump_policies", params));
        print_output(answer);
        return {};
    }
    Params params;
    for (const auto& [option, name] : {std::pair{"-a", "dead"}, {"-p", "ports"}, {"-v", "verbose"}})
        if (given.has(option)) params.emplace_back(name, true);
    TORII_TRY(const Value answer, client.ask("setkey.dump_sas", params));
    print_output(answer);
    return {};
}

/// "999" and beyond as KAME's three columns have it.
std::string three_columns(std::uint64_t seconds) { return seconds < 1000 ? std::to_string(seconds) : "big"; }

/// One SA in KAME's short form: minute and second, protocol, state, SPI, age and hard lifetime in seconds, ends.
std::string short_line(const Value& sa, std::time_t now) {
    const std::string state = sa["state"].text;
    const char letter = state == "larval" ? 'L' : state == "mature" ? 'M' : state == "dying" ? 'D' : 'd';
    const auto created = static_cast<std::time_t>(sa["created_unix_seconds"].count());
    const auto age = created == 0 || now < created ? 0 : static_cast<std::uint64_t>(now - created);
    char text[96];
    std::snprintf(text, sizeof text, "%02d%02d %-3.3s %c %08x %3s/%-3s ", static_cast<int>(now % 3600 / 60),
                  static_cast<int>(now % 60), sa["protocol"].text.c_str(), letter,
                  static_cast<unsigned>(sa["spi"].count()), three_columns(age).c_str(),
                  three_columns(sa["hard"]["seconds"].count()).c_str());
    return text + sa["source"].text + " -> " + sa["destination"].text + "\n";
}

/// Waits a second, or less when Ctrl-C ends it.
void wait_a_second() {
    for (int quarter = 0; quarter < 4 && interrupted == 0; ++quarter) poll(nullptr, 0, 250);
}

Result<void> dump_again_and_again(Client& client, bool dead) {
    while (interrupted == 0) {
        TORII_TRY(const Value sas, client.ask("show.sa"));
        print("time p   s spi      ltime   src -> dst\n");
        const std::time_t now = std::time(nullptr);
        for (const Value& sa : sas.items)
            if (dead || sa["state"].text != "dead") print(printable(short_line(sa, now), true));
        if (std::fflush(stdout) != 0) break;  // whoever called tells why
        wait_a_second();
    }
    return {};
}

/// Events behind their time: "17:33:08.062000 ", or for -xx "1795455188.062000 ".
Result<void> monitor(Client& client, const Invocation& given) {
    const bool raw = std::ranges::count(given.options, "-x", [](const auto& option) { return option.first; }) > 1;
    return follow_events(client, [raw, json = given.has("-H")](const Value& event) {
        if (event["kind"].text == "ike") return std::string{};  // PF_KEY has none of these
        if (json) return print_json(event, true);
        const std::uint64_t milliseconds = event["unix_milliseconds"].count();
        char seconds[48];
        std::snprintf(seconds, sizeof seconds, "%llu.%03u000", static_cast<unsigned long long>(milliseconds / 1000),
                      static_cast<unsigned>(milliseconds % 1000));
        return (raw ? seconds : clock_text(milliseconds, 6)) + " " + event_text(event);
    });
}

}  // namespace

Result<void> run_setkey(Client& client, const Invocation& invocation, std::string_view line,
                        const ReadStatements& read_statements) {
    if (invocation.has("-D") && invocation.has("-l")) return dump_again_and_again(client, invocation.has("-a"));
    if (invocation.has("-D")) return dump(client, invocation);
    if (invocation.has("-x")) return monitor(client, invocation);
    if (invocation.has("-F"))
        return run_text(client, invocation, invocation.has("-P") ? Text{"spdflush;", "-FP"} : Text{"flush;", "-F"});
    if (invocation.has("-c") && line.empty() && isatty(STDIN_FILENO) == 1) return run_terminal(client, invocation);
    if (invocation.has("-c")) return run_statements(client, invocation, read_statements);
    if (const auto file = invocation.value("-f")) {
        TORII_TRY(auto text, read_file(std::string{*file}));
        return run_text(client, invocation, std::move(text));
    }
    const std::size_t statement = split(line).list.at(1).begin;  // behind the word setkey
    std::string text{line.substr(statement)};
    if (text.find_last_of(';') == std::string::npos) text += ';';
    return run_text(client, invocation, {std::move(text), "statement"});
}

std::size_t statement_octets(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == ';') return i + 1;
        if (text[i] == '#') i = std::min(text.find('\n', i), text.size());
        if (i < text.size() && text[i] == '"') i = std::min(text.find_first_of("\"\n", i + 1), text.size());
    }
    return std::string_view::npos;
}

bool leaves(std::string_view statement) {
    std::string word;
    for (std::size_t i = 0; i < statement.size() && statement[i] != ';'; ++i) {
        if (statement[i] == '#') i = std::min(statement.find('\n', i), statement.size());
        if (i < statement.size() && std::string_view{" \t\r\n"}.find(statement[i]) == std::string_view::npos)
            word += statement[i];
    }
    return word == "exit" || word == "quit" || word == "bye";
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

}  // namespace torii::cli
