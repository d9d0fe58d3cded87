// JSON-RPC 2.0 (www.jsonrpc.org/specification) over the control seam: one table of methods, requests checked before
// they are believed, status values turned into JSON. Keys leave through the setkey methods alone. The files
// that know the JSON library are methods.cc and ike_methods.cc. Control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/rpc/ike_control.h"
#include "app/rpc/pfkey_counters.h"
#include "app/rpc/wiped.h"
#include "app/setkey/setkey.h"
#include "base/error.h"
#include "control/control_plane.h"

namespace torii::rpc {

/// Whether a dump may show keys: to uid 0 alone.
enum class Keys : bool { redacted, shown };

/// A text of the setkey language, and what its bringer says of it.
struct SetkeyText {
    std::string_view text, file;  // `file` is its name in errors
    /// Addresses of the host names in it, as they were looked up.
    std::map<std::string, std::vector<std::string>, std::less<>> hosts{};
    bool check = false;               // setkey's -n: nothing is done
    bool verbose = false;             // setkey's -v
    bool readable_by_others = false;  // the file it came from
};
struct SetkeyAnswer {
    std::string output;                                // what its dumps and gets print
    std::vector<std::string> warnings{};               // one sentence each
    std::vector<setkey::UnknownHost> unknown_hosts{};  // not empty: nothing was done, for SetkeyText::hosts lack these
    setkey::MessageTypes statements{};                 // those that were done
};

/// The setkey language, given by whoever has it.
struct Setkey {
    /// Applies a text whole or not at all.
    std::function<Result<SetkeyAnswer>(const SetkeyText& text, Keys keys)> run;
    struct Dump {
        Keys keys = Keys::redacted;
        bool dead = false, ports = false, verbose = false;  // -a, -p, -v
        bool wireshark = false;                             // as its table esp_sa, which is refused without keys
    };
    std::function<Result<std::string>(const Dump& dump)> dump_sas;     // as `setkey -D`
    std::function<std::string(bool without_sockets)> dump_policies;    // as `setkey -DP`, `-DPN`
    std::function<Result<Policy>(std::string_view statement)> policy;  // what one spdadd adds
};

/// What a request may touch: made anew for each line.
struct Call {
    control::ControlPlane& control;
    const Setkey& setkey;
    Keys keys = Keys::redacted;
    std::size_t max_batch = 64;
    bool sockets_alone = false;                                  // the caller may only speak for its sockets
    std::function<void()> subscribe;                             // the caller gets events from now on
    std::function<Result<void>(control::CaptureHooks)> capture;  // the caller gets packets from now on
    /// Gives the caller's socket, by its descriptor, a policy; how many of the SPD's kind that makes.
    std::function<Result<std::size_t>(int fd, std::string_view policy)> bind_socket;
    IkeControl* ike = nullptr;  // null: there is none
    /// What is asked counts here, and `show.stats` tells it; null: nowhere.
    PfkeyCounters* counted = nullptr;
    const LineServer::Traffic* traffic = nullptr;  // goes with `counted`
};

/// Answers one line: a request, a notification (no answer: empty) or a batch. Never throws for anything `line` may
/// hold; faults of a method become error -32603.
WipedString answer(const Call& call, std::string_view line);

/// An error that belongs to no request: `id` is null. `code` as JSON-RPC 2.0 section 5.1 has it.
std::string refusal(int code, std::string_view message);
inline constexpr int invalid_request = -32600;
inline constexpr int server_busy = -32001;

/// The notification `event` that a subscriber gets.
std::string event_line(const control::Event& event, std::int64_t unix_milliseconds);
/// The notification `capture`: octets of a pcapng file in hexadecimal, and how many packets were lost so far.
std::string capture_line(std::string_view hexadecimal, std::uint64_t lost);
/// The notification `events.lost`: how many events this subscriber missed because it read too slowly.
std::string lost_line(std::uint64_t lost);

}  // namespace torii::rpc
