// The authoritative SAD and SPD: what operators and IKE have asked for, and the transactions that change it. Workers
// never see it; the Publisher turns its journal into what they see. No packets, no DPDK. Control thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <ranges>
#include <vector>

#include "control/operations.h"
#include "control/settings.h"
#include "gateway/filter_lists.h"
#include "gateway/tag_book.h"
#include "policy/spd.h"

namespace torii {

struct InboundSa;
struct OutboundSa;
struct TunnelHeader;

/// A point in time, for operators and for measuring: the wall clock may be set, the steady one may not.
struct Moment {
    std::int64_t unix_seconds = 0;
    std::chrono::steady_clock::time_point steady{};
};

/// One SA of the SAD with everything the control core keeps about it.
struct SaEntry {
    control::SaSpec spec;
    control::SaState state = control::SaState::mature;
    std::uint32_t serial = 0;  // order of creation; never reused
    Moment created{};
    bool shown = false;  // workers see it
    // The workers' blocks, built before publication; null for a larval SA or the direction it has not.
    InboundSa* inbound = nullptr;
    OutboundSa* outbound = nullptr;
    std::shared_ptr<const TunnelHeader> tunnel_header;  // outbound: its own, where SaSpec::own asks for one
    std::unique_ptr<std::uint64_t[]> replay_words;
    std::chrono::steady_clock::time_point moved_at{};  // its former ends still count; 0: no more, or it has none
    unsigned worker = 0;
    // What the control core remembers between looks at the workers' counters.
    std::uint64_t packets_seen = 0;
    std::int64_t last_used_unix_seconds = 0;
    bool soft_told = false;
    std::uint16_t path_mtu = 0;  // outbound: of its path, as an ICMP error told; 0: nothing is known
    std::chrono::steady_clock::time_point path_mtu_until{};
};
using SaPtr = std::shared_ptr<SaEntry>;

/// What may change of an SA that lives on.
struct SaTerms {
    ReqId reqid{};
    control::Lifetime hard, soft;
    control::SaState state{};
    bool soft_told = false;
};

/// What a move changes of an SA.
struct SaPlace {
    Endpoints ends;
    std::optional<control::UdpEncapsulation> udp;
};

/// One step of an applied transaction. `sa_kept` follows an `sa_removed` of the same SA: it was added again as it was,
/// so it lives on with its numbers, window and counters, under new terms.
struct Change {
    enum class Kind : std::uint8_t {
        sa_added,
        sa_removed,
        sa_kept,
        sa_moved,
        policy_added,
        policy_removed,
        filter_changed
    };
    Kind kind{};
    SaPtr sa;
    PolicyPtr policy;
    std::uint64_t order = 0;  // of a removed policy, so that undoing restores its place
    SaTerms before{};         // of a kept SA
    FilterListsPtr filter{};  // as it was before
    SaPlace place{};          // of a moved SA, before
};
using Journal = std::vector<Change>;

class Database {
public:
    /// Makes what workers will need of an SA or policy before anybody sees it, and takes back what was never seen.
    struct Builder {
        std::function<Result<void>(SaEntry&)> build;
        std::function<void(SaEntry&)> discard;
        std::function<Result<void>(const SaEntry&, const control::MoveSa&)> may_move;
        std::function<Result<void>(Policy&)> admit;
        std::function<void(const Policy&)> dismiss;
        std::function<bool(const std::string& port)> is_port;  // rules of the filter name them
    };
    /// `settings` are the caller's, who may change them between transactions: deflevs, and SPIs to choose from.
    Database(const control::Settings& settings, Builder builder) : settings_(settings), builder_(std::move(builder)) {}

    /// Applies all of `transaction`, or none of it; the journal tells what changed, in order.
    Result<std::vector<control::Outcome>> apply(std::vector<control::Located> transaction, const Moment& now,
                                                Journal& journal);

    /// Brings the levels that policies left to the system up to the settings. Returns the policies that have changed,
    /// each in its old place and with its id; a transaction cannot undo this.
    std::vector<PolicyPtr> settle_levels();

    const std::map<std::uint32_t, SaPtr>& sas() const { return by_serial_; }  // in order of creation
    SaPtr find(const control::SaId& id) const;
    /// Whether this SA, and not a later one of its id, still is.
    bool is_there(const SaEntry& sa) const { return by_serial_.contains(sa.serial); }
    /// The SAs of these addresses and protocol, and of `reqid` unless that is 0, in order of creation. Valid until the
    /// next transaction.
    auto between(const Endpoints& ends, IpsecProtocol protocol, ReqId reqid = {}) const {
        const auto first = by_ends_.lower_bound({ends, protocol, reqid, 0});
        const auto last = by_ends_.upper_bound({ends, protocol, reqid, ~std::uint32_t{0}});
        return std::ranges::subrange(first, last) | std::views::values;
    }
    const Spd& spd() const { return spd_; }
    const FilterListsPtr& filter() const { return filter_; }
    const TagBook& tags() const { return tags_; }

private:
    using SpiKey = std::tuple<Address, IpsecProtocol, Spi>;  // destination first: what makes an SA unique
    using EndsKey = std::tuple<Endpoints, IpsecProtocol, ReqId, std::uint32_t>;  // the last is the serial
    struct Run;                                                                  // one transaction under way

    const control::Settings& settings_;
    Builder builder_;
    std::map<control::SaId, SaPtr> by_id_;
    std::map<SpiKey, SaPtr> by_spi_;
    struct KeyOrder {  // keys stay where their SAs hold them
        bool operator()(const SecretBytes* a, const SecretBytes* b) const {
            return std::ranges::lexicographical_compare(a->octets(), b->octets());
        }
    };
    std::map<const SecretBytes*, SaPtr, KeyOrder> by_counter_key_;  // SAs of counter-mode ciphers: no two share a key
    std::map<std::uint32_t, SaPtr> by_serial_;
    std::map<EndsKey, SaPtr> by_ends_;  // each SA under reqid 0, and under its own when it has one
    Spd spd_;
    FilterListsPtr filter_ = std::make_shared<const FilterLists>();
    TagBook tags_;
    std::uint32_t next_serial_ = 1;
    std::uint32_t next_policy_id_ = 1;
    std::uint32_t next_reqid_ = first_automatic_reqid;
};

}  // namespace torii
