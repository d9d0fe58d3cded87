// The packets of a row: which tunnel each one belongs to, how long it is, and the frame it arrives in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "test/bench/site.h"

namespace torii::bench {

/// Octets of the inner IP packet, header included; nothing: IMIX.
using Octets = std::optional<unsigned>;
inline constexpr std::array<Octets, 4> measured_octets{64, 512, 1420, std::nullopt};
std::string name_of(Octets octets);

struct Draw {
    unsigned tunnel;
    unsigned octets;  // of the inner IP packet
};
/// `count` packets with tunnels drawn at random, the same for the same arguments. IMIX is 28 of 64, 16 of 570 and 4 of
/// 1,518 octets in each 48, shuffled.
std::vector<Draw> draw(std::size_t count, unsigned tunnels, Octets octets);

/// Frames one behind the other, each in a slot of one size.
class Frames {
public:
    explicit Frames(std::size_t room) : octets_(room * slot_octets) { lengths_.reserve(room); }
    void add(std::span<const std::byte> frame);
    void clear() { lengths_.clear(); }
    std::size_t size() const { return lengths_.size(); }
    std::span<const std::byte> operator[](std::size_t i) const {
        return {octets_.data() + i * slot_octets, lengths_[i]};
    }

private:
    static constexpr std::size_t slot_octets = 1728;  // a frame as large as the wires' MTU allows, in whole lines
    std::vector<std::byte> octets_;
    std::vector<std::uint16_t> lengths_;
};

/// The drawn packets in clear, as they come from an office: ours when outbound, the others' when inbound. UDP with
/// words as its data, since compression is measured too.
Frames clear_frames(std::span<const Draw> draws, Direction direction, Family family);

}  // namespace torii::bench
