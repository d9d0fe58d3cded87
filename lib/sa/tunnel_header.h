// What a tunnel's outer header takes from the packet inside and what it says by itself (RFC 4301 5.1.2.1, RFC 6040): a
// value that settings make, and that every outbound SA points to. Workers read it, the control thread replaces it.
#pragma once

#include <array>
#include <cstdint>

#include "net/headers.h"

namespace torii {

struct TunnelHeader {
    std::array<std::uint8_t, 256> classes;                        // outer DSCP and ECN, by those of the packet inside
    std::uint16_t df_copied = Ipv4Header::dont_fragment, df = 0;  // the outer bit: the inner one, masked, or `df`
    std::uint8_t hops_copied = 0, hops = 64;                      // the same of TTL or hop limit, octets 0 and 255
    std::uint32_t label_copied = 0;                               // a mask on the inner flow label (RFC 6437)

    constexpr std::uint16_t outer_df(std::uint16_t inner) const {
        return static_cast<std::uint16_t>((inner & df_copied) | df);
    }
    constexpr std::uint8_t outer_hops(unsigned inner) const {
        return static_cast<std::uint8_t>((inner & hops_copied) | hops);
    }
    friend bool operator==(const TunnelHeader&, const TunnelHeader&) = default;
};

/// DSCP, ECN and DF as inside, 64 hops, flow label 0.
constexpr TunnelHeader make_usual_tunnel_header() {
    TunnelHeader header{};
    for (std::size_t i = 0; i < header.classes.size(); ++i) header.classes[i] = static_cast<std::uint8_t>(i);
    return header;
}
inline constexpr TunnelHeader usual_tunnel_header = make_usual_tunnel_header();

}  // namespace torii
