#include "ike/crypto/transforms.h"

#include <algorithm>
#include <set>

#include "catch.h"

using namespace torii;
using namespace torii::ike;

namespace {

using enum LegacyAlgorithms;

Proposal ike_proposal(std::string_view words) { return parse_ike_proposal(words, allowed).value(); }
Proposal esp(std::string_view words) { return parse_child_proposal(ProtocolId::esp, words, allowed).value(); }

template <class... Words>
std::vector<Proposal> ikes(Words... words) {
    std::vector<Proposal> out{ike_proposal(words)...};
    for (std::size_t i = 0; i < out.size(); ++i) out[i].number = static_cast<std::uint8_t>(i + 1);
    return out;
}

void replace_key_bits(Proposal& proposal, std::optional<std::uint16_t> key_bits) {
    proposal.transforms.front().key_bits = key_bits;
}
void add(Proposal& proposal, TransformType type, std::uint16_t id) {
    proposal.transforms.push_back({.type = type, .id = id});
}

std::string chosen_words(const std::vector<Proposal>& ours, const std::vector<Proposal>& offered, Choosing how = {}) {
    const auto choice = choose(ours, offered, how);
    return choice ? std::to_string(choice->chosen.number) + " " + text_of(choice->suite) : "nothing";
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("each row's word is its own, and its transform is found by number and key length") {
    std::set<std::string_view> words;
    for (const EncrInfo& row : encrs()) {
        CHECK(words.insert(row.word).second);
        CHECK(find(row.id, row.key_bits) == &row);
        CHECK((row.for_ike || row.for_esp));
    }
    for (const IntegInfo& row : integs()) CHECK((words.insert(row.word).second && find(row.id) == &row));
    for (const PrfInfo& row : prfs()) CHECK((words.insert(row.word).second && find(row.id) == &row));
    for (const KeInfo& row : kes()) CHECK((words.insert(row.word).second && find(row.id) == &row));
}

TEST_CASE("proposals of IKE come back as the words they were made of") {
    for (const char* const words : {"aes128gcm16-prfsha256-x25519",
                                    "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha384-prfsha256-ecp384-modp4096",
                                    "aes128-prfsha256-sha256-modp2048", "3des-prfsha1-sha1-modp1024",
                                    "aes192-prfaesxcbc-aesxcbc-modp1536", "aes256-prfsha512-sha512-ecp521"})
        CHECK(text_of(ike_proposal(words)) == words);
}

TEST_CASE("where no PRF is named the integrity's hash is it, and beside an AEAD nothing else") {
    CHECK(text_of(ike_proposal("aes128-sha256-modp2048")) == "aes128-prfsha256-sha256-modp2048");
    CHECK(text_of(ike_proposal("aes-aes256-sha2_512-sha-curve25519")) ==
          "aes128-aes256-prfsha512-prfsha1-sha512-sha1-x25519");
    CHECK(text_of(ike_proposal("aes128gcm16-sha384-ecp384")) == "aes128gcm16-prfsha384-ecp384");
    CHECK(has(parse_ike_proposal("aes128-aescmac-ecp256", refused).error().message, "no PRF"));
}

TEST_CASE("proposals of children: ESN and key exchange as named, without words no ESN") {
    CHECK(text_of(esp("aes128gcm16")) == "aes128gcm16");
    CHECK(esp("aes128gcm16").transforms.back() == Transform{.type = TransformType::esn, .id = 0});
    CHECK(text_of(esp("aes256-sha256-x25519-esn-noesn")) == "aes256-sha256-x25519-esn-noesn");
    CHECK(text_of(esp("aes256ccm16-aes128gmac-esn")) == "aes256ccm16-aes128gmac-esn");
    CHECK(text_of(esp("null-aesxcbc")) == "null-aesxcbc");
    const Proposal ah = parse_child_proposal(ProtocolId::ah, "sha256-sha1", refused).value();
    CHECK(ah.protocol == ProtocolId::ah);
    CHECK(text_of(ah) == "sha256-sha1");
}

TEST_CASE("what RFC 8247 and RFC 8221 forbid is refused with the reason, even to who wants legacy algorithms") {
    for (const char* const words :
         {"des-sha1-modp2048", "aes128-md5-modp2048", "aes128-sha256-prfmd5-modp2048", "aes128-sha256-modp768",
          "aes128-sha256-modp1024s160", "aes128-sha256-modp2048s256"}) {
        INFO(words);
        const auto proposal = parse_ike_proposal(words, allowed);
        REQUIRE_FALSE(proposal);
        CHECK(proposal.error().code == Errc::unsupported);
        CHECK(has(proposal.error().message, "RFC 8247"));
    }
    CHECK(has(parse_child_proposal(ProtocolId::esp, "des-sha256", allowed).error().message, "RFC 8221"));
    CHECK(has(parse_child_proposal(ProtocolId::ah, "md5", allowed).error().message, "RFC 8221"));
}

TEST_CASE("weak algorithms are for those who ask for them (RFC 8247 2.1, 2.4; RFC 8221 5)") {
    for (const char* const words : {"3des-sha256-modp2048", "aes128-sha256-modp1024", "aes128-sha256-modp1536"}) {
        CHECK(parse_ike_proposal(words, refused).error().code == Errc::unsupported);
        CHECK(parse_ike_proposal(words, allowed));
    }
    for (const char* const words : {"3des-sha1", "blowfish128-sha1", "blowfish256-sha256"}) {
        CHECK(parse_child_proposal(ProtocolId::esp, words, refused).error().code == Errc::unsupported);
        CHECK(parse_child_proposal(ProtocolId::esp, words, allowed));
    }
    CHECK_FALSE(parse_ike_proposal("blowfish128-sha1-modp2048", allowed));
}

TEST_CASE("a proposal that cannot be is refused with what is wrong about it") {
    struct Row {
        const char *words, *why;
    };
    for (const Row& row :
         {Row{"aes128gcm16-aes128-sha256-x25519", "separate proposals (RFC 7296 3.3)"},
          Row{"aes128gcm16-prfsha256-sha256-x25519", "takes no integrity"},
          Row{"aes128-prfsha256-x25519", "no integrity"}, Row{"aes128gcm16-x25519", "no PRF"},
          Row{"aes128gcm16-prfsha256", "no key exchange"}, Row{"sha256-x25519", "no encryption"},
          Row{"aes128-aes128-sha256-x25519", "twice"},
          Row{"aes128gcm8-prfsha256-x25519", "there is no 'aes128gcm8' for IKE"},
          Row{"null-sha256-x25519", "there is no 'null'"}, Row{"aes128gcm16-prfsha256-x25519-esn", "no 'esn'"},
          Row{"aes128gcm16--x25519", "there is no ''"}, Row{"", "there is no ''"}}) {
        INFO(row.words);
        const auto proposal = parse_ike_proposal(row.words, allowed);
        REQUIRE_FALSE(proposal);
        CHECK(has(proposal.error().message, row.why));
        CHECK(has(proposal.error().message, std::string{"proposal '"} + row.words + "'"));
    }
    for (const Row& row :
         {Row{"aes128", "no integrity"}, Row{"null", "no integrity"}, Row{"aes128gcm16-sha256", "takes no integrity"},
          Row{"aes128gcm16-aes128-sha256", "separate proposals"}, Row{"aes128gcm16-prfsha256", "no 'prfsha256'"}}) {
        INFO(row.words);
        CHECK(has(parse_child_proposal(ProtocolId::esp, row.words, allowed).error().message, row.why));
    }
    CHECK(has(parse_child_proposal(ProtocolId::ah, "aes128-sha256", allowed).error().message, "no 'aes128' for AH"));
    CHECK(has(parse_child_proposal(ProtocolId::ah, "esn", allowed).error().message, "no integrity"));
    CHECK_FALSE(parse_child_proposal(ProtocolId::ike, "aes128gcm16", allowed));
}

TEST_CASE("a word that is not there is answered with those that are, weak ones only to who may use them") {
    const std::string strict = parse_ike_proposal("aes512-sha256-x25519", refused).error().message;
    CHECK(has(strict, "'aes512'"));
    CHECK(has(strict, "aes128gcm16, "));
    CHECK(has(strict, "x25519"));
    CHECK_FALSE(has(strict, "modp1024"));
    CHECK(has(parse_ike_proposal("aes512-sha256-x25519", allowed).error().message, "modp1024"));
}

TEST_CASE("the defaults are numbered, hold no weak and no fading algorithm, and agree with themselves") {
    for (const auto& proposals :
         {default_ike_proposals(), default_child_proposals(ProtocolId::esp), default_child_proposals(ProtocolId::ah)}) {
        for (std::size_t i = 0; i < proposals.size(); ++i) {
            CHECK(proposals[i].number == i + 1);
            for (const Transform& transform : proposals[i].transforms) {
                if (transform.type == TransformType::encr)
                    CHECK_FALSE(find(EncrId{transform.id}, transform.key_bits.value_or(0))->legacy);
                if (transform.type == TransformType::integ) CHECK(IntegId{transform.id} != IntegId::hmac_sha1_96);
                if (transform.type == TransformType::prf) CHECK(PrfId{transform.id} != PrfId::hmac_sha1);
                if (transform.type == TransformType::ke) CHECK_FALSE(find(KeMethod{transform.id})->legacy);
            }
        }
        const auto choice = choose(proposals, proposals, {});
        REQUIRE(choice);
        CHECK(accept(proposals, choice->chosen, {}).value() == choice->suite);
    }
}

TEST_CASE("the peer's order of proposals counts, and of transforms ours (RFC 7296 2.7)") {
    const auto ours = ikes("aes256gcm16-aes128gcm16-prfsha256-x25519-ecp256", "aes128-sha256-modp2048");
    CHECK(chosen_words(ours, ikes("aes128gcm16-aes256gcm16-prfsha256-ecp256-x25519")) ==
          "1 aes256gcm16-prfsha256-x25519");
    CHECK(chosen_words(ours, ikes("aes128-sha256-modp2048", "aes128gcm16-prfsha256-x25519")) ==
          "1 aes128-prfsha256-sha256-modp2048");
    CHECK(chosen_words(ours, ikes("aes256-sha1-modp2048", "aes128gcm16-prfsha256-x25519")) ==
          "2 aes128gcm16-prfsha256-x25519");
    CHECK(chosen_words(ours, ikes("aes256-sha1-modp2048")) == "nothing");
    CHECK(chosen_words(ours, {}) == "nothing");
}

TEST_CASE("the chosen proposal has the peer's number and SPI and one transform of each type (RFC 7296 3.3)") {
    auto offered = ikes("aes256-sha1-modp2048", "aes128gcm16-aes256gcm16-prfsha256-prfsha512-x25519-ecp256");
    offered[1].number = 7;
    offered[1].spi = Octets(8, std::byte{0x5a});
    const auto choice = choose(ikes("aes128gcm16-prfsha256-x25519"), offered, {});
    REQUIRE(choice);
    CHECK(choice->chosen.number == 7);
    CHECK(choice->chosen.spi == offered[1].spi);
    CHECK(choice->chosen.transforms == ike_proposal("aes128gcm16-prfsha256-x25519").transforms);
    CHECK(choice->suite == Suite{.encr = EncrId::aes_gcm_16,
                                 .encr_key_bits = 128,
                                 .integ = IntegId::none,
                                 .prf = PrfId::hmac_sha2_256,
                                 .ke = KeMethod::x25519});
}

TEST_CASE("a method whose value is there already is preferred, if both have it (RFC 7296 1.2)") {
    const auto ours = ikes("aes128gcm16-prfsha256-x25519-ecp256"),
               offered = ikes("aes128gcm16-prfsha256-modp2048-ecp256-x25519");
    CHECK(chosen_words(ours, offered, {.preferred = KeMethod::ecp256}) == "1 aes128gcm16-prfsha256-ecp256");
    CHECK(chosen_words(ours, offered, {.preferred = KeMethod::modp2048}) == "1 aes128gcm16-prfsha256-x25519");
    CHECK(chosen_words(ours, offered) == "1 aes128gcm16-prfsha256-x25519");
}

TEST_CASE("a key length that is missing, other or not allowed is no match (RFC 7296 3.3.5)") {
    const auto ours = ikes("aes128-sha256-x25519");
    auto offered = ours;
    for (const std::optional<std::uint16_t> key_bits : {std::optional<std::uint16_t>{}, {256}, {0}}) {
        replace_key_bits(offered[0], key_bits);
        CHECK(chosen_words(ours, offered) == "nothing");
    }
    CHECK(has(why_not(ours, ikes("aes256-sha256-x25519")), "the peer has aes256, we have aes128"));
    replace_key_bits(offered[0], std::nullopt);
    CHECK(has(why_not(ours, offered), "ENCR_AES_CBC(no key length)"));
    auto chacha = ikes("chacha20poly1305-prfsha256-x25519");
    replace_key_bits(chacha[0], 256);
    CHECK(chosen_words(ikes("chacha20poly1305-prfsha256-x25519"), chacha) == "nothing");
}

TEST_CASE("beside an AEAD integrity is absent or NONE, nothing else (RFC 5282 8, RFC 7296 3.3.3)") {
    const auto ours = ikes("aes128gcm16-prfsha256-x25519");
    auto offered = ours;
    add(offered[0], TransformType::integ, 0);
    const auto choice = choose(ours, offered, {});
    REQUIRE(choice);
    CHECK(choice->suite.integ == IntegId::none);
    CHECK(choice->chosen.transforms.size() == 4);  // NONE is told, as it was offered
    CHECK(accept(ours, choice->chosen, {}));
    offered = ours;
    add(offered[0], TransformType::integ, 12);
    CHECK(chosen_words(ours, offered) == "nothing");
    // and without an AEAD it may not be NONE
    offered = ikes("aes128-sha256-x25519");
    for (Transform& transform : offered[0].transforms)
        if (transform.type == TransformType::integ) transform.id = 0;
    CHECK(chosen_words(ikes("aes128-sha256-x25519"), offered) == "nothing");
}

TEST_CASE("an unknown transform is passed over, an unknown type spoils its proposal alone (RFC 7296 3.3.6)") {
    const auto ours = ikes("aes128gcm16-prfsha256-x25519");
    auto offered = ikes("aes128gcm16-prfsha256-x25519", "aes128gcm16-prfsha256-x25519");
    add(offered[0], TransformType::encr, 999);
    CHECK(chosen_words(ours, offered) == "1 aes128gcm16-prfsha256-x25519");
    add(offered[0], TransformType{99}, 1);
    CHECK(chosen_words(ours, offered) == "2 aes128gcm16-prfsha256-x25519");
    CHECK(has(why_not(ours, {offered[0]}), "transform type 99"));
    offered[1].transforms[0].understood = false;
    CHECK(chosen_words(ours, offered) == "nothing");
}

TEST_CASE("additional key exchanges: every method once, NONE as often as it likes (RFC 9370 2.2.1)") {
    const auto words = [](std::string_view ours, std::string_view offered, Choosing how = {}) {
        return chosen_words(ikes(ours), ikes(offered), how);
    };
    const std::string front = "aes128gcm16-prfsha256-x25519";
    CHECK(words(front + "-ke1_ecp384-ke2_modp2048", front + "-ke2_modp2048-ke1_ecp384") ==
          "1 " + front + "-ke1_ecp384-ke2_modp2048");
    CHECK(words(front + "-ke1_ecp384-ke1_ecp256-ke2_ecp384", front + "-ke1_ecp256-ke1_ecp384-ke2_ecp384") ==
          "1 " + front + "-ke1_ecp256-ke2_ecp384");  // the second has but one choice
    CHECK(words(front + "-ke1_ecp384-ke2_ecp384", front + "-ke1_ecp384-ke2_ecp384") == "nothing");
    CHECK(words(front + "-ke1_none-ke2_none", front + "-ke1_none-ke2_none") == "1 " + front);
    CHECK(words(front + "-ke1_ecp384", front) == "nothing");
    CHECK(words(front, front + "-ke1_ecp384") == "nothing");
    CHECK(words(front + "-ke1_ecp384-ke1_none", front) == "1 " + front);
    CHECK(words(front, front + "-ke1_ecp384-ke1_none") == "1 " + front);
    const Choosing without{.without_additional = true};
    CHECK(words(front + "-ke1_ecp384", front + "-ke1_ecp384", without) == "nothing");
    CHECK(words(front + "-ke1_ecp384-ke1_none", front + "-ke1_ecp384-ke1_none", without) == "1 " + front);
    CHECK(has(why_not(ikes(front + "-ke1_ecp384"), ikes(front + "-ke1_ecp256")),
              "the additional key exchange 1 differs: the peer has ke1_ecp256, we have ke1_ecp384"));

    // with seven of them and no way to agree on the last it is told at once
    std::string many = front;
    for (const char number : std::string_view{"123456"})
        for (const char* const word : {"ecp256", "ecp384", "ecp521", "modp2048", "modp3072", "modp4096"})
            many += std::string{"-ke"} + number + "_" + word;
    CHECK(words(many + "-ke7_x25519", many + "-ke7_ecp256") == "nothing");

    const auto offered = ikes(front + "-ke1_ecp384-ke1_ecp256-ke2_ecp384-ke2_none");
    const auto taken = [&](std::string_view chosen) {
        const auto suite = accept(offered, ike_proposal(chosen), {});
        return suite ? text_of(*suite) : suite.error().message;
    };
    CHECK(taken(front + "-ke1_ecp256-ke2_ecp384") == front + "-ke1_ecp256-ke2_ecp384");
    CHECK(taken(front + "-ke1_ecp384") == front + "-ke1_ecp384");
    CHECK(has(taken(front), "it has no additional key exchange 1"));
    CHECK(has(taken(front + "-ke1_none"), "it has no additional key exchange 1"));
    CHECK(has(taken(front + "-ke1_ecp384-ke2_ecp384"), "ke2_ecp384 is a key exchange that it has already"));
    CHECK(has(taken(front + "-ke1_modp2048"), "we did not offer ke1_modp2048"));
}

TEST_CASE("words of additional key exchanges that make no proposal are told apart (RFC 9370 2.2.1)") {
    const auto why = [](std::string_view words) {
        const auto parsed = parse_ike_proposal(words, refused);
        return parsed ? text_of(*parsed) : parsed.error().message;
    };
    CHECK(why("aes128gcm16-prfsha256-x25519-ke7_curve25519") == "aes128gcm16-prfsha256-x25519-ke7_x25519");
    CHECK(has(why("aes128gcm16-prfsha256-x25519-ke1_nonsense"), "there is no additional key exchange 'ke1_nonsense'"));
    CHECK(has(why("aes128gcm16-prfsha256-x25519-ke1_modp1024"), "it is too weak"));
    CHECK(has(why("aes128gcm16-prfsha256-x25519-ke8_ecp384"), "there is no 'ke8_ecp384'"));
    CHECK(has(why("aes128gcm16-prfsha256-x25519-ke1_ecp384-ke1_ecp384"), "stands there twice"));
    const auto child = parse_child_proposal(ProtocolId::esp, "aes128gcm16-ke1_ecp384", refused);
    REQUIRE_FALSE(child);
    CHECK(has(child.error().message, "additional key exchanges need one that they add to"));
    CHECK(text_of(*parse_child_proposal(ProtocolId::ah, "sha256-x25519-ke1_ecp384-esn", refused)) ==
          "sha256-x25519-esn-ke1_ecp384");
}

TEST_CASE("ESN: what is in both, ours first; a proposal without a word of it is none (RFC 7296 3.3.3)") {
    const std::vector<Proposal> both{esp("aes128gcm16-esn-noesn")}, with{esp("aes128gcm16-esn")},
        without{esp("aes128gcm16")};
    CHECK(choose(both, with, {})->suite.esn);
    CHECK_FALSE(choose(both, without, {})->suite.esn);
    CHECK(choose(both, both, {})->suite.esn);
    CHECK_FALSE(choose(with, without, {}));
    CHECK(has(why_not(with, without), "extended sequence numbers differs: the peer has noesn, we have esn"));
    auto silent = without;
    silent[0].transforms.pop_back();
    CHECK_FALSE(choose(without, silent, {}));
}

TEST_CASE("a child's key exchange: asked for by both or by none, and in IKE_AUTH no matter (RFC 7296 1.2, 1.3.1)") {
    const std::vector<Proposal> pfs{esp("aes128gcm16-x25519")}, plain{esp("aes128gcm16")};
    CHECK(choose(pfs, pfs, {})->suite.ke == KeMethod::x25519);
    CHECK_FALSE(choose(pfs, plain, {}));
    CHECK_FALSE(choose(plain, pfs, {}));
    auto perhaps = pfs;
    add(perhaps[0], TransformType::ke, 0);
    CHECK(choose(plain, perhaps, {})->suite.ke == KeMethod::none);
    CHECK(choose(pfs, perhaps, {})->suite.ke == KeMethod::x25519);
    const auto first = choose(pfs, plain, {.without_ke = true});
    REQUIRE(first);
    CHECK(first->suite.ke == KeMethod::none);
    CHECK(choose(plain, pfs, {.without_ke = true})->chosen.transforms == plain[0].transforms);
    CHECK(accept(pfs, plain[0], {.without_ke = true}).value().ke == KeMethod::none);
    CHECK_FALSE(accept(pfs, plain[0], {}));
}

TEST_CASE("ESP is not AH: proposals of another protocol never match") {
    const std::vector<Proposal> ah{parse_child_proposal(ProtocolId::ah, "sha256", refused).value()},
        sa{esp("null-sha256")};
    CHECK_FALSE(choose(ah, sa, {}));
    CHECK(has(why_not(ah, sa), "same protocol"));
    CHECK(choose(ah, ah, {}));
}

TEST_CASE("why no proposal fits is told of the nearest pair, with both sides' proposals") {
    const std::string why = why_not(ikes("aes128gcm16-prfsha256-x25519", "aes128-sha256-modp2048"),
                                    ikes("3des-sha1-modp1024", "aes128-sha256-ecp256"));
    CHECK(has(why, "the key exchange differs: the peer has ecp256, we have modp2048"));
    CHECK(has(why, "the peer offers 3des-prfsha1-sha1-modp1024, aes128-prfsha256-sha256-ecp256"));
    CHECK(has(why, "we take aes128gcm16-prfsha256-x25519, aes128-prfsha256-sha256-modp2048"));
    CHECK(
        has(why_not(ikes("aes128-sha256-modp2048"), ikes("aes128-prfsha256-sha1-modp2048")), "the integrity differs"));
    CHECK(has(why_not(ikes("aes128-sha256-modp2048"), ikes("aes128-prfsha1-sha256-modp2048")), "the PRF differs"));
    CHECK(has(why_not(ikes("aes128-sha256-modp2048"), {}), "the peer offers nothing"));
    CHECK(has(why_not({esp("aes128gcm16")}, {esp("aes128gcm16-x25519")}), "the peer has x25519, we have none"));
}

TEST_CASE("what the peer chose is checked against what we offered (RFC 7296 2.7, 3.3.6)") {
    const auto offered = ikes("aes128gcm16-aes256gcm16-prfsha256-x25519-ecp256", "aes128-sha256-modp2048");
    const auto take = [&](auto change, Choosing how = {}) {
        Proposal chosen = ike_proposal("aes256gcm16-prfsha256-ecp256");
        change(chosen);
        const auto suite = accept(offered, chosen, how);
        return suite ? text_of(*suite) : suite.error().message;
    };
    const auto nothing = [](Proposal&) {};
    CHECK(take(nothing) == "aes256gcm16-prfsha256-ecp256");
    CHECK(take(nothing, {.preferred = KeMethod::ecp256}) == "aes256gcm16-prfsha256-ecp256");
    CHECK(has(take(nothing, {.preferred = KeMethod::x25519}), "we sent a value of CURVE25519"));
    CHECK(has(take([](Proposal& p) { p.number = 2; }), "we did not offer aes256gcm16"));
    CHECK(has(take([](Proposal& p) { p.number = 3; }), "no proposal 3"));
    CHECK(has(take([](Proposal& p) { p.protocol = ProtocolId::esp; }), "for ESP"));
    CHECK(has(take([](Proposal& p) { p.transforms.pop_back(); }), "no key exchange"));
    CHECK(has(take([](Proposal& p) { p.transforms.clear(); }), "no encryption"));
    CHECK(has(take([](Proposal& p) { add(p, TransformType::ke, 31); }), "more than one key exchange"));
    CHECK(has(take([](Proposal& p) { add(p, TransformType::integ, 12); }), "did not offer sha256"));
    CHECK(has(take([](Proposal& p) { replace_key_bits(p, 192); }), "did not offer aes192gcm16"));
    CHECK(has(take([](Proposal& p) { replace_key_bits(p, std::nullopt); }), "no key length"));
    CHECK(has(take([](Proposal& p) { p.transforms[0].understood = false; }), "nothing that we know"));
    CHECK(has(take([](Proposal& p) { add(p, TransformType{13}, 36); }), "nothing that we know"));
    CHECK(has(take([](Proposal& p) { add(p, TransformType::additional_ke_1, 20); }), "did not offer ke1_ecp384"));
}

TEST_CASE("transforms that have no word are told by the RFC's name or number") {
    Proposal proposal = ike_proposal("aes128gcm16-prfsha256-x25519");
    add(proposal, TransformType::encr, 999);
    add(proposal, TransformType::integ, 1);
    add(proposal, TransformType::ke, 22);
    const std::string text = text_of(proposal);
    CHECK(has(text, "ENCR 999"));
    CHECK(has(text, "AUTH_HMAC_MD5_96"));
    CHECK(has(text, "22"));
    CHECK(text_of(
              Suite{.encr = EncrId::aes_cbc, .encr_key_bits = 256, .integ = IntegId::hmac_sha2_256_128, .esn = true}) ==
          "aes256-sha256-esn");
}
