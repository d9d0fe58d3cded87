// Neighbours and how we learn their MACs over Ethernet: ARP (RFC 826, RFC 1122 2.3.2) for IPv4, neighbour discovery
// (RFC 4861 7.2 and 7.3) for IPv6, through one table and one life of a neighbour. Answers requests for our own
// addresses, asks for others while a bounded number of packets waits, refreshes who is known and forgets who does not
// answer. Time comes in as an argument and what is to be done goes out through NeighbourActions, so that it runs in a
// test without a port or a clock. Control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "forward/neighbour_discovery.h"
#include "forward/next_hop.h"
#include "forward/routes.h"

struct rte_mbuf;

namespace torii {

using SteadyTime = std::chrono::steady_clock::time_point;

enum class NeighbourState : std::uint8_t {
    incomplete,  // asked, no answer yet
    reachable,
    probing,  // was reachable or is known by hearsay, is asked directly; its MAC is used meanwhile
    failed,   // did not answer; asked again when a packet wants it
    fixed,    // from the configuration
};
std::string_view name_of(NeighbourState state);

/// What the neighbour table wants done. Implemented by the gateway, and by tests.
class NeighbourActions {
public:
    virtual ~NeighbourActions() = default;
    virtual void send_arp(std::uint16_t port, const MacAddress& to, const ArpIpv4& arp) = 0;
    virtual void send_discovery(std::uint16_t port, const MacAddress& to, const NeighbourMessage& message) = 0;
    /// The cell of `hop` says this from now on.
    virtual void publish_hop(HopIndex hop, std::unique_ptr<const NextHop> next) = 0;
    /// Nobody stands behind `hop` any more. Neighbours::reuse wants to know when no flow and no packet has its number.
    virtual void retire_hop(HopIndex hop) = 0;
    /// `mbuf` may go where it was going: its Carried tells.
    virtual void release(rte_mbuf* mbuf) = 0;
    virtual void discard(rte_mbuf* mbuf, Drop reason) = 0;
};

/// Our side of one port.
struct LocalInterface {
    std::uint16_t port = 0;
    MacAddress mac;
    std::uint16_t mtu = 1500;
    std::vector<std::pair<Address, Prefix>> addresses;  // each with its network; the link-local one too
    bool answers_for_all = false;                       // the host port: whatever its stack asks for is behind us
};

class Neighbours {
public:
    static constexpr std::size_t most = NextHopTable::capacity - 1;
    static constexpr std::size_t most_waiting = 4;  // packets held for one neighbour; RFC 1122 2.3.2.2 asks for one
    static constexpr auto retry = std::chrono::seconds{1};
    static constexpr unsigned attempts = 3;
    static constexpr auto fresh_for = std::chrono::seconds{60};
    static constexpr auto fresh_for_v6 = std::chrono::seconds{30};  // RFC 4861 10: REACHABLE_TIME
    static constexpr auto forget_after = std::chrono::seconds{10};  // a failed one, when places run short; all at once
    static constexpr std::size_t spare = 256;                       // free places; with fewer they run short

    /// `most_held`: packets that may wait for all neighbours together. They are taken from the pool that the ports
    /// receive into, so that it must be a small share of that.
    Neighbours(std::vector<LocalInterface> interfaces, std::size_t most_held, NeighbourActions& actions);
    ~Neighbours();

    /// The hop of `address` behind `port`, which are its name together: link-local addresses may stand behind several.
    /// Asks for it when it is new. HopIndex::none when the table is full. A table
    /// that fills up forgets neighbours that have long not answered, except pinned ones: SAs keep their hop's number.
    HopIndex want(const Address& address, std::uint16_t port, SteadyTime now, bool pinned = false);
    /// A neighbour that needs not be asked for.
    HopIndex fix(const Address& address, std::uint16_t port, const MacAddress& mac);
    /// Holds `mbuf` until `hop` is resolved. Where no more may wait, the oldest for that neighbour leaves instead, or
    /// `mbuf` itself: Drop::neighbour_queue_full.
    void hold(HopIndex hop, rte_mbuf* mbuf, SteadyTime now);
    /// `hop` was retired, and no packet carries it any more: it may become somebody else's.
    void reuse(HopIndex hop) { free_.push_back(hop); }
    /// An ARP packet that arrived on `port`: Drop::none when it was taken, else why not.
    Drop arrived(std::uint16_t port, const ArpIpv4& arp, SteadyTime now);
    /// The same for an IPv6 packet with a message of RFC 4861, in a frame from the station `from`. We are a router that
    /// is told its routes by its operator: router solicitations, router advertisements and redirects are not taken.
    Drop arrived(std::uint16_t port, const MacAddress& from, std::span<const std::byte> packet, SteadyTime now);
    /// Retries, refreshes, time-outs, and places for newcomers. Call about ten times a second.
    void tick(SteadyTime now);

    struct View {
        Address address;
        std::optional<MacAddress> mac;
        std::uint16_t port;
        NeighbourState state;
        std::chrono::seconds age;
        std::size_t waiting;
    };
    std::vector<View> all(SteadyTime now) const;

private:
    struct Neighbour {
        Address address;
        std::uint16_t port = 0;
        HopIndex hop{};
        NeighbourState state = NeighbourState::incomplete;
        MacAddress mac;
        SteadyTime since{};  // of the state, or the last confirmation
        SteadyTime last_asked{};
        unsigned asked = 0;
        bool pinned = false;
        std::deque<rte_mbuf*> waiting;
    };
    struct Name {
        Address address;
        std::uint16_t port = 0;
        friend bool operator==(const Name&, const Name&) = default;
    };
    struct NameHash {
        std::size_t operator()(const Name& name) const {
            return hash_of(name.address, 0x51ed270b9f2ac3d1u + name.port);
        }
    };
    const LocalInterface* interface_at(std::uint16_t port) const;
    Neighbour* find(const Address& address, std::uint16_t port) const;
    Neighbour* add(const Address& address, std::uint16_t port, SteadyTime now);
    void ask(Neighbour& neighbour, SteadyTime now);
    void resolve(Neighbour& neighbour, const MacAddress& mac, SteadyTime now);
    void doubt(Neighbour& neighbour, SteadyTime now);
    void solicited(const LocalInterface& ours, const MacAddress& from, const NeighbourMessage& message, SteadyTime now);
    void advertised(const LocalInterface& ours, const NeighbourMessage& message, SteadyTime now);
    void hear_of(const LocalInterface& ours, const Address& address, const MacAddress& mac, SteadyTime now);
    void give_up(Neighbour& neighbour, SteadyTime now);
    void forget_failed(SteadyTime now);
    void publish(const Neighbour& neighbour);
    std::deque<rte_mbuf*> take_waiting(Neighbour& neighbour);

    std::vector<LocalInterface> interfaces_;
    std::size_t most_held_, held_ = 0;
    NeighbourActions& actions_;
    std::vector<std::unique_ptr<Neighbour>> neighbours_;  // by HopIndex - 1; null: retired or free
    std::vector<HopIndex> free_;
    SteadyTime forgot_{};
    std::unordered_map<Name, Neighbour*, NameHash> by_name_;
};

}  // namespace torii
