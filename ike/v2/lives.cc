// IKE SAs come, grow old and go, and what is due when (RFC 7296 2.4, 2.8). What each message does is elsewhere.
#include <algorithm>
#include <ranges>

#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

constexpr Instant longest_handover{60'000};
constexpr Instant closed_lives{30'000};    // the peer repeats its last request for half a minute at most
constexpr Instant first_packet_look{100};  // how soon a responder sees that the peer uses the new SA
constexpr Instant first_restart{1'000}, longest_restart{300'000};

}  // namespace

Actions Turn::finish() {
    for (const IkeSaId id : touched_) {
        const auto found = engine.by_id_.find(id);
        if (found == engine.by_id_.end()) continue;
        IkeSa& sa = *found->second;
        engine.timers_.erase({sa.wake, id});
        return_addresses(sa);
        if (sa.state == IkeState::dead) {
            leave_half_open(sa);
            if (sa.first_request) engine.by_first_request_.erase(*sa.first_request);
            engine.directory_.remove(sa);
            engine.by_id_.erase(found);
            engine.by_spi_.erase(static_cast<std::uint64_t>(sa.our_spi()));
            continue;
        }
        sa.wake = next_of(sa);
        engine.timers_.insert({sa.wake, id});
    }
    touched_.clear();
    return std::move(actions);
}

void Turn::touch(IkeSa& sa) { touched_.insert(sa.id); }

void Turn::begin_second() {
    if (now.steady - engine.complaints_since_ < Instant{1000}) return;
    engine.complaints_since_ = now.steady;
    engine.complaints_ = engine.strangers_told_ = engine.strangers_messages_ = 0;
}

Address Turn::source_of(const Address& address) { return address.is_v4() ? address : Prefix{address, 64}.base(); }

void Turn::tell(Tell::Level level, const IkeSa* sa, std::string text) {
    if (sa == nullptr && level != Tell::Level::error) {  // strangers' doing: they must not fill the log
        begin_second();
        if (++engine.strangers_told_ > Engine::most_complaints_a_second) return;
    }
    actions.emplace_back(
        Tell{level, sa ? sa->id : IkeSaId{}, sa ? std::string{sa->connection_name()} : "", std::move(text)});
}

IkeSa& Turn::add(std::unique_ptr<IkeSa> made) {
    IkeSa& sa = *made;
    sa.id = IkeSaId{engine.next_id_++};
    sa.created = now.steady;
    if (sa.last_heard == Instant{}) sa.last_heard = now.steady;
    engine.by_id_.emplace(sa.id, &sa);
    engine.directory_.add(sa);
    engine.by_spi_.emplace(static_cast<std::uint64_t>(sa.our_spi()), std::move(made));
    touch(sa);
    return sa;
}

IkeSpi Turn::fresh_spi() {
    for (;;) {
        const std::uint64_t number = engine.crypto_.number();
        if (number != 0 && !engine.by_spi_.contains(number)) return IkeSpi{number};
    }
}

/// Random over the whole range but for what is reserved: a stranger cannot guess it, and a manual SA in the way is
/// refused by the gateway, which is told as any other refusal.
Spi Turn::fresh_child_spi() {
    for (;;) {
        const auto number = static_cast<std::uint32_t>(engine.crypto_.number());
        if (number >= 0x10000) return Spi{number};
    }
}

Instant Turn::jittered(std::uint32_t seconds) {
    const std::int64_t milliseconds = std::int64_t{seconds} * 1000;
    return Instant{milliseconds -
                   static_cast<std::int64_t>(engine.crypto_.below(static_cast<std::uint64_t>(milliseconds / 10 + 1)))};
}

void Turn::set_lifetimes(IkeSa& sa) {
    const std::uint32_t seconds = sa.connection->rekey_seconds;
    sa.rekey_at = seconds == 0 ? Instant{} : now.steady + jittered(seconds);
    sa.expires_at = seconds == 0 ? Instant{} : now.steady + Instant{seconds * 1200ll};
}

void Turn::leave_half_open(IkeSa& sa) {
    if (!sa.counts_as_half_open) return;
    sa.counts_as_half_open = false;
    --engine.half_open_;
    const auto source = engine.half_open_by_source_.find(source_of(sa.first_request->first.address));
    if (source != engine.half_open_by_source_.end() && --source->second == 0) engine.half_open_by_source_.erase(source);
}

void Turn::destroy(IkeSa& sa, const std::string& why) {
    if (sa.state == IkeState::dead) return;
    const bool quiet = sa.state == IkeState::deleting || sa.state == IkeState::rekeyed || sa.state == IkeState::closed;
    const bool ordered = sa.state == IkeState::deleting && !sa.superseded;
    tell(ordered ? Tell::Level::info : quiet ? Tell::Level::debug : Tell::Level::warning, &sa, "ends: " + why);
    std::vector<control::Operation> operations;
    while (!sa.children.empty()) remove(sa, *sa.children.front(), operations);
    apply(std::move(operations));
    leave_half_open(sa);
    sa.state = IkeState::dead;
    sa.queue.clear();
    sa.awaited.clear();
    sa.outstanding.reset();
    if (!quiet) restart(sa);
    touch(sa);
}

void Turn::close(IkeSa& sa, const std::string& why) {
    const bool wanted = sa.state == IkeState::established;
    tell(Tell::Level::info, &sa, "ends: " + why);
    std::vector<control::Operation> operations;
    while (!sa.children.empty()) remove(sa, *sa.children.front(), operations);
    apply(std::move(operations));
    // One that was refused counts as half open until it is forgotten, or failures would be kept without a limit.
    sa.state = IkeState::closed;
    sa.queue.clear();
    sa.awaited.clear();
    sa.outstanding.reset();
    sa.expires_at = now.steady + closed_lives;
    if (wanted) restart(sa);
    touch(sa);
}

/// What is to be up by itself is tried again, after twice as long each time.
void Turn::restart(const IkeSa& sa) {
    if (!sa.connection || engine.shutting_down_) return;
    const Connection& connection = *sa.connection;
    const bool wanted =
        std::ranges::any_of(connection.children, [](const ChildConfig& c) { return c.start == StartAction::start; });
    if (!wanted || established(connection) != nullptr) return;
    const unsigned failures = engine.starts_.failures(connection.name);
    const auto wait = std::min(first_restart * (std::int64_t{1} << std::min(failures, 10u)), longest_restart);
    engine.starts_.set(connection.name,
                       now.steady + wait + Instant{static_cast<std::int64_t>(engine.crypto_.below(500))}, failures + 1);
}

IkeSa* Turn::established(const Connection& connection) const {
    for (const auto& [id, sa] : engine.directory_.of(connection) | std::views::reverse)  // the newest
        if (sa->state == IkeState::established && !sa->superseded) return sa;
    return nullptr;
}

IkeSa* Turn::being_made(const Connection& connection) const {
    for (const auto& [id, sa] : engine.directory_.of(connection) | std::views::reverse)
        if (sa->initiator && is_being_made(sa->state)) return sa;
    return nullptr;
}

void Turn::due_child(IkeSa& sa, ChildSa& child) {
    if (child.remove_inbound_at != Instant{}) {
        if (now.steady >= child.remove_inbound_at) {
            std::vector<control::Operation> operations;
            remove(sa, child, operations);
            apply(std::move(operations));
        }
        return;
    }
    if (child.pending_outbound && child.state != ChildSa::State::deleting &&
        engine.traffic_.packets(inbound_sa(sa, child)) != 0) {
        std::vector<control::Operation> operations;
        install_outbound(sa, child, operations);
        apply(std::move(operations), child.id);
    }
    if (child.state == ChildSa::State::deleting) return;
    if (child.expires_at != Instant{} && now.steady >= child.expires_at) {
        const ChildConfig* config = child.config;
        tell(Tell::Level::warning, &sa,
             "child " + config->name + " " + text_of(child.inbound) +
                 (child.state == ChildSa::State::replaced ? " is too old: who replaced it did not delete it"
                                                          : " is too old"));
        child.state = ChildSa::State::deleting;
        enqueue(sa, DeleteChildren{child.protocol, {child.inbound}});
        return child_lost(sa, config);
    }
    if (child.state == ChildSa::State::replaced) return;
    if (child.rekey_at != Instant{} && now.steady >= child.rekey_at) {
        child.rekey_at = now.steady + Instant{30'000};  // should this attempt come to nothing
        settle_twins(sa, child);                        // where an exchange in between kept us from it
        if (ChildSa* still = sa.child(child.id); still != nullptr) rekey_child(sa, *still);
    }
}

void Turn::due(IkeSa& sa) {
    touch(sa);
    if (sa.outstanding && now.steady >= sa.outstanding->next) retransmit(sa);
    if (sa.state == IkeState::dead) return;
    if (sa.state == IkeState::init_answered) {
        if (now.steady >= sa.created + Instant{engine.config_.limits.half_open_seconds * 1000ll})
            destroy(sa, "no IKE_AUTH came");
        return;
    }
    if (sa.state == IkeState::closed || sa.state == IkeState::rekeyed || sa.state == IkeState::deleting) {
        if (sa.expires_at != Instant{} && now.steady >= sa.expires_at && sa.state != IkeState::deleting)
            destroy(sa, "nothing more was heard");
        else
            pump(sa);
        return;
    }
    if (sa.state != IkeState::established) return;

    std::erase_if(sa.awaited, [&](const Awaited& his) { return now.steady >= his.expires_at; });  // RFC 9370 2.2.4
    // Children may go while they are looked at, and others come: by their numbers.
    std::vector<ChildId> numbers;
    for (const auto& child : sa.children) numbers.push_back(child->id);
    for (const ChildId number : numbers)
        if (ChildSa* child = sa.child(number); child != nullptr && sa.state == IkeState::established)
            due_child(sa, *child);
    if (sa.state != IkeState::established) return;

    if (sa.expires_at != Instant{} && now.steady >= sa.expires_at) {
        if (is_handing_over(sa)) {
            sa.expires_at = now.steady + Instant{1000};
            return pump(sa);
        }
        if (!sa.superseded) tell(Tell::Level::warning, &sa, "is too old: it was not rekeyed in time");
        restart_after_delete(sa);
        return;
    }
    if (sa.reauth_at != Instant{} && now.steady >= sa.reauth_at && sa.began) {
        sa.reauth_at = now.steady + Instant{60'000};
        begin_reauth(sa);
    }
    if (sa.rekey_at != Instant{} && now.steady >= sa.rekey_at) {
        sa.rekey_at = now.steady + Instant{30'000};
        if (!sa.waits_for<RekeyIke>()) enqueue(sa, RekeyIke{});
    }
    const std::uint32_t dpd = sa.connection->dpd_seconds;
    if (dpd != 0 && !sa.outstanding && now.steady >= sa.last_heard + Instant{dpd * 1000ll}) {
        bool heard = false;  // 2.4: traffic through its children is a sign of life too
        for (const auto& child : sa.children) {
            const std::uint64_t packets = engine.traffic_.packets(inbound_sa(sa, *child));
            heard = heard || packets > child->packets_seen;
            child->packets_seen = packets;
        }
        if (heard)
            sa.last_heard = now.steady;
        else if (!sa.waits_for<Liveness>())
            enqueue(sa, Liveness{});
    }
    pump(sa);
}

/// Whether the IKE SA that took its place has not yet got all the children, each an exchange of its own.
bool Turn::is_handing_over(const IkeSa& sa) const {
    const IkeSa* const next = sa.superseded ? established(*sa.connection) : nullptr;
    return next != nullptr && next->waits_for<CreateChild>() && now.steady < next->established_at + longest_handover;
}

void Turn::restart_after_delete(IkeSa& sa) {
    const auto connection = sa.connection;
    send_delete_ike_now(sa);
    restart(sa);
}

/// The window may be taken: then the SA ends without a word, since it is too late for one.
void Turn::send_delete_ike_now(IkeSa& sa) {
    if (sa.outstanding) sa.outstanding.reset();
    send_delete_ike(sa, DeleteIke{});
}

/// A new IKE SA from the beginning, with all that this one has; this one goes once the new one stands (make before
/// break).
void Turn::begin_reauth(IkeSa& sa) {
    if (const auto next = engine.by_id_.find(sa.replaced_by);
        next != engine.by_id_.end() && is_being_made(next->second->state))
        return;
    std::deque<Task> further;
    std::optional<CreateChild> first;
    for (const auto& child : sa.children) {
        if (child->state != ChildSa::State::installed && child->state != ChildSa::State::rekeying) continue;
        CreateChild again;
        again.config = child->config;
        if (!is_dynamic(*sa.connection, *child->config)) again.traffic = child->traffic;
        again.reqid = child->reqid;
        if (child->ipcomp) again.ipcomp_reqid = child->ipcomp->reqid;
        if (first)
            further.emplace_back(std::move(again));
        else
            first = std::move(again);
    }
    const auto begun = initiate(sa.connection, std::move(first), sa.id);
    if (!begun) return tell(Tell::Level::error, &sa, "no reauthentication: " + begun.error().message);
    sa.replaced_by = (*begun)->id;
    (*begun)->queue = std::move(further);
}

Instant Turn::next_of(const IkeSa& sa) const {
    Instant next = now.steady + Instant{3'600'000};
    const auto consider = [&](Instant at) {
        if (at != Instant{}) next = std::min(next, at);
    };
    if (sa.outstanding) consider(sa.outstanding->next);
    if (sa.state == IkeState::init_answered)
        consider(sa.created + Instant{engine.config_.limits.half_open_seconds * 1000ll});
    if (sa.state == IkeState::deleting) return next;
    consider(sa.expires_at);
    if (!sa.outstanding && !sa.queue.empty() && !must_wait(sa))
        consider(std::max(sa.not_before, now.steady + Instant{1}));
    if (sa.state != IkeState::established) return next;
    consider(sa.rekey_at);
    for (const Awaited& his : sa.awaited) consider(his.expires_at);
    if (sa.began) consider(sa.reauth_at);
    if (sa.connection->dpd_seconds != 0 && !sa.outstanding)
        consider(std::max(sa.last_heard + Instant{sa.connection->dpd_seconds * 1000ll}, now.steady + Instant{1}));
    for (const auto& child : sa.children) {
        consider(child->remove_inbound_at);
        if (child->remove_inbound_at != Instant{}) continue;
        if (child->pending_outbound && child->state != ChildSa::State::deleting)
            consider(now.steady + first_packet_look);
        if (child->state == ChildSa::State::deleting) continue;
        if (child->state != ChildSa::State::replaced) consider(child->rekey_at);
        consider(child->expires_at);
    }
    return next;
}

}  // namespace torii::ike
