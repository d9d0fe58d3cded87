#include "ike/v2/engine.h"

#include <algorithm>

#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

constexpr Instant far_away{3'600'000};
constexpr Instant between_mismatches{10'000};  // that one child's peer is told of

std::string names_of(const EngineConfig& config) {
    std::string out;
    for (const auto& connection : config.connections) {
        out.append(out.empty() ? "" : ", ").append(connection->name);
        for (const ChildConfig& child : connection->children) out.append(", ").append(child.name);
    }
    return out.empty() ? "none" : out;
}

struct Named {
    std::shared_ptr<const Connection> connection;
    const ChildConfig* child = nullptr;  // null: the whole connection
};

/// "newyork", "offices" where one connection has it, or "newyork/offices".
Result<Named> named(const EngineConfig& config, std::string_view name) {
    std::vector<Named> found;
    for (const auto& connection : config.connections) {
        if (connection->name == name) return Named{connection, nullptr};
        for (const ChildConfig& child : connection->children)
            if (child.name == name || connection->name + "/" + child.name == name)
                found.push_back({connection, &child});
    }
    if (found.size() == 1) return found[0];
    if (found.empty())
        return fail(Errc::not_found,
                    "there is no connection or child " + std::string{name} + "; there are " + names_of(config));
    return fail(Errc::bad_value, "several connections have a child " + std::string{name} + ": write " +
                                     found[0].connection->name + "/" + std::string{name});
}

TrafficPair traffic_of(const Selector& outbound) {
    PortRange source = outbound.source_ports, destination = outbound.destination_ports;
    if (outbound.protocol && is_icmp(*outbound.protocol)) {  // 3.13.1: type and code are one number, at both ends
        if (!source.is_any()) {
            const PortRange code = destination.is_any() ? PortRange{0, 255} : destination;
            source = {static_cast<std::uint16_t>(source.low << 8 | code.low),
                      static_cast<std::uint16_t>(source.high << 8 | (code.high & 0xff))};
        }
        destination = source;
    }
    return {{to_traffic_selector(outbound.source, outbound.protocol, source)},
            {to_traffic_selector(outbound.destination, outbound.protocol, destination)}};
}

bool same_child(const CreateChild& a, const CreateChild& b) {
    return a.config == b.config && !a.rekeys && !b.rekeys && a.traffic == b.traffic && a.reqid == b.reqid;
}

}  // namespace

bool same(const Connection& a, const Connection& b) {
    const auto values = [](const Connection& c) {
        return std::tie(c.name, c.fingerprint, c.local, c.remote, c.local_id, c.remote_id, c.local_auth, c.remote_auth,
                        c.allow_sha1, c.ppk, c.ppk_id, c.proposals, c.rekey_seconds, c.reauth_seconds, c.dpd_seconds,
                        c.uniqueness, c.fragmentation, c.childless, c.mobike, c.other_locals, c.pools, c.dns,
                        c.request_address, c.children);
    };
    return values(a) == values(b);
}

Engine::Engine(CryptoContext& crypto, EngineConfig config, const Traffic& traffic)
    : crypto_(crypto), config_(std::move(config)), connections_(config_.connections), traffic_(traffic) {}
Engine::~Engine() = default;

