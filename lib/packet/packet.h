// What every stage speaks: a Packet is what the pipeline knows of one frame, a Batch an ordered handful of them.
// Packets live in the worker's burst storage for one turn; one that waits or is handed to another worker is copied
// into its mbuf's private area (Carried). Worker threads.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "net/headers.h"
#include "packet/drop.h"
#include "policy/selector.h"

namespace torii {

struct InboundSa;
struct OutboundPath;
struct OutboundSa;
struct SaChain;

inline constexpr std::size_t max_nesting = 4;  // IPsec headers on one packet, each way

/// Which side a packet came from; decides which checks it owes.
enum class Arrival : std::uint8_t {
    outside,  // an unprotected port, or out of an SA: owes the inbound policy check
    inside,   // a protected port: RFC 4301's outbound processing alone
    host,     // the host port: this machine's own stack, no hop is counted
    self,     // the control core's own packets
    gif,      // a gif port put an envelope of ours around it
};

/// Where a packet goes on when it comes out of a ring.
enum class Resume : std::uint8_t {
    open,
    classify,
    outbound,  // its inbound checks are behind it: route and outbound policy alone
    protect,
    transmit,
    dummy,  // protect, as a packet that means nothing (RFC 4303 2.6)
    frame,  // whole, leaves by `port`
};

/// Why a packet goes to the control core.
enum class Punt : std::uint8_t {
    arp,                  // the frame from its Ethernet header on
    neighbour_discovery,  // ICMPv6 133 to 137, whole, hop limit 255; the Ethernet header stands in front of `ip`
    local,                // for one of our own addresses
    ike,                  // UDP to port 500 or 4500 of ours, in clear
    neighbour,            // its next hop has no MAC yet, or no number; comes back by Resume::transmit
    ttl_exceeded,         // these want an ICMP error
    too_big,
    reassembly_timeout,  // the first fragment of a packet whose rest did not come
    no_route,
    no_sa,  // its policy wants an SA that is not there; comes back by Resume::outbound
    early,  // it came before its SA, which is being negotiated; comes back by Resume::open
};

/// Each kind of punted packet has a ring of its own, served in this order: a flood of questions to our own addresses
/// must not keep ARP answers, and with them every tunnel, from the control core.
enum class PuntWay : std::uint8_t {
    arp,  // and neighbour discovery
    neighbour,
    sa,
    ike,     // from whoever speaks to us: has neither the others' places nor those of answers
    answer,  // may be answered: what is for us, and what wants an ICMP error
};
inline constexpr std::size_t punt_ways = 5;
constexpr PuntWay way_of(Punt why) {
    switch (why) {
        case Punt::arp:
        case Punt::neighbour_discovery: return PuntWay::arp;
        case Punt::neighbour: return PuntWay::neighbour;
        case Punt::no_sa:
        case Punt::early: return PuntWay::sa;
        case Punt::ike: return PuntWay::ike;
        default: return PuntWay::answer;
    }
}

/// Index into the next-hop table. 0 is nowhere.
enum class HopIndex : std::uint16_t { none = 0 };

struct Packet {
    rte_mbuf* mbuf = nullptr;  // null once somebody else owns it
    std::byte* ip = nullptr;   // the outermost IP header that is still there
    InboundSa* inbound_sa = nullptr;
    OutboundSa* outbound_sa = nullptr;
    const SaChain* chain = nullptr;      // what follows outbound_sa; null: nothing
    const OutboundPath* path = nullptr;  // where outbound_sa leads, once the packet is protected by it
    std::uint64_t sequence = 0;
    std::uint64_t hash = 0;             // of whatever is looked up next
    std::uint16_t ip_octets = 0;        // total length by the IP header
    std::uint8_t ip_header_octets = 0;  // IPv6: with the extension headers
    std::uint8_t protocol = 0;          // behind the IP header
    HopIndex next_hop{};
    std::uint16_t port = 0;  // where it arrived
    Drop drop = Drop::none;
    Arrival arrival = Arrival::outside;
    Resume resume = Resume::classify;
    Punt punt = Punt::local;
    std::uint8_t chain_step = 0;  // transforms of `chain` already applied
    std::uint8_t opened = 0;      // how many of `used` there are
    std::uint8_t nesting = 0;     // IPsec headers it came out of, IPComp too
    std::uint8_t gifs = 0;        // gif ports it came out of, one in another, or since then went into
    bool fragment = false;
    Family family = Family::ipv4;
    // of IPv6 alone
    std::uint8_t next_header_at = 0;  // offset of the octet that names `protocol`
    std::uint8_t fragment_at = 0;     // offset of the fragment header; 0: there is none
    bool waypoint = false;            // a routing header sends it on from its destination
    bool made_here = false;           // a tunnel's packet of ours: we may cut it, as nobody else may
    // of both
    bool past_wire = false;      // owes the filter's hook wire nothing on its way out: it passed, or came out of IPsec
    bool in_udp = false;         // the ESP at hand came in UDP
    std::uint16_t mtu = 0xffff;  // of its SAs' path; with Punt::too_big: what would have fitted
    std::uint16_t spare_octets = 0;  // on its way out: how much longer it may become with TFC padding (RFC 4303 2.7)
    Tag tag{};                       // what the filter has marked it with; stays until the filter marks it anew
    Tag answers_tag{};               // of an ICMP error: what it would mark answers to the quoted packet with
    std::array<InboundSa*, max_nesting> used{};  // SAs it came out of, outermost first

