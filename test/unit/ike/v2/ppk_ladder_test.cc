// Post-quantum pre-shared keys (RFC 8784): who uses one with whom, that both ends then have it in their keys, and that
// nobody on the way or with other keys gets any further.
#include "../credentials/authority.h"
#include "catch.h"
#include "ike/v2/ppk.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

constexpr const char *ours = "offices-2026 0123456789abcdef0123456789abcdef\n",
                     *ours_otherwise = "offices-2026 ABCDEF0123456789ABCDEF0123456789\n",
                     *another = "laptops 0123456789abcdef0123456789abcdef\n";

/// A connection that uses the first PPK of `file`.
std::shared_ptr<Connection> with_ppk(unsigned local, unsigned remote, PpkUse use, const std::string& file = ours) {
    auto c = connection(local, remote);
    if (use == PpkUse::never) return c;
    c->ppk = use;
    c->ppk_id = *parse_ppk_id(file.substr(0, file.find(' ')));
    c->postquantum_keys = std::make_shared<PostquantumKeys>(*PostquantumKeys::parse(file, "ppk.txt"));
    return c;
}

bool both_use_it(World& world) {
    const Octets id = *parse_ppk_id("offices-2026");
    return only(world[0])->ppk_id == id && only(world[1])->ppk_id == id;
}
bool neither_uses_it(World& world) { return only(world[0])->ppk_id.empty() && only(world[1])->ppk_id.empty(); }

void check_nothing_is_left(World& world) {
    world.run(Instant{90'000});
    INFO(world.tail(30));
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(world[i].engine->size() == 0);
        CHECK(world[i].sad.size() == 0);
    }
}

SecretBytes counted(unsigned from) {
    SecretBytes out{std::size_t{32}};
    for (std::byte& b : out.octets()) b = static_cast<std::byte>(from++);
    return out;
}
std::string hex(const SecretBytes& octets) {
    std::string out;
    for (const std::byte b : octets.octets())
        for (const unsigned shift : {4u, 0u}) out += "0123456789abcdef"[std::to_integer<unsigned>(b) >> shift & 15];
    return out;
}

}  // namespace

TEST_CASE("SK_d, SK_pi and SK_pr with a PPK are prf+ of what they were under it (RFC 8784 3)") {
    IkeKeys keys;  // known answers: HMAC-SHA-256 of python3, whose prf+ of one block ends in the octet 1
    keys.d = counted(64), keys.pi = counted(96), keys.pr = counted(128);
    auto mixed = mix_ppk(made::context(), PrfId::hmac_sha2_256, counted(0), keys);
    REQUIRE(mixed);
    exchange(keys, *mixed);
    CHECK(hex(keys.d) == "bbbb40f2c542c2c58846dc609224829eae0a8b9a5d31f500caff2964dc6bf9de");
    CHECK(hex(keys.pi) == "c0a6730557450591d078e9fb880ca71dd4aa25672d4c4522038c125b42d65cae");
    CHECK(hex(keys.pr) == "8d2f952e07a9c1cd3cea5b9b961cf91ff95cfedffe48886f85604d7874fbf953");
    exchange(keys, *mixed);
    CHECK(hex(keys.d) == hex(counted(64)));
}

