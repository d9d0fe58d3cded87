// What the IP layer does to the headers above it. See ip.h.
#include "ip/ip.h"

namespace torii {

void renew_checksum(const Packet& p) {
    const IpProtocol protocol{p.protocol};
    const bool tcp = protocol == IpProtocol::tcp, udp = protocol == IpProtocol::udp;
    const unsigned shortest = tcp ? 20 : sizeof(UdpHeader), at = tcp ? 16 : offsetof(UdpHeader, checksum);
    if (!(tcp || udp) || p.fragment || p.payload_octets() < shortest) return;
    auto& checksum = *reinterpret_cast<Big16*>(p.payload() + at);
    if (udp && checksum == 0) return;  // there is none
    checksum = 0;
    const std::uint16_t fresh = p.family == Family::ipv4
                                    ? upper_layer_checksum(p.ipv4(), protocol, p.payload(), p.payload_octets())
                                    : upper_layer_checksum(p.ipv6(), protocol, p.payload(), p.payload_octets());
    checksum = udp && fresh == 0 ? std::uint16_t{0xffff} : fresh;
}

}  // namespace torii
