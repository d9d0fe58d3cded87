// The control socket driven over a real Unix socket in a temporary directory, by friendly and by hostile clients.
#include "app/rpc/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "catch.h"
#include "control_socket.h"
#include "fake_ike.h"

using namespace torii;
using namespace torii::rpc;
using namespace torii::test::control_socket;
using namespace std::chrono_literals;

namespace {

constexpr auto version_request = R"({"jsonrpc":"2.0","id":1,"method":"show.version"})";
constexpr auto version_answer =
    R"({"jsonrpc":"2.0","id":1,"result":{"torii":"0.1.0","dpdk":"22.11.5","ipsec_mb":"2.0.0","openssl":"3.0.15",)"
    R"("gateway_name":"tokyo","uptime_seconds":93784,"hugepages":false}})";

}  // namespace

// ---- the socket itself

TEST_CASE("the control socket is 0600 in a directory made 0700, and goes with the server") {
    House house;
    struct stat file {
    }, directory{};
    REQUIRE(stat(house.scratch.path().c_str(), &file) == 0);
    REQUIRE(stat(house.scratch.path("run").c_str(), &directory) == 0);
    CHECK((file.st_mode & 07777) == 0600);
    CHECK((directory.st_mode & 07777) == 0700);
    house.server.reset();
    CHECK(stat(house.scratch.path().c_str(), &file) != 0);
}

TEST_CASE("the socket of a dead process is replaced") {
    Scratch scratch;
    const pid_t child = fork();
    if (child == 0) {  // leaves its socket behind, as a killed toriid does
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        scratch.path("control.sock").copy(address.sun_path, sizeof address.sun_path - 1);
        const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        _exit(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 && listen(fd, 1) == 0 ? 0 : 1);
    }
    int status = 1;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
    REQUIRE(std::filesystem::exists(scratch.path("control.sock")));
    const auto loop = EventLoop::make().value();
    test::FixedGateway control;
    const auto server = Server::open(*loop, control, test::fake_setkey(), scratch.path("control.sock"));
    REQUIRE(server);
    TestClient client{*loop, scratch.path("control.sock")};
    CHECK(client.ask(version_request) == version_answer);
}

TEST_CASE("the socket of a living process is refused and stays its own") {
    House house;
    const auto second = Server::open(*house.loop, house.control, test::fake_setkey(), house.scratch.path());
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Errc::exists);
    CHECK(holds(second.error().message, "(pid " + std::to_string(getpid()) + ") listens there"));
    CHECK(house.client().ask(version_request) == version_answer);
}

