// Where a packet leaves: a port and the Ethernet header for the neighbour behind it, in a table of cells that workers
// read once per packet and the control thread swaps when ARP learns something. Index 0 is nowhere.
#pragma once

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
    /// Control thread. Returns what stood there; it goes to the retire list.
    std::unique_ptr<const NextHop> publish(HopIndex index, std::unique_ptr<const NextHop> next) {
        auto& cell = cells_[static_cast<std::size_t>(index)];
        return std::unique_ptr<const NextHop>{cell.exchange(next.release(), std::memory_order_acq_rel)};
    }
    NextHopTable() : cells_(std::make_unique<std::atomic<const NextHop*>[]>(capacity)) {}
    ~NextHopTable() {
        for (std::size_t i = 0; i < capacity; ++i) delete cells_[i].load();
    }
    NextHopTable(const NextHopTable&) = delete;
    NextHopTable& operator=(const NextHopTable&) = delete;

private:
    std::unique_ptr<std::atomic<const NextHop*>[]> cells_;
};

}  // namespace torii
