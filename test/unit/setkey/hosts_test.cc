// Host names: what they may stand for, and that nothing is done while one of them is not known.
#include "app/setkey/setkey.h"
#include "catch.h"
#include "setkey/fake_control.h"

using namespace torii;
using namespace torii::setkey;
using namespace torii::control;

namespace {

const Hosts known = {
    {"tokyo.example", {Address::parse("20.0.0.1").value()}},
    {"newyork", {Address::parse("20.0.0.2").value(), Address::parse("2001:db8::2").value()}},
    {"old-osaka", {Address::parse("20.0.0.3").value(), Address::parse("20.0.0.4").value()}},
    {"v6only", {Address::parse("2001:db8::9").value()}},
};

/// "SOURCE DESTINATION, ..." of the SAs that a text adds.
std::string ends(std::string_view text) {
    auto program = parse(text, "FILE", known);
    if (!program) return program.error().text();
    std::string out;
    for (const Located& located : program->operations) {
        const SaSpec* const spec = spec_of(located.operation);
        REQUIRE(spec != nullptr);
        CHECK(spec->auth_key.same_as(SecretBytes{std::as_bytes(std::span{std::string_view{"hogehogehogehoge"}})}));
        out += (out.empty() ? "" : ", ") + spec->id.source.text() + " " + spec->id.destination.text();
    }
    return out;
}

constexpr std::string_view tail = " esp 4096 -E null -A hmac-md5 \"hogehogehogehoge\";";
std::string added(std::string_view hosts) { return ends("add " + std::string{hosts} + std::string{tail}); }

std::string refusal(std::string_view text) {
    const auto program = parse(text, "FILE", known);
    return program ? "accepted" : program.error().text();
}

}  // namespace

TEST_CASE("an SA between hosts is added for every pair of their addresses of one family") {
    CHECK(added("tokyo.example 20.0.0.9") == "20.0.0.1 20.0.0.9");
    CHECK(added("tokyo.example newyork") == "20.0.0.1 20.0.0.2");
    CHECK(added("newyork newyork") == "20.0.0.2 20.0.0.2, 2001:db8::2 2001:db8::2");
    CHECK(added("tokyo.example old-osaka") == "20.0.0.1 20.0.0.3, 20.0.0.1 20.0.0.4");
    CHECK(added("old-osaka old-osaka") == "20.0.0.3 20.0.0.3, 20.0.0.3 20.0.0.4, 20.0.0.4 20.0.0.3, 20.0.0.4 20.0.0.4");
    CHECK(added("-6 newyork v6only") == "2001:db8::2 2001:db8::9");
    CHECK(added("-4 newyork old-osaka") == "20.0.0.2 20.0.0.3, 20.0.0.2 20.0.0.4");
    CHECK(added("tokyo.example v6only") ==
          "FILE:1: source and destination are of different families at 'v6only' [bad_value]");
    CHECK(added("-6 tokyo.example v6only") == "FILE:1: this host has no IPv6 address at 'tokyo.example' [bad_value]");
    CHECK(added("-4 20.0.0.1 v6only") == "FILE:1: this host has no IPv4 address at 'v6only' [bad_value]");
    CHECK(added("-n tokyo.example newyork") == "FILE:1: -n asks for numeric addresses at 'tokyo.example' [bad_value]");
    CHECK(parse("getspi tokyo.example old-osaka esp 0; update old-osaka newyork esp 4096 -E null;", "FILE", known)
              .value()
              .operations.size() == 4);
    CHECK(parse("deleteall old-osaka newyork esp;", "FILE", known).value().operations.size() == 2);
}

TEST_CASE("what takes one SA, and a policy, take hosts of one address alone") {
    CHECK(parse("delete tokyo.example newyork esp 4096; get tokyo.example newyork esp 4096;", "FILE", known));
    for (const std::string statement : {"delete", "get"})
        CHECK(refusal(statement + " tokyo.example old-osaka esp 4096;") ==
              "FILE:1: these hosts have several addresses, and this takes one SA at 'tokyo.example' [bad_value]");
    const auto program = parse("spdadd tokyo.example[110] -4 any -P out none;", "FILE", known);
    CHECK_FALSE(program);
    const auto policy = parse("spdadd -4 tokyo.example[110] newyork tcp -P out none;", "FILE", known).value();
    CHECK(std::get<AddPolicy>(policy.operations.at(0).operation).policy.selector.text() ==
          "20.0.0.1[110] 20.0.0.2[any] tcp");
    CHECK(refusal("spdadd old-osaka 10.0.0.0/8 any -P out none;") ==
          "FILE:1: this host has several addresses, and a policy takes one: write it, or -4 or -6 at 'old-osaka' "
          "[bad_value]");
}

TEST_CASE("names that nobody knows are told once each with their place, and such a text is not run") {
    const auto program = parse(
        "add tokyo.example a.example esp 4096 -E null;\n"
        "spdadd a.example/24 2001:db8::/32 any -P out none;\ndeleteall b-c 20.0.0.1;\nget ::1 a.example esp 4096;",
        "FILE", known);
    REQUIRE(program);
    REQUIRE(program->unknown_hosts.size() == 2);
    CHECK(program->unknown_hosts[0].name == "a.example");
    CHECK(program->unknown_hosts[0].where == "FILE:1");
    CHECK(program->unknown_hosts[1].name == "b-c");
    CHECK(program->unknown_hosts[1].where == "FILE:3");
    test::FakeControl control;
    auto again = parse("\nflush; delete a.example ::1 esp 4096;", "FILE").value();
    CHECK(run(control, std::move(again), {}).error().text() ==
          "FILE:2: nobody told the address of the host 'a.example' [not_found]");
    CHECK(control.transactions == 0);
}

TEST_CASE("what is no host name is refused as the address that it is not") {
    for (const std::string wrong : {"20.0.0.256", "10.0.0.1.2", "fe80::1%eth0", "a,b", "1-2"})
        CHECK(refusal("deleteall " + wrong + " 20.0.0.2;") ==
              "FILE:1: this is not an IPv4 or IPv6 address at '" + wrong + "' [bad_value]");
    CHECK(refusal("deleteall " + std::string(254, 'a') + " ::1;").starts_with("FILE:1: this is not an IPv4"));
    std::string text;
    for (std::size_t i = 0; i <= max_hosts; ++i) text += "deleteall h" + std::to_string(i) + " ::1;";
    CHECK(refusal(text) == "FILE:1: a text takes at most 256 host names at 'h256' [no_room]");
}
