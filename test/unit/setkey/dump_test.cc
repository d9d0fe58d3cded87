// The dumps, octet for octet, and the way back from a dump to the policies it shows.
#include <cstdlib>
#include <ctime>
#include <limits>

#include "app/setkey/setkey.h"
#include "catch.h"
#include "setkey/fake_control.h"

using namespace torii;
using namespace torii::setkey;
using test::FakeControl;

namespace {

/// Time stamps are local; the samples are told in UTC.
class InUtc {
public:
    InUtc() {
        if (const char* zone = std::getenv("TZ")) before_ = zone;
        set("UTC");
    }
    ~InUtc() { before_ ? set(before_->c_str()) : (unsetenv("TZ"), tzset()); }

private:
    static void set(const char* zone) {
        setenv("TZ", zone, 1);
        tzset();
    }
    std::optional<std::string> before_;
};

constexpr std::int64_t created = 1795442053;  // Nov 23 13:54:13 2026 UTC
const DumpOptions rooted{
    .show_keys = true, .show_dead = false, .protocol = {}, .pid = 4711, .now_unix_seconds = created + 60};

void load(FakeControl& control, std::string_view text) {
    auto program = parse(text, "FILE");
    if (!program) FAIL(program.error().message);
    const auto done = run(control, *std::move(program), {});
    if (!done) FAIL(done.error().message);
}

}  // namespace

TEST_CASE("setkey -D tells of ESP in UDP by the satype's word, the ports, and the address that NAT hides") {
    FakeControl control;
    load(control, "add 20.0.0.2[61234] 20.0.0.1 esp-udp 10.9.9.9 0x1002 -m transport -E null;");
    CHECK(dump_sas(control, rooted)
              .starts_with("20.0.0.2[61234] 20.0.0.1[4500] \n"
                           "\tesp-udp mode=transport spi=4098(0x00001002) reqid=0(0x00000000)\n"
                           "\tNAT OA=10.9.9.9\n"));
}

TEST_CASE("the table for Wireshark has SAs of ESP with their keys, and a comment where Wireshark has no name") {
    FakeControl control;
    load(control,
         "# torii: legacy\n"
         "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -E aes-cbc 0x000102030405060708090a0b0c0d0e0f "
         "-A hmac-sha1 0x101112131415161718191a1b1c1d1e1f20212223;"
         "add 2001:db8::1 2001:db8::2 esp 0x1002 -f esn -E aes-cbc 0x000102030405060708090a0b0c0d0e0f "
         "-A hmac-sha256 0x0000000000000000000000000000000000000000000000000000000000000001;"
         "add 20.0.0.1 20.0.0.2 esp 0x1003 -E blowfish-cbc 0x0001020304;"
         "add 20.0.0.1 20.0.0.2 esp-old 0x1004 -E des-cbc 0x0001020304050607;"
         "add 20.0.0.1 20.0.0.2 ah 0x1005 -A hmac-sha1 0x101112131415161718191a1b1c1d1e1f20212223;");
    CHECK(wireshark_table(control) ==
          "\"IPv4\",\"20.0.0.1\",\"20.0.0.2\",\"0x00001001\",\"AES-CBC [RFC3602]\","
          "\"0x000102030405060708090a0b0c0d0e0f\",\"HMAC-SHA-1-96 [RFC2404]\","
          "\"0x101112131415161718191a1b1c1d1e1f20212223\"\n"
          "\"IPv6\",\"2001:db8::1\",\"2001:db8::2\",\"0x00001002\",\"AES-CBC [RFC3602]\","
          "\"0x000102030405060708090a0b0c0d0e0f\",\"ANY 128 bit authentication [no checking]\","
          "\"0x0000000000000000000000000000000000000000000000000000000000000001\"\n"
          "# 20.0.0.1 20.0.0.2 0x00001003: Wireshark does not know blowfish-cbc with such a key\n"
          "# 20.0.0.1 20.0.0.2 0x00001004: Wireshark does not know esp-old with such a key\n");
}

