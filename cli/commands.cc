#include "cli/commands.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

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
                   "check. No packet disappears without being counted here.",
         .examples = {"torii show drops", "torii show drops --all", "torii show drops bad_icv",
                      "torii show drops --json"},
         .method = "show.drops",
         .argument = {"REASON", name_only<"reason">},
         .options = {{"--all", "", "also the reasons that never happened"}, json_option},
         .views = {{"",
                    "",
                    {{{"PACKETS", true}, count<"total">}, {{"REASON"}, text<"reason">}, {{"CHECK"}, text<"advice">}}}},
         .when_empty = "nothing was dropped"},
        {.words = {"show", "crypto"},
         .action = Action::show,
         .summary = "which code encrypts each suite, and what it needs",
         .manual =
             "Prints one row a suite and candidate kernel: whether it gave the known answers (PROVEN), whether it "
             "is the one in use (CHOSEN), and the cycles it took for a packet of 64 and of 1420 octets when the "
             "gateway started.",
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
             "applied whole or not at all; an error names file, line and token. Flags may be joined: -DP is -D -P.\n"
             "In the shell `setkey STATEMENT;` runs one statement, and `setkey -c` reads statements up to a line "
             "that holds only a dot. Lines with keys are not kept in the history.",
         .examples = {"torii setkey -f /etc/torii/ipsec.conf", "echo 'spdflush; flush;' | torii setkey -c",
                      "torii setkey -D", "torii setkey -DP", "torii setkey -F -P"},
         .argument = {"STATEMENT"},
         .options = {{"-c", "", "takes statements from standard input"},
                     {"-f", "FILE", "takes statements from FILE"},
                     {"-D", "", "dumps the security associations, with keys for root; with -P the policies"},
                     {"-F", "", "flushes the security associations; with -P the policies"},
                     {"-P", "", "with -D or -F: the policies"}}},
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

constexpr std::string_view exit_codes =
    "0 done; 1 the command failed, the reason is on standard error; 2 it was not understood";

// ---- finding commands

std::string joined(const std::vector<std::string_view>& words, std::string_view between) {
    std::string out;
    for (const std::string_view word : words) out.append(out.empty() ? "" : between).append(word);
    return out;
}

/// Commands that begin with the words of `under`, and the different words that follow there.
std::vector<std::string_view> words_at(const std::vector<std::string_view>& under) {
    std::vector<std::string_view> out;
    for (const Command& command : commands()) {
        if (command.words.size() <= under.size() || !std::equal(under.begin(), under.end(), command.words.begin()))
            continue;
        if (const auto word = command.words[under.size()]; std::ranges::find(out, word) == out.end())
            out.push_back(word);
    }
    return out;
}

/// The one word of `choices` that `given` is, or begins.
Result<std::string_view> choose(const std::string& given, const std::vector<std::string_view>& choices,
                                std::string_view what) {
    std::vector<std::string_view> begun;
    for (const std::string_view choice : choices) {
        if (choice == given) return choice;
        if (choice.starts_with(given)) begun.push_back(choice);
    }
    if (begun.size() == 1) return begun[0];
    if (begun.size() > 1) return fail(Errc::bad_syntax, "'" + given + "' may be " + joined(begun, " or "));
    std::string message = "there is no " + std::string{what} + " '" + printable(given) + "'";
    const auto meant = nearest(given, choices);
    return fail(Errc::bad_syntax,
                message + (meant.empty() ? ": try help" : ": did you mean '" + std::string{meant} + "'?"));
}

/// Resolves as many words as name a command; the path so far, and how many words it took.
Result<std::vector<std::string_view>> resolve(std::span<const std::string> words) {
    std::vector<std::string_view> path;
    for (const std::string& word : words) {
        const auto choices = words_at(path);
        if (choices.empty()) break;
        TORII_TRY(const auto chosen, choose(word, choices, path.empty() ? "command" : joined(path, " ")));
        path.push_back(chosen);
    }
    return path;
}

const Command* command_at(const std::vector<std::string_view>& path) {
    for (const Command& command : commands()) {
        if (command.words == path) return &command;
    }
    return nullptr;
}

/// Whether `word` is one flag, or several joined ones as in -DP.
bool take_short_flags(const Command& command, std::string_view word, Invocation& out) {
    for (const char letter : word.substr(1)) {
        const auto found = std::ranges::find_if(
            command.options, [&](const Option& option) { return option.name.size() == 2 && option.name[1] == letter; });
        if (found == command.options.end() || (!found->value.empty() && word.size() != 2)) return false;
        out.options.emplace_back(found->name, "");
    }
    return true;
}

