// NAT keepalives (RFC 3948 4): an SA in UDP that has nothing to say sends an octet now and then, so that the NAT on its
// way does not forget it. Control thread.
#include <algorithm>

#include "gateway/gateway.h"
#include "ip/ip.h"

namespace torii {

namespace {

constexpr unsigned looks_per_second = 10;
/// Each SA is looked at so often within an interval, and is quiet when so many looks in a row found it so. One look
/// goes by before a packet is seen to be the last, and another for the steps of the clock.
constexpr unsigned looks_per_interval = 20, quiet_looks_wanted = looks_per_interval - 2;

/// IP | UDP | 0xff, without a UDP checksum over IPv4, as the SA's ESP has none. Octets of it.
unsigned write_keepalive(std::byte* ip, const OutboundSa& sa, const control::SaId& id) {
    const unsigned header = sa.outer_octets(), udp_octets = sizeof(UdpHeader) + 1, total = header + udp_octets;
    const UdpPorts ports = sa.path().udp;
    UdpHeader udp{ports.source, ports.destination, static_cast<std::uint16_t>(udp_octets), 0};
    ip[total - 1] = std::byte{0xff};
    std::memcpy(ip + header, &udp, sizeof udp);
    if (sa.family == Family::ipv4) {
        const OuterHeader outer = outer_header(id.source.v4_number(), id.destination.v4_number(), IpProtocol::udp);
        write_outer(ip, outer.ipv4, 0, 64, 0, static_cast<std::uint16_t>(total), 0);
        return total;
    }
    write_outer(ip, outer_header(id.source, id.destination, IpProtocol::udp).ipv6, 0, 64, 0, total);
    udp.checksum =
        upper_layer_checksum(*reinterpret_cast<const Ipv6Header*>(ip), IpProtocol::udp, ip + header, udp_octets);
    if (udp.checksum == 0) udp.checksum = 0xffff;
    std::memcpy(ip + header, &udp, sizeof udp);
    return total;
}

}  // namespace

void Gateway::remember_keepalives(const Journal& journal) {
    for (const Change& change : journal) {
        const bool removed = change.kind == Change::Kind::sa_removed;
        if (removed || !change.sa || !change.sa->outbound || !change.sa->spec.udp) continue;
        const auto known = std::ranges::find(quiet_sas_, change.sa, &QuietSa::sa);
        if (known == quiet_sas_.end()) quiet_sas_.push_back({change.sa, change.sa->outbound->next_sequence.read()});
    }
}

/// Each SA's turn comes twenty times an interval, by and by, so that thousands do not send at one moment. Called
/// `looks_per_second` times a second.
void Gateway::send_keepalives() {
    std::erase_if(quiet_sas_,
                  [&](const QuietSa& quiet) { return !database_->is_there(*quiet.sa) || !quiet.sa->spec.udp; });
    if (live_.natt_keepalive_seconds == 0 || quiet_sas_.empty()) return;
    keepalives_due_ +=
        static_cast<double>(quiet_sas_.size()) * looks_per_interval / (live_.natt_keepalive_seconds * looks_per_second);
    for (; keepalives_due_ >= 1; keepalives_due_ -= 1) {
        next_quiet_ = (next_quiet_ + 1) % quiet_sas_.size();
        QuietSa& quiet = quiet_sas_[next_quiet_];
        const std::uint64_t sent = quiet.sa->outbound->next_sequence.read();
        quiet.quiet_looks = sent == quiet.sequence ? quiet.quiet_looks + 1 : 0;
        quiet.sequence = sent;
        if (quiet.quiet_looks < quiet_looks_wanted) continue;
        quiet.quiet_looks = 0;
        send_keepalive(*quiet.sa);
    }
}

void Gateway::send_keepalive(const SaEntry& sa) {
    rte_mbuf* const mbuf = allocate();
    if (mbuf == nullptr) return;
    Packet& p = carried(*mbuf) = Packet{};
    p.mbuf = mbuf;
    p.ip = rte_pktmbuf_mtod(mbuf, std::byte*);
    (void)parse_ip(sa.spec.id.source.family(), p, write_keepalive(p.ip, *sa.outbound, sa.spec.id));
    p.arrival = Arrival::self;
    p.next_hop = HopIndex{sa.outbound->next_hop.load(std::memory_order_relaxed)};
    p.resume = Resume::transmit;
    inject(mbuf);
}

}  // namespace torii
