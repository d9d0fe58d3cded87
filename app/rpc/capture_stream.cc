#include "app/rpc/capture_stream.h"

namespace torii::rpc {

namespace {

constexpr std::uint32_t kept_octets = 65535;  // the most an interface may say: what was cut tells its own length

std::string hexadecimal(const pcapng::Octets& octets) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(octets.size() * 2);
    for (const std::byte octet : octets) {
        out += digits[std::to_integer<unsigned>(octet) >> 4];
        out += digits[std::to_integer<unsigned>(octet) & 15];
    }
    return out;
}

}  // namespace

std::string CaptureStream::text_of(const control::CapturedPacket& packet) {
    pcapng::Octets out;
    if (interfaces_.empty()) pcapng::add_section(out, "Torii " TORII_VERSION);
    const std::string name = std::string{packet.port} + (packet.hook == control::Hook::clear ? " clear" : "");
    const auto [interface, first] = interfaces_.emplace(name, static_cast<std::uint32_t>(interfaces_.size()));
    if (first) pcapng::add_interface(out, name, kept_octets);
    const std::string comment = packet.drop.empty() ? "" : "dropped: " + std::string{packet.drop};
    pcapng::add_packet(out, {.interface = interface->second,
                             .unix_nanoseconds = packet.unix_nanoseconds,
                             .octets = packet.octets,
                             .original_octets = packet.original_octets,
                             .outbound = packet.way == control::Way::out,
                             .comment = comment});
    return hexadecimal(out);
}

}  // namespace torii::rpc
