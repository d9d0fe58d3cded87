// What the control core does to an IPv6 packet by its octets alone: neighbour discovery's messages, echo requests, and
// the errors about it.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "forward/icmpv6.h"
#include "forward/neighbour_discovery.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    using namespace torii;
    if (count < sizeof(Ipv6Header) || count > 65535) return 0;
    const auto* const at = reinterpret_cast<const std::byte*>(octets);
    std::vector<std::byte> exact(at, at + count);
    auto& ip = *reinterpret_cast<Ipv6Header*>(exact.data());
    std::byte* const upper = exact.data() + sizeof ip;
    const std::size_t upper_octets = exact.size() - sizeof ip;
    if (upper_octets >= sizeof(Icmpv6Header)) {  // no fuzzer guesses a checksum
        std::memset(upper + 2, 0, 2);
        const Big16 checksum{icmpv6_checksum(ip, upper, upper_octets)};
        std::memcpy(upper + 2, &checksum, 2);
    }
    if (const auto message = parse_neighbour_message(exact)) {
        const auto again = parse_neighbour_message(neighbour_packet(*message));
        if (!again || again->target != message->target || again->mac != message->mac) std::abort();
    }
    if (wants_icmpv6_error(exact, {IpProtocol{ip.next_header}, {upper, upper_octets}}) &&
        icmpv6_error(exact, Address{}, hop_limit_exceeded).size() > 1280)
        std::abort();
    if (answer_icmpv6_echo(exact) && icmpv6_checksum(ip, upper, upper_octets) != 0) std::abort();
    return 0;
}
