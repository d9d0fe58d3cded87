// What a child SA is in the gateway: its two SAs and the policies that lead traffic to them (RFC 4301 4.4; RFC 7296
// 2.9). Each change is one transaction, so that no packet falls between an old SA and a new one.
#include <algorithm>

#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

IpsecProtocol ipsec(ProtocolId protocol) { return protocol == ProtocolId::ah ? IpsecProtocol::ah : IpsecProtocol::esp; }

control::SaId inbound_id(const IkeSa& sa, const ChildSa& child) {
    return {sa.remote.address, sa.local.address, ipsec(child.protocol), child.inbound};
}
control::SaId outbound_id(const IkeSa& sa, const ChildSa& child) {
    return {sa.local.address, sa.remote.address, ipsec(child.protocol), child.outbound};
}

/// RFC 4301 7.3: where selectors have ports, later fragments go only to who agreed to take them.
bool takes_first_fragments_alone(const ChildSa& child) {
    const auto named = [](const TrafficSelector& s) { return s.low_port != 0 || s.high_port != 65535; };
    return child.mode == Mode::tunnel && !child.later_fragments &&
           (std::ranges::any_of(child.traffic.local, named) || std::ranges::any_of(child.traffic.remote, named));
}

control::SaSpec spec_of(const IkeSa& sa, const ChildSa& child, bool inbound, SecretBytes cipher_key,
                        SecretBytes auth_key) {
    const ChildConfig& config = *child.config;
    control::SaSpec spec;
    spec.id = inbound ? inbound_id(sa, child) : outbound_id(sa, child);
    spec.mode = child.ipcomp ? Mode::transport : child.mode;
    spec.reqid = child.reqid;
    spec.replay_octets = (config.replay_packets + 7) / 8;
    spec.cyclic_sequence = false;
    spec.extended_sequence = child.suite.esn;
    spec.first_fragments_alone = takes_first_fragments_alone(child);
    if (const EncrInfo* encr = find(child.suite.encr, child.suite.encr_key_bits);
        encr != nullptr && child.protocol == ProtocolId::esp && encr->data_plane)
        spec.cipher = *encr->data_plane;
    spec.cipher_key = std::move(cipher_key);
    if (const IntegInfo* integ = find(child.suite.integ); integ != nullptr && integ->data_plane) {
        spec.auth = *integ->data_plane;
        spec.auth_key = std::move(auth_key);
    }
    if (sa.uses_udp() && child.protocol == ProtocolId::esp) {
        control::UdpEncapsulation udp;
        udp.source_port = inbound ? sa.remote.port : sa.local.port;
        udp.destination_port = inbound ? sa.local.port : sa.remote.port;
        spec.udp = udp;
    }
    // The gateway's own limits: soft ones ask for a rekey, hard ones hold should we ourselves fail to act.
    spec.soft = {0, config.rekey_octets, config.rekey_packets};
    spec.hard = {config.life_seconds + 60ull, config.rekey_octets + config.rekey_octets / 4,
                 config.rekey_packets + config.rekey_packets / 4};
    return spec;
}

/// With IPComp the bundle that bundle_of() knows: the first request is the innermost.
Policy policy_for(const Selector& selector, Direction direction, const auto& pair) {
    Request request;
    request.protocol = pair.ipcomp ? IpsecProtocol::ipcomp : ipsec(pair.protocol);
    request.mode = pair.mode;
    request.level = Level::unique;
    request.reqid = pair.reqid;
    const Endpoints& ends = pair.ends;
    if (pair.mode == Mode::tunnel)
        request.endpoints = direction == Direction::outbound ? ends : Endpoints{ends.destination, ends.source};
    Policy policy;
    policy.direction = direction;
    policy.selector = selector;
    policy.action = PolicyAction::protect;
    policy.priority = pair.priority;
    policy.requests.push_back(request);
    if (!pair.ipcomp) return policy;
    request.protocol = ipsec(pair.protocol);
    request.mode = Mode::transport;
    request.endpoints.reset();
    policy.requests.push_back(request);
    return policy;
}

}  // namespace

control::SaId inbound_sa(const IkeSa& sa, const ChildSa& child) {
    auto id = inbound_id(sa, child);
    if (child.ends) id.source = child.ends->destination, id.destination = child.ends->source;
    return id;
}
control::SaId outbound_sa(const IkeSa& sa, const ChildSa& child) {
    auto id = outbound_id(sa, child);
    if (child.ends) id.source = child.ends->source, id.destination = child.ends->destination;
    return id;
}

