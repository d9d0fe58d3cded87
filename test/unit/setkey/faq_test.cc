// The examples of the NetBSD IPsec FAQ that need no IKE load as they are printed.
#include "app/setkey/setkey.h"
#include "catch.h"

using namespace torii;
using namespace torii::setkey;
using namespace torii::control;

namespace {

Program loaded(std::string_view text) {
    auto program = parse(text, "ipsec.conf");
    if (!program) FAIL(program.error().message);
    return *std::move(program);
}

struct ExpectedSa {
    std::string_view source, destination;
    std::uint32_t spi;
    CipherId cipher;
    std::string_view key;
};
void check_sa(const Located& located, const ExpectedSa& expected) {
    const auto& spec = std::get<AddSa>(located.operation).spec;
    CHECK(spec.id == SaId{Address::parse(expected.source).value(), Address::parse(expected.destination).value(),
                          IpsecProtocol::esp, Spi{expected.spi}});
    CHECK(spec.cipher == expected.cipher);
    CHECK(spec.cipher_key.same_as(SecretBytes{std::as_bytes(std::span{expected.key})}));
    CHECK(spec.auth == AuthId::null);
    CHECK(spec.mode == Mode::any);
}

void check_policy(const Located& located, std::string_view selector, std::string_view rule) {
    const auto& policy = std::get<AddPolicy>(located.operation).policy;
    CHECK(policy.selector.source.text() + " " + policy.selector.destination.text() == selector);
    CHECK(policy.selector.protocol == std::nullopt);
    CHECK(policy_text(policy) == rule);
}

std::string repeated(std::string_view part, std::size_t times) {
    std::string text;
    while (times-- > 0) text += part;
    return text;
}

}  // namespace

TEST_CASE("FAQ: encryption between two hosts") {
    const auto program = loaded(
        "add 10.1.1.1 20.1.1.1 esp 9876 -E 3des-cbc \"hogehogehogehogehogehoge\";\n"
        "add 20.1.1.1 10.1.1.1 esp 10000 -E 3des-cbc 0xdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef;\n"
        "spdadd 10.1.1.1 20.1.1.1 any -P out ipsec esp/transport//use;\n"
        "spdadd 20.1.1.1 10.1.1.1 any -P in ipsec esp/transport//require;\n");
    REQUIRE(program.operations.size() == 4);
    check_sa(program.operations[0], {"10.1.1.1", "20.1.1.1", 9876, CipherId::des3_cbc, "hogehogehogehogehogehoge"});
    check_sa(program.operations[1],
             {"20.1.1.1", "10.1.1.1", 10000, CipherId::des3_cbc, repeated("\xde\xad\xbe\xef", 6)});
    check_policy(program.operations[2], "10.1.1.1/32 20.1.1.1/32", "out ipsec esp/transport//use");
    check_policy(program.operations[3], "20.1.1.1/32 10.1.1.1/32", "in ipsec esp/transport//require");
    CHECK(program.operations[3].where == "ipsec.conf:4");
}

TEST_CASE("FAQ: encryption between two hosts with rijndael-cbc") {
    const auto program = loaded(
        "add 10.1.1.1 20.1.1.1 esp 9876 -E rijndael-cbc \"hogehogehogehoge\";\n"
        "add 20.1.1.1 10.1.1.1 esp 10000 -E rijndael-cbc 0xdeadbeefdeadbeefdeadbeefdeadbeef;\n"
        "spdadd 10.1.1.1 20.1.1.1 any -P out ipsec esp/transport//use;\n");
    REQUIRE(program.operations.size() == 3);
    check_sa(program.operations[0], {"10.1.1.1", "20.1.1.1", 9876, CipherId::aes_cbc, "hogehogehogehoge"});
    check_sa(program.operations[1],
             {"20.1.1.1", "10.1.1.1", 10000, CipherId::aes_cbc, repeated("\xde\xad\xbe\xef", 4)});
    check_policy(program.operations[2], "10.1.1.1/32 20.1.1.1/32", "out ipsec esp/transport//use");
}

TEST_CASE("FAQ: the VPN between two offices") {
    const auto program = loaded(
        "add 20.0.0.1 20.0.0.2 esp 13245 -E blowfish-cbc \"blowfishtest.001\" ;\n"
        "add 20.0.0.2 20.0.0.1 esp 13246 -E blowfish-cbc 0xdeadbeefdeadbeefdeadbeefdeadbeef;\n"
        "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require ;\n"
        "spdadd 10.0.2.0/24 10.0.1.0/24 any -P in ipsec esp/tunnel/20.0.0.2-20.0.0.1/require ;\n");
    REQUIRE(program.operations.size() == 4);
    check_sa(program.operations[0], {"20.0.0.1", "20.0.0.2", 13245, CipherId::blowfish_cbc, "blowfishtest.001"});
    check_sa(program.operations[1],
             {"20.0.0.2", "20.0.0.1", 13246, CipherId::blowfish_cbc, repeated("\xde\xad\xbe\xef", 4)});
    check_policy(program.operations[2], "10.0.1.0/24 10.0.2.0/24", "out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require");
    check_policy(program.operations[3], "10.0.2.0/24 10.0.1.0/24", "in ipsec esp/tunnel/20.0.0.2-20.0.0.1/require");
}

