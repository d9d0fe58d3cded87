#include "test/bench/report.h"

#include <algorithm>
#include <cstdio>

namespace torii::bench {

Figure::Figure(std::vector<double> windows) {
    const auto middle = windows.begin() + static_cast<std::ptrdiff_t>(windows.size() / 2);
    std::ranges::nth_element(windows, middle);
    median = *middle;
    least = *std::ranges::min_element(windows);
}

void print_heading() {
    std::printf("%-25s %-9s %6s %8s | %8s %8s %8s | %8s %8s\n%s\n", "TSC cycles per packet", "", "octets", "tunnels",
                "cycles", "floor", "overhead", "median", "median",
                "suite                     direction                 |  (least)  (least)          |   cycles    floor");
}

void print_for_people(const Row& row) {
    std::printf("%-25s %-9s %6s %8u | %8.1f %8.1f %8.1f | %8.1f %8.1f\n", std::string{row.suite.name}.c_str(),
                std::string{name_of(row.direction)}.c_str(), name_of(row.octets).c_str(), row.setting.tunnels,
                row.cycles.least, row.floor.least, row.overhead(), row.cycles.median, row.floor.median);
    std::fflush(stdout);
    if (const Disturbances& seen = row.disturbances; seen.all() != 0)
        std::fprintf(stderr, "torii-bench: the row above: %lu allocations, %lu locks, %lu system calls in a window\n",
                     seen.allocations, seen.locks, seen.system_calls);
}

/// No name in a row needs escaping.
void print_json(const Row& row) {
    const std::string octets = row.octets ? name_of(row.octets) : '"' + name_of(row.octets) + '"';
    std::printf(
        "{\"work\": \"esp tunnel\", \"suite\": \"%s\", \"direction\": \"%s\", \"octets\": %s, \"tunnels\": %u, "
        "\"cycles\": %.1f, \"floor\": %.1f, \"overhead\": %.1f, \"cycles_median\": %.1f, \"floor_median\": %.1f, "
        "\"overhead_median\": %.1f, \"kernel\": \"%s\", \"burst\": %u, \"mbufs\": %u, \"windows\": %zu, "
        "\"allocations\": %lu, "
        "\"locks\": %lu, "
        "\"system_calls\": %lu}\n",
        std::string{row.suite.name}.c_str(), std::string{name_of(row.direction)}.c_str(), octets.c_str(),
        row.setting.tunnels, row.cycles.least, row.floor.least, row.overhead(), row.cycles.median, row.floor.median,
        row.cycles.median - row.floor.median, row.setting.kernel.c_str(), row.setting.burst, row.setting.mbufs,
        row.windows, row.disturbances.allocations, row.disturbances.locks, row.disturbances.system_calls);
    std::fflush(stdout);
}

}  // namespace torii::bench
