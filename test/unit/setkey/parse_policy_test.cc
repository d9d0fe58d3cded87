// The statements about policies, and what is true of a text as a whole.
#include "catch.h"

#include "app/setkey/setkey.h"

using namespace torii;
using namespace torii::setkey;
using namespace torii::control;

namespace {

Policy policy(std::string_view text) {
    auto program = parse(text, "FILE");
    INFO(text);
    if (!program) FAIL(program.error().message);
    REQUIRE(program->operations.size() == 1);
    return std::get<AddPolicy>(std::move(program->operations.front().operation)).policy;
}
Policy behind(std::string_view text) {
    return policy("spdadd 10.0.1.0/24 10.0.2.0/24 any -P " + std::string{text} + ";");
}

std::string refusal(std::string_view text) {
    const auto program = parse(text, "FILE");
    return program ? "accepted" : program.error().text();
}
std::string refused(std::string_view text) {
    return refusal("spdadd 10.0.1.0/24 10.0.2.0/24 any -P " + std::string{text} + ";");
}
std::string refused_selector(std::string_view text) {
    return refusal("spdadd " + std::string{text} + " -P out discard;");
}
Selector selector(std::string_view text) { return policy("spdadd " + std::string{text} + " -P out discard;").selector; }

Endpoints endpoints(std::string_view source, std::string_view destination) {
    return {Address::parse(source).value(), Address::parse(destination).value()};
}

}  // namespace

TEST_CASE("a policy has a direction, a selector and an action") {
    const auto out = behind("out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require");
    CHECK(out.direction == Direction::outbound);
    CHECK(out.action == PolicyAction::protect);
    CHECK(out.priority == 0);
    CHECK(out.selector ==
          Selector{Prefix::parse("10.0.1.0/24").value(), Prefix::parse("10.0.2.0/24").value(), {}, {}, {}});
    REQUIRE(out.requests.size() == 1);
    CHECK(out.requests[0] ==
          Request{IpsecProtocol::esp, Mode::tunnel, Level::require, ReqId{0}, endpoints("20.0.0.1", "20.0.0.2")});

    CHECK(behind("in discard").direction == Direction::inbound);
    CHECK(behind("in discard").action == PolicyAction::discard);
    CHECK(behind("out none").action == PolicyAction::bypass);
    CHECK(behind("out none").requests.empty());
}

TEST_CASE("a request may leave out its addresses, its level and what separates them") {
    const Request transport{IpsecProtocol::esp, Mode::transport, Level::system_default, ReqId{0}, {}};
    for (const std::string text : {"esp/transport", "esp/transport/", "esp/transport//", "esp/transport//default",
                                   "esp / transport / / default", "esp\n/\ttransport\r\n//default"})
        CHECK(behind("out ipsec " + text).requests == std::vector{transport});
    CHECK(behind("out ipsec esp/transport//use").requests[0].level == Level::use);
    CHECK(behind("out ipsec esp/transport/10.0.0.1-10.0.0.2/require").requests[0] ==
          Request{IpsecProtocol::esp, Mode::transport, Level::require, ReqId{0}, endpoints("10.0.0.1", "10.0.0.2")});

    const Request tunnel{IpsecProtocol::esp, Mode::tunnel, Level::system_default, ReqId{0}, endpoints("::1", "::2")};
    for (const std::string text : {"esp/tunnel/::1-::2", "esp/tunnel/::1-::2/", "esp/tunnel/::1 - ::2 / default",
                                   "esp/tunnel/::1[any]-::2[0]/default"})
        CHECK(behind("out ipsec " + text).requests == std::vector{tunnel});
}

