#include "cli/ike_table.h"

#include "cli/cells.h"

namespace torii::cli {

namespace {

const Option json_option{"--json", "", "prints the gateway's answer as one JSON document, for programs"};

/// Of what is only configured: nothing.
std::string number_of(const Value& row) { return row["number"].count() == 0 ? "-" : "#" + row["number"].text; }

/// How long something still has; "-" when it has no end, or is not there.
template <Name member>
std::string in_time(const Value& row) {
    return row[member.letters].count() == 0 ? "-" : duration(row[member.letters].count());
}

template <Name member>
std::string time_if_there(const Value& row) {
    return row["number"].count() == 0 ? "-" : duration(row[member.letters].count());
}

template <Name address, Name port, Name nat>
std::string end(const Value& row) {
    std::string out = row[address.letters].text;
    if (row[port.letters].count() != 0) out += "[" + row[port.letters].text + "]";
    return row[nat.letters].truth() ? out + " (NAT)" : out;
}

/// Who he says he is, and how he proved it.
template <Name id, Name auth>
std::string identity(const Value& row) {
    const std::string &who = row[id.letters].text, &how = row[auth.letters].text;
    return (who.empty() ? "-" : who) + (how.empty() ? "" : " by " + how);
}

std::string role(const Value& row) {
    return row["number"].count() == 0 ? "-" : row["initiator"].truth() ? "initiator" : "responder";
}

std::string ike_suite(const Value& row) {
    const std::string &suite = row["suite"].text, &ppk = row["ppk"].text;
    return ppk.empty() ? suite : suite + " with PPK " + ppk;
}

std::string spis(const Value& row) {
    return row["number"].count() == 0 ? "-" : row["initiator_spi"].text + " " + row["responder_spi"].text;
}

template <Name member>
std::string child_spi(const Value& row) {
    return row[member.letters].count() == 0 ? "-" : hexadecimal(row[member.letters].count());
}

std::string child_transform(const Value& row) {
    return row["protocol"].text + (row["in_udp"].truth() ? "-udp" : "") + (row["ipcomp"].truth() ? "+ipcomp/" : "/") +
           row["mode"].text;
}

template <Name member>
std::string networks(const Value& row) {
    std::string out;
    for (const Value& network : row[member.letters].items) out.append(out.empty() ? "" : ", ").append(network.text);
    return out.empty() ? "-" : out;
}

std::string log_time(const Value& row) {
    const auto milliseconds = row["unix_milliseconds"].count();
    const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::tm local{};
    localtime_r(&seconds, &local);
    char out[48], day[32];
    std::strftime(day, sizeof day, "%F %T", &local);
    std::snprintf(out, sizeof out, "%s.%03u", day, static_cast<unsigned>(milliseconds % 1000));
    return out;
}

std::string log_owner(const Value& row) {
    const std::string& connection = row["connection"].text;
    return (connection.empty() ? "-" : connection) + (row["number"].count() == 0 ? "" : " #" + row["number"].text);
}

/// Lent to the peer or by him, and the name servers that he told of.
std::string internal_addresses(const Value& row) {
    const std::string servers = networks<"internal_dns">(row);
    return networks<"internal_addresses">(row) + (servers == "-" ? "" : ", DNS " + servers);
}

std::vector<std::string> ike_names(const Value& row) {
    return {row["connection"].text, "#" + row["number"].text, row["remote"].text, row["remote_id"].text};
}

std::vector<std::string> child_names(const Value& row) {
    const std::string name = row["connection"].text + "/" + row["name"].text;
    return {name, row["name"].text, row["connection"].text, "#" + row["number"].text};
}

Command deed(std::string_view word, std::string_view summary, std::string_view manual, std::string_view method,
             std::vector<std::string_view> examples) {
    return {.words = {"ike", word},
            .action = Action::ask,
            .summary = summary,
            .manual = manual,
            .examples = std::move(examples),
            .method = method,
            .argument = {"NAME"},
            .options = {json_option},
            .parameters = {{"name"}},
            .needed = 1,
            .views = {{"", "", {{{"DONE"}, text<"done">}}}}};
}

}  // namespace

std::vector<Command> ike_show_commands() {
    return {
        {.words = {"show", "ike"},
         .action = Action::show,
         .summary = "connections and their IKE SAs: who, since when, protected by what",
         .manual =
             "Prints one row an IKE SA, and one for each connection that has none now. LOCAL and REMOTE have their "
             "ports, and (NAT) where that end is behind one. REKEY IN is when the IKE SA gets new keys, REAUTH IN when "
             "both sides prove again who they are, SILENT how long the peer was not heard, INTERNAL the addresses that "
             "one "
             "side lends the other for the length of the IKE SA.",
         .examples = {"torii show ike", "torii show ike newyork", "torii show ike --json"},
         .method = "ike.list",
         .argument = {"CONNECTION|ADDRESS|ID", ike_names},
         .options = {json_option},
         .views = {{"",
                    "",
                    {{{"CONNECTION"}, text<"connection">},
                     {{"NUMBER"}, number_of},
                     {{"STATE"}, text<"state">},
                     {{"ROLE"}, role},
                     {{"LOCAL"}, end<"local", "local_port", "local_nat">},
                     {{"REMOTE"}, end<"remote", "remote_port", "remote_nat">},
                     {{"CHILDREN", true}, text<"children">},
                     {{"AGE", true}, time_if_there<"age_seconds">},
                     {{"REKEY IN", true}, in_time<"rekey_in_seconds">},
                     {{"REAUTH IN", true}, in_time<"reauth_in_seconds">},
                     {{"SILENT", true}, time_if_there<"silent_seconds">}}},
                   {"",
                    "",
                    {{{"CONNECTION"}, text<"connection">},
                     {{"NUMBER"}, number_of},
                     {{"WE ARE"}, identity<"local_id", "local_auth">},
                     {{"THE PEER IS"}, identity<"remote_id", "remote_auth">},
                     {{"INTERNAL"}, internal_addresses},
                     {{"SUITE"}, ike_suite},
                     {{"SPIS"}, spis}}}},
         .when_empty = "no connection is configured"},
        {.words = {"show", "child"},
         .action = Action::show,
         .summary = "what is protected with each peer, and by which SAs",
         .manual =
             "Prints one row a pair of SAs that IKE negotiated, and one for each configured child that has none now. "
             "LOCAL and REMOTE are the traffic that both sides agreed on, which may be less than what is configured. "
             "The SPIs are those of `show sa`; REKEY IN is when new SAs take their place.",
         .examples = {"torii show child", "torii show child newyork/offices", "torii show child --json"},
         .method = "ike.children",
         .argument = {"CONNECTION/CHILD", child_names},
         .options = {json_option},
         .views = {{"",
                    "",
                    {{{"CONNECTION"}, text<"connection">},
                     {{"CHILD"}, text<"name">},
                     {{"NUMBER"}, number_of},
                     {{"STATE"}, text<"state">},
                     {{"TRANSFORM"}, child_transform},
                     {{"LOCAL"}, networks<"local">},
                     {{"REMOTE"}, networks<"remote">},
                     {{"SPI IN"}, child_spi<"inbound_spi">},
                     {{"SPI OUT"}, child_spi<"outbound_spi">},
                     {{"SUITE"}, text<"suite">}}},
                   {"",
                    "",
                    {{{"CONNECTION"}, text<"connection">},
                     {{"CHILD"}, text<"name">},
                     {{"NUMBER"}, number_of},
                     {{"AGE", true}, time_if_there<"age_seconds">},
                     {{"REKEY IN", true}, in_time<"rekey_in_seconds">},
                     {{"ENDS IN", true}, in_time<"ends_in_seconds">},
                     {{"PACKETS IN", true}, count<"inbound_packets">},
                     {{"OCTETS IN", true}, count<"inbound_octets">},
                     {{"PACKETS OUT", true}, count<"outbound_packets">},
                     {{"OCTETS OUT", true}, count<"outbound_octets">}}}},
         .when_empty = "no connection has anything to protect"},
        {.words = {"show", "ike-log"},
         .action = Action::ask,
         .summary = "what IKE did and why something failed, oldest first",
         .manual = "Prints the last lines of IKE's log, of one connection or of all: each negotiation, what both sides "
                   "proposed where they did not agree, and why a peer was not believed. Never a key.",
         .examples = {"torii show ike-log", "torii show ike-log newyork -n 1000", "torii show ike-log --json"},
         .method = "ike.log",
         .argument = {"CONNECTION"},
         .options = {{"-n", "LINES", "so many lines; without it 100"}, json_option},
         .parameters = {{"connection"}, {"lines", "-n"}},
         .views =
             {{"",
               "",
               {{{"TIME"}, log_time}, {{"LEVEL"}, text<"level">}, {{"CONNECTION"}, log_owner}, {{""}, text<"text">}}}},
         .when_empty = "IKE has nothing to say yet"},
    };
}

std::vector<Command> ike_deed_commands() {
    return {
        deed("up", "begins to negotiate a connection, or one of its children",
             "Begins to negotiate all children of a connection, or the one behind the slash, and says what it "
             "began. `show ike` and `show ike-log` tell how it went.",
             "ike.up", {"torii ike up newyork", "torii ike up newyork/offices"}),
        deed("down", "ends a connection, or one of its children",
             "Ends an IKE SA with all its children, or one child, and tells the peer. What is to start by itself "
             "stays down until `ike up`.",
             "ike.down", {"torii ike down newyork", "torii ike down newyork/offices"}),
        deed("rekey", "gives an IKE SA or a child new keys now",
             "Negotiates new keys before their time; no packet is lost by it.", "ike.rekey",
             {"torii ike rekey newyork", "torii ike rekey newyork/offices"}),
        deed("reauth", "has both sides prove again who they are",
             "Makes a new IKE SA with all its children, from the beginning, and then ends the old one.", "ike.reauth",
             {"torii ike reauth newyork"}),
        {.words = {"ike", "move"},
         .action = Action::ask,
         .summary = "takes an IKE SA and its children to another address of ours",
         .manual = "With `mobike = true` at both ends, of a connection that we began: tells the peer that we are at "
                   "ADDRESS, which is `local` or one of `other_locals`. SAs, keys and numbers stay, and no packet is "
                   "lost while both addresses work.",
         .examples = {"torii ike move newyork 30.0.0.1"},
         .method = "ike.move",
         .argument = {"NAME ADDRESS"},
         .options = {json_option},
         .parameters = {{"name"}, {"address"}},
         .needed = 2,
         .views = {{"", "", {{{"DONE"}, text<"done">}}}}}};
}

}  // namespace torii::cli
