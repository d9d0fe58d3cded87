// IKE_AUTH by certificates and raw keys, and long chains that make it go in fragments: who is believed gets SAs at both
// ends, who is not gets none, and both ends are told why (RFC 7296 2.15, 2.21.2; RFC 7427; RFC 8420; RFC 7383).
#include "../credentials/authority.h"
#include "catch.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

const made::Issuer& head() {
    static const made::Issuer issuer = made::root(made::authority("C=JP, O=Example, CN=Head"), made::key("P-256"));
    return issuer;
}

made::Wish gateway(unsigned number) {
    made::Wish wish;
    wish.subject = "C=JP, O=Example, CN=gw" + std::to_string(number);
    wish.alternative = "DNS:gw" + std::to_string(number) + ".example.com";
    return wish;
}

std::shared_ptr<const OwnKey> own(const made::Key& key, std::vector<Certificate> chain) {
    auto out = OwnKey::make(PrivateKey{key}, std::move(chain));
    REQUIRE(out);
    return std::make_shared<const OwnKey>(std::move(*out));
}

std::shared_ptr<const TrustStore> trust(const made::Issuer& issuer) {
    auto store = std::make_shared<TrustStore>(made::context());
    store->add_authority(issuer.certificate);
    return store;
}

/// Office `local` that shows a certificate of the authority and believes it.
std::shared_ptr<Connection> certified(unsigned local, unsigned remote, const std::string& key) {
    auto c = connection(local, remote);
    c->local_id = *parse_id("gw" + std::to_string(local) + ".example.com");
    c->remote_id = *parse_id("gw" + std::to_string(remote) + ".example.com");
    c->local_auth = c->remote_auth = AuthWay::certificate;
    c->own_key = own(made::key(key), {made::issue(head(), gateway(local), made::key(key))});
    c->trust = trust(head());
    return c;
}

void check_agreement(World& world) {
    bring_up(world);
    INFO(world.tail(20));
    CHECK(disagreement(world, 1, 1) == "");
}

/// No SA is left anywhere; `told_first` and `told_second` are what the operators read.
void check_refusal(World& world, std::string_view told_first, std::string_view told_second) {
    bring_up(world);
    world.run(Instant{90'000});
    INFO(world.tail(30));
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(world[i].engine->size() == 0);
        CHECK(world[i].engine->half_open() == 0);
        CHECK(world[i].sad.size() == 0);
        CHECK(world[i].sad.policies() == 0);
    }
    CHECK(world[0].said(told_first));
    CHECK(world[1].said(told_second));
}

}  // namespace

TEST_CASE("certificates with RSA, ECDSA and Ed25519 keys: SAs at both ends (RFC 7296 2.15, RFC 7427, RFC 8420)") {
    for (const std::string key : {"RSA 2048", "P-256", "ED25519"}) {
        INFO(key);
        World world = two_offices(certified(1, 2, key), certified(2, 1, key + " 2"), 5);
        check_agreement(world);
    }
}

TEST_CASE("each end may have a kind of key of its own (RFC 7427)") {
    World world = two_offices(certified(1, 2, "ED25519"), certified(2, 1, "RSA 2048"), 5);
    check_agreement(world);
}

TEST_CASE("one end proves itself by a shared key, the other by a certificate (RFC 7296 2.15)") {
    for (const bool first : {false, true}) {
        auto a = certified(1, 2, "P-256 2"), b = certified(2, 1, "P-256 3");
        auto& shows = first ? a : b;
        auto& shares = first ? b : a;
        shows->remote_auth = AuthWay::shared_key;
        shares->local_auth = AuthWay::shared_key;
        World world = two_offices(a, b, 6);
        INFO(first);
        check_agreement(world);
    }
}

TEST_CASE("raw keys that each end has of the other (RFC 7296 2.15, RFC 7427)") {
    for (const std::string key : {"RSA 2048", "P-256", "ED25519"}) {
        auto a = connection(1, 2), b = connection(2, 1);
        a->local_auth = a->remote_auth = b->local_auth = b->remote_auth = AuthWay::raw_key;
        a->own_key = own(made::key(key), {});
        b->own_key = own(made::key(key + " 2"), {});
        a->peers_key = std::make_shared<PublicKey>(made::key(key + " 2"));
        b->peers_key = std::make_shared<PublicKey>(made::key(key));
        World world = two_offices(a, b, 7);
        INFO(key);
        check_agreement(world);
    }
}

TEST_CASE("an initiator's raw key that is another one: no SA, and both are told (RFC 7296 2.21.2)") {
    auto a = connection(1, 2), b = connection(2, 1);
    a->local_auth = b->remote_auth = AuthWay::raw_key;
    a->own_key = own(made::key("P-256 4"), {});
    b->peers_key = std::make_shared<PublicKey>(made::key("P-256 5"));
    World world = two_offices(a, b, 7);
    check_refusal(world, "refuses us as 20.0.0.1: AUTHENTICATION_FAILED", "the peer is not 20.0.0.1");
}

TEST_CASE("a certificate that is not to be believed, of either end: no SA, and both are told why (RFC 7296 2.21.2)") {
    struct Fault {
        const char* told;
        std::function<Certificate(unsigned, const made::Key&)> issue;
    };
    const made::Issuer stranger = made::root(made::authority("CN=Stranger"), made::key("P-256 5"));
    const std::vector<Fault> faults{
        {"has expired",
         [](unsigned number, const made::Key& key) {
             auto wish = gateway(number);
             wish.until = made::now - made::day;
             return made::issue(head(), wish, key);
         }},
        {"not valid before",
         [](unsigned number, const made::Key& key) {
             auto wish = gateway(number);
             wish.from = made::now + made::day;
             return made::issue(head(), wish, key);
         }},
        {"example.com",
         [](unsigned number, const made::Key& key) {
             auto wish = gateway(number);
             wish.alternative = "DNS:gw77.example.com";
             return made::issue(head(), wish, key);
         }},
        {"no authority of ours",
         [&](unsigned number, const made::Key& key) { return made::issue(stranger, gateway(number), key); }},
    };
    for (const Fault& fault : faults)
        for (const unsigned who : {1u, 2u}) {
            auto a = certified(1, 2, "P-256 2"), b = certified(2, 1, "P-256 3");
            const auto key = made::key(who == 1 ? "P-256 2" : "P-256 3");
            (who == 1 ? a : b)->own_key = own(key, {fault.issue(who, key)});
            World world = two_offices(a, b, 8);
            INFO(fault.told << ", of " << who);
            if (who == 1)
                check_refusal(world, "refuses us as gw1.example.com: AUTHENTICATION_FAILED", fault.told);
            else
                check_refusal(world, fault.told, "does not believe that we are gw2.example.com");
        }
}

TEST_CASE("another method than the peer expects is no proof, right as it may be (RFC 7296 2.15)") {
    auto a = connection(1, 2), b = certified(2, 1, "P-256 3");
    a->remote_auth = AuthWay::certificate;  // a shows a shared key, and b wants a certificate
    a->trust = trust(head());
    a->local_id = *parse_id("gw1.example.com");
    World world = two_offices(a, b, 8);
    check_refusal(world, "AUTHENTICATION_FAILED", "and we want a signature");
}
