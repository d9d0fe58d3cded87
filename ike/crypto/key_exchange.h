// Key exchanges over OpenSSL: Diffie-Hellman, classic and on curves (RFC 7296 2.12, 3.4; RFC 5903; RFC 8031; RFC 6989
// for the checks of a peer's public value), and ML-KEM (draft-ietf-ipsecme-ikev2-mlkem; FIPS 203). Who begins one has a
// KeyExchange until the answer is there; who answers is done with it at once. One thread at a time a context; a
// KeyExchange may move to another thread with its context.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ike/crypto/prf.h"

namespace torii::ike {

class KeyExchange {
public:
    /// Begins one, with a fresh key pair. Errc::unsupported: not a method of ours.
    static Result<std::unique_ptr<KeyExchange>> initiate(CryptoContext& context, KeMethod method);
    /// Answers one: `value` goes into our KE payload. Errc::unsupported; errors of finish().
    struct Answer {
        Octets value;
        SecretBytes secret;
    };
    static Result<Answer> respond(CryptoContext& context, KeMethod method, OctetView peers_value);
    /// What OpenSSL at hand lacks for the method; nothing: it has all, or the method is none of ours anyway.
    static std::optional<std::string> lacking(KeMethod method);
    /// The same of a given pair, for known answers: `private_value` as a number in network order (x25519: RFC 7748's
    /// octets; ML-KEM: d and z of FIPS 203 7.1), `public_value` as in a KE payload. That the two belong together is not
    /// checked.
    static Result<std::unique_ptr<KeyExchange>> from_pair(CryptoContext& context, KeMethod method,
                                                          OctetView private_value, OctetView public_value);
    virtual ~KeyExchange() = default;
    KeMethod method() const { return method_; }
    /// What goes into the initiator's KE payload.
    const Octets& public_value() const { return public_value_; }
    /// The secret, with the responder's value: g^ir. A ciphertext that is not for our key makes a secret that nobody
    /// else has (FIPS 203 6.3). Errc::bad_value: the peer's value has the wrong length, is no point of the curve, is
    /// outside 2..p-2, or makes an all-zero secret (RFC 6989 2.1, 2.3; RFC 8031 2.1).
    virtual Result<SecretBytes> finish(OctetView peers_value) = 0;

protected:
    KeMethod method_{};
    Octets public_value_;
};

}  // namespace torii::ike
