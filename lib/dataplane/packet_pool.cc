#include "dataplane/packet_pool.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#include <algorithm>
#include <string_view>

#include "packet/packet.h"

namespace torii {

namespace {

constexpr unsigned most_cached_per_lcore = 256;

/// Last in, first out, unless the device has a pool of its own: the buffer freed last is still in the caches, while
/// DPDK's usual ring goes through all of the pool before it comes back to one.
const char* pool_kind() {
    const std::string_view best = rte_mbuf_best_mempool_ops();
    return best == RTE_MBUF_DEFAULT_MEMPOOL_OPS ? "lf_stack" : best.data();
}

}  // namespace

Result<std::unique_ptr<PacketPool>> PacketPool::make(const std::string& name, unsigned count, unsigned data_octets,
                                                     bool for_hardware) {
    std::unique_ptr<PacketPool> made{new PacketPool};
    const auto room = static_cast<std::uint16_t>(data_octets);
    const unsigned cached = std::min(most_cached_per_lcore, count / 8);  // an lcore must not sit on a small pool
    const auto refused = [&] {
        return fail(Errc::no_room, "no memory for " + std::to_string(count) + " packet buffers of " +
                                       std::to_string(room) + " octets: raise memory_megabytes or lower mbufs (" +
                                       rte_strerror(rte_errno) + ")");
    };
    if (rte_eal_has_hugepages() || for_hardware) {
        made->pool_ = rte_pktmbuf_pool_create_by_ops(name.c_str(), count, cached, private_octets, room, SOCKET_ID_ANY,
                                                     pool_kind());
        if (made->pool_ == nullptr) return refused();
        return made;
    }
    // Without IOVA to care for, buffers stand side by side. DPDK would give each an ordinary page of its own, and all
    // their headers would meet in one set of the first-level cache.
    const unsigned element = unsigned{sizeof(rte_mbuf)} + private_octets + room;
    rte_mempool_objsz sizes;
    const std::size_t octets = std::size_t{rte_mempool_calc_obj_size(element, 0, &sizes)} * (count + 1);
    TORII_TRY(auto pages, LockedPages::reserve(octets));
    made->pages_.emplace(std::move(pages));
    made->pool_ = rte_mempool_create_empty(name.c_str(), count, element, cached, sizeof(rte_pktmbuf_pool_private),
                                           SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
    if (made->pool_ == nullptr) return refused();
    rte_pktmbuf_pool_private settings{};
    settings.mbuf_data_room_size = room;
    settings.mbuf_priv_size = private_octets;
    if (rte_mempool_set_ops_byname(made->pool_, pool_kind(), nullptr) != 0) return refused();
    rte_pktmbuf_pool_init(made->pool_, &settings);
    const auto kept = [](rte_mempool_memhdr*, void*) {};  // the pages are ours
    if (rte_mempool_populate_iova(made->pool_, reinterpret_cast<char*>(made->pages_->data()), RTE_BAD_IOVA, octets,
                                  kept, nullptr) < static_cast<int>(count))
        return refused();
    rte_mempool_obj_iter(made->pool_, rte_pktmbuf_init, nullptr);
    return made;
}

PacketPool::~PacketPool() { rte_mempool_free(pool_); }

}  // namespace torii
