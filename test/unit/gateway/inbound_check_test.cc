// The inbound check (RFC 4301 5.2): a packet passes when it came exactly as its policy asks, through the SAs the policy
// asks for; and what nesting, spoofing and unknown SPIs come to.
#include "catch.h"
#include "office.h"
#include "test/unit/esp/forge.h"

using namespace torii;
using namespace torii::test;
using Kind = control::Event::Kind;

namespace {

const Octets inner = datagram("10.0.2.5", "10.0.1.5", 102);

std::string sa(std::uint32_t spi, std::string_view options, std::string_view ends = "20.0.0.2 20.0.0.1") {
    return "add " + std::string{ends} + " esp " + std::to_string(spi) + " -m tunnel " + std::string{options} +
           " -E aes-gcm-16 \"" + gcm_key(spi) + "\";";
}
std::string policy(std::string_view requests) {
    return "spdadd 10.0.2.0/24 10.0.1.0/24 any -P in ipsec " + std::string{requests} + ";";
}

struct Tokyo {
    explicit Tokyo(std::string_view setkey) { gateway.setkey(setkey); }
    Octets sealed(std::uint32_t spi, const Octets& packet, std::string_view source = "20.0.0.2") {
        return Forger{gcm_key(spi)}.tunnel(source, "20.0.0.1", spi, ++sequence, packet);
    }
    std::vector<Octets> arrive(const Octets& packet) { return pass(gateway, world, {packet}, office); }
    bool accepts(const Octets& packet) { return arrive(packet).size() == 1; }
    std::uint64_t mismatches() { return gateway.drops(Drop::policy_mismatch); }
    Wires gateway{office_configuration()};
    std::uint32_t sequence = 0;
};

constexpr std::string_view tunnel = "esp/tunnel/20.0.0.2-20.0.0.1/require";

}  // namespace

TEST_CASE("a clear packet that matches an inbound ipsec policy is a policy_mismatch") {
    Tokyo tokyo{sa(0x1002, "") + policy(tunnel)};
    CHECK_FALSE(tokyo.accepts(inner));
    CHECK(tokyo.mismatches() == 1);
    CHECK(tokyo.accepts(tokyo.sealed(0x1002, inner)));
    CHECK_FALSE(tokyo.accepts(inner));  // nor after the flow is known from the SA
    CHECK(tokyo.mismatches() == 2);
    CHECK(tokyo.accepts(tokyo.sealed(0x1002, inner)));
}

TEST_CASE("level use inbound accepts clear packets and protected ones") {
    Tokyo tokyo{sa(0x1002, "") + policy("esp/tunnel/20.0.0.2-20.0.0.1/use")};
    CHECK(tokyo.accepts(inner));
    CHECK(tokyo.accepts(tokyo.sealed(0x1002, inner)));
    CHECK(tokyo.mismatches() == 0);
}

TEST_CASE("a packet through an SA between other ends than the policy's is a policy_mismatch") {
    Tokyo tokyo{sa(0x1002, "") + sa(0x1003, "", "20.0.0.3 20.0.0.1") + policy(tunnel)};
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1003, inner, "20.0.0.3")));
    CHECK(tokyo.mismatches() == 1);
    CHECK(tokyo.accepts(tokyo.sealed(0x1002, inner)));
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1003, inner, "20.0.0.3")));  // also when the flow is in the cache
    CHECK(tokyo.mismatches() == 2);
}

TEST_CASE("a packet through an SA of another reqid is a policy_mismatch for unique, and good for require") {
    Tokyo tokyo{sa(0x1002, "-u 7") + sa(0x1003, "-u 8") + policy("esp/tunnel/20.0.0.2-20.0.0.1/unique:7")};
    CHECK(tokyo.accepts(tokyo.sealed(0x1002, inner)));
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1003, inner)));
    CHECK(tokyo.mismatches() == 1);
    CHECK(tokyo.accepts(tokyo.sealed(0x1002, inner)));
    tokyo.gateway.setkey("spdupdate 10.0.2.0/24 10.0.1.0/24 any -P in ipsec " + std::string{tunnel} + ";");
    CHECK(tokyo.accepts(tokyo.sealed(0x1003, inner)));
}

TEST_CASE("a peer's SA carries only what its policy lets it say: other sources are refused (RFC 4301 5.2)") {
    Tokyo tokyo{sa(0x1002, "") + policy(tunnel) +
                "spdadd 10.0.3.0/24 10.0.1.0/24 any -P in ipsec esp/tunnel/20.0.0.3-20.0.0.1/require;"};
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1002, datagram("10.0.9.9", "10.0.1.5", 102))));
    CHECK(tokyo.gateway.drops(Drop::no_policy) == 1);
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1002, datagram("10.0.3.5", "10.0.1.5", 102))));
    CHECK(tokyo.mismatches() == 1);
    SECTION("and where none is the policy, protected packets pass like clear ones") {
        tokyo.gateway.setkey("spdadd 10.0.9.0/24 10.0.1.0/24 any -P in none;");
        CHECK(tokyo.accepts(tokyo.sealed(0x1002, datagram("10.0.9.9", "10.0.1.5", 102))));
    }
}

