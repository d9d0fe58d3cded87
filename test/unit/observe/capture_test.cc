// What `torii capture` is given: the packets of the hooks it asked for, as they were there, with what became of them.
#include "catch.h"
#include "test/unit/gateway/office.h"

using namespace torii;
using namespace torii::test;
using control::Hook;
using control::Way;

namespace {

struct Seen {
    Hook hook;
    Way way;
    std::string port, drop;
    Octets octets;
    std::uint32_t original_octets;
    std::uint64_t unix_nanoseconds, lost;
};

/// A capture of a gateway's, for as long as it lives.
class Capturing {
public:
    Capturing(Wires& gateway, control::CaptureHooks hooks)
        : handle_(gateway.gateway()
                      .capture(hooks,
                               [this](const control::CapturedPacket& p) {
                                   seen.push_back({p.hook, p.way, std::string{p.port}, std::string{p.drop},
                                                   Octets(p.octets.begin(), p.octets.end()), p.original_octets,
                                                   p.unix_nanoseconds, p.lost});
                               })
                      .value()) {}
    Capturing(const Capturing&) = delete;
    std::vector<Seen> seen;

private:
    std::shared_ptr<void> handle_;
};

const Octets packet = datagram("10.0.1.5", "10.0.2.5");

}  // namespace

TEST_CASE("a capture on the wire has the packet as it came and as it left, with port, direction and time") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(office_setkey);
    Capturing capture{tokyo, {.wire = true, .clear = false}};
    const auto wire = pass(tokyo, office, {packet}, world);
    REQUIRE(wire.size() == 1);
    REQUIRE(capture.seen.size() == 2);
    CHECK(capture.seen[0].octets == packet);
    CHECK(capture.seen[0].port == "office");
    CHECK(capture.seen[0].way == Way::in);
    CHECK(capture.seen[1].octets == wire[0]);
    CHECK(capture.seen[1].port == "world");
    CHECK(capture.seen[1].way == Way::out);
    for (const Seen& seen : capture.seen) {
        CHECK(seen.hook == Hook::wire);
        CHECK(seen.drop.empty());
        CHECK(seen.original_octets == seen.octets.size());
        const auto now = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
                .count());
        CHECK(seen.unix_nanoseconds <= now + 1'000'000'000);
        CHECK(seen.unix_nanoseconds + 60'000'000'000 > now);
    }
}

TEST_CASE("a capture in clear has what is in ESP, and nothing of it on the wire") {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(office_setkey);
    newyork.setkey(newyork_setkey);
    Capturing there{newyork, {.wire = false, .clear = true}};
    const auto wire = pass(tokyo, office, {packet}, world);
    REQUIRE(pass(newyork, world, wire, office).size() == 1);
    REQUIRE(there.seen.size() == 1);
    CHECK(there.seen[0].hook == Hook::clear);
    CHECK(there.seen[0].way == Way::in);
    CHECK(there.seen[0].port == "world");
    CHECK(there.seen[0].octets == after_hops(packet, 1));
}

TEST_CASE("a packet that is dropped on its way comes with the reason, as it was when it was seen") {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(office_setkey);
    newyork.setkey(newyork_setkey);
    auto wire = pass(tokyo, office, {packet, packet}, world);
    REQUIRE(wire.size() == 2);
    wire[0].back() ^= std::byte{1};
    Capturing capture{newyork, {.wire = true, .clear = false}};
    pass(newyork, world, wire, office);
    REQUIRE(capture.seen.size() == 3);
    CHECK(capture.seen[0].drop == "bad_icv");
    CHECK(capture.seen[0].octets == wire[0]);
    CHECK(capture.seen[1].drop.empty());
    CHECK(capture.seen[2].port == "office");
}

TEST_CASE("packets beyond the ring are lost and counted, long ones are cut, and none is when no capture is on") {
    Configuration c = office_configuration();
    c.default_policy = PolicyAction::bypass;
    c.ports[office].mtu = c.ports[world].mtu = 9000;
    Wires tokyo{c};
    {
        Capturing capture{tokyo, {.wire = true, .clear = false}};
        const Octets longer = datagram("10.0.1.5", "10.0.2.5", 4000);
        REQUIRE(pass(tokyo, office, {longer}, world).size() == 1);
        REQUIRE(capture.seen.size() == 2);
        CHECK(capture.seen[0].original_octets == 4000);
        CHECK(capture.seen[0].octets == Octets(longer.begin(), longer.begin() + 2016));

        for (int i = 0; i < 300; ++i) {  // no poll between: 600 records for 512 places
            tokyo.send(office, ethernet(packet));
            tokyo.gateway().worker(0).turn();
        }
        tokyo.turn();
        tokyo.send(office, ethernet(packet));
        tokyo.turn();
        CHECK(capture.seen.size() == 2 + 512 + 2);
        CHECK(capture.seen.back().lost == 600 - 512);
        const auto second = tokyo.gateway().capture({}, [](const control::CapturedPacket&) {});
        REQUIRE_FALSE(second);
        CHECK(second.error().code == Errc::exists);
    }
    (void)tokyo.sent_by(world);
    CHECK(pass(tokyo, office, {packet}, world).size() == 1);
    Capturing again{tokyo, {.wire = true, .clear = true}};
    CHECK(pass(tokyo, office, {packet}, world).size() == 1);
    CHECK(again.seen.size() == 3);
    CHECK(again.seen.back().lost == 0);
    CHECK(tokyo.buffers_missing() == 0);
}
