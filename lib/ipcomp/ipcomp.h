// IP payload compression (RFC 3173) with DEFLATE (RFC 2394), tunnel and transport mode over IPv4 and IPv6. Two
// transforms over a batch that may mix SAs and modes.
#pragma once

#include "ipcomp/deflate.h"
#include "transform/transform.h"

namespace torii {

/// Compression Parameter Index. Never an Spi: it has 16 bits, and 0 to 63 are known to everybody (RFC 3173 3.3).
enum class Cpi : std::uint16_t { deflate = 2 };

/// Octets an SA may add in `mode`: transport mode never adds any.
inline unsigned ipcomp_overhead(const OutboundSa& sa, Mode mode) {
    return mode == Mode::tunnel ? sa.outer_octets() : 0;
}

/// Compresses `batch` in place where that makes a packet shorter (RFC 3173 2.2).
/// In:     packets at their IP header, each carrying its own `outbound_sa`.
/// Out:    the same packets in order; in tunnel mode at an outer IP header, behind which IPComp or the packet stands.
///         Transport mode leaves fragments as they are.
/// Drops:  lifetime_exceeded, no_room.
/// Thread: the worker that owns those SAs. Never allocates.
void protect_ipcomp(Deflate& deflate, Notices& notices, Batch& batch);

/// Decompresses `batch` in place.
/// In:     packets at their IP header, protocol IPComp, not fragments; `inbound_sa` null for the well-known CPI.
/// Out:    the same packets at the IP header that was inside (tunnel) or freed of IPComp (transport). Nothing is added
/// to
///         `used`: compression answers no request for protection.
/// Drops:  lifetime_exceeded, bad_ipcomp, decompressed_too_big, and those of unwrap.
/// Thread: the worker that owns those SAs, any for packets without. Never allocates.
void open_ipcomp(Deflate& deflate, Notices& notices, Batch& batch);

}  // namespace torii
