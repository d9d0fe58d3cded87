// The words of `torii explain`, and what the socket answers to them.
#include "app/rpc/question.h"

#include "app/rpc/methods.h"
#include "catch.h"
#include "fake_control.h"

using namespace torii;
using namespace torii::rpc;

namespace {

/// The packet that `text` means, as selectors are written; or why it means none.
std::string meant(const QuestionText& text) {
    const auto question = parse_question(text);
    return question ? question->packet.text() : question.error().message;
}

}  // namespace

TEST_CASE("the words of explain mean a packet, with a ping and ephemeral ports where nothing is said") {
    CHECK(meant({.source = "10.0.1.5", .destination = "10.0.2.5"}) == "10.0.1.5 10.0.2.5 icmp 8,0");
    CHECK(meant({.source = "2001:db8::1", .destination = "2001:db8::2"}) == "2001:db8::1 2001:db8::2 icmp6 128,0");
    CHECK(meant({.source = "10.0.1.5", .destination = "10.0.2.5", .protocol = "icmp", .ports = "3,4"}) ==
          "10.0.1.5 10.0.2.5 icmp 3,4");
    CHECK(meant({.source = "10.0.1.5", .destination = "10.0.2.5", .protocol = "tcp", .ports = "80"}) ==
          "10.0.1.5[49152] 10.0.2.5[80] tcp");
    CHECK(meant({.source = "10.0.1.5", .destination = "10.0.2.5", .protocol = "17", .ports = "53,4000"}) ==
          "10.0.1.5[53] 10.0.2.5[4000] udp");
    CHECK(meant({.source = "10.0.1.5[110]", .destination = "10.0.2.5", .protocol = "tcp"}) ==
          "10.0.1.5[110] 10.0.2.5[49152] tcp");
    CHECK(meant({.source = "10.0.1.5", .destination = "10.0.2.5", .protocol = "esp"}) == "10.0.1.5 10.0.2.5 esp");
}

TEST_CASE("a word of explain that means nothing is named") {
    CHECK(meant({.source = "tokyo", .destination = "10.0.2.5"}) ==
          "'tokyo' is no IPv4 or IPv6 address, as in 10.0.1.5 or 10.0.1.5[110]");
    CHECK(meant({.source = "10.0.1.5[110", .destination = "10.0.2.5"}) == "'10.0.1.5[110' lacks its ]");
    CHECK(meant({.source = "10.0.1.5", .destination = "10.0.2.5", .protocol = "tpc"}) ==
          "'tpc' is no protocol: a name like tcp or esp, or 0 to 255 is right");
    CHECK(meant({.source = "10.0.1.5", .destination = "10.0.2.5", .protocol = "256"}) ==
          "'256' is no protocol: a name like tcp or esp, or 0 to 255 is right");
    CHECK(meant({.source = "10.0.1.5", .destination = "10.0.2.5", .protocol = "tcp", .ports = "66000"}) ==
          "'66000' is no port: 0 to 65535 is right");
    CHECK(meant({.source = "10.0.1.5", .destination = "10.0.2.5", .protocol = "esp", .ports = "80"}) ==
          "esp has no ports");
    CHECK(meant({.source = "10.0.1.5", .destination = "10.0.2.5", .protocol = "icmp", .ports = "300"}) ==
          "'300' is no ICMP type: 0 to 255 is right");
}

TEST_CASE("explain over the socket asks what was meant and answers steps for people and fields for programs") {
    test::FixedGateway gateway;
    const Setkey setkey = test::fake_setkey();
    const Call call{.control = gateway, .setkey = setkey, .subscribe = [] {}};
    const auto line = answer(call, R"({"jsonrpc":"2.0","id":1,"method":"explain","params":{"source":"10.0.1.5",)"
                                   R"("destination":"10.0.2.5","protocol":"tcp","ports":"80","port":"wan"}})");
    CHECK(gateway.asked.packet.destination_port == 80);
    CHECK(gateway.asked.port == "wan");
    for (const auto* part : {R"("fate":"drop")", R"("direction":"out","asked":true,"action":"bypass","policies":2)",
                             R"("match":{"id":2,"place":2,"text":"everything"})",
                             R"("nearly":[{"id":1,"place":1,"text":"nearly everything","differs_in":"protocol"}])",
                             R"("steps":[{"stage":"packet","text":"10.0.1.5[49152] 10.0.2.5[80] tcp"}])"}) {
        INFO(part);
        CHECK(line.find(part) != WipedString::npos);
    }
}

TEST_CASE("changes of the filter over the socket are one operation each, and what is wrong with one is told") {
    test::FixedGateway gateway;
    const Setkey setkey = test::fake_setkey();
    const Call call{.control = gateway, .setkey = setkey, .subscribe = [] {}};
    const auto ask = [&](std::string_view method, std::string_view params) {
        const auto line = answer(call, R"({"jsonrpc":"2.0","id":1,"method":")" + std::string{method} +
                                           R"(","params":)" + std::string{params} + "}");
        return std::string{line.data(), line.size()};
    };
    const auto holds = [](const std::string& text, std::string_view part) { return text.find(part) != text.npos; };
    CHECK(holds(ask("filter.add", R"({"hook":"clear","rule":"block in on wan proto esp","before":"4"})"), R"("id":7)"));
    REQUIRE(gateway.filter_changes.size() == 1);
    CHECK(gateway.filter_changes[0].hook == control::Hook::clear);
    CHECK(gateway.filter_changes[0].rule.text() == "block in on wan proto esp");
    CHECK(gateway.filter_changes[0].id == 4);
    CHECK(holds(ask("filter.delete", R"({"hook":"wire","id":"5"})"), R"("removed":3)"));
    CHECK(gateway.filter_changes[1].id == 5);
    CHECK(holds(ask("filter.flush", R"({"hook":"wire"})"), R"("removed":3)"));
    CHECK(gateway.filter_changes[2].kind == control::ChangeFilter::Kind::flush);
    CHECK(holds(ask("filter.default", R"({"hook":"wire","action":"block"})"), R"("removed":3)"));
    CHECK(gateway.filter_changes[3].otherwise == control::FilterAction::block);
    CHECK(holds(ask("filter.add", R"({"hook":"middle","rule":"block","before":""})"), "hooks are wire and clear"));
    CHECK(holds(ask("filter.add", R"({"hook":"wire","rule":"blok","before":""})"), "pass or block is wanted"));
    CHECK(holds(ask("filter.delete", R"({"hook":"wire","id":"x"})"), "'x' is no rule's number"));
    CHECK(gateway.filter_changes.size() == 4);
    CHECK(holds(ask("filter.list", "{}"), R"({"hook":"wire","id":1,"rule":"block in on wan proto tcp)"));
}
