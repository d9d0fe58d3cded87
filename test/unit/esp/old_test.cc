// IPsec as it was in 1995: ESP of RFC 1827 with the ciphers of RFC 1829 and its like, AH of RFC 1826. No sequence
// numbers, so no replay window, and no integrity in ESP. The oracle has the octets themselves (test/oracle).
#include "ah/ah.h"
#include "catch.h"
#include "test/unit/gateway/both_families.h"

using namespace torii;
using namespace torii::test;

namespace {

struct Words {
    std::string_view words, request;
    unsigned protocol, header_octets, block;  // header_octets: with IV or ICV
};
const Words des{"esp-old 0x1001 -m any -E des-cbc 0x0123456789abcdef;", "esp", 50, 12, 8};
const Words des_32iv{"esp-old 0x1001 -m any -E des-32iv 0x0123456789abcdef;", "esp", 50, 8, 8};
const Words aes{"esp-old 0x1001 -m any -E aes-cbc \"sixteen octets!!\";", "esp", 50, 20, 16};
const Words md5{"ah-old 0x1001 -m any -A keyed-md5 \"sixteen octets!!\";", "ah", 51, 24, 1};
const Words sha1{"ah-old 0x1001 -m any -A keyed-sha1 \"twenty octets of key\";", "ah", 51, 24, 1};
const Words hmac{"ah-old 0x1001 -m any -A hmac-md5 \"sixteen octets!!\";", "ah", 51, 24, 1};

struct Pair {
    Wires tokyo{tokyo_configuration_of_both()}, newyork{newyork_configuration_of_both()};
    /// A tunnel between the gateways, or from tokyo's office to newyork itself.
    Pair(const Words& how, bool tunnel, bool four) {
        const std::string here = four ? "20.0.0.1" : "2001:db8:f::1", there = four ? "20.0.0.2" : "2001:db8:f::2";
        const std::string from = tunnel ? here : four ? "10.0.1.5" : "2001:db8:1::5";
        const std::string nets =
            tunnel ? (four ? "10.0.1.0/24 10.0.2.0/24" : "2001:db8:1::/64 2001:db8:2::/64") : from + " " + there;
        const std::string request =
            std::string{how.request} + (tunnel ? "/tunnel/" + here + "-" + there : "/transport/") + "/require;";
        const std::string setkey = "add " + from + " " + there + " " + std::string{how.words} + "spdadd " + nets +
                                   " udp -P out ipsec " + request + "spdadd " + nets + " udp -P in ipsec " + request;
        tokyo.setkey(setkey);
        newyork.setkey(setkey);
        clear = four ? ipv4("10.0.1.5", tunnel ? "10.0.2.5" : there, 17, payload)
                     : ipv6("2001:db8:1::5", tunnel ? "2001:db8:2::5" : there, 17, payload);
        out = tunnel ? office : host;
        hops = tunnel ? 2 : 1;
    }
    Octets sent() {
        const auto wire = carry(tokyo, office, {clear}, world);
        REQUIRE(wire.size() == 1);
        return wire[0];
    }
    std::vector<Octets> received(const Octets& wire) { return carry(newyork, world, {wire}, out); }
    std::vector<Octets> arrived() const { return only(hops_on(clear, hops)); }
    const Octets payload = udp(4000, 5000, Octets(101, std::byte{0x5a}));
    Octets clear;
    std::size_t out;
    unsigned hops;
};

std::size_t header_octets(const Octets& packet) { return is_ipv6(packet) ? 40 : 20; }
/// The packet with other octets behind its IP header, whose lengths and checksum are right.
Octets with_payload(const Octets& packet, const Octets& payload) {
    const Octets head{packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(header_octets(packet))};
    Octets out = head + payload;
    if (is_ipv6(out)) {
        reinterpret_cast<Ipv6Header*>(out.data())->payload_octets = static_cast<std::uint16_t>(payload.size());
        return out;
    }
    auto& ip = *reinterpret_cast<Ipv4Header*>(out.data());
    ip.total_octets = static_cast<std::uint16_t>(out.size());
    ip.checksum = 0;
    ip.checksum = internet_checksum(&ip, sizeof ip);
    return out;
}

}  // namespace

