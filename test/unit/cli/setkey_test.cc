// `setkey` by its own name: the options, exit statuses and habits of KAME's program, against a real control socket.
#include "cli/setkey.h"
#include "cli/process.h"

using namespace torii;
using namespace torii::test;

namespace {

Ran run_setkey(const Scratch& scratch, const Strings& arguments, const std::string& input = {}) {
    return run(TORII_SETKEY, scratch, arguments, input);
}

std::string written(const Scratch& scratch, const std::string& text, mode_t mode) {
    const std::string path = scratch.directory + "/ipsec.conf";
    std::ofstream{path} << text;
    chmod(path.c_str(), mode);
    return path;
}

}  // namespace

TEST_CASE("setkey dumps, flushes and takes statements with KAME's options, joined or apart") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    const std::string file = written(scratch, "spdflush;\n", 0600);
    CHECK(run_setkey(scratch, {"-c"}, "flush;\n").out == "ran flush;\n");
    CHECK(run_setkey(scratch, {"-f", file}).out == "ran spdflush;\n");
    CHECK(run_setkey(scratch, {"-kr", "-f", "-"}, "flush;").out == "ran flush;\n");
    CHECK(run_setkey(scratch, {"-nc"}, "flush;").out == "checked flush;\n");
    CHECK(run_setkey(scratch, {"-vf", file}).out == "told of spdflush;\n");
    CHECK(run_setkey(scratch, {"-F"}).out == "ran flush;\n");
    CHECK(run_setkey(scratch, {"-FP"}).out == "ran spdflush;\n");
    CHECK(run_setkey(scratch, {"-Pv", "-F"}).out == "told of spdflush;\n");
    const std::string dump = run_setkey(scratch, {"-D"}).out;
    CHECK(holds(dump, "20.0.0.1 20.0.0.2 E: aes-cbc"));
    CHECK(run_setkey(scratch, {"-aD"}).out == dump.substr(0, dump.size() - 1) + " dead\n");
    CHECK(run_setkey(scratch, {"-Dp", "-v"}).out == dump.substr(0, dump.size() - 1) + " ports verbose\n");
    CHECK(run_setkey(scratch, {"-aNPD"}).out == "10.0.1.0/24[any] 10.0.2.0/24[any] any\n");
}

TEST_CASE("setkey ends with 0 when all is done and with 1 for everything else, and says why") {
    const Scratch scratch;
    const Ran down = run_setkey(scratch, {"-D"});
    CHECK(down.code == 1);
    CHECK(down.err.starts_with("setkey: cannot reach toriid at " + scratch.socket()));
    const Gateway gateway{scratch.socket()};
    CHECK(run_setkey(scratch, {"-D"}).code == 0);
    CHECK(run_setkey(scratch, {"-h"}).code == 0);
    CHECK(run_setkey(scratch, {"-?"}).out.starts_with("usage: setkey"));
    CHECK(run_setkey(scratch, {"-V"}).out == "setkey (torii " TORII_VERSION ")\n");
    const Ran none = run_setkey(scratch, {});
    CHECK(none.code == 1);
    CHECK(none.err.starts_with("usage: setkey"));
    for (const Strings& wrong : {Strings{"-z"}, {"-D", "-F"}, {"-f"}, {"-nF"}, {"dump.pfkey"}, {"add", "a", "b"}}) {
        const Ran ran = run_setkey(scratch, wrong);
        INFO(wrong[0] << ": " << ran.err);
        CHECK(ran.code == 1);
        CHECK(ran.err.starts_with("setkey: "));
    }
    const Ran bad = run_setkey(scratch, {"-f", written(scratch, "flush;\nwrong;\n", 0600)});
    CHECK(bad.code == 1);
    CHECK(bad.err == "setkey: " + scratch.directory + "/ipsec.conf:2: unknown statement at 'wrong'\n");
    const Ran missing = run_setkey(scratch, {"-f", "/no/such"});
    CHECK(missing.code == 1);
    CHECK(missing.err == "setkey: /no/such: No such file or directory\n");
}

TEST_CASE("a script of the shell that gives setkey its statements as a here-document runs unchanged") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    const std::string script = scratch.directory + "/script";
    std::ofstream{script} << "#! /bin/sh\n#\n# the node is on 10.1.1.1, peer is on 20.1.1.1\nsetkey -c <<EOF\n"
                             "spdadd 10.1.1.1 20.1.1.1 any -P out ipsec esp/transport//use;\nEOF\n";
    std::filesystem::create_symlink(TORII_SETKEY, scratch.directory + "/setkey");
    const Ran ran =
        run("/bin/sh", scratch, {"-c", "PATH=" + scratch.directory + ":$PATH; chmod +x " + script + "; " + script});
    CHECK(ran.err.empty());
    CHECK(ran.out == "ran spdadd 10.1.1.1 20.1.1.1 any -P out ipsec esp/transport//use;\n");
    CHECK(ran.code == 0);
}

