// What `torii` makes of IKE's answers, and what it asks.
#include "catch.h"
#include "cli/commands.h"
#include "cli/runner.h"

using namespace torii;
using namespace torii::cli;

namespace {

Result<Invocation> parsed(std::vector<std::string> words) { return parse(words); }
std::string drawn(std::vector<std::string> words, std::string_view answer) {
    return draw(*parsed(std::move(words)).value().command, parse_json(answer).value());
}
bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("show ike has a row for each IKE SA and for each connection without one") {
    const std::string out = drawn({"show", "ike"}, R"([
        {"connection":"newyork","number":7,"state":"established","initiator":true,"local":"20.0.0.1","local_port":4500,
         "local_id":"tokyo.example.com","local_auth":"psk","local_nat":false,"remote":"20.0.0.2","remote_port":61234,
         "remote_id":"newyork.example.com","remote_auth":"psk","remote_nat":true,"initiator_spi":"0123456789abcdef",
         "responder_spi":"00000000000000ff","suite":"aes128gcm16-prfsha256-x25519","ppk":"offices-2026",
         "internal_addresses":["10.9.0.1"],"internal_dns":["10.0.1.53"],"age_seconds":45,
         "rekey_in_seconds":720,"reauth_in_seconds":0,"silent_seconds":2,"children":1},
        {"connection":"osaka","number":0,"state":"none","initiator":false,"local":"any","local_port":0,"local_id":"",
         "local_auth":"","local_nat":false,"remote":"20.0.0.3","remote_port":0,"remote_id":"","remote_auth":"",
         "remote_nat":false,"initiator_spi":"0000000000000000","responder_spi":"0000000000000000","suite":"",
         "age_seconds":0,"rekey_in_seconds":0,"reauth_in_seconds":0,"silent_seconds":0,"children":0}])");
    CHECK(holds(out, "newyork     #7      established  initiator  20.0.0.1[4500]  20.0.0.2[61234] (NAT)         1"));
    CHECK(holds(out, "45 s  12 min 0 s          -     2 s\n"));
    CHECK(holds(
        out,
        "tokyo.example.com by psk  newyork.example.com by psk  10.9.0.1, DNS 10.0.1.53  aes128gcm16-prfsha256-x25519 "
        "with PPK offices-2026  "
        "0123456789abcdef 00000000000000ff\n"));
    CHECK(holds(out, "osaka       -       none         -          any             20.0.0.3 "));
    CHECK(drawn({"show", "ike"}, "[]") == "no connection is configured\n");
}

TEST_CASE("show child has each pair's selectors, SPIs and counts") {
    const std::string out = drawn({"show", "child"}, R"([
        {"connection":"newyork","name":"offices","number":9,"ike":7,"state":"installed","protocol":"esp","mode":"tunnel",
         "in_udp":true,"ipcomp":true,"inbound_spi":4098,"outbound_spi":4097,"suite":"aes128gcm16-noesn","local":["10.0.1.0/24"],
         "remote":["10.0.2.0/24","10.0.3.0/24"],"age_seconds":45,"rekey_in_seconds":720,"ends_in_seconds":0,
         "inbound_packets":12,"inbound_octets":1000,"outbound_packets":3456,"outbound_octets":2}])");
    CHECK(holds(
        out,
        "esp-udp+ipcomp/tunnel  10.0.1.0/24  10.0.2.0/24, 10.0.3.0/24  0x00001002  0x00001001  aes128gcm16-noesn\n"));
    CHECK(holds(out, "3,456"));
}

TEST_CASE("IKE's commands ask for what they are called with, and need a name to do something") {
    for (const char* const what : {"up", "down", "rekey", "reauth"}) {
        const auto given = parsed({"ike", what, "newyork/offices"});
        REQUIRE(given);
        CHECK(given->command->method == "ike." + std::string{what});
        CHECK(given->arguments == std::vector<std::string>{"newyork/offices"});
        CHECK_FALSE(parsed({"ike", what}));
        CHECK_FALSE(parsed({"ike", what, "newyork", "osaka"}));
    }
    CHECK(parsed({"ike", "move", "newyork", "30.0.0.1"})->command->method == "ike.move");
    CHECK_FALSE(parsed({"ike", "move", "newyork"}));
    CHECK(parsed({"show", "ike"})->command->method == "ike.list");  // and not ike-log, of which it is a beginning
    const auto log = parsed({"show", "ike-log", "newyork", "-n", "7"});
    REQUIRE(log);
    CHECK(log->command->method == "ike.log");
    CHECK(log->value("-n") == "7");
    CHECK(parsed({"show", "ike-log"}));
}

TEST_CASE("what IKE's log holds of a peer's words cannot play with the terminal") {
    const std::string out =
        drawn({"show", "ike-log"},
              R"([{"unix_milliseconds":1800000000123,"level":"error","connection":"newyork","number":7,
                                       "text":"he calls himself \u001b]0;x\u0007"}])");
    CHECK(holds(out, ".123  error  newyork #7  he calls himself \\x1b]0;x\\x07\n"));
    CHECK(drawn({"show", "ike-log"}, "[]") == "IKE has nothing to say yet\n");
}
