// The neighbour table under a stranger's ARP and neighbour discovery, as time passes: it stays within its bounds, and
// says nothing that is not about our own addresses or those it was asked for.
//
//   octet 0 of each message   bits 0-1: seconds that pass; bit 2: neighbour discovery, else ARP; bit 3: want() its
//   sender then                      28 octets of ARP, or 80 of an ICMPv6 packet
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "forward/neighbours.h"
#include "ip/ipv6.h"

namespace {

using namespace torii;

const Address own4 = Address::parse("10.0.1.1").value(), own6 = Address::parse("2001:db8:1::1").value();

class Listener : public NeighbourActions {
public:
    void send_arp(std::uint16_t, const MacAddress&, const ArpIpv4& arp) override {
        if (Address::v4(arp.sender) != own4) std::abort();
    }
    void send_discovery(std::uint16_t, const MacAddress&, const NeighbourMessage& message) override {
        if (message.type == DiscoveryType::advertisement && message.target != own6) std::abort();
    }
    void publish_hop(HopIndex, std::unique_ptr<const NextHop> next) override {
        if (!next) std::abort();
    }
    void retire_hop(HopIndex hop) override { retired.push_back(hop); }
    void release(rte_mbuf*) override { std::abort(); }  // nobody waits here
    void discard(rte_mbuf*, Drop) override { std::abort(); }
    std::vector<HopIndex> retired;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    Listener listener;
    LocalInterface port{.port = 0, .mac = {{2, 0, 0, 0, 0, 1}}, .addresses = {}};
    port.addresses = {{own4, Prefix{own4, 24}}, {own6, Prefix{own6, 64}}};
    Neighbours neighbours{{port}, 16, listener};
    SteadyTime now = std::chrono::steady_clock::now();
    while (count > 1) {
        const std::uint8_t shape = *octets;
        const std::size_t size = shape & 4 ? 80 : sizeof(ArpIpv4);
        ++octets, --count;
        if (count < size) return 0;
        now += std::chrono::seconds{shape & 3};
        std::vector<std::byte> message(size);
        std::memcpy(message.data(), octets, size);
        octets += size, count -= size;
        if (shape & 4) {
            Packet packet;
            packet.ip = message.data();
            if (parse_ipv6(packet, message.size()) != Drop::none) continue;
            const std::span<const std::byte> whole{packet.ip, packet.ip_octets};
            if (shape & 8) (void)neighbours.want(packet.source(), 0, now);
            (void)neighbours.arrived(0, MacAddress{{2, 0, 0, 0, 0, 7}}, whole, now);
        } else {
            ArpIpv4 arp;
            std::memcpy(&arp, message.data(), sizeof arp);
            if (shape & 8) (void)neighbours.want(Address::v4(arp.sender), 0, now);
            (void)neighbours.arrived(0, arp, now);
        }
        neighbours.tick(now);
    }
    return 0;
}
