// Post-quantum pre-shared keys in the keys of an IKE SA (RFC 8784 3). They go into SK_d, from which children and later
// IKE SAs have their keys, and into SK_pi and SK_pr, so that both ends see at once whether they have the same. Any
// thread; pure but for the context, of which one thread at a time has it.
#pragma once

#include <optional>

#include "ike/crypto/prf.h"
#include "ike/message/payloads.h"

namespace torii::ike {

/// The three keys of an IKE SA that a PPK changes.
struct MixedKeys {
    SecretBytes d, pi, pr;
};
/// SK_d = prf+(PPK, SK_d'), and in the same way SK_pi and SK_pr, each as long as it was.
Result<MixedKeys> mix_ppk(CryptoContext& context, PrfId prf, const SecretBytes& ppk, const IkeKeys& keys);
/// Puts them in place, and what stood there into `mixed`: done twice it is undone.
void exchange(IkeKeys& keys, MixedKeys& mixed);

/// How an initiator's proof is to be looked at.
struct PpkProof {
    Auth auth;
    std::optional<MixedKeys> keys;  // those under which it was made; none: those without a PPK
    Octets ppk_id;
};

/// What PPK_IDENTITY holds in a request: a type, and behind it the name (5.1). Nothing: it is of another type than
/// PPK_ID_FIXED, or has no name.
std::optional<Octets> ppk_id_of(const Notify& identity);
Notify ppk_identity(const Octets& id);

}  // namespace torii::ike
