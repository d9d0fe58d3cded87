// What a reload changes under IKE SAs that go on: the keys of all peers, and the authorities that are believed. An IKE
// SA lasts no longer than the key that proved it. Engine::configure calls this.
#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

/// Both none, or the same octets.
bool are_same(const SecretBytes* a, const SecretBytes* b) { return a == b || (a && b && a->same_as(*b)); }

Id id_of(const Address& address) {
    return {address.is_v4() ? IdType::ipv4_addr : IdType::ipv6_addr,
            Octets(address.octets().begin(), address.octets().end())};
}

template <class Keys, class... What>
const SecretBytes* found(const std::shared_ptr<const Keys>& keys, const What&... what) {
    return keys ? keys->find(what...) : nullptr;
}

}  // namespace

bool is_proven_by(const IkeSa& sa, const Connection& next) {
    if (sa.state != IkeState::established) return true;
    const Connection& before = *sa.connection;
    const Address& address = sa.remote.address;
    const auto keeps_key = [&](const Id& id) {
        return are_same(found(before.shared_keys, id, address), found(next.shared_keys, id, address));
    };
    if (before.remote_auth == AuthWay::shared_key && !keeps_key(sa.remote_id)) return false;
    // As IKE_AUTH chooses it: an initiator need not know yet who will answer.
    if (before.local_auth == AuthWay::shared_key &&
        !keeps_key(sa.initiator ? before.remote_id.value_or(id_of(address)) : sa.remote_id))
        return false;
    return sa.ppk_id.empty() ||
           are_same(found(before.postquantum_keys, sa.ppk_id), found(next.postquantum_keys, sa.ppk_id));
}

void renew(const Connection& connection, const Connection& next) {
    connection.trust = next.trust;
    connection.shared_keys = next.shared_keys;
    connection.postquantum_keys = next.postquantum_keys;
}

}  // namespace torii::ike
