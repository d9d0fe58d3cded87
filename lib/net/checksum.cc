#include "net/headers.h"

namespace torii {

namespace {

/// The plain sum in memory's own order, not yet folded.
std::uint64_t sum_of(const void* octets, std::size_t count) {
    const auto* at = static_cast<const std::uint8_t*>(octets);
    std::uint64_t sum = 0;
    for (; count >= 4; count -= 4, at += 4) {
        std::uint32_t word;
        std::memcpy(&word, at, 4);
        sum += word;
    }
    if (count >= 2) {
        std::uint16_t word;
        std::memcpy(&word, at, 2);
        sum += word;
        at += 2;
        count -= 2;
    }
    if (count == 1) sum += *at;
    return sum;
}

std::uint16_t complemented(std::uint64_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~__builtin_bswap16(static_cast<std::uint16_t>(sum)));
}

}  // namespace

std::uint16_t internet_checksum(const void* octets, std::size_t count) { return complemented(sum_of(octets, count)); }

std::uint16_t upper_layer_checksum(const Ipv4Header& ip, IpProtocol protocol, const void* octets, std::size_t count) {
    const Big16 rest[2] = {static_cast<std::uint16_t>(protocol), static_cast<std::uint16_t>(count)};
    return complemented(sum_of(&ip.source, 2 * sizeof ip.source) + sum_of(rest, sizeof rest) + sum_of(octets, count));
}

std::uint16_t upper_layer_checksum(const Ipv6Header& ip, IpProtocol protocol, const void* octets, std::size_t count) {
    const Big32 rest[2] = {static_cast<std::uint32_t>(count), static_cast<std::uint32_t>(protocol)};
    return complemented(sum_of(ip.source.data(), ip.source.size()) +
                        sum_of(ip.destination.data(), ip.destination.size()) + sum_of(rest, sizeof rest) +
                        sum_of(octets, count));
}

}  // namespace torii
