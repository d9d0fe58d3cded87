#include "ike/crypto/prf.h"

#include "catch.h"
#include "hex.h"
#include "known_answers.h"

using namespace torii;
using namespace torii::ike;
using test::from_hex;
using test::to_hex;

namespace {

std::string prf_of(PrfId id, const Octets& key, const Octets& data) {
    const auto context = CryptoContext::system().value();
    const OctetView all = data;
    const std::size_t half = data.size() / 2;
    const std::string whole = to_hex(prf(*context, id, key, {all}).value());
    CHECK(whole == to_hex(prf(*context, id, key, {all.first(half), {}, all.subspan(half)}).value()));
    return whole;
}

Octets counting(std::size_t octets) {
    Octets out(octets);
    for (std::size_t i = 0; i < octets; ++i) out[i] = static_cast<std::byte>(i);
    return out;
}

Octets text(std::string_view words) {
    const auto octets = std::as_bytes(std::span{words});
    return {octets.begin(), octets.end()};
}

std::string all_of(const IkeKeys& keys) {
    std::string out;
    for (const SecretBytes* key : {&keys.d, &keys.ai, &keys.ar, &keys.ei, &keys.er, &keys.pi, &keys.pr})
        out += to_hex(*key);
    return out;
}
std::string all_of(const ChildKeys& keys) {
    return to_hex(keys.initiator_cipher) + to_hex(keys.initiator_auth) + to_hex(keys.responder_cipher) +
           to_hex(keys.responder_auth);
}

Suite suite_named(const char* words) {
    const Proposal proposal = parse_ike_proposal(words, LegacyAlgorithms::refused).value();
    return choose({proposal}, {proposal}, {}).value().suite;
}

/// The inputs of known_answers.py.
struct Inputs {
    Octets ni = from_hex(test::nonce_initiator), nr = from_hex(test::nonce_responder);
    Octets secret = from_hex(test::secret), second_secret = from_hex(test::second_secret);
    IkeKeyInput with(const Octets& shared_secret) const {
        return {.nonce_initiator = ni,
                .nonce_responder = nr,
                .spi_initiator = 0x0102030405060708,
                .spi_responder = 0xa1a2a3a4a5a6a7a8,
                .shared_secret = shared_secret};
    }
};

}  // namespace

