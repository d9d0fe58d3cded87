#include "ike/crypto/key_exchange.h"

#include <openssl/evp.h>

#include "catch.h"
#include "hex.h"
#include "known_answers.h"

using namespace torii;
using namespace torii::ike;
using test::from_hex;
using test::to_hex;

TEST_CASE("two ends agree by every method, and values are as long as RFC 7296 3.4, RFC 5903 7 and RFC 8031 3.1 say") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const KeInfo& row : kes()) {
        INFO(row.word);
        if (KeyExchange::lacking(row.id)) continue;  // looked at below
        auto one = KeyExchange::initiate(*context, row.id).value();
        CHECK(one->method() == row.id);
        CHECK(one->public_value().size() == row.public_octets);
        const KeyExchange::Answer answer = KeyExchange::respond(*context, row.id, one->public_value()).value();
        CHECK(answer.value.size() == row.answer_octets);
        const SecretBytes secret = one->finish(answer.value).value();
        CHECK(secret.same_as(answer.secret));
        const bool curve = row.word.starts_with("ecp"), kem = row.word.starts_with("mlkem");
        CHECK(secret.size() == (kem ? 32U : curve ? row.public_octets / 2U : row.public_octets));
        CHECK_FALSE(KeyExchange::initiate(*context, row.id).value()->finish(answer.value).value().same_as(secret));
        CHECK_FALSE(KeyExchange::respond(*context, row.id, one->public_value()).value().secret.same_as(secret));
    }
}

namespace {

struct CurveAnswer {
    KeMethod method;
    const char *one, *ones_public, *other, *others_public, *secret;
};
constexpr CurveAnswer curve_answers[]{
    {KeMethod::ecp256, "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
     "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"
     "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
     "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
     "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
     "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
     "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"},
    {KeMethod::ecp384,
     "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
     "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa"
     "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
     "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2960e4bd55a7448fc",
     "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571"
     "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
     "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746"},
    {KeMethod::ecp521,
     "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa85a30fe1c2952c6771d937ba9777f595"
     "7b2639bab072462f68c27a57382d4a52",
     "0015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbee1e3bf42e00b8e380aeae57c2d1075649418"
     "85942af5a7f4601723c4195d176ced3e017cae20b6641d2eeb695786d8c946146239d099e18e1d5a514c739d7cb4a10ad8a7"
     "88015ac405d7799dc75e7b7d5b6cf2261a6a7f1507438bf01beb6ca3926f9582",
     "0145ba99a847af43793fdd0e872e7cdfa16be30fdc780f97bccc3f078380201e9c677d600b343757a3bdbf2a3163e4c2f869"
     "cca7458aa4a4effc311f5cb151685eb9",
     "00d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436adc6e95bb0352f6be64a6c291"
     "2d4ef2d0433ced2b6171640012d9460f015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d9852077b87220b"
     "6536c5c408a1d2aebb8e86d678ae49cb57091f4732296579ab44fcd17f0fc56a",
     "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4baa240a34786859810c06b3c7"
     "15a3a8cc3151f2bee417996d19f3ddea"},
    {KeMethod::x25519, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
     "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
     "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
     "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
     "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
};

void check_answer(const CurveAnswer& answer) {
    const auto context = CryptoContext::deterministic(1).value();
    const auto pair = [&](const char* secret, const char* value) {
        return KeyExchange::from_pair(*context, answer.method, from_hex(secret), from_hex(value)).value();
    };
    const auto one = pair(answer.one, answer.ones_public), other = pair(answer.other, answer.others_public);
    CHECK(to_hex(one->public_value()) == answer.ones_public);
    CHECK(to_hex(other->public_value()) == answer.others_public);
    CHECK(to_hex(one->finish(other->public_value()).value()) == answer.secret);
    CHECK(to_hex(other->finish(one->public_value()).value()) == answer.secret);
}

Errc refusal(KeyExchange& exchange, const Octets& value) {
    const auto secret = exchange.finish(value);
    CHECK_FALSE(secret);
    return secret ? Errc::internal : secret.error().code;
}

}  // namespace

TEST_CASE("curves give the answers of RFC 5903 8 and RFC 7748 6.1") {
    for (const CurveAnswer& answer : curve_answers) {
        INFO(name_of(answer.method));
        check_answer(answer);
    }
}

TEST_CASE("MODP groups are those that RFC 2409 6.2 and RFC 3526 make of pi") {
    for (const test::Agreement& answer : test::agreements) {
        INFO(name_of(answer.method));
        check_answer(
            {answer.method, answer.one, answer.ones_public, answer.other, answer.others_public, answer.secret});
    }
}

TEST_CASE("a MODP value of 0, 1, p - 1 and above is refused, 2 and p - 2 are taken (RFC 6989 2.1)") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const test::Agreement& answer : test::agreements) {
        INFO(name_of(answer.method));
        const auto exchange = KeyExchange::initiate(*context, answer.method).value();
        const Octets below_p = from_hex(answer.p_minus_1);
        Octets value(below_p.size());
        CHECK(refusal(*exchange, value) == Errc::bad_value);
        value.back() = std::byte{1};
        CHECK(refusal(*exchange, value) == Errc::bad_value);
        value.back() = std::byte{2};
        CHECK(exchange->finish(value));
        CHECK(refusal(*exchange, below_p) == Errc::bad_value);
        value = below_p;
        value.back() |= std::byte{1};  // p
        CHECK(refusal(*exchange, value) == Errc::bad_value);
        CHECK(refusal(*exchange, Octets(value.size(), std::byte{0xff})) == Errc::bad_value);
        value.back() = below_p.back() ^ std::byte{3};  // p - 2 is odd: ...fe becomes ...fd
        CHECK(exchange->finish(value));
    }
}

