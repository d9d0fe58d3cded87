// torii-bench: cycles per packet of one worker's loop beside the crypto floor of the same run. docs/benchmarks.md says
// how it measures and what was seen.
#include <getopt.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "crypto/engine.h"
#include "test/bench/gateways.h"
#include "test/bench/lane.h"
#include "test/bench/report.h"

namespace torii::bench {
namespace {

constexpr std::string_view help = R"(usage: torii-bench [OPTION...]

TSC cycles per packet on one worker, all stages, memory-backed ports, beside the crypto alone.

  --json               one JSON object a row instead of the table
  --quick              a few windows a row: whether it works, not how fast
  --long               ten seconds a row: for a profiler
  --work NAME          only this: 'esp tunnel', 'esp tunnel over ipv6', 'esp tunnel in udp', 'ah tunnel',
                       'esp tunnel in ah', 'ipcomp tunnel'
  --suite TEXT         only suites whose name contains TEXT: aes-gcm, aes-cbc
  --direction NAME     only outbound, or only inbound
  --octets N|imix      only this size: octets of the inner IP packet, 64 .. 1518
  --tunnels N          only this number of tunnels, 1 .. 65536
  --burst N            packets a worker takes at once: a power of two up to 256 (the gateway's default without)
  --mbufs N            packet buffers in the pool, 4352 .. 32768 (the gateway's default without)
  --kernel NAME        this crypto kernel instead of the one a gateway here would choose
  --help               this page

Sizes and numbers of tunnels may be given that the full table does not have.
)";

struct Wish {
    bool json = false;
    Patience patience = Patience::settled;
    std::string work, suite;
    Setting setting;
    std::vector<Direction> directions{bench::directions.begin(), bench::directions.end()};
    std::vector<Octets> octets{measured_octets.begin(), measured_octets.end()};
    std::vector<unsigned> tunnels{1, 1000, 10000};
};

unsigned number(const char* option, const char* text, unsigned low, unsigned high) {
    char* end = nullptr;
    const unsigned long n = std::strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || n < low || n > high)
        give_up(std::string{"--"} + option + " takes a number from " + std::to_string(low) + " to " +
                std::to_string(high) + ", not '" + text + "'");
    return static_cast<unsigned>(n);
}

Direction direction(const std::string& text) {
    const auto named = std::ranges::find(directions, text, [](Direction d) { return name_of(d); });
    if (named == directions.end()) give_up("--direction is outbound or inbound, not '" + text + "'");
    return *named;
}

Wish read(int argc, char** argv) {
    enum { json = 1, quick, long_rows, work, suite, way, octets, tunnels, burst, mbufs, kernel, help_page };
    constexpr option options[]{{"json", no_argument, nullptr, json},
                               {"quick", no_argument, nullptr, quick},
                               {"long", no_argument, nullptr, long_rows},
                               {"work", required_argument, nullptr, work},
                               {"suite", required_argument, nullptr, suite},
                               {"direction", required_argument, nullptr, way},
                               {"octets", required_argument, nullptr, octets},
                               {"tunnels", required_argument, nullptr, tunnels},
                               {"burst", required_argument, nullptr, burst},
                               {"mbufs", required_argument, nullptr, mbufs},
                               {"kernel", required_argument, nullptr, kernel},
                               {"help", no_argument, nullptr, help_page},
                               {}};
    Wish wish;
    for (int found; (found = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
        switch (found) {
            case json: wish.json = true; break;
            case quick: wish.patience = Patience::quick; break;
            case long_rows: wish.patience = Patience::long_one; break;
            case work: wish.work = optarg; break;
            case suite: wish.suite = optarg; break;
            case kernel: wish.setting.kernel = optarg; break;
            case way: wish.directions = {direction(optarg)}; break;
            case octets:
                wish.octets = {std::string_view{optarg} == "imix" ? Octets{}
                                                                  : number("octets", optarg, 64, largest_packet)};
                break;
            case tunnels: wish.tunnels = {number("tunnels", optarg, 1, most_tunnels)}; break;
            case burst: wish.setting.burst = number("burst", optarg, 1, 256); break;
            case mbufs: wish.setting.mbufs = number("mbufs", optarg, 4352, 32768); break;
            case help_page: std::printf("%s", help.data()); std::exit(0);
            default: std::fprintf(stderr, "%s", help.data()); std::exit(2);
        }
    }
    if (optind != argc) give_up(std::string{"what is '"} + argv[optind] + "'? see --help");
    if (!std::has_single_bit(wish.setting.burst)) give_up("--burst takes a power of two");
    return wish;
}

/// The kernel a gateway on this machine would choose for the only suite of `work`, by timing them all once.
std::string chosen_kernel(const Work& work) {
    const Layer& layer = work.layers().front();
    static const auto book = CryptoBook::make({});
    if (!book) give_up(book.error().text());
    if (const auto wanted = (*book)->suite({layer.cipher, layer.auth, layer.cipher_key_bits}); !wanted)
        give_up(wanted.error().text());
    for (const KernelChoice& choice : (*book)->choices())
        if (choice.chosen && choice.suite == work.suite) return choice.kernel;
    give_up("no kernel is chosen for " + std::string{work.suite});
}

void run(const Wish& wish) {
    if (!watching_works())
        std::fprintf(stderr, "torii-bench: allocations, locks and system calls cannot all be seen here\n");
    if (!wish.json) print_heading();
    std::size_t rows = 0;
    for (const Work& work : measured_works) {
        if (work.suite.find(wish.suite) == std::string_view::npos) continue;
        if (!wish.work.empty() && work.name != wish.work) continue;
        Setting setting = wish.setting;
        if (setting.kernel.empty() && work.layer_count == 1 && !work.compresses()) setting.kernel = chosen_kernel(work);
        for (const unsigned tunnels : wish.tunnels) {
            setting.tunnels = tunnels;
            Gateways gateways{work, setting};
            for (const Direction way : wish.directions)
                for (const Octets octets : wish.octets) {
                    const Row row = gateways.measure(way, octets, wish.patience);
                    wish.json ? print_json(row) : print_for_people(row);
                    ++rows;
                }
        }
    }
    if (rows == 0) give_up("nothing is called '" + wish.work + "' with a suite '" + wish.suite + "'");
}

}  // namespace
}  // namespace torii::bench

int main(int argc, char** argv) {
    const auto wish = torii::bench::read(argc, argv);
    torii::test::start_test_eal(1);
    torii::bench::run(wish);
}
