// ESP toward the unprotected side: RFC 4303 3.3. See esp.h.
#include "esp/esp.h"

namespace torii {

namespace {

// No suite pads to more than 16 octets, so 16 are always enough to write.
constexpr std::uint8_t sequential_padding[16]{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/// 1, 2, 3, ... as RFC 4303 2.4 wants it, or what KAME's -f names instead.
void write_padding(CryptoEngine& crypto, Padding kind, std::byte* at) {
    if (kind == Padding::sequential) [[likely]]
        std::memcpy(at, sequential_padding, sizeof sequential_padding);
    else if (kind == Padding::zero)
        std::memset(at, 0, sizeof sequential_padding);
    else
        std::memcpy(at, crypto.fresh_iv(sizeof sequential_padding).data(), sizeof sequential_padding);
}

/// ESP header and IV at `head`, padding and trailer behind the text, and the crypto job for what lies between.
void write_esp(CryptoEngine& crypto, CryptoJobs& scratch, Packet& p, std::byte* head, unsigned payload_octets,
               std::uint8_t next_header) {
    const OutboundSa& sa = *p.outbound_sa;
    const EspHeader esp{.spi = sa.spi, .sequence_low = static_cast<std::uint32_t>(p.sequence)};
    std::memcpy(head, &esp, sizeof esp);
    std::byte* const iv = head + sa.header_octets;  // of ESP without sequence numbers it stands in their place
    if (sa.counter_iv) {
        const Big64 counter{sa.iv_start + p.sequence};
        std::memcpy(iv, &counter, sizeof counter);
    } else if (sa.iv_octets != 0) {
        std::memcpy(iv, crypto.fresh_iv(sa.iv_octets).data(), sa.iv_octets);
    }
    std::byte* const text = iv + sa.iv_octets;
    const unsigned padding = esp_padding(sa, payload_octets);
    write_padding(crypto, sa.padding, text + payload_octets);
    const EspTrailer trailer{static_cast<std::uint8_t>(padding), next_header};
    std::memcpy(text + payload_octets + padding, &trailer, sizeof trailer);

    CryptoJob& job = scratch.add(p);
    job.key = sa.key;
    job.head = text - sa.engine_octets;
    job.text_octets = payload_octets + padding + unsigned{sizeof trailer};
    job.icv = text + job.text_octets;
    job.sequence_high = static_cast<std::uint32_t>(p.sequence >> 32);
    job.suite = sa.suite;
    job.esn = sa.extended_sequence;
    job.authentic = false;
}

/// Octets behind a tunnel's packet that hide how long it is (RFC 4303 2.7): up to the SA's length, as far as the link
/// leaves room.
unsigned tfc_padding(const Packet& p) {
    const OutboundSa& sa = *p.outbound_sa;
    const unsigned lacking = sa.tfc_octets > p.ip_octets ? unsigned{sa.tfc_octets} - p.ip_octets : 0u;
    return std::min(lacking, p.spare_octets & ~unsigned{sa.alignment_mask});
}

/// What padding, trailer and ICV may want behind the packet, with the padding copied whole.
unsigned room_behind(const OutboundSa& sa) {
    return unsigned{sizeof sequential_padding} + unsigned{sizeof(EspTrailer)} + sa.icv_octets;
}

/// Marks packets that cannot be sealed where they are: they spend no number and age no SA.
void make_room(Batch& batch) {
    for (Packet& p : batch.live()) {
        const OutboundSa& sa = *p.outbound_sa;
        const unsigned esp_head = unsigned{sa.header_octets} + sa.iv_octets;
        if (outbound_mode(p) == Mode::tunnel) [[likely]]
            (void)has_room(p, sa.outer_octets() + esp_head, tfc_padding(p) + room_behind(sa));
        else if (p.fragment)
            Batch::drop(p, Drop::fragment_in_transport);
        else
            (void)has_room(p, esp_head, room_behind(sa));
    }
}

/// What the ESP trailer says is inside: IP, or nothing that means anything (2.6).
std::uint8_t tunnelled(const Packet& p) {
    if (p.resume == Resume::dummy) [[unlikely]]
        return static_cast<std::uint8_t>(IpProtocol::none);
    return protocol_of(p.family);
}

/// IP | ESP | IP | payload | TFC padding (RFC 4303 3.1.2, 2.7)
void encapsulate_tunnel(CryptoEngine& crypto, CryptoJobs& scratch, Packet& p) {
    const OutboundSa& sa = *p.outbound_sa;
    const unsigned esp_head = unsigned{sa.header_octets} + sa.iv_octets;
    const unsigned before = sa.outer_octets() + esp_head;
    const unsigned tfc = tfc_padding(p), payload_octets = p.ip_octets + tfc;
    if (tfc != 0) [[unlikely]] {
        std::memset(p.ip + p.ip_octets, 0, tfc);
        p.spare_octets = static_cast<std::uint16_t>(p.spare_octets - tfc);
    }
    const unsigned total = payload_octets + esp_overhead(sa, Mode::tunnel, payload_octets, p.ip_header_octets);
    write_esp(crypto, scratch, p, p.ip - esp_head, payload_octets, tunnelled(p));
    enter_tunnel(p, before, total);
}

/// IP | ESP | payload (RFC 4303 3.1.1): the IP header moves to the front, its length and protocol change.
void encapsulate_transport(CryptoEngine& crypto, CryptoJobs& scratch, Packet& p) {
    const OutboundSa& sa = *p.outbound_sa;
    const unsigned esp_head = unsigned{sa.header_octets} + sa.iv_octets;
    enter_transport(p);
    const unsigned total = p.ip_octets + esp_overhead(sa, Mode::transport, p.ip_octets, p.ip_header_octets);
    const unsigned payload_octets = p.payload_octets();
    open_gap(p, esp_head);
    write_esp(crypto, scratch, p, p.payload(), payload_octets, p.protocol);
    finish_transport(p, IpProtocol::esp, total);
}

}  // namespace

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