TEST_CASE(
    "esp-old and ah-old protect tunnels and hosts of both families, without sequence numbers (RFC 1827, RFC 1826)") {
    const Words& how = GENERATE(des, des_32iv, aes, md5, sha1, hmac);
    const bool tunnel = GENERATE(true, false), four = GENERATE(true, false);
    INFO(how.words << (tunnel ? " tunnel" : " transport") << (four ? " IPv4" : " IPv6"));
    Pair pair{how, tunnel, four};
    const Octets wire = pair.sent(), next = pair.sent();
    const std::size_t ip = header_octets(wire), inside = tunnel ? pair.clear.size() : pair.payload.size();
    CHECK(std::to_integer<unsigned>(wire[four ? 9 : 6]) == how.protocol);
    if (how.protocol == 50) {
        CHECK(wire.size() == ip + how.header_octets + (inside + 2 + how.block - 1) / how.block * how.block);
        CHECK(wire[ip + 3] == std::byte{1});  // SPI 0x1001, and the IV behind it
        CHECK_FALSE(std::equal(wire.begin() + static_cast<std::ptrdiff_t>(ip + 4),
                               wire.begin() + static_cast<std::ptrdiff_t>(ip + 8),
                               next.begin() + static_cast<std::ptrdiff_t>(ip + 4)));
    } else {
        CHECK(wire.size() == ip + how.header_octets + inside);
        CHECK(wire[ip + 1] == std::byte{4});  // 128 bits of digest (RFC 1828 2)
    }
    CHECK(pair.received(next) == pair.arrived());
    CHECK(pair.received(wire) == pair.arrived());
    CHECK(pair.received(wire) == pair.arrived());  // nothing tells a replay
    CHECK(pair.newyork.buffers_missing() == 0);
}

TEST_CASE("an altered packet does not pass ah-old, and what routers change does (RFC 1826 3.2.1)") {
    const Words& how = GENERATE(md5, sha1, hmac);
    Pair pair{how, true, true};
    Octets wire = pair.sent();
    wire.back() ^= std::byte{1};
    CHECK(pair.received(wire).empty());
    wire.back() ^= std::byte{1};
    wire[20 + 8] ^= std::byte{1};  // the digest's first octet
    CHECK(pair.received(wire).empty());
    CHECK(pair.newyork.drops(Drop::bad_icv) == 2);
    wire[20 + 8] ^= std::byte{1};
    CHECK(pair.received(after_hops(wire, 5)) == pair.arrived());
}

TEST_CASE("old headers that are cut short, or as long as the new ones, are dropped by name") {
    SECTION("ESP") {
        const Words& how = GENERATE(des, des_32iv, aes);
        Pair pair{how, true, true};
        const Octets wire = pair.sent(), payload{wire.begin() + 20, wire.end()};
        const std::size_t runt = how.header_octets + 2;
        for (std::size_t octets = 0; octets < runt; ++octets)
            CHECK(pair.received(
                          with_payload(wire, {payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(octets)}))
                      .empty());
        CHECK(pair.newyork.drops(Drop::esp_truncated) == runt);
        CHECK(pair.received(with_payload(wire, {payload.begin(), payload.end() - 1})).empty());  // no whole blocks
        CHECK(pair.newyork.drops(Drop::esp_truncated) == runt + 1);
        CHECK(pair.newyork.buffers_missing() == 0);
    }
    SECTION("AH") {
        const bool four = GENERATE(true, false);
        Pair pair{md5, true, four};
        const Octets wire = pair.sent();
        const auto ip = static_cast<std::ptrdiff_t>(header_octets(wire));
        const Octets payload{wire.begin() + ip, wire.end()};
        for (std::size_t octets = 0; octets < 24; ++octets)
            CHECK(pair.received(
                          with_payload(wire, {payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(octets)}))
                      .empty());
        CHECK(pair.newyork.drops(Drop::bad_ah_header) == 24);
        for (const unsigned words : {0u, 3u, 5u, 255u}) {
            Octets other = payload;
            other[1] = std::byte(words);
            CHECK(pair.received(with_payload(wire, other)).empty());
        }
        CHECK(pair.newyork.drops(Drop::bad_ah_header) == 28);
        CHECK(pair.newyork.buffers_missing() == 0);
    }
}

