// The command line's programs as processes: a gateway behind a real control socket, and ways to run them against it.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "../rpc/fake_control.h"
#include "app/rpc/server.h"
#include "catch.h"
#include "cli/json.h"

namespace torii::test {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

/// A gateway with a control socket, living in a thread of its own.
class Gateway {
public:
    explicit Gateway(std::string path, const std::function<void(FixedGateway&)>& prepare = {}) {
        if (prepare) prepare(control_);
        server_ = rpc::Server::open(*loop_, control_, fake_setkey(), std::move(path)).value();
        loop_->every(50ms, [this] { control_.tell({.kind = control::Event::Kind::acquire, .policy = PolicyId{3}}); });
        thread_ = std::thread{[this] { loop_->run(); }};
    }
    ~Gateway() {
        loop_->stop();
        thread_.join();
    }
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

private:
    FixedGateway control_;
    std::unique_ptr<EventLoop> loop_ = EventLoop::make().value();
    std::unique_ptr<rpc::Server> server_;
    std::thread thread_;
};

struct Scratch {
    Scratch() {
        char name[] = "/tmp/torii-cli-XXXXXX";
        directory = mkdtemp(name);
    }
    ~Scratch() { std::filesystem::remove_all(directory); }
    std::string socket() const { return directory + "/control.sock"; }
    std::string directory;
};

/// `program` is the path of a binary.
[[noreturn]] inline void become(const char* program, const Scratch& scratch, const Strings& arguments) {
    setenv("TORII_SOCKET", scratch.socket().c_str(), 1);
    setenv("XDG_STATE_HOME", scratch.directory.c_str(), 1);
    setenv("HOME", scratch.directory.c_str(), 1);
    setenv("TERM", "xterm", 1);
    // libedit never frees the names given with EL_ADDFN; nothing of ours calls wcsdup.
    std::ofstream{scratch.directory + "/lsan"} << "leak:wcsdup\n";
    setenv("LSAN_OPTIONS", ("print_suppressions=0:suppressions=" + scratch.directory + "/lsan").c_str(), 1);
    std::vector<char*> argv{const_cast<char*>(program)};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execv(program, argv.data());
    _exit(127);
}

struct Ran {
    int code = -1;
    std::string out, err;
};

inline std::string contents(const std::string& path) {
    std::ifstream in{path};
    return {std::istreambuf_iterator<char>{in}, {}};
}

inline Ran run(const char* program, const Scratch& scratch, const Strings& arguments, const std::string& input = {}) {
    const auto file = [&](const char* name) { return scratch.directory + "/" + name; };
    std::ofstream{file("in")} << input;
    const pid_t child = fork();
    if (child == 0) {
        dup2(open(file("in").c_str(), O_RDONLY), STDIN_FILENO);
        dup2(open(file("out").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600), STDOUT_FILENO);
        dup2(open(file("err").c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600), STDERR_FILENO);
        become(program, scratch, arguments);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents(file("out")), contents(file("err"))};
}

inline bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// A program on a terminal of its own.
class Terminal {
public:
    Terminal(const char* program, const Scratch& scratch, const Strings& arguments = {}) {
        const winsize size{.ws_row = 40, .ws_col = 150, .ws_xpixel = 0, .ws_ypixel = 0};
        child_ = forkpty(&fd_, nullptr, nullptr, &size);
        if (child_ == 0) become(program, scratch, arguments);
    }
    ~Terminal() {
        close(fd_);
        if (child_ > 0) {
            kill(child_, SIGKILL);
            waitpid(child_, nullptr, 0);
        }
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    /// Types `keys` and returns what is shown until `expected` comes; fails the test when it does not.
    std::string type(std::string_view keys, std::string_view expected) {
        REQUIRE(write(fd_, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
        return await(expected);
    }
    std::string await(std::string_view expected) {
        std::string shown;
        const auto until = std::chrono::steady_clock::now() + 20s;
        while (!holds(shown, expected)) {
            pollfd waiting{fd_, POLLIN, 0};
            char octets[4096];
            const ssize_t count = poll(&waiting, 1, 200) > 0 ? read(fd_, octets, sizeof octets) : 0;
            if (count > 0) shown.append(octets, static_cast<std::size_t>(count));
            if (count < 0 || std::chrono::steady_clock::now() > until) {
                INFO("wanted " << expected << ", was shown " << shown);
                REQUIRE(holds(shown, expected));
            }
        }
        return shown;
    }
    /// The exit code. `key` is typed again each half second: one that comes in the moment before libedit takes the
    /// terminal over is not the key any more, and a user would press it again.
    int wait_for_end(std::string_view key = {}) {
        const auto until = std::chrono::steady_clock::now() + 20s;
        std::string shown;
        for (bool ended = false; !ended && std::chrono::steady_clock::now() < until;) {
            if (!key.empty()) (void)!write(fd_, key.data(), key.size());
            char octets[4096];
            pollfd waiting{fd_, POLLIN, 0};
            while (!ended && poll(&waiting, 1, 500) > 0) {
                const ssize_t count = read(fd_, octets, sizeof octets);
                ended = count <= 0;
                if (!ended) shown.append(octets, static_cast<std::size_t>(count));
            }
        }
        int status = 0;
        bool gone = waitpid(child_, &status, WNOHANG) != 0;
        for (int tenths = 0; !gone && tenths < 50; ++tenths) {  // its terminal is closed, or it hangs
            std::this_thread::sleep_for(100ms);
            gone = waitpid(child_, &status, WNOHANG) != 0;
        }
        if (gone) child_ = -1;
        if (gone && WIFEXITED(status)) return WEXITSTATUS(status);
        WARN((gone ? "ended by signal " + std::to_string(WTERMSIG(status)) : "it did not end")
             << ", was shown " << shown);
        return -1;
    }

private:
    pid_t child_ = -1;
    int fd_ = -1;
};

}  // namespace torii::test
