// Where a packet leaves: a port and the Ethernet header for the neighbour behind it, in a table of cells that workers
// read once per packet and the control thread swaps when ARP or neighbour discovery learns something. Index 0 is
// nowhere. The cell of a neighbour is found without a published value having to change, so that a new one costs nobody
// else anything.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "net/headers.h"
#include "packet/packet.h"

namespace torii {

/// One neighbour as workers see it. Immutable; replaced whole.
struct alignas(64) NextHop {
    EthernetHeader ethernet{};  // destination is the neighbour when resolved
    std::uint16_t port = 0;
    std::uint16_t mtu = 1500;
    bool resolved = false;
    Address address;
};

class NextHopTable {
public:
    static constexpr std::size_t capacity = 4096;

    const NextHop* read(HopIndex index) const {
        return cells_[static_cast<std::size_t>(index)].load(std::memory_order_acquire);
    }
    /// The cell of `address` behind `port`; HopIndex::none when nobody has asked about it yet, or, with thousands of
    /// neighbours and bad luck, had no room to note it here: then the control core knows.
    HopIndex find(const Address& address, std::uint16_t port) const {
        for (const auto& place : bucket(address)) {
            const HopIndex hop{place.load(std::memory_order_acquire)};
            const NextHop* const next = hop == HopIndex::none ? nullptr : read(hop);
            if (next != nullptr && next->address == address && next->port == port) return hop;
        }
        return HopIndex::none;
    }
    /// Control thread. Returns what stood there; it goes to the retire list.
    std::unique_ptr<const NextHop> publish(HopIndex index, std::unique_ptr<const NextHop> next) {
        const Address address = next->address;
        const std::uint16_t port = next->port;
        auto& cell = cells_[static_cast<std::size_t>(index)];
        std::unique_ptr<const NextHop> old{cell.exchange(next.release(), std::memory_order_acq_rel)};
        if (find(address, port) != index) replace(address, HopIndex::none, index);
        return old;
    }
    /// Control thread. Nobody finds this cell any more; those who have its number may still read it.
    void forget(HopIndex index) { replace(read(index)->address, index, HopIndex::none); }

    NextHopTable()
        : cells_(std::make_unique<std::atomic<const NextHop*>[]>(capacity)),
          buckets_(std::make_unique<Bucket[]>(buckets)) {}
    ~NextHopTable() {
        for (std::size_t i = 0; i < capacity; ++i) delete cells_[i].load();
    }
    NextHopTable(const NextHopTable&) = delete;
    NextHopTable& operator=(const NextHopTable&) = delete;

private:
    static constexpr std::size_t buckets = 1024;  // a full table has four in each on average, and 32 have room
    struct alignas(64) Bucket {
        std::array<std::atomic<std::uint16_t>, 32> places{};
    };
    std::array<std::atomic<std::uint16_t>, 32>& bucket(const Address& address) const {
        return buckets_[hash_of(address, 0x51ed270b9f2ac3d1u) % buckets].places;
    }
    void replace(const Address& address, HopIndex old, HopIndex next) {
        for (auto& place : bucket(address)) {
            if (HopIndex{place.load(std::memory_order_relaxed)} != old) continue;
            return place.store(static_cast<std::uint16_t>(next), std::memory_order_release);
        }
    }
    std::unique_ptr<std::atomic<const NextHop*>[]> cells_;
    std::unique_ptr<Bucket[]> buckets_;
};

}  // namespace torii
