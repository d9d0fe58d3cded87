// A capture on its way to one client of the control socket: packets become pcapng blocks, blocks become lines. Control
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "control/captured.h"
#include "observe/pcapng.h"

namespace torii::rpc {

class CaptureStream {
public:
    /// The packet's block in hexadecimal; the first has the file's beginning in front, and the first of an interface
    /// that interface's description. An interface is a port and a hook, so that both sides of IPsec can be told apart:
    /// "wan", "wan clear".
    std::string text_of(const control::CapturedPacket& packet);

private:
    std::map<std::string, std::uint32_t> interfaces_;
};

}  // namespace torii::rpc
