#include "test/bench/gateways.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "test/bench/floor.h"
#include "test/bench/lane.h"

namespace torii::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t windows_a_group = 5, fewest_windows = 30;
constexpr std::chrono::milliseconds shortest_row{1500}, longest_row{4000}, long_row{10000};
/// What a group lets enter. Its first window is not counted: it brings back to the caches what others pushed out.
constexpr std::size_t group_packets = Lane::ahead + (1 + windows_a_group) * Lane::window;

std::vector<std::uint16_t> frame_octets(std::span<const Draw> draws, const Work* tunnel) {
    std::vector<std::uint16_t> out;
    for (const Draw& packet : draws)
        out.push_back(static_cast<std::uint16_t>(sizeof(EthernetHeader) +
                                                 (tunnel ? tunnel->tunnel_octets(packet.octets) : packet.octets)));
    return out;
}

/// Whether more windows would hardly lower the least: the last fifteen did not.
bool settled(const std::vector<double>& windows) {
    if (windows.size() < fewest_windows) return false;
    const auto recent = windows.end() - 3 * windows_a_group;
    return *std::min_element(recent, windows.end()) > 0.997 * *std::min_element(windows.begin(), recent);
}

bool enough(Patience patience, Clock::duration taken, const std::vector<double>& cycles,
            const std::vector<double>& floors) {
    switch (patience) {
        case Patience::quick: return !cycles.empty() && !floors.empty();
        case Patience::settled: return taken > shortest_row && settled(cycles) && settled(floors);
        case Patience::long_one: return false;
    }
    return true;
}

template <class Window>
void measure_group(std::vector<double>& figures, Window window) {
    window();
    for (std::size_t i = 0; i < windows_a_group; ++i)
        if (const std::optional<double> figure = window()) figures.push_back(*figure);
}

}  // namespace

Gateways::Gateways(const Work& work, const Setting& setting) : work_(work), setting_(setting) {
    auto book = CryptoBook::make({.time_kernels = false, .only = setting.kernel});
    if (!book) give_up(book.error().text());
    book_ = std::move(*book);
    gateway_ = make(gateway_configuration(work, setting), gateway_setkey(work, setting.tunnels), "the gateway");
}

std::unique_ptr<test::Wires> Gateways::make(const Configuration& configuration, const std::string& setkey,
                                            const char* who) const {
    const auto start = Clock::now();
    auto wires = std::make_unique<test::Wires>(configuration);
    wires->setkey(setkey);
    wires->turn();
    const std::chrono::duration<double> took = Clock::now() - start;
    std::fprintf(stderr, "torii-bench: %s: %s with %u tunnel%s stands after %.2f s, kernel: %s\n",
                 std::string{work_.suite}.c_str(), who, setting_.tunnels, setting_.tunnels == 1 ? "" : "s",
                 took.count(), setting_.kernel.c_str());
    return wires;
}

void Gateways::seal(const Frames& clear, Frames& sealed, const std::vector<std::uint16_t>& sealed_octets) const {
    Lane lane{*peers_, office, world, clear, sealed_octets, work_.compresses()};
    sealed.clear();
    for (std::size_t done = 0; done < clear.size(); done += Lane::step) {
        lane.enter(Lane::step);
        lane.empty(&sealed);
    }
}

/// Groups of windows, the gateway's and the floor's in turn, so that a machine that changes its speed for a while
/// changes it for both.
Row Gateways::measure(Direction direction, Octets octets, Patience patience) {
    const bool inbound = direction == Direction::inbound;
    if (inbound && !peers_)
        peers_ = make(peers_configuration(work_, setting_), peers_setkey(work_, setting_.tunnels), "the peers' side");
    const auto draws = draw(group_packets, setting_.tunnels, octets);
    const auto sealed_octets = frame_octets(draws, &work_), clear_octets = frame_octets(draws, nullptr);
    const Frames clear = clear_frames(draws, direction, work_.family);
    Frames sealed{inbound ? group_packets : 0};
    Lane lane{*gateway_,
              inbound ? world : office,
              inbound ? office : world,
              inbound ? sealed : clear,
              inbound ? clear_octets : sealed_octets,
              work_.compresses() && !inbound};
    const auto floor = make_floor(*book_, work_, direction, setting_, draws, clear);

    const auto fill = [&] {
        if (inbound) seal(clear, sealed, sealed_octets);
        lane.enter(Lane::ahead);
    };
    Disturbances disturbances;
    fill();  // a first round, since every flow is new to the gateway; its last window is watched
    for (std::size_t i = 0; i < 1 + windows_a_group; ++i) disturbances = lane.watch_window();
    lane.empty();

    std::vector<double> cycles, floors;
    const auto start = Clock::now();
    Clock::duration taken{};
    do {
        fill();
        measure_group(cycles, [&] { return lane.carry_window(); });
        lane.empty();
        measure_group(floors, [&] { return floor->window(Lane::window); });
        taken = Clock::now() - start;
    } while (taken < (patience == Patience::long_one ? long_row : longest_row) &&
             !enough(patience, taken, cycles, floors));
    if (cycles.empty() || floors.empty()) give_up("this machine is too busy: no window was left uninterrupted");
    return {.work = work_,
            .direction = direction,
            .octets = octets,
            .setting = setting_,
            .windows = cycles.size(),
            .cycles = Figure{std::move(cycles)},
            .floor = Figure{std::move(floors)},
            .disturbances = disturbances};
}

}  // namespace torii::bench
