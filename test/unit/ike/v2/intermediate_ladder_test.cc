// IKE_INTERMEDIATE (RFC 9242) and the additional key exchanges in it (RFC 9370 2.2.1, 2.2.2): what both ends agree on,
// that each message is in their AUTH whatever way it came, and that nobody gets around them.
#include "catch.h"
#include "ike/v2/int_auth.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

std::shared_ptr<Connection> offering(unsigned local, unsigned remote, std::initializer_list<std::string_view> words) {
    auto c = connection(local, remote);
    c->proposals.clear();
    for (const std::string_view text : words) {
        c->proposals.push_back(*parse_ike_proposal(text, LegacyAlgorithms::refused));
        c->proposals.back().number = static_cast<std::uint8_t>(c->proposals.size());
    }
    return c;
}

constexpr const char *plain = "aes128gcm16-prfsha256-x25519", *one = "aes128gcm16-prfsha256-x25519-ke1_ecp384",
                     *three = "aes128gcm16-prfsha256-x25519-ke1_ecp384-ke2_modp2048-ke5_ecp256";

World offices(std::initializer_list<std::string_view> first, std::initializer_list<std::string_view> second,
              std::uint64_t seed = 31) {
    return two_offices(offering(1, 2, first), offering(2, 1, second), seed);
}
World offices(const char* words) { return offices({words}, {words}); }

bool is_intermediate(const Datagram& d) { return parse_header(d.octets)->exchange == ExchangeType::ike_intermediate; }

/// "INIT 0, INTERMEDIATE 1, ..." of the requests, as they were sent.
std::string requests(const World& world) {
    std::string out;
    for (const Datagram& d : world.record) {
        const Header header = *parse_header(d.octets);
        if (header.response) continue;
        out.append(out.empty() ? "" : ", ").append(name_of(header.exchange)) += " " + std::to_string(header.message_id);
    }
    return out;
}

void check_nothing_is_left(World& world) {
    world.run(Instant{200'000});
    INFO(world.tail(30));
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(world[i].engine->size() == 0);
        CHECK(world[i].engine->half_open() == 0);
        CHECK(world[i].sad.size() == 0);
    }
}

Octets counted(std::size_t octets, unsigned from) {
    Octets out(octets);
    for (std::byte& b : out) b = static_cast<std::byte>(from++);
    return out;
}

}  // namespace

TEST_CASE("each additional key exchange has an IKE_INTERMEDIATE, and IKE_AUTH the next number (RFC 9242 3.2)") {
    World world = offices(three);
    bring_up(world);
    INFO(world.tail(30));
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(requests(world) == "IKE_SA_INIT 0, IKE_INTERMEDIATE 1, IKE_INTERMEDIATE 2, IKE_INTERMEDIATE 3, IKE_AUTH 4");
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(only(world[i])->suite.further() == std::vector{KeMethod::ecp384, KeMethod::modp2048, KeMethod::ecp256});
        CHECK(only(world[i])->int_auth.initiator.empty());
    }
    CHECK(world[0].said("aes128gcm16-prfsha256-x25519-ke1_ecp384-ke2_modp2048-ke5_ecp256"));
}

TEST_CASE("the keys after an IKE_INTERMEDIATE are others than before (RFC 9370 2.2.2)") {
    World world = offices(one);
    std::vector<SecretBytes> before;
    world.tap = [&](Datagram& d) {
        if (is_intermediate(d) && before.empty())
            world[0].engine->each([&](const IkeSa& sa) { before.push_back(sa.keys.d.duplicate()); });
        return true;
    };
    bring_up(world);
    REQUIRE(before.size() == 1);
    CHECK(!before[0].same_as(only(world[0])->keys.d));
    CHECK(only(world[1])->keys.d.same_as(only(world[0])->keys.d));
}

TEST_CASE("what is agreed on is what both have, and NONE or nothing is none (RFC 9370 2.2.1)") {
    struct Row {
        std::initializer_list<std::string_view> first, second;
        std::vector<KeMethod> wanted;
    };
    const char* const perhaps = "aes128gcm16-prfsha256-x25519-ke1_ecp384-ke1_none";
    for (const Row& row :
         {Row{{one, plain}, {plain}, {}},  // a responder that knows nothing of it
          Row{{plain}, {one, plain}, {}}, Row{{one, plain}, {one}, {KeMethod::ecp384}}, Row{{perhaps}, {plain}, {}},
          Row{{perhaps}, {perhaps}, {KeMethod::ecp384}}, Row{{perhaps}, {one}, {KeMethod::ecp384}}}) {
        World world = offices(row.first, row.second);
        bring_up(world);
        INFO(world.tail(20));
        CHECK(disagreement(world, 1, 1) == "");
        for (std::size_t i = 0; i < 2; ++i) CHECK(only(world[i])->suite.further() == row.wanted);
    }
}

