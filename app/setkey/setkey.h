// The setkey language as a front door: text to control operations, and the gateway's databases back to text, in the
// words of KAME's setkey(8). A pure library: no socket, no file, no clock; whoever owns those passes their results in.
// README.md beside this file tells the accepted language and where it differs from KAME's.
// Values may be made on any thread; whatever takes a ControlPlane runs on the control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "control/control_plane.h"

namespace torii::setkey {

inline constexpr std::size_t max_text_octets = 64u << 20;       // a text is held in memory whole
inline constexpr std::size_t max_statements = 1'000'000;        // bounds what a text of `flush;` may cost
inline constexpr std::uint32_t max_replay_octets = 65'536 / 8;  // the widest replay window, in -r's unit of 8 packets
inline constexpr std::uint32_t max_unique_id = first_automatic_reqid - 1;  // KAME's IPSEC_MANUAL_REQID_MAX

inline constexpr std::size_t max_hosts = 256;          // names in one text
inline constexpr std::size_t max_host_addresses = 32;  // of one name

/// What host names mean. They are looked up by whoever brings a text, never by the control core, which would have to
/// wait for the answer.
using Hosts = std::map<std::string, std::vector<Address>, std::less<>>;

/// A host name that the Hosts lack, and where it stands first: "FILE:LINE".
struct UnknownHost {
    std::string name, where;
};

/// A statement that changes nothing and has an answer.
struct Query {
    enum class Kind : std::uint8_t { get, dump, spddump };
    Kind kind{};
    control::SaId id{};                       // get
    std::optional<IpsecProtocol> protocol{};  // dump: this one alone
    std::string where;                        // "FILE:LINE"
};

/// A parsed text. All its operations are one transaction, so that `flush; spdflush; add...` leaves no moment without
/// policy. A query sees the state before the transaction when no operation stands before it in the text, and the state
/// after the whole transaction otherwise. Not copyable: it holds keys.
struct Program {
    bool legacy = false;                     // the text has the comment "# torii: legacy"
    std::vector<std::string> warnings;       // "FILE:LINE: ..." about what was taken and should not be written
    std::vector<UnknownHost> unknown_hosts;  // not empty: the text must be parsed again with these, and run() refuses
    std::vector<Query> queries_before;
    std::vector<control::Located> operations;
    std::vector<Query> queries_after;
};

/// The SA that an operation adds or updates; null for every other operation.
const control::SaSpec* spec_of(const control::Operation& operation);

/// Whether `program` brings a key along: what a file that others may read should not do.
bool holds_keys(const Program& program);

/// How many SAs `program` gives a key for a cipher in counter mode, be it by add or by update: what RFC 8221 section 3
/// forbids of manual keys.
std::size_t manual_counter_keys(const Program& program);

/// The statements of `program` by the PF_KEY message that KAME's setkey would send for each: "add", "spddump".
using MessageTypes = std::map<std::string_view, std::size_t>;
MessageTypes message_types(const Program& program);

/// Parses the whole of `text`, or nothing. `file_name` is what errors and `where` call it; nothing is opened and no
/// name is looked up but in `hosts`. Where an SA's host has several addresses, there is an operation for each pair of
/// one family.
/// Errors: "FILE:LINE: MESSAGE at 'TOKEN'" of the first fault: bad_syntax, bad_value, bad_key_length, unsupported
/// (understood, and not offered) or no_room (a limit above). Keys go straight into SecretBytes and never into an error.
Result<Program> parse(std::string_view text, std::string_view file_name, const Hosts& hosts = {});

/// The policy of a text that is one spdadd and nothing else; Errc::bad_syntax for any other.
Result<Policy> parse_policy(std::string_view statement);

/// Whether `program` may have the SAs it adds: those with an algorithm that RFC 8221 forbids or advises against, or ESP
/// without integrity, need `allowed` or the text's own word (Program::legacy). Returns what such SAs it has, as one
/// sentence for the log; empty: none. Errc::unsupported with the first one's "FILE:LINE", and with that of ESP which
/// has neither cipher nor authenticator.
Result<std::string> check_legacy(const Program& program, bool allowed);

struct DumpOptions {
    bool show_keys = false;                   // the caller decides who may see them
    bool show_dead = false;                   // setkey's -a
    bool with_ports = false;                  // setkey's -p
    bool verbose = false;                     // setkey's -v
    bool without_sockets = false;             // setkey's -N
    std::optional<IpsecProtocol> protocol{};  // these SAs alone
    std::uint32_t pid = 0;                    // told as KAME tells the asking process
    std::int64_t now_unix_seconds = 0;        // printed in the process's time zone, as ctime(3) does
};

struct Ran {
    std::string output;                   // what the queries answer, in their order
    std::vector<std::string> warnings{};  // "FILE:LINE: ..." of what the gateway did and finds strange
};
/// Applies `program`; with DumpOptions::verbose the output has also a line for each operation, with what it brought
/// about. On an error nothing was changed; its message starts with the failing statement's "FILE:LINE". A `get` behind
/// the transaction that finds nothing says so in its answer, for the transaction stands.
Result<Ran> run(control::ControlPlane& control, Program program, const DumpOptions& options);

/// The SAD as `setkey -D` prints it; "No SAD entries." when there is none.
std::string dump_sas(const control::ControlPlane& control, const DumpOptions& options);
/// The SAs of ESP with their keys as Wireshark's table `esp_sa`, for whoever may see keys. An SA that Wireshark cannot
/// read is a comment there.
std::string wireshark_table(const control::ControlPlane& control);
/// The SPD as `setkey -DP` prints it; "No SPD entries." when there is none.
std::string dump_policies(const control::ControlPlane& control, const DumpOptions& options);

/// One SA as `setkey -D` prints it; `remaining` counts the entries that follow it in the dump.
std::string sa_text(const control::SaView& sa, const DumpOptions& options, std::size_t remaining = 0);
/// One operation as a statement begins: "add 20.0.0.1 20.0.0.2 esp 4097". Keys are left out.
std::string operation_text(const control::Operation& operation);
/// One request as a policy writes it: "esp/tunnel/20.0.0.1-20.0.0.2/require".
std::string request_text(const Request& request);
/// What stands behind -P in the statement that makes `policy`, its parts joined by `delimiter`.
std::string policy_text(const Policy& policy, std::string_view delimiter = " ");

}  // namespace torii::setkey
