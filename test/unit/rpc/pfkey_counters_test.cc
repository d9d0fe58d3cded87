// netstat's counters of PF_KEY for the control socket: each line moves exactly those that it should, and no others.
#include "control_socket.h"

using namespace torii;
using namespace torii::rpc;
using namespace torii::test::control_socket;

namespace {

using Counts = std::map<std::string, std::uint64_t>;

/// What came and went, without the octets.
struct Socket : House {
    using House::House;
    Counts counts() const {
        Counts out;
        for (const auto& row : server->pfkey()) {
            CHECK(row.group == "pfkey");
            if (row.total != 0 && !row.counter.ends_with("_bytes")) out[row.counter] = row.total;
        }
        return out;
    }
    std::uint64_t octets(std::string_view name) const {
        for (const auto& row : server->pfkey())
            if (row.counter == name) return row.total;
        return 0;
    }
};

std::string request(std::string_view method, std::string_view params = "{}") {
    return R"({"jsonrpc":"2.0","id":1,"method":")" + std::string{method} + R"(","params":)" + std::string{params} + "}";
}

}  // namespace

TEST_CASE("each request counts with its octets, and by the PF_KEY message that asks for the same") {
    Socket socket;
    auto client = socket.client();
    const std::string answer = client.ask(request("show.version"));
    CHECK(socket.counts() == Counts{{"out_total", 1}, {"in_total", 1}, {"in_one", 1}});
    CHECK(socket.octets("out_bytes") == request("show.version").size() + 1);
    CHECK(socket.octets("in_bytes") == answer.size() + 1);
    for (const auto* method : {"show.sa", "setkey.dump_sas", "show.policy", "setkey.dump_policies"})
        client.ask(request(method));
    Counts expected{{"out_total", 5}, {"out_hist.dump", 2}, {"out_hist.spddump", 2}, {"in_total", 5}, {"in_one", 5}};
    CHECK(socket.counts() == expected);
    client.ask(request("setkey.run", R"({"text":"flush;","file":"f"})"));
    expected["out_total"] = expected["in_total"] = expected["in_one"] = 6, expected["out_hist.flush"] = 1;
    CHECK(socket.counts() == expected);
    client.ask(request("setkey.run", R"({"text":"flush;","file":"f","check":true})"));  // nothing was done
    expected["out_total"] = expected["in_total"] = expected["in_one"] = 7;
    CHECK(socket.counts() == expected);
}

TEST_CASE("what is no request counts by what is wrong with it, as PF_KEY names that") {
    Socket socket{{.line_octets = 1000, .batch = 2}};
    auto client = socket.client();
    const auto [line, counter] = GENERATE(table<std::string, std::string>(
        {{"no json", "out_tooshort"},
         {"17", "out_tooshort"},
         {"[]", "out_tooshort"},
         {R"({"jsonrpc":"2.0","id":[],"method":"help"})", "out_tooshort"},
         {R"({"jsonrpc":"1.0","id":1,"method":"help"})", "out_invver"},
         {R"({"jsonrpc":"2.0","id":1})", "out_invmsgtype"},
         {request("no.such"), "out_invmsgtype"},
         {request("help", R"({"more":"than"})"), "out_invexttype"},
         {request("set", "{}"), "out_invexttype"},
         {"[1,2,3]", "out_invlen"},
         {std::string(40, '['), "out_invlen"},
         {std::string(1001, 'x'), "out_invlen"},
         {request("setkey.run", R"({"text":"wrong","file":"f"})"), "out_refused.bad_syntax"},
         {request("set", R"({"name":"no","value":"1"})"), "out_refused.not_found"}}));
    INFO(line);
    client.ask(line);
    CHECK(socket.counts() == Counts{{"out_total", 1}, {counter, 1}, {"in_total", 1}, {"in_one", 1}});
}

TEST_CASE("a client too many, and events that a slow subscriber lost, are memory that was lacking") {
    Socket socket{{.clients = 1, .event_octets = 400}};
    auto client = socket.client();
    client.ask(request("events.subscribe"));
    Counts expected{{"out_total", 1}, {"out_hist.register", 1}, {"in_total", 1}, {"in_one", 1}};
    CHECK(socket.counts() == expected);
    auto second = socket.client();
    CHECK(holds(second.line(), "connected already"));
    expected["out_nomem"] = 1;
    CHECK(socket.counts() == expected);
    for (int i = 0; i < 50; ++i) socket.control.tell({.kind = control::Event::Kind::acquire, .policy = PolicyId{1}});
    const Counts counted = socket.counts();
    CHECK(counted.at("in_registered") == counted.at("in_hist.acquire"));
    CHECK(counted.at("in_registered") + counted.at("in_nomem") == 50);
    CHECK(counted.at("in_total") == counted.at("in_registered") + counted.at("in_one"));
}

TEST_CASE("each event counts as the PF_KEY message that tells it, or only as told") {
    using Kind = control::Event::Kind;
    Socket socket;
    auto client = socket.client();
    client.ask(request("events.subscribe"));
    for (const Kind kind : {Kind::acquire, Kind::expire_soft, Kind::expire_hard, Kind::sa_added, Kind::sa_deleted,
                            Kind::policy_added, Kind::policy_deleted, Kind::policy_expired, Kind::bad_icv})
        socket.control.tell({.kind = kind});
    CHECK(socket.counts() == Counts{{"out_total", 1},
                                    {"out_hist.register", 1},
                                    {"in_total", 10},
                                    {"in_one", 1},
                                    {"in_registered", 9},
                                    {"in_hist.acquire", 1},
                                    {"in_hist.expire", 2},
                                    {"in_hist.add", 1},
                                    {"in_hist.delete", 1},
                                    {"in_hist.spdadd", 1},
                                    {"in_hist.spddelete", 1},
                                    {"in_hist.spdexpire", 1}});
}

TEST_CASE("show.stats tells the gateway's counters and the socket's") {
    Socket socket;
    auto client = socket.client();
    const std::string answer = client.ask(request("show.stats"));
    CHECK(holds(answer, R"({"group":"ipsec","family":"ipv4","counter":"in_success")"));
    CHECK(holds(
        answer,
        R"({"group":"pfkey","family":"","counter":"out_total","meaning":"requests sent from userland","total":1})"));
}