TEST_CASE("unique takes an id of 1 to 16383, or leaves it to the gateway") {
    CHECK(behind("out ipsec esp/transport//unique").requests[0].level == Level::unique);
    CHECK(behind("out ipsec esp/transport//unique").requests[0].reqid == ReqId{0});
    CHECK(behind("out ipsec esp/transport//unique:1").requests[0].reqid == ReqId{1});
    CHECK(behind("out ipsec esp/transport//unique:16383").requests[0].reqid == ReqId{16383});
    CHECK(behind("out ipsec esp/transport//unique:16383").requests[0].level == Level::unique);
    for (const std::string level : {"unique:0", "unique:16384", "unique:", "unique:x", "unique:99999999999"})
        CHECK(refused("out ipsec esp/transport//" + level) ==
              "FILE:1: unique takes an id of 1 to 16383 at '" + level + "' [bad_value]");
    CHECK(refused("out ipsec esp/transport//unique#16384") ==
          "FILE:1: ids behind # are given by the gateway: write unique alone at 'unique#16384' [bad_value]");
}

TEST_CASE("a policy bundles up to four requests, the first innermost") {
    const auto bundle = behind(
        "in ipsec esp/transport esp/tunnel/::1-::2/use\n"
        "esp/transport//require # the third\n"
        "esp/transport//unique:3");
    REQUIRE(bundle.requests.size() == 4);
    CHECK(bundle.requests[0].level == Level::system_default);
    CHECK(bundle.requests[1].mode == Mode::tunnel);
    CHECK(bundle.requests[2].level == Level::require);
    CHECK(bundle.requests[3].reqid == ReqId{3});
    CHECK(refused("in ipsec esp/transport esp/transport esp/transport esp/transport esp/transport") ==
          "FILE:1: a policy takes at most 4 requests at 'esp' [bad_value]");
}

TEST_CASE("a request that cannot be is refused where it stands") {
    CHECK(refused("out ipsec") ==
          "FILE:1: a request is needed: PROTOCOL/MODE/SOURCE-DESTINATION/LEVEL at ';' [bad_syntax]");
    CHECK(refused("out ipsec esp") == "FILE:1: '/' and a mode are needed behind the protocol at ';' [bad_syntax]");
    CHECK(refused("out ipsec esp/") == "FILE:1: a mode is needed: transport or tunnel at ';' [bad_syntax]");
    CHECK(refused("out ipsec esp/any//use") == "FILE:1: a mode is needed: transport or tunnel at 'any' [bad_syntax]");
    CHECK(refused("out ipsec esp/tunnel") == "FILE:1: a tunnel needs its two addresses at 'tunnel' [bad_value]");
    CHECK(refused("out ipsec esp/tunnel//require") ==
          "FILE:1: a tunnel needs its two addresses at 'tunnel' [bad_value]");
    CHECK(refused("out ipsec esp/tunnel/10.0.0.1-::2") ==
          "FILE:1: source and destination are of different families at '::2' [bad_value]");
    CHECK(refused("out ipsec esp/tunnel/10.0.0.1/require") ==
          "FILE:1: '-' and the tunnel's destination are needed at '/' [bad_syntax]");
    CHECK(refused("out ipsec esp/tunnel/tokyo-newyork/require") ==
          "FILE:1: a numeric address is needed here: names are for the ends of SAs and policies at 'tokyo' "
          "[unsupported]");
    CHECK(refused("out ipsec esp/transport//sometimes") ==
          "FILE:1: a level is needed: default, use, require, unique or unique:ID at 'sometimes' [bad_syntax]");
    CHECK(refused("out ipsec esp/tunnel/10.0.0.1[4500]-10.0.0.2[4500]/require") == "accepted");  // the SA's own ports
    CHECK(refused("out ipsec esp/transport//use extra") ==
          "FILE:1: a request is needed: PROTOCOL/MODE/SOURCE-DESTINATION/LEVEL at 'extra' [bad_syntax]");
}

TEST_CASE("requests may be of esp, ah and ipcomp in any order") {
    const auto requests =
        behind("out ipsec ipcomp/transport//use\n esp/transport//use\n ah/tunnel/10.0.0.1-10.0.0.2/require").requests;
    REQUIRE(requests.size() == 3);
    CHECK(requests[0] == Request{IpsecProtocol::ipcomp, Mode::transport, Level::use, ReqId{}, std::nullopt});
    CHECK(requests[1] == Request{IpsecProtocol::esp, Mode::transport, Level::use, ReqId{}, std::nullopt});
    CHECK(requests[2].protocol == IpsecProtocol::ah);
    CHECK(requests[2].mode == Mode::tunnel);
    CHECK(refused("out ipsec ah/tunnel") == "FILE:1: a tunnel needs its two addresses at 'tunnel' [bad_value]");
    CHECK(refused("out ipsec gre/transport//use") ==
          "FILE:1: a request is needed: PROTOCOL/MODE/SOURCE-DESTINATION/LEVEL at 'gre' [bad_syntax]");
}

