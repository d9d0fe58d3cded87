// What must be found without a walk over everything, when there are thousands: connections by their names and ends, IKE
// SAs by connection and by peer, and what is to be begun when. Control thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ike/v2/connection.h"
#include "ike/v2/ike_sa.h"

namespace torii::ike {

using SharedConnection = std::shared_ptr<const Connection>;

/// Of one configuration, and made anew with the next. Names are unique: app/ike refuses a second one.
class Connections {
public:
    explicit Connections(std::vector<SharedConnection> all);
    const std::vector<SharedConnection>& all() const { return all_; }
    SharedConnection named(std::string_view name) const;  // null: there is none
    bool contains(const SharedConnection& connection) const { return named(connection->name) == connection; }
    /// Those that a message between these ends may be for: who is named by his address first, in the order of the file.
    std::vector<SharedConnection> between(const Address& local, const Address& remote) const;

private:
    std::vector<SharedConnection> all_;
    std::map<std::string, SharedConnection, std::less<>> by_name_;
    std::map<Address, std::vector<SharedConnection>> by_remote_;
    std::vector<SharedConnection> with_anybody_;
};

/// IKE SAs in the order in which they were made.
using IkeSas = std::map<IkeSaId, IkeSa*>;

class IkeSaDirectory {
public:
    /// Again when the connection or the peer's identity came to be known; neither changes afterwards.
    void add(IkeSa& sa);
    void remove(const IkeSa& sa);
    const IkeSas& of(const Connection& connection) const;
    const IkeSas& of(const Id& peer) const;
    /// Not fewer than those of the connection with that peer: one peer may stand behind many connections, and one
    /// connection be for many peers.
    const IkeSas& around(const Connection& connection, const Id& peer) const;

private:
    std::unordered_map<const Connection*, IkeSas> by_connection_;
    std::map<Id, IkeSas> by_peer_;
};

/// Connections that are to be begun (again), and when.
class Starts {
public:
    void set(const std::string& connection, Instant at, unsigned failures);
    void erase(const std::string& connection);
    void clear();
    /// How often it was tried and came to nothing.
    unsigned failures(const std::string& connection) const;
    std::optional<Instant> next() const;
    /// The first of those that are due.
    std::optional<std::string> due(Instant now) const;

private:
    struct Start {
        Instant at{};
        unsigned failures = 0;
    };
    std::map<std::string, Start> by_name_;
    std::set<std::pair<Instant, std::string>> order_;
};

}  // namespace torii::ike
