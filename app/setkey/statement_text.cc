// Operations back in the words of the statements that make them, without keys.
#include "app/setkey/setkey.h"

namespace torii::setkey {
namespace {

std::string id_text(const control::SaId& id) {
    return id.source.text() + " " + id.destination.text() + " " + std::string{name_of(id.protocol)} + " " +
           std::to_string(static_cast<std::uint32_t>(id.spi));
}

std::string with_protocol(std::string text, const std::optional<IpsecProtocol>& protocol) {
    return protocol ? text.append(" ").append(name_of(*protocol)) : text;
}

struct Describe {
    std::string operator()(const control::AddSa& op) const { return "add " + id_text(op.spec.id); }
    std::string operator()(const control::UpdateSa& op) const { return "update " + id_text(op.spec.id); }
    std::string operator()(const control::GetSpi& op) const { return "getspi " + id_text(op.id); }
    std::string operator()(const control::DeleteSa& op) const { return "delete " + id_text(op.id); }
    std::string operator()(const control::DeleteAllSas& op) const {
        return with_protocol("deleteall " + op.source.text() + " " + op.destination.text(), op.protocol);
    }
    std::string operator()(const control::FlushSas& op) const { return with_protocol("flush", op.protocol); }
    std::string operator()(const control::AddPolicy& op) const {
        return "spdadd " + op.policy.selector.text() + " -P " + policy_text(op.policy);
    }
    std::string operator()(const control::UpdatePolicy& op) const {
        return "spdupdate " + op.policy.selector.text() + " -P " + policy_text(op.policy);
    }
    std::string operator()(const control::DeletePolicy& op) const {
        return "spddelete " + op.selector.text() + " -P " + std::string{name_of(op.direction)};
    }
    std::string operator()(const control::FlushPolicies&) const { return "spdflush"; }
};

}  // namespace

const control::SaSpec* spec_of(const control::Operation& operation) {
    if (const auto* const add = std::get_if<control::AddSa>(&operation)) return &add->spec;
    if (const auto* const update = std::get_if<control::UpdateSa>(&operation)) return &update->spec;
    return nullptr;
}

std::string operation_text(const control::Operation& operation) { return std::visit(Describe{}, operation); }

}  // namespace torii::setkey
