// The pcapng file format as far as a capture of ours needs it (draft-ietf-opsawg-pcapng): a section, an interface for
// each port, packets with nanoseconds, direction and comment. Octets in memory; whoever calls writes them somewhere.
// Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace torii::pcapng {

using Octets = std::vector<std::byte>;

/// Appends a Section Header Block: what every file begins with. `application` is who wrote it.
void add_section(Octets& out, std::string_view application);

/// Appends an Interface Description Block of raw IP packets (LINKTYPE_RAW) with times in nanoseconds. Interfaces are
/// numbered from 0 in the order they are added.
void add_interface(Octets& out, std::string_view name, std::uint32_t kept_octets);

struct Packet {
    std::uint32_t interface = 0;
    std::uint64_t unix_nanoseconds = 0;
    std::span<const std::byte> octets;
    std::uint32_t original_octets = 0;
    bool outbound = false;
    std::string_view comment;  // empty: none
};
/// Appends an Enhanced Packet Block.
void add_packet(Octets& out, const Packet& packet);

}  // namespace torii::pcapng
