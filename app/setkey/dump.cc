// The SAD and the SPD as KAME's `setkey -D` and `-DP` print them, octet for octet: tabs, blanks before line ends, and
// counts that run down to 0 are part of the format, for scripts read it.
#include <algorithm>
#include <ctime>
#include <iterator>

#include "app/setkey/names.h"
#include "app/setkey/setkey.h"
#include "crypto/registry.h"

namespace torii::setkey {
namespace {

using control::SaSpec;
using control::SaState;
using control::SaView;

// sadb_sa_flags: KAME's SADB_X_EXT_* and FreeBSD's SADB_X_SAFLAGS_ESN.
constexpr std::uint32_t flag_old = 0x1, flag_short_iv = 0x10, flag_derived_iv = 0x20, flag_cyclic = 0x40,
                        flag_raw_cpi = 0x80, flag_random_pad = 0x100, flag_zero_pad = 0x200, flag_esn = 0x400;

std::string hex8(std::uint32_t value) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text = "0x";
    for (int shift = 28; shift >= 0; shift -= 4) text += digits[value >> shift & 15];
    return text;
}

std::string number_and_hex(std::uint32_t value) { return std::to_string(value) + "(" + hex8(value) + ")"; }

/// "Nov 23 13:54:13 2026", the middle of ctime(3); blanks for never.
std::string time_text(std::int64_t unix_seconds) {
    constexpr std::size_t from = 4, octets = 20;
    if (unix_seconds == 0) return std::string(octets, ' ');
    const std::time_t time = unix_seconds;
    char text[64];
    return ctime_r(&time, text) == nullptr ? std::string(octets, '?') : std::string{text + from, octets};
}

/// Groups of 4 octets, each behind a blank, 32 octets a line.
void append_key(std::string& out, const SecretBytes& key) {
    constexpr char digits[] = "0123456789abcdef";
    std::size_t i = 0;
    for (const std::byte b : key.octets()) {
        if (i != 0 && i % 32 == 0) out += '\n';
        if (i % 4 == 0) out += ' ';
        out += digits[std::to_integer<unsigned>(b) >> 4];
        out += digits[std::to_integer<unsigned>(b) & 15];
        ++i;
    }
}

void append_algorithm(std::string& out, char letter, std::string_view name, const SecretBytes& key, bool show) {
    out.append("\t").append(1, letter).append(": ").append(name).append(" ");
    if (show || key.empty())
        append_key(out, key);
    else
        out += " redacted";
    out += '\n';
}

std::uint32_t flags_of(const SaSpec& spec) {
    const bool has_no_iv = spec.cipher == CipherId::des_deriv;
    return (spec.cyclic_sequence ? flag_cyclic : 0) | (spec.old ? flag_old : 0) |
           (has_no_iv ? (spec.old ? flag_short_iv : flag_derived_iv) : 0) |
           (spec.padding == control::Padding::random ? flag_random_pad : 0) |
           (spec.padding == control::Padding::zero ? flag_zero_pad : 0) | (spec.extended_sequence ? flag_esn : 0) |
           (spec.raw_cpi ? flag_raw_cpi : 0);
}

std::string limits(std::string_view unit, std::uint64_t hard, std::uint64_t soft) {
    return "\thard: " + std::to_string(hard).append(unit) + "\tsoft: " + std::to_string(soft).append(unit) + "\n";
}

std::string lifetime_text(const SaView& sa, std::int64_t now) {
    const SaSpec& spec = sa.spec;
    const std::int64_t created = sa.created_unix_seconds;
    const auto age = created == 0 ? 0 : std::max<std::int64_t>(0, now - created);
    return "\tcreated: " + time_text(created) + "\tcurrent: " + time_text(now) + "\n" +
           "\tdiff: " + std::to_string(age) + "(s)" + limits("(s)", spec.hard.seconds, spec.soft.seconds) +
           "\tlast: " + time_text(sa.last_used_unix_seconds) + limits("(s)", 0, 0) +
           "\tcurrent: " + std::to_string(sa.octets) + "(bytes)" +
           limits("(bytes)", spec.hard.octets, spec.soft.octets) + "\tallocated: " + std::to_string(sa.packets) +
           limits("", spec.hard.packets, spec.soft.packets);
}

std::string hiding_text(const SaSpec& spec) {
    return (spec.tfc_octets == 0 ? "" : " tfc=" + std::to_string(spec.tfc_octets)) +
           (spec.dummies_per_second == 0 ? "" : " dummy=" + std::to_string(spec.dummies_per_second));
}

std::string own_text(const SaSpec& spec) {
    std::string out;
    for (const control::OwnSetting& own : spec.own) out += " " + own.text();
    return out;
}

/// What KAME's has no place for.
std::string verbose_text(const SaView& sa) {
    return std::string{sa.inbound ? "\tinbound" : "\toutbound"} + " worker=" + std::to_string(sa.worker) +
           " sequence=" + std::to_string(sa.sequence) + " bad_icv=" + std::to_string(sa.icv_failures) +
           " replayed=" + std::to_string(sa.replays) + hiding_text(sa.spec) + own_text(sa.spec) + "\n";
}

bool is_shown(const SaView& sa, const DumpOptions& options) {
    if (sa.state == SaState::dead && !options.show_dead) return false;
    return !options.protocol || *options.protocol == sa.spec.id.protocol;
}

bool prints_no_ports(std::optional<std::uint8_t> protocol) {
    constexpr std::uint8_t without[] = {1, 47, 58, 135};  // icmp, gre, ipv6-icmp, mobility
    return protocol && std::ranges::find(without, *protocol) != std::end(without);
}

std::string ports_text(const PortRange& ports, std::string_view any) {
    if (ports.is_any()) return std::string{any};
    return std::to_string(ports.low) + (ports.low == ports.high ? "" : "-" + std::to_string(ports.high));
}

std::string range_text(const Prefix& prefix, const PortRange& ports, bool with_ports) {
    std::string text = prefix.is_host() ? prefix.base().text() : prefix.text();
    if (with_ports) text += "[" + ports_text(ports, "any") + "]";
    return text + " ";
}

std::string selector_text(const Selector& selector) {
    if (!selector.tag.empty()) return "tagged \"" + selector.tag + "\" ";
    const bool with_ports = !prints_no_ports(selector.protocol);
    std::string text = range_text(selector.source, selector.source_ports, with_ports) +
                       range_text(selector.destination, selector.destination_ports, with_ports) +
                       protocol_text(selector.protocol);
    const bool typed = !with_ports && !(selector.source_ports.is_any() && selector.destination_ports.is_any());
    if (typed && has_gre_key(*selector.protocol))
        text += " " + std::to_string(std::uint32_t{selector.source_ports.low} << 16 | selector.destination_ports.low);
    else if (typed)
        text += " " + ports_text(selector.source_ports, "0") + "," + ports_text(selector.destination_ports, "0");
    return text;
}

/// KAME's lines on a policy that ends by itself; NetBSD's kernel tells them of no other.
std::string policy_lifetime_text(const control::PolicyView& view) {
    const Policy& policy = view.policy;
    if (policy.lifetime_seconds == 0 && policy.validtime_seconds == 0) return {};
    return "\tcreated: " + time_text(policy.created_unix_seconds) +
           "  lastused: " + time_text(view.last_used_unix_seconds) +
           "\n\tlifetime: " + std::to_string(policy.lifetime_seconds) +
           "(s) validtime: " + std::to_string(policy.validtime_seconds) + "(s)\n";
}

std::string policy_entry(const control::PolicyView& view, const DumpOptions& options, std::size_t remaining) {
    const Policy& policy = view.policy;
    std::string text = selector_text(policy.selector) + "\n\t" + policy_text(policy, "\n\t") + "\n";
    text += policy_lifetime_text(view);
    return text + "\tspid=" + std::to_string(static_cast<std::uint32_t>(policy.id)) +
           " seq=" + std::to_string(remaining) + " pid=" + std::to_string(options.pid) +
           (policy.owner == PolicyOwner::spd ? "" : " scope=socket") + "\n\trefcnt=0\n";
}

bool is_shown(const control::PolicyView& view, const DumpOptions& options) {
    return view.policy.owner == PolicyOwner::spd || !options.without_sockets;
}

}  // namespace