TEST_CASE("directions and actions that setkey has elsewhere are refused with the reason") {
    CHECK(refused("both discard") == "FILE:1: a direction is needed: in or out at 'both' [bad_syntax]");
    CHECK(refused("out") == "FILE:1: an action is needed: discard, none or ipsec at ';' [bad_syntax]");
    CHECK(refused("out pass") == "FILE:1: an action is needed: discard, none or ipsec at 'pass' [bad_syntax]");
    for (const std::string action : {"entrust", "bypass"})
        CHECK(refused("out " + action) ==
              "FILE:1: entrust and bypass are for sockets; a policy here takes discard, none or ipsec at '" + action +
                  "' [unsupported]");
    CHECK(refused("out discard esp/transport//use") == "FILE:1: ';' is needed here at 'esp' [bad_syntax]");
    CHECK(refusal("spdadd 10.0.0.1 10.0.0.2 any;") == "FILE:1: -P and a policy are needed here at ';' [bad_syntax]");
    CHECK(refusal("spdadd 10.0.0.1 10.0.0.2 any -ctx 1 1 \"x\" -P out none;") ==
          "FILE:1: security contexts are labels of a host's own programs (SELinux): no packet on a gateway has one at "
          "'-ctx' [unsupported]");
}

TEST_CASE("me-any in policies out and any-me in policies in are the packet's own ends, and transport mode's alone") {
    const Request own{IpsecProtocol::esp, Mode::transport, Level::require, ReqId{}, std::nullopt};
    CHECK(behind("out ipsec esp/transport/me-any/require").requests == std::vector{own});
    CHECK(behind("in ipsec esp/transport/any-me/require").requests == std::vector{own});
    CHECK(behind("out ipsec esp / transport / me - any / require").requests == std::vector{own});
    CHECK(refused("out ipsec esp/tunnel/me-any/require") ==
          "FILE:1: a tunnel needs its two addresses at 'tunnel' [bad_value]");
    CHECK(refused("in ipsec esp/tunnel/any-me/require") ==
          "FILE:1: a tunnel needs its two addresses at 'tunnel' [bad_value]");
    CHECK(refused("in ipsec esp/transport/me-any/require") ==
          "FILE:1: out takes me-any, and in takes any-me at 'me' [bad_value]");
    CHECK(refused("out ipsec esp/transport/any-me/require") ==
          "FILE:1: out takes me-any, and in takes any-me at 'any' [bad_value]");
    CHECK(refused("out ipsec esp/transport/me-me/require") ==
          "FILE:1: out takes me-any, and in takes any-me at 'me' [bad_value]");
    CHECK(refused("out ipsec esp/transport/me/require") ==
          "FILE:1: '-' is needed: me-any or any-me at '/' [bad_syntax]");
}

