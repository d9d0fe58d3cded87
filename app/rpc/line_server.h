// A Unix stream socket that takes lines and gives lines, with every resource a stranger could use up bounded: clients,
// the length of a line, what waits to be read, how long it may wait. It knows nothing of JSON. Control thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "app/event_loop.h"
#include "app/rpc/wiped.h"
#include "base/error.h"

namespace torii::rpc {

/// What one server grants its clients. The defaults are the product's; tests use smaller ones.
struct Limits {
    std::size_t clients = 32;                   // further ones are told so and closed
    std::size_t line_octets = 16u << 20;        // a setkey file of 100,000 SAs fits
    std::size_t buffered_octets = 64u << 20;    // unfinished lines of all clients together
    std::size_t answer_octets = 128u << 20;     // unread answers of one client (200,000 SAs); with more it is closed
    std::size_t pause_octets = 1u << 20;        // unread answers from which no more requests are taken
    std::size_t event_octets = 256u << 10;      // unread octets from which a subscriber loses events
    std::size_t lines_a_turn = 16;              // of one client, so that it cannot hold the loop
    std::chrono::milliseconds stalled{10'000};  // unread answers and not one octet taken: closed
    std::size_t batch = 64;                     // requests in one JSON-RPC batch
    bool sockets_alone = false;                 // for everybody (mode 0666), who may speak for sockets of their own
};

/// Who is at the other end (SO_PEERCRED, at the time it connected).
struct Peer {
    uid_t uid = static_cast<uid_t>(-1);
    pid_t pid = 0;
};

enum class ClientId : std::uint64_t {};

class LineServer {
public:
    struct Handlers {
        /// One line without its end. What it returns is sent as one line; empty: nothing.
        std::function<WipedString(ClientId, const Peer&, std::string_view line)> line;
        /// The client's output has room again. May send().
        std::function<void(ClientId)> drained;
        std::function<void(ClientId)> gone;
        /// Sent for a line beyond Limits::line_octets (or with no room left for it); the rest of that line is skipped.
        std::string too_long;
        /// Sent to a client beyond Limits::clients before it is closed.
        std::string too_many;
    };

    /// Makes the socket at `path` with mode 0600 (0666 and 0755 with Limits::sockets_alone), and its directory with
    /// 0700 when that is missing. The socket of a process that died is replaced. Errc::exists when a living process
    /// listens there; Errc::bad_value for a path a socket cannot have; Errc::io otherwise. `loop` outlives the server.
    static Result<std::unique_ptr<LineServer>> open(EventLoop& loop, std::string path, const Limits& limits,
                                                    Handlers handlers);
    /// Closes every client and removes the socket, unless another process's has taken its place.
    ~LineServer();
    LineServer(const LineServer&) = delete;
    LineServer& operator=(const LineServer&) = delete;

    /// Adds a line to what the client has yet to read; a client that is gone is passed over. Never closes a client
    /// under the caller.
    void send(ClientId client, std::string_view line);
    /// Octets the client has yet to read.
    std::size_t unread(ClientId client) const;
    std::size_t clients() const { return clients_.size(); }

    /// Lines and their octets, line ends included, since the socket was opened.
    struct Traffic {
        std::uint64_t lines_in = 0, octets_in = 0;    // whole lines within the limit; octets of all that came
        std::uint64_t lines_out = 0, octets_out = 0;  // given to clients, read by them or not
        std::uint64_t too_long = 0, too_many = 0;     // lines, clients
    };
    const Traffic& traffic() const { return traffic_; }

private:
    struct Client {
        ClientId id{};
        int fd = -1;
        Peer peer;
        WipedString input;        // from `taken` on: not yet processed
        std::size_t taken = 0;    // processed octets at the front of input
        std::size_t scanned = 0;  // octets of input known to hold no line end
        bool skipping = false;    // inside a line that was too long
        bool ended = false;       // the client sends no more
        bool broken = false;      // nothing can reach it any more
        bool resuming = false;    // a timer will go on with its lines
        WipedString output;
        std::size_t sent = 0;                  // octets at the front of output
        EventLoop::Clock::time_point moved{};  // when it last took an octet, or had none to take
        std::size_t pending() const { return output.size() - sent; }
    };

    LineServer(EventLoop& loop, std::string path, const Limits& limits, Handlers handlers)
        : loop_(loop), path_(std::move(path)), limits_(limits), handlers_(std::move(handlers)) {}
    Result<void> start();
    Result<void> bind_and_listen();
    void accept_clients();
    void take_in(int fd);
    void refuse(int fd);
    void refuse_line(Client& client);
    void advance(ClientId id, std::uint32_t ready);
    void receive(Client& client);
    void append_input(Client& client, std::string_view octets);
    static bool line_waits(const Client& client);
    void answer_lines(Client& client);
    bool next_line(Client& client, std::string_view& line);
    void flush(Client& client);
    void settle(Client& client);
    void resume_next_turn(Client& client);
    void close_client(ClientId id);
    void close_stalled();
    Client* find(ClientId id);

    EventLoop& loop_;
    std::string path_;
    Limits limits_;
    Handlers handlers_;
    int listener_ = -1;
    dev_t device_ = 0;  // of the socket's file, to know it again
    ino_t inode_ = 0;
    EventLoop::TimerId stall_timer_{};
    EventLoop::TimerId accept_timer_{};
    Traffic traffic_;
    std::uint64_t last_id_ = 0;
    std::size_t buffered_ = 0;  // octets in all clients' inputs
    std::map<ClientId, std::unique_ptr<Client>> clients_;
};

}  // namespace torii::rpc
