#include "cli/commands.h"
#include "cli/events.h"

#include "catch.h"
#include "cli/runner.h"
#include "cli/shell.h"

using namespace torii;
using namespace torii::cli;

namespace {

using Strings = std::vector<std::string>;

Result<Invocation> parsed(std::string_view line) {
    Strings words;
    for (const Word& word : split(line).list) words.push_back(word.text);
    return parse(words);
}

std::string refusal(std::string_view line) {
    const auto result = parsed(line);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::bad_syntax);
    return result.error().message;
}

Strings offered(const Strings& before, std::string_view partial, const LiveNames& live = nullptr) {
    Strings out;
    for (const Candidate& candidate : candidates(before, partial, live)) out.push_back(candidate.word);
    return out;
}

const Command& command(std::string_view line) { return *parsed(line).value().command; }

}  // namespace

TEST_CASE("every command of the table is whole: help, manual page, examples that parse") {
    for (const Command& each : commands()) {
        INFO(each.name());
        CHECK_FALSE(each.summary.empty());
        CHECK_FALSE(each.manual.empty());
        CHECK_FALSE(each.examples.empty());
        const bool alone = each.needed == 0 && each.action != Action::setkey;
        CHECK(parsed(alone ? each.name() : std::string{each.examples[0].substr(6)}).value().command == &each);
        const std::string page = manual_page(each);
        for (const auto* part : {"NAME\n", "USAGE\n", "DESCRIPTION\n", "EXAMPLES\n", "EXIT CODES\n"})
            CHECK(page.find(part) != std::string::npos);
        CHECK(overview().find(std::string{each.summary}) != std::string::npos);
        CHECK((each.action != Action::show || (!each.views.empty() && !each.method.empty())));
        for (const std::string_view example : each.examples) {
            if (!example.starts_with("torii ") || example.find('|') != std::string_view::npos) continue;
            INFO(example);
            CHECK(parsed(example.substr(6)).value().command == &each);
        }
    }
}

TEST_CASE("words may be shortened while they stay unambiguous") {
    CHECK(parsed("sh sa").value().command->name() == "show sa");
    CHECK(parsed("show p").error().message == "'p' may be ports or policy");
    CHECK(parsed("s").error().message == "'s' may be show or set or setkey");
    CHECK(parsed("sh dr --al").value().has("--all"));
}

TEST_CASE("what is not understood is told with the nearest word that is") {
    CHECK(refusal("shwo sa") == "there is no command 'shwo': did you mean 'show'?");
    CHECK(refusal("show neighbors") == "there is no show 'neighbors': did you mean 'neighbours'?");
    CHECK(refusal("xyzzy") == "there is no command 'xyzzy': try help");
    CHECK(refusal("\x1b[2J") == "there is no command '\\x1b[2J': try help");
    CHECK(refusal("show").starts_with("show what? ports, routes,"));
    CHECK(refusal("show sa --jsn") == "there is no option of show sa '--jsn': did you mean '--json'?");
    CHECK(refusal("show sa -x") == "show sa has no option '-x'");
    CHECK(refusal("show sa a b") == "show sa does not take 'b'");
    CHECK(refusal("show version x") == "show version does not take 'x'");
    CHECK(refusal("help shwo") == "there is no command 'shwo': did you mean 'show'?");
    CHECK(refusal("help setkey x") == "setkey has nothing called 'x'");
}

TEST_CASE("set takes a name and a value, no less and no more") {
    const auto given = parsed("set net.inet.ipsec.def_policy none");
    REQUIRE(given);
    CHECK(given->arguments == std::vector<std::string>{"net.inet.ipsec.def_policy", "none"});
    CHECK(refusal("set def_policy") == "set needs more words: NAME VALUE");
    CHECK(refusal("set def_policy none twice") == "set does not take 'twice'");
}

