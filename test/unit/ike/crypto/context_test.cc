#include "ike/crypto/context.h"

#include <thread>

#include "catch.h"
#include "hex.h"
#include "ike/crypto/key_exchange.h"

using namespace torii;
using namespace torii::ike;
using test::to_hex;

namespace {

std::string drawn(CryptoContext& context, std::size_t octets) {
    Octets out(octets);
    context.fill(out);
    return to_hex(out);
}

std::string everything(std::uint64_t seed) {
    const auto context = CryptoContext::deterministic(seed).value();
    std::string out = drawn(*context, 40);
    for (const KeInfo& row : kes())
        if (!KeyExchange::lacking(row.id))
            out += " " + to_hex(KeyExchange::initiate(*context, row.id).value()->public_value());
    return out + " " + drawn(*context, 200000) + std::to_string(context->below(1000));
}

}  // namespace

TEST_CASE("the same seed gives the same octets and key pairs, another one gives others") {
    const std::string first = everything(7);
    CHECK(first == everything(7));
    CHECK(first.substr(0, 80) != everything(8).substr(0, 80));
    const auto context = CryptoContext::deterministic(7).value();
    CHECK(drawn(*context, 40) != drawn(*context, 40));
}

TEST_CASE("each method's key pair is a function of the seed and never the same twice") {
    for (const KeInfo& row : kes()) {
        INFO(row.word);
        if (KeyExchange::lacking(row.id)) continue;
        const auto context = CryptoContext::deterministic(1).value(), again = CryptoContext::deterministic(1).value();
        const Octets first = KeyExchange::initiate(*context, row.id).value()->public_value();
        CHECK(first == KeyExchange::initiate(*again, row.id).value()->public_value());
        CHECK(first != KeyExchange::initiate(*context, row.id).value()->public_value());
    }
}

TEST_CASE("a deterministic context goes on in another thread where it stopped") {
    const auto context = CryptoContext::deterministic(3).value(), moved = CryptoContext::deterministic(3).value();
    std::string here = drawn(*context, 16), there = drawn(*moved, 16);
    here += drawn(*context, 16);
    std::thread{[&] { there += drawn(*moved, 16); }}.join();
    CHECK(here == there);
}

TEST_CASE("the system's context knows nothing of a deterministic one") {
    const auto system = CryptoContext::system().value();
    const auto seeded = CryptoContext::deterministic(5).value();
    const std::string of_seed = drawn(*seeded, 32);
    const auto same = CryptoContext::deterministic(5).value();
    const std::string of_system = drawn(*system, 32);
    CHECK(of_system != of_seed);
    CHECK(of_system != drawn(*system, 32));
    CHECK(drawn(*same, 32) == of_seed);
    CHECK(system->library() == nullptr);
    CHECK(seeded->library() != nullptr);
}

TEST_CASE("a number below a bound is below it, and every one comes") {
    const auto context = CryptoContext::deterministic(11).value();
    std::array<unsigned, 5> count{};
    for (int i = 0; i < 1000; ++i) ++count.at(context->below(5));
    for (const unsigned n : count) CHECK(n > 120);
    CHECK(context->below(1) == 0);
}
