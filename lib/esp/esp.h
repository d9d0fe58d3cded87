// The Encapsulating Security Payload (RFC 4303, and its old form without sequence numbers and integrity, RFC 1827),
// tunnel and transport mode over IPv4 and IPv6. Two transforms, each a recipe of steps over a batch that may mix SAs,
// suites and modes. Called by the worker that owns all SAs of the batch.
#pragma once

#include "transform/transform.h"

namespace torii {

/// Octets of padding for so many of payload.
inline unsigned esp_padding(const OutboundSa& sa, unsigned payload_octets) {
    return -(payload_octets + unsigned{sizeof(EspTrailer)}) & sa.alignment_mask;
}

/// Octets an SA adds in `mode` to a packet of `ip_octets` octets whose header has `header_octets`.
inline unsigned esp_overhead(const OutboundSa& sa, Mode mode, unsigned ip_octets, unsigned header_octets) {
    const unsigned fixed = unsigned{sa.header_octets} + sa.iv_octets + unsigned{sizeof(EspTrailer)} + sa.icv_octets;
    if (mode == Mode::tunnel) [[likely]]
        return sa.outer_octets() + fixed + esp_padding(sa, ip_octets);
    return fixed + esp_padding(sa, ip_octets - header_octets);
}

/// Protects `batch` in place (RFC 4303 3.3).
/// In:     packets at their IP header, each carrying its own `outbound_sa`; fragments only toward tunnels.
/// Out:    the same packets in order, at their outer (tunnel) or rewritten (transport) IP header.
/// Drops:  lifetime_exceeded, sequence_exhausted, fragment_in_transport, no_room.
/// Thread: the worker that owns those SAs. Never allocates; one crypto submission.
void protect_esp(CryptoEngine& crypto, CryptoJobs& scratch, Notices& notices, Batch& batch);

/// Opens `batch` in place (RFC 4303 3.4, in its order).
/// In:     packets at their IP header, protocol ESP, not fragments, `inbound_sa` set.
/// Out:    the same packets at the IP header that was inside (tunnel) or freed of ESP (transport), validated, their SA
///         appended to `used`.
/// Drops:  lifetime_exceeded, esp_truncated, replayed, bad_icv, bad_padding, dummy_packet, bad_inner_protocol,
///         bad_ecn, and those of parse_ipv4 and parse_ipv6 about the packet inside.
/// Thread: the worker that owns those SAs. Never allocates; one crypto submission.
void open_esp(CryptoEngine& crypto, CryptoJobs& scratch, Notices& notices, Batch& batch);

}  // namespace torii