TEST_CASE("setkey -D prints the SAD as KAME does") {
    const InUtc utc;
    FakeControl control;
    load(control,
         "add 192.1.2.23 192.1.2.45 esp 0x0abcdef0 -m tunnel -r 4 -f nocyclic-seq -lh 43200 -ls 34560 "
         "-E aes-cbc 0x000102030405060708090a0b0c0d0e0f -A hmac-sha1 0x101112131415161718191a1b1c1d1e1f20212223;"
         "add 192.1.2.45 192.1.2.23 esp 4096 -m transport -u 7 -E 3des-cbc \"hogehogehogehogehogehoge\";");
    control.sas.front().created = created;
    control.sas.back().created = created;
    control.sas.back().last_used = created + 5;
    control.sas.back().sequence = 0x1'0000'002a;
    control.sas.back().octets = 4'294'967'296;
    control.sas.back().packets = 42;
    CHECK(dump_sas(control, rooted) ==
          "192.1.2.23 192.1.2.45 \n"
          "\tesp mode=tunnel spi=180150000(0x0abcdef0) reqid=0(0x00000000)\n"
          "\tE: aes-cbc  00010203 04050607 08090a0b 0c0d0e0f\n"
          "\tA: hmac-sha1  10111213 14151617 18191a1b 1c1d1e1f 20212223\n"
          "\tseq=0x00000000 replay=4 flags=0x00000000 state=mature \n"
          "\tcreated: Nov 23 13:54:13 2026\tcurrent: Nov 23 13:55:13 2026\n"
          "\tdiff: 60(s)\thard: 43200(s)\tsoft: 34560(s)\n"
          "\tlast:                     \thard: 0(s)\tsoft: 0(s)\n"
          "\tcurrent: 0(bytes)\thard: 0(bytes)\tsoft: 0(bytes)\n"
          "\tallocated: 0\thard: 0\tsoft: 0\n"
          "\tsadb_seq=1 pid=4711 refcnt=0\n"
          "192.1.2.45 192.1.2.23 \n"
          "\tesp mode=transport spi=4096(0x00001000) reqid=7(0x00000007)\n"
          "\tE: 3des-cbc  686f6765 686f6765 686f6765 686f6765 686f6765 686f6765\n"
          "\tseq=0x0000002a replay=0 flags=0x00000040 state=mature \n"
          "\tcreated: Nov 23 13:54:13 2026\tcurrent: Nov 23 13:55:13 2026\n"
          "\tdiff: 60(s)\thard: 0(s)\tsoft: 0(s)\n"
          "\tlast: Nov 23 13:54:18 2026\thard: 0(s)\tsoft: 0(s)\n"
          "\tcurrent: 4294967296(bytes)\thard: 0(bytes)\tsoft: 0(bytes)\n"
          "\tallocated: 42\thard: 0\tsoft: 0\n"
          "\tsadb_seq=0 pid=4711 refcnt=0\n");
}

TEST_CASE("an SA's limits, padding and extended sequence numbers are told in KAME's places") {
    FakeControl control;
    load(control,
         "add ::1 ::2 esp 256 -f zero-pad -f esn -bh 5 -bs 4 -ph 3 -ps 2 -E null -A hmac-md5 \"0123456789abcdef\";");
    const auto text = dump_sas(control, rooted);
    CHECK(text.starts_with("::1 ::2 \n\tesp mode=any spi=256(0x00000100) "));
    CHECK(text.find("\tE: null \n\tA: hmac-md5  30313233 ") != text.npos);
    CHECK(text.find(" flags=0x00000640 ") != text.npos);
    CHECK(text.find("\tcreated:                     \tcurrent: ") != text.npos);
    CHECK(text.find("\tdiff: 0(s)\t") != text.npos);
    CHECK(text.find("\tcurrent: 0(bytes)\thard: 5(bytes)\tsoft: 4(bytes)\n\tallocated: 0\thard: 3\tsoft: 2\n") !=
          text.npos);
    load(control, "flush; add ::1 ::2 esp 256 -m tunnel -f random-pad -f tfc:1400 -f dummy:5 -f dfbit:2 -E null;");
    auto verbose = rooted;
    verbose.verbose = true;
    CHECK(dump_sas(control, verbose).find(" flags=0x00000140 ") != std::string::npos);
    CHECK(dump_sas(control, verbose).find(" tfc=1400 dummy=5 dfbit:copy\n") != std::string::npos);
    CHECK(dump_sas(control, rooted).find("tfc") == std::string::npos);  // KAME's form has no place for it
}

