// One SA takes another's place: children (RFC 7296 1.3.3, 2.8, 2.8.1) and the IKE SA itself (1.3.2, 2.18, 2.8.2), and
// what becomes of twins when both ends do it at once: the SA that the lowest of the four nonces made is deleted by who
// made it, and whoever made the other one deletes the old.
#include <algorithm>

#include "base/reader.h"
#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

constexpr std::size_t rekey_nonce_octets = 32;
constexpr Instant replaced_lives{60'000};  // how long a replaced IKE SA waits for its maker's Delete

Octets octets_of(IkeSpi spi) {
    Octets out;
    Writer{out}.u64(static_cast<std::uint64_t>(spi));
    return out;
}

std::optional<IkeSpi> ike_spi_of(const Octets& octets) {
    Reader in{octets};
    const auto number = in.u64();
    if (!number || in.size() != 0 || *number == 0) return {};
    return IkeSpi{*number};
}

std::vector<Proposal> with_spi(std::vector<Proposal> proposals, IkeSpi spi) {
    std::uint8_t number = 0;
    for (Proposal& proposal : proposals) {
        proposal.number = ++number;
        proposal.spi = octets_of(spi);
    }
    return proposals;
}

}  // namespace

// ---- children

void Turn::rekey_child(IkeSa& sa, ChildSa& child) {
    if (child.state != ChildSa::State::installed) return;
    const bool waits = std::ranges::any_of(sa.queue, [&](const Task& task) {
        const auto* create = std::get_if<CreateChild>(&task);
        return create != nullptr && create->rekeys == child.inbound;
    });
    if (waits) return;
    CreateChild task;
    task.config = child.config;
    task.rekeys = child.inbound;
    enqueue(sa, std::move(task));
}

/// Our rekey of `old` has its answer. `ours`: what it made; null: nothing.
void Turn::child_rekeyed(IkeSa& sa, ChildSa& old, ChildSa* ours, Outstanding& what) {
    ChildSa* const twin = what.twin ? sa.child(*what.twin) : nullptr;
    const bool twin_lives = twin != nullptr && twin->state == ChildSa::State::installed;
    if (ours == nullptr) {
        if (old.state != ChildSa::State::rekeying) return;
        old.state = twin_lives ? ChildSa::State::replaced : ChildSa::State::installed;
        old.rekey_at = now.steady + Instant{10'000 + static_cast<std::int64_t>(engine.crypto_.below(5'000))};
        return;
    }
    if (what.rival && ours->lowest_nonce < *what.rival) {  // his comes with his additional key exchanges
        tell(Tell::Level::info, &sa, "child " + old.config->name + ": both of us rekeyed it, and the peer's is kept");
        if (old.remove_inbound_at == Instant{}) old.state = ChildSa::State::installed;
        ours->state = ChildSa::State::deleting;
        return enqueue(sa, DeleteChildren{ours->protocol, {ours->inbound}});
    }
    forget_rival(sa, what);
    if (twin_lives && ours->lowest_nonce < twin->lowest_nonce) {
        if (old.remove_inbound_at == Instant{}) old.state = ChildSa::State::replaced;  // the twin's maker deletes it
        tell(Tell::Level::info, &sa, "child " + old.config->name + ": both of us rekeyed it, and the peer's is kept");
        ours->state = ChildSa::State::deleting;
        return enqueue(sa, DeleteChildren{ours->protocol, {ours->inbound}});
    }
    if (twin_lives) {
        twin->state = ChildSa::State::replaced;
        tell(Tell::Level::info, &sa, "child " + old.config->name + ": both of us rekeyed it, and ours is kept");
    }
    if (old.remove_inbound_at != Instant{}) return;  // the peer has deleted it already
    old.state = ChildSa::State::deleting;
    enqueue(sa, DeleteChildren{old.protocol, {old.inbound}});
}

// ---- the IKE SA

