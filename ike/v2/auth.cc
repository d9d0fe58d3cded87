// IKE_AUTH (RFC 7296 1.2, 2.15, 2.16, 2.21.2, 2.4; RFC 6023 without a child), both parts:
//     HDR, SK {IDi, [CERT,] [CERTREQ,] [IDr,] AUTH, SAi2, TSi, TSr}  -->
//                               <--  HDR, SK {IDr, [CERT,] AUTH, SAr2, TSi, TSr}
// Until the peer's AUTH is right nobody has authenticated anything, and no SA is made.
#include <algorithm>

#include "base/reader.h"
#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

constexpr Instant superseded_lives{5'000};
/// A peer's first message that comes so soon after our own negotiation was sent before he knew how that ended.
constexpr Instant crossing{1'000};
constexpr std::size_t most_certificates = 8;  // of one message: a chain of six and two to spare

Octets id_body(const Id& id) {
    Octets out;
    Writer{out}.u8(static_cast<std::uint8_t>(id.type)).zeros(3).put(id.data);
    return out;
}

Id id_of(const Address& address) {
    return {address.is_v4() ? IdType::ipv4_addr : IdType::ipv6_addr,
            Octets(address.octets().begin(), address.octets().end())};
}

/// 2.15, and RFC 9242 3.3.2: what the AUTH payload of `who` covers.
Result<Octets> signed_octets(CryptoContext& crypto, const IkeSa& sa, bool of_initiator, const Id& who) {
    const SecretBytes& key = of_initiator ? sa.keys.pi : sa.keys.pr;
    TORII_TRY(const auto mac, prf(crypto, sa.suite.prf, key.octets(), {id_body(who)}));
    Octets out = of_initiator ? sa.first_message : sa.second_message;
    Writer{out}.put(of_initiator ? sa.nonce_responder : sa.nonce_initiator).put(mac.octets());
    // RFC 9242 3.3.2: IKE_AUTH has the number behind those of IKE_SA_INIT and of each IKE_INTERMEDIATE
    Writer{out}.put(sa.int_auth.octets(static_cast<std::uint32_t>(sa.exchanged) + 1));
    return out;
}

/// Our own AUTH, and what goes with it.
Result<Auth> prove(CryptoContext& crypto, const IkeSa& sa) {
    const Connection& connection = *sa.connection;
    TORII_TRY(const auto octets, signed_octets(crypto, sa, sa.initiator, sa.local_id));
    if (connection.local_auth == AuthWay::shared_key) {
        // The key is the peer's entry: of an initiator whom we do not know by name yet, the one of his address.
        const Id wanted = sa.initiator ? connection.remote_id.value_or(id_of(sa.remote.address)) : sa.remote_id;
        const SecretBytes* key =
            connection.shared_keys ? connection.shared_keys->find(wanted, sa.remote.address) : nullptr;
        if (key == nullptr)
            return fail(Errc::not_found,
                        "there is no pre-shared key for " + text_of(wanted) + " or " + sa.remote.address.text());
        TORII_TRY(const auto mac, shared_key_auth(crypto, sa.suite.prf, *key, octets));
        return Auth{AuthMethod::shared_key, Octets(mac.octets().begin(), mac.octets().end())};
    }
    if (!connection.own_key) return fail(Errc::not_found, "connection " + connection.name + " has no private key");
    return sign(crypto, connection.own_key->key, octets, sa.peer_hashes, connection.allow_sha1);
}

/// Whether the peer is who he says; the error says which identity, by which method, and why not.
Result<void> check(CryptoContext& crypto, const IkeSa& sa, const Connection& connection, const Auth& auth,
                   const Payloads& payloads, std::int64_t unix_seconds) {
    TORII_TRY(const auto octets, signed_octets(crypto, sa, !sa.initiator, sa.remote_id));
    if (connection.remote_auth == AuthWay::shared_key) {
        if (auth.method != AuthMethod::shared_key)
            return fail(Errc::denied, "he proves himself by " + name_of(auth.method) + ", and we want a shared key");
        const SecretBytes* key =
            connection.shared_keys ? connection.shared_keys->find(sa.remote_id, sa.remote.address) : nullptr;
        if (key == nullptr) return fail(Errc::denied, "there is no pre-shared key for him");
        TORII_TRY(const auto mac, shared_key_auth(crypto, sa.suite.prf, *key, octets));
        if (!mac.same_as(SecretBytes{auth.data})) return fail(Errc::denied, "the pre-shared keys differ");
        return {};
    }
    if (auth.method == AuthMethod::shared_key || auth.method == AuthMethod::null)
        return fail(Errc::denied, "he proves himself by " + name_of(auth.method) + ", and we want a signature");
    if (connection.remote_auth == AuthWay::raw_key) {
        if (!connection.peers_key) return fail(Errc::denied, "we have no public key of his");
        return verify(crypto, *connection.peers_key, auth, octets, connection.allow_sha1);
    }
    std::vector<Octets> chain;
    for (const Payload& payload : payloads)
        if (const auto* cert = std::get_if<Cert>(&payload);
            cert != nullptr && cert->encoding == CertEncoding::x509_signature)
            chain.push_back(cert->data);
    if (chain.empty()) return fail(Errc::denied, "he sent no certificate");
    if (chain.size() > most_certificates) return fail(Errc::denied, "he sent too many certificates");
    if (!connection.trust) return fail(Errc::denied, "connection " + connection.name + " trusts no authority");
    TORII_TRY(const auto key, connection.trust->validate(chain, sa.remote_id, unix_seconds));
    return verify(crypto, key, auth, octets, connection.allow_sha1);
}

/// The same of an initiator, with a PPK in the keys or without (RFC 8784 3). If he is not, they are as they were.
Result<void> believe(CryptoContext& crypto, IkeSa& sa, const Connection& connection, const Auth& auth,
                     const Payloads& payloads, std::int64_t unix_seconds) {
    TORII_TRY(auto proof, ppk_proof(crypto, sa, connection, auth, payloads));
    if (proof.keys) exchange(sa.keys, *proof.keys);
    auto good = check(crypto, sa, connection, proof.auth, payloads, unix_seconds);
    if (good) {
        sa.ppk_id = std::move(proof.ppk_id);
    } else if (proof.keys) {
        exchange(sa.keys, *proof.keys);
        good = std::unexpected(std::move(good).error().in("with PPK " + text_of_ppk_id(proof.ppk_id)));
    }
    return good;
}

bool allows_additional(const Proposal& proposal, const Suite& suite) {
    for (std::size_t i = 0; i < additional_kes; ++i) {
        const TransformType type = additional_ke(i);
        const auto id = static_cast<std::uint16_t>(suite.additional[i]);
        const bool there = std::ranges::any_of(proposal.transforms, [&](const Transform& t) { return t.type == type; });
        if (there || id != 0)
            if (std::ranges::none_of(proposal.transforms,
                                     [&](const Transform& t) { return t.type == type && t.id == id; }))
                return false;
    }
    return true;
}

bool allows(const std::vector<Proposal>& proposals, const Suite& suite) {
    return std::ranges::any_of(proposals, [&](const Proposal& proposal) {
        const auto has = [&](TransformType type, std::uint16_t id, std::uint16_t bits) {
            return std::ranges::any_of(proposal.transforms, [&](const Transform& t) {
                return t.type == type && t.id == id && t.key_bits.value_or(0) == bits;
            });
        };
        return has(TransformType::encr, static_cast<std::uint16_t>(suite.encr), suite.encr_key_bits) &&
               has(TransformType::prf, static_cast<std::uint16_t>(suite.prf), 0) &&
               has(TransformType::ke, static_cast<std::uint16_t>(suite.ke), 0) &&
               (suite.integ == IntegId::none ||
                has(TransformType::integ, static_cast<std::uint16_t>(suite.integ), 0)) &&
               allows_additional(proposal, suite);
    });
}

void append_certificates(const Connection& connection, Payloads& payloads) {
    if (connection.local_auth != AuthWay::certificate || !connection.own_key) return;
    for (const Certificate& certificate : connection.own_key->chain)
        payloads.emplace_back(Cert{CertEncoding::x509_signature, certificate.der()});
}

}  // namespace

// ---- initiator

void Turn::send_auth(IkeSa& sa) {
    const Connection& connection = *sa.connection;
    if (!sa.first_child && !sa.takes_childless)  // RFC 6023 3
        return destroy(sa, "the peer takes no IKE SA without a child, and there is none to begin with");
    if (sa.first_child && connection.childless && sa.takes_childless) {
        sa.queue.push_front(*std::move(sa.first_child));
        sa.first_child.reset();
    }
    sa.state = IkeState::auth_sent;
    sa.local_id = connection.local_id.value_or(id_of(sa.local.address));
    Payloads payloads;
    payloads.emplace_back(IdInitiator{sa.local_id});
    append_certificates(connection, payloads);
    if (connection.remote_auth == AuthWay::certificate && connection.trust && !connection.trust->empty())
        payloads.emplace_back(CertReq{CertEncoding::x509_signature, connection.trust->authority_hashes()});
    if (connection.remote_id) payloads.emplace_back(IdResponder{*connection.remote_id});
    const auto proof = [&] { return prove(engine.crypto_, sa); };
    const auto named = name_ppk(sa, payloads, proof);
    auto auth = named ? proof() : Result<Auth>{std::unexpected(named.error())};
    if (!auth) return destroy(sa, "we cannot authenticate ourselves: " + auth.error().message);
    payloads.emplace_back(std::move(*auth));
    ask_for_address(sa, payloads);
    if (sa.replaces == IkeSaId{} && established(connection) == nullptr)
        payloads.emplace_back(notify(NotifyType::initial_contact));  // 2.4
    append_mobike(sa, nullptr, payloads);
    Outstanding what;
    if (sa.first_child) ask_for_child(sa, *sa.first_child, payloads, what, true);
    request(sa, ExchangeType::ike_auth, payloads, std::move(what));
}

void Turn::take_auth_response(IkeSa& sa, const Message& message) {
    const auto* id = find<IdResponder>(message.payloads);
    const auto* auth = find<Auth>(message.payloads);
    if (id == nullptr || auth == nullptr) {
        const Notify* error = first_error(message.payloads);
        return destroy(sa, error == nullptr
                               ? "the peer's IKE_AUTH has no identity"
                               : "the peer refuses us as " + text_of(sa.local_id) + ": " + name_of(error->type));
    }
    sa.remote_id = id->id;
    const Connection& connection = *sa.connection;
    Result<void> good = {};
    if (connection.remote_id && !matches(*connection.remote_id, sa.remote_id))
        good = fail(Errc::denied, "we want to speak to " + text_of(*connection.remote_id));
    if (good) good = take_ppk_answer(sa, message.payloads);
    if (good) good = check(engine.crypto_, sa, connection, *auth, message.payloads, now.unix_seconds);
    Outstanding what = std::move(*sa.outstanding);
    sa.outstanding.reset();
    if (!good) {
        tell(Tell::Level::error, &sa,
             "the peer is not " + text_of(sa.remote_id) + " (" + name_of(auth->method) +
                 (sa.ppk_id.empty() ? "" : ", PPK " + text_of_ppk_id(sa.ppk_id)) + "): " + good.error().message);
        send_delete_ike(sa, {NotifyType::authentication_failed});  // 2.21.2
        return restart(sa);
    }
    if (const auto address = take_address(sa, message.payloads); !address) {  // 3.15.4
        tell(Tell::Level::error, &sa, address.error().message);
        send_delete_ike(sa, {});
        return restart(sa);
    }
    established_now(sa);
    read_mobike(sa, message.payloads);
    settle_duplicates(sa);
    if (what.spi != Spi{} && !(sa.first_child && again_for_one_pair(sa, message.payloads, what, *sa.first_child))) {
        if (ChildSa* child = take_child(sa, message.payloads, what, true); child == nullptr)
            child_lost(sa, sa.first_child ? sa.first_child->config : nullptr);
    }
    sa.first_child.reset();
    if (sa.replaces != IkeSaId{}) {  // make before break: the new one is there, and the peer is shown that we know it
        if (const auto old = engine.by_id_.find(std::exchange(sa.replaces, {}));
            old != engine.by_id_.end() && old->second->state == IkeState::established && !old->second->superseded)
            supersede(*old->second, superseded_lives);  // whatever is unique
        enqueue(sa, Liveness{});
    }
}

// ---- responder

void Turn::take_auth_request(IkeSa& sa, const Message& message) {
    const auto refused = [&](NotifyType type, const std::string& why) {
        tell(Tell::Level::error, &sa, "IKE_AUTH of " + sa.remote.text() + " is refused: " + why);
        respond(sa, message.header, notify(type));
        close(sa, why);
    };
    const auto* id = find<IdInitiator>(message.payloads);
    const auto* auth = find<Auth>(message.payloads);
    if (id == nullptr) return refused(NotifyType::invalid_syntax, "it has no identity");
    sa.remote_id = id->id;
    if (lacks_exchanges(sa))
        return refused(NotifyType::invalid_syntax, "it comes before the additional key exchanges that were agreed on");
    if (auth == nullptr)  // 2.16
        return refused(NotifyType::authentication_failed,
                       text_of(sa.remote_id) + " wants EAP, which is not offered here");
    const auto* wanted = find<IdResponder>(message.payloads);

    std::string why;
    for (const auto& candidate : engine.connections_.between(sa.local.address, sa.remote.address)) {
        const Id mine = candidate->local_id.value_or(id_of(sa.local.address));
        if (wanted != nullptr && !matches(wanted->id, mine)) continue;
        if (candidate->remote_id && !matches(*candidate->remote_id, sa.remote_id)) continue;
        if (!allows(candidate->proposals, sa.suite)) continue;
        if (const auto good = believe(engine.crypto_, sa, *candidate, *auth, message.payloads, now.unix_seconds);
            !good) {
            why = "the peer is not " + text_of(sa.remote_id) + " (" + name_of(auth->method) + "), connection " +
                  candidate->name + ": " + good.error().message;
            continue;  // another connection may have another key for the same identity
        }
        sa.connection = candidate;
        sa.local_id = mine;
        break;
    }
    if (!sa.connection)
        return refused(NotifyType::authentication_failed,
                       why.empty() ? "no connection between " + sa.local.address.text() + " and " +
                                         sa.remote.address.text() + " is for " + text_of(sa.remote_id) +
                                         (wanted ? " who asks for " + text_of(wanted->id) : "")
                                   : why);

    // A peer that has begun afresh has none of them any more (2.4), unless they stay whatever he says.
    const Uniqueness unique = sa.connection->uniqueness;
    const bool afresh =
        find_notify(message.payloads, NotifyType::initial_contact) != nullptr && unique != Uniqueness::never;
    std::size_t of_peer = 0, elsewhere = 0;
    if (!afresh)
        for (const auto& [number, other] : engine.directory_.of(sa.remote_id)) {
            if (other == &sa || other->state != IkeState::established) continue;
            ++of_peer;
            elsewhere += !may_be_reauthentication(sa, *other);
        }
    if (of_peer >= engine.config_.limits.ike_sas_per_peer || (elsewhere > 0 && unique == Uniqueness::keep)) {
        sa.connection.reset();
        return refused(NotifyType::authentication_failed,
                       text_of(sa.remote_id) + " has " + std::to_string(of_peer) + " IKE SAs already");
    }
    auto own = prove(engine.crypto_, sa);
    if (!own) {
        const std::string text = "we cannot authenticate ourselves: " + own.error().message;
        sa.connection.reset();
        return refused(NotifyType::authentication_failed, text);
    }
    Payloads answer;
    answer.emplace_back(IdResponder{sa.local_id});
    append_certificates(*sa.connection, answer);
    answer.emplace_back(std::move(*own));
    if (!sa.ppk_id.empty()) answer.emplace_back(notify(NotifyType::ppk_identity));  // RFC 8784 3: without data
    established_now(sa);
    read_mobike(sa, message.payloads);
    append_mobike(sa, &message.payloads, answer);
    lend_addresses(sa, message.payloads, answer);
    if (find<Sa>(message.payloads) != nullptr) {  // else it is childless (RFC 6023)
        auto granted = grant_child(sa, message.payloads, true, nullptr);
        const auto made = granted ? install_granted(sa, *granted, nullptr)
                                  : Answer<ChildSa*>{std::unexpected(std::move(granted).error())};
        if (made) {
            std::ranges::move(granted->answer, std::back_inserter(answer));
        } else {  // 1.2: the IKE SA stands without the child
            tell(Tell::Level::error, &sa, "no child SA: " + made.error().why);
            answer.emplace_back(made.error().notify);
        }
    } else if (sa.out_of_addresses) {
        answer.emplace_back(notify(NotifyType::internal_address_failure));  // 3.15.4
    }
    respond(sa, message.header, answer);
    if (afresh) forget_others(sa);
    settle_duplicates(sa);
}

void Turn::established_now(IkeSa& sa) {
    if (!sa.initiator) leave_half_open(sa);
    sa.state = IkeState::established;
    sa.began = sa.initiator;
    engine.directory_.add(sa);
    sa.first_message.clear();
    sa.second_message.clear();
    sa.int_auth = {};
    sa.established_at = now.steady;
    set_lifetimes(sa);
    if (const auto& c = *sa.connection; c.reauth_seconds != 0 && sa.initiator)
        sa.reauth_at = now.steady + jittered(c.reauth_seconds);
    engine.starts_.erase(sa.connection->name);
    tell(Tell::Level::info, &sa,
         "established with " + text_of(sa.remote_id) + " at " + sa.remote.text() + ", " + text_of(sa.suite) +
             (sa.ppk_id.empty() ? "" : ", PPK " + text_of_ppk_id(sa.ppk_id)));
}

/// 2.4: the peer has begun afresh, and remembers nothing of what was.
void Turn::forget_others(IkeSa& sa) {
    for (const auto& [number, other] : engine.directory_.around(*sa.connection, sa.remote_id))
        if (are_twins(sa, *other) && !(other->initiator && sa.created < other->established_at + crossing))
            destroy(*other, "the peer has begun afresh (INITIAL_CONTACT)");
}

/// The connection's uniqueness: of several IKE SAs with one peer one is kept. Both ends come to the same answer.
void Turn::settle_duplicates(IkeSa& sa) {
    if (sa.connection->uniqueness == Uniqueness::never || sa.superseded) return;
    for (const auto& [number, other] : engine.directory_.around(*sa.connection, sa.remote_id)) {
        if (!are_twins(sa, *other) || other->superseded) continue;
        if (other->initiator == sa.initiator) {
            // One end made both: the newer one counts. It is the maker's to end the other; should he have lost it,
            // ours.
            supersede(sa.established_at < other->established_at ? sa : *other,
                      sa.initiator ? superseded_lives : 2 * superseded_lives);
        } else if (sa.replaces != IkeSaId{} || sa.created > other->established_at + crossing) {
            // Begun when the other one stood: a reauthentication from the other side, or a peer that lost it.
            supersede(*other, other->initiator ? superseded_lives : 2 * superseded_lives);
        } else if (IkeSa& loser = other->lowest_nonce < sa.lowest_nonce ? *other : sa; loser.initiator) {
            // Both of us began at once: the one with the lowest nonce goes, by whoever made it, as in 2.8.2.
            supersede(loser, superseded_lives);
        }
    }
}

/// With uniqueness `keep`: whether `sa` may take the place of `old` all the same. A peer that proves himself again
/// comes from where he is, and made the one before; nothing else tells him from another one of the same name (2.8.3).
bool Turn::may_be_reauthentication(const IkeSa& sa, const IkeSa& old) {
    return !old.began && old.remote.address == sa.remote.address && old.connection == sa.connection;
}

bool Turn::are_twins(const IkeSa& a, const IkeSa& b) {
    return &a != &b && a.state == IkeState::established && b.state == IkeState::established &&
           a.connection == b.connection && a.remote_id == b.remote_id && a.local_id == b.local_id;
}

/// It ends in a moment, when what is under way through its children has arrived.
void Turn::supersede(IkeSa& sa, Instant lives) {
    sa.superseded = true;
    sa.expires_at = now.steady + lives;
    touch(sa);
}

}  // namespace torii::ike