TEST_CASE("HMAC PRFs give the answers of RFC 4231 4.2 to 4.7 and RFC 2202 3, whatever the key's length") {
    const Octets twenty(20, std::byte{0x0b});
    CHECK(prf_of(PrfId::hmac_sha1, twenty, text("Hi There")) == "b617318655057264e28bc0b6fb378c8ef146be00");
    CHECK(prf_of(PrfId::hmac_sha2_256, twenty, text("Hi There")) ==
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK(prf_of(PrfId::hmac_sha2_384, twenty, text("Hi There")) ==
          "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6");
    CHECK(prf_of(PrfId::hmac_sha2_512, twenty, text("Hi There")) ==
          "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61"
          "f1702e696c203a126854");
    CHECK(prf_of(PrfId::hmac_sha2_256, text("Jefe"), text("what do ya want for nothing?")) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(prf_of(PrfId::hmac_sha2_256, Octets(131, std::byte{0xaa}),
                 text("Test Using Larger Than Block-Size Key - Hash Key First")) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("an HMAC PRF takes no key and no data at all") {
    CHECK(prf_of(PrfId::hmac_sha2_256, {}, {}) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("AES-XCBC-PRF-128 takes keys of any length (RFC 4434 2, 3)") {
    const Octets message = counting(20), long_key = from_hex("000102030405060708090a0b0c0d0e0fedcb");
    CHECK(prf_of(PrfId::aes128_xcbc, counting(16), message) == "47f51b4564966215b8985c63055ed308");
    CHECK(prf_of(PrfId::aes128_xcbc, counting(10), message) == "0fa087af7d866e7653434e602fdde835");
    CHECK(prf_of(PrfId::aes128_xcbc, long_key, message) == "8cd3c93ae598a9803006ffb67c40e9e4");
    // RFC 3566 4.6, test cases 1 and 4: nothing, and whole blocks
    CHECK(prf_of(PrfId::aes128_xcbc, counting(16), {}) == "75f0251d528ac01c4573dfd584d79f29");
    CHECK(prf_of(PrfId::aes128_xcbc, counting(16), counting(32)) == "f54f0ec8d2b9f3d36807734bd5283fd4");
}

TEST_CASE("prf+ chains blocks and ends after 255 of them (RFC 7296 2.13)") {
    const auto context = CryptoContext::system().value();
    const Octets key = counting(32), seed = counting(9);
    const auto one = std::byte{1}, two = std::byte{2};
    const SecretBytes long_one = prf_plus(*context, PrfId::hmac_sha2_256, key, {seed}, 40).value();
    const SecretBytes first = prf(*context, PrfId::hmac_sha2_256, key, {seed, std::span{&one, 1}}).value();
    const SecretBytes second =
        prf(*context, PrfId::hmac_sha2_256, key, {first.octets(), seed, std::span{&two, 1}}).value();
    CHECK(to_hex(long_one) == to_hex(first) + to_hex(second).substr(0, 16));
    CHECK(prf_plus(*context, PrfId::hmac_sha2_256, key, {seed}, 255 * 32).value().size() == 255 * 32);
    const auto too_much = prf_plus(*context, PrfId::hmac_sha2_256, key, {seed}, 255 * 32 + 1);
    REQUIRE_FALSE(too_much);
    CHECK(too_much.error().code == Errc::internal);
    CHECK(prf_plus(*context, PrfId::hmac_sha2_256, key, {seed}, 0).value().empty());
}

TEST_CASE(
    "the keys of IKE SAs, of their successors and of children are an independent computation's "
    "(RFC 7296 2.14, 2.17, 2.18)") {
    const auto context = CryptoContext::system().value();
    const Inputs inputs;
    for (const test::Derivation& answer : test::derivations) {
        INFO(answer.suite);
        const Suite suite = suite_named(answer.suite);
        const IkeKeys keys = derive_ike_keys(*context, suite, inputs.with(inputs.secret)).value();
        CHECK(all_of(keys) == answer.first);
        CHECK(all_of(keys.duplicate()) == answer.first);
        const IkeKeys next =
            derive_rekeyed_ike_keys(*context, suite, suite.prf, keys.d.octets(), inputs.with(inputs.second_secret))
                .value();
        CHECK(all_of(next) == answer.rekeyed);
        const auto child = [&](OctetView secret) {
            return derive_child_keys(*context, suite.prf, keys.d.octets(), suite, secret, inputs.ni, inputs.nr).value();
        };
        CHECK(all_of(child({})) == answer.child);
        CHECK(all_of(child(inputs.second_secret)) == answer.child_of_exchange);
    }
}

TEST_CASE("a rekeyed IKE SA's SKEYSEED comes of the old SA's PRF, its keys of the new one's (RFC 7296 2.18)") {
    const auto context = CryptoContext::system().value();
    const Inputs inputs;
    const Suite next = suite_named("aes128gcm16-prfsha512-x25519");
    const Octets old_d = counting(32);
    const IkeKeys keys =
        derive_rekeyed_ike_keys(*context, next, PrfId::hmac_sha2_256, old_d, inputs.with(inputs.secret)).value();
    const SecretBytes skeyseed =
        prf(*context, PrfId::hmac_sha2_256, old_d, {inputs.secret, inputs.ni, inputs.nr}).value();
    const Octets spis = from_hex("0102030405060708a1a2a3a4a5a6a7a8");
    const SecretBytes material =
        prf_plus(*context, PrfId::hmac_sha2_512, skeyseed.octets(), {inputs.ni, inputs.nr, spis}, 3 * 64 + 2 * 20)
            .value();
    CHECK(all_of(keys) == to_hex(material));
}

TEST_CASE("every child suite's keys have the lengths that the data plane wants, salt behind the cipher's") {
    const auto context = CryptoContext::system().value();
    const Octets nonce = counting(32);
    for (const EncrInfo& row : encrs()) {
        INFO(row.word);
        const Suite suite{.encr = row.id,
                          .encr_key_bits = row.key_bits,
                          .integ = row.aead() ? IntegId::none : IntegId::hmac_sha2_256_128};
        const ChildKeys keys =
            derive_child_keys(*context, PrfId::hmac_sha2_256, nonce, suite, {}, nonce, nonce).value();
        CHECK(check_key(row.data_plane.value(), keys.initiator_cipher.bits()));
        CHECK(info(row.data_plane.value()).salt_octets == row.salt_octets);
        CHECK(info(row.data_plane.value()).icv_octets == row.icv_octets);
        CHECK(keys.responder_cipher.size() == keys.initiator_cipher.size());
        CHECK(keys.initiator_auth.size() == (row.aead() ? 0U : 32U));
    }
    for (const IntegInfo& row : integs()) {
        INFO(row.word);
        const ChildKeys keys =
            derive_child_keys(*context, PrfId::hmac_sha2_256, nonce, {.integ = row.id}, {}, nonce, nonce).value();
        CHECK(keys.initiator_cipher.empty());
        CHECK(check_key(row.data_plane.value(), keys.responder_auth.bits()));
        CHECK(info(row.data_plane.value()).icv_octets == row.icv_octets);
    }
}

TEST_CASE("keys for what we cannot do are refused") {
    const auto context = CryptoContext::system().value();
    const Octets octets = counting(16);
    CHECK(prf(*context, PrfId{1}, octets, {}).error().code == Errc::unsupported);  // PRF_HMAC_MD5
    CHECK(prf_plus(*context, PrfId{1}, octets, {}, 8).error().code == Errc::unsupported);
    CHECK_FALSE(derive_child_keys(*context, PrfId::hmac_sha1, octets, {.encr = EncrId{2}}, {}, octets, octets));
    CHECK_FALSE(derive_ike_keys(*context, {.encr = EncrId::aes_gcm_16, .encr_key_bits = 128, .prf = PrfId{1}},
                                Inputs{}.with(octets)));
}