TEST_CASE("esp-old and ah-old are told by KAME's flags: 0x1 for both, 0x10 for an IV of 32 bits") {
    FakeControl control;
    load(control,
         "add ::1 ::2 esp-old 256 -E des-32iv \"8 octets\"; add ::1 ::2 esp-old 257 -E des-cbc \"8 octets\";"
         "add ::1 ::2 ah-old 258 -A keyed-md5 \"hogehogehogehoge\";");
    const auto text = dump_sas(control, rooted);
    CHECK(text.find("\tesp mode=any spi=256(0x00000100) reqid=0(0x00000000)\n\tE: des-cbc  38206f63 74657473\n"
                    "\tseq=0x00000000 replay=0 flags=0x00000051 state=mature \n") != text.npos);
    CHECK(text.find(" flags=0x00000041 ") != text.npos);
    CHECK(text.find("\tah mode=any spi=258(0x00000102) reqid=0(0x00000000)\n\tA: md5  686f6765 ") != text.npos);
}

TEST_CASE("setkey -D tells AH and IPComp, IPv6, ports with -p, and with -v what KAME has no place for") {
    FakeControl control;
    load(control,
         "add 2001:db8::1 2001:db8::2 ah 9877 -m transport -r 4 -A hmac-md5 \"hogehogehogehoge\";"
         "add 2001:db8::1 2001:db8::2 ipcomp 4660 -m tunnel -C deflate -R;");
    auto options = rooted;
    options.with_ports = options.verbose = true;
    control.sas.front().sequence = 0x1'0000'0001;
    const auto text = dump_sas(control, options);
    CHECK(
        text.starts_with("2001:db8::1[0] 2001:db8::2[0] \n"
                         "\tah mode=transport spi=9877(0x00002695) reqid=0(0x00000000)\n"
                         "\tA: hmac-md5  686f6765 686f6765 686f6765 686f6765\n"
                         "\tseq=0x00000001 replay=4 flags=0x00000040 state=mature \n"));
    CHECK(text.find("\tallocated: 0\thard: 0\tsoft: 0\n"
                    "\toutbound worker=0 sequence=4294967297 bad_icv=0 replayed=0\n"
                    "\tsadb_seq=1 pid=4711 refcnt=0\n") != text.npos);
    CHECK(text.find("\tipcomp mode=tunnel spi=4660(0x00001234) reqid=0(0x00000000)\n"
                    "\tC: deflate \tseq=0x00000000 replay=0 flags=0x000000c0 state=mature \n") != text.npos);
}

TEST_CASE("a key of more than 32 octets goes on in a line of its own") {
    FakeControl control;
    load(control, "add ::1 ::2 esp 256 -E null -A hmac-sha512 0x" + std::string(128, '7') + ";");
    std::string half;
    for (int i = 0; i < 8; ++i) half += " 77777777";
    CHECK(dump_sas(control, rooted).find("\tA: hmac-sha512 " + half + "\n" + half + "\n\tseq=") != std::string::npos);
}

TEST_CASE("keys are shown only when the caller asks for them") {
    FakeControl control;
    load(control, "add ::1 ::2 esp 256 -E aes-cbc \"hogehogehogehoge\" -A hmac-md5 \"mogamogamogamoga\";");
    const auto text = dump_sas(control, {});
    CHECK(text.find("\tE: aes-cbc  redacted\n\tA: hmac-md5  redacted\n") != text.npos);
    CHECK(text.find("686f6765") == text.npos);
    CHECK(text.find("6d6f6761") == text.npos);
}

TEST_CASE("a dump shows one protocol when asked, larval SAs without keys, and dead ones only with -a") {
    FakeControl control;
    load(control, "getspi ::1 ::2 esp 300 -m tunnel; add ::1 ::2 esp 301 -E null; add ::1 ::2 esp 302 -E null;");
    std::next(control.sas.begin())->state = control::SaState::dying;
    control.sas.back().state = control::SaState::dead;
    const auto usual = dump_sas(control, rooted);
    CHECK(usual.find("spi=300") != usual.npos);
    CHECK(usual.find("reqid=0(0x00000000)\n\tseq=0x00000000 replay=0 flags=0x00000040 state=larval \n") != usual.npos);
    CHECK(usual.find("state=dying \n") != usual.npos);
    CHECK(usual.find("spi=302") == usual.npos);
    CHECK(usual.find("sadb_seq=1 ") < usual.find("sadb_seq=0 "));

    auto all = rooted;
    all.show_dead = true;
    CHECK(dump_sas(control, all).find("state=dead \n") != std::string::npos);
    all.protocol = IpsecProtocol::esp;
    CHECK(dump_sas(control, all).find("sadb_seq=2 ") != std::string::npos);
    all.protocol = IpsecProtocol::ah;
    CHECK(dump_sas(control, all) == "No SAD entries.\n");
}

