#include "ike/v2/ike_sa.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace torii::ike {

namespace {

using enum IkeState;

// Requests may come to whoever has an IKE SA; responses come to requests of ours, and whether there is one is looked at
// beside this table.
constexpr std::array legal{
    Legal{init_sent, true, ExchangeType::ike_sa_init, "RFC 7296 1.2"},
    Legal{init_answered, false, ExchangeType::ike_auth, "RFC 7296 1.2"},
    Legal{init_answered, false, ExchangeType::ike_intermediate, "RFC 9242 3.2"},
    Legal{intermediate_sent, true, ExchangeType::ike_intermediate, "RFC 9242 3.2"},
    Legal{auth_sent, true, ExchangeType::ike_auth, "RFC 7296 1.2"},
    Legal{established, false, ExchangeType::create_child_sa, "RFC 7296 1.3"},
    Legal{established, true, ExchangeType::create_child_sa, "RFC 7296 1.3"},
    Legal{established, false, ExchangeType::informational, "RFC 7296 1.4"},
    Legal{established, true, ExchangeType::informational, "RFC 7296 1.4"},
    Legal{established, false, ExchangeType::ike_auth, "RFC 7296 2.1: the last answer again"},
    Legal{established, false, ExchangeType::ike_followup_ke, "RFC 9370 2.2.4"},
    Legal{established, true, ExchangeType::ike_followup_ke, "RFC 9370 2.2.4"},
    Legal{rekeyed, false, ExchangeType::ike_followup_ke, "RFC 7296 2.25.2: TEMPORARY_FAILURE"},
    Legal{rekeyed, false, ExchangeType::create_child_sa, "RFC 7296 2.25.2: TEMPORARY_FAILURE"},
    Legal{rekeyed, true, ExchangeType::create_child_sa, "RFC 7296 2.8.2: a twin's answer"},
    Legal{rekeyed, false, ExchangeType::informational, "RFC 7296 2.8"},
    Legal{rekeyed, true, ExchangeType::informational, "RFC 7296 2.8"},
    Legal{deleting, false, ExchangeType::ike_followup_ke, "RFC 7296 2.25.2: TEMPORARY_FAILURE"},
    Legal{deleting, false, ExchangeType::create_child_sa, "RFC 7296 2.25.2: TEMPORARY_FAILURE"},
    Legal{deleting, false, ExchangeType::informational, "RFC 7296 2.25.2"},
    Legal{deleting, true, ExchangeType::informational, "RFC 7296 1.4.1"},
    Legal{closed, false, ExchangeType::ike_intermediate, "RFC 7296 2.1: the last answer again"},
    Legal{closed, false, ExchangeType::ike_auth, "RFC 7296 2.1: the last answer again"},
    Legal{closed, false, ExchangeType::ike_followup_ke, "RFC 7296 2.1: the last answer again"},
    Legal{closed, false, ExchangeType::create_child_sa, "RFC 7296 2.1: the last answer again"},
    Legal{closed, false, ExchangeType::informational, "RFC 7296 2.1: the last answer again"},
};

}  // namespace

std::span<const Legal> legal_messages() { return legal; }

bool is_legal(IkeState state, bool response, ExchangeType exchange) {
    return std::ranges::any_of(legal, [&](const Legal& row) {
        return row.state == state && row.response == response && row.exchange == exchange;
    });
}

std::string_view name_of(IkeState state) {
    switch (state) {
        case init_sent: return "IKE_SA_INIT sent";
        case init_answered: return "IKE_SA_INIT answered";
        case intermediate_sent: return "IKE_INTERMEDIATE sent";
        case auth_sent: return "IKE_AUTH sent";
        case established: return "established";
        case rekeyed: return "rekeyed";
        case deleting: return "deleting";
        case closed: return "closed";
        case dead: return "dead";
    }
    return "?";
}

std::string_view name_of(ChildSa::State state) {
    switch (state) {
        case ChildSa::State::installed: return "installed";
        case ChildSa::State::rekeying: return "rekeying";
        case ChildSa::State::replaced: return "replaced";
        case ChildSa::State::deleting: return "deleting";
    }
    return "?";
}

std::string name_of(const Task& task) {
    if (const auto* create = std::get_if<CreateChild>(&task))
        return (create->rekeys ? "the rekey of child " : "child ") + create->config->name;
    if (std::holds_alternative<RekeyIke>(task)) return "the rekey of the IKE SA";
    if (std::holds_alternative<DeleteChildren>(task)) return "the end of a child";
    if (std::holds_alternative<DeleteIke>(task)) return "the end of the IKE SA";
    if (std::holds_alternative<TellInvalidSelectors>(task)) return "the word of a packet that its SA is not for";
    if (std::holds_alternative<UpdateAddresses>(task)) return "the move of the IKE SA";
    if (std::holds_alternative<CheckRoute>(task)) return "the question whether the peer is at his new address";
    return "the question whether the peer is there";
}

std::string text_of(Spi spi) {
    char out[16];
    std::snprintf(out, sizeof out, "0x%08x", static_cast<unsigned>(spi));
    return out;
}

std::string Endpoint::text() const { return address.text() + "[" + std::to_string(port) + "]"; }

ChildSa* IkeSa::child_by_inbound(Spi spi) const {
    for (const auto& child : children)
        if (child->inbound == spi) return child.get();
    return nullptr;
}

ChildSa* IkeSa::child_by_outbound(Spi spi, ProtocolId protocol) const {
    for (const auto& child : children)
        if (child->outbound == spi && child->protocol == protocol && child->remove_inbound_at == Instant{})
            return child.get();
    return nullptr;
}

ChildSa* IkeSa::child(ChildId id) const {
    for (const auto& child : children)
        if (child->id == id) return child.get();
    return nullptr;
}

bool IkeSa::has_pending_rekey() const {
    return outstanding && outstanding->task && std::holds_alternative<RekeyIke>(*outstanding->task);
}

}  // namespace torii::ike