void Turn::apply(std::vector<control::Operation> operations, std::optional<ChildId> child) {
    if (!operations.empty()) actions.emplace_back(Apply{std::move(operations), child});
}

Result<ChildSa*> Turn::install(IkeSa& sa, std::unique_ptr<ChildSa> made, ChildKeys keys, bool lazily,
                               ChildSa* replaces) {
    ChildSa& child = *made;
    child.id = ChildId{engine.next_id_++};
    child.created = now.steady;
    child.rekey_at = child.config->rekey_seconds == 0 ? Instant{} : now.steady + jittered(child.config->rekey_seconds);
    child.expires_at =
        child.config->life_seconds == 0 ? Instant{} : now.steady + Instant{child.config->life_seconds * 1000ll};
    child.ends = Endpoints{sa.local.address, sa.remote.address};

    // By these names the gateway knows SAs, and by them one would be deleted for the other.
    if (std::ranges::any_of(sas_of(sa, child), [&](const auto& id) { return engine.child_of_sa_.contains(id); }))
        return fail(Errc::exists, "another child has an SA with SPI " + text_of(child.outbound) + " or " +
                                      text_of(child.inbound) + " between these addresses");

    std::vector<control::Operation> operations, policies;
    TORII_TRY(const bool changed, keep_policies(sa, child, policies));
    if (child.policies && child.ipcomp) child.ipcomp->reqid = child.reqid;
    // A responder whose traffic has another way as yet keeps to it, until the initiator can be heard on the new one.
    lazily = !changed && (lazily || (!child.we_initiated && has_other_way(child)));
    auto& [mine, my_auth, theirs, their_auth] = keys;
    if (!child.we_initiated) {
        std::swap(mine, theirs);
        std::swap(my_auth, their_auth);
    }
    operations.emplace_back(control::AddSa{spec_of(sa, child, true, std::move(theirs), std::move(their_auth))});
    add_inbound_ipcomp(sa, child, operations);
    std::ranges::move(policies, std::back_inserter(operations));
    child.pending_outbound = spec_of(sa, child, false, std::move(mine), std::move(my_auth));
    if (lazily) {
        engine.waiting_[static_cast<std::uint32_t>(child.reqid)].push_back(child.id);
    } else {
        install_outbound(sa, child, operations);
        if (replaces != nullptr && replaces->outbound_up) child.took_over = replaces->id;
        if (replaces != nullptr) remove_outbound(sa, *replaces, operations);
    }
    apply(std::move(operations), child.id);
    sa.children.push_back(std::move(made));
    engine.owner_of_child_.emplace(static_cast<std::uint64_t>(child.id), &sa);
    for (const control::SaId& id : sas_of(sa, child)) engine.child_of_sa_.emplace(id, child.id);
    tell(Tell::Level::info, &sa,
         "child " + child.config->name + " " + ike::name_of(child.protocol) + " " +
             std::string{torii::name_of(child.mode)} + ", " + text_of(child.traffic.local) +
             " === " + text_of(child.traffic.remote) + ", " + text_of(child.suite) + (child.ipcomp ? ", IPComp" : "") +
             ", SPIs " + text_of(child.inbound) + " in, " + text_of(child.outbound) + " out");
    if (takes_first_fragments_alone(child))
        tell(Tell::Level::info, &sa, "child " + child.config->name + ": of fragments the peer takes the first alone");
    touch(sa);
    return &child;
}

bool Turn::has_other_way(const ChildSa& child) const {
    if (!child.policies) return false;
    const auto pair = engine.policies_.find(*child.policies);
    return pair != engine.policies_.end() && pair->second.users > 1;
}

void Turn::install_outbound(IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations) {
    if (!child.pending_outbound) return;
    child.moved_from.reset();
    add_outbound_ipcomp(sa, child, operations);
    operations.emplace_back(control::AddSa{std::move(*child.pending_outbound)});
    child.pending_outbound.reset();
    child.outbound_up = true;
    child.outbound_later = engine.owner_of_child_.contains(static_cast<std::uint64_t>(child.id));
}

void Turn::remove_outbound(IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations) {
    child.pending_outbound.reset();
    remove_outbound_ipcomp(sa, child, operations);
    if (!child.outbound_up) return;
    operations.emplace_back(control::DeleteSa{outbound_sa(sa, child)});
    child.outbound_up = false;
}

