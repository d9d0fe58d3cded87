// See udp.h.
#include "esp/udp.h"

namespace torii {

namespace {

const UdpHeader& udp_header(const Packet& p) { return *reinterpret_cast<const UdpHeader*>(p.payload()); }

void enter_udp(Packet& p) {
    const UdpPorts ports = p.path->udp;
    const auto octets = static_cast<std::uint16_t>(p.payload_octets() + sizeof(UdpHeader));
    open_gap(p, sizeof(UdpHeader));
    rewrite_header(p, static_cast<std::uint8_t>(IpProtocol::udp), p.ip_octets + unsigned{sizeof(UdpHeader)});
    auto& udp = *reinterpret_cast<UdpHeader*>(p.payload());
    udp = {ports.source, ports.destination, octets, 0};
    if (p.family == Family::ipv4) return;
    const std::uint16_t checksum = upper_layer_checksum(p.ipv6(), IpProtocol::udp, p.payload(), octets);
    udp.checksum = checksum != 0 ? checksum : std::uint16_t{0xffff};
}

}  // namespace

UdpContent udp_content(const Packet& p) {
    const unsigned octets = udp_header(p).octets;
    if (octets < sizeof(UdpHeader) || octets > p.payload_octets()) return UdpContent::malformed;
    const std::byte* const content = p.payload() + sizeof(UdpHeader);
    const unsigned content_octets = octets - unsigned{sizeof(UdpHeader)};
    if (content_octets == 1 && *content == std::byte{0xff}) return UdpContent::keepalive;
    if (content_octets < sizeof(EspHeader)) return UdpContent::ike;
    std::uint32_t marker;
    std::memcpy(&marker, content, sizeof marker);
    return marker == 0 ? UdpContent::ike : UdpContent::esp;
}

void leave_udp(Packet& p) {
    const unsigned octets = udp_header(p).octets - unsigned{sizeof(UdpHeader)};
    (void)leave_transport(p, p.payload() + sizeof(UdpHeader), octets, static_cast<std::uint8_t>(IpProtocol::esp));
    p.in_udp = true;
}

void enter_udp(Batch& batch) {
    for (Packet& p : batch.live())
        if (has_room(p, sizeof(UdpHeader), 0)) [[likely]]
            enter_udp(p);
}

}  // namespace torii
