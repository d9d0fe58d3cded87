// IKE_FOLLOWUP_KE (RFC 9370 2.2.4): the additional key exchanges of a CREATE_CHILD_SA, one in each, linked by a blob of
// the responder's. What CREATE_CHILD_SA asked for comes to be with the last one:
//     HDR, SK {KEi(n), N(ADDITIONAL_KEY_EXCHANGE)(link n)}  -->
//                               <--  HDR, SK {KEr(n), [N(ADDITIONAL_KEY_EXCHANGE)(link n+1)]}
// Of two ends that rekey at once, the one that the lowest of the four nonces speaks against stops before them.
#include <algorithm>

#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

constexpr std::size_t link_octets = 16;
constexpr std::size_t most_awaited = 4;   // series of one peer: his window is small, and he does one after the other
constexpr Instant awaited_lives{20'000};  // RFC 9370 2.2.4: 5 to 20 seconds
constexpr unsigned most_lost_states = 3;  // then the IKE SA ends

void append(SecretBytes& to, const SecretBytes& secret) {
    SecretBytes joined{to.size() + secret.size()};
    std::ranges::copy(secret.octets(), std::ranges::copy(to.octets(), joined.octets().begin()).out);
    to = std::move(joined);
}

}  // namespace

Octets Exchanged::lowest_nonce() const { return std::min(nonce_initiator, nonce_responder); }

bool is_passing(const Payloads& payloads) {
    return find_notify(payloads, NotifyType::temporary_failure) != nullptr ||
           find_notify(payloads, NotifyType::state_not_found) != nullptr;
}

// ---- initiator

/// Our CREATE_CHILD_SA has its answer. True: what it is for waits for additional key exchanges, or comes to nothing
/// since the peer asked for the same and his is kept.
bool Turn::follow_up(IkeSa& sa, const Payloads& answered, Outstanding& what) {
    const auto* chosen = find<Sa>(answered);
    const auto* nonce = find<Nonce>(answered);
    if (what.follow_up || chosen == nullptr || nonce == nullptr || chosen->proposals.size() != 1) return false;
    const KeMethod method = what.key_exchange ? what.key_exchange->method() : KeMethod::none;
    const auto suite = accept(what.offered, chosen->proposals[0], {method, method == KeMethod::none});
    if (!suite || suite->further().empty()) return false;
    const Octets ours = std::min(what.nonce, nonce->value);
    if (loses_to_twin(sa, what, ours)) {
        stand_back(sa, what);
        return true;
    }
    forget_rival(sa, what);
    what.follow_up.emplace();
    what.follow_up->answered = answered;
    what.follow_up->methods = suite->further();
    send_follow_up(sa, answered, std::move(what));
    return true;
}

bool Turn::loses_to_twin(const IkeSa& sa, const Outstanding& what, const Octets& lowest_nonce) const {
    if (what.rival && lowest_nonce < *what.rival) return true;
    if (const ChildSa* twin = what.twin ? sa.child(*what.twin) : nullptr) return lowest_nonce < twin->lowest_nonce;
    if (!what.twin_ike) return false;
    const auto twin = engine.by_id_.find(*what.twin_ike);
    return twin != engine.by_id_.end() && lowest_nonce < twin->second->lowest_nonce;
}

/// The peer's loses, and he will not go on with it.
void Turn::forget_rival(IkeSa& sa, Outstanding& what) {
    if (what.rival)
        std::erase_if(sa.awaited, [&](const Awaited& his) { return his.exchanged.lowest_nonce() == *what.rival; });
    what.rival.reset();
}

/// RFC 9370 2.2.4: nothing of ours is there yet, so there is nothing to be deleted.
void Turn::stand_back(IkeSa& sa, Outstanding& what) {
    tell(Tell::Level::info, &sa, name_of(*what.task) + ": both of us began it, and the peer's is kept");
    if (const auto* create = std::get_if<CreateChild>(&*what.task)) {
        if (ChildSa* const old = create->rekeys ? sa.child_by_inbound(*create->rekeys) : nullptr)
            child_rekeyed(sa, *old, nullptr, what);
    } else if (what.twin_ike) {
        if (const auto twin = engine.by_id_.find(*what.twin_ike);
            twin != engine.by_id_.end() && twin->second->state == IkeState::established)
            inherit(sa, *twin->second);
    }
}

/// With the link that `answered` gave.
void Turn::send_follow_up(IkeSa& sa, const Payloads& answered, Outstanding what) {
    FollowUp& series = *what.follow_up;
    const KeMethod method = series.methods.front();
    const Notify* const link = find_notify(answered, NotifyType::additional_key_exchange);
    if (link == nullptr) return follow_up_failed(sa, {}, std::move(what), "the peer gives no link to go on by");
    auto pair = KeyExchange::initiate(engine.crypto_, method);
    if (!pair) return follow_up_failed(sa, {}, std::move(what), pair.error().message);
    series.key_exchange = std::move(*pair);
    const Payloads payloads{Ke{method, series.key_exchange->public_value()}, *link};
    what.sent = 1;
    what.by_other_ways = false;
    request(sa, ExchangeType::ike_followup_ke, payloads, std::move(what));
}

