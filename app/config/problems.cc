#include "app/config/problems.h"

#include <algorithm>

namespace torii::config {

std::string in_quotes(std::string_view text) {
    constexpr std::size_t longest = 60;
    std::string out = "\"";
    for (const char c : text.substr(0, longest)) out += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? '?' : c;
    return out.append(text.size() > longest ? "...\"" : "\"");
}

void Problems::add(const std::string& path, std::string_view sentence) {
    std::string around = path;
    while (!around.empty() && !lines_.contains(around)) {
        const auto dot = around.rfind('.');
        around.resize(dot == around.npos ? 0 : dot);
    }
    wrong_.insert(path);
    std::string whole = path + " " + std::string{sentence};
    // What a parser quotes of a value stays on its line.
    for (char& c : whole)
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
    add(around.empty() ? 1 : lines_.at(around), whole);
}

bool Problems::under(const std::string& path) const {
    if (wrong_.contains(path)) return true;
    const auto below = wrong_.lower_bound(path + ".");
    return below != wrong_.end() && below->starts_with(path + ".");
}

Error Problems::error(Errc code, const std::string& name) const {
    auto told = told_;
    std::ranges::stable_sort(told, {}, &Told::line);
    std::string message;
    for (std::size_t i = 0; i < std::min(told.size(), problems_shown); ++i) {
        if (i != 0) message += '\n';
        message += name + ":" + std::to_string(told[i].line) + ": " + told[i].sentence;
    }
    if (told.size() > problems_shown) message += "\nand " + std::to_string(told.size() - problems_shown) + " more";
    return {code, std::move(message)};
}

}  // namespace torii::config
