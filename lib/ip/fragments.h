// Fragmentation and reassembly (RFC 791 3.2, RFC 8200 4.5, RFC 815's aims by other means). What leaves and is too big
// for its link is cut; what arrives in pieces and must be whole, because IPsec knows whole packets alone (RFC 4301 7),
// is put together in memory bounded from the start. A worker's own; no locks, no allocation but of mbufs from a pool.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "ip/ipv6.h"
#include "packet/packet.h"
#include "sa/security_association.h"

namespace torii {

/// Cuts one packet into fragments of at most `mtu` octets, 68 or more for IPv4, 1,280 or more for IPv6. The packet
/// stays as it is meanwhile. An IPv4 packet may be a fragment itself and has its identification already; the fragments
/// of an IPv6 packet, which may not be one, get `identification`.
class FragmentCutter {
public:
    FragmentCutter(const Packet& packet, unsigned mtu, std::uint32_t identification);
    bool more() const { return at_ < payload_octets_; }
    /// Writes the next fragment, IP header and all, to `out`, which has room for `mtu` octets. Returns its octets.
    unsigned next(std::byte* out);

private:
    void finish_ipv4(std::byte* out, unsigned octets, bool last) const;
    void finish_ipv6(std::byte* out, unsigned octets, bool last) const;

    const Packet& packet_;
    unsigned mtu_, payload_octets_;
    std::uint32_t identification_;
    unsigned at_ = 0;                                 // octets of payload that have left
    std::array<std::byte, longest_ip_header> later_;  // the header of all fragments but the first, which in IPv6 is the
    unsigned first_octets_, later_octets_;            // same, and in IPv4 has options that the others do not repeat
    const std::byte* first_;
    IpsecPlace place_{};  // IPv6: what of the packet every fragment repeats
};

/// What fragments of one packet have in common.
struct FragmentKey {
    Address source, destination;
    std::uint32_t identification = 0;
    std::uint8_t protocol = 0;  // IPv4 alone: RFC 8200 4.5 tells IPv6 packets apart without
    Arrival arrival{};
    std::uint32_t serial = 0;  // of the SA it came out of: nobody adds a piece to another's packet
    friend bool operator==(const FragmentKey&, const FragmentKey&) = default;
};
FragmentKey key_of_fragment(const Packet& fragment);

/// Puts fragments together. At most `places` packets are under way at a time, and an eighth of those from one source.
class Reassembler {
public:
    static constexpr unsigned timeout_seconds = 30;
    /// `pool` has mbufs as large as the packets may become (large_room).
    Reassembler(rte_mempool& pool, unsigned places);
    ~Reassembler();
    Reassembler(const Reassembler&) = delete;
    Reassembler& operator=(const Reassembler&) = delete;

    /// Takes the valid fragment `packet`. True: it was the last that was missing, and `packet` is the whole packet
    /// now, in a buffer of its own, as parse_ipv4 or parse_ipv6 leave one. False: its octets are kept and its mbuf is
    /// gone, or it is marked. Its packet's earlier fragments may go with it: see take_abandoned().
    /// Drops: bad_fragment, fragment_repeated, fragment_overlap, reassembled_too_big, no_buffer; parse_ipv6's when the
    ///        whole is wrong.
    bool add(Packet& packet, std::uint32_t now_seconds);
    /// Gives up packets that have waited too long. `tell` gets the first fragment of each, where it has come, as it
    /// came: its mbuf and its end are `tell`'s from there on.
    void expire(std::uint32_t now_seconds, const std::function<void(Packet&)>& tell);
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
    struct Place;
    Place* find(const FragmentKey& key);
    Place* begin(const FragmentKey& key, std::uint32_t now_seconds);
    Drop store(Place& place, const Packet& packet) const;
    Drop finish(Place& place, Packet& packet);
    static Packet first_fragment(Place& place);
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
