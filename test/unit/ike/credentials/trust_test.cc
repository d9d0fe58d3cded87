#include <string>

#include "authority.h"
#include "catch.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::made;

namespace {

const Issuer& head() {
    static const Issuer made = root(authority("C=JP, O=Example, CN=Head"), key("P-256"));
    return made;
}
const Issuer& branch() {
    static const Issuer made = issue_authority(head(), authority("C=JP, O=Example, CN=Branch"), key("P-256 2"));
    return made;
}
Wish gateway() { return {}; }

std::vector<Octets> chain(std::initializer_list<Certificate> certificates) {
    std::vector<Octets> out;
    for (const Certificate& one : certificates) out.push_back(one.der());
    return out;
}

struct Asked {
    std::string id = "gw.example.com";
    std::int64_t at = now;
    std::vector<Octets> lists = {};
};
/// "good", or why not.
std::string verdict(const Certificate& believed, const std::vector<Octets>& sent, const Asked& asked = {}) {
    TrustStore store{context()};
    store.add_authority(believed);
    for (const Octets& list : asked.lists) REQUIRE(store.add_revocations(list));
    const auto key = store.validate(sent, *parse_id(asked.id), asked.at);
    return key ? "good" : key.error().text();
}
std::string verdict(const Wish& wish, const Asked& asked = {}) {
    return verdict(head().certificate, chain({issue(head(), wish, key("P-256 3"))}), asked);
}
Wish with(void (*change)(Wish&)) {
    Wish out = gateway();
    change(out);
    return out;
}

}  // namespace

TEST_CASE("a certificate is believed that an authority of ours has issued, by way of others too (RFC 5280 6)") {
    CHECK(verdict(gateway()) == "good");
    const Certificate own = issue(branch(), gateway(), key("RSA 2048"));
    CHECK(verdict(head().certificate, chain({own, branch().certificate})) == "good");
    TrustStore store{context()};
    store.add_authority(head().certificate);
    const auto found = store.validate(chain({own, branch().certificate}), *parse_id("20.0.0.1"), now);
    REQUIRE(found);
    CHECK(found->text() == "RSA 2048");
    CHECK(EVP_PKEY_eq(found->get(), key("RSA 2048").get()) == 1);
}

TEST_CASE("the certificates behind the peer's own may stand in any order, with others among them (RFC 7296 3.6)") {
    const Issuer lower = issue_authority(branch(), authority("CN=Lower"), key("P-256 4"));
    const Issuer stranger = root(authority("CN=Stranger"), key("P-256 5"));
    const Certificate own = issue(lower, gateway(), key("P-256 3"));
    CHECK(verdict(head().certificate, chain({own, lower.certificate, branch().certificate})) == "good");
    CHECK(verdict(head().certificate, chain({own, branch().certificate, lower.certificate})) == "good");
    CHECK(verdict(head().certificate, chain({own, stranger.certificate, head().certificate, branch().certificate,
                                             lower.certificate})) == "good");
    CHECK(verdict(head().certificate, chain({lower.certificate, branch().certificate, own}))
              .starts_with("certificate 'CN=Lower' is not for signatures (key usage)"));
}

TEST_CASE("an authority of ours need not be a root: whom the operator believes is believed") {
    const Certificate own = issue(branch(), gateway(), key("P-256 3"));
    CHECK(verdict(branch().certificate, chain({own})) == "good");
    CHECK(verdict(own, chain({own})) == "good");  // a peer's own certificate, believed by itself
    CHECK(verdict(own, chain({own}), {.at = now + 31 * day})
              .starts_with("certificate 'C=JP, O=Example, CN=gw' has expired"));
}

