// ML-KEM in IKE's exchanges (draft-ietf-ipsecme-ikev2-mlkem), where OpenSSL has it: Debian 13's does. Elsewhere each
// case looks at what is refused instead (key_exchange_test).
#include "catch.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

/// OpenSSL lacks it, and a proposal with it is refused: that is all that can be looked at then.
bool is_refused() {
    const auto lack = KeyExchange::lacking(KeMethod::mlkem768);
    if (!lack) return false;
    const auto parsed = parse_ike_proposal("aes256gcm16-prfsha384-x25519-ke1_mlkem768", LegacyAlgorithms::refused);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message.find(*lack) != std::string::npos);
    WARN("skipped: " << *lack);
    return true;
}

std::shared_ptr<Connection> of(unsigned local, unsigned remote, const char* words, const char* childs) {
    auto c = connection(local, remote);
    c->proposals = {*parse_ike_proposal(words, LegacyAlgorithms::refused)};
    c->children[0].proposals = {*parse_child_proposal(ProtocolId::esp, childs, LegacyAlgorithms::refused)};
    return c;
}

std::size_t datagrams_of(const World& world, ExchangeType exchange) {
    return static_cast<std::size_t>(std::ranges::count_if(
        world.record, [&](const Datagram& d) { return parse_header(d.octets)->exchange == exchange; }));
}

void check_life(const char* words, const char* childs, std::size_t least_intermediates) {
    for (const double loss : {0.0, 0.2}) {
        World world = two_offices(of(1, 2, words, childs), of(2, 1, words, childs), 51);
        world.loss = loss;
        REQUIRE(order(world, 0, "up", "to-2"));
        world.run(Instant{60'000});
        INFO(words << "\n" << world.tail(30));
        CHECK(disagreement(world, 1, 1) == "");
        CHECK(datagrams_of(world, ExchangeType::ike_intermediate) >= least_intermediates);
        for (const char* const what : {"offices-2", "to-2"}) {
            REQUIRE(order(world, 0, "rekey", what));
            world.run(Instant{130'000});
            world.loss = 0;
            world.run(Instant{40'000});
            CHECK(disagreement(world, 1, 1) == "");
        }
    }
}

}  // namespace

TEST_CASE("x25519 and ML-KEM behind it: IKE_INTERMEDIATE in fragments, rekeys by IKE_FOLLOWUP_KE (ikev2-mlkem 2)") {
    if (is_refused()) return;
    // 1184 octets of key and 1088 of ciphertext go whole into a datagram, 1568 do not
    check_life("aes256gcm16-prfsha384-x25519-ke1_mlkem512", "aes256gcm16-x25519-ke1_mlkem512", 2);
    check_life("aes256gcm16-prfsha384-x25519-ke1_mlkem768", "aes256gcm16-x25519-ke1_mlkem768", 2);
    check_life("aes256gcm16-prfsha384-x25519-ke1_mlkem1024", "aes256gcm16-x25519-ke1_mlkem1024", 6);
}

TEST_CASE("ML-KEM alone in IKE_SA_INIT, and alone in a child's rekey (ikev2-mlkem 2)") {
    if (is_refused()) return;
    check_life("aes256gcm16-prfsha384-mlkem768", "aes256gcm16-mlkem1024", 0);
}

TEST_CASE("a ciphertext that is changed makes AUTH fail, since it makes another secret (FIPS 203 6.3)") {
    if (is_refused()) return;
    const char* const words = "aes256gcm16-prfsha384-x25519-ke1_mlkem768";
    World world = two_offices(of(1, 2, words, "aes256gcm16"), of(2, 1, words, "aes256gcm16"), 52);
    world.tap = [&](Datagram& d) {
        const Header header = *parse_header(d.octets);
        if (header.exchange == ExchangeType::ike_intermediate && header.response)
            rewrite(world, d, [](Opened& message) { get<Ke>(message.payloads)->value.back() ^= std::byte{1}; });
        return true;
    };
    bring_up(world);
    world.run(Instant{200'000});
    CHECK(world[0].sad.size() == 0);
    CHECK(world[1].sad.size() == 0);
    CHECK(count(world[0], IkeState::established) == 0);
}
