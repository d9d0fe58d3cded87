// One DPDK port, whatever its driver: queues, offloads the device offers, MTU. No driver is known by name here; what a
// virtual device wants in its arguments is the configuration's affair. Control thread, but for the two members marked.
#pragma once

#include <rte_ethdev.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "net/address.h"
#include "packet/packet.h"

namespace torii {

class Port {
public:
    struct Wish {
        std::string name;
        std::string device;  // a port that exists already, or EAL devargs to probe
        unsigned mtu = 1500;
        unsigned queues = 1;  // rx and tx; the device may have fewer
        Arrival arrival = Arrival::outside;
        bool hears_groups = false;  // frames for multicast groups come in: neighbour discovery asks there
    };
    /// Probes, configures and starts the device. Errors name the port and the device: Errc::bad_value when no driver is
    /// called so, Errc::io with the driver's refusal.
    static Result<std::unique_ptr<Port>> open(const Wish& wish, rte_mempool* pool);
    /// Stops and closes; a device that open() probed is removed.
    ~Port();
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    std::uint16_t id() const { return id_; }  // any thread
    const MacAddress& mac() const { return mac_; }
    const Wish& wish() const { return wish_; }
    unsigned rx_queues() const { return rx_queues_; }
    unsigned tx_queues() const { return tx_queues_; }
    std::string driver() const;
    bool link_up() const;
    rte_eth_stats stats() const;

private:
    Port() = default;
    Result<void> start(rte_mempool* pool);

    Wish wish_;
    std::uint16_t id_ = RTE_MAX_ETHPORTS;
    bool probed_ = false, promiscuous_ = false;
    MacAddress mac_;
    unsigned rx_queues_ = 0, tx_queues_ = 0;
};

}  // namespace torii
