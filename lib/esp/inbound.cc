// ESP from the unprotected side: RFC 4303 3.4. See esp.h.
#include "esp/esp.h"
#include "ip/ipv4.h"

namespace torii {

namespace {

void tell(Notices& notices, control::Event::Kind kind, const Packet& p) {
    const Ipv4Header& ip = p.ipv4();
    notices.tell({.kind = kind,
                  .serial = p.inbound_sa->serial,
                  .spi = Spi{p.inbound_sa->spi.value()},
                  .sequence = p.sequence,
                  .packet = {.source = Address::v4(ip.source),
                             .destination = Address::v4(ip.destination),
                             .protocol = p.protocol,
                             .ports_known = false}});
}

const EspHeader& esp_header(const Packet& p) { return *reinterpret_cast<const EspHeader*>(p.payload()); }

/// Each packet's full sequence number (RFC 4303 appendix A2), and whether its SA still takes it (3.4.3), before any
/// work is spent on the ICV.
void check_replay(Notices& notices, Batch& batch) {
    for (Packet& p : batch.live()) {
        InboundSa& sa = *p.inbound_sa;
        p.sequence = esp_header(p).sequence_low;
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

/// One submission for the whole batch; a packet whose ICV fails is dropped before anything else is believed (3.4.4).
void open_payload(CryptoEngine& crypto, CryptoJobs& scratch, Notices& notices, Batch& batch) {
    scratch.size = 0;
    for (Packet& p : batch.live()) {
        const InboundSa& sa = *p.inbound_sa;
        const unsigned around = unsigned{sizeof(EspHeader)} + sa.iv_octets + sa.icv_octets;
        const unsigned text_octets = p.payload_octets() - around;
        if (p.payload_octets() < around + sizeof(EspTrailer) || (text_octets & sa.alignment_mask) != 0) [[unlikely]] {
            Batch::drop(p, Drop::esp_truncated);
            continue;
        }
        CryptoJob& job = scratch.add(p);
        job.key = sa.key;
        job.head = p.payload();
        job.text_octets = text_octets;
        job.icv = p.ip + p.ip_octets - sa.icv_octets;
        job.sequence_high = static_cast<std::uint32_t>(p.sequence >> 32);
        job.suite = sa.suite;
        job.esn = sa.extended_sequence;
        job.authentic = false;
    }
    crypto.open(scratch.all());
    for (std::size_t i = 0; i < scratch.size; ++i) {
        if (scratch.jobs[i].authentic) [[likely]]
            continue;
        Packet& p = *scratch.packets[i];
        Batch::drop(p, Drop::bad_icv);
        p.inbound_sa->icv_failures.add(1);
        tell(notices, control::Event::Kind::bad_icv, p);
    }
}

/// Twins that met inside this batch are told apart here; lifetimes count what was authentic and fresh alone.
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

/// Whether padding of `count` octets ending at `end` is 1, 2, 3, ... (RFC 4303 2.4).
bool is_sequential(const std::byte* end, unsigned count) {
    for (unsigned i = 0; i < count; ++i)
        if (std::to_integer<unsigned>(end[static_cast<int>(i) - static_cast<int>(count)]) != i + 1) return false;
    return true;
}

/// IP | ESP | IP | payload becomes IP | payload; the inner header is judged like one from a wire.
Drop leave_tunnel(Packet& p, std::byte* text, unsigned payload_octets) {
    const std::uint8_t outer_dscp_ecn = p.ipv4().dscp_ecn;
    p.ip = text;
    if (const Drop reason = parse_ipv4(p, payload_octets); reason != Drop::none) return reason;
    return inherit_ecn(outer_dscp_ecn, p.ipv4()) ? Drop::none : Drop::bad_ecn;
}

/// IP | ESP | payload becomes IP | payload: the IP header moves up against the payload.
void leave_transport(Packet& p, const std::byte* text, unsigned payload_octets, std::uint8_t protocol) {
    const auto distance = text - p.payload();
    std::memmove(p.ip + distance, p.ip, p.ip_header_octets);
    p.ip += distance;
    p.ip_octets = static_cast<std::uint16_t>(p.ip_header_octets + payload_octets);
    p.protocol = protocol;
    Ipv4Header& ip = p.ipv4();
    ip.total_octets = p.ip_octets;
    ip.protocol = protocol;
    ip.checksum = 0;
    ip.checksum = internet_checksum(p.ip, p.ip_header_octets);
}

Drop strip(Packet& p, const CryptoJob& job) {
    const InboundSa& sa = *p.inbound_sa;
    std::byte* const text = job.head + sizeof(EspHeader) + sa.iv_octets;
    const std::byte* const trailer_at = text + job.text_octets - sizeof(EspTrailer);
    EspTrailer trailer;
    std::memcpy(&trailer, trailer_at, sizeof trailer);
    if (trailer.padding_octets + sizeof trailer > job.text_octets) return Drop::bad_padding;
    if (sa.ordered_padding && !is_sequential(trailer_at, trailer.padding_octets)) return Drop::bad_padding;
    const unsigned payload_octets = job.text_octets - trailer.padding_octets - unsigned{sizeof trailer};
    const auto inner = static_cast<IpProtocol>(trailer.next_header);
    if (inner == IpProtocol::none) return Drop::dummy_packet;
    if (sa.mode != Mode::transport && inner == IpProtocol::ipv4) return leave_tunnel(p, text, payload_octets);
    if (sa.mode != Mode::transport && inner == IpProtocol::ipv6) return Drop::ipv6_not_offered;
    if (sa.mode == Mode::tunnel) return Drop::bad_inner_protocol;
    leave_transport(p, text, payload_octets, trailer.next_header);
    return Drop::none;
}

}  // namespace

void find_inbound_sas(const SpiIndex& sad, Batch& batch) {
    for (Packet& p : batch.live()) {
        if (p.fragment) [[unlikely]] {
            Batch::drop(p, Drop::fragmented_esp);
        } else if (p.payload_octets() < sizeof(EspHeader)) [[unlikely]] {
            Batch::drop(p, Drop::esp_truncated);
        } else {
            p.hash = sad.hash(reinterpret_cast<const std::uint8_t*>(p.ip) + 16, esp_header(p).spi);
            sad.prefetch(p.hash);
        }
    }
    for (Packet& p : batch.live()) {
        p.inbound_sa = sad.find_tag(p.hash);
        if (p.inbound_sa == nullptr) continue;
        __builtin_prefetch(p.inbound_sa, 1);
        __builtin_prefetch(reinterpret_cast<std::byte*>(p.inbound_sa) + 64, 1);
    }
    for (Packet& p : batch.live()) {
        const InboundSa* const sa = p.inbound_sa;
        if (sa == nullptr) continue;
        std::uint32_t destination;
        std::memcpy(&destination, p.ip + 16, sizeof destination);
        if (sa->spi != esp_header(p).spi || sa->destination_ipv4 != destination) [[unlikely]]
            p.inbound_sa = sad.find_exact(Address::v4(p.ipv4().destination), esp_header(p).spi);
    }
}

void open_esp(CryptoEngine& crypto, CryptoJobs& scratch, Notices& notices, Batch& batch) {
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
        p.used[p.opened++] = p.inbound_sa;
        p.arrival = Arrival::outside;
    }
}

}  // namespace torii
