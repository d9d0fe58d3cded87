// Frames for tests, written the way a test reads: ethernet(ipv4("10.0.1.5", "10.0.2.5", udp(...))).
#pragma once

#include <string_view>
#include <vector>

#include "net/headers.h"

namespace torii::test {

using Octets = std::vector<std::byte>;

inline Octets operator+(Octets a, const Octets& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}
template <class Header>
Octets octets_of(const Header& header) {
    const auto* const at = reinterpret_cast<const std::byte*>(&header);
    return {at, at + sizeof header};
}
inline std::uint32_t number(std::string_view address) { return Address::parse(address).value().v4_number(); }

struct Ipv4Options {
    std::uint8_t ttl = 64, dscp_ecn = 0;
    std::uint16_t flags_offset = 0, identification = 7;
};
inline Octets ipv4(std::string_view source, std::string_view destination, std::uint8_t protocol, const Octets& payload,
                   const Ipv4Options& options = {}) {
    Ipv4Header ip{};
    ip.version_ihl = 0x45;
    ip.dscp_ecn = options.dscp_ecn;
    ip.total_octets = static_cast<std::uint16_t>(sizeof ip + payload.size());
    ip.identification = options.identification;
    ip.flags_offset = options.flags_offset;
    ip.ttl = options.ttl;
    ip.protocol = protocol;
    ip.source = number(source);
    ip.destination = number(destination);
    ip.checksum = internet_checksum(&ip, sizeof ip);
    return octets_of(ip) + payload;
}
inline Octets udp(std::uint16_t source, std::uint16_t destination, const Octets& payload) {
    return octets_of(UdpHeader{source, destination, static_cast<std::uint16_t>(8 + payload.size()), 0}) + payload;
}
inline Octets icmp_echo(std::uint16_t sequence, std::size_t octets = 56) {
    Octets message = octets_of(IcmpHeader{8, 0, 0, 0x7000, sequence}) + Octets(octets, std::byte{0x61});
    const Big16 checksum{internet_checksum(message.data(), message.size())};
    std::memcpy(message.data() + 2, &checksum, 2);
    return message;
}

struct Ipv6Options {
    std::uint8_t hop_limit = 64, traffic_class = 0;
    std::uint32_t flow_label = 0;
};
inline Octets ipv6(std::string_view source, std::string_view destination, std::uint8_t next_header,
                   const Octets& payload, const Ipv6Options& options = {}) {
    Ipv6Header ip{};
    ip.version_class_flow = 6u << 28 | std::uint32_t{options.traffic_class} << 20 | options.flow_label;
    ip.payload_octets = static_cast<std::uint16_t>(payload.size());
    ip.next_header = next_header;
    ip.hop_limit = options.hop_limit;
    ip.source = Address::parse(source).value().raw();
    ip.destination = Address::parse(destination).value().raw();
    return octets_of(ip) + payload;
}
/// The packet, with the checksum of the ICMPv6 message right behind its header made right.
inline Octets summed_icmpv6(Octets packet) {
    std::memset(packet.data() + sizeof(Ipv6Header) + 2, 0, 2);
    const Big16 checksum{icmpv6_checksum(*reinterpret_cast<const Ipv6Header*>(packet.data()),
                                         packet.data() + sizeof(Ipv6Header), packet.size() - sizeof(Ipv6Header))};
    std::memcpy(packet.data() + sizeof(Ipv6Header) + 2, &checksum, 2);
    return packet;
}
inline Octets icmpv6_echo(std::string_view source, std::string_view destination, std::uint16_t sequence,
                          std::size_t octets = 56, const Ipv6Options& options = {}) {
    const Octets message = octets_of(Icmpv6Header{128, 0, 0, 0x70000000u | sequence}) + Octets(octets, std::byte{0x61});
    return summed_icmpv6(ipv6(source, destination, 58, message, options));
}
inline Octets ethernet(const Octets& payload, const MacAddress& destination = {}, EtherType type = EtherType::ipv4,
                       const MacAddress& source = {{2, 0, 0, 0, 0, 99}}) {
    return octets_of(EthernetHeader{destination.octets, source.octets, static_cast<std::uint16_t>(type)}) + payload;
}
inline Octets arp(std::uint16_t operation, const MacAddress& sender_mac, std::string_view sender,
                  const MacAddress& target_mac, std::string_view target) {
    return ethernet(octets_of(ArpIpv4{1, 0x0800, 6, 4, operation, sender_mac.octets, number(sender), target_mac.octets,
                                      number(target)}),
                    operation == 1 ? MacAddress{{255, 255, 255, 255, 255, 255}} : target_mac, EtherType::arp,
                    sender_mac);
}
inline const Ipv4Header& ip_of(const Octets& frame) {
    return *reinterpret_cast<const Ipv4Header*>(frame.data() + sizeof(EthernetHeader));
}
inline Octets ip_octets_of(const Octets& frame) {
    return {frame.begin() + sizeof(EthernetHeader),
            frame.begin() + static_cast<std::ptrdiff_t>(sizeof(EthernetHeader) + ip_of(frame).total_octets)};
}

}  // namespace torii::test
