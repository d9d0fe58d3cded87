// `torii show stats`: the workers' counters under the names that KAME's and NetBSD's netstat have for them.
#include <map>

#include "gateway/gateway.h"
#include "observe/netbsd_counters.h"

namespace torii {

namespace {

using Names = std::function<std::string(IpsecProtocol, SuiteIndex)>;

/// One direction's histograms: "in_esphist.aes-cbc". Suites that differ in what the histogram does not name share a
/// row.
void add_histograms(std::span<const WorkerCounters* const> counters, std::size_t family, bool inbound,
                    const Names& name_of, std::map<std::string, std::uint64_t>& rows) {
    constexpr std::array<std::pair<IpsecProtocol, std::string_view>, 3> protocols{
        {{IpsecProtocol::esp, "esp"}, {IpsecProtocol::ah, "ah"}, {IpsecProtocol::ipcomp, "comp"}}};
    for (const auto& [protocol, word] : protocols)
        for (std::size_t suite = 0; suite < std::tuple_size_v<IpsecCounters::Histogram>; ++suite) {
            std::uint64_t total = 0;
            for (const WorkerCounters* each : counters) {
                const IpsecCounters& c = each->ipsec[family];
                total += (inbound ? c.in : c.out)[IpsecCounters::place_of(protocol)][suite].read();
            }
            if (total == 0) continue;
            const std::string name = std::string{inbound ? "in_" : "out_"} + std::string{word} + "hist.";
            rows[name + name_of(protocol, static_cast<SuiteIndex>(suite))] += total;
        }
}

}  // namespace

std::vector<control::StatStatus> Gateway::stats() const {
    std::vector<const WorkerCounters*> counters{&control_counters_};
    for (const auto& worker : workers_) counters.push_back(&worker->counters());
    const auto name_of_suite = [this](IpsecProtocol protocol, SuiteIndex index) -> std::string {
        if (protocol == IpsecProtocol::ipcomp) return "deflate";
        const Suite suite = crypto_->suite(index);
        return std::string{protocol == IpsecProtocol::ah ? info(suite.auth).name : info(suite.cipher).name};
    };
    std::vector<control::StatStatus> out;
    for (const std::size_t family : {0u, 1u}) {
        const std::string family_name = family == 0 ? "ipv4" : "ipv6";
        for (std::size_t i = 0; i < ipsec_stat_table.size(); ++i) {
            const auto& [name, words] = ipsec_stat_table[i];
            auto& row =
                out.emplace_back(control::StatStatus{"ipsec", family_name, std::string{name}, std::string{words}});
            for (const WorkerCounters* each : counters) row.total += each->ipsec[family].stats[i].read();
        }
        for (const bool inbound : {true, false}) {
            std::map<std::string, std::uint64_t> rows;
            add_histograms(counters, family, inbound, name_of_suite, rows);
            for (const auto& [name, total] : rows)
                out.push_back({"ipsec", family_name, name, inbound ? "input histogram" : "output histogram", total});
        }
    }
    IpsecTotals totals;
    for (const WorkerCounters* each : counters) totals.add(*each);
    out.push_back({"ipsec", "", "spdcachelookup", "SPD cache lookups", totals.flow_hits + totals.flow_misses});
    out.push_back({"ipsec", "", "spdcachemiss", "SPD cache misses", totals.flow_misses});
    for (const NetbsdCounter& counter : netbsd_counters())
        out.push_back({std::string{counter.group}, "", std::string{counter.name}, std::string{counter.words},
                       counter.read(totals)});
    return out;
}

}  // namespace torii
