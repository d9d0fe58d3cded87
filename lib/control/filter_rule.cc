#include "control/filter_rule.h"

#include <charconv>
#include <vector>

namespace torii::control {

namespace {

std::string range_text(const PortRange& range) {
    return std::to_string(range.low) + (range.low == range.high ? "" : "-" + std::to_string(range.high));
}

std::string quoted(std::string_view word) { return "'" + std::string{word} + "'"; }

/// The words of a rule, taken one after the other.
class Words {
public:
    explicit Words(std::string_view text) : rest_(text) { skip(); }
    bool empty() const { return rest_.empty(); }
    std::string_view next() {
        const auto word = rest_.substr(0, rest_.find_first_of(" \t\n"));
        rest_.remove_prefix(word.size());
        skip();
        return word;
    }
    bool take(std::string_view word) {
        Words ahead = *this;
        if (ahead.empty() || ahead.next() != word) return false;
        *this = ahead;
        return true;
    }

private:
    void skip() { rest_.remove_prefix(std::min(rest_.size(), rest_.find_first_not_of(" \t\n"))); }
    std::string_view rest_;
};

Result<std::uint16_t> parse_number(std::string_view word, unsigned most) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size() || value > most)
        return fail(Errc::bad_syntax, "a number up to " + std::to_string(most) + " is wanted, not " + quoted(word));
    return static_cast<std::uint16_t>(value);
}

Result<PortRange> parse_ports(std::string_view word) {
    const auto dash = word.find('-');
    PortRange range;
    TORII_TRY(range.low, parse_number(word.substr(0, dash), 0xffff));
    range.high = range.low;
    if (dash != word.npos) {
        TORII_TRY(range.high, parse_number(word.substr(dash + 1), 0xffff));
    }
    if (range.high < range.low) return fail(Errc::bad_syntax, "the ports " + std::string{word} + " are none");
    return range;
}

Result<void> parse_end(Words& words, std::optional<Prefix>& address, PortRange& ports) {
    const auto word = words.next();
    if (word != "any") {
        const auto prefix = Prefix::parse(word);
        if (!prefix) return fail(Errc::bad_syntax, "any, an address or a prefix is wanted, not " + quoted(word));
        address = *prefix;
    }
    if (words.take("port")) {
        TORII_TRY(ports, parse_ports(words.next()));
    }
    return {};
}

Result<void> parse_type(Words& words, FilterRule& rule) {
    TORII_TRY(const auto type, parse_number(words.next(), 255));
    rule.source_ports = PortRange::only(type);
    if (words.take("code")) {
        TORII_TRY(const auto code, parse_number(words.next(), 255));
        rule.destination_ports = PortRange::only(code);
    }
    return {};
}

/// What may be right about each word and wrong about all of them.
Result<void> check(const FilterRule& rule, bool typed) {
    const bool icmp = rule.protocol && is_icmp(*rule.protocol);
    if (typed && !icmp) return fail(Errc::bad_syntax, "a type needs proto icmp or icmp6");
    if (icmp && !typed && rule.asks_for_ports())
        return fail(Errc::bad_syntax, protocol_text(*rule.protocol) + " takes a type, not ports");
    if (!typed && rule.asks_for_ports() && rule.protocol && !has_ports(*rule.protocol))
        return fail(Errc::bad_syntax, protocol_text(*rule.protocol) + " has no ports");
    if (rule.source && rule.destination && rule.source->family() != rule.destination->family())
        return fail(Errc::bad_syntax, "source and destination are of different families");
    if (!rule.tag.empty() && rule.action == FilterAction::block)
        return fail(Errc::bad_syntax, "a packet that is blocked goes nowhere: tag belongs to pass rules");
    return {};
}

}  // namespace

std::string_view name_of(Hook hook) { return hook == Hook::wire ? "wire" : "clear"; }
std::string_view name_of(FilterAction action) { return action == FilterAction::pass ? "pass" : "block"; }
std::string_view name_of(Way way) { return way == Way::in ? "in" : way == Way::out ? "out" : "both"; }

Result<Hook> parse_hook(std::string_view text) {
    if (text == "wire") return Hook::wire;
    if (text == "clear") return Hook::clear;
    return fail(Errc::bad_syntax, "the filter's hooks are wire and clear, not " + quoted(text));
}

Result<FilterAction> parse_filter_action(std::string_view text) {
    if (text == "pass") return FilterAction::pass;
    if (text == "block") return FilterAction::block;
    return fail(Errc::bad_syntax, "pass or block is wanted, not " + quoted(text));
}

Result<std::uint32_t> parse_rule_number(std::string_view text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number == 0)
        return fail(Errc::bad_syntax, quoted(text) + " is no rule's number: `filter list` has them");
    return number;
}

std::string FilterRule::text() const {
    std::string out{name_of(action)};
    const bool icmp = protocol && is_icmp(*protocol);
    const auto end = [&](std::string_view word, const std::optional<Prefix>& address, const PortRange& ports) {
        const bool with_ports = !icmp && !ports.is_any();
        if (!address && !with_ports) return;
        out += " " + std::string{word} + " ";
        out += !address ? "any" : address->is_host() ? address->base().text() : address->text();
        if (with_ports) out += " port " + range_text(ports);
    };
    if (way != Way::both) out += " " + std::string{name_of(way)};
    if (!port.empty()) out += " on " + port;
    if (protocol) out += " proto " + protocol_text(*protocol);
    end("from", source, source_ports);
    end("to", destination, destination_ports);
    if (icmp && !source_ports.is_any()) out += " type " + range_text(source_ports);
    if (icmp && !destination_ports.is_any()) out += " code " + range_text(destination_ports);
    if (fragments != Fragments::either) out += fragments == Fragments::only ? " fragments" : " whole";
    if (!tag.empty()) out += " tag " + tag;
    return out;
}

Result<FilterRule> parse_filter_rule(std::string_view text) {
    Words words{text};
    FilterRule rule;
    bool typed = false;
    TORII_TRY(rule.action, parse_filter_action(words.next()));
    if (words.take("in"))
        rule.way = Way::in;
    else if (words.take("out"))
        rule.way = Way::out;
    if (words.take("on")) {
        rule.port = words.next();
        if (rule.port.empty()) return fail(Errc::bad_syntax, "on wants the name of a port");
    }
    if (words.take("proto")) {
        const auto word = words.next();
        rule.protocol = parse_protocol(word);
        if (!rule.protocol) return fail(Errc::bad_syntax, quoted(word) + " is no protocol");
    }
    if (words.take("from")) TORII_CHECK(parse_end(words, rule.source, rule.source_ports));
    if (words.take("to")) TORII_CHECK(parse_end(words, rule.destination, rule.destination_ports));
    if (words.take("type")) {
        typed = true;
        TORII_CHECK(parse_type(words, rule));
    }
    if (words.take("fragments"))
        rule.fragments = Fragments::only;
    else if (words.take("whole"))
        rule.fragments = Fragments::none;
    if (words.take("tag")) {
        rule.tag = words.next();
        if (!is_tag_name(rule.tag))
            return fail(Errc::bad_syntax,
                        "tag wants a name of 1 to 15 letters, digits, '-', '_', '.' and ':', a letter "
                        "first, not " +
                            quoted(rule.tag));
    }
    if (!words.empty()) return fail(Errc::bad_syntax, quoted(words.next()) + " is not understood here");
    TORII_CHECK(check(rule, typed));
    return rule;
}

}  // namespace torii::control
