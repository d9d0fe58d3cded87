#include "app/rpc/server.h"

#include <chrono>

#include "app/rpc/ike_methods.h"

namespace torii::rpc {

Result<std::unique_ptr<Server>> Server::open(EventLoop& loop, control::ControlPlane& control, Setkey setkey,
                                             std::string path, const Limits& limits) {
    std::unique_ptr<Server> server{new Server{control, std::move(setkey), limits}};
    Server& self = *server;
    LineServer::Handlers handlers{
        .line = [&self](ClientId client, const Peer& peer,
                        std::string_view line) { return self.answer_line(client, peer, line); },
        .drained = [&self](ClientId client) { self.tell_losses(client); },
        .gone =
            [&self](ClientId client) {
                self.sockets_.release(client);
                self.lost_.erase(client);
                if (self.capturing_ && self.capturing_->client == client) {
                    const auto ended = std::move(self.capturing_->handle);
                    self.capturing_.reset();
                }
                if (self.lost_.empty()) self.listening_.reset();
            },
        .too_long = refusal(invalid_request, "a line holds at most " + std::to_string(limits.line_octets) +
                                                 " octets, all clients' " + "unfinished lines together " +
                                                 std::to_string(limits.buffered_octets)),
        .too_many = refusal(server_busy,
                            std::to_string(limits.clients) + " clients are connected already: close one and try again"),
    };
    TORII_TRY(self.lines_, LineServer::open(loop, std::move(path), limits, std::move(handlers)));
    return server;
}

WipedString Server::answer_line(ClientId client, const Peer& peer, std::string_view line) {
    const Call call{
        .control = control_,
        .setkey = setkey_,
        .keys = peer.uid == 0 ? Keys::shown : Keys::redacted,
        .max_batch = limits_.batch,
        .sockets_alone = limits_.sockets_alone,
        .subscribe = [this, client] { subscribe(client); },
        .capture = [this, client](control::CaptureHooks hooks) { return start_capture(client, hooks); },
        .bind_socket = [&](int fd, std::string_view policy) { return sockets_.bind(client, peer, fd, policy); },
        .ike = ike_,
        .counted = &counted_,
        .traffic = &lines_->traffic(),
    };
    return answer(call, line);
}

void Server::subscribe(ClientId client) {
    lost_.try_emplace(client, 0);
    if (!listening_) listening_ = control_.listen([this](const control::Event& event) { tell(event); });
}

void Server::tell(const control::Event& event) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::string line = event_line(event, std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
    for (auto& [client, lost] : lost_)
        if (tell(client, lost, line)) counted_.told(event.kind);
}

/// Once an event was lost the rest are too until the client has read on: it is told the number in its place.
bool Server::tell(ClientId client, std::uint64_t& lost, const std::string& line) {
    if (lost > 0 || lines_->unread(client) + line.size() > limits_.event_octets) {
        ++lost;
        counted_.lost();
        return false;
    }
    lines_->send(client, line);
    return true;
}

void Server::serve_ike(IkeControl* ike) {
    if (ike_ != nullptr) ike_->tell_to({});
    ike_ = ike;
    if (ike_ == nullptr) return;
    ike_->tell_to([this](const IkeLogLine& line) {
        if (lost_.empty()) return;
        const std::string text = ike_event_line(line);
        for (auto& [client, lost] : lost_)
            if (tell(client, lost, text)) counted_.told();
    });
}

Result<void> Server::start_capture(ClientId client, control::CaptureHooks hooks) {
    TORII_TRY(auto handle, control_.capture(hooks, [this](const control::CapturedPacket& packet) { pass_on(packet); }));
    capturing_.emplace(Capturing{.client = client, .stream = {}, .handle = std::move(handle)});
    return {};
}

/// What a slow reader has no room for is lost and counted: the gateway waits for nobody.
void Server::pass_on(const control::CapturedPacket& packet) {
    if (!capturing_) return;
    if (lines_->unread(capturing_->client) > limits_.event_octets) {
        ++capturing_->lost;
        return;
    }
    lines_->send(capturing_->client, capture_line(capturing_->stream.text_of(packet), packet.lost + capturing_->lost));
}

void Server::tell_losses(ClientId client) {
    const auto found = lost_.find(client);
    if (found == lost_.end() || found->second == 0) return;
    lines_->send(client, lost_line(found->second));
    found->second = 0;
}

}  // namespace torii::rpc
