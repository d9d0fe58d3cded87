// What IKE says and hears through the gateway: one message in UDP, as a plain value. Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "net/address.h"

namespace torii::control {

inline constexpr std::uint16_t ike_port = 500;

/// One IKE message in UDP: from `remote` to `local` when it came in, the other way when it goes out. On port 4500 four
/// octets of zero stand in front of it on the wire (RFC 3948 2.2); they are never part of `octets`. The ports are those
/// on the wire, so a NAT in between shows.
struct IkeDatagram {
    Address local, remote;
    std::uint16_t local_port = ike_port, remote_port = ike_port;
    std::span<const std::byte> octets;  // borrowed for the call
};

/// Called on the control thread; false: there is no room for it, and it is dropped as `ike_full`. It must not let its
/// own handle go.
using IkeReceiver = std::function<bool(const IkeDatagram&)>;

}  // namespace torii::control