TEST_CASE("two ends with one PPK have it in their keys, and a rekeyed IKE SA inherits it (RFC 8784 3)") {
    for (const PpkUse use : {PpkUse::prefer, PpkUse::required}) {
        World world = two_offices(with_ppk(1, 2, use), with_ppk(2, 1, use), 3);
        bring_up(world);
        INFO(world.tail(20));
        CHECK(disagreement(world, 1, 1) == "");
        CHECK(both_use_it(world));
        CHECK(!only(world[0])->keys_instead);
        CHECK(world[0].said("PPK offices-2026"));
        for (const char* const what : {"to-2", "offices-2"}) {
            REQUIRE(order(world, 0, "rekey", what));
            world.run(Instant{40'000});
            CHECK(disagreement(world, 1, 1) == "");
            CHECK(both_use_it(world));
        }
        REQUIRE(order(world, 0, "reauth", "to-2"));
        world.run(Instant{40'000});
        CHECK(disagreement(world, 1, 1) == "");
        CHECK(both_use_it(world));
    }
}

TEST_CASE("a responder without a name of its own takes whichever of its PPKs an initiator names (RFC 8784 3)") {
    auto anybody = with_ppk(2, 1, PpkUse::required, std::string{another} + ours);
    anybody->ppk_id.clear();
    anybody->remote.reset();
    World world = two_offices(with_ppk(1, 2, PpkUse::required), anybody, 3);
    bring_up(world);
    CHECK(disagreement(world, 1, 1) == "");
    CHECK(both_use_it(world));
}

TEST_CASE("where one end has no such PPK both go on without it if neither requires it (RFC 8784 3, table 1)") {
    struct Row {
        PpkUse initiator, responder;
        const char* responders;
    };
    for (const Row& row : {Row{PpkUse::never, PpkUse::prefer, ours}, Row{PpkUse::prefer, PpkUse::never, ours},
                           Row{PpkUse::prefer, PpkUse::prefer, another}}) {
        World world = two_offices(with_ppk(1, 2, row.initiator), with_ppk(2, 1, row.responder, row.responders), 4);
        bring_up(world);
        INFO(world.tail(20));
        CHECK(disagreement(world, 1, 1) == "");
        CHECK(neither_uses_it(world));
        if (row.responders == another) CHECK(world[0].said("the peer has no PPK offices-2026"));
    }
}

TEST_CASE("signatures too are made twice, for a responder without the PPK (RFC 8784 3)") {
    for (const PpkUse use : {PpkUse::never, PpkUse::prefer}) {
        auto a = with_ppk(1, 2, PpkUse::prefer), b = with_ppk(2, 1, use);
        a->local_auth = b->remote_auth = AuthWay::raw_key;
        a->own_key = std::make_shared<OwnKey>(*OwnKey::make(PrivateKey{made::key("P-256")}, {}));
        b->peers_key = std::make_shared<PublicKey>(made::key("P-256"));
        World world = two_offices(a, b, 4);
        bring_up(world);
        INFO(world.tail(20));
        CHECK(disagreement(world, 1, 1) == "");
        CHECK((use == PpkUse::never ? neither_uses_it(world) : both_use_it(world)));
    }
}

TEST_CASE("where one end requires a PPK that the other has not there is no SA, and it is told which (RFC 8784 3)") {
    struct Row {
        PpkUse initiator, responder;
        const char *responders, *told_first, *told_second;
    };
    const Row rows[] = {
        {PpkUse::never, PpkUse::required, ours, "AUTHENTICATION_FAILED",
         "he uses no PPK, and we require one of offices-2026"},
        {PpkUse::prefer, PpkUse::required, another, "AUTHENTICATION_FAILED",
         "he names PPK offices-2026, and we have laptops; we require it"},
        {PpkUse::required, PpkUse::never, ours, "the peer uses no PPK, and we require offices-2026", ""},
        {PpkUse::required, PpkUse::prefer, another, "AUTHENTICATION_FAILED",
         "he names PPK offices-2026, and we have laptops; he requires it"},
    };
    for (const Row& row : rows) {
        World world = two_offices(with_ppk(1, 2, row.initiator), with_ppk(2, 1, row.responder, row.responders), 5);
        bring_up(world);
        check_nothing_is_left(world);
        CHECK(world[0].said(row.told_first));
        CHECK(world[1].said(row.told_second));
    }
}

TEST_CASE("two PPKs of one name: no SA, and both are told which name it is (RFC 8784 3)") {
    for (const PpkUse use : {PpkUse::prefer, PpkUse::required}) {
        World world = two_offices(with_ppk(1, 2, use), with_ppk(2, 1, use, ours_otherwise), 6);
        bring_up(world);
        check_nothing_is_left(world);
        CHECK(world[0].said("AUTHENTICATION_FAILED"));
        CHECK(world[1].said("with PPK offices-2026: the pre-shared keys differ"));
    }
}

TEST_CASE("who takes USE_PPK out of a message on its way gets no SA without the PPK (RFC 8784 3)") {
    for (const bool response : {false, true}) {
        World world = two_offices(with_ppk(1, 2, PpkUse::prefer), with_ppk(2, 1, PpkUse::prefer), 7);
        world.tap = [&](Datagram& datagram) {
            const auto header = parse_header(datagram.octets);
            if (header->exchange == ExchangeType::ike_sa_init && header->response == response)
                rewrite(world, datagram, [](Opened& opened) {
                    std::erase_if(opened.payloads, [](const Payload& payload) {
                        const auto* n = std::get_if<Notify>(&payload);
                        return n != nullptr && n->type == NotifyType::use_ppk;
                    });
                });
            return true;
        };
        bring_up(world);
        check_nothing_is_left(world);
    }
}

TEST_CASE("a responder that proves itself without the required PPK is not believed (RFC 8784 3)") {
    World world = two_offices(with_ppk(1, 2, PpkUse::required), with_ppk(2, 1, PpkUse::required), 8);
    world.tap = [&](Datagram& datagram) {
        const auto header = parse_header(datagram.octets);
        if (header->exchange == ExchangeType::ike_auth && header->response)
            rewrite(world, datagram, [](Opened& opened) {
                std::erase_if(opened.payloads, [](const Payload& payload) {
                    const auto* n = std::get_if<Notify>(&payload);
                    return n != nullptr && n->type == NotifyType::ppk_identity;
                });
            });
        return true;
    };
    bring_up(world);
    check_nothing_is_left(world);
    CHECK(world[0].said("he does not use PPK offices-2026, which we require"));
}

TEST_CASE("PPK_IDENTITY and NO_PPK_AUTH of any form are read or refused, and harm nothing (RFC 8784 5.1)") {
    const auto name = *parse_ppk_id("offices-2026");
    Octets opaque{std::byte{1}};
    opaque.insert(opaque.end(), name.begin(), name.end());
    const Octets identities[] = {{}, {std::byte{2}}, {std::byte{0}}, opaque, Octets(60'000, std::byte{2})};
    for (const Octets& identity : identities)
        for (const PpkUse use : {PpkUse::prefer, PpkUse::required})
            for (const bool proof_is_good : {true, false}) {
                World world = two_offices(with_ppk(1, 2, PpkUse::prefer), with_ppk(2, 1, use), 9);
                world.tap = [&](Datagram& datagram) {
                    const auto header = parse_header(datagram.octets);
                    if (header->exchange != ExchangeType::ike_auth || header->response) return true;
                    return rewrite(world, datagram, [&](Opened& opened) {
                        for (Payload& payload : opened.payloads) {
                            auto* const n = std::get_if<Notify>(&payload);
                            if (n != nullptr && n->type == NotifyType::ppk_identity) n->data = identity;
                            if (n != nullptr && n->type == NotifyType::no_ppk_auth && !proof_is_good)
                                n->data.assign(n->data.size() / 2, std::byte{7});
                        }
                    });
                };
                bring_up(world);
                INFO(identity.size() << world.tail(20));
                if (use == PpkUse::prefer && proof_is_good) {
                    CHECK(disagreement(world, 1, 1) == "");
                    CHECK(neither_uses_it(world));
                } else {
                    check_nothing_is_left(world);
                }
            }
}
