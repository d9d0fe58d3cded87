// Child SAs: what asks for one and what grants it, in IKE_AUTH and in CREATE_CHILD_SA (RFC 7296 1.2, 1.3.1, 1.3.3, 2.7,
// 2.9, 2.17):
//     HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr}  -->   <--  HDR, SK {SA, Nr, [KEr,] TSi, TSr}
#include <algorithm>

#include "base/reader.h"
#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

constexpr std::size_t child_nonce_octets = 32;

bool is_key_exchange(const Transform& t) { return t.type == TransformType::ke; }

std::optional<Spi> spi_of(const Octets& octets) {
    Reader in{octets};
    const auto number = in.u32();
    if (!number || in.size() != 0 || *number < 256) return {};  // RFC 4303 2.1
    return Spi{*number};
}

std::vector<TrafficSelector> configured(const std::vector<Prefix>& prefixes, const Address& own,
                                        std::optional<std::uint8_t> protocol, const PortRange& ports) {
    std::vector<TrafficSelector> out;
    for (const Prefix& prefix : prefixes) out.push_back(to_traffic_selector(prefix, protocol, ports));
    if (out.empty()) out.push_back(to_traffic_selector(Prefix::host(own), protocol, ports));
    return out;
}

/// 2.23.1: in transport mode a NAT gives an end another address than it believes to have; its packets bear the one we
/// see.
void see_through_nat(std::vector<TrafficSelector>& selectors, const Address& seen) {
    for (TrafficSelector& s : selectors)
        if (s.low == s.high && s.low.family() == seen.family()) s.low = s.high = seen;
}

bool was_deleted(const Payloads& answered, const Outstanding& what) {
    const auto* chosen = find<Sa>(answered);
    if (chosen == nullptr || chosen->proposals.size() != 1) return false;
    const auto spi = spi_of(chosen->proposals[0].spi);
    return spi && std::ranges::find(what.gone, *spi) != what.gone.end();
}

/// Policies that are not ours to change ask for a bundle: without IPComp its SAs would serve nobody.
bool must_compress(const ChildConfig& config) { return config.ipcomp && !config.makes_policies; }

std::string both(const TrafficPair& pair) { return text_of(pair.local) + " === " + text_of(pair.remote); }

}  // namespace

Octets octets_of(Spi spi) {
    Octets out;
    Writer{out}.u32(static_cast<std::uint32_t>(spi));
    return out;
}

KeMethod first_method(const std::vector<Proposal>& proposals) {
    for (const Proposal& proposal : proposals)
        for (const Transform& t : proposal.transforms)
            if (is_key_exchange(t) && t.id != 0) return KeMethod{t.id};
    return KeMethod::none;
}

TrafficPair configured_traffic(const ChildConfig& config, const Address& local, const Address& remote) {
    return {configured(config.local, local, config.ip_protocol, config.local_ports),
            configured(config.remote, remote, config.ip_protocol, config.remote_ports)};
}

// ---- initiator

