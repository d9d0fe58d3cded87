// Addresses of an inner network for the length of an IKE SA (RFC 7296 2.19, 3.15):
//     HDR, SK {IDi, AUTH, CP(CFG_REQUEST), SAi2, TSi, TSr}  -->
//                               <--  HDR, SK {IDr, AUTH, CP(CFG_REPLY), SAr2, TSi, TSr}
// A gateway with a pool lends them to peers, and the address narrows the traffic of children that leave the peer's side
// open; a client asks for one, and offers all there is until it has it. In IKE_AUTH alone.
#include <algorithm>

#include "base/reader.h"
#include "ike/v2/turn.h"

namespace torii::ike {

namespace {

constexpr std::size_t most_dns = 8;  // of a reply: what we keep of a server's
constexpr std::size_t ip6_address_octets = 16;

/// What a family's address and name servers are called, and how an address is written (3.15.1).
struct Kind {
    Family family;
    CfgAttribute address, dns;
};
constexpr Kind kinds[] = {
    {Family::ipv4, CfgAttribute::internal_ip4_address, CfgAttribute::internal_ip4_dns},
    {Family::ipv6, CfgAttribute::internal_ip6_address, CfgAttribute::internal_ip6_dns},
};

bool is_lent(const Connection& connection, const ChildConfig& config) {
    return !connection.pools.empty() && config.mode == Mode::tunnel && config.remote.empty();
}
bool is_borrowed(const Connection& connection, const ChildConfig& config) {
    return connection.request_address && config.mode == Mode::tunnel && config.local.empty();
}

/// Of the networks that are reached by a borrowed address; both where that says nothing.
std::vector<Kind> wanted_kinds(const Connection& connection) {
    std::vector<Kind> out;
    for (const Kind& kind : kinds)
        if (std::ranges::any_of(connection.children, [&](const ChildConfig& config) {
                return is_borrowed(connection, config) &&
                       std::ranges::any_of(config.remote,
                                           [&](const Prefix& network) { return network.family() == kind.family; });
            }))
            out.push_back(kind);
    if (out.empty()) out.assign(std::begin(kinds), std::end(kinds));
    return out;
}

std::optional<Address> address_of(const Octets& value, Family family) {
    const std::size_t octets = family == Family::ipv4 ? 4 : ip6_address_octets;
    if (value.size() < octets) return {};
    return Address::from_octets(std::span{value}.first(octets));
}
bool is_host(const Address& address) {
    if (address.is_unspecified() || address.is_multicast()) return false;
    if (!address.is_v4()) return address != Address::parse("::1").value();
    return address.v4_number() >> 24 != 127 && address.v4_number() >> 28 != 15;  // RFC 1122 3.2.1.3
}

Octets octets_of(const Address& address, bool with_length) {
    Octets out{address.octets().begin(), address.octets().end()};
    if (with_length && !address.is_v4()) out.push_back(std::byte{128});  // itself, and nobody beside it
    return out;
}

std::vector<TrafficSelector> selectors_of(const std::vector<Prefix>& prefixes, const ChildConfig& config,
                                          const PortRange& ports) {
    std::vector<TrafficSelector> out;
    for (const Prefix& prefix : prefixes) out.push_back(to_traffic_selector(prefix, config.ip_protocol, ports));
    return out;
}
std::vector<Prefix> hosts(const std::vector<Address>& addresses) {
    std::vector<Prefix> out;
    for (const Address& address : addresses) out.push_back(Prefix::host(address));
    return out;
}

const Configuration* find_configuration(const Payloads& payloads, CfgType type) {
    const auto* found = find<Configuration>(payloads);
    return found != nullptr && found->type == type ? found : nullptr;
}
const Configuration::Attribute* find_attribute(const Configuration& configuration, CfgAttribute type) {
    const auto found = std::ranges::find(configuration.attributes, type, &Configuration::Attribute::type);
    return found == configuration.attributes.end() ? nullptr : &*found;
}

std::string texts(const std::vector<Address>& addresses) {
    std::string out;
    for (const Address& address : addresses) out.append(out.empty() ? "" : ", ").append(address.text());
    return out;
}

}  // namespace

TrafficPair traffic_between(const IkeSa& sa, const ChildConfig& config) {
    const Connection& connection = *sa.connection;
    TrafficPair out = configured_traffic(config, sa.local.address, sa.remote.address);
    if (is_lent(connection, config))
        out.remote = selectors_of(hosts(sa.internal_addresses), config, config.remote_ports);
    if (is_borrowed(connection, config)) {
        auto prefixes = hosts(sa.internal_addresses);
        if (prefixes.empty())  // 2.19: all there is, which the answer narrows
            for (const Kind& kind : wanted_kinds(connection)) prefixes.push_back(Prefix::everything(kind.family));
        out.local = selectors_of(prefixes, config, config.local_ports);
    }
    return out;
}

bool is_dynamic(const Connection& connection, const ChildConfig& config) {
    return is_lent(connection, config) || is_borrowed(connection, config);
}

// ---- initiator

void Turn::ask_for_address(const IkeSa& sa, Payloads& payloads) const {
    const Connection& connection = *sa.connection;
    if (!connection.request_address) return;
    const IkeSa* const before = sa.replaces != IkeSaId{} ? established(connection) : nullptr;
    Configuration request{CfgType::request, {}};
    for (const Kind& kind : wanted_kinds(connection)) {
        Octets value;
        if (before != nullptr)  // rather the one that is in use
            for (const Address& address : before->internal_addresses)
                if (address.family() == kind.family) value = octets_of(address, true);
        request.attributes.push_back({kind.address, std::move(value)});
        request.attributes.push_back({kind.dns, {}});
    }
    payloads.emplace_back(std::move(request));
}

/// The error is what the operator is told: without an address there is no use in the IKE SA (3.15.4).
Result<void> Turn::take_address(IkeSa& sa, const Payloads& payloads) {
    const Connection& connection = *sa.connection;
    if (!connection.request_address) return {};
    if (const Configuration* reply = find_configuration(payloads, CfgType::reply))
        for (const Kind& kind : wanted_kinds(connection)) {
            const auto* lent = find_attribute(*reply, kind.address);
            const auto address = lent == nullptr ? std::nullopt : address_of(lent->value, kind.family);
            if (address && is_host(*address)) sa.internal_addresses.push_back(*address);
            for (const auto& [type, value] : reply->attributes)
                if (type == kind.dns && sa.internal_dns.size() < most_dns)
                    if (const auto server = address_of(value, kind.family); server && is_host(*server))
                        sa.internal_dns.push_back(*server);
        }
    if (sa.internal_addresses.empty()) {
        const Notify* const error = first_error(payloads);
        return fail(Errc::not_found,
                    "the peer lends us no address" + (error == nullptr ? "" : ": " + name_of(error->type)));
    }
    tell(Tell::Level::info, &sa,
         "the peer lends us " + texts(sa.internal_addresses) +
             (sa.internal_dns.empty() ? "" : ", DNS " + texts(sa.internal_dns)));
    return {};
}

// ---- responder

/// 3.15.4: what can be had of what is asked for. Appends the reply, if there is anything in it.
void Turn::lend_addresses(IkeSa& sa, const Payloads& payloads, Payloads& answer) {
    const Connection& connection = *sa.connection;
    const Configuration* const request = find_configuration(payloads, CfgType::request);
    if (connection.pools.empty() || request == nullptr) return;
    Configuration reply{CfgType::reply, {}};
    bool asked = false;
    for (const Kind& kind : kinds) {
        const auto* const wish = find_attribute(*request, kind.address);
        asked = asked || wish != nullptr;
        std::optional<Address> lent;
        for (const Prefix& pool : connection.pools) {
            if (wish == nullptr || lent || pool.family() != kind.family) continue;
            lent = engine.pools_.lend(pool, sa.remote_id, address_of(wish->value, kind.family),
                                      connection.uniqueness != Uniqueness::never);
            if (!lent) continue;
            sa.internal_addresses.push_back(*lent);
            reply.attributes.push_back({kind.address, octets_of(*lent, true)});
            if (kind.family == Family::ipv4 &&
                find_attribute(*request, CfgAttribute::internal_ip4_netmask) != nullptr) {
                Octets mask;
                Writer{mask}.u32(static_cast<std::uint32_t>(~((std::uint64_t{1} << (32 - pool.length())) - 1)));
                reply.attributes.push_back({CfgAttribute::internal_ip4_netmask, std::move(mask)});
            }
        }
        if (find_attribute(*request, kind.dns) != nullptr)
            for (const Address& server : connection.dns)
                if (server.family() == kind.family) reply.attributes.push_back({kind.dns, octets_of(server, false)});
    }
    if (asked && sa.internal_addresses.empty()) {
        sa.out_of_addresses = true;
        return tell(Tell::Level::error, &sa,
                    "no address is left for " + text_of(sa.remote_id) + " of what it asks for");
    }
    if (!sa.internal_addresses.empty())
        tell(Tell::Level::info, &sa, "lends " + text_of(sa.remote_id) + " " + texts(sa.internal_addresses));
    if (!reply.attributes.empty()) answer.emplace_back(std::move(reply));
}

/// Why a child that wants an address cannot be had; nothing: it has one, or wants none.
std::optional<Refused> Turn::lacks_address(const IkeSa& sa, const ChildConfig& config) const {
    if (!is_lent(*sa.connection, config) || !sa.internal_addresses.empty()) return {};
    if (sa.out_of_addresses)
        return Refused{notify(NotifyType::internal_address_failure), "no address is left for child " + config.name};
    return Refused{notify(NotifyType::failed_cp_required),
                   "child " + config.name + " is for peers who ask for an address, and this one did not"};
}

/// An IKE SA that has ended needs them no longer.
void Turn::return_addresses(IkeSa& sa) {
    const bool ends = sa.state == IkeState::deleting || sa.state == IkeState::closed || sa.state == IkeState::dead;
    if (!ends || sa.internal_addresses.empty()) return;
    if (!sa.connection->pools.empty())
        for (const Address& address : sa.internal_addresses) engine.pools_.give_back(address);
    sa.internal_addresses.clear();
}

}  // namespace torii::ike
