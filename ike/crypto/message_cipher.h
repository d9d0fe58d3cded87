// Seals and opens the SK and SKF payloads of one direction of one IKE SA (RFC 7296 3.14; RFC 5282 for AEADs; RFC 7383
// 2.5 for fragments). Nothing inside is believed before the ICV is right. Control thread.
#pragma once

#include <memory>
#include <vector>

#include "ike/crypto/prf.h"
#include "ike/message/message.h"

namespace torii::ike {

class MessageCipher {
public:
    /// `sk_e` holds the cipher's key and salt, `sk_a` the integrity's key or nothing with an AEAD.
    static Result<std::unique_ptr<MessageCipher>> make(CryptoContext& context, const Suite& suite, OctetView sk_e,
                                                       OctetView sk_a);
    virtual ~MessageCipher() = default;

    /// The whole datagram: header, SK payload with `inner` (built payloads) in it. IVs of AEADs count and never repeat
    /// (RFC 5282 3.1), those of CBC are random.
    virtual Result<Octets> seal(const Header& header, PayloadType inner_first, OctetView inner) = 0;
    /// The same in datagrams of at most `datagram_octets` (at least 256), as SKF payloads. Errc::no_room: it would take
    /// more than FragmentAssembly's limit.
    virtual Result<std::vector<Octets>> seal_fragments(const Header& header, PayloadType inner_first, OctetView inner,
                                                       std::size_t datagram_octets) = 0;
    /// What was inside. Errc::bad_value: not authentic, or padded wrongly; nothing more is told, so that nobody learns
    /// from it.
    virtual Result<Octets> open(const Split::Encrypted& encrypted) = 0;
};

}  // namespace torii::ike
