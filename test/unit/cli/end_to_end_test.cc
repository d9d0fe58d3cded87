// The `torii` binary as its users meet it: against a real control socket, as one-shot command, as script, and as a
// shell on a pseudo-terminal.
#include "cli/process.h"

using namespace torii;
using namespace torii::test;

namespace {

Ran run_torii(const Scratch& scratch, const Strings& arguments, const std::string& input = {}) {
    return run(TORII_CLI, scratch, arguments, input);
}

}  // namespace

TEST_CASE("each show command prints an aligned table") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    const std::pair<const char*, const char*> table[] = {
        {"ports",
         "PORT  ROLE         LINK   MTU  MAC                QUEUES  ADDRESSES                 DRIVER         DEVICE\n"
         "wan   unprotected  up    1500  02:00:00:00:00:01  0/0     20.0.0.1/24               net_af_packet  "
         "net_af_packet0,iface=wan\n"},
        {"routes", "0.0.0.0/0    20.0.0.2  wan   static\n10.0.1.0/24  -         lan   connected\n"},
        {"neighbours", "20.0.0.2  02:00:00:00:00:02  wan   reachable  12 s        0\n"},
        {"sa",
         "0x00001001  out  20.0.0.1  20.0.0.2     esp/tunnel  aes-cbc 128 + hmac-sha256  mature        7     840"},
        {"policy",
         "\n 2  out         0  10.0.1.0/24  10.0.2.0/24  any       PROTECT  spd    "
         "esp/tunnel/20.0.0.1-20.0.0.2/require\n"},
        {"policy", "\n\nEXEMPT FROM POLICY\nARP of the gateway itself passes.\n"},
        {"drops", "PACKETS  UNTOLD  REASON   CHECK\n      5       0  bad_icv  Compare the keys of both ends.\n"},
        {"stats", "TOTAL  GROUP  FAMILY  COUNTER"},
        {"stats", "   12  ipsec  ipv4    in_success"},
        {"stats", "  pfkey  -       out_hist.dump"},
        {"crypto", "aes-gcm-16 128  ipsec-mb avx2 direct  yes     yes            83          460  -\n"},
        {"workers", "\n     0      1     1  adaptive       42"},
        {"version", "tokyo    0.1.0  22.11.5  2.0.0     3.0.15   no         1 day 2 h\n"},
    };
    for (const auto& [what, row] : table) {
        const Ran ran = run_torii(scratch, {"show", what});
        INFO(what << "\n" << ran.out << ran.err);
        CHECK(ran.code == 0);
        CHECK(holds(ran.out, row));
        CHECK(ran.err.empty());
    }
}

TEST_CASE("each show command with --json prints one JSON document") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    for (const auto* what :
         {"ports", "routes", "neighbours", "sa", "policy", "drops", "stats", "crypto", "workers", "version"}) {
        const Ran ran = run_torii(scratch, {"show", what, "--json"});
        INFO(what << "\n" << ran.out << ran.err);
        CHECK(ran.code == 0);
        const auto json = cli::parse_json(ran.out);
        REQUIRE(json);
        CHECK((json->items.size() + json->members.size()) > 0);
        CHECK_FALSE(holds(ran.out, test::secret_key));
    }
    CHECK(run_torii(scratch, {"--json", "show", "sa"}).out == run_torii(scratch, {"show", "sa", "--json"}).out);
    CHECK(cli::parse_json(run_torii(scratch, {"show", "sa", "0x1001", "--json"}).out).value().items.size() == 1);
}

TEST_CASE("explain prints a line for each step, and as JSON all there is to know") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    const Ran ran = run_torii(scratch, {"explain", "10.0.1.5", "10.0.2.5", "tcp", "80", "-i", "wan"});
    INFO(ran.out << ran.err);
    CHECK(ran.code == 0);
    CHECK(ran.out == "STAGE   WHAT HAPPENS\npacket  10.0.1.5[49152] 10.0.2.5[80] tcp\n");
    const Ran json = run_torii(scratch, {"explain", "10.0.1.5", "10.0.2.5", "--json"});
    CHECK(cli::parse_json(json.out).value()["fate"].text == "drop");
    CHECK(run_torii(scratch, {"explain", "10.0.1.5"}).err ==
          "torii: explain needs more words: SRC DST [PROTOCOL [PORTS]]\n");
    CHECK(run_torii(scratch, {"explain", "10.0.1.5", "tokyo"}).code == 1);
    CHECK(run_torii(scratch, {"explain", "a", "b", "c", "d", "e"}).code == 2);
}

TEST_CASE("filter lists rules as a table, and takes a rule's words as they are typed") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    CHECK(run_torii(scratch, {"filter", "list"}).out ==
          "HOOK  RULE  PACKETS  OCTETS\n"
          "wire     1       12     720  block in on wan proto tcp from any to any port 25\n"
          "wire          1,000  90,000  pass what no rule matches\n");
    CHECK(run_torii(scratch, {"filter", "add", "wire", "block", "in", "proto", "tcp", "-b", "3"}).out ==
          "RULE\n   7\n");
    CHECK(run_torii(scratch, {"filter", "add", "wire", "block", "inn"}).err == "torii: 'inn' is not understood here\n");
    CHECK(run_torii(scratch, {"filter", "delete", "wire"}).code == 2);
}

