// IKE_SA_INIT (RFC 7296 1.2, 2.6, 2.7, 2.10, 2.14, 2.23), both parts:
//     HDR, [N(COOKIE)], SAi1, KEi, Ni  -->   <--  HDR, SAr1, KEr, Nr, [CERTREQ]
// Nothing here is authenticated: no error is the end at once, and a responder keeps little until IKE_AUTH.
#include <algorithm>

#include "base/reader.h"
#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

constexpr unsigned most_init_attempts = 5;  // cookies and other key exchange methods: two of each, and one to spare
constexpr Instant unauthenticated_error_wait{2'000};
constexpr std::size_t nonce_octets = 32;  // half of the longest PRF key, and no less than 16 (2.10)

bool offers(const std::vector<Proposal>& proposals, KeMethod method) {
    return std::ranges::any_of(proposals, [method](const Proposal& proposal) {
        return std::ranges::any_of(proposal.transforms, [method](const Transform& t) {
            return t.type == TransformType::ke && t.id == static_cast<std::uint16_t>(method);
        });
    });
}

/// RFC 9370 2.2.1: with them IKE_INTERMEDIATE is to be negotiated.
bool offers_additional(const std::vector<Proposal>& proposals) {
    return std::ranges::any_of(proposals, [](const Proposal& proposal) {
        return std::ranges::any_of(proposal.transforms,
                                   [](const Transform& t) { return is_additional_ke(t.type) && t.id != 0; });
    });
}

Octets smaller(const Octets& a, const Octets& b) { return std::min(a, b); }

}  // namespace

/// RFC 7383 2.3: a responder does not know yet who speaks, and takes them if it would of anybody between these ends.
bool Turn::takes_fragments(const IkeSa& sa) const {
    if (sa.connection) return sa.connection->fragmentation;
    return std::ranges::any_of(engine.connections_.between(sa.local.address, sa.remote.address),
                               [](const auto& connection) { return connection->fragmentation; });
}

Payloads Turn::init_notifications(const IkeSa& sa) const {
    Payloads out;
    out.emplace_back(nat_detection(NotifyType::nat_detection_source_ip, sa, sa.local));
    out.emplace_back(nat_detection(NotifyType::nat_detection_destination_ip, sa, sa.remote));
    if (takes_fragments(sa)) out.emplace_back(notify(NotifyType::ikev2_fragmentation_supported));
    Octets hashes;  // RFC 7427 4
    for (const SignatureHash hash :
         {SignatureHash::sha2_256, SignatureHash::sha2_384, SignatureHash::sha2_512, SignatureHash::identity})
        Writer{hashes}.u16(static_cast<std::uint16_t>(hash));
    out.emplace_back(notify(NotifyType::signature_hash_algorithms, hashes));
    if (sa.initiator ? offers_additional(sa.offered) : sa.takes_intermediate)
        out.emplace_back(notify(NotifyType::intermediate_exchange_supported));                      // RFC 9242 3.1
    if (!sa.initiator) out.emplace_back(notify(NotifyType::childless_ikev2_supported));             // RFC 6023 3
    if (sa.initiator ? takes_ppk(sa) : sa.uses_ppk) out.emplace_back(notify(NotifyType::use_ppk));  // RFC 8784 3
    return out;
}

void Turn::read_init_notifications(IkeSa& sa, const Payloads& payloads) {
    detect_nat(sa, payloads);
    sa.fragments = takes_fragments(sa) && find_notify(payloads, NotifyType::ikev2_fragmentation_supported) != nullptr;
    sa.takes_intermediate = find_notify(payloads, NotifyType::intermediate_exchange_supported) != nullptr;
    sa.takes_childless = find_notify(payloads, NotifyType::childless_ikev2_supported) != nullptr;
    sa.uses_ppk = takes_ppk(sa) && find_notify(payloads, NotifyType::use_ppk) != nullptr;
    if (const Notify* hashes = find_notify(payloads, NotifyType::signature_hash_algorithms)) {
        Reader in{hashes->data};
        while (in.size() >= 2) sa.peer_hashes.push_back(SignatureHash{*in.u16()});
    }
}