void Turn::ask_for_child(IkeSa& sa, const CreateChild& task, Payloads& payloads, Outstanding& what, bool in_auth) {
    const ChildConfig& config = *task.config;
    what.spi = fresh_child_spi();
    actions.emplace_back(Expect{what.spi});
    what.offered = config.proposals;
    KeMethod method = KeMethod::none;
    std::uint8_t number = 0;
    for (Proposal& proposal : what.offered) {
        proposal.number = ++number;
        proposal.spi = octets_of(what.spi);
        if (in_auth)  // 1.2: IKE_AUTH has no KE payload
            std::erase_if(proposal.transforms,
                          [](const Transform& t) { return is_key_exchange(t) || is_additional_ke(t.type); });
    }
    if (!in_auth) method = task.method != KeMethod::none ? task.method : first_method(what.offered);

    what.proposed = task.traffic.value_or(traffic_between(sa, config));
    if (task.packet) {  // 2.9: the packet's own selector first, so that a responder that narrows keeps it
        const PacketSelector& p = *task.packet;
        const auto local = to_traffic_selector(p.source, p.protocol, p.source_port);
        const auto remote = to_traffic_selector(p.destination, p.protocol, p.destination_port);
        if (cover(what.proposed.local, {local}) && cover(what.proposed.remote, {remote}) && !is_icmp(p.protocol)) {
            if (what.proposed.local[0] != local) what.proposed.local.insert(what.proposed.local.begin(), local);
            if (what.proposed.remote[0] != remote) what.proposed.remote.insert(what.proposed.remote.begin(), remote);
        }
    }
    what.transport = config.mode == Mode::transport;

    payloads.emplace_back(Sa{what.offered});
    if (!in_auth) {
        what.nonce.resize(child_nonce_octets);
        engine.crypto_.fill(what.nonce);
        payloads.emplace_back(Nonce{what.nonce});
        if (method != KeMethod::none) {
            if (auto pair = KeyExchange::initiate(engine.crypto_, method)) {
                what.key_exchange = std::move(*pair);
                payloads.emplace_back(Ke{method, what.key_exchange->public_value()});
            }
        }
    }
    payloads.emplace_back(TsInitiator{what.proposed.local});
    payloads.emplace_back(TsResponder{what.proposed.remote});
    if (what.transport) payloads.emplace_back(notify(NotifyType::use_transport_mode));         // 1.3.1
    if (!what.transport) payloads.emplace_back(notify(NotifyType::non_first_fragments_also));  // RFC 4301 7.3
    offer_ipcomp(config, payloads, what);
}

void Turn::send_create_child(IkeSa& sa, CreateChild task) {
    Payloads payloads;
    Outstanding what;
    if (task.rekeys) {
        ChildSa* old = sa.child_by_inbound(*task.rekeys);
        if (old == nullptr || old->state == ChildSa::State::deleting || old->state == ChildSa::State::replaced)
            return;                   // nothing is left to be rekeyed
        if (awaits(sa, old)) return;  // the peer is at it
        old->state = ChildSa::State::rekeying;
        task.config = old->config;
        task.traffic = old->traffic;
        task.reqid = old->reqid;
        if (old->ipcomp) task.ipcomp_reqid = old->ipcomp->reqid;
        Notify rekeyed = notify(NotifyType::rekey_sa);
        rekeyed.protocol = old->protocol;
        rekeyed.spi = octets_of(old->inbound);  // 1.3.3: the one that we expect in inbound packets
        payloads.emplace_back(std::move(rekeyed));
    } else if (sa.children.size() >= engine.config_.limits.children_per_ike_sa) {
        return tell(Tell::Level::warning, &sa, "no further child SA: there are " + std::to_string(sa.children.size()));
    }
    ask_for_child(sa, task, payloads, what, false);
    what.task = std::move(task);
    request(sa, ExchangeType::create_child_sa, payloads, std::move(what));
}