TEST_CASE("an old SA ends by its packets and octets, and its dump has no sequence number") {
    const Words& how = GENERATE(des_32iv, md5);
    Pair pair{how, true, true};
    for (int i = 0; i < 3; ++i) CHECK(pair.received(pair.sent()) == pair.arrived());
    unsigned seen = 0;
    pair.newyork.gateway().each_sa([&](const control::SaView& sa) {
        ++seen;
        CHECK(sa.sequence == 0);
        CHECK(sa.packets == 3);
        return true;
    });
    CHECK(seen == 1);
    Wires limited{tokyo_configuration_of_both()};
    std::string words{how.words};
    words.insert(words.find(" -m"), " -ph 2");
    limited.setkey("add 20.0.0.1 20.0.0.2 " + words + "spdadd 10.0.1.0/24 10.0.2.0/24 udp -P out ipsec " +
                   std::string{how.request} + "/tunnel/20.0.0.1-20.0.0.2/require;");
    for (int i = 0; i < 3; ++i) CHECK(carry(limited, office, {pair.clear}, world).size() == (i < 2 ? 1 : 0));
    CHECK(limited.drops(Drop::lifetime_exceeded) == 1);
}

TEST_CASE("what the old forms cannot have is refused at the seam, whoever asks") {
    Wires tokyo{office_configuration()};
    const auto refusal = [&](auto change) {
        control::SaSpec spec;
        spec.id = sa_id("20.0.0.1", "20.0.0.2", 0x1001);
        spec.old = true;
        spec.cipher = CipherId::des_cbc;
        spec.cipher_key = SecretBytes{std::as_bytes(std::span{"12345678", 8})};
        change(spec);
        std::vector<control::Located> transaction;
        transaction.push_back({control::AddSa{std::move(spec)}, {}});
        const auto done = tokyo.gateway().apply(std::move(transaction));
        return done ? std::string{"it was not refused"} : done.error().message;
    };
    using control::SaSpec;
    CHECK(refusal([](SaSpec&) {}) == "it was not refused");
    CHECK(refusal([](SaSpec& s) { s.replay_octets = 8; }).find("no sequence numbers") != std::string::npos);
    CHECK(refusal([](SaSpec& s) { s.extended_sequence = true; }).find("no sequence numbers") != std::string::npos);
    CHECK(refusal([](SaSpec& s) { s.cipher = CipherId::aes_ctr; }) ==
          "esp-old takes a cipher in CBC mode (RFC 1829), not aes-ctr");
    CHECK(refusal([](SaSpec& s) { s.cipher = CipherId::null; }) ==
          "esp-old takes a cipher in CBC mode (RFC 1829), not null");
    CHECK(refusal([](SaSpec& s) { s.auth = AuthId::hmac_sha1; }) == "esp-old has no integrity (RFC 1827)");
    CHECK(refusal([](SaSpec& s) { s.id.protocol = IpsecProtocol::ipcomp; }) == "there is no old IPComp");
    CHECK(refusal([](SaSpec& s) { s.id.protocol = IpsecProtocol::ah, s.auth = AuthId::hmac_sha256; }) ==
          "ah-old takes keyed-md5, keyed-sha1, hmac-md5 or hmac-sha1, not hmac-sha256");
    CHECK(refusal([](SaSpec& s) {
              s.id.protocol = IpsecProtocol::ah, s.old = false, s.auth = AuthId::keyed_md5_128;
          }) == "keyed-md5-128 goes with ah-old alone (RFC 1826)");
}
