// A place in a setkey text: the current token, what was taken last, what host names mean, and errors that tell where
// they happened. A copy is another reading of the same text from the same place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/setkey/lexer.h"
#include "app/setkey/setkey.h"
#include "base/error.h"

namespace torii::setkey {

class Cursor {
public:
    /// All three are borrowed.
    Cursor(std::string_view text, std::string_view file_name, const Hosts& hosts)
        : lexer_(text), file_name_(file_name), hosts_(&hosts) {}

    const Token& token() const { return lexer_.token(); }
    const Token& last() const { return last_; }
    Token take();
    bool take_if(char mark) { return token().is(mark) && (take(), true); }
    bool take_if(std::string_view word) { return token().is(word) && (take(), true); }
    /// Takes a decimal number of `low` to `high`; `name` says in errors what takes it.
    Result<std::uint64_t> number(std::string_view name, std::uint64_t low, std::uint64_t high);
    /// Takes the -P that is the current token; until end_statement(), + and - stand for themselves.
    void begin_policy();
    /// Takes the ';' that ends a statement.
    Result<void> end_statement();

    bool says_legacy() const { return lexer_.says_legacy(); }
    /// Remembers "FILE:LINE: MESSAGE at 'TOKEN'" about the current token, which is taken all the same.
    void warn(std::string_view message) { warnings_.push_back(told(message, token())); }
    const std::vector<std::string>& warnings() const { return warnings_; }

    /// Takes the host name that is the current token: its addresses, or none and one more of unknown_hosts() when
    /// nobody told them.
    Result<std::vector<Address>> host();
    const std::vector<UnknownHost>& unknown_hosts() const { return unknown_hosts_; }

    std::string where(unsigned line) const { return std::string{file_name_} + ":" + std::to_string(line); }
    /// "FILE:LINE: MESSAGE at 'TOKEN'" about the current token, or about another.
    std::unexpected<Error> fail(Errc code, std::string_view message) const { return fail(code, message, token()); }
    std::unexpected<Error> fail(Errc code, std::string_view message, const Token& at) const;

private:
    std::string told(std::string_view message, const Token& at) const;

    Lexer lexer_;
    std::string_view file_name_;
    Token last_;
    const Hosts* hosts_;
    std::vector<std::string> warnings_;
    std::vector<UnknownHost> unknown_hosts_;
};

}  // namespace torii::setkey
