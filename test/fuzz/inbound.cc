// The whole inbound pipeline: a gateway on rings, and packets from the fuzzer's octets inside IPsec of peers that hold
// its keys, so that no ICV stands in the fuzzer's way. Each must meet one fate by name, and lose no buffer.
//
//   octet 0      how many layers of IPsec (0..3), the port (bit 2), room in the buffer (bit 3), raw frame (bit 4)
//   1 a layer    innermost first: which peer, and with bit 7 set the octets are what the transform carries, as they are
//   the rest     the innermost packet, whose header checksum is made right
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "test/malformed/account.h"

using namespace torii;
using namespace torii::test;

namespace {

/// The gateway of hostile_setkey.
Configuration configuration() {
    Configuration c = hostile_configuration();
    c.mbufs = 1023;
    c.natt_keepalive_seconds = 0;  // time leaps here
    return c;
}

/// Made at the first input, and never ended: libFuzzer leaves by _exit.
struct Site {
    Peers peers;
    Wires gateway{configuration()};
    Account account{gateway};
    Site() {
        gateway.setkey(hostile_setkey(peers));
        account.settle();
    }
};

Site& site() {
    static Site& only = *[] {
        start_test_eal(1);
        return new Site;
    }();
    return only;
}

/// `text` as the layer that `choice` names: a whole packet inside a tunnel, or whatever the transform may carry.
Octets layer(Peers& peers, std::uint8_t choice, const Octets& text) {
    const unsigned number = std::array{2u,  3u,  4u,  5u,  6u,  7u,  14u, 15u, 16u, 16u,
                                       18u, 19u, 22u, 23u, 24u, 25u, 26u, 26u, 27u, 28u}[choice % 32 % 20];
    Peer& peer = peers.at(number);
    if ((choice & 0x80) == 0) return peer.tunnel(text);
    const auto next_header = static_cast<std::uint8_t>(text.empty() ? 0 : std::to_integer<std::uint8_t>(text.back()));
    if (peer.protocol() == IpsecProtocol::ah) return peer.authenticated(text, next_header);
    const Octets raw = octets_of(IpCompHeader{4, 0, 2}) + text;
    if (number == 16) return ipv4(peer.address(), peer.us(), 108, raw);
    if (number == 26) return ipv6(peer.address(), peer.us(), 108, raw);
    return peer.packet(choice & 0x40 ? text : peer.padded(text, next_header));
}

bool is_ipv6(const Octets& packet) { return !packet.empty() && std::to_integer<unsigned>(packet[0]) >> 4 == 6; }

Octets with_checksum(const Octets& packet) {
    if (is_ipv6(packet)) {  // ICMPv6 behind the first header has one
        const bool summed = packet.size() >= sizeof(Ipv6Header) + 8 && packet[6] == std::byte{58};
        return summed ? summed_icmpv6(packet) : packet;
    }
    const Octets frame = edited(ethernet(packet), [](Ipv4Header&) {});
    return {frame.begin() + sizeof(EthernetHeader), frame.end()};
}

/// What came out since `before` against the policies. The office's packets to itself owe none,
/// whatever source they claim.
std::vector<std::string> leaked_since(std::size_t before, std::size_t port) {
    const std::vector<std::string>& all = site().account.leaked();
    std::vector<std::string> lines(all.begin() + static_cast<std::ptrdiff_t>(before), all.end());
    if (port == office) std::erase_if(lines, [](const std::string& line) { return line.starts_with("to the office"); });
    return lines;
}

}  // namespace

/// Keys of SAs hold OpenSSL's contexts, and stand in an arena where the leak checker does not look for pointers.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    const std::uint8_t shape = count > 0 ? octets[0] : 0;
    const unsigned layers = shape & 3;
    if (count < 1 + layers || count > 1400) return 0;
    const auto* const text = reinterpret_cast<const std::byte*>(octets);
    Octets packet(text + 1 + layers, text + count);
    const bool raw_frame = (shape & 0x10) != 0 && layers == 0;
    if (!raw_frame) packet = with_checksum(packet);
    for (unsigned i = 0; i < layers; ++i) packet = layer(site().peers, octets[1 + i], packet);
    const Octets frame = raw_frame ? packet : ethernet(packet, {}, is_ipv6(packet) ? EtherType::ipv6 : EtherType::ipv4);

    Account& account = site().account;
    const Recipe recipe{"", layers != 0 || (shape & 4) ? world : office, shape & 8 ? Room::pool : Room::exact, {}};
    const std::size_t before = account.leaked().size();
    const std::string wrong = wrong_fate(may_be_taken(recipe, frame), account.send(recipe, frame));
    const std::vector<std::string> leaked = leaked_since(before, recipe.port);
    const bool good = wrong.empty() && account.malformed().empty() && leaked.empty();
    if (good && site().gateway.buffers_missing() == 0) return 0;
    std::fprintf(stderr, "%s\n", wrong.c_str());
    for (const std::string& line : account.malformed()) std::fprintf(stderr, "malformed %s\n", line.c_str());
    for (const std::string& line : leaked) std::fprintf(stderr, "leaked %s\n", line.c_str());
    std::abort();
}
