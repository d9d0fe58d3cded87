// The texts of ipsec_set_policy(3), the structure they become, and the C calls around both.
#include "socket/policy_text.h"

#include <linux/pfkeyv2.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "catch.h"
#include "socket/torii/ipsec.h"

using namespace torii;
using namespace torii::socket_policy;

namespace {

struct Free {
    void operator()(char* octets) const { std::free(octets); }
};
using Handed = std::unique_ptr<char, Free>;

Handed set(const std::string& text) { return Handed{ipsec_set_policy(text.c_str(), static_cast<int>(text.size()))}; }
std::string dumped(const std::string& text, const char* delimiter = " ") {
    const Handed policy = set(text);
    if (!policy) return std::string{"refused: "} + ipsec_strerror();
    return Handed{ipsec_dump_policy(policy.get(), delimiter)}.get();
}

}  // namespace

TEST_CASE("a socket's policy goes through PF_KEY's structure and comes back as it was written") {
    const char* const text =
        GENERATE("in entrust", "out bypass", "out discard", "in none", "out ipsec esp/transport//require",
                 "out prio 1000 ipsec esp/transport//use ah/transport//unique:16383",
                 "in prio -5 ipsec ipcomp/transport//default esp/tunnel/10.0.0.1-10.0.0.2/require",
                 "in ipsec ah/transport//default esp/tunnel/2001:db8::1-2001:db8::2/unique",
                 "out ipsec esp/transport/10.0.0.1-10.0.0.2/use");
    CHECK(dumped(text) == text);
}

TEST_CASE("the short spellings of a request mean the level default (ipsec_set_policy(3))") {
    CHECK(dumped("out ipsec esp/transport") == "out ipsec esp/transport//default");
    CHECK(dumped("out ipsec esp/transport/") == "out ipsec esp/transport//default");
    CHECK(dumped("out ipsec esp/transport/ ah/transport/") == "out ipsec esp/transport//default ah/transport//default");
    CHECK(dumped("in ipsec esp / tunnel / ::1-::2 /\nah/transport//require") ==
          "in ipsec esp/tunnel/::1-::2/default ah/transport//require");
    CHECK(dumped("out prio high - 3 bypass") == "out prio 1073741821 bypass");
    CHECK(dumped("out priority low + 1 entrust") == "out prio -1073741823 entrust");
}

TEST_CASE("a dump's parts are joined by the delimiter that was asked for") {
    CHECK(dumped("out ipsec esp/transport//use ah/transport//use", "\n\t") ==
          "out ipsec\n\tesp/transport//use\n\tah/transport//use");
    CHECK(dumped("out ipsec esp/transport//use", nullptr) == "out ipsec esp/transport//use");
}

TEST_CASE("what is no policy is refused with the word that does not fit") {
    const auto [text, word] = GENERATE(table<const char*, const char*>({
        {"", "in or out"},
        {"up ipsec esp/transport", "'up'"},
        {"out", "was expected"},
        {"out encrypt", "'encrypt'"},
        {"out ipsec", "needs a request"},
        {"out ipsec esp", "PROTOCOL/MODE"},
        {"out ipsec esp/", "transport or tunnel"},
        {"out ipsec tcp/transport", "'tcp'"},
        {"out ipsec esp/beet", "'beet'"},
        {"out ipsec ah/tunnel", "SOURCE-DESTINATION"},
        {"out ipsec ah/tunnel//require", "SOURCE-DESTINATION"},
        {"out ipsec esp/tunnel/10.0.0.1-::2", "two families"},
        {"out ipsec esp/tunnel/10.0.0.1", "SOURCE-DESTINATION"},
        {"out ipsec esp/tunnel/10.0.0.1-10.0.0.300", "an address"},
        {"out ipsec esp/transport//always", "'always'"},
        {"out ipsec esp/transport//unique:0", "1 to 16383"},
        {"out ipsec esp/transport//unique:16384", "1 to 16383"},
        {"out ipsec esp/transport//use/x", "'/'"},
        {"out entrust esp/transport", "nothing more"},
        {"out prio x bypass", "a number"},
        {"out prio 99999999999 bypass", "out of range"},
    }));
    const std::string refusal = dumped(text);
    INFO(text << " -> " << refusal);
    CHECK(refusal.starts_with("refused: "));
    CHECK(refusal.find(word) != std::string::npos);
}

