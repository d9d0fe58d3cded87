#include "app/config/settings.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "app/config/ike_form.h"
#include "app/config/setting_rows.h"

namespace torii::config {
namespace {

// ---- what may be changed later as well: the rows of control/settings.h

bool is_flag(const control::SettingInfo& info) { return !info.words.empty() && info.words[0].name == "false"; }

Kind kind_of(const control::SettingInfo& info) {
    if (info.words.empty()) return Kind::integer;
    return is_flag(info) ? Kind::flag : Kind::choice;
}

std::string as_written(const control::SettingInfo& info, std::string_view value) {
    return kind_of(info) == Kind::choice ? '"' + std::string{value} + '"' : std::string{value};
}

/// A value other than the one that holds when nothing is said.
std::string some_other(const control::SettingInfo& info, const std::string& fallback) {
    const std::uint32_t usual = info.get({});
    if (info.words.empty()) return std::to_string(usual == info.high ? info.low : std::min(info.high, 2 * usual));
    return std::string{
        std::ranges::find_if(info.words, [&](const Choice& word) { return word.name != fallback; })->name};
}

Setting live(const control::SettingInfo& info) {
    static std::deque<std::string> texts;  // what the rows' views see
    const auto keep = [](std::string text) -> std::string_view { return texts.emplace_back(std::move(text)); };
    const std::string fallback = info.text({});
    return {.path = keep("ipsec." + std::string{info.short_name()}),
            .kind = kind_of(info),
            .subject = info.subject,
            .range = {info.low, info.high, info.unit},
            .choices = kind_of(info) == Kind::choice ? info.words : std::span<const Choice>{},
            .fallback = keep(as_written(info, fallback)),
            .example = keep(as_written(info, some_other(info, fallback))),
            .meaning = info.meaning,
            .take = [&info](File& c, const Value& value) {
                info.put(c, is_flag(info) ? value.flag : static_cast<std::uint32_t>(value.number));
                return std::string{};
            }};
}

std::vector<Setting> with_live(std::span<const Setting> fixed_rows) {
    std::vector<Setting> out{fixed_rows.begin(), fixed_rows.end()};
    auto place = std::ranges::find(out, "control", &Setting::path);  // behind the other rows of ipsec
    for (const control::SettingInfo& info : control::setting_table()) place = std::next(out.insert(place, live(info)));
    for (const auto rows : {rows_of_ike(), rows_of_ike_children()}) out.insert(out.end(), rows.begin(), rows.end());
    return out;
}

const std::vector<Setting>& table() {
    static const std::vector<Setting> rows = with_live(rows_of_the_file());
    return rows;
}

}  // namespace

std::string_view Setting::name() const { return path.substr(path.rfind('.') + 1); }

std::string_view Setting::parent() const {
    const auto dot = path.rfind('.');
    return dot == path.npos ? std::string_view{} : path.substr(0, dot);
}

std::string Setting::right() const {
    std::string out{subject};
    out += " is ";
    if (kind == Kind::integer) {
        out += std::to_string(range.low) + " to " + std::to_string(range.high);
        return range.unit.empty() ? out : out.append(" ").append(range.unit);
    }
    for (std::size_t i = 0; i < choices.size(); ++i) {
        if (i != 0) out += i + 1 == choices.size() ? " or " : ", ";
        out += choices[i].name;
    }
    return choices.empty() ? std::string{} : out;
}

std::span<const Setting> settings() { return table(); }

const Setting* find_setting(std::string_view path) {
    const auto found = std::ranges::find(table(), path, &Setting::path);
    return found == table().end() ? nullptr : &*found;
}

std::string suggestion(std::string_view parent, std::string_view wrong_name) {
    const std::string_view asked = wrong_name.substr(0, 40);
    const Setting *nearest = nullptr, *elsewhere = nullptr;
    std::string known;
    for (const Setting& s : table()) {
        if (s.name() == asked) elsewhere = &s;
        if (s.parent() != parent || s.name() == "[]") continue;
        if (nearest == nullptr || control::distance(s.name(), asked) < control::distance(nearest->name(), asked))
            nearest = &s;
        known.append(known.empty() ? "" : ", ").append(s.name());
    }
    if (nearest != nullptr &&
        control::distance(nearest->name(), asked) <= std::max<std::size_t>(2, nearest->name().size() / 3))
        return "did you mean " + std::string{nearest->name()} + "?";
    if (elsewhere != nullptr)
        return "it belongs to " +
               (elsewhere->parent().empty() ? "the top of the file" : std::string{elsewhere->parent()});
    return "known here: " + known;
}

}  // namespace torii::config
