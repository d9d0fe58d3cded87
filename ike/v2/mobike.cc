// MOBIKE (RFC 4555): either end of an IKE SA gets another address, and the IKE SA and its children go on. Whoever began
// it decides where it goes (3.5): by an operator's order, by finding that requests are answered by another way alone
// (3.10), or by a NAT that gives him another address (3.8). The other end follows no packet of its own accord; it asks
// at the new address whether he is there before anything is sent to it (3.7). The SAs keep their keys and numbers:
// control::MoveSa.
#include "ike/v2/mobike.h"

#include <algorithm>

#include "base/reader.h"
#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

constexpr std::size_t cookie2_octets = 16;
constexpr unsigned sent_before_others = 2;  // so often by the usual way alone (3.10)

bool is(const Payload& payload, NotifyType type) {
    const auto* n = std::get_if<Notify>(&payload);
    return n != nullptr && n->type == type;
}

Octets no_nats_data(const Way& of_sender) {
    Octets out;
    Writer{out}
        .put(of_sender.local.address.octets())
        .put(of_sender.remote.address.octets())
        .u16(of_sender.local.port)
        .u16(of_sender.remote.port);
    return out;
}

/// Unicast addresses of a host: what a peer says is data.
bool may_be_a_hosts(const Address& address) {
    return !address.is_unspecified() && !address.is_multicast() && !address.is_link_local() &&
           !(address.is_v4() && address.v4_number() >> 24 >= 224);
}

Way way_of(const IkeSa& sa) { return {sa.local, sa.remote}; }

}  // namespace

Notify additional_address(const Address& address) {
    return notify(address.is_v4() ? NotifyType::additional_ip4_address : NotifyType::additional_ip6_address,
                  Octets(address.octets().begin(), address.octets().end()));
}

std::optional<std::vector<Address>> additional_addresses(const Payloads& payloads) {
    std::vector<Address> out;
    bool told = false;
    for (const Payload& payload : payloads) {
        told = told || is(payload, NotifyType::no_additional_addresses);
        const bool v4 = is(payload, NotifyType::additional_ip4_address);
        if (!v4 && !is(payload, NotifyType::additional_ip6_address)) continue;
        told = true;
        const Octets& data = std::get<Notify>(payload).data;
        if (data.size() != (v4 ? 4u : 16u) || out.size() == limits::additional_addresses) continue;
        const Address address = Address::from_octets(data);
        if (may_be_a_hosts(address) && std::ranges::find(out, address) == out.end()) out.push_back(address);
    }
    if (!told) return {};
    return out;
}

Notify no_nats_allowed(const Way& of_sender) { return notify(NotifyType::no_nats_allowed, no_nats_data(of_sender)); }

bool is_translated(const Payloads& payloads, const Way& way) {
    const Notify* const n = find_notify(payloads, NotifyType::no_nats_allowed);
    return n != nullptr && n->data != no_nats_data({way.remote, way.local});
}

// ---- IKE_AUTH

/// 3.2, 3.4: `asked`, of a responder, is what the initiator said; null: we are the initiator.
void Turn::append_mobike(const IkeSa& sa, const Payloads* asked, Payloads& payloads) {
    if (!sa.connection->mobike) return;
    if (asked != nullptr && find_notify(*asked, NotifyType::mobike_supported) == nullptr) return;
    payloads.emplace_back(notify(NotifyType::mobike_supported));
    for (const Address& address : own_addresses(sa))
        if (address != sa.local.address) payloads.emplace_back(additional_address(address));
}

void Turn::read_mobike(IkeSa& sa, const Payloads& payloads) {
    sa.mobike = sa.connection->mobike && find_notify(payloads, NotifyType::mobike_supported) != nullptr;
    sa.peer_addresses = additional_addresses(payloads).value_or(std::vector<Address>{});
    if (std::ranges::find(sa.peer_addresses, sa.remote.address) == sa.peer_addresses.end())
        sa.peer_addresses.push_back(sa.remote.address);
}

