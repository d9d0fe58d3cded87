// An SA moves (control::MoveSa): its outer addresses and its ports in UDP are others from the next packet on, and its
// key, its sequence number and its window are not; what is on its way to where it was is taken a few seconds more.
#include "app/setkey/setkey.h"
#include "catch.h"
#include "office.h"
#include "test/unit/esp/forge.h"

using namespace torii;
using namespace torii::test;

namespace {

const Octets outbound = datagram("10.0.1.5", "10.0.2.5"), inbound = datagram("10.0.2.5", "10.0.1.5");

Address at(std::string_view text) { return Address::parse(text).value(); }

/// Tokyo has a second address, 20.0.0.11, and newyork may be at 20.0.0.3 as well.
Configuration two_homes(unsigned workers = 1) {
    Configuration c = office_configuration(workers);
    c.ports[world].addresses.push_back({at("20.0.0.11"), 24});
    c.neighbours.push_back({at("20.0.0.3"), peer_mac, "world"});
    return c;
}

control::UdpEncapsulation ports(std::uint16_t source, std::uint16_t destination) { return {source, destination, {}}; }

control::MoveSa move_of(std::uint32_t spi, std::string_view from, std::string_view to, std::string_view next_from,
                        std::string_view next_to, std::optional<control::UdpEncapsulation> udp = {}) {
    return {sa_id(from, to, spi), at(next_from), at(next_to), udp};
}

Policy tunnel_policy(Direction direction, const char* source, const char* destination, const Endpoints& ends) {
    Policy policy;
    policy.direction = direction;
    policy.action = PolicyAction::protect;
    policy.selector.source = Prefix::parse(source).value();
    policy.selector.destination = Prefix::parse(destination).value();
    policy.requests = {
        {.protocol = IpsecProtocol::esp, .mode = Mode::tunnel, .level = Level::require, .endpoints = ends}};
    return policy;
}

struct Tokyo {
    explicit Tokyo(unsigned workers = 1) : gateway(two_homes(workers)) { gateway.setkey(office_setkey); }

    Result<std::vector<control::Outcome>> apply(std::vector<control::Operation> operations) {
        std::vector<control::Located> transaction;
        for (control::Operation& operation : operations) transaction.push_back({std::move(operation), "test"});
        return gateway.gateway().apply(std::move(transaction));
    }
    template <class... Operations>
    bool does(Operations... operations) {
        std::vector<control::Operation> all;
        (all.emplace_back(std::move(operations)), ...);
        return apply(std::move(all)).has_value();
    }
    template <class Operation>
    std::string refuses(Operation operation) {
        std::vector<control::Operation> all;
        all.emplace_back(std::move(operation));
        const auto done = apply(std::move(all));
        return done ? "" : done.error().text();
    }
    /// Both SAs and their policies, from between `own` and `peer` to the two others.
    bool move(std::string_view own, std::string_view peer, std::string_view next_own, std::string_view next_peer) {
        const Endpoints ends{at(next_own), at(next_peer)};
        return does(move_of(0x1001, own, peer, next_own, next_peer), move_of(0x1002, peer, own, next_peer, next_own),
                    control::UpdatePolicy{tunnel_policy(Direction::outbound, "10.0.1.0/24", "10.0.2.0/24", ends)},
                    control::UpdatePolicy{tunnel_policy(Direction::inbound, "10.0.2.0/24", "10.0.1.0/24",
                                                        {ends.destination, ends.source})});
    }
    Octets sent() {
        const auto wire = pass(gateway, office, {outbound}, world);
        REQUIRE(wire.size() == 1);
        return wire[0];
    }
    bool arrives(const Octets& packet) {
        return pass(gateway, world, {packet}, office) == only(after_hops(inbound, 1));
    }
    Octets from_newyork(std::uint32_t sequence, std::string_view from = "20.0.0.2", std::string_view to = "20.0.0.1") {
        return newyork.tunnel(from, to, 0x1002, sequence, inbound);
    }
    std::string dump() { return setkey::dump_sas(gateway.gateway(), {.show_keys = true, .now_unix_seconds = 1}); }

    Wires gateway;
    Forger newyork{"newyork-tokyo-key002"};
};

std::uint64_t iv_of(const Octets& packet) {
    std::uint64_t iv;
    std::memcpy(&iv, packet.data() + 28, sizeof iv);
    return __builtin_bswap64(iv);
}

}  // namespace

