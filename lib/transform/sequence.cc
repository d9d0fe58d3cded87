// Sequence numbers, lifetimes and replay windows, a batch at a time. See transform.h.
#include "transform/transform.h"

namespace torii {

namespace {

void tell(Notices& notices, control::Event::Kind kind, const OutboundSa& sa, std::uint64_t sequence) {
    notices.tell({.kind = kind, .serial = sa.serial, .spi = Spi{sa.spi.value()}, .sequence = sequence});
}

void tell(Notices& notices, control::Event::Kind kind, const Packet& p) {
    notices.tell(
        {.kind = kind,
         .serial = p.inbound_sa->serial,
         .spi = Spi{p.inbound_sa->spi.value()},
         .sequence = p.sequence,
         .packet = {
             .source = p.source(), .destination = p.destination(), .protocol = p.protocol, .ports_known = false}});
}

}  // namespace

void spend_sequence(Notices& notices, Batch& batch) {
    for (Packet& p : batch.live()) {
        OutboundSa& sa = *p.outbound_sa;
        const std::uint64_t octets = sa.octets.read() + p.ip_octets;
        p.sequence = sa.next_sequence.read();
        if (octets > sa.octets_hard.read()) [[unlikely]] {
            Batch::drop(p, Drop::lifetime_exceeded);
            tell(notices, control::Event::Kind::expire_hard, sa, p.sequence);
            continue;
        }
        if (p.sequence > sa.last_sequence) [[unlikely]] {
            Batch::drop(p, Drop::sequence_exhausted);
            tell(notices, control::Event::Kind::sequence_exhausted, sa, p.sequence);
            continue;
        }
        if (octets >= sa.octets_soft.read()) [[unlikely]] {
            sa.octets_soft.set(unlimited);
            tell(notices, control::Event::Kind::expire_soft, sa, p.sequence);
        }
        sa.octets.set(octets);
        sa.next_sequence.set(p.sequence + 1);
    }
}

void check_replay(Notices& notices, Batch& batch) {
    for (Packet& p : batch.live()) {
        InboundSa& sa = *p.inbound_sa;
        if (sa.extended_sequence)
            p.sequence = recovered_sequence(static_cast<std::uint32_t>(p.sequence), sa.replay.highest(),
                                            std::max(sa.replay.size(), 32u));
        if (!sa.replay.admits(p.sequence)) [[unlikely]] {
            Batch::drop(p, Drop::replayed);
            sa.replays.add(1);
            tell(notices, control::Event::Kind::replayed, p);
        }
    }
}

void commit_replay(Notices& notices, Batch& batch) {
    for (Packet& p : batch.live()) {
        InboundSa& sa = *p.inbound_sa;
        if (sa.replay.commit(p.sequence) != Replay::fresh) [[unlikely]] {
            Batch::drop(p, Drop::replayed);
            sa.replays.add(1);
            tell(notices, control::Event::Kind::replayed, p);
            continue;
        }
        const std::uint64_t octets = sa.octets.read() + p.ip_octets;
        if (octets > sa.octets_hard.read()) [[unlikely]] {
            Batch::drop(p, Drop::lifetime_exceeded);
            tell(notices, control::Event::Kind::expire_hard, p);
            continue;
        }
        if (octets >= sa.octets_soft.read()) [[unlikely]] {
            sa.octets_soft.set(unlimited);
            tell(notices, control::Event::Kind::expire_soft, p);
        }
        sa.octets.set(octets);
        sa.packets.add(1);
    }
}

void refuse_bad_icvs(Notices& notices, CryptoJobs& jobs) {
    for (std::size_t i = 0; i < jobs.size; ++i) {
        if (jobs.jobs[i].authentic) [[likely]]
            continue;
        Packet& p = *jobs.packets[i];
        Batch::drop(p, Drop::bad_icv);
        p.inbound_sa->icv_failures.add(1);
        tell(notices, control::Event::Kind::bad_icv, p);
    }
}

}  // namespace torii