/// 3.3: to port 4500 where both may do NAT traversal, so that no port changes when a NAT appears later.
bool Turn::goes_to_4500(const IkeSa& sa, const Payloads& answered) const {
    return sa.connection->mobike && find_notify(answered, NotifyType::nat_detection_source_ip) != nullptr;
}

// ---- where it may go

std::vector<Address> Turn::own_addresses(const IkeSa& sa) const {
    std::vector<Address> out = sa.connection->other_locals;
    const Address first = sa.connection->local.value_or(sa.local.address);
    if (std::ranges::find(out, first) == out.end()) out.insert(out.begin(), first);
    return out;
}

/// Every way of one family but the one that is used.
std::vector<Way> Turn::other_ways(const IkeSa& sa) const {
    std::vector<Way> out;
    for (const Address& local : own_addresses(sa))
        for (const Address& remote : sa.peer_addresses) {
            const std::uint16_t port = remote == sa.remote.address ? sa.remote.port : natt_port;
            const Way way{{local, sa.local.port}, {remote, port}};
            if (local.family() == sa.local.address.family() && remote.family() == local.family() && way != way_of(sa))
                out.push_back(way);
        }
    return out;
}

/// 3.10: a request that finds no answer goes by the other ways too, one after the other; the answer shows which is
/// good.
void Turn::try_other_way(IkeSa& sa, Outstanding& what) {
    if (!sa.mobike || !sa.began || sa.state != IkeState::established || what.sent < sent_before_others) return;
    const std::vector<Way> ways = other_ways(sa);
    if (ways.empty()) return;
    const Way& way = ways[sa.ways_tried++ % ways.size()];
    what.by_other_ways = true;
    for (const Octets& octets : what.datagrams) actions.emplace_back(Send{{way.local, way.remote, octets}});
}

/// An authentic answer came to what was sent by other ways too, since the usual one had found none. To an
/// UPDATE_SA_ADDRESSES it says only that this way is good: which of the copies the peer took for our new place, and so
/// where he believes us, nobody knows, and he is told once more.
void Turn::answered_by(IkeSa& sa, const Way& way) {
    if (!sa.outstanding || !sa.outstanding->by_other_ways) return;
    const auto& task = sa.outstanding->task;
    const bool is_update = task && std::holds_alternative<UpdateAddresses>(*task);
    const std::vector<Way> ways = other_ways(sa);
    const bool is_another = std::ranges::find(ways, way) != ways.end();
    if (is_another || (is_update && way == way_of(sa))) go_to(sa, way);
}

/// 3.5, the initiator's first steps. Its children follow once the peer has agreed.
void Turn::go_to(IkeSa& sa, const Way& way) {
    const auto is_update = [](const Task& task) { return std::holds_alternative<UpdateAddresses>(task); };
    if (way == way_of(sa) && std::ranges::any_of(sa.queue, is_update)) return;
    tell(way == way_of(sa) ? Tell::Level::debug : Tell::Level::info, &sa,
         "goes from " + sa.local.text() + " - " + sa.remote.text() + " to " + way.local.text() + " - " +
             way.remote.text());
    const Way former = way_of(sa);
    sa.local = way.local;
    sa.remote = way.remote;
    std::erase_if(sa.queue, is_update);
    sa.queue.push_front(UpdateAddresses{++sa.moves, former});
    pump(sa);
}

/// Another IKE SA takes this one's place in the middle of a move: it goes on there.
void Turn::pass_on_move(const IkeSa& from, IkeSa& to) {
    if (!from.outstanding || !from.outstanding->task) return;
    const Task& task = *from.outstanding->task;
    if (std::holds_alternative<UpdateAddresses>(task) || std::holds_alternative<CheckRoute>(task))
        to.queue.push_front(task);
}

