// Keys, certificates and revocation lists made at test time: what an authority of the tests issues, right or wrong as a
// test wishes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ike/credentials/certificates.h"
#include "ike/credentials/openssl.h"

namespace torii::ike::made {

using Key = std::shared_ptr<EVP_PKEY>;

inline constexpr std::int64_t now = 1'800'000'000;  // Jan 15 2027
inline constexpr std::int64_t day = 86'400;

/// The system's, for the whole program.
CryptoContext& context();

/// Made once for each name: "RSA 2048", "P-256", "ED25519", with a digit behind for a second one of the kind.
Key key(const std::string& name);
Key rsa(unsigned bits, unsigned exponent);

/// What a certificate is to say; extensions in OpenSSL's configuration words, empty: without.
struct Wish {
    std::string subject = "C=JP, O=Example, CN=gw";
    std::string alternative = "DNS:gw.example.com,IP:20.0.0.1,email:gw@example.com,URI:https://gw.example.com/";
    std::string basic = "critical,CA:FALSE";
    std::string usage = "critical,digitalSignature";
    std::string extended, constraints;
    enum class Unknown : std::uint8_t { none, optional, critical } unknown = Unknown::none;
    std::int64_t from = now - 30 * day, until = now + 30 * day;
    long serial = 7;
    const char* digest = "SHA256";  // null with Ed25519
};
/// Of an authority.
Wish authority(std::string subject, std::string constraints = {}, std::string basic = "critical,CA:TRUE");

/// A name, the key that signs for it, and its own certificate.
struct Issuer {
    Certificate certificate;
    Key key;
};
Issuer root(const Wish& wish, const Key& key);
Certificate issue(const Issuer& by, const Wish& wish, const Key& key);
Issuer issue_authority(const Issuer& by, const Wish& wish, const Key& key);

struct ListWish {
    std::vector<long> revoked;
    std::int64_t from = now - day, until = now + day;
};
/// DER.
Octets revocations(const Issuer& by, const ListWish& wish);

std::string pem(const Certificate& certificate);
std::string private_pem(const Key& key, const char* passphrase = nullptr);
Octets public_der(const Key& key);

}  // namespace torii::ike::made
