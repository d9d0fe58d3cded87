#include "dataplane/eal.h"

#include <linux/magic.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace torii {

namespace {

constexpr std::string_view prefix_begins = "torii-";  // our process id follows

std::string runtime_directory;

/// Where EAL makes its runtime directories.
std::filesystem::path runtime_base() {
    if (geteuid() == 0) return "/var/run/dpdk";
    const char* const own = getenv("XDG_RUNTIME_DIR");
    return std::filesystem::path{own ? own : "/tmp"} / "dpdk";
}

/// Removes the runtime directories of gateways that were killed. No one else does.
void remove_leftovers() {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator{runtime_base(), ignored}) {
        const std::string name = entry.path().filename();
        if (!name.starts_with(prefix_begins)) continue;
        const std::string pid = name.substr(prefix_begins.size());
        if (pid.empty() || pid.find_first_not_of("0123456789") != pid.npos) continue;
        if (!std::filesystem::exists("/proc/" + pid, ignored)) std::filesystem::remove_all(entry.path(), ignored);
    }
}

}  // namespace

bool is_hugetlbfs(const std::string& folder) {
    struct statfs about;
    return statfs(folder.c_str(), &about) == 0 && about.f_type == HUGETLBFS_MAGIC;
}

namespace {

/// Whether at least `megabytes` of free 2 MiB or 1 GiB pages are there for us.
bool hugepages_available(unsigned megabytes) {
    std::uint64_t kilobytes = 0;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", ignored)) {
        const std::string name = entry.path().filename();  // hugepages-2048kB
        std::uint64_t free_pages = 0;
        std::ifstream{entry.path() / "free_hugepages"} >> free_pages;
        kilobytes += free_pages * std::strtoull(name.c_str() + name.find('-') + 1, nullptr, 10);
    }
    return kilobytes / 1024 >= megabytes && is_hugetlbfs("/dev/hugepages") && access("/dev/hugepages", W_OK) == 0;
}

std::string lcores(const EalOptions& options) {
    const unsigned machine = std::max(1u, std::thread::hardware_concurrency());
    std::string out;
    for (unsigned lcore = 0; lcore <= options.workers; ++lcore) {
        const unsigned core = lcore < options.cores.size() ? options.cores[lcore] : lcore % machine;
        out += (lcore ? "," : "") + std::to_string(lcore) + "@" + std::to_string(core);
    }
    return out;
}

}  // namespace

Result<void> start_eal(const EalOptions& options) {
    const std::string prefix = std::string{prefix_begins} + std::to_string(getpid());
    std::vector<std::string> words{"torii",
                                   "--lcores",
                                   lcores(options),
                                   "--main-lcore",
                                   "0",
                                   "--no-telemetry",
                                   "--file-prefix",
                                   prefix,
                                   "--log-level",
                                   "lib.*:warning",
                                   "--log-level",
                                   "pmd.*:warning",
                                   "-m",
                                   std::to_string(options.memory_megabytes)};
    if (hugepages_available(options.memory_megabytes))
        words.insert(words.end(), {"--huge-unlink"});
    else
        words.insert(words.end(), {"--no-huge", "--no-shconf"});
    if (options.pci_devices.empty()) words.push_back("--no-pci");
    for (const auto& device : options.pci_devices) words.insert(words.end(), {"-a", device});

    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    remove_leftovers();
    runtime_directory = runtime_base() / prefix;
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0)
        return fail(Errc::io, std::string{"DPDK does not start: "} + rte_strerror(rte_errno) +
                                  " (see its messages above; packet memory of " +
                                  std::to_string(options.memory_megabytes) + " MiB was asked for)");
    return {};
}

bool uses_hugepages() { return rte_eal_has_hugepages() != 0; }

void stop_eal() {
    rte_eal_cleanup();
    std::error_code ignored;
    std::filesystem::remove_all(runtime_directory, ignored);
}

}  // namespace torii
