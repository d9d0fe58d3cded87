#include "app/rpc/pfkey_counters.h"

#include <algorithm>

namespace torii::rpc {

namespace {

using Kind = control::Event::Kind;

struct Type {
    std::string_view method, type;
};
constexpr Type types[]{{"show.sa", "dump"},
                       {"setkey.dump_sas", "dump"},
                       {"show.policy", "spddump"},
                       {"setkey.dump_policies", "spddump"},
                       {"events.subscribe", "register"},
                       {"socket.bind", "spdadd"}};

/// The PF_KEY message that tells of it; empty for what PF_KEY does not tell.
std::string_view type_of(Kind kind) {
    switch (kind) {
        case Kind::acquire: return "acquire";
        case Kind::expire_soft:
        case Kind::expire_hard: return "expire";
        case Kind::sa_added: return "add";
        case Kind::sa_deleted: return "delete";
        case Kind::policy_added: return "spdadd";
        case Kind::policy_deleted: return "spddelete";
        case Kind::policy_expired: return "spdexpire";
        default: return {};
    }
}

}  // namespace

void PfkeyCounters::called(std::string_view method) {
    const auto* const found = std::ranges::find(types, method, &Type::method);
    if (found != std::end(types)) asked(found->type, 1);
}

void PfkeyCounters::asked(std::string_view type, std::uint64_t times) { asked_[std::string{type}] += times; }

void PfkeyCounters::told(Kind kind) {
    ++events_;
    if (const auto type = type_of(kind); !type.empty()) ++told_[std::string{type}];
}

std::vector<control::StatStatus> PfkeyCounters::rows(const LineServer::Traffic& traffic) const {
    std::vector<control::StatStatus> out;
    const auto row = [&](std::string name, std::string words, std::uint64_t total) {
        out.push_back({"pfkey", "", std::move(name), std::move(words), total});
    };
    const auto histogram = [&](const std::string& prefix, const std::string& words, const ByName& totals) {
        for (const auto& [name, total] : totals) row(prefix + name, words, total);
    };
    const auto malformed = [&](Malformed why) { return malformed_[static_cast<std::size_t>(why)]; };
    const auto no_room = refused_.find(name_of(Errc::no_room));
    row("out_total", "requests sent from userland", traffic.lines_in + traffic.too_long);
    row("out_bytes", "bytes sent from userland", traffic.octets_in);
    histogram("out_hist.", "histogram by message type", asked_);
    row("out_invlen", "messages with invalid length field", traffic.too_long + malformed(Malformed::length));
    row("out_invver", "messages with invalid version field", malformed(Malformed::version));
    row("out_invmsgtype", "messages with invalid message type field", malformed(Malformed::message_type));
    row("out_tooshort", "messages too short", malformed(Malformed::too_short));
    row("out_nomem", "messages with memory allocation failure",
        traffic.too_many + (no_room == refused_.end() ? 0 : no_room->second));
    row("out_invexttype", "messages with invalid extension type", malformed(Malformed::extension_type));
    histogram("out_refused.", "messages refused, by error", refused_);
    row("in_total", "requests sent to userland", traffic.lines_out);
    row("in_bytes", "bytes sent to userland", traffic.octets_out);
    histogram("in_hist.", "histogram by message type", told_);
    row("in_one", "messages toward single socket", traffic.lines_out - events_);
    row("in_registered", "messages toward registered sockets", events_);
    row("in_nomem", "messages with memory allocation failure", lost_);
    return out;
}

}  // namespace torii::rpc
