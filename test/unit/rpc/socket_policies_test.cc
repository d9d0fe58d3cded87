// Per-socket policies: what a socket's ends become, who may ask for what, and that a policy lives as long as its
// handle.
#include "app/rpc/socket_policies.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "app/rpc/server.h"
#include "app/setkey/setkey.h"
#include "catch.h"
#include "setkey/fake_control.h"
#include "socket/torii/ipsec.h"

using namespace torii;
using namespace torii::rpc;

namespace {

const std::vector<Address> own{*Address::parse("10.0.0.1"), *Address::parse("192.168.1.1"),
                               *Address::parse("2001:db8::1")};

SocketEnd end(const char* address, std::uint16_t port) { return {*Address::parse(address), port}; }
const SocketEnds connected{.protocol = 6, .local = end("10.0.0.1", 4711), .remote = end("10.0.0.2", 110)};
const SocketEnds listening{.protocol = 6, .local = end("10.0.0.1", 110), .remote = {}};
const SocketEnds anywhere{.protocol = 17, .local = end("0.0.0.0", 2049), .remote = {}};

std::string stated(const SocketEnds& socket, std::string_view policy, bool privileged = true) {
    const auto statements = statements_for(socket, policy, privileged, own);
    if (!statements) return std::string{"refused: "} + statements.error().message;
    std::string out;
    for (const std::string& statement : *statements) {
        REQUIRE(setkey::parse_policy(statement));
        out += (out.empty() ? "" : " | ") + statement;
    }
    return out;
}

/// A TCP socket of this process, listening at 127.0.0.1.
struct Listening {
    Listening() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t octets = sizeof address;
        REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &octets) == 0);
        port = ntohs(address.sin_port);
    }
    ~Listening() { close(fd); }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::uint16_t port = 0;
};

const Peer ourselves{.uid = geteuid(), .pid = getpid()};
const Peer root{.uid = 0, .pid = getpid()}, somebody{.uid = 1000, .pid = getpid()};

/// Looks at this process's sockets, whoever is said to ask.
Result<SocketEnds> as_ourselves(const Peer&, int fd) { return look_at_socket(ourselves, fd); }

}  // namespace

TEST_CASE("a connected socket's policy is for its two ends, whichever way it looks") {
    CHECK(stated(connected, "out ipsec esp/transport//require") ==
          "spdadd 10.0.0.1[4711] 10.0.0.2[110] 6 -P out ipsec esp/transport//require;");
    CHECK(stated(connected, "in prio 7 ipsec ah/transport//use") ==
          "spdadd 10.0.0.2[110] 10.0.0.1[4711] 6 -P in prio 7 ipsec ah/transport//use;");
    CHECK(stated(connected, "out bypass") == "spdadd 10.0.0.1[4711] 10.0.0.2[110] 6 -P out none;");
    CHECK(stated(connected, "out entrust").empty());
    // a ping socket: what the kernel calls its port is the identifier
    const SocketEnds ping{.protocol = 1, .local = end("10.0.0.1", 4711), .remote = end("10.0.0.2", 0)};
    CHECK(stated(ping, "out ipsec esp/transport//require") ==
          "spdadd 10.0.0.1[any] 10.0.0.2[any] 1 -P out ipsec esp/transport//require;");
}

TEST_CASE("a bound socket's policy is for whoever is at the other end, at each own address when it has none") {
    CHECK(stated(listening, "in ipsec esp/transport//require") ==
          "spdadd 0.0.0.0/0[any] 10.0.0.1[110] 6 -P in ipsec esp/transport//require;");
    CHECK(stated(anywhere, "out ipsec esp/transport//use") ==
          "spdadd 10.0.0.1[2049] 0.0.0.0/0[any] 17 -P out ipsec esp/transport//use; | "
          "spdadd 192.168.1.1[2049] 0.0.0.0/0[any] 17 -P out ipsec esp/transport//use;");
    const SocketEnds any_v6{.protocol = 6, .local = end("::", 80), .remote = {}};
    CHECK(stated(any_v6, "in ipsec ah/transport//use") ==
          "spdadd ::/0[any] 2001:db8::1[80] 6 -P in ipsec ah/transport//use;");
}

TEST_CASE("bypass is for privileged callers; what is the SPD's is refused; a socket without a port has no policy") {
    CHECK(stated(connected, "out bypass", false).find("only a privileged caller") != std::string::npos);
    CHECK(stated(connected, "out none").find("for the SPD") != std::string::npos);
    CHECK(stated(connected, "in discard").find("for the SPD") != std::string::npos);
    const SocketEnds fresh{.protocol = 6, .local = end("0.0.0.0", 0), .remote = {}};
    CHECK(stated(fresh, "in ipsec esp/transport//use").find("bind or connect it first") != std::string::npos);
    for (const char* text : {"", "in", "sideways bypass", "out prio 3"})
        CHECK(stated(connected, text).find("in|out [priority]") != std::string::npos);
}