TEST_CASE("a point off its curve is refused (RFC 6989 2.3), and so is 0, 0") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const KeMethod method : {KeMethod::ecp256, KeMethod::ecp384, KeMethod::ecp521}) {
        INFO(name_of(method));
        const auto exchange = KeyExchange::initiate(*context, method).value();
        const Octets right = KeyExchange::initiate(*context, method).value()->public_value();
        CHECK(exchange->finish(right));
        for (const std::size_t at : {right.size() / 2 - 1, right.size() - 1}) {
            Octets wrong = right;
            wrong[at] ^= std::byte{1};
            CHECK(refusal(*exchange, wrong) == Errc::bad_value);
        }
        CHECK(refusal(*exchange, Octets(right.size())) == Errc::bad_value);
        CHECK(refusal(*exchange, Octets(right.size(), std::byte{0xff})) == Errc::bad_value);
    }
}

TEST_CASE("an x25519 value of small order makes no secret (RFC 7748 6.1, RFC 8031 2.1)") {
    const auto context = CryptoContext::deterministic(1).value();
    const auto exchange = KeyExchange::initiate(*context, KeMethod::x25519).value();
    for (const char* const value : {"0000000000000000000000000000000000000000000000000000000000000000",
                                    "0100000000000000000000000000000000000000000000000000000000000000",
                                    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                                    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                                    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"})
        CHECK(refusal(*exchange, from_hex(value)) == Errc::bad_value);
}

TEST_CASE("a value of the wrong length is refused by every method") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const KeInfo& row : kes()) {
        INFO(row.word);
        if (KeyExchange::lacking(row.id)) continue;
        const auto exchange = KeyExchange::initiate(*context, row.id).value();
        Octets value = KeyExchange::respond(*context, row.id, exchange->public_value()).value().value;
        CHECK(refusal(*exchange, {}) == Errc::bad_value);
        for (const unsigned octets : {0U, row.public_octets - 1U, row.public_octets + 1U}) {
            const auto answer = KeyExchange::respond(*context, row.id, Octets(octets, std::byte{1}));
            REQUIRE_FALSE(answer);
            CHECK(answer.error().code == Errc::bad_value);
            CHECK(answer.error().message.find(std::to_string(octets) + " octets, not ") != std::string::npos);
        }
        value.push_back(std::byte{0});
        CHECK(refusal(*exchange, value) == Errc::bad_value);
        value.resize(value.size() - 2);
        CHECK(refusal(*exchange, value) == Errc::bad_value);
    }
}

TEST_CASE("MODP secrets and values with zeros in front keep them (RFC 7296 2.14, 3.4)") {
    const auto context = CryptoContext::deterministic(1).value();
    bool short_value = false, short_secret = false;
    auto fixed = KeyExchange::initiate(*context, KeMethod::modp1024).value();
    for (int tries = 0; tries < 4000 && !(short_value && short_secret); ++tries) {
        const auto other = KeyExchange::initiate(*context, KeMethod::modp1024).value();
        const SecretBytes secret = fixed->finish(other->public_value()).value();
        REQUIRE(secret.size() == 128);
        REQUIRE(other->public_value().size() == 128);
        short_value |= other->public_value().front() == std::byte{};
        if (secret.octets().front() != std::byte{}) continue;
        short_secret = true;
        CHECK(secret.same_as(other->finish(fixed->public_value()).value()));
    }
    CHECK(short_value);
    CHECK(short_secret);
}

