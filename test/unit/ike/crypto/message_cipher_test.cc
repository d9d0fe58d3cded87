#include "ike/crypto/message_cipher.h"

#include "catch.h"
#include "hex.h"
#include "ike/message/fragments.h"
#include "known_answers.h"

using namespace torii;
using namespace torii::ike;
using test::from_hex;
using test::to_hex;

namespace {

Octets counting(std::size_t octets, unsigned from = 0) {
    Octets out(octets);
    for (std::size_t i = 0; i < octets; ++i) out[i] = static_cast<std::byte>(from + i);
    return out;
}

const Header header{.initiator_spi = IkeSpi{0x1122334455667788},
                    .responder_spi = IkeSpi{0x99aabbccddeeff00},
                    .exchange = ExchangeType::ike_auth,
                    .from_initiator = true,
                    .message_id = 1};

/// Every suite that protects messages.
std::vector<Suite> suites() {
    std::vector<Suite> out;
    for (const EncrInfo& encr : encrs()) {
        if (!encr.for_ike) continue;
        if (encr.aead()) {
            out.push_back({.encr = encr.id, .encr_key_bits = encr.key_bits});
            continue;
        }
        for (const IntegInfo& integ : integs())
            out.push_back({.encr = encr.id, .encr_key_bits = encr.key_bits, .integ = integ.id});
    }
    return out;
}

std::unique_ptr<MessageCipher> cipher_of(CryptoContext& context, const Suite& suite, unsigned key_from = 7) {
    const EncrInfo& encr = *find(suite.encr, suite.encr_key_bits);
    const std::size_t integ_octets = suite.integ == IntegId::none ? 0 : find(suite.integ)->key_octets;
    return MessageCipher::make(context, suite, counting(encr.key_octets + encr.salt_octets, key_from),
                               counting(integ_octets, key_from + 90))
        .value();
}

/// The octets of a sealed message that are no text: in front of the IV, IV, ICV.
struct Frame {
    std::size_t front = header_octets + payload_header_octets, iv, icv, block;
    explicit Frame(const Suite& suite) {
        const EncrInfo& encr = *find(suite.encr, suite.encr_key_bits);
        iv = encr.iv_octets;
        block = encr.block_octets;
        icv = encr.aead() ? encr.icv_octets : find(suite.integ)->icv_octets;
    }
};

Split::Encrypted taken_apart(const Octets& message) {
    const auto parts = split(message);
    REQUIRE(parts);
    REQUIRE(parts->encrypted);
    return *parts->encrypted;
}

}  // namespace

TEST_CASE("what is sealed comes back, whatever its length, and no text is in sight (RFC 7296 3.14)") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const Suite& suite : suites()) {
        INFO(text_of(suite));
        const Frame frame{suite};
        const auto sender = cipher_of(*context, suite), receiver = cipher_of(*context, suite);
        for (const std::size_t octets : {0, 1, 7, 8, 15, 16, 17, 100, 1500, 60000}) {
            const Octets inner(octets, std::byte{0x41});
            const Octets message = sender->seal(header, PayloadType::id_initiator, inner).value();
            const Split::Encrypted encrypted = taken_apart(message);
            CHECK(split(message)->header == header);
            CHECK(encrypted.inner_first == PayloadType::id_initiator);
            CHECK(encrypted.fragments == 0);
            CHECK(encrypted.associated.size() == frame.front);
            CHECK((encrypted.body.size() - frame.iv - frame.icv) % frame.block == 0);
            CHECK(encrypted.body.size() - frame.iv - frame.icv <= octets + frame.block);
            CHECK(receiver->open(encrypted).value() == inner);
            if (octets >= 16) CHECK(to_hex(message).find("41414141414141414141414141") == std::string::npos);
        }
    }
}

