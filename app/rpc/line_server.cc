#include "app/rpc/line_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace torii::rpc {

namespace {

using namespace std::chrono_literals;

constexpr int backlog = 16;
constexpr std::size_t receive_octets = 64u << 10;  // taken from one client in one turn
constexpr auto no_descriptor_pause = 1s;           // how long accept rests when the process has no descriptor left

std::unexpected<Error> system_error(const std::string& what) {
    return fail(Errc::io, what + ": " + std::strerror(errno));
}

Result<sockaddr_un> socket_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return fail(Errc::bad_value, "control socket '" + path + "': a path of 1 to " +
                                         std::to_string(sizeof address.sun_path - 1) + " octets is needed");
    path.copy(address.sun_path, path.size());
    return address;
}

Peer peer_of(int fd) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
    return {credentials.uid, credentials.pid};
}

/// Removes what stands at `path` when it is the socket of a process that no longer lives.
Result<void> clear_stale(const std::string& path, const sockaddr_un& address) {
    struct stat there {};
    if (lstat(path.c_str(), &there) != 0) return errno == ENOENT ? Result<void>{} : system_error(path);
    if (!S_ISSOCK(there.st_mode))
        return fail(Errc::exists, path + " is there and is not a socket: move it away, or set another control socket");
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) return system_error("socket");
    const int connected = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int error = connected == 0 ? 0 : errno;
    const Peer living = connected == 0 ? peer_of(probe) : Peer{};
    close(probe);
    if (error == 0 || error == EAGAIN)  // EAGAIN: it lives and its backlog is full
        return fail(Errc::exists, path + ": a living process" +
                                      (living.pid > 0 ? " (pid " + std::to_string(living.pid) + ")" : "") +
                                      " listens there: stop it, or set another control socket");
    errno = error;
    if (error != ECONNREFUSED) return system_error(path);
    if (unlink(path.c_str()) != 0) return system_error("removing the stale " + path);
    return {};
}

}  // namespace

Result<std::unique_ptr<LineServer>> LineServer::open(EventLoop& loop, std::string path, const Limits& limits,
                                                     Handlers handlers) {
    std::unique_ptr<LineServer> server{new LineServer{loop, std::move(path), limits, std::move(handlers)}};
    TORII_CHECK(server->start());
    return server;
}

Result<void> LineServer::start() {
    TORII_CHECK(bind_and_listen());
    TORII_CHECK(loop_.watch(listener_, EPOLLIN, [this](std::uint32_t) { accept_clients(); }));
    stall_timer_ =
        loop_.every(std::max<EventLoop::Clock::duration>(limits_.stalled / 4, 1ms), [this] { close_stalled(); });
    return {};
}

Result<void> LineServer::bind_and_listen() {
    TORII_TRY(const auto address, socket_address(path_));
    if (const auto slash = path_.rfind('/'); slash != std::string::npos && slash != 0) {
        const std::string directory = path_.substr(0, slash);
        if (mkdir(directory.c_str(), limits_.sockets_alone ? 0755 : 0700) != 0 && errno != EEXIST)
            return system_error("making " + directory);
    }
    TORII_CHECK(clear_stale(path_, address));
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener_ < 0) return system_error("socket");
    // Before bind: the file then never exists with a wider mode.
    if (fchmod(listener_, 0600) != 0) return system_error("mode of " + path_);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return system_error(path_);
    if (limits_.sockets_alone && chmod(path_.c_str(), 0666) != 0) return system_error("mode of " + path_);
    struct stat ours {};
    if (lstat(path_.c_str(), &ours) != 0) return system_error(path_);
    device_ = ours.st_dev;
    inode_ = ours.st_ino;
    if (listen(listener_, backlog) != 0) return system_error("listening at " + path_);
    return {};
}

LineServer::~LineServer() {
    loop_.cancel(stall_timer_);
    loop_.cancel(accept_timer_);
    while (!clients_.empty()) close_client(clients_.begin()->first);
    if (listener_ < 0) return;
    loop_.forget(listener_);
    struct stat there {};
    if (inode_ != 0 && lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == inode_)
        unlink(path_.c_str());
    close(listener_);
}

void LineServer::accept_clients() {
    for (int i = 0; i < backlog; ++i) {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take_in(fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            loop_.change(listener_, 0);
            accept_timer_ = loop_.after(no_descriptor_pause, [this] { loop_.change(listener_, EPOLLIN); });
        }
        return;
    }
}

void LineServer::take_in(int fd) {
    if (clients_.size() >= limits_.clients) return refuse(fd);
    const ClientId id{++last_id_};
    auto client = std::make_unique<Client>();
    client->id = id;
    client->fd = fd;
    client->peer = peer_of(fd);
    client->moved = EventLoop::Clock::now();
    if (!loop_.watch(fd, EPOLLIN, [this, id](std::uint32_t ready) { advance(id, ready); })) {
        close(fd);
        return;
    }
    clients_[id] = std::move(client);
}