TEST_CASE("a file that is no socket, and a path too long for one, are refused") {
    House house;
    const std::string plain = house.scratch.path("plain");
    close(open(plain.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    const auto open_at = [&](const std::string& path) {
        return Server::open(*house.loop, house.control, test::fake_setkey(), path).error().code;
    };
    CHECK(open_at(plain) == Errc::exists);
    CHECK(std::filesystem::exists(plain));
    CHECK(open_at("/tmp/" + std::string(200, 'x')) == Errc::bad_value);
    CHECK(open_at("") == Errc::bad_value);
    CHECK(open_at(house.scratch.path("no/such/control.sock")) == Errc::io);
}

// ---- JSON-RPC 2.0

TEST_CASE("each request is answered by one line with its id") {
    House house;
    auto client = house.client();
    CHECK(client.ask(version_request) == version_answer);
    CHECK(
        client.ask(R"({"jsonrpc":"2.0","id":"a","method":"show.routes"})") ==
        R"({"jsonrpc":"2.0","id":"a","result":[{"prefix":"0.0.0.0/0","via":"20.0.0.2","port":"wan","origin":"static"},)"
        R"({"prefix":"10.0.1.0/24","via":"","port":"lan","origin":"connected"}]})");
}

TEST_CASE("every algorithm of the registry is told with its key lengths") {
    House house;
    auto client = house.client();
    const std::string answer = client.ask(R"({"jsonrpc":"2.0","id":1,"method":"show.algorithms"})");
    for (const CipherInfo& cipher : ciphers()) CHECK(holds(answer, '"' + std::string{cipher.name} + '"'));
    for (const AuthInfo& auth : auths()) CHECK(holds(answer, '"' + std::string{auth.name} + '"'));
    CHECK(holds(answer, R"("name":"aes-gcm-16","alias":"","key_bits":"160, 224 or 288 bits","icv_octets":16)"));
    CHECK(holds(answer, R"("name":"blowfish-cbc","alias":"","key_bits":"40 to 448 bits in steps of 8")"));
}

TEST_CASE("what help lists can be called") {
    House house;
    auto client = house.client();
    for (const auto* method :
         {"show.ports", "show.routes", "show.neighbours", "show.sa", "show.policy", "show.drops", "show.stats",
          "show.crypto", "show.algorithms", "show.workers", "show.version", "show.settings", "setkey.dump_sas",
          "setkey.dump_policies", "events.subscribe", "help"}) {
        INFO(method);
        CHECK(holds(client.ask(R"({"jsonrpc":"2.0","id":1,"method":"help"})"), '"' + std::string{method} + '"'));
        CHECK(holds(client.ask(R"({"jsonrpc":"2.0","id":1,"method":")" + std::string{method} + "\"}"), R"("result":)"));
    }
}

TEST_CASE("set changes a setting and answers with it, or says what would be right") {
    House house;
    auto client = house.client();
    const auto set = [&](std::string_view name, std::string_view value) {
        return client.ask(R"({"jsonrpc":"2.0","id":1,"method":"set","params":{"name":")" + std::string{name} +
                          R"(","value":")" + std::string{value} + "\"}}");
    };
    CHECK(holds(set("net.key.larval_lifetime", "60"),
                R"({"name":"net.key.larval_lifetime","value":"60","fallback":"30","right":"1 to 86400 seconds")"));
    CHECK(holds(set("def_policy", "none"), R"("name":"net.inet.ipsec.def_policy","value":"none")"));
    CHECK(holds(set("def_policy", "maybe"), "def_policy is discard or none"));
    CHECK(holds(set("def_policy", "maybe"), R"("code":"bad_value")"));
    CHECK(holds(set("def_polisy", "none"), "did you mean net.inet.ipsec.def_policy?"));
    CHECK(holds(client.ask(R"({"jsonrpc":"2.0","id":1,"method":"show.settings"})"),
                R"("name":"net.inet.ipsec.def_policy","value":"none","fallback":"discard","right":"discard or none")"));
}

TEST_CASE("show.sa and show.policy tell every field but the keys") {
    House house;
    auto client = house.client();
    const auto sa = client.ask(R"({"jsonrpc":"2.0","id":1,"method":"show.sa"})");
    CHECK(holds(sa, R"("source":"20.0.0.1","destination":"20.0.0.2","protocol":"esp","spi":4097,"mode":"tunnel")"));
    CHECK(holds(sa, R"("cipher":"aes-cbc","cipher_key_bits":128,"auth":"hmac-sha256","auth_key_bits":128)"));
    CHECK_FALSE(holds(sa, test::secret_key));
    CHECK_FALSE(holds(sa, "73697874"));
    const auto policy = client.ask(R"({"jsonrpc":"2.0","id":1,"method":"show.policy"})");
    CHECK(holds(policy, R"("exemptions":["ARP of the gateway itself passes."])"));
    CHECK(holds(policy, R"("owner":"spd","direction":"in","selector":{"source":"10.0.1.0/24","source_ports":"any")"));
    CHECK(holds(
        policy,
        R"({"protocol":"esp","mode":"tunnel","level":"require","reqid":0,"source":"20.0.0.1","destination":"20.0.0.2"})"));
}