Result<void> Turn::move_local(IkeSa& sa, const Address& local) {
    if (!sa.mobike || !sa.began)
        return fail(Errc::unsupported, std::string{sa.connection_name()} + " cannot move: " +
                                           (sa.mobike ? "the peer began it, and moves it (RFC 4555 3.5)"
                                                      : "both ends must have `mobike = true`"));
    const auto own = own_addresses(sa);
    if (std::ranges::find(own, local) == own.end())
        return fail(Errc::bad_value, local.text() + " is neither `local` nor one of `other_locals` of connection " +
                                         std::string{sa.connection_name()});
    if (local.family() != sa.local.address.family())
        return fail(Errc::unsupported, "an IKE SA moves between addresses of one family");
    if (local == sa.local.address) return {};
    go_to(sa, {{local, sa.local.port}, sa.remote});
    const bool waits = sa.outstanding && !std::holds_alternative<UpdateAddresses>(*sa.outstanding->task);
    if (waits) send(sa, sa.outstanding->datagrams);  // what is under way goes on from there
    return {};
}

// ---- requests of ours

void Turn::send_update_addresses(IkeSa& sa, const UpdateAddresses& task) {
    Payloads payloads;
    payloads.emplace_back(notify(NotifyType::update_sa_addresses));
    append_nat_detection(sa, way_of(sa), payloads);
    request_of(sa, ExchangeType::informational, payloads, task);
}

/// 3.7: whether the peer is where his message came from.
void Turn::send_check_route(IkeSa& sa, CheckRoute task) {
    if (task.way != way_of(sa)) return;  // he has moved on since
    task.cookie.resize(cookie2_octets);
    engine.crypto_.fill(task.cookie);
    Payloads payloads{notify(NotifyType::cookie2, task.cookie)};
    append_nat_detection(sa, task.way,
                         payloads);  // without it libreswan takes this for the question whether he is there
    request_of(sa, ExchangeType::informational, payloads, std::move(task));
}

/// 3.8: behind a NAT we ask how the peer sees us, with the question whether he is there and with every Delete: after a
/// rekey it would be long until there is reason to ask.
void Turn::ask_how_seen(const IkeSa& sa, Payloads& payloads) const {
    if (sa.mobike && sa.began && sa.behind_nat) append_nat_detection(sa, way_of(sa), payloads);
}

/// A peer who puts us off may wait for an answer to a request of his own that our NAT keeps from us.
void Turn::ask_soon_how_seen(IkeSa& sa) {
    if (sa.mobike && sa.began && sa.behind_nat && !sa.waits_for<Liveness>()) sa.queue.emplace_back(Liveness{});
}

void Turn::append_nat_detection(const IkeSa& sa, const Way& way, Payloads& payloads) const {
    payloads.emplace_back(nat_detection(NotifyType::nat_detection_source_ip, sa, way.local));
    payloads.emplace_back(nat_detection(NotifyType::nat_detection_destination_ip, sa, way.remote));
}

/// What the two notifications of an INFORMATIONAL say (3.5, 3.8).
void Turn::detect_nat_on(IkeSa& sa, const Payloads& payloads, const Way& way) {
    const Notify* const destination = find_notify(payloads, NotifyType::nat_detection_destination_ip);
    if (destination == nullptr || find_notify(payloads, NotifyType::nat_detection_source_ip) == nullptr) return;
    const Notify us = nat_detection(NotifyType::nat_detection_destination_ip, sa, way.local);
    const Notify peer = nat_detection(NotifyType::nat_detection_source_ip, sa, way.remote);
    sa.behind_nat = destination->data != us.data;
    sa.peer_behind_nat = std::ranges::none_of(payloads, [&](const Payload& payload) {
        const auto* n = std::get_if<Notify>(&payload);
        return n != nullptr && n->type == peer.type && n->data == peer.data;
    });
}

