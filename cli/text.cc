#include "cli/text.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace torii::cli {

namespace {

/// Octets of the well-formed UTF-8 character that `text` starts with; 0 when it does not start with one (RFC 3629).
std::size_t utf8_octets(std::string_view text) {
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto lead = octet(0);
    const std::size_t octets = lead < 0x80   ? 1
                               : lead < 0xc2 ? 0
                               : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3
                               : lead < 0xf5 ? 4
                                             : 0;
    if (octets == 0 || octets > text.size()) return 0;
    for (std::size_t i = 1; i < octets; ++i) {
        if ((octet(i) & 0xc0) != 0x80) return 0;
    }
    if (octets == 3 && ((lead == 0xe0 && octet(1) < 0xa0) || (lead == 0xed && octet(1) >= 0xa0))) return 0;
    if (octets == 4 && ((lead == 0xf0 && octet(1) < 0x90) || (lead == 0xf4 && octet(1) >= 0x90))) return 0;
    return octets;
}

bool is_control(std::string_view character) {
    const auto first = static_cast<unsigned char>(character[0]);
    if (character.size() == 1) return first < 0x20 || first == 0x7f;
    return first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;  // C1: some terminals obey them
}

std::string escaped(char c) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto octet = static_cast<unsigned char>(c);
    return {'\\', 'x', digits[octet >> 4], digits[octet & 15]};
}

/// Characters, which is what a terminal's columns are counted in here.
std::size_t columns(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

Words split(std::string_view line) {
    Words out;
    char quote = 0;
    bool in_word = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quote == 0 && std::isspace(static_cast<unsigned char>(c))) {
            in_word = false;
            continue;
        }
        if (!in_word) out.list.push_back({{}, i, i});
        in_word = true;
        out.list.back().end = i + 1;
        if (c == quote) {
            quote = 0;
        } else if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
        } else {
            out.list.back().text += c;
        }
    }
    out.open_quote = quote != 0;
    return out;
}

std::string printable(std::string_view text, bool lines) {
    std::string out;
    while (!text.empty()) {
        const std::size_t octets = utf8_octets(text);
        const std::string_view character = text.substr(0, std::max<std::size_t>(octets, 1));
        if (octets != 0 && (!is_control(character) || (lines && (text[0] == '\n' || text[0] == '\t')))) {
            out += character;
        } else {
            for (const char c : character) out += escaped(c);
        }
        text.remove_prefix(character.size());
    }
    return out;
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            cost[i][j] =
                std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a.size()][b.size()];
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& names) {
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;  // beyond this it is another word
    if (word.size() > 64) return best;
    for (const std::string_view name : names) {
        const std::size_t d = distance(word, name);
        if (d < best_distance) {
            best = name;
            best_distance = d;
        }
    }
    return best;
}

std::string from_hexadecimal(std::string_view digits) {
    std::string out;
    out.reserve(digits.size() / 2);
    for (std::size_t i = 0; i + 2 <= digits.size(); i += 2) {
        unsigned octet = 0;
        const auto [end, error] = std::from_chars(digits.data() + i, digits.data() + i + 2, octet, 16);
        if (error != std::errc{} || end != digits.data() + i + 2) break;
        out += static_cast<char>(octet);
    }
    return out;
}

std::string grouped(std::string_view digits) {
    std::string out;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
        out += digits[i];
    }
    return out;
}

std::string duration(std::uint64_t seconds) {
    const std::uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    const auto text = [](std::uint64_t number, const char* unit) { return std::to_string(number) + ' ' + unit; };
    if (minutes == 0) return text(seconds, "s");
    if (hours == 0) return text(minutes, "min ") + text(seconds % 60, "s");
    if (days == 0) return text(hours, "h ") + text(minutes % 60, "min");
    return text(days, days == 1 ? "day " : "days ") + text(hours % 24, "h");
}

std::string draw_table(const std::vector<Heading>& headings, const std::vector<std::vector<std::string>>& rows) {
    if (rows.empty()) return {};
    std::vector<std::vector<std::string>> lines(1);
    for (const Heading& heading : headings) lines[0].emplace_back(heading.text);
    for (const auto& row : rows) {
        auto& line = lines.emplace_back();
        for (const std::string& cell : row) line.push_back(printable(cell));
    }
    std::vector<std::size_t> widths(headings.size());
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], columns(line[i]));
    }
    std::string out;
    for (const auto& line : lines) {
        std::string drawn;
        for (std::size_t i = 0; i < line.size(); ++i) {
            const std::string blanks(widths[i] - columns(line[i]), ' ');
            if (i > 0) drawn += "  ";
            drawn += headings[i].right ? blanks + line[i] : line[i] + blanks;
        }
        drawn.erase(drawn.find_last_not_of(' ') + 1);
        out += drawn + '\n';
    }
    return out;
}

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
    std::string out, line;
    const auto end_line = [&] {
        if (!line.empty()) out.append(indent, ' ').append(line).push_back('\n');
        line.clear();
    };
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        if (!line.empty() && indent + columns(line) + 1 + columns(word) > width) end_line();
        if (!line.empty() && !word.empty()) line += ' ';
        line += word;
    }
    end_line();
    return out;
}

}  // namespace torii::cli
