// A text against a gateway: one transaction, and where its queries look.
#include "app/setkey/setkey.h"
#include "catch.h"
#include "setkey/fake_control.h"

using namespace torii;
using namespace torii::setkey;
using test::FakeControl;

namespace {

Result<std::string> told(FakeControl& control, std::string_view text) {
    TORII_TRY(auto program, parse(text, "FILE"));
    TORII_TRY(auto ran, run(control, std::move(program), {.pid = 1}));
    return std::move(ran.output);
}

}  // namespace

TEST_CASE("a text is one transaction, however many statements it has") {
    FakeControl control;
    CHECK(told(control, "flush; spdflush;\nadd ::1 ::2 esp 256 -E null;\nspdadd ::1 ::2 any -P out none;")
              .value()
              .empty());
    CHECK(control.transactions == 1);
    CHECK(control.sas.size() == 1);
    CHECK(control.policies.size() == 1);
}

TEST_CASE("manual keys of counter-mode ciphers are counted, added and updated (RFC 8221 3)") {
    const auto counted = [](std::string_view text) { return manual_counter_keys(parse(text, "FILE").value()); };
    const std::string gcm = R"( ::1 ::2 esp 256 -E aes-gcm-16 "sixteen and four okt";)";
    const std::string cbc = R"( ::1 ::2 esp 257 -E aes-cbc "sixteen okt here" -A hmac-sha1 "twenty octets of key";)";
    CHECK(counted("add" + gcm) == 1);
    CHECK(counted("update" + gcm) == 1);
    CHECK(counted("add" + cbc + "update" + gcm + "update" + cbc + "add" + gcm) == 2);
    CHECK(counted("delete ::1 ::2 esp 256; flush;") == 0);
}

TEST_CASE("a text without operations is no transaction") {
    FakeControl control;
    CHECK(told(control, "dump; spddump;").value() == "No SAD entries.\nNo SPD entries.\n");
    CHECK(told(control, "# nothing").value().empty());
    CHECK(control.transactions == 0);
}

TEST_CASE("an operation that the gateway refuses leaves everything as it was, and is told by its line") {
    FakeControl control;
    REQUIRE(told(control, "add ::1 ::2 esp 256 -E null;"));
    const auto refused = told(control, "dump;\nadd ::1 ::2 esp 257 -E null;\nadd ::1 ::2 esp 256 -E null;");
    CHECK(refused.error().text() == "FILE:3: this SA is there already [exists]");
    CHECK(control.sas.size() == 1);
}

TEST_CASE("a text that does not parse reaches no gateway") {
    FakeControl control;
    REQUIRE(told(control, "add ::1 ::2 esp 256 -E null;"));
    CHECK(told(control, "flush;\nspdflush").error().text() ==
          "FILE:2: ';' is needed here at 'end of text' [bad_syntax]");
    CHECK(control.sas.size() == 1);
    CHECK(control.transactions == 1);
}

TEST_CASE("queries before the first operation see the state before it, all others the state behind the last") {
    FakeControl control;
    REQUIRE(told(control, "add ::1 ::2 esp 256 -E null;"));
    const auto answer = told(control, "dump; flush; dump; add ::1 ::2 esp 257 -E null; spddump;").value();
    CHECK(answer.find("spi=256") < answer.find("spi=257"));
    CHECK(answer.find("spi=256") == answer.rfind("spi=256"));
    CHECK(answer.ends_with("No SPD entries.\n"));
    CHECK(told(control, "dump ah;").value() == "No SAD entries.\n");
}

TEST_CASE("get shows one SA; a missing one is an error while nothing is changed, and an answer behind a transaction") {
    FakeControl control;
    REQUIRE(told(control, "add ::1 ::2 esp 256 -E null; add ::1 ::2 esp 257 -E null;"));
    const auto one = told(control, "get ::1 ::2 esp 257;").value();
    CHECK(one.find("spi=257") != one.npos);
    CHECK(one.find("spi=256") == one.npos);
    CHECK(told(control, "\nget ::1 ::2 esp 300; flush;").error().text() == "FILE:2: there is no such SA [not_found]");
    CHECK(control.sas.size() == 2);
    CHECK(told(control, "flush;\nget ::1 ::2 esp 257;\nspddump;").value() ==
          "FILE:2: there is no such SA\nNo SPD entries.\n");
    CHECK(control.sas.empty());
}