ChildSa* Turn::take_child(IkeSa& sa, const Payloads& answered, Outstanding& what, bool in_auth) {
    const ChildConfig& config = in_auth ? *sa.first_child->config : *std::get<CreateChild>(*what.task).config;
    const CreateChild& task = in_auth ? *sa.first_child : std::get<CreateChild>(*what.task);
    const auto failed = [&](const std::string& why, bool peer_has_it) -> ChildSa* {
        tell(Tell::Level::error, &sa, "child " + config.name + ": " + why);
        if (peer_has_it) enqueue(sa, DeleteChildren{config.protocol, {what.spi}});
        return nullptr;
    };
    const auto* chosen = find<Sa>(answered);
    const auto* tsi = find<TsInitiator>(answered);
    const auto* tsr = find<TsResponder>(answered);
    if (chosen == nullptr || tsi == nullptr || tsr == nullptr) {
        const Notify* error = first_error(answered);
        if (error == nullptr && !what.refusal.empty()) return failed(what.refusal, true);
        if (error == nullptr) return failed("the answer has no SA, or no traffic selectors", true);
        std::string why = "the peer refuses it: " + name_of(error->type);
        if (error->type == NotifyType::ts_unacceptable) why += "; we asked for " + both(what.proposed);
        if (error->type == NotifyType::single_pair_required)
            why += ": it wants SAs for two hosts each, which a packet asks for (start = \"trap\")";
        if (error->type == NotifyType::no_proposal_chosen)
            for (const Proposal& p : what.offered)
                why.append(&p == what.offered.data() ? "; we offered " : " or ").append(text_of(p));
        return failed(why, false);
    }
    if (chosen->proposals.size() != 1) return failed("the peer chose several proposals", true);
    const Proposal& proposal = chosen->proposals[0];
    const KeMethod method = what.key_exchange ? what.key_exchange->method() : KeMethod::none;
    const auto suite = accept(what.offered, proposal, {method, in_auth || method == KeMethod::none});
    if (!suite) return failed(suite.error().message, true);
    const auto spi = spi_of(proposal.spi);
    if (!spi) return failed("the peer's SPI is reserved or no SPI", true);
    if (tsi->selectors.empty() || tsr->selectors.empty() || !cover(what.proposed.local, tsi->selectors) ||
        !cover(what.proposed.remote, tsr->selectors))
        return failed(
            "the peer answers " + both({tsi->selectors, tsr->selectors}) + " where we asked for " + both(what.proposed),
            true);
    const bool transport = find_notify(answered, NotifyType::use_transport_mode) != nullptr;
    if (what.transport && !transport) return failed("the peer wants tunnel mode", true);
    if (!what.transport && transport) return failed("the peer wants transport mode", true);
    auto ipcomp = agreed_ipcomp(answered, what, task.ipcomp_reqid);
    if (!ipcomp) return failed(ipcomp.error().message, true);
    if (!*ipcomp && must_compress(config)) return failed("the policies ask for IPComp, and the peer takes none", true);

    SecretBytes secret;
    const Octets* nonce_initiator = &sa.nonce_initiator;
    const Octets* nonce_responder = &sa.nonce_responder;
    if (!in_auth) {
        const auto* nonce = find<Nonce>(answered);
        if (nonce == nullptr) return failed("the answer has no nonce", true);
        nonce_initiator = &what.nonce;
        nonce_responder = &nonce->value;
        if (suite->ke != KeMethod::none) {
            const auto* ke = find<Ke>(answered);
            if (ke == nullptr || ke->method != method) return failed("the answer has no key exchange", true);
            auto agreed = what.key_exchange->finish(ke->value);
            if (!agreed) return failed(agreed.error().message, true);
            secret = std::move(*agreed);
        }
    }
    auto keys =
        derive_child_keys(engine.crypto_, sa.suite.prf, sa.keys.d.octets(), *suite, secret.octets(), *nonce_initiator,
                          *nonce_responder, what.follow_up ? what.follow_up->secrets.octets() : OctetView{});
    if (!keys) return failed(keys.error().message, true);

    auto child = std::make_unique<ChildSa>();
    child->config = &config;
    child->protocol = proposal.protocol;
    child->inbound = what.spi;
    child->outbound = *spi;
    child->suite = *suite;
    child->mode = transport ? Mode::transport : Mode::tunnel;
    child->later_fragments = !what.transport && find_notify(answered, NotifyType::non_first_fragments_also) != nullptr;
    child->ipcomp = std::move(*ipcomp);
    child->traffic = {tsi->selectors, tsr->selectors};
    if (is_dynamic(*sa.connection, config)) {  // 2.19: a peer that did not narrow it to what he lent us
        child->traffic.local = narrow(tsi->selectors, traffic_between(sa, config).local);
        if (child->traffic.local.empty())
            return failed("the peer answers " + text_of(tsi->selectors) + ", in which our address is not", true);
    }
    if (transport && sa.uses_udp()) {
        see_through_nat(child->traffic.local, sa.local.address);
        see_through_nat(child->traffic.remote, sa.remote.address);
    }
    child->reqid = task.reqid;
    child->we_initiated = true;
    child->lowest_nonce = std::min(*nonce_initiator, *nonce_responder);
    ChildSa* const old = task.rekeys ? sa.child_by_inbound(*task.rekeys) : nullptr;
    const bool loses = old != nullptr && loses_to_twin(sa, what, child->lowest_nonce);  // 2.8.1, see child_rekeyed
    auto installed = install(sa, std::move(child), std::move(*keys), loses, loses ? nullptr : old);
    if (!installed) return failed(installed.error().message, true);
    if (find_notify(answered, NotifyType::additional_ts_possible) != nullptr)  // 2.9
        tell(Tell::Level::info, &sa, "child " + config.name + ": the peer has further children for the rest of it");
    return *installed;
}