TEST_CASE("every altered octet and every cut of a sealed message is refused, and nothing is told of why") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const Suite& suite : suites()) {
        INFO(text_of(suite));
        const auto sender = cipher_of(*context, suite), receiver = cipher_of(*context, suite);
        const Octets message = sender->seal(header, PayloadType::notify, counting(21)).value();
        const Split::Encrypted encrypted = taken_apart(message);
        const std::size_t front = encrypted.associated.size();
        std::string told;
        const auto refused = [&](const Octets& octets, std::size_t cut = 0) {
            const OctetView all = octets;
            const auto opened = receiver->open({.inner_first = PayloadType::notify,
                                                .associated = all.first(front),
                                                .body = all.subspan(front, all.size() - front - cut)});
            if (opened || opened.error().code != Errc::bad_value) return false;
            if (told.empty()) told = opened.error().message;
            return told == opened.error().message;
        };
        for (std::size_t i = 0; i < message.size(); ++i) {
            INFO(i);
            for (const int bit : {0, 7}) {
                Octets altered = message;
                altered[i] ^= std::byte{1} << bit;
                CHECK(refused(altered));
            }
        }
        for (std::size_t cut = 1; cut <= encrypted.body.size(); ++cut) CHECK(refused(message, cut));
        Octets longer = message;
        longer.resize(longer.size() + 16);
        CHECK(refused(longer));
        CHECK(receiver->open(encrypted));
        CHECK_FALSE(cipher_of(*context, suite, 8)->open(encrypted));
    }
}

TEST_CASE("IVs of AEADs count from message to message (RFC 5282 3.1), those of CBC are drawn (RFC 7296 3.14)") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const Suite& suite : suites()) {
        INFO(text_of(suite));
        const Frame frame{suite};
        const auto sender = cipher_of(*context, suite);
        const auto next_iv = [&] {
            const Octets message = sender->seal(header, PayloadType::none, {}).value();
            return to_hex(OctetView{message}.subspan(frame.front, frame.iv));
        };
        const std::string first = next_iv(), second = next_iv();
        if (find(suite.encr, suite.encr_key_bits)->aead()) {
            CHECK(first == "0000000000000000");
            CHECK(second == "0000000000000001");
        } else {
            CHECK(first != second);
            CHECK(first != std::string(2 * frame.iv, '0'));
        }
    }
}

TEST_CASE("fragments hold the message in order, the first alone its first payload, none is too long (RFC 7383 2.5)") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const Suite& suite : suites()) {
        INFO(text_of(suite));
        const auto sender = cipher_of(*context, suite), receiver = cipher_of(*context, suite);
        for (const std::size_t datagram : {256, 576, 1280})
            for (const std::size_t octets : {0, 1, 200, 2000, 9000}) {
                const Octets inner = counting(octets);
                const auto fragments = sender->seal_fragments(header, PayloadType::cert, inner, datagram).value();
                Octets together;
                for (std::size_t i = 0; i < fragments.size(); ++i) {
                    CHECK(fragments[i].size() <= datagram);
                    const Split::Encrypted encrypted = taken_apart(fragments[i]);
                    CHECK(encrypted.fragment == i + 1);
                    CHECK(encrypted.fragments == fragments.size());
                    CHECK(encrypted.inner_first == (i == 0 ? PayloadType::cert : PayloadType::none));
                    const Octets part = receiver->open(encrypted).value();
                    CHECK((i + 1 == fragments.size() || !part.empty()));
                    together.insert(together.end(), part.begin(), part.end());
                }
                CHECK(together == inner);
                CHECK(fragments.size() <= octets / (datagram - 100) + 1);
            }
    }
}

TEST_CASE("a fragment's number and total are authentic, a smallest datagram of 256 octets is kept to") {
    const auto context = CryptoContext::deterministic(1).value();
    const Suite suite{.encr = EncrId::aes_gcm_16, .encr_key_bits = 128};
    const auto cipher = cipher_of(*context, suite);
    const auto fragments = cipher->seal_fragments(header, PayloadType::cert, counting(390), 10).value();
    REQUIRE(fragments.size() == 2);
    CHECK(fragments[0].size() == 256);
    for (const std::size_t at : {33U, 35U}) {
        Octets altered = fragments[0];
        altered[at] ^= std::byte{4};
        const OctetView all = altered;
        CHECK_FALSE(cipher->open({.associated = all.first(36), .body = all.subspan(36)}));
    }
}

