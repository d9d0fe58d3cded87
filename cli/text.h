// Words, tables and safe printing: pure functions over text. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace torii::cli {

/// One word of a line and where it stands in it.
struct Word {
    std::string text;  // without quotes
    std::size_t begin = 0, end = 0;
};

/// A line cut at blanks; "..." and '...' hold a word together. `open_quote`: the last one is not closed.
struct Words {
    std::vector<Word> list;
    bool open_quote = false;
};
Words split(std::string_view line);

/// The text with control characters (all but newline and tab when `lines`) and broken UTF-8 shown as \xNN, so that no
/// peer can play with the terminal.
std::string printable(std::string_view text, bool lines = false);

/// How many letters must be added, removed, changed or swapped with their neighbour to get from `a` to `b`.
std::size_t distance(std::string_view a, std::string_view b);
/// The name nearest to `word`, or empty when none is near enough to be meant.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& names);

/// The octets that pairs of hexadecimal digits stand for; ends where they do.
std::string from_hexadecimal(std::string_view digits);

/// "1,234,567": long counts a reader can take in.
std::string grouped(std::string_view digits);
/// "45 s", "12 min", "3 h 5 min", "2 days 4 h".
std::string duration(std::uint64_t seconds);

struct Heading {
    std::string_view text;
    bool right = false;  // numbers
};
/// Columns aligned by what they hold, two blanks between them, no blanks at line ends; cells are made printable.
/// A row without cells is not a row: nothing but headings gives the empty string.
std::string draw_table(const std::vector<Heading>& headings, const std::vector<std::vector<std::string>>& rows);

/// The text broken at blanks so that no line is longer than `width` (where words allow), each line indented.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width = 100);

}  // namespace torii::cli