TEST_CASE("an SA that moves goes on with its next sequence number and its next IV, between its new ends") {
    for (const unsigned workers : {1u, 2u}) {
        Tokyo tokyo{workers};
        const Octets before = tokyo.sent();
        CHECK(header_of(before).destination == number("20.0.0.2"));
        REQUIRE(tokyo.move("20.0.0.1", "20.0.0.2", "20.0.0.11", "20.0.0.3"));
        const Octets after = tokyo.sent();
        CHECK(header_of(after).source == number("20.0.0.11"));
        CHECK(header_of(after).destination == number("20.0.0.3"));
        CHECK(internet_checksum(after.data(), 20) == 0);
        CHECK(esp_of(after).spi == 0x1001);
        CHECK(esp_of(after).sequence_low == esp_of(before).sequence_low + 1);
        CHECK(iv_of(after) == iv_of(before) + 1);
        REQUIRE(tokyo.move("20.0.0.11", "20.0.0.3", "20.0.0.1", "20.0.0.2"));  // and back
        CHECK(header_of(tokyo.sent()).destination == number("20.0.0.2"));
        CHECK(esp_of(tokyo.sent()).sequence_low == 4);
        CHECK(tokyo.gateway.buffers_missing() == 0);
    }
}

TEST_CASE("what an inbound SA has received once it refuses wherever it is, and its window goes on") {
    Tokyo tokyo;
    for (const std::uint32_t n : {1u, 5u}) CHECK(tokyo.arrives(tokyo.from_newyork(n)));
    REQUIRE(tokyo.move("20.0.0.1", "20.0.0.2", "20.0.0.11", "20.0.0.3"));
    for (const std::uint32_t n : {1u, 5u}) {
        CHECK(!tokyo.arrives(tokyo.from_newyork(n, "20.0.0.3", "20.0.0.11")));
        CHECK(!tokyo.arrives(tokyo.from_newyork(n)));
    }
    CHECK(tokyo.gateway.drops(Drop::replayed) == 4);
    for (const std::uint32_t n : {3u, 6u}) CHECK(tokyo.arrives(tokyo.from_newyork(n, "20.0.0.3", "20.0.0.11")));
}

TEST_CASE("for some seconds an SA that moved takes what was on its way to its former address, then no more") {
    Tokyo tokyo;
    CHECK(tokyo.arrives(tokyo.from_newyork(1)));
    REQUIRE(tokyo.move("20.0.0.1", "20.0.0.2", "20.0.0.11", "20.0.0.3"));
    CHECK(tokyo.arrives(tokyo.from_newyork(2)));
    CHECK(tokyo.arrives(tokyo.from_newyork(3, "20.0.0.3", "20.0.0.11")));
    tokyo.gateway.pass(std::chrono::seconds{8});
    CHECK(!tokyo.arrives(tokyo.from_newyork(4)));
    CHECK(tokyo.gateway.drops(Drop::unknown_spi) == 1);
    CHECK(tokyo.arrives(tokyo.from_newyork(5, "20.0.0.3", "20.0.0.11")));
    REQUIRE(tokyo.move("20.0.0.11", "20.0.0.3", "20.0.0.1", "20.0.0.3"));
    CHECK(tokyo.arrives(tokyo.from_newyork(6, "20.0.0.3")));
    CHECK(tokyo.arrives(tokyo.from_newyork(7, "20.0.0.3", "20.0.0.11")));
    REQUIRE(tokyo.does(control::DeleteSa{sa_id("20.0.0.3", "20.0.0.1", 0x1002)}));  // and found nowhere once deleted
    CHECK(!tokyo.arrives(tokyo.from_newyork(8, "20.0.0.3")));
    CHECK(!tokyo.arrives(tokyo.from_newyork(9, "20.0.0.3", "20.0.0.11")));
    CHECK(tokyo.gateway.drops(Drop::unknown_spi) == 3);
}

TEST_CASE("a moment between the move and its policies refuses nothing: either's ends are an SA's that has moved") {
    Tokyo tokyo;
    REQUIRE(tokyo.does(move_of(0x1002, "20.0.0.2", "20.0.0.1", "20.0.0.3", "20.0.0.11")));
    CHECK(tokyo.arrives(tokyo.from_newyork(1, "20.0.0.3", "20.0.0.11")));  // the policy says 20.0.0.2-20.0.0.1
    CHECK(tokyo.arrives(tokyo.from_newyork(2)));
    tokyo.gateway.pass(std::chrono::seconds{8});
    tokyo.gateway.setkey("spdadd 10.9.0.0/16 10.8.0.0/16 any -P in none;");  // flows are decided anew
    CHECK(!tokyo.arrives(tokyo.from_newyork(3, "20.0.0.3", "20.0.0.11")));
    CHECK(tokyo.gateway.drops(Drop::policy_mismatch) == 1);
}

