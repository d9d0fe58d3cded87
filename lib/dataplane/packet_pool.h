// The pool packets live in. With hugepages DPDK's own memory; without, transparent huge pages of our own, because
// packets are touched at random and ordinary pages would cost a TLB miss for nearly every one. Control thread.
#pragma once

#include <rte_mempool.h>

#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "sa/arena.h"

namespace torii {

class PacketPool {
public:
    /// `count` mbufs with `data_octets` each (headroom included) and the private area of Packet.
    /// `for_hardware`: devices will reach the packets by DMA, so the memory must be DPDK's.
    /// Errc::no_room when the memory is not there.
    static Result<std::unique_ptr<PacketPool>> make(const std::string& name, unsigned count, unsigned data_octets,
                                                    bool for_hardware);
    /// Every mbuf is back by now.
    ~PacketPool();
    PacketPool(const PacketPool&) = delete;
    PacketPool& operator=(const PacketPool&) = delete;

    rte_mempool* get() const { return pool_; }

private:
    PacketPool() = default;
    std::optional<LockedPages> pages_;  // outlives the pool that stands in it
    rte_mempool* pool_ = nullptr;
};

}  // namespace torii
