// DPDK's environment, once per process: lcores for the control core and the workers, memory with or without hugepages,
// and nothing left behind in the runtime directory. Control thread.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace torii {

struct EalOptions {
    unsigned workers = 1;
    std::vector<unsigned>
        cores;  // control core first, then the workers'; shorter lists wrap around the machine's cores
    unsigned memory_megabytes = 256;
    std::vector<std::string> pci_devices;  // allowed ones; without any, the PCI bus is left alone
};

/// Makes lcore 0 of the calling thread and lcores 1..workers. Errc::io with EAL's reason when it refuses. Once.
Result<void> start_eal(const EalOptions& options);
/// Whether the packet memory is in hugepages.
bool uses_hugepages();
/// Whether huge pages are mounted there: the system may have some and a folder that only waits for them.
bool is_hugetlbfs(const std::string& folder);
/// Releases what start_eal made, the runtime directory included.
void stop_eal();

}  // namespace torii
