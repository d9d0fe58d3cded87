// Fragmentation and reassembly of IPv4 packets (RFC 791 3.2, RFC 815's aims by other means). What leaves and is too big
// for its link is cut; what arrives in pieces and must be whole, because IPsec knows whole packets alone (RFC 4301 7),
// is put together in memory bounded from the start. A worker's own; no locks, no allocation but of mbufs from a pool.
#pragma once

#include <utility>
#include <vector>

#include "packet/packet.h"
#include "sa/security_association.h"

namespace torii {

/// Cuts one packet into fragments of at most `mtu` octets, 68 or more. The packet stays as it is meanwhile.
class FragmentCutter {
public:
    FragmentCutter(const Packet& packet, unsigned mtu);
    bool more() const { return at_ < payload_octets_; }
    /// Writes the next fragment, IP header and all, to `out`, which has room for `mtu` octets. Returns its octets.
    unsigned next(std::byte* out);

private:
    const Packet& packet_;
    unsigned mtu_, payload_octets_;
    unsigned at_ = 0;                  // octets of payload that have left
    std::array<std::byte, 60> later_;  // the header of all fragments but the first: not every option is repeated
    unsigned later_octets_;
};

/// Puts fragments together. At most `places` packets are under way at a time, and an eighth of those from one source.
class Reassembler {
public:
    static constexpr unsigned timeout_seconds = 30;
    /// `pool` has mbufs as large as the packets may become (large_room).
    Reassembler(rte_mempool& pool, unsigned places);
    ~Reassembler();
    Reassembler(const Reassembler&) = delete;
    Reassembler& operator=(const Reassembler&) = delete;

    /// Takes the valid IPv4 fragment `packet`. True: it was the last that was missing, and `packet` is the whole packet
    /// now, in a buffer of its own, as parse_ipv4 leaves one. False: its octets are kept and its mbuf is gone, or it is
    /// marked. Its packet's earlier fragments may go with it: see take_abandoned().
    /// Drops: bad_fragment, fragment_repeated, fragment_overlap, reassembled_too_big, no_buffer.
    bool add(Packet& packet, std::uint32_t now_seconds);
    /// Gives up packets that have waited too long.
    void expire(std::uint32_t now_seconds);
    /// How many fragments were given up, unmarked because their mbufs had gone, since the last call: by time or for
    /// want of a place; because another of their packet did not fit.
    struct Abandoned {
        std::uint64_t timed_out = 0, spoiled = 0;
    };
    Abandoned take_abandoned() { return std::exchange(abandoned_, {}); }
    /// Whether expire() and take_abandoned() could have anything to do.
    bool has_work() const { return in_use_.read() != 0 || abandoned_.timed_out != 0 || abandoned_.spoiled != 0; }
    /// Packets that wait for more. Any thread.
    unsigned waiting() const { return static_cast<unsigned>(in_use_.read()); }

private:
    struct Key {
        std::uint32_t source = 0, destination = 0;
        std::uint16_t identification = 0;
        std::uint8_t protocol = 0;
        Arrival arrival{};
        std::uint32_t serial = 0;  // of the SA it came out of: nobody adds a piece to another's packet
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct Place;
    static Key key_of(const Packet& packet);
    Place* find(const Key& key);
    Place* begin(const Key& key, std::uint32_t now_seconds);
    Drop store(Place& place, const Packet& packet) const;
    void finish(Place& place, Packet& packet);
    void give_up(Place& place, std::uint64_t& count);
    void clear(Place& place);

    rte_mempool& pool_;
    std::vector<Place> places_;
    Counter in_use_;
    Abandoned abandoned_;
};

/// Data room of the mbufs a Reassembler wants, and the longest packet it puts together.
inline constexpr unsigned large_room = 65535, longest_reassembled = 64000;

}  // namespace torii