TEST_CASE("tagged and a name in quotes stand for what the packet filter marks, in the place of ranges and protocol") {
    const auto program = parse(
                             "spdadd tagged \"mail\" -lh 60 -P out prio high ipsec esp/transport//require;"
                             "spdupdate tagged \"mail\" -P in discard;"
                             "spddelete tagged \"mail\" -P out;",
                             "FILE")
                             .value();
    REQUIRE(program.operations.size() == 3);
    const auto& added = std::get<control::AddPolicy>(program.operations[0].operation).policy;
    CHECK(added.selector == Selector{.tag = "mail"});
    CHECK(added.direction == Direction::outbound);
    CHECK(added.priority == 1 << 30);
    CHECK(added.lifetime_seconds == 60);
    CHECK(added.requests.size() == 1);
    CHECK(std::get<control::UpdatePolicy>(program.operations[1].operation).policy.selector == added.selector);
    CHECK(std::get<control::DeletePolicy>(program.operations[2].operation).selector == added.selector);
    CHECK(operation_text(program.operations[1].operation) == "spdupdate tagged \"mail\" -P in discard");
    CHECK(refusal("spdadd tagged mail -P out none;") ==
          "FILE:1: the name of a tag is needed here, in quotes on one line at 'mail' [bad_syntax]");
    CHECK(refusal("spdadd tagged \"mail\n\" -P out none;") ==
          "FILE:1: the name of a tag is needed here, in quotes on one line at '(quoted text)' [bad_syntax]");
    for (const std::string wrong : {"", "25", "two words", "sixteen-letters-"})
        CHECK(refusal("spdadd tagged \"" + wrong + "\" -P out none;") ==
              "FILE:1: a tag's name has 1 to 15 letters, digits, '-', '_', '.' and ':', a letter first at '(quoted "
              "text)' [bad_value]");
    CHECK(refusal("spdadd tagged \"mail\" tcp -P out none;") ==
          "FILE:1: -P and a policy are needed here at 'tcp' [bad_syntax]");
}

TEST_CASE("fwd is in, and of a text that says a policy as both, as Linux's do, the second is passed over") {
    CHECK(behind("fwd discard").direction == Direction::inbound);
    const auto count = [](std::string_view text) { return parse(text, "FILE").value().operations.size(); };
    const std::string ends = " ::1 ::2 any -P ", rule = " ipsec esp/transport//require;";
    CHECK(count("spdadd" + ends + "in" + rule + "spdadd" + ends + "fwd" + rule) == 1);
    CHECK(count("spdadd" + ends + "fwd" + rule + "spdadd" + ends + "in" + rule) == 1);
    CHECK(count("spdadd" + ends + "out" + rule + "spdadd" + ends + "fwd" + rule) == 2);
    CHECK(count("spdadd" + ends + "in" + rule + "spdadd" + ends + "in" + rule) == 2);  // the gateway refuses it
    CHECK(count("spdadd" + ends + "in" + rule + "spdadd" + ends + "fwd none;") == 2);  // and these: which is meant?
    CHECK(count("spdadd" + ends + "in" + rule + "spdflush; spdadd" + ends + "fwd" + rule) == 3);
    CHECK(count("spddelete" + ends + "in; spddelete" + ends + "fwd;") == 1);
    CHECK(count("spddelete" + ends + "fwd; spdadd" + ends + "in" + rule) == 2);
}

TEST_CASE("a policy may have a lifetime, and a time after which it goes unused") {
    const auto made = policy("spdadd ::1 ::2 icmp6 128,0 -lh 3600 -li 60 -P out none;");
    CHECK(made.lifetime_seconds == 3600);
    CHECK(made.validtime_seconds == 60);
    CHECK(policy("spdadd ::1 ::2 any -li 5 -P in discard;").lifetime_seconds == 0);
    CHECK(refusal("spdadd ::1 ::2 any -lh x -P out none;") == "FILE:1: -lh takes a decimal number at 'x' [bad_syntax]");
    CHECK(refusal("spdadd ::1 ::2 any -li 4294967296 -P out none;") ==
          "FILE:1: -li takes 0 to 4294967295 at '4294967296' [bad_value]");
}

