// How often an SA is asked for: once, then after so many packets asked in vain or so much time, as KAME's blockacq
// variables say. Bounded in memory, whatever addresses packets bear. Control thread.
#pragma once

#include <chrono>
#include <compare>
#include <map>

#include "control/settings.h"

namespace torii {

/// What an acquire asks for: one request of a policy, between the ends that its SA would have.
struct WantedSa {
    Endpoints ends;
    IpsecProtocol protocol = IpsecProtocol::esp;
    PolicyId policy{};
    Mode mode = Mode::any;
    ReqId reqid{};
    friend auto operator<=>(const WantedSa&, const WantedSa&) = default;
};

class AcquireLimit {
public:
    static constexpr std::size_t most = 4096;  // asked for at one time: bounds what a scan of addresses makes us ask
    using Time = std::chrono::steady_clock::time_point;

    /// So many more packets lack this SA; 0: one that has asked for another so far. How many an acquire told now would
    /// stand for; 0: be silent.
    std::uint64_t ask(const WantedSa& wanted, std::uint64_t packets, const control::Settings& settings, Time now);
    /// Such an SA is there: whoever lacks one after it is gone asks at once.
    void arrived(const Endpoints& ends, IpsecProtocol protocol);
    std::size_t size() const { return asked_.size(); }

private:
    struct Asked {
        Time when;
        std::uint64_t suppressed = 0;
    };
    std::map<WantedSa, Asked> asked_;
};

}  // namespace torii