TEST_CASE("FAQ: the tunnel of a leaf node for all its traffic") {
    const auto program = loaded(
        "add 10.0.1.1 10.0.1.5 esp 1011 -E rijndael-cbc \"rijndaeltest.001\" ;\n"
        "add 10.0.1.5 10.0.1.1 esp 1012 -E rijndael-cbc 0xdeadbeefdeadbeefdeadbeefdeadbeef;\n"
        "spdadd 10.0.1.5/32 0.0.0.0/0 any -P out ipsec esp/tunnel/10.0.1.5-10.0.1.1/require;\n"
        "spdadd 0.0.0.0/0 10.0.1.5/32 any -P in ipsec esp/tunnel/10.0.1.1-10.0.1.5/require;\n");
    REQUIRE(program.operations.size() == 4);
    check_sa(program.operations[0], {"10.0.1.1", "10.0.1.5", 1011, CipherId::aes_cbc, "rijndaeltest.001"});
    check_sa(program.operations[1], {"10.0.1.5", "10.0.1.1", 1012, CipherId::aes_cbc, repeated("\xde\xad\xbe\xef", 4)});
    check_policy(program.operations[2], "10.0.1.5/32 0.0.0.0/0", "out ipsec esp/tunnel/10.0.1.5-10.0.1.1/require");
    check_policy(program.operations[3], "0.0.0.0/0 10.0.1.5/32", "in ipsec esp/tunnel/10.0.1.1-10.0.1.5/require");
}

TEST_CASE("FAQ: the policies that wait for IKE's keys") {
    const auto program = loaded(
        "spdadd 10.1.1.1 20.1.1.1 any -P out ipsec esp/transport//require;\n"
        "spdadd 20.1.1.1 10.1.1.1 any -P in ipsec esp/transport//require;\n");
    REQUIRE(program.operations.size() == 2);
    check_policy(program.operations[0], "10.1.1.1/32 20.1.1.1/32", "out ipsec esp/transport//require");
    check_policy(program.operations[1], "20.1.1.1/32 10.1.1.1/32", "in ipsec esp/transport//require");
}

TEST_CASE("FAQ: authentication between two hosts, alone and around encryption") {
    const auto program = loaded(
        "add 10.1.1.1 20.1.1.1 ah 9877 -A hmac-md5 \"hogehogehogehoge\";\n"
        "add 20.1.1.1 10.1.1.1 ah 10001 -A hmac-md5 \"mogamogamogamoga\";\n"
        "spdadd 10.1.1.1 20.1.1.1 any -P out ipsec ah/transport//use;\n"
        "spdadd 10.1.1.1 20.1.1.1 any -P out ipsec esp/transport//use ah/transport//use;\n");
    REQUIRE(program.operations.size() == 4);
    const auto& sa = std::get<control::AddSa>(program.operations[1].operation).spec;
    CHECK(sa.id.protocol == IpsecProtocol::ah);
    CHECK(sa.auth == AuthId::hmac_md5);
    CHECK(sa.auth_key.same_as(SecretBytes{std::as_bytes(std::span{std::string_view{"mogamogamogamoga"}})}));
    check_policy(program.operations[2], "10.1.1.1/32 20.1.1.1/32", "out ipsec ah/transport//use");
    check_policy(program.operations[3], "10.1.1.1/32 20.1.1.1/32", "out ipsec esp/transport//use ah/transport//use");
}

TEST_CASE("FAQ: the mail server whose POP3 is authenticated") {
    const auto program = loaded(
        "spdadd 10.1.1.1[110] 10.1.1.1 tcp -P out none;\n"
        "spdadd 10.1.1.1 10.1.1.1[110] tcp -P in none;\n"
        "spdadd 10.1.1.1[110] 0.0.0.0/0 tcp -P out ipsec ah/transport//require;\n"
        "spdadd 0.0.0.0/0 10.1.1.1[110] tcp -P in ipsec ah/transport//require;\n");
    REQUIRE(program.operations.size() == 4);
    const auto& first = std::get<AddPolicy>(program.operations[0].operation).policy;
    CHECK(first.action == PolicyAction::bypass);
    CHECK(first.selector.source_ports == PortRange::only(110));
    const auto& last = std::get<AddPolicy>(program.operations[3].operation).policy;
    CHECK(last.selector.source == Prefix::everything(Family::ipv4));
    CHECK(last.selector.destination_ports == PortRange::only(110));
    CHECK(policy_text(last) == "in ipsec ah/transport//require");
}