TEST_CASE("a method that is not ours is refused by its name") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const KeMethod method : {KeMethod::none, KeMethod{1}, KeMethod{22}, KeMethod{23}, KeMethod{38}}) {
        const auto made = KeyExchange::initiate(*context, method);
        REQUIRE_FALSE(made);
        CHECK(made.error().code == Errc::unsupported);
        CHECK(made.error().message.find(name_of(method)) != std::string::npos);
    }
}

TEST_CASE("what OpenSSL at hand lacks is refused with the version that has it") {
    const auto context = CryptoContext::deterministic(1).value();
    CHECK_FALSE(KeyExchange::lacking(KeMethod::x25519));
    const auto lack = KeyExchange::lacking(KeMethod::mlkem768);
    const auto parsed = parse_ike_proposal("aes256gcm16-prfsha384-x25519-ke1_mlkem768", LegacyAlgorithms::refused);
    CHECK(static_cast<bool>(KeyExchange::initiate(*context, KeMethod::mlkem768)) == !lack);
    CHECK(static_cast<bool>(parsed) == !lack);
    if (!lack) return;
    CHECK(lack->find("needs OpenSSL 3.5 or later, and this is OpenSSL 3.") != std::string::npos);
    CHECK(parsed.error().message.find(*lack) != std::string::npos);
}

TEST_CASE("ML-KEM-1024 as the only key exchange is refused, as an additional one it is not (RFC 9242 1)") {
    const auto alone = parse_ike_proposal("aes256gcm16-prfsha384-mlkem1024", LegacyAlgorithms::refused);
    REQUIRE_FALSE(alone);
    CHECK(alone.error().message.find("as ke1_mlkem1024 it may stand behind another one") != std::string::npos);
    if (KeyExchange::lacking(KeMethod::mlkem1024)) return;
    CHECK(parse_ike_proposal("aes256gcm16-prfsha384-x25519-ke1_mlkem1024", LegacyAlgorithms::refused));
    CHECK(parse_ike_proposal("aes256gcm16-prfsha384-mlkem768", LegacyAlgorithms::refused));
    CHECK(parse_child_proposal(ProtocolId::esp, "aes256gcm16-mlkem1024", LegacyAlgorithms::refused));
}

namespace {

struct MlkemAnswer {
    KeMethod method;
    const char *key_sha3_256, *secret, *ciphertext;
};
#include "mlkem_answers.inc"

Octets counted(unsigned octets) {
    Octets out(octets);
    for (unsigned i = 0; i < octets; ++i) out[i] = static_cast<std::byte>(i);
    return out;
}

std::string sha3_256(const Octets& of) {
    Octets out(32);
    std::size_t size = out.size();
    EVP_Q_digest(nullptr, "SHA3-256", nullptr, of.data(), of.size(), reinterpret_cast<unsigned char*>(out.data()),
                 &size);
    return to_hex(out);
}

}  // namespace

TEST_CASE("ML-KEM makes the keys and opens the ciphertexts of an implementation of FIPS 203 that is not OpenSSL's") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const MlkemAnswer& answer : mlkem_answers) {
        INFO(name_of(answer.method));
        CHECK(from_hex(answer.ciphertext).size() == find(answer.method)->answer_octets);
        if (const auto lack = KeyExchange::lacking(answer.method)) {
            WARN("skipped: " << *lack);
            return;
        }
        const auto pair = KeyExchange::from_pair(*context, answer.method, counted(64), {}).value();
        CHECK(sha3_256(pair->public_value()) == answer.key_sha3_256);
        CHECK(to_hex(pair->finish(from_hex(answer.ciphertext)).value()) == answer.secret);
    }
}

TEST_CASE("ML-KEM answers as FIPS 203 says, and refuses what is no key (FIPS 203 7.2, 7.3)") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const KeMethod method : {KeMethod::mlkem512, KeMethod::mlkem768, KeMethod::mlkem1024}) {
        INFO(name_of(method));
        if (const auto lack = KeyExchange::lacking(method)) {
            WARN("skipped: " << *lack);
            return;
        }
        const auto pair = KeyExchange::initiate(*context, method).value();
        Octets key = pair->public_value();
        key[0] = key[1] = key[2] = std::byte{0xff};  // a coefficient above q - 1 = 3328
        const auto refused = KeyExchange::respond(*context, method, key);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().message.find("it is no key") != std::string::npos);
        auto answer = KeyExchange::respond(*context, method, pair->public_value()).value();
        answer.value.front() ^= std::byte{1};  // not refused, and no secret that anybody has (6.3)
        CHECK_FALSE(pair->finish(answer.value).value().same_as(answer.secret));
    }
}
