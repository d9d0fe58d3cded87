// The Encapsulating Security Payload (RFC 4303), tunnel and transport mode over IPv4. Two transforms, each a recipe of
// steps over a batch that may mix SAs, suites and modes. Called by the worker that owns all SAs of the batch.
#pragma once

#include "crypto/engine.h"
#include "observe/notices.h"
#include "packet/packet.h"
#include "sa/security_association.h"
#include "sa/spi_index.h"

namespace torii {

/// A worker's scratch for one crypto submission: the jobs and whose they are.
struct CryptoJobs {
    std::array<CryptoJob, Batch::capacity> jobs;
    std::array<Packet*, Batch::capacity> packets;
    std::size_t size = 0;
    /// The next job, as the last batch left it: the caller sets every field.
    CryptoJob& add(Packet& packet) {
        packets[size] = &packet;
        return jobs[size++];
    }
    std::span<CryptoJob> all() { return {jobs.data(), size}; }
};

/// How `packet` goes through its outbound SA. One SA of mode any may serve policies of both modes.
inline Mode outbound_mode(const Packet& packet) {
    return packet.chain != nullptr ? packet.chain->modes[packet.chain_step] : packet.outbound_sa->mode;
}

/// Octets an SA adds in `mode` to a packet of `ip_octets` octets whose header has `header_octets`.
unsigned esp_overhead(const OutboundSa& sa, Mode mode, unsigned ip_octets, unsigned header_octets);

/// Protects `batch` in place (RFC 4303 3.3).
/// In:     packets at their IP header, each carrying its own `outbound_sa`; fragments only toward tunnels.
/// Out:    the same packets in order, at their outer (tunnel) or rewritten (transport) IP header.
/// Drops:  lifetime_exceeded, sequence_exhausted, fragment_in_transport, no_room.
/// Thread: the worker that owns those SAs. Never allocates; one crypto submission.
void protect_esp(CryptoEngine& crypto, CryptoJobs& scratch, Notices& notices, Batch& batch);

/// Finds each packet's inbound SA by destination and SPI (RFC 4303 3.4.2); null where there is none. Leaves marking
/// to the caller, because an unknown SPI for somebody else's address is transit. Prefetches the SAs' first lines.
/// Drops:  esp_truncated (no room for an ESP header), fragmented_esp.
void find_inbound_sas(const SpiIndex& sad, Batch& batch);

/// Opens `batch` in place (RFC 4303 3.4, in its order).
/// In:     packets at their IP header, protocol ESP, `inbound_sa` set by find_inbound_sas.
/// Out:    the same packets at the IP header that was inside (tunnel) or freed of ESP (transport), validated, their SA
///         appended to `used`.
/// Drops:  lifetime_exceeded, esp_truncated, replayed, bad_icv, bad_padding, dummy_packet, bad_inner_protocol,
///         ipv6_not_offered, bad_ecn, and those of parse_ipv4 about the packet inside.
/// Thread: the worker that owns those SAs. Never allocates; one crypto submission.
void open_esp(CryptoEngine& crypto, CryptoJobs& scratch, Notices& notices, Batch& batch);

}  // namespace torii
