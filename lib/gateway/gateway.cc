#include "gateway/gateway.h"

#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_malloc.h>
#include <sys/random.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "gateway/devargs.h"

namespace torii {

namespace {

/// Of the packet pool: what may wait for ARP answers that never come.
constexpr unsigned share_held = 8;
constexpr unsigned large_buffers = 64;  // a worker: packets that wait for fragments; as many once more on their way
constexpr unsigned hand_over_slots = 1024, inject_slots = 1024;
constexpr std::array<unsigned, punt_ways> punt_slots = {128, 512, 512, 512, 512};  // by PuntWay

std::uint64_t random_seed() {
    std::uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = static_cast<std::uint64_t>(rte_rdtsc());
    return seed;
}

Arrival arrival_of(PortRole role) {
    switch (role) {
        case PortRole::protected_port: return Arrival::inside;
        case PortRole::host_port: return Arrival::host;
        case PortRole::unprotected_port: return Arrival::outside;
    }
    return Arrival::outside;
}

bool speaks_ipv6(const PortConfiguration& port) {
    return std::ranges::any_of(port.addresses, [](const InterfaceAddress& a) { return !a.address.is_v4(); });
}

/// What the host port's own stack takes us for: any address but the tap's own.
MacAddress gateway_side_of_host_port(MacAddress tap) {
    tap.octets[0] |= 2;  // locally administered
    tap.octets[5] ^= 1;
    return tap;
}

static_assert(most_neighbours == Neighbours::most);

std::unexpected<Error> too_many_neighbours() {
    return fail(Errc::no_room,
                "the gateway knows " + std::to_string(most_neighbours) + " neighbours and next hops at most");
}

/// Names of pools and rings are the process's; a gateway made after another needs its own.
std::string unique_name(const std::string& what) {
    static unsigned count = 0;
    return "torii_" + what + "_" + std::to_string(count++);
}

}  // namespace

Gateway::Gateway(const Configuration& configuration, const Options& options)
    : configuration_(configuration),
      options_(options),
      live_(configuration),
      now_(std::chrono::steady_clock::now()),
      ike_identification_(static_cast<std::uint16_t>(random_seed())) {
    std::ranges::stable_partition(configuration_.ports, [](const PortConfiguration& port) { return !port.gif; });
}

Result<std::unique_ptr<Gateway>> Gateway::make(const Configuration& configuration, const Options& options) {
    std::unique_ptr<Gateway> gateway{new Gateway{configuration, options}};
    Gateway& g = *gateway;
    TORII_TRY(g.crypto_,
              CryptoBook::make({.time_kernels = configuration.time_kernels, .only = configuration.only_kernels}));
    TORII_CHECK(g.open_ports());
    TORII_CHECK(g.make_rings());
    const Publisher::Settings settings{.workers = configuration.workers,
                                       .seed = random_seed(),
                                       .live = configuration,
                                       .dscp_map = configuration.dscp_map};
    TORII_TRY(g.publisher_, Publisher::make(settings, *g.crypto_, g.surroundings()));
    g.database_ = std::make_unique<Database>(g.live_, g.publisher_->builder());
    TORII_CHECK(g.make_interfaces());
    g.make_workers();
    TORII_CHECK(g.make_filter());
    return gateway;
}

Gateway::~Gateway() {
    stop();
    retired_hops_.reset();
    neighbours_.reset();  // hands back what waited
    const auto end = [this](rte_mbuf* mbuf) { forget(mbuf, Drop::shutting_down); };
    held_.release([](rte_mbuf*, PolicyId) { return false; }, end);
    early_.release([](rte_mbuf*, Spi) { return false; }, end);
    for (const RingPtr& ring : rings_)  // the last one may be missing: that is why we end
        for (void* mbuf = nullptr; ring && rte_ring_sc_dequeue(ring.get(), &mbuf) == 0;)
            forget(static_cast<rte_mbuf*>(mbuf), Drop::shutting_down);
    workers_.clear();
    if (database_ && publisher_ && retired_) {  // wipe every key before the memory goes
        Journal journal;
        std::vector<control::Located> all;
        all.push_back({control::FlushPolicies{}, {}});
        all.push_back({control::FlushSas{}, {}});
        (void)database_->apply(std::move(all), {}, journal);
        publisher_->publish(journal, *database_);
    }
    retired_.reset();
    database_.reset();
    publisher_.reset();
    ports_.clear();
}

// ---- making

Result<void> Gateway::open_ports() {
    unsigned room = RTE_MBUF_DEFAULT_DATAROOM;
    for (const PortConfiguration& port : devices())
        room = std::max(room, static_cast<unsigned>(receive_room_octets(port)));
    constexpr unsigned tail_for_bundles = 256;  // padding, trailers and ICVs of nested SAs behind a full frame
    TORII_TRY(pool_, PacketPool::make(unique_name("mbufs"), configuration_.mbufs,
                                      RTE_PKTMBUF_HEADROOM + room + tail_for_bundles,
                                      std::ranges::any_of(configuration_.ports, is_hardware)));
    TORII_TRY(large_pool_, PacketPool::make(unique_name("large"), large_buffers * (1 + configuration_.workers),
                                            large_room, std::ranges::any_of(configuration_.ports, is_hardware)));
    our_macs_.resize(max_ports);
    for (const PortConfiguration& port : devices()) {
        const unsigned queues = port.queues != 0 ? port.queues : configuration_.workers;
        const Port::Wish wish{.name = port.name,
                              .device = completed_devargs(port, queues),
                              .mtu = port.mtu,
                              .queues = queues,
                              .arrival = arrival_of(port.role),
                              .hears_groups = speaks_ipv6(port)};
        TORII_TRY(auto opened, Port::open(wish, pool()));
        if (opened->id() >= max_ports) return fail(Errc::no_room, "at most " + std::to_string(max_ports) + " ports");
        our_macs_[opened->id()] =
            port.role == PortRole::host_port ? gateway_side_of_host_port(opened->mac()) : opened->mac();
        ports_.push_back(std::move(opened));
    }
    take_link_local_addresses();
    return {};
}

/// Every interface that speaks IPv6 has a link-local address (RFC 4291 2.1), from its MAC unless it is configured.
void Gateway::take_link_local_addresses() {
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        auto& addresses = configuration_.ports[i].addresses;
        const bool has_one = std::ranges::any_of(addresses, [](const auto& a) { return a.address.is_link_local(); });
        if (speaks_ipv6(configuration_.ports[i]) && !has_one)
            addresses.push_back({link_local_address(our_macs_[ports_[i]->id()]), 64});
    }
}

