// What RFC 8221 forbids or advises against, and who may have it.
#include "catch.h"

#include "app/setkey/setkey.h"
#include "crypto/registry.h"

using namespace torii;
using namespace torii::setkey;

namespace {

const std::string aes = "0x000102030405060708090a0b0c0d0e0f", sha1 = "\"20-octets-of-the-key\"";

/// A text that adds an SA with these algorithms on its third line.
Program program(const std::string& algorithms, const std::string& first_line = {}) {
    auto parsed = parse(first_line + "\nflush;\nadd 20.0.0.1 20.0.0.2 esp 9876 " + algorithms + ";", "FILE");
    if (!parsed) FAIL(parsed.error().text());
    return std::move(*parsed);
}

/// `info`'s algorithm in the words of -E or -A, with a key that fits.
template <class Info>
std::string named(const Info& info) {
    const std::string name{info.name};
    return info.key_bits.low == 0 ? name : name + " 0x" + std::string(info.key_bits.low / 4u, '7');
}

}  // namespace

TEST_CASE("an SA with a legacy algorithm, or without integrity, is refused until somebody allows it (RFC 8221)") {
    const std::pair<std::string, std::string> rows[]{
        {"-E 3des-cbc \"hogehogehogehogehogehoge\" -A hmac-sha1 " + sha1, "3des-cbc"},
        {"-E aes-cbc " + aes + " -A hmac-md5 " + aes, "hmac-md5"},
        {"-E aes-cbc " + aes, "aes-cbc without integrity"},
        {"-E aes-ctr 0x000102030405060708090a0b0c0d0e0f10111213 -A null", "aes-ctr without integrity"},
        {"-E blowfish-cbc " + aes, "blowfish-cbc"}};
    for (const auto& [algorithms, what] : rows) {
        CAPTURE(algorithms);
        const auto refused = check_legacy(program(algorithms), false);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::unsupported);
        CHECK(refused.error().message == "FILE:3: " + what +
                                             " is legacy (RFC 8221): it needs ipsec.legacy = true in the "
                                             "configuration, or the comment \"# torii: legacy\" in this text");
        CHECK(check_legacy(program(algorithms), true).value() ==
              "1 SAs are legacy, which RFC 8221 forbids or advises against: " + what +
                  ". Use them for old peers only.");
    }
}

TEST_CASE("esp-old and ah-old need leave whatever their algorithm is") {
    for (const std::string& words : {"esp-old 9876 -E aes-cbc " + aes, "ah-old 9876 -A hmac-sha1 " + sha1}) {
        const auto text = parse("add 20.0.0.1 20.0.0.2 " + words + ";", "FILE").value();
        const std::string kind = words.substr(0, words.find(' '));
        CHECK(check_legacy(text, false).error().message.starts_with("FILE:1: " + kind + " is legacy (RFC 8221)"));
        CHECK(check_legacy(text, true).value().ends_with(": " + kind + ". Use them for old peers only."));
    }
}

TEST_CASE("each algorithm of the registry needs leave just when the registry calls it legacy") {
    for (const CipherInfo& cipher : ciphers()) {
        CAPTURE(cipher.name);
        const std::string auth = cipher.aead() ? "" : " -A hmac-sha1 " + sha1;
        CHECK(check_legacy(program("-E " + named(cipher) + auth), false).has_value() == !cipher.legacy());
    }
    for (const AuthInfo& auth : auths()) {
        if (auth.id == AuthId::null) continue;
        CAPTURE(auth.name);
        CHECK(check_legacy(program("-E null -A " + named(auth)), false).has_value() == !auth.legacy());
    }
}

TEST_CASE("a text may allow itself legacy algorithms by a comment, which must be just that") {
    const std::string des = "-E des-cbc 0x0123456789abcdef";
    for (const auto* comment :
         {"# torii: legacy", "# torii: legacy\r", "flush; # torii: legacy", "  # torii: legacy"}) {
        CAPTURE(comment);
        CHECK(check_legacy(program(des, comment), false));
    }
    for (const auto* comment : {"#torii: legacy", "# torii: legacy SAs are bad", "## torii: legacy", "# legacy", ""}) {
        CAPTURE(comment);
        CHECK_FALSE(check_legacy(program(des, comment), false));
    }
}

TEST_CASE("one sentence tells all legacy SAs of a text, and there is none where there are no such SAs") {
    auto text = parse(
        "# torii: legacy\n"
        "add 20.0.0.1 20.0.0.2 esp 1001 -E des-cbc 0x0123456789abcdef;\n"
        "add 20.0.0.1 20.0.0.2 esp 1002 -E des-cbc 0x0123456789abcdef;\n"
        "update 20.0.0.1 20.0.0.2 esp 1003 -E aes-cbc 0x000102030405060708090a0b0c0d0e0f;\n",
        "FILE");
    REQUIRE(text);
    CHECK(check_legacy(*text, false).value() ==
          "3 SAs are legacy, which RFC 8221 forbids or advises against: aes-cbc without integrity, des-cbc. "
          "Use them for old peers only.");
    CHECK(
        check_legacy(program("-E aes-cbc " + aes + " -A hmac-sha1 " + sha1, "# torii: legacy"), true).value().empty());
}

TEST_CASE("ESP that neither hides nor authenticates is refused before any gateway is asked (RFC 4303 3.2)") {
    for (const bool allowed : {false, true}) {
        const auto refused = check_legacy(program("-E null", "# torii: legacy"), allowed);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().message.ends_with(
            "ESP with neither cipher nor authenticator protects nothing (RFC 4303 3.2)"));
        CHECK(refused.error().message.starts_with("FILE:3: "));
    }
    CHECK(check_legacy(program("-E null -A hmac-sha1 " + sha1), false));
}

TEST_CASE("simple is null, with a warning") {
    const Program old = program("-E simple -A hmac-sha1 " + sha1);
    CHECK(std::get<control::AddSa>(old.operations.back().operation).spec.cipher == CipherId::null);
    REQUIRE(old.warnings.size() == 1);
    CHECK(old.warnings.front() == "FILE:3: 'simple' is an obsolete word for null at 'simple'");
    CHECK(program("-E null -A hmac-sha1 " + sha1).warnings.empty());
}

TEST_CASE("AH and IPComp need leave for nothing but a legacy authenticator") {
    const auto check = [](const std::string& statement) {
        const auto parsed = parse(statement, "FILE");
        if (!parsed) FAIL(parsed.error().text());
        return check_legacy(*parsed, false).has_value();
    };
    CHECK(check("add 20.0.0.1 20.0.0.2 ah 9876 -A hmac-sha1 " + sha1 + ";"));
    CHECK_FALSE(check("add 20.0.0.1 20.0.0.2 ah 9876 -A keyed-md5 " + aes + ";"));
    CHECK(check("add 20.0.0.1 20.0.0.2 ipcomp 9876 -C deflate;"));
}
