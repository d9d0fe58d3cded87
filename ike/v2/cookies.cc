#include "ike/v2/cookies.h"

#include <algorithm>

#include "base/reader.h"
#include "ike/crypto/prf.h"

namespace torii::ike {

void Cookies::renew(CryptoContext& crypto, Instant now) {
    if (made_ && now - renewed_ < secret_lives) return;
    const bool stale = !made_ || now - renewed_ >= 2 * secret_lives;
    ++version_;
    SecretBytes fresh{32};
    crypto.fill(fresh.octets());
    secrets_[version_ & 1] = std::move(fresh);
    if (stale) {  // the one before is too old, or there was none: nobody may guess it
        SecretBytes other{32};
        crypto.fill(other.octets());
        secrets_[~version_ & 1] = std::move(other);
    }
    made_ = true;
    renewed_ = now;
}

Octets Cookies::compute(CryptoContext& crypto, std::uint8_t version, const Endpoint& remote, IkeSpi spi_initiator,
                        const Octets& nonce) const {
    Octets covered;
    Writer{covered}
        .u16(static_cast<std::uint16_t>(nonce.size()))  // or a nonce's end could pass for an address's beginning
        .put(nonce)
        .put(remote.address.octets())
        .u16(remote.port)
        .u64(static_cast<std::uint64_t>(spi_initiator))
        .u8(version);
    Octets cookie{static_cast<std::byte>(version)};
    const auto mac = prf(crypto, PrfId::hmac_sha2_256, secrets_[version & 1].octets(), {covered});
    if (mac) cookie.insert(cookie.end(), mac->octets().begin(), mac->octets().begin() + 16);
    return cookie;
}

Octets Cookies::make(CryptoContext& crypto, const Endpoint& remote, IkeSpi spi_initiator, const Octets& nonce,
                     Instant now) {
    renew(crypto, now);
    return compute(crypto, version_, remote, spi_initiator, nonce);
}

bool Cookies::is_ours(CryptoContext& crypto, const Octets& cookie, const Endpoint& remote, IkeSpi spi_initiator,
                      const Octets& nonce, Instant now) {
    renew(crypto, now);
    if (cookie.size() != 17) return false;
    const auto version = std::to_integer<std::uint8_t>(cookie[0]);
    if (version != version_ && version != static_cast<std::uint8_t>(version_ - 1)) return false;
    return SecretBytes{compute(crypto, version, remote, spi_initiator, nonce)}.same_as(SecretBytes{cookie});
}

}  // namespace torii::ike
