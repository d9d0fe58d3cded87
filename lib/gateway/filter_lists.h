// The packet filter's rules as the control core keeps them: a list for each hook, in the order they are asked. Values
// that a transaction copies and changes; the Publisher compiles them. No DPDK. Control thread.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "control/operations.h"

namespace torii {

struct FilterEntry {
    std::uint32_t id = 0;     // never reused while the process lives
    std::uint16_t place = 0;  // where workers count it: 1 .. most_filter_rules, no other rule's of its hook
    control::FilterRule rule;
};

struct FilterLists {
    struct List {
        std::vector<FilterEntry> entries;
        control::FilterAction otherwise = control::FilterAction::pass;
        std::uint16_t last_place = 0;  // places are given in turn, so that one that was left is not soon another's
    };
    std::array<List, control::hooks> hooks;
    std::uint32_t next_id = 1;

    /// Whether some rule gives packets this tag.
    bool gives(std::string_view tag) const;
};
using FilterListsPtr = std::shared_ptr<const FilterLists>;

/// Errc::no_room beyond most_filter_rules; Errc::not_found when there is no rule of that id. On an error `lists` is as
/// it was.
Result<control::Outcome> change(FilterLists& lists, const control::ChangeFilter& how);

}  // namespace torii
