// What is sent: valid frames of every kind the gateway handles, and what becomes of them in hostile hands. A recipe
// makes its frame when it is sent, so that sequence numbers grow in the order of sending however the recipes are
// shuffled.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "peers.h"
#include "test/support/wires.h"

namespace torii::test {

using Random = std::mt19937_64;

struct Recipe {
    std::string kind;
    std::size_t port = office;
    Room room = Room::pool;
    std::function<Octets()> make;
};

/// Frames that the gateway forwards or answers, in buffers that have the room for it; the second of IPv6, inside or
/// out.
std::vector<Recipe> valid_frames(Peers& peers);
std::vector<Recipe> valid_frames6(Peers& peers);
/// More than 10,000 mutations of them and frames that are nothing at all, in random order.
std::vector<Recipe> hostile_frames(Peers& peers, Random& random);
std::vector<Recipe> hostile_frames6(Peers& peers, Random& random);
/// Any transform and several of them, around a mutated packet and mutated again: as many as one likes. To arrive at
/// `port`.
Recipe storm_frame(Peers& peers, Random& random, std::size_t port);

/// `frame` with its IPv4 header changed by `edit` and the header's checksum right again, where there is a header.
Octets edited(Octets frame, const std::function<void(Ipv4Header&)>& edit);
/// `frame` cut to `octets` behind the Ethernet header by somebody who corrects the IP header's length.
Octets shortened(const Octets& frame, std::size_t octets);
/// An IPv4 packet with `options` (a multiple of 4 octets) in its header.
Octets with_options(const Octets& packet, const Octets& options);
Octets some_octets(std::initializer_list<int> values);

}  // namespace torii::test
