// The statements about SAs: every production, and every refusal with its exact words.
#include "catch.h"

#include "app/setkey/setkey.h"

using namespace torii;
using namespace torii::setkey;
using namespace torii::control;

namespace {

/// The one operation of a text of one statement.
template <class Operation>
Operation only(std::string_view text) {
    auto program = parse(text, "FILE");
    INFO(text);
    if (!program) FAIL(program.error().message);
    REQUIRE(program->operations.size() == 1);
    return std::get<Operation>(std::move(program->operations.front().operation));
}

std::string refusal(std::string_view text) {
    const auto program = parse(text, "FILE");
    return program ? "accepted" : program.error().text();
}

/// `add` with `tail` behind the SPI.
SaSpec added(std::string_view tail) {
    return only<AddSa>("add 20.0.0.1 20.0.0.2 esp 9876 " + std::string{tail} + ";").spec;
}
std::string refused(std::string_view tail) {
    return refusal("add 20.0.0.1 20.0.0.2 esp 9876 " + std::string{tail} + ";");
}

std::string key_text(const SecretBytes& key) {
    return {reinterpret_cast<const char*>(key.octets().data()), key.size()};
}
std::vector<int> key_octets(const SecretBytes& key) {
    std::vector<int> octets;
    for (const auto b : key.octets()) octets.push_back(std::to_integer<int>(b));
    return octets;
}

}  // namespace

TEST_CASE("add names an SA, its algorithms and their keys, and leaves the rest as KAME does") {
    const auto spec = added("-E aes-cbc \"hogehogehogehoge\" -A hmac-sha1 0x000102030405060708090a0b0c0d0e0f10111213");
    CHECK(spec.id.source == Address::v4(0x14000001));
    CHECK(spec.id.destination == Address::v4(0x14000002));
    CHECK(spec.id.protocol == IpsecProtocol::esp);
    CHECK(spec.id.spi == Spi{9876});
    CHECK(spec.cipher == CipherId::aes_cbc);
    CHECK(key_text(spec.cipher_key) == "hogehogehogehoge");
    CHECK(spec.auth == AuthId::hmac_sha1);
    CHECK(key_octets(spec.auth_key) ==
          std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19});
    CHECK(spec.mode == Mode::any);
    CHECK(spec.reqid == ReqId{0});
    CHECK(spec.replay_octets == 0);
    CHECK(spec.cyclic_sequence);
    CHECK(spec.padding == Padding::sequential);
    CHECK_FALSE(spec.extended_sequence);
    CHECK(spec.hard == Lifetime{});
    CHECK(spec.soft == Lifetime{});
}