TEST_CASE("a policy's text cannot smuggle another statement in") {
    test::FakeControl control;
    SocketPolicies sockets{control, setkey::parse_policy, as_ourselves};
    const Listening socket;
    const auto bound =
        sockets.bind(ClientId{1}, somebody, socket.fd,
                     "out ipsec esp/transport//use; spdflush; spdadd 0.0.0.0/0 0.0.0.0/0 any -P in none");
    REQUIRE_FALSE(bound);
    CHECK(bound.error().message == "one policy was expected, and nothing else");
    CHECK(control.policies.empty());
}

TEST_CASE("an unprivileged socket's policy names no ends of SAs: those belong to others") {
    test::FakeControl control;
    SocketPolicies sockets{control, setkey::parse_policy, as_ourselves};
    const Listening socket;
    for (const char* text : {"out ipsec esp/tunnel/10.0.0.1-10.0.0.2/require",
                             "in ipsec ah/transport//require esp/transport/10.0.0.2-10.0.0.1/require"}) {
        const auto bound = sockets.bind(ClientId{1}, somebody, socket.fd, text);
        REQUIRE_FALSE(bound);
        CHECK(bound.error().code == Errc::denied);
        CHECK(bound.error().message.find("only a privileged caller") != std::string::npos);
        CHECK(control.policies.empty());
        CHECK(sockets.bind(ClientId{1}, root, socket.fd, text));
        sockets.release(ClientId{1});
    }
}

TEST_CASE("the kernel is asked about the socket, and only about one the caller has") {
    const Listening socket;
    const auto ends = look_at_socket(ourselves, socket.fd);
    REQUIRE(ends);
    CHECK(ends->protocol == IPPROTO_TCP);
    CHECK(ends->local.address == *Address::parse("127.0.0.1"));
    CHECK(ends->local.port == socket.port);
    CHECK_FALSE(ends->remote);
    CHECK(look_at_socket(ourselves, 9999).error().message == "descriptor 9999 is no IPv4 or IPv6 socket");
    int pipes[2];
    REQUIRE(pipe(pipes) == 0);
    CHECK(look_at_socket(ourselves, pipes[0]).error().code == Errc::bad_value);
    close(pipes[0]);
    close(pipes[1]);
    // its number has passed to another user's process since it connected
    const Peer gone{.uid = geteuid() + 1, .pid = getpid()};
    CHECK(look_at_socket(gone, socket.fd).error().code == Errc::denied);
}

TEST_CASE("a socket has one policy each way, of its caller's standing, until its handle goes") {
    test::FakeControl control;
    SocketPolicies sockets{control, setkey::parse_policy, as_ourselves};
    const Listening socket;
    REQUIRE(sockets.bind(ClientId{1}, root, socket.fd, "out bypass"));
    REQUIRE(sockets.bind(ClientId{2}, somebody, socket.fd, "out ipsec esp/transport//use"));
    REQUIRE(sockets.bind(ClientId{2}, somebody, socket.fd, "in ipsec esp/transport//require"));
    REQUIRE(control.policies.size() == 3);
    CHECK(control.policies[0].owner == PolicyOwner::privileged_socket);
    CHECK(control.policies[0].action == PolicyAction::bypass);
    CHECK(control.policies[1].owner == PolicyOwner::socket);

    REQUIRE(sockets.bind(ClientId{2}, somebody, socket.fd, "in ipsec ah/transport//require"));
    REQUIRE(control.policies.size() == 3);  // the new one in place of the old
    CHECK(control.policies.back().requests.front().protocol == IpsecProtocol::ah);
    REQUIRE(sockets.bind(ClientId{2}, somebody, socket.fd, "in entrust"));
    CHECK(control.policies.size() == 2);

    sockets.release(ClientId{2});
    REQUIRE(control.policies.size() == 1);
    CHECK(control.policies[0].owner == PolicyOwner::privileged_socket);
    sockets.release(ClientId{2});
    sockets.release(ClientId{1});
    CHECK(control.policies.empty());
}

TEST_CASE("torii_bind_policy gives a socket its policy, and closing the handle takes it back") {
    char directory[] = "/tmp/torii-sockets-XXXXXX";
    REQUIRE(mkdtemp(directory) != nullptr);
    const std::string path = std::string{directory} + "/policy.sock";
    test::FakeControl control;
    auto loop = EventLoop::make().value();
    Setkey language;
    language.policy = setkey::parse_policy;
    auto server = Server::open(*loop, control, language, path, {.sockets_alone = true}).value();

    const Listening socket;
    int handle = -1;
    std::atomic<bool> answered{false};
    std::thread caller{[&] {
        const std::string text = "in ipsec esp/transport//require";
        char* const policy = ipsec_set_policy(text.c_str(), static_cast<int>(text.size()));
        handle = torii_bind_policy(socket.fd, policy, path.c_str());
        std::free(policy);
        answered = true;
    }};
    while (!answered) loop->turn();
    caller.join();
    REQUIRE(handle >= 0);
    REQUIRE(control.policies.size() == 1);
    CHECK(control.policies[0].selector.destination_ports == PortRange::only(socket.port));
    CHECK(control.policies[0].owner == (getuid() == 0 ? PolicyOwner::privileged_socket : PolicyOwner::socket));
    close(handle);
    for (int turns = 0; turns < 200 && !control.policies.empty(); ++turns) loop->turn();
    CHECK(control.policies.empty());
    server.reset();
    std::filesystem::remove_all(directory);
}
