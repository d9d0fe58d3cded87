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

struct TypeOf {
    std::string_view operator()(const control::AddSa&) const { return "add"; }
    std::string_view operator()(const control::UpdateSa&) const { return "update"; }
    std::string_view operator()(const control::GetSpi&) const { return "getspi"; }
    std::string_view operator()(const control::DeleteSa&) const { return "delete"; }
    std::string_view operator()(const control::DeleteAllSas&) const { return "delete"; }
    std::string_view operator()(const control::FlushSas&) const { return "flush"; }
    std::string_view operator()(const control::AddPolicy&) const { return "spdadd"; }
    std::string_view operator()(const control::UpdatePolicy&) const { return "spdupdate"; }
    std::string_view operator()(const control::DeletePolicy&) const { return "spddelete"; }
    std::string_view operator()(const control::FlushPolicies&) const { return "spdflush"; }
    std::string_view operator()(const auto&) const { return "other"; }  // no statement makes it
};

std::string_view type_of(Query::Kind kind) {
    switch (kind) {
        case Query::Kind::get: return "get";
        case Query::Kind::dump: return "dump";
        case Query::Kind::spddump: return "spddump";
    }
    return {};
}

}  // namespace

MessageTypes message_types(const Program& program) {
    MessageTypes out;
    for (const auto& located : program.operations) ++out[std::visit(TypeOf{}, located.operation)];
    for (const auto* queries : {&program.queries_before, &program.queries_after})
        for (const Query& query : *queries) ++out[type_of(query.kind)];
    return out;
}

const control::SaSpec* spec_of(const control::Operation& operation) {
    if (const auto* const add = std::get_if<control::AddSa>(&operation)) return &add->spec;
    if (const auto* const update = std::get_if<control::UpdateSa>(&operation)) return &update->spec;
    return nullptr;
}

std::string operation_text(const control::Operation& operation) { return std::visit(Describe{}, operation); }

}  // namespace torii::setkey
