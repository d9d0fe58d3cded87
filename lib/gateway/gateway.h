// The gateway: implements the control seam over the database, the publisher and the workers, and is the control core's
// half of the packet path (ARP, ICMP, packets that wait). One per process at a time, on the main lcore's thread; EAL
// runs already (start_eal). The caller polls it from its event loop.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "control/control_plane.h"
#include "dataplane/packet_pool.h"
#include "dataplane/port.h"
#include "dataplane/worker.h"
#include "forward/icmp.h"
#include "forward/neighbours.h"
#include "gateway/acquire_limit.h"
#include "gateway/configuration.h"
#include "gateway/database.h"
#include "gateway/held_packets.h"
#include "gateway/publisher.h"

namespace torii {

class Gateway final : public control::ControlPlane, public NeighbourActions {
public:
    struct Options {
        /// False: no lcore is launched; a test or the bench drives worker(i).turn() from its own thread.
        bool launch_workers = true;
        /// Frames that a port's device lost in rings of its own before DPDK saw them, where the system can tell.
        std::function<std::uint64_t(const PortConfiguration&)> ring_losses;
    };
    /// Opens ports, builds tables and workers; nothing moves before start(). Errors name the port or setting.
    static Result<std::unique_ptr<Gateway>> make(const Configuration& configuration, const Options& options);
    /// Stops the workers, frees what they held, closes the ports.
    ~Gateway() override;

    /// Lets packets flow.
    void start();
    /// Lets no packet flow any more; each worker ends its turn first.
    void stop();
    /// The control core's turn: punted packets, notices, ARP timers, lifetimes, the retire list. Returns whether there
    /// was anything to do. Never blocks.
    bool poll(SteadyTime now);

    // ---- the control seam
    Result<std::vector<control::Outcome>> apply(std::vector<control::Located> transaction) override;
    std::shared_ptr<void> hold() override;
    void expect(Spi spi) override;
    void each_sa(const std::function<bool(const control::SaView&)>& visit) const override;
    Result<void> with_sa(const control::SaId& id,
                         const std::function<void(const control::SaView&)>& visit) const override;
    void each_policy(const std::function<bool(const control::PolicyView&)>& visit) const override;
    std::shared_ptr<void> listen(Listener listener) override;
    std::vector<control::SettingStatus> settings() const override;
    Result<void> set(std::string_view name, std::string_view value) override;
    std::vector<control::PortStatus> ports() const override;
    std::vector<control::RouteStatus> routes() const override;
    std::vector<control::NeighbourStatus> neighbours() const override;
    std::vector<control::DropStatus> drops() const override;
    std::vector<control::FilterStatus> filter() const override;
    std::vector<control::StatStatus> stats() const override;
    std::vector<control::WorkerStatus> workers() const override;
    std::vector<control::CryptoStatus> crypto() const override;
    control::VersionStatus version() const override;
    std::vector<std::string> exemptions() const override;
    Result<std::shared_ptr<void>> capture(control::CaptureHooks hooks, control::CaptureListener listener) override;
    Result<std::shared_ptr<void>> receive_ike(control::IkeReceiver receiver) override;
    Result<void> send_ike(const control::IkeDatagram& datagram) override;
    Result<control::Explanation> explain(const control::Question& question) const override;

    // ---- for tests and the bench
    Worker& worker(std::size_t index) { return *workers_[index]; }
    rte_mempool* pool() const { return pool_->get(); }
    rte_mempool* large_pool() const { return large_pool_->get(); }
    RetireList& retired() { return *retired_; }
    const Database& database() const { return *database_; }
    std::uint64_t drop_count_of(Drop reason) const;
    std::size_t waiting_for_sas() const { return held_.size(); }  // packets

private:
    struct QuiescenceRelease {
        void operator()(rte_rcu_qsbr* state) const { free(state); }
    };

    struct Walk;  // of a packet that explain() makes up

