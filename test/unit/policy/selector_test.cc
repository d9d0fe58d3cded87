#include "policy/policy.h"

#include "catch.h"
#include "written.h"

using namespace torii;
using test::packet;
using test::rule;

namespace Catch {
template <>
struct StringMaker<Match> {
    static std::string convert(Match match) {
        return match == Match::no ? "no" : match == Match::yes ? "yes" : "needs_ports";
    }
};
}  // namespace Catch

namespace {

struct Case {
    const char* rule;
    const char* packet;
    Match expected;
};

void check(std::initializer_list<Case> cases) {
    for (const auto& [written_rule, written_packet, expected] : cases) {
        INFO(written_rule << " meets " << written_packet);
        CHECK(matches(rule(written_rule), packet(written_packet)) == expected);
    }
}

constexpr auto no = Match::no, yes = Match::yes, needs_ports = Match::needs_ports;

}  // namespace

TEST_CASE("a rule matches packets from inside its source to inside its destination (RFC 4301 4.4.1.1)") {
    check({
        {"10.0.1.0/24[any] 10.0.2.0/24[any] any", "10.0.1.5[1] 10.0.2.6[2] tcp", yes},
        {"10.0.1.0/24[any] 10.0.2.0/24[any] any", "10.0.2.6[2] 10.0.1.5[1] tcp", no},  // the way back is another rule
        {"10.0.1.0/24[any] 10.0.2.0/24[any] any", "10.0.1.5[1] 10.0.3.0[2] tcp", no},
        {"10.0.1.0/24[any] 10.0.2.0/24[any] any", "10.0.0.255[1] 10.0.2.6[2] tcp", no},
        {"10.0.1.7[any] 10.0.2.0/24[any] any", "10.0.1.7[1] 10.0.2.6[2] tcp", yes},
        {"10.0.1.7[any] 10.0.2.0/24[any] any", "10.0.1.6[1] 10.0.2.6[2] tcp", no},
        {"2001:db8:1::/47[any] ::/0[any] any", "2001:db8:1:ffff::1[1] 2001:db8::2[2] udp", yes},
        {"2001:db8:1::/48[any] ::/0[any] any", "2001:db8:2::1[1] 2001:db8::2[2] udp", no},
    });
}

TEST_CASE("everything of one IP version is nothing of the other") {
    check({
        {"0.0.0.0/0[any] 0.0.0.0/0[any] any", "10.0.1.5 10.0.2.6 gre", yes},
        {"0.0.0.0/0[any] 0.0.0.0/0[any] any", ":: ::1 gre", no},
        {"::/0[any] ::/0[any] any", ":: ::1 gre", yes},
        {"::/0[any] ::/0[any] any", "0.0.0.0 0.0.0.1 gre", no},
        {"0.0.0.0/0[any] ::/0[any] any", "10.0.1.5 10.0.2.6 gre", no},  // such a rule matches nothing that exists
        {"0.0.0.0/0[any] ::/0[any] any", ":: ::1 gre", no},
    });
}

TEST_CASE("a rule that names a protocol matches that one, a rule for any matches all") {
    check({
        {"0.0.0.0/0[any] 0.0.0.0/0[any] tcp", "10.0.1.5[1] 10.0.2.6[2] tcp", yes},
        {"0.0.0.0/0[any] 0.0.0.0/0[any] tcp", "10.0.1.5[1] 10.0.2.6[2] udp", no},
        {"0.0.0.0/0[any] 0.0.0.0/0[any] gre", "10.0.1.5 10.0.2.6 gre", yes},
        {"0.0.0.0/0[any] 0.0.0.0/0[any] any", "10.0.1.5 10.0.2.6 0", yes},
        {"0.0.0.0/0[any] 0.0.0.0/0[any] 0", "10.0.1.5 10.0.2.6 gre", no},  // 0 is a protocol of its own, not `any`
    });
}