TEST_CASE("a packet that claims to come from us is refused, in clear and out of an SA") {
    Tokyo tokyo{sa(0x1002, "") + "spdadd 0.0.0.0/0 0.0.0.0/0 any -P in none;"};
    CHECK_FALSE(tokyo.accepts(datagram("10.0.1.1", "10.0.1.5")));
    CHECK(tokyo.gateway.drops(Drop::own_source) == 1);
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1002, datagram("20.0.0.1", "10.0.1.5", 102))));
    CHECK(tokyo.gateway.drops(Drop::own_source) == 2);
    CHECK(pass(tokyo.gateway, office, {datagram("10.0.1.1", "10.0.2.5")}, world).empty());
    CHECK(tokyo.gateway.drops(Drop::own_source) == 3);
}

TEST_CASE("a bundle's inbound policy wants every SA of it, also from a flow that is known") {
    const std::string two = sa(0x1002, "-u 1") + sa(0x1003, "-u 2") +
                            policy("esp/tunnel/20.0.0.2-20.0.0.1/unique:1 esp/tunnel/20.0.0.2-20.0.0.1/unique:2");
    Tokyo tokyo{two};
    const auto in_both = [&] { return tokyo.sealed(0x1003, tokyo.sealed(0x1002, inner)); };
    CHECK(tokyo.accepts(in_both()));
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1003, inner)));                        // the outer SA alone
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1002, inner)));                        // the inner SA alone
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1002, tokyo.sealed(0x1003, inner))));  // the wrong way round
    CHECK(tokyo.mismatches() == 3);
    CHECK(tokyo.accepts(in_both()));
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1003, in_both())));  // one layer more than was asked for
    CHECK(tokyo.mismatches() == 4);
}

TEST_CASE("an optional request of a bundle may be missing inbound, the required one may not") {
    Tokyo tokyo{sa(0x1002, "-u 1") + sa(0x1003, "", "20.0.0.3 20.0.0.1") +
                policy("esp/tunnel/20.0.0.2-20.0.0.1/require esp/tunnel/20.0.0.3-20.0.0.1/use")};
    CHECK(tokyo.accepts(tokyo.sealed(0x1003, tokyo.sealed(0x1002, inner), "20.0.0.3")));
    CHECK(tokyo.accepts(tokyo.sealed(0x1002, inner)));
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1003, inner, "20.0.0.3")));
    CHECK(tokyo.mismatches() == 1);
}

TEST_CASE("ESP in ESP opens up to four deep, and the fifth is one too many") {
    const std::string requests = "esp/tunnel/20.0.0.2-20.0.0.1/require";
    for (unsigned depth = 2; depth <= 5; ++depth) {
        INFO("depth " << depth);
        std::string all;
        for (unsigned i = 0; i < std::min(depth, 4u); ++i) all += requests + " ";
        Tokyo tokyo{sa(0x1002, "") + policy(all)};
        Octets packet = inner;
        for (unsigned i = 0; i < depth; ++i) packet = tokyo.sealed(0x1002, packet);
        CHECK(tokyo.accepts(packet) == (depth <= 4));
        CHECK(tokyo.gateway.drops(Drop::nested_too_deep) == (depth == 5 ? 1 : 0));
        CHECK(tokyo.mismatches() == 0);
        CHECK(tokyo.gateway.buffers_missing() == 0);
    }
}

TEST_CASE("a packet that came otherwise than its policy asks is told with its SA and selectors (RFC 4301 5.2)") {
    Tokyo tokyo{sa(0x1002, "") + sa(0x1003, "", "20.0.0.3 20.0.0.1") + policy(tunnel)};
    Told told{tokyo.gateway};
    CHECK(tokyo.accepts(tokyo.sealed(0x1002, inner)));
    CHECK(told.count(Kind::selector_mismatch) == 0);
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1003, inner, "20.0.0.3")));
    CHECK(told.count(Kind::selector_mismatch) == 1);
    CHECK(told.last(Kind::selector_mismatch).sa == sa_id("20.0.0.3", "20.0.0.1", 0x1003));
    CHECK(told.last(Kind::selector_mismatch).packet.source == Address::v4(number("10.0.2.5")));
    CHECK(told.last(Kind::selector_mismatch).packet.destination_port == 5000);
    CHECK_FALSE(tokyo.accepts(inner));  // in clear: there is no SA to name
    CHECK(told.count(Kind::selector_mismatch) == 2);
    CHECK(told.last(Kind::selector_mismatch).sa == sa_id("10.0.2.5", "10.0.1.5", 0));
}

