// What happened, told to whoever listens: the workers' notices with repeats folded together, changes of the databases,
// and lifetimes as seen once a second.
#include <algorithm>

#include "dataplane/inbound_sas.h"
#include "gateway/gateway.h"

namespace torii {

using control::Event;
using control::SaState;

namespace {

constexpr unsigned notices_per_poll = 256;
constexpr std::chrono::seconds former_ends_taken{5};  // of an SA that has moved

/// Whether an eighth of the SA's sequence numbers is left, so that a new one is there before they end (RFC 4303 3.3.3).
bool nearly_spent(const OutboundSa& sa) { return sa.next_sequence.read() > sa.last_sequence / 8 * 7; }

/// Whether none is left of them: the next packet would have none.
bool is_spent(const OutboundSa& sa) { return sa.next_sequence.read() > sa.last_sequence; }

/// Whether the SA has been given other limits since the worker met the one it tells of.
bool is_outdated(const Notice& notice, const SaEntry& sa) {
    return notice.kind == Event::Kind::expire_hard && notice.limit != sa.spec.hard.octets &&
           notice.limit != sa.spec.hard.packets;
}

bool same_cause(const Event& a, const Event& b) {
    return a.kind == b.kind && a.sa == b.sa && a.policy == b.policy && a.packet.source == b.packet.source &&
           a.packet.destination == b.packet.destination;
}

}  // namespace

bool Gateway::serve_notices() {
    struct Heard {
        Event event;
        SaPtr sa;
    };
    std::vector<Heard> heard;
    for (const auto& worker : workers_) {
        Notice notice;
        for (unsigned i = 0; i < notices_per_poll && worker->notices().take(notice); ++i) {
            Heard one{.event = {.kind = notice.kind,
                                .policy = notice.policy,
                                .sequence = notice.sequence,
                                .flow_label = notice.flow_label,
                                .packet = notice.packet,
                                .start = notice.start},
                      .sa = {}};
            if (const auto at = database_->sas().find(notice.serial); at != database_->sas().end()) {
                if (is_outdated(notice, *at->second)) continue;
                one.sa = at->second;
                one.event.sa = one.sa->spec.id;
            } else {
                const std::uint8_t protocol = notice.packet.protocol;  // of what has no SA: ESP, AH or IPComp
                one.event.sa = {notice.packet.source, notice.packet.destination,
                                is_ipsec(protocol) ? IpsecProtocol{protocol} : IpsecProtocol::esp, notice.spi};
            }
            const auto known =
                std::ranges::find_if(heard, [&](const Heard& h) { return same_cause(h.event, one.event); });
            if (known == heard.end())
                heard.push_back(std::move(one));
            else
                ++known->event.repeated;
        }
    }
    for (const auto& [event, sa] : heard) {
        if (event.kind == Event::Kind::acquire)
            tell_acquire(event);
        else if (is_news(event, sa))
            tell(event);
        if (event.kind != Event::Kind::sequence_exhausted || !sa || !database_->sas().contains(sa->serial)) continue;
        end({&sa, 1});  // it can send nothing any more: another takes over, or is asked for (RFC 4303 3.3.3)
        tell({.kind = Event::Kind::expire_hard, .sa = event.sa});
    }
    return !heard.empty();
}

/// One event for each SA that the packet would have wanted and that is not there now, unless it was asked for lately.
void Gateway::tell_acquire(Event event) {
    const PolicyPtr policy = database_->spd().find(event.policy);
    if (!policy) return;  // gone in the meantime
    for (Request& request : publisher_->lacking(*policy, {event.packet.source, event.packet.destination}, *database_)) {
        event.sa = {request.endpoints->source, request.endpoints->destination, request.protocol, Spi{}};
        const WantedSa wanted{*request.endpoints, request.protocol, policy->id, request.mode, request.reqid};
        const std::uint64_t stands_for = acquires_.ask(wanted, event.repeated, live_, now_);
        event.request = std::move(request);
        if (stands_for == 0) continue;
        Event told = event;
        told.repeated = stands_for;
        tell(told);
    }
}

/// Lifetimes of octets and packets end where workers count; the SA's state follows. False when that is known already.
bool Gateway::is_news(const Event& event, const SaPtr& sa) {
    if (event.kind == Event::Kind::expire_soft) return sa && grow_old(*sa);
    if (event.kind != Event::Kind::expire_hard) return true;
    if (!sa || (sa->spec.hard.octets == 0 && sa->spec.hard.packets == 0) || !database_->sas().contains(sa->serial))
        return false;
    end({&sa, 1});
    return true;
}

/// The soft lifetime is over. False when that was told before.
bool Gateway::grow_old(SaEntry& sa) {
    if (std::exchange(sa.soft_told, true)) return false;
    sa.state = SaState::dying;
    return true;
}

/// The hard lifetime of these is over: they go as if they were deleted, and policies that used them turn to others, or
/// acquire some. The event of that is expire_hard alone, as in KAME.
void Gateway::end(std::span<const SaPtr> sas) {
    std::vector<control::Located> transaction;
    for (const SaPtr& sa : sas) transaction.push_back({control::DeleteSa{sa->spec.id}, {}});
    end(std::move(transaction));
}

void Gateway::end(std::span<const PolicyPtr> policies) {
    std::vector<control::Located> transaction;
    for (const PolicyPtr& policy : policies)
        transaction.push_back({control::DeletePolicy{policy->direction, policy->selector}, {}});
    end(std::move(transaction));
}

void Gateway::end(std::vector<control::Located> transaction) {
    Journal journal;
    (void)database_->apply(std::move(transaction), {}, journal);
    publisher_->publish(journal, *database_);
    send_what_waited(journal);
}

void Gateway::tell(Event event) {
    event.unix_seconds = unix_now();
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
            case Change::Kind::sa_kept:
            case Change::Kind::sa_moved:
            case Change::Kind::filter_changed: continue;
            case Change::Kind::sa_added: event.kind = Event::Kind::sa_added; break;
            case Change::Kind::sa_removed:
                if (database_->sas().contains(change.sa->serial)) continue;  // it lives on
                event.kind = Event::Kind::sa_deleted;
                break;
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

namespace {

bool is_over(const control::Lifetime& limit, std::chrono::seconds age, const control::SaView& sa) {
    return (limit.seconds != 0 && static_cast<std::uint64_t>(age.count()) >= limit.seconds) ||
           (limit.packets != 0 && sa.packets >= limit.packets);
}

}  // namespace

/// Once a second: when each SA was last used, what lifetimes are over, and what was learnt of paths long ago. Workers
/// stop at hard limits of octets and packets to the packet, and tell of the soft one at once; a flood of notices may
/// lose that, so it is looked at here as well.
void Gateway::check_lifetimes() {
    std::vector<SaPtr> over;
    std::vector<Event> events;
    for (const auto& [serial, sa] : database_->sas()) {
        const control::SaView seen = view(*sa);
        if (seen.packets != sa->packets_seen) sa->last_used_unix_seconds = unix_now();
        sa->packets_seen = seen.packets;
        forget_old_path(*sa);
        if (sa->moved_at != SteadyTime{} && now_ >= sa->moved_at + former_ends_taken) publisher_->settle(*sa);
        const auto age = std::chrono::duration_cast<std::chrono::seconds>(now_ - sa->created.steady);
        const control::Lifetime& soft = sa->spec.soft;
        const bool never_came =
            sa->state == SaState::larval && age >= std::chrono::seconds{live_.larval_lifetime_seconds};
        const bool spent = sa->outbound && is_spent(*sa->outbound);
        if (never_came || spent || is_over(sa->spec.hard, age, seen)) {
            over.push_back(sa);
            events.push_back({.kind = Event::Kind::expire_hard, .sa = sa->spec.id});
        } else if (is_over(soft, age, seen) || (soft.octets != 0 && seen.octets >= soft.octets) ||
                   (sa->outbound && nearly_spent(*sa->outbound))) {
            if (grow_old(*sa)) events.push_back({.kind = Event::Kind::expire_soft, .sa = sa->spec.id});
        }
    }
    if (!over.empty()) end(over);
    for (const Event& event : events) tell(event);
}

/// Once a second: policies whose lifetime is over, or that no packet met for so long. Workers note a use within a
/// second of it, so that an idle one ends a second late rather than early.
void Gateway::check_policies() {
    std::vector<PolicyPtr> over;
    std::erase_if(mortal_policies_, [&](const auto& entry) {
        const auto& [policy, created] = entry;
        if (database_->spd().find(policy->id) == nullptr) return true;
        const auto used = std::max(created, SteadyTime{std::chrono::seconds{policy->last_use->second()}});
        const auto reached = [&](SteadyTime since, std::uint32_t seconds) {
            return seconds != 0 && now_ - since >= std::chrono::seconds{seconds};
        };
        const bool ends = reached(created, policy->lifetime_seconds) ||
                          reached(used + std::chrono::seconds{1}, policy->validtime_seconds);
        if (ends) over.push_back(policy);
        return ends;
    });
    if (!over.empty()) end(over);
    for (const PolicyPtr& policy : over) tell({.kind = Event::Kind::policy_expired, .policy = policy->id});
}

/// Once a second: how many notices found no room, so that a flood is seen as one.
void Gateway::check_notices() {
    std::uint64_t lost = 0;
    for (const auto& worker : workers_) lost += worker->notices().lost();
    if (lost != notices_lost_told_) tell({.kind = Event::Kind::notices_lost, .repeated = lost - notices_lost_told_});
    notices_lost_told_ = lost;
}

}  // namespace torii
