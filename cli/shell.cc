#include "cli/shell.h"

#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cwchar>
#include <filesystem>
#include <iostream>
#include <memory>

#include "base/secret_bytes.h"

namespace torii::cli {

namespace {

constexpr int history_lines = 1000;
constexpr wchar_t ctrl_c = 3;
constexpr std::size_t longest_spi = 10;  // "0x12345678": longer hexadecimal numbers may be keys

ExitCode run_line(Runner& runner, const std::string& line) {
    const Words words = split(line);
    if (words.open_quote) {
        std::fputs("torii: a quote is not closed\n", stderr);
        return ExitCode::usage;
    }
    std::vector<std::string> list;
    for (const Word& word : words.list) list.push_back(word.text);
    return runner.run(list, line);
}

class Shell {
public:
    explicit Shell(const std::string& socket);
    ExitCode run();

private:
    static Shell& of(EditLine* editor);
    static char* prompt(EditLine* editor) { return of(editor).prompt_.data(); }
    static int read_key(EditLine* editor, wchar_t* key);
    static unsigned char abandon(EditLine* editor, int);
    static unsigned char complete(EditLine* editor, int);
    static unsigned char what_next(EditLine* editor, int);

    /// One line without its end; nothing at the end of input. `abandoned_` tells of Ctrl-C.
    std::optional<std::string> read_line(std::string prompt);
    Result<std::string> read_statements();
    void greet();
    void remember(const std::string& line);
    std::string prompt_for_command();

    struct Typed {
        std::vector<std::string> before;  // whole words in front of the cursor
        std::string partial;              // the word the cursor stands behind; may be empty
        std::size_t partial_octets = 0;   // as typed, with its quotes
        bool open_quote = false;
    };
    static Typed typed(EditLine* editor);
    std::vector<Candidate> candidates_for(const Typed& typed);