TEST_CASE("who requires an additional key exchange has no SA with who has none, and both are told (RFC 9370 2.2.1)") {
    for (const bool first : {true, false}) {
        World world = first ? offices({one}, {plain}) : offices({plain}, {one});
        bring_up(world);
        check_nothing_is_left(world);
        CHECK(world[0].said("NO_PROPOSAL_CHOSEN"));
        CHECK(world[1].said("additional key exchange 1 differs"));
    }
}

TEST_CASE("without INTERMEDIATE_EXCHANGE_SUPPORTED nobody is taken at his additional key exchanges (RFC 9370 2.2.1)") {
    for (const bool request : {true, false}) {
        World world = offices(one);
        world.tap = [&](Datagram& d) {
            const Header header = *parse_header(d.octets);
            return header.exchange != ExchangeType::ike_sa_init || header.response == request ||
                   rewrite(world, d, [](Opened& message) {
                       std::erase_if(message.payloads, [](const Payload& payload) {
                           const auto* n = std::get_if<Notify>(&payload);
                           return n != nullptr && n->type == NotifyType::intermediate_exchange_supported;
                       });
                   });
        };
        bring_up(world);
        check_nothing_is_left(world);
        CHECK(world[request].said(request ? "he knows no IKE_INTERMEDIATE" : "without IKE_INTERMEDIATE"));
    }
}

