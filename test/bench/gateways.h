// The gateways of one suite and number of tunnels, and how a row is measured on them. The measured gateway stands while
// sizes and directions change; the peers' gateway, which seals what the measured one is to open, is made when needed.
#pragma once

#include <memory>

#include "crypto/engine.h"
#include "test/bench/report.h"
#include "test/support/wires.h"

namespace torii::bench {

class Gateways {
public:
    Gateways(const MeasuredSuite& suite, const std::string& kernel, unsigned tunnels, unsigned burst);
    /// `quick`: as few windows as there can be. Gives up when a packet is lost or altered.
    Row measure(Direction direction, Octets octets, bool quick);

private:
    std::unique_ptr<test::Wires> make(Configuration configuration, const std::string& setkey, const char* who) const;
    void seal(const Frames& clear, Frames& sealed, const std::vector<std::uint16_t>& sealed_octets) const;

    const MeasuredSuite& suite_;
    const std::string kernel_;
    const unsigned tunnels_, burst_;
    std::unique_ptr<CryptoBook> book_;  // the floor's
    std::unique_ptr<test::Wires> gateway_, peers_;
};

}  // namespace torii::bench
