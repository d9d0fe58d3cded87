// The texts of ipsec_set_policy(3) as values, and both as PF_KEY's struct sadb_x_policy (linux/pfkeyv2.h) with the
// requests behind it. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "policy/policy.h"

namespace torii::socket_policy {

/// What is done with a packet: PF_KEY's numbers (IPSEC_POLICY_...), which know more than the SPD's actions.
enum class Type : std::uint16_t { discard, none, ipsec, entrust, bypass };

struct SocketPolicy {
    Direction direction{};
    Type type{};
    std::int32_t priority = 0;      // higher first
    std::vector<Request> requests;  // of Type::ipsec: innermost first, as written
    friend bool operator==(const SocketPolicy&, const SocketPolicy&) = default;
};

inline constexpr std::size_t most_requests = 16;  // KAME's own samples bundle nine; toriid takes four

/// Errc::bad_syntax or bad_value with the word that does not fit.
Result<SocketPolicy> parse(std::string_view text);
std::string text_of(const SocketPolicy& policy, std::string_view delimiter);

std::vector<std::byte> encode(const SocketPolicy& policy);
/// The octets that a policy which starts with `head` has in all, by its own length field; Errc::bad_value when that
/// cannot be.
Result<std::size_t> octets_of(std::span<const std::byte, 16> head);
/// Errc::bad_value for what encode() never makes.
Result<SocketPolicy> decode(std::span<const std::byte> octets);

}  // namespace torii::socket_policy
