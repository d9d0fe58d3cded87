#include "observe/pcapng.h"

#include <cstring>

namespace torii::pcapng {

namespace {

constexpr std::uint32_t section_header = 0x0a0d0d0a, interface_description = 1, enhanced_packet = 6;
constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;
constexpr std::uint16_t linktype_raw = 101;
constexpr std::uint16_t option_end = 0, option_comment = 1, option_name = 2, option_application = 4;
constexpr std::uint16_t option_flags = 2, option_time_resolution = 9;
constexpr std::size_t longest_text = 1024;

template <class T>
void add(Octets& out, T value) {  // in this machine's order, which the magic tells
    const auto* const at = reinterpret_cast<const std::byte*>(&value);
    out.insert(out.end(), at, at + sizeof value);
}

void add_padded(Octets& out, std::span<const std::byte> octets) {
    out.insert(out.end(), octets.begin(), octets.end());
    out.resize((out.size() + 3) / 4 * 4);
}

void add_option(Octets& out, std::uint16_t code, std::span<const std::byte> value) {
    value = value.first(std::min(value.size(), longest_text));
    add(out, code);
    add(out, static_cast<std::uint16_t>(value.size()));
    add_padded(out, value);
}

void add_text(Octets& out, std::uint16_t code, std::string_view text) {
    add_option(out, code, std::as_bytes(std::span{text}));
}

/// A block around what `fill` appends: its type and length in front, its length once more behind.
template <class Fill>
void add_block(Octets& out, std::uint32_t type, Fill fill) {
    const std::size_t begin = out.size();
    add(out, type);
    add(out, std::uint32_t{0});
    fill();
    const auto octets = static_cast<std::uint32_t>(out.size() - begin + sizeof(std::uint32_t));
    add(out, octets);
    std::memcpy(out.data() + begin + sizeof type, &octets, sizeof octets);
}

void end_options(Octets& out) {
    add(out, option_end);
    add(out, std::uint16_t{0});
}

}  // namespace

void add_section(Octets& out, std::string_view application) {
    add_block(out, section_header, [&] {
        add(out, byte_order_magic);
        add(out, std::uint16_t{1});  // version 1.0
        add(out, std::uint16_t{0});
        add(out, std::int64_t{-1});  // a stream's length is not known
        add_text(out, option_application, application);
        end_options(out);
    });
}

void add_interface(Octets& out, std::string_view name, std::uint32_t kept_octets) {
    add_block(out, interface_description, [&] {
        add(out, linktype_raw);
        add(out, std::uint16_t{0});
        add(out, kept_octets);
        add_text(out, option_name, name);
        constexpr std::byte nanoseconds{9};
        add_option(out, option_time_resolution, {&nanoseconds, 1});
        end_options(out);
    });
}

void add_packet(Octets& out, const Packet& packet) {
    add_block(out, enhanced_packet, [&] {
        add(out, packet.interface);
        add(out, static_cast<std::uint32_t>(packet.unix_nanoseconds >> 32));
        add(out, static_cast<std::uint32_t>(packet.unix_nanoseconds));
        add(out, static_cast<std::uint32_t>(packet.octets.size()));
        add(out, packet.original_octets);
        add_padded(out, packet.octets);
        const std::uint32_t flags = packet.outbound ? 2 : 1;
        add_option(out, option_flags, std::as_bytes(std::span{&flags, 1}));
        if (!packet.comment.empty()) add_text(out, option_comment, packet.comment);
        end_options(out);
    });
}

}  // namespace torii::pcapng
