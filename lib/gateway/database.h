// The authoritative SAD and SPD: what operators and IKE have asked for, and the transactions that change it. Workers
// never see it; the Publisher turns its journal into what they see. No packets, no DPDK. Control thread.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "control/operations.h"
#include "policy/spd.h"

namespace torii {

struct InboundSa;
struct OutboundSa;

/// One SA of the SAD with everything the control core keeps about it.
struct SaEntry {
    control::SaSpec spec;
    control::SaState state = control::SaState::mature;
    std::uint32_t serial = 0;  // order of creation; never reused
    std::int64_t created_unix_seconds = 0;
    // The workers' blocks, built before publication; null for a larval SA or the direction it has not.
    InboundSa* inbound = nullptr;
    OutboundSa* outbound = nullptr;
    std::unique_ptr<std::uint64_t[]> replay_words;
    unsigned worker = 0;
    // What the control core remembers between looks at the workers' counters.
    std::uint64_t packets_seen = 0;
    std::int64_t last_used_unix_seconds = 0;
    bool soft_told = false;
};
using SaPtr = std::shared_ptr<SaEntry>;

/// One step of an applied transaction.
struct Change {
    enum class Kind : std::uint8_t { sa_added, sa_removed, policy_added, policy_removed };
    Kind kind{};
    SaPtr sa;
    PolicyPtr policy;
    std::uint64_t order = 0;  // of a removed policy, so that undoing restores its place
};
using Journal = std::vector<Change>;

class Database {
public:
    struct Settings {
        Level esp_trans_deflev = Level::use, esp_net_deflev = Level::use;
        Level ah_trans_deflev = Level::use, ah_net_deflev = Level::use;
        std::uint32_t spi_minimum = 0x100, spi_maximum = 0x0fffffff;  // for GetSpi
    };
    /// Makes what workers will need of an SA or policy before anybody sees it, and takes back what was never seen.
    struct Builder {
        std::function<Result<void>(SaEntry&)> build;
        std::function<void(SaEntry&)> discard;
        std::function<Result<void>(Policy&)> admit;
        std::function<void(const Policy&)> dismiss;
    };
    Database(const Settings& settings, Builder builder) : settings_(settings), builder_(std::move(builder)) {}

    /// Applies all of `transaction`, or none of it; the journal tells what changed, in order.
    Result<std::vector<control::Outcome>> apply(std::vector<control::Located> transaction,
                                                std::int64_t now_unix_seconds, Journal& journal);

    const std::map<std::uint32_t, SaPtr>& sas() const { return by_serial_; }  // in order of creation
    SaPtr find(const control::SaId& id) const;
    /// All SAs of these addresses and protocol.
    std::vector<SaPtr> between(const Address& source, const Address& destination, IpsecProtocol protocol) const;
    const Spd& spd() const { return spd_; }

private:
    using SpiKey = std::tuple<Address, IpsecProtocol, Spi>;  // destination first: what makes an SA unique
    struct Run;                                              // one transaction under way

    Settings settings_;
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
    Spd spd_;
    std::uint32_t next_serial_ = 1;
    std::uint32_t next_policy_id_ = 1;
    std::uint32_t next_reqid_ = first_automatic_reqid;
};

}  // namespace torii