    explicit Gateway(const Configuration& configuration, const Options& options);
    Result<void> open_ports();
    void take_link_local_addresses();
    Result<void> make_rings();
    void show_time(SteadyTime now);  // to workers
    void make_workers();
    Result<void> make_interfaces();
    Result<void> make_routes();
    Result<void> make_filter();
    Surroundings surroundings();
    std::vector<Route> route_list() const;
    static std::int64_t unix_now();
    /// The configured ports have devices first, as `ports_` has them, and the gifs behind.
    std::span<const PortConfiguration> devices() const;
    std::uint16_t port_number(std::size_t i) const;  // of configured port `i`
    std::optional<std::uint16_t> port_named(std::string_view name) const;
    const PortConfiguration* port_numbered(std::uint16_t number) const;
    std::string port_name(std::uint16_t number) const;
    std::uint16_t mtu_of(std::uint16_t port) const;
    HopIndex hop_toward(const RouteAnswer& answer, bool pinned);

    // gif ports (gifs.cc)
    Result<Gifs> make_gifs(std::vector<Arrival>& port_arrival);
    void publish_gif_hop(std::uint16_t port, unsigned mtu);
    void learn_gif_mtu(const Packet& envelope);
    void forget_gif_mtus();
    control::PortStatus gif_status(std::size_t i) const;
    control::PortStatus device_status(std::size_t i) const;
    std::pair<std::uint64_t, std::uint64_t> filter_count(control::Hook hook, std::uint16_t place) const;
    void remember_filter_counts();
    void follow(const control::Question& question, Arrival arrival, unsigned gifs, control::Explanation& out) const;
    void follow_envelope(const Gif& gif, Family inside, Tag tag, unsigned gifs, control::Explanation& out) const;
    Result<Arrival> origin_of(const control::Question& question, control::Explanation& out) const;

    // the control core's half of the packet path (punts.cc)
    bool serve_punts(SteadyTime now);
    bool room_for_answers() const;
    void serve(rte_mbuf* mbuf, SteadyTime now);
    void serve_arp(rte_mbuf* mbuf, SteadyTime now);
    void serve_discovery(rte_mbuf* mbuf, SteadyTime now);
    void serve_local(rte_mbuf* mbuf);
    void await_neighbour(rte_mbuf* mbuf, SteadyTime now);
    void await_sa(rte_mbuf* mbuf, SteadyTime now);
    void take_effect(const Journal& journal);
    void send_what_waited(const Journal& journal);
    void drop_what_waited(SteadyTime now);
    void await_inbound_sa(rte_mbuf* mbuf, SteadyTime now);
    void open_what_was_early(const Journal& journal);
    void report(rte_mbuf* mbuf, const IcmpError& error, Drop reason);
    std::vector<std::byte> error_about(const Packet& offender, const IcmpError& error);
    bool is_made_by_us(const Packet& p) const;
    std::optional<Address> error_source(const Packet& offender) const;
    void inject(rte_mbuf* mbuf);
    rte_mbuf* allocate();
    void forget(rte_mbuf* mbuf, Drop reason);
    void send_frame(std::uint16_t port, const MacAddress& to, EtherType type, std::span<const std::byte> payload);
    // path MTU (path_mtu.cc)
    Drop learn_path(const Packet& error);
    std::vector<SaPtr> senders_of(const Packet& quoted) const;
    void narrow(SaEntry& sa, unsigned mtu);
    // NeighbourActions
    void send_arp(std::uint16_t port, const MacAddress& to, const ArpIpv4& arp) override;
    void send_discovery(std::uint16_t port, const MacAddress& to, const NeighbourMessage& message) override;
    void publish_hop(HopIndex hop, std::unique_ptr<const NextHop> next) override;
    void retire_hop(HopIndex hop) override;
    void release(rte_mbuf* mbuf) override;
    void discard(rte_mbuf* mbuf, Drop reason) override;

    // dummy packets (dummies.cc)
    struct DummyStream {
        SaPtr sa;
        std::uint64_t credit = 0;  // thousandths of a packet that are due
    };
    void remember_dummies(const Journal& journal);
    void send_dummies(SteadyTime now);
    void send_dummy(const SaEntry& sa);

