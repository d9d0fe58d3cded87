#include "dataplane/fragment_ports.h"

#include "dataplane/flow_key.h"
#include "ip/ip.h"

namespace torii {

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
                 .used = true};
    }
    const bool known = entry.used && entry.key == key && entry.protocol == p.protocol &&
                       now_seconds - entry.since_seconds < longest_seconds;
    if (!known) return false;
    selector.source_port = entry.source_port;
    selector.destination_port = entry.destination_port;
    return selector.ports_known = true;
}

}  // namespace torii
