// What the control plane says when something cannot be done: a code a program can branch on and a sentence an
// operator can act on. Layers add where it happened; none repeats what happened. The data path has Drop instead.
// Any thread; values only.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace torii {

enum class Errc : std::uint8_t {
    truncated,       // fewer octets than the format needs
    trailing,        // octets left over after the last field
    bad_value,       // a field or setting holds what it may not hold
    bad_syntax,      // the text does not parse
    bad_key_length,  // the key does not fit the algorithm
    unsupported,     // understood, and not offered
    exists,          // the same thing is there already
    not_found,
    no_room,  // a stated limit is reached
    denied,   // not allowed to this caller
    io,       // the operating system refused; the message quotes it
    timed_out,
    internal,  // a fault of ours
};

/// The code's name as printed in brackets behind a message, for example "bad_value".
std::string_view name_of(Errc code);

struct [[nodiscard]] Error {
    Errc code = Errc::internal;
    std::string message;

    /// The same error, told from one layer further out: "reload of FILE: rule 12: ...".
    Error in(std::string_view where) &&;
    /// "MESSAGE [code]", for logs and terminals.
    std::string text() const;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string message = {}) {
    return std::unexpected(Error{code, std::move(message)});
}

}  // namespace torii

#define TORII_CAT_(a, b) a##b
#define TORII_CAT(a, b) TORII_CAT_(a, b)

/// `TORII_TRY(const auto x, f());` binds the value of a Result, or returns its error from the enclosing function.
#define TORII_TRY(declaration, ...)                                              \
    auto TORII_CAT(result_, __LINE__) = (__VA_ARGS__);                           \
    if (!TORII_CAT(result_, __LINE__)) [[unlikely]]                              \
        return std::unexpected(std::move(TORII_CAT(result_, __LINE__)).error()); \
    declaration = *std::move(TORII_CAT(result_, __LINE__))

/// The same for a Result<void>, or for a value that is not needed.
#define TORII_CHECK(...)                                         \
    do {                                                         \
        if (auto result_ = (__VA_ARGS__); !result_) [[unlikely]] \
            return std::unexpected(std::move(result_).error());  \
    } while (false)
