#include "forward/icmp.h"

#include <algorithm>

namespace torii {

namespace {

constexpr std::size_t longest_error = 576;
constexpr std::uint8_t echo_reply = 0, echo_request = 8, unreachable = 3, time_exceeded = 11,
                       fragmentation_needed = 4;  // a code of unreachable

struct TypeAndCode {
    std::uint8_t type, code;
};
TypeAndCode type_and_code(IcmpError::Cause cause) {  // RFC 1812 4.3.3.1, 4.3.3.4
    switch (cause) {
        case IcmpError::Cause::net_unreachable: return {unreachable, 0};
        case IcmpError::Cause::host_unreachable: return {unreachable, 1};
        case IcmpError::Cause::port_unreachable: return {unreachable, 3};
        case IcmpError::Cause::too_big: return {unreachable, fragmentation_needed};
        case IcmpError::Cause::reassembly: return {time_exceeded, 1};
        case IcmpError::Cause::hop_limit: break;
    }
    return {time_exceeded, 0};
}

}  // namespace

std::optional<control::IcmpKind> icmp_kind(std::uint8_t type, std::uint8_t code) {
    using control::IcmpKind;
    switch (type) {
        case unreachable: return code == fragmentation_needed ? IcmpKind::too_big : IcmpKind::unreachable;
        case 4: return IcmpKind::source_quench;
        case 5: return IcmpKind::redirect;
        case time_exceeded: return IcmpKind::time_exceeded;
        case 12: return IcmpKind::parameter_problem;
        default: return std::nullopt;
    }
}

bool answer_echo(std::span<std::byte> octets) {
    auto& ip = *reinterpret_cast<Ipv4Header*>(octets.data());
    const auto payload = octets.subspan(ip.header_octets());
    if (ip.protocol != static_cast<std::uint8_t>(IpProtocol::icmp) || ip.is_fragment() ||
        payload.size() < sizeof(IcmpHeader))
        return false;
    auto& icmp = *reinterpret_cast<IcmpHeader*>(payload.data());
    if (icmp.type != echo_request || internet_checksum(payload.data(), payload.size()) != 0) return false;
    const std::uint32_t asker = ip.source;
    ip.source = ip.destination;
    ip.destination = asker;
    ip.ttl = 64;
    ip.checksum = 0;
    ip.checksum = internet_checksum(&ip, ip.header_octets());
    icmp.checksum = adjusted_checksum(icmp.checksum, static_cast<std::uint16_t>(icmp.type << 8 | icmp.code), icmp.code);
    icmp.type = echo_reply;
    return true;
}

bool wants_icmp_error(std::span<const std::byte> offender) {
    const auto& about = *reinterpret_cast<const Ipv4Header*>(offender.data());
    const auto payload = offender.subspan(about.header_octets());
    const bool later_fragment = (about.flags_offset & Ipv4Header::offset_mask) != 0;
    const bool error_itself = about.protocol == static_cast<std::uint8_t>(IpProtocol::icmp) &&
                              (payload.empty() || icmp_kind(std::to_integer<std::uint8_t>(payload[0]), 0));
    const std::uint32_t sender = about.source, receiver = about.destination;
    return !later_fragment && !error_itself && sender >> 28 < 14 && receiver >> 28 < 14 && sender >> 24 != 0;
}

std::vector<std::byte> icmp_error(std::span<const std::byte> offender, std::uint32_t source, const IcmpError& error) {
    const std::size_t quoted = std::min(offender.size(), longest_error - sizeof(Ipv4Header) - sizeof(IcmpHeader));
    std::vector<std::byte> out(sizeof(Ipv4Header) + sizeof(IcmpHeader) + quoted);
    Ipv4Header ip{};
    ip.version_ihl = 0x45;
    ip.dscp_ecn = 6 << 5;  // internetwork control, RFC 1812 4.3.2.5
    ip.total_octets = static_cast<std::uint16_t>(out.size());
    ip.ttl = 64;
    ip.protocol = static_cast<std::uint8_t>(IpProtocol::icmp);
    ip.source = source;
    ip.destination = reinterpret_cast<const Ipv4Header*>(offender.data())->source;
    ip.checksum = internet_checksum(&ip, sizeof ip);
    const auto [type, code] = type_and_code(error.cause);
    IcmpHeader icmp{.type = type, .code = code, .checksum = 0, .rest_high = 0, .rest_low = error.mtu};
    std::byte* const body = out.data() + sizeof ip;
    std::memcpy(out.data(), &ip, sizeof ip);
    std::memcpy(body + sizeof icmp, offender.data(), quoted);
    std::memcpy(body, &icmp, sizeof icmp);
    icmp.checksum = internet_checksum(body, sizeof icmp + quoted);
    std::memcpy(body, &icmp, sizeof icmp);
    return out;
}

}  // namespace torii
