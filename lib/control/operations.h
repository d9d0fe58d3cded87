// THE SEAM: what a front door (setkey, PF_KEY, the shell, IKE) may ask of the gateway, as plain values modelled on
// PF_KEY (RFC 2367 and KAME's extensions), and what it is told. No DPDK here. Values move through the control thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/secret_bytes.h"
#include "control/filter_rule.h"
#include "control/settings.h"
#include "crypto/registry.h"
#include "net/headers.h"
#include "policy/policy.h"

namespace torii::control {

using torii::Padding;
using torii::Spi;

struct SaId {
    Address source, destination;
    IpsecProtocol protocol = IpsecProtocol::esp;
    Spi spi{};
    friend auto operator<=>(const SaId&, const SaId&) = default;
};

/// 0 in a field: no limit.
struct Lifetime {
    std::uint64_t seconds = 0, octets = 0, packets = 0;
    friend bool operator==(const Lifetime&, const Lifetime&) = default;
};

/// How an SA's ESP goes through NAT (RFC 3948).
struct UdpEncapsulation {
    std::uint16_t source_port = nat_traversal_port, destination_port = nat_traversal_port;
    std::optional<Address> original_address;  // NAT-OA: what the peer behind the NAT calls itself (RFC 3947 5.2)
    friend bool operator==(const UdpEncapsulation&, const UdpEncapsulation&) = default;
};

/// Everything that defines an SA. Not copyable: it holds keys.
struct SaSpec {
    SaId id;
    Mode mode = Mode::any;
    ReqId reqid{};
    std::uint32_t replay_octets = 0;  // -r as KAME counts: 8 packets each; 0: no check
    bool cyclic_sequence = true;      // CYCSEQ, KAME's default
    Padding padding = Padding::sequential;
    bool extended_sequence = false;        // ESN
    bool first_fragments_alone = false;    // the tunnel's peer takes no later ones (RFC 4301 7.3)
    bool old = false;                      // ESP as in RFC 1827, AH as in RFC 1826: neither has sequence numbers
    std::uint16_t tfc_octets = 0;          // shorter packets are padded to this in their tunnel (RFC 4303 2.7); 0: none
    std::uint16_t dummies_per_second = 0;  // packets without meaning that hide how much is said (RFC 4303 2.6)
    OwnSettings own;                       // of its tunnel's outer header
    CipherId cipher = CipherId::null;
    SecretBytes cipher_key;  // with the salt behind it, as setkey takes it
    AuthId auth = AuthId::null;
    SecretBytes auth_key;
    std::optional<UdpEncapsulation> udp;  // of ESP
    bool raw_cpi =
        false;  // IPComp: the SPI is the CPI on the wire; otherwise it only names the SA, and DEFLATE's own is
    Lifetime hard, soft;
};

enum class SaState : std::uint8_t { larval, mature, dying, dead };
std::string_view name_of(SaState state);

/// One SA as a dump shows it. Borrowed for the call: keys stay where they are.
struct SaView {
    const SaSpec& spec;
    SaState state = SaState::mature;
    bool inbound = false;
    std::uint64_t sequence = 0;  // outbound: last sent; inbound: highest received
    std::int64_t created_unix_seconds = 0;
    std::int64_t last_used_unix_seconds = 0;  // 0: never
    std::uint64_t octets = 0, packets = 0;
    std::uint64_t icv_failures = 0, replays = 0;  // inbound
    unsigned worker = 0;                          // its owner
    unsigned mtu = 0;                             // outbound: octets of a packet of this SA that fit its path
    unsigned path_mtu = 0;                        // outbound: learnt from an ICMP error (RFC 4301 8.2); 0: nothing is
};

struct PolicyView {
    const Policy& policy;
    std::int64_t last_used_unix_seconds = 0;  // 0: never
};

// ---- operations

struct AddSa {
    SaSpec spec;
};
struct UpdateSa {  // the SA of the same id must be there; keys and lifetimes are replaced
    SaSpec spec;
};
/// The SA's ends are elsewhere from now on: its addresses, of the family they were of, and how it goes in UDP. All else
/// goes on, sequence number and window above all, which would be spent under its key otherwise. What is on its way to
/// where it was is taken for a few seconds more.
struct MoveSa {
    SaId id;  // as it is called now
    Address source, destination;
    std::optional<UdpEncapsulation> udp;
};
struct GetSpi {  // makes a larval SA, which lives for net.key.larval_lifetime; `spi` 0: the gateway chooses
    SaId id;
    Mode mode = Mode::any;
    ReqId reqid{};
    std::uint32_t lowest = 0, highest = 0;  // of what it chooses from; 0: net.key.spi_minval, net.key.spi_maxval
};
struct DeleteSa {
    SaId id;
};
struct DeleteAllSas {  // of this source, destination and protocol
    Address source, destination;
    std::optional<IpsecProtocol> protocol;
};
struct FlushSas {
    std::optional<IpsecProtocol> protocol;
};
struct AddPolicy {
    Policy policy;  // id, slot, created and last_use are the gateway's to give
};
struct UpdatePolicy {  // adds when absent; replaces, and moves to the end of its priority, when present
    Policy policy;
};
struct DeletePolicy {
    Direction direction;
    Selector selector;
};
struct FlushPolicies {};     // the SPD's; sockets keep theirs
struct DeleteSocketPolicy {  // one that AddPolicy made for a socket; nothing happens when it is gone already
    PolicyId policy{};
};
/// One change of the packet filter.
struct ChangeFilter {
    enum class Kind : std::uint8_t { add, remove, flush, set_default };
    Kind kind{};
    Hook hook{};
    FilterRule rule;           // add
    std::uint32_t id = 0;      // add: stands before this rule, 0: at the end. remove: this rule
    FilterAction otherwise{};  // set_default: for what no rule matches
};

using Operation = std::variant<AddSa, UpdateSa, MoveSa, GetSpi, DeleteSa, DeleteAllSas, FlushSas, AddPolicy,
                               UpdatePolicy, DeletePolicy, FlushPolicies, DeleteSocketPolicy, ChangeFilter>;

/// Where an operation came from, for errors: "FILE:12". Empty: not from a text.
struct Located {
    Operation operation;
    std::string where;
};

/// What one operation of an applied transaction brought about; in the operations' order.
struct Outcome {
    std::optional<Spi> spi;          // GetSpi
    std::optional<PolicyId> policy;  // AddPolicy, UpdatePolicy
    std::size_t removed = 0;         // deletes and flushes
    std::uint32_t filter_rule = 0;   // ChangeFilter::Kind::add: its id
    std::string warning{};           // what was done and is hardly meant; empty: nothing
};

// ---- events, told to whoever listens

/// The first octets of a packet, its IP header in front: as much as whoever caused it wants quoted.
struct PacketStart {
    static constexpr std::size_t most = 64;
    std::array<std::byte, most> octets{};
    std::uint8_t size = 0;
    std::span<const std::byte> view() const { return std::span{octets}.first(size); }
};

struct Event {
    enum class Kind : std::uint8_t {
        acquire,  // a policy wants an SA that is not there
        expire_soft,
        expire_hard,         // the SA is gone, a larval one as well
        sequence_exhausted,  // the SA stopped (RFC 4303 3.3.3)
        replayed,
        bad_icv,
        unknown_spi,
        selector_mismatch,  // a packet came otherwise than its policy asks (RFC 4301 5.2)
        notices_lost,       // more happened than could be told: `repeated` counts what nothing else tells of
        sa_added,
        sa_deleted,
        policy_added,
        policy_deleted,
        policy_expired,  // its lifetime or validtime is over: it is gone
    };
    Kind kind{};
    std::int64_t unix_seconds = 0;  // when it was told
    SaId sa{};
    PolicyId policy{};
    std::optional<Request> request;  // acquire: the one of the policy's that wants an SA; `sa` has its ends and no SPI
    std::uint64_t sequence = 0;
    std::uint32_t flow_label = 0;  // of the packet, where that is IPv6
    PacketSelector packet{};       // of the packet that caused it, where there is one
    PacketStart start{};           // selector_mismatch: of that packet
    std::uint64_t repeated = 1;    // how many the rate limit folded into this one
};
std::string_view name_of(Event::Kind kind);

}  // namespace torii::control
