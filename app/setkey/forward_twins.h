// Linux's files say each inbound policy twice: `in` for what ends at the machine, `fwd` for what passes through. A
// gateway's `in` is both, so that of such twins in one text the second is passed over.
#pragma once

#include <map>

#include "policy/policy.h"

namespace torii::setkey {

class ForwardTwins {
public:
    /// Notes that the text makes `policy`, with the word fwd or in; true when that is the twin of one it made before.
    bool made(const Policy& policy, bool forward);
    /// The same for one that the text removes.
    bool removed(const Policy& policy, bool forward);

private:
    struct Said {
        bool forward = false;
        bool removed = false;
        PolicyAction action{};
        std::int32_t priority = 0;
        std::uint32_t lifetime_seconds = 0, validtime_seconds = 0;
        std::vector<Request> requests{};
        friend bool operator==(const Said&, const Said&) = default;
    };
    bool is_twin(const Policy& policy, Said said);

    std::map<Selector, Said> inbound_;  // what the text said of each last, until its twin came
};

}  // namespace torii::setkey