    Ipv4Header& ipv4() const { return *reinterpret_cast<Ipv4Header*>(ip); }
    Ipv6Header& ipv6() const { return *reinterpret_cast<Ipv6Header*>(ip); }
    Address source() const { return family == Family::ipv4 ? Address::v4(ipv4().source) : Address::v6(ipv6().source); }
    Address destination() const {
        return family == Family::ipv4 ? Address::v4(ipv4().destination) : Address::v6(ipv6().destination);
    }
    std::byte* payload() const { return ip + ip_header_octets; }
    unsigned payload_octets() const { return ip_octets - ip_header_octets; }
    /// Octets of the mbuf before `ip` and behind the IP packet.
    std::size_t room_before() const { return static_cast<std::size_t>(ip - static_cast<std::byte*>(mbuf->buf_addr)); }
    std::size_t room_behind() const { return mbuf->buf_len - room_before() - ip_octets; }
};
static_assert(sizeof(Packet) <= 128);

/// The mbuf's private area: a Packet on its way between threads.
using Carried = Packet;
inline Carried& carried(rte_mbuf& mbuf) { return *static_cast<Carried*>(rte_mbuf_to_priv(&mbuf)); }
inline constexpr std::uint16_t private_octets = 128;  // a multiple of RTE_MBUF_PRIV_ALIGN that holds a Packet

/// Up to `capacity` packets, by reference, in order. drop() only marks; live() skips the marked.
class Batch {
public:
    static constexpr std::size_t capacity = 256;

    void add(Packet& packet) {
        assert(size_ < capacity);
        packets_[size_++] = &packet;
    }
    void clear() { size_ = 0; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    bool full() const { return size_ == capacity; }
    Packet& operator[](std::size_t i) const { return *packets_[i]; }
    static void drop(Packet& packet, Drop reason) { packet.drop = reason; }

    class Iterator {
    public:
        Iterator(Packet* const* at, Packet* const* end) : at_(at), end_(end) { skip(); }
        Packet& operator*() const { return **at_; }
        Iterator& operator++() {
            ++at_;
            skip();
            return *this;
        }
        bool operator==(const Iterator& other) const { return at_ == other.at_; }

    private:
        void skip() {
            while (at_ != end_ && (*at_)->drop != Drop::none) [[unlikely]]++ at_;
        }
        Packet* const* at_;
        Packet* const* end_;
    };
    struct Live {
        Iterator first, last;
        Iterator begin() const { return first; }
        Iterator end() const { return last; }
    };
    Live live() const {
        Packet* const* const end = packets_.data() + size_;
        return {{packets_.data(), end}, {end, end}};
    }
    /// Forgets the dropped ones; the rest keep their order.
    void compact() {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < size_; ++i)
            if (packets_[i]->drop == Drop::none) packets_[kept++] = packets_[i];
        size_ = kept;
    }
    /// Those of one burst as they came; the packets of a burst lie one behind the other.
    void restore_order() { std::sort(packets_.begin(), packets_.begin() + size_); }

private:
    std::array<Packet*, capacity> packets_;
    std::size_t size_ = 0;
};

}  // namespace torii
