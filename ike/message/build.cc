// Values to octets (RFC 7296 3). What is built are our own values: their sizes and counts were bounded where they were
// made, so a field that would not hold one is a fault of ours. Reserved fields and critical bits are 0 (2.5, 3.2).
#include <cassert>

#include "base/reader.h"
#include "ike/message/message.h"

namespace torii::ike {

namespace {

constexpr std::uint8_t initiator_flag = 0x08, version_flag = 0x10, response_flag = 0x20;  // 3.1
constexpr std::size_t substructure_header_octets = 4;
constexpr std::uint8_t more_proposals = 2, more_transforms = 3;
constexpr std::uint16_t key_length_attribute = 0x8000 | 14;  // with its value in place of a length (3.3.5)

std::uint8_t octet(std::size_t value) {
    assert(value <= 0xff);
    return static_cast<std::uint8_t>(value);
}
std::uint16_t two_octets(std::size_t value) {
    assert(value <= 0xffff);
    return static_cast<std::uint16_t>(value);
}

void write_substructure(Writer& out, std::uint8_t following, const Octets& body) {
    out.u8(following).u8(0).u16(two_octets(substructure_header_octets + body.size())).put(body);
}

Octets built(const Transform& transform) {  // 3.3.2
    Octets octets;
    Writer out{octets};
    out.u8(static_cast<std::uint8_t>(transform.type)).u8(0).u16(transform.id);
    if (transform.key_bits) out.u16(key_length_attribute).u16(*transform.key_bits);
    return octets;
}

Octets built(const Proposal& proposal) {  // 3.3.1
    Octets octets;
    Writer out{octets};
    out.u8(proposal.number).u8(static_cast<std::uint8_t>(proposal.protocol)).u8(octet(proposal.spi.size()));
    out.u8(octet(proposal.transforms.size())).put(proposal.spi);
    for (const Transform& transform : proposal.transforms)
        write_substructure(out, &transform == &proposal.transforms.back() ? 0 : more_transforms, built(transform));
    return octets;
}

/// Writes what stands behind a payload's generic header.
struct BodyWriter {
    Writer& out;

    void operator()(const Sa& sa) const {  // 3.3
        for (const Proposal& proposal : sa.proposals)
            write_substructure(out, &proposal == &sa.proposals.back() ? 0 : more_proposals, built(proposal));
    }
    void operator()(const Ke& ke) const { out.u16(static_cast<std::uint16_t>(ke.method)).u16(0).put(ke.value); }  // 3.4
    void operator()(const IdInitiator& payload) const { write(payload.id); }
    void operator()(const IdResponder& payload) const { write(payload.id); }
    void operator()(const Cert& cert) const { out.u8(static_cast<std::uint8_t>(cert.encoding)).put(cert.data); }  // 3.6
    void operator()(const CertReq& request) const {                                                               // 3.7
        out.u8(static_cast<std::uint8_t>(request.encoding)).put(request.authorities);
    }
    void operator()(const Auth& auth) const {  // 3.8
        out.u8(static_cast<std::uint8_t>(auth.method)).zeros(3).put(auth.data);
    }
    void operator()(const Nonce& nonce) const { out.put(nonce.value); }  // 3.9
    void operator()(const Notify& n) const {                             // 3.10; without an SPI the protocol is 0
        out.u8(n.spi.empty() ? 0 : static_cast<std::uint8_t>(n.protocol)).u8(octet(n.spi.size()));
        out.u16(static_cast<std::uint16_t>(n.type)).put(n.spi).put(n.data);
    }
    void operator()(const Delete& payload) const {  // 3.11
        out.u8(static_cast<std::uint8_t>(payload.protocol)).u8(payload.protocol == ProtocolId::ike ? 0 : 4);
        out.u16(two_octets(payload.spis.size()));
        for (const std::uint32_t spi : payload.spis) out.u32(spi);
    }
    void operator()(const VendorId& vendor) const { out.put(vendor.data); }  // 3.12
    void operator()(const TsInitiator& payload) const { write(payload.selectors); }
    void operator()(const TsResponder& payload) const { write(payload.selectors); }
    void operator()(const Configuration& configuration) const {  // 3.15
        out.u8(static_cast<std::uint8_t>(configuration.type)).zeros(3);
        for (const auto& [type, value] : configuration.attributes)
            out.u16(static_cast<std::uint16_t>(type)).u16(two_octets(value.size())).put(value);
    }
    void operator()(const Eap& eap) const { out.put(eap.message); }  // 3.16
    void operator()(const Unknown&) const {}                         // its octets were not kept

private:
    void write(const Id& id) const { out.u8(static_cast<std::uint8_t>(id.type)).zeros(3).put(id.data); }  // 3.5
    void write(const std::vector<TrafficSelector>& selectors) const {                                     // 3.13
        out.u8(octet(selectors.size())).zeros(3);
        for (const TrafficSelector& ts : selectors) {
            const auto type = ts.low.is_v4() ? TsType::ipv4_addr_range : TsType::ipv6_addr_range;
            assert(ts.low.family() == ts.high.family());
            out.u8(static_cast<std::uint8_t>(type)).u8(ts.protocol);
            out.u16(two_octets(8 + ts.low.octets().size() + ts.high.octets().size()));
            out.u16(ts.low_port).u16(ts.high_port).put(ts.low.octets()).put(ts.high.octets());
        }
    }
};

}  // namespace

void write_header(Octets& out, const Header& header, PayloadType first, std::size_t total_octets) {
    Writer writer{out};
    writer.u64(static_cast<std::uint64_t>(header.initiator_spi)).u64(static_cast<std::uint64_t>(header.responder_spi));
    writer.u8(static_cast<std::uint8_t>(first)).u8(static_cast<std::uint8_t>(header.major << 4 | header.minor));
    writer.u8(static_cast<std::uint8_t>(header.exchange));
    writer.u8(static_cast<std::uint8_t>((header.from_initiator ? initiator_flag : 0) |
                                        (header.higher_version ? version_flag : 0) |
                                        (header.response ? response_flag : 0)));
    writer.u32(header.message_id).u32(static_cast<std::uint32_t>(total_octets));
}

Octets build_payloads(const Payloads& payloads) {
    Octets octets, body;
    Writer out{octets};
    for (std::size_t i = 0; i < payloads.size(); ++i) {
        body.clear();
        Writer body_out{body};
        std::visit(BodyWriter{body_out}, payloads[i]);
        const PayloadType next = i + 1 < payloads.size() ? type_of(payloads[i + 1]) : PayloadType::none;
        out.u8(static_cast<std::uint8_t>(next)).u8(0).u16(two_octets(payload_header_octets + body.size())).put(body);
    }
    return octets;
}

Octets build_message(const Header& header, const Payloads& payloads) {
    const Octets body = build_payloads(payloads);
    Octets out;
    out.reserve(header_octets + body.size());
    write_header(out, header, payloads.empty() ? PayloadType::none : type_of(payloads.front()),
                 header_octets + body.size());
    Writer{out}.put(body);
    return out;
}

Notify notify(NotifyType type, Octets data) {
    return {.protocol = ProtocolId::none, .type = type, .spi = {}, .data = std::move(data)};
}

Notify notify_u16(NotifyType type, std::uint16_t value) {
    Octets data;
    Writer{data}.u16(value);
    return notify(type, std::move(data));
}

std::optional<std::uint16_t> u16_of(const Notify& n) {
    Reader in{n.data};
    const auto value = in.u16();
    if (!value || !in.finish()) return std::nullopt;
    return *value;
}

}  // namespace torii::ike
