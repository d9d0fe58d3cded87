// A control socket in a temporary directory and clients of it, driven by hand in one thread.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "app/rpc/server.h"
#include "catch.h"
#include "fake_control.h"

namespace torii::test::control_socket {

using rpc::Limits;
using rpc::Server;

/// A directory that goes with its test.
struct Scratch {
    Scratch() {
        char name[] = "/tmp/torii-rpc-XXXXXX";
        directory = mkdtemp(name);
    }
    ~Scratch() { std::filesystem::remove_all(directory); }
    std::string path(const char* name = "run/control.sock") const { return directory + "/" + name; }
    std::string directory;
};

inline int connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    REQUIRE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

/// One end of a control connection, driven by hand in the server's own thread.
class TestClient {
public:
    TestClient(EventLoop& loop, const std::string& path) : loop_(loop), fd_(connect_to(path)) {}
    ~TestClient() { close(fd_); }
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;

    /// Sends all of it, turning the loop while the socket is full. False: the server closed.
    bool send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t count = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
            if (count < 0 && errno != EAGAIN) return false;
            if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
            loop_.turn();
        }
        return true;
    }
    void half_close() { shutdown(fd_, SHUT_WR); }

    /// The next line, or "closed", or "silence" after `patience` turns without one.
    std::string line(int patience = 200) {
        for (int turns = 0;; ++turns) {
            if (const auto end = got_.find('\n', scanned_); end != std::string::npos) {
                std::string out = got_.substr(0, end);
                got_.erase(0, end + 1);
                scanned_ = 0;
                return out;
            }
            scanned_ = got_.size();
            char octets[65536];
            const ssize_t count = recv(fd_, octets, sizeof octets, 0);
            if (count > 0) {
                got_.append(octets, static_cast<std::size_t>(count));
                turns = 0;
            } else if (count == 0 || errno == ECONNRESET) {
                return "closed";
            } else if (turns == patience) {
                return "silence";
            } else {
                loop_.turn();
            }
        }
    }
    std::string ask(std::string_view request) {
        send(std::string{request} + "\n");
        return line();
    }

private:
    EventLoop& loop_;
    int fd_;
    std::string got_;
    std::size_t scanned_ = 0;
};

struct House {
    explicit House(const Limits& limits = {})
        : server(Server::open(*loop, control, fake_setkey(), scratch.path(), limits).value()) {}
    TestClient client() { return TestClient{*loop, scratch.path()}; }

    Scratch scratch;
    std::unique_ptr<EventLoop> loop = EventLoop::make().value();
    FixedGateway control;
    std::unique_ptr<Server> server;
};

inline std::string error_code(const std::string& answer) {
    const auto at = answer.find(R"("code":)");
    return at == std::string::npos ? answer : answer.substr(at + 7, 6);
}

inline bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace torii::test::control_socket
