// AH from the unprotected side: RFC 4302 3.4. See ah.h.
#include "ah/ah.h"

namespace torii {

namespace {

const AhHeader& ah_header(const Packet& p) { return *reinterpret_cast<const AhHeader*>(p.payload()); }

unsigned octets_of_ah(const Packet& p) {
    return ah_octets(p.inbound_sa->icv_octets, p.family, p.inbound_sa->header_octets);
}

/// Whether all of the AH is there and as long as its SA's ICV makes it (2.2, 3.4.2).
bool is_whole(const Packet& p) {
    const unsigned octets = octets_of_ah(p);
    return p.payload_octets() >= octets && (ah_header(p).payload_words + 2u) * 4 == octets;
}

/// A fragment that is all of its packet was none yet when its sender computed the ICV: its fragment header goes (RFC
/// 8200 4.5, RFC 6946).
void leave_only_fragment(Packet& p) {
    constexpr unsigned octets = sizeof(FragmentHeader);
    unsigned named_at = offsetof(Ipv6Header, next_header);
    for (unsigned next = sizeof(Ipv6Header); next < p.fragment_at;) {
        named_at = next;
        next += reinterpret_cast<const ExtensionHeader*>(p.ip + next)->octets();
    }
    p.ip[named_at] = p.ip[p.fragment_at];
    std::memmove(p.ip + octets, p.ip, p.fragment_at);
    p.ip += octets;
    p.ip_octets = static_cast<std::uint16_t>(p.ip_octets - octets);
    p.ip_header_octets = static_cast<std::uint8_t>(p.ip_header_octets - octets);
    p.next_header_at =
        static_cast<std::uint8_t>(p.next_header_at == p.fragment_at ? named_at : p.next_header_at - octets);
    p.fragment_at = 0;
    p.ipv6().payload_octets = static_cast<std::uint16_t>(p.ip_octets - sizeof(Ipv6Header));
}

/// The crypto job for a packet whose received ICV is set aside at `icv` and zero where it stood (3.4.4).
void set_aside_icv(CryptoJobs& jobs, Packet& p, std::byte* icv) {
    const InboundSa& sa = *p.inbound_sa;
    std::byte* const received = p.payload() + sa.header_octets;
    std::memcpy(icv, received, sa.icv_octets);
    std::memset(received, 0, sa.icv_octets);
    CryptoJob& job = jobs.add(p);
    job.key = sa.key;
    job.icv = icv;
    job.sequence_high = static_cast<std::uint32_t>(p.sequence >> 32);
    job.suite = sa.suite;
    job.esn = sa.extended_sequence;
    job.authentic = false;
}

/// One submission for the whole batch; a packet whose ICV fails is dropped before anything else is believed.
void verify(CryptoEngine& crypto, CryptoJobs& jobs, AhScratch& scratch, Notices& notices, Batch& batch) {
    jobs.size = 0;
    for (Packet& p : batch.live()) {
        if (p.room_behind() < sizeof(std::uint32_t)) [[unlikely]]  // the high half of an ESN goes there for a moment
            Batch::drop(p, Drop::no_room);
        else
            set_aside_icv(jobs, p, scratch.icvs[jobs.size].data());
    }
    authenticate(jobs, scratch, &Packet::inbound_sa, [&] { crypto.open(jobs.all()); });
    refuse_bad_icvs(notices, jobs);
}

}  // namespace

void open_ah(CryptoEngine& crypto, CryptoJobs& jobs, AhScratch& scratch, Notices& notices, Batch& batch) {
    for (Packet& p : batch.live()) {
        p.sequence = p.inbound_sa->has_sequence ? ah_header(p).sequence_low.value() : 0;
        if (!is_whole(p)) [[unlikely]]
            Batch::drop(p, Drop::bad_ah_header);
        else if (p.family == Family::ipv6 && p.fragment_at != 0) [[unlikely]]
            leave_only_fragment(p);
    }
    check_replay(notices, batch);                   // drops: replayed, before paying for the ICV
    verify(crypto, jobs, scratch, notices, batch);  // drops: bad_icv
    commit_replay(notices, batch);                  // drops: replayed, lifetime_exceeded
    for (Packet& p : batch.live()) {
        const unsigned octets = octets_of_ah(p);
        const std::uint8_t next_header = ah_header(p).next_header;
        const Drop reason =
            unwrap(p, p.inbound_sa->mode, p.payload() + octets, p.payload_octets() - octets, next_header);
        if (reason != Drop::none) [[unlikely]]
            Batch::drop(p, reason);
        else
            note_opened(p);
    }
}

}  // namespace torii