    Runner runner_;
    std::unique_ptr<EditLine, void (*)(EditLine*)> editor_;
    std::unique_ptr<History, void (*)(History*)> history_;
    std::string history_file_;
    std::string prompt_, gateway_;
    unsigned connection_ = 0;  // that gateway_ was learnt over
    bool abandoned_ = false;
};

Shell::Shell(const std::string& socket)
    : runner_(socket, [this] { return read_statements(); }),
      editor_(el_init("torii", stdin, stdout, stderr), el_end),
      history_(history_init(), history_end),
      history_file_(history_path()) {
    EditLine* el = editor_.get();
    HistEvent event{};
    history(history_.get(), &event, H_SETSIZE, history_lines);
    history(history_.get(), &event, H_SETUNIQUE, 1);
    if (!history_file_.empty()) history(history_.get(), &event, H_LOAD, history_file_.c_str());
    el_set(el, EL_CLIENTDATA, this);
    el_set(el, EL_EDITOR, "emacs");
    el_set(el, EL_SIGNAL, 1);
    el_set(el, EL_HIST, ::history, history_.get());
    el_set(el, EL_PROMPT, &Shell::prompt);
    el_set(el, EL_GETCFN, &Shell::read_key);
    el_source(el, nullptr);                        // the user's own ~/.editrc; our keys come after it
    el_set(el, EL_SETTY, "-d", "-isig", nullptr);  // Ctrl-C is a key while a line is edited
    el_set(el, EL_ADDFN, "torii-abandon", "abandon the line", &Shell::abandon);
    el_set(el, EL_ADDFN, "torii-complete", "complete a word", &Shell::complete);
    el_set(el, EL_ADDFN, "torii-what-next", "show what may come next", &Shell::what_next);
    el_set(el, EL_BIND, "^C", "torii-abandon", nullptr);
    el_set(el, EL_BIND, "\t", "torii-complete", nullptr);
    el_set(el, EL_BIND, "?", "torii-what-next", nullptr);
}

Shell& Shell::of(EditLine* editor) {
    void* shell = nullptr;
    el_get(editor, EL_CLIENTDATA, &shell);
    return *static_cast<Shell*>(shell);
}

ExitCode Shell::run() {
    greet();
    while (!runner_.left()) {
        const auto line = read_line(prompt_for_command());
        if (!line) {
            std::puts("");
            break;
        }
        if (abandoned_ || split(*line).list.empty()) continue;
        remember(*line);
        run_line(runner_, *line);
    }
    return ExitCode::done;
}

void Shell::greet() {
    std::puts("torii " TORII_VERSION ": ? shows what may come next, Tab completes, help tells more, exit leaves");
    if (auto reached = runner_.client().ask("show.version"); !reached)
        std::fprintf(stderr, "torii: %s\n", printable(reached.error().message).c_str());
}

std::string Shell::prompt_for_command() {
    interrupted = 0;  // a Ctrl-C that ended the last command is over
    Client& client = runner_.client();
    if (gateway_.empty() || !client.connected() ||
        client.connections() != connection_) {  // toriid may be another by now
        const auto version = client.ask("show.version");
        connection_ = client.connections();
        gateway_ = version ? printable((*version)["gateway_name"].text) : "";
    }
    return (gateway_.empty() ? "(no toriid)" : gateway_) + "> ";
}

std::optional<std::string> Shell::read_line(std::string prompt) {
    prompt_ = std::move(prompt);
    abandoned_ = false;
    int count = 0;
    const char* got = el_gets(editor_.get(), &count);
    if (got == nullptr || count <= 0) {
        if (!abandoned_) return std::nullopt;
        got = "";
        count = 0;
    }
    std::string line{got, static_cast<std::size_t>(count)};
    while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
    return line;
}

Result<std::string> Shell::read_statements() {
    std::puts("statements, then a line with a single dot (Ctrl-C abandons):");
    std::string out;
    for (;;) {
        auto line = read_line("setkey> ");
        if (abandoned_) return fail(Errc::denied, "abandoned: nothing was applied");
        if (!line || *line == ".") return out;
        out += *line + '\n';
        wipe(std::as_writable_bytes(std::span{*line}));
    }
}

void Shell::remember(const std::string& line) {
    if (holds_key(line)) return;
    HistEvent event{};
    history(history_.get(), &event, H_ENTER, line.c_str());
    if (history_file_.empty()) return;
    std::error_code unused;
    const auto directory = std::filesystem::path{history_file_}.parent_path();
    std::filesystem::create_directories(directory.parent_path(), unused);
    mkdir(directory.c_str(), 0700);
    // Made here, so that the file never has a wider mode than this.
    const int file = open(history_file_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return;
    close(file);
    history(history_.get(), &event, H_SAVE, history_file_.c_str());
}

/// One character from the terminal: 1, or 0 at its end. A SIGINT counts as the key Ctrl-C: the prompt stands there a
/// moment before libedit makes Ctrl-C a key, and a signal may come from elsewhere.
int Shell::read_key(EditLine*, wchar_t* key) {
    std::mbstate_t state{};
    for (;;) {
        if (interrupted != 0) {
            interrupted = 0;
            *key = ctrl_c;
            return 1;
        }
        pollfd waiting{STDIN_FILENO, POLLIN, 0};
        if (poll(&waiting, 1, static_cast<int>(longest_wait.count())) <= 0) continue;
        char octet = 0;
        const ssize_t count = read(STDIN_FILENO, &octet, 1);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return 0;
        // A Ctrl-D typed in the moment before libedit makes it a key comes as NUL, and libedit would take the next one
        // for a letter. It is passed over: who meant it types it again.
        if (octet == 0) continue;
        const std::size_t taken = std::mbrtowc(key, &octet, 1, &state);
        if (taken <= 1) return 1;
        if (taken == static_cast<std::size_t>(-1)) state = {};  // no character: passed over
    }
}

unsigned char Shell::abandon(EditLine* editor, int) {
    of(editor).abandoned_ = true;
    std::puts("^C");
    return CC_NEWLINE;
}

Shell::Typed Shell::typed(EditLine* editor) {
    const LineInfo* info = el_line(editor);
    const std::string_view line{info->buffer, static_cast<std::size_t>(info->cursor - info->buffer)};
    Words words = split(line);
    Typed out;
    out.open_quote = words.open_quote;
    if (!words.list.empty() && (words.open_quote || words.list.back().end == line.size())) {
        out.partial = words.list.back().text;
        out.partial_octets = line.size() - words.list.back().begin;
        words.list.pop_back();
    }
    for (const Word& word : words.list) out.before.push_back(word.text);
    return out;
}

std::vector<Candidate> Shell::candidates_for(const Typed& typed) {
    return candidates(typed.before, typed.partial,
                      [this](const Command& command) { return runner_.live_names(command); });
}

unsigned char Shell::complete(EditLine* editor, int key) {
    const Typed typed = Shell::typed(editor);
    auto list = of(editor).candidates_for(typed);
    if (list.size() == 1 && list[0].placeholder)
        return list[0].word == "FILE" ? _el_fn_complete(editor, key) : CC_ERROR;
    // Options are offered once a dash asks for them, or where there is nothing else.
    const auto is_option = [](const Candidate& candidate) { return candidate.word.starts_with('-'); };
    if (typed.partial.empty() && !std::ranges::all_of(list, is_option)) std::erase_if(list, is_option);
    if (list.empty()) return CC_REFRESH_BEEP;
    std::string insert = common_beginning(list);
    if (list.size() > 1 && insert.size() <= typed.partial.size()) {
        std::string shown;
        for (const Candidate& candidate : list) shown += "  " + candidate.word;
        std::printf("\n%s\n", shown.c_str());
        std::fflush(stdout);
        return CC_REDISPLAY;
    }
    const bool quoted =
        std::ranges::any_of(list, [](const Candidate& c) { return c.word.find(' ') != std::string::npos; });
    if (quoted) insert.insert(0, 1, '"');
    if (list.size() == 1) insert += quoted ? "\" " : " ";
    el_deletestr(editor, static_cast<int>(typed.partial_octets));
    el_insertstr(editor, insert.c_str());
    return CC_REFRESH;
}

unsigned char Shell::what_next(EditLine* editor, int) {
    const Typed typed = Shell::typed(editor);
    if (typed.open_quote) {
        el_insertstr(editor, "?");
        return CC_REFRESH;
    }
    std::string shown;
    std::size_t width = 8;
    const auto list = of(editor).candidates_for(typed);
    for (const Candidate& candidate : list) width = std::max(width, candidate.word.size());
    for (const Candidate& candidate : list) {
        shown += "  " + candidate.word;
        if (!candidate.text.empty()) shown += std::string(width + 2 - candidate.word.size(), ' ') + candidate.text;
        shown += '\n';
    }
    if (typed.partial.empty() && !typed.before.empty()) {
        const auto whole = parse(typed.before);
        if (whole)
            shown +=
                "  <Enter>" + std::string(width > 7 ? width - 5 : 2, ' ') + std::string{whole->command->summary} + '\n';
        else if (list.empty())
            shown += "  " + printable(whole.error().message) + '\n';
    } else if (list.empty()) {
        shown += "  nothing begins with '" + printable(typed.partial) + "' here\n";
    }
    std::printf("?\n%s", shown.c_str());
    std::fflush(stdout);
    return CC_REDISPLAY;
}

/// Lines of a file or pipe: no prompt, no history.
ExitCode run_script(const std::string& socket) {
    const auto read_statements = []() -> Result<std::string> {
        std::string out, line;
        while (std::getline(std::cin, line) && line != ".") out += line + '\n';
        return out;
    };
    Runner runner{socket, read_statements};
    ExitCode gravest = ExitCode::done;
    std::string line;
    while (!runner.left() && std::getline(std::cin, line)) {
        const auto first = line.find_first_not_of(" \t\r");
        if (first == std::string::npos || line[first] == '#') continue;
        gravest = std::max(gravest, run_line(runner, line));
    }
    return gravest;
}

}  // namespace

bool holds_key(std::string_view line) {
    return std::ranges::any_of(split(line).list, [](const Word& word) {
        const std::string_view text = word.text;
        return text.starts_with("-E") || text.starts_with("-A") ||
               (text.starts_with("0x") && text.size() > longest_spi);
    });
}

std::string history_path() {
    if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/')
        return std::string{state} + "/torii/history";
    if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
        return std::string{home} + "/.local/state/torii/history";
    return {};
}

ExitCode run_shell(const std::string& socket) {
    return isatty(STDIN_FILENO) == 1 ? Shell{socket}.run() : run_script(socket);
}

}  // namespace torii::cli