TEST_CASE("setkey gives statements from standard input and files, dumps and flushes") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    std::ofstream{scratch.directory + "/ipsec.conf"} << "spdflush;\n";
    CHECK(run_torii(scratch, {"setkey", "-c"}, "flush;\n").out == "ran flush;\n");
    CHECK(run_torii(scratch, {"setkey", "-f", scratch.directory + "/ipsec.conf"}).out == "ran spdflush;\n");
    CHECK(holds(run_torii(scratch, {"setkey", "-D"}).out, "20.0.0.1 20.0.0.2 E: aes-cbc"));
    CHECK(run_torii(scratch, {"setkey", "-D", "-P"}).out == "10.0.1.0/24[any] 10.0.2.0/24[any] any\n");
    CHECK(run_torii(scratch, {"setkey", "-F"}).out == "ran flush;\n");
    CHECK(run_torii(scratch, {"setkey", "-FP"}).out == "ran spdflush;\n");
    const Ran wrong = run_torii(scratch, {"setkey", "-c"}, "wrong\n");
    CHECK(wrong.code == 1);
    CHECK(wrong.err == "torii: stdin:1: unknown statement at 'wrong'\n");
    const Ran missing = run_torii(scratch, {"setkey", "-f", "/no/such"});
    CHECK(missing.code == 1);
    CHECK(missing.err == "torii: /no/such: No such file or directory\n");
    const Ran bare = run_torii(scratch, {"setkey", "add", "a", "b"});
    CHECK(bare.code == 2);
    CHECK(holds(bare.err, "-c or -f FILE"));
}

TEST_CASE("exit codes tell a failure from a misunderstanding, and errors carry the remedy") {
    const Scratch scratch;
    const Ran down = run_torii(scratch, {"show", "sa"});
    CHECK(down.code == 1);
    CHECK(down.out.empty());
    CHECK(holds(down.err, "cannot reach toriid at " + scratch.socket() + ": is it running?"));
    const Ran usage = run_torii(scratch, {"shwo", "sa"});
    CHECK(usage.code == 2);
    CHECK(usage.err == "torii: there is no command 'shwo': did you mean 'show'?\n");
    CHECK(run_torii(scratch, {"--socket"}).code == 2);
    CHECK(run_torii(scratch, {"--version"}).out == "torii " TORII_VERSION "\n");
    CHECK(holds(run_torii(scratch, {"help"}).out, "show neighbours"));
    CHECK(holds(run_torii(scratch, {"show", "drops", "--help"}).out, "NAME\n    show drops - "));
    const Gateway gateway{scratch.directory + "/other.sock"};
    CHECK(run_torii(scratch, {"show", "version", "--socket", scratch.directory + "/other.sock"}).code == 0);
    CHECK(run_torii(scratch, {"show", "ports", "nowhere", "--socket=" + scratch.directory + "/other.sock"}).err ==
          "torii: show ports: there is no 'nowhere'; there is wan, lan\n");
}

TEST_CASE("nothing dropped is said in words, and hostile names are shown harmless") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket(), [](test::FixedGateway& control) {
                              control.bad_icv = 0;
                              control.gateway_name = "evil\x1b]0;title\x07";
                          }};
    CHECK(run_torii(scratch, {"show", "drops"}).out == "nothing was dropped\n");
    CHECK(holds(run_torii(scratch, {"show", "drops", "--all"}).out, "0  unknown_spi"));
    const Ran version = run_torii(scratch, {"show", "version"});
    CHECK(holds(version.out, "evil\\x1b]0;title\\x07"));
    CHECK_FALSE(holds(version.out, "\x1b"));
}

TEST_CASE("a script on standard input runs line by line, without prompts, and ends with its gravest code") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    const Ran good = run_torii(scratch, {}, "# a comment\n\nsh rou\nsetkey -c\nflush;\n.\nsetkey spdflush\n");
    CHECK(good.code == 0);
    CHECK(good.out == run_torii(scratch, {"show", "routes"}).out + "ran flush;\nran spdflush;\n");
    const Ran bad = run_torii(scratch, {}, "nonsense\nshow routes\nexit\nshow sa\n");
    CHECK(bad.code == 2);
    CHECK(bad.out == run_torii(scratch, {"show", "routes"}).out);
    CHECK(run_torii(scratch, {}, "show \"routes\n").err == "torii: a quote is not closed\n");
}