void Turn::send_rekey_ike(IkeSa& sa, RekeyIke task) {
    if (sa.state != IkeState::established) return;
    const auto& proposals = sa.connection->proposals;
    // The method that both are known to do comes first, unless the peer has asked for another one.
    const KeMethod method = task.method != KeMethod::none ? task.method : sa.suite.ke;
    auto pair = KeyExchange::initiate(engine.crypto_, method);
    if (!pair) return tell(Tell::Level::error, &sa, "no rekey: " + pair.error().message);
    Outstanding what;
    what.ike_spi = fresh_spi();
    what.offered = with_spi(proposals, what.ike_spi);
    what.nonce.resize(rekey_nonce_octets);
    engine.crypto_.fill(what.nonce);
    what.key_exchange = std::move(*pair);
    Payloads payloads;
    payloads.emplace_back(Sa{what.offered});
    payloads.emplace_back(Nonce{what.nonce});
    payloads.emplace_back(Ke{method, what.key_exchange->public_value()});
    what.task = task;
    request(sa, ExchangeType::create_child_sa, payloads, std::move(what));
}

std::unique_ptr<IkeSa> Turn::successor(const IkeSa& old, bool initiator) const {
    auto made = std::make_unique<IkeSa>();
    made->initiator = initiator;
    made->state = IkeState::established;
    made->local = old.local;
    made->remote = old.remote;
    made->connection = old.connection;
    made->local_id = old.local_id;
    made->remote_id = old.remote_id;
    made->fragments = old.fragments;
    made->peer_hashes = old.peer_hashes;
    made->behind_nat = old.behind_nat;
    made->peer_behind_nat = old.peer_behind_nat;
    made->mobike = old.mobike;
    made->began = old.began;
    made->peer_addresses = old.peer_addresses;
    made->moves = old.moves;
    made->ppk_id = old.ppk_id;  // in the new keys by way of SK_d (RFC 8784 3)
    made->established_at = now.steady;
    made->last_heard = now.steady;
    made->requests_this_second = old.requests_this_second;  // or each rekey would buy as many again
    made->second_began = old.second_began;
    made->reauth_at = old.reauth_at;  // rekeying proves nobody's identity anew (2.8.3)
    return made;
}

void Turn::take_rekey_ike_request(IkeSa& sa, const Message& message) {
    const auto no = [&](Notify what, const std::string& why) {
        tell(Tell::Level::warning, &sa, "the peer's rekey of the IKE SA is refused: " + why);
        respond(sa, message.header, std::move(what));
    };
    const bool ours_too = sa.has_pending_rekey();
    // 2.25.2: not while it is being ended, nor while children are being made or ended
    if (sa.state != IkeState::established ||
        (sa.outstanding && sa.outstanding->exchange != ExchangeType::informational && !ours_too) ||
        (sa.outstanding && sa.outstanding->task && std::holds_alternative<DeleteChildren>(*sa.outstanding->task)))
        return no(notify(NotifyType::temporary_failure), "something else is under way");
    if (ours_too && sa.outstanding->follow_up)  // RFC 9370 2.2.4
        return no(notify(NotifyType::temporary_failure), "our own rekey has gone further");
    if (ours_too && sa.outstanding->twin_ike)
        return no(notify(NotifyType::temporary_failure), "it has been rekeyed by the peer already");
    const auto* offered = find<Sa>(message.payloads);
    const auto* nonce = find<Nonce>(message.payloads);
    const auto* ke = find<Ke>(message.payloads);
    if (offered == nullptr || nonce == nullptr || ke == nullptr)
        return no(notify(NotifyType::invalid_syntax), "a payload is missing");
    const auto choice = choose(sa.connection->proposals, offered->proposals, {ke->method, false});
    if (!choice)
        return no(notify(NotifyType::no_proposal_chosen), why_not(sa.connection->proposals, offered->proposals));
    if (choice->suite.ke != ke->method)
        return no(notify_u16(NotifyType::invalid_ke_payload, static_cast<std::uint16_t>(choice->suite.ke)),
                  "another key exchange is wanted");
    const auto peers_spi = ike_spi_of(choice->chosen.spi);
    if (!peers_spi) return no(notify(NotifyType::invalid_syntax), "the new SPI is no SPI of an IKE SA");
    auto exchanged = KeyExchange::respond(engine.crypto_, ke->method, ke->value);
    if (!exchanged) return no(notify(refusal_of(exchanged.error())), exchanged.error().message);

    const NewIke agreed{choice->suite, *peers_spi, fresh_spi()};
    Octets own_nonce(rekey_nonce_octets);
    engine.crypto_.fill(own_nonce);
    Exchanged keys{nonce->value, own_nonce, std::move(exchanged->secret), {}};
    Payloads answer;
    Proposal chosen = choice->chosen;
    chosen.spi = octets_of(agreed.spi_responder);
    answer.emplace_back(Sa{{std::move(chosen)}});
    answer.emplace_back(Nonce{own_nonce});
    answer.emplace_back(Ke{ke->method, std::move(exchanged->value)});
    auto further = agreed.suite.further();
    if (further.empty()) return grant_rekey_ike(sa, message.header, agreed, keys, answer);
    await_follow_up(sa, message.header, {{}, std::move(further), std::move(keys), {}, {}, agreed, {}},
                    std::move(answer));
}

