// The SAD as workers touch it: one contiguous block per SA, hot line first and expanded keys behind, so that a pointer
// is all that is needed to prefetch whatever the packet will want (RFC 4301 4.4.2). The control thread builds a block
// before it publishes it; afterwards the fields marked `owner` are written by the SA's owning worker alone, those
// marked `control` by the control thread.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "crypto/engine.h"
#include "net/headers.h"
#include "policy/policy.h"
#include "sa/replay_window.h"
#include "sa/tunnel_header.h"

namespace torii {

/// A number one thread writes and others may read at any moment.
class Counter {
public:
    void add(std::uint64_t n) { set(read() + n); }
    void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
    std::uint64_t read() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

inline constexpr std::uint64_t unlimited = ~std::uint64_t{0};

/// Limits of an SA in packets, which one comparison watches: no packet up to `watch` is near any of them.
struct PacketLimits {
    Counter soft, hard;  // control; owner makes soft unlimited once told
};
class PacketWatch {
public:
    bool is_reached(std::uint64_t packet) const { return packet > last_.load(std::memory_order_relaxed); }
    /// Control thread: the limits have changed. `end`: where the SA ends in any case.
    void set(const PacketLimits& limits, std::uint64_t end) {
        last_.store(next(limits, end), std::memory_order_relaxed);
    }
    std::uint64_t seen() const { return last_.load(std::memory_order_relaxed); }
    /// Owner: what it saw is dealt with; unless the control thread has set another meanwhile.
    void move_on(std::uint64_t seen, const PacketLimits& limits, std::uint64_t end) {
        last_.compare_exchange_strong(seen, next(limits, end), std::memory_order_relaxed);
    }

private:
    static std::uint64_t next(const PacketLimits& limits, std::uint64_t end) {
        const std::uint64_t soft = limits.soft.read();
        return std::min({end, limits.hard.read(), soft == unlimited ? unlimited : soft - 1});
    }
    std::atomic<std::uint64_t> last_{unlimited};
};

/// In the place of an IPComp SA's SPI where its packets bear DEFLATE's own CPI, which is every such SA's (RFC
/// 3173 3.3): it has no 16 bits, so that no packet names it, and the SA is found by its ends.
inline constexpr std::uint32_t spi_of_everybody = 0x1'0002;

/// Head of a tunnel's packets: outer IP header with everything that does not change from packet to packet.
union OuterHeader {
    struct Ipv4 {
        Ipv4Header ip;                // what packets differ in (write_outer) is filled in per packet
        std::uint32_t checksum_part;  // ones' complement sum of the constant fields, host order
    };
    Ipv4 ipv4;
    Ipv6Header ipv6{};
};

/// Where an SA's packets go: what stands in front of them. A value that is replaced as a whole when the SA moves; a
/// packet takes one of them and keeps to it.
struct OutboundPath {
    OuterHeader outer;
    UdpPorts udp;  // of ESP in UDP (RFC 3948)
    unsigned udp_octets() const { return udp.is_used() ? unsigned{sizeof(UdpHeader)} : 0u; }
};

struct alignas(64) OutboundSa {
    // ---- line 0: every packet
    Counter next_sequence;             // owner: the number the next packet gets; starts at 1
    PacketWatch watch;                 // numbers beyond it want a look at `limits`
    std::uint64_t iv_start = 0;        // counter modes: IV = this + sequence, never twice under one key
    Counter octets;                    // owner: octets of protected IP packets
    Counter octets_soft, octets_hard;  // control; owner makes soft unlimited once told
    Big32 spi{};
    std::atomic<std::uint16_t> next_hop{0};  // control: HopIndex toward the tunnel's far end
    std::atomic<std::uint16_t> mtu{1500};    // control: octets of an IP packet toward there
    std::uint8_t owner = 0;                  // worker index
    SuiteIndex suite{};
    Mode mode = Mode::transport;  // without a chain; mode any is settled by the first policy that uses the SA
    std::uint8_t iv_octets = 0;
    std::uint8_t icv_octets = 0;
    std::uint8_t alignment_mask = 3;  // text is padded to a multiple of this + 1
    bool counter_iv : 1 = false;
    bool extended_sequence : 1 = false;
    std::atomic<bool> has_moved{false};  // control
    // ---- line 1
    std::uint32_t serial = 0;  // of this SA, never reused
    IpsecProtocol protocol = IpsecProtocol::esp;
    Family family = Family::ipv4;  // of its ends, wherever they are
    Padding padding = Padding::sequential;
    std::atomic<std::uint8_t> class_authenticated{0};  // control; AH over IPv4: mask on DSCP and ECN
    OutboundPath first_path;                           // as long as it has not moved
    std::uint16_t tfc_octets = 0;    // in tunnel mode shorter packets are padded to this (RFC 4303 2.7); 0: none
    std::uint8_t header_octets = 8;  // of ESP or AH in front of IV or ICV: 4 less in their old forms
    std::uint8_t engine_octets = 8;  // what the engine takes for ESP header and IV
    std::atomic<const TunnelHeader*> tunnel{&usual_tunnel_header};  // control; never null
    // ---- lines 2..
    alignas(64) std::byte key[key_block_octets]{};
    // ---- behind: what the watch leads to
    std::uint64_t last_sequence = unlimited;  // the last number that may be sent
    PacketLimits limits;
    std::atomic<const OutboundPath*> moved_path{nullptr};  // control
    std::uint16_t cpi = 0;                                 // IPComp: as on the wire
    bool first_fragments_alone = false;                    // as SaSpec's
    std::uint16_t texts_to_pass_over = 0;                  // owner; IPComp: this many are not worth a try
    std::uint16_t incompressible_texts = 0;                // owner; IPComp: in a row

