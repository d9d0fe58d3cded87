// The authoritative SPD, and the linear walk that defines what a look-up means.
#include "policy/spd.h"

#include <cassert>

namespace torii {

namespace {

std::size_t index_of(Direction direction) { return static_cast<std::size_t>(direction); }

std::string told(Direction direction, const Selector& selector) {
    return (direction == Direction::inbound ? "inbound policy for " : "outbound policy for ") + selector.text();
}

}  // namespace

Result<void> Spd::add(PolicyPtr policy) {
    if (by_selector_.contains({policy->direction, policy->selector, policy->owner}))
        return fail(Errc::exists, "an " + told(policy->direction, policy->selector) + " is there already");
    put(std::move(policy), next_order_++);
    return {};
}

Result<PolicyPtr> Spd::remove(Direction direction, const Selector& selector, PolicyOwner owner) {
    const auto known = by_selector_.find({direction, selector, owner});
    if (known == by_selector_.end()) return fail(Errc::not_found, "there is no " + told(direction, selector));
    auto taken = ordered_[index_of(direction)].extract(known->second);
    by_selector_.erase(known);
    by_id_.erase(static_cast<std::uint32_t>(taken.mapped()->id));
    return std::move(taken.mapped());
}

void Spd::restore(PolicyPtr policy, std::uint64_t order) {
    assert(order != 0 && order < next_order_);
    put(std::move(policy), order);
}

void Spd::replace(PolicyPtr policy) {
    const Place& place = by_selector_.at({policy->direction, policy->selector, policy->owner});
    by_id_.at(static_cast<std::uint32_t>(policy->id)) = policy;
    ordered_[index_of(policy->direction)].at(place) = std::move(policy);
}

void Spd::put(PolicyPtr policy, std::uint64_t order) {
    const Place place{policy->owner, -std::int64_t{policy->priority}, order};
    [[maybe_unused]] const bool new_selector =
        by_selector_.emplace(Key{policy->direction, policy->selector, policy->owner}, place).second;
    [[maybe_unused]] const bool new_id = by_id_.emplace(static_cast<std::uint32_t>(policy->id), policy).second;
    [[maybe_unused]] const bool new_place =
        ordered_[index_of(policy->direction)].emplace(place, std::move(policy)).second;
    assert(new_selector && new_id && new_place);
}

PolicyPtr Spd::find(Direction direction, const Selector& selector, PolicyOwner owner) const {
    const auto known = by_selector_.find({direction, selector, owner});
    return known == by_selector_.end() ? nullptr : ordered_[index_of(direction)].at(known->second);
}

PolicyPtr Spd::find(PolicyId id) const {
    const auto known = by_id_.find(static_cast<std::uint32_t>(id));
    return known == by_id_.end() ? nullptr : known->second;
}

std::size_t Spd::size() const { return by_selector_.size(); }

std::vector<PolicyPtr> Spd::in_order(Direction direction) const {
    std::vector<PolicyPtr> out;
    out.reserve(ordered_[index_of(direction)].size());
    for (const auto& [place, policy] : ordered_[index_of(direction)]) out.push_back(policy);
    return out;
}

std::uint64_t Spd::order_of(const Policy& policy) const {
    const auto known = by_selector_.find({policy.direction, policy.selector, policy.owner});
    return known == by_selector_.end() ? 0 : known->second.order;
}

Found find_linear(std::span<const PolicyPtr> in_order, const PacketSelector& packet) {
    bool needs_ports = false;
    for (const auto& policy : in_order) {
        const Match match = matches(*policy, packet);
        if (match == Match::yes) return {policy.get(), needs_ports};
        needs_ports |= match == Match::needs_ports;
    }
    return {nullptr, needs_ports};
}

}  // namespace torii
