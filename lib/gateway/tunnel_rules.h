// What settings make of tunnels' outer headers. Control thread.
#pragma once

#include "control/settings.h"
#include "gateway/configuration.h"
#include "sa/tunnel_header.h"

namespace torii {

/// net.inet.ipsec.dfbit, ecn, tunnel_dscp, tunnel_ttl and tunnel_flowlabel as workers read them.
TunnelHeader tunnel_header(const control::Settings& settings, const DscpMap& dscps);

/// Mask on the ECN field of an outer header that arrives: what of it reaches the packet inside.
std::uint8_t believed_ecn(const control::Settings& settings);

/// Mask on DSCP and ECN of what AH over IPv4 authenticates.
std::uint8_t authenticated_class(const control::Settings& settings);

}  // namespace torii
