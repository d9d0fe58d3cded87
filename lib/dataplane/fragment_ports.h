// The ports of packets in fragments (RFC 4301 7.3, stateful fragment checking): first fragments tell them, and later
// ones, which policies with ports could not judge, go by what theirs told. A worker's own; no allocation after it is
// made, no locks.
#pragma once

#include <vector>

#include "ip/fragments.h"
#include "policy/selector.h"

namespace torii {

/// Bounded: a table in which every packet has one place, chosen by a secret, and the newer takes it. Nobody waits here:
/// a later fragment that comes before its first, or after thirty seconds, has no ports.
class FragmentPorts {
public:
    explicit FragmentPorts(std::uint64_t seed) : seed_(seed), entries_(places) {}

    /// Fills in the ports, or ICMP type and code, of the packet that `fragment` belongs to; those of a first fragment
    /// are remembered. `selector` is the fragment's own. False when they are not known.
    bool complete(PacketSelector& selector, const Packet& fragment, std::uint32_t now_seconds);

private:
    static constexpr std::size_t places = 1024;
    static constexpr std::uint32_t longest_seconds = Reassembler::timeout_seconds;
    struct Entry {
        FragmentKey key;
        std::uint16_t source_port = 0, destination_port = 0;
        std::uint32_t since_seconds = 0;
        std::uint8_t protocol = 0;
        bool used = false;
        std::uint16_t ports_end = 0;  // octets of the packet's payload, counted as fragments count, that tell them
    };
    Entry& place_of(const FragmentKey& key);

    std::uint64_t seed_;
    std::vector<Entry> entries_;
};

}  // namespace torii
