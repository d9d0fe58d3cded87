#include "test/support/wires.h"

#include <rte_dev.h>
#include <rte_eth_ring.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "app/setkey/setkey.h"
#include "dataplane/eal.h"

namespace torii::test {

namespace {

[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "wires: %s\n", why.c_str());
    std::abort();
}

std::string fresh_name(const char* what) {
    static unsigned count = 0;
    return what + std::to_string(count++);
}

}  // namespace

void start_test_eal(unsigned lcores) {
    if (const auto started = start_eal({.workers = lcores, .cores = {}, .memory_megabytes = 512, .pci_devices = {}});
        !started)
        give_up(started.error().text());
    std::atexit(stop_eal);
}

Wires::Wires(Configuration configuration, bool launch_workers) {
    for (PortConfiguration& port : configuration.ports) {
        if (!port.device.empty() || port.gif) continue;
        Wire wire{.name = fresh_name("wire"), .to_gateway = {}, .from_gateway = {}};
        const unsigned count = port.queues != 0 ? port.queues : queues;
        for (unsigned q = 0; q < count; ++q) {
            wire.to_gateway.push_back(rte_ring_create(fresh_name("in").c_str(), 4096, SOCKET_ID_ANY, 0));
            wire.from_gateway.push_back(rte_ring_create(fresh_name("out").c_str(), 4096, SOCKET_ID_ANY, 0));
        }
        if (rte_eth_from_rings(wire.name.c_str(), wire.to_gateway.data(), count, wire.from_gateway.data(), count,
                               SOCKET_ID_ANY) < 0)
            give_up("no ring port");
        wire.name = "net_ring_" + wire.name;
        port.device = wire.name;
        wires_.push_back(std::move(wire));
    }
    configuration.time_kernels = false;
    auto made = Gateway::make(configuration, {.launch_workers = launch_workers, .ring_losses = {}});
    if (!made) give_up(made.error().text());
    gateway_ = std::move(*made);
    gateway_->start();
    now_ = std::chrono::steady_clock::now();  // what has passed until here is no time of the test's
    exact_pool_ = rte_pktmbuf_pool_create(fresh_name("exact").c_str(), 8192, 0, private_octets, RTE_PKTMBUF_HEADROOM,
                                          SOCKET_ID_ANY);
    if (exact_pool_ == nullptr) give_up("no pool");
}

Wires::~Wires() {
    gateway_->stop();
    for (std::size_t i = 0; i < wires_.size(); ++i) sent_by(i);
    for (const Wire& wire : wires_)
        for (rte_ring* ring : wire.to_gateway)
            for (void* mbuf = nullptr; rte_ring_dequeue(ring, &mbuf) == 0;)
                rte_pktmbuf_free(static_cast<rte_mbuf*>(mbuf));
    gateway_.reset();
    for (const Wire& wire : wires_) {
        rte_eal_hotplug_remove("vdev", wire.name.c_str());
        for (rte_ring* ring : wire.to_gateway) rte_ring_free(ring);
        for (rte_ring* ring : wire.from_gateway) rte_ring_free(ring);
    }
    rte_mempool_free(exact_pool_);
}

rte_mbuf* Wires::in_pool(std::span<const std::byte> frame) {
    rte_mbuf* const mbuf = rte_pktmbuf_alloc(gateway_->pool());
    if (mbuf == nullptr) give_up("out of mbufs");
    char* const at = rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(frame.size()));
    if (at == nullptr) give_up("frame too large for the pool");
    std::ranges::copy(frame, reinterpret_cast<std::byte*>(at));
    return mbuf;
}

