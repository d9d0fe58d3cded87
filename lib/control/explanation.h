// What `torii explain` asks and is told: the fate of a packet that nobody has sent, and why. Plain values. Control
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/operations.h"

namespace torii::control {

struct Question {
    PacketSelector packet;
    std::string port;  // where it arrives; empty: where its source is to be found, this machine included
};

/// A policy that a search of the SPD came across.
struct PolicyMention {
    PolicyId id{};
    std::size_t place = 0;  // in the order of the search, from 1
    std::string text;       // selector, action and requests
    std::string why;        // what kept a near miss from matching: "protocol", "source address", ...
};
inline constexpr std::size_t most_mentions = 8;  // of each kind: an SPD has thousands

/// What one direction of the SPD says of the packet, whether or not its way leads there.
struct SpdAnswer {
    Direction direction{};
    bool asked = false;
    PolicyAction action = PolicyAction::discard;  // of the match, or def_policy
    std::size_t policies = 0;
    std::optional<PolicyMention> match;
    std::vector<PolicyMention> nearly;  // searched before the match, and but for one thing would have been it
    std::vector<PolicyMention> hidden;  // stand behind the match and would match too: they are never reached
};

/// An SA on the packet's way, or one that its policy asks for and nobody has.
struct SaMention {
    Direction direction{};
    Request request;  // with the ends it stands between
    std::optional<SaId> id;
    std::string state;  // of the SA; "missing", or "optional" where the packet goes on without
};

struct Explanation {
    enum class Fate : std::uint8_t { drop, deliver, forward, protect };
    struct Step {
        std::string stage, text;
    };
    Fate fate{};
    std::string drop, advice;  // Fate::drop: the reason's name, and what to check
    std::vector<SpdAnswer> spd;
    std::vector<SaMention> sas;               // in the order in which they are taken off or put on
    std::string route, port, neighbour, mac;  // as far as the way leads
    unsigned mtu = 0, largest_octets = 0;     // of the link; of a packet like this one, before its SAs
    std::vector<Step> steps;                  // the same as sentences, in the order of the way
};
std::string_view name_of(Explanation::Fate fate);

}  // namespace torii::control
