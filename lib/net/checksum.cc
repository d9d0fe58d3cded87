#include "net/headers.h"

namespace torii {

std::uint16_t internet_checksum(const void* octets, std::size_t count) {
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
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    const auto folded = static_cast<std::uint16_t>(sum);
    return static_cast<std::uint16_t>(~__builtin_bswap16(folded));
}

}  // namespace torii
