// IKE's methods of the control socket, answered for a daemon that is not there.
#include <algorithm>

#include "app/rpc/ike_methods.h"
#include "app/rpc/methods.h"
#include "catch.h"
#include "fake_control.h"
#include "fake_ike.h"

using namespace torii;
using namespace torii::rpc;

namespace {

struct Asked {
    std::string to(std::string_view method, std::string_view params = "{}", bool speaks = true) {
        const Setkey setkey;
        const Call call{.control = control, .setkey = setkey, .ike = speaks ? &ike : nullptr};
        const WipedString out = answer(call, R"({"jsonrpc":"2.0","id":1,"method":")" + std::string{method} +
                                                 R"(","params":)" + std::string{params} + "}");
        return {out.data(), out.size()};
    }
    test::FixedGateway control;
    test::FixedIke ike;
};

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("connections and their IKE SAs are listed with identities, SPIs and times") {
    Asked asked;
    const std::string out = asked.to("ike.list");
    CHECK(holds(out, R"("connection":"newyork","number":7,"state":"established","initiator":true,"local":"20.0.0.1")"));
    CHECK(holds(out, R"("remote_port":61234,"remote_id":"newyork.example.com","remote_auth":"psk","remote_nat":true)"));
    CHECK(holds(out, R"("initiator_spi":"0123456789abcdef","responder_spi":"00000000000000ff")"));
    CHECK(holds(out, R"("rekey_in_seconds":14000,"reauth_in_seconds":0,"silent_seconds":2,"children":1)"));
    CHECK(holds(out, R"("connection":"osaka","number":0,"state":"none")"));
}

TEST_CASE("children are listed with their SPIs, selectors and counts") {
    Asked asked;
    const std::string out = asked.to("ike.children");
    CHECK(holds(out, R"("name":"offices","number":9,"ike":7,"state":"installed")"));
    CHECK(holds(out, R"("inbound_spi":4098,"outbound_spi":4097)"));
    CHECK(holds(out, R"("local":["10.0.1.0/24"],"remote":["10.0.2.0/24","10.0.3.0/24"])"));
    CHECK(holds(out, R"("inbound_packets":12)"));
    CHECK(holds(out, R"("outbound_packets":3456)"));
}

TEST_CASE("IKE's log is told for one connection or all, so many lines as were asked for") {
    Asked asked;
    CHECK(holds(asked.to("ike.log", R"({"connection":"newyork","lines":"7"})"), R"("text":"the peer's key is wrong")"));
    CHECK(asked.ike.asked == "newyork 7");
    CHECK(holds(asked.to("ike.log", R"({"connection":"","lines":""})"), R"("unix_milliseconds":1800000000123)"));
    CHECK(asked.ike.asked == " 100");
    for (const std::string_view lines : {"0", "-1", "7x", "10001", "99999999999999999999"})
        CHECK(holds(asked.to("ike.log", R"({"connection":"","lines":")" + std::string{lines} + "\"}"),
                    R"("code":"bad_value")"));
}

TEST_CASE("move takes a name and an address") {
    Asked asked;
    CHECK(holds(asked.to("ike.move", R"({"name":"newyork","address":"30.0.0.1"})"),
                R"("done":"begun: move to 30.0.0.1 newyork")"));
    CHECK(holds(asked.to("ike.move", R"({"name":"kyoto","address":"30.0.0.1"})"), R"("code":"not_found")"));
    CHECK(holds(asked.to("ike.move", R"({"name":"newyork"})"), "params lack 'address'"));
}

TEST_CASE("up, down, rekey and reauth say what they began, or why not") {
    Asked asked;
    for (const std::string_view what : {"up", "down", "rekey", "reauth"}) {
        CHECK(holds(asked.to("ike." + std::string{what}, R"({"name":"newyork/offices"})"),
                    R"("result":{"done":"begun: )" + std::string{what} + R"( newyork/offices"})"));
        CHECK(asked.ike.asked == std::string{what} + " newyork/offices");
        CHECK(holds(asked.to("ike." + std::string{what}, R"({"name":"kyoto"})"), R"("data":{"code":"not_found"})"));
    }
    CHECK(holds(asked.to("ike.up"), "params lack 'name'"));
    CHECK(holds(asked.to("ike.up", R"({"name":7})"), "must be a string"));
}

TEST_CASE("a gateway that speaks no IKE says so, and the list of methods has IKE's all the same") {
    Asked asked;
    CHECK(holds(asked.to("ike.list", "{}", false), R"("code":"unsupported")"));
    CHECK(holds(asked.to("ike.up", R"({"name":"newyork"})", false), "speaks no IKE"));
    CHECK(asked.ike.asked.empty());
    for (const IkeMethod& method : ike_methods())
        CHECK(holds(asked.to("help", "{}", false), R"("method":")" + std::string{method.name} + "\""));
}
