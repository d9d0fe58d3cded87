#include "forward/neighbour_discovery.h"

#include <algorithm>

namespace torii {

namespace {

struct Message {  // RFC 4861 4.3 and 4.4, before the options
    Icmpv6Header icmp;
    std::array<std::uint8_t, 16> target;
};
static_assert(sizeof(Message) == 24);

struct LinkLayerOption {  // RFC 4861 4.6.1, Ethernet
    std::uint8_t type, units;
    std::array<std::uint8_t, 6> mac;
};
static_assert(sizeof(LinkLayerOption) == 8);

constexpr std::uint8_t source_option = 1, target_option = 2;
constexpr std::uint32_t router_flag = 1u << 31, solicited_flag = 1u << 30, override_flag = 1u << 29;
constexpr std::uint8_t hop_limit = 255;  // no router lets one with 255 through, so the sender is on the link
constexpr std::size_t option_unit = 8;

Address address_of(const std::array<std::uint8_t, 16>& octets) {
    return Address::from_octets(std::as_bytes(std::span{octets}));
}

std::uint8_t option_of(DiscoveryType type) {
    return type == DiscoveryType::solicitation ? source_option : target_option;
}

bool is_one_station(const std::array<std::uint8_t, 6>& mac) {
    return (mac[0] & 1) == 0 && mac != std::array<std::uint8_t, 6>{};
}

/// Reads the options into `message`. False: one has no length, is cut short, or gives an impossible MAC.
bool read_options(std::span<const std::byte> options, NeighbourMessage& message) {
    while (!options.empty()) {
        if (options.size() < option_unit) return false;
        const auto kind = std::to_integer<std::uint8_t>(options[0]);
        const std::size_t octets = std::to_integer<std::size_t>(options[1]) * option_unit;
        if (octets == 0 || octets > options.size()) return false;
        if (kind == option_of(message.type)) {
            LinkLayerOption option;
            std::memcpy(&option, options.data(), sizeof option);
            if (octets != sizeof option || !is_one_station(option.mac)) return false;
            message.mac = MacAddress{option.mac};
        }
        options = options.subspan(octets);
    }
    return true;
}

/// RFC 4861 7.1.1 and 7.1.2, what remains once the header and the options are read.
bool is_consistent(const NeighbourMessage& message) {
    if (message.target.is_multicast() || message.source.is_multicast()) return false;
    if (message.type == DiscoveryType::advertisement)
        return !message.source.is_unspecified() && !(message.destination.is_multicast() && message.solicited);
    return !message.source.is_unspecified() || (message.destination == solicited_node(message.target) && !message.mac);
}

}  // namespace

std::optional<DiscoveryType> discovery_type_of(std::span<const std::byte> packet) {
    if (packet.size() < sizeof(Ipv6Header) + sizeof(Icmpv6Header)) return {};
    const auto& ip = *reinterpret_cast<const Ipv6Header*>(packet.data());
    const auto& icmp = *reinterpret_cast<const Icmpv6Header*>(packet.data() + sizeof ip);
    if (ip.next_header != static_cast<std::uint8_t>(IpProtocol::icmpv6)) return {};
    if (icmp.type < static_cast<std::uint8_t>(DiscoveryType::router_solicitation) ||
        icmp.type > static_cast<std::uint8_t>(DiscoveryType::redirect))
        return {};
    return DiscoveryType{icmp.type};
}

std::optional<NeighbourMessage> parse_neighbour_message(std::span<const std::byte> packet) {
    const auto type = discovery_type_of(packet);
    if (type != DiscoveryType::solicitation && type != DiscoveryType::advertisement) return {};
    const auto& ip = *reinterpret_cast<const Ipv6Header*>(packet.data());
    const auto octets = packet.subspan(sizeof ip);
    if (octets.size() < sizeof(Message)) return {};
    const auto& read = *reinterpret_cast<const Message*>(octets.data());
    if (ip.hop_limit != hop_limit || read.icmp.code != 0 || icmpv6_checksum(ip, octets.data(), octets.size()) != 0)
        return {};
    NeighbourMessage message{.type = *type,
                             .source = address_of(ip.source),
                             .destination = address_of(ip.destination),
                             .target = address_of(read.target),
                             .mac = {}};
    if (*type == DiscoveryType::advertisement) {
        message.router = (read.icmp.rest & router_flag) != 0;
        message.solicited = (read.icmp.rest & solicited_flag) != 0;
        message.overrides = (read.icmp.rest & override_flag) != 0;
    }
    if (!read_options(octets.subspan(sizeof(Message)), message) || !is_consistent(message)) return {};
    return message;
}

std::vector<std::byte> neighbour_packet(const NeighbourMessage& message) {
    const std::size_t option_octets = message.mac ? sizeof(LinkLayerOption) : 0;
    std::vector<std::byte> out(sizeof(Ipv6Header) + sizeof(Message) + option_octets);
    Ipv6Header ip{};
    ip.version_class_flow = 6u << 28;
    ip.payload_octets = static_cast<std::uint16_t>(out.size() - sizeof ip);
    ip.next_header = static_cast<std::uint8_t>(IpProtocol::icmpv6);
    ip.hop_limit = hop_limit;
    ip.source = message.source.raw();
    ip.destination = message.destination.raw();
    Message said{.icmp = {.type = static_cast<std::uint8_t>(message.type), .code = 0, .checksum = 0, .rest = 0},
                 .target = message.target.raw()};
    said.icmp.rest = (message.router ? router_flag : 0) | (message.solicited ? solicited_flag : 0) |
                     (message.overrides ? override_flag : 0);
    std::byte* const body = out.data() + sizeof ip;
    if (message.mac) {
        const LinkLayerOption option{option_of(message.type), 1, message.mac->octets};
        std::memcpy(body + sizeof said, &option, sizeof option);
    }
    std::memcpy(out.data(), &ip, sizeof ip);
    std::memcpy(body, &said, sizeof said);
    said.icmp.checksum = icmpv6_checksum(ip, body, out.size() - sizeof ip);
    std::memcpy(body, &said, sizeof said);
    return out;
}

Address link_local_address(const MacAddress& mac) {
    const auto& m = mac.octets;
    const std::array<std::uint8_t, 16> octets{
        0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(m[0] ^ 2), m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
    return address_of(octets);
}

Address solicited_node(const Address& address) {
    const auto& a = address.raw();
    return address_of({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a[13], a[14], a[15]});
}

MacAddress multicast_mac(const Address& group) {
    const auto& a = group.raw();
    return {{0x33, 0x33, a[12], a[13], a[14], a[15]}};
}

Address all_nodes() { return address_of({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}); }

}  // namespace torii