TEST_CASE("into UDP and out of it an SA moves with its number, and takes both forms meanwhile (RFC 3948)") {
    Tokyo tokyo;
    CHECK(esp_of(tokyo.sent()).sequence_low == 1);
    const auto in_udp = [](const Octets& packet) {
        return ipv4("20.0.0.2", "20.0.0.1", 17, udp(61234, 4500, Octets(packet.begin() + 20, packet.end())));
    };
    REQUIRE(tokyo.does(move_of(0x1001, "20.0.0.1", "20.0.0.2", "20.0.0.1", "20.0.0.2", ports(4500, 61234)),
                       move_of(0x1002, "20.0.0.2", "20.0.0.1", "20.0.0.2", "20.0.0.1", ports(61234, 4500))));
    const Octets out = tokyo.sent();
    CHECK(header_of(out).protocol == 17);
    CHECK(reinterpret_cast<const UdpHeader*>(out.data() + 20)->destination_port == 61234);
    CHECK(reinterpret_cast<const EspHeader*>(out.data() + 28)->sequence_low == 2);
    CHECK(tokyo.arrives(in_udp(tokyo.from_newyork(1))));
    CHECK(tokyo.arrives(tokyo.from_newyork(2)));
    tokyo.gateway.pass(std::chrono::seconds{8});
    CHECK(!tokyo.arrives(tokyo.from_newyork(3)));
    CHECK(tokyo.gateway.drops(Drop::encapsulation_mismatch) == 1);
    REQUIRE(tokyo.does(move_of(0x1001, "20.0.0.1", "20.0.0.2", "20.0.0.1", "20.0.0.2"),
                       move_of(0x1002, "20.0.0.2", "20.0.0.1", "20.0.0.2", "20.0.0.1")));
    CHECK(header_of(tokyo.sent()).protocol == 50);
    CHECK(tokyo.arrives(tokyo.from_newyork(4)));
    tokyo.gateway.pass(std::chrono::seconds{8});
    CHECK(!tokyo.arrives(in_udp(tokyo.from_newyork(5))));
}

TEST_CASE("a move that cannot be is refused with its reason, and changes nothing") {
    Tokyo tokyo;
    tokyo.gateway.setkey(
        "add 20.0.0.1 20.0.0.3 esp 0x1001 -m tunnel -E aes-gcm-16 \"one more of twenty o\";"
        "add 20.0.0.1 20.0.0.2 ah 0x2001 -m tunnel -A hmac-sha256 \"thirty-two octets of a test key.\";");
    const std::string before = tokyo.dump();
    const auto why = [&](control::MoveSa move) { return tokyo.refuses(std::move(move)); };
    const auto holds = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
    CHECK(holds(why(move_of(0x9999, "20.0.0.1", "20.0.0.2", "20.0.0.1", "20.0.0.3")), "no SA"));
    CHECK(holds(why(move_of(0x1001, "20.0.0.1", "20.0.0.2", "20.0.0.1", "20.0.0.3")), "is there already"));
    CHECK(holds(why(move_of(0x1001, "20.0.0.1", "20.0.0.2", "2001:db8::1", "2001:db8::2")), "of one family"));
    CHECK(holds(why(move_of(0x1001, "20.0.0.1", "20.0.0.2", "20.0.0.1", "2001:db8::2")), "different families"));
    CHECK(holds(why(move_of(0x1001, "20.0.0.1", "20.0.0.2", "20.0.0.3", "20.0.0.1")), "comes in moves to an address"));
    CHECK(holds(why(move_of(0x1002, "20.0.0.2", "20.0.0.1", "20.0.0.2", "20.0.0.9")), "comes in moves to an address"));
    CHECK(holds(why(move_of(0x1002, "20.0.0.2", "20.0.0.1", "20.0.0.2", "20.0.0.1", ports(4500, 4501))), "port 4500"));
    auto ah = move_of(0x2001, "20.0.0.1", "20.0.0.2", "20.0.0.1", "20.0.0.2", ports(4500, 4500));
    ah.id.protocol = IpsecProtocol::ah;
    CHECK(holds(why(std::move(ah)), "UDP carries ESP alone"));
    REQUIRE(tokyo.does(control::GetSpi{.id = sa_id("20.0.0.2", "20.0.0.1", 0x5555)}));
    CHECK(holds(why(move_of(0x5555, "20.0.0.2", "20.0.0.1", "20.0.0.3", "20.0.0.1")), "without keys"));
    REQUIRE(tokyo.does(control::DeleteSa{sa_id("20.0.0.2", "20.0.0.1", 0x5555)}));
    CHECK(tokyo.dump() == before);
}

