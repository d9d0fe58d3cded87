// The AlgorithmIdentifiers of RFC 7427's signatures (appendix A; RFC 8420 A.1 for Ed25519): the few that there are,
// octet for octet, so that nothing of theirs is ever parsed. Inside the credentials room only. Any thread; constants.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ike/message/payloads.h"

namespace torii::ike {

enum class Scheme : std::uint8_t { rsa_pkcs1, rsa_pss, ecdsa, ed25519 };

struct SignatureAlgorithm {
    Scheme scheme;
    SignatureHash hash;
    friend bool operator==(const SignatureAlgorithm&, const SignatureAlgorithm&) = default;
};

/// "SHA256", as OpenSSL fetches it; null for Ed25519, which hashes by itself.
const char* digest_of(SignatureHash hash);
std::size_t digest_octets(SignatureHash hash);
/// "RSASSA-PSS with SHA-256".
std::string text_of(SignatureAlgorithm algorithm);

/// What we send. PSS: the salt as long as the hash, MGF1 with the same hash, the trailer's default left out as DER has
/// it.
Octets algorithm_identifier(SignatureAlgorithm algorithm);
/// Nothing: not one of those that we take.
std::optional<SignatureAlgorithm> find_algorithm(std::span<const std::byte> identifier);
/// Why it is not taken: SHA-1, PSS without or with default parameters, or unknown.
std::string why_refused(std::span<const std::byte> identifier);

}  // namespace torii::ike
