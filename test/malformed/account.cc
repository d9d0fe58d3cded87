#include "account.h"

#include <algorithm>

namespace torii::test {

namespace {

using namespace std::chrono_literals;

constexpr Drop reported_drops[]{Drop::ttl_exceeded, Drop::too_big, Drop::no_route, Drop::local_unwanted,
                                Drop::no_neighbour};

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

/// RFC 1812 5.2.2 for what we send, and that it goes to one station.
bool is_well_formed(const Octets& frame) {
    if (frame.size() < sizeof(EthernetHeader) + sizeof(Ipv4Header)) return false;
    const Ipv4Header& ip = ip_of(frame);
    const bool to_station = (frame[0] & std::byte{1}) == std::byte{0} &&
                            std::any_of(frame.begin(), frame.begin() + 6, [](std::byte b) { return b != std::byte{}; });
    return to_station && ip.version_ihl >> 4 == 4 && ip.header_octets() >= sizeof ip &&
           ip.header_octets() <= ip.total_octets && ip.total_octets + sizeof(EthernetHeader) == frame.size() &&
           internet_checksum(&ip, ip.header_octets()) == 0 && ip.ttl != 0;
}

/// Only what hostile_setkey lets out: IPsec and ICMP of our own, and the clear office's packets. The office gets what
/// came out of a tunnel, from the clear office, or from itself.
bool is_allowed(std::size_t port, const Ipv4Header& ip) {
    const bool own = ip.source == number("20.0.0.1") || ip.source == number("10.0.1.1");
    if (own && (ip.protocol == 1 || ip.protocol == 50 || ip.protocol == 51 || ip.protocol == 108)) return true;
    if (own && ip.protocol == 4 && ip.destination == number("20.0.0.16")) return true;  // did not compress
    if (port == world) return within(ip.destination, "10.0.11.0");
    if (!within(ip.destination, "10.0.1.0")) return false;
    return std::ranges::any_of(
        std::array{"10.0.1.0", "10.0.2.0", "10.0.3.0", "10.0.4.0", "10.0.5.0", "10.0.7.0", "10.0.8.0", "10.0.9.0",
                   "10.0.11.0", "10.0.14.0", "10.0.15.0", "10.0.16.0", "10.0.17.0", "10.0.18.0", "10.0.19.0"},
        [&](std::string_view network) { return within(ip.source, network); });
}

}  // namespace

Outcome Account::send(const Recipe& recipe, const Octets& frame) {
    offer(recipe, frame, 0);
    const Outcome outcome = settle();
    if (outcome.forwarded + outcome.echo_replies + outcome.arp_frames + outcome.dropped != 0) return outcome;
    gateway_.pass(32s);  // a fragment waits half a minute for the others
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
    if (frame.size() >= 14 && frame[12] == std::byte{8} && frame[13] == std::byte{6}) {
        ++outcome.arp_frames;
        return;
    }
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

std::map<std::string, std::uint64_t> Account::drops() const {
    std::map<std::string, std::uint64_t> out;
    for (std::size_t i = 1; i < drop_count; ++i)
        if (const auto count = gateway_.drops(static_cast<Drop>(i)); count != 0)
            out[std::string{drop_table[i].name}] = count;
    return out;
}

bool is_arp(const Recipe& recipe, const Octets& frame) {
    return recipe.room != Room::chained && frame.size() >= 14 && frame[12] == std::byte{8} && frame[13] == std::byte{6};
}

std::string wrong_fate(bool arp, const Outcome& o) {
    const std::uint64_t taken = o.forwarded + o.echo_replies + (arp && o.dropped == 0 ? 1 : 0);
    const std::uint64_t errors = o.icmp_errors + o.forwarded + o.dropped - 1;  // one may leave encrypted
    const bool one_fate = o.dropped == 0 ? taken == 1 && o.icmp_errors == 0
                                         : o.echo_replies == 0 && errors <= (o.reported != 0 ? 1u : 0u);
    if (one_fate) return {};
    const auto count = [](std::uint64_t n, const char* what) { return std::to_string(n) + what; };
    return count(o.forwarded, " forwarded, ") + count(o.echo_replies, " echo replies, ") +
           count(o.icmp_errors, " ICMP errors, ") + count(o.dropped, " dropped");
}

}  // namespace torii::test