TEST_CASE("empty databases say so") {
    const FakeControl control;
    CHECK(dump_sas(control, rooted) == "No SAD entries.\n");
    CHECK(dump_policies(control, rooted) == "No SPD entries.\n");
}

TEST_CASE("setkey -DP prints the SPD as KAME does, inbound first") {
    FakeControl control;
    load(control,
         "spdadd 192.0.1.0/24[any] 192.0.2.0/24[any] any -P out ipsec esp/tunnel/192.1.2.45-192.1.2.23/require;"
         "spdadd 192.0.2.0/24[any] 192.0.1.0/24[any] any -P in  ipsec esp/tunnel/192.1.2.23-192.1.2.45/require;");
    CHECK(dump_policies(control, rooted) ==
          "192.0.2.0/24[any] 192.0.1.0/24[any] 255(reserved)\n"
          "\tin ipsec\n"
          "\tesp/tunnel/192.1.2.23-192.1.2.45/require\n"
          "\tspid=2 seq=1 pid=4711\n"
          "\trefcnt=0\n"
          "192.0.1.0/24[any] 192.0.2.0/24[any] 255(reserved)\n"
          "\tout ipsec\n"
          "\tesp/tunnel/192.1.2.45-192.1.2.23/require\n"
          "\tspid=1 seq=0 pid=4711\n"
          "\trefcnt=0\n");
}

TEST_CASE("setkey -DP tells a socket's policies from the others, and -N leaves them out") {
    FakeControl control;
    load(control, "spdadd ::1 ::2 any -P out none; spdadd ::3 ::4 any -P out none;");
    control.policies.back().owner = PolicyOwner::socket;
    auto options = rooted;
    CHECK(dump_policies(control, options).find("\tspid=2 seq=0 pid=4711 scope=socket\n") != std::string::npos);
    CHECK(dump_policies(control, options).find("\tspid=1 seq=1 pid=4711\n") != std::string::npos);
    options.without_sockets = true;
    const std::string without = dump_policies(control, options);
    CHECK(without.find("spid=2") == std::string::npos);
    CHECK(without.find("\tspid=1 seq=0 pid=4711\n") != std::string::npos);
}

TEST_CASE("setkey -DP tells of a policy that ends by itself when it was made, last used, and how long it lives") {
    const InUtc utc;
    FakeControl control;
    load(control, "spdadd ::1 ::2 any -lh 3600 -li 60 -P out none;");
    control.policies.front().created_unix_seconds = created;
    CHECK(dump_policies(control, rooted) ==
          "::1[any] ::2[any] 255(reserved)\n"
          "\tout none\n"
          "\tcreated: Nov 23 13:54:13 2026  lastused:                     \n"
          "\tlifetime: 3600(s) validtime: 60(s)\n"
          "\tspid=1 seq=0 pid=4711\n"
          "\trefcnt=0\n");
}

TEST_CASE("selectors and requests read in a dump as KAME writes them") {
    const auto shown = [](std::string_view text) {
        FakeControl control;
        load(control, text);
        const auto dump = dump_policies(control, {});
        return dump.substr(0, dump.find("\n\tspid="));
    };
    CHECK(shown("spdadd 192.1.2.45 10.0.0.0/8[80] ip4 -P out discard;") ==
          "192.1.2.45[any] 10.0.0.0/8[80] 4(ipv4)\n\tout discard");
    CHECK(shown("spdadd ::/0 ::1[1024-65535] tcp -P in none;") == "::/0[any] ::1[1024-65535] 6(tcp)\n\tin none");
    CHECK(shown("spdadd 10.0.0.1 10.0.0.2 icmp 8,0 -P out none;") == "10.0.0.1 10.0.0.2 1(icmp) 8,0\n\tout none");
    CHECK(shown("spdadd 10.0.0.1 10.0.0.2 icmp -P out none;") == "10.0.0.1 10.0.0.2 1(icmp)\n\tout none");
    CHECK(shown("spdadd ::1 ::2 gre -P out none;") == "::1 ::2 47(gre)\n\tout none");
    CHECK(shown("spdadd ::1 ::2 gre 1.2.3.4 -P out none;") == "::1 ::2 47(gre) 16909060\n\tout none");
    CHECK(shown("spdadd tagged \"mail\" -P out none;") == "tagged \"mail\" \n\tout none");
    CHECK(shown("spdadd ::1 ::2 253 -P out none;") == "::1[any] ::2[any] 253\n\tout none");
    CHECK(shown("spdadd ::1 ::2 any -P out prio low + 3 ipsec esp/transport//unique:8194 esp/transport/::3-::4/use "
                "esp/transport;") ==
          "::1[any] ::2[any] 255(reserved)\n\tout prio low + 3 ipsec\n\tesp/transport//unique:8194\n"
          "\tesp/transport/::3-::4/use\n\tesp/transport//default");
}

