#include "ike/credentials/algorithm_identifier.h"

#include <algorithm>
#include <array>
#include <vector>

#include "ike/credentials/hexadecimal.h"

namespace torii::ike {
namespace {

constexpr SignatureHash sha2[] = {SignatureHash::sha2_256, SignatureHash::sha2_384, SignatureHash::sha2_512};
/// The last arc of each hash under 2.16.840.1.101.3.4.2, sha256WithRSAEncryption and so on under 1.2.840.113549.1.1,
/// and ecdsa-with-SHA256 and so on under 1.2.840.10045.4.3.
struct Arcs {
    std::uint8_t hash, rsa, ecdsa;
};
constexpr Arcs arcs_of(SignatureHash hash) {
    switch (hash) {
        case SignatureHash::sha2_256: return {1, 11, 2};
        case SignatureHash::sha2_384: return {2, 12, 3};
        default: return {3, 13, 4};
    }
}

using Raw = std::vector<std::uint8_t>;
constexpr std::uint8_t sequence = 0x30, null_type = 5, integer = 2;
constexpr std::uint8_t explicitly(unsigned number) { return static_cast<std::uint8_t>(0xa0 + number); }
const Raw null{null_type, 0};
const Raw rsa_arcs{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1};
constexpr std::uint8_t mgf1 = 8, pss = 10;

Raw joined(std::initializer_list<Raw> parts) {
    Raw out;
    for (const Raw& part : parts) out.insert(out.end(), part.begin(), part.end());
    return out;
}
Raw inside(std::uint8_t type, std::initializer_list<Raw> parts) {
    const Raw content = joined(parts);  // none of ours comes to 128 octets, where DER's lengths change their form
    return joined({{type, static_cast<std::uint8_t>(content.size())}, content});
}

/// Two things that RFC 4055 2.1 and RFC 7427 A.4.3 leave to the sender: NULL or nothing behind a hash, and the trailer
/// field with its default written out or not.
struct PssForm {
    bool with_null, with_trailer;
};
Raw pss_identifier(SignatureHash hash, PssForm form) {
    const Raw name{6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, arcs_of(hash).hash};
    const Raw hash_identifier = inside(sequence, {name, form.with_null ? null : Raw{}});
    const Raw mask = inside(sequence, {rsa_arcs, {mgf1}, hash_identifier});
    const Raw salt{integer, 1, static_cast<std::uint8_t>(digest_octets(hash))};
    const Raw trailer = form.with_trailer ? inside(explicitly(3), {{integer, 1, 1}}) : Raw{};
    const Raw parameters = inside(sequence, {inside(explicitly(0), {hash_identifier}), inside(explicitly(1), {mask}),
                                             inside(explicitly(2), {salt}), trailer});
    return inside(sequence, {rsa_arcs, {pss}, parameters});
}

Raw identifier_of(SignatureAlgorithm algorithm) {
    switch (algorithm.scheme) {
        case Scheme::rsa_pkcs1: return inside(sequence, {rsa_arcs, {arcs_of(algorithm.hash).rsa}, null});
        case Scheme::rsa_pss: return pss_identifier(algorithm.hash, {.with_null = true, .with_trailer = false});
        case Scheme::ecdsa:
            return inside(sequence, {{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, arcs_of(algorithm.hash).ecdsa}});
        case Scheme::ed25519: break;
    }
    return inside(sequence, {{6, 3, 0x2b, 0x65, 0x70}});
}

Octets octets_of(const Raw& raw) {
    const auto view = std::as_bytes(std::span{raw});
    return {view.begin(), view.end()};
}

struct Row {
    Octets identifier;
    SignatureAlgorithm algorithm;
};
const std::vector<Row>& table() {
    static const std::vector<Row> rows = [] {
        std::vector<Row> out;
        for (const SignatureHash hash : sha2) {
            for (const Scheme scheme : {Scheme::rsa_pkcs1, Scheme::ecdsa})
                out.push_back({algorithm_identifier({scheme, hash}), {scheme, hash}});
            for (const bool with_null : {true, false})
                for (const bool with_trailer : {false, true})
                    out.push_back(
                        {octets_of(pss_identifier(hash, {with_null, with_trailer})), {Scheme::rsa_pss, hash}});
        }
        const SignatureAlgorithm ed25519{Scheme::ed25519, SignatureHash::identity};
        out.push_back({algorithm_identifier(ed25519), ed25519});
        return out;
    }();
    return rows;
}

bool begins(std::span<const std::byte> octets, const Raw& with) {
    const auto view = std::as_bytes(std::span{with});
    return octets.size() >= view.size() && std::ranges::equal(octets.first(view.size()), view);
}

}  // namespace

const char* digest_of(SignatureHash hash) {
    switch (hash) {
        case SignatureHash::sha1: return "SHA1";
        case SignatureHash::sha2_256: return "SHA256";
        case SignatureHash::sha2_384: return "SHA384";
        case SignatureHash::sha2_512: return "SHA512";
        case SignatureHash::identity: break;
    }
    return nullptr;
}

std::size_t digest_octets(SignatureHash hash) {
    switch (hash) {
        case SignatureHash::sha1: return 20;
        case SignatureHash::sha2_256: return 32;
        case SignatureHash::sha2_384: return 48;
        case SignatureHash::sha2_512: return 64;
        case SignatureHash::identity: break;
    }
    return 0;
}

std::string text_of(SignatureAlgorithm algorithm) {
    const char* const digest = digest_of(algorithm.hash);
    const std::string behind = digest == nullptr ? std::string{} : std::string{" with SHA-"} + (digest + 3);
    switch (algorithm.scheme) {
        case Scheme::rsa_pkcs1: return "RSASSA-PKCS1-v1_5" + behind;
        case Scheme::rsa_pss: return "RSASSA-PSS" + behind;
        case Scheme::ecdsa: return "ECDSA" + behind;
        case Scheme::ed25519: break;
    }
    return "Ed25519";
}

Octets algorithm_identifier(SignatureAlgorithm algorithm) { return octets_of(identifier_of(algorithm)); }

std::optional<SignatureAlgorithm> find_algorithm(std::span<const std::byte> identifier) {
    for (const Row& row : table())
        if (std::ranges::equal(row.identifier, identifier)) return row.algorithm;
    return std::nullopt;
}

std::string why_refused(std::span<const std::byte> identifier) {
    const auto body = identifier.subspan(std::min<std::size_t>(2, identifier.size()));
    if (begins(body, joined({rsa_arcs, {5}})) || begins(body, {6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1}))
        return "it is made by way of SHA-1, which RFC 8247 3.2 forbids";
    if (begins(body, joined({rsa_arcs, {pss}})))
        return "its RSASSA-PSS has other parameters than SHA-256, SHA-384 or SHA-512 with MGF1 of the same hash and a "
               "salt of its length; none at all mean SHA-1";
    return "its AlgorithmIdentifier 0x" + hexadecimal_of(identifier) + " is none that is taken";
}

}  // namespace torii::ike