/// The answers to the three; true: it was to one of them.
bool Turn::take_mobike_response(IkeSa& sa, const Message& message, const Task& task) {
    const Notify* const seen = find_notify(message.payloads, NotifyType::nat_detection_destination_ip);
    const bool lives = std::holds_alternative<Liveness>(task);
    if (lives || std::holds_alternative<DeleteChildren>(task)) {
        // Our NAT gives us another address than before, or we do not know what the peer has in mind: he must be told.
        if (sa.mobike && sa.began && seen != nullptr && std::exchange(sa.seen_as, seen->data) != seen->data)
            go_to(sa, way_of(sa));
        return lives;
    }
    if (const auto* update = std::get_if<UpdateAddresses>(&task)) {
        if (update->number != sa.moves) return true;  // of a way that is history
        if (const Notify* error = first_error(message.payloads)) {
            tell(Tell::Level::error, &sa, "the peer does not move: " + name_of(error->type));
            sa.local = update->former.local;
            sa.remote = update->former.remote;
            return true;
        }
        if (seen != nullptr) sa.seen_as = seen->data;
        detect_nat_on(sa, message.payloads, way_of(sa));
        move_children(sa);
        return true;
    }
    if (const auto* check = std::get_if<CheckRoute>(&task)) {
        const Notify* const cookie = find_notify(message.payloads, NotifyType::cookie2);
        if (cookie == nullptr || cookie->data != check->cookie) {  // 3.7: the IKE SA MUST be closed
            tell(Tell::Level::error, &sa, "the peer does not prove that he is at " + check->way.remote.text());
            restart_after_delete(sa);
        } else if (check->way == way_of(sa)) {
            move_children(sa);
        }
        return true;
    }
    return false;
}

// ---- the peer's requests

/// What an INFORMATIONAL request says of addresses, with what is to be answered.
void Turn::hear_mobike(IkeSa& sa, const Payloads& asked, Payloads& answer) {
    if (!sa.mobike || sa.state != IkeState::established || !way_) return;
    if (const Notify* cookie = find_notify(asked, NotifyType::cookie2);  // 3.7, whatever else the message says
        cookie != nullptr && cookie->data.size() >= limits::cookie2_least &&
        cookie->data.size() <= limits::cookie2_most)
        answer.emplace_back(*cookie);
    if (auto others = additional_addresses(asked)) {  // 3.6
        sa.peer_addresses = std::move(*others);
        if (std::ranges::find(sa.peer_addresses, way_->remote.address) == sa.peer_addresses.end())
            sa.peer_addresses.push_back(way_->remote.address);
    }
    const bool detects = find_notify(asked, NotifyType::nat_detection_destination_ip) != nullptr;
    if (find_notify(asked, NotifyType::update_sa_addresses) == nullptr || sa.began) {
        if (detects) append_nat_detection(sa, *way_, answer);
        return;
    }
    if (is_translated(asked, *way_)) {
        answer.emplace_back(notify(NotifyType::unexpected_nat_detected));  // 3.9
        return;
    }
    const auto own = own_addresses(sa);
    if (std::ranges::find(own, way_->local.address) == own.end() ||
        way_->remote.address.family() != sa.remote.address.family()) {
        tell(Tell::Level::warning, &sa, "the peer may not move to " + way_->remote.text() + " - " + way_->local.text());
        answer.emplace_back(notify(NotifyType::unacceptable_addresses));
        return;
    }
    const bool elsewhere = *way_ != way_of(sa);
    if (elsewhere)
        tell(Tell::Level::info, &sa, "the peer moved from " + sa.remote.text() + " to " + way_->remote.text());
    sa.local = way_->local;
    sa.remote = way_->remote;
    if (elsewhere && sa.outstanding) send(sa, sa.outstanding->datagrams);  // what is under way goes on there
    detect_nat_on(sa, asked, *way_);
    if (detects) append_nat_detection(sa, *way_, answer);
    std::erase_if(sa.queue, [](const Task& task) { return std::holds_alternative<CheckRoute>(task); });
    sa.queue.push_front(CheckRoute{*way_, {}});
}

// ---- children in the gateway

