#include "forward/icmpv6.h"

#include <algorithm>

namespace torii {

namespace {

constexpr std::size_t longest_error = 1280;  // RFC 8200 5: what every link carries
constexpr std::uint8_t unreachable = 1, packet_too_big = 2, time_exceeded = 3, first_that_is_no_error = 128,
                       echo_request = 128, echo_reply = 129, redirect = 137;
constexpr std::uint32_t internetwork_control = 6u << 25;  // of the traffic class, as RFC 1812 4.3.2.5 has it for ICMP

struct TypeAndCode {
    std::uint8_t type, code;
};
TypeAndCode type_and_code(IcmpError::Cause cause) {  // RFC 4443 3.1 to 3.3
    switch (cause) {
        case IcmpError::Cause::net_unreachable: return {unreachable, 0};
        case IcmpError::Cause::host_unreachable: return {unreachable, 3};
        case IcmpError::Cause::port_unreachable: return {unreachable, 4};
        case IcmpError::Cause::too_big: return {packet_too_big, 0};
        case IcmpError::Cause::reassembly: return {time_exceeded, 1};
        case IcmpError::Cause::hop_limit: break;
    }
    return {time_exceeded, 0};
}

}  // namespace

std::optional<control::IcmpKind> icmpv6_kind(std::uint8_t type) {
    using control::IcmpKind;
    if (type >= first_that_is_no_error) return std::nullopt;
    switch (type) {
        case packet_too_big: return IcmpKind::too_big;
        case time_exceeded: return IcmpKind::time_exceeded;
        case 4: return IcmpKind::parameter_problem;
        default: return IcmpKind::unreachable;
    }
}

bool answer_icmpv6_echo(std::span<std::byte> packet) {
    auto& ip = *reinterpret_cast<Ipv6Header*>(packet.data());
    const auto payload = packet.subspan(sizeof ip);
    if (ip.next_header != static_cast<std::uint8_t>(IpProtocol::icmpv6) || payload.size() < sizeof(Icmpv6Header))
        return false;
    auto& icmp = *reinterpret_cast<Icmpv6Header*>(payload.data());
    if (icmp.type != echo_request || icmpv6_checksum(ip, payload.data(), payload.size()) != 0) return false;
    std::swap(ip.source, ip.destination);  // the checksum's sum stays the same
    ip.hop_limit = 64;
    icmp.checksum = adjusted_checksum(icmp.checksum, static_cast<std::uint16_t>(echo_request << 8 | icmp.code),
                                      static_cast<std::uint16_t>(echo_reply << 8 | icmp.code));
    icmp.type = echo_reply;
    return true;
}

bool wants_icmpv6_error(std::span<const std::byte> offender, const UpperLayer& upper) {
    const auto& about = *reinterpret_cast<const Ipv6Header*>(offender.data());
    const Address sender = Address::v6(about.source), receiver = Address::v6(about.destination);
    if (sender.is_unspecified() || sender.is_multicast() || sender.is_link_local() || receiver.is_multicast())
        return false;
    if (upper.protocol != IpProtocol::icmpv6) return true;
    if (upper.octets.empty()) return false;
    const auto type = std::to_integer<std::uint8_t>(upper.octets[0]);
    return !icmpv6_kind(type) && type != redirect;
}

std::vector<std::byte> icmpv6_error(std::span<const std::byte> offender, const Address& source,
                                    const IcmpError& error) {
    const std::size_t quoted = std::min(offender.size(), longest_error - sizeof(Ipv6Header) - sizeof(Icmpv6Header));
    std::vector<std::byte> out(sizeof(Ipv6Header) + sizeof(Icmpv6Header) + quoted);
    Ipv6Header ip{};
    ip.version_class_flow = 6u << 28 | internetwork_control;
    ip.payload_octets = static_cast<std::uint16_t>(out.size() - sizeof ip);
    ip.next_header = static_cast<std::uint8_t>(IpProtocol::icmpv6);
    ip.hop_limit = 64;
    ip.source = source.raw();
    ip.destination = reinterpret_cast<const Ipv6Header*>(offender.data())->source;
    const auto [type, code] = type_and_code(error.cause);
    Icmpv6Header icmp{.type = type, .code = code, .checksum = 0, .rest = error.mtu};
    std::byte* const body = out.data() + sizeof ip;
    std::memcpy(out.data(), &ip, sizeof ip);
    std::memcpy(body + sizeof icmp, offender.data(), quoted);
    std::memcpy(body, &icmp, sizeof icmp);
    icmp.checksum = icmpv6_checksum(ip, body, sizeof icmp + quoted);
    std::memcpy(body, &icmp, sizeof icmp);
    return out;
}

}  // namespace torii
