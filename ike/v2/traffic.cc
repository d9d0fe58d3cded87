#include "ike/v2/traffic.h"

#include <algorithm>
#include <utility>

#include "base/reader.h"

namespace torii::ike {

namespace {

using Raw = std::array<std::uint8_t, 16>;

/// The last address of a prefix.
Address last_of(const Prefix& prefix) {
    Raw octets = prefix.base().raw();
    for (unsigned bit = prefix.length(); bit < prefix.base().bits(); ++bit)
        octets[bit / 8] = static_cast<std::uint8_t>(octets[bit / 8] | 0x80u >> bit % 8);
    return Address::from_octets(std::as_bytes(std::span{octets}).first(prefix.base().bits() / 8));
}

bool is_opaque(const TrafficSelector& s) { return s.low_port > s.high_port; }

/// The address behind; `address` is not the last of all.
Address next_after(const Address& address) {
    Raw octets = address.raw();
    for (std::size_t i = address.bits() / 8; i-- > 0;)
        if (++octets[i] != 0) break;
    return Address::from_octets(std::as_bytes(std::span{octets}).first(address.bits() / 8));
}

/// `low` to `high` as the fewest prefixes, at most `most` of them; more is an empty answer.
std::vector<Prefix> prefixes_of(Address low, const Address& high, std::size_t most) {
    std::vector<Prefix> out;
    for (;;) {
        Raw last = low.raw();
        unsigned length = low.bits();
        while (length > 0) {  // the largest block that begins at `low` and ends at `high` or before
            const unsigned bit = length - 1;
            Raw wider = last;
            wider[bit / 8] = static_cast<std::uint8_t>(wider[bit / 8] | 0x80u >> bit % 8);
            if (wider == last || wider > high.raw()) break;
            last = wider;
            length = bit;
        }
        out.emplace_back(low, length);
        if (out.size() > most) return {};
        if (last >= high.raw()) return out;
        low = next_after(last_of(out.back()));
    }
}

PortRange ports_of(const TrafficSelector& s) { return {s.low_port, s.high_port}; }

}  // namespace

TrafficSelector to_traffic_selector(const Prefix& prefix, std::optional<std::uint8_t> protocol,
                                    const PortRange& ports) {
    return {protocol.value_or(0), ports.low, ports.high, prefix.base(), last_of(prefix)};
}

TrafficSelector to_traffic_selector(const Address& address, std::uint8_t protocol, std::uint16_t port) {
    if (has_ports(protocol) || is_icmp(protocol)) return {protocol, port, port, address, address};
    return {protocol, 0, 65535, address, address};
}

std::optional<TrafficSelector> intersection(const TrafficSelector& a, const TrafficSelector& b) {
    if (a.low.family() != b.low.family()) return {};
    if (a.protocol != 0 && b.protocol != 0 && a.protocol != b.protocol) return {};
    TrafficSelector out;
    out.protocol = a.protocol != 0 ? a.protocol : b.protocol;
    if (is_opaque(a) || is_opaque(b)) {  // fragments whose ports nobody sees: only where both mean that or anything
        const TrafficSelector& other = is_opaque(a) ? b : a;
        if (!is_opaque(other) && !(other.low_port == 0 && other.high_port == 65535)) return {};
        out.low_port = 65535;
        out.high_port = 0;
    } else {
        out.low_port = std::max(a.low_port, b.low_port);
        out.high_port = std::min(a.high_port, b.high_port);
        if (out.low_port > out.high_port) return {};
    }
    out.low = std::max(a.low, b.low);
    out.high = std::min(a.high, b.high);
    if (out.low > out.high) return {};
    return out;
}

bool covers(const TrafficSelector& outer, const TrafficSelector& inner) {
    const auto both = intersection(outer, inner);
    return both && *both == inner;
}

bool cover(const std::vector<TrafficSelector>& outer, const std::vector<TrafficSelector>& inner) {
    return std::ranges::all_of(inner, [&](const TrafficSelector& s) {
        return std::ranges::any_of(outer, [&](const TrafficSelector& o) { return covers(o, s); });
    });
}

std::vector<TrafficSelector> narrow(const std::vector<TrafficSelector>& offered,
                                    const std::vector<TrafficSelector>& ours) {
    std::vector<TrafficSelector> all;
    for (const TrafficSelector& theirs : offered)
        for (const TrafficSelector& mine : ours)
            if (const auto both = intersection(theirs, mine);
                both && !is_opaque(*both) && all.size() < limits::traffic_selectors)
                all.push_back(*both);
    std::vector<TrafficSelector> out;
    for (std::size_t i = 0; i < all.size(); ++i) {
        bool redundant = false;
        for (std::size_t j = 0; j < all.size() && !redundant; ++j)
            redundant = i != j && covers(all[j], all[i]) && (all[i] != all[j] || j < i);
        if (!redundant) out.push_back(all[i]);
    }
    return out;
}

Result<std::vector<Selector>> to_selectors(const std::vector<TrafficSelector>& sources,
                                           const std::vector<TrafficSelector>& destinations) {
    std::vector<Selector> out;
    for (const TrafficSelector& source : sources)
        for (const TrafficSelector& destination : destinations) {
            if (is_opaque(source) || is_opaque(destination))
                return fail(Errc::unsupported, "no policy can ask for fragments alone");
            if (source.low.family() != destination.low.family()) continue;
            if (source.protocol != 0 && destination.protocol != 0 && source.protocol != destination.protocol) continue;
            const std::uint8_t protocol = source.protocol != 0 ? source.protocol : destination.protocol;
            const auto from = prefixes_of(source.low, source.high, most_selectors);
            const auto to = prefixes_of(destination.low, destination.high, most_selectors);
            if (from.empty() || to.empty() || out.size() + from.size() * to.size() > most_selectors)
                return fail(Errc::no_room, "the traffic selectors make more than " + std::to_string(most_selectors) +
                                               " policies: ask for prefixes instead of ranges");
            Selector selector;
            if (protocol != 0) selector.protocol = protocol;
            if (is_icmp(protocol)) {  // 3.13.1: type and code in one number; ours are two (policy/selector.h)
                const auto whole = ports_of(source).is_any() ? ports_of(destination) : ports_of(source);
                if (!whole.is_any()) {
                    selector.source_ports = {static_cast<std::uint16_t>(whole.low >> 8),
                                             static_cast<std::uint16_t>(whole.high >> 8)};
                    if (whole.low >> 8 == whole.high >> 8 && ((whole.low & 0xff) != 0 || (whole.high & 0xff) != 0xff))
                        selector.destination_ports = {static_cast<std::uint16_t>(whole.low & 0xff),
                                                      static_cast<std::uint16_t>(whole.high & 0xff)};
                }
            } else {
                selector.source_ports = ports_of(source);
                selector.destination_ports = ports_of(destination);
            }
            for (const Prefix& a : from)
                for (const Prefix& b : to) {
                    selector.source = a;
                    selector.destination = b;
                    if (std::ranges::find(out, selector) == out.end()) out.push_back(selector);
                }
        }
    return out;
}

namespace {

/// What a quoted packet shows of itself; its octets are the peer's to choose.
Result<PacketSelector> selector_of(std::span<const std::byte> packet) {
    TORII_TRY(const std::uint8_t first, Reader{packet}.u8());
    const bool six = first >> 4 == 6;
    if (!six && first >> 4 != 4) return fail(Errc::bad_value);
    const std::size_t address_at = six ? 8 : 12, address_octets = six ? 16 : 4, least = six ? 40 : 20;
    TORII_TRY(const auto header, Reader{packet}.take(least));
    PacketSelector out{.source = Address::from_octets(header.subspan(address_at, address_octets)),
                       .destination = Address::from_octets(header.subspan(address_at + address_octets)),
                       .protocol = std::to_integer<std::uint8_t>(header[six ? 6 : 9]),
                       .ports_known = false};
    const bool later_fragment = !six && ((header[6] & std::byte{0x1f}) | header[7]) != std::byte{0};
    Reader behind{packet};
    if (later_fragment || !behind.take(six ? least : std::size_t{first & 0xfu} * 4)) return out;
    if (is_icmp(out.protocol)) {
        const auto type = behind.u8(), code = behind.u8();
        out.source_port = type.value_or(0), out.destination_port = code.value_or(0);
        out.ports_known = type && code;
    } else if (has_ports(out.protocol)) {
        const auto source = behind.u16(), destination = behind.u16();
        out.source_port = source.value_or(0), out.destination_port = destination.value_or(0);
        out.ports_known = source && destination;
    }
    return out;
}

}  // namespace

std::string text_of_quoted(std::span<const std::byte> packet) {
    const auto selector = selector_of(packet);
    return selector ? selector->text() : "which it does not show";
}

std::string text_of(const TrafficSelector& s) {
    const auto prefixes = prefixes_of(s.low, s.high, 1);
    std::string out = prefixes.empty()        ? s.low.text() + "-" + s.high.text()
                      : prefixes[0].is_host() ? s.low.text()
                                              : prefixes[0].text();
    const bool any_port = s.low_port == 0 && s.high_port == 65535;
    if (s.protocol == 0 && any_port) return out;
    out += "[" + (s.protocol == 0 ? std::string{"any"} : protocol_text(s.protocol));
    if (is_opaque(s))
        out += "/opaque";
    else if (!any_port)
        out += "/" + std::to_string(s.low_port) + (s.low_port == s.high_port ? "" : "-" + std::to_string(s.high_port));
    return out + "]";
}

std::string text_of(const std::vector<TrafficSelector>& selectors) {
    std::string out;
    for (const TrafficSelector& s : selectors) out.append(out.empty() ? "" : ", ").append(text_of(s));
    return out.empty() ? "none" : out;
}

}  // namespace torii::ike