TEST_CASE("bad requests get the standard's codes and the connection goes on (JSON-RPC 2.0 section 5.1)") {
    House house;
    auto client = house.client();
    const std::pair<std::string, std::string> table[] = {
        {"not json", "-32700"},
        {R"({"jsonrpc":"2.0","id":1,"method":"show.version")", "-32700"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}", "-32700"},
        {R"({"id":1,"method":"show.version"})", "-32600"},
        {R"({"jsonrpc":2.0,"id":1,"method":"show.version"})", "-32600"},
        {R"({"jsonrpc":"2.0","id":[1],"method":"show.version"})", "-32600"},
        {R"({"jsonrpc":"2.0","id":1,"method":7})", "-32600"},
        {R"({"jsonrpc":"2.0","id":1})", "-32600"},
        {"17", "-32600"},
        {"null", "-32600"},
        {"[]", "-32600"},
        {R"({"jsonrpc":"2.0","id":1,"method":"show.everything"})", "-32601"},
        {R"({"jsonrpc":"2.0","id":1,"method":"show.version","params":[1]})", "-32602"},
        {R"({"jsonrpc":"2.0","id":1,"method":"show.version","params":{"x":1}})", "-32602"},
        {R"({"jsonrpc":"2.0","id":1,"method":"setkey.run","params":{"text":"flush;"}})", "-32602"},
        {R"({"jsonrpc":"2.0","id":1,"method":"setkey.run","params":{"text":7,"file":"x"}})", "-32602"},
        {R"({"jsonrpc":"2.0","id":1,"method":"setkey.run"})", "-32602"},
        {R"({"jsonrpc":"2.0","id":1,"method":"setkey.run","params":{"text":"flush;","file":"x","check":"yes"}})",
         "-32602"},
        {R"({"jsonrpc":"2.0","id":1,"method":"setkey.run","params":{"text":"flush;","file":"x","hosts":[]}})",
         "-32602"},
        {R"({"jsonrpc":"2.0","id":1,"method":"setkey.run","params":{"text":"flush;","file":"x","hosts":{"a":1}}})",
         "-32000"},
        {R"({"jsonrpc":"2.0","id":1,"method":"setkey.run","params":{"text":"flush;","file":"x","hosts":{"a":[1]}}})",
         "-32000"},
        {R"({"jsonrpc":"2.0","id":1,"method":"setkey.dump_sas","params":{"":{}}})", "-32602"},
        {std::string(1000, '['), "-32600"},
        {"[" + std::string(10000, ',') + "]", "-32600"},
    };
    for (const auto& [request, code] : table) {
        INFO(request.substr(0, 80));
        CHECK(error_code(client.ask(request)) == code);
    }
    CHECK(client.ask(version_request) == version_answer);
}

TEST_CASE("a notification is run and not answered, whatever happens") {
    House house;
    auto client = house.client();
    client.send(R"({"jsonrpc":"2.0","method":"events.subscribe"})"
                "\n");
    client.send(R"({"jsonrpc":"2.0","method":"no.such"})"
                "\n\r\n\n");
    CHECK(client.line(20) == "silence");
    CHECK(house.server->subscribers() == 1);
}

TEST_CASE("a batch is answered by one array, in order, and is bounded (JSON-RPC 2.0 section 6)") {
    House house;
    auto client = house.client();
    CHECK(client.ask(R"([{"jsonrpc":"2.0","id":1,"method":"show.version"},5,{"jsonrpc":"2.0","method":"help"}])") ==
          "[" + std::string{version_answer} +
              R"(,{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"a request is an object"}}])");
    client.send(R"([{"jsonrpc":"2.0","method":"help"}])"
                "\n");
    CHECK(client.line(20) == "silence");
    std::string many = "[1";
    for (int i = 0; i < 64; ++i) many += ",1";
    CHECK(holds(client.ask(many + "]"), "a batch holds at most 64 requests"));
}

TEST_CASE("setkey's error names file, line and token, with a code for programs") {
    House house;
    auto client = house.client();
    CHECK(client.ask(R"({"jsonrpc":"2.0","id":1,"method":"setkey.run","params":{"text":"flush;","file":"-"}})") ==
          R"({"jsonrpc":"2.0","id":1,"result":{"output":"ran flush;"}})");
    CHECK(
        client.ask(R"({"jsonrpc":"2.0","id":1,"method":"setkey.run","params":{"text":"wrong","file":"ipsec.conf"}})") ==
        R"({"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"ipsec.conf:1: unknown statement at 'wrong'",)"
        R"("data":{"code":"bad_syntax"}}})");
}