/// 2.9: a peer who has SAs for single pairs of addresses alone is asked once more, for those of the packet.
bool Turn::again_for_one_pair(IkeSa& sa, const Payloads& answered, const Outstanding& what, CreateChild& task) {
    // An operator's policy is for more than that pair, and all of its packets would go through it.
    if (!task.packet || !task.config->makes_policies || find<Sa>(answered) != nullptr ||
        find_notify(answered, NotifyType::single_pair_required) == nullptr)
        return false;
    const auto of = [](const Address& host, const std::vector<TrafficSelector>& proposed) {
        return narrow({to_traffic_selector(Prefix::host(host), std::nullopt, {})}, proposed);
    };
    TrafficPair pair{of(task.packet->source, what.proposed.local), of(task.packet->destination, what.proposed.remote)};
    if (pair.local.empty() || pair.remote.empty() || task.traffic == pair) return false;
    task.traffic = std::move(pair);
    sa.queue.push_front(std::move(task));
    return true;
}

void Turn::take_create_child_response(IkeSa& sa, const Message& message, Outstanding what) {
    if (std::holds_alternative<RekeyIke>(*what.task)) return take_rekey_ike_response(sa, message, std::move(what));
    if (follow_up(sa, message.payloads, what)) return;
    auto& task = std::get<CreateChild>(*what.task);
    ChildSa* const old = task.rekeys ? sa.child_by_inbound(*task.rekeys) : nullptr;

    if (find<Sa>(message.payloads) == nullptr) {
        if (again_for_one_pair(sa, message.payloads, what, task)) return;
        if (const Notify* wanted = find_notify(message.payloads, NotifyType::invalid_ke_payload);
            wanted != nullptr && task.method == KeMethod::none &&
            !what.follow_up) {  // 1.3: once more, with the one that is wanted
            if (const auto method = u16_of(*wanted)) {
                task.method = KeMethod{*method};
                if (old != nullptr) old->state = ChildSa::State::installed;
                sa.queue.push_front(std::move(task));
                return;
            }
        }
        if (old != nullptr && old->state == ChildSa::State::rekeying) old->state = ChildSa::State::installed;
        if (task.rekeys && (old == nullptr || old->remove_inbound_at != Instant{}) && !what.twin)
            return child_lost(sa, task.config);  // the peer deleted it meanwhile, and refuses its rekey (2.25.1)
        if (old != nullptr && find_notify(message.payloads, NotifyType::no_additional_sas) != nullptr) {
            tell(Tell::Level::info, &sa, "the peer rekeys nothing (RFC 7296 4): a new IKE SA takes its place");
            return begin_reauth(sa);
        }
        if (is_passing(message.payloads)) {  // 2.25, RFC 9370 2.2.4
            sa.not_before = now.steady + Instant{1000 + engine.crypto_.below(1000)};
            ask_soon_how_seen(sa);
            if (old == nullptr || !what.twin) sa.queue.push_back(std::move(task));
            return;
        }
        if (find_notify(message.payloads, NotifyType::child_sa_not_found) != nullptr && old != nullptr) {
            // 2.25: the peer has it no more. If our twin took its place all is well, else the traffic needs a new one.
            const ChildConfig* config = old->config;
            std::vector<control::Operation> operations;
            const bool replaced = what.twin && sa.child(*what.twin) != nullptr;
            remove(sa, *old, operations);
            apply(std::move(operations));
            if (!replaced) child_lost(sa, config);
            return;
        }
    }
    if (was_deleted(message.payloads, what)) {  // the peer's Delete of the new one came in front of its response
        tell(Tell::Level::info, &sa, "child " + task.config->name + ": the peer has deleted it already");
        if (old != nullptr && old->remove_inbound_at == Instant{}) {
            old->state = ChildSa::State::deleting;  // it is ours to end, since the peer granted its rekey (2.8)
            enqueue(sa, DeleteChildren{old->protocol, {old->inbound}});
        }
        return child_lost(sa, task.config);
    }
    if (task.rekeys && old == nullptr && !what.twin && find<Sa>(message.payloads) != nullptr) {
        // The peer deleted the old one meanwhile; the new one is as good as asked for without it.
        task.rekeys.reset();
    }
    ChildSa* const made = take_child(sa, message.payloads, what, false);
    if (task.rekeys) {
        if (old != nullptr) return child_rekeyed(sa, *old, made, what);
        if (made != nullptr && what.twin) {  // the old one is gone, and the peer's own rekey replaced it
            ChildSa* const twin = sa.child(*what.twin);
            if (twin != nullptr && made->lowest_nonce < twin->lowest_nonce) {
                made->state = ChildSa::State::deleting;
                enqueue(sa, DeleteChildren{made->protocol, {made->inbound}});
            }
        }
        return;
    }
    if (made == nullptr) return child_lost(sa, task.config);
    settle_twins(sa, *made);
}

