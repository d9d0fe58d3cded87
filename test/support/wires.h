// A gateway whose ports are rings in memory and whose workers turn when the test says so: frames go in, frames come
// out, and nothing happens by itself. One EAL per process (start_test_eal). Frames that go in may live in buffers of
// exactly their size, in which the address sanitizer sees every octet read beyond the end.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "gateway/gateway.h"

namespace torii::test {

using Frame = std::vector<std::byte>;

/// EAL without hugepages and PCI. Once per process; ended at exit.
void start_test_eal(unsigned lcores = 4);

/// Room around a frame that goes in. `exact`: none at all, in a buffer of its own; `snug`: in a buffer of its own with
/// 128 octets before and behind; `chained`: cut into two mbufs; else as a mempool's mbuf has it.
enum class Room { pool, exact, snug, chained };

class Wires {
public:
    static constexpr unsigned queues = 4;  // at most, each way, on a wire whose port does not say how many

    /// Ports of `configuration` whose device is empty become wires. Ends the test with the error when make() fails.
    explicit Wires(Configuration configuration, bool launch_workers = false);
    ~Wires();
    Wires(const Wires&) = delete;
    Wires& operator=(const Wires&) = delete;

    /// A frame arrives on port number `port`. False when the wire's ring is full.
    bool send(std::size_t port, std::span<const std::byte> frame, unsigned queue = 0, Room room = Room::pool);
    /// Everything that has left by `port`, in order of leaving.
    std::vector<Frame> sent_by(std::size_t port);
    /// Every worker's and the control core's turn, `times` over; the clock advances by a millisecond each.
    void turn(unsigned times = 4);
    /// Lets time pass for ARP and the like.
    void pass(std::chrono::milliseconds time);
    Gateway& gateway() { return *gateway_; }
    /// The wire's rings themselves, for the bench, which moves mbufs of gateway().pool() and counts cycles.
    rte_ring& ring_into(std::size_t port, unsigned queue = 0) { return *wires_[port].to_gateway[queue]; }
    rte_ring& ring_out_of(std::size_t port, unsigned queue = 0) { return *wires_[port].from_gateway[queue]; }
    std::uint64_t drops(Drop reason) const { return gateway_->drop_count_of(reason); }
    /// Applies a setkey text; an error fails loudly.
    void setkey(std::string_view text);
    /// Mbufs neither free nor on a wire, and buffers of frames' own that outlived their mbufs: 0 when nobody lost one.
    std::size_t buffers_missing();

private:
    struct Wire {
        std::string name;
        std::vector<rte_ring*> to_gateway, from_gateway;
    };
    rte_mbuf* in_pool(std::span<const std::byte> frame);
    rte_mbuf* in_own_buffer(std::span<const std::byte> frame, std::size_t room);

    std::vector<Wire> wires_;
    std::unique_ptr<Gateway> gateway_;
    SteadyTime now_ = std::chrono::steady_clock::now();
    rte_mempool* exact_pool_ = nullptr;
    std::atomic<std::size_t> own_buffers_{0};
};

}  // namespace torii::test
