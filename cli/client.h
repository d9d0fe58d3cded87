// The other end of the control socket: asks and waits. Connects when first needed and again after toriid restarted.
// One thread.
#pragma once

#include <chrono>
#include <csignal>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/json.h"

namespace torii::cli {

/// Where toriid listens unless told otherwise: TORII_SOCKET, else /run/torii/control.sock.
std::string usual_socket();

class Client {
public:
    explicit Client(std::string path) : path_(std::move(path)) {}
    ~Client() { close(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// The `result` of one request. toriid's own refusal keeps its message; Errc::io with the remedy when it cannot be
    /// reached, Errc::timed_out when it does not answer, Errc::denied when Ctrl-C ended the wait.
    Result<Value> ask(std::string_view method, const Params& params = {},
                      std::chrono::milliseconds patience = answer_patience);

    /// The next notification after events.subscribe, however long it takes. Errc::denied: Ctrl-C; Errc::io: toriid
    /// went.
    Result<Value> next_notification();

    /// Gives the connection up, and with it a subscription.
    void close();

    /// Whether the connection of the last request still stands.
    bool connected() const { return fd_ >= 0 && !broken(); }
    /// How many connections were made so far: another number, maybe another toriid.
    unsigned connections() const { return connections_; }
    static constexpr std::chrono::milliseconds answer_patience{30'000};  // a hundred thousand SAs take seconds

private:
    Result<void> connect();
    bool broken() const;
    Result<void> send(std::string_view line);
    Result<std::string> receive(std::chrono::milliseconds patience);
    std::unexpected<Error> unreachable(int error) const;

    std::string path_;
    int fd_ = -1;
    unsigned connections_ = 0;
    std::string input_;
};

/// Set by the handler of SIGINT; a wait ends with it. Cleared by whoever starts something that Ctrl-C may end.
extern volatile std::sig_atomic_t interrupted;
/// A Ctrl-C that comes just before poll() ends no wait: none is longer than this.
inline constexpr std::chrono::milliseconds longest_wait{250};
/// Makes SIGINT set `interrupted` and end a wait under way, instead of ending the process.
void catch_interrupts();

}  // namespace torii::cli
