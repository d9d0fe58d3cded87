// Texts that went wrong: whatever is done to a valid text, the answer is a Program or a located error without keys.
#include <algorithm>
#include <ctime>
#include <random>

#include "app/setkey/setkey.h"
#include "catch.h"

using namespace torii;
using namespace torii::setkey;

namespace {

constexpr std::string_view valid_texts[] = {
    "flush; spdflush;\n"
    "add 10.1.1.1 20.1.1.1 esp 9876 -m tunnel -r 4 -lh 3600 -E 3des-cbc \"hogehogehogehogehogehoge\";\n"
    "add 20.1.1.1 10.1.1.1 esp 0x2710 -f esn -E aes-cbc 0xdeadbeefdeadbeefdeadbeefdeadbeef -A hmac-md5 "
    "\"mogamogamogamoga\"; # with a comment\r\n",
    "spdadd 10.0.1.0/24[110] 10.0.2.0/24[any] tcp -P out prio high + 5 ipsec\n"
    "\tesp/tunnel/20.0.0.1-20.0.0.2/require\n\tesp/transport//unique:12;\nspddump;\n",
    "spdupdate ::/0 2001:db8::1 icmp6 128,0 -P in none; spddelete ::/0 2001:db8::1 any -P in;\n"
    "getspi -6 ::1 ::2 esp 0; delete ::1 ::2 esp 300 -m any; deleteall ::1 ::2 ah; dump esp; get ::1 ::2 esp 0x100; "
    "bye;",
};

#if defined(__SANITIZE_ADDRESS__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

bool is_located(const Error& error) {
    const auto colon = error.message.find_first_not_of("0123456789", 5);
    const bool line = error.message.starts_with("FUZZ:") && colon > 5 && colon != std::string::npos;
    const bool code = error.code == Errc::bad_syntax || error.code == Errc::bad_value ||
                      error.code == Errc::bad_key_length || error.code == Errc::unsupported;
    return line && code && error.message[colon] == ':' && error.message.ends_with("'") &&
           error.message.find(" at '") != std::string::npos;
}

bool shows_key(const Error& error) {
    for (const auto* part : {"hogehoge", "mogamoga", "deadbeef", "beefdead"})
        if (error.message.find(part) != std::string::npos) return true;
    return false;
}

class Mutator {
public:
    std::string mutated(std::string text) {
        for (auto times = below(4) + 1; times > 0 && !text.empty(); --times) mutate(text);
        return text;
    }
    std::size_t below(std::size_t bound) { return random_() % bound; }

private:
    void mutate(std::string& text) {
        constexpr std::string_view marks = ";/[]\"#-+,.:0xesp \n\r\t";
        const auto at = below(text.size());
        const auto octets = std::min(below(12) + 1, text.size() - at);
        switch (below(6)) {
            case 0: text[at] = static_cast<char>(below(256)); break;
            case 1: text[at] = marks[below(marks.size())]; break;
            case 2: text.insert(at, 1, marks[below(marks.size())]); break;
            case 3: text.erase(at, octets); break;
            case 4: text.insert(below(text.size()), text.substr(at, octets)); break;
            case 5: text.resize(at); break;
        }
    }
    std::mt19937 random_{2};
};

}  // namespace

TEST_CASE("20,000 mutations of valid texts each give a program or a located error") {
    Mutator mutator;
    std::size_t accepted = 0, refused = 0;
    for (int i = 0; i < 20'000; ++i) {
        const auto text = mutator.mutated(std::string{valid_texts[mutator.below(std::size(valid_texts))]});
        // An exact-size buffer, so that a sanitizer sees a read behind the end.
        const std::vector<char> exact{text.begin(), text.end()};
        const auto program = parse({exact.data(), exact.size()}, "FUZZ");
        ++(program ? accepted : refused);
        if (program || is_located(program.error())) continue;
        INFO(text);
        FAIL(program.error().text());
    }
    CHECK(accepted > 500);
    CHECK(refused > 1'000);
}

TEST_CASE("no single slip of the pen brings a key into an error") {
    const std::string text{valid_texts[0]};
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::vector<std::string> slips{text.substr(0, at) + text.substr(at + 1)};
        for (const char c : std::string_view{";\"# \nx!-/["}) {
            slips.push_back(text);
            slips.back()[at] = c;
            slips.push_back(text.substr(0, at) + c + text.substr(at));
        }
        for (const auto& slip : slips) {
            const auto program = parse(slip, "FUZZ");
            INFO(slip);
            if (!program && shows_key(program.error())) FAIL(program.error().text());
        }
    }
}

TEST_CASE("a text cut short at any octet is refused, or was cut behind a whole statement") {
    for (const auto text : valid_texts)
        for (std::size_t octets = 0; octets <= text.size(); ++octets) {
            const auto cut = text.substr(0, octets);
            const auto program = parse(cut, "FUZZ");
            INFO(cut);
            if (!program) {
                CHECK(is_located(program.error()));
                continue;
            }
            const auto behind = cut.find_first_not_of(" \r\n", cut.rfind(';') + 1);
            CHECK((behind == cut.npos || cut[behind] == '#'));
            const auto statements = program->queries_before.size() + program->operations.size() +
                                    program->queries_after.size() + (cut.ends_with("bye;") ? 1 : 0);
            CHECK(statements == static_cast<std::size_t>(std::ranges::count(cut, ';')));
        }
}

TEST_CASE("10,000 SAs and 10,000 policies parse in a quarter of a second") {
    std::string text;
    for (unsigned i = 0; i < 10'000; ++i) {
        const auto spi = std::to_string(0x1000 + i);
        const auto net = std::to_string(i / 256) + "." + std::to_string(i % 256);
        text += "add 20.0.0.1 20.0.0.2 esp " + spi + " -m tunnel -u " + spi +
                " -E aes-gcm-16 0x000102030405060708090a0b0c0d0e0f10111213;\n";
        text += "spdadd 10." + net + ".0/24 11." + net +
                ".0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/unique:" + std::to_string(i + 1) + ";\n";
    }
    const auto start = std::clock();  // of this process alone: the machine may be busy
    const auto program = parse(text, "FILE");
    const auto seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    REQUIRE(program);
    CHECK(program->operations.size() == 20'000);
    CHECK(seconds < (sanitized ? 5.0 : 0.25));
}
