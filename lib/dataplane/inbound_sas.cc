#include "dataplane/inbound_sas.h"

#include "ipcomp/ipcomp.h"

namespace torii {

namespace {

constexpr std::uint8_t esp = static_cast<std::uint8_t>(IpProtocol::esp);
constexpr std::uint8_t ah = static_cast<std::uint8_t>(IpProtocol::ah);
constexpr std::uint8_t ipcomp = static_cast<std::uint8_t>(IpProtocol::ipcomp);
constexpr auto deflate_cpi = static_cast<std::uint16_t>(Cpi::deflate);

/// DEFLATE's own CPI tells the algorithm and not the SA (RFC 3173 3.3): its packets go by both ends.
bool is_of_everybody(const Packet& p) {
    return p.protocol == ipcomp && reinterpret_cast<const IpCompHeader*>(p.payload())->cpi == deflate_cpi;
}

Drop truncated(std::uint8_t protocol) {
    if (protocol == esp) return Drop::esp_truncated;
    return protocol == ah ? Drop::bad_ah_header : Drop::bad_ipcomp;
}

/// As on the wire, except that a CPI fills 32 bits.
Big32 wire_spi(const Packet& p) {
    const std::byte* const header = p.payload();
    if (p.protocol == esp) [[likely]]
        return reinterpret_cast<const EspHeader*>(header)->spi;
    if (p.protocol == ah) return reinterpret_cast<const AhHeader*>(header)->spi;
    return std::uint32_t{reinterpret_cast<const IpCompHeader*>(header)->cpi.value()};
}

std::uint64_t hash_of(const SpiIndex& sad, const Packet& p) {
    const IpsecProtocol protocol{p.protocol};
    if (p.protocol != esp && is_of_everybody(p)) [[unlikely]]
        return sad.hash_of_ends(p.destination(), p.source());
    if (p.family == Family::ipv4) [[likely]]
        return sad.hash(reinterpret_cast<const std::uint8_t*>(&p.ipv4().destination), protocol, wire_spi(p));
    return sad.hash(p.destination(), protocol, wire_spi(p));
}

bool is_for(const Packet& p, const InboundSa& sa) {
    if (sa.spi != wire_spi(p) || sa.protocol != IpsecProtocol{p.protocol}) return false;
    if (p.family == Family::ipv6) return sa.destination == p.destination();
    std::uint32_t destination;
    std::memcpy(&destination, &p.ipv4().destination, sizeof destination);
    return sa.destination_ipv4 == destination;
}

/// Where the first SA of the packet's tag is not its own.
InboundSa* find_slowly(const SpiIndex& sad, const Packet& p) {
    if (is_of_everybody(p)) return sad.find_by_ends(p.destination(), p.source());
    return sad.find_exact(p.destination(), IpsecProtocol{p.protocol}, wire_spi(p));
}

}  // namespace

Spi spi_of(const Packet& p) { return Spi{wire_spi(p).value()}; }

std::uint32_t sequence_low_of(const Packet& p) {
    if (p.protocol == esp) return reinterpret_cast<const EspHeader*>(p.payload())->sequence_low;
    if (p.protocol == ah && p.payload_octets() >= sizeof(AhHeader))
        return reinterpret_cast<const AhHeader*>(p.payload())->sequence_low;
    return 0;
}

void find_inbound_sas(const SpiIndex& sad, Batch& batch) {
    for (Packet& p : batch.live()) {
        if (p.payload_octets() < ipsec_header_octets(p.protocol)) [[unlikely]] {
            Batch::drop(p, truncated(p.protocol));
        } else {
            p.hash = hash_of(sad, p);
            sad.prefetch(p.hash);
        }
    }
    for (Packet& p : batch.live()) {
        p.inbound_sa = sad.find_tag(p.hash);
        if (p.inbound_sa == nullptr) continue;
        __builtin_prefetch(p.inbound_sa, 1);
        __builtin_prefetch(reinterpret_cast<std::byte*>(p.inbound_sa) + 64, 1);
    }
    for (Packet& p : batch.live())
        if (p.inbound_sa != nullptr && !is_for(p, *p.inbound_sa)) [[unlikely]]
            p.inbound_sa = find_slowly(sad, p);
}

}  // namespace torii