TEST_CASE("setkey.run takes flags and addresses of host names, and answers with warnings and names it lacks") {
    House house;
    auto client = house.client();
    const auto run = [&](const std::string& params) {
        return client.ask(R"({"jsonrpc":"2.0","id":1,"method":"setkey.run","params":{"file":"f",)" + params + "}}");
    };
    const auto result = [](const std::string& members) {
        return R"({"jsonrpc":"2.0","id":1,"result":{)" + members + "}}";
    };
    CHECK(run(R"("text":"flush;","check":true)") == result(R"("output":"checked flush;")"));
    CHECK(run(R"("text":"flush;","verbose":true,"check":false)") == result(R"("output":"told of flush;")"));
    CHECK(run(R"("text":"flush;","readable_by_others":true)") ==
          result(R"("output":"ran flush;","warnings":["f is readable by others"])"));
    CHECK(run(R"("text":"get localhost;")") ==
          result(R"("output":"","unknown_hosts":[{"name":"localhost","where":"f:1"}])"));
    CHECK(run(R"("text":"get localhost;","hosts":{"localhost":["127.0.0.1","::1"]})") ==
          result(R"("output":"localhost 127.0.0.1\nlocalhost ::1\nran get localhost;")"));
    CHECK(
        holds(client.ask(R"({"jsonrpc":"2.0","id":1,"method":"setkey.dump_sas","params":{"dead":true,"ports":true}})"),
              R"( dead ports\n)"));
}

TEST_CASE("keys go to uid 0 and to nobody else") {
    const test::FixedGateway fake;
    auto& control = const_cast<test::FixedGateway&>(fake);
    const Setkey setkey = test::fake_setkey();
    const auto dump = [&](Keys keys) {
        const Call call{.control = control, .setkey = setkey, .keys = keys, .subscribe = {}};
        return std::string{std::string_view{answer(call, R"({"jsonrpc":"2.0","id":1,"method":"setkey.dump_sas"})")}};
    };
    CHECK(holds(dump(Keys::shown), "73697874"));
    CHECK_FALSE(holds(dump(Keys::redacted), "73697874"));
    for (const Keys keys : {Keys::shown, Keys::redacted}) {
        const Call call{.control = control, .setkey = setkey, .keys = keys, .subscribe = {}};
        const auto table =
            answer(call, R"({"jsonrpc":"2.0","id":1,"method":"setkey.dump_sas","params":{"wireshark":true}})");
        CHECK(holds(std::string{std::string_view{table}}, "denied") == (keys == Keys::redacted));
    }
    House house;  // over the socket it is the peer's credentials that decide
    CHECK(holds(house.client().ask(R"({"jsonrpc":"2.0","id":1,"method":"setkey.dump_sas"})"), "73697874") ==
          (geteuid() == 0));
}

TEST_CASE("a method that throws is an internal error of its request alone") {
    House house;
    Setkey broken = test::fake_setkey();
    broken.dump_policies = [](bool) -> std::string { throw std::runtime_error("out of luck"); };
    const auto server = Server::open(*house.loop, house.control, broken, house.scratch.path("run/other.sock")).value();
    TestClient client{*house.loop, house.scratch.path("run/other.sock")};
    CHECK(error_code(client.ask(R"({"jsonrpc":"2.0","id":1,"method":"setkey.dump_policies"})")) == "-32603");
    CHECK(client.ask(version_request) == version_answer);
}

// ---- hostile clients; each time another client is served as if nothing were

TEST_CASE("a request may come in single octets, and many in one") {
    House house;
    auto client = house.client();
    for (const char c : std::string{version_request} + "\n") client.send({&c, 1});
    CHECK(client.line() == version_answer);
    std::string many;
    for (int i = 0; i < 100; ++i) many += std::string{version_request} + "\n";
    client.send(many);
    for (int i = 0; i < 100; ++i) CHECK(client.line() == version_answer);
}

TEST_CASE("a client may close its sending side and still gets its answers") {
    House house;
    auto client = house.client();
    std::string many;
    for (int i = 0; i < 40; ++i) many += std::string{version_request} + "\n";
    client.send(many + "half a li");
    client.half_close();
    for (int i = 0; i < 40; ++i) CHECK(client.line() == version_answer);
    CHECK(client.line() == "closed");
    CHECK(house.server->clients() == 0);
}

