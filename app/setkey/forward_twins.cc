#include "app/setkey/forward_twins.h"

namespace torii::setkey {

bool ForwardTwins::made(const Policy& policy, bool forward) {
    return is_twin(policy, {forward, false, policy.action, policy.priority, policy.lifetime_seconds,
                            policy.validtime_seconds, policy.requests});
}

bool ForwardTwins::removed(const Policy& policy, bool forward) { return is_twin(policy, {forward, true}); }

bool ForwardTwins::is_twin(const Policy& policy, Said said) {
    if (policy.direction != Direction::inbound) return false;
    Said twin = said;
    twin.forward = !said.forward;
    const auto before = inbound_.find(policy.selector);
    if (before != inbound_.end() && before->second == twin) {
        inbound_.erase(before);
        return true;
    }
    inbound_.insert_or_assign(policy.selector, std::move(said));
    return false;
}

}  // namespace torii::setkey
