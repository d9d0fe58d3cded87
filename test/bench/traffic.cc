#include "test/bench/traffic.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <random>
#include <string_view>

#include "net/headers.h"

namespace torii::bench {

std::string name_of(Octets octets) { return octets ? std::to_string(*octets) : "imix"; }

std::vector<Draw> draw(std::size_t count, unsigned tunnels, Octets octets) {
    std::mt19937 random{1};
    std::vector<unsigned> imix(48, 64);
    std::fill_n(imix.begin(), 16, 570);
    std::fill_n(imix.begin() + 16, 4, largest_packet);
    std::uniform_int_distribution<unsigned> tunnel{0, tunnels - 1};
    std::vector<Draw> out;
    out.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        if (i % imix.size() == 0) std::ranges::shuffle(imix, random);
        out.push_back({.tunnel = tunnel(random), .octets = octets.value_or(imix[i % imix.size()])});
    }
    return out;
}

void Frames::add(std::span<const std::byte> frame) {
    assert(frame.size() <= slot_octets && (size() + 1) * slot_octets <= octets_.size());
    std::memcpy(octets_.data() + size() * slot_octets, frame.data(), frame.size());
    lengths_.push_back(static_cast<std::uint16_t>(frame.size()));
}

namespace {

/// `count` octets of a text of random words, the same ones each time.
std::vector<std::byte> words(std::size_t count) {
    constexpr std::array<std::string_view, 24> known{
        "the ",    "gateway ",  "of ",    "an ",       "office ",  "takes ", "each ",    "packet ",
        "from ",   "its ",      "wire, ", "and ",      "policy ",  "says ",  "whether ", "it ",
        "leaves ", "protected", ". ",     "Sequence ", "numbers ", "rise ",  "with ",    "every "};
    std::mt19937 random{2};
    std::string text;
    while (text.size() < count) text += known[random() % known.size()];
    const auto octets = std::as_bytes(std::span{text}).first(count);
    return {octets.begin(), octets.end()};
}

}  // namespace

Frames clear_frames(std::span<const Draw> draws, Direction direction) {
    struct Head {
        EthernetHeader ethernet{.destination = {}, .source = {2, 0, 0, 0, 1, 5}, .type = Big16{0x0800}};
        Ipv4Header ip{};
        UdpHeader udp{};
    };
    static_assert(sizeof(Head) == 42);
    std::vector<std::byte> frame = words(sizeof(EthernetHeader) + largest_packet);
    Frames out{draws.size()};
    for (const Draw& packet : draws) {
        const std::uint32_t there = host_behind(packet.tunnel), here = our_host();
        Head head;
        head.ip.version_ihl = 0x45;
        head.ip.total_octets = static_cast<std::uint16_t>(packet.octets);
        head.ip.ttl = 64;
        head.ip.protocol = static_cast<std::uint8_t>(IpProtocol::udp);
        head.ip.source = direction == Direction::outbound ? here : there;
        head.ip.destination = direction == Direction::outbound ? there : here;
        head.ip.checksum = internet_checksum(&head.ip, sizeof head.ip);
        head.udp = {4000, 5000, static_cast<std::uint16_t>(packet.octets - sizeof(Ipv4Header)), 0};
        std::memcpy(frame.data(), &head, sizeof head);
        out.add(std::span{frame}.first(sizeof(EthernetHeader) + packet.octets));
    }
    return out;
}

}  // namespace torii::bench
