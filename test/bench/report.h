// What a row says, for people and for programs.
#pragma once

#include <vector>

#include "test/bench/still.h"
#include "test/bench/traffic.h"

namespace torii::bench {

/// The least and the median of many windows, in TSC cycles per packet.
struct Figure {
    double least = 0, median = 0;
    /// Of at least one window.
    explicit Figure(std::vector<double> windows);
};

struct Row {
    const Work& work;
    Direction direction;
    Octets octets;
    Setting setting;
    std::size_t windows;
    Figure cycles, floor;
    Disturbances disturbances;  // in one window of the worker's turns
    /// Of inner IP packets through one worker, at the TSC's rate; the mean size of IMIX.
    double megabytes_per_second(double cycles) const;
    double overhead() const { return cycles.least - floor.least; }
};

void print_heading();
void print_for_people(const Row& row);
/// One JSON object in one line.
void print_json(const Row& row);

}  // namespace torii::bench
