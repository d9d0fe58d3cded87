// The wire forms of the headers Torii reads and writes, laid over packet octets after their length was checked.
// Numbers convert between network and host order by themselves. RFC 791, 792, 826, 3173, 4302, 4303, 8200.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "net/address.h"

namespace torii {

/// An unsigned number in network order, at any alignment.
template <class T>
class Big {
public:
    Big() = default;
    constexpr Big(T value) { *this = value; }  // NOLINT: stands for the number itself
    constexpr Big& operator=(T value) {
        octets_ = std::bit_cast<decltype(octets_)>(swap(value));
        return *this;
    }
    constexpr operator T() const { return value(); }  // NOLINT
    constexpr T value() const { return swap(std::bit_cast<T>(octets_)); }

private:
    static constexpr T swap(T value) {
        static_assert(std::endian::native == std::endian::little);
        if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
        if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
        if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
    }
    std::array<std::uint8_t, sizeof(T)> octets_;
};
using Big16 = Big<std::uint16_t>;
using Big32 = Big<std::uint32_t>;
using Big64 = Big<std::uint64_t>;

enum class EtherType : std::uint16_t { ipv4 = 0x0800, arp = 0x0806, ipv6 = 0x86dd };

enum class IpProtocol : std::uint8_t {
    hop_by_hop = 0,
    icmp = 1,
    ipv4 = 4,
    tcp = 6,
    udp = 17,
    ipv6 = 41,
    routing = 43,
    fragment = 44,
    esp = 50,
    ah = 51,
    icmpv6 = 58,
    none = 59,
    destination_options = 60,
    ipcomp = 108,
    sctp = 132,
    udp_lite = 136
};

struct EthernetHeader {
    std::array<std::uint8_t, 6> destination;
    std::array<std::uint8_t, 6> source;
    Big16 type;
};
static_assert(sizeof(EthernetHeader) == 14);

struct ArpIpv4 {  // RFC 826, Ethernet and IPv4
    Big16 hardware, protocol;
    std::uint8_t hardware_octets, protocol_octets;
    Big16 operation;
    std::array<std::uint8_t, 6> sender_mac;
    Big32 sender;
    std::array<std::uint8_t, 6> target_mac;
    Big32 target;
};
static_assert(sizeof(ArpIpv4) == 28);

struct Ipv4Header {
    std::uint8_t version_ihl;
    std::uint8_t dscp_ecn;
    Big16 total_octets;
    Big16 identification;
    Big16 flags_offset;
    std::uint8_t ttl;
    std::uint8_t protocol;
    Big16 checksum;
    Big32 source, destination;

    static constexpr std::uint16_t dont_fragment = 0x4000, more_fragments = 0x2000, offset_mask = 0x1fff;
    unsigned header_octets() const { return (version_ihl & 15u) * 4; }
    bool is_fragment() const { return (flags_offset & (more_fragments | offset_mask)) != 0; }
};
static_assert(sizeof(Ipv4Header) == 20);

struct Ipv6Header {
    Big32 version_class_flow;
    Big16 payload_octets;
    std::uint8_t next_header;
    std::uint8_t hop_limit;
    std::array<std::uint8_t, 16> source, destination;
};
static_assert(sizeof(Ipv6Header) == 40);

struct ExtensionHeader {  // RFC 8200 4.3 to 4.6: how options and routing headers start
    std::uint8_t next_header;
    std::uint8_t further_words;  // of 8 octets, behind the first
    unsigned octets() const { return (further_words + 1u) * 8; }
};
static_assert(sizeof(ExtensionHeader) == 2);

struct RoutingHeader {  // RFC 8200 4.4
    std::uint8_t next_header, further_words, type, segments_left;
};
static_assert(sizeof(RoutingHeader) == 4);

struct FragmentHeader {  // RFC 8200 4.5
    std::uint8_t next_header, reserved;
    Big16 offset_more;  // the offset counts 8 octets and stands above three more bits
    Big32 identification;

    static constexpr std::uint16_t more_fragments = 1, offset_mask = 0xfff8;
    unsigned offset_octets() const { return offset_more & offset_mask; }
    bool is_last() const { return (offset_more & more_fragments) == 0; }
};
static_assert(sizeof(FragmentHeader) == 8);

struct UdpHeader {
    Big16 source_port, destination_port, octets, checksum;
};
static_assert(sizeof(UdpHeader) == 8);

inline constexpr std::uint16_t nat_traversal_port = 4500;  // of ESP and IKE in UDP (RFC 3948 2)

/// The ports of an SA's ESP in UDP, as on the wire.
struct UdpPorts {
    Big16 source{0}, destination{0};
    bool is_used() const { return destination != 0; }
};
static_assert(sizeof(UdpPorts) == 4);

struct IcmpHeader {  // RFC 792; `rest` is identifier and sequence, or unused and next-hop MTU
    std::uint8_t type, code;
    Big16 checksum;
    Big16 rest_high, rest_low;
};
static_assert(sizeof(IcmpHeader) == 8);

struct Icmpv6Header {  // RFC 4443 2.1; `rest` is identifier and sequence, an MTU, flags, or unused
    std::uint8_t type, code;
    Big16 checksum;
    Big32 rest;
};
static_assert(sizeof(Icmpv6Header) == 8);

struct EspHeader {  // RFC 4303 section 2
    Big32 spi;
    Big32 sequence_low;
};
static_assert(sizeof(EspHeader) == 8);

struct EspTrailer {  // behind the padding, before the ICV
    std::uint8_t padding_octets;
    std::uint8_t next_header;
};
static_assert(sizeof(EspTrailer) == 2);

struct AhHeader {  // RFC 4302 section 2, without the ICV
    std::uint8_t next_header;
    std::uint8_t payload_words;  // of all AH, in 32-bit words, minus two
    Big16 reserved;
    Big32 spi;
    Big32 sequence_low;
};
static_assert(sizeof(AhHeader) == 12);

struct IpCompHeader {  // RFC 3173 section 3
    std::uint8_t next_header;
    std::uint8_t flags;
    Big16 cpi;
};
static_assert(sizeof(IpCompHeader) == 4);

/// The ones' complement sum of RFC 1071 over `octets`, complemented; 0 over a header that carries a right checksum.
std::uint16_t internet_checksum(const void* octets, std::size_t count);

/// The same over the `count` octets of a message of `protocol` and the pseudo-header for the addresses of `ip` (RFC
/// 768, RFC 9293 3.1, RFC 8200 8.1).
std::uint16_t upper_layer_checksum(const Ipv4Header& ip, IpProtocol protocol, const void* octets, std::size_t count);
std::uint16_t upper_layer_checksum(const Ipv6Header& ip, IpProtocol protocol, const void* octets, std::size_t count);
/// That of an ICMPv6 message (RFC 4443 2.3).
inline std::uint16_t icmpv6_checksum(const Ipv6Header& ip, const void* octets, std::size_t count) {
    return upper_layer_checksum(ip, IpProtocol::icmpv6, octets, count);
}

/// The checksum after one 16-bit word of what it covers went from `before` to `after` (RFC 1624 eqn 3).
inline std::uint16_t adjusted_checksum(std::uint16_t checksum, std::uint16_t before, std::uint16_t after) {
    std::uint32_t sum =
        static_cast<std::uint16_t>(~checksum) + static_cast<std::uint32_t>(static_cast<std::uint16_t>(~before)) + after;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

}  // namespace torii