void LineServer::refuse(int fd) {
    ++traffic_.too_many;
    const std::string line = handlers_.too_many + '\n';
    // A new socket's buffer is empty: one line fits, or the client goes without it.
    (void)::send(fd, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

/// One turn of a client: out with what waits, in with what came, lines answered, out again.
void LineServer::advance(ClientId id, std::uint32_t ready) {
    Client* client = find(id);
    if (client == nullptr) return;
    const bool was_full = client->pending() > 0;
    flush(*client);
    if (was_full && client->pending() == 0 && !client->broken && handlers_.drained) handlers_.drained(id);
    const bool wants_more = !line_waits(*client) && client->pending() <= limits_.pause_octets;
    if ((ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && wants_more) receive(*client);
    answer_lines(*client);
    flush(*client);
    settle(*client);
}

void LineServer::receive(Client& client) {
    if (client.ended) return;
    std::array<char, receive_octets> octets;
    const ssize_t count = recv(client.fd, octets.data(), octets.size(), 0);
    if (count > 0) {
        traffic_.octets_in += static_cast<std::uint64_t>(count);
        append_input(client, {octets.data(), static_cast<std::size_t>(count)});
        wipe(std::as_writable_bytes(std::span{octets.data(), static_cast<std::size_t>(count)}));
    } else if (count == 0) {
        client.ended = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        client.ended = client.broken = true;
    }
}

void LineServer::append_input(Client& client, std::string_view octets) {
    if (client.skipping) {
        const auto end = octets.find('\n');
        if (end == std::string_view::npos) return;
        client.skipping = false;
        octets.remove_prefix(end + 1);
    }
    client.input.append(octets);
    buffered_ += octets.size();
}

/// Finds the next whole line. A line that grew beyond what is allowed is answered, dropped, and its rest skipped.
bool LineServer::next_line(Client& client, std::string_view& line) {
    const std::string_view input{client.input};
    const auto end = input.find('\n', client.scanned);
    if (end != std::string_view::npos) {
        line = input.substr(client.taken, end - client.taken);
        client.taken = client.scanned = end + 1;
        if (line.size() <= limits_.line_octets) return true;
        refuse_line(client);
        return next_line(client, line);
    }
    client.scanned = input.size();
    buffered_ -= client.taken;
    client.input.erase(0, client.taken);
    client.scanned -= client.taken;
    client.taken = 0;
    if (client.input.size() > limits_.line_octets || buffered_ > limits_.buffered_octets) {
        refuse_line(client);
        client.skipping = true;
        buffered_ -= client.input.size();
        client.input.clear();
        client.scanned = 0;
    }
    if (client.input.empty()) WipedString{}.swap(client.input);  // keys do not wait in an idle buffer
    return false;
}

void LineServer::refuse_line(Client& client) {
    ++traffic_.too_long;
    send(client.id, handlers_.too_long);
}

bool LineServer::line_waits(const Client& client) {
    return client.input.find('\n', client.scanned) != WipedString::npos;
}

void LineServer::answer_lines(Client& client) {
    std::string_view line;
    for (std::size_t i = 0; i < limits_.lines_a_turn; ++i) {
        if (client.broken || client.pending() > limits_.pause_octets) return;
        if (!next_line(client, line)) return;
        ++traffic_.lines_in;
        const WipedString answer = handlers_.line(client.id, client.peer, line);
        if (!answer.empty()) send(client.id, answer);
    }
}

void LineServer::send(ClientId id, std::string_view line) {
    Client* client = find(id);
    if (client == nullptr || client->broken) return;
    if (client->pending() + line.size() + 1 > limits_.answer_octets) {
        client->broken = true;  // closed by its next turn
    } else {
        if (client->pending() == 0) client->moved = EventLoop::Clock::now();
        client->output.append(line).push_back('\n');
        ++traffic_.lines_out;
        traffic_.octets_out += line.size() + 1;
    }
    loop_.change(client->fd, EPOLLIN | EPOLLOUT);
}

void LineServer::flush(Client& client) {
    while (client.pending() > 0 && !client.broken) {
        const ssize_t count =
            ::send(client.fd, client.output.data() + client.sent, client.pending(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) client.broken = true;
            break;
        }
        client.sent += static_cast<std::size_t>(count);
        client.moved = EventLoop::Clock::now();
    }
    if (client.pending() == 0) {
        WipedString{}.swap(client.output);
        client.sent = 0;
    } else if (client.sent > client.output.size() / 2) {
        client.output.erase(0, client.sent);
        client.sent = 0;
    }
}

/// Closes a client that is done, or waits for what it needs next.
void LineServer::settle(Client& client) {
    const bool whole_line = line_waits(client);
    if (client.broken || (client.ended && client.pending() == 0 && !whole_line)) return close_client(client.id);
    const bool paused = client.ended || whole_line || client.pending() > limits_.pause_octets;
    loop_.change(client.fd, (paused ? 0u : EPOLLIN) | (client.pending() > 0 ? EPOLLOUT : 0u));
    if (whole_line && client.pending() <= limits_.pause_octets) resume_next_turn(client);
}

/// Lines that came already make no descriptor ready: a timer goes on with them.
void LineServer::resume_next_turn(Client& client) {
    if (client.resuming) return;
    client.resuming = true;
    loop_.after(EventLoop::Clock::duration::zero(), [this, id = client.id] {
        if (Client* again = find(id)) {
            again->resuming = false;
            advance(id, 0);
        }
    });
}

void LineServer::close_client(ClientId id) {
    const auto found = clients_.find(id);
    const auto client = std::move(found->second);
    clients_.erase(found);
    buffered_ -= client->input.size();
    loop_.forget(client->fd);
    close(client->fd);
    if (handlers_.gone) handlers_.gone(id);
}

void LineServer::close_stalled() {
    const auto now = EventLoop::Clock::now();
    std::vector<ClientId> stalled;
    for (const auto& [id, client] : clients_) {
        // A subscriber never has more than event_octets waiting from events alone: it loses events and stays.
        if (client->pending() > limits_.event_octets && now - client->moved > limits_.stalled) stalled.push_back(id);
    }
    for (const ClientId id : stalled) close_client(id);
}

LineServer::Client* LineServer::find(ClientId id) {
    const auto found = clients_.find(id);
    return found == clients_.end() ? nullptr : found->second.get();
}

std::size_t LineServer::unread(ClientId id) const {
    const auto found = clients_.find(id);
    return found == clients_.end() ? 0 : found->second->pending();
}

}  // namespace torii::rpc
