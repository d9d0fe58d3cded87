#include "app/setkey/cursor.h"

#include <algorithm>
#include <charconv>

namespace torii::setkey {

Token Cursor::take() {
    last_ = lexer_.token();
    lexer_.advance();
    return last_;
}

Result<std::uint64_t> Cursor::number(std::string_view name, std::uint64_t low, std::uint64_t high) {
    const auto text = token().text;
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool digits = token().kind == Token::Kind::word && problem != std::errc::invalid_argument;
    if (!digits || end != text.data() + text.size())
        return fail(Errc::bad_syntax, std::string{name} + " takes a decimal number");
    if (problem != std::errc{} || value < low || value > high)
        return fail(Errc::bad_value,
                    std::string{name} + " takes " + std::to_string(low) + " to " + std::to_string(high));
    take();
    return value;
}

void Cursor::begin_policy() {
    lexer_.inside_policy(true);
    take();
}

Result<void> Cursor::end_statement() {
    if (!token().is(';')) return fail(Errc::bad_syntax, "';' is needed here");
    lexer_.inside_policy(false);
    take();
    return {};
}

Result<std::vector<Address>> Cursor::host() {
    const auto known = hosts_->find(token().text);
    const bool asked = std::ranges::find(unknown_hosts_, token().text, &UnknownHost::name) != unknown_hosts_.end();
    if (known == hosts_->end() && !asked) {
        if (unknown_hosts_.size() == max_hosts)
            return fail(Errc::no_room, "a text takes at most " + std::to_string(max_hosts) + " host names");
        unknown_hosts_.push_back({std::string{token().text}, where(token().line)});
    }
    take();
    return known == hosts_->end() ? std::vector<Address>{} : known->second;
}

std::unexpected<Error> Cursor::fail(Errc code, std::string_view message, const Token& at) const {
    return torii::fail(code, told(message, at));
}

std::string Cursor::told(std::string_view message, const Token& at) const {
    return where(at.line).append(": ").append(message).append(" at '").append(at.shown()) + "'";
}

}  // namespace torii::setkey
