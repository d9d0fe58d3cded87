// AH toward the unprotected side: RFC 4302 3.3. See ah.h.
#include "ah/ah.h"

namespace torii {

namespace {

/// AH of `octets` at `at`, its ICV still zero (3.3.3.1), and the crypto job for the packet, which is complete but for
/// its ICV.
void write_ah(CryptoJobs& jobs, Packet& p, std::byte* at, unsigned octets, std::uint8_t next_header) {
    const OutboundSa& sa = *p.outbound_sa;
    const AhHeader ah{.next_header = next_header,
                      .payload_words = static_cast<std::uint8_t>(octets / 4 - 2),
                      .reserved = 0,
                      .spi = sa.spi,
                      .sequence_low = static_cast<std::uint32_t>(p.sequence)};
    std::memcpy(at, &ah, sizeof ah);
    std::memset(at + sa.header_octets, 0, octets - sa.header_octets);  // AH without sequence numbers has the ICV there
    CryptoJob& job = jobs.add(p);
    job.key = sa.key;
    job.icv = at + sa.header_octets;
    job.sequence_high = static_cast<std::uint32_t>(p.sequence >> 32);
    job.suite = sa.suite;
    job.esn = sa.extended_sequence;
    job.authentic = false;
}

/// Marks packets that AH cannot take: they spend no number and age no SA. The high half of an ESN goes behind them for
/// a moment.
void make_room(Batch& batch) {
    for (Packet& p : batch.live()) {
        const Mode mode = outbound_mode(p);
        if (mode != Mode::tunnel && p.fragment)
            Batch::drop(p, Drop::fragment_in_transport);
        else if (mode != Mode::tunnel && p.family == Family::ipv6 && p.waypoint)
            Batch::drop(p, Drop::source_route);
        else
            (void)has_room(p, ah_overhead(*p.outbound_sa, mode, p.family), sizeof(std::uint32_t));
    }
}

/// IP | AH | IP | payload (3.1.2)
void encapsulate_tunnel(CryptoJobs& jobs, Packet& p) {
    const OutboundSa& sa = *p.outbound_sa;
    const unsigned before = ah_overhead(sa, Mode::tunnel, p.family), octets = before - sa.outer_octets();
    write_ah(jobs, p, p.ip - octets, octets, protocol_of(p.family));
    enter_tunnel(p, before, p.ip_octets + before);
}

/// IP | AH | payload (3.1.1): the IP header moves to the front, its length and protocol change.
void encapsulate_transport(CryptoJobs& jobs, Packet& p) {
    const unsigned gap = ah_overhead(*p.outbound_sa, Mode::transport, p.family);
    enter_transport(p);
    open_gap(p, gap);
    write_ah(jobs, p, p.payload(), gap, p.protocol);
    finish_transport(p, IpProtocol::ah, p.ip_octets + gap);
}

}  // namespace

void protect_ah(CryptoEngine& crypto, CryptoJobs& jobs, AhScratch& scratch, Notices& notices, Batch& batch) {
    make_room(batch);
    spend_sequence(notices, batch);
    jobs.size = 0;
    for (Packet& p : batch.live()) {
        if (outbound_mode(p) == Mode::tunnel)
            encapsulate_tunnel(jobs, p);
        else
            encapsulate_transport(jobs, p);
    }
    authenticate(jobs, scratch, &Packet::outbound_sa, [&] { crypto.seal(jobs.all()); });
}

}  // namespace torii
