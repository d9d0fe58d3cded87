// A rule of the security policy database, as an operator wrote it (RFC 4301 4.4.1, KAME's requests). Any thread.
#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/selector.h"

namespace torii {

enum class Direction : std::uint8_t { inbound, outbound };
/// discard is 0, so that a zeroed value fails closed.
enum class PolicyAction : std::uint8_t { discard, bypass, protect };
enum class Mode : std::uint8_t { any, transport, tunnel };
enum class IpsecProtocol : std::uint8_t { esp = 50, ah = 51, ipcomp = 108 };
/// What stands in the padding of ESP: RFC 4303 2.4 wants 1, 2, 3, ...; KAME's -f names the others.
enum class Padding : std::uint8_t { sequential, random, zero };
/// KAME's levels. In a policy that packets meet, `system_default` has become use or require, as a setting has it.
enum class Level : std::uint8_t { system_default, use, require, unique };

/// Their words in setkey's language and on the control socket: "in", "protect", "tunnel", "esp", "default".
std::string_view name_of(Direction direction);
std::string_view name_of(PolicyAction action);
std::string_view name_of(Mode mode);
std::string_view name_of(IpsecProtocol protocol);
std::string_view name_of(Level level);
std::string_view name_of(Padding padding);

/// Security Parameters Index, host order. 0 and 1..255 are refused at creation (RFC 4303 2.1).
enum class Spi : std::uint32_t {};

/// Which SAs a policy's request and an SA share; 0 means none in particular.
enum class ReqId : std::uint32_t {};
inline constexpr std::uint32_t first_automatic_reqid = 0x4000;

/// The outer addresses of a tunnel.
struct Endpoints {
    Address source, destination;
    friend auto operator<=>(const Endpoints&, const Endpoints&) = default;
};

/// One transform a policy asks for; a policy's first request is the innermost.
struct Request {
    IpsecProtocol protocol = IpsecProtocol::esp;
    Mode mode = Mode::transport;
    Level level = Level::require;
    ReqId reqid{};
    std::optional<Endpoints> endpoints;  // always with tunnel mode; with transport mode only when written
    bool by_default = false;             // `level` was left to the system, and follows its setting
    friend bool operator==(const Request&, const Request&) = default;
};

inline constexpr std::size_t max_requests = 4;  // transforms in one bundle: bounds the octets a packet may grow by

enum class PolicyId : std::uint32_t {};  // KAME's spid; never reused while the process lives

/// The second in which a packet last met a policy, by the clock that workers are shown. Any worker notes it, and none
/// writes what is there already: one line a policy and second, however many packets there are.
class LastUse {
public:
    void note(std::uint32_t second) {
        if (second_.load(std::memory_order_relaxed) != second) second_.store(second, std::memory_order_relaxed);
    }
    std::uint32_t second() const { return second_.load(std::memory_order_relaxed); }  // 0: never met

private:
    std::atomic<std::uint32_t> second_{0};
};
/// Whose a policy is, in the order in which their policies are searched: KAME's rule that a privileged socket's beats
/// the SPD and an unprivileged one's applies only where the SPD has no match. Sockets' own policies go with the socket.
enum class PolicyOwner : std::uint8_t { privileged_socket, spd, socket };
std::string_view name_of(PolicyOwner owner);

struct Policy {
    PolicyId id{};
    PolicyOwner owner = PolicyOwner::spd;
    Direction direction = Direction::outbound;
    Selector selector;
    PolicyAction action = PolicyAction::discard;
    std::int32_t priority = 0;  // higher is searched first (ipsec-tools' prio)
    std::vector<Request> requests;
    /// KAME's lifetimes of policies, 0 for none: gone so many seconds after its creation, and (validtime) after its
    /// last use.
    std::uint32_t lifetime_seconds = 0, validtime_seconds = 0;
    std::int64_t created_unix_seconds = 0;
    std::shared_ptr<LastUse> last_use;  // the gateway's to give
    std::uint32_t slot = 0;             // the gateway's: where workers find this policy's SA chains
    Tag tag = Tag::none;                // the gateway's: the number of selector.tag
};

/// As for its selector; a policy with a tag matches what bears it.
Match matches(const Policy& policy, const PacketSelector& packet);
/// As for its selector; a policy with a tag that the packet lacks differs in that alone.
std::string_view near_miss(const Policy& policy, const PacketSelector& packet);

}  // namespace torii
