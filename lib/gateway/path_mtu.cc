// Path MTU of SAs (RFC 4301 8.2): what routers tell about packets of our own SAs that were too large for them. Who
// tells is nobody we know, so it counts only about a packet that we have sent lately, only makes a path narrower, never
// narrower than is sensible, and is forgotten after a while (RFC 1191 6.3, RFC 8201 4 and 6).
#include <algorithm>

#include "dataplane/icmp_quote.h"
#include "dataplane/inbound_sas.h"
#include "gateway/gateway.h"
#include "ip/ip.h"

namespace torii {

namespace {

constexpr std::uint64_t lately = 1u << 20;  // packets: seconds at line rate, and hard to guess among 2^32

/// The MTU of the link that the packet did not fit: as the error tells, or, by routers before RFC 1191, that of the
/// next smaller kind of link (RFC 1191 7.1).
unsigned told_mtu(const Packet& error, unsigned quoted_octets) {
    if (error.family == Family::ipv6)
        return static_cast<unsigned>(reinterpret_cast<const Icmpv6Header*>(error.payload())->rest.value());
    if (const unsigned told = reinterpret_cast<const IcmpHeader*>(error.payload())->rest_low; told != 0) return told;
    for (const unsigned plateau : {32000u, 17914u, 8166u, 4352u, 2002u, 1492u, 1006u, 508u, 296u})
        if (plateau < quoted_octets) return plateau;
    return 68;
}

bool is_sound(const Packet& error) {
    const unsigned octets = error.payload_octets();
    if (octets < sizeof(IcmpHeader)) return false;
    return (error.family == Family::ipv4 ? internet_checksum(error.payload(), octets)
                                         : icmpv6_checksum(error.ipv6(), error.payload(), octets)) == 0;
}

/// How long the quoted packet was by its own header, however little of it is quoted.
unsigned own_octets(const Packet& quoted) {
    return quoted.family == Family::ipv4 ? unsigned{quoted.ipv4().total_octets}
                                         : unsigned{sizeof(Ipv6Header)} + quoted.ipv6().payload_octets;
}

/// Where its SPI and, with ESP and AH, its sequence number stand. An error may quote no more than eight octets behind
/// the IP header, which in AH end before the sequence number, and in ESP in UDP before all that proves anything: with
/// those nothing is learnt.
struct SentAs {
    IpsecProtocol protocol{};
    std::uint32_t spi = 0;
    std::optional<std::uint32_t> sequence_low;
    UdpPorts udp{};
};
std::optional<SentAs> sent_as(const Packet& quoted) {
    const auto word = [&](unsigned at) { return reinterpret_cast<const Big32*>(quoted.payload() + at)->value(); };
    const unsigned octets = quoted.payload_octets();
    if (is_later_fragment(quoted) || octets < 8) return std::nullopt;
    if (IpProtocol{quoted.protocol} == IpProtocol::udp) {
        if (octets < sizeof(UdpHeader) + sizeof(EspHeader)) return std::nullopt;
        const auto& udp = *reinterpret_cast<const UdpHeader*>(quoted.payload());
        return SentAs{IpsecProtocol::esp, word(8), word(12), {udp.source_port, udp.destination_port}};
    }
    const IpsecProtocol protocol{quoted.protocol};
    switch (protocol) {
        case IpsecProtocol::esp: return SentAs{protocol, word(0), word(4)};
        case IpsecProtocol::ah:
            return SentAs{protocol, word(4), octets >= sizeof(AhHeader) ? std::optional{word(8)} : std::nullopt};
        case IpsecProtocol::ipcomp: return SentAs{protocol, word(0) & 0xffff, std::nullopt};
    }
    return std::nullopt;
}

/// Whether the SA sent a packet with this low half of a sequence number within the last ones.
bool has_sent(const OutboundSa& sa, std::uint32_t sequence_low) {
    const std::uint64_t next = sa.next_sequence.read();
    const std::uint32_t back = static_cast<std::uint32_t>(next) - sequence_low;
    return back != 0 && back <= lately && back < next;
}

}  // namespace

/// What becomes of an ICMP error, other than a fragment, about one of our IPsec packets: none when it was heard.
Drop Gateway::learn_path(const Packet& error) {
    Packet quoted;
    const auto quote = icmp_quote(error);
    if (!quote || quote->kind != control::IcmpKind::too_big || error.fragment || !is_sound(error) ||
        !read_quoted(error, quoted) || !is_about_ipsec(*quote))
        return Drop::local_unwanted;
    const unsigned octets = own_octets(quoted), mtu = told_mtu(error, octets);
    const std::vector<SaPtr> senders = senders_of(quoted);
    if (senders.empty() || mtu >= octets) return Drop::icmp_unproven;
    for (const SaPtr& sa : senders) narrow(*sa, mtu);
    return Drop::none;
}

/// The SAs that may have sent the packet: one, or with IPComp all of its addresses and CPI.
std::vector<SaPtr> Gateway::senders_of(const Packet& quoted) const {
    std::vector<SaPtr> out;
    const auto as = sent_as(quoted);
    if (!as) return out;
    const auto same = [](UdpPorts a, UdpPorts b) {
        return std::uint16_t{a.source} == b.source && std::uint16_t{a.destination} == b.destination;
    };
    for (const SaPtr& sa : database_->between({quoted.source(), quoted.destination()}, as->protocol)) {
        if (!sa->outbound || !same(sa->outbound->path().udp, as->udp)) continue;
        const OutboundSa& block = *sa->outbound;
        const std::uint32_t spi = block.protocol == IpsecProtocol::ipcomp ? block.cpi : block.spi.value();
        if (spi == as->spi && (!as->sequence_low || has_sent(block, *as->sequence_low))) out.push_back(sa);
    }
    return out;
}

/// Never wider, and never narrower than IPv6's least (RFC 8201 4) or the operator's for IPv4 (RFC 4301 6.1.1).
void Gateway::narrow(SaEntry& sa, unsigned mtu) {
    if (sa.outbound->family == Family::ipv6 && mtu < ipv6_minimum_mtu) return;
    if (sa.outbound->family == Family::ipv4) mtu = std::max(mtu, live_.pmtu_minimum);
    if (live_.pmtu_lifetime_seconds == 0 || mtu >= sa.outbound->mtu.load(std::memory_order_relaxed)) return;
    sa.path_mtu = static_cast<std::uint16_t>(mtu);
    sa.path_mtu_until = now_ + std::chrono::seconds{live_.pmtu_lifetime_seconds};
    publisher_->show_path(sa);
}

void Gateway::forget_old_path(SaEntry& sa) {
    if (sa.path_mtu == 0 || now_ < sa.path_mtu_until) return;
    sa.path_mtu = 0;
    publisher_->show_path(sa);
}

}  // namespace torii