TEST_CASE("a line beyond the limit is refused without being kept, and the next line is read") {
    House house{{.line_octets = 1000}};
    auto client = house.client();
    for (const std::size_t octets : {1001u, 5000u, 300'000u}) {
        INFO(octets);
        CHECK(holds(client.ask(std::string(octets, 'x')), "a line holds at most 1000 octets"));
        CHECK(client.ask(version_request) == version_answer);
    }
    CHECK(error_code(client.ask(std::string(1000, 'x'))) == "-32700");
}

TEST_CASE("unfinished lines of all clients together are bounded") {
    House house{{.line_octets = 1000, .buffered_octets = 2500}};
    auto first = house.client(), second = house.client(), third = house.client();
    first.send(std::string(900, 'x'));
    second.send(std::string(900, 'x'));
    third.send(std::string(900, 'x'));
    CHECK(holds(third.line(), "unfinished lines"));
    CHECK(error_code(first.ask("")) == "-32700");  // its line was kept and is judged now
}

TEST_CASE("a setkey text of sixteen mebioctets arrives whole") {
    House house;
    auto client = house.client();
    const std::string head = R"({"jsonrpc":"2.0","id":1,"method":"setkey.run","params":{"file":"x","text":")";
    const std::string text((16u << 20) - head.size() - 3, '#');
    client.send(head + text + "\"}}\n");
    CHECK(client.line() == R"({"jsonrpc":"2.0","id":1,"result":{"output":"ran )" + text + "\"}}");
}