TEST_CASE("every extension of an SA reaches its field") {
    const auto spec = added(
        "-m tunnel -u 4711 -r 4 -f random-pad -f nocyclic-seq -f esn -lh 3600 -ls 3000 -bh 5000000000 -bs 4000000000 "
        "-ph 99 -ps 88 -E null -A hmac-md5 \"0123456789abcdef\"");
    CHECK(spec.mode == Mode::tunnel);
    CHECK(spec.reqid == ReqId{4711});
    CHECK(spec.replay_octets == 4);
    CHECK(spec.padding == Padding::random);
    CHECK_FALSE(spec.cyclic_sequence);
    CHECK(spec.extended_sequence);
    CHECK(spec.hard == Lifetime{3600, 5'000'000'000, 99});
    CHECK(spec.soft == Lifetime{3000, 4'000'000'000, 88});
    CHECK(spec.cipher == CipherId::null);
    CHECK(spec.cipher_key.empty());

    CHECK(added("-m transport -f zero-pad -E null").mode == Mode::transport);
    CHECK(added("-m transport -f zero-pad -E null").padding == Padding::zero);
    CHECK(added("-m any -f zero-pad -f seq-pad -E null").padding == Padding::sequential);
    CHECK(added("-m tunnel -m any -E null").mode == Mode::any);
    CHECK(added("-u 4294967295 -r 8192 -E null").replay_octets == 8192);
}

TEST_CASE("an SPI is a decimal or hexadecimal number of 32 bits above 255 (RFC 4303 2.1)") {
    CHECK(only<AddSa>("add ::1 ::2 esp 0x10001 -E null;").spec.id.spi == Spi{0x10001});
    CHECK(only<AddSa>("add ::1 ::2 esp 0XFFFFFFFF -E null;").spec.id.spi == Spi{0xffffffff});
    CHECK(only<AddSa>("add ::1 ::2 esp 256 -E null;").spec.id.spi == Spi{256});
    CHECK(refusal("add ::1 ::2 esp 255 -E null;") ==
          "FILE:1: the SPIs 0 to 255 are reserved (RFC 4303 2.1) at '255' [bad_value]");
    CHECK(refusal("update ::1 ::2 esp 0x0 -E null;") ==
          "FILE:1: the SPIs 0 to 255 are reserved (RFC 4303 2.1) at '0x0' [bad_value]");
    CHECK(refusal("add ::1 ::2 esp 4294967296 -E null;") ==
          "FILE:1: an SPI takes 0 to 4294967295 at '4294967296' [bad_value]");
    CHECK(refusal("add ::1 ::2 esp 0x100000000 -E null;") ==
          "FILE:1: an SPI has 32 bits at '(hex digits)' [bad_value]");
    CHECK(refusal("add ::1 ::2 esp 12a -E null;") == "FILE:1: an SPI takes a decimal number at '12a' [bad_syntax]");
    CHECK(refusal("add ::1 ::2 esp -E null;") == "FILE:1: an SPI takes a decimal number at '-E' [bad_syntax]");
}

TEST_CASE("of an odd count of hexadecimal digits the first is an octet of its own") {
    CHECK(key_octets(added("-E blowfish-cbc 0xabcdef012").cipher_key) == std::vector{0xa, 0xbc, 0xde, 0xf0, 0x12});
    CHECK(key_octets(added("-E blowfish-cbc 0XABcdef0123").cipher_key) == std::vector{0xab, 0xcd, 0xef, 0x01, 0x23});
}

TEST_CASE("a text key is what stands between the quotes, comment signs and semicolons included") {
    CHECK(key_text(added("-E des-cbc \"a #;'\\/b\"").cipher_key) == "a #;'\\/b");
}

TEST_CASE("a key of a wrong length is refused with the lengths that are right, and is never shown") {
    CHECK(refused("-E 3des-cbc \"hogehoge\"") ==
          "FILE:1: 3des-cbc takes keys of 192 bits, not 64 at '3des-cbc' [bad_key_length]");
    CHECK(refused("-E rijndael-cbc 0xdeadbeef") ==
          "FILE:1: aes-cbc takes keys of 128, 192 or 256 bits, not 32 at 'rijndael-cbc' [bad_key_length]");
    CHECK(refused("-E null -A hmac-sha1 \"short\"") ==
          "FILE:1: hmac-sha1 takes keys of 160 bits, not 40 at 'hmac-sha1' [bad_key_length]");
    CHECK(refused("-E null 0xdead") == "FILE:1: null takes no key, not 16 bits at 'null' [bad_key_length]");
    CHECK(added("-E null \"\" -A null").auth == AuthId::null);
}

TEST_CASE("key lengths follow the registry for every algorithm, one octet around each bound") {
    for (const auto& cipher : ciphers())
        for (std::size_t octets = 1; octets <= 60; ++octets) {
            const auto text = "-E " + std::string{cipher.name} + " \"" + std::string(octets, 'k') + "\"";
            CHECK((refused(text) == "accepted") == cipher.key_bits.allows(octets * 8));
        }
    for (const auto& auth : auths())
        for (std::size_t octets = 1; octets <= 70; ++octets) {
            const auto text = "-E null -A " + std::string{auth.name} + " 0x" + std::string(octets * 2, '5');
            CHECK((refused(text) == "accepted") == auth.key_bits.allows(octets * 8));
        }
}

TEST_CASE("what stands where a key should be is refused in the algorithm's name") {
    const std::string needed = "a key is needed: \"text\", or 0x and hexadecimal digits at 'aes-cbc' [bad_syntax]";
    CHECK(refused("-E aes-cbc") == "FILE:1: " + needed);
    CHECK(refused("-E aes-cbc hogehogehogehoge") == "FILE:1: " + needed);
    CHECK(refused("-E aes-cbc deadbeefdeadbeefdeadbeefdeadbeef") == "FILE:1: " + needed);
    CHECK(refused("-E aes-cbc 0x") == "FILE:1: " + needed);
    CHECK(refused("-E aes-cbc !secret!") == "FILE:1: " + needed);
    CHECK(refused("-E aes-cbc \"hogehogehogehoge") ==
          "FILE:1: a quoted key ends on its line at 'aes-cbc' [bad_syntax]");
    CHECK(refused("-E aes-cbc \"hogehogehogeho\nge\"") ==
          "FILE:1: a quoted key ends on its line at 'aes-cbc' [bad_syntax]");
    CHECK(refused("-E aes-cbc 0xdeadbeefdeadbeefdeadbeefdeadbeef feedface") ==
          "FILE:1: only -A or ';' may stand behind a key, and options before -E at 'aes-cbc' [bad_syntax]");
    CHECK(refused("-E aes-cbc \"hogehogehogehoge\" -m tunnel") ==
          "FILE:1: only -A or ';' may stand behind a key, and options before -E at 'aes-cbc' [bad_syntax]");
    CHECK(refused("-E \"hogehogehogehoge\"") == "FILE:1: an algorithm is needed behind this at '-E' [bad_syntax]");
    CHECK(refused("-E aes-cbc0xdeadbeefdeadbeef") == "FILE:1: an algorithm is needed behind this at '-E' [bad_syntax]");
    CHECK(refused("-E 0xdeadbeefdeadbeef") == "FILE:1: an algorithm is needed behind this at '-E' [bad_syntax]");
    CHECK(refused("hogehogehogehoge") ==
          "FILE:1: an option, or -E and an algorithm, is needed behind this at '9876' [bad_syntax]");
    CHECK(refused("-r 4 \"hogehogehogehoge\"") ==
          "FILE:1: an option, or -E and an algorithm, is needed behind this at '4' [bad_syntax]");
}

TEST_CASE("algorithms are those of the registry, in the order that esp takes them") {
    CHECK(added("-E aes-gcm-16 0x000102030405060708090a0b0c0d0e0f10111213").cipher == CipherId::aes_gcm_16);
    CHECK(added("-E null -A hmac-sha2-256 \"0123456789abcdef0123456789abcdef\"").auth == AuthId::hmac_sha256);
    CHECK(refused("-E twofish-cbc \"hogehogehogehoge\"") ==
          "FILE:1: " + cipher_named("twofish-cbc").error().message + " at 'twofish-cbc' [unsupported]");
    CHECK(refused("-E null -A tcp-md5 \"hogehogehogehoge\"") ==
          "FILE:1: " + auth_named("tcp-md5").error().message + " at 'tcp-md5' [unsupported]");
    CHECK(refused("-A hmac-md5 \"hogehogehogehoge\"") ==
          "FILE:1: esp takes -E before -A; -E null leaves the integrity alone at '-A' [bad_value]");
    CHECK(refused("-C deflate") == "FILE:1: esp compresses nothing: -C belongs to ipcomp at '-C' [bad_value]");
    CHECK(refused("-E null -A null -A null") == "FILE:1: -A may stand once at '-A' [bad_syntax]");
    CHECK(refused("-E aes-gcm-16 \"hogehogehogehogehoge\" -A hmac-md5 \"hogehogehogehoge\"") ==
          "FILE:1: this cipher protects the integrity itself and takes no -A at '-A' [bad_value]");
    CHECK(added("-E aes-gcm-16 \"hogehogehogehogehoge\" -A null").auth == AuthId::null);
}

TEST_CASE("an extension that cannot be is refused where it stands") {
    CHECK(refused("-m sideways -E null") == "FILE:1: -m takes transport, tunnel or any at 'sideways' [bad_syntax]");
    CHECK(refused("-f noise -E null") ==
          "FILE:1: -f takes seq-pad, random-pad, zero-pad, nocyclic-seq, esn, tfc:N, dummy:N, or a setting of outer "
          "headers "
          "as in dfbit:clear at 'noise' [bad_syntax]");
    CHECK(refused("-f def_policy:none -E null").find("-f takes") != std::string::npos);  // no setting of one SA
    const auto own = added("-m tunnel -f tunnel_ttl:9 -f dfbit:clear -f tunnel_ttl:128 -E null").own;
    REQUIRE(own.size() == 2);
    CHECK(own[0].text() == "dfbit:clear");
    CHECK(own[1].text() == "tunnel_ttl:128");
    for (const std::string wrong : {"tunnel_ttl", "tunnel_ttl:", "tunnel_ttl:256", "tunnel_ttl:1x"})
        CHECK(refused("-f " + wrong + " -E null") ==
              "FILE:1: -f tunnel_ttl: takes 0 to 255, as in tunnel_ttl:64 at '" + wrong + "' [bad_value]");
    CHECK(refused("-f dfbit:maybe -E null") ==
          "FILE:1: -f dfbit: takes clear, set or copy, as in dfbit:copy at 'dfbit:maybe' [bad_value]");
    CHECK(added("-m tunnel -f tfc:1400 -f dummy:10 -E null").tfc_octets == 1400);
    CHECK(added("-m tunnel -f tfc:1400 -f dummy:10 -E null").dummies_per_second == 10);
    for (const std::string wrong : {"tfc:", "tfc:0", "tfc:9001", "tfc:-1", "tfc:14x", "tfc:99999999999"})
        CHECK(refused("-f " + wrong + " -E null") ==
              "FILE:1: -f tfc: takes 1 to 9000 octets, as in tfc:1400 at '" + wrong + "' [bad_value]");
    for (const std::string wrong : {"dummy:", "dummy:0", "dummy:1001", "dummy:1.5"})
        CHECK(refused("-f " + wrong + " -E null") ==
              "FILE:1: -f dummy: takes 1 to 1000 packets a second, as in dummy:10 at '" + wrong + "' [bad_value]");
    CHECK(refused("-r 8193 -E null") == "FILE:1: -r takes 0 to 8192 at '8193' [bad_value]");
    CHECK(refused("-r x -E null") == "FILE:1: -r takes a decimal number at 'x' [bad_syntax]");
    CHECK(refused("-u 4294967296 -E null") == "FILE:1: -u takes 0 to 4294967295 at '4294967296' [bad_value]");
    CHECK(refused("-lh 18446744073709551616 -E null") ==
          "FILE:1: -lh takes 0 to 18446744073709551615 at '18446744073709551616' [bad_value]");
    CHECK(refused("-bs -E null") == "FILE:1: -bs takes a decimal number at '-E' [bad_syntax]");
    CHECK(refused("-x -E null") == "FILE:1: there is no such option at '-x' [bad_syntax]");
    CHECK(refused("-ctx 1 1 \"label\" -E null") ==
          "FILE:1: security contexts are labels of a host's own programs (SELinux): no packet on a gateway has one at "
          "'-ctx' [unsupported]");
}

TEST_CASE("ah takes -A alone, and ipcomp -C alone") {
    const auto spec = [](const std::string& rest) {
        auto program = parse("add 20.0.0.1 20.0.0.2 " + rest + ";", "FILE").value();
        return std::get<control::AddSa>(std::move(program.operations.at(0).operation)).spec;
    };
    const auto ah = spec("ah 9877 -A hmac-md5 \"hogehogehogehoge\"");
    CHECK(ah.id.protocol == IpsecProtocol::ah);
    CHECK(ah.auth == AuthId::hmac_md5);
    const auto compressed = spec("ipcomp 5 -m tunnel -C deflate");
    CHECK(compressed.id.protocol == IpsecProtocol::ipcomp);
    CHECK(compressed.mode == Mode::tunnel);
    CHECK_FALSE(compressed.raw_cpi);
    CHECK(spec("ipcomp 0x1234 -C deflate -R").raw_cpi);
    const auto refused_as = [](const std::string& rest) { return refusal("add 20.0.0.1 20.0.0.2 " + rest + ";"); };
    CHECK(refused_as("ah 9877 -E null") ==
          "FILE:1: ah encrypts and compresses nothing: it takes -A alone at '-E' [bad_value]");
    CHECK(refused_as("ah 9877") ==
          "FILE:1: an option, or -A and an algorithm, is needed behind this at '9877' [bad_syntax]");
    CHECK(refused_as("ah 255 -A hmac-md5 \"hogehogehogehoge\"") ==
          "FILE:1: the SPIs 0 to 255 are reserved (RFC 4303 2.1) at '255' [bad_value]");
    CHECK(refused_as("ipcomp 5 -A hmac-md5 \"hogehogehogehoge\"") ==
          "FILE:1: ipcomp compresses and nothing else: it takes -C alone at '-A' [bad_value]");
    CHECK(refused_as("ipcomp 5 -C lzs") ==
          "FILE:1: this compression is not supported, only deflate is at 'lzs' [unsupported]");
    CHECK(refused_as("ipcomp 5 -C bzip2") == "FILE:1: -C takes deflate at 'bzip2' [bad_syntax]");
    CHECK(refused_as("ipcomp 5 -C deflate -E null") == "FILE:1: ';' is needed here at '-E' [bad_syntax]");
}

TEST_CASE("esp-udp is ESP in UDP between the ports of the ends, 4500 unless written (RFC 3948)") {
    const auto added = [](const std::string& words) { return only<AddSa>("add " + words + " -E null;").spec; };
    CHECK_FALSE(added("20.0.0.1 20.0.0.2 esp 9876").udp);
    const auto plain = added("20.0.0.1 20.0.0.2 esp-udp 9876");
    CHECK(plain.id.protocol == IpsecProtocol::esp);
    CHECK(plain.udp == control::UdpEncapsulation{4500, 4500, {}});
    const auto whole = added("20.0.0.1[4500] 20.0.0.2[61234] esp-udp 10.9.9.9 0x2694");
    CHECK(whole.udp == control::UdpEncapsulation{4500, 61234, Address::parse("10.9.9.9").value()});
    CHECK(whole.id.spi == Spi{0x2694});
    CHECK(only<DeleteSa>("delete 20.0.0.1 20.0.0.2 esp-udp 9876;").id == plain.id);
    CHECK(refusal("add 20.0.0.1[4500] 20.0.0.2[1-2] esp-udp 9876 -E null;") ==
          "FILE:1: one port is needed here, not a range at '[' [bad_value]");
}

TEST_CASE("protocols that this version does not have are refused by name") {
    const std::pair<std::string, std::string> words[] = {
        {"tcp", "tcp is TCP-MD5 (RFC 2385), which signs a host's own sessions: a gateway has none"}};
    for (const auto& [word, why] : words)
        for (const std::string statement : {"add", "update", "delete", "get", "getspi"})
            CHECK(refusal(statement + " 20.0.0.1 20.0.0.2 " + word + " 9876;") ==
                  "FILE:1: " + why + " at '" + word + "' [unsupported]");
    CHECK(refusal("add 20.0.0.1 20.0.0.2 9876 -E null;") ==
          "FILE:1: a protocol is needed: esp, ah or ipcomp at '9876' [bad_syntax]");
    CHECK(refusal("flush tcp;") ==
          "FILE:1: tcp is TCP-MD5 (RFC 2385), which signs a host's own sessions: a gateway has none at 'tcp' "
          "[unsupported]");
    CHECK(refusal("flush udp;") == "FILE:1: esp, ah, ipcomp or ';' is needed at 'udp' [bad_syntax]");
}

TEST_CASE("esp-old takes a cipher alone, ah-old a digest, and neither what needs sequence numbers") {
    const auto old = [](const std::string& rest) { return only<AddSa>("add 20.0.0.1 20.0.0.2 " + rest + ";").spec; };
    const auto refused_as = [](const std::string& rest) { return refusal("add 20.0.0.1 20.0.0.2 " + rest + ";"); };
    const std::string des = " \"8 octets\"", md5 = " \"hogehogehogehoge\"";
    CHECK(old("esp-old 9876 -E des-cbc" + des).old);
    CHECK(old("esp-old 9876 -E des-cbc" + des).id.protocol == IpsecProtocol::esp);
    CHECK(old("esp-old 9876 -E des-32iv" + des).cipher == CipherId::des_deriv);
    CHECK(old("ah-old 9876 -m tunnel -A keyed-md5" + md5).auth == AuthId::keyed_md5_128);
    CHECK(old("ah-old 9876 -A hmac-sha1 \"twenty octets of key\"").auth == AuthId::hmac_sha1_128);
    CHECK_FALSE(old("ah 9876 -A keyed-md5" + md5).old);
    CHECK(only<DeleteSa>("delete 20.0.0.1 20.0.0.2 esp-old 9876;").id.protocol == IpsecProtocol::esp);
    CHECK(refused_as("esp 9876 -E des-32iv" + des) ==
          "FILE:1: des-32iv goes with esp-old alone at 'des-32iv' [bad_value]");
    CHECK(refused_as("esp-old 9876 -E des-deriv" + des) ==
          "FILE:1: esp-old has no sequence number to derive an IV from: des-32iv at 'des-deriv' [bad_value]");
    CHECK(refused_as("esp-old 9876 -E des-cbc" + des + " -A hmac-md5" + md5) ==
          "FILE:1: esp-old has no integrity: -E alone at '-A' [bad_value]");
    CHECK(refused_as("ah-old 9876 -A hmac-sha256 \"an ah key of thirty-two octets!!\"") ==
          "FILE:1: ah-old takes keyed-md5, keyed-sha1, hmac-md5 or hmac-sha1 at 'hmac-sha256' [bad_value]");
    for (const std::string words : {"-r 4", "-f esn"})
        CHECK(refused_as("esp-old 9876 " + words + " -E des-cbc" + des)
                  .starts_with("FILE:1: esp-old and ah-old have no sequence numbers: no -r and no -f esn at "));
}

TEST_CASE("flush, dump and deleteall only look for SAs and take the protocols that can have none") {
    CHECK(only<FlushSas>("flush;").protocol == std::nullopt);
    CHECK(only<FlushSas>("flush esp;").protocol == IpsecProtocol::esp);
    CHECK(only<FlushSas>("flush ah;").protocol == IpsecProtocol::ah);
    CHECK(only<FlushSas>("flush ipcomp;").protocol == IpsecProtocol::ipcomp);
    CHECK(only<FlushSas>("flush esp-old;").protocol == IpsecProtocol::esp);  // KAME's SAs have no other type
    CHECK(only<FlushSas>("flush esp-udp;").protocol == IpsecProtocol::esp);
    CHECK(only<FlushSas>("flush ah-old;").protocol == IpsecProtocol::ah);
    CHECK(only<DeleteAllSas>("deleteall 20.0.0.1 20.0.0.2 esp;").protocol == IpsecProtocol::esp);
    const auto all = only<DeleteAllSas>("deleteall 20.0.0.1 20.0.0.2;");
    CHECK(all.protocol == std::nullopt);
    CHECK(all.source == Address::v4(0x14000001));
    CHECK(all.destination == Address::v4(0x14000002));
    const auto program = parse("dump; dump ipcomp;", "FILE").value();
    REQUIRE(program.queries_before.size() == 2);
    CHECK(program.queries_before[0].protocol == std::nullopt);
    CHECK(program.queries_before[1].protocol == IpsecProtocol::ipcomp);
}

TEST_CASE("update, delete, get and getspi name one SA, and take KAME's obsolete options") {
    CHECK(only<UpdateSa>("update 20.0.0.1 20.0.0.2 esp 9876 -E null;").spec.id.spi == Spi{9876});
    CHECK(only<DeleteSa>("delete 20.0.0.1 20.0.0.2 esp 0x1000;").id ==
          SaId{Address::v4(0x14000001), Address::v4(0x14000002), IpsecProtocol::esp, Spi{0x1000}});
    CHECK(only<DeleteSa>("delete ::1 ::2 esp 4096 -m tunnel;").id.spi == Spi{4096});
    CHECK(parse("delete ::1 ::2 esp 4096 -u 3;", "FILE").value().warnings.empty());
    CHECK(parse("delete ::1 ::2 esp 4096 -m tunnel;", "FILE").value().warnings ==
          std::vector<std::string>{"FILE:1: a mode means nothing here: the SPI names the SA at '-m'"});
    const auto asked = only<GetSpi>("getspi ::1 ::2 esp 0 -m transport -u 7;");
    CHECK(asked.id.spi == Spi{0});
    CHECK(asked.mode == Mode::transport);
    CHECK(asked.reqid == ReqId{7});
    const auto program = parse("get ::1 ::2 esp 4096;", "FILE").value();
    REQUIRE(program.queries_before.size() == 1);
    CHECK(program.queries_before[0].kind == Query::Kind::get);
    CHECK(program.queries_before[0].id.spi == Spi{4096});
    CHECK(program.queries_before[0].where == "FILE:1");
    CHECK(refusal("delete ::1 ::2 esp 4096 -E null;") == "FILE:1: ';' is needed here at '-E' [bad_syntax]");
}

TEST_CASE("the ends of an SA are of one family, and without ports") {
    CHECK(only<DeleteAllSas>("deleteall -4 20.0.0.1 20.0.0.2;").source.is_v4());
    CHECK(only<DeleteAllSas>("deleteall -46n -n 2001:db8::1 2001:db8::2;").source.text() == "2001:db8::1");
    CHECK(only<DeleteAllSas>("deleteall 20.0.0.1[any] 20.0.0.2[0];").source.is_v4());
    CHECK(refusal("deleteall -6 20.0.0.1 20.0.0.2;") == "FILE:1: -6 asks for IPv6 addresses at '20.0.0.1' [bad_value]");
    CHECK(refusal("deleteall -4 ::1 ::2;") == "FILE:1: -4 asks for IPv4 addresses at '::1' [bad_value]");
    CHECK(refusal("deleteall -5 ::1 ::2;") ==
          "FILE:1: before the addresses only -4, -6 and -n may stand at '-5' [bad_syntax]");
    CHECK(refusal("deleteall 20.0.0.1 ::2;") ==
          "FILE:1: source and destination are of different families at '::2' [bad_value]");
    CHECK(refusal("deleteall 20.0.0.256 20.0.0.2;") ==
          "FILE:1: this is not an IPv4 or IPv6 address at '20.0.0.256' [bad_value]");
    CHECK(refusal("deleteall 20.0.0.1-20.0.0.9 20.0.0.2;") ==
          "FILE:1: this is not an IPv4 or IPv6 address at '20.0.0.1-20.0.0.9' [bad_value]");
    CHECK(refusal("deleteall fe80::1%eth0 fe80::2;") ==
          "FILE:1: this is not an IPv4 or IPv6 address at 'fe80::1%eth0' [bad_value]");
    CHECK(refusal("deleteall ;") == "FILE:1: an address is needed at ';' [bad_syntax]");
    CHECK(refusal("add 20.0.0.1[4500] 20.0.0.2[4500] esp 9876 -E null;") ==
          "FILE:1: the ends of an SA have ports for esp-udp alone at 'esp' [bad_value]");
}
