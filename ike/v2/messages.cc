// Windows of one, retransmission of the very octets, sealing and opening, and the one refusal of what may not come
// (RFC 7296 2.1 to 2.5, 2.21; RFC 7383).
#include <algorithm>

#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

/// Larger messages go in fragments, which every path takes (RFC 7383 2.5.1: 576 octets over IPv4, 1280 over IPv6, less
/// the headers of IP and UDP and the marker of port 4500).
std::size_t most_datagram_octets(const Address& remote) {
    return remote.is_v4() ? 576 - 20 - 8 - 4 : 1280 - 40 - 8 - 4;
}
/// Below this no message is cut: nothing on today's paths loses it.
std::size_t uncut_octets(const Address& remote) { return remote.is_v4() ? 1280 - 20 - 8 - 4 : 1280 - 40 - 8 - 4; }

constexpr Instant longest_interval{60'000};

/// An end waits for no beginning, and a move for nothing.
bool is_urgent(const Task& task) {
    return std::holds_alternative<DeleteIke>(task) || std::holds_alternative<DeleteChildren>(task) ||
           std::holds_alternative<UpdateAddresses>(task) || std::holds_alternative<CheckRoute>(task);
}

}  // namespace

const Notify* first_error(const Payloads& payloads) {
    for (const Payload& payload : payloads)
        if (const auto* n = std::get_if<Notify>(&payload); n != nullptr && is_error(n->type)) return n;
    return nullptr;
}

NotifyType refusal_of(const Error& error) {
    return error.code == Errc::bad_value ? NotifyType::invalid_syntax : NotifyType::no_proposal_chosen;
}

bool Engine::has_ike_sa_of(OctetView message) const {
    const auto header = parse_header(message);
    if (!header) return false;
    const IkeSpi ours = header->from_initiator ? header->responder_spi : header->initiator_spi;
    return by_spi_.contains(static_cast<std::uint64_t>(ours));
}

void Turn::receive(const Datagram& datagram) {
    const auto header = parse_header(datagram.octets);
    if (!header) return tell(Tell::Level::debug, nullptr, "from " + datagram.remote.text() + ": " + header.error().why);
    if (header->major != 2) {
        if (header->major > 2 && !header->response)  // 2.5
            complain(datagram, *header, notify(NotifyType::invalid_major_version));
        return;
    }
    const auto taken = split(datagram.octets);
    if (!taken) return tell(Tell::Level::debug, nullptr, "from " + datagram.remote.text() + ": " + taken.error().why);
    if (header->exchange == ExchangeType::ike_sa_init && !header->response) return take_init_request(datagram, *taken);

    const IkeSpi ours = header->from_initiator ? header->responder_spi : header->initiator_spi;
    const IkeSpi peers = header->from_initiator ? header->initiator_spi : header->responder_spi;
    const auto found = engine.by_spi_.find(static_cast<std::uint64_t>(ours));
    if (found == engine.by_spi_.end()) {
        if (!header->response) complain(datagram, *header, notify(NotifyType::invalid_ike_spi));  // 2.21.4
        return;
    }
    IkeSa& sa = *found->second;
    if (sa.initiator == header->from_initiator) return;  // our own message, reflected
    const bool first_answer = sa.state == IkeState::init_sent && header->exchange == ExchangeType::ike_sa_init;
    if (!first_answer && sa.peer_spi() != peers) return;
    receive_for(sa, datagram, *taken);
}

void Turn::receive_for(IkeSa& sa, const Datagram& datagram, const Split& taken) {
    touch(sa);
    const Header& header = taken.header;
    if (!is_legal(sa.state, header.response, header.exchange))
        return tell(Tell::Level::debug, &sa,
                    std::string{header.response ? "a response of " : "a request of "} + name_of(header.exchange) +
                        " may not come in state " + std::string{name_of(sa.state)});
    if (header.exchange == ExchangeType::ike_sa_init) return take_init_response(sa, datagram, taken);
    if (!taken.encrypted || sa.opening == nullptr) return;  // nothing unprotected is believed any more

    // Where the window does not reach nothing is opened, so that nobody makes us compute.
    const bool repeated = !header.response && header.message_id + 1 == sa.expected_request;
    if (header.response ? !sa.outstanding || sa.outstanding->message_id != header.message_id ||
                              sa.outstanding->exchange != header.exchange
                        : !repeated && header.message_id != sa.expected_request)
        return;
    // An IKE SA that has ended repeats its last answer and takes nothing new; and identities are proven once.
    if (!header.response && !repeated &&
        (sa.state == IkeState::closed ||
         (header.exchange == ExchangeType::ike_auth && sa.state != IkeState::init_answered)))
        return;
    const auto message = open(sa, taken);
    if (!message) return;
    // Answered, and no sign of life, nor of a new address: anybody may send it again (2.1, 2.4, 2.23).
    way_ = Way{datagram.local, datagram.remote};
    tell_message(&sa, Course::received, header, repeated ? nullptr : &message->payloads, datagram.remote);
    if (repeated) return answer_again(sa, datagram);
    sa.last_heard = now.steady;
    follow(sa, datagram);
    if (header.response) {
        answered_by(sa, *way_);
        take_response(sa, *message);
    } else {
        take_request(sa, *message);
    }
}

