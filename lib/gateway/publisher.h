// Turns what the database holds into what workers see: SA blocks with expanded keys, the SPI index, compiled policies,
// and for each policy the SAs its packets go through right now (its chain cell). Everything it takes away goes to the
// retire list. Control thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "crypto/engine.h"
#include "dataplane/tables.h"
#include "gateway/configuration.h"
#include "gateway/database.h"
#include "sa/arena.h"

namespace torii {

/// What the publisher wants to know about the network; answered by the gateway.
struct Surroundings {
    std::function<bool(const Address&)> is_own;
    struct Toward {
        HopIndex hop{};
        std::uint16_t mtu = 1500;
    };
    std::function<Toward(const Address&)> toward;  // may start ARP
    std::function<std::optional<std::uint16_t>(const std::string&)> port_named;
};

class Publisher {
public:
    static constexpr std::size_t most_sas = 131072;    // each way
    static constexpr std::size_t most_cells = 262144;  // policies and address pairs under them

    struct Settings {
        unsigned workers = 1;
        std::uint64_t seed = 0;
        control::Settings live = {};
        DscpMap dscp_map = unchanged_dscps();
    };
    /// Errc::io when memory cannot be reserved.
    static Result<std::unique_ptr<Publisher>> make(const Settings& settings, const CryptoBook& crypto,
                                                   Surroundings surroundings);
    ~Publisher();
    /// The suite of the SA's packets; any where nothing is encrypted or authenticated. Errors as CryptoBook::suite.
    static Result<SuiteIndex> suite_of(const CryptoBook& crypto, const control::SaSpec& spec);

    /// The retire list is known once the workers' rings are; before start().
    void start(RetireList& retired, std::vector<Arrival> port_arrival, Gifs gifs, HopIndex host_hop);
    /// For the database: builds blocks that nobody sees yet.
    Database::Builder builder();
    /// Shows workers what a committed transaction changed.
    void publish(const Journal& journal, const Database& database);
    /// Shows workers new routes, or that hops they remember are gone; turns every SA toward its next hop and has every
    /// flow decided anew.
    void publish_routes(std::shared_ptr<const Routes> routes, const Database& database);
    /// Shows workers policies that have other levels than before, and are the same otherwise.
    void publish_levels(std::span<const PolicyPtr> changed, const Database& database);
    /// Turns an outbound SA toward its next hop, and shows workers the MTU of its path: the link's, or what was learnt.
    void show_path(const SaEntry& entry);
    /// The former ends of an SA that has moved count no more.
    void settle(SaEntry& entry);
    /// Shows workers settings that have changed.
    void publish_settings(const control::Settings& settings, const Database& database);
    /// The requests of an outbound `policy` for which a packet between these addresses finds no SA, as far as the first
    /// that stops it; each with the ends that its SA would stand between.
    std::vector<Request> lacking(const Policy& policy, const Endpoints& packet, const Database& database) const;

    /// The outbound policy that stops such a packet for want of an SA; null when none does (any more).
    const Policy* stopped_by(const PacketSelector& packet) const;

    Tables& tables() { return tables_; }
    std::size_t inbound_sas() const { return inbound_.in_use(); }
    std::size_t outbound_sas() const { return outbound_.in_use(); }

private:
    Publisher(const Settings& settings, const CryptoBook& crypto, Surroundings surroundings, Arena<InboundSa> inbound,
              Arena<OutboundSa> outbound);

    // SA blocks
    Result<void> build(SaEntry& entry);
    void fill(const SaEntry& entry, InboundSa& sa) const;
    void fill(const SaEntry& entry, OutboundSa& sa) const;
    void obey_settings(SaEntry& entry);
    void release(SaEntry& entry);
    void show(SaEntry& entry);
    void show_by_ends(const SaEntry& entry, const Database& database);
    void hide(SaEntry& entry);
    void index(InboundSa& sa, const Address& destination);
    Result<void> may_move(const SaEntry& entry, const control::MoveSa& move) const;
    void move(SaEntry& entry, const Endpoints& before);
    void set_ends(InboundSa& sa, const MovedEnds& ends);

    // chain cells
    static bool wants_cell(const Policy& policy);
    Result<void> admit(Policy& policy);
    void dismiss(const Policy& policy);
    struct PolicyCells {
        PolicyPtr policy;
        std::map<Endpoints, ChainCell*> pairs;  // per-pair policies only
    };
    /// Policies that a transaction makes resolve anew, each once however many SAs it changes.
    struct Affected {
        bool all_pairs = false;
        std::set<Endpoints> pairs;  // of a per-pair policy
    };
    using AffectedPolicies = std::map<std::uint32_t, Affected>;
    void index_policies(const Database& database);
    void publish_policies(const Journal& journal, const Database& database, AffectedPolicies& affected);
    void add_policy(const PolicyPtr& policy, const Database& database, AffectedPolicies& affected);
    void remove_policy(const PolicyPtr& policy);
    void collect(const SaEntry& entry, const Endpoints& ends, ReqId reqid, AffectedPolicies& affected) const;
    void refresh(PolicyCells& cells, Affected& affected, const Database& database);
    void refresh_pair(PolicyCells& cells, const Endpoints& ends, const Database& database);
    struct Step {
        Request request;  // with the ends its SA stands between
        SaEntry* sa;      // null: there is none
    };
    std::vector<Step> steps(const Policy& policy, Endpoints packet, const Database& database) const;
    ChainCell::Value resolve(const Policy& policy, const Endpoints& packet, const Database& database);
    SaEntry* choose(const Request& request, const Database& database) const;
    void set(ChainCell& cell, ChainCell::Value value);
    using Want = std::pair<Endpoints, ReqId>;  // reqid 0: any
    static std::set<Want> fixed_wants(const Policy& policy);
    ChainCell* take_cell(PolicyId policy);
    void retire_cell(ChainCell* cell);
    void publish_rules();
    void publish_filter(const Database& database);

    Settings settings_;
    std::unique_ptr<const TunnelHeader> tunnel_header_;  // what every outbound SA points to
    const CryptoBook& crypto_;
    Surroundings surroundings_;
    RetireList* retired_ = nullptr;
    Arena<InboundSa> inbound_;
    Arena<OutboundSa> outbound_;
    std::map<Endpoints, SaPtr> by_ends_;  // SAs in the index without an SPI of their own
    std::unique_ptr<ChainCell[]> cells_;
    std::unique_ptr<PolicyId[]> cell_policies_;  // whose each cell is; written before anybody sees the cell
    std::vector<std::uint32_t> free_cells_;
    Tables tables_;

    std::map<std::uint32_t, PolicyCells> policies_;  // outbound, PROTECT; by PolicyId
    std::multimap<Want, std::uint32_t> by_wants_;    // policies by the SAs they may use, as far as their ends are fixed
    std::set<std::uint32_t> per_pair_;

    // the parts of the next Rules
    std::shared_ptr<const SpdIndex> spd_in_, spd_out_;
    bool has_idle_limits_ = false;  // some policy ends when it is not used
    std::shared_ptr<const Routes> routes_;
    bool pairs_stale_ = true;  // pairs_ does not say what policies_ does
    std::shared_ptr<const PairCells> pairs_;
    std::vector<Arrival> port_arrival_;
    Gifs gifs_;
    HopIndex host_hop_{};
    unsigned next_worker_in_ = 0, next_worker_out_ = 0;  // each way takes turns: one-way load reaches every worker
    std::uint32_t generation_ = 0;
};

}  // namespace torii
