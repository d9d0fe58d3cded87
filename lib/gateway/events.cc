// What happened, told to whoever listens: the workers' notices with repeats folded together, changes of the databases,
// and lifetimes as seen once a second.
#include <algorithm>

#include "gateway/gateway.h"

namespace torii {

using control::Event;
using control::SaState;

namespace {

constexpr unsigned notices_per_poll = 256;

/// Whether an eighth of the SA's sequence numbers is left, so that a new one is there before they end (RFC 4303 3.3.3).
bool nearly_spent(const OutboundSa& sa) { return sa.next_sequence.read() > sa.last_sequence / 8 * 7; }

bool same_cause(const Event& a, const Event& b) {
    return a.kind == b.kind && a.sa == b.sa && a.policy == b.policy && a.packet.source == b.packet.source &&
           a.packet.destination == b.packet.destination;
}

}  // namespace

bool Gateway::serve_notices() {
    std::vector<Event> events;
    for (const auto& worker : workers_) {
        Notice notice;
        for (unsigned i = 0; i < notices_per_poll && worker->notices().take(notice); ++i) {
            Event event{
                .kind = notice.kind, .policy = notice.policy, .sequence = notice.sequence, .packet = notice.packet};
            if (const auto sa = database_->sas().find(notice.serial); sa != database_->sas().end())
                event.sa = sa->second->spec.id;
            else
                event.sa = {notice.packet.source, notice.packet.destination, IpsecProtocol::esp, notice.spi};
            const auto known = std::ranges::find_if(events, [&](const Event& e) { return same_cause(e, event); });
            if (known == events.end())
                events.push_back(std::move(event));
            else
                ++known->repeated;
        }
    }
    for (const Event& event : events) {
        if (event.kind == Event::Kind::acquire)
            tell_acquire(event);
        else if (is_news(event))
            tell(event);
    }
    return !events.empty();
}

/// One event for each SA that the packet would have wanted and that is not there now.
void Gateway::tell_acquire(Event event) {
    const PolicyPtr policy = database_->spd().find(event.policy);
    if (!policy) return;  // gone in the meantime
    for (Request& request : publisher_->lacking(*policy, {event.packet.source, event.packet.destination}, *database_)) {
        event.sa = {request.endpoints->source, request.endpoints->destination, request.protocol, Spi{}};
        event.request = std::move(request);
        tell(event);
    }
}

/// Octet lifetimes end where workers count; the SA's state follows. False when its end is known already.
bool Gateway::is_news(const Event& event) {
    const SaPtr sa = database_->find(event.sa);
    if (!sa) return true;
    if (event.kind == Event::Kind::expire_soft && sa->state == SaState::mature) sa->state = SaState::dying;
    if (event.kind != Event::Kind::expire_hard) return true;
    if (sa->state == SaState::dead) return false;
    end(*sa);
    return true;
}

/// The SA takes and carries nothing more; policies that used it turn to another, or acquire one.
void Gateway::end(SaEntry& sa) {
    sa.state = SaState::dead;
    if (sa.inbound) sa.inbound->expired.store(true, std::memory_order_relaxed);
    if (sa.outbound) sa.outbound->expired.store(true, std::memory_order_relaxed);
    publisher_->publish_end(sa, *database_);
}

void Gateway::tell(const Event& event) {
    std::erase_if(listeners_, [](const auto& listener) { return listener.expired(); });
    const auto listeners = listeners_;  // one of them may listen or leave while it is told
    for (const auto& weak : listeners)
        if (const auto listener = weak.lock()) (*listener)(event);
}

void Gateway::tell(const Journal& journal) {
    if (listeners_.empty()) return;
    for (const Change& change : journal) {
        Event event;
        switch (change.kind) {
            case Change::Kind::sa_added: event.kind = Event::Kind::sa_added; break;
            case Change::Kind::sa_removed: event.kind = Event::Kind::sa_deleted; break;
            case Change::Kind::policy_added: event.kind = Event::Kind::policy_added; break;
            case Change::Kind::policy_removed: event.kind = Event::Kind::policy_deleted; break;
        }
        if (change.sa) event.sa = change.sa->spec.id;
        if (change.policy) event.policy = change.policy->id;
        tell(event);
    }
}

std::shared_ptr<void> Gateway::listen(Listener listener) {
    auto handle = std::make_shared<Listener>(std::move(listener));
    listeners_.push_back(handle);
    return handle;
}

/// Once a second: when each SA was last used, and lifetimes in seconds, packets and sequence numbers. Octets are
/// watched by the workers themselves.
void Gateway::check_lifetimes() {
    const auto unix_now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    std::vector<Event> events;
    for (const auto& [serial, sa] : database_->sas()) {
        const std::uint64_t packets = view(*sa).packets;
        if (packets != sa->packets_seen) sa->last_used_unix_seconds = unix_now;
        sa->packets_seen = packets;
        const auto age = static_cast<std::uint64_t>(std::max<std::int64_t>(0, unix_now - sa->created_unix_seconds));
        const auto& [hard, soft] = std::pair{sa->spec.hard, sa->spec.soft};
        const bool hard_over =
            (hard.seconds != 0 && age >= hard.seconds) || (hard.packets != 0 && packets >= hard.packets);
        const bool soft_over = (soft.seconds != 0 && age >= soft.seconds) ||
                               (soft.packets != 0 && packets >= soft.packets) ||
                               (sa->outbound && nearly_spent(*sa->outbound));
        if (hard_over && sa->state != SaState::dead) {
            end(*sa);
            events.push_back({.kind = Event::Kind::expire_hard, .sa = sa->spec.id});
        } else if (soft_over && !sa->soft_told && sa->state == SaState::mature) {
            sa->soft_told = true;
            sa->state = SaState::dying;
            events.push_back({.kind = Event::Kind::expire_soft, .sa = sa->spec.id});
        }
    }
    for (const Event& event : events) tell(event);
}

}  // namespace torii
