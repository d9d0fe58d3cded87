// RFC 4302 appendix A1: what of an IPv4 header stays from end to end. See ah.h.
#include "ah/ah.h"

namespace torii {

namespace {

enum Ipv4Option : std::uint8_t { end_of_list = 0, no_operation = 1 };

/// Options that no router changes: security, extended security, commercial security, router alert, sender directed
/// multi-destination delivery. All others count as zeroes, those that nobody knows too.
bool stays(std::uint8_t option) {
    return option == 130 || option == 133 || option == 134 || option == 148 || option == 149;
}

}  // namespace

void zero_mutable_fields(std::byte* ip, unsigned header_octets, std::uint8_t class_kept) {
    auto& header = *reinterpret_cast<Ipv4Header*>(ip);
    header.dscp_ecn &= class_kept;
    header.flags_offset = 0;
    header.ttl = 0;
    header.checksum = 0;
    for (unsigned i = sizeof(Ipv4Header); i < header_octets;) {
        const auto option = std::to_integer<std::uint8_t>(ip[i]);
        if (option == end_of_list) return;  // what follows is padding, and immutable
        if (option == no_operation) {
            ++i;
            continue;
        }
        const unsigned octets = std::to_integer<unsigned>(ip[i + 1]);
        if (!stays(option)) std::memset(ip + i, 0, octets);
        i += octets;
    }
}

}  // namespace torii