/// Two children for the same traffic that nobody wanted twice, such as when both ends asked at once: the one that the
/// lowest nonce made goes, by whoever asked for it.
void Turn::settle_twins(IkeSa& sa, const ChildSa& child) {
    for (const auto& other : sa.children) {
        if (other.get() == &child || other->config != child.config || other->traffic != child.traffic ||
            other->reqid != child.reqid || other->state != ChildSa::State::installed ||
            other->remove_inbound_at != Instant{})
            continue;
        ChildSa& loser = other->lowest_nonce < child.lowest_nonce ? *other : *sa.child(child.id);
        if (!loser.we_initiated) continue;
        loser.state = ChildSa::State::deleting;
        return enqueue(sa, DeleteChildren{loser.protocol, {loser.inbound}});
    }
}

// ---- responder

Answer<Granted> Turn::grant_child(IkeSa& sa, const Payloads& asked, bool in_auth, ChildSa* replaces) {
    const auto* offered = find<Sa>(asked);
    const auto* tsi = find<TsInitiator>(asked);
    const auto* tsr = find<TsResponder>(asked);
    const auto* nonce = find<Nonce>(asked);
    const auto* ke = find<Ke>(asked);
    if (offered == nullptr || tsi == nullptr || tsr == nullptr || (!in_auth && nonce == nullptr))
        return refuse(NotifyType::invalid_syntax, "a payload is missing");
    if (replaces == nullptr && sa.children.size() >= engine.config_.limits.children_per_ike_sa)
        return refuse(NotifyType::no_additional_sas, "there are " + std::to_string(sa.children.size()) + " children");
    const bool transport = find_notify(asked, NotifyType::use_transport_mode) != nullptr;
    std::vector<TrafficSelector> theirs_remote = tsi->selectors, theirs_local = tsr->selectors;
    if (transport && sa.uses_udp()) {
        see_through_nat(theirs_remote, sa.remote.address);
        see_through_nat(theirs_local, sa.local.address);
    }
    const auto common = [&](const TrafficPair& ours) {
        return TrafficPair{narrow(theirs_local, ours.local), narrow(theirs_remote, ours.remote)};
    };

    // The first child of the connection that fits; of those that do not, the one that came nearest says why.
    const ChildConfig* config = nullptr;
    TrafficPair traffic;
    std::optional<Choice> choice;
    NotifyType reason = NotifyType::ts_unacceptable;
    std::string why, have;
    for (const ChildConfig& candidate : sa.connection->children) {
        if (replaces != nullptr && replaces->config != &candidate) continue;
        if (const auto lacks = lacks_address(sa, candidate)) {
            reason = lacks->notify.type;
            why = lacks->why;
            continue;
        }
        const TrafficPair ours = replaces != nullptr ? replaces->traffic : traffic_between(sa, candidate);
        TrafficPair fits = common(ours);
        if (fits.local.empty() || fits.remote.empty()) {
            if (reason == NotifyType::ts_unacceptable) have += "[" + candidate.name + "] " + both(ours) + " ";
            continue;
        }
        if (candidate.mode == Mode::transport && !transport) {
            reason = NotifyType::no_proposal_chosen;
            why = "child " + candidate.name + " wants transport mode, and the peer tunnel mode";
            continue;
        }
        if (candidate.protocol == ProtocolId::ah && sa.uses_udp()) {
            reason = NotifyType::no_proposal_chosen;
            why = "AH does not pass the NAT between us";
            continue;
        }
        if (must_compress(candidate) && !offered_cpi(asked)) {
            reason = NotifyType::no_proposal_chosen;
            why = "the policies of child " + candidate.name + " ask for IPComp, and the peer offers none";
            continue;
        }
        auto found =
            choose(candidate.proposals, offered->proposals, {ke != nullptr ? ke->method : KeMethod::none, in_auth});
        if (!found) {
            reason = NotifyType::no_proposal_chosen;
            why = "child " + candidate.name + ": " + why_not(candidate.proposals, offered->proposals);
            continue;
        }
        config = &candidate;
        traffic = std::move(fits);
        choice = std::move(found);
        break;
    }
    if (config == nullptr)
        return refuse(reason, why.empty() ? "the peer asks for " + text_of(tsr->selectors) +
                                                " === " + text_of(tsi->selectors) + ", and we have " + have
                                          : why);
    const Suite& suite = choice->suite;
    const auto spi = spi_of(choice->chosen.spi);
    if (!spi) return refuse(NotifyType::invalid_syntax, "the peer's SPI is reserved or no SPI");
    if (sa.child_by_outbound(*spi, choice->chosen.protocol) != nullptr)
        return refuse(NotifyType::invalid_syntax, "the peer uses that SPI already");

    SecretBytes secret;
    Octets public_value;
    if (!in_auth && suite.ke != KeMethod::none) {
        Octets wanted;
        Writer{wanted}.u16(static_cast<std::uint16_t>(suite.ke));
        if (ke == nullptr || ke->method != suite.ke)
            return refuse(NotifyType::invalid_ke_payload, "another key exchange is wanted", wanted);
        auto exchanged = KeyExchange::respond(engine.crypto_, suite.ke, ke->value);
        if (!exchanged) return refuse(refusal_of(exchanged.error()), exchanged.error().message);
        secret = std::move(exchanged->secret);
        public_value = std::move(exchanged->value);
    }
    Octets own_nonce;
    if (!in_auth) {
        own_nonce.resize(child_nonce_octets);
        engine.crypto_.fill(own_nonce);
    }
    Granted granted{
        std::make_unique<ChildSa>(),
        {in_auth ? sa.nonce_initiator : nonce->value, in_auth ? sa.nonce_responder : own_nonce, std::move(secret), {}},
        {}};
    ChildSa& child = *granted.child;
    child.config = config;
    child.protocol = choice->chosen.protocol;
    child.inbound = fresh_child_spi();
    child.outbound = *spi;
    child.suite = suite;
    child.mode = transport && config->mode == Mode::transport ? Mode::transport : Mode::tunnel;
    child.later_fragments =
        child.mode == Mode::tunnel && find_notify(asked, NotifyType::non_first_fragments_also) != nullptr;
    child.traffic = traffic;
    child.lowest_nonce = granted.exchanged.lowest_nonce();
    if (replaces != nullptr) child.reqid = replaces->reqid;
    child.ipcomp =
        grant_ipcomp(sa, *config, asked, replaces != nullptr && replaces->ipcomp ? replaces->ipcomp->reqid : ReqId{});
    Proposal answer = choice->chosen;
    answer.spi = octets_of(child.inbound);

    Payloads& out = granted.answer;
    out.emplace_back(Sa{{std::move(answer)}});
    if (!in_auth) out.emplace_back(Nonce{own_nonce});
    if (!public_value.empty()) out.emplace_back(Ke{suite.ke, public_value});
    if (child.mode == Mode::transport && sa.uses_udp()) {  // in the peer's own words, not in those that NAT made
        out.emplace_back(*tsi);
        out.emplace_back(*tsr);
    } else {
        out.emplace_back(TsInitiator{traffic.remote});
        out.emplace_back(TsResponder{traffic.local});
    }
    if (child.mode == Mode::transport) out.emplace_back(notify(NotifyType::use_transport_mode));
    if (child.later_fragments) out.emplace_back(notify(NotifyType::non_first_fragments_also));
    const bool more =
        replaces == nullptr && std::ranges::any_of(sa.connection->children, [&](const ChildConfig& c) {
            if (&c == config || c.mode != config->mode || c.protocol != config->protocol || lacks_address(sa, c))
                return false;
            const TrafficPair fits = common(traffic_between(sa, c));
            return !fits.local.empty() && !fits.remote.empty() &&
                   !(cover(traffic.local, fits.local) && cover(traffic.remote, fits.remote));
        });
    if (more) out.emplace_back(notify(NotifyType::additional_ts_possible));  // 2.9
    if (child.ipcomp) out.emplace_back(ipcomp_supported(child.ipcomp->inbound.cpi()));
    return granted;
}