TEST_CASE("nine bundled requests are one policy, as KAME's own samples have them") {
    std::string text = "in ipsec";
    for (int i = 0; i < 9; ++i) text += " esp/transport//use";
    CHECK(dumped(text) == text);
    for (int i = 9; i < 17; ++i) text += " esp/transport//use";
    CHECK(dumped(text).find("too many") != std::string::npos);
}

TEST_CASE("the structure is PF_KEY's: lengths in words of eight octets, KAME's numbers") {
    const Handed policy = set("out ipsec esp/tunnel/10.0.0.1-10.0.0.2/require");
    REQUIRE(policy);
    sadb_x_policy head;
    std::memcpy(&head, policy.get(), sizeof head);
    CHECK(head.sadb_x_policy_len == (16 + 16 + 32) / 8);
    CHECK(head.sadb_x_policy_exttype == SADB_X_EXT_POLICY);
    CHECK(head.sadb_x_policy_type == 2);
    CHECK(head.sadb_x_policy_dir == 2);
    CHECK(head.sadb_x_policy_priority == 0x80000000u);
    CHECK(ipsec_get_policylen(policy.get()) == 64);
    sadb_x_ipsecrequest request;
    std::memcpy(&request, policy.get() + sizeof head, sizeof request);
    CHECK(request.sadb_x_ipsecrequest_len == 48);
    CHECK(request.sadb_x_ipsecrequest_proto == 50);
    CHECK(request.sadb_x_ipsecrequest_mode == 2);
    CHECK(request.sadb_x_ipsecrequest_level == 2);
}

TEST_CASE("a structure that ipsec_set_policy never made is no policy") {
    const auto whole = encode(*parse("out ipsec esp/tunnel/10.0.0.1-10.0.0.2/require ah/transport//use"));
    REQUIRE(decode(whole));
    for (std::size_t octets = 0; octets < whole.size(); ++octets) {
        const auto cut = decode(std::span{whole}.first(octets));
        CHECK((!cut || cut->requests.size() < 2));  // behind a whole request a shorter policy ends
    }
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (const int bit : {0, 3, 7}) {
            auto spoilt = whole;
            spoilt[at] ^= static_cast<std::byte>(1 << bit);
            (void)decode(spoilt);  // whatever it answers, within its octets
        }
    CHECK(ipsec_get_policylen(nullptr) == -1);
    const char zeros[16]{};
    CHECK(ipsec_get_policylen(zeros) == -1);
    CHECK(ipsec_dump_policy(zeros, nullptr) == nullptr);
    CHECK(std::string{ipsec_strerror()}.find("no policy") != std::string::npos);
}

TEST_CASE("ipsec_strerror speaks of the thread's last call alone") {
    CHECK(!set("nonsense"));
    CHECK(std::string{ipsec_strerror()}.find("'nonsense'") != std::string::npos);
    CHECK(set("in entrust"));
    CHECK(std::string{ipsec_strerror()} == "no error");
}

TEST_CASE("a policy for a socket that toriid cannot be asked about is not given, and the reason is told") {
    const Handed policy = set("out entrust");
    CHECK(torii_bind_policy(0, policy.get(), "/nowhere/torii.sock") == -1);
    CHECK(std::string{ipsec_strerror()}.find("cannot reach toriid at /nowhere/torii.sock") != std::string::npos);
    CHECK(torii_bind_policy(0, nullptr, "/nowhere/torii.sock") == -1);
    CHECK(std::string{ipsec_strerror()} == "there is no policy");
}