TEST_CASE("a transaction that fails behind a move leaves the SA where it was") {
    Tokyo tokyo;
    CHECK(esp_of(tokyo.sent()).sequence_low == 1);
    const std::string before = tokyo.dump();
    CHECK(!tokyo.does(move_of(0x1001, "20.0.0.1", "20.0.0.2", "20.0.0.11", "20.0.0.3", ports(4500, 4500)),
                      move_of(0x1002, "20.0.0.2", "20.0.0.1", "20.0.0.3", "20.0.0.11"),
                      control::DeleteSa{sa_id("20.0.0.1", "20.0.0.2", 0x4444)}));
    CHECK(tokyo.dump() == before.substr(0, before.size()));
    CHECK(header_of(tokyo.sent()).destination == number("20.0.0.2"));
    CHECK(tokyo.arrives(tokyo.from_newyork(1)));
    CHECK(!tokyo.arrives(tokyo.from_newyork(2, "20.0.0.3", "20.0.0.11")));
    tokyo.gateway.pass(std::chrono::seconds{8});
    CHECK(tokyo.arrives(tokyo.from_newyork(3)));
}

TEST_CASE("an SA that moves twice in one transaction takes what was on its way to where it was before both") {
    Tokyo tokyo;
    REQUIRE(tokyo.does(move_of(0x1002, "20.0.0.2", "20.0.0.1", "20.0.0.3", "20.0.0.1"),
                       move_of(0x1002, "20.0.0.3", "20.0.0.1", "20.0.0.3", "20.0.0.11"),
                       move_of(0x1001, "20.0.0.1", "20.0.0.2", "20.0.0.1", "20.0.0.3"),
                       move_of(0x1001, "20.0.0.1", "20.0.0.3", "20.0.0.1", "20.0.0.2")));
    CHECK(tokyo.arrives(tokyo.from_newyork(1)));
    CHECK(tokyo.arrives(tokyo.from_newyork(2, "20.0.0.3", "20.0.0.11")));
    CHECK(header_of(tokyo.sent()).destination == number("20.0.0.2"));
}

TEST_CASE("a hundred SAs that move are all found at their new addresses, and the former ones are forgotten") {
    Tokyo tokyo;
    std::string all;
    for (unsigned spi = 0x3000; spi < 0x3064; ++spi)
        all += "add 20.0.0.2 20.0.0.1 esp " + std::to_string(spi) + " -m tunnel -r 8 -E aes-gcm-16 \"" + gcm_key(spi) +
               "\";";
    tokyo.gateway.setkey(all);
    std::vector<control::Operation> moves;
    for (unsigned spi = 0x3000; spi < 0x3064; ++spi)
        moves.emplace_back(move_of(spi, "20.0.0.2", "20.0.0.1", "20.0.0.2", "20.0.0.11"));
    REQUIRE(tokyo.apply(std::move(moves)));
    tokyo.gateway.setkey(  // the index grows meanwhile
        [] {
            std::string more;
            for (unsigned spi = 0x4000; spi < 0x4100; ++spi)
                more += "add 20.0.0.2 20.0.0.1 esp " + std::to_string(spi) + " -m tunnel -r 8 -E aes-gcm-16 \"" +
                        gcm_key(spi) + "\";";
            return more;
        }());
    for (const bool late : {false, true}) {
        unsigned former = 0, now = 0;
        for (unsigned spi = 0x3000; spi < 0x3064; ++spi) {
            Forger peer{gcm_key(spi)};
            now += tokyo.arrives(peer.tunnel("20.0.0.2", "20.0.0.11", spi, late ? 3 : 1, inbound));
            former += tokyo.arrives(peer.tunnel("20.0.0.2", "20.0.0.1", spi, late ? 4 : 2, inbound));
        }
        CHECK(now == (late ? 0 : 100));  // the policy knows the former ends, which count no more by then
        CHECK(former == (late ? 0 : 100));
        CHECK(tokyo.gateway.drops(Drop::unknown_spi) == (late ? 100 : 0));
        tokyo.gateway.pass(std::chrono::seconds{8});
        tokyo.gateway.setkey(
            "spdadd 10.9.0.0/16 10.8.0.0/16 any -P in none; spddelete 10.9.0.0/16 10.8.0.0/16 any -P in;");
    }
}
