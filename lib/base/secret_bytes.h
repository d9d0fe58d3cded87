// Key material: not copyable, wiped when it goes, compared in constant time, never formatted. Any thread; one owner.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace torii {

/// Overwrites `octets` in a way the compiler must not remove.
void wipe(std::span<std::byte> octets);

class SecretBytes {
public:
    SecretBytes() = default;
    explicit SecretBytes(std::span<const std::byte> octets) : octets_(octets.begin(), octets.end()) {}
    explicit SecretBytes(std::size_t size) : octets_(size) {}
    SecretBytes(SecretBytes&& other) noexcept : octets_(std::move(other.octets_)) { other.octets_.clear(); }
    SecretBytes& operator=(SecretBytes&& other) noexcept {
        if (this != &other) {
            wipe(octets_);
            octets_ = std::move(other.octets_);
            other.octets_.clear();
        }
        return *this;
    }
    SecretBytes(const SecretBytes&) = delete;
    SecretBytes& operator=(const SecretBytes&) = delete;
    ~SecretBytes() { wipe(octets_); }

    /// A second copy, asked for by name because each copy is one more place to guard.
    SecretBytes duplicate() const { return SecretBytes{std::span<const std::byte>{octets_}}; }
    std::span<const std::byte> octets() const { return octets_; }
    std::span<std::byte> octets() { return octets_; }
    std::size_t size() const { return octets_.size(); }
    std::size_t bits() const { return octets_.size() * 8; }
    bool empty() const { return octets_.empty(); }
    /// In time that depends on the sizes alone.
    bool same_as(const SecretBytes& other) const;

private:
    std::vector<std::byte> octets_;
};

/// A string that is wiped when it goes: text that holds keys on its way through a parser.
class SecretText {
public:
    SecretText() = default;
    explicit SecretText(std::string text) : text_(std::move(text)) {}
    SecretText(SecretText&& other) noexcept : text_(other.text_) {
        other.erase();
    }  // a moved short string leaves its octets behind
    SecretText& operator=(SecretText&&) = delete;
    SecretText(const SecretText&) = delete;
    ~SecretText() { erase(); }
    const std::string& view() const { return text_; }

private:
    void erase() {
        wipe(std::as_writable_bytes(std::span{text_.data(), text_.size()}));
        text_.clear();
    }
    std::string text_;
};

}  // namespace torii
