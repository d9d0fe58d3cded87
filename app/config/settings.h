// The one table of settings. The reader, its messages, its suggestions for unknown names and the check of
// docs/configuration.md are all driven by it. Any thread; constants only.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "control/settings.h"
#include "gateway/configuration.h"

namespace torii::config {

struct File;

enum class Kind : std::uint8_t { group, list, integer, text, flag, choice };

/// A setting's value as the file gives it; which field counts follows from the setting's kind.
struct Value {
    std::int64_t number = 0;  // integer, and the choice's value
    std::string text;
    bool flag = false;
};

struct Range {
    std::int64_t low = 0, high = 0;
    std::string_view unit;  // "octets"; empty for plain counts
};

using Choice = control::SettingInfo::Word;

/// Puts a value of the right kind, range and choice into its place; for a list's element "[]" of groups, makes that
/// place first. Returns what is still wrong, to stand behind the value: ": an address carries ..."; empty when nothing.
using Take = std::function<std::string(File&, const Value&)>;

struct Setting {
    std::string_view path = {};  // from the file's root; [] stands for each element of a list
    Kind kind = Kind::text;
    bool required = false;                 // in every group that may hold it
    std::string_view unless = {};          // but for groups with a setting of this name
    std::string_view subject = {};         // "an MTU": begins the sentence on what would be right
    Range range = {};                      // integers
    std::span<const Choice> choices = {};  // choices
    std::string_view fallback = {};        // what holds when it is absent, as the manual says it
    std::string_view example = {};
    std::string_view meaning = {};  // one line of the manual
    Take take = {};

    std::string_view name() const;    // the last part of the path: "mtu"
    std::string_view parent() const;  // the path without it: "ports.[]"; empty at the root
    /// "an MTU is 576 to 9000 octets", "a role is protected, unprotected or host"; empty for other kinds.
    std::string right() const;
};

std::span<const Setting> settings();
/// Null when there is no such setting.
const Setting* find_setting(std::string_view path);
/// What a wrong name's writer may have meant: the nearest name of the same group, where the name does belong, or all
/// the names there are.
std::string suggestion(std::string_view parent, std::string_view wrong_name);

}  // namespace torii::config
