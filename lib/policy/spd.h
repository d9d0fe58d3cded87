// The security policy database: an ordered list in which the first match wins (RFC 4301 4.4.1). Ordered by priority,
// then by addition, between the policies of privileged sockets and those of others; spdupdate moves an entry to the end
// of its priority, as KAME's does. This is the authoritative form that the control core edits; workers see an SpdIndex
// built from it.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <span>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "policy/policy.h"

namespace torii {

using PolicyPtr = std::shared_ptr<const Policy>;

/// Control thread only.
class Spd {
public:
    /// Errc::exists when a policy of the same owner, selector and direction is there. Logarithmic. The caller sees to
    /// it that ids differ.
    Result<void> add(PolicyPtr policy);
    /// Errc::not_found when nothing has that selector and direction. Returns what was removed.
    Result<PolicyPtr> remove(Direction direction, const Selector& selector, PolicyOwner owner = PolicyOwner::spd);
    /// Puts `policy` back where it was removed from: the same place in the order, as order_of() told it before the
    /// removal. For undoing a transaction; nothing may have taken its selector meanwhile.
    void restore(PolicyPtr policy, std::uint64_t order);
    /// `policy` takes the place of the one with its id, selector, owner and priority, which is in here.
    void replace(PolicyPtr policy);
    PolicyPtr find(Direction direction, const Selector& selector,
                   PolicyOwner owner = PolicyOwner::spd) const;  // null when absent
    PolicyPtr find(PolicyId id) const;
    std::size_t size() const;
    /// In search order.
    std::vector<PolicyPtr> in_order(Direction direction) const;
    /// The place `add` gave a policy that is in here, for restore(); 0 for one that is not.
    std::uint64_t order_of(const Policy& policy) const;

private:
    struct Place {
        PolicyOwner owner;
        std::int64_t descending_priority;  // negated priority, so that ascending order is search order
        std::uint64_t order;
        friend auto operator<=>(const Place&, const Place&) = default;
    };
    using Key = std::tuple<Direction, Selector, PolicyOwner>;
    void put(PolicyPtr policy, std::uint64_t order);

    std::array<std::map<Place, PolicyPtr>, 2> ordered_;  // by direction
    std::map<Key, Place> by_selector_;
    std::unordered_map<std::uint32_t, PolicyPtr> by_id_;
    std::uint64_t next_order_ = 1;
};

/// What a packet meets in an SPD. A packet that needs ports must not be treated as `policy` says, because the rule that
/// stands before it could have said otherwise: the data path drops it by that name.
struct Found {
    const Policy* policy = nullptr;  // null: nothing matched
    bool needs_ports = false;        // a rule before `policy` would match but for ports the packet does not tell
};
/// The first match of a linear walk: what every faster classifier must agree with. Any thread.
Found find_linear(std::span<const PolicyPtr> in_order, const PacketSelector& packet);

/// The compiled form of one direction: immutable, shared by all workers, one hash probe a look-up for each shape of
/// rule (a pair of prefix lengths, with or without protocol and ports) however many policies there are. Holds its
/// policies alive. README.md of this room tells how it works and what it costs.
class SpdIndex {
public:
    explicit SpdIndex(std::vector<PolicyPtr> in_order);
    ~SpdIndex();
    SpdIndex(const SpdIndex&) = delete;
    SpdIndex& operator=(const SpdIndex&) = delete;

    /// Exactly find_linear's answer. Any thread; no allocation, no lock.
    Found find(const PacketSelector& packet) const;
    std::span<const PolicyPtr> in_order() const { return in_order_; }

private:
    struct Tables;
    std::vector<PolicyPtr> in_order_;  // a rule's rank is its place in here
    std::unique_ptr<const Tables> tables_;
};

}  // namespace torii