    // NAT keepalives (keepalives.cc)
    struct QuietSa {
        SaPtr sa;
        std::uint64_t sequence = 0;  // what it was about to send when last looked at
        unsigned quiet_looks = 0;    // in a row
    };
    void remember_keepalives(const Journal& journal);
    void send_keepalives();
    void send_keepalive(const SaEntry& sa);

    // IKE's messages (ike_datagrams.cc)
    void serve_ike(rte_mbuf* mbuf);
    Result<HopIndex> way_to_peer(const control::IkeDatagram& datagram);

    // captures (capture.cc)
    bool serve_capture();
    void end_capture();

    // events and lifetimes (events.cc)
    bool serve_notices();
    void tell(control::Event event);
    void tell_acquire(control::Event event);
    void tell(const Journal& journal);
    bool is_news(const control::Event& event, const SaPtr& sa);
    static bool grow_old(SaEntry& sa);
    void end(std::span<const SaPtr> sas);
    void end(std::span<const PolicyPtr> policies);
    void end(std::vector<control::Located> transaction);
    void check_lifetimes();
    void forget_old_path(SaEntry& sa);
    void check_policies();
    void check_notices();
    std::int64_t last_use_of(const Policy& policy) const;
    control::SaView view(const SaEntry& entry) const;

    Configuration configuration_;
    Options options_;
    control::Settings live_;  // the configuration's, and what was changed since
    std::unique_ptr<CryptoBook> crypto_;
    std::unique_ptr<PacketPool> pool_, large_pool_;
    std::vector<std::unique_ptr<Port>> ports_;
    std::vector<MacAddress> our_macs_;  // by DPDK port id
    std::unique_ptr<rte_rcu_qsbr, QuiescenceRelease> quiescence_;
    std::vector<RingPtr> rings_;
    std::vector<WorkerRings> worker_rings_;
    std::unique_ptr<Publisher> publisher_;
    std::unique_ptr<RetireList> retired_;
    /// Hops, which packets on their way to and from the control core carry as well; of all else that is retired those
    /// carry a dummy packet's SA alone. Four hand-overs to SAs, one to a queue, here, back and once more to a queue:
    /// less than it waits for.
    std::unique_ptr<RetireList> retired_hops_;
    std::unique_ptr<Database> database_;
    std::unique_ptr<Neighbours> neighbours_;
    std::shared_ptr<const Routes> routes_;
    std::vector<std::unique_ptr<Worker>> workers_;
    WorkerCounters control_counters_;           // drops on the control core
    std::array<Counter, drop_count> untold_{};  // of the drops that senders are told of: those where they were not

    Journal unpublished_;  // while somebody holds
    unsigned holds_ = 0;
    bool running_ = false, hops_changed_ = false;
    HopIndex host_hop_{};
    std::vector<HopIndex> gif_hops_;                       // by port number - max_ports
    std::map<std::uint16_t, SteadyTime> gif_mtus_learnt_;  // when, by port number
    SteadyTime started_{}, next_tick_{}, next_look_{};
    SteadyTime now_{};
    IcmpRate icmp_rate_;
    std::vector<std::pair<PolicyPtr, SteadyTime>> mortal_policies_;  // each with its creation
    std::vector<DummyStream> dummy_streams_;
    SteadyTime dummies_since_{};
    std::vector<QuietSa> quiet_sas_;  // those in UDP, quiet or not
    std::size_t next_quiet_ = 0;
    double keepalives_due_ = 0;
    AcquireLimit acquires_;
    HeldPackets<PolicyId> held_;  // for want of an SA to leave by
    HeldPackets<Spi> early_;      // of one that they came by
    std::vector<std::weak_ptr<Listener>> listeners_;
    /// What stood at a rule's place of the workers' counts when it came there, by its id: packets, octets.
    std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> filter_counts_before_;
    std::uint64_t notices_lost_told_ = 0;
    control::IkeReceiver ike_receiver_;
    std::uint16_t ike_identification_;  // of the IP packets that carry its messages
    const Capture* capture_ = nullptr;  // that of `tables` while capturing
    bool capturing_ = false;
    control::CaptureListener capture_listener_;
    std::pair<std::uint64_t, std::uint64_t> capture_began_{};  // in cycles and in nanoseconds since 1970
};

}  // namespace torii