    unsigned outer_octets() const {
        return family == Family::ipv4 ? unsigned{sizeof(Ipv4Header)} : unsigned{sizeof(Ipv6Header)};
    }
    /// Valid until the reader's next quiescent state.
    const OutboundPath& path() const {
        if (has_moved.load(std::memory_order_acquire)) [[unlikely]]
            return *moved_path.load(std::memory_order_acquire);
        return first_path;
    }
};
static_assert(offsetof(OutboundSa, serial) == 64 && offsetof(OutboundSa, key) == 128);

/// Where the ends of an inbound SA are that has moved, and for a few seconds also where they were: packets and policies
/// may know either by then. Replaced as a whole.
struct MovedEnds {
    Endpoints now;
    std::optional<Endpoints> before;
};

/// How an inbound SA's ESP may come, as bits: in both ways for a few seconds when it has moved.
inline constexpr std::uint8_t form_bare = 1, form_in_udp = 2;

struct alignas(64) InboundSa {
    // ---- line 0: every packet
    ReplayWindow replay;  // owner; 40 octets
    Big32 spi{};
    SuiteIndex suite{};
    std::uint8_t iv_octets = 0;
    std::uint8_t icv_octets = 0;
    std::uint8_t alignment_mask = 3;
    std::uint8_t owner = 0;
    std::uint32_t destination_ipv4 = 0;  // as on the wire; 0 for other families
    Mode mode = Mode::any;               // any: tunnel when the inner protocol is IP, transport otherwise
    bool extended_sequence : 1 = false;
    bool ordered_padding : 1 = true;             // the peer pads with 1, 2, 3, ...: check it (RFC 4303 2.4)
    bool has_sequence : 1 = true;                // ESP and AH in their old forms have none
    std::atomic<std::uint8_t> forms{form_bare};  // control
    IpsecProtocol protocol = IpsecProtocol::esp;
    std::uint8_t header_octets = 8;  // as OutboundSa's
    std::uint8_t engine_octets = 8;
    std::atomic<std::uint8_t> ecn_believed{3};  // control; mask on the outer header's ECN (RFC 6040 4.2)
    // ---- line 1
    alignas(64) Counter octets;        // owner
    Counter packets;                   // owner
    Counter octets_soft, octets_hard;  // control; owner makes soft unlimited once told
    PacketWatch watch;                 // packets beyond it want a look at `limits`
    Address destination;               // ours, as long as it has not moved; so are the two others
    std::uint32_t serial = 0;
    // ---- line 2: what the policy check and a bad day want
    Address source;
    std::atomic<const MovedEnds*> moved{nullptr};      // control
    std::atomic<ReqId> reqid{};                        // control
    std::atomic<std::uint8_t> class_authenticated{0};  // control; as OutboundSa's
    Counter icv_failures, replays;                     // owner
    // ---- lines 3..
    alignas(64) std::byte key[key_block_octets]{};
    // ---- behind: what the watch leads to
    PacketLimits limits;