TEST_CASE("a file that others may read is told to the gateway, and what it says of it to the user") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    const Ran open = run_setkey(scratch, {"-f", written(scratch, "flush;\n", 0644)});
    CHECK(open.code == 0);
    CHECK(open.out == "ran flush;\n");
    CHECK(open.err == "setkey: warning: " + scratch.directory + "/ipsec.conf is readable by others\n");
    CHECK(run_setkey(scratch, {"-f", written(scratch, "flush;\n", 0620)}).err == open.err);
    CHECK(run_setkey(scratch, {"-f", written(scratch, "flush;\n", 0600)}).err.empty());
}

TEST_CASE("host names are looked up on setkey's side, and one that is not found is told with its place") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    const Ran ran = run_setkey(scratch, {"-c"}, "get localhost localhost esp 256;");
    CHECK(ran.code == 0);
    CHECK(holds(ran.out, "localhost 127.0.0.1\n"));
    CHECK(holds(ran.out, "ran get localhost"));
    const Ran unknown = run_setkey(scratch, {"-c"}, "get no-such.invalid ::1 esp 256;");
    CHECK(unknown.code == 1);
    CHECK(unknown.out.empty());
    CHECK(unknown.err.starts_with("setkey: stdin:1: host 'no-such.invalid': "));
}

TEST_CASE("on a terminal setkey -c applies each statement at its semicolon, tells faults and goes on") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    Terminal terminal{TORII_SETKEY, scratch, {"-c"}};
    terminal.type("flush; spdflush; spdadd 10.0.0.1\r", "ran  spdflush;");
    terminal.type("# half; way\r", "way");
    terminal.type("10.0.0.2 any -P out none;\r", "ran  spdadd");
    terminal.type("wrong;\r", "setkey: stdin:4: unknown statement at 'wrong'");
    terminal.type("spdflush;\r", "ran spdflush;");
    terminal.type("quit;\r", "not every statement was applied");
    CHECK(terminal.wait_for_end() == 1);
    Terminal good{TORII_SETKEY, scratch, {"-c"}};
    good.type("flush;\r", "ran flush;");
    CHECK(good.wait_for_end("\x04") == 0);
}

TEST_CASE("setkey -Dl repeats short lines, and -x prints events behind KAME's times, until Ctrl-C") {
    const Scratch scratch;
    const Gateway gateway{scratch.socket()};
    Terminal list{TORII_SETKEY, scratch, {"-Dl"}}, watch{TORII_SETKEY, scratch, {"-x"}},
        raw{TORII_SETKEY, scratch, {"-xx"}}, json{TORII_SETKEY, scratch, {"-Hx"}};
    list.await("time p   s spi      ltime   src -> dst\r\n");
    list.await(" esp M 00001001   0/0   20.0.0.1 -> 20.0.0.2\r\n");
    list.await("time p");
    const std::string seen = watch.await("acquire  policy 3\r\n");
    CHECK(holds(seen, "000 acquire"));
    CHECK(seen.find(':') == 2);
    CHECK(raw.await("acquire  policy 3\r\n").find('.') == 10);
    json.await(R"("kind":"acquire","policy":3,"repeated":1})");
    for (Terminal* each : {&list, &watch, &raw, &json}) {
        each->type("\x03", "");
        CHECK(each->wait_for_end() == 0);
    }
}

TEST_CASE("a statement ends at a semicolon that stands neither in a comment nor in a quoted key") {
    const auto first = [](std::string_view text) { return text.substr(0, cli::statement_octets(text)); };
    CHECK(first("flush; spdflush;") == "flush;");
    CHECK(first("# a; b\nflush;x") == "# a; b\nflush;");
    CHECK(first("add -E des-cbc \"a;#b;c\"; x") == "add -E des-cbc \"a;#b;c\";");
    CHECK(first("add \"open\nflush; x") == "add \"open\nflush;");
    for (const std::string_view whole : {"flush", "", "# ;", "\";\""})
        CHECK(cli::statement_octets(whole) == std::string_view::npos);
    CHECK(cli::leaves(" # done\n quit ;"));
    CHECK(cli::leaves("bye;"));
    CHECK_FALSE(cli::leaves("flush;"));
    CHECK_FALSE(cli::leaves("# quit\n;"));
}
