// A worker: one lcore that polls its queues and carries each burst through the pipeline. The pipeline's wiring is one
// page, Worker::carry() in worker.cc. Everything here runs on the worker's lcore but for what is marked (control).
#pragma once

#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "ah/ah.h"
#include "crypto/engine.h"
#include "dataplane/capture_stage.h"
#include "dataplane/filter_stage.h"
#include "dataplane/fragment_ports.h"
#include "dataplane/port.h"
#include "dataplane/tables.h"
#include "dataplane/verdict.h"
#include "esp/esp.h"
#include "ip/fragments.h"
#include "ipcomp/ipcomp.h"
#include "observe/counters.h"
#include "observe/notices.h"
#include "policy/flow_cache.h"

namespace torii {

/// How a worker waits when there is nothing to do: busy spins; adaptive pauses, then sleeps 50 us growing
/// to `longest_nap_microseconds`, offline to RCU while it sleeps.
struct PollingStyle {
    bool adaptive = true;
    unsigned longest_nap_microseconds = 300;
};

struct WorkerQueue {
    std::uint16_t port = 0, queue = 0;
};

struct RingRelease {
    void operator()(rte_ring* ring) const { rte_ring_free(ring); }
};
using RingPtr = std::unique_ptr<rte_ring, RingRelease>;

/// Rings between a worker and others: mbufs whose private area holds the Packet.
struct WorkerRings {
    std::vector<rte_ring*> to_worker;  // by index; null for itself
    std::vector<rte_ring*> from_worker;
    std::array<rte_ring*, punt_ways> to_control{};  // punted packets, by PuntWay
    rte_ring* from_control = nullptr;               // replies and packets that waited
};

struct WorkerSetup {
    unsigned index = 0;
    std::vector<WorkerQueue> rx;
    std::vector<unsigned> tx_queues;    // by DPDK port id: how many transmit queues it has; 0: not a port of ours
    std::vector<MacAddress> port_macs;  // by DPDK port id
    rte_mempool* pool = nullptr;        // for the fragments of what is cut
    rte_mempool* large_pool = nullptr;  // for what is put together (large_room)
    WorkerRings rings;
    rte_rcu_qsbr* quiescence = nullptr;
    unsigned burst = 64;
    PollingStyle polling;
    std::size_t flow_entries = 65536;  // 4 MiB; with four places a flow, room for some 40,000 without crowding
    std::uint64_t seed = 0;
};

class Worker {
public:
    Worker(WorkerSetup setup, const Tables& tables, std::unique_ptr<CryptoEngine> crypto);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// The lcore's life: turns until stop() is called; the last one ends before this returns, and what the rings still
    /// hold is the gateway's to free. Registers with RCU itself.
    void run();
    /// One turn: all receive queues, hand-over rings and the control core's ring once. Returns packets moved.
    /// For tests and the bench, which drive a worker from their own thread.
    std::size_t turn();
    /// (control) Asks run() to return.
    void stop() { stopping_.store(true, std::memory_order_relaxed); }

    const WorkerCounters& counters() const { return counters_; }          // (control)
    const FilterCounts& filter_counts() const { return filter_counts_; }  // (control)
    Notices& notices() { return notices_; }                               // (control) takes
    unsigned index() const { return setup_.index; }
    unsigned reassembling() const { return reassembler_.waiting(); }  // (control) packets that wait for fragments
    /// Registers with RCU; run() does it by itself.
    void register_thread();
    void unregister_thread();

private:
    using Flows = FlowCache<Verdict>;

    // the pipeline, in order
    void carry();
    void parse();
    void sort();
    void open_all();
    void open();
    void classify();
    void protect();
    void emit();
    void finish();

    // helpers of the stages
    void date_flows();
    void receive(rte_mbuf** mbufs, std::size_t count, std::uint16_t port, Arrival arrival);
    void take_over(rte_ring* ring);
    void look_for_capture();
    void take_ipv6(Packet& packet, std::size_t octets, bool ours);
    void pass_parsed(Packet& packet);
    void route_arrived(Packet& packet);
    bool may_go_on(Packet& packet);
    void take_from_udp(Packet& packet);
    bool is_whole(Packet& packet);
    bool asks_filter(control::Hook hook) const { return filter_ != nullptr && filter_->active(hook); }
    TaggingPlace tagging_place() { return {fragment_ports_, second_}; }
    bool may_go_without_sa(Packet& packet);
    bool is_bare_tunnel(const Packet& packet) const;
    void leave_bare_tunnel(Packet& packet);
    void act(Packet& packet, const Verdict& verdict);
    void leave(Packet& packet, const NextHop& gif);
    void enter(Packet& packet, const NextHop& gif);
    void ask_for_sa(const Packet& packet, CellIndex cell);
    bool fits(Packet& packet);
    bool may_be_too_large(Packet& packet, unsigned octets);
    void hand_over(Packet& packet, unsigned worker, Resume resume);
    void punt(Packet& packet, Punt why);
    void send_in_pieces(Packet& packet, const NextHop& hop, unsigned mtu);
    void queue_frame(rte_mbuf* mbuf, std::uint16_t port);
    Verdict verdict_by_ports(const Packet& fragment);
    void look_after_fragments();
    void tell_of_timeout(Packet& first_fragment);
    void flush(std::uint16_t port);
    void nap();

    WorkerSetup setup_;
    const Tables& tables_;
    const Rules* rules_ = nullptr;  // of this turn
    const SpiIndex* sad_ = nullptr;
    std::uint32_t second_ = 0;                                             // of this turn
    std::uint32_t flow_date_ = 0, flow_generation_ = 0, flows_since_ = 0;  // of the flows that count now
    CaptureRing* capture_ = nullptr;                                       // null: no capture is on
    bool captures_wire_ = false, captures_clear_ = false;
    bool looks_at_arrived_ = false;   // somebody wants to see what arrives before it is sorted
    const Filter* filter_ = nullptr;  // null: nothing to ask
    std::unique_ptr<CryptoEngine> crypto_;
    WorkerCounters counters_;
    FilterCounts filter_counts_;
    Notices notices_;
    Flows flows_;
    CryptoJobs jobs_;
    AhScratch ah_scratch_;
    Deflate deflate_;
    Reassembler reassembler_;
    FragmentPorts fragment_ports_;
    std::uint32_t next_identification_;  // of IPv6 packets cut here; each worker starts elsewhere, nobody knows where
    // classify()'s scratch; verdicts are copies, because a later packet's flow may take an entry's place
    std::array<FlowKey, Batch::capacity> keys_;
    std::array<Verdict, Batch::capacity> verdicts_;

    std::array<Packet, Batch::capacity> burst_;
    std::size_t burst_size_ = 0;
    BurstRecords records_{burst_.data()};
    Batch arrived_, parsed_, encrypted_, clear_, protect_, leaving_;

    struct Outgoing {
        std::array<rte_mbuf*, Batch::capacity> frames;
        std::size_t size = 0;
    };
    std::vector<Outgoing> outgoing_;  // by DPDK port id
    std::vector<std::uint16_t> ports_;
    unsigned idle_turns_ = 0;
    std::atomic<bool> stopping_{false};
};

}  // namespace torii