rte_mbuf* Wires::in_own_buffer(std::span<const std::byte> frame, std::size_t room) {
    rte_mbuf* const mbuf = rte_pktmbuf_alloc(exact_pool_);
    if (mbuf == nullptr) give_up("out of exact mbufs");
    struct Held {
        rte_mbuf_ext_shared_info info;
        void* octets;
        std::atomic<std::size_t>& count;
    };
    auto* const held = new Held{.info = {}, .octets = nullptr, .count = own_buffers_};
    ++own_buffers_;
    const std::size_t octets = frame.size() + 2 * room;
    held->octets = std::malloc(octets + 1);  // one octet the frame does not use: malloc(0) may be null
    auto* const buffer = static_cast<std::byte*>(held->octets) + 1;
    std::ranges::copy(frame, buffer + room);
    held->info.free_cb = [](void*, void* opaque) {
        auto* const held = static_cast<Held*>(opaque);
        std::free(held->octets);
        --held->count;
        delete held;
    };
    held->info.fcb_opaque = held;
    rte_mbuf_ext_refcnt_set(&held->info, 1);
    rte_pktmbuf_attach_extbuf(mbuf, buffer, 0, static_cast<std::uint16_t>(octets), &held->info);
    mbuf->data_off = static_cast<std::uint16_t>(room);
    mbuf->data_len = static_cast<std::uint16_t>(frame.size());
    mbuf->pkt_len = mbuf->data_len;
    return mbuf;
}

bool Wires::send(std::size_t port, std::span<const std::byte> frame, unsigned queue, Room room) {
    constexpr std::size_t snug_octets = 128;
    rte_mbuf* mbuf = nullptr;
    switch (room) {
        case Room::pool: mbuf = in_pool(frame); break;
        case Room::exact: mbuf = in_own_buffer(frame, 0); break;
        case Room::snug: mbuf = in_own_buffer(frame, snug_octets); break;
        case Room::chained:
            mbuf = in_pool(frame.first(frame.size() / 2));
            rte_pktmbuf_chain(mbuf, in_pool(frame.subspan(frame.size() / 2)));
            break;
    }
    if (rte_ring_enqueue(wires_[port].to_gateway[queue], mbuf) == 0) return true;
    rte_pktmbuf_free(mbuf);
    return false;
}

std::vector<Frame> Wires::sent_by(std::size_t port) {
    std::vector<Frame> out;
    for (rte_ring* ring : wires_[port].from_gateway)
        for (void* taken = nullptr; rte_ring_dequeue(ring, &taken) == 0;) {
            auto* const mbuf = static_cast<rte_mbuf*>(taken);
            const auto* const at = rte_pktmbuf_mtod(mbuf, const std::byte*);
            out.emplace_back(at, at + mbuf->data_len);
            rte_pktmbuf_free(mbuf);
        }
    return out;
}

void Wires::turn(unsigned times) {
    for (unsigned i = 0; i < times; ++i) {
        for (std::size_t w = 0; w < gateway_->workers().size(); ++w) gateway_->worker(w).turn();
        now_ += std::chrono::milliseconds{1};
        gateway_->poll(now_);
    }
}

void Wires::pass(std::chrono::milliseconds time) {
    for (; time > std::chrono::milliseconds{0}; time -= std::chrono::milliseconds{100}) {
        now_ += std::chrono::milliseconds{100};
        turn(2);
    }
}

void Wires::setkey(std::string_view text) {
    auto program = setkey::parse(text, "test");
    if (!program) give_up(program.error().text());
    const auto ran = setkey::run(*gateway_, std::move(*program), {});
    if (!ran) give_up(ran.error().text());
}

std::size_t Wires::buffers_missing() {
    const auto missing = [](rte_mempool* pool) { return static_cast<std::size_t>(rte_mempool_in_use_count(pool)); };
    std::size_t waiting = 0;
    for (const Wire& wire : wires_) {
        for (rte_ring* ring : wire.to_gateway) waiting += rte_ring_count(ring);
        for (rte_ring* ring : wire.from_gateway) waiting += rte_ring_count(ring);
    }
    const std::size_t orphans = own_buffers_ - std::min<std::size_t>(own_buffers_, missing(exact_pool_));
    for (unsigned index = 0; index < gateway_->workers().size(); ++index)
        waiting += gateway_->worker(index).reassembling();
    return missing(gateway_->pool()) + missing(gateway_->large_pool()) + missing(exact_pool_) + orphans - waiting;
}

}  // namespace torii::test
