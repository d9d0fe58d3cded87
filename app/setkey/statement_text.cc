// Operations back in the words of the statements that make them, without keys.
#include "app/setkey/setkey.h"

namespace torii::setkey {
namespace {

std::string id_text(const control::SaId& id, std::string_view form = "") {
    return id.source.text() + " " + id.destination.text() + " " + std::string{name_of(id.protocol)} +
           std::string{form} + " " + std::to_string(static_cast<std::uint32_t>(id.spi));
}
std::string id_text(const control::SaSpec& spec) { return id_text(spec.id, spec.old ? "-old" : ""); }

std::string with_protocol(std::string text, const std::optional<IpsecProtocol>& protocol) {
    return protocol ? text.append(" ").append(name_of(*protocol)) : text;
}

std::string policy_words(const Policy& policy) {
    std::string text = policy.selector.text();
    if (policy.lifetime_seconds != 0) text += " -lh " + std::to_string(policy.lifetime_seconds);
    if (policy.validtime_seconds != 0) text += " -li " + std::to_string(policy.validtime_seconds);
    return text + " -P " + policy_text(policy);
}

struct Describe {
    std::string operator()(const control::AddSa& op) const { return "add " + id_text(op.spec); }
    std::string operator()(const control::UpdateSa& op) const { return "update " + id_text(op.spec); }
    std::string operator()(const control::GetSpi& op) const { return "getspi " + id_text(op.id); }
    std::string operator()(const control::DeleteSa& op) const { return "delete " + id_text(op.id); }
    std::string operator()(const control::DeleteAllSas& op) const {
        return with_protocol("deleteall " + op.source.text() + " " + op.destination.text(), op.protocol);
    }
    std::string operator()(const control::FlushSas& op) const { return with_protocol("flush", op.protocol); }
    std::string operator()(const control::AddPolicy& op) const { return "spdadd " + policy_words(op.policy); }
    std::string operator()(const control::UpdatePolicy& op) const { return "spdupdate " + policy_words(op.policy); }
    std::string operator()(const control::DeletePolicy& op) const {
        return "spddelete " + op.selector.text() + " -P " + std::string{name_of(op.direction)};
    }
    std::string operator()(const control::FlushPolicies&) const { return "spdflush"; }
    /// Operations of other front doors, for which setkey has no statement.
    std::string operator()(const auto&) const { return "an operation of another language"; }
};

}  // namespace

const control::SaSpec* spec_of(const control::Operation& operation) {
    if (const auto* const add = std::get_if<control::AddSa>(&operation)) return &add->spec;
    if (const auto* const update = std::get_if<control::UpdateSa>(&operation)) return &update->spec;
    return nullptr;
}

std::string operation_text(const control::Operation& operation) { return std::visit(Describe{}, operation); }

}  // namespace torii::setkey
