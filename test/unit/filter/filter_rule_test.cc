// The language of the packet filter's rules.
#include "control/filter_rule.h"

#include "catch.h"

using namespace torii;
using namespace torii::control;

namespace {

/// The rule as it is written back, or why there is none.
std::string told(std::string_view text) {
    const auto rule = parse_filter_rule(text);
    return rule ? rule->text() : rule.error().message;
}

}  // namespace

TEST_CASE("a rule of the filter is written back as it was read") {
    for (const auto* text :
         {"pass", "block in on wan", "block out on wan proto esp",
          "pass proto tcp from any port 1024-65535 to any port 80",
          "block in on wan proto tcp from 10.0.0.0/8 to 20.0.0.1 port 25", "pass proto icmp type 8 code 0",
          "block from 2001:db8::/32", "pass to 10.0.1.5 fragments", "block proto udp whole", "block from any port 53",
          "pass in proto icmp6 to fe80::1 type 135", "block proto 253", "pass tag x",
          "pass in on wan proto tcp to any port 25 tag mail", "pass fragments tag fragments"}) {
        INFO(text);
        CHECK(told(text) == text);
    }
    const auto rule = parse_filter_rule("  block\tin  on wan proto ipv6-icmp from 2001:db8::1 ").value();
    CHECK(rule.action == FilterAction::block);
    CHECK(rule.way == Way::in);
    CHECK(rule.port == "wan");
    CHECK(rule.protocol == 58);
    CHECK(rule.source == Prefix::parse("2001:db8::1").value());
    CHECK_FALSE(rule.destination);
}

TEST_CASE("a word of a rule that means nothing is named") {
    CHECK(told("") == "pass or block is wanted, not ''");
    CHECK(told("drop in") == "pass or block is wanted, not 'drop'");
    CHECK(told("block inn on wan") == "'inn' is not understood here");
    CHECK(told("block on") == "on wants the name of a port");
    CHECK(told("block proto tpc") == "'tpc' is no protocol");
    CHECK(told("block proto tcp from tokyo") == "any, an address or a prefix is wanted, not 'tokyo'");
    CHECK(told("block proto tcp from any port http") == "a number up to 65535 is wanted, not 'http'");
    CHECK(told("block proto tcp from any port 80-79") == "the ports 80-79 are none");
    CHECK(told("block proto tcp from any port 70000") == "a number up to 65535 is wanted, not '70000'");
    CHECK(told("block proto esp from any port 80") == "esp has no ports");
    CHECK(told("block proto icmp from any port 8") == "icmp takes a type, not ports");
    CHECK(told("block proto tcp type 8") == "a type needs proto icmp or icmp6");
    CHECK(told("block from 10.0.0.1 to 2001:db8::1") == "source and destination are of different families");
    CHECK(told("pass to any from any") == "'from' is not understood here");
    CHECK(told("block in on wan tag mail") == "a packet that is blocked goes nowhere: tag belongs to pass rules");
    for (const std::string name : {"", "25", "sixteen-letters-", "\"mail\""})
        CHECK(told("pass tag " + name) ==
              "tag wants a name of 1 to 15 letters, digits, '-', '_', '.' and ':', a letter first, not '" + name + "'");
    CHECK(told("pass tag mail fragments") == "'fragments' is not understood here");
}