void Turn::remove(IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations) {
    remove_outbound(sa, child, operations);
    remove_inbound_ipcomp(sa, child, operations);
    if (child.inbound_up) operations.emplace_back(control::DeleteSa{inbound_sa(sa, child)});
    const ReqId reqid = child.reqid;
    drop_policies(child, operations);
    engine.owner_of_child_.erase(static_cast<std::uint64_t>(child.id));
    for (const control::SaId& id : sas_of(sa, child)) engine.child_of_sa_.erase(id);
    std::erase_if(sa.children, [&](const auto& held) { return held.get() == &child; });
    install_waiting(sa, reqid, operations);
}

/// One of these children has gone, or is on its way: what waits for a sign that the peer uses the new one needs none
/// any more, be it of this IKE SA or of the next. Unless what went is a twin that lost (2.8.1): while the old one still
/// sends, the peer may not have the answer that made the new one.
void Turn::install_waiting(const IkeSa& sa, ReqId reqid, std::vector<control::Operation>& operations) {
    const auto waiting = engine.waiting_.find(static_cast<std::uint32_t>(reqid));
    if (waiting == engine.waiting_.end()) return;
    if (std::ranges::any_of(sa.children,
                            [&](const auto& child) { return child->reqid == reqid && child->outbound_up; }))
        return;
    // One is enough, the oldest: of those behind it the answer may be under way still.
    auto& ids = waiting->second;
    while (!ids.empty()) {
        const ChildId id = ids.front();
        ids.erase(ids.begin());
        const auto owner = engine.owner_of_child_.find(static_cast<std::uint64_t>(id));
        if (owner == engine.owner_of_child_.end()) continue;
        ChildSa* const child = owner->second->child(id);
        if (child == nullptr || child->state == ChildSa::State::deleting || !child->pending_outbound) continue;
        install_outbound(*owner->second, *child, operations);
        touch(*owner->second);
        break;
    }
    if (ids.empty()) engine.waiting_.erase(waiting);
}

/// The outbound SA goes at once, the inbound one once what is under way has arrived.
void Turn::retire(IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations) {
    remove_outbound(sa, child, operations);
    if (child.state != ChildSa::State::replaced) child.state = ChildSa::State::deleting;
    if (child.remove_inbound_at == Instant{})
        child.remove_inbound_at = now.steady + Instant{engine.config_.old_inbound_grace_seconds * 1000ll};
    install_waiting(sa, child.reqid, operations);
    touch(sa);
}

// ---- policies

Result<bool> Turn::keep_policies(const IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations) {
    TORII_TRY(auto outbound, to_selectors(child.traffic.local, child.traffic.remote));
    TORII_TRY(auto inbound, to_selectors(child.traffic.remote, child.traffic.local));
    if (outbound.empty() || inbound.empty())
        return fail(Errc::bad_value, "no traffic is of one family and protocol at both ends: " +
                                         text_of(child.traffic.local) + " === " + text_of(child.traffic.remote));
    if (!child.config->makes_policies) return false;
    const Endpoints ends{sa.local.address, sa.remote.address};
    const auto key = std::pair{outbound, inbound};
    const auto found = engine.policies_.find(key);
    if (found != engine.policies_.end()) {
        Engine::PolicyPair& pair = found->second;
        if (!child.we_initiated && pair.users > 0 && pair.peer != sa.remote_id)
            return fail(Errc::exists, "the traffic " + text_of(child.traffic.local) + " === " +
                                          text_of(child.traffic.remote) + " is that of " + text_of(pair.peer));
        pair.peer = sa.remote_id;
        // the peer moved, or does not compress as the trap, or the last one, did
        const bool changed = pair.ends != ends || pair.mode != child.mode || pair.ipcomp != child.ipcomp.has_value();
        if (changed) {
            pair.ends = ends;
            pair.mode = child.mode;
            pair.ipcomp = child.ipcomp.has_value();
            update_policies(key, pair, operations);
        }
        ++pair.users;
        child.reqid = pair.reqid;
        child.policies = key;
        return changed;
    }
    Engine::PolicyPair pair;
    pair.reqid = ReqId{engine.next_reqid_++};
    pair.users = 1;
    pair.mode = child.mode;
    pair.ends = ends;
    pair.protocol = child.protocol;
    pair.ipcomp = child.ipcomp.has_value();
    pair.connection = sa.connection->name;
    pair.child = child.config->name;
    pair.peer = sa.remote_id;
    // A narrower pair stands in front of the trap that it came from.
    pair.priority = child.config->start == StartAction::trap ? 1 : 0;
    child.reqid = pair.reqid;
    child.policies = key;
    add_policies(key, pair, operations);
    engine.add_pair(key, std::move(pair));
    return false;
}

