#include "gateway/tunnel_rules.h"

namespace torii {

namespace {

constexpr unsigned ecn_bits = 3, dscp_shift = 2, copied_dscp = 64;

}  // namespace

TunnelHeader tunnel_header(const control::Settings& settings, const DscpMap& dscps) {
    using control::DontFragment;
    TunnelHeader out;
    const unsigned ecn = settings.ecn == control::EcnTunnel::allowed ? ecn_bits : 0;  // RFC 6040 4.1: normal mode
    for (unsigned inner = 0; inner < out.classes.size(); ++inner) {
        const unsigned dscp = settings.tunnel_dscp == copied_dscp ? dscps[inner >> dscp_shift] : settings.tunnel_dscp;
        out.classes[inner] = static_cast<std::uint8_t>(dscp << dscp_shift | (inner & ecn));
    }
    out.df_copied = settings.dfbit == DontFragment::copy ? Ipv4Header::dont_fragment : std::uint16_t{0};
    out.df = settings.dfbit == DontFragment::set ? Ipv4Header::dont_fragment : std::uint16_t{0};
    out.hops_copied = settings.tunnel_ttl == 0 ? 0xff : 0;
    out.hops = static_cast<std::uint8_t>(settings.tunnel_ttl);
    out.label_copied = settings.tunnel_flowlabel == control::FlowLabelTunnel::copy ? 0xfffff : 0;
    return out;
}

std::uint8_t believed_ecn(const control::Settings& settings) {
    return settings.ecn == control::EcnTunnel::allowed ? ecn_bits : 0;
}

std::uint8_t authenticated_class(const control::Settings& settings) { return settings.ah_cleartos ? 0 : 0xff; }

}  // namespace torii
