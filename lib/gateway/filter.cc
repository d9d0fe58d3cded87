// The packet filter on the control core: the rules of the configuration, and what each rule has counted.
#include "gateway/gateway.h"

namespace torii {

using control::ChangeFilter;
using control::Hook;

Result<void> Gateway::make_filter() {
    std::vector<control::Located> transaction;
    for (const Hook hook : {Hook::wire, Hook::clear}) {
        const auto& wish = hook == Hook::wire ? configuration_.filter_wire : configuration_.filter_clear;
        for (const control::FilterRule& rule : wish.rules)
            transaction.push_back(
                {ChangeFilter{.kind = ChangeFilter::Kind::add, .hook = hook, .rule = rule}, "filter: " + rule.text()});
        transaction.push_back(
            {ChangeFilter{
                 .kind = ChangeFilter::Kind::set_default, .hook = hook, .rule = {}, .otherwise = wish.otherwise},
             "filter"});
    }
    TORII_CHECK(apply(std::move(transaction)));
    return {};
}

/// Of all workers, since they began.
std::pair<std::uint64_t, std::uint64_t> Gateway::filter_count(Hook hook, std::uint16_t place) const {
    std::pair<std::uint64_t, std::uint64_t> sum{};
    for (const auto& worker : workers_) {
        const auto& count = worker->filter_counts().by_place[static_cast<std::size_t>(hook)][place];
        sum.first += count.packets.read();
        sum.second += count.octets.read();
    }
    return sum;
}

/// A rule counts from when it came: what its place counted before was another's.
void Gateway::remember_filter_counts() {
    decltype(filter_counts_before_) before;
    for (const Hook hook : {Hook::wire, Hook::clear})
        for (const FilterEntry& entry : database_->filter()->hooks[static_cast<std::size_t>(hook)].entries) {
            const auto known = filter_counts_before_.find(entry.id);
            before[entry.id] = known != filter_counts_before_.end() ? known->second : filter_count(hook, entry.place);
        }
    filter_counts_before_ = std::move(before);
}

std::vector<control::FilterStatus> Gateway::filter() const {
    std::vector<control::FilterStatus> out;
    for (const Hook hook : {Hook::wire, Hook::clear}) {
        const FilterLists::List& list = database_->filter()->hooks[static_cast<std::size_t>(hook)];
        for (const FilterEntry& entry : list.entries) {
            const auto now = filter_count(hook, entry.place);
            const auto& before = filter_counts_before_.at(entry.id);
            out.push_back({.hook = std::string{name_of(hook)},
                           .id = entry.id,
                           .text = entry.rule.text(),
                           .packets = now.first - before.first,
                           .octets = now.second - before.second});
        }
        const auto rest = filter_count(hook, 0);
        out.push_back({.hook = std::string{name_of(hook)},
                       .text = std::string{name_of(list.otherwise)} + " what no rule matches",
                       .packets = rest.first,
                       .octets = rest.second});
    }
    return out;
}

}  // namespace torii