void Turn::add_policies(const Engine::SelectorPair& selectors, const Engine::PolicyPair& pair,
                        std::vector<control::Operation>& operations) {
    for (const Selector& s : selectors.second)
        operations.emplace_back(control::AddPolicy{policy_for(s, Direction::inbound, pair)});
    for (const Selector& s : selectors.first)
        operations.emplace_back(control::AddPolicy{policy_for(s, Direction::outbound, pair)});
}

void Turn::update_policies(const Engine::SelectorPair& selectors, const Engine::PolicyPair& pair,
                           std::vector<control::Operation>& operations) {
    for (const Selector& s : selectors.first)
        operations.emplace_back(control::UpdatePolicy{policy_for(s, Direction::outbound, pair)});
    for (const Selector& s : selectors.second)
        operations.emplace_back(control::UpdatePolicy{policy_for(s, Direction::inbound, pair)});
}

void Turn::delete_policies(const Engine::SelectorPair& selectors, std::vector<control::Operation>& operations) {
    for (const Selector& s : selectors.first) operations.emplace_back(control::DeletePolicy{Direction::outbound, s});
    for (const Selector& s : selectors.second) operations.emplace_back(control::DeletePolicy{Direction::inbound, s});
}

void Turn::drop_policies(ChildSa& child, std::vector<control::Operation>& operations) {
    if (!child.policies) return;
    const auto found = engine.policies_.find(*child.policies);
    child.policies.reset();
    if (found == engine.policies_.end()) return;
    if (found->second.users > 0) --found->second.users;
    if (found->second.users != 0 || found->second.trapped) return;
    delete_policies(found->first, operations);
    engine.erase_pair(found);
}

/// The pair of policies that a trap of this child needs.
Result<Engine::SelectorPair> Turn::trap_of(const Connection& connection, const ChildConfig& config) const {
    if (!connection.local || !connection.remote)
        return fail(Errc::bad_value, "child " + config.name + " of connection " + connection.name +
                                         " cannot be trapped: both `local` and `remote` must be addresses");
    const TrafficPair traffic = configured_traffic(config, *connection.local, *connection.remote);
    TORII_TRY(auto outbound, to_selectors(traffic.local, traffic.remote));
    TORII_TRY(auto inbound, to_selectors(traffic.remote, traffic.local));
    return std::pair{std::move(outbound), std::move(inbound)};
}

Result<void> Turn::trap(const Connection& connection, const ChildConfig& config,
                        std::vector<control::Operation>& operations) {
    TORII_TRY(const auto key, trap_of(connection, config));
    if (const auto found = engine.policies_.find(key); found != engine.policies_.end()) {
        if (found->second.connection != connection.name || found->second.child != config.name)
            return fail(Errc::exists, "child " + config.name + " of connection " + connection.name +
                                          " is for the same traffic as child " + found->second.child +
                                          " of connection " + found->second.connection);
        found->second.trapped = true;
        return {};
    }
    Engine::PolicyPair pair;
    pair.reqid = ReqId{engine.next_reqid_++};
    pair.trapped = true;
    pair.mode = config.mode;
    pair.ends = {*connection.local, *connection.remote};
    pair.protocol = config.protocol;
    pair.connection = connection.name;
    pair.child = config.name;
    add_policies(key, pair, operations);
    engine.add_pair(key, std::move(pair));
    return {};
}

void Turn::untrap(const Connection& connection, std::vector<control::Operation>& operations) {
    for (const ChildConfig& config : connection.children) {
        if (config.start != StartAction::trap || !config.makes_policies) continue;
        const auto key = trap_of(connection, config);
        const auto found = key ? engine.policies_.find(*key) : engine.policies_.end();
        if (found == engine.policies_.end() || found->second.connection != connection.name) continue;
        found->second.trapped = false;
        if (found->second.users != 0) continue;
        delete_policies(found->first, operations);
        engine.erase_pair(found);
    }
}

// ---- the engine's books of them

void Engine::add_pair(const SelectorPair& selectors, PolicyPair pair) {
    const auto made = policies_.emplace(selectors, std::move(pair)).first;
    policies_by_reqid_.emplace(static_cast<std::uint32_t>(made->second.reqid), &made->second);
}

void Engine::erase_pair(std::map<SelectorPair, PolicyPair>::iterator pair) {
    policies_by_reqid_.erase(static_cast<std::uint32_t>(pair->second.reqid));
    policies_.erase(pair);
}

}  // namespace torii::ike
