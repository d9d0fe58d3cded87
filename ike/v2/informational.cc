// INFORMATIONAL (RFC 7296 1.4, 1.4.1, 2.4, 2.25): Delete of children and of the IKE SA, and whether anybody is there.
#include <algorithm>
#include <utility>

#include "base/reader.h"
#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

constexpr Instant retry_child_after{10'000};
constexpr std::size_t most_gone = 16;  // Deletes of unknown SPIs that one request remembers

}  // namespace

void Turn::send_liveness(IkeSa& sa) {
    Payloads payloads;
    ask_how_seen(sa, payloads);
    request_of(sa, ExchangeType::informational, payloads, Liveness{});
}

void Turn::send_invalid_selectors(IkeSa& sa, TellInvalidSelectors task) {
    const ChildSa* const child = sa.child_by_inbound(task.inbound);
    if (child == nullptr || child->remove_inbound_at != Instant{}) return;  // gone while this waited
    Notify told = notify(NotifyType::invalid_selectors, std::move(task.packet));
    told.protocol = task.protocol;
    Writer{told.spi}.u32(static_cast<std::uint32_t>(task.inbound));
    tell(Tell::Level::warning, &sa,
         "the peer sent by child " + child->config->name + " what it is not for: " + text_of_quoted(told.data) +
             "; he is told INVALID_SELECTORS, SPI " + text_of(task.inbound));
    request_of(sa, ExchangeType::informational, {told}, std::move(task));
}

void Turn::send_delete_children(IkeSa& sa, const DeleteChildren& task) {
    Delete payload{task.protocol, {}};
    std::vector<control::Operation> operations;
    for (const Spi spi : task.inbound) {
        if (ChildSa* child = sa.child_by_inbound(spi)) {
            if (child->remove_inbound_at != Instant{}) continue;  // the peer was first
            child->state = ChildSa::State::deleting;
            remove_outbound(sa, *child, operations);
        }
        payload.spis.push_back(static_cast<std::uint32_t>(spi));
    }
    apply(std::move(operations));
    if (payload.spis.empty()) return;
    Payloads payloads{payload};
    ask_how_seen(sa, payloads);
    request_of(sa, ExchangeType::informational, payloads, task);
}

void Turn::send_delete_ike(IkeSa& sa, const DeleteIke& task) {
    std::vector<control::Operation> operations;
    while (!sa.children.empty()) remove(sa, *sa.children.front(), operations);
    apply(std::move(operations));
    Payloads payloads;
    if (task.why) payloads.emplace_back(notify(*task.why));
    payloads.emplace_back(Delete{ProtocolId::ike, {}});
    if (!sa.initiator) leave_half_open(sa);
    sa.state = IkeState::deleting;
    sa.queue.clear();
    request_of(sa, ExchangeType::informational, payloads, task);
}

void Turn::take_informational_request(IkeSa& sa, const Message& message) {
    Payloads answer;
    bool end = false, heard = false;
    std::string why = "the peer deletes it";
    for (const Payload& payload : message.payloads) {
        if (const auto* asked = std::get_if<Delete>(&payload)) {
            if (asked->protocol == ProtocolId::ike)
                end = true;
            else
                delete_children(sa, *asked, answer);
        } else if (const auto* n = std::get_if<Notify>(&payload);
                   n != nullptr && n->type == NotifyType::authentication_failed) {  // 2.21.2
            end = true;
            why = "the peer does not believe that we are " + text_of(sa.local_id) + ": AUTHENTICATION_FAILED";
        } else if (n != nullptr && n->type == NotifyType::invalid_selectors && !std::exchange(heard, true)) {
            hear_invalid_selectors(sa, *n);
        }
    }
    if (!end) hear_mobike(sa, message.payloads, answer);
    respond(sa, message.header, answer);
    if (!end) return pump(sa);
    if (sa.outstanding && sa.outstanding->twin_ike) {
        // The peer saw no twin of its own rekey, or won: its new IKE SA is the one (2.8.2, 2.25.2).
        if (const auto twin = engine.by_id_.find(*sa.outstanding->twin_ike);
            twin != engine.by_id_.end() && twin->second->state == IkeState::established)
            inherit(sa, *twin->second);
    }
    close(sa, why);
}

void Turn::hear_invalid_selectors(const IkeSa& sa, const Notify& told) {
    const auto spi = Reader{told.spi}.u32();
    const ChildSa* const child = spi ? sa.child_by_outbound(Spi{*spi}, told.protocol) : nullptr;
    tell(Tell::Level::warning, &sa,
         "the peer dropped a packet of ours, " + text_of_quoted(told.data) + ", which " +
             (child != nullptr ? "child " + child->config->name : "its SA") + " is not for: INVALID_SELECTORS, SPI " +
             (spi ? text_of(Spi{*spi}) : "none"));
}

void Turn::delete_children(IkeSa& sa, const Delete& asked, Payloads& answer) {
    Delete ours{asked.protocol, {}};
    std::vector<control::Operation> operations;
    std::vector<const ChildConfig*> lost;
    for (const std::uint32_t spi : asked.spis) {
        ChildSa* const child = sa.child_by_outbound(Spi{spi}, asked.protocol);
        if (child == nullptr && sa.outstanding && sa.outstanding->gone.size() < most_gone)
            sa.outstanding->gone.push_back(Spi{spi});
        if (child == nullptr || child->remove_inbound_at != Instant{})
            continue;  // 1.4.1, 2.25.1: not named in the answer
        const bool deleting = child->state == ChildSa::State::deleting;
        if (!deleting) ours.spis.push_back(static_cast<std::uint32_t>(child->inbound));
        const bool wanted = child->state == ChildSa::State::installed;
        tell(Tell::Level::info, &sa, "the peer deletes child " + child->config->name + " " + text_of(child->inbound));
        retire(sa, *child, operations);
        if (wanted) lost.push_back(child->config);
    }
    apply(std::move(operations));
    if (!ours.spis.empty()) answer.emplace_back(std::move(ours));
    for (const ChildConfig* config : lost) child_lost(sa, config);
}

/// A child that nothing replaces: made again where that is wanted.
void Turn::child_lost(IkeSa& sa, const ChildConfig* config) {
    if (config == nullptr || config->start != StartAction::start || sa.state != IkeState::established) return;
    const bool there = std::ranges::any_of(sa.children, [&](const auto& child) {
        return child->config == config && child->state == ChildSa::State::installed;
    });
    const auto asks = [&](const Task& waiting) {
        const auto* const create = std::get_if<CreateChild>(&waiting);
        return create != nullptr && create->config == config && !create->rekeys;
    };
    if (there || std::ranges::any_of(sa.queue, asks)) return;
    sa.not_before = std::max(sa.not_before, now.steady + retry_child_after);
    CreateChild task;
    task.config = config;
    enqueue(sa, std::move(task));
}

void Turn::take_informational_response(IkeSa& sa, const Message& message, Outstanding what) {
    if (!what.task || take_mobike_response(sa, message, *what.task)) return;
    if (std::holds_alternative<DeleteIke>(*what.task)) return destroy(sa, "deleted");
    const auto* children = std::get_if<DeleteChildren>(&*what.task);
    if (children == nullptr) return;
    std::vector<control::Operation> operations;
    for (const Spi spi : children->inbound)
        if (ChildSa* child = sa.child_by_inbound(spi); child != nullptr) retire(sa, *child, operations);
    apply(std::move(operations));
}

}  // namespace torii::ike
