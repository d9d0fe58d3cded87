// What passes the control socket, under the names of KAME's `netstat -s -p pfkey`, with PF_KEY's eyes: `out_` is what
// programs ask, `in_` what they are told. Control thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/rpc/line_server.h"
#include "base/error.h"
#include "control/operations.h"
#include "control/status.h"

namespace torii::rpc {

/// Why a line is no request, in PF_KEY's words for a message's parts: its length (of the line, of a batch, or how much
/// is nested), the version of JSON-RPC, the method, its params; too short is what is no JSON-RPC at all.
enum class Malformed : std::uint8_t { length, version, message_type, too_short, extension_type };

class PfkeyCounters {
public:
    /// A method was called; those that PF_KEY has a message for count by its type.
    void called(std::string_view method);
    /// So many messages of that type: the statements of a setkey text that was applied.
    void asked(std::string_view type, std::uint64_t times);
    void refused(Malformed why) { ++malformed_[static_cast<std::size_t>(why)]; }
    /// A request that was understood was not done.
    void refused(Errc code) { ++refused_[std::string{name_of(code)}]; }
    /// A subscriber was told of it.
    void told(control::Event::Kind kind);
    /// ... of something that PF_KEY has no message for.
    void told() { ++events_; }
    /// A subscriber read too slowly to be told.
    void lost() { ++lost_; }

    /// All of it, with what the lines themselves count.
    std::vector<control::StatStatus> rows(const LineServer::Traffic& traffic) const;

private:
    using ByName = std::map<std::string, std::uint64_t, std::less<>>;
    ByName asked_, refused_, told_;
    std::array<std::uint64_t, 5> malformed_{};
    std::uint64_t events_ = 0, lost_ = 0;
};

}  // namespace torii::rpc
