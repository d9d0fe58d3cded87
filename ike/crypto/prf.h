// The pseudorandom function and what is derived by it (RFC 7296 2.13 to 2.18). Known answers prove it. One thread at a
// time a context.
#pragma once

#include <initializer_list>
#include <span>

#include "base/secret_bytes.h"
#include "ike/crypto/context.h"
#include "ike/crypto/transforms.h"

namespace torii::ike {

using OctetView = std::span<const std::byte>;

/// prf(key, parts...) with the parts one behind the other.
Result<SecretBytes> prf(CryptoContext& context, PrfId id, OctetView key, std::initializer_list<OctetView> parts);
/// prf+ (2.13), `octets` long; at most 255 blocks, else Errc::internal.
Result<SecretBytes> prf_plus(CryptoContext& context, PrfId id, OctetView key, std::initializer_list<OctetView> parts,
                             std::size_t octets);

/// 2.14: the keys of an IKE SA. `i`: of who began it.
struct IkeKeys {
    SecretBytes d, ai, ar, ei, er, pi, pr;
    IkeKeys duplicate() const;
};
struct IkeKeyInput {
    OctetView nonce_initiator, nonce_responder;
    std::uint64_t spi_initiator, spi_responder;
    OctetView shared_secret;      // g^ir of the new exchange
    OctetView further_secrets{};  // of a rekey's additional key exchanges, one behind the other
};
/// For a new IKE SA. SKEYSEED = prf(Ni | Nr, g^ir).
Result<IkeKeys> derive_ike_keys(CryptoContext& context, const Suite& suite, const IkeKeyInput& input);
/// For one that replaces another (2.18). SKEYSEED = prf_old(SK_d_old, g^ir | Ni | Nr | further secrets), by the old
/// SA's PRF (RFC 9370 2.2.4).
Result<IkeKeys> derive_rekeyed_ike_keys(CryptoContext& context, const Suite& suite, PrfId old_prf, OctetView old_d,
                                        const IkeKeyInput& input);

/// 2.17: the keys of a child SA pair in the forms the gateway takes: cipher key with salt behind it, authentication
/// key.
struct ChildKeys {
    SecretBytes initiator_cipher, initiator_auth;  // for what the exchange's initiator sends
    SecretBytes responder_cipher, responder_auth;
};
/// `shared_secret` is empty without a key exchange of the child's own; `further_secrets` are those of its additional
/// ones, one behind the other (RFC 9370 2.2.4).
Result<ChildKeys> derive_child_keys(CryptoContext& context, PrfId prf, OctetView sk_d, const Suite& suite,
                                    OctetView shared_secret, OctetView nonce_initiator, OctetView nonce_responder,
                                    OctetView further_secrets = {});

}  // namespace torii::ike
