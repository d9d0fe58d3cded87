// What start_eal makes of the machine it finds.
#include "dataplane/eal.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "catch.h"

using namespace torii;

TEST_CASE("huge pages are where they are mounted, not in any folder that could hold them") {
    std::string folder = "/tmp/torii-huge-XXXXXX";
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    CHECK_FALSE(is_hugetlbfs(folder));
    rmdir(folder.c_str());
    CHECK_FALSE(is_hugetlbfs(folder));
    std::ifstream mounts{"/proc/self/mounts"};
    std::string what, where, kind, rest;
    while (mounts >> what >> where >> kind && std::getline(mounts, rest))
        if (kind == "hugetlbfs") CHECK(is_hugetlbfs(where));
}
