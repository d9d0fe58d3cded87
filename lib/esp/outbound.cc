// ESP toward the unprotected side: RFC 4303 3.3. See esp.h.
#include "esp/esp.h"
#include "ip/ipv4.h"

namespace torii {

namespace {

// Padding octets are 1, 2, 3, ... (RFC 4303 2.4). No suite pads to more than 16 octets, so 16 are always enough to
// copy.
constexpr std::uint8_t sequential_padding[16]{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr unsigned ethernet_room = 16;  // what the frame's own header will want in front

unsigned padding_for(const OutboundSa& sa, unsigned payload_octets) {
    return -(payload_octets + unsigned{sizeof(EspTrailer)}) & sa.alignment_mask;
}

void tell(Notices& notices, control::Event::Kind kind, const OutboundSa& sa, std::uint64_t sequence) {
    notices.tell({.kind = kind, .serial = sa.serial, .spi = Spi{sa.spi.value()}, .sequence = sequence});
}

/// Marks a packet whose buffer cannot hold `before` octets more in front or padding, trailer and ICV behind. A
/// device's headroom is enough for two or three tunnels; for more the packet moves back where there is room behind it.
void ensure_room(Packet& p, unsigned before) {
    const std::size_t in_front = before + ethernet_room;
    const std::size_t behind = sizeof sequential_padding + sizeof(EspTrailer) + std::size_t{p.outbound_sa->icv_octets};
    if (p.room_before() >= in_front && p.room_behind() >= behind) [[likely]]
        return;
    const std::size_t lacking = in_front - std::min(in_front, p.room_before());
    if (p.room_behind() >= behind + lacking) {
        std::memmove(p.ip + lacking, p.ip, p.ip_octets);
        p.ip += lacking;
        return;
    }
    Batch::drop(p, Drop::no_room);
}

/// Marks packets that cannot be sealed where they are: they spend no number and age no SA.
void make_room(Batch& batch) {
    for (Packet& p : batch.live()) {
        const unsigned esp_head = unsigned{sizeof(EspHeader)} + p.outbound_sa->iv_octets;
        if (outbound_mode(p) == Mode::tunnel) [[likely]]
            ensure_room(p, unsigned{sizeof(Ipv4Header)} + esp_head);
        else if (p.fragment)
            Batch::drop(p, Drop::fragment_in_transport);
        else
            ensure_room(p, esp_head);
    }
}

/// Marks packets whose SA has stopped; takes the sequence numbers of the rest (3.3.3).
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

/// ESP header and IV at `head`, padding and trailer behind the text, and the crypto job for what lies between.
void write_esp(CryptoEngine& crypto, CryptoJobs& scratch, Packet& p, std::byte* head, unsigned payload_octets,
               std::uint8_t next_header) {
    const OutboundSa& sa = *p.outbound_sa;
    const EspHeader esp{.spi = sa.spi, .sequence_low = static_cast<std::uint32_t>(p.sequence)};
    std::memcpy(head, &esp, sizeof esp);
    std::byte* const iv = head + sizeof esp;
    if (sa.counter_iv) {
        const Big64 counter{sa.iv_start + p.sequence};
        std::memcpy(iv, &counter, sizeof counter);
    } else if (sa.iv_octets != 0) {
        std::memcpy(iv, crypto.fresh_iv(sa.iv_octets).data(), sa.iv_octets);
    }
    std::byte* const text = iv + sa.iv_octets;
    const unsigned padding = padding_for(sa, payload_octets);
    std::memcpy(text + payload_octets, sequential_padding, sizeof sequential_padding);
    const EspTrailer trailer{static_cast<std::uint8_t>(padding), next_header};
    std::memcpy(text + payload_octets + padding, &trailer, sizeof trailer);

    CryptoJob& job = scratch.add(p);
    job.key = sa.key;
    job.head = head;
    job.text_octets = payload_octets + padding + unsigned{sizeof trailer};
    job.icv = text + job.text_octets;
    job.sequence_high = static_cast<std::uint32_t>(p.sequence >> 32);
    job.suite = sa.suite;
    job.esn = sa.extended_sequence;
    job.authentic = false;
}

/// IP | ESP | IP | payload (RFC 4303 3.1.2)
void encapsulate_tunnel(CryptoEngine& crypto, CryptoJobs& scratch, Packet& p) {
    const OutboundSa& sa = *p.outbound_sa;
    const unsigned esp_head = unsigned{sizeof(EspHeader)} + sa.iv_octets;
    const unsigned before = unsigned{sizeof(Ipv4Header)} + esp_head;
    const unsigned total = p.ip_octets + esp_overhead(sa, Mode::tunnel, p.ip_octets, p.ip_header_octets);
    write_esp(crypto, scratch, p, p.ip - esp_head, p.ip_octets, static_cast<std::uint8_t>(IpProtocol::ipv4));
    write_outer(p.ip - before, sa.outer, p.ipv4(), static_cast<std::uint16_t>(total),
                static_cast<std::uint16_t>(p.sequence));
    p.ip -= before;
    p.ip_octets = static_cast<std::uint16_t>(total);
    p.ip_header_octets = sizeof(Ipv4Header);
    p.protocol = static_cast<std::uint8_t>(IpProtocol::esp);
    p.fragment = false;
    p.next_hop = HopIndex{sa.next_hop.load(std::memory_order_relaxed)};
}

/// IP | ESP | payload (RFC 4303 3.1.1): the IP header moves to the front, its length and protocol change.
void encapsulate_transport(CryptoEngine& crypto, CryptoJobs& scratch, Packet& p) {
    const OutboundSa& sa = *p.outbound_sa;
    const unsigned esp_head = unsigned{sizeof(EspHeader)} + sa.iv_octets;
    const unsigned total = p.ip_octets + esp_overhead(sa, Mode::transport, p.ip_octets, p.ip_header_octets);
    std::memmove(p.ip - esp_head, p.ip, p.ip_header_octets);
    const unsigned payload_octets = p.payload_octets();
    p.ip -= esp_head;
    write_esp(crypto, scratch, p, p.payload(), payload_octets, p.protocol);
    Ipv4Header& ip = p.ipv4();
    ip.total_octets = static_cast<std::uint16_t>(total);
    ip.protocol = p.protocol = static_cast<std::uint8_t>(IpProtocol::esp);
    ip.checksum = 0;
    ip.checksum = internet_checksum(p.ip, p.ip_header_octets);
    p.ip_octets = static_cast<std::uint16_t>(total);
    if (p.next_hop == HopIndex::none) p.next_hop = HopIndex{sa.next_hop.load(std::memory_order_relaxed)};
}

}  // namespace

unsigned esp_overhead(const OutboundSa& sa, Mode mode, unsigned ip_octets, unsigned header_octets) {
    const unsigned fixed = unsigned{sizeof(EspHeader)} + sa.iv_octets + unsigned{sizeof(EspTrailer)} + sa.icv_octets;
    if (mode == Mode::tunnel) return unsigned{sizeof(Ipv4Header)} + fixed + padding_for(sa, ip_octets);
    return fixed + padding_for(sa, ip_octets - header_octets);
}

void protect_esp(CryptoEngine& crypto, CryptoJobs& scratch, Notices& notices, Batch& batch) {
    make_room(batch);
    spend_sequence(notices, batch);
    scratch.size = 0;
    for (Packet& p : batch.live()) {
        if (outbound_mode(p) == Mode::tunnel) [[likely]]
            encapsulate_tunnel(crypto, scratch, p);
        else
            encapsulate_transport(crypto, scratch, p);
    }
    crypto.seal(scratch.all());
}

}  // namespace torii
