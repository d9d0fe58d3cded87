// Who uses a post-quantum pre-shared key with whom (RFC 8784 3):
//     HDR, SAi1, KEi, Ni, N(USE_PPK)  -->   <--  HDR, SAr1, KEr, Nr, N(USE_PPK)
//     HDR, SK {IDi, AUTH, SAi2, TSi, TSr, N(PPK_IDENTITY), [N(NO_PPK_AUTH)]}  -->
//                               <--  HDR, SK {IDr, AUTH, SAr2, TSi, TSr, [N(PPK_IDENTITY)]}
// AUTH is made with the PPK, what NO_PPK_AUTH holds without it, for a responder that lacks it. Whoever takes USE_PPK
// out of a message on its way changes what AUTH covers: nobody can talk two ends out of a PPK that both prefer.
#include "ike/v2/ppk.h"

#include <algorithm>

#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

constexpr std::byte ppk_id_fixed{2};  // 5.1

const SecretBytes* key_of(const Connection& connection, const Octets& id) {
    if (!connection.postquantum_keys || (!connection.ppk_id.empty() && connection.ppk_id != id)) return nullptr;
    return connection.postquantum_keys->find(id);
}

/// Those that the connection would take, for an error.
std::string names_of(const Connection& connection) {
    if (!connection.ppk_id.empty()) return text_of_ppk_id(connection.ppk_id);
    return connection.postquantum_keys ? connection.postquantum_keys->names() : "none";
}

}  // namespace

Result<MixedKeys> mix_ppk(CryptoContext& context, PrfId id, const SecretBytes& ppk, const IkeKeys& keys) {
    const auto mixed = [&](const SecretBytes& key) {
        return prf_plus(context, id, ppk.octets(), {key.octets()}, key.size());
    };
    MixedKeys out;
    TORII_TRY(out.d, mixed(keys.d));
    TORII_TRY(out.pi, mixed(keys.pi));
    TORII_TRY(out.pr, mixed(keys.pr));
    return out;
}

void exchange(IkeKeys& keys, MixedKeys& mixed) {
    std::swap(keys.d, mixed.d);
    std::swap(keys.pi, mixed.pi);
    std::swap(keys.pr, mixed.pr);
}

std::optional<Octets> ppk_id_of(const Notify& identity) {
    if (identity.data.size() < 2 || identity.data[0] != ppk_id_fixed) return {};
    return Octets{identity.data.begin() + 1, identity.data.end()};
}

Notify ppk_identity(const Octets& id) {
    Octets data{ppk_id_fixed};
    data.insert(data.end(), id.begin(), id.end());
    return notify(NotifyType::ppk_identity, std::move(data));
}

/// An initiator names one; a responder does not know yet who speaks, and takes what it would of anybody between these
/// ends.
bool Turn::takes_ppk(const IkeSa& sa) const {
    if (sa.connection) return sa.connection->ppk != PpkUse::never && key_of(*sa.connection, sa.connection->ppk_id);
    return std::ranges::any_of(engine.connections_.between(sa.local.address, sa.remote.address),
                               [](const auto& connection) { return connection->ppk != PpkUse::never; });
}

// ---- initiator

/// Before our AUTH is made: what we say of our PPK, and, unless it must be, what proves us without it.
Result<void> Turn::name_ppk(IkeSa& sa, Payloads& payloads, const std::function<Result<Auth>()>& prove) {
    if (!sa.uses_ppk) return {};
    const Connection& connection = *sa.connection;
    if (connection.ppk == PpkUse::prefer) {
        TORII_TRY(auto auth, prove());
        payloads.emplace_back(notify(NotifyType::no_ppk_auth, std::move(auth.data)));
    }
    payloads.emplace_back(ppk_identity(connection.ppk_id));
    TORII_TRY(sa.keys_instead, mix_ppk(engine.crypto_, sa.suite.prf, *key_of(connection, connection.ppk_id), sa.keys));
    exchange(sa.keys, *sa.keys_instead);
    sa.ppk_id = connection.ppk_id;
    return {};
}

/// Before the peer's AUTH is looked at: whether it was made with the PPK.
Result<void> Turn::take_ppk_answer(IkeSa& sa, const Payloads& payloads) {
    if (sa.ppk_id.empty()) return {};
    auto plain = std::exchange(sa.keys_instead, {});
    if (find_notify(payloads, NotifyType::ppk_identity) != nullptr) return {};
    if (sa.connection->ppk == PpkUse::required)
        return fail(Errc::denied, "he does not use PPK " + text_of_ppk_id(sa.ppk_id) + ", which we require");
    tell(Tell::Level::warning, &sa, "the peer has no PPK " + text_of_ppk_id(sa.ppk_id) + ": the keys are without it");
    exchange(sa.keys, *plain);
    sa.ppk_id.clear();
    return {};
}

// ---- responder

Result<PpkProof> ppk_proof(CryptoContext& crypto, const IkeSa& sa, const Connection& connection, const Auth& auth,
                           const Payloads& payloads) {
    const Notify* const named = sa.uses_ppk ? find_notify(payloads, NotifyType::ppk_identity) : nullptr;
    if (named == nullptr) {
        if (connection.ppk == PpkUse::required)
            return fail(Errc::denied, "he uses no PPK, and we require one of " + names_of(connection));
        return PpkProof{auth, {}, {}};
    }
    const auto id = ppk_id_of(*named);
    if (connection.ppk != PpkUse::never && id)
        if (const SecretBytes* key = key_of(connection, *id)) {
            TORII_TRY(auto keys, mix_ppk(crypto, sa.suite.prf, *key, sa.keys));
            return PpkProof{auth, std::move(keys), *id};
        }
    const Notify* const plain = find_notify(payloads, NotifyType::no_ppk_auth);
    if (connection.ppk != PpkUse::required && plain != nullptr) return PpkProof{{auth.method, plain->data}, {}, {}};
    return fail(Errc::denied, "he names PPK " + (id ? text_of_ppk_id(*id) : "of a type unknown to us") + ", and we " +
                                  (connection.ppk == PpkUse::never ? "use none" : "have " + names_of(connection)) +
                                  (plain == nullptr ? "; he requires it" : "; we require it"));
}

}  // namespace torii::ike