TEST_CASE("the shell completes, explains with ?, remembers, and leaves with Ctrl-D") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    {
        Terminal shell{TORII_CLI, scratch};
        shell.await("tokyo> ");
        CHECK(holds(shell.type("?", "tokyo> "), "setkey    security associations"));
        CHECK_FALSE(holds(shell.type("sh\tver?", "tokyo> show ver"), "GATEWAY"));  // ? executes nothing
        CHECK(holds(shell.type("\r", "tokyo> "), "22.11.5"));
        CHECK(holds(shell.type("show por w\t\r", "tokyo> "), "net_af_packet0,iface=wan"));  // a live name
        CHECK(holds(shell.type("show sa \t\r", "tokyo> "), "0x00001001  out"));
        CHECK(holds(shell.type("show po\t", "tokyo> show po"), "ports  policy"));
        CHECK_FALSE(holds(shell.type("\x03", "tokyo> "), "may be"));  // Ctrl-C abandons the line
        CHECK(holds(shell.type("shwo\r", "tokyo> "), "did you mean 'show'?"));
        CHECK(holds(shell.type("setkey add a b esp 1 -E aes-cbc secretsecretsecr;\r", "tokyo> "), "ran add a b esp 1"));
        shell.type("setkey -c\r", "setkey> ");
        CHECK(holds(shell.type("flush;\r.\r", "tokyo> "), "ran flush;"));
        shell.type("setkey -c\r", "setkey> ");
        CHECK(holds(shell.type("\x03", "tokyo> "), "nothing was applied"));
        shell.type("events\r", "acquire  policy 3");
        shell.type("\x03", "tokyo> ");
        CHECK(holds(shell.type("show rou\r", "tokyo> "), "connected"));
        shell.type("\x1b[A", "show rou");  // up: the last line again
        CHECK(holds(shell.type("\r", "tokyo> "), "connected"));
        shell.type(std::string_view{"\0", 1}, "");  // a Ctrl-D that came too early spoils no later one
        CHECK(shell.wait_for_end("\x04") == 0);
    }
    const std::string history = scratch.directory + "/torii/history";
    struct stat file {};
    REQUIRE(stat(history.c_str(), &file) == 0);
    CHECK((file.st_mode & 07777) == 0600);
    CHECK(holds(contents(history), "show\\040rou"));
    CHECK_FALSE(holds(contents(history), "secret"));
    CHECK_FALSE(holds(contents(history), "flush;"));
    Terminal again{TORII_CLI, scratch};
    again.await("tokyo> ");
    again.type("\x1b[A", "show rou");
    again.type("\r", "connected");
    again.type("exit\r", "exit");
    CHECK(again.wait_for_end() == 0);
}

TEST_CASE("events streams until Ctrl-C, one line or one JSON object each, and tells when toriid goes") {
    const Scratch scratch;
    auto gateway = std::make_unique<Gateway>(scratch.socket());
    Terminal text{TORII_CLI, scratch, {"events"}}, json{TORII_CLI, scratch, {"events", "--json"}};
    text.await("acquire  policy 3\r\n");
    json.await(R"("kind":"acquire","policy":3,"repeated":1})");
    text.type("\x03", "");
    CHECK(text.wait_for_end() == 0);
    gateway.reset();
    json.await("toriid closed the connection");
    CHECK(json.wait_for_end() == 1);
}

TEST_CASE("capture writes pcapng to a file or a pipe, and says how many packets it has and how many were lost") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    const std::string file = scratch.directory + "/x.pcapng";
    const Ran to_file = run_torii(scratch, {"capture", "-c", "2", "-w", file});
    INFO(to_file.err);
    CHECK(to_file.code == 0);
    CHECK(to_file.out.empty());
    CHECK(to_file.err == "torii: 2 packets captured, 4 lost\n");
    const std::string octets = contents(file);
    CHECK(octets.starts_with(std::string_view{"\x0a\x0d\x0d\x0a", 4}));
    CHECK(holds(octets, "a packet of 20 octet"));
    CHECK(holds(octets, "dropped: bad_icv"));
    CHECK(run_torii(scratch, {"capture", "-", "-c", "2"}).out == octets);
    CHECK(run_torii(scratch, {"capture", "middle", "-c", "2"}).err ==
          "torii: the filter's hooks are wire and clear, not 'middle'\n");
    CHECK(run_torii(scratch, {"capture", "-w", "/nowhere/x"}).code == 1);
}

TEST_CASE("the shell outlives toriid and finds it again") {
    const Scratch scratch;
    auto gateway = std::make_unique<Gateway>(scratch.socket());
    Terminal shell{TORII_CLI, scratch};
    shell.await("tokyo> ");
    gateway.reset();
    CHECK(holds(shell.type("show sa\r", "(no toriid)> "), "cannot reach toriid"));
    gateway = std::make_unique<Gateway>(scratch.socket(),
                                        [](test::FixedGateway& control) { control.gateway_name = "osaka"; });
    CHECK(holds(shell.type("show sa\r", "osaka> "), "0x00001001"));
    gateway.reset();
    gateway = std::make_unique<Gateway>(scratch.socket());
    CHECK(holds(shell.type("show routes\r", "tokyo> "), "connected"));  // a restart between two lines goes unnoticed
}
