// Every way a packet can end other than on a wire or with its owner. No packet disappears without one of these names:
// each is a counter per worker, a row in `torii show drops` and a row in docs/drops.md, all from this table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace torii {

// name, what to check
#define TORII_DROPS(X)                                                                                                 \
    X(truncated, "The frame ended before its headers did. Look for a faulty link or a device that cuts frames (MTU).") \
    X(multi_segment,                                                                                                   \
      "A frame came in several buffers. Raise the port's mtu setting so that the buffers hold a whole frame.")         \
    X(unknown_ethertype,                                                                                               \
      "Neither IP nor ARP. Normal on office networks (LLDP, spanning tree); otherwise check the cabling.")             \
    X(not_our_mac, "Unicast for another station's MAC: the switch floods, or a neighbour has a stale ARP entry.")      \
    X(multicast, "Multicast and broadcast are not forwarded. Normal on office networks.")                              \
    X(bad_ip_version, "The IP header is of another version than what names it says. Look for a corrupting device.")    \
    X(bad_ip_header, "The IPv4 header is shorter than 20 octets or longer than the packet (RFC 1812 5.2.2).")          \
    X(bad_ip_length,                                                                                                   \
      "The length in the IP header is below the header's or beyond the octets that arrived (RFC 1812 5.2.2).")         \
    X(bad_ip_checksum, "The IPv4 header checksum is wrong. Look for a faulty device or a sender's offload setting.")   \
    X(martian,                                                                                                         \
      "Source or destination may not appear on a wire (loopback, multicast source, 0.0.0.0, 240/4, ::/64). Someone "   \
      "spoofs or is misconfigured.")                                                                                   \
    X(source_route, "The packet asks for source routing, which is refused (RFC 5095).")                                \
    X(bad_extension_header,                                                                                            \
      "An IPv6 extension header is cut short, stands where it must not, or has options longer than itself (RFC 8200 "  \
      "4).")                                                                                                           \
    X(too_many_headers, "More than 8 IPv6 extension headers, or more than 208 octets of them. Someone probes.")        \
    X(opaque_fragment,                                                                                                 \
      "A later IPv6 fragment with extension headers behind its fragment header: no policy can tell what it carries.")  \
    X(link_local, "From or to an fe80::/10 address of another host: those are never forwarded (RFC 4291 2.5.6).")      \
    X(own_source,                                                                                                      \
      "The packet claims to come from one of our own addresses. Someone spoofs, or two hosts share an address.")       \
    X(ttl_exceeded, "The hop limit ran out here. Look for a routing loop; traceroute causes these by design.")         \
    X(no_route, "No route for the destination. Check `torii show routes`.")                                            \
    X(no_neighbour, "The next hop did not answer ARP in time. Check the host, its cable and `torii show neighbours`.") \
    X(neighbour_queue_full,                                                                                            \
      "More packets waited for ARP answers than are held, for one neighbour or in all. Retries pass once it answers; " \
      "if many addresses are asked for in vain, someone scans the network.")                                           \
    X(neighbour_table_full,                                                                                            \
      "The next hop is new and all 4095 places for neighbours are taken. Someone scans a connected network, or its "   \
      "prefix is too short.")                                                                                          \
    X(too_big,                                                                                                         \
      "Larger than the next link's MTU and not to be fragmented; the sender was told (ICMP fragmentation needed).")    \
    X(bad_fragment, "A fragment without octets, or one before the last whose octets are no multiple of eight.")        \
    X(fragment_repeated, "The same fragment came before. A duplicating network; harmless when rare.")                  \
    X(fragment_overlap,                                                                                                \
      "Fragments of one packet overlap or disagree on its end, so all of it is dropped. An attack (RFC 1858), or a "   \
      "sender that uses an identification again too soon.")                                                            \
    X(fragment_timeout,                                                                                                \
      "Fragments of a packet waited 30 seconds for the rest, or had to make room for newer ones. Look for loss on "    \
      "the "                                                                                                           \
      "way; avoid fragments by a lower MTU behind the peer.")                                                          \
    X(reassembled_too_big, "Fragments would make a packet of more than 64,000 octets.")                                \
    X(policy_discard, "A policy says discard. Check `torii show policy`.")                                             \
    X(no_policy, "No policy matches and def_policy is discard. Add a policy, or set def_policy to none.")              \
    X(policy_mismatch,                                                                                                 \
      "It came in clear, or through other SAs, than the inbound policy requires. Compare `torii setkey -DP` on both "  \
      "ends.")                                                                                                         \
    X(icmp_refused,                                                                                                    \
      "An ICMP error in clear for one of our own addresses, of a type that net.inet.ipsec.icmp_* refuses (RFC 4301 "   \
      "6.1.1).")                                                                                                       \
    X(icmp_quote,                                                                                                      \
      "An ICMP error about a packet whose answers may not come the same way (RFC 4301 6.2): in clear, or through "     \
      "other SAs. Someone forges errors, or set net.inet.ipsec.icmp_quote to unchecked.")                              \
    X(icmp_unproven,                                                                                                   \
      "An ICMP error about an IPsec packet that we have not sent lately, by its SPI, sequence number or size. "        \
      "Someone "                                                                                                       \
      "forges errors to make tunnels narrow.")                                                                         \
    X(no_sa, "The policy requires an SA that is not there. Check `torii show sa` for its addresses and reqid.")        \
    X(sa_timeout,                                                                                                      \
      "The packet waited for an SA that its policy requires or that it came by, and none came within "                 \
      "net.key.larval_lifetime. Check "                                                                                \
      "`torii show sa`, and whether somebody answers the acquires in the log.")                                        \
    X(sa_queue_full,                                                                                                   \
      "More packets waited for SAs than are held, for one policy (net.key.acquire_hold), for one SPI or in all. "      \
      "Retries pass once "                                                                                             \
      "the SA is there.")                                                                                              \
    X(filter_wire,                                                                                                     \
      "A rule of the packet filter's hook wire blocks it, or the hook's default. Check `torii filter list`.")          \
    X(filter_clear,                                                                                                    \
      "A rule of the packet filter's hook clear blocks it, or the hook's default. Check `torii filter list`.")         \
    X(fragment_needs_ports,                                                                                            \
      "A fragment met a policy that asks for ports, and the first fragment of its packet, which has them, did not "    \
      "come before it. Use policies without ports for fragmented traffic.")                                            \
    X(fragment_not_agreed,                                                                                             \
      "A later fragment would go through a tunnel for certain ports whose peer did not agree to that by IKE "          \
      "(NON_FIRST_FRAGMENTS_ALSO, RFC 4301 7.3). Use selectors without ports for fragmented traffic.")                 \
    X(fragment_in_transport, "Transport mode is not applied to fragments (RFC 4303 3.3.4). Lower the sender's MTU.")   \
    X(unknown_spi,                                                                                                     \
      "No SA has this SPI and destination. The peer uses an SA we lack: compare `torii show sa` on both ends.")        \
    X(unknown_cpi,                                                                                                     \
      "No IPComp SA has this CPI and destination, and it is not DEFLATE's own. Compare `torii show sa` on both ends.") \
    X(esp_truncated,                                                                                                   \
      "The packet is too short for its SA's ESP header, IV, trailer and ICV, or not in whole cipher blocks.")          \
    X(bad_udp_length,                                                                                                  \
      "UDP to port 500 or 4500 of ours whose length is below its header's or beyond its packet's (RFC 768).")          \
    X(nat_keepalive,                                                                                                   \
      "The peer keeps its NAT's mapping alive with a single octet to port 4500 (RFC 3948 2.3). Normal.")               \
    X(encapsulation_mismatch,                                                                                          \
      "ESP came in UDP for an SA without encapsulation, or without UDP for an SA that has it. Make both ends esp or "  \
      "both esp-udp.")                                                                                                 \
    X(bad_ah_header, "The AH is cut short, or not as long as its SA's ICV makes it (RFC 4302 2.2).")                   \
    X(bad_ipcomp, "What IPComp carried is cut short or no DEFLATE data (RFC 2394).")                                   \
    X(decompressed_too_big,                                                                                            \
      "IPComp data would decompress beyond an IP packet or the packet's buffer. A bomb, or an MTU setting too low.")   \
    X(replayed,                                                                                                        \
      "The sequence number was seen before or lies left of the replay window. Reordering: enlarge the window (-r). "   \
      "Otherwise someone replays.")                                                                                    \
    X(bad_icv,                                                                                                         \
      "The integrity check failed: different keys or algorithms on both ends, or tampering. Compare keys with `torii " \
      "setkey -D`.")                                                                                                   \
    X(bad_padding,                                                                                                     \
      "The ESP padding is longer than the payload or not 1, 2, 3, ...: without authentication, a wrong key looks "     \
      "like this too.")                                                                                                \
    X(bad_inner_protocol,                                                                                              \
      "The decrypted packet carries no protocol that its SA's mode allows. A wrong key without authentication looks "  \
      "like this too.")                                                                                                \
    X(dummy_packet, "Next header 59: the peer hides its traffic's volume with dummy packets (RFC 4303 2.6). Normal.")  \
    X(bad_ecn, "Congestion was marked on the tunnel for a packet that cannot carry the mark (RFC 6040 4.2).")          \
    X(nested_too_deep, "More than 4 IPsec headers on one packet.")                                                     \
    X(gif_too_deep,                                                                                                    \
      "More than 4 gif ports' envelopes, one in another. Either somebody probes, or a route leads a gif's own "        \
      "packets into itself: check `torii show routes`.")                                                               \
    X(sequence_exhausted, "The SA has used all its sequence numbers and stopped (RFC 4303 3.3.3). Replace it.")        \
    X(lifetime_exceeded, "The SA reached its hard lifetime. Replace it.")                                              \
    X(no_room,                                                                                                         \
      "No room in the packet's buffer for the IPsec headers. Too many nested tunnels, or an MTU setting below the "    \
      "frames' size.")                                                                                                 \
    X(local_unwanted,                                                                                                  \
      "For one of our own addresses, but nobody here takes it: no host port is configured for other than ICMP echo.")  \
    X(ike_full,                                                                                                        \
      "More IKE messages than the control core takes. Someone floods UDP port 500 or 4500 of ours, or very many "      \
      "peers "                                                                                                         \
      "begin at once; those retry.")                                                                                   \
    X(bad_udp_checksum,                                                                                                \
      "An IKE message whose UDP checksum is wrong, or 0 over IPv6 (RFC 8200 8.1). Look for a faulty device or a "      \
      "sender's offload setting.")                                                                                     \
    X(bad_arp, "An ARP packet that is cut short, not for IPv4 over Ethernet, or claims our own address.")              \
    X(bad_discovery,                                                                                                   \
      "A neighbour solicitation or advertisement that RFC 4861 7.1 does not admit, or one that claims our address.")   \
    X(router_discovery,                                                                                                \
      "A router solicitation, router advertisement or redirect: routes are configured here, not heard. Normal on "     \
      "networks with IPv6.")                                                                                           \
    X(punt_full, "More packets for the control core than it takes. Someone floods the gateway's own addresses.")       \
    X(handover_full,                                                                                                   \
      "The worker that owns the SA is too busy to take more packets. Spread the tunnels, or add workers.")             \
    X(no_buffer,                                                                                                       \
      "The packet pool was empty, so a frame could not be received, or an answer of ours not be made. Raise mbufs.")   \
    X(tx_full, "The device took no more frames: the link is saturated or down. Check `torii show ports`.")             \
    X(shutting_down, "Held for later when the gateway stopped.")

enum class Drop : std::uint8_t {
    none,  // alive
#define X(name, advice) name,
    TORII_DROPS(X)
#undef X
};

struct DropInfo {
    std::string_view name, advice;
};

inline constexpr auto drop_table = std::to_array<DropInfo>({{"none", ""},
#define X(name, advice) {#name, advice},
                                                            TORII_DROPS(X)
#undef X
});
inline constexpr std::size_t drop_count = drop_table.size();

constexpr const DropInfo& info(Drop reason) { return drop_table[static_cast<std::size_t>(reason)]; }

}  // namespace torii
