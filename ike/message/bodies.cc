// Each payload's own fields, from untrusted octets. A length that the RFC fixes is checked here, whatever the payload
// will be used for; reserved fields are skipped (RFC 7296 2.5). What a value means is for others to judge.
#include "ike/message/bodies.h"

#include <optional>

namespace torii::ike {

namespace {

constexpr std::size_t substructure_header_octets = 4;
constexpr std::uint8_t more_proposals = 2, more_transforms = 3;
constexpr std::uint16_t fixed_length_attribute = 0x8000, key_length_attribute = 14;  // 3.3.5
constexpr std::uint16_t configuration_reserved = 0x8000;                             // 3.15.1
constexpr std::size_t certificate_authority_octets = 20;                             // a SHA-1 hash (3.7)

Octets copy(std::span<const std::byte> octets) { return {octets.begin(), octets.end()}; }

std::unexpected<Error> wrong(std::string what) { return fail(Errc::bad_value, std::move(what)); }
std::unexpected<Error> too_many(const char* what, std::size_t limit) {
    return fail(Errc::no_room, std::string{"more than "} + std::to_string(limit) + " " + what);
}

/// Proposals and transforms stand in chains of one shape: 0 in the last and `more` in the others, a reserved octet, the
/// length with these four octets (3.3.1, 3.3.2). What the parent's length says and what the chain says must agree.
Result<Reader> next_substructure(Reader& in, std::uint8_t more) {
    TORII_TRY(const auto following, in.u8());
    TORII_CHECK(in.u8());
    TORII_TRY(const auto length, in.u16());
    if (length < substructure_header_octets) return wrong("a substructure shorter than its own header");
    TORII_TRY(const auto body, in.sub(length - substructure_header_octets));
    if (following != (in.size() == 0 ? 0 : more)) return wrong("the mark of the last substructure is not on the last");
    return body;
}

/// The SPI of an SA of `protocol`. Of protocols that we do not know nothing is said.
bool fits_protocol(ProtocolId protocol, std::size_t spi_octets) {
    switch (protocol) {
        case ProtocolId::ike: return spi_octets == 0 || spi_octets == 8;
        case ProtocolId::ah:
        case ProtocolId::esp: return spi_octets == 4;
        case ProtocolId::none: return spi_octets == 0;
    }
    return true;
}

Result<Transform> parse_transform(Reader in) {  // 3.3.2
    Transform out;
    TORII_TRY(const auto type, in.u8());
    TORII_CHECK(in.u8());
    TORII_TRY(out.id, in.u16());
    out.type = TransformType{type};
    while (in.size() > 0) {  // 3.3.5; a second Key Length leaves open which one is meant
        TORII_TRY(const auto attribute, in.u16());
        TORII_TRY(const auto value_or_length, in.u16());
        if (attribute == (fixed_length_attribute | key_length_attribute) && !out.key_bits)
            out.key_bits = value_or_length;
        else
            out.understood = false;
        if ((attribute & fixed_length_attribute) == 0) TORII_CHECK(in.take(value_or_length));
    }
    return out;
}

Result<Proposal> parse_proposal(Reader in) {  // 3.3.1
    Proposal out;
    TORII_TRY(out.number, in.u8());
    TORII_TRY(const auto protocol, in.u8());
    TORII_TRY(const auto spi_octets, in.u8());
    TORII_TRY(const auto transforms, in.u8());
    TORII_TRY(const auto spi, in.take(spi_octets));
    out.protocol = ProtocolId{protocol};
    out.spi = copy(spi);
    if (!fits_protocol(out.protocol, spi_octets))
        return wrong("an SPI of " + std::to_string(spi_octets) + " octets for " + name_of(out.protocol));
    if (transforms == 0) return wrong("a proposal without transforms");
    if (transforms > limits::transforms) return too_many("transforms in a proposal", limits::transforms);
    for (unsigned i = 0; i < transforms; ++i) {
        TORII_TRY(const auto body, next_substructure(in, more_transforms));
        TORII_TRY(out.transforms.emplace_back(), parse_transform(body));
    }
    TORII_CHECK(in.finish());
    return out;
}

Result<Payload> parse_sa(Reader in) {  // 3.3
    Sa out;
    do {
        if (out.proposals.size() == limits::proposals) return too_many("proposals", limits::proposals);
        TORII_TRY(const auto body, next_substructure(in, more_proposals));
        TORII_TRY(auto proposal, parse_proposal(body));
        // The first is 1 in an offer and the chosen one's in an answer; each other is one more than that before
        // (3.3.1).
        if (!out.proposals.empty() && proposal.number != out.proposals.back().number + 1)
            return wrong("proposal " + std::to_string(proposal.number) + " behind proposal " +
                         std::to_string(out.proposals.back().number));
        out.proposals.push_back(std::move(proposal));
    } while (in.size() > 0);
    return out;
}

Result<Payload> parse_ke(Reader in) {  // 3.4
    TORII_TRY(const auto method, in.u16());
    TORII_CHECK(in.u16());
    if (in.size() == 0) return wrong("no key exchange data");
    return Ke{KeMethod{method}, copy(in.rest())};
}

Result<Id> parse_id(Reader in) {  // 3.5
    TORII_TRY(const auto type, in.u8());
    TORII_CHECK(in.take(3));
    Id out{IdType{type}, copy(in.rest())};
    const bool fits = out.type == IdType::ipv4_addr   ? out.data.size() == 4
                      : out.type == IdType::ipv6_addr ? out.data.size() == 16
                                                      : true;
    if (!fits) return wrong(name_of(out.type) + " of " + std::to_string(out.data.size()) + " octets");
    return out;
}

Result<Payload> parse_cert(Reader in) {  // 3.6
    TORII_TRY(const auto encoding, in.u8());
    if (in.size() > limits::certificate_octets) return too_many("octets in a certificate", limits::certificate_octets);
    return Cert{CertEncoding{encoding}, copy(in.rest())};
}

/// The contents are defined for encodings 4, 12 and 13, all for X.509, and are the same: hashes (3.7).
Result<Payload> parse_certreq(Reader in) {
    TORII_TRY(const auto encoding, in.u8());
    const bool hashes = encoding == 4 || encoding == 12 || encoding == 13;
    if (hashes && in.size() % certificate_authority_octets != 0)
        return wrong("authorities of " + std::to_string(in.size()) + " octets, which are not hashes of 20");
    return CertReq{CertEncoding{encoding}, copy(in.rest())};
}

Result<Payload> parse_auth(Reader in) {  // 3.8
    TORII_TRY(const auto method, in.u8());
    TORII_CHECK(in.take(3));
    return Auth{AuthMethod{method}, copy(in.rest())};
}

Result<Payload> parse_nonce(Reader in) {  // 3.9
    if (in.size() < limits::nonce_octets_least || in.size() > limits::nonce_octets_most)
        return wrong("a nonce of " + std::to_string(in.size()) + " octets, not 16 to 256");
    return Nonce{copy(in.rest())};
}

Result<Payload> parse_notify(Reader in) {  // 3.10
    Notify out;
    TORII_TRY(const auto protocol, in.u8());
    TORII_TRY(const auto spi_octets, in.u8());
    TORII_TRY(const auto type, in.u16());
    TORII_TRY(const auto spi, in.take(spi_octets));
    out = {.protocol = ProtocolId{protocol}, .type = NotifyType{type}, .spi = copy(spi), .data = copy(in.rest())};
    if (spi.empty())
        out.protocol = ProtocolId::none;  // "MUST be ignored on receipt" then
    else if (!fits_protocol(out.protocol, spi_octets))
        return wrong(name_of(out.type) + " with an SPI of " + std::to_string(spi_octets) + " octets for protocol " +
                     name_of(out.protocol));
    return out;
}

Result<Payload> parse_delete(Reader in) {  // 3.11
    TORII_TRY(const auto protocol, in.u8());
    TORII_TRY(const auto spi_octets, in.u8());
    TORII_TRY(const auto count, in.u16());
    Delete out{.protocol = ProtocolId{protocol}};
    if (out.protocol == ProtocolId::ike) {
        if (spi_octets != 0 || count != 0) return wrong("it names SPIs of IKE, where the SA it comes through is meant");
    } else if (out.protocol == ProtocolId::esp || out.protocol == ProtocolId::ah) {
        if (spi_octets != 4) return wrong("SPIs of " + std::to_string(spi_octets) + " octets");
        if (count > limits::delete_spis) return too_many("SPIs", limits::delete_spis);
        for (unsigned i = 0; i < count; ++i) {
            TORII_TRY(out.spis.emplace_back(), in.u32());
        }
    } else {
        return wrong("it is of " + name_of(out.protocol));
    }
    TORII_CHECK(in.finish());
    return out;
}

/// Nothing, for a type that we do not know: the others still count.
Result<std::optional<TrafficSelector>> parse_selector(Reader& in) {  // 3.13.1
    TORII_TRY(const auto type, in.u8());
    TORII_TRY(const auto protocol, in.u8());
    TORII_TRY(const auto length, in.u16());
    if (length < substructure_header_octets) return wrong("a traffic selector shorter than its own header");
    TORII_TRY(auto body, in.sub(length - substructure_header_octets));
    const bool v4 = TsType{type} == TsType::ipv4_addr_range;
    if (!v4 && TsType{type} != TsType::ipv6_addr_range) return std::nullopt;
    TrafficSelector out{.protocol = protocol};
    const std::size_t address_octets = v4 ? 4 : 16;
    TORII_TRY(out.low_port, body.u16());
    TORII_TRY(out.high_port, body.u16());
    TORII_TRY(const auto low, body.take(address_octets));
    TORII_TRY(const auto high, body.take(address_octets));
    TORII_CHECK(body.finish());
    out.low = Address::from_octets(low);
    out.high = Address::from_octets(high);
    if (out.low > out.high) return wrong("the addresses " + out.low.text() + " to " + out.high.text() + " are none");
    const bool opaque = out.low_port == 65535 && out.high_port == 0;
    if (out.low_port > out.high_port && !opaque)
        return wrong("the ports " + std::to_string(out.low_port) + " to " + std::to_string(out.high_port) +
                     " are none");
    return out;
}

/// The list may come out empty: by its count, or because no selector is of a type that we know.
Result<std::vector<TrafficSelector>> parse_selectors(Reader in) {  // 3.13
    TORII_TRY(const auto count, in.u8());
    TORII_CHECK(in.take(3));
    if (count > limits::traffic_selectors) return too_many("traffic selectors", limits::traffic_selectors);
    std::vector<TrafficSelector> out;
    for (unsigned i = 0; i < count; ++i) {
        TORII_TRY(const auto selector, parse_selector(in));
        if (selector) out.push_back(*selector);
    }
    TORII_CHECK(in.finish());
    return out;
}

/// How long a value is that is not empty, as 3.15.1 lists them; of others nothing is said.
std::optional<std::size_t> octets_of(CfgAttribute type) {
    switch (type) {
        case CfgAttribute::internal_ip4_address:
        case CfgAttribute::internal_ip4_netmask:
        case CfgAttribute::internal_ip4_dns: return 4;
        case CfgAttribute::internal_ip4_subnet: return 8;
        case CfgAttribute::internal_ip6_dns: return 16;
        case CfgAttribute::internal_ip6_address:
        case CfgAttribute::internal_ip6_subnet: return 17;
        case CfgAttribute::application_version: break;
    }
    return std::nullopt;
}

Result<Payload> parse_configuration(Reader in) {  // 3.15
    Configuration out;
    TORII_TRY(const auto type, in.u8());
    TORII_CHECK(in.take(3));
    out.type = CfgType{type};
    while (in.size() > 0) {
        if (out.attributes.size() == limits::configuration_attributes)
            return too_many("attributes", limits::configuration_attributes);
        TORII_TRY(const auto number, in.u16());
        TORII_TRY(const auto length, in.u16());
        TORII_TRY(const auto value, in.take(length));
        const CfgAttribute attribute{static_cast<std::uint16_t>(number & ~configuration_reserved)};
        if (const auto wanted = octets_of(attribute); wanted && length != 0 && length != *wanted)
            return wrong("attribute " + std::to_string(static_cast<unsigned>(attribute)) + " of " +
                         std::to_string(length) + " octets");
        out.attributes.push_back({attribute, copy(value)});
    }
    return out;
}

/// The message's own length, in its third and fourth octet, is four less than the payload's (3.16).
Result<Payload> parse_eap(Reader in) {
    Eap out{copy(in.rest())};
    Reader header{out.message};
    TORII_CHECK(header.u16());
    TORII_TRY(const auto length, header.u16());
    if (length != out.message.size())
        return wrong("an EAP message of " + std::to_string(length) + " octets in " +
                     std::to_string(out.message.size()));
    return out;
}

/// A value that is one field of its payload.
template <class PayloadOf, class Field>
Result<Payload> wrapped(Result<Field> field) {
    if (!field) return std::unexpected(std::move(field).error());
    return PayloadOf{*std::move(field)};
}

}  // namespace

bool has_body(PayloadType type) {
    return type >= PayloadType::sa && type <= PayloadType::eap && type != PayloadType::encrypted;
}

Result<Payload> parse_body(PayloadType type, Reader in) {
    switch (type) {
        case PayloadType::sa: return parse_sa(in);
        case PayloadType::ke: return parse_ke(in);
        case PayloadType::id_initiator: return wrapped<IdInitiator>(parse_id(in));
        case PayloadType::id_responder: return wrapped<IdResponder>(parse_id(in));
        case PayloadType::cert: return parse_cert(in);
        case PayloadType::certreq: return parse_certreq(in);
        case PayloadType::auth: return parse_auth(in);
        case PayloadType::nonce: return parse_nonce(in);
        case PayloadType::notify: return parse_notify(in);
        case PayloadType::delete_: return parse_delete(in);
        case PayloadType::vendor_id: return VendorId{copy(in.rest())};
        case PayloadType::ts_initiator: return wrapped<TsInitiator>(parse_selectors(in));
        case PayloadType::ts_responder: return wrapped<TsResponder>(parse_selectors(in));
        case PayloadType::configuration: return parse_configuration(in);
        case PayloadType::eap: return parse_eap(in);
        case PayloadType::none:
        case PayloadType::encrypted:
        case PayloadType::encrypted_fragment: break;
    }
    return fail(Errc::unsupported, "its type is not read here");
}

}  // namespace torii::ike
