// NAT detection, port 4500, and following a peer whose NAT gave him another address (RFC 7296 2.23).
#include <openssl/evp.h>

#include <algorithm>

#include "base/reader.h"
#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

/// SHA-1(SPIi | SPIr | address | port) as 2.23 has it. SHA-1 serves as a checksum here, not as protection.
Octets nat_hash(CryptoContext& crypto, IkeSpi initiator, IkeSpi responder, const Endpoint& end) {
    Octets covered;
    covered.reserve(2 * 8 + 16 + 2);
    Writer{covered}
        .u64(static_cast<std::uint64_t>(initiator))
        .u64(static_cast<std::uint64_t>(responder))
        .put(end.address.octets())
        .u16(end.port);
    Octets hash(20);
    unsigned octets = 0;
    EVP_Digest(covered.data(), covered.size(), reinterpret_cast<unsigned char*>(hash.data()), &octets,
               crypto.digest("SHA1"), nullptr);
    return hash;
}

}  // namespace

Notify Turn::nat_detection(NotifyType type, const IkeSa& sa, const Endpoint& end) const {
    return notify(type, nat_hash(engine.crypto_, sa.spi_initiator, sa.spi_responder, end));
}

/// A peer that sends no such notifications does not do NAT traversal, and then there is nothing to detect.
void Turn::detect_nat(IkeSa& sa, const Payloads& payloads) {
    // In the initiator's request the responder's SPI is 0 still.
    const IkeSpi responder = sa.initiator ? sa.spi_responder : IkeSpi{0};
    bool any = false, source_fits = false, destination_fits = false, destination_told = false;
    for (const Payload& payload : payloads) {
        const auto* n = std::get_if<Notify>(&payload);
        if (n == nullptr) continue;
        if (n->type == NotifyType::nat_detection_source_ip) {  // several: one for each address it may have
            any = true;
            source_fits = source_fits || n->data == nat_hash(engine.crypto_, sa.spi_initiator, responder, sa.remote);
        } else if (n->type == NotifyType::nat_detection_destination_ip) {
            destination_told = true;
            destination_fits =
                destination_fits || n->data == nat_hash(engine.crypto_, sa.spi_initiator, responder, sa.local);
        }
    }
    sa.peer_behind_nat = any && !source_fits;
    sa.behind_nat = destination_told && !destination_fits;
    if (sa.uses_udp())
        tell(Tell::Level::info, &sa,
             std::string{"there is a NAT in front of "} +
                 (sa.behind_nat ? sa.peer_behind_nat ? "both of us" : "us" : "the peer"));
}

/// 2.23: a peer behind a NAT is answered where its last authentic message came from; whoever is behind a NAT himself
/// does not move, since anybody on the path could send him elsewhere.
void Turn::follow(IkeSa& sa, const Datagram& authentic) {
    if (sa.state == IkeState::init_answered) {  // the initiator's turn to 4500
        if (!sa.peer_behind_nat && sa.remote.address != authentic.remote.address) return;  // somebody's copy of it
        sa.local = authentic.local;
        sa.remote = authentic.remote;
        return;
    }
    // With MOBIKE it is the initiator who says where he is (2.23, RFC 4555 3.8).
    if (sa.remote == authentic.remote || sa.behind_nat || !sa.peer_behind_nat || sa.mobike) return;
    tell(Tell::Level::info, &sa, "the peer moved from " + sa.remote.text() + " to " + authentic.remote.text());
    sa.remote = authentic.remote;
    sa.local = authentic.local;
    move_children(sa);
}

}  // namespace torii::ike