/// The keys of an IKE SA that takes the place of `old` (2.18, RFC 9370 2.2.4).
Result<void> Turn::give_keys(const IkeSa& old, IkeSa& made, const Exchanged& from) {
    const IkeKeyInput input{from.nonce_initiator,
                            from.nonce_responder,
                            static_cast<std::uint64_t>(made.spi_initiator),
                            static_cast<std::uint64_t>(made.spi_responder),
                            from.secret.octets(),
                            from.further.octets()};
    TORII_TRY(made.keys,
              derive_rekeyed_ike_keys(engine.crypto_, made.suite, old.suite.prf, old.keys.d.octets(), input));
    made.lowest_nonce = from.lowest_nonce();
    TORII_CHECK(make_ciphers(made));
    set_lifetimes(made);
    return {};
}

/// All its keys are there: the peer's new IKE SA comes to be.
void Turn::grant_rekey_ike(IkeSa& sa, const Header& to, const NewIke& agreed, const Exchanged& exchanged,
                           const Payloads& answer) {
    auto made = successor(sa, false);  // of what the old one is now: it may have moved meanwhile
    made->suite = agreed.suite;
    made->spi_initiator = agreed.spi_initiator;
    made->spi_responder = agreed.spi_responder;
    if (const auto ready = give_keys(sa, *made, exchanged); !ready) {
        tell(Tell::Level::warning, &sa, "the peer's rekey of the IKE SA is refused: " + ready.error().message);
        return respond(sa, to, notify(NotifyType::temporary_failure));
    }
    respond(sa, to, answer);
    IkeSa& next = add(std::move(made));
    if (!sa.has_pending_rekey()) return inherit(sa, next);
    sa.outstanding->rival.reset();
    sa.outstanding->twin_ike = next.id;  // 2.8.2: decided once our own answer is there
    next.predecessor = sa.id;
}

