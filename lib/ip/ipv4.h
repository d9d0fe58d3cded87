// IPv4 headers on the packet path: validation (RFC 1812 5.2.2), hop count, tunnel headers (RFC 4301 5.1.2.1). Worker
// threads; a packet at a time, called from the stages' loops.
#pragma once

#include <algorithm>
#include <cstdint>

#include "net/headers.h"
#include "packet/packet.h"
#include "sa/security_association.h"

namespace torii {

/// Sum of a plain 20-octet header, folded; 0xffff when its checksum is right.
inline std::uint16_t plain_header_sum(const std::byte* ip) {
    std::uint64_t a, b;
    std::uint32_t c;
    std::memcpy(&a, ip, 8);
    std::memcpy(&b, ip + 8, 8);
    std::memcpy(&c, ip + 16, 4);
    std::uint64_t sum = (a & 0xffffffff) + (a >> 32) + (b & 0xffffffff) + (b >> 32) + c;
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>((sum & 0xffff) + (sum >> 16));
}

/// Addresses that may never be a packet's source or destination on a wire (RFC 1812 5.3.7, RFC 6890).
inline bool is_martian(std::uint32_t source, std::uint32_t destination) {
    const auto bad = [](std::uint32_t a) { return a >> 24 == 0 || a >> 24 == 127; };
    return bad(source) || bad(destination) || source >> 28 >= 14 ||
           (destination >> 28 == 15 && destination != 0xffffffff);
}

/// Checks the IPv4 header at `packet.ip`, of which `available` octets arrived, and fills in what later stages read:
/// ip_octets, ip_header_octets, protocol, fragment. Octets behind the total length are padding and are ignored.
/// Returns Drop::none, truncated, bad_ip_version, bad_ip_header, bad_ip_length, bad_ip_checksum, martian, source_route.
/// `summed`: the device has verified the header checksum.
inline Drop parse_ipv4(Packet& packet, std::size_t available, bool summed = false) {
    if (available < sizeof(Ipv4Header)) return Drop::truncated;
    const Ipv4Header& ip = packet.ipv4();
    const unsigned header_octets = ip.header_octets();
    if (ip.version_ihl >> 4 != 4) return Drop::bad_ip_version;
    if (header_octets < sizeof(Ipv4Header) || header_octets > available) return Drop::bad_ip_header;
    const unsigned total = ip.total_octets;
    if (total < header_octets || total > available) return Drop::bad_ip_length;
    if (header_octets == sizeof(Ipv4Header)) [[likely]] {
        if (!summed && plain_header_sum(packet.ip) != 0xffff) return Drop::bad_ip_checksum;
    } else {
        if (!summed && internet_checksum(packet.ip, header_octets) != 0) return Drop::bad_ip_checksum;
        for (unsigned i = sizeof(Ipv4Header); i < header_octets;) {  // options, RFC 791 3.1
            const auto option = std::to_integer<unsigned>(packet.ip[i]);
            if (option == 0) break;
            if (option == 131 || option == 137) return Drop::source_route;
            const unsigned octets = option == 1             ? 1
                                    : i + 1 < header_octets ? std::to_integer<unsigned>(packet.ip[i + 1])
                                                            : 0;
            if (octets == 0 || (octets == 1 && option != 1) || i + octets > header_octets) return Drop::bad_ip_header;
            i += octets;
        }
    }
    if (is_martian(ip.source, ip.destination)) return Drop::martian;
    packet.family = Family::ipv4;
    packet.ip_octets = static_cast<std::uint16_t>(total);
    packet.ip_header_octets = static_cast<std::uint8_t>(header_octets);
    packet.protocol = ip.protocol;
    packet.fragment = ip.is_fragment();
    return Drop::none;
}

/// One hop less. The caller has seen that ttl is above 1.
inline void decrement_ttl(Ipv4Header& ip) {
    const auto before = static_cast<std::uint16_t>(ip.ttl << 8 | ip.protocol);
    --ip.ttl;
    ip.checksum = adjusted_checksum(ip.checksum, before, static_cast<std::uint16_t>(ip.ttl << 8 | ip.protocol));
}

/// The constant part of a tunnel's outer header: no options, payload `protocol`.
inline OuterHeader outer_header(std::uint32_t source, std::uint32_t destination, IpProtocol protocol) {
    OuterHeader outer{.ipv4 = {}};
    outer.ipv4.ip.version_ihl = 0x45;
    outer.ipv4.ip.protocol = static_cast<std::uint8_t>(protocol);
    outer.ipv4.ip.source = source;
    outer.ipv4.ip.destination = destination;
    outer.ipv4.checksum_part = 0x4500u + static_cast<std::uint8_t>(protocol) + (source >> 16) + (source & 0xffff) +
                               (destination >> 16) + (destination & 0xffff);
    return outer;
}

/// Writes a tunnel's outer header at `at` (RFC 4301 5.1.2.1). `flags` is DF or nothing. `identification` differs from
/// packet to packet because DF may be clear.
inline void write_outer(std::byte* at, const OuterHeader::Ipv4& outer, std::uint8_t dscp_ecn, std::uint8_t ttl,
                        std::uint16_t flags, std::uint16_t total_octets, std::uint16_t identification) {
    std::memcpy(at, &outer.ip, sizeof outer.ip);
    auto& ip = *reinterpret_cast<Ipv4Header*>(at);  // written in place: nobody reads the narrow stores back soon
    ip.dscp_ecn = dscp_ecn;
    ip.ttl = ttl;
    ip.total_octets = total_octets;
    ip.identification = identification;
    ip.flags_offset = flags;
    std::uint32_t sum =
        outer.checksum_part + dscp_ecn + (std::uint32_t{ttl} << 8) + total_octets + identification + flags;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    ip.checksum = static_cast<std::uint16_t>(~sum);
}

/// Replaces DSCP and ECN.
inline void set_dscp_ecn(Ipv4Header& ip, std::uint8_t dscp_ecn) {
    const auto before = static_cast<std::uint16_t>(ip.version_ihl << 8 | ip.dscp_ecn);
    ip.dscp_ecn = dscp_ecn;
    ip.checksum = adjusted_checksum(ip.checksum, before, static_cast<std::uint16_t>(ip.version_ihl << 8 | dscp_ecn));
}

}  // namespace torii