TEST_CASE("whichever message of an IKE_INTERMEDIATE is lost, it comes again, and there are SAs (RFC 7296 2.1)") {
    for (std::size_t lost = 0; lost < 6; ++lost) {
        World world = offices(three);
        std::size_t seen = 0;
        world.tap = [&](Datagram& d) { return !is_intermediate(d) || seen++ != lost; };
        bring_up(world);
        world.run(Instant{10'000});
        INFO("lost " << lost << "\n" << world.tail(30));
        CHECK(disagreement(world, 1, 1) == "");
        CHECK(seen > 6);  // there was one more
    }
}

TEST_CASE("an answer whose question comes again after new keys is the same octets (RFC 7296 2.1, RFC 9242 3.3.1)") {
    World world = offices(one);
    std::size_t lost = 0;
    std::vector<Octets> answers;
    world.tap = [&](Datagram& d) {
        if (!is_intermediate(d) || !parse_header(d.octets)->response) return true;
        answers.push_back(d.octets);
        return ++lost > 2;
    };
    bring_up(world);
    world.run(Instant{20'000});
    REQUIRE(answers.size() == 3);
    CHECK(answers[0] == answers[1]);
    CHECK(answers[0] == answers[2]);
    CHECK(disagreement(world, 1, 1) == "");
}

TEST_CASE("messages that come twice or in another order are the same exchanges (RFC 7296 2.2)") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        World world = offices({three}, {three}, seed);
        world.repeat = 0.6;
        world.most_delay = Instant{300};
        bring_up(world);
        world.run(Instant{10'000});
        INFO("seed " << seed << "\n" << world.tail(30));
        CHECK(disagreement(world, 1, 1) == "");
    }
}

TEST_CASE("whoever knows the keys and changes an IKE_INTERMEDIATE makes AUTH fail (RFC 9242 3.3.2)") {
    for (const bool response : {false, true}) {
        World world = offices(one);
        std::size_t changed = 0;
        world.tap = [&](Datagram& d) {
            if (is_intermediate(d) && parse_header(d.octets)->response == response)
                changed += rewrite(world, d, [](Opened& message) { message.payloads.emplace_back(VendorId{{}}); });
            return true;
        };
        bring_up(world);
        CHECK(changed == 1);
        check_nothing_is_left(world);
        CHECK(world[1].said("the pre-shared keys differ"));
        CHECK(world[0].said("AUTHENTICATION_FAILED"));
    }
}

TEST_CASE("an IKE_INTERMEDIATE that came in fragments is in AUTH as if it had come whole (RFC 9242 3.3.2)") {
    for (const bool response : {false, true}) {
        World world = offices("aes128gcm16-prfsha256-x25519-ke1_modp4096");
        std::size_t fragments = 0;
        world.tap = [&](Datagram& d) {
            if (!is_intermediate(d) || parse_header(d.octets)->response != response) return true;
            for (const Octets& octets : cut(world, d, 300)) {
                ++fragments;
                world.flights.push_back({world.clock + Instant{1}, fragments, {d.local, d.remote, octets}});
            }
            return false;
        };
        bring_up(world);
        INFO(world.tail(30));
        CHECK(fragments == 3);
        CHECK(disagreement(world, 1, 1) == "");
    }
}

TEST_CASE("the octets that IntAuth covers of a message: no fragment, no IV, no padding, no ICV (RFC 9242 3.3.2)") {
    Header header;
    header.initiator_spi = IkeSpi{0x0102030405060708};
    header.responder_spi = IkeSpi{0x1112131415161718};
    header.exchange = ExchangeType::ike_intermediate;
    header.from_initiator = true;
    header.message_id = 1;
    const Payloads payloads{Ke{KeMethod::x25519, counted(32, 0)}};
    const Octets inner = build_payloads(payloads), sent = covered_octets(front_of(header, PayloadType::ke), inner);
    REQUIRE(sent.size() == 28 + 4 + 40);
    CHECK(std::to_integer<int>(sent[16]) == 46);
    CHECK(std::to_integer<int>(sent[27]) == 72);
    CHECK(std::to_integer<int>(sent[28]) == 34);
    CHECK(std::to_integer<int>(sent[31]) == 44);

    const auto context = *CryptoContext::deterministic(1);
    for (const char* const words : {"aes128gcm16-prfsha256-x25519", "aes256-sha512-x25519"}) {
        const auto proposals = std::vector{*parse_ike_proposal(words, LegacyAlgorithms::refused)};
        const Suite suite = choose(proposals, proposals, {})->suite;
        const EncrInfo& encr = *find(suite.encr, suite.encr_key_bits);
        const Octets sk_e = counted(encr.key_octets + encr.salt_octets, 7);
        const Octets sk_a = encr.aead() ? Octets{} : counted(64, 9);
        const auto cipher = *MessageCipher::make(*context, suite, sk_e, sk_a);
        const Octets whole = *cipher->seal(header, PayloadType::ke, inner);
        CHECK(covered_octets(front_of(*split(whole)), inner) == sent);
        const auto cut = *cipher->seal_fragments(header, PayloadType::ke, inner, 256);
        CHECK(covered_octets(front_of(*split(cut[0])), inner) == sent);
    }

    // known answers: HMAC-SHA-256 of python3 over the 72 octets above, and over the first answer and them
    IntAuth both;
    REQUIRE(IntAuth::add(*context, PrfId::hmac_sha2_256, counted(32, 64), sent, both.initiator));
    REQUIRE(IntAuth::add(*context, PrfId::hmac_sha2_256, counted(32, 96), sent, both.initiator));
    const auto hex = [](const Octets& octets) {
        std::string out;
        for (const std::byte b : octets)
            for (const unsigned shift : {4u, 0u}) out += "0123456789abcdef"[std::to_integer<unsigned>(b) >> shift & 15];
        return out;
    };
    CHECK(hex(both.initiator) == "6d99a933e6390228b4bdcea58ec7ed51c307a021e071d8f47e9b42b385716e52");
    both.responder = {std::byte{0xaa}};
    CHECK(hex(both.octets(3)) == "6d99a933e6390228b4bdcea58ec7ed51c307a021e071d8f47e9b42b385716e52aa00000003");
    CHECK(IntAuth{}.octets(1).empty());
}

TEST_CASE("an IKE_AUTH in front of the exchanges that were agreed on is refused (RFC 9370 2.2.2)") {
    World world = offices(one);
    world.tap = [&](Datagram& d) {
        return !is_intermediate(d) || parse_header(d.octets)->response || rewrite(world, d, [](Opened& message) {
            message.header.exchange = ExchangeType::ike_auth;
            message.payloads = {IdInitiator{{IdType::fqdn, Octets(3, std::byte{'a'})}},
                                Auth{AuthMethod::shared_key, Octets(32)}};
        });
    };
    bring_up(world);
    CHECK(world[1].said("it comes before the additional key exchanges"));
    check_nothing_is_left(world);
}

TEST_CASE("another method, a wrong value or none in IKE_INTERMEDIATE ends it, and both are told (RFC 9242 3.4)") {
    struct Row {
        Payloads payloads;
        const char* told;
    };
    const Row rows[] = {{{Ke{KeMethod::ecp256, Octets(64)}}, "no value of ECP_384"},
                        {{Ke{KeMethod::ecp384, Octets(96)}}, "no point of the curve"},
                        {{Ke{KeMethod::ecp384, Octets(95)}}, "95 octets, not 96"},
                        {{VendorId{{}}}, "no value of ECP_384"}};
    for (const bool response : {false, true})
        for (const Row& row : rows) {
            World world = offices(one);
            world.tap = [&](Datagram& d) {
                return !is_intermediate(d) || parse_header(d.octets)->response != response ||
                       rewrite(world, d, [&](Opened& message) { message.payloads = row.payloads; });
            };
            bring_up(world);
            INFO(row.told);
            CHECK(world[response ? 0 : 1].said(row.told));
            if (!response) CHECK(world[0].said("the peer refuses IKE_INTERMEDIATE: INVALID_SYNTAX"));
            check_nothing_is_left(world);
        }
}

TEST_CASE("an IKE_INTERMEDIATE that nothing asks for is refused (RFC 9242 5)") {
    World world = offices(plain);
    world.tap = [&](Datagram& d) {
        const Header header = *parse_header(d.octets);
        return header.exchange != ExchangeType::ike_auth || header.response || header.message_id != 1 ||
               rewrite(world, d, [](Opened& message) {
                   message.header.exchange = ExchangeType::ike_intermediate;
                   message.payloads = {Ke{KeMethod::ecp384, Octets(96)}};
               });
    };
    bring_up(world);
    CHECK(world[1].said("no key exchange is left to be done"));
    check_nothing_is_left(world);
}

TEST_CASE("a connection that requires an additional key exchange is not had by the proposals of another (RFC 9370)") {
    auto strict = offering(2, 1, {one}), lax = offering(2, 1, {plain});
    strict->name = "strict";
    lax->remote_id = *parse_id("somebody.example.com");
    World world{31};
    world.add("tokyo", config_of({offering(1, 2, {plain})}));
    world.add("newyork", config_of({strict, lax}));
    world.begin();
    bring_up(world);
    CHECK(world[0].said("AUTHENTICATION_FAILED"));
    check_nothing_is_left(world);
}

TEST_CASE("childless, with cookies, another method first, or a PPK: IKE_INTERMEDIATE goes with all of them") {
    for (const unsigned kind : {0u, 1u, 2u, 3u}) {
        auto a = offering(1, 2, {"aes128gcm16-prfsha256-ecp256-x25519-ke1_ecp384"}), b = offering(2, 1, {one});
        auto config = config_of({b});
        if (kind == 0) a->childless = true;
        if (kind == 1) config.limits.cookies_from = 0;
        if (kind == 2)
            for (const auto& c : {a, b}) {  // RFC 8784 3: SK_d, SK_pi and SK_pr as they are after the last exchange
                c->ppk = PpkUse::required;
                c->ppk_id = *parse_ppk_id("offices-2026");
                c->postquantum_keys = std::make_shared<PostquantumKeys>(
                    *PostquantumKeys::parse("offices-2026 0123456789abcdef0123456789abcdef\n", "ppk.txt"));
            }
        World world{32};
        world.add("tokyo", config_of({a}));
        world.add("newyork", config);
        world.begin();
        bring_up(world);
        INFO("kind " << kind << "\n" << world.tail(30));
        CHECK(disagreement(world, 1, 1) == "");
        CHECK(only(world[0])->suite.further() == std::vector{KeMethod::ecp384});
        CHECK(only(world[0])->ppk_id.empty() == (kind != 2));
    }
}

TEST_CASE("a peer that is taken down between IKE_SA_INIT and IKE_AUTH leaves nothing behind") {
    World world = offices(one);
    world.tap = [&](Datagram& d) { return !is_intermediate(d); };
    REQUIRE(order(world, 0, "up", "to-2"));
    world.run(Instant{1000});
    CHECK(count(world[0], IkeState::intermediate_sent) == 1);
    CHECK(count(world[1], IkeState::init_answered) == 1);
    REQUIRE(order(world, 0, "down", "to-2"));
    check_nothing_is_left(world);
}
