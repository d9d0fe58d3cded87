#include "gateway/tag_book.h"

#include <algorithm>

namespace torii {

Tag TagBook::find(std::string_view name) const {
    const auto known = numbers_.find(name);
    return known == numbers_.end() ? Tag::none : known->second;
}

std::string_view TagBook::name_of(Tag tag) const {
    for (const auto& [name, number] : numbers_)
        if (number == tag) return name;
    return {};
}

Result<Tag> TagBook::number_of(std::string_view name, const std::function<bool(std::string_view)>& is_used) {
    if (const Tag known = find(name); known != Tag::none) return known;
    if (numbers_.size() == most_tags) std::erase_if(numbers_, [&](const auto& entry) { return !is_used(entry.first); });
    if (numbers_.size() == most_tags)
        return fail(Errc::no_room, "the filter's rules and the policies name " + std::to_string(most_tags) +
                                       " tags already, and there may be no more");
    return numbers_.emplace(name, next_free()).first->second;
}

Tag TagBook::next_free() {
    do {
        last_ = static_cast<Tag>(static_cast<unsigned>(last_) % last_tag + 1);
    } while (std::ranges::any_of(numbers_, [&](const auto& entry) { return entry.second == last_; }));
    return last_;
}

}  // namespace torii
