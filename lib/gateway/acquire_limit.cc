#include "gateway/acquire_limit.h"

#include <algorithm>

namespace torii {

std::uint64_t AcquireLimit::ask(const WantedSa& wanted, std::uint64_t packets, const control::Settings& settings,
                                Time now) {
    const auto is_over = [&](const auto& entry) {
        return now - entry.second.when >= std::chrono::seconds{settings.blockacq_lifetime_seconds};
    };
    auto at = asked_.find(wanted);
    if (at == asked_.end()) {
        if (asked_.size() == most) std::erase_if(asked_, is_over);
        if (asked_.size() == most) return 0;
        asked_.emplace(wanted, Asked{now});
        return std::max<std::uint64_t>(packets, 1);
    }
    Asked& asked = at->second;
    if (!is_over(*at) && asked.suppressed + packets <= settings.blockacq_count) {
        asked.suppressed += packets;
        return 0;
    }
    const std::uint64_t stands_for = std::max<std::uint64_t>(asked.suppressed + packets, 1);
    asked = {now};
    return stands_for;
}

void AcquireLimit::arrived(const Endpoints& ends, IpsecProtocol protocol) {
    auto at = asked_.lower_bound({.ends = ends, .protocol = protocol});
    while (at != asked_.end() && at->first.ends == ends && at->first.protocol == protocol) at = asked_.erase(at);
}

}  // namespace torii
