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

TEST_CASE("an audit record names the reason, SPI, addresses and number, and of a mismatch the packet (RFC 4301 5.2)") {
    const LogFile file;
    log::Audit audit;
    audit.tell({.kind = Kind::selector_mismatch,
                .sa = {Address::v4(0x14000001), Address::v4(0x14000002), IpsecProtocol::esp, Spi{0x1001}},
                .sequence = 7,
                .packet = {.source = Address::v4(0x0a000105),
                           .destination = Address::v4(0x0a000205),
                           .source_port = 4000,
                           .destination_port = 80,
                           .protocol = 6}});
    CHECK(file.lines_with("audit: selector_mismatch spi 0x00001001 20.0.0.1 -> 20.0.0.2 sequence 7, packet "
                          "10.0.1.5[4000] 10.0.2.5[80] tcp") == 1);
    audit.tell({.kind = Kind::policy_expired, .policy = PolicyId{3}});
    CHECK(file.lines_with("policy 3 is gone: its lifetime is over") == 1);
}

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