TEST_CASE("setkey's flags may be joined and exclude each other") {
    for (const auto* line : {"setkey -DP", "setkey -D -P", "setkey -P -D", "setkey -PD"}) {
        INFO(line);
        const auto given = parsed(line).value();
        CHECK((given.has("-D") && given.has("-P") && !given.has("-F")));
    }
    CHECK(parsed("setkey -f x").value().value("-f") == "x");
    CHECK(parsed("setkey add a b esp 1 -E null;").value().arguments.size() == 7);
    CHECK(parsed("setkey -nvf x").value().value("-f") == "x");
    CHECK(parsed("setkey -xx").value().options.size() == 2);
    for (const auto* line : {"setkey -krv -c", "setkey -aplNrkv -D", "setkey -Pvp -F", "setkey -Hx", "setkey -aPD"})
        CHECK(parsed(line));
    CHECK(refusal("setkey") == "setkey needs one of -c, -f FILE, -D, -DP, -F, -FP, -x");
    CHECK(refusal("setkey -D -F") == "setkey takes only one of -c, -f FILE, -D, -F, -x");
    CHECK(refusal("setkey -P") == "setkey needs one of -c, -f FILE, -D, -DP, -F, -FP, -x");
    CHECK(refusal("setkey -nF") == "-n goes with -c or -f FILE");
    CHECK(refusal("setkey -lDP") == "-l goes with -D alone");
    CHECK(refusal("setkey -H -D") == "-H goes with -x");
    CHECK(refusal("setkey -c -P") == "-P goes with -D or -F");
    CHECK(refusal("setkey -f") == "-f needs a FILE behind it");
    CHECK(refusal("setkey -fD x") == "setkey has no option '-fD'");
    CHECK(refusal("setkey -Dz") == "setkey has no option '-Dz'");
}

TEST_CASE("completion offers commands, then live names, then options") {
    CHECK(offered({}, "s") == Strings{"show", "set", "setkey"});
    CHECK(offered({"sh"}, "p") == Strings{"ports", "policy"});
    CHECK(offered({"show", "ports"}, "--") == Strings{"--json"});
    CHECK(offered({"show", "drops", "--json"}, "-") == Strings{"--all"});
    CHECK(offered({"setkey"}, "") == Strings{"-c", "-f", "-D", "-F", "-x"});
    CHECK(offered({"setkey", "-D"}, "") == Strings{"-P", "-v", "-a", "-p", "-l", "-N", "-k", "-r"});
    CHECK(offered({"setkey", "-f"}, "") == Strings{"FILE"});
    CHECK(offered({"help", "show"}, "s") == Strings{"sa", "stats", "settings"});
    CHECK(offered({"nonsense"}, "").empty());
    CHECK(offered({"show", "version"}, "x").empty());
    const LiveNames live = [](const Command& asked) {
        CHECK(asked.name() == "show ports");
        return Strings{"wan", "lan", "lab"};
    };
    CHECK(offered({"show", "ports"}, "la", live) == Strings{"lan", "lab"});
    CHECK(offered({"show", "ports", "wan"}, "la", live).empty());
    CHECK(common_beginning({{"lan", ""}, {"lab", ""}}) == "la");
    CHECK(common_beginning({}).empty());
}

TEST_CASE("show drops draws reasons that happened, all on request, and says when there are none") {
    const Command& drops = command("show drops");
    const auto answer = parse_json(R"([{"reason":"bad_icv","advice":"Compare the keys.","total":1500,"untold":7},
                                       {"reason":"runt","advice":"Look at the wire.","total":0,"untold":0}])")
                            .value();
    CHECK(draw(drops, answer) == "PACKETS  UNTOLD  REASON   CHECK\n  1,500       7  bad_icv  Compare the keys.\n");
    CHECK(draw(drops, answer, true) ==
          "PACKETS  UNTOLD  REASON   CHECK\n  1,500       7  bad_icv  Compare the keys.\n      0       0  runt     "
          "Look at the wire.\n");
    CHECK(draw(drops, parse_json(R"([{"reason":"runt","total":0}])").value()) == "nothing was dropped\n");
}

