// A cursor over untrusted octets and its counterpart for building messages. Only these two touch raw octets outside
// the packet path. Network order outside, host order inside. Any thread; they own nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"

namespace torii {

/// A failed take leaves the Reader unmoved.
class Reader {
public:
    explicit Reader(std::span<const std::byte> octets) : rest_(octets) {}

    Result<std::span<const std::byte>> take(std::size_t n) {
        if (n > rest_.size()) return fail(Errc::truncated);
        const auto out = rest_.first(n);
        rest_ = rest_.subspan(n);
        return out;
    }
    Result<std::uint8_t> u8() { return number<std::uint8_t>(); }
    Result<std::uint16_t> u16() { return number<std::uint16_t>(); }
    Result<std::uint32_t> u32() { return number<std::uint32_t>(); }
    Result<std::uint64_t> u64() { return number<std::uint64_t>(); }
    /// A Reader over the next `n` octets alone, for a field that carries its own length.
    Result<Reader> sub(std::size_t n) {
        TORII_TRY(const auto octets, take(n));
        return Reader{octets};
    }
    /// Octets left over are an error: the caller of a parser ends with this.
    Result<void> finish() const {
        if (!rest_.empty()) return fail(Errc::trailing);
        return {};
    }
    std::span<const std::byte> rest() { return std::exchange(rest_, {}); }
    std::size_t size() const { return rest_.size(); }

private:
    template <class T>
    Result<T> number() {
        TORII_TRY(const auto octets, take(sizeof(T)));
        T value = 0;
        for (const std::byte b : octets) value = static_cast<T>(value << 8 | std::to_integer<T>(b));
        return value;
    }
    std::span<const std::byte> rest_;
};

/// Appends to a vector it borrows; the vector outlives it.
class Writer {
public:
    explicit Writer(std::vector<std::byte>& out) : out_(out) {}

    Writer& u8(std::uint8_t value) { return number(value); }
    Writer& u16(std::uint16_t value) { return number(value); }
    Writer& u32(std::uint32_t value) { return number(value); }
    Writer& u64(std::uint64_t value) { return number(value); }
    Writer& put(std::span<const std::byte> octets) {
        out_.insert(out_.end(), octets.begin(), octets.end());
        return *this;
    }
    Writer& zeros(std::size_t n) {
        out_.insert(out_.end(), n, std::byte{0});
        return *this;
    }
    std::size_t size() const { return out_.size(); }

private:
    template <class T>
    Writer& number(T value) {
        for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
            out_.push_back(static_cast<std::byte>(value >> shift));
        return *this;
    }
    std::vector<std::byte>& out_;
};

}  // namespace torii
