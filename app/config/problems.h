// Everything that is wrong with one configuration file, collected under the settings' paths, so that an operator sees
// all of it in one go. One thread; lives as long as one reading.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace torii::config {

inline constexpr std::size_t problems_shown = 20;  // more would scroll the first ones, often the cause, off the screen

/// `text` in quotes, cut when long, control octets as '?': fit for a line of an error.
std::string in_quotes(std::string_view text);

class Problems {
public:
    Problems() = default;
    /// For more findings about a file that was read: `lines` as lines() gave them.
    explicit Problems(std::map<std::string, unsigned> lines) : lines_(std::move(lines)) {}
    const std::map<std::string, unsigned>& lines() const { return lines_; }
    /// Remembers on which line the setting at `path` stands.
    void locate(const std::string& path, unsigned line) { lines_.emplace(path, line); }
    /// "PATH SENTENCE", told at the setting's line, or at that of the nearest setting around it.
    void add(const std::string& path, std::string_view sentence);
    void add(unsigned line, std::string sentence) { told_.push_back({line, std::move(sentence)}); }
    bool none() const { return told_.empty(); }
    /// Whether something at or below `path` is wrong already: what depends on it need not be told again.
    bool under(const std::string& path) const;
    /// All of it in the order of lines, each "NAME:LINE: ...", as one error.
    Error error(Errc code, const std::string& name) const;

private:
    struct Told {
        unsigned line;
        std::string sentence;
    };
    std::map<std::string, unsigned> lines_;
    std::set<std::string> wrong_;
    std::vector<Told> told_;
};

}  // namespace torii::config
