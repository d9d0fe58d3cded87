#include "gateway/publisher.h"

#include <time.h>

#include <algorithm>

#include "gateway/tunnel_rules.h"
#include "ip/ip.h"
#include "ipcomp/ipcomp.h"

namespace torii {

namespace {

/// Where a counter-mode SA's IVs start: nanoseconds since 1970. A restart with the same manual key starts later than
/// any number of packets sent before could have counted, as long as the clock does not go back.
std::uint64_t iv_start() {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t limit(std::uint64_t setting) { return setting == 0 ? unlimited : setting; }

std::uint8_t icv_octets(const control::SaSpec& spec) {
    const CipherInfo& cipher = info(spec.cipher);
    return cipher.aead() ? cipher.icv_octets : info(spec.auth).icv_octets;
}

bool has_keys(const control::SaSpec& spec) { return spec.id.protocol != IpsecProtocol::ipcomp; }

/// Whether packets carry the SA's SPI; DEFLATE's own CPI is every such SA's (RFC 3173 3.3).
bool is_on_the_wire(const control::SaSpec& spec) { return spec.id.protocol != IpsecProtocol::ipcomp || spec.raw_cpi; }

/// None without integrity (RFC 4303 3.4.3): anybody could move a window whose sequence numbers nothing protects.
std::uint32_t window_of(const control::SaSpec& spec) {
    if (spec.replay_octets == 0 || icv_octets(spec) == 0) return 0;
    return std::clamp(spec.replay_octets * 8, smallest_replay_window, largest_replay_window);
}

std::uint8_t alignment_mask(const control::SaSpec& spec) {
    return static_cast<std::uint8_t>(std::max<unsigned>(info(spec.cipher).block_octets, 4) - 1);
}

/// How long the SA's headers are. ESP and AH in their old forms have no sequence number; the 32-bit IV of the former
/// stands in its place, and is used as one by the suite that derives IVs (RFC 1829).
template <class Sa>
void shape_headers(const control::SaSpec& spec, Sa& sa) {
    const unsigned iv = info(spec.cipher).iv_octets;
    const unsigned header = spec.id.protocol == IpsecProtocol::ah ? sizeof(AhHeader) : sizeof(EspHeader);
    constexpr unsigned sequence_number = 4, short_iv = 4;
    sa.header_octets = static_cast<std::uint8_t>(spec.old ? header - sequence_number : header);
    sa.iv_octets = static_cast<std::uint8_t>(spec.old && spec.cipher == CipherId::des_deriv ? short_iv : iv);
    sa.engine_octets = static_cast<std::uint8_t>(sizeof(EspHeader) + iv);
}

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

// ---- SA blocks

Database::Builder Publisher::builder() {
    return {.build = [this](SaEntry& entry) { return build(entry); },
            .discard = [this](SaEntry& entry) { release(entry); },
            .admit = [this](Policy& policy) { return admit(policy); },
            .dismiss = [this](const Policy& policy) { dismiss(policy); },
            .is_port = [this](const std::string& port) { return surroundings_.port_named(port).has_value(); }};
}

/// An SA toward one of our own addresses is inbound; every other one is outbound, and so is one between two of ours.
Result<void> Publisher::build(SaEntry& entry) {
    const control::SaSpec& spec = entry.spec;
    TORII_TRY(const SuiteIndex suite, suite_of(crypto_, spec));
    const bool to_us = surroundings_.is_own(spec.id.destination);
    if (to_us && spec.udp && spec.udp->destination_port != nat_traversal_port)
        return fail(Errc::unsupported, "ESP in UDP comes in at port 4500 here: write [4500] behind the destination");
    const control::Lifetime &hard = spec.hard, &soft = spec.soft;
    if (to_us && !is_on_the_wire(spec) && (hard.octets | hard.packets | soft.octets | soft.packets) != 0)
        return fail(Errc::unsupported,
                    "limits of octets and packets need -R where ipcomp comes in: DEFLATE's own CPI "
                    "does not tell whose a packet is");
    entry.worker = (to_us ? next_worker_in_ : next_worker_out_)++ % settings_.workers;
    if (to_us) entry.inbound = inbound_.take();
    if (!to_us || surroundings_.is_own(spec.id.source)) entry.outbound = outbound_.take();
    Result<void> built = {};
    if (to_us ? entry.inbound == nullptr : entry.outbound == nullptr)
        built = fail(Errc::no_room, "the gateway holds at most " + std::to_string(most_sas) + " SAs each way");
    if (built && entry.inbound) {
        if (const std::uint32_t window = window_of(spec); window > 64)
            entry.replay_words = std::make_unique<std::uint64_t[]>(replay_words(window));
        fill(entry, *entry.inbound);
        if (has_keys(spec))
            built = crypto_.expand(suite, spec.cipher_key.octets(), spec.auth_key.octets(), entry.inbound->key);
    }
    if (built && entry.outbound) {
        fill(entry, *entry.outbound);
        if (has_keys(spec))
            built = crypto_.expand(suite, spec.cipher_key.octets(), spec.auth_key.octets(), entry.outbound->key);
    }
    if (!built) release(entry);
    obey_settings(entry);
    return built;
}

Result<SuiteIndex> Publisher::suite_of(const CryptoBook& crypto, const control::SaSpec& spec) {
    if (!has_keys(spec)) return SuiteIndex{};
    const std::size_t bits = spec.cipher_key.bits() - info(spec.cipher).salt_octets * 8u;
    return crypto.suite({spec.cipher, spec.auth, static_cast<std::uint16_t>(bits)});
}

void Publisher::fill(const SaEntry& entry, InboundSa& sa) const {
    const control::SaSpec& spec = entry.spec;
    sa.replay = ReplayWindow{window_of(spec), entry.replay_words.get()};
    if (window_of(spec) == 0) sa.replay = ReplayWindow{};
    sa.spi = static_cast<std::uint32_t>(spec.id.spi);
    sa.suite = *suite_of(crypto_, spec);
    sa.protocol = spec.id.protocol;
    shape_headers(spec, sa);
    sa.has_sequence = !spec.old;
    sa.icv_octets = icv_octets(spec);
    sa.alignment_mask = static_cast<std::uint8_t>(std::max<unsigned>(info(spec.cipher).block_octets, 1) - 1);
    sa.owner = static_cast<std::uint8_t>(entry.worker);
    sa.mode = spec.mode;
    sa.extended_sequence = spec.extended_sequence;
    sa.in_udp = spec.udp.has_value();
    sa.ordered_padding = spec.padding == control::Padding::sequential && !spec.old;  // RFC 1829 asks for none
    if (spec.id.destination.is_v4()) std::memcpy(&sa.destination_ipv4, spec.id.destination.raw().data(), 4);
    sa.destination = spec.id.destination;
    sa.source = spec.id.source;
    sa.serial = entry.serial;
}

void Publisher::fill(const SaEntry& entry, OutboundSa& sa) const {
    const control::SaSpec& spec = entry.spec;
    const CipherInfo& cipher = info(spec.cipher);
    sa.next_sequence.set(1);
    const bool may_wrap = spec.cyclic_sequence && spec.replay_octets == 0 && !cipher.counter_mode;
    const bool unnumbered = spec.id.protocol == IpsecProtocol::ipcomp || spec.old;
    sa.last_sequence = spec.extended_sequence || may_wrap || unnumbered ? unlimited - 1 : 0xffffffff;
    sa.iv_start = iv_start();
    sa.spi = static_cast<std::uint32_t>(spec.id.spi);
    sa.owner = static_cast<std::uint8_t>(entry.worker);
    sa.suite = *suite_of(crypto_, spec);
    sa.protocol = spec.id.protocol;
    sa.cpi = spec.raw_cpi ? static_cast<std::uint16_t>(spec.id.spi) : static_cast<std::uint16_t>(Cpi::deflate);
    sa.mode = spec.mode;
    shape_headers(spec, sa);
    sa.icv_octets = icv_octets(spec);
    sa.alignment_mask = alignment_mask(spec);
    sa.counter_iv = cipher.counter_mode;
    sa.extended_sequence = spec.extended_sequence;
    sa.padding = spec.padding;
    sa.tfc_octets = spec.tfc_octets;
    if (spec.udp) sa.udp = {spec.udp->source_port, spec.udp->destination_port};
    sa.serial = entry.serial;
    sa.family = spec.id.destination.family();
    const auto protocol = static_cast<IpProtocol>(spec.id.protocol);
    sa.outer = spec.id.destination.is_v4()
                   ? outer_header(spec.id.source.v4_number(), spec.id.destination.v4_number(), protocol)
                   : outer_header(spec.id.source, spec.id.destination, protocol);
}

/// What settings make of the SA's headers; workers may be using it.
void Publisher::obey_settings(const SaEntry& entry) const {
    const std::uint8_t authenticated = authenticated_class(settings_.live);
    if (entry.inbound) {
        entry.inbound->ecn_believed.store(believed_ecn(settings_.live), std::memory_order_relaxed);
        entry.inbound->class_authenticated.store(authenticated, std::memory_order_relaxed);
    }
    if (entry.outbound) {
        entry.outbound->tunnel.store(tunnel_header_.get(), std::memory_order_release);
        entry.outbound->class_authenticated.store(authenticated, std::memory_order_relaxed);
    }
}

/// For blocks nobody sees: never published, or past their grace period.
void Publisher::release(SaEntry& entry) {
    const auto suite = suite_of(crypto_, entry.spec);
    const bool keyed = has_keys(entry.spec);
    if (entry.inbound) {
        if (keyed) crypto_.erase(*suite, entry.inbound->key);
        inbound_.give_back(std::exchange(entry.inbound, nullptr));
    }
    if (entry.outbound) {
        if (keyed) crypto_.erase(*suite, entry.outbound->key);
        outbound_.give_back(std::exchange(entry.outbound, nullptr));
    }
}

void Publisher::index(InboundSa& sa) {
    auto* const now = const_cast<SpiIndex*>(tables_.sad.load());  // the one writer
    if (now->insert(sa)) return;
    // A bucket is full: a larger table, with everything that is published, takes its place.
    for (std::size_t buckets = now->buckets() * 2;; buckets *= 2) {
        auto larger = std::make_unique<SpiIndex>(buckets * 2, settings_.seed);
        bool all = larger->insert(sa);
        now->each([&](InboundSa& published) { all = all && larger->insert(published); });
        if (!all) continue;
        Tables::publish<SpiIndex>(tables_.sad, std::move(larger), *retired_);
        return;
    }
}

/// Makes workers see the SA, or the new terms of one that they see.
void Publisher::show(SaEntry& entry) {
    const auto set_limits = [&](auto& sa) {
        sa.octets_soft.set(entry.soft_told ? unlimited : limit(entry.spec.soft.octets));
        sa.octets_hard.set(limit(entry.spec.hard.octets));
        sa.limits.soft.set(entry.soft_told ? unlimited : limit(entry.spec.soft.packets));
        sa.limits.hard.set(limit(entry.spec.hard.packets));
    };
    if (entry.outbound) {
        set_limits(*entry.outbound);
        entry.outbound->watch.set(entry.outbound->limits, entry.outbound->last_sequence);
    }
    if (entry.inbound) {
        set_limits(*entry.inbound);
        entry.inbound->watch.set(entry.inbound->limits, unlimited);
    }
    if (entry.inbound) entry.inbound->reqid.store(entry.spec.reqid, std::memory_order_relaxed);
    if (std::exchange(entry.shown, true)) return;
    show_path(entry);
    if (entry.inbound && is_on_the_wire(entry.spec)) index(*entry.inbound);
}

void Publisher::hide(SaEntry& entry) {
    if (entry.inbound && entry.shown) const_cast<SpiIndex*>(tables_.sad.load())->remove(*entry.inbound);
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
    for (const auto& [serial, sa] : touched)
        if (!stays(sa)) hide(*sa);
    const bool policies_changed = std::ranges::any_of(journal, [](const Change& c) { return c.policy != nullptr; });
    if (policies_changed) publish_policies(journal, database, affected);
    for (const auto& [serial, sa] : touched) collect(*sa, sa->spec.reqid, affected);
    for (const Change& change : journal)
        if (change.kind == Change::Kind::sa_kept) collect(*change.sa, change.before.reqid, affected);
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

// ---- chain cells

ChainCell* Publisher::take_cell(PolicyId policy) {
    if (free_cells_.empty()) return nullptr;
    const std::uint32_t place = free_cells_.back();
    free_cells_.pop_back();
    cell_policies_[place] = policy;
    return &cells_[place];
}

void Publisher::retire_cell(ChainCell* cell) {
    retired_->add([this, cell] {
        if (const auto value = cell->read(); value.kind() == ChainCell::Kind::chain) delete value.chain();
        cell->publish(ChainCell::none());
        free_cells_.push_back(static_cast<std::uint32_t>(cell - cells_.get()));
    });
}

void Publisher::set(ChainCell& cell, ChainCell::Value value) {
    const auto old = cell.read();
    cell.publish(value);
    if (old.kind() == ChainCell::Kind::chain) retired_->add(std::unique_ptr<const SaChain>{old.chain()});
}

/// The SAs this policy may use, as far as their ends are known without a packet.
std::set<Publisher::Want> Publisher::fixed_wants(const Policy& policy) {
    std::set<Want> out;
    std::optional<Endpoints> ends;  // as in steps()
    if (!is_per_pair(policy)) ends = Endpoints{policy.selector.source.base(), policy.selector.destination.base()};
    for (const Request& request : policy.requests) {
        if (request.endpoints) ends = request.endpoints;
        if (ends) out.emplace(*ends, request.level == Level::unique ? request.reqid : ReqId{});
    }
    return out;
}

bool Publisher::wants_cell(const Policy& policy) {
    return policy.direction == Direction::outbound && policy.action == PolicyAction::protect;
}

Result<void> Publisher::admit(Policy& policy) {
    if (!wants_cell(policy)) return {};
    const ChainCell* const cell = take_cell(policy.id);
    if (cell == nullptr)
        return fail(Errc::no_room, "the gateway holds at most " + std::to_string(most_cells) +
                                       " policies and address pairs under them");
    policy.slot = static_cast<std::uint32_t>(cell - cells_.get());
    return {};
}

void Publisher::dismiss(const Policy& policy) {
    if (wants_cell(policy)) free_cells_.push_back(policy.slot);
}

void Publisher::add_policy(const PolicyPtr& policy, const Database& database, AffectedPolicies& affected) {
    if (!wants_cell(*policy)) return;
    const auto id = static_cast<std::uint32_t>(policy->id);
    policies_.emplace(id, PolicyCells{policy, {}});
    for (const Want& want : fixed_wants(*policy)) by_wants_.emplace(want, id);
    Affected& how = affected[id];
    if (!is_per_pair(*policy)) return;
    per_pair_.insert(id);
    for (const auto& [serial, sa] : database.sas())
        if (sa->outbound && policy->selector.may_hold(sa->spec.id.source, sa->spec.id.destination))
            how.pairs.insert({sa->spec.id.source, sa->spec.id.destination});
}

void Publisher::remove_policy(const PolicyPtr& policy) {
    const auto id = static_cast<std::uint32_t>(policy->id);
    const auto at = policies_.find(id);
    if (at == policies_.end()) return;
    for (const auto& [ends, cell] : at->second.pairs) retire_cell(cell);
    retire_cell(&cells_[policy->slot]);
    for (const Want& want : fixed_wants(*policy))
        for (auto [each, end] = by_wants_.equal_range(want); each != end;)
            each = each->second == id ? by_wants_.erase(each) : std::next(each);
    pairs_stale_ |= per_pair_.erase(id) != 0;
    policies_.erase(at);
}

/// Every policy that may use this SA, or may have while it had `reqid`.
void Publisher::collect(const SaEntry& entry, ReqId reqid, AffectedPolicies& affected) const {
    if (!entry.outbound) return;
    const Endpoints ends{entry.spec.id.source, entry.spec.id.destination};
    for (const ReqId wanted : std::set{ReqId{}, reqid})
        for (auto [at, end] = by_wants_.equal_range({ends, wanted}); at != end; ++at)
            affected[at->second].all_pairs = true;
    for (const std::uint32_t id : per_pair_) {
        if (policies_.at(id).policy->selector.may_hold(ends.source, ends.destination)) affected[id].pairs.insert(ends);
    }
}

void Publisher::refresh(PolicyCells& cells, Affected& affected, const Database& database) {
    const Policy& policy = *cells.policy;
    if (!is_per_pair(policy)) {
        set(cells_[policy.slot],
            resolve(policy, {policy.selector.source.base(), policy.selector.destination.base()}, database));
        return;
    }
    set(cells_[policy.slot], resolve(policy, {}, database));  // pairs without any SA of their own
    if (affected.all_pairs)
        for (const auto& [ends, cell] : cells.pairs) affected.pairs.insert(ends);
    for (const Endpoints& ends : affected.pairs) refresh_pair(cells, ends, database);
}

void Publisher::refresh_pair(PolicyCells& cells, const Endpoints& ends, const Database& database) {
    const Policy& policy = *cells.policy;
    const bool wanted = !database.between(ends, policy.requests.front().protocol).empty();
    auto at = cells.pairs.find(ends);
    if (wanted && at == cells.pairs.end()) {
        ChainCell* const cell = take_cell(policy.id);
        if (cell == nullptr) return;  // none left: the pair stays without SA, which fails closed
        at = cells.pairs.emplace(ends, cell).first;
        pairs_stale_ = true;
    }
    if (wanted) {
        set(*at->second, resolve(policy, ends, database));
    } else if (at != cells.pairs.end()) {
        retire_cell(at->second);
        cells.pairs.erase(at);
        pairs_stale_ = true;
    }
}

/// What becomes of each request of `policy`, in order. `packet` holds the addresses a transport request protects, until
/// a tunnel's replace them.
std::vector<Publisher::Step> Publisher::steps(const Policy& policy, Endpoints packet, const Database& database) const {
    std::vector<Step> out;
    for (Request request : policy.requests) {
        if (request.endpoints) packet = *request.endpoints;
        request.endpoints = packet;
        out.push_back({request, choose(request, database)});
    }
    return out;
}

/// KAME's levels (docs/conformance.md): a `use` request without SA is skipped, the others still apply; `require` and
/// `unique` without SA stop the packet.
ChainCell::Value Publisher::resolve(const Policy& policy, const Endpoints& packet, const Database& database) {
    SaChain chain;
    bool is_protected = false;
    for (const auto& [request, sa] : steps(policy, packet, database)) {
        if (sa == nullptr && request.level != Level::use) return ChainCell::none();
        if (sa == nullptr) {
            chain.incomplete = true;
            continue;
        }
        // Nobody uses a block of mode `any` before a policy has settled how it is used without a chain.
        if (sa->outbound->mode == Mode::any) sa->outbound->mode = request.mode;
        is_protected |= request.protocol != IpsecProtocol::ipcomp;
        chain.modes[chain.size] = request.mode;
        chain.sas[chain.size++] = sa->outbound;
    }
    // A socket of somebody without privileges opens no way out in clear, or compressed alone, that the default closes.
    const bool asks_default = policy.owner == PolicyOwner::socket && !is_protected;
    if (asks_default && settings_.live.default_policy == PolicyAction::discard) return ChainCell::none();
    if (chain.size == 0) return ChainCell::clear();
    if (chain.size == 1 && !chain.incomplete && chain.sas[0]->mode == chain.modes[0])
        return ChainCell::one(chain.sas[0]);
    return ChainCell::many(new SaChain{chain});
}

const Policy* Publisher::stopped_by(const PacketSelector& packet) const {
    const Rules& rules = *tables_.rules.load();
    const auto [policy, needs_ports] = rules.outbound->find(packet);
    if (policy == nullptr || needs_ports || policy->action != PolicyAction::protect) return nullptr;
    const auto value = cell_of(rules, *policy, packet.source, packet.destination).read();
    return value.kind() == ChainCell::Kind::no_sa ? policy : nullptr;
}

std::vector<Request> Publisher::lacking(const Policy& policy, const Endpoints& packet, const Database& database) const {
    std::vector<Request> out;
    for (const auto& [request, sa] : steps(policy, packet, database)) {
        if (sa != nullptr) continue;
        out.push_back(request);
        if (request.level != Level::use) break;
    }
    return out;
}

/// The SA for a request: of its protocol, ends and mode, for `unique` of its own reqid only; the newest, or the
/// oldest by setting.
SaEntry* Publisher::choose(const Request& request, const Database& database) const {
    const auto usable = [&](const SaPtr& sa) {
        return sa->outbound && (sa->spec.mode == Mode::any || sa->spec.mode == request.mode);
    };
    const auto first_usable = [&](auto&& sas) -> SaEntry* {
        const auto at = std::ranges::find_if(sas, usable);
        return at == sas.end() ? nullptr : (*at).get();
    };
    const ReqId reqid = request.level == Level::unique ? request.reqid : ReqId{};
    auto sas = database.between(*request.endpoints, request.protocol, reqid);
    return settings_.live.prefer_old_sa ? first_usable(sas) : first_usable(sas | std::views::reverse);
}

}  // namespace torii