TEST_CASE("answers that lack fields, or are no rows at all, are drawn without harm") {
    for (const Command& each : commands()) {
        if (each.views.empty()) continue;
        INFO(each.name());
        for (const auto* text : {"null", "[]", "7", "[[]]", "[1]", "{}", R"([{"spi":"x","addresses":3}])"})
            CHECK_NOTHROW(draw(each, parse_json(text).value()));
    }
}

TEST_CASE("an SA is found by its SPI in any spelling, or by an address") {
    const auto answer = parse_json(R"([{"spi":4097,"source":"20.0.0.1","destination":"20.0.0.2"},
                                       {"spi":4098,"source":"20.0.0.2","destination":"20.0.0.1"}])")
                            .value();
    const Command& sa = command("show sa");
    for (const auto* name : {"4097", "0x1001", "0x00001001"})
        CHECK(narrowed(sa, answer, name).value().items.size() == 1);
    CHECK(narrowed(sa, answer, "20.0.0.1").value().items.size() == 2);
    const auto none = narrowed(sa, answer, "0x2000");
    CHECK(none.error().code == Errc::not_found);
    CHECK(none.error().message == "show sa: there is no '0x2000'; there is 0x00001001, 0x00001002");
}

TEST_CASE("an event is one line, whatever it holds") {
    CHECK(event_text(parse_json(R"({"kind":"acquire","sa":{"protocol":"esp","source":"a","destination":"b","spi":0},
        "policy":3,"request":{"mode":"tunnel"},"packet":{"source":"10.0.1.2","destination":"10.0.2.2",
        "protocol":6,"source_port":1024,"destination_port":80},"repeated":1})")
                         .value()) ==
          "acquire  esp/tunnel a -> b  policy 3  packet 10.0.1.2[1024] -> 10.0.2.2[80] protocol 6");
    CHECK(event_text(parse_json(R"({"kind":"bad\nicv","sa":{"protocol":"esp","source":"a","destination":"b","spi":4097},
        "sequence":9,"repeated":12})")
                         .value()) == "bad\\x0aicv  esp a -> b spi 0x00001001  sequence 9  (12 times)");
}

TEST_CASE("an event of IKE says of whom, and how bad it is") {
    CHECK(event_text(parse_json(R"({"unix_milliseconds":1,"level":"info","connection":"newyork","number":7,
        "text":"established with gw.example.com","kind":"ike"})")
                         .value()) == "ike  newyork #7  established with gw.example.com");
    CHECK(event_text(parse_json(R"({"unix_milliseconds":1,"level":"warning","connection":"","number":0,
        "text":"IKE_SA_INIT of 20.0.0.9[500]: \nno","kind":"ike"})")
                         .value()) == "ike warning  IKE_SA_INIT of 20.0.0.9[500]: \\x0ano");
}

TEST_CASE("JSON goes out as exact as it came in") {
    const auto* text = R"({"b":[1,-2,18446744073709551615,0.5,true,null,"\u0001x"],"a":{}})";
    CHECK(print_json(parse_json(text).value(), true) == text);
    CHECK(parse_json("{").error().code == Errc::bad_syntax);
    CHECK(request_line("m", {}) == "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}\n");
    CHECK(request_line("m", {{"text", "a\n\"b\""}}) ==
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"text\":\"a\\n\\\"b\\\"\"}}\n");
}

TEST_CASE("lines that may hold keys are known, however mistyped") {
    CHECK(holds_key(R"(setkey add 1.1.1.1 2.2.2.2 esp 0x1001 -E aes-cbc "sixteen octets!!";)"));
    CHECK(holds_key("add a b esp 1 -A hmac-sha1 secret;"));
    CHECK(holds_key("set key aes 0x00112233445566778899aabbccddeeff"));
    CHECK(holds_key("setkey add a b esp 1 -Eaes-cbc xx"));
    CHECK_FALSE(holds_key("show sa 0x00001001"));
    CHECK_FALSE(holds_key("setkey -f /etc/torii/ipsec.conf"));
    CHECK_FALSE(holds_key("setkey -DP"));
}
