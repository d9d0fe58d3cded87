// Counts TSC cycles over stretches of work, without those in which, or right before which, the system gave the core to
// somebody else: they would measure the somebody.
#pragma once

#include <rte_cycles.h>
#include <sys/resource.h>

#include <cstdint>
#include <optional>

namespace torii::bench {

class Stopwatch {
public:
    /// Around the work that is timed; any number of times in a stretch.
    void start() { started_ = rte_rdtsc_precise(); }
    void stop() { stretch_ += rte_rdtsc_precise() - started_; }
    /// Ends a stretch over `packets` packets and begins the next.
    void end_stretch(std::size_t packets) {
        const long switches = switches_so_far();
        if (switches == switches_) {
            cycles_ += stretch_;
            packets_ += packets;
        }
        switches_ = switches;
        stretch_ = 0;
    }
    /// Cycles per packet of all stretches but the interrupted ones; nothing when there was no other.
    std::optional<double> mean() const {
        if (packets_ == 0) return std::nullopt;
        return static_cast<double>(cycles_) / static_cast<double>(packets_);
    }

private:
    static long switches_so_far() {
        rusage usage{};
        getrusage(RUSAGE_THREAD, &usage);
        return usage.ru_nivcsw + usage.ru_nvcsw;
    }
    std::uint64_t started_ = 0, stretch_ = 0, cycles_ = 0;
    std::size_t packets_ = 0;
    long switches_ = switches_so_far();
};

}  // namespace torii::bench