Result<void> take_option(std::span<const std::string>& rest, Invocation& out) {
    const std::string word = rest.front();
    rest = rest.subspan(1);
    const Command& command = *out.command;
    if (word.starts_with("--")) {
        std::vector<std::string_view> names;
        for (const Option& option : command.options) names.push_back(option.name);
        TORII_TRY(const auto name, choose(word, names, "option of " + command.name()));
        out.options.emplace_back(name, "");
        return {};
    }
    if (!take_short_flags(command, word, out))
        return fail(Errc::bad_syntax, command.name() + " has no option '" + printable(word) + "'");
    const auto option = std::ranges::find(command.options, out.options.back().first, &Option::name);
    if (option->value.empty()) return {};
    if (rest.empty())
        return fail(Errc::bad_syntax,
                    std::string{option->name} + " needs a " + std::string{option->value} + " behind it");
    out.options.back().second = rest.front();
    rest = rest.subspan(1);
    return {};
}

/// setkey takes one of its options, or a statement.
Result<void> check_setkey(const Invocation& given) {
    std::size_t asked = given.arguments.empty() ? 0 : 1;
    for (const std::string_view option : {"-c", "-f", "-D", "-F"}) asked += given.has(option);
    if (asked == 0) return fail(Errc::bad_syntax, "setkey needs one of -c, -f FILE, -D, -DP, -F, -FP");
    if (asked > 1) return fail(Errc::bad_syntax, "setkey takes only one of -c, -f FILE, -D, -F");
    if (given.has("-P") && !given.has("-D") && !given.has("-F")) return fail(Errc::bad_syntax, "-P goes with -D or -F");
    return {};
}

}  // namespace

std::string Command::name() const { return joined(words, " "); }

std::span<const Command> commands() {
    static const std::vector<Command> all = table();
    return all;
}

bool Invocation::has(std::string_view option) const {
    return std::ranges::any_of(options, [&](const auto& given) { return given.first == option; });
}

std::optional<std::string_view> Invocation::value(std::string_view option) const {
    for (const auto& [name, value] : options) {
        if (name == option) return value;
    }
    return std::nullopt;
}

namespace {

/// Takes the words apart; what they say together is yet to be judged.
Result<Invocation> take_apart(std::span<const std::string> words) {
    TORII_TRY(const auto path, resolve(words));
    Invocation out;
    out.command = command_at(path);
    if (out.command == nullptr)
        return fail(Errc::bad_syntax, joined(path, " ") + " what? " + joined(words_at(path), ", "));
    for (auto rest = words.subspan(path.size()); !rest.empty();) {
        // What follows `setkey add ...` is the statement's own, minus signs and all.
        const bool statement = out.command->action == Action::setkey && !out.arguments.empty();
        if (rest.front().starts_with("-") && rest.front().size() > 1 && !statement) {
            TORII_CHECK(take_option(rest, out));
        } else {
            out.arguments.push_back(rest.front());
            rest = rest.subspan(1);
        }
    }
    return out;
}

}  // namespace

Result<Invocation> parse(std::span<const std::string> words) {
    TORII_TRY(Invocation out, take_apart(words));
    if (out.command->action == Action::setkey) TORII_CHECK(check_setkey(out));
    if (out.command->action == Action::help) TORII_CHECK(commands_under(out.arguments));
    const bool many = out.command->action == Action::setkey || out.command->action == Action::help;
    if (out.arguments.size() > (out.command->argument.name.empty() ? 0u : many ? out.arguments.size() : 1u))
        return fail(Errc::bad_syntax, out.command->name() + " does not take '" + printable(out.arguments.back()) + "'");
    return out;
}