Result<void> Turn::make_ciphers(IkeSa& sa) {
    const auto& [mine, my_auth, theirs, their_auth] = sa.initiator
                                                          ? std::tie(sa.keys.ei, sa.keys.ai, sa.keys.er, sa.keys.ar)
                                                          : std::tie(sa.keys.er, sa.keys.ar, sa.keys.ei, sa.keys.ai);
    TORII_TRY(sa.sealing, MessageCipher::make(engine.crypto_, sa.suite, mine.octets(), my_auth.octets()));
    tell_keys(sa);
    TORII_TRY(sa.opening, MessageCipher::make(engine.crypto_, sa.suite, theirs.octets(), their_auth.octets()));
    return {};
}

/// Wireshark's ikev2_decryption_table: SPIs, SK_ei, SK_er, cipher, SK_ai, SK_ar, integrity.
void Turn::tell_keys(const IkeSa& sa) {
    if (!engine.config_.tells_keys) return;
    const auto hex = [](OctetView octets) {
        static constexpr char digits[] = "0123456789abcdef";
        std::string out;
        for (const std::byte b : octets) {
            out += digits[std::to_integer<unsigned>(b) >> 4];
            out += digits[std::to_integer<unsigned>(b) & 15];
        }
        return out;
    };
    const auto number = [&](IkeSpi spi) {
        Octets octets;
        Writer{octets}.u64(static_cast<std::uint64_t>(spi));
        return hex(octets);
    };
    std::string cipher;
    switch (sa.suite.encr) {
        case EncrId::aes_cbc: cipher = "AES-CBC-" + std::to_string(sa.suite.encr_key_bits) + " [RFC3602]"; break;
        case EncrId::aes_gcm_16:
            cipher = "AES-GCM-" + std::to_string(sa.suite.encr_key_bits) + " with 16 octet ICV [RFC5282]";
            break;
        case EncrId::des3: cipher = "3DES [RFC2451]"; break;
        default: cipher = name_of(sa.suite.encr); break;  // none that Wireshark knows
    }
    std::string integrity = "NONE [RFC4306]";
    switch (sa.suite.integ) {
        case IntegId::hmac_sha1_96: integrity = "HMAC_SHA1_96 [RFC2404]"; break;
        case IntegId::hmac_sha2_256_128: integrity = "HMAC_SHA2_256_128 [RFC4868]"; break;
        case IntegId::hmac_sha2_384_192: integrity = "HMAC_SHA2_384_192 [RFC4868]"; break;
        case IntegId::hmac_sha2_512_256: integrity = "HMAC_SHA2_512_256 [RFC4868]"; break;
        default: break;
    }
    tell(Tell::Level::keys, &sa,
         number(sa.spi_initiator) + "," + number(sa.spi_responder) + "," + hex(sa.keys.ei.octets()) + "," +
             hex(sa.keys.er.octets()) + ",\"" + cipher + "\"," + hex(sa.keys.ai.octets()) + "," +
             hex(sa.keys.ar.octets()) + ",\"" + integrity + "\"");
}

// ---- initiator

Result<IkeSa*> Turn::initiate(std::shared_ptr<const Connection> connection, std::optional<CreateChild> first,
                              IkeSaId replaces) {
    if (!connection->remote)
        return fail(Errc::bad_value, "connection " + connection->name +
                                         " takes whoever calls: without `remote` there is nobody to begin with");
    if (!connection->local)
        return fail(Errc::bad_value, "connection " + connection->name + " has no `local` address to begin from");
    if (*connection->local == *connection->remote)
        return fail(Errc::bad_value, "connection " + connection->name + " has this gateway as its own peer");
    auto made = std::make_unique<IkeSa>();
    made->initiator = true;
    made->spi_initiator = fresh_spi();
    made->local = {*connection->local, ike_port};
    made->remote = {*connection->remote, ike_port};
    made->connection = connection;
    made->first_child = std::move(first);
    made->replaces = replaces;
    made->offered = connection->proposals;
    made->nonce_initiator.resize(nonce_octets);
    engine.crypto_.fill(made->nonce_initiator);
    IkeSa& sa = add(std::move(made));
    send_init(sa, first_method(sa.offered));
    return &sa;
}

