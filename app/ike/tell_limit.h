// How much of one IKE SA is told: a peer who has proven who he is can still send what is worth a warning as fast as he
// likes, and neither fills a disk with that nor takes other peers' lines. Control thread.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ike/v2/actions.h"

namespace torii {

class TellLimit {
public:
    /// So many a second of one IKE SA. What comes of many children in good faith are lines of other levels.
    static constexpr unsigned most_problems = 10, most_others = 500;

    /// Whether this one is told. Those of no IKE SA are: the engine counts them (Turn::tell).
    bool admits(const ike::Tell& tell, ike::Instant now) {
        if (tell.sa == ike::IkeSaId{}) return true;
        if (this_second_.empty()) ends_ = now + ike::Instant{1000};
        using Level = ike::Tell::Level;
        const bool problem = tell.level == Level::warning || tell.level == Level::error;
        Budget& budget = this_second_[{tell.sa, tell.level}];
        if (budget.told == (problem ? most_problems : most_others)) {
            budget.connection = tell.connection;
            ++budget.left_out;
            has_left_out_ = true;
            return false;
        }
        ++budget.told;
        return true;
    }
    /// Whether finish() has something to say when the second ends.
    bool has_left_out() const { return has_left_out_; }
    ike::Instant ends() const { return ends_; }
    /// Once the second is over: what was left out in it, and the next ones are let through.
    std::vector<ike::Tell> finish(ike::Instant now) {
        std::vector<ike::Tell> out;
        if (now < ends_) return out;
        for (const auto& [of, budget] : this_second_)
            if (budget.left_out != 0)
                out.push_back({of.second, of.first, budget.connection,
                               std::to_string(budget.left_out) + " more such lines of one second were left out"});
        this_second_.clear();
        has_left_out_ = false;
        return out;
    }

private:
    struct Budget {
        unsigned told = 0, left_out = 0;
        std::string connection;
    };
    std::map<std::pair<ike::IkeSaId, ike::Tell::Level>, Budget> this_second_;
    ike::Instant ends_{};
    bool has_left_out_ = false;
};

}  // namespace torii
