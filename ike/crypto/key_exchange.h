// Diffie-Hellman, classic and on curves, over OpenSSL (RFC 7296 2.12, 3.4; RFC 5903; RFC 8031; RFC 6989 for the checks
// of a peer's public value). One thread at a time a context; a KeyExchange may move to another thread with its context.
#pragma once

#include <memory>

#include "ike/crypto/prf.h"

namespace torii::ike {

class KeyExchange {
public:
    /// A fresh key pair. Errc::unsupported: not a method of ours.
    static Result<std::unique_ptr<KeyExchange>> make(CryptoContext& context, KeMethod method);
    /// The same of a given pair, for known answers: `private_value` as a number in network order (x25519: RFC 7748's
    /// octets), `public_value` as in a KE payload. That the two belong together is not checked.
    static Result<std::unique_ptr<KeyExchange>> from_pair(CryptoContext& context, KeMethod method,
                                                          OctetView private_value, OctetView public_value);
    virtual ~KeyExchange() = default;
    KeMethod method() const { return method_; }
    /// What goes into the KE payload.
    const Octets& public_value() const { return public_value_; }
    /// g^ir. Errc::bad_value: the peer's value has the wrong length, is no point of the curve, is outside 2..p-2, or
    /// makes an all-zero secret (RFC 6989 2.1, 2.3; RFC 8031 2.1).
    virtual Result<SecretBytes> agree(OctetView peers_value) = 0;

protected:
    KeMethod method_{};
    Octets public_value_;
};

}  // namespace torii::ike