void Turn::send_init(IkeSa& sa, KeMethod method) {
    if (++sa.init_attempts > most_init_attempts) return destroy(sa, "the peer keeps asking for another IKE_SA_INIT");
    Outstanding what;
    if (sa.outstanding && sa.outstanding->key_exchange && sa.outstanding->key_exchange->method() == method) {
        what.key_exchange = std::move(sa.outstanding->key_exchange);  // a cookie changes nothing else (2.6)
    } else {
        auto pair = KeyExchange::initiate(engine.crypto_, method);
        if (!pair) return destroy(sa, "no key pair for " + name_of(method) + ": " + pair.error().message);
        what.key_exchange = std::move(*pair);
    }
    Payloads payloads;
    if (!sa.cookie.empty()) payloads.emplace_back(notify(NotifyType::cookie, sa.cookie));  // first (2.6)
    payloads.emplace_back(Sa{sa.offered});
    payloads.emplace_back(Ke{method, what.key_exchange->public_value()});
    payloads.emplace_back(Nonce{sa.nonce_initiator});
    for (Payload& n : init_notifications(sa)) payloads.push_back(std::move(n));
    const Header header = header_for(sa, ExchangeType::ike_sa_init, false, 0);
    sa.first_message = build_message(header, payloads);
    tell_message(&sa, Course::sent, header, &payloads, sa.remote);
    what.message_id = 0;
    what.exchange = ExchangeType::ike_sa_init;
    what.datagrams = {sa.first_message};
    what.next = now.steady + Instant{engine.config_.retransmit_milliseconds};
    sa.next_request = 1;
    sa.outstanding = std::move(what);
    send(sa, sa.outstanding->datagrams);
    touch(sa);
}

void Turn::take_init_response(IkeSa& sa, const Datagram& datagram, const Split& taken) {
    if (taken.header.message_id != 0 || taken.encrypted || !sa.outstanding) return;
    auto payloads = parse_payloads(taken.first, taken.clear);
    if (!payloads) return tell(Tell::Level::debug, &sa, "IKE_SA_INIT response: " + payloads.error().why);
    tell_message(&sa, Course::received, taken.header, &*payloads, datagram.remote);

    if (const Notify* cookie = find_notify(*payloads, NotifyType::cookie);
        cookie != nullptr && find<Sa>(*payloads) == nullptr) {
        if (cookie->data.empty() || cookie->data.size() > 64) return;  // 2.6
        sa.cookie = cookie->data;
        return send_init(sa, sa.outstanding->key_exchange->method());
    }
    if (const Notify* wanted = find_notify(*payloads, NotifyType::invalid_ke_payload)) {  // 1.2, 2.7
        const auto method = u16_of(*wanted);
        if (!method || !offers(sa.offered, KeMethod{*method}) ||
            KeMethod{*method} == sa.outstanding->key_exchange->method())
            return tell(Tell::Level::warning, &sa, "the peer wants a key exchange that we did not offer");
        return send_init(sa, KeMethod{*method});
    }
    // Anybody may have sent it (2.21.1): a real answer still has a moment to come.
    const auto no_use = [&](std::string why) {
        Outstanding& what = *sa.outstanding;
        if (!what.refusal.empty()) return;
        what.refusal = std::move(why);
        what.sent = engine.config_.retransmissions + 1;
        what.next = now.steady + unauthenticated_error_wait;
    };
    if (const Notify* error = first_error(*payloads)) {
        std::string why = "the peer refuses IKE_SA_INIT: " + name_of(error->type);
        if (error->type == NotifyType::no_proposal_chosen) {
            why += "; we offered ";
            for (const Proposal& p : sa.offered) why.append(&p == sa.offered.data() ? "" : " or ").append(text_of(p));
        }
        return no_use(std::move(why));
    }
    if (sa.connection->ppk == PpkUse::required && find_notify(*payloads, NotifyType::use_ppk) == nullptr)
        return no_use("the peer uses no PPK, and we require " + text_of_ppk_id(sa.connection->ppk_id));
    const auto* chosen = find<Sa>(*payloads);
    const auto* ke = find<Ke>(*payloads);
    const auto* nonce = find<Nonce>(*payloads);
    if (chosen == nullptr || ke == nullptr || nonce == nullptr || chosen->proposals.size() != 1 ||
        taken.header.responder_spi == IkeSpi{0})
        return tell(Tell::Level::warning, &sa, "IKE_SA_INIT response: a payload is missing");
    KeyExchange& exchange = *sa.outstanding->key_exchange;
    const auto suite = accept(sa.offered, chosen->proposals[0], {exchange.method(), false});
    if (!suite) return tell(Tell::Level::warning, &sa, "IKE_SA_INIT response: " + suite.error().message);
    if (suite->ke != exchange.method() || ke->method != exchange.method())
        return tell(Tell::Level::warning, &sa, "IKE_SA_INIT response: another key exchange than we began");
    if (!suite->further().empty() && find_notify(*payloads, NotifyType::intermediate_exchange_supported) == nullptr)
        return tell(Tell::Level::warning, &sa,
                    "IKE_SA_INIT response: additional key exchanges without IKE_INTERMEDIATE");
    const auto secret = exchange.finish(ke->value);
    if (!secret) return tell(Tell::Level::warning, &sa, "IKE_SA_INIT response: " + secret.error().message);

    sa.suite = *suite;
    sa.spi_responder = taken.header.responder_spi;
    sa.nonce_responder = nonce->value;
    sa.second_message = datagram.octets;
    const IkeKeyInput input{sa.nonce_initiator, sa.nonce_responder, static_cast<std::uint64_t>(sa.spi_initiator),
                            static_cast<std::uint64_t>(sa.spi_responder), secret->octets()};
    auto keys = derive_ike_keys(engine.crypto_, sa.suite, input);
    if (!keys) return destroy(sa, "keys cannot be derived: " + keys.error().message);
    sa.keys = std::move(*keys);
    if (auto made = make_ciphers(sa); !made) return destroy(sa, "no cipher: " + made.error().message);
    sa.lowest_nonce = smaller(sa.nonce_initiator, sa.nonce_responder);
    sa.outstanding.reset();
    read_init_notifications(sa, *payloads);
    if (sa.uses_udp() || goes_to_4500(sa, *payloads)) {  // 2.23: from now on by port 4500
        sa.local.port = natt_port;
        if (sa.remote.port == ike_port) sa.remote.port = natt_port;
    }
    sa.last_heard = now.steady;
    go_on(sa);
}