TEST_CASE("a certificate outside of its time is refused with the date (RFC 5280 4.1.2.5)") {
    CHECK(verdict(with([](Wish& w) { w.until = 1'793'491'200; })) ==
          "certificate 'C=JP, O=Example, CN=gw' has expired on Nov 1 2026 [denied]");
    CHECK(verdict(with([](Wish& w) { w.from = now + day; })) ==
          "certificate 'C=JP, O=Example, CN=gw' is not valid before Jan 16 2027 [denied]");
    CHECK(verdict(gateway(), {.at = now + 30 * day - 1}) == "good");
    CHECK(verdict(gateway(), {.at = now + 31 * day}).find("has expired on Feb 14 2027") != std::string::npos);
    Wish old = authority("CN=Old");
    old.until = now - day;
    const Issuer expired = issue_authority(head(), old, key("P-256 2"));
    CHECK(verdict(head().certificate, chain({issue(expired, gateway(), key("P-256 3")), expired.certificate})) ==
          "certificate 'CN=Old' has expired on Jan 14 2027 [denied]");
}

TEST_CASE("a certificate of nobody whom we believe is refused, and its issuer named") {
    const Issuer stranger = root(authority("C=JP, O=Example, CN=Stranger"), key("P-256 5"));
    CHECK(verdict(head().certificate, chain({issue(stranger, gateway(), key("P-256 3"))})) ==
          "certificate 'C=JP, O=Example, CN=gw' is issued by 'C=JP, O=Example, CN=Stranger', which is no authority of "
          "ours, and no certificate that was sent leads to one [denied]");
    CHECK(verdict(head().certificate, chain({issue(stranger, gateway(), key("P-256 3")), stranger.certificate})) ==
          "certificate 'C=JP, O=Example, CN=Stranger' is signed by itself, and is no authority of ours [denied]");
    CHECK(verdict(head().certificate, chain({root(gateway(), key("P-256 3")).certificate})) ==
          "certificate 'C=JP, O=Example, CN=gw' is signed by itself, and is no authority of ours [denied]");
    CHECK(verdict(head().certificate, chain({issue(branch(), gateway(), key("P-256 3"))}))
              .starts_with("certificate 'C=JP, O=Example, CN=gw' is issued by 'C=JP, O=Example, CN=Branch', which is "
                           "no authority of ours"));
    TrustStore nobody{context()};
    CHECK(nobody.empty());
    CHECK(
        nobody.validate(chain({issue(head(), gateway(), key("P-256 3"))}), *parse_id("20.0.0.1"), now).error().text() ==
        "certificate 'C=JP, O=Example, CN=gw' cannot be judged: there are no authorities of ours [denied]");
}

TEST_CASE("who only bears an authority's name does not sign for it") {
    const Issuer impostor = root(authority("C=JP, O=Example, CN=Head"), key("P-256 5"));
    CHECK(verdict(head().certificate, chain({issue(impostor, gateway(), key("P-256 3"))})) ==
          "certificate 'C=JP, O=Example, CN=gw' is not signed by 'C=JP, O=Example, CN=Head', whom it names as its "
          "issuer [denied]");
    auto altered = chain({issue(head(), gateway(), key("P-256 3"))});
    altered[0][altered[0].size() - 10] ^= std::byte{1};
    CHECK(verdict(head().certificate, altered).find("is not signed by") != std::string::npos);
}

TEST_CASE("a gateway's certificate signs no other certificate (basic constraints, key usage, path length)") {
    const Issuer other_gateway = issue_authority(head(), with([](Wish& w) { w.subject = "CN=other"; }), key("P-256 2"));
    CHECK(verdict(head().certificate,
                  chain({issue(other_gateway, gateway(), key("P-256 3")), other_gateway.certificate})) ==
          "certificate 'CN=other' is no authority's (basic constraints, key usage), and another one is signed by it "
          "[denied]");
    Wish silent = authority("CN=Silent");
    silent.usage = "critical,digitalSignature";
    const Issuer no_signer = issue_authority(head(), silent, key("P-256 2"));
    CHECK(verdict(head().certificate, chain({issue(no_signer, gateway(), key("P-256 3")), no_signer.certificate})) ==
          "certificate 'CN=Silent' is no authority's (basic constraints, key usage), and another one is signed by it "
          "[denied]");
    const Issuer last = issue_authority(head(), authority("CN=Last", {}, "critical,CA:TRUE,pathlen:0"), key("P-256 2"));
    const Issuer beyond = issue_authority(last, authority("CN=Beyond"), key("P-256 4"));
    CHECK(verdict(head().certificate, chain({issue(last, gateway(), key("P-256 3")), last.certificate})) == "good");
    CHECK(verdict(head().certificate,
                  chain({issue(beyond, gateway(), key("P-256 3")), beyond.certificate, last.certificate})) ==
          "certificate 'CN=Last' allows fewer authorities below it (path length) than there are [denied]");
}

TEST_CASE("chains are bounded: 6 certificates between, 10 sent, 16384 octets each") {
    std::vector<Certificate> line;
    Issuer lowest = head();
    for (int i = 1; i <= 7; ++i) {
        lowest = issue_authority(lowest, authority("CN=Level " + std::to_string(i)), key("P-256 2"));
        line.push_back(lowest.certificate);
        std::vector<Octets> sent = chain({issue(lowest, gateway(), key("P-256 3"))});
        for (const Certificate& one : line) sent.push_back(one.der());
        const std::string told = verdict(head().certificate, sent);
        if (i <= 6)
            CHECK(told == "good");
        else
            CHECK(told ==
                  "more than 6 certificates stand between certificate 'C=JP, O=Example, CN=gw' and an authority "
                  "[denied]");
    }
    const Octets own = issue(head(), gateway(), key("P-256 3")).der();
    CHECK(verdict(head().certificate, std::vector<Octets>(10, own)) == "good");
    CHECK(verdict(head().certificate, std::vector<Octets>(11, own)) ==
          "the peer sent 11 certificates; at most 10 are looked at [no_room]");
    CHECK(verdict(head().certificate, {}) == "the peer sent no certificate [denied]");
    CHECK(verdict(head().certificate, {Octets(16385)}) ==
          "certificate 1 of the peer's: a certificate of 16385 octets is too long: at most 16384 are taken [no_room]");
    CHECK(verdict(head().certificate, {own, Octets(3)}) ==
          "certificate 2 of the peer's: this is no certificate [bad_value]");
}

TEST_CASE("certificates that lead to each other in a circle end") {
    const Issuer a = root(authority("CN=A"), key("P-256 2")), b = root(authority("CN=B"), key("P-256 4"));
    const Certificate a_by_b = issue(b, authority("CN=A"), key("P-256 2"));
    const Certificate b_by_a = issue(a, authority("CN=B"), key("P-256 4"));
    CHECK(verdict(head().certificate, chain({issue(a, gateway(), key("P-256 3")), a_by_b, b_by_a})) != "good");
}

TEST_CASE("name constraints hold for every kind of name (RFC 5280 4.2.1.10, CVE-2026-35331)") {
    const auto under = [](const std::string& constraints, const std::string& alternative, const std::string& id,
                          const std::string& subject = "C=JP, O=Example, CN=gw") {
        const Issuer bound = issue_authority(head(), authority("CN=Bound", constraints), key("P-256 2"));
        Wish wish = gateway();
        wish.subject = subject;
        wish.alternative = alternative;
        return verdict(head().certificate, chain({issue(bound, wish, key("P-256 3")), bound.certificate}), {.id = id});
    };
    const std::string refused =
        "certificate 'C=JP, O=Example, CN=gw' bears a name that its authority must not give away (name constraints) "
        "[denied]";
    CHECK(under("critical,permitted;DNS:example.com", "DNS:gw.example.com", "gw.example.com") == "good");
    CHECK(under("critical,permitted;DNS:example.com", "DNS:gw.example.org", "gw.example.org") == refused);
    CHECK(under("critical,permitted;DNS:example.com", "DNS:gw.example.com,DNS:gw.example.org", "gw.example.com") ==
          refused);
    CHECK(under("critical,excluded;DNS:example.org", "DNS:gw.EXAMPLE.org", "gw.example.org") == refused);
    CHECK(under("permitted;DNS:example.com", "DNS:gw.example.org", "gw.example.org") == refused);  // not critical
    CHECK(under("critical,permitted;IP:20.0.0.0/255.0.0.0", "IP:20.0.0.1", "20.0.0.1") == "good");
    CHECK(under("critical,permitted;IP:20.0.0.0/255.0.0.0", "IP:21.0.0.1", "21.0.0.1") == refused);
    CHECK(under("critical,excluded;IP:2001:db8:0:0:0:0:0:0/ffff:ffff:0:0:0:0:0:0", "IP:2001:db8::1", "2001:db8::1") ==
          refused);
    CHECK(under("critical,permitted;email:example.com", "email:gw@example.com", "gw@example.com") == "good");
    CHECK(under("critical,permitted;email:example.com", "email:gw@example.org", "gw@example.org") == refused);
    CHECK(under("critical,excluded;URI:.example.org", "DNS:gw.example.com,URI:https://gw.example.org/",
                "gw.example.com") == refused);
    const auto told = under("critical,permitted;RID:1.2.3", "RID:1.2.4,DNS:gw.example.com", "gw.example.com");
    CHECK(told ==
          "certificate 'C=JP, O=Example, CN=gw' is under name constraints that cannot be checked, so they do not hold "
          "[denied]");
}

TEST_CASE("name constraints on distinguished names hold for the subject (RFC 5280 4.2.1.10)") {
    // nameConstraints, excludedSubtrees of the directory name C=JP, O=Example.
    const std::string excluded =
        "critical,DER:30:24:a1:22:30:20:a4:1e:30:1c:31:0b:30:09:06:03:55:04:06:13:02:4a:50:31:0d:30:0b:06:03:55:04:0a:"
        "0c:"
        "04:45:76:69:6c";
    const Issuer bound = issue_authority(head(), authority("CN=Bound", excluded), key("P-256 2"));
    Wish good = gateway(), evil = gateway();
    evil.subject = "C=JP, O=evil, CN=gw";
    CHECK(verdict(head().certificate, chain({issue(bound, good, key("P-256 3")), bound.certificate})) == "good");
    CHECK(verdict(head().certificate, chain({issue(bound, evil, key("P-256 3")), bound.certificate})) ==
          "certificate 'C=JP, O=evil, CN=gw' bears a name that its authority must not give away (name constraints) "
          "[denied]");
}

TEST_CASE("a revoked certificate is refused, and so is one whose revocation list is out of date (RFC 5280 6.3)") {
    const Octets clean = revocations(head(), {}), with_7 = revocations(head(), {.revoked = {3, 7}});
    CHECK(verdict(gateway(), {.lists = {clean}}) == "good");
    CHECK(verdict(gateway(), {.lists = {with_7}}) ==
          "certificate 'C=JP, O=Example, CN=gw' has been revoked by 'C=JP, O=Example, CN=Head' [denied]");
    CHECK(verdict(with([](Wish& w) { w.serial = 8; }), {.lists = {with_7}}) == "good");
    CHECK(verdict(gateway(), {.lists = {revocations(head(), {.until = now - 2 * day})}}) ==
          "the revocation list of 'C=JP, O=Example, CN=Head' is out of date since Jan 13 2027, so nothing is known of "
          "certificate 'C=JP, O=Example, CN=gw' [denied]");
    CHECK(verdict(gateway(), {.lists = {revocations(head(), {.from = now + day, .until = now + 2 * day})}}) ==
          "the revocation list of 'C=JP, O=Example, CN=Head' begins on Jan 16 2027 only, so nothing is known of "
          "certificate 'C=JP, O=Example, CN=gw' [denied]");
    const Issuer impostor = root(authority("C=JP, O=Example, CN=Head"), key("P-256 5"));
    CHECK(verdict(gateway(), {.lists = {revocations(impostor, {})}}) ==
          "the revocation list of 'C=JP, O=Example, CN=Head' is not signed by it, so nothing is known of certificate "
          "'C=JP, O=Example, CN=gw' [denied]");
}

TEST_CASE("revocation lists bind the certificates of their issuer and nobody else's") {
    const Certificate own = issue(branch(), gateway(), key("P-256 3"));
    const auto sent = chain({own, branch().certificate});
    CHECK(verdict(head().certificate, sent, {.lists = {revocations(head(), {})}}) == "good");
    CHECK(verdict(head().certificate, sent, {.lists = {revocations(branch(), {.revoked = {7}})}}) ==
          "certificate 'C=JP, O=Example, CN=gw' has been revoked by 'C=JP, O=Example, CN=Branch' [denied]");
    CHECK(verdict(head().certificate, sent, {.lists = {revocations(head(), {.revoked = {1}})}})
              .find("has been revoked by 'C=JP, O=Example, CN=Head'") != std::string::npos);
    TrustStore store{context()};
    CHECK(store.add_revocations(openssl::bytes("no list")).error().text() ==
          "this is no revocation list (X.509 CRL, PEM or DER) [bad_value]");
    Octets longer = revocations(head(), {});
    longer.push_back(std::byte{0});
    CHECK(!store.add_revocations(longer));
    CHECK(!store.add_revocations({}));
}

TEST_CASE("a certificate signs for IKE only if its usages say so (RFC 4945 5.1.3.2, 5.1.3.12)") {
    CHECK(verdict(with([](Wish& w) { w.usage = "critical,keyEncipherment"; })) ==
          "certificate 'C=JP, O=Example, CN=gw' is not for signatures (key usage) [denied]");
    CHECK(verdict(with([](Wish& w) { w.usage = "nonRepudiation"; })) == "good");
    CHECK(verdict(with([](Wish& w) { w.usage = ""; })) == "good");
    CHECK(verdict(with([](Wish& w) { w.extended = "codeSigning,emailProtection"; })) ==
          "certificate 'C=JP, O=Example, CN=gw' is for other purposes than IKE (extended key usage) [denied]");
    for (const char* words : {"1.3.6.1.5.5.7.3.17", "codeSigning,1.3.6.1.5.5.8.2.2", "anyExtendedKeyUsage",
                              "serverAuth", "critical,clientAuth"}) {
        Wish wish = gateway();
        wish.extended = words;
        INFO(words);
        CHECK(verdict(wish) == "good");
    }
}

TEST_CASE("weak keys and hashes are refused wherever they stand in a chain (RFC 8247 3.1.1)") {
    CHECK(verdict(head().certificate, chain({issue(head(), gateway(), key("RSA 1024"))})) ==
          "the key of certificate 'C=JP, O=Example, CN=gw' (RSA 1024) is too short [denied]");
    const Issuer weak = issue_authority(head(), authority("CN=Weak"), key("RSA 1024"));
    CHECK(verdict(head().certificate, chain({issue(weak, gateway(), key("P-256 3")), weak.certificate})) ==
          "the key of certificate 'CN=Weak' (RSA 1024) is too short [denied]");
    CHECK(verdict(with([](Wish& w) { w.digest = "SHA1"; })) ==
          "certificate 'C=JP, O=Example, CN=gw' is signed by way of a hash that is no longer safe [denied]");
    CHECK(
        verdict(head().certificate, chain({issue(head(), gateway(), key("P-224"))})) ==
        "certificate 'C=JP, O=Example, CN=gw': a key of kind EC is not taken: RSA, ECDSA on P-256, P-384 or P-521 and "
        "Ed25519 are [denied]");
    for (const char* good : {"RSA 2048", "P-384", "P-521", "ED25519"})
        CHECK(verdict(head().certificate, chain({issue(head(), gateway(), key(good))})) == "good");
}

TEST_CASE("a good certificate of somebody else is refused, with the names that it bears (CVE-2022-4967)") {
    CHECK(verdict(gateway(), {.id = "gw2.example.com"}) ==
          "certificate 'C=JP, O=Example, CN=gw' does not bear the identity 'gw2.example.com', but 'C=JP, O=Example, "
          "CN=gw', "
          "gw.example.com, 20.0.0.1, gw@example.com [denied]");
    for (const char* id : {"gw.example.com", "20.0.0.1", "gw@example.com", "C=JP, O=Example, CN=gw"})
        CHECK(verdict(gateway(), {.id = id}) == "good");
    CHECK(verdict(with([](Wish& w) { w.subject.clear(), w.alternative = "critical,URI:urn:x"; })) ==
          "certificate 'no subject, serial 07' does not bear the identity 'gw.example.com', but nothing [denied]");
}

TEST_CASE("an unknown critical extension refuses a certificate (RFC 5280 4.2)") {
    CHECK(verdict(with([](Wish& w) { w.unknown = Wish::Unknown::critical; })) ==
          "certificate 'C=JP, O=Example, CN=gw' has a critical extension that is not known here [denied]");
    CHECK(verdict(with([](Wish& w) { w.unknown = Wish::Unknown::optional; })) == "good");
}

TEST_CASE("a certificate whose usages do not parse is refused") {
    CHECK(verdict(with([](Wish& w) { w.extended = "DER:30:03:06:01:00"; })) != "good");
    CHECK(verdict(with([](Wish& w) { w.usage = "DER:04:01:80"; })) != "good");
    CHECK(verdict(with([](Wish& w) { w.alternative = "DER:30:05:82:20:67:77:2e"; })) != "good");
}

TEST_CASE("CERTREQ lists the hashes of our authorities' keys (RFC 7296 3.7)") {
    TrustStore store{context()};
    store.add_authority(head().certificate);
    store.add_authority(branch().certificate);
    Octets wanted = head().certificate.key_hash();
    const Octets second = branch().certificate.key_hash();
    wanted.insert(wanted.end(), second.begin(), second.end());
    CHECK(wanted.size() == 40);
    CHECK(store.authority_hashes() == wanted);
}
