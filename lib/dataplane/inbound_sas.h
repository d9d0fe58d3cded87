// Which inbound SA an arriving ESP, AH or IPComp packet belongs to (RFC 4301 4.4.2.1): the first step of opening it.
// Worker threads.
#pragma once

#include "packet/packet.h"
#include "sa/spi_index.h"

namespace torii {

/// Whether `protocol` is one of the three that are opened.
constexpr bool is_ipsec(std::uint8_t protocol) {
    return protocol == static_cast<std::uint8_t>(IpProtocol::esp) ||
           protocol == static_cast<std::uint8_t>(IpProtocol::ah) ||
           protocol == static_cast<std::uint8_t>(IpProtocol::ipcomp);
}

/// Octets of the header that starts with the SPI, or of IPComp's; of AH what stands in front of the ICV.
constexpr unsigned ipsec_header_octets(std::uint8_t protocol) {
    if (protocol == static_cast<std::uint8_t>(IpProtocol::esp)) return sizeof(EspHeader);
    return protocol == static_cast<std::uint8_t>(IpProtocol::ah) ? sizeof(AhHeader) : sizeof(IpCompHeader);
}

/// Whether the SPI or CPI of an IPsec packet can be read: not in a fragment, and not in a stump.
inline bool has_readable_spi(const Packet& p) {
    return !p.fragment && p.payload_octets() >= ipsec_header_octets(p.protocol);
}

/// The SPI of an IPsec packet, or its CPI; has_readable_spi().
Spi spi_of(const Packet& packet);

/// The sequence number as it came, of an IPsec packet with a readable SPI; 0 for IPComp, which has none.
std::uint32_t sequence_low_of(const Packet& packet);

/// In:     IPsec packets at their IP header, no fragments.
/// Sets each packet's `inbound_sa`, null where there is none: an unknown SPI for somebody else's address is transit,
/// and the caller's to judge. Prefetches the SAs' first lines. Drops:  esp_truncated, bad_ah_header, bad_ipcomp (no
/// room for the header).
void find_inbound_sas(const SpiIndex& sad, Batch& batch);

}  // namespace torii