TEST_CASE("what an SA brings that no policy lets in is told as well, and what comes in clear is not (RFC 4301 5.2)") {
    Tokyo tokyo{sa(0x1002, "") + policy(tunnel) + "spdadd 10.0.8.0/24 10.0.1.0/24 any -P in discard;"};
    Told told{tokyo.gateway};
    const Octets unforeseen = datagram("10.0.9.9", "10.0.1.5", 102), forbidden = datagram("10.0.8.8", "10.0.1.5", 102);
    CHECK_FALSE(tokyo.accepts(unforeseen));
    CHECK_FALSE(tokyo.accepts(forbidden));
    CHECK(told.count(Kind::selector_mismatch) == 0);
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1002, unforeseen)));
    CHECK(tokyo.gateway.drops(Drop::no_policy) == 2);
    CHECK(told.count(Kind::selector_mismatch) == 1);
    CHECK(told.last(Kind::selector_mismatch).sa == sa_id("20.0.0.2", "20.0.0.1", 0x1002));
    CHECK(told.last(Kind::selector_mismatch).packet.source == Address::v4(number("10.0.9.9")));
    const auto start = told.last(Kind::selector_mismatch).start.view();  // for INVALID_SELECTORS (RFC 7296 3.10.1)
    CHECK(std::ranges::equal(start, std::span{unforeseen}.first(control::PacketStart::most)));
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1002, forbidden)));
    CHECK(tokyo.gateway.drops(Drop::policy_discard) == 2);
    CHECK(told.count(Kind::selector_mismatch) == 2);
}

TEST_CASE("an unknown SPI for one of our addresses is dropped and told (RFC 4303 3.4.2)") {
    Tokyo tokyo{sa(0x1002, "") + policy(tunnel)};
    Told told{tokyo.gateway};
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x7777, inner)));
    CHECK(tokyo.gateway.drops(Drop::unknown_spi) == 1);
    REQUIRE(told.count(Kind::unknown_spi) == 1);
    const control::Event event = told.last(Kind::unknown_spi);
    CHECK(event.sa == sa_id("20.0.0.2", "20.0.0.1", 0x7777));
    CHECK(event.sequence == 1);
    tokyo.gateway.setkey("delete 20.0.0.2 20.0.0.1 esp 0x1002;");
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(0x1002, inner)));
    CHECK(tokyo.gateway.drops(Drop::unknown_spi) == 2);
}

TEST_CASE("an SA is found by destination and SPI: its peer may have moved, its destination may not") {
    Tokyo tokyo{sa(0x1002, "") + policy(tunnel)};
    CHECK(tokyo.accepts(tokyo.sealed(0x1002, inner, "20.0.0.77")));  // RFC 4301 4.1
    CHECK_FALSE(tokyo.accepts(Forger{gcm_key(0x1002)}.tunnel("20.0.0.2", "10.0.1.1", 0x1002, 9, inner)));
    CHECK(tokyo.gateway.drops(Drop::unknown_spi) == 1);
}

TEST_CASE("twenty thousand SAs with random SPIs are all found") {
    constexpr std::size_t count = 20'000;
    Tokyo tokyo{policy(tunnel)};
    std::vector<control::Located> transaction;
    std::vector<std::uint32_t> spis;
    std::uint32_t spi = 0x12345;
    for (std::size_t i = 0; i < count; ++i) {
        spi = spi * 1664525 + 1013904223;  // a full-period generator: no SPI comes twice
        if (spi < 256) continue;
        spis.push_back(spi);
        control::SaSpec spec;
        spec.id = sa_id("20.0.0.2", "20.0.0.1", spi);
        spec.mode = Mode::tunnel;
        spec.cipher = CipherId::aes_gcm_16;
        const std::string key = gcm_key(spi);
        spec.cipher_key = SecretBytes{std::as_bytes(std::span{key})};
        transaction.push_back({control::AddSa{std::move(spec)}, {}});
    }
    REQUIRE(tokyo.gateway.gateway().apply(std::move(transaction)));
    std::size_t accepted = 0;
    for (std::size_t i = 0; i < spis.size(); i += 100) accepted += tokyo.accepts(tokyo.sealed(spis[i], inner));
    CHECK(accepted == (spis.size() + 99) / 100);
    CHECK(tokyo.gateway.drops(Drop::unknown_spi) == 0);
    tokyo.gateway.setkey("flush;");
    CHECK_FALSE(tokyo.accepts(tokyo.sealed(spis[0], inner)));
    tokyo.gateway.turn(8);
    CHECK(tokyo.gateway.gateway().retired().empty());
}
