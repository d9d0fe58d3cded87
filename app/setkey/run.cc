// A parsed text against the gateway: one transaction, and the answers around it.
#include "app/setkey/setkey.h"

namespace torii::setkey {
namespace {

Result<std::string> answer(const control::ControlPlane& control, const Query& query, DumpOptions options) {
    options.protocol = query.protocol;
    if (query.kind == Query::Kind::dump) return dump_sas(control, options);
    if (query.kind == Query::Kind::spddump) return dump_policies(control, options);
    std::string text;
    auto found = control.with_sa(query.id, [&](const control::SaView& sa) { text = sa_text(sa, options); });
    if (!found) return std::unexpected(std::move(found).error().in(query.where));
    return text;
}

/// The SPIs that the gateway chose, one line each: the only outcome that nobody could know before.
std::string chosen_spis(const std::vector<std::string>& asked, const std::vector<control::Outcome>& outcomes) {
    std::string text;
    for (std::size_t i = 0; i < outcomes.size(); ++i)
        if (outcomes[i].spi)
            text += asked[i] + ": spi=" + std::to_string(static_cast<std::uint32_t>(*outcomes[i].spi)) + "\n";
    return text;
}

}  // namespace

std::size_t manual_counter_keys(const Program& program) {
    std::size_t count = 0;
    for (const auto& located : program.operations) {
        if (const auto* const added = std::get_if<control::AddSa>(&located.operation))
            count += info(added->spec.cipher).counter_mode;
        if (const auto* const updated = std::get_if<control::UpdateSa>(&located.operation))
            count += info(updated->spec.cipher).counter_mode;
    }
    return count;
}

Result<std::string> run(control::ControlPlane& control, Program program, const DumpOptions& options) {
    std::string text;
    for (const Query& query : program.queries_before) {
        TORII_TRY(const auto told, answer(control, query, options));
        text += told;
    }
    if (!program.operations.empty()) {
        std::vector<std::string> asked;
        asked.reserve(program.operations.size());
        for (const auto& located : program.operations) asked.push_back(located.where);
        TORII_TRY(const auto outcomes, control.apply(std::move(program.operations)));
        text += chosen_spis(asked, outcomes);
    }
    for (const Query& query : program.queries_after) {
        const auto told = answer(control, query, options);
        text += told ? *told : told.error().message + "\n";
    }
    return text;
}

}  // namespace torii::setkey
