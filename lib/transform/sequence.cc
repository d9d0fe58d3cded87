// Sequence numbers, lifetimes and replay windows, a batch at a time. See transform.h.
#include "transform/transform.h"

namespace torii {

namespace {

/// `limit`: the one that was reached, of expire_hard.
void tell(Notices& notices, control::Event::Kind kind, const OutboundSa& sa, std::uint64_t sequence,
          std::uint64_t limit = 0) {
    notices.tell({.kind = kind, .serial = sa.serial, .spi = Spi{sa.spi.value()}, .sequence = sequence, .limit = limit});
}

void tell(Notices& notices, control::Event::Kind kind, const Packet& p, std::uint64_t limit = 0) {
    notices.tell(
        {.kind = kind,
         .serial = p.inbound_sa->serial,
         .spi = Spi{p.inbound_sa->spi.value()},
         .sequence = p.sequence,
         .flow_label = flow_label(p),
         .packet = {.source = p.source(), .destination = p.destination(), .protocol = p.protocol, .ports_known = false},
         .limit = limit});
}

/// Packet number `packet` of its SA is beyond the watch: whether it may still pass. Soft limits are told, hard ones
/// stop it; `said` tells the SA's listeners.
template <class Sa, class Tell>
bool passes_watch(Packet& p, Sa& sa, std::uint64_t packet, std::uint64_t end, Tell said) {
    const std::uint64_t seen = sa.watch.seen(), hard = sa.limits.hard.read();
    if (packet > end || packet > hard) {
        Batch::drop(p, packet > end ? Drop::sequence_exhausted : Drop::lifetime_exceeded);
        said(packet > end ? control::Event::Kind::sequence_exhausted : control::Event::Kind::expire_hard, hard);
        return false;
    }
    if (packet >= sa.limits.soft.read()) {
        sa.limits.soft.set(unlimited);
        said(control::Event::Kind::expire_soft, std::uint64_t{0});
    }
    sa.watch.move_on(seen, sa.limits, end);
    return true;
}

}  // namespace

void spend_sequence(Notices& notices, Batch& batch) {
    for (Packet& p : batch.live()) {
        OutboundSa& sa = *p.outbound_sa;
        const std::uint64_t octets = sa.octets.read() + p.ip_octets;
        p.sequence = sa.next_sequence.read();
        if (const std::uint64_t hard = sa.octets_hard.read(); octets > hard) [[unlikely]] {
            Batch::drop(p, Drop::lifetime_exceeded);
            tell(notices, control::Event::Kind::expire_hard, sa, p.sequence, hard);
            continue;
        }
        const auto said = [&](control::Event::Kind kind, std::uint64_t limit) {
            tell(notices, kind, sa, p.sequence, limit);
        };
        if (sa.watch.is_reached(p.sequence) && !passes_watch(p, sa, p.sequence, sa.last_sequence, said)) [[unlikely]]
            continue;
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
        if (const std::uint64_t hard = sa.octets_hard.read(); octets > hard) [[unlikely]] {
            Batch::drop(p, Drop::lifetime_exceeded);
            tell(notices, control::Event::Kind::expire_hard, p, hard);
            continue;
        }
        const std::uint64_t packet = sa.packets.read() + 1;
        const auto said = [&](control::Event::Kind kind, std::uint64_t limit) { tell(notices, kind, p, limit); };
        if (sa.watch.is_reached(packet) && !passes_watch(p, sa, packet, unlimited, said)) [[unlikely]]
            continue;
        if (octets >= sa.octets_soft.read()) [[unlikely]] {
            sa.octets_soft.set(unlimited);
            tell(notices, control::Event::Kind::expire_soft, p);
        }
        sa.octets.set(octets);
        sa.packets.set(packet);
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
