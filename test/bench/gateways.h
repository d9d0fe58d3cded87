// The gateways of one suite and number of tunnels, and how a row is measured on them. The measured gateway stands while
// sizes and directions change; the peers' gateway, which seals what the measured one is to open, is made when needed.
#pragma once

#include <memory>

#include "crypto/engine.h"
#include "test/bench/report.h"
#include "test/support/wires.h"

namespace torii::bench {

/// How long a row is measured.
enum class Patience : std::uint8_t {
    quick,    // as few windows as there can be
    settled,  // until more windows hardly change the least, for four seconds at most
    long_one  // for ten seconds, for a profiler to look at
};

class Gateways {
public:
    Gateways(const Work& work, const Setting& setting);
    /// Gives up when a packet is lost or has another length than it should.
    Row measure(Direction direction, Octets octets, Patience patience);

private:
    std::unique_ptr<test::Wires> make(const Configuration& configuration, const std::string& setkey,
                                      const char* who) const;
    void seal(const Frames& clear, Frames& sealed, const std::vector<std::uint16_t>& sealed_octets) const;

    const Work& work_;
    const Setting setting_;
    std::unique_ptr<CryptoBook> book_;  // the floor's
    std::unique_ptr<test::Wires> gateway_, peers_;
};

}  // namespace torii::bench
