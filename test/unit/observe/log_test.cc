// What the log says of events, and how much of it.
#include <cstdio>
#include <fstream>

#include <unistd.h>

#include "app/log.h"
#include "catch.h"

using namespace torii;
using Kind = control::Event::Kind;

namespace {

/// The log in a file of its own.
struct LogFile {
    LogFile() { REQUIRE(log::open(path, "info")); }
    ~LogFile() {
        (void)log::open({}, "off");
        std::remove(path.c_str());
    }
    unsigned lines_with(std::string_view what) const {
        log::flush();
        std::ifstream file{path};
        unsigned count = 0;
        for (std::string line; std::getline(file, line);) count += line.find(what) != std::string::npos;
        return count;
    }
    std::string path = "/tmp/torii-log-test-" + std::to_string(getpid());
};

}  // namespace

TEST_CASE("a flood of one kind of event is cut short in the log and counted, and hides no other kind (RFC 4303 4)") {
    const LogFile file;
    log::Audit audit;
    for (int i = 0; i < 1000; ++i) audit.tell({.kind = Kind::unknown_spi});
    audit.tell({.kind = Kind::expire_hard});
    audit.tell({.kind = Kind::sequence_exhausted});
    audit.tell({.kind = Kind::notices_lost, .repeated = 44});
    CHECK(file.lines_with("audit: unknown_spi") == 10);
    CHECK(file.lines_with("audit: expire_hard") == 1);
    CHECK(file.lines_with("audit: sequence_exhausted") == 1);
    CHECK(file.lines_with("audit: 44 events were lost") == 1);
    audit.tick();
    CHECK(file.lines_with("audit: 990 more unknown_spi events") == 1);
    audit.tell({.kind = Kind::unknown_spi});
    CHECK(file.lines_with("audit: unknown_spi") == 11);
}
