// A datagram to its header and payloads (RFC 7296 3.1, 3.2). One walk over the chain of payloads serves both what is in
// clear and what was decrypted.
#include "base/reader.h"
#include "ike/message/bodies.h"
#include "ike/message/message.h"

namespace torii::ike {

namespace {

constexpr std::uint8_t initiator_flag = 0x08, version_flag = 0x10, response_flag = 0x20;  // 3.1
constexpr std::uint8_t critical_bit = 0x80;                                               // 3.2

std::unexpected<Refusal> refuse(std::string why) {
    return std::unexpected(Refusal{.notify = NotifyType::invalid_syntax, .data = {}, .why = std::move(why)});
}

/// The reason inside the payload, with the payload's name.
std::unexpected<Refusal> refuse(PayloadType type, const Error& error) {
    std::string why = name_of(type) + " payload: ";
    if (!error.message.empty())
        why += error.message;
    else
        why += error.code == Errc::trailing ? "octets behind its last field" : "it ends inside a field";
    return refuse(std::move(why));
}

struct Link {  // 3.2
    PayloadType next{};
    bool critical = false;
    std::span<const std::byte> body;
};

/// Takes one payload off a chain. The length counts the generic header: less is a loop for a careless reader.
Result<Link> take_link(Reader& in) {
    TORII_TRY(const auto next, in.u8());
    TORII_TRY(const auto flags, in.u8());
    TORII_TRY(const auto length, in.u16());
    if (length < payload_header_octets) return fail(Errc::bad_value, "it is shorter than its own header");
    auto body = in.take(length - payload_header_octets);
    if (!body) return fail(Errc::truncated, "it is longer than the octets that hold it");
    return Link{PayloadType{next}, (flags & critical_bit) != 0, *body};
}

bool is_encrypted(PayloadType type) {
    return type == PayloadType::encrypted || type == PayloadType::encrypted_fragment;
}

std::string too_many_payloads() { return "more than " + std::to_string(limits::payloads) + " payloads"; }

Result<Header> read_header(Reader& in) {
    Header out;
    TORII_TRY(const auto initiator_spi, in.u64());
    TORII_TRY(const auto responder_spi, in.u64());
    TORII_CHECK(in.u8());  // Next Payload: split() reads it
    TORII_TRY(const auto version, in.u8());
    TORII_TRY(const auto exchange, in.u8());
    TORII_TRY(const auto flags, in.u8());
    TORII_TRY(out.message_id, in.u32());
    TORII_CHECK(in.u32());
    out.initiator_spi = IkeSpi{initiator_spi};
    out.responder_spi = IkeSpi{responder_spi};
    out.major = version >> 4;
    out.minor = version & 0x0f;
    out.exchange = ExchangeType{exchange};
    out.from_initiator = (flags & initiator_flag) != 0;
    out.higher_version = (flags & version_flag) != 0;
    out.response = (flags & response_flag) != 0;
    return out;
}

/// SK or SKF, whose body is all that is left of the datagram.
Parsed<Split::Encrypted> read_encrypted(PayloadType type, const Link& link, std::span<const std::byte> datagram) {
    Split::Encrypted out{.inner_first = link.next};
    Reader in{link.body};
    if (type == PayloadType::encrypted_fragment) {  // RFC 7383 2.5
        const auto number = in.u16(), total = in.u16();
        if (!number || !total) return refuse("SKF payload: it ends inside its fragment numbers");
        if (*number == 0 || *number > *total)
            return refuse("SKF payload: fragment " + std::to_string(*number) + " of " + std::to_string(*total));
        out.fragment = *number;
        out.fragments = *total;
    }
    out.body = in.rest();
    out.associated = datagram.first(datagram.size() - out.body.size());
    return out;
}

}  // namespace

Parsed<Header> parse_header(std::span<const std::byte> datagram) {
    Reader in{datagram};
    auto header = read_header(in);
    if (!header) return refuse("a datagram of " + std::to_string(datagram.size()) + " octets, less than an IKE header");
    return *std::move(header);
}

Parsed<Split> split(std::span<const std::byte> datagram) {
    Split out;
    TORII_TRY(out.header, parse_header(datagram));
    if (datagram.size() > limits::message_octets) return refuse("a message larger than a UDP datagram");
    Reader fields{datagram.subspan(16, 1)}, length{datagram.subspan(24, 4)};
    if (const auto told = *length.u32(); told != datagram.size())
        return refuse("a message of " + std::to_string(told) + " octets in a datagram of " +
                      std::to_string(datagram.size()));
    // Only a notification about an unknown ESP or AH SPI has no IKE SPI that could be told (1.5).
    if (out.header.initiator_spi == IkeSpi{} && out.header.exchange != ExchangeType::informational)
        return refuse("the initiator's SPI is zero");

    Reader in{datagram.subspan(header_octets)};
    PayloadType type{*fields.u8()};
    const auto payloads = datagram.subspan(header_octets);
    out.clear = payloads;
    out.first = is_encrypted(type) ? PayloadType::none : type;
    for (std::size_t count = 0; type != PayloadType::none; ++count) {
        if (count == limits::payloads) return refuse(too_many_payloads());
        const std::size_t at = payloads.size() - in.size();
        const auto link = take_link(in);
        if (!link) return refuse(type, link.error());
        if (is_encrypted(type)) {
            if (in.size() > 0) return refuse(name_of(type) + " payload: it is not the last one");
            if (out.header.exchange == ExchangeType::ike_sa_init)
                return refuse(name_of(type) + " payload: IKE_SA_INIT has no keys to encrypt with");
            out.clear = payloads.first(at);
            TORII_TRY(out.encrypted, read_encrypted(type, *link, datagram));
            return out;
        }
        type = link->next;
    }
    if (in.size() > 0) return refuse(std::to_string(in.size()) + " octets behind the last payload");
    return out;
}

Parsed<Payloads> parse_payloads(PayloadType first, std::span<const std::byte> octets) {
    Payloads out;
    Reader in{octets};
    // What stands in clear in front of SK or SKF ends with that one's type, and without its octets.
    const auto ended = [&](PayloadType type) {
        return type == PayloadType::none || (is_encrypted(type) && in.size() == 0 && !out.empty());
    };
    for (PayloadType type = first; !ended(type);) {
        if (out.size() == limits::payloads) return refuse(too_many_payloads());
        if (is_encrypted(type)) return refuse(name_of(type) + " payload: it has no place here");  // 3.14
        const auto link = take_link(in);
        if (!link) return refuse(type, link.error());
        if (has_body(type)) {
            auto payload = parse_body(type, Reader{link->body});
            if (!payload) return refuse(type, payload.error());
            out.push_back(*std::move(payload));
        } else if (link->critical) {  // 2.5
            return std::unexpected(Refusal{.notify = NotifyType::unsupported_critical_payload,
                                           .data = {static_cast<std::byte>(type)},
                                           .why = name_of(type) + " is critical and not known to us"});
        } else {
            out.push_back(Unknown{type});
        }
        type = link->next;
    }
    if (in.size() > 0) return refuse(std::to_string(in.size()) + " octets behind the last payload");
    return out;
}

}  // namespace torii::ike