TEST_CASE("a priority counts from low, def or high, and a higher one is searched first") {
    CHECK(behind("out prio 5 none").priority == 5);
    CHECK(behind("out priority -5 none").priority == -5);
    CHECK(behind("out prio - 5 none").priority == -5);
    CHECK(behind("out prio def none").priority == 0);
    CHECK(behind("out prio low none").priority == -1073741824);
    CHECK(behind("out prio high none").priority == 1073741824);
    CHECK(behind("out prio high + 7 none").priority == 1073741831);
    CHECK(behind("out prio low -7 none").priority == -1073741831);
    CHECK(behind("out prio def+7 ipsec esp/transport//use").priority == 7);
    CHECK(behind("out prio 2147483647 none").priority == 2147483647);
    CHECK(behind("out prio -2147483648 none").priority == -2147483647 - 1);
    CHECK(refused("out prio 2147483648 none") ==
          "FILE:1: a priority has 32 bits with its sign at '2147483648' [bad_value]");
    CHECK(refused("out prio high + 1073741824 none") ==
          "FILE:1: a priority has 32 bits with its sign at '1073741824' [bad_value]");
    CHECK(refused("out prio 9999999999 none") ==
          "FILE:1: a priority takes 0 to 2147483648 at '9999999999' [bad_value]");
    CHECK(refused("out prio none") == "FILE:1: a priority takes a decimal number at 'none' [bad_syntax]");
    CHECK(refused("out prio +5 none") == "FILE:1: a priority takes a decimal number at '+' [bad_syntax]");
}

TEST_CASE("a range is an address or a prefix, with a port, a range of ports, a service or any") {
    CHECK(selector("10.0.1.5 0.0.0.0/0 any") ==
          Selector{Prefix::parse("10.0.1.5/32").value(), Prefix::everything(Family::ipv4), {}, {}, {}});
    CHECK(selector("10.0.1.77/24[any] 10.0.2.1[110] tcp") == Selector{Prefix::parse("10.0.1.0/24").value(),
                                                                      Prefix::parse("10.0.2.1/32").value(),
                                                                      PortRange::any(), PortRange::only(110), 6});
    CHECK(selector("2001:db8::/32[domain] ::/0[1024-65535] udp") ==
          Selector{Prefix::parse("2001:db8::/32").value(), Prefix::everything(Family::ipv6), PortRange::only(53),
                   PortRange{1024, 65535}, 17});
    CHECK(selector("10.0.1.1[0] 10.0.2.1[80] 6").source_ports.is_any());
    CHECK(selector("-4 10.0.1.1 10.0.2.1 any").source.is_host());
    CHECK(refused_selector("10.0.1.0/33 10.0.2.1 any") ==
          "FILE:1: a prefix length of this address takes 0 to 32 at '33' [bad_value]");
    CHECK(refused_selector("::/129 ::1 any") ==
          "FILE:1: a prefix length of this address takes 0 to 128 at '129' [bad_value]");
    CHECK(refused_selector("10.0.1.0/ 10.0.2.1 any") ==
          "FILE:1: a prefix length of this address takes a decimal number at '10.0.2.1' [bad_syntax]");
    for (const std::string port : {"65536", "9-8", "nosuchservice", "-", "1-2-3"})
        CHECK(refused_selector("10.0.1.1[" + port + "] 10.0.2.1 tcp") ==
              "FILE:1: this is no port (0 to 65535) and no service that is known here at '" + port + "' [bad_value]");
    CHECK(refused_selector("10.0.1.1[] 10.0.2.1 tcp") ==
          "FILE:1: a port, a service or any is needed at ']' [bad_syntax]");
    CHECK(refused_selector("10.0.1.1[80 10.0.2.1 tcp") ==
          "FILE:1: ']' is needed behind a port at '10.0.2.1' [bad_syntax]");
    CHECK(refused_selector("10.0.1.1 ::1 any") ==
          "FILE:1: source and destination are of different families at '::1' [bad_value]");
    CHECK(refused_selector("-6 10.0.1.1 10.0.2.1 any") ==
          "FILE:1: -6 asks for IPv6 addresses at '10.0.1.1' [bad_value]");
}