namespace {

/// An end of an SA; only ESP in UDP has a port, which is always told.
std::string end_text(const Address& address, std::uint16_t port, const DumpOptions& options) {
    if (port == 0 && !options.with_ports) return address.text();
    return address.text() + "[" + std::to_string(port) + "]";
}

}  // namespace

std::string sa_text(const SaView& sa, const DumpOptions& options, std::size_t remaining) {
    const SaSpec& spec = sa.spec;
    std::string out = end_text(spec.id.source, spec.udp ? spec.udp->source_port : 0, options) + " " +
                      end_text(spec.id.destination, spec.udp ? spec.udp->destination_port : 0, options) + " \n\t";
    out.append(name_of(spec.id.protocol)).append(spec.udp ? "-udp" : "").append(" mode=").append(name_of(spec.mode));
    out += " spi=" + number_and_hex(static_cast<std::uint32_t>(spec.id.spi));
    out += " reqid=" + number_and_hex(static_cast<std::uint32_t>(spec.reqid)) + "\n";
    if (spec.udp && spec.udp->original_address) out += "\tNAT OA=" + spec.udp->original_address->text() + "\n";
    if (spec.id.protocol == IpsecProtocol::ipcomp) out += "\tC: deflate ";  // KAME ends no line here
    if (sa.state != SaState::larval) {
        if (spec.id.protocol == IpsecProtocol::esp)
            append_algorithm(out, 'E', info(spec.cipher).printed, spec.cipher_key, options.show_keys);
        if (spec.auth != AuthId::null)
            append_algorithm(out, 'A', info(spec.auth).printed, spec.auth_key, options.show_keys);
    }
    out += "\tseq=" + hex8(static_cast<std::uint32_t>(sa.sequence)) + " replay=" + std::to_string(spec.replay_octets);
    out += " flags=" + hex8(flags_of(spec)) + " state=" + std::string{name_of(sa.state)} + " \n";
    out += lifetime_text(sa, options.now_unix_seconds);
    if (options.verbose) out += verbose_text(sa);
    return out + "\tsadb_seq=" + std::to_string(remaining) + " pid=" + std::to_string(options.pid) + " refcnt=0\n";
}

std::string dump_sas(const control::ControlPlane& control, const DumpOptions& options) {
    std::size_t remaining = 0;
    control.each_sa([&](const SaView& sa) { return remaining += is_shown(sa, options), true; });
    if (remaining == 0) return "No SAD entries.\n";
    std::string out;
    control.each_sa([&](const SaView& sa) {
        if (is_shown(sa, options)) out += sa_text(sa, options, --remaining);
        return true;
    });
    return out;
}

std::string dump_policies(const control::ControlPlane& control, const DumpOptions& options) {
    std::size_t remaining = 0;
    control.each_policy([&](const control::PolicyView& view) { return remaining += is_shown(view, options), true; });
    if (remaining == 0) return "No SPD entries.\n";
    std::string out;
    control.each_policy([&](const control::PolicyView& view) {
        if (is_shown(view, options)) out += policy_entry(view, options, --remaining);
        return true;
    });
    return out;
}

}  // namespace torii::setkey