Result<void> Gateway::make_rings() {
    const unsigned workers = configuration_.workers;
    const std::size_t size = rte_rcu_qsbr_get_memsize(workers);
    void* state = nullptr;
    if (posix_memalign(&state, RTE_CACHE_LINE_SIZE, size) != 0) return fail(Errc::no_room, "no memory for RCU");
    quiescence_.reset(static_cast<rte_rcu_qsbr*>(state));
    rte_rcu_qsbr_init(quiescence_.get(), workers);

    std::vector<const rte_ring*> carrying;
    const auto ring = [&](unsigned slots) -> rte_ring* {
        rings_.emplace_back(
            rte_ring_create(unique_name("ring").c_str(), slots, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ));
        return rings_.back().get();
    };
    worker_rings_.resize(workers);
    for (unsigned from = 0; from < workers; ++from) {
        worker_rings_[from].to_worker.resize(workers);
        worker_rings_[from].from_worker.resize(workers);
    }
    for (unsigned from = 0; from < workers; ++from)
        for (unsigned to = 0; to < workers; ++to) {
            if (from == to) continue;
            rte_ring* const between = ring(hand_over_slots);
            carrying.push_back(between);
            worker_rings_[from].to_worker[to] = worker_rings_[to].from_worker[from] = between;
        }
    for (WorkerRings& rings : worker_rings_) {
        for (std::size_t way = 0; way < punt_ways; ++way) rings.to_control[way] = ring(punt_slots[way]);
        rings.from_control = ring(inject_slots);
        carrying.push_back(rings.from_control);  // dummy packets carry their SA
    }
    if (std::ranges::any_of(rings_, [](const RingPtr& made) { return made == nullptr; }))
        return fail(Errc::no_room, "no memory for the rings between workers: raise memory_megabytes");
    retired_ = std::make_unique<RetireList>(quiescence_.get(), std::move(carrying));
    std::vector<const rte_ring*> all;
    for (const RingPtr& made : rings_) all.push_back(made.get());
    retired_hops_ = std::make_unique<RetireList>(quiescence_.get(), std::move(all));
    return {};
}

