// The command table itself: every command with its help, and how each column of an answer is drawn. See commands.h.
#include "cli/cells.h"
#include "cli/ike_table.h"

namespace torii::cli {

namespace {

const Option json_option{"--json", "", "prints the gateway's answer as one JSON document, for programs"};

// ---- the table

std::vector<View> setting_views() {
    return {{"",
             "",
             {{{"SETTING"}, text<"name">},
              {{"VALUE"}, text<"value">},
              {{"DEFAULT"}, text<"fallback">},
              {{"MAY BE"}, text<"right">},
              {{"MEANING"}, text<"meaning">}}}};
}

std::vector<Command> gateway_commands() {
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
                   "PATH MTU is what a router told, or 0. Keys are never shown: `setkey -D` shows them to root.",
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
                     {{"PATH MTU", true}, count<"path_mtu">},
                     {{"WORKER", true}, text<"worker">},
                     {{"USED"}, ago<"last_used_unix_seconds">}}}},
         .when_empty = "there are no security associations: add them with `setkey -f FILE`"},
        {.words = {"show", "policy"},
         .action = Action::show,
         .summary = "the security policy in search order, and what is exempt from it",
         .manual =
             "Prints the policies in the order they are searched, inbound first: the first that matches decides. "
             "DISCARD drops, BYPASS passes in clear, PROTECT wants what stands under REQUESTS "
             "(protocol/mode/endpoints/level, innermost first). OWNER is spd, or the kind of socket whose program gave "
             "it the policy: a privileged socket's stands in front of the SPD, another socket's behind it.\n"
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
                     {{"OWNER"}, text<"owner">},
                     {{"REQUESTS"}, requests}}},
                   {"", "exemptions", {{{"EXEMPT FROM POLICY"}, sentence}}}},
         .when_empty = "there are no policies: what then happens to packets is the setting def_policy"},
        {.words = {"show", "drops"},
         .action = Action::counts,
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
        {.words = {"show", "stats"},
         .action = Action::counts,
         .summary = "counters of IPsec and of the control socket, with the names of netstat -s",
         .manual =
             "Prints the counters that are not 0. Group ipsec is KAME's, for each family of the outer address: "
             "in_success "
             "and out_success count IPsec headers taken off and put on: a packet in ESP and AH counts twice. in_polvio "
             "and "
             "out_polvio are packets that a policy refused, by where they came from; in_nosa had an SPI that nobody "
             "has. The histograms count by algorithm. Group pfkey is what the control socket was asked (out_) and has "
             "told (in_), fast_ipsec, ah, esp, ipip and ipcomp are NetBSD's. `show drops` has the reasons one by one.",
         .examples = {"torii show stats", "torii show stats --all", "torii show stats in_espauthfail",
                      "torii show stats --json"},
         .method = "show.stats",
         .argument = {"COUNTER", name_only<"counter">},
         .options = {{"--all", "", "also the counters that are 0"}, json_option},
         .views = {{"",
                    "",
                    {{{"TOTAL", true}, count<"total">},
                     {{"GROUP"}, text<"group">},
                     {{"FAMILY"}, text<"family">},
                     {{"COUNTER"}, text<"counter">},
                     {{"MEANING"}, text<"meaning">}}}},
         .when_empty = "nothing was counted"},
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
        {.words = {"show", "settings"},
         .action = Action::show,
         .summary = "what may be changed while the gateway runs",
         .manual =
             "Prints one row a setting, by the name of KAME's sysctl variable: its VALUE, what it is when nobody sets "
             "it (DEFAULT), and what it may be. `set` changes one; the configuration file gives first values.",
         .examples = {"torii show settings", "torii show settings net.key.larval_lifetime --json"},
         .method = "show.settings",
         .argument = {"NAME", name_only<"name">},
         .options = {json_option},
         .views = setting_views(),
         .when_empty = "there are no settings"},
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
        {.words = {"set"},
         .action = Action::ask,
         .summary = "changes a setting of the running gateway",
         .manual =
             "Takes a setting's name, whole or without its net.inet.ipsec. or net.key., and its new value, a word or "
             "the number that sysctl has for it. The change lasts until toriid ends; the configuration file keeps "
             "it.",
         .examples = {"torii set net.inet.ipsec.def_policy none", "torii set larval_lifetime 60"},
         .method = "set",
         .argument = {"NAME VALUE"},
         .options = {json_option},
         .parameters = {{"name"}, {"value"}},
         .needed = 2,
         .views = setting_views()},
        {.words = {"explain"},
         .action = Action::ask,
         .summary = "what would become of a packet, and why",
         .manual =
             "Takes a packet that nobody sent through the gateway's live tables and tells what would happen: the "
             "inbound and the outbound policy that match, those before them that nearly did, those behind that are "
             "never reached, the SAs, route, next hop and size. Nothing is sent and nothing is counted.\n"
             "Without PROTOCOL the packet is an ICMP echo request. PORTS is the destination's, or SOURCE,DESTINATION; "
             "of ICMP the type, or TYPE,CODE. A port may also stand behind its address: 10.0.1.5[110]. The packet "
             "arrives where its source is to be found, or on the port that -i names.",
         .examples = {"torii explain 10.0.1.5 10.0.2.6", "torii explain 10.0.1.5 10.0.2.6 tcp 80",
                      "torii explain 10.0.2.6[110] 10.0.1.5 tcp -i wan", "torii explain 10.0.1.5 10.0.2.6 --json"},
         .method = "explain",
         .argument = {"SRC DST [PROTOCOL [PORTS]]"},
         .options = {{"-i", "PORT", "the packet arrives on this port of the gateway"}, json_option},
         .parameters = {{"source"}, {"destination"}, {"protocol"}, {"ports"}, {"port", "-i"}},
         .needed = 2,
         .views = {{"", "steps", {{{"STAGE"}, stage}, {{"WHAT HAPPENS"}, text<"text">}}}},
         .when_empty = "the gateway gave no explanation"},
        {.words = {"filter", "list"},
         .action = Action::ask,
         .summary = "the packet filter's rules, and what each has counted",
         .manual =
             "Prints the rules of both hooks in the order they are asked; the first that matches a packet decides, "
             "and the hook's last row is for what no rule matches. Hook wire sees packets as they are on a wire: "
             "before IPsec inbound, after IPsec outbound. Hook clear sees them on the other side of IPsec. A rule "
             "counts since it was added.",
         .examples = {"torii filter list", "torii filter list --json"},
         .method = "filter.list",
         .options = {json_option},
         .views = {{"",
                    "",
                    {{{"HOOK"}, text<"hook">},
                     {{"RULE", true}, rule_number},
                     {{"PACKETS", true}, count<"packets">},
                     {{"OCTETS", true}, count<"octets">},
                     {{""}, text<"rule">}}}},
         .when_empty = "the gateway has no filter"},
        {.words = {"filter", "add"},
         .action = Action::ask,
         .summary = "adds a rule to the packet filter",
         .manual =
             "Adds a rule at the end of a hook's list, or before the one that -b numbers, and prints its number. "
             "HOOK is "
             "wire or clear. A rule reads: pass|block [in|out] [on PORT] [proto PROTOCOL] [from any|PREFIX [port "
             "N[-M]]] "
             "[to any|PREFIX [port N[-M]]] [type N [code N]] [fragments|whole] [tag NAME]. PORT is the gateway's "
             "by name; "
             "type and "
             "code are ICMP's; whole is what is no fragment. The first rule that matches decides.\n"
             "A fragment does not tell ports: a block rule that asks for them takes it, a pass rule does not.\n"
             "A pass rule at hook wire may mark its packets with a tag, for policies that setkey adds with `spdadd "
             "tagged \"NAME\"`.",
         .examples = {"torii filter add wire pass in on wan proto esp",
                      "torii filter add wire block in on wan proto tcp from any to 20.0.0.1 port 1-1023",
                      "torii filter add wire pass in on lan proto tcp from any to any port 25 tag mail",
                      "torii filter add clear block in from 10.0.2.0/24 to 10.0.1.5 -b 3"},
         .method = "filter.add",
         .argument = {"HOOK RULE"},
         .options = {{"-b", "NUMBER", "the rule stands before this one"}, json_option},
         .parameters = {{"hook"}, {.name = "rule", .rest = true}, {"before", "-b"}},
         .needed = 2,
         .views = {{"", "", {{{"RULE", true}, text<"id">}}}}},
        {.words = {"filter", "delete"},
         .action = Action::ask,
         .summary = "removes a rule of the packet filter",
         .manual = "Removes the rule of that number from a hook's list.",
         .examples = {"torii filter delete wire 3"},
         .method = "filter.delete",
         .argument = {"HOOK NUMBER"},
         .options = {json_option},
         .parameters = {{"hook"}, {"id"}},
         .needed = 2,
         .views = {{"", "", {{{"REMOVED", true}, count<"removed">}}}}},
        {.words = {"filter", "flush"},
         .action = Action::ask,
         .summary = "removes all rules of a hook of the packet filter",
         .manual = "Removes all rules of a hook. What the hook does with the rest stays.",
         .examples = {"torii filter flush wire"},
         .method = "filter.flush",
         .argument = {"HOOK"},
         .options = {json_option},
         .parameters = {{"hook"}},
         .needed = 1,
         .views = {{"", "", {{{"REMOVED", true}, count<"removed">}}}}},
        {.words = {"filter", "default"},
         .action = Action::ask,
         .summary = "what a hook of the packet filter does with what no rule matches",
         .manual =
             "Sets whether a hook passes or blocks what none of its rules matches. It was pass unless configured.",
         .examples = {"torii filter default wire block"},
         .method = "filter.default",
         .argument = {"HOOK pass|block"},
         .options = {json_option},
         .parameters = {{"hook"}, {"action"}},
         .needed = 2,
         .views = {{"", "", {{{"REMOVED", true}, count<"removed">}}}}},
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
                     {"-N", "", "with -DP: without per-socket policies"},
                     {"-k", "", "for scripts of Linux: policies in cover forwarded packets with and without it"},
                     {"-r", "", "the same"}}},
        {.words = {"events"},
         .action = Action::events,
         .summary = "what happens on the gateway, as it happens, until Ctrl-C",
         .manual = "Prints one line an event: SAs and policies added and deleted, SAs wanted (acquire) and expired, "
                   "packets replayed, forged or of an unknown SPI, and what IKE does. The gateway folds floods into "
                   "one event with a count; when this command reads too slowly it is told how many events it missed.",
         .examples = {"torii events", "torii events --json | jq .kind"},
         .method = "events.subscribe",
         .options = {{"--json", "", "prints each event as one JSON object a line"}}},
        {.words = {"capture"},
         .action = Action::capture,
         .summary = "packets as pcapng, for tcpdump, tshark and Wireshark, until Ctrl-C",
         .manual =
             "Writes packets as they pass the gateway, to a file or standard output. HOOK is wire (packets as they are "
             "on "
             "the wires, both ways; the default), clear (on the other side of IPsec) or all. Each has its port as "
             "interface, at hook clear as `PORT clear`, its direction and its time; a packet that was dropped "
             "afterwards "
             "has the reason as comment.\n"
             "Packets begin with their IP header; of long ones 2,016 octets are kept. What comes faster than it is "
             "taken "
             "is lost, and counted at the end. One capture at a time.",
         .examples = {"torii capture -w office.pcapng", "torii capture - | tcpdump -n -r -",
                      "torii capture all - | tshark -r - -V", "torii capture clear -c 10 -w ten.pcapng"},
         .method = "capture.start",
         .argument = {"HOOK] [-"},
         .options = {{"-w", "FILE", "writes to FILE; without it, or with `-`, to standard output"},
                     {"-c", "COUNT", "ends after so many packets"}}},
        {.words = {"keys"},
         .action = Action::keys,
         .summary = "the keys of ESP as the table with which Wireshark and tshark decrypt a capture; root only",
         .manual =
             "Writes one line for each security association of ESP that has keys, as Wireshark's table esp_sa has it: "
             "ends, SPI, cipher, authenticator and their keys. Whoever has the file can read all that these "
             "associations protect: with -w it is made readable to its owner alone. What Wireshark cannot read is a "
             "comment. Put it into Wireshark's folder as esp_sa, and set esp.enable_encryption_decode.",
         .examples = {"torii keys -w ~/.config/wireshark/esp_sa",
                      "torii capture -c 10 - | tshark -r - -o esp.enable_encryption_decode:TRUE"},
         .method = "setkey.dump_sas",
         .options = {{"-w", "FILE", "writes to FILE, of mode 0600; without it, or with `-`, to standard output"}}},
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

/// IKE's stand behind those of the same kind.
std::vector<Command> table() {
    std::vector<Command> out = gateway_commands();
    const auto put_before = [&](std::string_view word, std::vector<Command> added) {
        const auto place = std::ranges::find(out, word, [](const Command& command) { return command.words.front(); });
        out.insert(place, added.begin(), added.end());
    };
    put_before("set", ike_show_commands());
    put_before("explain", ike_deed_commands());
    return out;
}

}  // namespace

std::span<const Command> commands() {
    static const std::vector<Command> all = table();
    return all;
}

}  // namespace torii::cli
