#include "dataplane/fragment_ports.h"

#include "dataplane/flow_key.h"
#include "ip/ip.h"

namespace torii {

namespace {

constexpr unsigned octets_of_ports = 4;  // at most: ICMP's type and code are two

/// Where the fragment begins in its packet, in octets of what is cut.
unsigned offset_of(const Packet& p) {
    if (p.family == Family::ipv4) return (p.ipv4().flags_offset & Ipv4Header::offset_mask) * 8u;
    return reinterpret_cast<const FragmentHeader*>(p.ip + p.fragment_at)->offset_octets();
}

/// Octets that a first fragment has in front of what tells ports: IPv6's extension headers are cut as well.
unsigned octets_before_ports(const Packet& p) {
    if (p.family == Family::ipv4) return 0;
    return p.ip_header_octets - p.fragment_at - unsigned{sizeof(FragmentHeader)};
}

}  // namespace

FragmentPorts::Entry& FragmentPorts::place_of(const FragmentKey& key) {
    return entries_[hash_of(key.source, hash_of(key.destination, seed_ ^ key.identification)) % places];
}

bool FragmentPorts::complete(PacketSelector& selector, const Packet& p, std::uint32_t now_seconds) {
    const FragmentKey key = key_of_fragment(p);
    Entry& entry = place_of(key);
    if (!is_later_fragment(p)) {
        const auto ports = ports_in(p);
        if (!ports) return false;
        entry = {.key = key,
                 .source_port = __builtin_bswap16(static_cast<std::uint16_t>(*ports)),
                 .destination_port = __builtin_bswap16(static_cast<std::uint16_t>(*ports >> 16)),
                 .since_seconds = now_seconds,
                 .protocol = p.protocol,
                 .used = true,
                 .ports_end = static_cast<std::uint16_t>(octets_before_ports(p) + octets_of_ports)};
    }
    const bool known = entry.used && entry.key == key && entry.protocol == p.protocol &&
                       now_seconds - entry.since_seconds < longest_seconds;
    if (!known || (is_later_fragment(p) && offset_of(p) < entry.ports_end)) return false;
    selector.source_port = entry.source_port;
    selector.destination_port = entry.destination_port;
    return selector.ports_known = true;
}

}  // namespace torii