    bool comes(bool in_udp) const { return forms.load(std::memory_order_relaxed) & (in_udp ? form_in_udp : form_bare); }
    bool is_between(const Endpoints& ends) const {
        const MovedEnds* const elsewhere = moved.load(std::memory_order_acquire);
        if (elsewhere == nullptr) return ends.destination == destination && ends.source == source;
        return ends == elsewhere->now || ends == elsewhere->before;
    }
    bool is_at(const Address& address) const {
        const MovedEnds* const elsewhere = moved.load(std::memory_order_acquire);
        if (elsewhere == nullptr) return address == destination;
        return address == elsewhere->now.destination ||
               (elsewhere->before && address == elsewhere->before->destination);
    }
};
static_assert(offsetof(InboundSa, octets) == 64 && offsetof(InboundSa, key) == 192);

/// What a policy's packets go through: the SAs in order of application, innermost first.
struct SaChain {
    std::uint8_t size = 0;
    bool incomplete = false;  // a request of level use is skipped for want of an SA: packets ask for one as they pass
    std::array<OutboundSa*, max_requests> sas{};
    std::array<Mode, max_requests> modes{};  // each request's own: an SA of mode any serves both
};

/// Where workers find what a policy (or one address pair under it) does to its packets right now. The control thread
/// swaps the value when SAs come and go; flows keep the cell's address. One word, so that a packet of the common
/// case, one SA, needs no chain object: the low bits tell what the rest is. `clear` is a policy all of whose requests
/// are of level use and without SA; there and with `no_sa` packets ask for one.
class ChainCell {
public:
    enum class Kind : std::uintptr_t { one_sa = 0, chain = 1, clear = 2, no_sa = 3 };
    struct Value {
        std::uintptr_t bits = static_cast<std::uintptr_t>(Kind::no_sa);
        Kind kind() const { return static_cast<Kind>(bits & 3); }
        OutboundSa* sa() const { return reinterpret_cast<OutboundSa*>(bits); }
        const SaChain* chain() const { return reinterpret_cast<const SaChain*>(bits & ~std::uintptr_t{3}); }
    };
    static Value one(OutboundSa* sa) { return {reinterpret_cast<std::uintptr_t>(sa)}; }
    static Value many(const SaChain* chain) {
        return {reinterpret_cast<std::uintptr_t>(chain) | static_cast<std::uintptr_t>(Kind::chain)};
    }
    static Value clear() { return {static_cast<std::uintptr_t>(Kind::clear)}; }
    static Value none() { return {}; }

    /// Worker: valid until its next quiescent state.
    Value read() const { return {bits_.load(std::memory_order_acquire)}; }
    /// Control thread; what the old value pointed to goes to the retire list afterwards.
    void publish(Value value) { bits_.store(value.bits, std::memory_order_release); }

private:
    std::atomic<std::uintptr_t> bits_{static_cast<std::uintptr_t>(Kind::no_sa)};
};

}  // namespace torii
