#include "cli/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace torii::cli {

volatile std::sig_atomic_t interrupted = 0;

namespace {

constexpr std::chrono::milliseconds forever = std::chrono::hours{24 * 365};
constexpr std::size_t max_line_octets = 128u << 20;  // beyond toriid's own limit of an answer

/// Errc as it was before it became text on the socket.
Errc code_named(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(Errc::internal); ++i) {
        if (name_of(static_cast<Errc>(i)) == name) return static_cast<Errc>(i);
    }
    return Errc::internal;
}

}  // namespace

std::string usual_socket() {
    const char* const from_environment = std::getenv("TORII_SOCKET");
    return from_environment != nullptr && *from_environment != 0 ? from_environment : "/run/torii/control.sock";
}

void catch_interrupts() {
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigaction(SIGINT, &action, nullptr);  // no SA_RESTART: the wait must notice
}

Result<Value> Client::ask(std::string_view method, const Params& params, std::chrono::milliseconds patience) {
    TORII_CHECK(connect());
    TORII_CHECK(send(request_line(method, params)));
    for (;;) {
        TORII_TRY(const auto line, receive(patience));
        TORII_TRY(const auto answer, parse_json(line));
        if (!answer["method"].is_null()) continue;  // a notification that came first
        const Value& error = answer["error"];
        if (error.is_null()) return answer["result"];
        return fail(code_named(error["data"]["code"].text), error["message"].text);
    }
}

Result<Value> Client::next_notification() {
    TORII_TRY(const auto line, receive(forever));
    return parse_json(line);
}

void Client::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    input_.clear();
}

std::unexpected<Error> Client::unreachable(int error) const {
    std::string message = "cannot reach toriid at " + path_ + ": ";
    if (error == EACCES || error == EPERM)
        message += "permission denied: try as root (sudo torii ...)";
    else
        message += "is it running? (" + std::string{std::strerror(error)} +
                   ") Start toriid, or name its control socket with --socket PATH or TORII_SOCKET";
    return fail(Errc::io, std::move(message));
}

Result<void> Client::connect() {
    if (connected()) return {};
    close();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path) return unreachable(ENAMETOOLONG);
    path_.copy(address.sun_path, path_.size());
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd_ >= 0 && ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        ++connections_;
        return {};
    }
    const int error = errno;
    close();
    return unreachable(error);
}

/// An idle connection has nothing to read; if it has, it is the end that a restart of toriid left.
bool Client::broken() const {
    pollfd waiting{fd_, POLLIN, 0};
    return poll(&waiting, 1, 0) != 0;
}

Result<void> Client::send(std::string_view line) {
    while (!line.empty()) {
        const ssize_t count = ::send(fd_, line.data(), line.size(), MSG_NOSIGNAL);
        if (count > 0) {
            line.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno != EINTR) {
            // It may have said why before it closed (too many clients).
            if (auto last = receive(answer_patience)) {
                if (auto answer = parse_json(*last); answer && !(*answer)["error"].is_null()) {
                    close();
                    return fail(Errc::no_room, (*answer)["error"]["message"].text);
                }
            }
            return fail(Errc::io, "toriid closed the connection");
        }
    }
    return {};
}

Result<std::string> Client::receive(std::chrono::milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (std::size_t scanned = 0;;) {
        if (const auto end = input_.find('\n', scanned); end != std::string::npos) {
            std::string line = input_.substr(0, end);
            input_.erase(0, end + 1);
            return line;
        }
        scanned = input_.size();
        pollfd waiting{fd_, POLLIN, 0};
        const int ready = poll(&waiting, 1, static_cast<int>(std::min(patience, longest_wait).count()));
        if (interrupted != 0) {
            close();
            return fail(Errc::denied, "interrupted");
        }
        const bool nothing = ready == 0 || (ready < 0 && errno == EINTR);
        if (nothing && std::chrono::steady_clock::now() < until) continue;
        if (nothing) {
            close();
            return fail(Errc::timed_out, "toriid does not answer; it may still do what was asked");
        }
        char octets[65536];
        const ssize_t count = recv(fd_, octets, sizeof octets, 0);
        if (count > 0) input_.append(octets, static_cast<std::size_t>(count));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0 || input_.size() > max_line_octets) {
            close();
            return fail(Errc::io, "toriid closed the connection; whether it did what was asked is not known");
        }
    }
}

}  // namespace torii::cli
