#include "gateway/filter_lists.h"

#include <algorithm>

namespace torii {

namespace {

using control::ChangeFilter;
using control::Outcome;
using List = FilterLists::List;

std::uint16_t free_place(List& list) {
    do {
        list.last_place = static_cast<std::uint16_t>(list.last_place % control::most_filter_rules + 1);
    } while (std::ranges::find(list.entries, list.last_place, &FilterEntry::place) != list.entries.end());
    return list.last_place;
}

std::unexpected<Error> no_such_rule(const ChangeFilter& how) {
    return fail(Errc::not_found, "hook " + std::string{name_of(how.hook)} + " has no rule " + std::to_string(how.id));
}

Result<Outcome> add(FilterLists& lists, List& list, const ChangeFilter& how) {
    if (list.entries.size() == control::most_filter_rules)
        return fail(Errc::no_room, "a hook holds at most " + std::to_string(control::most_filter_rules) + " rules");
    auto at = list.entries.end();
    if (how.id != 0) {
        at = std::ranges::find(list.entries, how.id, &FilterEntry::id);
        if (at == list.entries.end()) return no_such_rule(how);
    }
    const std::uint32_t id = lists.next_id++;
    const std::uint16_t place = free_place(list);
    list.entries.insert(at, {.id = id, .place = place, .rule = how.rule});
    return Outcome{.filter_rule = id};
}

}  // namespace

bool FilterLists::gives(std::string_view tag) const {
    const auto rule_gives = [&](const FilterEntry& entry) { return entry.rule.tag == tag; };
    return std::ranges::any_of(hooks, [&](const List& list) { return std::ranges::any_of(list.entries, rule_gives); });
}

Result<Outcome> change(FilterLists& lists, const ChangeFilter& how) {
    List& list = lists.hooks[static_cast<std::size_t>(how.hook)];
    switch (how.kind) {
        case ChangeFilter::Kind::add: return add(lists, list, how);
        case ChangeFilter::Kind::remove: {
            const auto at = std::ranges::find(list.entries, how.id, &FilterEntry::id);
            if (at == list.entries.end()) return no_such_rule(how);
            list.entries.erase(at);
            return Outcome{.removed = 1};
        }
        case ChangeFilter::Kind::flush: {
            const std::size_t removed = list.entries.size();
            list.entries.clear();
            return Outcome{.removed = removed};
        }
        case ChangeFilter::Kind::set_default: list.otherwise = how.otherwise; return Outcome{};
    }
    return fail(Errc::internal, "an unknown change of the filter");
}

}  // namespace torii