/// Each port's own side, the neighbours fixed by configuration, and the first routes.
Result<void> Gateway::make_interfaces() {
    std::vector<LocalInterface> interfaces;
    std::vector<Arrival> port_arrival(port_numbers, Arrival::outside);
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        const PortConfiguration& wish = configuration_.ports[i];
        const std::uint16_t id = ports_[i]->id();
        LocalInterface ours{
            .port = id, .mac = our_macs_[id], .mtu = static_cast<std::uint16_t>(wish.mtu), .addresses = {}};
        ours.answers_for_all = wish.role == PortRole::host_port;
        for (const InterfaceAddress& a : wish.addresses)
            ours.addresses.emplace_back(a.address, Prefix{a.address, a.prefix_length});
        interfaces.push_back(std::move(ours));
        port_arrival[id] = arrival_of(wish.role);
    }
    neighbours_ = std::make_unique<Neighbours>(std::move(interfaces), configuration_.mbufs / share_held, *this);
    for (std::size_t i = 0; i < ports_.size(); ++i)
        if (configuration_.ports[i].role == PortRole::host_port)
            host_hop_ = neighbours_->fix(Address{}, ports_[i]->id(), ports_[i]->mac());
    for (const NeighbourConfiguration& n : configuration_.neighbours)
        for (std::size_t i = 0; i < ports_.size(); ++i)
            if (configuration_.ports[i].name == n.port &&
                neighbours_->fix(n.address, ports_[i]->id(), n.mac) == HopIndex::none)
                return too_many_neighbours();
    TORII_TRY(Gifs gifs, make_gifs(port_arrival));
    publisher_->start(*retired_, std::move(port_arrival), std::move(gifs), host_hop_);
    return make_routes();
}

void Gateway::make_workers() {
    std::vector<unsigned> tx_queues(max_ports, 0);  // a gif has none
    for (const auto& port : ports_) tx_queues[port->id()] = port->tx_queues();
    const std::uint64_t seed = random_seed();
    for (unsigned index = 0; index < configuration_.workers; ++index) {
        WorkerSetup setup{.index = index,
                          .tx_queues = tx_queues,
                          .port_macs = our_macs_,
                          .pool = pool(),
                          .large_pool = large_pool(),
                          .rings = worker_rings_[index],
                          .quiescence = quiescence_.get(),
                          .burst = configuration_.burst,
                          .polling = {.adaptive = configuration_.polling == Polling::adaptive},
                          .seed = seed};
        for (const auto& port : ports_)
            for (unsigned queue = index; queue < port->rx_queues(); queue += configuration_.workers)
                setup.rx.push_back({port->id(), static_cast<std::uint16_t>(queue)});
        workers_.push_back(std::make_unique<Worker>(std::move(setup), publisher_->tables(), crypto_->make_engine()));
    }
}

// ---- running

void Gateway::start() {
    started_ = dummies_since_ = std::chrono::steady_clock::now();
    show_time(started_);
    running_ = true;
    if (!options_.launch_workers) {
        for (const auto& worker : workers_) worker->register_thread();
        return;
    }
    for (const auto& worker : workers_) {
        const auto life = [](void* w) {
            static_cast<Worker*>(w)->run();
            return 0;
        };
        rte_eal_remote_launch(life, worker.get(), worker->index() + 1);
    }
}

void Gateway::stop() {
    if (!std::exchange(running_, false)) return;
    for (const auto& worker : workers_) worker->stop();
    for (const auto& worker : workers_) {
        if (options_.launch_workers)
            rte_eal_wait_lcore(worker->index() + 1);
        else
            worker->unregister_thread();
    }
}

void Gateway::show_time(SteadyTime now) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    publisher_->tables().now_seconds.store(static_cast<std::uint32_t>(seconds), std::memory_order_relaxed);
}

bool Gateway::poll(SteadyTime now) {
    now_ = now;
    show_time(now);
    bool busy = serve_punts(now);
    busy |= serve_notices();
    busy |= serve_capture();
    send_dummies(now);
    if (now >= next_tick_) {
        next_tick_ = now + std::chrono::milliseconds{100};
        neighbours_->tick(now);
        drop_what_waited(now);
        send_keepalives();
    }
    if (now >= next_look_) {
        next_look_ = now + std::chrono::seconds{1};
        check_lifetimes();
        check_policies();
        check_notices();
        forget_gif_mtus();
    }
    if (std::exchange(hops_changed_, false)) publisher_->publish_routes(routes_, *database_);
    retired_->poll();
    retired_hops_->poll();
    return busy;
}

std::int64_t Gateway::unix_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// ---- network

/// Connected networks first. The host port's network is its own stack's, and fe80::/64, which every link has, is
/// nobody's.
std::vector<Route> Gateway::route_list() const {
    std::vector<Route> list;
    std::unordered_map<std::string_view, std::uint16_t> ids;
    for (std::size_t i = 0; i < configuration_.ports.size(); ++i) {
        ids.emplace(configuration_.ports[i].name, port_number(i));
        if (configuration_.ports[i].role == PortRole::host_port) continue;
        for (const InterfaceAddress& a : configuration_.ports[i].addresses)
            if (!a.address.is_link_local())
                list.push_back({Prefix{a.address, a.prefix_length}, std::nullopt, port_number(i)});
    }
    for (const RouteConfiguration& route : configuration_.routes)
        list.push_back({route.destination, route.via, ids.at(route.port)});
    return list;
}

