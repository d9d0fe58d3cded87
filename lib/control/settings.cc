#include "control/settings.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <type_traits>
#include <utility>

namespace torii::control {

namespace {

using Word = SettingInfo::Word;
constexpr Word policies[]{{"discard", int(PolicyAction::discard)}, {"none", int(PolicyAction::bypass)}};
constexpr Word levels[]{{"use", int(Level::use)}, {"require", int(Level::require)}};
constexpr Word df_bits[]{
    {"clear", int(DontFragment::clear)}, {"set", int(DontFragment::set)}, {"copy", int(DontFragment::copy)}};
constexpr Word ecn_ways[]{{"forbidden", int(EcnTunnel::forbidden)}, {"allowed", int(EcnTunnel::allowed)}};
constexpr Word flow_labels[]{{"zero", int(FlowLabelTunnel::zero)}, {"copy", int(FlowLabelTunnel::copy)}};
constexpr Word flags[]{{"false", 0}, {"true", 1}};
constexpr Word acceptance[]{{"refused", 0}, {"accepted", 1}};
constexpr Word quote_checks[]{{"unchecked", 0}, {"checked", 1}};

constexpr std::uint32_t longest_seconds = 86400, first_spi = 0x100, last_spi = 0xffffffff, copied_dscp = 64,
                        most_packets = 1000000;
constexpr std::string_view at_once = "at once";

template <auto member>
std::uint32_t get(const Settings& settings) {
    return static_cast<std::uint32_t>(settings.*member);
}
template <auto member>
void put(Settings& settings, std::uint32_t value) {
    using Field = std::remove_reference_t<decltype(settings.*member)>;
    settings.*member = static_cast<Field>(value);
}

template <IcmpKind kind>
std::uint32_t get_accepted(const Settings& settings) {
    return settings.icmp_accepted[static_cast<std::size_t>(kind)];
}
template <IcmpKind kind>
void put_accepted(Settings& settings, std::uint32_t value) {
    settings.icmp_accepted[static_cast<std::size_t>(kind)] = value != 0;
}

using S = Settings;
constexpr SettingInfo table[]{
    {.name = "net.inet.ipsec.def_policy",
     .subject = "def_policy",
     .words = policies,
     .meaning = "What happens to packets that no policy matches: they are dropped (discard), or pass in clear (none, "
                "as KAME does).",
     .effect = at_once,
     .get = get<&S::default_policy>,
     .put = put<&S::default_policy>},
    {.name = "net.inet.ipsec.esp_trans_deflev",
     .subject = "a level",
     .words = levels,
     .meaning = "What level `default` means for ESP in transport mode.",
     .effect = at_once,
     .get = get<&S::esp_trans_deflev>,
     .put = put<&S::esp_trans_deflev>},
    {.name = "net.inet.ipsec.esp_net_deflev",
     .subject = "a level",
     .words = levels,
     .meaning = "The same for ESP in tunnel mode.",
     .effect = at_once,
     .get = get<&S::esp_net_deflev>,
     .put = put<&S::esp_net_deflev>},
    {.name = "net.inet.ipsec.ah_trans_deflev",
     .subject = "a level",
     .words = levels,
     .meaning = "The same for AH in transport mode.",
     .effect = at_once,
     .get = get<&S::ah_trans_deflev>,
     .put = put<&S::ah_trans_deflev>},
    {.name = "net.inet.ipsec.ah_net_deflev",
     .subject = "a level",
     .words = levels,
     .meaning = "The same for AH in tunnel mode.",
     .effect = at_once,
     .get = get<&S::ah_net_deflev>,
     .put = put<&S::ah_net_deflev>},
    {.name = "net.inet.ipsec.dfbit",
     .subject = "dfbit",
     .words = df_bits,
     .meaning = "The DF bit of a tunnel's outer header: clear, set, or a copy of the packet's inside.",
     .effect = at_once,
     .get = get<&S::dfbit>,
     .put = put<&S::dfbit>},
    {.name = "net.inet.ipsec.ecn",
     .subject = "ecn",
     .words = ecn_ways,
     .meaning = "Whether a tunnel carries marks of congestion in and out (allowed, RFC 6040), or none (forbidden).",
     .effect = at_once,
     .get = get<&S::ecn>,
     .put = put<&S::ecn>},
    {.name = "net.inet.ipsec.tunnel_dscp",
     .subject = "tunnel_dscp",
     .high = copied_dscp,
     .meaning = "The DSCP of a tunnel's outer header, 0 to 63; 64: that of the packet inside, or what dscp_map makes "
                "of it.",
     .effect = at_once,
     .get = get<&S::tunnel_dscp>,
     .put = put<&S::tunnel_dscp>},
    {.name = "net.inet.ipsec.tunnel_ttl",
     .subject = "tunnel_ttl",
     .high = 255,
     .meaning = "The TTL or hop limit of a tunnel's outer header; 0: that of the packet inside.",
     .effect = at_once,
     .get = get<&S::tunnel_ttl>,
     .put = put<&S::tunnel_ttl>},
    {.name = "net.inet.ipsec.tunnel_flowlabel",
     .subject = "tunnel_flowlabel",
     .words = flow_labels,
     .meaning = "The flow label of a tunnel's outer IPv6 header: zero, or a copy of the packet's inside, which tells "
                "outsiders what belongs together.",
     .effect = at_once,
     .get = get<&S::tunnel_flowlabel>,
     .put = put<&S::tunnel_flowlabel>},
    {.name = "net.inet.ipsec.ah_cleartos",
     .subject = "ah_cleartos",
     .words = flags,
     .meaning = "Whether AH over IPv4 leaves DSCP and ECN out of its ICV, as RFC 4302 asks; both ends must agree.",
     .effect = at_once,
     .get = get<&S::ah_cleartos>,
     .put = put<&S::ah_cleartos>},
    {.name = "net.inet.ipsec.icmp_unreachable",
     .subject = "icmp_unreachable",
     .words = acceptance,
     .meaning =
         "Whether the ICMP error `unreachable` (but for `too big`) is taken in clear for the gateway's own addresses.",
     .effect = at_once,
     .get = get_accepted<IcmpKind::unreachable>,
     .put = put_accepted<IcmpKind::unreachable>},
    {.name = "net.inet.ipsec.icmp_too_big",
     .subject = "icmp_too_big",
     .words = acceptance,
     .meaning = "Whether the ICMP error `too big`, from which SAs learn the MTU of their path, is taken in clear for "
                "the gateway's own addresses.",
     .effect = at_once,
     .get = get_accepted<IcmpKind::too_big>,
     .put = put_accepted<IcmpKind::too_big>},
    {.name = "net.inet.ipsec.icmp_time_exceeded",
     .subject = "icmp_time_exceeded",
     .words = acceptance,
     .meaning = "Whether the ICMP error `time exceeded` is taken in clear for the gateway's own addresses.",
     .effect = at_once,
     .get = get_accepted<IcmpKind::time_exceeded>,
     .put = put_accepted<IcmpKind::time_exceeded>},
    {.name = "net.inet.ipsec.icmp_parameter_problem",
     .subject = "icmp_parameter_problem",
     .words = acceptance,
     .meaning = "Whether the ICMP error `parameter problem` is taken in clear for the gateway's own addresses.",
     .effect = at_once,
     .get = get_accepted<IcmpKind::parameter_problem>,
     .put = put_accepted<IcmpKind::parameter_problem>},
    {.name = "net.inet.ipsec.icmp_source_quench",
     .subject = "icmp_source_quench",
     .words = acceptance,
     .meaning = "Whether the ICMP error `source quench` is taken in clear for the gateway's own addresses.",
     .effect = at_once,
     .get = get_accepted<IcmpKind::source_quench>,
     .put = put_accepted<IcmpKind::source_quench>},
    {.name = "net.inet.ipsec.icmp_redirect",
     .subject = "icmp_redirect",
     .words = acceptance,
     .meaning = "Whether the ICMP error `redirect` is taken in clear for the gateway's own addresses.",
     .effect = at_once,
     .get = get_accepted<IcmpKind::redirect>,
     .put = put_accepted<IcmpKind::redirect>},
    {.name = "net.inet.ipsec.icmp_quote",
     .subject = "icmp_quote",
     .words = quote_checks,
     .meaning = "Whether an ICMP error must fit the packet that it quotes, whose answers must be allowed to come the "
                "same way (RFC 4301 6.2).",
     .effect = at_once,
     .get = get<&S::icmp_quote_checked>,
     .put = put<&S::icmp_quote_checked>},
    {.name = "net.inet.ipsec.pmtu_minimum",
     .subject = "pmtu_minimum",
     .low = 68,
     .high = 65535,
     .unit = "octets",
     .meaning = "No ICMP error makes the path MTU of an SA over IPv4 smaller; over IPv6 it is 1280.",
     .effect = "for what is learnt afterwards",
     .get = get<&S::pmtu_minimum>,
     .put = put<&S::pmtu_minimum>},
    {.name = "net.inet.ipsec.pmtu_lifetime",
     .subject = "pmtu_lifetime",
     .high = longest_seconds,
     .unit = "seconds",
     .meaning = "How long an SA keeps a path MTU that an ICMP error told; 0: none is learnt.",
     .effect = "for what is learnt afterwards",
     .get = get<&S::pmtu_lifetime_seconds>,
     .put = put<&S::pmtu_lifetime_seconds>},
    {.name = "net.key.prefered_oldsa",
     .subject = "prefered_oldsa",
     .words = flags,
     .meaning = "Of several SAs that fit, send with the oldest (true) or the newest (false).",
     .effect = at_once,
     .get = get<&S::prefer_old_sa>,
     .put = put<&S::prefer_old_sa>},
    {.name = "net.key.larval_lifetime",
     .subject = "a larval lifetime",
     .low = 1,
     .high = longest_seconds,
     .unit = "seconds",
     .meaning = "How long an SA may be without keys, and a packet wait for its SA.",
     .effect = at_once,
     .get = get<&S::larval_lifetime_seconds>,
     .put = put<&S::larval_lifetime_seconds>},
    {.name = "net.key.natt_keepalive",
     .subject = "an interval of keepalives",
     .high = longest_seconds,
     .unit = "seconds",
     .meaning = "An SA in UDP is never silent for longer than this: it sends a keepalive, for the NAT on its way (RFC "
                "3948); 0: none.",
     .effect = at_once,
     .get = get<&S::natt_keepalive_seconds>,
     .put = put<&S::natt_keepalive_seconds>},
    {.name = "net.key.blockacq_count",
     .subject = "blockacq_count",
     .high = most_packets,
     .unit = "packets",
     .meaning = "After so many packets that lack an SA it is asked for again.",
     .effect = at_once,
     .get = get<&S::blockacq_count>,
     .put = put<&S::blockacq_count>},
    {.name = "net.key.blockacq_lifetime",
     .subject = "blockacq_lifetime",
     .high = longest_seconds,
     .unit = "seconds",
     .meaning = "After so long an SA that packets lack is asked for again.",
     .effect = at_once,
     .get = get<&S::blockacq_lifetime_seconds>,
     .put = put<&S::blockacq_lifetime_seconds>},
    {.name = "net.key.acquire_hold",
     .subject = "acquire_hold",
     .high = 256,
     .unit = "packets",
     .meaning = "How many packets of one policy may wait for an SA; 0: they are dropped at once, as KAME does.",
     .effect = at_once,
     .get = get<&S::acquire_hold>,
     .put = put<&S::acquire_hold>},
    {.name = "net.key.spi_minval",
     .subject = "spi_minval",
     .low = first_spi,
     .high = last_spi,
     .meaning = "The lowest SPI that the gateway gives to a larval SA (getspi).",
     .effect = at_once,
     .get = get<&S::spi_minimum>,
     .put = put<&S::spi_minimum>},
    {.name = "net.key.spi_maxval",
     .subject = "spi_maxval",
     .low = first_spi,
     .high = last_spi,
     .meaning = "The highest one.",
     .effect = at_once,
     .get = get<&S::spi_maximum>,
     .put = put<&S::spi_maximum>},
};

/// Those that an SA may have for itself.
constexpr std::string_view of_outer_headers[]{"dfbit", "ecn", "tunnel_dscp", "tunnel_ttl", "tunnel_flowlabel"};

const SettingInfo* find(std::string_view name) {
    const auto* const at = std::ranges::find_if(
        table, [&](const SettingInfo& info) { return info.name == name || info.short_name() == name; });
    return at == std::end(table) ? nullptr : at;
}

std::unexpected<Error> unknown(std::string_view name) {
    const std::string_view asked = name.substr(name.rfind('.') + 1).substr(0, 40);
    const auto* const nearest = std::ranges::min_element(
        table, {}, [&](const SettingInfo& info) { return distance(info.short_name(), asked); });
    return fail(Errc::not_found, "there is no setting " + std::string{name.substr(0, 80)} + ": did you mean " +
                                     std::string{nearest->name} + "? `torii show settings` lists them");
}

/// A decimal number, or a hexadecimal one behind 0x.
std::optional<std::uint32_t> number(std::string_view text) {
    const bool hexadecimal = text.starts_with("0x");
    if (hexadecimal) text.remove_prefix(2);
    std::uint32_t out = 0;
    const auto [end, problem] = std::from_chars(text.begin(), text.end(), out, hexadecimal ? 16 : 10);
    if (problem != std::errc{} || end != text.end()) return std::nullopt;
    return out;
}

std::optional<std::uint32_t> value_of(const SettingInfo& info, std::string_view text) {
    const auto given = number(text);
    if (info.words.empty()) return given && *given >= info.low && *given <= info.high ? given : std::nullopt;
    for (const Word& word : info.words)
        if (word.name == text || given == static_cast<std::uint32_t>(word.value))
            return static_cast<std::uint32_t>(word.value);
    return std::nullopt;
}

}  // namespace

std::size_t distance(std::string_view a, std::string_view b) {
    std::string row(b.size() + 1, '\0');  // names are short
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<char>(j);
    for (std::size_t i = 0; i < a.size(); ++i) {
        char diagonal = std::exchange(row[0], static_cast<char>(i + 1));
        for (std::size_t j = 0; j < b.size(); ++j) {
            const int change = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = static_cast<char>(std::min({change, row[j] + 1, diagonal + 1}));
        }
    }
    return static_cast<std::size_t>(row.back());
}

std::string_view SettingInfo::short_name() const { return name.substr(name.rfind('.') + 1); }

std::string SettingInfo::right() const {
    if (words.empty()) {
        std::string out = std::to_string(low) + " to " + std::to_string(high);
        return unit.empty() ? out : out.append(" ").append(unit);
    }
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i != 0) out += i + 1 == words.size() ? " or " : ", ";
        out += words[i].name;
    }
    return out;
}

