// What ESP, AH and IPComp do alike to a packet: take a sequence number, pass the replay window, make room, stand in
// front of an outer header or behind the packet's own, and leave either again. Called by the worker that owns the SAs.
#pragma once

#include "crypto/engine.h"
#include "ip/ip.h"
#include "observe/notices.h"
#include "packet/packet.h"
#include "sa/security_association.h"

namespace torii {

/// A worker's scratch for one crypto submission: the jobs and whose they are.
struct CryptoJobs {
    std::array<CryptoJob, Batch::capacity> jobs;
    std::array<Packet*, Batch::capacity> packets;
    std::size_t size = 0;
    /// The next job, as the last batch left it: the caller sets every field.
    CryptoJob& add(Packet& packet) {
        packets[size] = &packet;
        return jobs[size++];
    }
    std::span<CryptoJob> all() { return {jobs.data(), size}; }
};

/// How `packet` goes through its outbound SA. One SA of mode any may serve policies of both modes.
inline Mode outbound_mode(const Packet& packet) {
    return packet.chain != nullptr ? packet.chain->modes[packet.chain_step] : packet.outbound_sa->mode;
}

// ---- sequence numbers, lifetimes, replay: a batch at a time

/// Marks packets whose SA has stopped; takes the sequence numbers of the rest (RFC 4303 3.3.3, RFC 4302 3.3.2).
/// Drops: lifetime_exceeded, sequence_exhausted.
void spend_sequence(Notices& notices, Batch& batch);

/// Recovers each packet's full sequence number from the low half in `sequence` (RFC 4303 appendix A2), and asks whether
/// its SA still takes it (3.4.3), before any work is spent on the ICV.
/// Drops: replayed.
void check_replay(Notices& notices, Batch& batch);

/// Takes the sequence numbers of packets whose ICV was right. Twins that met inside this batch are told apart here;
/// lifetimes count what was authentic and fresh alone.
/// Drops: replayed, lifetime_exceeded.
void commit_replay(Notices& notices, Batch& batch);

/// Drops those of the opened packets whose ICV is wrong, and tells. `jobs` have been opened.
void refuse_bad_icvs(Notices& notices, CryptoJobs& jobs);

// ---- outbound shapes

inline constexpr unsigned ethernet_room = 16;  // what the frame's own header will want in front

/// False, and marked no_room, when the buffer cannot hold `before` octets more in front or `behind` more at the end. A
/// device's headroom is enough for two or three tunnels; for more the packet moves back where there is room behind it.
inline bool has_room(Packet& p, unsigned before, unsigned behind) {
    const std::size_t in_front = before + ethernet_room;
    if (p.room_before() >= in_front && p.room_behind() >= behind) [[likely]]
        return true;
    const std::size_t lacking = in_front - std::min(in_front, p.room_before());
    if (p.room_behind() >= behind + lacking) {
        std::memmove(p.ip + lacking, p.ip, p.ip_octets);
        p.ip += lacking;
        return true;
    }
    Batch::drop(p, Drop::no_room);
    return false;
}

/// The identification of a tunnel's IPv4 packets, by which their fragments find one another. SAs between the same
/// gateways have it from far apart, by multiples of the golden ratio, so that those in step stay so (RFC 791 3.2). The
/// multiplication has 32 bits because processors are slow to decode the one of 16.
inline std::uint16_t outer_identification(const OutboundSa& sa, std::uint64_t sequence) {
    return static_cast<std::uint16_t>(sequence + (sa.serial * 0x9e3779b1u >> 16));
}

/// The packet becomes the payload of a tunnel packet of `total` octets, whose outer header starts `before` octets in
/// front of it; what stands between the two is the caller's.
inline void enter_tunnel(Packet& p, unsigned before, unsigned total) {
    const OutboundSa& sa = *p.outbound_sa;
    const TunnelHeader& rules = *sa.tunnel.load(std::memory_order_acquire);
    const std::uint8_t outer_class = rules.classes[dscp_ecn(p)], hops = rules.outer_hops(hops_left(p));
    if (sa.family == Family::ipv4) [[likely]] {
        write_outer(p.ip - before, p.path->outer.ipv4, outer_class, hops, outer_flags(rules, p),
                    static_cast<std::uint16_t>(total), outer_identification(sa, p.sequence));
    } else {
        write_outer(p.ip - before, p.path->outer.ipv6, outer_class, hops, flow_label(p) & rules.label_copied, total);
        p.next_header_at = offsetof(Ipv6Header, next_header);
        p.fragment_at = 0;
        p.waypoint = false;
        p.made_here = true;
    }
    p.family = sa.family;
    p.ip -= before;
    p.ip_octets = static_cast<std::uint16_t>(total);
    p.ip_header_octets = static_cast<std::uint8_t>(sa.outer_octets());
    p.protocol = static_cast<std::uint8_t>(sa.protocol);
    p.fragment = false;
    p.next_hop = HopIndex{sa.next_hop.load(std::memory_order_relaxed)};
}

/// Octets of the IP header that transport mode leaves in front of what it protects.
inline unsigned transport_header_octets(const Packet& p) {
    if (p.family == Family::ipv4 || p.ip_header_octets == sizeof(Ipv6Header)) [[likely]]
        return p.ip_header_octets;
    return ipsec_place(p).header_octets;
}

/// The packet's payload is what transport mode protects, from here on: IPv6 destination options belong to it.
inline void enter_transport(Packet& p) {
    if (p.family == Family::ipv4 || p.ip_header_octets == sizeof(Ipv6Header)) [[likely]]
        return;
    const IpsecPlace place = ipsec_place(p);
    p.ip_header_octets = place.header_octets;
    p.next_header_at = place.next_header_at;
    p.protocol = place.protocol;
}

/// Moves the packet's IP header `octets` forward, so that as many stand free between it and its payload.
inline void open_gap(Packet& p, unsigned octets) {
    std::memmove(p.ip - octets, p.ip, p.ip_header_octets);
    p.ip -= octets;
}

/// The packet's own IP header says what follows it now: `protocol`, `total` octets in all.
inline void rewrite_header(Packet& p, std::uint8_t protocol, unsigned total) {
    p.protocol = protocol;
    p.ip_octets = static_cast<std::uint16_t>(total);
    if (p.family == Family::ipv6) {
        p.ipv6().payload_octets = static_cast<std::uint16_t>(total - sizeof(Ipv6Header));
        p.ip[p.next_header_at] = std::byte{protocol};
        return;
    }
    Ipv4Header& ip = p.ipv4();
    ip.total_octets = static_cast<std::uint16_t>(total);
    ip.protocol = protocol;
    ip.checksum = 0;
    ip.checksum = internet_checksum(p.ip, p.ip_header_octets);
}

/// Completes a packet that transport mode has changed.
inline void finish_transport(Packet& p, IpProtocol protocol, unsigned total) {
    rewrite_header(p, static_cast<std::uint8_t>(protocol), total);
    if (p.next_hop == HopIndex::none) p.next_hop = HopIndex{p.outbound_sa->next_hop.load(std::memory_order_relaxed)};
}

// ---- inbound shapes

/// IP | ... | IP | payload becomes IP | payload; the inner header, of `family`, of which `octets` there are with what
/// it heads, is judged like one from a wire. `sa`: whose tunnel it is; null: IPComp without one.
inline Drop leave_tunnel(Packet& p, const InboundSa* sa, std::byte* inner, unsigned octets, Family family) {
    std::uint8_t outer_dscp_ecn = dscp_ecn(p);
    if (sa != nullptr) [[likely]]
        outer_dscp_ecn &= sa->ecn_believed.load(std::memory_order_relaxed);
    p.ip = inner;
    if (const Drop reason = parse_ip(family, p, octets); reason != Drop::none) return reason;
    return inherit_ecn(outer_dscp_ecn, p) ? Drop::none : Drop::bad_ecn;
}

/// IP | ... | payload becomes IP | payload: the IP header moves up against the payload. IPv6 extension headers that
/// come to light are judged like those from a wire.
inline Drop leave_transport(Packet& p, const std::byte* payload, unsigned octets, std::uint8_t protocol) {
    const auto distance = payload - p.payload();
    std::memmove(p.ip + distance, p.ip, p.ip_header_octets);
    p.ip += distance;
    rewrite_header(p, protocol, p.ip_header_octets + octets);
    if (p.family == Family::ipv4 || !is_extension_header(protocol)) [[likely]]
        return Drop::none;
    return parse_ipv6(p, p.ip_octets);
}

/// What an SA of `mode` protected comes to light: `protocol` is what its header names, at `payload`.
/// Drops: dummy_packet, bad_inner_protocol, and those of leave_tunnel and leave_transport.
inline Drop unwrap(Packet& p, Mode mode, std::byte* payload, unsigned octets, std::uint8_t protocol) {
    const auto inner = static_cast<IpProtocol>(protocol);
    if (inner == IpProtocol::none) return Drop::dummy_packet;
    if (mode != Mode::transport) {
        if (inner == IpProtocol::ipv4) return leave_tunnel(p, p.inbound_sa, payload, octets, Family::ipv4);
        if (inner == IpProtocol::ipv6) return leave_tunnel(p, p.inbound_sa, payload, octets, Family::ipv6);
    }
    if (mode == Mode::tunnel) return Drop::bad_inner_protocol;
    const Drop reason = leave_transport(p, payload, octets, protocol);
    if (p.in_udp && reason == Drop::none) [[unlikely]]
        renew_checksum(p);
    return reason;
}

/// The packet came out of its SA: it owes the inbound policy a check against it.
inline void note_opened(Packet& p) {
    p.used[p.opened++] = p.inbound_sa;
    p.arrival = Arrival::outside;
}

}  // namespace torii