TEST_CASE("ports are matched as ranges that include both ends") {
    check({
        {"0.0.0.0/0[any] 0.0.0.0/0[80] tcp", "10.0.1.5[4711] 10.0.2.6[80] tcp", yes},
        {"0.0.0.0/0[any] 0.0.0.0/0[80] tcp", "10.0.1.5[80] 10.0.2.6[4711] tcp", no},
        {"0.0.0.0/0[80-90] 0.0.0.0/0[any] udp", "10.0.1.5[80] 10.0.2.6[1] udp", yes},
        {"0.0.0.0/0[80-90] 0.0.0.0/0[any] udp", "10.0.1.5[90] 10.0.2.6[1] udp", yes},
        {"0.0.0.0/0[80-90] 0.0.0.0/0[any] udp", "10.0.1.5[79] 10.0.2.6[1] udp", no},
        {"0.0.0.0/0[80-90] 0.0.0.0/0[any] udp", "10.0.1.5[91] 10.0.2.6[1] udp", no},
        {"0.0.0.0/0[0] 0.0.0.0/0[65535] sctp", "10.0.1.5[0] 10.0.2.6[65535] sctp", yes},
        {"0.0.0.0/0[any] 0.0.0.0/0[1-65535] tcp", "10.0.1.5[1] 10.0.2.6[0] tcp", no},
        {"0.0.0.0/0[90-80] 0.0.0.0/0[any] tcp", "10.0.1.5[85] 10.0.2.6[1] tcp", no},  // an empty range
        {"0.0.0.0/0[any] 0.0.0.0/0[80] any", "10.0.1.5[4711] 10.0.2.6[80] tcp", yes},
        {"0.0.0.0/0[any] 0.0.0.0/0[80] any", "10.0.1.5[4711] 10.0.2.6[80] udp", yes},
    });
}

TEST_CASE("a rule that asks for ports matches no packet of a protocol without ports") {
    check({
        {"0.0.0.0/0[any] 0.0.0.0/0[80] esp", "10.0.1.5 10.0.2.6 esp", no},
        {"0.0.0.0/0[0] 0.0.0.0/0[0] esp", "10.0.1.5 10.0.2.6 esp", no},  // absent is not zero
        {"0.0.0.0/0[any] 0.0.0.0/0[any] esp", "10.0.1.5 10.0.2.6 esp", yes},
        {"0.0.0.0/0[0-80] 0.0.0.0/0[any] any", "10.0.1.5 10.0.2.6 esp", no},
    });
}

TEST_CASE("a rule with a key of GRE matches what carries it, and no ports of others (RFC 2890 2.1)") {
    check({
        {"0.0.0.0/0[1] 0.0.0.0/0[300] gre", "10.0.1.5[1] 10.0.2.6[300] gre", yes},
        {"0.0.0.0/0[1] 0.0.0.0/0[300] gre", "10.0.1.5[0] 10.0.2.6[300] gre", no},
        {"0.0.0.0/0[1] 0.0.0.0/0[300] gre", "10.0.1.5 10.0.2.6 gre", no},  // without a key
        {"0.0.0.0/0[1] 0.0.0.0/0[300] gre", "10.0.1.5[unknown] 10.0.2.6[unknown] gre", needs_ports},
        {"0.0.0.0/0[any] 0.0.0.0/0[any] gre", "10.0.1.5[1] 10.0.2.6[300] gre", yes},
        {"0.0.0.0/0[1] 0.0.0.0/0[300] any", "10.0.1.5[1] 10.0.2.6[300] gre", no},  // ports were meant
    });
    CHECK(rule("10.0.1.0/24[1] 10.0.2.6[300] gre").text() == "10.0.1.0/24 10.0.2.6 gre 65836");
    CHECK(packet("10.0.1.5[0] 10.0.2.6[44] gre").text() == "10.0.1.5 10.0.2.6 gre 44");
}

TEST_CASE("a policy with a tag matches what bears it, of either family, and nothing else") {
    Policy policy{.selector = {.tag = "mail"}, .tag = Tag{3}};
    for (const auto* text :
         {"10.0.1.5[4711] 10.0.2.6[25] tcp", "::1 ::2 gre", "10.0.1.5 10.0.2.6 icmp unknown,unknown"}) {
        PacketSelector bearer = packet(text);
        CHECK(matches(policy, bearer) == no);
        CHECK(near_miss(policy, bearer) == "tag");
        bearer.tag = Tag{3};
        CHECK(matches(policy, bearer) == yes);
        CHECK(near_miss(policy, bearer).empty());
        bearer.tag = Tag{4};
        CHECK(matches(policy, bearer) == no);
    }
    CHECK(policy.selector.text() == "tagged \"mail\"");
    policy.tag = Tag::none;  // a name without a number is nobody's
    CHECK(matches(policy, packet("10.0.1.5[4711] 10.0.2.6[25] tcp")) == no);
    const Policy others{.selector = rule("10.0.1.0/24[any] 10.0.2.0/24[any] any")};
    PacketSelector bearer = packet("10.0.1.5[4711] 10.0.2.6[25] tcp");
    bearer.tag = Tag{3};
    CHECK(matches(others, bearer) == yes);  // a tag takes nothing away
}