/// Nothing: not authentic, not all there yet, or refused (and answered).
std::optional<Message> Turn::open(IkeSa& sa, const Split& taken) {
    const Split::Encrypted& encrypted = *taken.encrypted;
    const bool repeated = !taken.header.response && taken.header.message_id + 1 == sa.expected_request;
    auto inner = (repeated && sa.former_opening ? sa.former_opening : sa.opening)->open(encrypted);
    if (!inner) {
        tell(Tell::Level::debug, &sa, "a message is not authentic");
        return {};
    }
    PayloadType first = encrypted.inner_first;
    const Header& header = taken.header;
    const bool covered = header.exchange == ExchangeType::ike_intermediate;
    Octets front = covered && encrypted.fragment <= 1 ? front_of(taken) : Octets{};
    if (encrypted.fragments != 0) {
        if (!sa.fragments) return {};  // RFC 7383 2.3: only after both said so
        if (repeated) {                // 2.6.1: the first fragment alone asks for the answer again
            if (encrypted.fragment != 1) return {};
            return Message{header, {}, {}};
        }
        FragmentAssembly& assembly = header.response ? sa.response_fragments : sa.request_fragments;
        if (assembly.add(header.message_id, encrypted.fragment, encrypted.fragments, first, std::move(*inner),
                         std::move(front)) != FragmentAssembly::Taken::complete)
            return {};
        auto whole = assembly.take();
        first = whole.first;
        front = std::move(whole.front);
        inner = std::move(whole.payloads);
    }
    if (repeated) return Message{header, {}, {}};
    auto payloads = parse_payloads(first, *inner);
    if (payloads)
        return Message{header, std::move(*payloads), covered ? covered_octets(std::move(front), *inner) : Octets{}};

    const Refusal& refusal = payloads.error();
    tell(Tell::Level::warning, &sa, name_of(header.exchange) + ": " + refusal.why);
    if (header.response) {
        // 2.21.3: what the peer says cannot be believed in any way any more
        if (refusal.notify == NotifyType::invalid_syntax) destroy(sa, "the peer's answer cannot be read");
        return {};
    }
    respond(sa, header, notify(refusal.notify, refusal.data));
    if (refusal.notify == NotifyType::invalid_syntax || sa.state != IkeState::established)
        close(sa, "the peer's request cannot be read: " + refusal.why);  // 2.21.3: fatal for both
    return {};
}

void Turn::take_request(IkeSa& sa, const Message& message) {
    sa.former_opening.reset();
    if (now.steady - sa.second_began >= Instant{1000}) {
        sa.second_began = now.steady;
        sa.requests_this_second = 0;
    }
    // Whoever uses his new IKE SA has decided for it: the children are wanted there (2.8.2).
    const bool ends = std::ranges::any_of(message.payloads, [](const Payload& payload) {
        const auto* asked = std::get_if<Delete>(&payload);
        return asked != nullptr && asked->protocol == ProtocolId::ike;
    });
    if (const auto old = engine.by_id_.find(sa.predecessor);
        !ends && old != engine.by_id_.end() && old->second->outstanding &&
        old->second->outstanding->twin_ike == sa.id && old->second->state == IkeState::established)
        inherit(*old->second, sa);
    // A next request shows that our last answer has arrived: what it granted can be used.
    for (const auto& child : sa.children)
        if (child->pending_outbound && child->state != ChildSa::State::deleting) {
            std::vector<control::Operation> operations;
            install_outbound(sa, *child, operations);
            apply(std::move(operations), child->id);
        }
    switch (message.header.exchange) {
        case ExchangeType::ike_intermediate: return take_intermediate_request(sa, message);
        case ExchangeType::ike_auth: return take_auth_request(sa, message);
        case ExchangeType::create_child_sa:
            if (++sa.requests_this_second > engine.config_.limits.requests_per_second)
                return respond(sa, message.header, notify(NotifyType::temporary_failure));
            return take_create_child_request(sa, message);
        case ExchangeType::ike_followup_ke: return take_follow_up_request(sa, message);
        case ExchangeType::informational: return take_informational_request(sa, message);
        default: return;  // the table lets none of the others come here
    }
}

