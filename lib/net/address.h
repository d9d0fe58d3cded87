// IP addresses and prefixes of both families as small comparable values. Any thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace torii {

enum class Family : std::uint8_t { ipv4 = 4, ipv6 = 6 };

/// An IPv4 or IPv6 address. Octets are kept in network order; those an IPv4 address does not use are zero, so that
/// equality and hashing may look at all sixteen.
class Address {
public:
    constexpr Address() = default;  // 0.0.0.0
    static constexpr Address v4(std::uint32_t host_order) {
        Address a;
        for (int i = 0; i < 4; ++i)
            a.octets_[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
        return a;
    }
    static constexpr Address v6(const std::array<std::uint8_t, 16>& octets) {
        Address a;
        a.family_ = Family::ipv6;
        a.octets_ = octets;
        return a;
    }
    /// `octets` holds 4 (IPv4) or 16 (IPv6) octets in network order; any other count is a programming mistake.
    static Address from_octets(std::span<const std::byte> octets);
    static Address any(Family family) {
        Address a;
        a.family_ = family;
        return a;
    }
    /// Numeric text only ("20.0.0.1", "2001:db8::1"); Errc::bad_value otherwise.
    static Result<Address> parse(std::string_view text);

    constexpr Family family() const { return family_; }
    constexpr bool is_v4() const { return family_ == Family::ipv4; }
    constexpr unsigned bits() const { return is_v4() ? 32 : 128; }
    std::span<const std::byte> octets() const { return std::as_bytes(std::span{octets_}.first(bits() / 8)); }
    const std::array<std::uint8_t, 16>& raw() const { return octets_; }
    /// The IPv4 address as a host-order number; meaningless for IPv6.
    constexpr std::uint32_t v4_number() const {
        return std::uint32_t{octets_[0]} << 24 | std::uint32_t{octets_[1]} << 16 | std::uint32_t{octets_[2]} << 8 |
               octets_[3];
    }
    bool is_unspecified() const { return *this == any(family_); }
    /// 224.0.0.0/4 or ff00::/8.
    constexpr bool is_multicast() const { return is_v4() ? octets_[0] >> 4 == 14 : octets_[0] == 0xff; }
    /// fe80::/10: one of the hosts on one link, and another one on the next (RFC 4291 2.5.6).
    constexpr bool is_link_local() const { return !is_v4() && octets_[0] == 0xfe && octets_[1] >> 6 == 2; }
    std::string text() const;

    friend constexpr auto operator<=>(const Address&, const Address&) = default;
    friend constexpr bool operator==(const Address&, const Address&) = default;

private:
    Family family_ = Family::ipv4;
    std::array<std::uint8_t, 16> octets_{};
};

/// Addresses that share their first `length` bits. The bits behind are zero.
class Prefix {
public:
    constexpr Prefix() = default;  // 0.0.0.0/0
    /// Clears the host bits. `length` beyond the family's bits is a programming mistake.
    Prefix(const Address& base, unsigned length);
    static Prefix host(const Address& address) { return {address, address.bits()}; }
    static Prefix everything(Family family) { return {Address::any(family), 0}; }
    /// "10.0.1.0/24", or an address alone for a host prefix. Host bits set are cleared, as setkey does.
    static Result<Prefix> parse(std::string_view text);

    const Address& base() const { return base_; }
    unsigned length() const { return length_; }
    Family family() const { return base_.family(); }
    bool is_host() const { return length_ == base_.bits(); }
    bool contains(const Address& address) const;
    bool contains(const Prefix& other) const { return other.length_ >= length_ && contains(other.base_); }
    /// "10.0.1.0/24"; a host prefix is written with its length too.
    std::string text() const;

    friend auto operator<=>(const Prefix&, const Prefix&) = default;
    friend bool operator==(const Prefix&, const Prefix&) = default;

private:
    Address base_;
    std::uint8_t length_ = 0;
};

/// `address` with all bits behind the first `length` cleared.
Address masked(const Address& address, unsigned length);

/// A well-mixed 64-bit hash; `seed` keeps a stranger from choosing collisions.
std::uint64_t hash_of(const Address& address, std::uint64_t seed);

struct MacAddress {
    std::array<std::uint8_t, 6> octets{};
    static Result<MacAddress> parse(std::string_view text);
    std::string text() const;
    friend auto operator<=>(const MacAddress&, const MacAddress&) = default;
};

}  // namespace torii
