// docs/counters.md, drawn from the table of NetBSD's counters; with TORII_WRITE_DOCS set to anything it is written
// first:
//
//     TORII_WRITE_DOCS=1 build/asan/test/unit/unit-path '[documents]'
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "catch.h"
#include "config/source_root.h"
#include "observe/netbsd_counters.h"

using namespace torii;

namespace {

std::string page() {
    std::string out =
        "<!-- Drawn by test/unit/observe/counters_page_test.cc, which also says how to draw it anew. -->\n"
        "# NetBSD's counters\n\n"
        "What `torii show stats` tells in the groups of NetBSD's `netstat -s` (FAST_IPSEC), and what each is worked "
        "out "
        "of when\nsomebody asks: KAME's counters, and [drops](drops.md) on account of a header of that protocol. The "
        "table stands in\n[lib/observe/netbsd_counters.cc](../lib/observe/netbsd_counters.cc); "
        "[conformance.md](conformance.md) has what is left out of it, and why.\n\n"
        "| group | name | netstat's words | worked out of |\n| --- | --- | --- | --- |\n";
    for (const NetbsdCounter& c : netbsd_counters())
        out.append("| ")
            .append(c.group)
            .append(" | `")
            .append(c.name)
            .append("` | ")
            .append(c.words)
            .append(" | ")
            .append(c.source)
            .append(" |\n");
    return out;
}

}  // namespace

TEST_CASE("docs/counters.md has every counter of NetBSD's and what it is worked out of", "[documents]") {
    const std::filesystem::path file = std::filesystem::path{TORII_SOURCE_ROOT} / "docs/counters.md";
    if (std::getenv("TORII_WRITE_DOCS") != nullptr) std::ofstream{file} << page();
    std::ostringstream there;
    there << std::ifstream{file}.rdbuf();
    INFO("it is not what the table says; the head of this file tells how to draw it anew");
    CHECK(there.str() == page());
}

TEST_CASE("no two counters of NetBSD's share a group and a name, and none is made of nothing") {
    std::set<std::string> names;
    for (const NetbsdCounter& c : netbsd_counters()) {
        INFO(c.group << "." << c.name);
        CHECK(names.insert(std::string{c.group} + "." + std::string{c.name}).second);
        CHECK(c.read(IpsecTotals{}) == 0);
        CHECK_FALSE(c.source.empty());
    }
}
