// IKE_INTERMEDIATE (RFC 9242), between IKE_SA_INIT and IKE_AUTH, for additional key exchanges (RFC 9370 2.2.2), one in
// each, in their order:
//     HDR, SK {KEi(n)}  -->   <--  HDR, SK {KEr(n)}
// Each is under the keys of before, and makes the keys of what follows. Nothing is authenticated yet: AUTH covers it.
#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

/// The next one that both ends agreed on; none: all are done.
KeMethod next_method(const IkeSa& sa) {
    const auto methods = sa.suite.further();
    return sa.exchanged < methods.size() ? methods[sa.exchanged] : KeMethod::none;
}

}  // namespace

bool Turn::lacks_exchanges(const IkeSa& sa) const { return next_method(sa) != KeMethod::none; }

/// What `sa` says by this message of its own enters AUTH.
Result<void> Turn::note_for_auth(IkeSa& sa, const Header& header, const Payloads& payloads) {
    const auto& [key, chain] =
        sa.initiator ? std::tie(sa.keys.pi, sa.int_auth.initiator) : std::tie(sa.keys.pr, sa.int_auth.responder);
    return IntAuth::add(engine.crypto_, sa.suite.prf, key.octets(),
                        covered_octets(front_of(header, type_of(payloads.front())), build_payloads(payloads)), chain);
}

/// And what the peer says by one of his.
Result<void> Turn::note_for_auth(IkeSa& sa, const Message& message) {
    const auto& [key, chain] =
        sa.initiator ? std::tie(sa.keys.pr, sa.int_auth.responder) : std::tie(sa.keys.pi, sa.int_auth.initiator);
    return IntAuth::add(engine.crypto_, sa.suite.prf, key.octets(), message.covered, chain);
}

/// SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr), from which all keys follow as before (RFC 9370 2.2.2).
Result<void> Turn::renew_keys(IkeSa& sa, const SecretBytes& secret) {
    const IkeKeyInput input{sa.nonce_initiator, sa.nonce_responder, static_cast<std::uint64_t>(sa.spi_initiator),
                            static_cast<std::uint64_t>(sa.spi_responder), secret.octets()};
    TORII_TRY(sa.keys, derive_rekeyed_ike_keys(engine.crypto_, sa.suite, sa.suite.prf, sa.keys.d.octets(), input));
    sa.former_opening = std::move(sa.opening);  // the peer may send this request once more
    ++sa.exchanged;
    return make_ciphers(sa);
}

// ---- initiator

/// IKE_SA_INIT or an IKE_INTERMEDIATE is done: the next one, or IKE_AUTH.
void Turn::go_on(IkeSa& sa) {
    const KeMethod method = next_method(sa);
    if (method == KeMethod::none) return send_auth(sa);
    sa.state = IkeState::intermediate_sent;
    auto pair = KeyExchange::initiate(engine.crypto_, method);
    if (!pair) return destroy(sa, "no key pair for " + name_of(method) + ": " + pair.error().message);
    Outstanding what;
    what.key_exchange = std::move(*pair);
    const Payloads payloads{Ke{method, what.key_exchange->public_value()}};
    const Header header = header_for(sa, ExchangeType::ike_intermediate, false, sa.next_request);
    if (const auto covered = note_for_auth(sa, header, payloads); !covered) return destroy(sa, covered.error().message);
    request(sa, ExchangeType::ike_intermediate, payloads, std::move(what));
}

void Turn::take_intermediate_response(IkeSa& sa, const Message& message, const Outstanding& what) {
    const auto* ke = find<Ke>(message.payloads);
    if (ke == nullptr || ke->method != what.key_exchange->method()) {
        const Notify* error = first_error(message.payloads);
        return destroy(sa, error == nullptr
                               ? "the peer's IKE_INTERMEDIATE has no value of " + name_of(what.key_exchange->method())
                               : "the peer refuses IKE_INTERMEDIATE: " + name_of(error->type));
    }
    const auto secret = what.key_exchange->finish(ke->value);
    if (!secret) return destroy(sa, "IKE_INTERMEDIATE: " + secret.error().message);
    auto done = note_for_auth(sa, message);
    if (done) done = renew_keys(sa, *secret);
    if (!done) return destroy(sa, "IKE_INTERMEDIATE: " + done.error().message);
    go_on(sa);
}

// ---- responder

void Turn::take_intermediate_request(IkeSa& sa, const Message& message) {
    const auto refused = [&](NotifyType type, const std::string& why) {
        tell(Tell::Level::error, &sa, "IKE_INTERMEDIATE of " + sa.remote.text() + " is refused: " + why);
        respond(sa, message.header, notify(type));
        close(sa, why);
    };
    const KeMethod method = next_method(sa);
    const auto* ke = find<Ke>(message.payloads);
    if (method == KeMethod::none) return refused(NotifyType::invalid_syntax, "no key exchange is left to be done");
    if (ke == nullptr || ke->method != method)
        return refused(NotifyType::invalid_syntax, "it has no value of " + name_of(method));
    auto exchanged = KeyExchange::respond(engine.crypto_, method, ke->value);
    if (!exchanged) return refused(refusal_of(exchanged.error()), exchanged.error().message);
    const Payloads answer{Ke{method, std::move(exchanged->value)}};
    auto done = note_for_auth(sa, message);
    if (done)
        done =
            note_for_auth(sa, header_for(sa, ExchangeType::ike_intermediate, true, message.header.message_id), answer);
    if (!done) return refused(NotifyType::invalid_syntax, done.error().message);
    respond(sa, message.header, answer);
    if (const auto renewed = renew_keys(sa, exchanged->secret); !renewed) destroy(sa, renewed.error().message);
}

}  // namespace torii::ike
