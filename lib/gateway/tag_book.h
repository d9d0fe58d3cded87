// The names of tags and the numbers that stand for them in packets, flows and compiled policies. A value: a transaction
// that fails puts back the book it began with. No DPDK. Control thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "policy/selector.h"

namespace torii {

class TagBook {
public:
    /// Names at a time. Half of the numbers are always free, and they are given in turn: a number that a packet may
    /// still bear, waiting for its SA, is not soon another name's.
    static constexpr std::size_t most_tags = last_tag / 2;

    /// The number of `name`, which gets one now if it has none. Where the book is full, names that `is_used` denies are
    /// forgotten first. Errc::no_room when all are used.
    Result<Tag> number_of(std::string_view name, const std::function<bool(std::string_view)>& is_used);
    /// none: nobody has given the name a number.
    Tag find(std::string_view name) const;
    /// Empty: nobody's.
    std::string_view name_of(Tag tag) const;

private:
    Tag next_free();

    std::map<std::string, Tag, std::less<>> numbers_;
    Tag last_ = Tag::none;
};

}  // namespace torii
