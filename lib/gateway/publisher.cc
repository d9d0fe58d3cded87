#include "gateway/publisher.h"

#include <algorithm>

#include "gateway/tunnel_rules.h"

namespace torii {

namespace {

Endpoints ends_of(const SaEntry& sa) { return {sa.spec.id.source, sa.spec.id.destination}; }

}  // namespace

Result<std::unique_ptr<Publisher>> Publisher::make(const Settings& settings, const CryptoBook& crypto,
                                                   Surroundings surroundings) {
    TORII_TRY(auto inbound, Arena<InboundSa>::make(most_sas));
    TORII_TRY(auto outbound, Arena<OutboundSa>::make(most_sas));
    return std::unique_ptr<Publisher>{
        new Publisher{settings, crypto, std::move(surroundings), std::move(inbound), std::move(outbound)}};
}

Publisher::Publisher(const Settings& settings, const CryptoBook& crypto, Surroundings surroundings,
                     Arena<InboundSa> inbound, Arena<OutboundSa> outbound)
    : settings_(settings),
      tunnel_header_(std::make_unique<const TunnelHeader>(tunnel_header(settings.live, settings.dscp_map))),
      crypto_(crypto),
      surroundings_(std::move(surroundings)),
      inbound_(std::move(inbound)),
      outbound_(std::move(outbound)),
      cells_(std::make_unique<ChainCell[]>(most_cells)),
      cell_policies_(std::make_unique<PolicyId[]>(most_cells)),
      spd_in_(std::make_shared<SpdIndex>(std::vector<PolicyPtr>{})),
      spd_out_(spd_in_),
      routes_(std::make_shared<Routes>(std::vector<Route>{}, std::vector<Address>{})) {
    for (std::uint32_t i = most_cells; i > 0; --i) free_cells_.push_back(i - 1);
    tables_.sad.store(new SpiIndex{64, settings_.seed});
}

/// Workers have stopped: what cells still point to goes with us.
Publisher::~Publisher() {
    for (std::size_t i = 0; i < most_cells; ++i)
        if (const auto value = cells_[i].read(); value.kind() == ChainCell::Kind::chain) delete value.chain();
}

void Publisher::start(RetireList& retired, std::vector<Arrival> port_arrival, Gifs gifs, HopIndex host_hop) {
    retired_ = &retired;
    port_arrival_ = std::move(port_arrival);
    gifs_ = std::move(gifs);
    host_hop_ = host_hop;
    publish_rules();
}

// ---- transactions

void Publisher::publish(const Journal& journal, const Database& database) {
    std::map<std::uint32_t, SaPtr> touched;  // each SA once, whatever happened to it on the way
    AffectedPolicies affected;
    for (const Change& change : journal)
        if (change.sa) touched.emplace(change.sa->serial, change.sa);
    const auto stays = [&](const SaPtr& sa) { return database.sas().contains(sa->serial); };
    // What replaces an SA is there before the SA goes, so that no packet in between finds neither.
    for (const auto& [serial, sa] : touched)
        if (stays(sa)) show(*sa);
    std::set<std::uint32_t> moved;  // each once, from where workers know it
    for (const Change& change : journal)
        if (change.kind == Change::Kind::sa_moved && stays(change.sa) && moved.insert(change.sa->serial).second)
            move(*change.sa, change.place.ends);
    for (const auto& [serial, sa] : touched) show_by_ends(*sa, database);
    for (const auto& [serial, sa] : touched)
        if (!stays(sa)) hide(*sa);
    const bool policies_changed = std::ranges::any_of(journal, [](const Change& c) { return c.policy != nullptr; });
    if (policies_changed) publish_policies(journal, database, affected);
    for (const auto& [serial, sa] : touched) collect(*sa, ends_of(*sa), sa->spec.reqid, affected);
    for (const Change& change : journal) {
        if (change.kind == Change::Kind::sa_kept)
            collect(*change.sa, ends_of(*change.sa), change.before.reqid, affected);
        if (change.kind == Change::Kind::sa_moved)
            collect(*change.sa, change.place.ends, change.sa->spec.reqid, affected);
    }
    // Cells leave the SAs that went before those may be freed, and reach the new ones.
    for (auto& [id, how] : affected)
        if (const auto at = policies_.find(id); at != policies_.end()) refresh(at->second, how, database);
    if (policies_changed || pairs_stale_) publish_rules();
    if (std::ranges::any_of(journal, [](const Change& c) { return c.kind == Change::Kind::filter_changed; }))
        publish_filter(database);
    for (const auto& [serial, sa] : touched)
        if (!stays(sa)) retired_->add([this, sa] { release(*sa); });
}

void Publisher::publish_policies(const Journal& journal, const Database& database, AffectedPolicies& affected) {
    for (const Change& change : journal) {
        if (change.kind == Change::Kind::policy_removed) remove_policy(change.policy);
        if (change.kind != Change::Kind::policy_added) continue;
        if (database.spd().find(change.policy->id) != nullptr)
            add_policy(change.policy, database, affected);
        else
            dismiss(*change.policy);  // came and went in one transaction
    }
    index_policies(database);
}

void Publisher::index_policies(const Database& database) {
    spd_in_ = std::make_shared<SpdIndex>(database.spd().in_order(Direction::inbound));
    spd_out_ = std::make_shared<SpdIndex>(database.spd().in_order(Direction::outbound));
    const auto has_idle_limit = [](const PolicyPtr& policy) { return policy->validtime_seconds != 0; };
    has_idle_limits_ = std::ranges::any_of(spd_in_->in_order(), has_idle_limit) ||
                       std::ranges::any_of(spd_out_->in_order(), has_idle_limit);
}

void Publisher::publish_routes(std::shared_ptr<const Routes> routes, const Database& database) {
    routes_ = std::move(routes);
    for (const auto& [serial, sa] : database.sas()) show_path(*sa);
    publish_rules();
}

void Publisher::show_path(const SaEntry& entry) {
    if (!entry.outbound) return;
    const auto toward = surroundings_.toward(entry.spec.id.destination);
    entry.outbound->next_hop.store(static_cast<std::uint16_t>(toward.hop), std::memory_order_relaxed);
    entry.outbound->mtu.store(entry.path_mtu != 0 ? std::min(entry.path_mtu, toward.mtu) : toward.mtu,
                              std::memory_order_relaxed);
}

void Publisher::publish_settings(const control::Settings& settings, const Database& database) {
    const control::Settings before = std::exchange(settings_.live, settings);
    auto outdated = std::exchange(tunnel_header_,
                                  std::make_unique<const TunnelHeader>(tunnel_header(settings, settings_.dscp_map)));
    for (const auto& [serial, sa] : database.sas()) obey_settings(*sa);
    retired_->add(std::move(outdated));
    if (before.prefer_old_sa != settings.prefer_old_sa)
        for (const auto& [serial, sa] : database.sas()) show_by_ends(*sa, database);
    if (before.prefer_old_sa != settings.prefer_old_sa || before.default_policy != settings.default_policy)
        for (auto& [id, cells] : policies_) {
            Affected everything{.all_pairs = true, .pairs = {}};
            refresh(cells, everything, database);
        }
    const bool rules_changed = before.default_policy != settings.default_policy ||
                               before.icmp_accepted != settings.icmp_accepted ||
                               before.icmp_quote_checked != settings.icmp_quote_checked;
    if (pairs_stale_ || rules_changed) publish_rules();
}

void Publisher::publish_levels(std::span<const PolicyPtr> changed, const Database& database) {
    if (changed.empty()) return;
    for (const PolicyPtr& policy : changed) {
        const auto at = policies_.find(static_cast<std::uint32_t>(policy->id));
        if (at == policies_.end()) continue;  // inbound: it has no cells
        at->second.policy = policy;
        Affected everything{.all_pairs = true, .pairs = {}};
        refresh(at->second, everything, database);
    }
    index_policies(database);
    publish_rules();
}

void Publisher::publish_rules() {
    if (pairs_stale_) {
        auto pairs = std::make_shared<PairCells>();
        for (const std::uint32_t id : per_pair_)
            for (const auto& [ends, cell] : policies_.at(id).pairs)
                pairs->emplace(AddressPair{PolicyId{id}, ends.source, ends.destination}, cell);
        pairs_ = std::move(pairs);
        pairs_stale_ = false;
    }
    auto rules = std::make_unique<Rules>();
    rules->generation = ++generation_;
    rules->inbound = spd_in_;
    rules->outbound = spd_out_;
    rules->routes = routes_;
    rules->pairs = pairs_;
    rules->cells = cells_.get();
    rules->cell_policies = cell_policies_.get();
    rules->default_action = settings_.live.default_policy;
    rules->icmp_accepted = settings_.live.icmp_accepted;
    rules->icmp_quote_checked = settings_.live.icmp_quote_checked;
    if (has_idle_limits_) rules->flow_seconds = 1;
    rules->port_arrival = port_arrival_;
    rules->gifs = gifs_;
    rules->host_hop = host_hop_;
    Tables::publish<Rules>(tables_.rules, std::move(rules), *retired_);
}

void Publisher::publish_filter(const Database& database) {
    const FilterLists& lists = *database.filter();
    std::array<Filter::HookRules, control::hooks> hooks;
    for (std::size_t i = 0; i < hooks.size(); ++i) {
        hooks[i].otherwise = lists.hooks[i].otherwise;
        for (const FilterEntry& entry : lists.hooks[i].entries)
            hooks[i].rules.push_back(
                {.rule = entry.rule,
                 .port = entry.rule.port.empty() ? NumberedRule::any_port : *surroundings_.port_named(entry.rule.port),
                 .place = entry.place,
                 .tag = database.tags().find(entry.rule.tag)});
    }
    const bool any = std::ranges::any_of(hooks, &Filter::HookRules::active);
    Tables::publish<Filter>(tables_.filter, any ? std::make_unique<const Filter>(hooks) : nullptr, *retired_);
}

}  // namespace torii