std::string SettingInfo::text(const Settings& settings) const {
    const std::uint32_t value = get(settings);
    for (const Word& word : words)
        if (static_cast<std::uint32_t>(word.value) == value) return std::string{word.name};
    return std::to_string(value);
}

std::span<const SettingInfo> setting_table() { return table; }

Result<void> set(Settings& settings, std::string_view name, std::string_view value) {
    const SettingInfo* const info = find(name);
    if (info == nullptr) return unknown(name);
    const auto wanted = value_of(*info, value);
    if (!wanted)
        return fail(Errc::bad_value, std::string{info->name} + " cannot be '" + std::string{value.substr(0, 80)} +
                                         "': " + std::string{info->subject} + " is " + info->right());
    Settings next = settings;
    info->put(next, *wanted);
    if (next.spi_minimum > next.spi_maximum)
        return fail(Errc::bad_value, std::string{info->name} + " cannot be " + std::string{value} +
                                         ": net.key.spi_minval would be above net.key.spi_maxval");
    settings = next;
    return {};
}

std::string OwnSetting::text() const {
    Settings all;
    setting->put(all, value);
    return std::string{setting->short_name()} + ":" + setting->text(all);
}

Result<void> add(OwnSettings& own, std::string_view text) {
    const std::string_view name = text.substr(0, text.find(':'));
    if (std::ranges::find(of_outer_headers, name) == std::end(of_outer_headers))
        return fail(Errc::not_found, "no such setting of outer headers");
    const SettingInfo* const setting = find(name);
    const auto value = value_of(*setting, text.substr(std::min(text.size(), name.size() + 1)));
    if (!value)
        return fail(Errc::bad_value, std::string{name} + ": takes " + setting->right() + ", as in " +
                                         OwnSetting{setting, setting->get({})}.text());
    std::erase_if(own, [&](const OwnSetting& one) { return one.setting == setting; });
    own.push_back({setting, *value});
    std::ranges::sort(own, {}, &OwnSetting::setting);
    return {};
}

Settings with(Settings settings, const OwnSettings& own) {
    for (const auto& [setting, value] : own) setting->put(settings, value);
    return settings;
}

}  // namespace torii::control
