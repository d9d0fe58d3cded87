// IPComp toward the unprotected side: RFC 3173 2.1, 2.2. See ipcomp.h.
#include "ipcomp/ipcomp.h"

namespace torii {

namespace {

constexpr std::size_t shortest_text = 64;  // below, DEFLATE's own overhead eats what is gained
constexpr unsigned patience = 4;           // texts in a row that did not compress before any is passed over
constexpr unsigned longest_rest = 10;      // 2^this texts are passed over at most

/// Whether to try the SA's next text (RFC 3173 2.2: a flow that does not compress should not cost what one does that
/// does). After `patience` failures each further one doubles how many are passed over.
bool worth_trying(OutboundSa& sa, std::size_t octets) {
    if (octets < shortest_text) return false;
    if (sa.texts_to_pass_over == 0) return true;
    --sa.texts_to_pass_over;
    return false;
}

void learn(OutboundSa& sa, bool compressed) {
    if (compressed) {
        sa.incompressible_texts = 0;
        return;
    }
    if (sa.incompressible_texts < patience + longest_rest) ++sa.incompressible_texts;
    if (sa.incompressible_texts >= patience)
        sa.texts_to_pass_over = static_cast<std::uint16_t>(1u << (sa.incompressible_texts - patience));
}

/// `text` compressed, if header and result together are shorter.
std::optional<std::span<const std::byte>> shorter(Deflate& deflate, OutboundSa& sa, std::span<const std::byte> text) {
    if (!worth_trying(sa, text.size())) return std::nullopt;
    const auto packed = deflate.compress(text, text.size() - sizeof(IpCompHeader));
    learn(sa, packed.has_value());
    return packed;
}

void write_ipcomp(const OutboundSa& sa, std::byte* at, std::uint8_t next_header, std::span<const std::byte> packed) {
    const IpCompHeader header{.next_header = next_header, .flags = 0, .cpi = static_cast<std::uint16_t>(sa.cpi)};
    std::memcpy(at, &header, sizeof header);
    std::memcpy(at + sizeof header, packed.data(), packed.size());
}

/// Marks packets that find no room for a tunnel's header: they age no SA. Transport mode never makes one longer.
void make_room(Batch& batch) {
    for (Packet& p : batch.live())
        if (outbound_mode(p) == Mode::tunnel) (void)has_room(p, p.outbound_sa->outer_octets(), 0);
}

/// IP | IPComp | IP | payload, or IP | IP | payload
void encapsulate_tunnel(Deflate& deflate, Packet& p) {
    const unsigned outer = p.outbound_sa->outer_octets();
    const std::uint8_t inner = protocol_of(p.family);
    const auto packed = shorter(deflate, *p.outbound_sa, {p.ip, p.ip_octets});
    if (!packed) {
        enter_tunnel(p, outer, p.ip_octets + outer);
        return rewrite_header(p, inner, p.ip_octets);
    }
    const auto total = static_cast<unsigned>(outer + sizeof(IpCompHeader) + packed->size());
    enter_tunnel(p, outer, total);  // before the packet inside is overwritten: the outer header inherits from it
    write_ipcomp(*p.outbound_sa, p.payload(), inner, *packed);
}

/// IP | IPComp | payload, or the packet as it was
void encapsulate_transport(Deflate& deflate, Packet& p) {
    if (p.fragment) return;
    enter_transport(p);
    const auto packed = shorter(deflate, *p.outbound_sa, {p.payload(), p.payload_octets()});
    if (!packed) return;
    write_ipcomp(*p.outbound_sa, p.payload(), p.protocol, *packed);
    finish_transport(p, IpProtocol::ipcomp,
                     static_cast<unsigned>(p.ip_header_octets + sizeof(IpCompHeader) + packed->size()));
}

}  // namespace

void protect_ipcomp(Deflate& deflate, Notices& notices, Batch& batch) {
    make_room(batch);
    spend_sequence(notices, batch);  // there is none on the wire; lifetimes count all the same
    for (Packet& p : batch.live()) {
        if (outbound_mode(p) == Mode::tunnel)
            encapsulate_tunnel(deflate, p);
        else
            encapsulate_transport(deflate, p);
    }
}

}  // namespace torii