Answer<ChildSa*> Turn::install_granted(IkeSa& sa, Granted& granted, ChildSa* replaces) {
    const Exchanged& from = granted.exchanged;
    const ChildSa& child = *granted.child;
    if (sa.child_by_outbound(child.outbound, child.protocol) != nullptr)
        return refuse(NotifyType::invalid_syntax, "the peer uses that SPI already");
    auto keys = derive_child_keys(engine.crypto_, sa.suite.prf, sa.keys.d.octets(), child.suite, from.secret.octets(),
                                  from.nonce_initiator, from.nonce_responder, from.further.octets());
    if (!keys) return refuse(NotifyType::no_proposal_chosen, keys.error().message);
    auto installed = install(sa, std::move(granted.child), std::move(*keys), replaces != nullptr, nullptr);
    if (!installed) return refuse(NotifyType::ts_unacceptable, installed.error().message);
    return *installed;
}

/// The child that REKEY_SA speaks of, if it may be rekeyed now.
Answer<ChildSa*> Turn::rekeyed_child(IkeSa& sa, const Notify& rekeyed) {
    const auto spi = spi_of(rekeyed.spi);
    if (rekeyed.protocol != ProtocolId::esp && rekeyed.protocol != ProtocolId::ah)
        return refuse(NotifyType::invalid_syntax, "REKEY_SA is neither of ESP nor of AH");
    ChildSa* const old = spi ? sa.child_by_outbound(*spi, rekeyed.protocol) : nullptr;
    const auto* const ours =
        sa.outstanding && sa.outstanding->task ? std::get_if<CreateChild>(&*sa.outstanding->task) : nullptr;
    if (old == nullptr && ours != nullptr)  // it may be the one of a response under way
        return refuse(NotifyType::temporary_failure, "there is no such child SA as yet");
    if (old == nullptr || !old->inbound_up) {  // 2.25.1
        auto missing = refuse(NotifyType::child_sa_not_found, "there is no such child SA");
        missing.error().notify.protocol = rekeyed.protocol;
        missing.error().notify.spi = rekeyed.spi;
        return missing;
    }
    if (old->state == ChildSa::State::deleting || old->state == ChildSa::State::replaced)
        return refuse(NotifyType::temporary_failure, "the child SA is being deleted");
    if (ours != nullptr && ours->rekeys == old->inbound && sa.outstanding->follow_up)  // RFC 9370 2.2.4
        return refuse(NotifyType::temporary_failure, "our own rekey of it has gone further");
    return old;
}

