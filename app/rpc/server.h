// The control socket: JSON-RPC 2.0, one object a line, for `torii` and for programs. Wires the lines (line_server.h) to
// the methods (methods.h) and events to those who subscribed. Control thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "app/event_loop.h"
#include "app/rpc/capture_stream.h"
#include "app/rpc/line_server.h"
#include "app/rpc/methods.h"
#include "app/rpc/socket_policies.h"
#include "base/error.h"
#include "control/control_plane.h"

namespace torii::rpc {

class Server {
public:
    /// Serves `control` and `setkey` at the Unix socket `path` while the Server lives; LineServer::open tells how the
    /// socket is made and its errors. `loop` and `control` outlive it.
    /// With Limits::sockets_alone everybody may connect, and ask for policies of their own sockets and nothing else.
    static Result<std::unique_ptr<Server>> open(EventLoop& loop, control::ControlPlane& control, Setkey setkey,
                                                std::string path, const Limits& limits = {});
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    ~Server() { serve_ike(nullptr); }
    /// From now on clients may ask this of IKE, and subscribers hear of it; null: nobody is there any more. It outlives
    /// the server, or its time here.
    void serve_ike(IkeControl* ike);
    std::size_t clients() const { return lines_->clients(); }
    std::size_t subscribers() const { return lost_.size(); }
    std::vector<control::StatStatus> pfkey() const { return counted_.rows(lines_->traffic()); }

private:
    Server(control::ControlPlane& control, Setkey setkey, const Limits& limits)
        : control_(control), setkey_(std::move(setkey)), limits_(limits), sockets_(control, setkey_.policy) {}
    WipedString answer_line(ClientId client, const Peer& peer, std::string_view line);
    void subscribe(ClientId client);
    void tell(const control::Event& event);
    bool tell(ClientId client, std::uint64_t& lost, const std::string& line);
    void tell_losses(ClientId client);
    Result<void> start_capture(ClientId client, control::CaptureHooks hooks);
    void pass_on(const control::CapturedPacket& packet);

    control::ControlPlane& control_;
    Setkey setkey_;
    IkeControl* ike_ = nullptr;
    Limits limits_;
    SocketPolicies sockets_;
    std::map<ClientId, std::uint64_t> lost_;  // events each subscriber missed since it was last told
    struct Capturing {
        ClientId client{};
        CaptureStream stream;
        std::uint64_t lost = 0;  // because the client read too slowly
        std::shared_ptr<void> handle;
    };
    PfkeyCounters counted_;
    std::optional<Capturing> capturing_;  // one at a time
    std::shared_ptr<void> listening_;     // held while there are subscribers
    std::unique_ptr<LineServer> lines_;   // last: its clients go first
};

}  // namespace torii::rpc
