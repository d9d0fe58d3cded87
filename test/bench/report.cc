#include "test/bench/report.h"

#include <rte_cycles.h>

#include <algorithm>
#include <cstdio>

namespace torii::bench {

Figure::Figure(std::vector<double> windows) {
    const auto middle = windows.begin() + static_cast<std::ptrdiff_t>(windows.size() / 2);
    std::ranges::nth_element(windows, middle);
    median = *middle;
    least = *std::ranges::min_element(windows);
}

double Row::megabytes_per_second(double cycles) const {
    constexpr double imix_mean = (28.0 * 64 + 16.0 * 570 + 4.0 * largest_packet) / 48;
    const double packet = octets ? *octets : imix_mean;
    return packet / cycles * static_cast<double>(rte_get_tsc_hz()) / 1e6;
}

void print_heading() {
    std::printf(
        "%-20s %-27s %-9s %6s %8s | %8s %8s %8s | %8s %8s\n%s\n", "TSC cycles per", "packet", "", "octets", "tunnels",
        "cycles", "floor", "overhead", "median", "median",
        "work                 suite                       direction                 |  (least)  (least)          | "
        "  cycles    floor");
}

void print_for_people(const Row& row) {
    std::printf("%-20s %-27s %-9s %6s %8u | %8.1f %8.1f %8.1f | %8.1f %8.1f\n", std::string{row.work.name}.c_str(),
                std::string{row.work.suite}.c_str(), std::string{name_of(row.direction)}.c_str(),
                name_of(row.octets).c_str(), row.setting.tunnels, row.cycles.least, row.floor.least, row.overhead(),
                row.cycles.median, row.floor.median);
    if (row.work.compresses())
        std::printf("%-20s %.0f MB/s through the gateway, %.0f through zlib alone\n", "",
                    row.megabytes_per_second(row.cycles.least), row.megabytes_per_second(row.floor.least));
    std::fflush(stdout);
    if (const Disturbances& seen = row.disturbances; seen.all() != 0)
        std::fprintf(stderr, "torii-bench: the row above: %lu allocations, %lu locks, %lu system calls in a window\n",
                     seen.allocations, seen.locks, seen.system_calls);
}

/// No name in a row needs escaping.
void print_json(const Row& row) {
    const std::string octets = row.octets ? name_of(row.octets) : '"' + name_of(row.octets) + '"';
    std::printf(
        "{\"work\": \"%s\", \"suite\": \"%s\", \"direction\": \"%s\", \"octets\": %s, \"tunnels\": %u, "
        "\"cycles\": %.1f, \"floor\": %.1f, \"overhead\": %.1f, \"cycles_median\": %.1f, \"floor_median\": %.1f, "
        "\"overhead_median\": %.1f, \"megabytes_per_second\": %.1f, \"floor_megabytes_per_second\": %.1f, \"kernel\": "
        "\"%s\", \"burst\": %u, \"mbufs\": %u, \"windows\": %zu, "
        "\"allocations\": %lu, "
        "\"locks\": %lu, "
        "\"system_calls\": %lu}\n",
        std::string{row.work.name}.c_str(), std::string{row.work.suite}.c_str(),
        std::string{name_of(row.direction)}.c_str(), octets.c_str(), row.setting.tunnels, row.cycles.least,
        row.floor.least, row.overhead(), row.cycles.median, row.floor.median, row.cycles.median - row.floor.median,
        row.megabytes_per_second(row.cycles.least), row.megabytes_per_second(row.floor.least),
        row.setting.kernel.c_str(), row.setting.burst, row.setting.mbufs, row.windows, row.disturbances.allocations,
        row.disturbances.locks, row.disturbances.system_calls);
    std::fflush(stdout);
}

}  // namespace torii::bench