void Turn::take_create_child_request(IkeSa& sa, const Message& message) {
    if (const auto* sa_payload = find<Sa>(message.payloads);
        sa_payload != nullptr && !sa_payload->proposals.empty() && sa_payload->proposals[0].protocol == ProtocolId::ike)
        return take_rekey_ike_request(sa, message);

    const auto no = [&](const Notify& what, const std::string& why) {
        tell(Tell::Level::warning, &sa, "CREATE_CHILD_SA of the peer is refused: " + why);
        respond(sa, message.header, what);
    };
    // 2.25.2: while the IKE SA itself is about to be replaced or ended
    if (sa.state != IkeState::established || sa.has_pending_rekey())
        return no(notify(NotifyType::temporary_failure), "the IKE SA is being replaced or ended");

    const Notify* const rekeyed = find_notify(message.payloads, NotifyType::rekey_sa);
    const auto old = rekeyed != nullptr ? rekeyed_child(sa, *rekeyed) : Answer<ChildSa*>{nullptr};
    if (!old) return no(old.error().notify, old.error().why);
    auto granted = grant_child(sa, message.payloads, false, *old);
    if (!granted) return no(granted.error().notify, granted.error().why);
    std::optional<Notify> rekeys;
    if (rekeyed != nullptr) rekeys = *rekeyed;
    auto further = granted->child->suite.further();
    if (further.empty()) return grant_create_child(sa, message.header, std::move(*granted), rekeys);
    await_follow_up(sa, message.header,
                    {{}, std::move(further), std::move(granted->exchanged), {}, std::move(granted->child), {}, rekeys},
                    std::move(granted->answer));
}