void Turn::take_response(IkeSa& sa, const Message& message) {
    Outstanding what = std::move(*sa.outstanding);
    sa.outstanding.reset();
    switch (message.header.exchange) {
        case ExchangeType::ike_intermediate: take_intermediate_response(sa, message, what); break;
        case ExchangeType::ike_auth:
            sa.outstanding = std::move(what);  // looks at what was asked, and takes it itself
            take_auth_response(sa, message);
            break;
        case ExchangeType::create_child_sa: take_create_child_response(sa, message, std::move(what)); break;
        case ExchangeType::ike_followup_ke: take_follow_up_response(sa, message, std::move(what)); break;
        case ExchangeType::informational: take_informational_response(sa, message, std::move(what)); break;
        default: break;
    }
    if (sa.state != IkeState::dead) pump(sa);
}

void Turn::complain(const Datagram& about, const Header& header, Notify what) {
    if (what.type == NotifyType::invalid_syntax) return;  // 3.10.1: only where a checksum was right
    begin_second();
    if (++engine.complaints_ > Engine::most_complaints_a_second) return;
    answer_in_clear(about, header, std::move(what));
}

void Turn::answer_in_clear(const Datagram& about, const Header& header, Notify what) {
    Header answer = header;
    answer.major = 2;
    answer.minor = 0;
    answer.higher_version = false;  // 3.1
    answer.from_initiator = !header.from_initiator;
    answer.response = true;
    const Payloads payloads{std::move(what)};
    tell_message(nullptr, Course::sent, answer, &payloads, about.remote);
    actions.emplace_back(Send{{about.local, about.remote, build_message(answer, payloads)}});
}

Header Turn::header_for(const IkeSa& sa, ExchangeType exchange, bool response, std::uint32_t id) const {
    Header header;
    header.initiator_spi = sa.spi_initiator;
    header.responder_spi = sa.spi_responder;
    header.exchange = exchange;
    header.from_initiator = sa.initiator;
    header.response = response;
    header.message_id = id;
    return header;
}

std::vector<Octets> Turn::seal(IkeSa& sa, const Header& header, const Payloads& payloads) {
    const PayloadType first = payloads.empty() ? PayloadType::none : type_of(payloads.front());
    const Octets inner = build_payloads(payloads);
    if (sa.fragments && (!sa.connection || sa.connection->fragmentation) &&
        inner.size() + 128 > uncut_octets(sa.remote.address)) {
        if (auto cut = sa.sealing->seal_fragments(header, first, inner, most_datagram_octets(sa.remote.address)))
            return std::move(*cut);
    }
    auto sealed = sa.sealing->seal(header, first, inner);
    if (!sealed) {
        tell(Tell::Level::error, &sa, "a message cannot be sealed: " + sealed.error().message);
        return {};
    }
    std::vector<Octets> out;
    out.push_back(std::move(*sealed));
    return out;
}

void Turn::send(const IkeSa& sa, const std::vector<Octets>& datagrams) {
    for (const Octets& octets : datagrams) actions.emplace_back(Send{{sa.local, sa.remote, octets}});
}

void Turn::tell_message(const IkeSa* sa, Course course, const Header& header, const Payloads* payloads,
                        const Endpoint& peer) {
    const MessageLog wanted = engine.config_.log_messages;
    if (wanted == MessageLog::none) return;
    const bool liveness = header.exchange == ExchangeType::informational && payloads != nullptr && payloads->empty();
    if (liveness && wanted == MessageLog::brief) return;  // there would be little else
    if (sa == nullptr) {  // anybody can send many: no text is made of them, and none takes a warning's place
        begin_second();
        if (++engine.strangers_messages_ > Engine::most_complaints_a_second) return;
    }
    std::string text = course == Course::sent ? "sent " : "received ";
    text += name_of(header.exchange);
    text += header.response ? " response " : " request ";
    text += std::to_string(header.message_id) + (course == Course::sent ? " to " : " from ") + peer.text();
    if (payloads == nullptr) {
        text += ", again";
    } else {
        text += payloads->empty() ? ": nothing" : ": " + brief(*payloads);
        if (wanted == MessageLog::full && !payloads->empty()) {
            text += '\n' + in_full(*payloads);
            text.pop_back();  // the end of the last line
        }
    }
    actions.emplace_back(Tell{Tell::Level::debug, sa ? sa->id : IkeSaId{}, sa ? std::string{sa->connection_name()} : "",
                              std::move(text)});
}

/// 2.1, 2.23: to where the request came from now, since his NAT may have given the peer another port in between. He has
/// not moved by that: anybody can send an old request again, from wherever he likes.
void Turn::answer_again(const IkeSa& sa, const Datagram& repeated) {
    const Endpoint& to = sa.peer_behind_nat && !sa.behind_nat ? repeated.remote : sa.remote;
    const Way way = sa.mobike ? *way_ : Way{sa.local, to};
    for (const Octets& octets : sa.last_response) actions.emplace_back(Send{{way.local, way.remote, octets}});
}

