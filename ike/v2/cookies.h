// Stateless cookies against half-open floods (RFC 7296 2.6): <version of the secret> | HMAC-SHA-256(|Ni| | Ni | IPi |
// port | SPIi | version). The secret changes every minute, and the one before it is still believed. Control thread.
#pragma once

#include <array>

#include "ike/crypto/context.h"
#include "ike/v2/actions.h"

namespace torii::ike {

class Cookies {
public:
    static constexpr Instant secret_lives{60'000};
    /// For an initiator's IKE_SA_INIT request from `remote`.
    Octets make(CryptoContext& crypto, const Endpoint& remote, IkeSpi spi_initiator, const Octets& nonce, Instant now);
    bool is_ours(CryptoContext& crypto, const Octets& cookie, const Endpoint& remote, IkeSpi spi_initiator,
                 const Octets& nonce, Instant now);

private:
    void renew(CryptoContext& crypto, Instant now);
    Octets compute(CryptoContext& crypto, std::uint8_t version, const Endpoint& remote, IkeSpi spi_initiator,
                   const Octets& nonce) const;

    std::array<SecretBytes, 2> secrets_;  // by version & 1
    std::uint8_t version_ = 0;
    bool made_ = false;
    Instant renewed_{};
};

}  // namespace torii::ike
