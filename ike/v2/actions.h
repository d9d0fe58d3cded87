// What the engine asks of the world: plain, printable values. The daemon carries them out against sockets and the
// control seam, a simulation against a network and a SAD of its own. Control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/operations.h"
#include "ike/message/payloads.h"

namespace torii::ike {

/// A clock that nobody sets, from an origin of the caller's choice.
using Instant = std::chrono::milliseconds;

struct Now {
    Instant steady{};
    std::int64_t unix_seconds = 0;  // for certificates alone
};

struct Endpoint {
    Address address;
    std::uint16_t port = 500;
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
    std::string text() const;  // "20.0.0.1[500]"
};

inline constexpr std::uint16_t ike_port = 500, natt_port = 4500;  // RFC 7296 2, 2.23

/// An IKE message between two ends; without the marker that port 4500 wants in front (RFC 3948 2.2).
struct Datagram {
    Endpoint local, remote;
    Octets octets;
};

enum class IkeSaId : std::uint64_t {};  // our own numbers, for logs and the shell: never used twice
enum class ChildId : std::uint64_t {};

/// Sent as it stands.
struct Send {
    Datagram datagram;
};
/// Applied as one transaction. When the gateway refuses it, Engine::refused() wants to know, if `child` is set.
struct Apply {
    std::vector<control::Operation> operations;
    std::optional<ChildId> child;
};
/// The peer is told of this SPI of ours: he may send by its SA before we have his answer, which it is made of.
struct Expect {
    Spi spi{};
};
/// For the log, `torii show ike-log` and the stream of events; of level debug it may have several lines. Holds no
/// secret, but for level `keys`, which goes to the key log that an operator asked for and nowhere else
/// (EngineConfig::tells_keys).
struct Tell {
    enum class Level : std::uint8_t { debug, info, warning, error, keys };
    Level level = Level::info;
    IkeSaId sa{};  // 0: of none
    std::string connection, text;
};

using Action = std::variant<Send, Apply, Expect, Tell>;
using Actions = std::vector<Action>;

}  // namespace torii::ike
