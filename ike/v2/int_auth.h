// What AUTH covers of the IKE_INTERMEDIATE exchanges in front of it (RFC 9242 3.3.2): a chain of PRFs of each end's
// messages, each as it is before it is encrypted and cut, so that both ends come to the same whatever way it went. Any
// thread; pure but for the context, of which one thread at a time has it.
#pragma once

#include "ike/crypto/prf.h"
#include "ike/message/message.h"

namespace torii::ike {

/// From a message's first octet to the end of SK's own header, of one that came (of its first fragment, if it was cut)
/// or of one that goes. Lengths are not set yet.
Octets front_of(const Split& taken);
Octets front_of(const Header& header, PayloadType inner_first);
/// IntAuth_A | IntAuth_P: with the lengths that it has without IV, padding and ICV.
Octets covered_octets(Octets front, OctetView inner);

struct IntAuth {
    Octets initiator, responder;  // IntAuth_iN and IntAuth_rN; empty: there was no such exchange
    /// IntAuth_n = prf(SK_p, IntAuth_n-1 | A | P), of the end whose SK_p this is.
    static Result<void> add(CryptoContext& context, PrfId prf, OctetView sk_p, OctetView covered, Octets& chain);
    /// IntAuth_iN | IntAuth_rN | IKE_AUTH_MID, or nothing.
    Octets octets(std::uint32_t auth_message_id) const;
};

}  // namespace torii::ike