void Turn::take_follow_up_response(IkeSa& sa, const Message& message, Outstanding what) {
    FollowUp& series = *what.follow_up;
    const auto* ke = find<Ke>(message.payloads);
    if (ke == nullptr || ke->method != series.methods.front()) {
        if (find_notify(message.payloads, NotifyType::state_not_found) != nullptr &&
            ++sa.lost_states >= most_lost_states) {
            tell(Tell::Level::error, &sa, "the peer forgets every additional key exchange: the IKE SA ends");
            return restart_after_delete(sa);
        }
        return follow_up_failed(sa, message.payloads, std::move(what), "the answer has no key exchange");
    }
    const auto secret = series.key_exchange->finish(ke->value);
    if (!secret) return follow_up_failed(sa, {}, std::move(what), secret.error().message);
    append(series.secrets, *secret);
    series.methods.erase(series.methods.begin());
    if (!series.methods.empty()) return send_follow_up(sa, message.payloads, std::move(what));
    sa.lost_states = 0;
    const Message whole{message.header, std::move(series.answered), {}};
    take_create_child_response(sa, whole, std::move(what));
}

/// The whole series is as if CREATE_CHILD_SA had been answered with that.
void Turn::follow_up_failed(IkeSa& sa, const Payloads& answered, Outstanding what, const std::string& why) {
    Message instead{header_for(sa, ExchangeType::create_child_sa, true, what.message_id), {}, {}};
    if (const Notify* const error = first_error(answered))
        instead.payloads = {*error};
    else
        what.refusal = "IKE_FOLLOWUP_KE: " + why;
    take_create_child_response(sa, instead, std::move(what));
}

// ---- responder

/// Whether the peer is about to rekey that, by a series that has not ended.
bool Turn::awaits(const IkeSa& sa, const ChildSa* child) const {
    return std::ranges::any_of(sa.awaited, [&](const Awaited& his) {
        return child == nullptr ? his.ike.has_value()
                                : his.rekeys && his.rekeys->protocol == child->protocol &&
                                      his.rekeys->spi == octets_of(child->outbound);
    });
}

/// `payloads` are granted, and what they are of comes with the key exchanges that are left.
void Turn::await_follow_up(IkeSa& sa, const Header& to, Awaited his, Payloads payloads) {
    std::erase_if(sa.awaited, [&](const Awaited& other) {  // the peer begins afresh with what he had begun
        return (his.ike && other.ike) || (his.rekeys && his.rekeys == other.rekeys);
    });
    if (sa.awaited.size() >= most_awaited) {
        tell(Tell::Level::warning, &sa, "CREATE_CHILD_SA of the peer is refused: he ends none that he has begun");
        return respond(sa, to, notify(NotifyType::temporary_failure));
    }
    his.link.resize(link_octets);
    engine.crypto_.fill(his.link);
    his.expires_at = now.steady + awaited_lives;
    payloads.emplace_back(notify(NotifyType::additional_key_exchange, his.link));
    if (is_ours_too(sa, his)) sa.outstanding->rival = his.exchanged.lowest_nonce();
    sa.awaited.push_back(std::move(his));
    respond(sa, to, payloads);
}

/// Our own request for the same is under way.
bool Turn::is_ours_too(const IkeSa& sa, const Awaited& his) const {
    if (his.ike) return sa.has_pending_rekey();
    const auto* ours =
        sa.outstanding && sa.outstanding->task ? std::get_if<CreateChild>(&*sa.outstanding->task) : nullptr;
    const ChildSa* const old = ours != nullptr && ours->rekeys ? sa.child_by_inbound(*ours->rekeys) : nullptr;
    return old != nullptr && his.rekeys && his.rekeys->protocol == old->protocol &&
           his.rekeys->spi == octets_of(old->outbound);
}

void Turn::take_follow_up_request(IkeSa& sa, const Message& message) {
    const auto no = [&](NotifyType type, const std::string& why) {
        tell(Tell::Level::warning, &sa, "IKE_FOLLOWUP_KE of the peer is refused: " + why);
        respond(sa, message.header, notify(type));
    };
    if (sa.state != IkeState::established)
        return no(NotifyType::temporary_failure, "the IKE SA is being replaced or ended");
    const Notify* const link = find_notify(message.payloads, NotifyType::additional_key_exchange);
    const auto found =
        std::ranges::find_if(sa.awaited, [&](const Awaited& his) { return link != nullptr && his.link == link->data; });
    if (found == sa.awaited.end()) return no(NotifyType::state_not_found, "it goes on with nothing that we know");
    Awaited his = std::move(*found);
    sa.awaited.erase(found);
    const KeMethod method = his.methods.front();
    const auto* ke = find<Ke>(message.payloads);
    if (ke == nullptr || ke->method != method)
        return no(NotifyType::invalid_syntax, "it has no value of " + name_of(method));
    auto exchanged = KeyExchange::respond(engine.crypto_, method, ke->value);
    if (!exchanged) return no(refusal_of(exchanged.error()), exchanged.error().message);
    append(his.exchanged.further, exchanged->secret);
    his.methods.erase(his.methods.begin());
    Payloads answer{Ke{method, std::move(exchanged->value)}};
    if (!his.methods.empty()) return await_follow_up(sa, message.header, std::move(his), std::move(answer));
    if (his.ike) return grant_rekey_ike(sa, message.header, *his.ike, his.exchanged, answer);
    grant_create_child(sa, message.header, {std::move(his.child), std::move(his.exchanged), std::move(answer)},
                       his.rekeys);
}

}  // namespace torii::ike
