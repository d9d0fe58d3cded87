#include "app/setkey/lexer.h"

#include <algorithm>

namespace torii::setkey {
namespace {

constexpr std::size_t longest_shown = 64;
constexpr std::size_t longest_shown_hex = 2 + 8;  // an SPI; more digits may be a key

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string shown_character(char c) {
    if (c > ' ' && c <= '~') return {c};
    constexpr char digits[] = "0123456789abcdef";
    const auto octet = static_cast<unsigned char>(c);
    return {'\\', 'x', digits[octet >> 4], digits[octet & 15]};
}

}  // namespace

bool Token::is_hex() const {
    return kind == Kind::word && text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') &&
           std::all_of(text.begin() + 2, text.end(), is_hex_digit);
}

std::string Token::shown() const {
    switch (kind) {
        case Kind::quoted:
        case Kind::unclosed: return "(quoted text)";
        case Kind::end: return "end of text";
        case Kind::stray: return shown_character(text.front());
        case Kind::mark:
        case Kind::word: break;
    }
    if (is_hex() && text.size() > longest_shown_hex) return "(hex digits)";
    if (text.size() > longest_shown) return std::string{text.substr(0, longest_shown)} + "...";
    return std::string{text};
}

void Lexer::skip_blanks() {
    while (!rest_.empty()) {
        const char c = rest_.front();
        if (c == '#') {
            skip_comment();
            continue;
        }
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') return;
        if (c == '\n') ++line_;
        rest_.remove_prefix(1);
    }
}

void Lexer::skip_comment() {
    std::string_view comment = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(comment.size());
    if (comment.ends_with('\r')) comment.remove_suffix(1);
    says_legacy_ |= comment == "# torii: legacy";
}

Token Lexer::cut(Token::Kind kind, std::size_t octets) {
    const Token token{kind, rest_.substr(0, octets), line_};
    rest_.remove_prefix(octets);
    return token;
}

Token Lexer::quoted() {
    const auto close = rest_.find_first_of("\"\n", 1);
    if (close == rest_.npos || rest_[close] == '\n') return cut(Token::Kind::unclosed, std::min(close, rest_.size()));
    Token token = cut(Token::Kind::quoted, close + 1);
    token.text = token.text.substr(1, close - 1);
    return token;
}

bool Lexer::in_word(char c) const {
    if (c == '-' || c == '+') return !inside_policy_;
    return is_letter(c) || is_digit(c) || c == '.' || c == ':' || c == '_' || c == ',' || c == '%';
}

std::size_t Lexer::word_octets() const {
    std::size_t n = 0;
    while (n < rest_.size() && in_word(rest_[n])) ++n;
    // A dump shows the ids that the gateway gave as unique#16384: one word, lest its tail become a comment.
    if (rest_.substr(0, n) == "unique" && rest_.substr(n, 1) == "#")
        for (++n; n < rest_.size() && is_digit(rest_[n]);) ++n;
    return n;
}

void Lexer::advance() {
    skip_blanks();
    if (rest_.empty()) {
        token_ = {Token::Kind::end, {}, line_};
    } else if (rest_.front() == '"') {
        token_ = quoted();
    } else if (const auto octets = word_octets(); octets != 0) {
        token_ = cut(Token::Kind::word, octets);
    } else {
        const bool mark = std::string_view{";/[]+-"}.find(rest_.front()) != std::string_view::npos;
        token_ = cut(mark ? Token::Kind::mark : Token::Kind::stray, 1);
    }
}

}  // namespace torii::setkey
