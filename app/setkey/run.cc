// A parsed text against the gateway: one transaction, and the answers around it.
#include <algorithm>

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

struct Asked {
    std::string where, text;  // text: empty unless the answer is to be verbose
};

std::string outcome_text(const control::Outcome& outcome) {
    if (outcome.spi) return "spi=" + std::to_string(static_cast<std::uint32_t>(*outcome.spi));
    if (outcome.policy) return "spid=" + std::to_string(static_cast<std::uint32_t>(*outcome.policy));
    return outcome.removed != 0 ? "removed " + std::to_string(outcome.removed) : "";
}

std::vector<std::string> warnings_of(const std::vector<Asked>& asked, const std::vector<control::Outcome>& outcomes) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < outcomes.size(); ++i)
        if (!outcomes[i].warning.empty()) out.push_back(asked[i].where + ": " + outcomes[i].warning);
    return out;
}

/// A line for each SPI that the gateway chose, the only outcome that nobody could know before; verbose for everything.
std::string told(const std::vector<Asked>& asked, const std::vector<control::Outcome>& outcomes) {
    std::string text;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (asked[i].text.empty() && !outcomes[i].spi) continue;
        const std::string outcome = outcome_text(outcomes[i]);
        text += asked[i].where + ": " + asked[i].text;
        if (!asked[i].text.empty() && !outcome.empty()) text += ": ";
        text += outcome + "\n";
    }
    return text;
}

}  // namespace

bool holds_keys(const Program& program) {
    return std::ranges::any_of(program.operations, [](const control::Located& located) {
        const control::SaSpec* const spec = spec_of(located.operation);
        return spec != nullptr && !(spec->cipher_key.empty() && spec->auth_key.empty());
    });
}

std::size_t manual_counter_keys(const Program& program) {
    std::size_t count = 0;
    for (const auto& located : program.operations)
        if (const control::SaSpec* const spec = spec_of(located.operation)) count += info(spec->cipher).counter_mode;
    return count;
}

Result<Ran> run(control::ControlPlane& control, Program program, const DumpOptions& options) {
    if (!program.unknown_hosts.empty())
        return fail(Errc::not_found, program.unknown_hosts.front().where + ": nobody told the address of the host '" +
                                         program.unknown_hosts.front().name + "'");
    Ran ran;
    std::string& text = ran.output;
    for (const Query& query : program.queries_before) {
        TORII_TRY(const auto found, answer(control, query, options));
        text += found;
    }
    if (!program.operations.empty()) {
        std::vector<Asked> asked;
        asked.reserve(program.operations.size());
        for (const auto& located : program.operations)
            asked.push_back({located.where, options.verbose ? operation_text(located.operation) : ""});
        TORII_TRY(const auto outcomes, control.apply(std::move(program.operations)));
        text += told(asked, outcomes);
        ran.warnings = warnings_of(asked, outcomes);
    }
    for (const Query& query : program.queries_after) {
        const auto found = answer(control, query, options);
        text += found ? *found : found.error().message + "\n";
    }
    return ran;
}

}  // namespace torii::setkey
