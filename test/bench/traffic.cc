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

constexpr std::uint8_t hops = 64;

/// Writes the headers of a packet of `octets` octets between two hosts at `at`.
void write_head4(std::byte* at, const Address& source, const Address& destination, unsigned octets) {
    struct Head {
        EthernetHeader ethernet{.destination = {}, .source = {2, 0, 0, 0, 1, 5}, .type = Big16{0x0800}};
        Ipv4Header ip{};
        UdpHeader udp{};
    } head;
    static_assert(sizeof head == 42);
    head.ip.version_ihl = 0x45;
    head.ip.total_octets = static_cast<std::uint16_t>(octets);
    head.ip.ttl = hops;
    head.ip.protocol = static_cast<std::uint8_t>(IpProtocol::udp);
    head.ip.source = source.v4_number();
    head.ip.destination = destination.v4_number();
    head.ip.checksum = internet_checksum(&head.ip, sizeof head.ip);
    head.udp = {4000, 5000, static_cast<std::uint16_t>(octets - sizeof(Ipv4Header)), 0};
    std::memcpy(at, &head, sizeof head);
}
/// No checksum stands in the UDP header, which no gateway looks at.
void write_head6(std::byte* at, const Address& source, const Address& destination, unsigned octets) {
    struct Head {
        EthernetHeader ethernet{.destination = {}, .source = {2, 0, 0, 0, 1, 5}, .type = Big16{0x86dd}};
        Ipv6Header ip{};
        UdpHeader udp{};
    } head;
    static_assert(sizeof head == 62);
    head.ip.version_class_flow = 6u << 28;
    head.ip.payload_octets = static_cast<std::uint16_t>(octets - sizeof(Ipv6Header));
    head.ip.next_header = static_cast<std::uint8_t>(IpProtocol::udp);
    head.ip.hop_limit = hops;
    head.ip.source = source.raw();
    head.ip.destination = destination.raw();
    head.udp = {4000, 5000, static_cast<std::uint16_t>(octets - sizeof(Ipv6Header)), 0};
    std::memcpy(at, &head, sizeof head);
}

}  // namespace

Frames clear_frames(std::span<const Draw> draws, Direction direction, Family family) {
    const auto write_head = family == Family::ipv4 ? write_head4 : write_head6;
    std::vector<std::byte> frame = words(sizeof(EthernetHeader) + largest_packet);
    Frames out{draws.size()};
    for (const Draw& packet : draws) {
        const Address there = host_behind(packet.tunnel, family), here = our_host(family);
        const bool outbound = direction == Direction::outbound;
        write_head(frame.data(), outbound ? here : there, outbound ? there : here, packet.octets);
        out.add(std::span{frame}.first(sizeof(EthernetHeader) + packet.octets));
    }
    return out;
}

}  // namespace torii::bench