// ---- responder

void Turn::take_init_request(const Datagram& datagram, const Split& taken) {
    const Header& header = taken.header;
    if (!header.from_initiator || header.initiator_spi == IkeSpi{0} || header.message_id != 0 || taken.encrypted)
        return;
    if (engine.shutting_down_) return;
    if (engine.by_spi_.contains(static_cast<std::uint64_t>(header.initiator_spi)))
        return tell(Tell::Level::warning, nullptr,
                    "from " + datagram.remote.text() + ": our own IKE_SA_INIT came back");

    const auto key = std::pair{datagram.remote, header.initiator_spi};
    if (const auto known = engine.by_first_request_.find(key); known != engine.by_first_request_.end()) {
        IkeSa& sa = *engine.by_id_.at(known->second);
        if (sa.state == IkeState::init_answered && sa.expected_request == 1 && sa.first_message == datagram.octets) {
            tell_message(&sa, Course::received, header, nullptr, datagram.remote);
            send(sa, sa.last_response);
        }
        return;  // 2.1
    }
    if (header.responder_spi != IkeSpi{0}) return;
    auto payloads = parse_payloads(taken.first, taken.clear);
    if (!payloads) return complain(datagram, header, notify(payloads.error().notify, payloads.error().data));
    tell_message(nullptr, Course::received, header, &*payloads, datagram.remote);
    const auto* offered = find<Sa>(*payloads);
    const auto* ke = find<Ke>(*payloads);
    const auto* nonce = find<Nonce>(*payloads);
    if (offered == nullptr || ke == nullptr || nonce == nullptr)
        return complain(datagram, header, notify(NotifyType::invalid_syntax));

    // Before anything is computed or kept: cookies, and what one source may have half open (2.6).
    const EngineLimits& limits = engine.config_.limits;
    const auto of_source = engine.half_open_by_source_.find(source_of(datagram.remote.address));
    const std::size_t from_there = of_source == engine.half_open_by_source_.end() ? 0 : of_source->second;
    // Of one address too, before it may have no more: else whoever sends in a peer's name locks him out.
    if (engine.half_open_ >= limits.cookies_from || from_there >= limits.half_open_per_source / 2) {
        const Notify* cookie = find_notify(*payloads, NotifyType::cookie);
        if (cookie == nullptr || !engine.cookies_.is_ours(engine.crypto_, cookie->data, datagram.remote,
                                                          header.initiator_spi, nonce->value, now.steady))
            return answer_in_clear(
                datagram, header,
                notify(NotifyType::cookie, engine.cookies_.make(engine.crypto_, datagram.remote, header.initiator_spi,
                                                                nonce->value, now.steady)));
    }
    if (engine.half_open_ >= limits.half_open || from_there >= limits.half_open_per_source)
        return tell(Tell::Level::warning, nullptr,
                    "IKE_SA_INIT of " + datagram.remote.text() + " is not answered: too many are half open");

    const auto connections = engine.connections_.between(datagram.local.address, datagram.remote.address);
    std::vector<Proposal> ours;
    for (const auto& connection : connections)
        ours.insert(ours.end(), connection->proposals.begin(), connection->proposals.end());
    const Choosing how{
        .preferred = ke->method,
        .without_additional = find_notify(*payloads, NotifyType::intermediate_exchange_supported) == nullptr};
    const auto choice = choose(ours, offered->proposals, how);
    if (!choice) {
        tell(Tell::Level::warning, nullptr,
             "IKE_SA_INIT of " + datagram.remote.text() + ": " +
                 (connections.empty()
                      ? "no connection is configured between " + datagram.local.address.text() + " and this address"
                      : why_not(ours, offered->proposals, how)));
        return complain(datagram, header, notify(NotifyType::no_proposal_chosen));
    }
    if (choice->suite.ke != ke->method)  // 1.2
        return answer_in_clear(
            datagram, header, notify_u16(NotifyType::invalid_ke_payload, static_cast<std::uint16_t>(choice->suite.ke)));
    auto exchanged = KeyExchange::respond(engine.crypto_, ke->method, ke->value);
    if (!exchanged) {
        tell(Tell::Level::warning, nullptr,
             "IKE_SA_INIT of " + datagram.remote.text() + ": " + exchanged.error().message);
        return complain(datagram, header, notify(refusal_of(exchanged.error())));
    }

    auto made = std::make_unique<IkeSa>();
    made->state = IkeState::init_answered;
    made->spi_initiator = header.initiator_spi;
    made->spi_responder = fresh_spi();
    made->local = datagram.local;
    made->remote = datagram.remote;
    made->suite = choice->suite;
    made->nonce_initiator = nonce->value;
    made->nonce_responder.resize(nonce_octets);
    engine.crypto_.fill(made->nonce_responder);
    made->lowest_nonce = smaller(made->nonce_initiator, made->nonce_responder);
    made->first_message = datagram.octets;
    const IkeKeyInput input{made->nonce_initiator, made->nonce_responder,
                            static_cast<std::uint64_t>(made->spi_initiator),
                            static_cast<std::uint64_t>(made->spi_responder), exchanged->secret.octets()};
    auto keys = derive_ike_keys(engine.crypto_, made->suite, input);
    if (!keys) return complain(datagram, header, notify(NotifyType::invalid_syntax));
    made->keys = std::move(*keys);
    if (!make_ciphers(*made)) return complain(datagram, header, notify(NotifyType::no_proposal_chosen));
    read_init_notifications(*made, *payloads);

    Payloads answer;
    answer.emplace_back(Sa{{choice->chosen}});
    answer.emplace_back(Ke{ke->method, std::move(exchanged->value)});
    answer.emplace_back(Nonce{made->nonce_responder});
    for (Payload& n : init_notifications(*made)) answer.push_back(std::move(n));
    Octets authorities;  // 3.7: whom we believe, for whoever would show a certificate
    for (const auto& connection : connections)
        if (connection->remote_auth == AuthWay::certificate && connection->trust && authorities.empty())
            authorities = connection->trust->authority_hashes();
    if (!authorities.empty()) answer.emplace_back(CertReq{CertEncoding::x509_signature, authorities});

    IkeSa& sa = add(std::move(made));
    engine.by_first_request_.emplace(key, sa.id);
    sa.first_request = key;
    sa.counts_as_half_open = true;
    ++engine.half_open_;
    ++engine.half_open_by_source_[source_of(datagram.remote.address)];
    const Header answered = header_for(sa, ExchangeType::ike_sa_init, true, 0);
    sa.second_message = build_message(answered, answer);
    tell_message(&sa, Course::sent, answered, &answer, sa.remote);
    sa.last_response = {sa.second_message};
    sa.expected_request = 1;
    send(sa, sa.last_response);
}

}  // namespace torii::ike
