// The Authentication Header (RFC 4302, and its old form without sequence numbers, RFC 1826), tunnel and transport mode
// over IPv4 and IPv6. Two transforms, each a recipe of steps over a batch that may mix SAs, algorithms and modes.
// Called by the worker that owns all SAs of the batch.
#pragma once

#include "transform/transform.h"

namespace torii {

inline constexpr std::size_t longest_icv = 32;  // of the registry's algorithms: half of SHA-512

/// What is set aside of each packet while its ICV is computed. A worker's own, for one batch at a time.
struct AhScratch {
    std::array<std::array<std::byte, longest_ip_header>, Batch::capacity> headers;  // with options and extensions
    std::array<std::array<std::byte, longest_icv>, Batch::capacity> icvs;
};

/// Octets of an AH whose ICV of `icv_octets` stands behind `header_octets`: all of the registry's are whole 32-bit
/// words. In IPv6 it is padded with zeroes to a multiple of 8 octets (RFC 4302 2.2, 3.3.3.2.1).
constexpr unsigned ah_octets(unsigned icv_octets, Family family, unsigned header_octets = sizeof(AhHeader)) {
    const unsigned octets = header_octets + icv_octets;
    return family == Family::ipv4 ? octets : (octets + 7) & ~7u;
}

/// Octets an SA adds in `mode` to a packet of `family`.
inline unsigned ah_overhead(const OutboundSa& sa, Mode mode, Family family) {
    if (mode == Mode::tunnel) return sa.outer_octets() + ah_octets(sa.icv_octets, sa.family, sa.header_octets);
    return ah_octets(sa.icv_octets, family, sa.header_octets);
}

/// Zeroes what may change on the way in the IPv4 header at `ip` (RFC 4302 3.3.3.1.1, appendix A1): DSCP and ECN, but
/// for the bits of `class_kept`, flags, fragment offset, TTL, checksum, and every option that is not known to stay. The
/// header's options have been validated.
void zero_mutable_fields(std::byte* ip, unsigned header_octets, std::uint8_t class_kept = 0);

/// Runs `submit`, which seals or opens `jobs`, over their packets as the ICV sees them: whole, from the IP header on,
/// mutable fields zero; `sa` is the member of Packet whose SA it is. Afterwards the packets are as before, but for what
/// `submit` wrote.
template <class Sa, class Submit>
void authenticate(CryptoJobs& jobs, AhScratch& scratch, Sa sa, Submit submit) {
    for (std::size_t i = 0; i < jobs.size; ++i) {
        const Packet& p = *jobs.packets[i];
        std::memcpy(scratch.headers[i].data(), p.ip, p.ip_header_octets);
        if (p.family == Family::ipv4)
            zero_mutable_fields(p.ip, p.ip_header_octets, (p.*sa)->class_authenticated.load(std::memory_order_relaxed));
        else
            zero_mutable_ipv6_fields(p.ip, p.ip_header_octets);
        jobs.jobs[i].head = p.ip;
        jobs.jobs[i].text_octets = p.ip_octets - unsigned{sizeof(EspHeader)};  // what the engine takes for one
    }
    submit();
    for (std::size_t i = 0; i < jobs.size; ++i) {
        const Packet& p = *jobs.packets[i];
        std::memcpy(p.ip, scratch.headers[i].data(), p.ip_header_octets);
    }
}

/// Protects `batch` in place (RFC 4302 3.3).
/// In:     packets at their IP header, each carrying its own `outbound_sa`; fragments only toward tunnels.
/// Out:    the same packets in order, at their outer (tunnel) or rewritten (transport) IP header.
/// Drops:  lifetime_exceeded, sequence_exhausted, fragment_in_transport, source_route (a routing header that is not in
///         its last form: what the receiver will see of it is not known), no_room.
/// Thread: the worker that owns those SAs. Never allocates; one crypto submission.
void protect_ah(CryptoEngine& crypto, CryptoJobs& jobs, AhScratch& scratch, Notices& notices, Batch& batch);

/// Opens `batch` in place (RFC 4302 3.4, in its order).
/// In:     packets at their IP header, protocol AH, not fragments, `inbound_sa` set.
/// Out:    the same packets at the IP header that was inside (tunnel) or freed of AH (transport), their SA appended to
///         `used`.
/// Drops:  lifetime_exceeded, bad_ah_header, replayed, bad_icv, and those of unwrap.
/// Thread: the worker that owns those SAs. Never allocates; one crypto submission.
void open_ah(CryptoEngine& crypto, CryptoJobs& jobs, AhScratch& scratch, Notices& notices, Batch& batch);

}  // namespace torii