TEST_CASE("a client that does not read is not served further, then closed") {
    House house{{.answer_octets = 4u << 20, .pause_octets = 100'000, .event_octets = 1000, .stalled = 50ms}};
    house.control.sas = 300;  // an answer of some 100 kilo-octets
    auto idle = house.client(), other = house.client();
    std::string many;
    for (int i = 0; i < 200; ++i)
        many += R"({"jsonrpc":"2.0","id":1,"method":"show.sa"})"
                "\n";
    idle.send(many);
    REQUIRE(house.server->clients() == 2);
    const auto until = EventLoop::Clock::now() + 20s;  // it takes a fraction of this
    while (house.server->clients() == 2 && EventLoop::Clock::now() < until) {
        CHECK(other.ask(version_request) == version_answer);
    }
    CHECK(house.server->clients() == 1);
}

TEST_CASE("a slow reader gets all its answers in order") {
    House house{{.pause_octets = 5'000}};
    house.control.sas = 30;
    auto client = house.client();
    std::string many;
    for (int i = 0; i < 50; ++i)
        many += R"({"jsonrpc":"2.0","id":)" + std::to_string(i) + R"(,"method":"show.sa"})" + "\n";
    client.send(many);
    for (int i = 0; i < 50; ++i) CHECK(holds(client.line(), "\"id\":" + std::to_string(i) + ","));
}

TEST_CASE("an answer too large for the output limit closes its client alone") {
    House house{{.answer_octets = 10'000}};
    house.control.sas = 300;
    auto greedy = house.client(), other = house.client();
    CHECK(greedy.ask(R"({"jsonrpc":"2.0","id":1,"method":"show.sa"})") == "closed");
    CHECK(other.ask(version_request) == version_answer);
}

TEST_CASE("clients that vanish at any moment leave nothing behind") {
    House house;
    house.control.sas = 100;
    for (const auto* before : {"", "{", "\n",
                               R"({"jsonrpc":"2.0","id":1,"method":"show.sa"})"
                               "\n",
                               R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe"})"
                               "\n"}) {
        house.client().send(before);
        for (int i = 0; i < 20; ++i) house.loop->turn();
        CHECK(house.server->clients() == 0);
        CHECK(house.server->subscribers() == 0);
    }
    CHECK(house.control.listeners() == 0);
    CHECK(house.client().ask(version_request) == version_answer);
}

TEST_CASE("clients beyond the limit are told so and closed") {
    House house{{.clients = 2}};
    auto first = house.client(), second = house.client();
    CHECK(first.ask(version_request) == version_answer);
    CHECK(second.ask(version_request) == version_answer);
    auto third = house.client();
    CHECK(holds(third.line(), "2 clients are connected already"));
    CHECK(third.line() == "closed");
}

// ---- events

TEST_CASE("subscribers get events as notifications, the others nothing") {
    House house;
    auto subscriber = house.client(), other = house.client();
    CHECK(house.control.listeners() == 0);
    CHECK(holds(subscriber.ask(R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe"})"), R"("subscribed":true)"));
    CHECK(house.control.listeners() == 1);
    control::Event event{.kind = control::Event::Kind::bad_icv, .sequence = 9, .repeated = 3};
    event.sa = {Address::v4(0x14000001), Address::v4(0x14000002), IpsecProtocol::esp, control::Spi{0x1001}};
    house.control.tell(event);
    const auto told = subscriber.line();
    CHECK(holds(told, R"({"jsonrpc":"2.0","method":"event","params":{"unix_milliseconds":)"));
    CHECK(holds(
        told,
        R"("kind":"bad_icv","sa":{"source":"20.0.0.1","destination":"20.0.0.2","protocol":"esp","spi":4097},"sequence":9,"repeated":3}})"));
    CHECK(other.line(20) == "silence");
}

TEST_CASE("subscribers hear what IKE does, as long as it is served") {
    torii::test::FixedIke ike;
    House house;
    house.server->serve_ike(&ike);
    auto subscriber = house.client(), other = house.client();
    subscriber.ask(R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe"})");
    REQUIRE(ike.hear);
    ike.hear({1'800'000'000'123, "info", "newyork", 7, "established"});
    CHECK(holds(
        subscriber.line(),
        R"("method":"event","params":{"unix_milliseconds":1800000000123,"level":"info","connection":"newyork","number":7,"text":"established","kind":"ike"}})"));
    CHECK(other.line(20) == "silence");
    house.server->serve_ike(nullptr);
    CHECK_FALSE(ike.hear);
}

TEST_CASE("a slow subscriber loses events, is told how many, and goes on") {
    House house{{.event_octets = 2000, .stalled = 20ms}};
    auto subscriber = house.client();
    subscriber.ask(R"({"jsonrpc":"2.0","id":1,"method":"events.subscribe"})");
    constexpr int told = 2'000;
    for (int i = 0; i < told; ++i) {
        house.control.tell({.kind = control::Event::Kind::acquire, .policy = PolicyId{1}});
        if (i % 20 == 0) house.loop->turn();
    }
    const auto until = EventLoop::Clock::now() + 100ms;  // well beyond `stalled`: slow is not hostile
    while (EventLoop::Clock::now() < until) house.loop->turn();
    CHECK(house.server->clients() == 1);
    int received = 0, lost = 0;
    for (auto line = subscriber.line(); line != "silence"; line = subscriber.line()) {
        REQUIRE(line != "closed");
        if (const auto at = line.find(R"("lost":)"); at != std::string::npos)
            lost += std::stoi(line.substr(at + 7));
        else
            ++received;
    }
    CHECK(lost > 0);
    CHECK(received + lost == told);
    house.control.tell({.kind = control::Event::Kind::acquire});
    CHECK(holds(subscriber.line(), R"("kind":"acquire")"));
}

TEST_CASE("a capture belongs to its client, ends with it, and loses by count what the client does not read") {
    House house{{.event_octets = 2000}};
    const auto packet = [&] { house.control.capturing({.port = "wan", .octets = {}, .lost = 1}); };
    {
        auto client = house.client(), other = house.client();
        const std::string start = R"({"jsonrpc":"2.0","id":1,"method":"capture.start","params":{"hook":"clear"}})";
        CHECK(holds(client.ask(start), R"("capturing":true)"));
        CHECK(house.control.capture_hooks.clear);
        CHECK_FALSE(house.control.capture_hooks.wire);
        CHECK(holds(other.ask(start), "a capture is on already"));
        packet();
        CHECK(holds(client.line(), R"({"jsonrpc":"2.0","method":"capture","params":{"pcapng":"0a0d0d0a)"));
        for (int i = 0; i < 20; ++i) packet();  // nobody reads, and the socket is not asked to take them
        int received = 0;
        for (auto line = client.line(); line != "silence"; line = client.line()) ++received;
        CHECK(received < 20);
        packet();
        CHECK(holds(client.line(), "\"lost\":" + std::to_string(1 + 20 - received)));
    }
    for (int i = 0; i < 20 && house.control.capturing; ++i) house.loop->turn();
    CHECK_FALSE(house.control.capturing);
}
