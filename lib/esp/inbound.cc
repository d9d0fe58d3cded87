// ESP from the unprotected side: RFC 4303 3.4. See esp.h.
#include "esp/esp.h"

namespace torii {

namespace {

const EspHeader& esp_header(const Packet& p) { return *reinterpret_cast<const EspHeader*>(p.payload()); }

/// One submission for the whole batch; a packet whose ICV fails is dropped before anything else is believed (3.4.4).
void open_payload(CryptoEngine& crypto, CryptoJobs& scratch, Notices& notices, Batch& batch) {
    scratch.size = 0;
    for (Packet& p : batch.live()) {
        const InboundSa& sa = *p.inbound_sa;
        const unsigned before = unsigned{sa.header_octets} + sa.iv_octets, around = before + sa.icv_octets;
        const unsigned text_octets = p.payload_octets() - around;
        if (p.payload_octets() < around + sizeof(EspTrailer) || (text_octets & sa.alignment_mask) != 0) [[unlikely]] {
            Batch::drop(p, Drop::esp_truncated);
            continue;
        }
        CryptoJob& job = scratch.add(p);
        job.key = sa.key;
        job.head = p.payload() + before - sa.engine_octets;
        job.text_octets = text_octets;
        job.icv = p.ip + p.ip_octets - sa.icv_octets;
        job.sequence_high = static_cast<std::uint32_t>(p.sequence >> 32);
        job.suite = sa.suite;
        job.esn = sa.extended_sequence;
        job.authentic = false;
    }
    crypto.open(scratch.all());
    refuse_bad_icvs(notices, scratch);
}

/// Whether padding of `count` octets ending at `end` is 1, 2, 3, ... (RFC 4303 2.4).
bool is_sequential(const std::byte* end, unsigned count) {
    for (unsigned i = 0; i < count; ++i)
        if (std::to_integer<unsigned>(end[static_cast<int>(i) - static_cast<int>(count)]) != i + 1) return false;
    return true;
}

Drop strip(Packet& p, const CryptoJob& job) {
    const InboundSa& sa = *p.inbound_sa;
    std::byte* const text = job.head + sa.engine_octets;
    const std::byte* const trailer_at = text + job.text_octets - sizeof(EspTrailer);
    EspTrailer trailer;
    std::memcpy(&trailer, trailer_at, sizeof trailer);
    if (trailer.padding_octets + sizeof trailer > job.text_octets) return Drop::bad_padding;
    if (sa.ordered_padding && !is_sequential(trailer_at, trailer.padding_octets)) return Drop::bad_padding;
    const unsigned payload_octets = job.text_octets - trailer.padding_octets - unsigned{sizeof trailer};
    return unwrap(p, sa.mode, text, payload_octets, trailer.next_header);
}

}  // namespace

void open_esp(CryptoEngine& crypto, CryptoJobs& scratch, Notices& notices, Batch& batch) {
    for (Packet& p : batch.live()) p.sequence = p.inbound_sa->has_sequence ? esp_header(p).sequence_low.value() : 0;
    check_replay(notices, batch);                   // drops: replayed, before paying for the ICV
    open_payload(crypto, scratch, notices, batch);  // drops: esp_truncated, bad_icv
    commit_replay(notices, batch);                  // drops: replayed, lifetime_exceeded
    for (std::size_t i = 0; i < scratch.size; ++i) {
        Packet& p = *scratch.packets[i];
        if (p.drop != Drop::none) [[unlikely]]
            continue;
        if (const Drop reason = strip(p, scratch.jobs[i]); reason != Drop::none) [[unlikely]] {
            Batch::drop(p, reason);
            continue;
        }
        note_opened(p);
    }
}

}  // namespace torii
