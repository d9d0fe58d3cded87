// `setkey`: KAME's program by its name and with its options, so that scripts written for it run unchanged. It is
// `torii setkey` with KAME's exit statuses: 0 done, 1 everything else.
#include <clocale>
#include <iostream>

#include "cli/output.h"
#include "cli/runner.h"

namespace {

using namespace torii::cli;

constexpr const char* usage =
    "usage: setkey [-knrv] -c              statements from standard input\n"
    "       setkey [-knrv] -f FILE         statements from FILE\n"
    "       setkey [-aklpNrv] -D           dumps the SAD\n"
    "       setkey [-kNr] -DP              dumps the SPD\n"
    "       setkey [-v] -F | -FP           flushes the SAD, the SPD\n"
    "       setkey [-H] -x | -xx           prints events as they happen\n"
    "       setkey -h | -V                 this, the version\n"
    "The gateway is reached at TORII_SOCKET, else at /run/torii/control.sock. torii help setkey tells more.\n";

}  // namespace

int main(int argc, char** argv) {
    std::setlocale(LC_CTYPE, "");
    std::vector<std::string> words{"setkey"};
    for (int i = 1; i < argc; ++i) words.emplace_back(argv[i]);
    if (words.size() == 1) {
        std::cerr << usage;
        return 1;
    }
    if (words[1] == "-V" || words[1] == "--version") {
        std::cout << "setkey (torii " TORII_VERSION ")" << std::endl;
        return std::cout ? 0 : 1;
    }
    if (words[1] == "-h" || words[1] == "-?" || words[1] == "--help") {
        std::cout << usage << std::flush;
        return std::cout ? 0 : 1;
    }
    speak_as("setkey");
    catch_interrupts();
    Runner runner{usual_socket(), [] { return read_all(stdin); }};
    return runner.run(words) == ExitCode::done ? 0 : 1;
}
