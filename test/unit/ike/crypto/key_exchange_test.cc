#include "ike/crypto/key_exchange.h"

#include "catch.h"
#include "hex.h"

using namespace torii;
using namespace torii::ike;
using test::from_hex;
using test::to_hex;

TEST_CASE("two ends agree by every method, and values are as long as RFC 7296 3.4, RFC 5903 7 and RFC 8031 3.1 say") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const KeInfo& row : kes()) {
        INFO(row.word);
        auto one = KeyExchange::make(*context, row.id).value(), other = KeyExchange::make(*context, row.id).value();
        CHECK(one->method() == row.id);
        CHECK(one->public_value().size() == row.public_octets);
        const SecretBytes secret = one->agree(other->public_value()).value();
        CHECK(secret.same_as(other->agree(one->public_value()).value()));
        const bool curve = row.word.starts_with("ecp");
        CHECK(secret.size() == (curve ? row.public_octets / 2U : row.public_octets));
        CHECK_FALSE(KeyExchange::make(*context, row.id).value()->agree(one->public_value()).value().same_as(secret));
    }
}
