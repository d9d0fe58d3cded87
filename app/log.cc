#include "app/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "app/setkey/setkey.h"

namespace torii::log {

namespace {

constexpr unsigned audits_per_second = 10;  // of one kind

std::string spi_text(control::Spi spi) { return fmt::format("0x{:08x}", static_cast<std::uint32_t>(spi)); }

}  // namespace

Result<void> open(const std::string& file, const std::string& level) {
    try {
        spdlog::sink_ptr sink;
        if (file.empty())
            sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
        else
            sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(file);
        auto logger = std::make_shared<spdlog::logger>("toriid", std::move(sink));
        logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
        logger->set_level(spdlog::level::from_str(level));
        logger->flush_on(spdlog::level::info);
        spdlog::set_default_logger(std::move(logger));
    } catch (const spdlog::spdlog_ex& problem) {
        return fail(Errc::io, problem.what());
    }
    return {};
}

void debug(std::string_view line) { spdlog::debug("{}", line); }
void info(std::string_view line) { spdlog::info("{}", line); }
void warning(std::string_view line) { spdlog::warn("{}", line); }
void error(std::string_view line) { spdlog::error("{}", line); }
void flush() { spdlog::default_logger()->flush(); }

void Audit::tell(const control::Event& event) {
    using Kind = control::Event::Kind;
    const bool change = event.kind == Kind::sa_added || event.kind == Kind::sa_deleted ||
                        event.kind == Kind::policy_added || event.kind == Kind::policy_deleted;
    if (change) return;  // the front door that asked for it has told
    Budget& budget = this_second_[event.kind];
    if (budget.told == audits_per_second) {
        budget.left_out += event.repeated;
        return;
    }
    ++budget.told;
    const std::string times = event.repeated > 1 ? fmt::format(", {} times", event.repeated) : "";
    if (event.kind == Kind::acquire)
        spdlog::info("acquire: {} wants an SA that is not there: policy {}, {}{}", event.packet.text(),
                     static_cast<std::uint32_t>(event.policy),
                     event.request ? setkey::request_text(*event.request) : "", times);
    else if (event.kind == Kind::notices_lost)
        spdlog::warn("audit: {} events were lost: more happened at once than workers can tell", event.repeated);
    else if (event.kind == Kind::policy_expired)
        spdlog::info("policy {} is gone: its lifetime is over", static_cast<std::uint32_t>(event.policy));
    else
        spdlog::warn("audit: {} spi {} {} -> {} sequence {}{}{}{}", control::name_of(event.kind),
                     spi_text(event.sa.spi), event.sa.source.text(), event.sa.destination.text(), event.sequence,
                     event.flow_label != 0 ? fmt::format(" flow label {:#07x}", event.flow_label) : "",
                     event.kind == Kind::selector_mismatch ? ", packet " + event.packet.text() : "", times);
}

void Audit::tick() {
    for (const auto& [kind, budget] : this_second_)
        if (budget.left_out != 0)
            spdlog::warn("audit: {} more {} events in the last second were not logged", budget.left_out,
                         control::name_of(kind));
    this_second_.clear();
}

}  // namespace torii::log
