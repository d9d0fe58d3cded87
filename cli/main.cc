// `torii`: the command line of the gateway. With a command it runs that one; without it is a shell.

#include <clocale>
#include <iostream>

#include "cli/shell.h"

namespace {

using namespace torii;
using namespace torii::cli;

struct Arguments {
    std::string socket;
    std::vector<std::string> words = {};
    bool version = false, help = false, json = false;
};

/// Takes torii's own options out of the words, wherever they stand.
Result<Arguments> arguments_of(std::span<char*> given) {
    Arguments out{.socket = usual_socket()};
    for (std::size_t i = 0; i < given.size(); ++i) {
        const std::string_view word = given[i];
        if (word == "--version") {
            out.version = true;
        } else if (word == "--help" || word == "-h") {
            out.help = true;
        } else if (word == "--json") {
            out.json = true;
        } else if (word.starts_with("--socket=")) {
            out.socket = word.substr(9);
        } else if (word == "--socket") {
            if (++i == given.size()) return fail(Errc::bad_syntax, "--socket needs a PATH behind it");
            out.socket = given[i];
        } else {
            out.words.emplace_back(word);
        }
    }
    if (out.json) out.words.emplace_back("--json");  // the command's own, wherever it stood
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    std::setlocale(LC_CTYPE, "");
    auto arguments = arguments_of(std::span{argv, static_cast<std::size_t>(argc)}.subspan(1));
    if (!arguments) {
        std::cerr << "torii: " << arguments.error().message << '\n';
        return static_cast<int>(ExitCode::usage);
    }
    if (arguments->version) {
        std::cout << "torii " TORII_VERSION << std::endl;
        return std::cout ? 0 : 1;
    }
    catch_interrupts();
    if (arguments->help) arguments->words.insert(arguments->words.begin(), "help");
    if (arguments->words.empty()) return static_cast<int>(run_shell(arguments->socket));
    Runner runner{arguments->socket, [] { return read_all(stdin); }};
    return static_cast<int>(runner.run(arguments->words));
}
