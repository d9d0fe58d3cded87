// The command table itself: every command with its help, and how each column of an answer is drawn. See commands.h.
#include <algorithm>
#include <cstdio>
#include <ctime>

#include "cli/commands.h"

namespace torii::cli {

namespace {

// ---- cells

template <std::size_t N>
struct Name {  // lets a member's name be a template argument, so that cells stay plain functions
    constexpr Name(const char (&text)[N]) { std::copy_n(text, N, letters); }  // NOLINT: stands for the text
    char letters[N];
};

template <Name member>
std::string text(const Value& row) {
    const Value& value = row[member.letters];
    return value.text.empty() ? "-" : value.text;
}

template <Name member>
std::string count(const Value& row) {
    return grouped(row[member.letters].text);
}

template <Name member>
std::string yes_no(const Value& row) {
    return row[member.letters].truth() ? "yes" : "no";
}

template <Name member>
std::string cycles(const Value& row) {
    char out[32];
    std::snprintf(out, sizeof out, "%.0f", row[member.letters].real());
    return row[member.letters].real() == 0 ? "-" : out;
}

template <Name member>
std::string age(const Value& row) {
    return duration(row[member.letters].count());
}

template <Name member>
std::string ago(const Value& row) {
    const auto then = row[member.letters].count();
    const auto now = static_cast<std::uint64_t>(std::time(nullptr));
    return then == 0 ? "never" : duration(now > then ? now - then : 0) + " ago";
}

std::string hexadecimal(std::uint64_t number) {
    char out[32];
    std::snprintf(out, sizeof out, "0x%08llx", static_cast<unsigned long long>(number));
    return out;
}

std::string spi(const Value& row) { return hexadecimal(row["spi"].count()); }

std::string link(const Value& row) { return row["link_up"].truth() ? "up" : "down"; }

std::string addresses(const Value& row) {
    std::string out;
    for (const Value& address : row["addresses"].items) out.append(out.empty() ? "" : ", ").append(address.text);
    return out.empty() ? "-" : out;
}

std::string queues(const Value& row) { return row["rx_queues"].text + "/" + row["tx_queues"].text; }

std::string sa_direction(const Value& row) { return row["inbound"].truth() ? "in" : "out"; }

std::string transform(const Value& row) { return row["protocol"].text + "/" + row["mode"].text; }

std::string algorithms(const Value& row) {
    std::string out = row["cipher"].text;
    if (row["cipher_key_bits"].count() != 0) out += " " + row["cipher_key_bits"].text;
    if (row["auth_key_bits"].count() != 0) out += " + " + row["auth"].text;
    return out;
}

std::string with_ports(const Value& selector, std::string_view address, std::string_view ports) {
    const std::string& range = selector[ports].text;
    return selector[address].text + (range == "any" ? "" : "[" + range + "]");
}

std::string selector_source(const Value& row) { return with_ports(row["selector"], "source", "source_ports"); }
std::string selector_destination(const Value& row) {
    return with_ports(row["selector"], "destination", "destination_ports");
}
std::string selector_protocol(const Value& row) { return row["selector"]["protocol"].text; }

std::string action(const Value& row) {
    std::string out = row["action"].text;
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return out;
}

std::string requests(const Value& row) {
    std::string out;
    for (const Value& request : row["requests"].items) {
        if (!out.empty()) out += ' ';
        out += transform(request) + "/";
        if (!request["source"].is_null()) out += request["source"].text + "-" + request["destination"].text;
        out += "/" + request["level"].text;
        if (request["reqid"].count() != 0) out += ":" + request["reqid"].text;
    }
    return out.empty() ? "-" : out;
}

std::string sentence(const Value& row) { return row.text; }

template <Name member>
std::vector<std::string> name_only(const Value& row) {
    return {row[member.letters].text};
}

std::vector<std::string> sa_names(const Value& row) {
    char brief[16];  // 0x1001, as it is typed
    std::snprintf(brief, sizeof brief, "0x%x", static_cast<unsigned>(row["spi"].count()));
    return {spi(row), brief, row["spi"].text, row["source"].text, row["destination"].text};
}
std::vector<std::string> route_names(const Value& row) { return {row["prefix"].text, row["port"].text}; }
std::vector<std::string> neighbour_names(const Value& row) { return {row["address"].text, row["port"].text}; }

const Option json_option{"--json", "", "prints the gateway's answer as one JSON document, for programs"};

// ---- the table

std::vector<Command> table() {
    return {
        {.words = {"show", "ports"},
         .action = Action::show,
         .summary = "ports with their link, addresses and counters",
         .manual =
             "Prints one row a port: its role (protected: behind the gateway; unprotected: the world; host: this "
             "machine's own stack), link, addresses, and then what it received, sent and lost.\n"
             "RX MISSED is what the device dropped because no worker took it in time, NO MBUF what came while the "
             "packet pool was empty, TX FULL what found the send queue full, RING LOST what the device's own ring "
             "lost where the system tells. All of these should be 0.",
         .examples = {"torii show ports", "torii show ports wan", "torii show ports --json"},
         .method = "show.ports",
         .argument = {"PORT", name_only<"name">},
         .options = {json_option},
         .views = {{"",
                    "",
                    {{{"PORT"}, text<"name">},
                     {{"ROLE"}, text<"role">},
                     {{"LINK"}, link},
                     {{"MTU", true}, text<"mtu">},
                     {{"MAC"}, text<"mac">},
                     {{"QUEUES"}, queues},
                     {{"ADDRESSES"}, addresses},
                     {{"DRIVER"}, text<"driver">},
                     {{"DEVICE"}, text<"device">}}},
                   {"",
                    "",
                    {{{"PORT"}, text<"name">},
                     {{"RX PACKETS", true}, count<"rx_packets">},
                     {{"RX OCTETS", true}, count<"rx_octets">},
                     {{"TX PACKETS", true}, count<"tx_packets">},
                     {{"TX OCTETS", true}, count<"tx_octets">},
                     {{"RX MISSED", true}, count<"rx_missed">},
                     {{"RX ERRORS", true}, count<"rx_errors">},
                     {{"NO MBUF", true}, count<"rx_no_mbuf">},
                     {{"TX FULL", true}, count<"tx_full">},
                     {{"RING LOST", true}, count<"ring_lost">}}}},
         .when_empty = "there are no ports"},
        {.words = {"show", "routes"},
         .action = Action::show,
         .summary = "where packets go: the longest matching prefix wins",
         .manual =
             "Prints one row a route. A connected network has no gateway behind VIA; its hosts are resolved by ARP.",
         .examples = {"torii show routes", "torii show routes lan"},
         .method = "show.routes",
         .argument = {"PREFIX|PORT", route_names},
         .options = {json_option},
         .views = {{"",
                    "",
                    {{{"PREFIX"}, text<"prefix">},
                     {{"VIA"}, text<"via">},
                     {{"PORT"}, text<"port">},
                     {{"ORIGIN"}, text<"origin">}}}},
         .when_empty = "there are no routes"},
        {.words = {"show", "neighbours"},
         .action = Action::show,
         .summary = "hosts on the attached networks and their MAC addresses",
         .manual =
             "Prints one row a neighbour: incomplete (asked, no answer yet; WAITING packets are held for it), "
             "reachable, probing (asked again, its MAC is still used), static (configured), failed (did not answer).",
         .examples = {"torii show neighbours", "torii show neighbours wan"},
         .method = "show.neighbours",
         .argument = {"ADDRESS|PORT", neighbour_names},
         .options = {json_option},
         .views = {{"",
                    "",
                    {{{"ADDRESS"}, text<"address">},
                     {{"MAC"}, text<"mac">},
                     {{"PORT"}, text<"port">},
                     {{"STATE"}, text<"state">},
                     {{"AGE", true}, age<"age_seconds">},
                     {{"WAITING", true}, count<"waiting">}}}},
         .when_empty = "no neighbour is known yet: nothing was sent to an attached network"},
        {.words = {"show", "sa"},
         .action = Action::show,
         .summary = "security associations, without their keys",
         .manual = "Prints one row a security association in order of creation. SEQUENCE is the number last sent "
                   "(outbound) or the highest received (inbound). BAD ICV counts packets that failed authentication: a "
                   "wrong key or a forged packet. REPLAYED counts packets seen before or too late for the window.\n"
                   "Keys are never shown here; `setkey -D` shows them to root.",
         .examples = {"torii show sa", "torii show sa 0x00001001", "torii show sa 20.0.0.2 --json"},
         .method = "show.sa",
         .argument = {"SPI|ADDRESS", sa_names},
         .options = {json_option},
         .views = {{"",
                    "",
                    {{{"SPI"}, spi},
                     {{"DIR"}, sa_direction},
                     {{"SOURCE"}, text<"source">},
                     {{"DESTINATION"}, text<"destination">},
                     {{"TRANSFORM"}, transform},
                     {{"ALGORITHMS"}, algorithms},
                     {{"STATE"}, text<"state">},
                     {{"PACKETS", true}, count<"packets">},
                     {{"OCTETS", true}, count<"octets">},
                     {{"SEQUENCE", true}, count<"sequence">},
                     {{"BAD ICV", true}, count<"icv_failures">},
                     {{"REPLAYED", true}, count<"replays">},
                     {{"WORKER", true}, text<"worker">},
                     {{"USED"}, ago<"last_used_unix_seconds">}}}},
         .when_empty = "there are no security associations: add them with `setkey -f FILE`"},
        {.words = {"show", "policy"},
         .action = Action::show,
         .summary = "the security policy in search order, and what is exempt from it",
         .manual = "Prints the policies in the order they are searched, inbound first: the first that matches decides. "
                   "DISCARD drops, BYPASS passes in clear, PROTECT wants what stands under REQUESTS "
                   "(protocol/mode/endpoints/level, innermost first).\n"
                   "The exemptions stand before all policies.",
         .examples = {"torii show policy", "torii show policy 3", "torii show policy --json"},
         .method = "show.policy",
         .argument = {"ID", name_only<"id">},
         .options = {json_option},
         .views = {{"",
                    "policies",
                    {{{"ID", true}, text<"id">},
                     {{"DIR"}, text<"direction">},
                     {{"PRIORITY", true}, text<"priority">},
                     {{"SOURCE"}, selector_source},
                     {{"DESTINATION"}, selector_destination},
                     {{"PROTOCOL"}, selector_protocol},
                     {{"ACTION"}, action},
                     {{"REQUESTS"}, requests}}},
                   {"", "exemptions", {{{"EXEMPT FROM POLICY"}, sentence}}}},
         .when_empty = "there are no policies: what then happens to packets is the setting def_policy"},
        {.words = {"show", "drops"},
         .action = Action::drops,
         .summary = "packets that were dropped, why, and what to check",
         .manual = "Prints every reason that happened since the gateway started, how often, and a sentence on what to "
                   "check. No packet disappears without being counted here. UNTOLD is for how many of them the sender "
                   "heard no ICMP error: those are limited to 200 a second, never sent about some packets (RFC 1122 "
                   "3.2.2), and about a packet out of an SA only where a policy protects the way back from an address "
                   "of the gateway's.",
         .examples = {"torii show drops", "torii show drops --all", "torii show drops bad_icv",
                      "torii show drops --json"},
         .method = "show.drops",
         .argument = {"REASON", name_only<"reason">},
         .options = {{"--all", "", "also the reasons that never happened"}, json_option},
         .views = {{"",
                    "",
                    {{{"PACKETS", true}, count<"total">},
                     {{"UNTOLD", true}, count<"untold">},
                     {{"REASON"}, text<"reason">},
                     {{"CHECK"}, text<"advice">}}}},
         .when_empty = "nothing was dropped"},
        {.words = {"show", "crypto"},
         .action = Action::show,
         .summary = "which code encrypts each suite, and what it needs",
         .manual =
             "Prints one row a suite and candidate kernel: whether it gave the known answers (PROVEN), whether it "
             "is the one in use (CHOSEN), and the cycles it took for a packet of 64 and of 1420 octets when it was "
             "timed. The suites that RFC 8221 wants are tried at start, others when the first SA asks for them.",
         .examples = {"torii show crypto", "torii show crypto \"aes-gcm-16 128\""},
         .method = "show.crypto",
         .argument = {"SUITE", name_only<"suite">},
         .options = {json_option},
         .views = {{"",
                    "",
                    {{{"SUITE"}, text<"suite">},
                     {{"KERNEL"}, text<"kernel">},
                     {{"PROVEN"}, yes_no<"proven">},
                     {{"CHOSEN"}, yes_no<"chosen">},
                     {{"CYCLES 64", true}, cycles<"cycles_64">},
                     {{"CYCLES 1420", true}, cycles<"cycles_1420">},
                     {{"NOTE"}, text<"note">}}}},
         .when_empty = "no suite is offered"},
        {.words = {"show", "algorithms"},
         .action = Action::show,
         .summary = "the algorithms that setkey takes, and how long their keys are",
         .manual =
             "Prints one row an algorithm, by the option of setkey that names it. KEY BITS count the salt that stands "
             "at "
             "the key's end where a cipher has one. LEGACY is for what RFC 8221 forbids or advises against: it needs "
             "`ipsec.legacy` in the configuration, or the comment `# torii: legacy` in the setkey file.",
         .examples = {"torii show algorithms", "torii show algorithms aes-gcm-16"},
         .method = "show.algorithms",
         .argument = {"NAME", name_only<"name">},
         .options = {json_option},
         .views = {{"",
                    "",
                    {{{"OPTION"}, text<"option">},
                     {{"NAME"}, text<"name">},
                     {{"ALSO"}, text<"alias">},
                     {{"KEY BITS"}, text<"key_bits">},
                     {{"ICV OCTETS", true}, count<"icv_octets">},
                     {{"LEGACY"}, yes_no<"legacy">}}}},
         .when_empty = "no algorithm is offered"},
        {.words = {"show", "workers"},
         .action = Action::show,
         .summary = "packet workers: how busy they are and what they own",
         .manual =
             "Prints one row a worker. EMPTY POLLS are looks at queues that held nothing; HANDED OVER and TAKEN "
             "OVER are packets of SAs that another worker owns; FLOW HITS found their policy in the worker's cache.",
         .examples = {"torii show workers", "torii show workers 0"},
         .method = "show.workers",
         .argument = {"WORKER", name_only<"index">},
         .options = {json_option},
         .views = {{"",
                    "",
                    {{{"WORKER", true}, text<"index">},
                     {{"LCORE", true}, text<"lcore">},
                     {{"CORE", true}, text<"core">},
                     {{"POLLING"}, text<"polling">},
                     {{"PACKETS", true}, count<"packets">},
                     {{"BURSTS", true}, count<"bursts">},
                     {{"EMPTY POLLS", true}, count<"empty_polls">},
                     {{"SLEEPS", true}, count<"sleeps">},
                     {{"HANDED OVER", true}, count<"handed_over">},
                     {{"TAKEN OVER", true}, count<"taken_over">},
                     {{"FLOW HITS", true}, count<"flow_hits">},
                     {{"FLOW MISSES", true}, count<"flow_misses">},
                     {{"SAS IN", true}, text<"inbound_sas">},
                     {{"SAS OUT", true}, text<"outbound_sas">}}}},
         .when_empty = "there are no workers"},
        {.words = {"show", "version"},
         .action = Action::show,
         .summary = "versions, the gateway's name and how long it runs",
         .manual = "Prints the version of the running toriid and of what it stands on, the gateway's name, how long it "
                   "runs and whether it has hugepages. `torii --version` is the version of this command.",
         .examples = {"torii show version", "torii show version --json"},
         .method = "show.version",
         .options = {json_option},
         .views = {{"",
                    "",
                    {{{"GATEWAY"}, text<"gateway_name">},
                     {{"TORII"}, text<"torii">},
                     {{"DPDK"}, text<"dpdk">},
                     {{"IPSEC-MB"}, text<"ipsec_mb">},
                     {{"OPENSSL"}, text<"openssl">},
                     {{"HUGEPAGES"}, yes_no<"hugepages">},
                     {{"UP"}, age<"uptime_seconds">}}}}},
        {.words = {"setkey"},
         .action = Action::setkey,
         .summary = "security associations and policies in the setkey language",
         .manual =
             "Gives statements of the setkey language to the gateway, from standard input or a file. They are "
             "applied whole or not at all; an error names file, line and token. From a terminal -c applies each "
             "statement "
             "as its semicolon is read. Flags may be joined: -DP is -D -P. The program `setkey` takes the same.\n"
             "Host names are looked up here, not by the gateway; one with several addresses stands for all of them.\n"
             "In the shell `setkey STATEMENT;` runs one statement, and `setkey -c` reads statements up to a line "
             "that holds only a dot. Lines with keys are not kept in the history. `show algorithms` has what -E and -A "
             "take.",
         .examples = {"torii setkey -f /etc/torii/ipsec.conf", "echo 'spdflush; flush;' | torii setkey -c",
                      "torii setkey -D", "torii setkey -DP", "torii setkey -F -P", "torii setkey -nf new.setkey"},
         .argument = {"STATEMENT"},
         .options = {{"-c", "", "takes statements from standard input"},
                     {"-f", "FILE", "takes statements from FILE; - is standard input"},
                     {"-D", "", "dumps the security associations, with keys for root; with -P the policies"},
                     {"-F", "", "flushes the security associations; with -P the policies"},
                     {"-x", "", "prints events as they happen, until Ctrl-C; -xx with seconds since 1970"},
                     {"-P", "", "with -D or -F: the policies"},
                     {"-n", "", "with -c or -f: checks the statements and does nothing"},
                     {"-v", "", "says what each statement did; with -D one line more for each association"},
                     {"-a", "", "with -D: dead associations too"},
                     {"-p", "", "with -D: the ports of associations"},
                     {"-l", "", "with -D: one short line each, again each second until Ctrl-C"},
                     {"-H", "", "with -x: the events as the gateway sent them, in JSON"},
                     {"-N", "", "without per-socket policies, of which there are none"},
                     {"-k", "", "for scripts of Linux: policies in cover forwarded packets with and without it"},
                     {"-r", "", "the same"}}},
        {.words = {"events"},
         .action = Action::events,
         .summary = "what happens on the gateway, as it happens, until Ctrl-C",
         .manual =
             "Prints one line an event: SAs and policies added and deleted, SAs wanted (acquire) and expired, "
             "packets replayed, forged or of an unknown SPI. The gateway folds floods into one event with a count; "
             "when this command reads too slowly it is told how many events it missed.",
         .examples = {"torii events", "torii events --json | jq .kind"},
         .method = "events.subscribe",
         .options = {{"--json", "", "prints each event as one JSON object a line"}}},
        {.words = {"help"},
         .action = Action::help,
         .summary = "this list, or the manual page of a command",
         .manual = "Without a command prints one line for each; with one its manual page.",
         .examples = {"torii help", "torii help show drops"},
         .argument = {"COMMAND"}},
        {.words = {"exit"},
         .action = Action::leave,
         .summary = "leaves the shell; so does Ctrl-D",
         .manual = "Leaves the interactive shell.",
         .examples = {"exit"}},
        {.words = {"quit"}, .action = Action::leave, .summary = "as exit", .manual = "As exit.", .examples = {"quit"}},
    };
}

}  // namespace

std::span<const Command> commands() {
    static const std::vector<Command> all = table();
    return all;
}

}  // namespace torii::cli