TEST_CASE("an id that the gateway gave stands behind #") {
    Policy policy;
    policy.action = PolicyAction::protect;
    policy.requests = {{IpsecProtocol::esp, Mode::transport, Level::unique, ReqId{16383}, {}},
                       {IpsecProtocol::esp, Mode::transport, Level::unique, ReqId{16384}, {}},
                       {IpsecProtocol::ah, Mode::transport, Level::unique, ReqId{0}, {}},
                       {IpsecProtocol::ipcomp, Mode::any, Level::use, ReqId{0}, {}}};
    CHECK(policy_text(policy) ==
          "out ipsec esp/transport//unique:16383 esp/transport//unique#16384 ah/transport//unique ipcomp/any//use");
}

TEST_CASE("a priority is told from the nearest of low, def and high, and reads back the same") {
    Policy policy;
    const std::pair<std::int32_t, std::string_view> table[] = {
        {0, "out discard"},
        {1, "out prio def + 1 discard"},
        {-1, "out prio def - 1 discard"},
        {1 << 30, "out prio high discard"},
        {(1 << 30) + 5, "out prio high + 5 discard"},
        {(1 << 29) + 1, "out prio high - 536870911 discard"},
        {1 << 29, "out prio def + 536870912 discard"},
        {-(1 << 29), "out prio low + 536870912 discard"},
        {-(1 << 30), "out prio low discard"},
        {std::numeric_limits<std::int32_t>::max(), "out prio high + 1073741823 discard"},
        {std::numeric_limits<std::int32_t>::min(), "out prio low - 1073741824 discard"},
    };
    for (const auto& [priority, text] : table) {
        policy.priority = priority;
        CHECK(policy_text(policy) == text);
        const auto program = parse("spdadd ::1 ::2 any -P " + policy_text(policy) + ";", "FILE").value();
        CHECK(std::get<control::AddPolicy>(program.operations[0].operation).policy.priority == priority);
    }
}

namespace {

/// One entry of a dump as the statement that makes it: the protocol's number without its name.
std::string statement_of(std::string entry) {
    const auto open = entry.find('('), close = entry.find(')');
    if (open < entry.find('\n')) entry.erase(open, close - open + 1);
    entry.resize(entry.find("\n\tspid="));
    return "spdadd " + entry.replace(entry.find("\n\t"), 2, " -P ") + ";";
}

}  // namespace

TEST_CASE("the text of dumped policies makes the same policies again") {
    FakeControl control;
    load(control,
         "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;"
         "spdadd 10.0.1.1[110] 0.0.0.0/0 tcp -P out prio high - 9 ipsec esp/transport//use esp/transport//unique:12;"
         "spdadd 10.0.1.1 10.0.1.2 icmp 8,1 -P out none;"
         "spdadd ::/0[1-9] 2001:db8::/32[domain] udp -P in discard;"
         "spdadd ::1 ::2 253 -P in ipsec esp/transport/::1-::2/default;"
         "spdadd ::1 ::2 gre -P in ipsec esp/transport//unique;");
    const auto first = dump_policies(control, {});
    std::string text;
    for (std::size_t at = 0; at < first.size();) {
        const auto end = first.find("\trefcnt=0\n", at) + 10;
        text += statement_of(first.substr(at, end - at)) + "\n";
        at = end;
    }
    FakeControl again;
    load(again, text);
    REQUIRE(again.policies.size() == control.policies.size());
    for (const Policy& policy : control.policies) {
        const auto twin = std::ranges::find_if(again.policies, [&](const Policy& p) {
            return p.direction == policy.direction && p.selector == policy.selector;
        });
        REQUIRE(twin != again.policies.end());
        CHECK(twin->action == policy.action);
        CHECK(twin->priority == policy.priority);
        CHECK(twin->requests == policy.requests);
    }
}