TEST_CASE("what would take more fragments than a peer puts together is refused, and so is too long a message") {
    const auto context = CryptoContext::deterministic(1).value();
    const auto cipher = cipher_of(*context, {.encr = EncrId::aes_gcm_16, .encr_key_bits = 128});
    const std::size_t most = 64 * (256 - 36 - 8 - 16 - 1);
    CHECK(cipher->seal_fragments(header, PayloadType::cert, Octets(most), 256).value().size() ==
          FragmentAssembly::most_fragments);
    CHECK(cipher->seal_fragments(header, PayloadType::cert, Octets(most + 1), 256).error().code == Errc::no_room);
    CHECK(cipher->seal_fragments(header, PayloadType::cert, Octets(FragmentAssembly::most_octets + 1), 65000)
              .error()
              .code == Errc::no_room);
    CHECK(cipher->seal(header, PayloadType::cert, Octets(limits::message_octets)).error().code == Errc::no_room);
}

TEST_CASE("padding may hold anything and be as long as its octet can say (RFC 7296 3.14)") {
    // Made by an implementation of its own: known_answers.py.
    const auto context = CryptoContext::deterministic(1).value();
    const auto cipher =
        cipher_of(*context, {.encr = EncrId::aes_cbc, .encr_key_bits = 128, .integ = IntegId::hmac_sha2_256_128});
    for (const auto& [message, inner] :
         {std::pair{test::padded_message, "4142434445"}, {test::all_padding_message, ""}})
        CHECK(to_hex(cipher->open(taken_apart(from_hex(message))).value()) == inner);
    CHECK(cipher->open(taken_apart(from_hex(test::overlong_padding_message))).error().code == Errc::bad_value);
}

TEST_CASE("an AEAD's message is what an independent computation makes it (RFC 5282 3, 4, 5; RFC 7634 2)") {
    const auto context = CryptoContext::deterministic(1).value();
    for (const auto& [suite, message] :
         {std::pair{Suite{.encr = EncrId::aes_gcm_16, .encr_key_bits = 256}, test::gcm_message},
          {Suite{.encr = EncrId::chacha20_poly1305}, test::chacha_message}})
        CHECK(to_hex(cipher_of(*context, suite)->seal(header, PayloadType::notify, counting(21)).value()) == message);
}

TEST_CASE("keys of a wrong size and suites that protect no messages are refused") {
    const auto context = CryptoContext::deterministic(1).value();
    const auto code = [&](const Suite& suite, std::size_t sk_e, std::size_t sk_a) {
        const auto made = MessageCipher::make(*context, suite, Octets(sk_e), Octets(sk_a));
        REQUIRE_FALSE(made);
        return made.error().code;
    };
    const Suite gcm{.encr = EncrId::aes_gcm_16, .encr_key_bits = 128};
    const Suite cbc{.encr = EncrId::aes_cbc, .encr_key_bits = 128, .integ = IntegId::hmac_sha2_256_128};
    CHECK(code(gcm, 16, 0) == Errc::bad_key_length);
    CHECK(code(gcm, 20, 32) == Errc::bad_value);
    CHECK(code(cbc, 16, 20) == Errc::bad_key_length);
    CHECK(code(cbc, 20, 32) == Errc::bad_key_length);
    CHECK(code({.encr = EncrId::aes_cbc, .encr_key_bits = 128}, 16, 0) == Errc::unsupported);
    CHECK(code({.encr = EncrId::null, .integ = IntegId::hmac_sha2_256_128}, 0, 32) == Errc::unsupported);
    CHECK(code({.encr = EncrId::aes_cbc, .encr_key_bits = 128, .integ = IntegId::hmac_md5_96}, 16, 16) ==
          Errc::unsupported);
    CHECK(code({.encr = EncrId{2}, .integ = IntegId::hmac_sha2_256_128}, 8, 32) == Errc::unsupported);
}
