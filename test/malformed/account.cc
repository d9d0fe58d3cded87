#include "account.h"

#include <algorithm>

namespace torii::test {

namespace {

using namespace std::chrono_literals;

constexpr Drop reported_drops[]{Drop::ttl_exceeded,   Drop::too_big,      Drop::no_route,
                                Drop::local_unwanted, Drop::no_neighbour, Drop::fragment_timeout};

std::string described(std::size_t port, const Octets& frame) {
    std::string text = port == office ? "to the office:" : "to the world:";
    constexpr char digits[] = "0123456789abcdef";
    for (std::size_t i = 0; i < std::min<std::size_t>(frame.size(), 60); ++i) {
        const auto octet = std::to_integer<unsigned>(frame[i]);
        text += {' ', digits[octet >> 4], digits[octet & 15]};
    }
    return text;
}

bool within(std::uint32_t address, std::string_view network) { return address >> 8 == number(network) >> 8; }

bool is_of_type(const Octets& frame, EtherType type) {
    return frame.size() >= sizeof(EthernetHeader) &&
           reinterpret_cast<const EthernetHeader*>(frame.data())->type == static_cast<std::uint16_t>(type);
}
const Ipv6Header& ipv6_of(const Octets& frame) {
    return *reinterpret_cast<const Ipv6Header*>(frame.data() + sizeof(EthernetHeader));
}
bool is_to_one_station(const Octets& frame) {
    return (frame[0] & std::byte{1}) == std::byte{0} &&
           std::any_of(frame.begin(), frame.begin() + 6, [](std::byte b) { return b != std::byte{}; });
}

/// RFC 8200 3 for what we send, and that it goes to one station.
bool is_well_formed6(const Octets& frame) {
    if (frame.size() < sizeof(EthernetHeader) + sizeof(Ipv6Header)) return false;
    const Ipv6Header& ip = ipv6_of(frame);
    return is_to_one_station(frame) && ip.version_class_flow >> 28 == 6 && ip.hop_limit != 0 &&
           ip.payload_octets + sizeof(EthernetHeader) + sizeof ip == frame.size();
}
bool is_own(const Ipv6Header& ip) {
    const Address source = Address::v6(ip.source);
    return source == Address::parse("2001:db8::1").value() || source == Address::parse("2001:db8:1::1").value();
}
/// As is_allowed() has it for IPv4. The gateway's own fragments carry IPsec.
bool is_allowed6(std::size_t port, const Ipv6Header& ip) {
    constexpr std::array<std::uint8_t, 5> ours{58, 50, 51, 108, 44};
    const auto from_one_of = [](const Address& address, std::initializer_list<unsigned> offices) {
        return std::ranges::any_of(offices, [&](unsigned number) {
            return Prefix{Address::parse(host_of(number, Family::ipv6)).value(), 64}.contains(address);
        });
    };
    if (is_own(ip) && std::ranges::find(ours, ip.next_header) != ours.end()) return true;
    const Address source = Address::v6(ip.source), destination = Address::v6(ip.destination);
    if (is_own(ip) && ip.next_header == 41) return destination == Address::parse("2001:db8::26").value();
    if (port == world) return from_one_of(destination, {11});
    return from_one_of(destination, {1}) && from_one_of(source, {1, 11, 22, 24, 25, 26, 29});
}
/// A message of neighbour discovery, as far as its first octets tell.
bool is_discovery(const Octets& frame) {
    constexpr std::size_t type_at = sizeof(EthernetHeader) + sizeof(Ipv6Header);
    if (!is_of_type(frame, EtherType::ipv6) || frame.size() <= type_at || ipv6_of(frame).next_header != 58)
        return false;
    const auto type = std::to_integer<unsigned>(frame[type_at]);
    return type >= 133 && type <= 137;
}

/// RFC 1812 5.2.2 for what we send, and that it goes to one station.
bool is_well_formed(const Octets& frame) {
    if (frame.size() < sizeof(EthernetHeader) + sizeof(Ipv4Header)) return false;
    const Ipv4Header& ip = ip_of(frame);
    return is_to_one_station(frame) && ip.version_ihl >> 4 == 4 && ip.header_octets() >= sizeof ip &&
           ip.header_octets() <= ip.total_octets && ip.total_octets + sizeof(EthernetHeader) == frame.size() &&
           internet_checksum(&ip, ip.header_octets()) == 0 && ip.ttl != 0;
}

/// Only what hostile_setkey lets out: IPsec and ICMP of our own, and the clear office's packets. The office gets what
/// came out of a tunnel, from the clear office, or from itself.
bool is_allowed(std::size_t port, const Ipv4Header& ip) {
    const bool own = ip.source == number("20.0.0.1") || ip.source == number("10.0.1.1");
    if (own && (ip.protocol == 1 || ip.protocol == 50 || ip.protocol == 51 || ip.protocol == 108)) return true;
    if (own && ip.protocol == 4 && ip.destination == number("20.0.0.16")) return true;   // did not compress
    if (own && ip.protocol == 17 && ip.destination == number("20.0.0.28")) return true;  // ESP in UDP
    if (port == world) return within(ip.destination, "10.0.11.0");
    if (!within(ip.destination, "10.0.1.0")) return false;
    return std::ranges::any_of(std::array{"10.0.1.0", "10.0.2.0", "10.0.3.0", "10.0.4.0", "10.0.5.0", "10.0.7.0",
                                          "10.0.8.0", "10.0.9.0", "10.0.11.0", "10.0.14.0", "10.0.15.0", "10.0.16.0",
                                          "10.0.17.0", "10.0.18.0", "10.0.19.0", "10.0.23.0", "10.0.28.0"},
                               [&](std::string_view network) { return within(ip.source, network); });
}

}  // namespace

Outcome Account::send(const Recipe& recipe, const Octets& frame) {
    offer(recipe, frame, 0);
    const Outcome outcome = settle();
    if (outcome.forwarded + outcome.echo_replies + outcome.arp_frames + outcome.dropped != 0) return outcome;
    return wait_out();  // a fragment waits half a minute for the others
}

Outcome Account::wait_out() {
    gateway_.pass(std::chrono::seconds{32});
    return settle();
}

Outcome Account::settle() {
    constexpr unsigned turns_at_most = 12, time_outs_at_most = 4;
    for (unsigned i = 0; i < time_outs_at_most; ++i) {
        gateway_.turn(2);
        for (unsigned turn = 0; turn < turns_at_most && gateway_.buffers_missing() != 0; ++turn) gateway_.turn(1);
        if (gateway_.buffers_missing() == 0) break;
        gateway_.pass(4s);
    }
    Outcome outcome;
    cut_source_ = 0;
    for (const std::size_t port : {office, world})
        for (const Frame& frame : gateway_.sent_by(port)) look_at(port, frame, outcome);
    for (std::size_t i = 1; i < drop_count; ++i) {
        const auto reason = static_cast<Drop>(i);
        const std::uint64_t now = gateway_.drops(reason), news = now - std::exchange(seen_[i], now);
        outcome.dropped += news;
        if (std::ranges::find(reported_drops, reason) != std::end(reported_drops)) outcome.reported += news;
        if (reason == Drop::bad_arp) outcome.arp_refused += news;
    }
    forwarded_ += outcome.forwarded;
    return outcome;
}

void Account::look_at(std::size_t port, const Octets& frame, Outcome& outcome) {
    if (is_of_type(frame, EtherType::arp) || is_discovery(frame)) {
        ++outcome.arp_frames;
        return;
    }
    if (is_of_type(frame, EtherType::ipv6)) return look_at_ipv6(port, frame, outcome);
    if (!is_well_formed(frame)) malformed_.push_back(described(port, frame));
    if (!is_allowed(port, ip_of(frame))) leaked_.push_back(described(port, frame));
    const Ipv4Header& ip = ip_of(frame);
    const bool begun =
        (ip.flags_offset & Ipv4Header::offset_mask) != 0 && ip.identification == cut_ && ip.source == cut_source_;
    if (begun) return;  // another piece of a packet that the gateway cut, which is counted already
    cut_ = ip.identification;
    cut_source_ = ip.source;
    const bool own = ip.source == number("20.0.0.1") || ip.source == number("10.0.1.1");
    if (!own || ip.protocol != 1)
        ++outcome.forwarded;
    else if (frame[14 + ip.header_octets()] == std::byte{0})
        ++outcome.echo_replies;
    else
        ++outcome.icmp_errors;
}

void Account::look_at_ipv6(std::size_t port, const Octets& frame, Outcome& outcome) {
    if (!is_well_formed6(frame)) malformed_.push_back(described(port, frame));
    if (frame.size() < sizeof(EthernetHeader) + sizeof(Ipv6Header) + sizeof(FragmentHeader)) {
        ++outcome.forwarded;
        return;
    }
    const Ipv6Header& ip = ipv6_of(frame);
    if (!is_allowed6(port, ip)) leaked_.push_back(described(port, frame));
    const std::byte* const payload = frame.data() + sizeof(EthernetHeader) + sizeof ip;
    if (is_own(ip) && ip.next_header == 44) {
        const auto& part = *reinterpret_cast<const FragmentHeader*>(payload);
        if (part.offset_octets() != 0 && part.identification == cut6_) return;  // counted already
        cut6_ = part.identification;
    }
    const auto type = std::to_integer<unsigned>(*payload);
    if (!is_own(ip) || ip.next_header != 58)
        ++outcome.forwarded;
    else if (type == 129)
        ++outcome.echo_replies;
    else
        ++outcome.icmp_errors;
}

std::map<std::string, std::uint64_t> Account::drops() const {
    std::map<std::string, std::uint64_t> out;
    for (std::size_t i = 1; i < drop_count; ++i)
        if (const auto count = gateway_.drops(static_cast<Drop>(i)); count != 0)
            out[std::string{drop_table[i].name}] = count;
    return out;
}

bool is_arp(const Recipe& recipe, const Octets& frame) {
    return recipe.room != Room::chained && is_of_type(frame, EtherType::arp);
}

bool may_be_taken(const Recipe& recipe, const Octets& frame) {
    return is_arp(recipe, frame) || (recipe.room != Room::chained && is_discovery(frame));
}

std::string wrong_fate(bool arp, const Outcome& o) {
    const std::uint64_t seen = o.forwarded + o.echo_replies;
    const std::uint64_t taken = seen + (arp && o.dropped + seen == 0 ? 1 : 0);
    const std::uint64_t errors = o.icmp_errors + o.forwarded + o.dropped - 1;  // one may leave encrypted
    const bool one_fate = o.dropped == 0 ? taken == 1 && o.icmp_errors == 0
                                         : o.echo_replies == 0 && errors <= (o.reported != 0 ? 1u : 0u);
    if (one_fate) return {};
    const auto count = [](std::uint64_t n, const char* what) { return std::to_string(n) + what; };
    return count(o.forwarded, " forwarded, ") + count(o.echo_replies, " echo replies, ") +
           count(o.icmp_errors, " ICMP errors, ") + count(o.dropped, " dropped");
}

}  // namespace torii::test
