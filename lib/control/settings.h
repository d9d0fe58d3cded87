// What an operator may change while the gateway runs: KAME's sysctl variables under their own names, and a few of ours.
// Plain values; the configuration file gives their first ones.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "policy/policy.h"

namespace torii::control {

/// KAME's words for the DF bit of a tunnel's outer header: net.inet.ipsec.dfbit 0, 1 and 2 (RFC 4301 8.1).
enum class DontFragment : std::uint8_t { clear, set, copy };
/// net.inet.ipsec.ecn: `forbidden` clears the field of the outer header, `allowed` treats it as RFC 6040 asks.
enum class EcnTunnel : std::uint8_t { forbidden, allowed };
enum class FlowLabelTunnel : std::uint8_t { zero, copy };

/// What an ICMP error tells, in both families' words (RFC 792, RFC 4443 3).
enum class IcmpKind : std::uint8_t { unreachable, too_big, time_exceeded, parameter_problem, source_quench, redirect };
inline constexpr std::size_t icmp_kinds = 6;
using IcmpKinds = std::array<bool, icmp_kinds>;

struct Settings {
    /// net.inet.ipsec.def_policy: bypass is KAME's `none`.
    PolicyAction default_policy = PolicyAction::discard;
    Level esp_trans_deflev = Level::use, esp_net_deflev = Level::use;
    Level ah_trans_deflev = Level::use, ah_net_deflev = Level::use;
    DontFragment dfbit = DontFragment::copy;
    EcnTunnel ecn = EcnTunnel::allowed;
    std::uint32_t tunnel_ttl = 64;   // of outer headers; 0: that of the packet inside
    std::uint32_t tunnel_dscp = 64;  // 0 to 63: of all outer headers; 64: that of the packet inside, or what it maps to
    FlowLabelTunnel tunnel_flowlabel = FlowLabelTunnel::zero;
    bool ah_cleartos = true;                     // the ICV of AH takes DSCP and ECN for 0 (RFC 4302 3.3.3.1.1.1)
    bool prefer_old_sa = false;                  // net.key.prefered_oldsa
    std::uint32_t larval_lifetime_seconds = 30;  // of an SA without keys, and of a packet that waits for one
    std::uint32_t blockacq_count = 10;           // packets that ask in vain before an SA is asked for again
    std::uint32_t blockacq_lifetime_seconds = 20;
    std::uint32_t spi_minimum = 0x100, spi_maximum = 0x0fffffff;  // of those the gateway chooses
    std::uint32_t natt_keepalive_seconds = 20;                    // RFC 3948 4; 0: none are sent
    std::uint32_t acquire_hold = 32;                              // packets of one policy that may wait for an SA
    /// By IcmpKind: whether such an error in clear for one of our own addresses is taken (RFC 4301 6.1.1).
    IcmpKinds icmp_accepted{true, true, true, true, false, false};
    bool icmp_quote_checked = true;             // whether errors must fit the packet that they quote (RFC 4301 6.2)
    std::uint32_t pmtu_minimum = 552;           // octets: no ICMP error makes an SA's path over IPv4 narrower
    std::uint32_t pmtu_lifetime_seconds = 600;  // of what an error told (RFC 1191 6.3, RFC 8201 5.3); 0: none is heard
    friend bool operator==(const Settings&, const Settings&) = default;
};

/// One row of THE table of settings: the configuration file, `torii set` and `torii show settings` all go by it. A
/// setting's value is a number, KAME's own where it has words.
struct SettingInfo {
    struct Word {
        std::string_view name;
        int value;
    };
    std::string_view name;     // "net.inet.ipsec.def_policy"
    std::string_view subject;  // "a level": begins the sentence on what would be right
    std::span<const Word> words = {};
    std::uint32_t low = 0, high = 0;  // where there are no words
    std::string_view unit = {};       // "seconds"
    std::string_view meaning;         // one sentence
    std::string_view effect;          // when a change counts: "at once"
    std::uint32_t (*get)(const Settings&) = nullptr;
    void (*put)(Settings&, std::uint32_t) = nullptr;

    std::string_view short_name() const;  // "def_policy"
    /// "use or require", "1 to 86400 seconds".
    std::string right() const;
    /// The value in `settings`, in words where it has words.
    std::string text(const Settings& settings) const;
};
std::span<const SettingInfo> setting_table();

/// A setting of tunnels' outer headers that an SA has for itself (RFC 4301 4.4.2.1), whatever holds for all others.
struct OwnSetting {
    const SettingInfo* setting = nullptr;  // a row of the table
    std::uint32_t value = 0;
    /// "tunnel_ttl:128", "dfbit:clear".
    std::string text() const;
    friend bool operator==(const OwnSetting&, const OwnSetting&) = default;
};
using OwnSettings = std::vector<OwnSetting>;
/// `text` as OwnSetting::text has it, into the place of the one of that name. bad_value with what is right; not_found
/// for what is no setting of outer headers.
Result<void> add(OwnSettings& own, std::string_view text);
/// The settings that an SA with `own` ones lives by.
Settings with(Settings settings, const OwnSettings& own);
/// Letters by which two names differ: added, dropped or changed. Names of up to 100 letters.
std::size_t distance(std::string_view a, std::string_view b);
/// Changes the setting of that full or short name; `value` is one of its words or a number. On an error nothing has
/// changed: not_found, with the nearest name; bad_value, with what is right.
Result<void> set(Settings& settings, std::string_view name, std::string_view value);

}  // namespace torii::control
