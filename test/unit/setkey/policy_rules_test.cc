// The rules of ipsec_set_policy(3)'s language as one table, one line a rule: which texts behind -P are policies. Where
// KAME's own library takes other texts than we do, the line says why.
#include "app/setkey/setkey.h"
#include "catch.h"

using namespace torii;

namespace {

struct Rule {
    const char* text;
    bool taken;
};

constexpr Rule rules[] = {
    {"out ipsec esp", false},                             // a protocol alone is no request
    {"out ipsec esp/", false},                            // nor is one with nothing behind the slash
    {"out ipsec esp/transport", true},                    // ends and level may be left out
    {"out ipsec esp/transport/", true},                   //
    {"out ipsec esp/transport//", true},                  //
    {"out ipsec esp/transport//use", true},               //
    {"out ipsec esp/transport/10.0.0.1-10.0.0.2", true},  // ends may be said of a transport
    {"out ipsec ah/tunnel", false},                       // a tunnel has ends
    {"out ipsec ah/tunnel/", false},                      //
    {"out ipsec ah/tunnel//require", false},              //
    {"out ipsec ah/tunnel/10.0.0.1", false},              // both of them
    {"out ipsec ah/tunnel/10.0.0.1-", false},             //
    {"out ipsec ah/tunnel/10.0.0.1-10.0.0.2", true},      //
    {"out ipsec ah/tunnel/10.0.0.1-10.0.0.2/", true},     //
    {"out ipsec ah/tunnel/10.0.0.1-::2/require", false},  // of one family
    {"out ipsec ah/tunnel/::1-::2/unique:200", true},     //
    {"in ipsec ah/transport esp/tunnel/::1-::1", true},   // one request behind another
    {"in ipsec\nesp / transport / / use\nah/transport", true},
    {"in ipsec esp/transport esp/transport esp/transport esp/transport", true},
    {"in ipsec ah/transport ah/transport ah/transport ah/transport ah/transport ah/transport ah/transport "
     "ah/transport ah/transport",
     false},                                      // KAME takes nine; a packet here grows by four headers at most
    {"in ipsec must/transport//use", false},      // no such protocol
    {"in ipsec esp/most//use", false},            // no such mode
    {"in ipsec esp/transport//must", false},      // no such level
    {"in ipsec esp/transport//use esp", false},   // each request is whole
    {"out discard", true},                        // setkey's; a socket may not ask for it
    {"out none", true},                           // likewise
    {"in bypass", false},                         // a socket's; no policy of the gateway
    {"in entrust", false},                        // likewise
    {"in ipsec", false},                          // KAME takes it; it would protect nothing
    {"ipsec esp/transport//use", false},          // a direction comes first
    {"between ipsec esp/transport//use", false},  // in, out or fwd
    {"", false},
};

}  // namespace

TEST_CASE("the text of a policy is taken or refused rule by rule") {
    for (const Rule& rule : rules) {
        const auto program = setkey::parse("spdadd ::/0 ::/0 any -P " + std::string{rule.text} + ";", "FILE");
        INFO(rule.text << ": " << (program ? "taken" : program.error().text()));
        CHECK(program.has_value() == rule.taken);
    }
}
