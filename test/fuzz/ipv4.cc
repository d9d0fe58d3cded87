// What is done to an IPv4 packet by its octets alone: header checks, and the ICMP made from what passed them.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "forward/icmp.h"
#include "ip/ipv4.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    using namespace torii;
    if (count > 65535) return 0;
    const auto* const at = reinterpret_cast<const std::byte*>(octets);
    std::vector<std::byte> exact(at, at + count);
    if (exact.size() >= sizeof(Ipv4Header)) {  // no fuzzer guesses a checksum
        auto& ip = *reinterpret_cast<Ipv4Header*>(exact.data());
        ip.checksum = 0;
        ip.checksum = internet_checksum(&ip, std::min<std::size_t>(ip.header_octets(), exact.size()));
    }
    Packet packet;
    packet.ip = exact.data();
    if (parse_ipv4(packet, exact.size()) != Drop::none) return 0;
    if (packet.ip_octets > exact.size() || packet.ip_header_octets > packet.ip_octets) std::abort();
    const std::span<std::byte> whole{packet.ip, packet.ip_octets};
    if (icmp_error(whole, 0x14000001, hop_limit_exceeded).size() > 576) std::abort();
    answer_echo(whole);
    if (packet.ipv4().ttl > 1) decrement_ttl(packet.ipv4());
    if (internet_checksum(packet.ip, packet.ip_header_octets) != 0) std::abort();
    return 0;
}
