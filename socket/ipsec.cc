// The C interface of libtorii-socket: socket/torii/ipsec.h says what each call does. Any thread; what went wrong is
// told to the thread that asked.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "cli/json.h"
#include "socket/policy_text.h"
#include "socket/torii/ipsec.h"

namespace {

using namespace torii;
using namespace torii::socket_policy;

constexpr std::size_t longest_answer = 65536;

std::string& last_error() {
    thread_local std::string text = "no error";
    return text;
}

template <class T>
bool told(const Result<T>& result) {
    last_error() = result ? "no error" : result.error().message;
    return result.has_value();
}

/// For a caller that frees it with free(3).
char* handed_out(const void* octets, std::size_t count) {
    auto* const out = static_cast<char*>(std::malloc(count));
    if (out == nullptr)
        last_error() = "no memory";
    else
        std::memcpy(out, octets, count);
    return out;
}

Result<std::span<const std::byte>> octets_at(const char* policy) {
    if (policy == nullptr) return fail(Errc::bad_value, "there is no policy");
    const auto* const octets = reinterpret_cast<const std::byte*>(policy);
    TORII_TRY(const std::size_t count, octets_of(std::span<const std::byte, 16>{octets, 16}));
    return std::span{octets, count};
}

Result<SocketPolicy> policy_at(const char* policy) {
    TORII_TRY(const auto octets, octets_at(policy));
    return decode(octets);
}

std::string path_or_default(const char* path) {
    if (path != nullptr) return path;
    const char* const named = std::getenv("TORII_SOCKET");
    return named != nullptr ? named : "/run/torii/control.sock";
}

/// A connection that closes itself unless it is released to the caller.
class Connection {
public:
    ~Connection() {
        if (fd_ >= 0) ::close(fd_);
    }
    int release() { return std::exchange(fd_, -1); }

    Result<void> open(const std::string& path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (path.size() >= sizeof address.sun_path) return fail(Errc::bad_value, path + " is too long for a socket");
        path.copy(address.sun_path, path.size());
        fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd_ < 0 || connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            return fail(Errc::io, "cannot reach toriid at " + path + ": " + std::strerror(errno));
        return {};
    }

    Result<cli::Value> ask(std::string_view method, const cli::Params& params) {
        const std::string line = cli::request_line(method, params);
        if (send(fd_, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
            return fail(Errc::io, "toriid closed the connection");
        std::string answer;
        for (char octets[4096]; answer.empty() || answer.back() != '\n';) {
            const ssize_t count = recv(fd_, octets, sizeof octets, 0);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0 || answer.size() > longest_answer) return fail(Errc::io, "toriid closed the connection");
            answer.append(octets, static_cast<std::size_t>(count));
        }
        TORII_TRY(const auto whole, cli::parse_json(answer));
        if (const cli::Value& error = whole["error"]; !error.is_null())
            return fail(Errc::denied, error["message"].text);
        return whole["result"];
    }

private:
    int fd_ = -1;
};

Result<int> bind_policy(int fd, const char* policy, const std::string& path) {
    TORII_TRY(const SocketPolicy wanted, policy_at(policy));
    Connection connection;
    TORII_CHECK(connection.open(path));
    const std::string number = std::to_string(fd), text = text_of(wanted, " ");
    TORII_CHECK(connection.ask("socket.bind", {{"fd", number}, {"policy", text}}));
    return connection.release();
}

}  // namespace

char* ipsec_set_policy(const char* text, int length) {
    if (text == nullptr || length < 0) {
        last_error() = "there is no text";
        return nullptr;
    }
    // A terminating zero may be counted in, as many callers do.
    const auto policy = parse({text, strnlen(text, static_cast<std::size_t>(length))});
    if (!told(policy)) return nullptr;
    const auto octets = encode(*policy);
    return handed_out(octets.data(), octets.size());
}

int ipsec_get_policylen(const char* policy) {
    const auto octets = octets_at(policy);
    return told(octets) ? static_cast<int>(octets->size()) : -1;
}

char* ipsec_dump_policy(const char* policy, const char* delimiter) {
    const auto decoded = policy_at(policy);
    if (!told(decoded)) return nullptr;
    const std::string text = text_of(*decoded, delimiter != nullptr ? delimiter : " ");
    return handed_out(text.c_str(), text.size() + 1);
}

const char* ipsec_strerror(void) { return last_error().c_str(); }

int torii_bind_policy(int fd, const char* policy, const char* path) {
    const auto handle = bind_policy(fd, policy, path_or_default(path));
    return told(handle) ? *handle : -1;
}
