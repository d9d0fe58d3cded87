// A good configuration file, spoilt at random: whatever comes of it, it is read or refused with the line.
#include "catch.h"

#include <random>
#include <regex>
#include <sstream>

#include "app/config/read.h"
#include "every_setting.h"

using namespace torii;

TEST_CASE("5,000 mutations of a good file end in a configuration or in located errors") {
    std::mt19937 random{4301};
    const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>{0, n - 1}(random); };
    const std::vector<std::string> pieces = {"\"",
                                             "{",
                                             "}",
                                             "(",
                                             ")",
                                             "[",
                                             "]",
                                             ";",
                                             ",",
                                             "=",
                                             "\n",
                                             "/*",
                                             "*/",
                                             "#",
                                             "//",
                                             "@include \"x\"\n",
                                             "5000000000",
                                             "0x",
                                             "-1",
                                             "1e9",
                                             ".",
                                             "\\",
                                             "true",
                                             "\"20.0.0.1/24\"",
                                             "{ }",
                                             "( )",
                                             "name = \"x\";",
                                             "mtu",
                                             std::string(1, '\0'),
                                             "\xff",
                                             "((((((((((((((((",
                                             "L"};
    const std::regex located{"FILE:[0-9]+: .+|and [0-9]+ more"};
    unsigned read = 0;
    for (int i = 0; i < 5000; ++i) {
        std::string text = every_setting;
        for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
            if (text.empty()) text = every_setting;
            const std::size_t at = below(text.size());
            switch (below(5)) {
                case 0: text[at] = static_cast<char>(below(256)); break;
                case 1: text.erase(at, 1 + below(20)); break;
                case 2: text.insert(at, pieces[below(pieces.size())]); break;
                case 3: text.insert(at, text.substr(below(text.size()), 1 + below(100))); break;
                default: text.resize(at + 1); break;
            }
        }
        const auto result = config::from_text(text, "FILE", 2);
        if (result) {
            ++read;
            continue;
        }
        std::istringstream lines{result.error().message};
        unsigned told = 0;
        for (std::string line; std::getline(lines, line); ++told) {
            INFO(text);
            REQUIRE(std::regex_match(line, located));
        }
        REQUIRE(told > 0);
    }
    CHECK(read > 0);
    CHECK(read < 5000);
}
