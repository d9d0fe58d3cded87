// What the control core publishes and workers read: immutable values behind one pointer each, next hops and chain
// cells as single swapped words, SAs as blocks. A worker loads the pointers once per turn.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "control/settings.h"
#include "dataplane/expected_spis.h"
#include "dataplane/gif.h"
#include "dataplane/retire_list.h"
#include "filter/filter.h"
#include "forward/next_hop.h"
#include "forward/routes.h"
#include "observe/capture.h"
#include "policy/spd.h"
#include "sa/security_association.h"
#include "sa/spi_index.h"

namespace torii {

/// Chain cells of policies whose SAs depend on the packet's own addresses (transport mode toward many peers).
struct AddressPair {
    PolicyId policy{};
    Address source, destination;
    friend bool operator==(const AddressPair&, const AddressPair&) = default;
};
struct AddressPairHash {
    std::size_t operator()(const AddressPair& pair) const {
        return hash_of(pair.source, hash_of(pair.destination, static_cast<std::uint64_t>(pair.policy)));
    }
};
using PairCells = std::unordered_map<AddressPair, ChainCell*, AddressPairHash>;

/// A chain cell's place in Rules::cells: half of what a pointer takes to remember.
enum class CellIndex : std::uint32_t { none = 0xffffffff };

/// Everything a worker needs to decide about a flow it has not seen. One value, so that it is consistent; its
/// generation dates the flows decided by it.
struct Rules {
    std::uint32_t generation = 1;
    std::shared_ptr<const SpdIndex> inbound, outbound;
    std::shared_ptr<const Routes> routes;
    std::shared_ptr<const PairCells> pairs;
    ChainCell* cells = nullptr;               // by Policy::slot
    const PolicyId* cell_policies = nullptr;  // whose each of `cells` is
    PolicyAction default_action = PolicyAction::discard;
    control::IcmpKinds icmp_accepted{};  // errors in clear for our own addresses
    bool icmp_quote_checked = true;
    /// How long a flow's verdict stands: policies learn of their use when a flow is decided.
    std::uint32_t flow_seconds = 10;
    std::vector<Arrival> port_arrival;  // by port number: which side it is on
    Gifs gifs;
    HopIndex host_hop{};

    ChainCell& cell(CellIndex index) const { return cells[static_cast<std::uint32_t>(index)]; }
    CellIndex index_of(const ChainCell& cell) const { return static_cast<CellIndex>(&cell - cells); }
    PolicyId policy_of(CellIndex cell) const { return cell_policies[static_cast<std::uint32_t>(cell)]; }
};

/// Whether this policy's SAs depend on the packet's addresses: transport mode innermost, between no fixed pair.
inline bool is_per_pair(const Policy& policy) {
    const Request& first = policy.requests.front();
    const Selector& selector = policy.selector;
    return !first.endpoints && !(selector.tag.empty() && selector.source.is_host() && selector.destination.is_host());
}

/// Where workers find what `policy`, an outbound one of `rules`, does to packets between these addresses.
inline ChainCell& cell_of(const Rules& rules, const Policy& policy, const Address& source, const Address& destination) {
    if (is_per_pair(policy)) {
        const auto pair = rules.pairs->find({policy.id, source, destination});
        if (pair != rules.pairs->end()) return *pair->second;
    }
    return rules.cells[policy.slot];
}

struct Tables {
    std::atomic<const Rules*> rules{nullptr};
    std::atomic<const SpiIndex*> sad{nullptr};
    std::atomic<const Filter*> filter{nullptr};    // null: no hook has anything to do
    std::atomic<const Capture*> capture{nullptr};  // null: none is on
    NextHopTable hops;
    ExpectedSpis expected;
    std::atomic<std::uint32_t> now_seconds{0};  // since some start: workers do not look at a clock

    ~Tables() {
        delete rules.load();
        delete sad.load();
        delete filter.load();
        delete capture.load();
    }
    template <class T>
    static void publish(std::atomic<const T*>& cell, std::unique_ptr<const T> next, RetireList& retired) {
        retired.add(std::unique_ptr<const T>{cell.exchange(next.release(), std::memory_order_acq_rel)});
    }
};

}  // namespace torii
