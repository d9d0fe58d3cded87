// Every payload of IKEv2 as a value (RFC 7296 3.2 to 3.16). Parsing makes them from untrusted octets, building writes
// them; neither knows what a payload is good for. Every count and size that a peer chooses has a limit here, with its
// reason. Any thread; values only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ike/message/numbers.h"
#include "net/address.h"

namespace torii::ike {

using Octets = std::vector<std::byte>;

namespace limits {
inline constexpr std::size_t payloads = 64;           // of one message: the largest seen in the field have some 30
inline constexpr std::size_t proposals = 64;          // of one SA payload
inline constexpr std::size_t transforms = 128;        // of one proposal
inline constexpr std::size_t traffic_selectors = 64;  // of one TS payload
inline constexpr std::size_t delete_spis = 256;       // of one Delete payload
inline constexpr std::size_t configuration_attributes =
    64;                                                   // of one Configuration payload: a few of each kind there is
inline constexpr std::size_t certificate_octets = 16384;  // of one: chains of RSA-4096 have some 2 KiB in each
inline constexpr std::size_t nonce_octets_least = 16, nonce_octets_most = 256;  // 3.9
inline constexpr std::size_t message_octets = 65535 - 8 - 20;                   // what a UDP datagram holds
}  // namespace limits

/// One transform of a proposal (3.3.2). Attributes other than Key Length make a transform unknown to us: `understood`
/// is false, and nobody may choose it (3.3.6).
struct Transform {
    TransformType type{};
    std::uint16_t id = 0;
    std::optional<std::uint16_t> key_bits;
    bool understood = true;
    friend bool operator==(const Transform&, const Transform&) = default;
};
struct Proposal {  // 3.3.1
    std::uint8_t number = 1;
    ProtocolId protocol{};
    Octets spi;  // empty in IKE_SA_INIT, 8 octets for a rekeyed IKE SA, 4 for ESP and AH
    std::vector<Transform> transforms;
    friend bool operator==(const Proposal&, const Proposal&) = default;
};
struct Sa {
    std::vector<Proposal> proposals;
    friend bool operator==(const Sa&, const Sa&) = default;
};
struct Ke {
    KeMethod method{};
    Octets value;
    friend bool operator==(const Ke&, const Ke&) = default;
};
/// The body of IDi and IDr.
struct Id {
    IdType type{};
    Octets data;
    friend auto operator<=>(const Id&, const Id&) = default;
};
struct IdInitiator {
    Id id;
    friend bool operator==(const IdInitiator&, const IdInitiator&) = default;
};
struct IdResponder {
    Id id;
    friend bool operator==(const IdResponder&, const IdResponder&) = default;
};
struct Cert {
    CertEncoding encoding{};
    Octets data;
    friend bool operator==(const Cert&, const Cert&) = default;
};
struct CertReq {
    CertEncoding encoding{};
    Octets authorities;  // SHA-1 hashes of the authorities' public keys, 20 octets each (3.7)
    friend bool operator==(const CertReq&, const CertReq&) = default;
};
struct Auth {
    AuthMethod method{};
    Octets data;
    friend bool operator==(const Auth&, const Auth&) = default;
};
struct Nonce {
    Octets value;  // 16 to 256 octets (3.9)
    friend bool operator==(const Nonce&, const Nonce&) = default;
};
struct Notify {
    ProtocolId protocol{};  // none unless it speaks of one SA
    NotifyType type{};
    Octets spi;
    Octets data;
    friend bool operator==(const Notify&, const Notify&) = default;
};
struct Delete {
    ProtocolId protocol{};
    std::vector<std::uint32_t> spis;  // ESP and AH; none for IKE: the SA it comes through
    friend bool operator==(const Delete&, const Delete&) = default;
};
struct VendorId {
    Octets data;
    friend bool operator==(const VendorId&, const VendorId&) = default;
};
/// 3.13.1. Ports 65535 to 0 are the OPAQUE of RFC 4301. Of ICMP the first port is type * 256 + code.
struct TrafficSelector {
    std::uint8_t protocol = 0;  // 0: any
    std::uint16_t low_port = 0, high_port = 65535;
    Address low, high;  // of one family
    friend bool operator==(const TrafficSelector&, const TrafficSelector&) = default;
};
struct TsInitiator {
    std::vector<TrafficSelector> selectors;
    friend bool operator==(const TsInitiator&, const TsInitiator&) = default;
};
struct TsResponder {
    std::vector<TrafficSelector> selectors;
    friend bool operator==(const TsResponder&, const TsResponder&) = default;
};
struct Configuration {
    struct Attribute {
        CfgAttribute type{};
        Octets value;
        friend bool operator==(const Attribute&, const Attribute&) = default;
    };
    CfgType type{};
    std::vector<Attribute> attributes;
    friend bool operator==(const Configuration&, const Configuration&) = default;
};
struct Eap {
    Octets message;
    friend bool operator==(const Eap&, const Eap&) = default;
};
/// A payload of a type that we do not know and that is not critical: kept for the log, otherwise ignored (2.5).
struct Unknown {
    PayloadType type{};
    friend bool operator==(const Unknown&, const Unknown&) = default;
};

using Payload = std::variant<Sa, Ke, IdInitiator, IdResponder, Cert, CertReq, Auth, Nonce, Notify, Delete, VendorId,
                             TsInitiator, TsResponder, Configuration, Eap, Unknown>;
using Payloads = std::vector<Payload>;
PayloadType type_of(const Payload& payload);

/// The first payload of type T, or null.
template <class T>
const T* find(const Payloads& payloads) {
    for (const Payload& payload : payloads)
        if (const T* found = std::get_if<T>(&payload)) return found;
    return nullptr;
}
/// The first notification of that type, or null.
const Notify* find_notify(const Payloads& payloads, NotifyType type);

/// One line for logs, without keys: "SA KE No N(NAT_DETECTION_SOURCE_IP) N(COOKIE)".
std::string brief(const Payloads& payloads);
/// Several lines: every field, for the highest debug level. Key exchange values and nonces by their size alone.
std::string in_full(const Payloads& payloads);

}  // namespace torii::ike
