// What a worker remembers about a flow may never be more than what it saw: no packet profits from another's checks.
#include "catch.h"
#include "policy/flow_cache.h"
#include "test/unit/gateway/office.h"

using namespace torii;
using namespace torii::test;

namespace {

/// Octets with which newyork's gateway would send `packet`, `count` times, through all SAs of `setkey`: made by a
/// second gateway.
std::vector<Frame> protected_by(std::string_view setkey, const Octets& packet, int count = 1) {
    Wires newyork{newyork_configuration()};
    newyork.setkey(setkey);
    for (int i = 0; i < count; ++i) newyork.send(office, ethernet(packet));
    newyork.turn();
    auto frames = newyork.sent_by(world);
    for (Frame& frame : frames) std::memset(frame.data(), 0, 6);
    return frames;
}

constexpr std::string_view three_sas = R"(
add 20.0.0.2 20.0.0.1 esp 0x1002 -m tunnel -r 8 -E aes-gcm-16 "newyork-tokyo-key002";
add 20.0.0.3 20.0.0.1 esp 0x1003 -m tunnel -r 8 -E aes-gcm-16 "newyork-tokyo-key003";
add 20.0.0.4 20.0.0.1 esp 0x1004 -m tunnel -r 8 -E aes-gcm-16 "newyork-tokyo-key004";
)";
constexpr std::string_view asks_for_both = R"(
spdadd 10.0.2.0/24 10.0.1.0/24 any -P in ipsec
    esp/tunnel/20.0.0.3-20.0.0.1/require esp/tunnel/20.0.0.2-20.0.0.1/require;
)";
std::string sends(std::string_view tunnels) {
    return std::string{three_sas} + "spdadd 10.0.2.0/24 10.0.1.0/24 any -P out ipsec " + std::string{tunnels} + ";";
}

Octets datagram() { return ipv4("10.0.2.5", "10.0.1.5", 17, udp(4000, 5000, Octets(40, std::byte{0x5a}))); }

}  // namespace

TEST_CASE(
    "a packet through the outer of two tunnels alone does not pass on the verdict of one that came through both") {
    const auto both =
        protected_by(sends("esp/tunnel/20.0.0.3-20.0.0.1/require esp/tunnel/20.0.0.2-20.0.0.1/require"), datagram());
    const auto one = protected_by(sends("esp/tunnel/20.0.0.2-20.0.0.1/require"), datagram(), 2);
    REQUIRE((both.size() == 1 && one.size() == 2));

    Wires tokyo{office_configuration()};
    tokyo.setkey(three_sas);
    tokyo.setkey(asks_for_both);
    tokyo.send(world, both[0]);
    tokyo.turn();
    CHECK(tokyo.sent_by(office).size() == 1);
    tokyo.send(world, one[1]);  // sequence number 2, the same flow, the same outer SA
    tokyo.turn();
    CHECK(tokyo.sent_by(office).empty());
    CHECK(tokyo.drops(Drop::policy_mismatch) == 1);
}

TEST_CASE("what came through two tunnels is decided once, for packets through the same two alone") {
    const auto both =
        protected_by(sends("esp/tunnel/20.0.0.3-20.0.0.1/require esp/tunnel/20.0.0.2-20.0.0.1/require"), datagram(), 2);
    const auto other_inside =
        protected_by(sends("esp/tunnel/20.0.0.4-20.0.0.1/require esp/tunnel/20.0.0.2-20.0.0.1/require"), datagram(), 3);
    REQUIRE((both.size() == 2 && other_inside.size() == 3));

    Wires tokyo{office_configuration()};
    tokyo.setkey(three_sas);
    tokyo.setkey(asks_for_both);
    tokyo.send(world, both[0]);
    tokyo.turn();
    const auto misses = tokyo.gateway().worker(0).counters().flow_misses.read();
    tokyo.send(world, both[1]);
    tokyo.turn();
    CHECK(tokyo.sent_by(office).size() == 2);
    CHECK(tokyo.gateway().worker(0).counters().flow_misses.read() == misses);
    tokyo.send(world, other_inside[2]);
    tokyo.turn();
    CHECK(tokyo.sent_by(office).empty());
    CHECK(tokyo.drops(Drop::policy_mismatch) == 1);
}

