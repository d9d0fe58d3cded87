// The rows of the section `ike`, but for those of children. Any thread; constants only.
#include "app/config/ike_setters.h"
#include "app/config/setting_rows.h"

namespace torii::config {
namespace {

using ike::AuthWay;
using ike::Connection;
using ike::EngineConfig;
using ike::EngineLimits;
using ike::MessageLog;
using ike::PpkUse;
using ike::Uniqueness;

template <auto member>
std::string set_file(File& f, const Value& value) {
    if (value.text.empty()) return ": a file's path is wanted, or no such line";
    return set<member>(f, value);
}

template <auto member>
std::string add_file(File& f, const Value& value) {
    field_of(f, member).push_back(value.text);
    return value.text.empty() ? ": a file's path is wanted" : "";
}

template <auto member>
std::string set_end(File& f, const Value& value) {
    const auto address = Address::parse(value.text);
    if (!address || address->is_unspecified() || address->is_multicast())
        return ": an end is one host's address, as in 20.0.0.2; without the line it is any";
    field_of(f, member) = *address;
    return {};
}

template <auto member>
std::string add_host(File& f, const Value& value) {
    const auto address = Address::parse(value.text);
    if (!address || address->is_unspecified() || address->is_multicast())
        return ": it is one host's address, as in 10.0.1.53";
    field_of(f, member).push_back(*address);
    return {};
}

std::string set_remote_auth(File& f, const Value& value) {
    connection_form(f).remote_auth = AuthWay{static_cast<std::uint8_t>(value.number)};
    return {};
}

// ---- words

constexpr auto auth_ways =
    std::to_array<Choice>({choice("psk", AuthWay::shared_key), choice("certificate", AuthWay::certificate),
                           choice("raw_key", AuthWay::raw_key)});
constexpr auto uniquenesses = std::to_array<Choice>(
    {choice("replace", Uniqueness::replace), choice("keep", Uniqueness::keep), choice("never", Uniqueness::never)});
constexpr auto ppk_uses = std::to_array<Choice>(
    {choice("never", PpkUse::never), choice("prefer", PpkUse::prefer), choice("required", PpkUse::required)});
constexpr auto message_logs = std::to_array<Choice>(
    {choice("none", MessageLog::none), choice("brief", MessageLog::brief), choice("full", MessageLog::full)});

using F = IkeForm;
using N = IkeConnectionForm;

// ---- the table

const Setting rows[] = {
    {.path = "ike",
     .kind = Kind::group,
     .example = R"({ psk_file = "psk.txt"; connections = ( ... ); })",
     .meaning = "Peers with whom IKEv2 negotiates SAs.",
     .take = [](File& f, const Value&) { return f.ike.is_there = true, std::string{}; }},
    {.path = "ike.psk_file",
     .fallback = "none",
     .example = R"("psk.txt")",
     .meaning =
         "Pre-shared keys in racoon's form: a peer's identity and his key on each line. Nobody but its owner may "
         "read it.",
     .take = set_file<&F::psk_file>},
    {.path = "ike.ppk_file",
     .fallback = "none",
     .example = R"("ppk.txt")",
     .meaning =
         "Post-quantum pre-shared keys (RFC 8784): a name and 32 octets or more on each line. Nobody but its owner may "
         "read it.",
     .take = set_file<&F::ppk_file>},
    {.path = "ike.authorities",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(["ca.pem"])",
     .meaning = "Files of certificates (PEM) of the authorities whose peers are believed."},
    {.path = "ike.authorities.[]",
     .example = R"("ca.pem")",
     .meaning = "One file; it may hold several certificates.",
     .take = add_file<&F::authorities>},
    {.path = "ike.revocations",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(["ca.crl"])",
     .meaning =
         "Files of revocation lists (PEM or DER). With any, each authority must have one that is not out of date."},
    {.path = "ike.revocations.[]", .example = R"("ca.crl")", .meaning = "One file.", .take = add_file<&F::revocations>},
    {.path = "ike.key_log",
     .fallback = "none",
     .example = R"("ike-keys.txt")",
     .meaning =
         "Whoever has this file reads everything that IKE says: Wireshark's ikev2_decryption_table. For learning "
         "and debugging. Nobody but its owner may read it.",
     .take = set_file<&F::key_log>},
    {.path = "ike.log_messages",
     .kind = Kind::choice,
     .subject = "log_messages",
     .choices = message_logs,
     .fallback = "\"brief\"",
     .example = R"("full")",
     .meaning =
         "What `torii show ike-log`, and the log at level debug, tell of each message sent and received: a line, but "
         "for liveness; or all of them with every payload; never a key.",
     .take = set<&EngineConfig::log_messages>},
    {.path = "ike.tell_invalid_selectors",
     .kind = Kind::flag,
     .fallback = "true",
     .example = "false",
     .meaning = "Tell a peer of a packet that his SA is not for (INVALID_SELECTORS, RFC 7296 3.10.1): one in ten "
                "seconds for each child.",
     .take = set<&EngineConfig::tells_invalid_selectors>},
    {.path = "ike.retransmit_milliseconds",
     .kind = Kind::integer,
     .subject = "the first wait",
     .range = {100, 60000, "milliseconds"},
     .fallback = "2000",
     .example = "500",
     .meaning = "A request that nobody answers is sent again after this, and then after twice as long each time.",
     .take = set<&EngineConfig::retransmit_milliseconds>},
    {.path = "ike.retransmissions",
     .kind = Kind::integer,
     .subject = "the number of retransmissions",
     .range = {1, 20, ""},
     .fallback = "6",
     .example = "4",
     .meaning = "After so many the peer counts as dead.",
     .take = set<&EngineConfig::retransmissions>},
    {.path = "ike.half_open",
     .kind = Kind::integer,
     .subject = "the number of half-open IKE SAs",
     .range = {10, 100000, ""},
     .fallback = "1000",
     .example = "5000",
     .meaning = "Peers in all who may have begun without having said who they are.",
     .take = set<&EngineLimits::half_open>},
    {.path = "ike.half_open_per_source",
     .kind = Kind::integer,
     .subject = "the number of half-open IKE SAs of one address",
     .range = {1, 100000, ""},
     .fallback = "20",
     .example = "5",
     .meaning = "The same for one address; more are not answered.",
     .take = set<&EngineLimits::half_open_per_source>},
    {.path = "ike.cookies_from",
     .kind = Kind::integer,
     .subject = "the number of half-open IKE SAs",
     .range = {0, 100000, ""},
     .fallback = "100",
     .example = "0",
     .meaning =
         "With so many half-open IKE SAs a peer must first show that his address is his (RFC 7296 2.6); 0: always.",
     .take = set<&EngineLimits::cookies_from>},

    {.path = "ike.connections",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(( { name = "newyork"; remote = "20.0.0.2"; } ))",
     .meaning = "The peers. Who begins is looked for in their order."},
    {.path = "ike.connections.[]",
     .kind = Kind::group,
     .example = R"({ name = "newyork"; remote = "20.0.0.2"; })",
     .meaning = "One peer, or many alike.",
     .take = [](File& f, const Value&) { return f.ike.connections.emplace_back(), std::string{}; }},
    {.path = "ike.connections.[].name",
     .required = true,
     .example = R"("newyork")",
     .meaning = "What `torii ike up` and the log call it.",
     .take = set_name<&Connection::name>},
    {.path = "ike.connections.[].local",
     .fallback = "any of ours",
     .example = R"("20.0.0.1")",
     .meaning = "Our address toward the peer.",
     .take = set_end<&Connection::local>},
    {.path = "ike.connections.[].remote",
     .fallback = "any, who must begin",
     .example = R"("20.0.0.2")",
     .meaning = "The peer's address.",
     .take = set_end<&Connection::remote>},
    {.path = "ike.connections.[].local_id",
     .fallback = "the local address",
     .example = R"("tokyo.example.com")",
     .meaning = "Who we say we are: an address, a name, a mail address, a distinguished name, or keyid:0x0a0b.",
     .take = set<&N::local_id>},
    {.path = "ike.connections.[].remote_id",
     .fallback = "whoever proves one that our keys know",
     .example = R"("newyork.example.com")",
     .meaning =
         "Who the peer must be, in the same words; *.example.com and a distinguished name with * as a value take "
         "several.",
     .take = set<&N::remote_id>},
    {.path = "ike.connections.[].auth",
     .kind = Kind::choice,
     .subject = "auth",
     .choices = auth_ways,
     .fallback = "\"psk\"",
     .example = R"("certificate")",
     .meaning = "How each side proves who it is: a pre-shared key, a certificate, or a bare public key.",
     .take = set<&N::auth>},
    {.path = "ike.connections.[].remote_auth",
     .kind = Kind::choice,
     .subject = "remote_auth",
     .choices = auth_ways,
     .fallback = "as auth",
     .example = R"("psk")",
     .meaning = "How the peer does, where that is another way.",
     .take = set_remote_auth},
    {.path = "ike.connections.[].certificate",
     .fallback = "none",
     .example = R"("tokyo.pem")",
     .meaning = "Our certificate (PEM), and behind it those between it and the authority.",
     .take = set_file<&N::certificate>},
    {.path = "ike.connections.[].key",
     .fallback = "none",
     .example = R"("tokyo.key")",
     .meaning = "Our private key (PEM). Nobody but its owner may read it.",
     .take = set_file<&N::key>},
    {.path = "ike.connections.[].key_passphrase_file",
     .fallback = "none",
     .example = R"("tokyo.pass")",
     .meaning = "What opens an encrypted key: the first line of this file, which nobody but its owner may read.",
     .take = set_file<&N::key_passphrase_file>},
    {.path = "ike.connections.[].peers_key",
     .fallback = "none",
     .example = R"("newyork.pub")",
     .meaning = "The peer's public key (PEM or DER), for raw_key.",
     .take = set_file<&N::peers_key>},
    {.path = "ike.connections.[].ppk",
     .kind = Kind::choice,
     .subject = "ppk",
     .choices = ppk_uses,
     .fallback = "\"never\"",
     .example = R"("required")",
     .meaning =
         "Mix a post-quantum key into the keys, so that who undoes the key exchange one day reads nothing: where the "
         "peer has it too, or always (RFC 8784).",
     .take = set<&Connection::ppk>},
    {.path = "ike.connections.[].ppk_id",
     .fallback = "any of ike.ppk_file, and the peer begins",
     .example = R"("offices-2026")",
     .meaning = "Its name in ike.ppk_file, the same at both ends.",
     .take = set<&N::ppk_id>},
    {.path = "ike.connections.[].proposals",
     .kind = Kind::list,
     .fallback = "the usual ones",
     .example = R"(["aes128gcm16-prfsha256-x25519"])",
     .meaning = "What protects IKE itself, the best first."},
    {.path = "ike.connections.[].proposals.[]",
     .example = R"("aes128gcm16-prfsha256-x25519")",
     .meaning = "Cipher, integrity, PRF and key exchange by their usual words; several of a kind are offered together. "
                "Additional key exchanges (RFC 9370) stand behind ke1_ to ke7_, ke1_none for one that may be left out.",
     .take = add_words<&N::proposals>},
    {.path = "ike.connections.[].rekey_seconds",
     .kind = Kind::integer,
     .subject = "a lifetime",
     .range = {60, 86400 * 30, "seconds"},
     .fallback = "14400",
     .example = "3600",
     .meaning = "How old an IKE SA becomes before it gets new keys.",
     .take = set<&Connection::rekey_seconds>},
    {.path = "ike.connections.[].reauth_seconds",
     .kind = Kind::integer,
     .subject = "a lifetime",
     .range = {0, 86400 * 30, "seconds"},
     .fallback = "0",
     .example = "86400",
     .meaning = "How old it becomes before both sides prove again who they are; 0: they need not.",
     .take = set<&Connection::reauth_seconds>},
    {.path = "ike.connections.[].dpd_seconds",
     .kind = Kind::integer,
     .subject = "a peer's silence",
     .range = {0, 86400, "seconds"},
     .fallback = "30",
     .example = "10",
     .meaning = "After so long a silence the peer is asked whether he lives; 0: never.",
     .take = set<&Connection::dpd_seconds>},
    {.path = "ike.connections.[].uniqueness",
     .kind = Kind::choice,
     .subject = "uniqueness",
     .choices = uniquenesses,
     .fallback = "\"replace\"",
     .example = R"("keep")",
     .meaning = "What becomes of an older IKE SA with the same peer: it goes; it stays and the new one is refused, "
                "unless that "
                "comes from the same address, as one that proves himself again does; or both stay.",
     .take = set<&Connection::uniqueness>},
    {.path = "ike.connections.[].fragmentation",
     .kind = Kind::flag,
     .fallback = "true",
     .example = "false",
     .meaning = "Cut long messages inside IKE, which passes where IP fragments do not (RFC 7383).",
     .take = set<&Connection::fragmentation>},
    {.path = "ike.connections.[].childless",
     .kind = Kind::flag,
     .fallback = "false",
     .example = "true",
     .meaning =
         "Make the IKE SA alone where the peer takes that, and every child by an exchange of its own, with keys of its "
         "own if its proposals have a key exchange (RFC 6023).",
     .take = set<&Connection::childless>},
    {.path = "ike.connections.[].mobike",
     .kind = Kind::flag,
     .fallback = "false",
     .example = "true",
     .meaning = "Let either side change its address while the SAs live (RFC 4555).",
     .take = set<&Connection::mobike>},
    {.path = "ike.connections.[].other_locals",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(["30.0.0.1"])",
     .meaning = "Our other addresses to which the SAs may move: tried when the peer does not answer, and by order."},
    {.path = "ike.connections.[].other_locals.[]",
     .example = R"("30.0.0.1")",
     .meaning = "One address of ours.",
     .take = add_host<&Connection::other_locals>},
    {.path = "ike.connections.[].pool",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(["10.9.0.0/24"])",
     .meaning =
         "Addresses that are lent to peers who ask for one (RFC 7296 2.19). Children without remote are for traffic to "
         "them."},
    {.path = "ike.connections.[].pool.[]",
     .example = R"("10.9.0.0/24")",
     .meaning = "One network, of which hosts' addresses are lent; at most 65,536.",
     .take = add_network<&Connection::pools>},
    {.path = "ike.connections.[].dns",
     .kind = Kind::list,
     .fallback = "none",
     .example = R"(["10.0.1.53"])",
     .meaning = "Name servers that these peers are told of; at most 8."},
    {.path = "ike.connections.[].dns.[]",
     .example = R"("10.0.1.53")",
     .meaning = "One host.",
     .take = add_host<&Connection::dns>},
    {.path = "ike.connections.[].request_address",
     .kind = Kind::flag,
     .fallback = "false",
     .example = "true",
     .meaning =
         "Ask the peer for an address of its pool, of each family that the children's remote networks have. Children "
         "without local are for traffic from it; `torii show ike` tells it.",
     .take = set<&Connection::request_address>},
    {.path = "ike.connections.[].legacy",
     .kind = Kind::flag,
     .fallback = "false",
     .example = "true",
     .meaning = "Take the algorithms in this connection's proposals that RFC 8247 and RFC 8221 advise against.",
     .take = set<&N::legacy>},
    {.path = "ike.connections.[].sha1_signatures",
     .kind = Kind::flag,
     .fallback = "false",
     .example = "true",
     .meaning = "Take and make signatures with SHA-1, for peers that do not know RFC 7427.",
     .take = set<&Connection::allow_sha1>},

};

}  // namespace

std::span<const Setting> rows_of_ike() { return rows; }

}  // namespace torii::config
