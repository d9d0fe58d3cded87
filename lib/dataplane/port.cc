#include "dataplane/port.h"

#include <rte_dev.h>
#include <rte_errno.h>

#include <algorithm>

namespace torii {

namespace {

/// DPDK's error as text. Drivers say -1 for anything they have printed a message about; it seldom is EPERM.
std::string reason(int code) {
    return code == -1 ? "its driver refuses, see DPDK's message above" : rte_strerror(code < 0 ? -code : code);
}

std::unexpected<Error> refused(const Port::Wish& wish, const std::string& what, int code) {
    return fail(Errc::io, "port " + wish.name + " (" + wish.device + "): " + what + ": " + reason(code));
}

std::unexpected<Error> not_probed(const Port::Wish& wish, int code) {
    if (code != -EFAULT) return refused(wish, "the device cannot be probed", code);
    return fail(Errc::bad_value, "port " + wish.name + " (" + wish.device +
                                     "): DPDK knows no such device: write a PCI address (0000:03:00.0), or a driver's "
                                     "name and a number, with arguments behind a comma (net_af_packet0,iface=eth0)");
}

constexpr std::uint16_t descriptors = 1024;

}  // namespace

Result<std::unique_ptr<Port>> Port::open(const Wish& wish, rte_mempool* pool) {
    std::unique_ptr<Port> port{new Port};
    port->wish_ = wish;
    const std::string device_name = wish.device.substr(0, wish.device.find(','));
    if (rte_eth_dev_get_port_by_name(device_name.c_str(), &port->id_) != 0) {
        if (const int code = rte_dev_probe(wish.device.c_str()); code != 0) return not_probed(wish, code);
        port->probed_ = true;
        if (const int code = rte_eth_dev_get_port_by_name(device_name.c_str(), &port->id_); code != 0)
            return refused(wish, "the device is no network port", code);
    }
    TORII_CHECK(port->start(pool));
    return port;
}

Result<void> Port::start(rte_mempool* pool) {
    rte_eth_dev_info device;
    if (const int code = rte_eth_dev_info_get(id_, &device); code != 0) return refused(wish_, "no information", code);
    rx_queues_ = std::clamp<unsigned>(wish_.queues, 1, device.max_rx_queues);
    tx_queues_ = std::clamp<unsigned>(wish_.queues, 1, device.max_tx_queues);

    rte_eth_conf conf{};
    conf.rxmode.mtu = wish_.mtu;
    conf.rxmode.offloads = device.rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
    conf.txmode.offloads = device.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
    if (rx_queues_ > 1 && device.flow_type_rss_offloads != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf =
            device.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_ESP);
    }
    int code = rte_eth_dev_configure(id_, static_cast<std::uint16_t>(rx_queues_),
                                     static_cast<std::uint16_t>(tx_queues_), &conf);
    if (code != 0)
        return refused(
            wish_,
            "cannot be configured with " + std::to_string(rx_queues_) + " queues and MTU " + std::to_string(wish_.mtu),
            code);
    std::uint16_t rx = descriptors, tx = descriptors;
    rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx, &tx);
    for (unsigned q = 0; q < rx_queues_; ++q) {
        rte_eth_rxconf queue = device.default_rxconf;
        queue.offloads = conf.rxmode.offloads;
        code = rte_eth_rx_queue_setup(id_, static_cast<std::uint16_t>(q), rx,
                                      static_cast<unsigned>(rte_eth_dev_socket_id(id_)), &queue, pool);
        if (code != 0) return refused(wish_, "receive queue " + std::to_string(q), code);
    }
    for (unsigned q = 0; q < tx_queues_; ++q) {
        rte_eth_txconf queue = device.default_txconf;
        queue.offloads = conf.txmode.offloads;
        code = rte_eth_tx_queue_setup(id_, static_cast<std::uint16_t>(q), tx,
                                      static_cast<unsigned>(rte_eth_dev_socket_id(id_)), &queue);
        if (code != 0) return refused(wish_, "transmit queue " + std::to_string(q), code);
    }
    rte_eth_dev_set_mtu(id_, static_cast<std::uint16_t>(wish_.mtu));  // virtual devices may know no MTU of their own
    if (code = rte_eth_dev_start(id_); code != 0) return refused(wish_, "does not start", code);
    // Some drivers cannot tell groups from strangers: then all comes in, and not_our_mac is what becomes of it.
    if (wish_.hears_groups && rte_eth_allmulticast_enable(id_) != 0)
        promiscuous_ = rte_eth_promiscuous_enable(id_) == 0;
    rte_ether_addr mac{};
    rte_eth_macaddr_get(id_, &mac);
    std::copy_n(mac.addr_bytes, 6, mac_.octets.begin());
    return {};
}

Port::~Port() {
    if (id_ == RTE_MAX_ETHPORTS) return;
    if (promiscuous_) rte_eth_promiscuous_disable(id_);  // a kernel interface stays when we are gone
    rte_eth_dev_stop(id_);
    rte_eth_dev_info device;
    const bool known = rte_eth_dev_info_get(id_, &device) == 0;
    rte_eth_dev_close(id_);
    if (probed_ && known) rte_dev_remove(device.device);
}

std::string Port::driver() const {
    rte_eth_dev_info device;
    return rte_eth_dev_info_get(id_, &device) == 0 && device.driver_name ? device.driver_name : "unknown";
}

bool Port::link_up() const {
    rte_eth_link link{};
    return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

rte_eth_stats Port::stats() const {
    rte_eth_stats stats{};
    rte_eth_stats_get(id_, &stats);
    return stats;
}

}  // namespace torii
