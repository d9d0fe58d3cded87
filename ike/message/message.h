// IKEv2 messages between octets and values (RFC 7296 3.1, 3.2, 3.14; RFC 7383 for fragments). What is encrypted is not
// opened here: `split` says where it is, crypto/message_cipher.h opens it, and `parse_payloads` reads what was inside.
// Any thread; pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>

#include "ike/message/payloads.h"

namespace torii::ike {

inline constexpr std::size_t header_octets = 28;
inline constexpr std::size_t payload_header_octets = 4;

struct Header {  // 3.1
    IkeSpi initiator_spi{}, responder_spi{};
    std::uint8_t major = 2, minor = 0;
    ExchangeType exchange{};
    bool from_initiator = false;  // I flag: of whoever began this IKE SA
    bool higher_version = false;  // V flag
    bool response = false;        // R flag
    std::uint32_t message_id = 0;
    friend bool operator==(const Header&, const Header&) = default;
};

/// Why a message is refused, in the words in which its sender would be told (RFC 7296 2.21, 3.10.1).
struct Refusal {
    NotifyType notify = NotifyType::invalid_syntax;
    Octets data;      // UNSUPPORTED_CRITICAL_PAYLOAD: the payload's type, one octet
    std::string why;  // for our own log
};
template <class T>
using Parsed = std::expected<T, Refusal>;

/// A datagram taken apart as far as that needs no key. Views into the datagram.
struct Split {
    Header header;
    PayloadType first = PayloadType::none;  // of `clear`
    std::span<const std::byte> clear;       // the payloads in front of SK or SKF; all of them when there is neither
    /// SK or SKF, always the last payload (3.14; RFC 7383 2.5).
    struct Encrypted {
        PayloadType inner_first = PayloadType::none;
        std::span<const std::byte> associated;  // from the header's first octet up to the IV: what an AEAD covers too
        std::span<const std::byte> body;        // IV, ciphertext, ICV
        std::uint16_t fragment = 0, fragments = 0;  // SKF: from 1; SK: 0 and 0
    };
    std::optional<Encrypted> encrypted;
};
/// Refuses lengths that do not fit the datagram, a payload behind SK, fragment numbers that cannot be (RFC 7383 2.6).
/// The major version is not looked at: INVALID_MAJOR_VERSION is an answer, not a fault of form.
Parsed<Split> split(std::span<const std::byte> datagram);
/// The header alone: all that is believed of other versions' messages.
Parsed<Header> parse_header(std::span<const std::byte> datagram);

/// Reads a chain of payloads whole, in whatever order they stand. Critical payloads of unknown type, wrong lengths,
/// more than `limits` allow: refused. Reserved bits and the critical bit of known payloads are ignored (2.5, 3.2).
Parsed<Payloads> parse_payloads(PayloadType first, std::span<const std::byte> octets);

/// The chain without header; its first payload's type is type_of(payloads.front()), or none.
Octets build_payloads(const Payloads& payloads);
/// A message without encryption: IKE_SA_INIT, and errors outside of any IKE SA.
Octets build_message(const Header& header, const Payloads& payloads);
/// 28 octets. `total_octets`: of the whole message.
void write_header(Octets& out, const Header& header, PayloadType first, std::size_t total_octets);

/// The data of some notifications.
Notify notify(NotifyType type, Octets data = {});
Notify notify_u16(NotifyType type, std::uint16_t value);  // INVALID_KE_PAYLOAD: the method that is wanted
std::optional<std::uint16_t> u16_of(const Notify& n);     // exactly two octets

}  // namespace torii::ike
