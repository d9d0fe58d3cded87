// Cuts setkey text into tokens. A token borrows the text, so that a key is never copied on its way to SecretBytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace torii::setkey {

struct Token {
    enum class Kind : unsigned char {
        word,
        quoted,    // its text is what stands between the quotes
        mark,      // one of ; / [ ], and inside a policy also + and -
        unclosed,  // a quote that does not end on its line
        stray,     // a character that no statement has
        end,
    };
    Kind kind = Kind::end;
    std::string_view text;
    unsigned line = 1;

    bool is(char mark) const { return kind == Kind::mark && text.front() == mark; }
    bool is(std::string_view word) const { return kind == Kind::word && text == word; }
    /// "0x" and at least one digit.
    bool is_hex() const;
    /// As an error may quote it: whatever could be a key is named, not shown.
    std::string shown() const;
};

/// Blanks, line ends of either kind, and `#` to the end of the line separate tokens. Bounded by the text; never fails.
class Lexer {
public:
    explicit Lexer(std::string_view text) : rest_(text) { advance(); }

    const Token& token() const { return token_; }
    /// Makes the next token the current one.
    void advance();
    /// Whether a comment so far was "# torii: legacy" and nothing else.
    bool says_legacy() const { return says_legacy_; }
    /// Whether the tokens behind the current one belong to a policy, where + and - stand for themselves.
    void inside_policy(bool inside) { inside_policy_ = inside; }

private:
    void skip_blanks();
    void skip_comment();
    Token cut(Token::Kind kind, std::size_t octets);
    Token quoted();
    bool in_word(char c) const;
    std::size_t word_octets() const;

    std::string_view rest_;
    unsigned line_ = 1;
    bool inside_policy_ = false;
    bool says_legacy_ = false;
    Token token_;
};

}  // namespace torii::setkey