std::vector<Candidate> candidates(std::span<const std::string> before, std::string_view partial,
                                  const LiveNames& live) {
    std::vector<Candidate> out;
    const auto offer = [&](std::string_view word, std::string_view text) {
        if (word.starts_with(partial)) out.push_back({std::string{word}, std::string{text}});
    };
    const auto path = resolve(before);
    if (!path) return out;
    if (const auto next = words_at(*path); !next.empty() && path->size() == before.size()) {
        for (const std::string_view word : next) {
            auto longer = *path;
            longer.push_back(word);
            const Command* command = command_at(longer);
            offer(word, command != nullptr ? command->summary : "the gateway's state, table by table");
        }
        return out;
    }
    const Command* command = command_at(*path);
    if (command == nullptr) return out;
    if (command->action == Action::help) return candidates(before.subspan(1), partial, nullptr);
    const auto given = take_apart(before);
    if (!given) {  // only an option still waiting for its value is understood so far
        for (const Option& option : command->options) {
            if (!option.value.empty() && !before.empty() && before.back() == option.name)
                out.push_back({std::string{option.value}, std::string{option.text}, true});
        }
        return out;
    }
    if (live && command->argument.names != nullptr && given->arguments.empty() && !partial.starts_with("-")) {
        for (const std::string& name : live(*command)) offer(name, "");
    }
    for (const Option& option : command->options) {
        auto longer = *given;
        longer.options.emplace_back(option.name, "");
        const bool fits = command->action != Action::setkey || check_setkey(longer);
        if (fits && !given->has(option.name)) offer(option.name, option.text);
    }
    return out;
}

std::string common_beginning(const std::vector<Candidate>& list) {
    if (list.empty()) return {};
    std::string out = list[0].word;
    for (const Candidate& candidate : list) {
        const auto end = std::ranges::mismatch(out, candidate.word).in1;
        out.erase(end, out.end());
    }
    return out;
}

std::string overview() {
    std::string out = "usage: torii [--socket PATH] [COMMAND ...]      without a command: an interactive shell\n\n";
    std::vector<const Command*> all;
    for (const Command& command : commands()) all.push_back(&command);
    out += summaries(all);
    return out +
           "\n  --socket PATH  the control socket of toriid; else TORII_SOCKET, else /run/torii/control.sock\n"
           "  --version      the version of this command\n\n"
           "Words may be shortened while they stay unambiguous: `torii sh sa`. `torii help COMMAND` tells more.\n";
}

std::string summaries(std::span<const Command* const> list) {
    std::string out;
    std::size_t width = 0;
    for (const Command* command : list) width = std::max(width, command->name().size());
    for (const Command* command : list) {
        const std::string name = command->name();
        out += "  " + name + std::string(width - name.size() + 2, ' ') + std::string{command->summary} + '\n';
    }
    return out;
}

std::string manual_page(const Command& command) {
    std::string usage = "torii " + command.name();
    for (const Option& option : command.options)
        usage += " [" + std::string{option.name} + (option.value.empty() ? "" : " " + std::string{option.value}) + "]";
    if (!command.argument.name.empty() && command.action != Action::setkey)
        usage += " [" + std::string{command.argument.name} + "]";
    if (command.action == Action::leave) usage = command.name() + "     (in the shell)";
    std::string out = "NAME\n    " + command.name() + " - " + std::string{command.summary} + "\n\nUSAGE\n    " + usage +
                      "\n\nDESCRIPTION\n";
    std::string_view paragraphs = command.manual;
    while (!paragraphs.empty()) {
        const auto paragraph = paragraphs.substr(0, paragraphs.find('\n'));
        out += wrapped(paragraph, 4);
        paragraphs.remove_prefix(std::min(paragraphs.size(), paragraph.size() + 1));
    }
    if (!command.options.empty()) out += "\nOPTIONS\n";
    for (const Option& option : command.options) {
        std::string name = std::string{option.name} + ' ' + std::string{option.value};
        name.resize(std::max<std::size_t>(name.size(), 10), ' ');
        out += "    " + name + std::string{option.text} + '\n';
    }
    out += "\nEXAMPLES\n";
    for (const std::string_view example : command.examples) out += "    " + std::string{example} + '\n';
    return out + "\nEXIT CODES\n    " + std::string{exit_codes} + '\n';
}

Result<std::vector<const Command*>> commands_under(std::span<const std::string> words) {
    TORII_TRY(const auto path, resolve(words));
    if (path.size() != words.size())
        return fail(Errc::bad_syntax,
                    joined(path, " ") + " has nothing called '" + printable(words[path.size()]) + "'");
    std::vector<const Command*> out;
    for (const Command& command : commands()) {
        if (command.words.size() >= path.size() && std::equal(path.begin(), path.end(), command.words.begin()))
            out.push_back(&command);
    }
    return out;
}

}  // namespace torii::cli
