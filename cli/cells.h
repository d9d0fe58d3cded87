// What stands in the cells of an answer's table: each takes a row and says one thing of it. For table.cc.
#pragma once

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "cli/commands.h"

namespace torii::cli {

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

inline std::string hexadecimal(std::uint64_t number) {
    char out[32];
    std::snprintf(out, sizeof out, "0x%08llx", static_cast<unsigned long long>(number));
    return out;
}

inline std::string spi(const Value& row) { return hexadecimal(row["spi"].count()); }

inline std::string link(const Value& row) { return row["link_up"].truth() ? "up" : "down"; }

inline std::string addresses(const Value& row) {
    std::string out;
    for (const Value& address : row["addresses"].items) out.append(out.empty() ? "" : ", ").append(address.text);
    return out.empty() ? "-" : out;
}

inline std::string queues(const Value& row) { return row["rx_queues"].text + "/" + row["tx_queues"].text; }

inline std::string sa_direction(const Value& row) { return row["inbound"].truth() ? "in" : "out"; }

inline std::string transform(const Value& row) {
    return row["protocol"].text + (row["udp"].is_null() ? "/" : "-udp/") + row["mode"].text;
}

inline std::string algorithms(const Value& row) {
    std::string out = row["cipher"].text;
    if (row["cipher_key_bits"].count() != 0) out += " " + row["cipher_key_bits"].text;
    if (row["auth_key_bits"].count() != 0) out += " + " + row["auth"].text;
    return out;
}

inline std::string with_ports(const Value& selector, std::string_view address, std::string_view ports) {
    if (!selector["tag"].is_null()) return address == "source" ? "tagged \"" + selector["tag"].text + "\"" : "any";
    const std::string& range = selector[ports].text;
    return selector[address].text + (range == "any" ? "" : "[" + range + "]");
}

inline std::string selector_source(const Value& row) { return with_ports(row["selector"], "source", "source_ports"); }
inline std::string selector_destination(const Value& row) {
    return with_ports(row["selector"], "destination", "destination_ports");
}
inline std::string selector_protocol(const Value& row) {
    const Value& selector = row["selector"];
    if (!selector["tag"].is_null()) return "any";
    return selector["protocol"].text + (selector["key"].is_null() ? "" : " key " + selector["key"].text);
}

inline std::string action(const Value& row) {
    std::string out = row["action"].text;
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return out;
}

inline std::string requests(const Value& row) {
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

inline std::string sentence(const Value& row) { return row.text; }

/// The default of a hook has none.
inline std::string rule_number(const Value& row) { return row["id"].count() == 0 ? "" : row["id"].text; }

/// Of a step that goes on with the one before: nothing.
inline std::string stage(const Value& row) { return row["stage"].text; }

template <Name member>
std::vector<std::string> name_only(const Value& row) {
    return {row[member.letters].text};
}

inline std::vector<std::string> sa_names(const Value& row) {
    char brief[16];  // 0x1001, as it is typed
    std::snprintf(brief, sizeof brief, "0x%x", static_cast<unsigned>(row["spi"].count()));
    return {spi(row), brief, row["spi"].text, row["source"].text, row["destination"].text};
}
inline std::vector<std::string> route_names(const Value& row) { return {row["prefix"].text, row["port"].text}; }
inline std::vector<std::string> neighbour_names(const Value& row) { return {row["address"].text, row["port"].text}; }

}  // namespace torii::cli
