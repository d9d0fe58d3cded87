// What a worker does to an IPv6 packet by its octets alone: the walk over extension headers, the place of IPsec among
// them, and what AH leaves out.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "ip/ip.h"
#include "ip/ipv6.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    using namespace torii;
    if (count > 65535) return 0;
    const auto* const at = reinterpret_cast<const std::byte*>(octets);
    std::vector<std::byte> exact(at, at + count);
    Packet packet;
    packet.ip = exact.data();
    if (parse_ipv6(packet, exact.size()) != Drop::none) return 0;
    if (packet.ip_octets > exact.size() || packet.ip_header_octets > packet.ip_octets) std::abort();
    if (packet.ip_header_octets > longest_ip_header || packet.next_header_at >= packet.ip_header_octets) std::abort();
    if (std::to_integer<std::uint8_t>(exact[packet.next_header_at]) != packet.protocol) std::abort();
    const bool later = is_later_ipv6_fragment(packet);
    if (!later && !packet.fragment) {
        const IpsecPlace place = ipsec_place(packet);
        if (place.header_octets > packet.ip_header_octets || place.next_header_at >= place.header_octets) std::abort();
        if (std::to_integer<std::uint8_t>(exact[place.next_header_at]) != place.protocol) std::abort();
    }
    if (packet.waypoint) return 0;
    std::vector<std::byte> covered(exact.begin(), exact.begin() + packet.ip_header_octets);
    zero_mutable_ipv6_fields(covered.data(), packet.ip_header_octets);
    Packet zeroed;
    zeroed.ip = covered.data();
    reinterpret_cast<Ipv6Header*>(covered.data())->version_class_flow = 6u << 28;
    reinterpret_cast<Ipv6Header*>(covered.data())->payload_octets =
        static_cast<std::uint16_t>(covered.size() - sizeof(Ipv6Header));
    if (!packet.fragment && packet.fragment_at == 0 &&  // the walk finds the same headers in what is covered
        (parse_ipv6(zeroed, covered.size()) != Drop::none || zeroed.ip_header_octets != packet.ip_header_octets))
        std::abort();
    return 0;
}
