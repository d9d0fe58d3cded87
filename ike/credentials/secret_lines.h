// The lines of a file of secrets, racoon's `WORD KEY`: what psk.txt and the file of post-quantum keys have in common.
// Inside the credentials room only. Control thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/secret_bytes.h"

namespace torii::ike {

/// Lines one after the other; empty ones and those that begin with `#` are passed over. No error quotes what stands in
/// a line: with its columns exchanged, the first word is the key.
class SecretLines {
public:
    /// `name` stands in errors. Both are borrowed.
    SecretLines(std::string_view text, std::string_view name) : rest_(text), name_(name) {}

    struct Line {
        std::string_view word, key;  // the key with the blanks in it and behind it, as racoon takes it
    };
    /// Nothing: there is none left. Errc::bad_syntax: no key behind the first word.
    Result<std::optional<Line>> next();
    std::size_t number() const { return number_; }  // of the line that next() brought
    std::string where() const { return std::string{name_} + ":" + std::to_string(number_); }

private:
    std::string_view rest_, name_;
    std::size_t number_ = 0;
};

/// Behind 0x hexadecimal digits; else the text itself.
Result<SecretBytes> parse_secret(std::string_view text);

}  // namespace torii::ike