TEST_CASE("getspi tells the SPI that the gateway chose") {
    FakeControl control;
    CHECK(told(control, "flush;\ngetspi ::1 ::2 esp 0;").value() == "FILE:2: spi=4660\n");
}

TEST_CASE("a verbose run tells every operation with what it brought about, and no key") {
    FakeControl control;
    const auto verbosely = [&](std::string_view text) {
        return run(control, parse(text, "FILE").value(), {.verbose = true}).value().output;
    };
    CHECK(verbosely("add ::1 ::2 esp 256 -E null -A hmac-md5 \"hogehogehogehoge\";\n"
                    "update ::1 ::2 esp 256 -E null;\ngetspi 10.0.0.1 10.0.0.2 ah 0;\n"
                    "spdadd 10.0.1.0/24 10.0.2.0/24[80] tcp -P out ipsec esp/transport//use;\n"
                    "spdupdate ::1 ::2 icmp6 128,0 -P in none;") ==
          "FILE:1: add ::1 ::2 esp 256\n"
          "FILE:2: update ::1 ::2 esp 256\n"
          "FILE:3: getspi 10.0.0.1 10.0.0.2 ah 0: spi=4660\n"
          "FILE:4: spdadd 10.0.1.0/24[any] 10.0.2.0/24[80] tcp -P out ipsec esp/transport//use: spid=1\n"
          "FILE:5: spdupdate ::1 ::2 icmp6 128,any -P in none: spid=2\n");
    CHECK(verbosely("delete ::1 ::2 esp 256; deleteall ::1 ::2 ipcomp;\nspddelete ::1 ::2 icmp6 128,0 -P in;\n"
                    "flush; flush ah; spdflush;") ==
          "FILE:1: delete ::1 ::2 esp 256: removed 1\n"
          "FILE:1: deleteall ::1 ::2 ipcomp\n"
          "FILE:2: spddelete ::1 ::2 icmp6 128,any -P in: removed 1\n"
          "FILE:3: flush: removed 1\n"
          "FILE:3: flush ah\n"
          "FILE:3: spdflush: removed 1\n");
}

TEST_CASE("whether a text brings keys along is known") {
    CHECK(holds_keys(parse("flush; add ::1 ::2 esp 256 -E null -A hmac-md5 \"hogehogehogehoge\";", "FILE").value()));
    CHECK(holds_keys(parse("update ::1 ::2 esp 256 -E aes-cbc \"hogehogehogehoge\";", "FILE").value()));
    CHECK_FALSE(holds_keys(parse("add ::1 ::2 esp 256 -E null; spdadd ::1 ::2 any -P out none;", "FILE").value()));
}

TEST_CASE("update, delete and deleteall reach the gateway") {
    FakeControl control;
    REQUIRE(told(control, "add ::1 ::2 esp 256 -E null; add ::1 ::2 esp 257 -E null; add ::1 ::2 esp 258 -E null;"));
    REQUIRE(told(control, "update ::1 ::2 esp 256 -r 4 -E null; delete ::1 ::2 esp 257;"));
    CHECK(control.sas.size() == 2);
    CHECK(control.sas.front().spec.replay_octets == 4);
    REQUIRE(told(control, "deleteall ::1 ::2 esp;"));
    CHECK(control.sas.empty());
    REQUIRE(told(control, "spdadd ::1 ::2 any -P out none; spdadd ::1 ::3 any -P out none;"));
    REQUIRE(told(control, "spdupdate ::1 ::2 any -P out discard; spddelete ::1 ::3 any -P out;"));
    REQUIRE(control.policies.size() == 1);
    CHECK(control.policies.front().action == PolicyAction::discard);
    REQUIRE(told(control, "spdflush;"));
    CHECK(control.policies.empty());
}
