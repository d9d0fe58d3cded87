#include "net/address.h"

#include <arpa/inet.h>

#include <cassert>
#include <charconv>

namespace torii {

Address Address::from_octets(std::span<const std::byte> octets) {
    assert(octets.size() == 4 || octets.size() == 16);
    Address a;
    a.family_ = octets.size() == 4 ? Family::ipv4 : Family::ipv6;
    std::memcpy(a.octets_.data(), octets.data(), octets.size());
    return a;
}

Result<Address> Address::parse(std::string_view text) {
    const std::string zero_terminated{text};
    Address a;
    if (inet_pton(AF_INET, zero_terminated.c_str(), a.octets_.data()) == 1) return a;
    a.family_ = Family::ipv6;
    if (inet_pton(AF_INET6, zero_terminated.c_str(), a.octets_.data()) == 1) return a;
    return fail(Errc::bad_value, "'" + zero_terminated + "' is not an IPv4 or IPv6 address");
}

std::string Address::text() const {
    char out[INET6_ADDRSTRLEN];
    return inet_ntop(is_v4() ? AF_INET : AF_INET6, octets_.data(), out, sizeof out);
}

Address masked(const Address& address, unsigned length) {
    std::array<std::byte, 16> octets{};
    const auto from = address.octets();
    for (std::size_t i = 0; i < from.size(); ++i) {
        const unsigned kept = length >= 8 * (i + 1) ? 8 : length > 8 * i ? length - 8 * static_cast<unsigned>(i) : 0;
        octets[i] = from[i] & static_cast<std::byte>(0xff00u >> kept);
    }
    return Address::from_octets(std::span{octets}.first(from.size()));
}

Prefix::Prefix(const Address& base, unsigned length)
    : base_(masked(base, length)), length_(static_cast<std::uint8_t>(length)) {
    assert(length <= base.bits());
}

Result<Prefix> Prefix::parse(std::string_view text) {
    const auto slash = text.find('/');
    TORII_TRY(const auto base, Address::parse(text.substr(0, slash)));
    if (slash == text.npos) return host(base);
    const auto digits = text.substr(slash + 1);
    unsigned length = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (problem != std::errc{} || end != digits.data() + digits.size() || length > base.bits())
        return fail(Errc::bad_value,
                    "'" + std::string{text} + "' has no prefix length of 0 to " + std::to_string(base.bits()));
    return Prefix{base, length};
}

bool Prefix::contains(const Address& address) const {
    return address.family() == family() && masked(address, length_) == base_;
}

std::string Prefix::text() const { return base_.text() + "/" + std::to_string(length_); }

std::uint64_t hash_of(const Address& address, std::uint64_t seed) {
    std::uint64_t high = 0, low = 0;
    std::memcpy(&high, address.raw().data(), 8);
    std::memcpy(&low, address.raw().data() + 8, 8);
    const auto mix = [](std::uint64_t x) {  // the finaliser of MurmurHash3 spreads every bit over all others
        x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
        x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
        return x ^ x >> 33;
    };
    return mix(mix(seed ^ high ^ static_cast<std::uint64_t>(address.family())) + low);
}

Result<MacAddress> MacAddress::parse(std::string_view text) {
    MacAddress mac;
    if (text.size() == 17) {
        std::size_t i = 0;
        for (; i < 6; ++i) {
            const char* const first = text.data() + 3 * i;
            const auto [end, problem] = std::from_chars(first, first + 2, mac.octets[i], 16);
            if (problem != std::errc{} || end != first + 2 || (i < 5 && first[2] != ':')) break;
        }
        if (i == 6) return mac;
    }
    return fail(Errc::bad_value, "'" + std::string{text} + "' is not a MAC address like 02:00:5e:10:00:01");
}

std::string MacAddress::text() const {
    std::string out;
    for (const auto octet : octets) {
        constexpr char digits[] = "0123456789abcdef";
        if (!out.empty()) out += ':';
        out += digits[octet >> 4];
        out += digits[octet & 15];
    }
    return out;
}

}  // namespace torii