void Turn::request(IkeSa& sa, ExchangeType exchange, const Payloads& payloads, Outstanding what) {
    what.message_id = sa.next_request++;
    what.exchange = exchange;
    const Header header = header_for(sa, exchange, false, what.message_id);
    what.datagrams = seal(sa, header, payloads);
    tell_message(&sa, Course::sent, header, &payloads, sa.remote);
    what.next = now.steady + Instant{engine.config_.retransmit_milliseconds};
    send(sa, what.datagrams);
    sa.response_fragments.clear();
    sa.outstanding = std::move(what);
    touch(sa);
}

void Turn::request_of(IkeSa& sa, ExchangeType exchange, const Payloads& payloads, Task task) {
    Outstanding what;
    what.task = std::move(task);
    request(sa, exchange, payloads, std::move(what));
}

void Turn::respond(IkeSa& sa, const Header& to, const Payloads& payloads) {
    const Header header = header_for(sa, to.exchange, true, to.message_id);
    sa.last_response = seal(sa, header, payloads);
    sa.expected_request = to.message_id + 1;
    tell_message(&sa, Course::sent, header, &payloads, sa.mobike && way_ ? way_->remote : sa.remote);
    if (sa.mobike && way_)  // RFC 7296 2.11: where the request came from, wherever the SA is (RFC 4555 3.5)
        for (const Octets& octets : sa.last_response) actions.emplace_back(Send{{way_->local, way_->remote, octets}});
    else
        send(sa, sa.last_response);
    touch(sa);
}

/// 2.1, 2.4: the same octets, each time after twice as long; then the peer is dead to us.
void Turn::retransmit(IkeSa& sa) {
    Outstanding& what = *sa.outstanding;
    if (what.sent > engine.config_.retransmissions) {
        if (sa.state == IkeState::deleting || sa.state == IkeState::rekeyed)
            return destroy(sa, "the peer does not answer our Delete");
        return destroy(sa, what.refusal.empty()
                               ? "the peer at " + sa.remote.text() + " does not answer " + name_of(what.exchange) +
                                     " (sent " + std::to_string(what.sent) + " times)"
                               : what.refusal);
    }
    tell_message(&sa, Course::sent, header_for(sa, what.exchange, false, what.message_id), nullptr, sa.remote);
    send(sa, what.datagrams);
    try_other_way(sa, what);
    const auto wait = Instant{engine.config_.retransmit_milliseconds} * (std::int64_t{1} << std::min(what.sent, 16u));
    ++what.sent;
    what.next = now.steady + std::min(wait, longest_interval);
}

void Turn::enqueue(IkeSa& sa, Task task) {
    if (sa.queue.size() >= engine.config_.limits.queued_requests)
        return tell(Tell::Level::warning, &sa,
                    name_of(task) + " is not done: " + std::to_string(sa.queue.size()) + " others wait already");
    if (is_urgent(task))
        sa.queue.push_front(std::move(task));
    else
        sa.queue.push_back(std::move(task));
    pump(sa);
}

/// The peer's rekey of the IKE SA waits for its additional key exchanges, and no child comes or goes meanwhile
/// (2.25.2).
bool Turn::must_wait(const IkeSa& sa) const {
    return awaits(sa, nullptr) &&
           (!is_urgent(sa.queue.front()) || std::holds_alternative<DeleteChildren>(sa.queue.front()));
}

void Turn::pump(IkeSa& sa) {
    const bool may = sa.state == IkeState::established || sa.state == IkeState::rekeyed;
    while (may && !sa.outstanding && !sa.queue.empty()) {
        if (!is_urgent(sa.queue.front()) && now.steady < sa.not_before) break;
        if (must_wait(sa)) break;
        Task task = std::move(sa.queue.front());
        sa.queue.pop_front();
        if (auto* create = std::get_if<CreateChild>(&task)) {
            send_create_child(sa, std::move(*create));
        } else if (auto* rekey = std::get_if<RekeyIke>(&task)) {
            send_rekey_ike(sa, *rekey);
        } else if (auto* children = std::get_if<DeleteChildren>(&task)) {
            send_delete_children(sa, *children);
        } else if (auto* end = std::get_if<DeleteIke>(&task)) {
            send_delete_ike(sa, *end);
            break;
        } else if (const auto* move = std::get_if<UpdateAddresses>(&task)) {
            send_update_addresses(sa, *move);
        } else if (auto* check = std::get_if<CheckRoute>(&task)) {
            send_check_route(sa, std::move(*check));
        } else if (auto* mismatch = std::get_if<TellInvalidSelectors>(&task)) {
            send_invalid_selectors(sa, std::move(*mismatch));
        } else {
            send_liveness(sa);
        }
    }
    touch(sa);
}

}  // namespace torii::ike
