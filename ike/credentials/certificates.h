// Certificates, private keys and signatures over OpenSSL: who we are to a peer, and whether he is who he says (RFC 7296
// 2.15, 3.6 to 3.8; RFC 7427 with RSASSA-PSS; RFC 8420 for Ed25519; RFC 4945 and RFC 5280 for chains and names). Text
// and DER come in, no file is opened and no address fetched. One thread at a time a context.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ike/credentials/identity.h"
#include "ike/crypto/prf.h"

struct evp_pkey_st;
struct x509_st;
struct x509_store_st;

namespace torii::ike {

class PublicKey {
public:
    /// A SubjectPublicKeyInfo, PEM or DER (RFC 7670's raw public key).
    static Result<PublicKey> parse(CryptoContext& context, OctetView pem_or_der);
    explicit PublicKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
    evp_pkey_st* get() const { return key_.get(); }
    /// "RSA 2048", "ECDSA P-256", "Ed25519".
    std::string text() const;

private:
    std::shared_ptr<evp_pkey_st> key_;
};

class PrivateKey {
public:
    /// PEM, PKCS#8 or traditional. A `passphrase` opens an encrypted one; Errc::denied: it is wrong or missing.
    static Result<PrivateKey> parse(CryptoContext& context, const SecretText& pem, const SecretText* passphrase);
    explicit PrivateKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
    evp_pkey_st* get() const { return key_.get(); }
    std::string text() const;

private:
    std::shared_ptr<evp_pkey_st> key_;
};

class Certificate {
public:
    /// One certificate, DER. At most limits::certificate_octets.
    static Result<Certificate> parse_der(CryptoContext& context, OctetView der);
    /// Every certificate of a PEM text, in its order; at least one.
    static Result<std::vector<Certificate>> parse_pem(CryptoContext& context, std::string_view pem);
    x509_st* get() const { return certificate_.get(); }
    const Octets& der() const { return der_; }
    PublicKey public_key() const;
    Id subject() const;
    std::string subject_text() const;
    std::string expiry_text() const;
    /// Whether it bears `id`: a subjectAltName of the id's kind, or the subject for a distinguished name (RFC
    /// 4945 3.1).
    bool bears(const Id& id) const;
    /// SHA-1 of its SubjectPublicKeyInfo, as CERTREQ lists authorities (RFC 7296 3.7).
    Octets key_hash() const;

private:
    std::shared_ptr<x509_st> certificate_;
    Octets der_;
};

/// Ourselves to a peer: a private key, and the certificate chain that goes with it, ours first. Or a key alone, whose
/// public half the peer has (raw public key).
struct OwnKey {
    PrivateKey key;
    std::vector<Certificate> chain;
    /// Errc::bad_value: the first certificate is not this key's.
    static Result<OwnKey> make(PrivateKey key, std::vector<Certificate> chain);
};

/// The authorities that we believe, and their revocation lists.
class TrustStore {
public:
    explicit TrustStore(CryptoContext& context);
    void add_authority(const Certificate& authority);
    /// PEM or DER. From now on, certificates of that issuer must not be on it, and it must not be out of date.
    Result<void> add_revocations(OctetView crl);
    bool empty() const { return authorities_.empty(); }
    /// CERTREQ's list: of each authority the hash of its key.
    Octets authority_hashes() const;
    /// The public key of the first of `chain` (DER, as CERT payloads brought them; the rest are intermediates in any
    /// order), once it leads to an authority of ours, is valid at `unix_seconds`, may sign (key usage), and bears `id`.
    /// Name constraints hold for every kind of name. The error says which certificate and why: "certificate 'CN=gw' has
    /// expired on Nov 1 2026".
    Result<PublicKey> validate(std::span<const Octets> chain, const Id& id, std::int64_t unix_seconds) const;

private:
    CryptoContext& context_;
    std::vector<Certificate> authorities_;
    std::shared_ptr<x509_store_st> store_;
    bool check_revocations_ = false;
};

/// The content of an AUTH payload over `octets` (RFC 7296 2.15). `hashes`: what the peer's SIGNATURE_HASH_ALGORITHMS
/// listed; empty: he knows no RFC 7427, then RSA signs by method 1 with SHA-1 only if `sha1` allows it, ECDSA by its
/// own methods. RSA signs as RSASSA-PSS, the strongest hash that both have and that the key wants. Errc::unsupported:
/// no way in common.
Result<Auth> sign(CryptoContext& context, const PrivateKey& key, OctetView octets,
                  std::span<const SignatureHash> hashes, bool sha1);
/// Errc::denied: it is not. Every parameter of the AlgorithmIdentifier is compared octet for octet with the few that
/// there are (no lax DER); RSA keys below 2048 bits, SHA-1 (unless `sha1`), and PSS without parameters are refused.
Result<void> verify(CryptoContext& context, const PublicKey& key, const Auth& auth, OctetView octets, bool sha1);

/// AUTH of a shared key: prf(prf(key, "Key Pad for IKEv2"), octets).
Result<SecretBytes> shared_key_auth(CryptoContext& context, PrfId prf, const SecretBytes& key, OctetView octets);

}  // namespace torii::ike
