// What one setting alone cannot tell: ports, addresses, routes and neighbours that must fit each other and the
// machine. One thread; part of one reading.
#pragma once

#include "app/config/problems.h"
#include "gateway/configuration.h"

namespace torii::config {

/// Tells everything about `configuration` that does not fit together. Elements that are wrong by themselves already
/// are left out. `cores`: how many the machine has.
void check(const Configuration& configuration, unsigned cores, Problems& problems);

/// The port whose network holds `address`, the longest prefix first; null: none. Link-local addresses are in nobody's,
/// because every port has that network.
const PortConfiguration* port_holding(const Configuration& configuration, const Address& address);

}  // namespace torii::config