void Turn::take_rekey_ike_response(IkeSa& sa, const Message& message, Outstanding what) {
    if (follow_up(sa, message.payloads, what)) return;
    auto& task = std::get<RekeyIke>(*what.task);
    const auto find_twin = [&]() -> IkeSa* {
        if (!what.twin_ike) return nullptr;
        const auto found = engine.by_id_.find(*what.twin_ike);
        return found == engine.by_id_.end() || found->second->state != IkeState::established ? nullptr : found->second;
    };
    IkeSa* const twin = find_twin();
    const auto failed = [&](const std::string& why) {
        tell(Tell::Level::warning, &sa, "our rekey of the IKE SA failed: " + why);
        if (twin != nullptr) inherit(sa, *twin);
    };
    const auto* chosen = find<Sa>(message.payloads);
    const auto* nonce = find<Nonce>(message.payloads);
    const auto* ke = find<Ke>(message.payloads);
    if (chosen == nullptr) {
        if (const Notify* wanted = find_notify(message.payloads, NotifyType::invalid_ke_payload);
            wanted != nullptr && twin == nullptr && task.method == KeMethod::none && !what.follow_up &&
            u16_of(*wanted)) {
            sa.queue.push_front(RekeyIke{KeMethod{*u16_of(*wanted)}});
            return;
        }
        const Notify* error = first_error(message.payloads);
        if (find_notify(message.payloads, NotifyType::no_additional_sas) != nullptr && twin == nullptr) {
            tell(Tell::Level::info, &sa, "the peer rekeys nothing (RFC 7296 4): a new IKE SA takes its place");
            return begin_reauth(sa);
        }
        if (is_passing(message.payloads) && twin == nullptr) {  // 2.25, RFC 9370 2.2.4
            sa.not_before = now.steady + Instant{1000 + static_cast<std::int64_t>(engine.crypto_.below(1000))};
            ask_soon_how_seen(sa);
            sa.queue.push_back(task);
            return;
        }
        if (error == nullptr && !what.refusal.empty()) return failed(what.refusal);
        return failed(error == nullptr ? "the answer has no SA" : name_of(error->type));
    }
    if (nonce == nullptr || ke == nullptr || chosen->proposals.size() != 1 || ke->method != what.key_exchange->method())
        return failed("a payload is missing, or of another key exchange");
    const auto suite = accept(what.offered, chosen->proposals[0], {ke->method, false});
    const auto peers_spi = ike_spi_of(chosen->proposals[0].spi);
    if (!suite || suite->ke != ke->method || !peers_spi)
        return failed(suite ? "the peer's choice is none of ours" : suite.error().message);
    auto secret = what.key_exchange->finish(ke->value);
    if (!secret) return failed(secret.error().message);

    auto made = successor(sa, true);
    made->suite = *suite;
    made->spi_initiator = what.ike_spi;
    made->spi_responder = *peers_spi;
    const Exchanged exchanged{what.nonce, nonce->value, std::move(*secret),
                              what.follow_up ? std::move(what.follow_up->secrets) : SecretBytes{}};
    if (const auto ready = give_keys(sa, *made, exchanged); !ready) return failed(ready.error().message);
    IkeSa& next = add(std::move(made));
    if (what.rival && next.lowest_nonce < *what.rival) {  // his comes with his additional key exchanges
        tell(Tell::Level::info, &sa, "both of us rekeyed the IKE SA, and the peer's is kept");
        return enqueue(next, DeleteIke{});
    }
    forget_rival(sa, what);
    if (twin != nullptr && next.lowest_nonce < twin->lowest_nonce) {
        tell(Tell::Level::info, &sa, "both of us rekeyed the IKE SA, and the peer's is kept");
        inherit(sa, *twin);
        return enqueue(next, DeleteIke{});
    }
    inherit(sa, next);
    if (twin != nullptr) {
        tell(Tell::Level::info, &sa, "both of us rekeyed the IKE SA, and ours is kept");
        inherit(*twin, next);  // its maker deletes it
    }
    enqueue(sa, DeleteIke{});
}

/// The children, and what was still to be done, go over; `from` only waits to be deleted (2.8).
void Turn::inherit(IkeSa& from, IkeSa& to) {
    for (auto& child : from.children) {
        engine.owner_of_child_[static_cast<std::uint64_t>(child->id)] = &to;
        to.children.push_back(std::move(child));
    }
    from.children.clear();
    if (!from.internal_addresses.empty()) {
        to.internal_addresses = std::exchange(from.internal_addresses, {});
        to.internal_dns = from.internal_dns;
    }
    for (Task& task : from.queue)
        if (!std::holds_alternative<RekeyIke>(task) && !std::holds_alternative<Liveness>(task))
            to.queue.push_back(std::move(task));
    from.queue.clear();
    from.awaited.clear();
    pass_on_move(from, to);
    // Whose own rekey is not decided yet waits for the fate of its twin: from now on of who takes the twin's place.
    if (const auto old = engine.by_id_.find(from.predecessor);
        old != engine.by_id_.end() && old->second->outstanding && old->second->outstanding->twin_ike == from.id) {
        old->second->outstanding->twin_ike = to.id;
        to.predecessor = old->first;
    }
    to.replaced_by = from.replaced_by;
    if (const auto next = engine.by_id_.find(from.replaced_by);
        next != engine.by_id_.end() && next->second->replaces == from.id)
        next->second->replaces = to.id;
    from.state = IkeState::rekeyed;
    from.expires_at = now.steady + replaced_lives;
    tell(Tell::Level::info, &to, "replaces IKE SA " + std::to_string(static_cast<std::uint64_t>(from.id)));
    touch(from);
    settle_duplicates(to);
    pump(to);
}

}  // namespace torii::ike