TEST_CASE("an upper-layer protocol is any, a number or a name of a fixed table") {
    const auto protocol = [](std::string_view text) { return selector("::1 ::2 " + std::string{text}).protocol; };
    CHECK(protocol("any") == std::nullopt);
    CHECK(protocol("255") == std::nullopt);
    CHECK(protocol("0") == 0);
    CHECK(protocol("17") == 17);
    const std::pair<std::string_view, int> names[] = {
        {"tcp", 6},   {"udp", 17}, {"icmp", 1}, {"icmp6", 58}, {"ipv6-icmp", 58}, {"ip4", 4},      {"ipv4", 4},
        {"ipv6", 41}, {"esp", 50}, {"ah", 51},  {"gre", 47},   {"sctp", 132},     {"ipcomp", 108}, {"ospf", 89},
        {"TCP", 6},   {"UDP", 17}, {"egp", 8},  {"ipip", 94},  {"IPv6-ICMP", 58}, {"hip", 139},    {"rdp", 27}};
    for (const auto& [name, number] : names) CHECK(protocol(name) == number);
    for (const std::string wrong : {"256", "ipx", "-P", "1.2.3.4"})
        CHECK(refused_selector("::1 ::2 " + wrong) ==
              "FILE:1: an upper-layer protocol is needed: any, a number of 0 to 255 or a known name at '" + wrong +
                  "' [bad_value]");
}

TEST_CASE("icmp takes a type and a code, of which 0 stands for any, and no ports") {
    const auto echo = selector("10.0.0.1 10.0.0.2 icmp 8,0");
    CHECK(echo.protocol == 1);
    CHECK(echo.source_ports == PortRange::only(8));
    CHECK(echo.destination_ports.is_any());
    CHECK(selector("::1 ::2 icmp6 1,4").destination_ports == PortRange::only(4));
    CHECK(selector("::1 ::2 58 135").source_ports == PortRange::only(135));
    CHECK(selector("::1 ::2 icmp6 133-137,0").source_ports == PortRange{133, 137});
    for (const std::string wrong : {"256,0", "8,256", "8,", ",0", "x,y", "1,2,3"})
        CHECK(refused_selector("10.0.0.1 10.0.0.2 icmp " + wrong) ==
              "FILE:1: icmp takes 'type,code', each 0 to 255 and 0 for any at '" + wrong + "' [bad_value]");
    for (const std::string portless : {"icmp", "icmp6", "gre"})
        CHECK(refused_selector("10.0.0.1[8] 10.0.0.2 " + portless) ==
              "FILE:1: this protocol has no ports; icmp takes 'type,code' behind it at '" + portless + "' [bad_value]");
    CHECK(refused_selector("10.0.0.1 10.0.0.2 tcp 8,0") ==
          "FILE:1: only icmp and icmp6 take a type and a code behind their name, and gre takes a key at '8,0' "
          "[bad_syntax]");
}

TEST_CASE("gre takes a key of 32 bits, a number or four octets, of which 0 stands for any") {
    for (const std::string key : {"16909060", "1.2.3.4"}) {
        const auto keyed = selector("10.0.0.1 10.0.0.2 gre " + key);
        CHECK(keyed.protocol == 47);
        CHECK(keyed.source_ports == PortRange::only(0x0102));
        CHECK(keyed.destination_ports == PortRange::only(0x0304));
    }
    CHECK(selector("::1 ::2 gre 77").source_ports == PortRange::only(0));
    CHECK(selector("::1 ::2 47 77").destination_ports == PortRange::only(77));
    CHECK(selector("::1 ::2 gre 4294967295").source_ports == PortRange::only(65535));
    for (const std::string all : {"gre", "gre 0", "gre 0.0.0.0"})
        CHECK_FALSE(selector("::1 ::2 " + all).asks_for_ports());
    for (const std::string wrong : {"4294967296", "1,2", "::1", "0x10", "1.2.3"})
        CHECK(refused_selector("::1 ::2 gre " + wrong) ==
              "FILE:1: a key of GRE has 32 bits: a number, or four octets as in 0.0.1.44 at '" + wrong +
                  "' [bad_value]");
}

TEST_CASE("spdupdate takes what spdadd takes, and spddelete the direction alone or a whole policy") {
    auto program = parse(
                       "spdupdate 10.0.0.1 10.0.0.2 tcp -P in none;"
                       "spddelete 10.0.0.1 10.0.0.2 tcp -P in;"
                       "spddelete 10.0.0.1 10.0.0.2 tcp -P out prio 3 ipsec esp/transport//use;"
                       "spdflush;",
                       "FILE")
                       .value();
    REQUIRE(program.operations.size() == 4);
    CHECK(std::get<UpdatePolicy>(program.operations[0].operation).policy.action == PolicyAction::bypass);
    CHECK(std::get<DeletePolicy>(program.operations[1].operation).direction == Direction::inbound);
    CHECK(std::get<DeletePolicy>(program.operations[1].operation).selector.protocol == 6);
    CHECK(std::get<DeletePolicy>(program.operations[2].operation).direction == Direction::outbound);
    CHECK(std::holds_alternative<FlushPolicies>(program.operations[3].operation));
}

