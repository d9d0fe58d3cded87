#include "gateway/devargs.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <string_view>

namespace torii {
namespace {

// The kernel's packet ring, version 2 (packet(7), PACKET_RX_RING): a received frame stands 66 octets into its slot, a
// VLAN tag is put back in front of it by the driver (4), and MTUs do not count the Ethernet header (14). A second tag
// and some reserve make it 98. The driver computes slot addresses as if blocks had no gaps, so a slot's size must
// divide its block's, a block is whole pages, and the slots of all blocks must add up to framecnt.
constexpr unsigned slot_overhead_octets = 98;
constexpr unsigned default_slot_octets = 2048;
constexpr unsigned slot_step_octets = 1024;  // 1, 2 or 4 slots then fill a block of whole pages
constexpr unsigned page_octets = 4096;
constexpr unsigned slots = 2048;  // 512, the default, lose thousands of frames in one burst
constexpr unsigned tx_header_octets =
    32;  // what the driver takes a slot's own header for when it looks at the mbuf's room

bool is_af_packet(std::string_view device) {
    return device.starts_with("net_af_packet") || device.starts_with("eth_af_packet");
}

std::optional<std::string_view> argument(std::string_view device, std::string_view name) {
    for (auto comma = device.find(','); comma != device.npos; comma = device.find(',', comma + 1)) {
        const auto one = device.substr(comma + 1, device.find(',', comma + 1) - comma - 1);
        if (one.starts_with(name) && one.substr(name.size()).starts_with('=')) return one.substr(name.size() + 1);
    }
    return {};
}

bool ring_given(std::string_view device) {
    return argument(device, "blocksz") || argument(device, "framesz") || argument(device, "framecnt");
}

unsigned slot_octets(const PortConfiguration& port) {
    const unsigned wanted = port.mtu + slot_overhead_octets;
    return std::max(default_slot_octets, (wanted + slot_step_octets - 1) / slot_step_octets * slot_step_octets);
}

/// The slot size the driver will use: ours, or the operator's, or its own default beside other ring sizes of the
/// operator's.
unsigned ring_slot_octets(const PortConfiguration& port) {
    if (!ring_given(port.device)) return slot_octets(port);
    unsigned given = default_slot_octets;
    if (const auto text = argument(port.device, "framesz"))
        std::from_chars(text->data(), text->data() + text->size(), given);
    return given;
}

}  // namespace

std::string completed_devargs(const PortConfiguration& port, unsigned queues) {
    std::string out = port.device;
    if (!is_af_packet(out)) return out;
    if (!argument(port.device, "qpairs")) out += ",qpairs=" + std::to_string(queues);
    if (ring_given(port.device)) return out;
    const unsigned slot = slot_octets(port);
    return out + ",blocksz=" + std::to_string(std::lcm(slot, page_octets)) + ",framesz=" + std::to_string(slot) +
           ",framecnt=" + std::to_string(slots);
}

unsigned receive_room_octets(const PortConfiguration& port) {
    constexpr unsigned least = 2048;
    constexpr unsigned ethernet_octets = 14 + 2 * 4;  // header and two VLAN tags
    const unsigned frame = std::max(least, port.mtu + ethernet_octets);
    return is_af_packet(port.device) ? std::max(frame, ring_slot_octets(port) - tx_header_octets) : frame;
}

bool is_hardware(const PortConfiguration& port) {
    return port.device.rfind("net_", 0) != 0 && port.device.find(':') != port.device.npos;
}

}  // namespace torii