/// Next hops of static routes are asked for before the first packet wants them.
Result<void> Gateway::make_routes() {
    std::vector<Address> own;
    for (const PortConfiguration& port : configuration_.ports)
        for (const InterfaceAddress& a : port.addresses) own.push_back(a.address);
    routes_ = std::make_shared<Routes>(route_list(), std::move(own));
    for (const Route& route : routes_->all())
        if (route.via && !is_gif(route.port) && neighbours_->want(*route.via, route.port, now_, true) == HopIndex::none)
            return too_many_neighbours();
    publisher_->publish_routes(routes_, *database_);
    return {};
}

Surroundings Gateway::surroundings() {
    return {.is_own =
                [this](const Address& address) {
                    return std::ranges::any_of(configuration_.ports, [&](const PortConfiguration& port) {
                        return std::ranges::any_of(port.addresses,
                                                   [&](const InterfaceAddress& a) { return a.address == address; });
                    });
                },
            .toward =
                [this](const Address& address) {
                    Surroundings::Toward toward;
                    const RouteAnswer answer = routes_->find(address);
                    if (answer.route == nullptr) return toward;
                    toward.hop = hop_toward(answer, true);
                    toward.mtu = mtu_of(answer.route->port);
                    return toward;
                },
            .port_named = [this](const std::string& name) { return port_named(name); }};
}

HopIndex Gateway::hop_toward(const RouteAnswer& answer, bool pinned) {
    if (is_gif(answer.route->port)) return gif_hops_[answer.route->port - max_ports];
    return neighbours_->want(answer.neighbour, answer.route->port, now_, pinned);
}

std::uint16_t Gateway::port_number(std::size_t i) const {
    if (i < ports_.size()) return ports_[i]->id();
    return static_cast<std::uint16_t>(max_ports + i - ports_.size());
}

std::optional<std::uint16_t> Gateway::port_named(std::string_view name) const {
    for (std::size_t i = 0; i < configuration_.ports.size(); ++i)
        if (configuration_.ports[i].name == name) return port_number(i);
    return {};
}

const PortConfiguration* Gateway::port_numbered(std::uint16_t number) const {
    for (std::size_t i = 0; i < configuration_.ports.size(); ++i)
        if (port_number(i) == number) return &configuration_.ports[i];
    return nullptr;
}

std::string Gateway::port_name(std::uint16_t number) const {
    const PortConfiguration* const port = port_numbered(number);
    return port ? port->name : "?";
}

// ---- settings

std::vector<control::SettingStatus> Gateway::settings() const {
    std::vector<control::SettingStatus> out;
    for (const control::SettingInfo& info : control::setting_table())
        out.push_back({.name = std::string{info.name},
                       .value = info.text(live_),
                       .fallback = info.text({}),
                       .right = info.right(),
                       .meaning = std::string{info.meaning},
                       .effect = std::string{info.effect}});
    return out;
}

Result<void> Gateway::set(std::string_view name, std::string_view value) {
    TORII_CHECK(control::set(live_, name, value));
    publisher_->publish_settings(live_, *database_);
    publisher_->publish_levels(database_->settle_levels(), *database_);
    send_what_waited({});
    return {};
}

// ---- transactions

Result<std::vector<control::Outcome>> Gateway::apply(std::vector<control::Located> transaction) {
    Journal journal;
    TORII_TRY(auto outcomes, database_->apply(std::move(transaction), {unix_now(), now_}, journal));
    if (holds_ == 0)
        take_effect(journal);
    else
        std::ranges::move(journal, std::back_inserter(unpublished_));
    return outcomes;
}

std::shared_ptr<void> Gateway::hold() {
    ++holds_;
    return {this, [](Gateway* gateway) {
                if (--gateway->holds_ == 0) gateway->take_effect(std::exchange(gateway->unpublished_, {}));
            }};
}

void Gateway::expect(Spi spi) { publisher_->tables().expected.add(spi); }

void Gateway::take_effect(const Journal& journal) {
    publisher_->publish(journal, *database_);
    send_what_waited(journal);
    open_what_was_early(journal);
    for (const Change& change : journal)
        if (change.kind == Change::Kind::policy_added &&
            (change.policy->lifetime_seconds != 0 || change.policy->validtime_seconds != 0))
            mortal_policies_.emplace_back(change.policy, now_);
    remember_dummies(journal);
    remember_keepalives(journal);
    remember_filter_counts();
    tell(journal);
}

}  // namespace torii