/// All its keys are there: the child comes to be, and what it replaces steps back.
void Turn::grant_create_child(IkeSa& sa, const Header& to, Granted granted, const std::optional<Notify>& rekeys) {
    const auto no = [&](const Refused& refused) {
        tell(Tell::Level::warning, &sa, "CREATE_CHILD_SA of the peer is refused: " + refused.why);
        respond(sa, to, refused.notify);
    };
    const auto found = rekeys ? rekeyed_child(sa, *rekeys) : Answer<ChildSa*>{nullptr};
    if (!found) return no(found.error());
    const auto made = install_granted(sa, granted, *found);
    if (!made) return no(made.error());
    if (ChildSa* const old = *found) {
        if (sa.outstanding && sa.outstanding->task)
            if (const auto* ours = std::get_if<CreateChild>(&*sa.outstanding->task);
                ours != nullptr && ours->rekeys == old->inbound) {
                sa.outstanding->twin = (*made)->id;  // both of us at once (2.8.1)
                sa.outstanding->rival.reset();
            }
        if (old->state == ChildSa::State::installed) old->state = ChildSa::State::replaced;
        // one that only waits in the queue is no twin: the peer was first
        std::erase_if(sa.queue, [&](const Task& task) {
            const auto* waiting = std::get_if<CreateChild>(&task);
            return waiting != nullptr && waiting->rekeys == old->inbound;
        });
    }
    respond(sa, to, granted.answer);
    if (*found == nullptr) settle_twins(sa, **made);
}

}  // namespace torii::ike