const IkeSa* Engine::find(IkeSaId id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

void Engine::each(const std::function<void(const IkeSa&)>& visit) const {
    for (const auto& [id, sa] : by_id_) visit(*sa);
}

bool Engine::owns(const Policy& policy) const {
    return policy.owner == PolicyOwner::spd && !policy.requests.empty() &&
           std::ranges::all_of(policy.requests, [](const Request& request) {
               return static_cast<std::uint32_t>(request.reqid) >= first_reqid;
           });
}

Actions Engine::begin(const Now& now) {
    Turn turn{*this, now};
    for (const auto& connection : config_.connections) turn.begin(*connection);
    return turn.finish();
}

/// Policies of traps at once, what starts by itself in a moment.
void Turn::begin(const Connection& connection) {
    std::vector<control::Operation> operations;
    bool starts = false;
    for (const ChildConfig& child : connection.children) {
        starts = starts || child.start == StartAction::start;
        if (child.start != StartAction::trap || !child.makes_policies) continue;
        if (const auto trapped = trap(connection, child, operations); !trapped)
            tell(Tell::Level::error, nullptr, trapped.error().message);
    }
    apply(std::move(operations));
    if (starts) engine.starts_.set(connection.name, now.steady, 0);
}

Actions Engine::receive(const Datagram& datagram, const Now& now) {
    Turn turn{*this, now};
    turn.receive(datagram);
    return turn.finish();
}

Instant Engine::next_tick() const {
    const Instant next = timers_.empty() ? far_away * 1000 : timers_.begin()->first;
    return std::min(next, starts_.next().value_or(next));
}

Actions Engine::tick(const Now& now) {
    Turn turn{*this, now};
    const auto timer = timers_.begin();
    const auto start = starts_.due(now.steady);
    if (start && (timer == timers_.end() || *starts_.next() <= timer->first)) {
        // established_now() takes it off, restart() sets it anew
        starts_.set(*start, now.steady + far_away, starts_.failures(*start));
        if (const auto connection = connections_.named(*start)) turn.start(connection);
    } else if (timer != timers_.end() && timer->first <= now.steady) {
        turn.due(*by_id_.at(timer->second));
    }
    return turn.finish();
}

/// Brings up whatever of the connection is to start by itself, or, of an operator's order, all of it.
void Turn::start(const std::shared_ptr<const Connection>& connection, bool all) {
    if (established(*connection) != nullptr) {
        for (const ChildConfig& child : connection->children)
            if (all || child.start == StartAction::start) want_child(connection, {.config = &child});
        return;
    }
    if (being_made(*connection) != nullptr) return;
    std::vector<CreateChild> wanted;
    for (const ChildConfig& child : connection->children)
        if (all || child.start == StartAction::start) {
            wanted.emplace_back();
            wanted.back().config = &child;
        }
    std::optional<CreateChild> first;
    if (!wanted.empty()) first = wanted.front();
    if (auto begun = initiate(connection, std::move(first)); !begun)
        return tell(Tell::Level::error, nullptr, begun.error().message);
    for (std::size_t i = 1; i < wanted.size(); ++i) want_child(connection, wanted[i]);
}

std::pair<IkeSa*, ChildSa*> Turn::child_of(const control::SaId& id) const {
    const auto number = engine.child_of_sa_.find(id);
    if (number == engine.child_of_sa_.end()) return {};
    IkeSa* const sa = engine.owner_of_child_.at(static_cast<std::uint64_t>(number->second));
    return {sa, sa->child(number->second)};
}

/// Through the IKE SA that there is, or that is being made, or a new one.
void Turn::want_child(const std::shared_ptr<const Connection>& connection, CreateChild task) {
    IkeSa* sa = established(*connection);
    if (sa == nullptr) sa = being_made(*connection);
    if (sa == nullptr) {
        if (auto begun = initiate(connection, std::move(task)); !begun)
            tell(Tell::Level::error, nullptr, begun.error().message);
        return;
    }
    const bool asked =
        (sa->first_child && same_child(*sa->first_child, task)) ||
        std::ranges::any_of(sa->queue,
                            [&](const Task& waiting) {
                                const auto* create = std::get_if<CreateChild>(&waiting);
                                return create != nullptr && same_child(*create, task);
                            }) ||
        (sa->outstanding && sa->outstanding->task && std::holds_alternative<CreateChild>(*sa->outstanding->task) &&
         same_child(std::get<CreateChild>(*sa->outstanding->task), task)) ||
        std::ranges::any_of(sa->children, [&](const auto& child) {
            return child->config == task.config &&
                   (child->state == ChildSa::State::installed || child->state == ChildSa::State::rekeying) &&
                   (!task.traffic || *task.traffic == child->traffic) &&
                   (!task.packet || wants(child->traffic, *task.packet));
        });
    if (!asked) enqueue(*sa, std::move(task));
}

/// Whether a packet on its way out is one of a child's.
bool Turn::wants(const TrafficPair& traffic, const PacketSelector& packet) {
    return cover(traffic.local, {to_traffic_selector(packet.source, packet.protocol, packet.source_port)}) &&
           cover(traffic.remote, {to_traffic_selector(packet.destination, packet.protocol, packet.destination_port)});
}

Actions Engine::acquire(const control::Event& event, const Policy* policy, const Now& now) {
    Turn turn{*this, now};
    if (!event.request || shutting_down_) return {};
    CreateChild task;
    if (event.packet.protocol != 0) task.packet = event.packet;
    if (const auto ours = policies_by_reqid_.find(static_cast<std::uint32_t>(event.request->reqid));
        ours != policies_by_reqid_.end()) {
        const auto connection = connections_.named(ours->second->connection);
        if (connection == nullptr) return {};
        for (const ChildConfig& child : connection->children)
            if (child.name == ours->second->child) {
                task.config = &child;
                turn.want_child(connection, std::move(task));
                return turn.finish();
            }
        return {};
    }
    // An operator's policy: the connection with that peer, and its child for such traffic.
    const auto bundle = policy == nullptr ? std::nullopt : bundle_of(*policy);
    if (!bundle) return {};
    const TrafficPair asked = traffic_of(policy->selector);
    for (const auto& connection : connections_.between(event.sa.source, event.sa.destination)) {
        if (!connection->remote) continue;  // nobody is called who is known by no address
        for (const ChildConfig& child : connection->children) {
            const bool protocol = (child.protocol == ProtocolId::ah) == (bundle->protocol == IpsecProtocol::ah);
            if (child.makes_policies || child.mode != bundle->mode || !protocol || child.ipcomp != bundle->ipcomp)
                continue;
            const TrafficPair ours = configured_traffic(child, event.sa.source, event.sa.destination);
            if (narrow(asked.local, ours.local).empty() || narrow(asked.remote, ours.remote).empty()) continue;
            task.config = &child;
            task.traffic = TrafficPair{narrow(asked.local, ours.local), narrow(asked.remote, ours.remote)};
            task.reqid = bundle->reqid;
            task.ipcomp_reqid = bundle->ipcomp_reqid;
            turn.want_child(connection, std::move(task));
            return turn.finish();
        }
    }
    turn.tell(Tell::Level::warning, nullptr,
              "a policy wants " + std::string{torii::name_of(event.request->protocol)} + " between " +
                  event.sa.source.text() + " and " + event.sa.destination.text() + ", and no connection is for that");
    return turn.finish();
}

Actions Engine::expired(const control::SaId& id, bool hard, const Now& now) {
    Turn turn{*this, now};
    const auto [sa, child] = turn.child_of(id);
    if (child == nullptr) return {};
    if (!hard) {
        turn.rekey_child(*sa, *child);
        return turn.finish();
    }
    note_gone(*sa, *child, id);
    if (child->state == ChildSa::State::installed || child->state == ChildSa::State::rekeying) {
        const ChildConfig* config = child->config;
        child->state = ChildSa::State::deleting;
        turn.enqueue(*sa, DeleteChildren{child->protocol, {child->inbound}});
        turn.child_lost(*sa, config);
    }
    return turn.finish();
}

bool Engine::tells_mismatch(const control::SaId& id, const Now& now) const {
    if (!config_.tells_invalid_selectors) return false;
    const auto number = child_of_sa_.find(id);
    if (number == child_of_sa_.end()) return false;
    const IkeSa& sa = *owner_of_child_.at(static_cast<std::uint64_t>(number->second));
    const ChildSa& child = *sa.child(number->second);
    return sa.state == IkeState::established && child.remove_inbound_at == Instant{} &&
           child.state != ChildSa::State::deleting &&
           (child.mismatch_told == Instant{} || now.steady >= child.mismatch_told + between_mismatches);
}

Actions Engine::mismatched(const control::Event& event, const Now& now) {
    if (!tells_mismatch(event.sa, now)) return {};
    Turn turn{*this, now};
    const auto [sa, child] = turn.child_of(event.sa);
    child->mismatch_told = now.steady;
    const auto start = event.start.view();
    turn.enqueue(*sa, TellInvalidSelectors{child->protocol, child->inbound, {start.begin(), start.end()}});
    return turn.finish();
}

Actions Engine::refused(ChildId number, const Error& why, const Now& now) {
    Turn turn{*this, now};
    const auto owner = owner_of_child_.find(static_cast<std::uint64_t>(number));
    if (owner == owner_of_child_.end()) return {};
    IkeSa& sa = *owner->second;
    ChildSa& child = *sa.child(number);
    turn.tell(Tell::Level::error, &sa, "the gateway does not take child " + child.config->name + ": " + why.message);
    if (child.moved_from) {
        turn.stays(sa, child);
        return turn.finish();
    }
    // Nothing of the transaction is there: neither its SAs nor, if it was the first to need them, its policies. And
    // what it was to take away is there still.
    child.outbound_up = false;
    child.pending_outbound.reset();
    if (!child.outbound_later) child.inbound_up = false;
    if (child.ipcomp) child.ipcomp->inbound_up = child.inbound_up, child.ipcomp->outbound_up = false;
    if (ChildSa* const old = child.took_over ? sa.child(*child.took_over) : nullptr) {
        old->outbound_up = true;
        if (old->ipcomp) old->ipcomp->outbound_up = true;
    }
    if (child.policies && !child.outbound_later) {
        const auto pair = policies_.find(*child.policies);
        child.policies.reset();
        if (pair != policies_.end() && --pair->second.users == 0 && !pair->second.trapped) erase_pair(pair);
    }
    child.state = ChildSa::State::deleting;
    const ChildConfig* const config = child.config;
    turn.enqueue(sa, DeleteChildren{child.protocol, {child.inbound}});
    turn.child_lost(sa, config);
    return turn.finish();
}

// ---- orders

Result<Actions> Engine::up(std::string_view name, const Now& now) {
    TORII_TRY(const auto what, named(config_, name));
    Turn turn{*this, now};
    if (what.child == nullptr) {
        turn.start(what.connection, true);
    } else {
        CreateChild task;
        task.config = what.child;
        turn.want_child(what.connection, std::move(task));
    }
    return turn.finish();
}

Result<Actions> Engine::down(std::string_view name, const Now& now) {
    TORII_TRY(const auto what, named(config_, name));
    Turn turn{*this, now};
    if (what.child == nullptr) starts_.erase(what.connection->name);
    std::size_t ended = 0;
    for (const auto& [id, sa] : IkeSas{directory_.of(*what.connection)}) {
        if (what.child != nullptr) {
            std::vector<Spi> spis;
            for (const auto& child : sa->children)
                if (child->config == what.child && child->state == ChildSa::State::installed) {
                    child->state = ChildSa::State::deleting;
                    spis.push_back(child->inbound);
                }
            ended += spis.size();
            if (!spis.empty()) turn.enqueue(*sa, DeleteChildren{what.child->protocol, std::move(spis)});
        } else if (sa->state == IkeState::established) {
            ++ended;
            turn.enqueue(*sa, DeleteIke{});
        } else if (sa->initiator && is_being_made(sa->state)) {
            ++ended;
            sa->state = IkeState::deleting;  // without a word: nobody knows it yet
            turn.destroy(*sa, "taken down");
        }
    }
    if (ended == 0) return fail(Errc::not_found, std::string{name} + " is not up");
    return turn.finish();
}

Result<Actions> Engine::rekey(std::string_view name, const Now& now) {
    TORII_TRY(const auto what, named(config_, name));
    Turn turn{*this, now};
    std::size_t begun = 0;
    for (const auto& [id, sa] : IkeSas{directory_.of(*what.connection)}) {
        if (sa->state != IkeState::established) continue;
        if (what.child == nullptr) {
            ++begun;
            if (!sa->waits_for<RekeyIke>()) turn.enqueue(*sa, RekeyIke{});
            continue;
        }
        std::vector<ChildId> children;
        for (const auto& child : sa->children)
            if (child->config == what.child && child->state == ChildSa::State::installed) children.push_back(child->id);
        for (const ChildId child : children)
            if (ChildSa* held = sa->child(child)) {
                ++begun;
                turn.rekey_child(*sa, *held);
            }
    }
    if (begun == 0) return fail(Errc::not_found, std::string{name} + " is not up");
    return turn.finish();
}

Result<Actions> Engine::move(std::string_view name, const Address& local, const Now& now) {
    TORII_TRY(const auto what, named(config_, name));
    Turn turn{*this, now};
    IkeSa* sa = turn.established(*what.connection);
    if (sa == nullptr) return fail(Errc::not_found, what.connection->name + " is not up");
    TORII_CHECK(turn.move_local(*sa, local));
    return turn.finish();
}

Result<Actions> Engine::reauth(std::string_view name, const Now& now) {
    TORII_TRY(const auto what, named(config_, name));
    Turn turn{*this, now};
    IkeSa* sa = turn.established(*what.connection);
    if (sa == nullptr) return fail(Errc::not_found, what.connection->name + " is not up");
    turn.begin_reauth(*sa);
    return turn.finish();
}

Actions Engine::configure(EngineConfig next, const Now& now) {
    Turn turn{*this, now};
    // An unchanged connection keeps the value that its SAs hold on to.
    std::vector<IkeSa*> unproven;
    for (auto& connection : next.connections)
        if (const auto old = connections_.named(connection->name); old && same(*old, *connection)) {
            for (const auto& [id, sa] : directory_.of(*old))
                if (!is_proven_by(*sa, *connection)) unproven.push_back(sa);
            renew(*old, *connection);
            connection = old;
        }
    Connections following{next.connections};
    for (const auto& old : config_.connections) {
        if (following.contains(old)) continue;
        for (const auto& [id, sa] : IkeSas{directory_.of(*old)}) {
            if (sa->state == IkeState::established)
                turn.send_delete_ike_now(*sa);
            else if (sa->state != IkeState::deleting && sa->state != IkeState::closed)
                turn.destroy(*sa, "its connection is no longer configured");
        }
        starts_.erase(old->name);  // what ends would begin again
        std::vector<control::Operation> operations;
        turn.untrap(*old, operations);
        turn.apply(std::move(operations));
    }
    std::swap(connections_, following);
    config_ = std::move(next);
    for (const auto& connection : config_.connections)
        if (!following.contains(connection)) turn.begin(*connection);
    for (IkeSa* const sa : unproven) {
        turn.tell(Tell::Level::info, sa, "ends: the reload changed the key that it was proven by");
        turn.restart_after_delete(*sa);
    }
    Actions actions = turn.finish();
    std::set<Prefix> pools;
    for (const auto& connection : config_.connections) pools.insert(connection->pools.begin(), connection->pools.end());
    pools_.keep_only(pools);
    return actions;
}

Actions Engine::shut_down(const Now& now) {
    Turn turn{*this, now};
    shutting_down_ = true;
    starts_.clear();
    for (const auto& [id, sa] : IkeSas{by_id_}) {
        if (sa->state == IkeState::established) turn.send_delete_ike_now(*sa);
        turn.destroy(*sa, "the gateway ends");
    }
    std::vector<control::Operation> operations;
    for (const auto& connection : config_.connections) turn.untrap(*connection, operations);
    turn.apply(std::move(operations));
    return turn.finish();
}

}  // namespace torii::ike