/// Every SA of the children is where the IKE SA is, with its keys, its numbers and its window, and the policies lead
/// there: a transaction for each. Transport mode is between the two ends themselves, whose new addresses are other
/// traffic: it gets new SAs, unless the ports alone are others. So does a child whose SPI somebody else has there.
void Turn::move_children(IkeSa& sa) {
    const Endpoints ends{sa.local.address, sa.remote.address};
    std::vector<ChildId> rekeyed;
    for (const auto& held : sa.children) {
        ChildSa& child = *held;
        if ((child.mode == Mode::transport && child.ends != ends) || !is_free_at(sa, child, ends))
            rekeyed.push_back(child.id);
        else
            move_child(sa, child, ends);
    }
    for (const ChildId id : rekeyed)
        if (ChildSa* const child = sa.child(id); child != nullptr) rekey_child(sa, *child);
}

/// By these names the gateway knows SAs, and by them one would be deleted for the other.
bool Turn::is_free_at(const IkeSa& sa, ChildSa& child, const Endpoints& ends) {
    const auto here = std::exchange(child.ends, ends);
    const auto names = sas_of(sa, child);
    child.ends = here;
    return std::ranges::all_of(names, [&](const control::SaId& id) {
        const auto holder = engine.child_of_sa_.find(id);
        return holder == engine.child_of_sa_.end() || holder->second == child.id;
    });
}

/// Where the child's SAs are, in the engine's books.
void Turn::note_ends(const IkeSa& sa, ChildSa& child, const std::optional<Endpoints>& ends) {
    for (const control::SaId& id : sas_of(sa, child)) engine.child_of_sa_.erase(id);
    child.ends = ends;
    for (const control::SaId& id : sas_of(sa, child)) engine.child_of_sa_.emplace(id, child.id);
    if (child.pending_outbound) child.pending_outbound->id = outbound_sa(sa, child);
}

void Turn::move_child(IkeSa& sa, ChildSa& child, const Endpoints& ends) {
    std::vector<control::Operation> operations;
    const bool in_udp = sa.uses_udp() && child.protocol == ProtocolId::esp;
    const auto udp = [&](bool inbound) -> std::optional<control::UdpEncapsulation> {
        if (!in_udp) return {};
        return control::UdpEncapsulation{
            inbound ? sa.remote.port : sa.local.port, inbound ? sa.local.port : sa.remote.port, {}};
    };
    const auto move = [&](bool is_up, control::SaId id, bool inbound) {
        if (!is_up) return;
        control::MoveSa to{std::move(id), ends.source, ends.destination, {}};
        if (inbound) std::swap(to.source, to.destination);
        if (to.id.protocol == IpsecProtocol::esp) to.udp = udp(inbound);
        operations.emplace_back(std::move(to));
    };
    move(child.inbound_up, inbound_sa(sa, child), true);
    move(child.outbound_up, outbound_sa(sa, child), false);
    if (child.ipcomp) {
        move(child.ipcomp->inbound_up, inbound_ipcomp(sa, child), true);
        move(child.ipcomp->outbound_up, outbound_ipcomp(sa, child), false);
    }
    child.moved_from = child.ends;
    note_ends(sa, child, ends);
    if (child.pending_outbound) child.pending_outbound->udp = udp(false);
    if (const auto pair = child.policies ? engine.policies_.find(*child.policies) : engine.policies_.end();
        pair != engine.policies_.end() && pair->second.ends != ends) {
        pair->second.ends = ends;
        update_policies(pair->first, pair->second, operations);
    }
    apply(std::move(operations), child.id);
}

/// The gateway has somebody else's SA there, such as an operator's: the child stays where it is until a new one has
/// taken its place, with other SPIs.
void Turn::stays(IkeSa& sa, ChildSa& child) {
    const auto ends = std::exchange(child.moved_from, {});
    if (const auto pair = child.policies ? engine.policies_.find(*child.policies) : engine.policies_.end();
        pair != engine.policies_.end() && Endpoints{pair->second.ends} == child.ends)
        pair->second.ends = *ends;
    note_ends(sa, child, ends);
    rekey_child(sa, child);
}

}  // namespace torii::ike
