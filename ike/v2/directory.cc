#include "ike/v2/directory.h"

namespace torii::ike {

// ---- Connections

Connections::Connections(std::vector<SharedConnection> all) : all_(std::move(all)) {
    for (const SharedConnection& connection : all_) {
        by_name_.emplace(connection->name, connection);
        (connection->remote ? by_remote_[*connection->remote] : with_anybody_).push_back(connection);
    }
}

SharedConnection Connections::named(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

std::vector<SharedConnection> Connections::between(const Address& local, const Address& remote) const {
    std::vector<SharedConnection> out;
    const auto append = [&](const std::vector<SharedConnection>& candidates) {
        for (const SharedConnection& connection : candidates)
            if (!connection->local || *connection->local == local) out.push_back(connection);
    };
    if (const auto found = by_remote_.find(remote); found != by_remote_.end()) append(found->second);
    append(with_anybody_);
    return out;
}

// ---- IkeSaDirectory

namespace {

template <class Map, class Key>
const IkeSas& found_in(const Map& map, const Key& key) {
    static const IkeSas none;
    const auto found = map.find(key);
    return found == map.end() ? none : found->second;
}

template <class Map, class Key>
void remove_from(Map& map, const Key& key, IkeSaId id) {
    const auto found = map.find(key);
    if (found == map.end()) return;
    found->second.erase(id);
    if (found->second.empty()) map.erase(found);
}

}  // namespace

void IkeSaDirectory::add(IkeSa& sa) {
    if (!sa.connection) return;
    by_connection_[sa.connection.get()].emplace(sa.id, &sa);
    if (sa.state == IkeState::established) by_peer_[sa.remote_id].emplace(sa.id, &sa);
}

void IkeSaDirectory::remove(const IkeSa& sa) {
    remove_from(by_connection_, sa.connection.get(), sa.id);
    remove_from(by_peer_, sa.remote_id, sa.id);
}

const IkeSas& IkeSaDirectory::of(const Connection& connection) const { return found_in(by_connection_, &connection); }

const IkeSas& IkeSaDirectory::of(const Id& peer) const { return found_in(by_peer_, peer); }

const IkeSas& IkeSaDirectory::around(const Connection& connection, const Id& peer) const {
    const IkeSas &his = of(peer), &its = of(connection);
    return his.size() < its.size() ? his : its;
}

// ---- Starts

void Starts::set(const std::string& connection, Instant at, unsigned failures) {
    erase(connection);
    by_name_[connection] = {at, failures};
    order_.emplace(at, connection);
}

void Starts::erase(const std::string& connection) {
    const auto found = by_name_.find(connection);
    if (found == by_name_.end()) return;
    order_.erase({found->second.at, connection});
    by_name_.erase(found);
}

void Starts::clear() {
    by_name_.clear();
    order_.clear();
}

unsigned Starts::failures(const std::string& connection) const {
    const auto found = by_name_.find(connection);
    return found == by_name_.end() ? 0 : found->second.failures;
}

std::optional<Instant> Starts::next() const {
    if (order_.empty()) return std::nullopt;
    return order_.begin()->first;
}

std::optional<std::string> Starts::due(Instant now) const {
    if (order_.empty() || order_.begin()->first > now) return std::nullopt;
    return order_.begin()->second;
}

}  // namespace torii::ike