TEST_CASE("a clear packet does not pass on the verdict of its flow's protected packets, nor spoil it for them") {
    const auto sealed = protected_by(newyork_setkey, datagram());
    const auto next = [] {
        Wires newyork{newyork_configuration()};
        newyork.setkey(newyork_setkey);
        for (int i = 0; i < 2; ++i) newyork.send(office, ethernet(datagram()));
        newyork.turn();
        auto frames = newyork.sent_by(world);
        std::memset(frames[1].data(), 0, 6);
        return frames[1];
    }();
    REQUIRE(sealed.size() == 1);
    Wires tokyo{office_configuration()};
    tokyo.setkey(office_setkey);
    tokyo.send(world, sealed[0]);
    tokyo.turn();
    CHECK(tokyo.sent_by(office).size() == 1);
    tokyo.send(world, ethernet(datagram()));
    tokyo.turn();
    CHECK(tokyo.sent_by(office).empty());
    CHECK(tokyo.drops(Drop::policy_mismatch) == 1);
    const auto misses = tokyo.gateway().worker(0).counters().flow_misses.read();
    tokyo.send(world, next);
    tokyo.turn();
    CHECK(tokyo.sent_by(office).size() == 1);
    CHECK(tokyo.gateway().worker(0).counters().flow_misses.read() == misses);
}

TEST_CASE("a runt for the IKE port does not keep later IKE packets of its flow out (RFC 7296 2.23)") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(office_setkey);
    const Octets ports = octets_of(Big16{500}) + octets_of(Big16{500});
    tokyo.send(world, ethernet(ipv4("20.0.0.2", "20.0.0.1", 17, ports)));
    tokyo.turn();
    tokyo.send(world, ethernet(ipv4("20.0.0.2", "20.0.0.1", 17, udp(500, 500, Octets(28)))));
    tokyo.turn();
    CHECK(tokyo.drops(Drop::local_unwanted) == 2);  // both reached the control core, where nobody speaks IKE yet
}

TEST_CASE("a new generation makes every remembered flow stale") {
    FlowCache<int> flows{4, 1};
    const FlowKey key = FlowKey::ipv4(1, 2, 3, 17, 0, true);
    const std::uint64_t hash = flows.hash(key);
    flows.remember(hash, key, 1, 42);
    REQUIRE(flows.find(hash, key, 1) != nullptr);
    CHECK(flows.find(hash, key, 1)->verdict == 42);
    CHECK(flows.find(hash, key, 2) == nullptr);
    flows.remember(hash, key, 2, 43);
    CHECK(flows.find(hash, key, 2)->verdict == 43);
}

TEST_CASE("four flows that share a place are all remembered, and a fifth takes one's place") {
    FlowCache<int> flows{4, 1};  // one place for everybody
    const auto key = [](int flow) { return FlowKey::ipv4(static_cast<std::uint32_t>(flow), 2, 3, 17, 0, true); };
    const auto remember = [&](int flow) { flows.remember(flows.hash(key(flow)), key(flow), 1, flow); };
    const auto remembered = [&] {
        int count = 0;
        for (int flow = 1; flow <= 5; ++flow)
            if (const auto* entry = flows.find(flows.hash(key(flow)), key(flow), 1); entry != nullptr) {
                CHECK(entry->verdict == flow);
                ++count;
            }
        return count;
    };
    for (int flow = 1; flow <= 4; ++flow) remember(flow);
    CHECK(remembered() == 4);
    remember(5);
    CHECK(flows.find(flows.hash(key(5)), key(5), 1) != nullptr);
    CHECK(remembered() == 4);
}

TEST_CASE("a policy taken away is gone for the flows that used it") {
    Wires tokyo{office_configuration()};
    tokyo.setkey("spdadd 10.0.2.0/24 10.0.1.0/24 any -P in none;");
    const auto arrives = [&] {
        tokyo.send(world, ethernet(datagram()));
        tokyo.turn();
        return tokyo.sent_by(office).size() == 1;
    };
    CHECK(arrives());
    CHECK(arrives());
    tokyo.setkey("spddelete 10.0.2.0/24 10.0.1.0/24 any -P in;");
    CHECK_FALSE(arrives());
    tokyo.setkey("spdadd 10.0.2.0/24 10.0.1.0/24 any -P in none;");
    CHECK(arrives());
}
