// The publisher's chain cells: through which SAs the packets of each policy, or of an address pair under it, go right
// now. Control thread.
#include <algorithm>

#include "gateway/publisher.h"

namespace torii {

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

/// Every policy that may use this SA between `ends`, where it is or was, or may have while it had `reqid`.
void Publisher::collect(const SaEntry& entry, const Endpoints& ends, ReqId reqid, AffectedPolicies& affected) const {
    if (!entry.outbound) return;
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
