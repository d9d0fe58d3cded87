// What `torii show` and setkey's dumps are told: reads of the database and of the workers' counters.
#include <rte_version.h>

#include <algorithm>
#include <thread>

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include "dataplane/eal.h"
#include "gateway/gateway.h"

namespace torii {

namespace {

std::string_view name_of(PortRole role) {
    switch (role) {
        case PortRole::protected_port: return "protected";
        case PortRole::unprotected_port: return "unprotected";
        case PortRole::host_port: return "host";
    }
    return "unknown";
}

}  // namespace

control::SaView Gateway::view(const SaEntry& entry) const {
    control::SaView view{.spec = entry.spec,
                         .state = entry.state,
                         .inbound = entry.inbound != nullptr,
                         .created_unix_seconds = entry.created.unix_seconds,
                         .last_used_unix_seconds = entry.last_used_unix_seconds,
                         .worker = entry.worker};
    if (const InboundSa* const sa = entry.inbound) {
        view.octets = sa->octets.read();
        view.packets = sa->packets.read();
        view.icv_failures = sa->icv_failures.read();
        view.replays = sa->replays.read();
        view.sequence = sa->replay.highest();
    } else if (const OutboundSa* const out = entry.outbound) {
        view.octets = out->octets.read();
        view.packets = view.sequence = out->next_sequence.read() - 1;
        view.mtu = out->mtu.load(std::memory_order_relaxed);
        view.path_mtu = entry.path_mtu;
    }
    return view;
}

void Gateway::each_sa(const std::function<bool(const control::SaView&)>& visit) const {
    for (const auto& [serial, sa] : database_->sas())
        if (!visit(view(*sa))) return;
}

Result<void> Gateway::with_sa(const control::SaId& id, const std::function<void(const control::SaView&)>& visit) const {
    const SaPtr sa = database_->find(id);
    if (!sa)
        return fail(Errc::not_found,
                    "no SA from " + id.source.text() + " to " + id.destination.text() + " has this SPI");
    visit(view(*sa));
    return {};
}

void Gateway::each_policy(const std::function<bool(const control::PolicyView&)>& visit) const {
    for (const Direction direction : {Direction::inbound, Direction::outbound})
        for (const PolicyPtr& policy : database_->spd().in_order(direction))
            if (!visit({.policy = *policy, .last_used_unix_seconds = last_use_of(*policy)})) return;
}

/// By the wall clock; 0: no packet has met it.
std::int64_t Gateway::last_use_of(const Policy& policy) const {
    const std::int64_t second = policy.last_use->second();
    if (second == 0) return 0;
    return unix_now() - std::chrono::duration_cast<std::chrono::seconds>(now_.time_since_epoch()).count() + second;
}

control::PortStatus Gateway::device_status(std::size_t i) const {
    const PortConfiguration& wish = configuration_.ports[i];
    const Port& port = *ports_[i];
    const rte_eth_stats device = port.stats();
    control::PortStatus status{.name = wish.name,
                               .device = wish.device,
                               .driver = port.driver(),
                               .mac = our_macs_[port.id()].text(),
                               .mtu = wish.mtu,
                               .link_up = port.link_up(),
                               .rx_queues = port.rx_queues(),
                               .tx_queues = port.tx_queues(),
                               .rx_missed = device.imissed,
                               .rx_errors = device.ierrors,
                               .rx_no_mbuf = device.rx_nombuf};
    if (options_.ring_losses) status.ring_lost = options_.ring_losses(wish);
    return status;
}

std::vector<control::PortStatus> Gateway::ports() const {
    std::vector<control::PortStatus> out;
    for (std::size_t i = 0; i < configuration_.ports.size(); ++i) {
        const PortConfiguration& wish = configuration_.ports[i];
        control::PortStatus status = wish.gif ? gif_status(i) : device_status(i);
        status.role = name_of(wish.role);
        for (const InterfaceAddress& a : wish.addresses)
            status.addresses.push_back(a.address.text() + "/" + std::to_string(a.prefix_length));
        for (const auto& worker : workers_) {
            const PortCounters& counted = worker->counters().ports[port_number(i)];
            status.rx_packets += counted.rx_packets.read();
            status.rx_octets += counted.rx_octets.read();
            status.tx_packets += counted.tx_packets.read();
            status.tx_octets += counted.tx_octets.read();
            status.tx_full += counted.tx_full.read();
        }
        out.push_back(std::move(status));
    }
    return out;
}

std::vector<control::RouteStatus> Gateway::routes() const {
    std::vector<control::RouteStatus> out;
    for (const Route& route : routes_->all())
        out.push_back({.prefix = route.destination.text(),
                       .via = route.via ? route.via->text() : "",
                       .port = port_name(route.port),
                       .origin = route.via ? "static" : "connected"});
    return out;
}

std::vector<control::NeighbourStatus> Gateway::neighbours() const {
    std::vector<control::NeighbourStatus> out;
    for (const auto& n : neighbours_->all(now_)) {
        const bool own_stack = host_hop_ != HopIndex::none && n.address.is_unspecified();
        if (own_stack || is_gif(n.port)) continue;  // no neighbours of anybody's
        out.push_back({.address = n.address.text(),
                       .mac = n.mac ? n.mac->text() : "",
                       .port = port_name(n.port),
                       .state = std::string{torii::name_of(n.state)},
                       .age_seconds = n.state == NeighbourState::fixed ? 0 : static_cast<std::uint64_t>(n.age.count()),
                       .waiting = static_cast<unsigned>(n.waiting)});
    }
    return out;
}

std::uint64_t Gateway::drop_count_of(Drop reason) const {
    const auto index = static_cast<std::size_t>(reason);
    std::uint64_t total = control_counters_.drops[index].read();
    for (const auto& worker : workers_) total += worker->counters().drops[index].read();
    if (reason == Drop::no_buffer)  // drivers find the pool empty before a worker has a frame to drop
        for (const auto& port : ports_) total += port->stats().rx_nombuf;
    return total;
}

std::vector<control::DropStatus> Gateway::drops() const {
    std::vector<control::DropStatus> out;
    for (std::size_t i = 1; i < drop_count; ++i) {
        control::DropStatus status{.reason = std::string{drop_table[i].name},
                                   .advice = std::string{drop_table[i].advice},
                                   .total = drop_count_of(static_cast<Drop>(i))};
        for (const auto& worker : workers_) status.by_worker.push_back(worker->counters().drops[i].read());
        status.untold = untold_[i].read();
        out.push_back(std::move(status));
    }
    return out;
}

std::vector<control::WorkerStatus> Gateway::workers() const {
    std::vector<control::WorkerStatus> out;
    for (const auto& worker : workers_) {
        const WorkerCounters& c = worker->counters();
        const unsigned lcore = worker->index() + 1;
        control::WorkerStatus status{.index = worker->index(),
                                     .lcore = lcore,
                                     .core = static_cast<unsigned>(rte_lcore_to_cpu_id(static_cast<int>(lcore))),
                                     .polling = configuration_.polling == Polling::busy ? "busy" : "adaptive",
                                     .bursts = c.bursts.read(),
                                     .packets = c.packets.read(),
                                     .empty_polls = c.empty_polls.read(),
                                     .sleeps = c.sleeps.read(),
                                     .handed_over = c.handed_over.read(),
                                     .taken_over = c.taken_over.read(),
                                     .flow_hits = c.flow_hits.read(),
                                     .flow_misses = c.flow_misses.read()};
        for (const auto& [serial, sa] : database_->sas()) {
            if (sa->worker != worker->index()) continue;
            status.inbound_sas += sa->inbound != nullptr;
            status.outbound_sas += sa->outbound != nullptr;
        }
        out.push_back(std::move(status));
    }
    return out;
}

std::vector<control::CryptoStatus> Gateway::crypto() const {
    std::vector<control::CryptoStatus> out;
    for (KernelChoice& choice : crypto_->choices())
        out.push_back({.suite = std::move(choice.suite),
                       .kernel = std::move(choice.kernel),
                       .note = std::move(choice.note),
                       .proven = choice.proven,
                       .chosen = choice.chosen,
                       .cycles_64 = choice.cycles_64,
                       .cycles_1420 = choice.cycles_1420});
    return out;
}

control::VersionStatus Gateway::version() const {
    const auto up = std::chrono::duration_cast<std::chrono::seconds>(now_ - started_).count();
    return {.torii = TORII_VERSION,
            .dpdk = rte_version(),
            .ipsec_mb = imb_get_version_str(),
            .openssl = OpenSSL_version(OPENSSL_VERSION),
            .gateway_name = configuration_.name,
            .uptime_seconds = running_ && up > 0 ? static_cast<std::uint64_t>(up) : 0,
            .hugepages = uses_hugepages()};
}

std::vector<std::string> Gateway::exemptions() const {
    return {
        "ARP is answered and sent without regard to any policy.",
        "Neighbour discovery (ICMPv6 types 133 to 137 with hop limit 255) to our own addresses and to groups is taken "
        "in clear, and sent, without regard to any policy.",
        "IKE (UDP ports 500 and 4500) to our own addresses is taken in clear before the SPD is searched, and our own "
        "is "
        "sent so."};
}

}  // namespace torii
