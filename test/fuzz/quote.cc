// What an ICMP error of either family quotes, and what UDP to port 4500 holds: readers of octets that a stranger chose
// behind headers that are valid.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "dataplane/icmp_quote.h"
#include "esp/udp.h"
#include "ip/ip.h"

namespace {

using namespace torii;

void read_quote(const Packet& packet) {
    const bool possible = may_be_icmp_error(packet);
    const auto quote = icmp_quote(packet);
    if (quote && !possible) std::abort();
    Packet quoted;
    if (!quote || !read_quoted(packet, quoted)) return;
    if (quoted.ip < packet.ip || quoted.ip + quoted.ip_octets > packet.ip + packet.ip_octets) std::abort();
    if (quoted.ip_header_octets > quoted.ip_octets || quoted.family != packet.family) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    if (count < 1 || count > 65535) return 0;
    const auto* const at = reinterpret_cast<const std::byte*>(octets);
    std::vector<std::byte> exact(at, at + count);
    const Family family = std::to_integer<unsigned>(exact[0]) >> 4 == 6 ? Family::ipv6 : Family::ipv4;
    if (family == Family::ipv4 && exact.size() >= sizeof(Ipv4Header)) {  // no fuzzer guesses a checksum
        auto& ip = *reinterpret_cast<Ipv4Header*>(exact.data());
        ip.checksum = 0;
        ip.checksum = internet_checksum(&ip, std::min<std::size_t>(ip.header_octets(), exact.size()));
    }
    Packet packet;
    packet.ip = exact.data();
    if (parse_ip(family, packet, exact.size()) != Drop::none) return 0;
    read_quote(packet);
    if (packet.fragment || !is_to_nat_traversal_port(packet)) return 0;
    if (udp_content(packet) != UdpContent::esp) return 0;
    const unsigned before = packet.ip_octets;
    leave_udp(packet);
    if (packet.ip_octets + sizeof(UdpHeader) > before || packet.payload_octets() < sizeof(EspHeader)) std::abort();
    return 0;
}
