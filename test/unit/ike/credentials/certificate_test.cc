#include <string>

#include "authority.h"
#include "catch.h"
#include "ike/credentials/hexadecimal.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::made;
using namespace std::string_literals;

namespace {

const Issuer& head() {
    static const Issuer made = root(authority("C=JP, O=Example, CN=Head"), key("P-256"));
    return made;
}
Certificate bearing(std::string alternative, std::string subject = "C=JP, O=Example, CN=gw.example.com") {
    Wish wish;
    wish.alternative = std::move(alternative);
    wish.subject = std::move(subject);
    return issue(head(), wish, key("P-256 3"));
}
Id raw(IdType type, std::string_view octets) {
    const auto view = openssl::bytes(octets);
    return {type, Octets{view.begin(), view.end()}};
}
std::string refusal(OctetView der) {
    const auto parsed = Certificate::parse_der(context(), der);
    return parsed ? "taken" : parsed.error().text();
}

}  // namespace

TEST_CASE("a certificate tells its subject, expiry and key") {
    const Certificate gw = bearing("DNS:gw.example.com");
    CHECK(gw.subject_text() == "C=JP, O=Example, CN=gw.example.com");
    CHECK(gw.subject() == *parse_id("C=JP, O=Example, CN=gw.example.com"));
    CHECK(gw.expiry_text() == "Feb 14 2027");
    CHECK(gw.public_key().text() == "ECDSA P-256");
    CHECK(bearing("DNS:a.example", "").subject_text() == "no subject, serial 07");
}

TEST_CASE("a certificate bears its alternative names, each for its own kind of identity (RFC 4945 3.1)") {
    const Certificate gw = bearing(
        "DNS:GW.example.com,DNS:other.example.com,IP:20.0.0.1,IP:2001:db8::1,email:User@Example.com,"
        "URI:https://uri.example.com/,RID:1.2.3");
    for (const char* id : {"gw.example.com", "other.example.com", "20.0.0.1", "2001:db8::1", "User@example.COM",
                           "C=JP, O=Example, CN=gw.example.com", "c=jp, o=EXAMPLE, cn=GW.example.com"}) {
        INFO(id);
        CHECK(gw.bears(*parse_id(id)));
    }
    for (const char* id :
         {"gw2.example.com", "20.0.0.2", "2001:db8::2", "user@example.com", "uri.example.com", "@20.0.0.1",
          "keyid:gw.example.com", "C=JP, O=Example", "CN=gw.example.com", "C=JP, O=Example, CN=*", "*.example.com"}) {
        INFO(id);
        CHECK(!gw.bears(*parse_id(id)));
    }
    CHECK(!gw.bears(raw(IdType::fqdn, "")));
    CHECK(!gw.bears(raw(IdType::ipv4_addr, "\x14\0\0"s)));
    CHECK(!gw.bears(raw(IdType::der_asn1_gn, "gw.example.com")));
}

TEST_CASE("the common name stands for no host name, mailbox or address (RFC 4945 3.1)") {
    CHECK(!bearing("").bears(*parse_id("gw.example.com")));
    CHECK(!bearing("DNS:other.example.com").bears(*parse_id("gw.example.com")));
    CHECK(!bearing("", "CN=20.0.0.1").bears(*parse_id("20.0.0.1")));
    CHECK(!bearing("", "CN=gw, emailAddress=user@example.com").bears(*parse_id("user@example.com")));
    CHECK(bearing("").bears(*parse_id("C=JP, O=Example, CN=gw.example.com")));
}

TEST_CASE("a wildcard in a certificate is no wildcard for IKE, nor does an empty subject equal an empty name") {
    CHECK(!bearing("DNS:*.example.com").bears(*parse_id("gw.example.com")));
    CHECK(!bearing("", "CN=*").bears(*parse_id("CN=gw")));
    CHECK(!bearing("DNS:a.example", "").bears(raw(IdType::der_asn1_dn, "\x30\0"s)));
}

TEST_CASE("a NUL in an alternative name ends nothing") {
    // subjectAltName of one dNSName, "gw.example.com", NUL, ".evil.org"
    const Certificate evil =
        bearing("DER:30:1a:82:18:67:77:2e:65:78:61:6d:70:6c:65:2e:63:6f:6d:00:2e:65:76:69:6c:2e:6f:72:67");
    CHECK(!evil.bears(*parse_id("gw.example.com")));
    CHECK(evil.bears(raw(IdType::fqdn, "gw.example.com\0.evil.org"s)));
}

TEST_CASE("what is not one certificate in DER is refused") {
    const Octets good = bearing("DNS:gw.example.com").der();
    CHECK(refusal(good) == "taken");
    CHECK(refusal({}) == "this is no certificate [bad_value]");
    for (std::size_t kept = 0; kept < good.size(); ++kept) CHECK(refusal(OctetView{good}.first(kept)) != "taken");
    Octets longer = good;
    longer.push_back(std::byte{0});
    CHECK(refusal(longer) == "octets are left over behind certificate 'C=JP, O=Example, CN=gw.example.com' [trailing]");
    CHECK(refusal(Octets(limits::certificate_octets + 1)) ==
          "a certificate of 16385 octets is too long: at most 16384 are taken [no_room]");
    Octets lax = good;  // the length in three octets where two do
    REQUIRE(lax[1] == std::byte{0x82});
    lax[1] = std::byte{0x83};
    lax.insert(lax.begin() + 2, std::byte{0});
    CHECK(refusal(lax) == "certificate 'C=JP, O=Example, CN=gw.example.com' is not in DER [bad_value]");
    Octets endless = good;  // BER's indefinite length
    endless.erase(endless.begin() + 2, endless.begin() + 4);
    endless[1] = std::byte{0x80};
    endless.insert(endless.end(), 2, std::byte{0});
    CHECK(refusal(endless) == "certificate 'C=JP, O=Example, CN=gw.example.com' is not in DER [bad_value]");
}

TEST_CASE("a PEM text gives its certificates in their order, and passes over what else is in it") {
    const Certificate gw = bearing("DNS:gw.example.com");
    const std::string both =
        "some words\n" + pem(gw) + private_pem(key("P-256 3")) + "more words\n" + pem(head().certificate) + "the end\n";
    const auto found = Certificate::parse_pem(context(), both);
    REQUIRE(found);
    REQUIRE(found->size() == 2);
    CHECK((*found)[0].der() == gw.der());
    CHECK((*found)[1].der() == head().certificate.der());
    CHECK(Certificate::parse_pem(context(), "").error().text() ==
          "there is no certificate in PEM: -----BEGIN CERTIFICATE----- begins one [bad_syntax]");
    CHECK(!Certificate::parse_pem(context(), private_pem(key("P-256 3"))));
    std::string damaged = pem(gw) + pem(head().certificate);
    damaged.replace(damaged.size() - 60, 1, "!");
    CHECK(Certificate::parse_pem(context(), damaged).error().text() ==
          "the PEM text is damaged behind certificate 1 [bad_syntax]");
    CHECK(!Certificate::parse_pem(context(), pem(gw).substr(0, 200)));
    CHECK(Certificate::parse_pem(context(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
              .error()
              .text() == "certificate 1: this is no certificate [bad_value]");
}

TEST_CASE("CERTREQ's hash is SHA-1 over the SubjectPublicKeyInfo (RFC 7296 3.7)") {
    const Octets spki = public_der(key("P-256"));
    Octets wanted(20);
    EVP_Digest(spki.data(), spki.size(), openssl::octets(wanted.data()), nullptr, EVP_sha1(), nullptr);
    CHECK(head().certificate.key_hash() == wanted);
}