TEST_CASE("a tag is called by 1 to 15 letters, digits, '-', '_', '.' and ':', a letter first") {
    for (const auto* good : {"m", "mail", "Mail-25", "a.b_c:d", "fifteen-letters"}) CHECK(is_tag_name(good));
    for (const auto* bad : {"", "25", "-x", "two words", "sixteen-letters-", "\"", "x\n", "f\xc3\xbc"})
        CHECK_FALSE(is_tag_name(bad));
}

TEST_CASE("ICMP rules match by type and code, and only where the rule names ICMP") {
    check({
        {"0.0.0.0/0 0.0.0.0/0 icmp 8,0", "10.0.1.5 10.0.2.6 icmp 8,0", yes},
        {"0.0.0.0/0 0.0.0.0/0 icmp 8,0", "10.0.1.5 10.0.2.6 icmp 0,0", no},
        {"0.0.0.0/0 0.0.0.0/0 icmp 3,any", "10.0.1.5 10.0.2.6 icmp 3,4", yes},
        {"0.0.0.0/0 0.0.0.0/0 icmp", "10.0.1.5 10.0.2.6 icmp 3,4", yes},
        {"::/0 ::/0 icmp6 135-136,any", "::1 ::2 icmp6 135,0", yes},
        {"::/0 ::/0 icmp6 135-136,any", "::1 ::2 icmp6 134,0", no},
        {"0.0.0.0/0[8] 0.0.0.0/0[any] any", "10.0.1.5 10.0.2.6 icmp 8,0", no},  // port 8 is not type 8
        {"0.0.0.0/0[any] 0.0.0.0/0[any] any", "10.0.1.5 10.0.2.6 icmp 8,0", yes},
    });
}

TEST_CASE("a packet that does not tell its ports matches rules that ask for none, and leaves the others open") {
    check({
        {"0.0.0.0/0[any] 0.0.0.0/0[any] tcp", "10.0.1.5[unknown] 10.0.2.6[unknown] tcp", yes},
        {"0.0.0.0/0[any] 0.0.0.0/0[80] tcp", "10.0.1.5[unknown] 10.0.2.6[unknown] tcp", needs_ports},
        {"0.0.0.0/0[1-9] 0.0.0.0/0[any] any", "10.0.1.5[unknown] 10.0.2.6[unknown] tcp", needs_ports},
        {"0.0.0.0/0[any] 0.0.0.0/0[80] tcp", "10.0.1.5[unknown] 10.0.2.6[unknown] udp", no},
        {"10.0.9.0/24[any] 0.0.0.0/0[80] tcp", "10.0.1.5[unknown] 10.0.2.6[unknown] tcp", no},
        {"0.0.0.0/0 0.0.0.0/0 icmp 8,0", "10.0.1.5 10.0.2.6 icmp unknown,unknown", needs_ports},
        {"0.0.0.0/0[any] 0.0.0.0/0[80] any", "10.0.1.5 10.0.2.6 icmp unknown,unknown", no},
        {"0.0.0.0/0[any] 0.0.0.0/0[80] any", "10.0.1.5[unknown] 10.0.2.6[unknown] gre", no},  // it never had any
    });
}

TEST_CASE("selectors are written as setkey -DP writes them") {
    for (const auto* text : {
             "10.0.1.0/24[any] 10.0.2.0/24[any] any",
             "10.0.1.1[any] 0.0.0.0/0[80] tcp",
             "10.0.1.1[1024-65535] 10.0.2.1[53] udp",
             "2001:db8::1[any] 2001:db8:2::/48[any] ip4",
             "10.0.1.0/24[any] 10.0.2.0/24[any] 99",
             "10.0.1.0/24 10.0.2.0/24 icmp",
             "10.0.1.1 10.0.2.1 icmp 8,0",
             "::/0 fe80::/10 icmp6 135,any",
         })
        CHECK(rule(text).text() == text);
}

TEST_CASE("packets are written with what they tell") {
    for (const auto* text : {
             "10.0.1.5[4711] 10.0.2.6[80] tcp",
             "10.0.1.5[unknown] 10.0.2.6[unknown] udp",
             "2001:db8::1 2001:db8::2 icmp6 128,0",
             "10.0.1.5 10.0.2.6 icmp unknown,unknown",
             "10.0.1.5 10.0.2.6 gre",
         })
        CHECK(packet(text).text() == text);
}
