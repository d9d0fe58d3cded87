#include "app/config/source.h"

#include <charconv>
#include <limits>
#include <utility>

namespace torii::config {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*'; }
bool in_name(char c) { return starts_name(c) || is_digit(c) || c == '-' || c == '_'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f'; }

/// libconfig's tokens, as far as integers and strings must be told from everything else.
class Scanner {
public:
    Scanner(std::string_view text, Problems& problems) : rest_(text), problems_(problems) {}

    Source run() {
        while (!rest_.empty()) {
            const bool text = token();
            if (!is_blank_or_comment_) after_string_ = text;
        }
        return std::move(source_);
    }

private:
    /// Copies one token, blank or comment; true for a string.
    bool token() {
        const char c = rest_.front();
        is_blank_or_comment_ = is_blank(c) || c == '#' || rest_.starts_with("//") || rest_.starts_with("/*");
        if (is_blank(c)) return copy(1), false;
        if (c == '#' || rest_.starts_with("//")) return copy(rest_.find('\n')), false;
        if (rest_.starts_with("/*")) return comment(), false;
        if (c == '"') return string(), true;
        if (starts_name(c)) return copy_while(in_name), false;
        if (is_digit(c)) return number(), false;
        if (c == '.') return fraction(), false;
        if (rest_.starts_with("@include")) problems_.add(line_, "@include is not offered: one gateway, one file");
        depth(c);
        copy(1);
        return false;
    }

    void depth(char c) {
        constexpr unsigned deepest = 16;  // four are in use; libconfig and the reader recurse
        if (c == '(' || c == '{' || c == '[') ++depth_;
        if ((c == ')' || c == '}' || c == ']') && depth_ > 0) --depth_;
        if (depth_ == deepest + 1 && !std::exchange(told_depth_, true))
            problems_.add(line_, "groups and lists nest more than 16 deep here: no setting does");
    }

    void comment() {
        const auto end = rest_.find("*/", 2);
        if (end == rest_.npos) problems_.add(line_, "the comment that begins here never ends: */ closes it");
        copy(end == rest_.npos ? end : end + 2);
    }

    void string() {
        const unsigned begin = line_;
        if (!after_string_) source_.string_lines.push_back(begin);  // strings side by side are one
        std::size_t end = 1;
        while (end < rest_.size() && rest_[end] != '"')
            end += rest_[end] == '\\' && end + 1 < rest_.size() && rest_[end + 1] != '\n' ? 2 : 1;
        if (end >= rest_.size()) problems_.add(begin, "the string that begins here never ends: \" closes it");
        copy(end + 1);
    }

    void number() {
        const bool hex = rest_.starts_with("0x") || rest_.starts_with("0X");
        std::size_t digits = hex ? 2 : 0;
        while (digits < rest_.size() && (hex ? is_hex(rest_[digits]) : is_digit(rest_[digits]))) ++digits;
        const auto behind = rest_.substr(digits);
        if (!hex && (behind.starts_with('.') || exponent_octets(behind) != 0)) return copy(digits), fraction();
        integer(digits, hex);
        if (rest_.starts_with('L')) return copy_while([](char c) { return c == 'L'; });
        source_.text += 'L';
    }

    void integer(std::size_t digits, bool hex) {
        std::int64_t value = 0;
        const char* const first = rest_.data() + (hex ? 2 : 0);
        const auto beyond =
            std::from_chars(first, rest_.data() + digits, value, hex ? 16 : 10).ec == std::errc::result_out_of_range;
        if (!beyond) return copy(digits);
        source_.text += std::to_string(std::numeric_limits<std::int64_t>::max());
        rest_.remove_prefix(digits);
    }

    /// What follows a float's whole digits: ".5", ".5e-3", "e3".
    void fraction() {
        if (rest_.starts_with('.')) copy(1);
        copy_while(is_digit);
        copy(exponent_octets(rest_));
    }

    static std::size_t exponent_octets(std::string_view text) {
        if (!text.starts_with('e') && !text.starts_with('E')) return 0;
        std::size_t n = text.size() > 1 && (text[1] == '+' || text[1] == '-') ? 2 : 1;
        const std::size_t digits = n;
        while (n < text.size() && is_digit(text[n])) ++n;
        return n == digits ? 0 : n;
    }

    template <class Belongs>
    void copy_while(Belongs belongs) {
        std::size_t n = 0;
        while (n < rest_.size() && belongs(rest_[n])) ++n;
        copy(n);
    }

    void copy(std::size_t n) {
        const auto octets = rest_.substr(0, n);
        for (const char c : octets) {
            if (c == '\0') problems_.add(line_, "an octet 0 stands here: the file is not text");
            line_ += c == '\n';
        }
        source_.text += octets;
        rest_.remove_prefix(octets.size());
    }

    std::string_view rest_;
    Problems& problems_;
    Source source_;
    unsigned line_ = 1;
    unsigned depth_ = 0;
    bool after_string_ = false, is_blank_or_comment_ = false, told_depth_ = false;
};

}  // namespace

Source scan(std::string_view text, Problems& problems) { return Scanner{text, problems}.run(); }

}  // namespace torii::config