TEST_CASE("every operation knows its line, whatever ends the lines") {
    for (const std::string end : {"\n", "\r\n"}) {
        const auto text = "# a comment; with a statement: flush;" + end + end + "flush;" + end + "spdadd 10.0.0.1" +
                          end + "  10.0.0.2 any # half way" + end + "  -P out none; spdflush;" + end +
                          "dump; spddump;" + end;
        const auto program = parse(text, "/etc/ipsec.conf").value();
        REQUIRE(program.operations.size() == 3);
        CHECK(program.operations[0].where == "/etc/ipsec.conf:3");
        CHECK(program.operations[1].where == "/etc/ipsec.conf:4");
        CHECK(program.operations[2].where == "/etc/ipsec.conf:6");
        CHECK(program.queries_before.empty());
        REQUIRE(program.queries_after.size() == 2);
        CHECK(program.queries_after[1].kind == Query::Kind::spddump);
        CHECK(program.queries_after[1].where == "/etc/ipsec.conf:7");
    }
}

TEST_CASE("the first fault is told with its own line, and nothing of the text is kept") {
    CHECK(refusal("flush;\nspdflush;\nadd ::1 ::2\nesp 1000x -E null;\nnonsense;") ==
          "FILE:4: an SPI takes a decimal number at '1000x' [bad_syntax]");
    CHECK(refusal("nonsense;") == "FILE:1: this is no setkey statement at 'nonsense' [bad_syntax]");
    CHECK(refusal(";") == "FILE:1: this is no setkey statement at ';' [bad_syntax]");
    CHECK(refusal("Flush;") == "FILE:1: this is no setkey statement at 'Flush' [bad_syntax]");
    CHECK(refusal("flush\n\n") == "FILE:3: esp, ah, ipcomp or ';' is needed at 'end of text' [bad_syntax]");
    CHECK(refusal("spdflush spddump;") == "FILE:1: ';' is needed here at 'spddump' [bad_syntax]");
    CHECK(refusal("spdflush!") == "FILE:1: ';' is needed here at '!' [bad_syntax]");
    CHECK(refusal(std::string_view{"spdflush\0;", 10}) == "FILE:1: ';' is needed here at '\\x00' [bad_syntax]");
    CHECK(refusal("\xe3\x83\x88") == "FILE:1: this is no setkey statement at '\\xe3' [bad_syntax]");
    CHECK(refusal("\"hogehogehogehoge\"") == "FILE:1: this is no setkey statement at '(quoted text)' [bad_syntax]");
    CHECK(refusal(std::string(100, 'x')) ==
          "FILE:1: this is no setkey statement at '" + std::string(64, 'x') + "...' [bad_syntax]");
}

TEST_CASE("exit, quit and bye end a text") {
    for (const std::string word : {"exit", "quit", "bye"}) {
        const auto program = parse("flush; " + word + "; nonsense \"", "FILE").value();
        CHECK(program.operations.size() == 1);
    }
    CHECK(refusal("exit") == "FILE:1: ';' is needed here at 'end of text' [bad_syntax]");
}

TEST_CASE("a text has a size and a count of statements that it may not exceed") {
    CHECK(parse("", "FILE").value().operations.empty());
    CHECK(parse(std::string(max_text_octets, ' '), "FILE"));
    CHECK(refusal(std::string(max_text_octets + 1, ' ')) == "FILE: a text takes at most 67108864 octets [no_room]");
    std::string dumps;
    for (std::size_t i = 0; i <= max_statements; ++i) dumps += "dump;\n";
    CHECK(refusal(dumps) == "FILE:1000001: a text takes at most 1000000 statements at 'dump' [no_room]");
}
