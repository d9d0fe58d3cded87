#include "forward/neighbours.h"

#include <algorithm>

namespace torii {

namespace {

constexpr std::uint16_t request = 1, reply = 2;  // RFC 826
constexpr MacAddress broadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr MacAddress nobody{};

ArpIpv4 arp_packet(std::uint16_t operation, const MacAddress& sender_mac, std::uint32_t sender,
                   const MacAddress& target_mac, std::uint32_t target) {
    return {.hardware = 1,
            .protocol = static_cast<std::uint16_t>(EtherType::ipv4),
            .hardware_octets = 6,
            .protocol_octets = 4,
            .operation = operation,
            .sender_mac = sender_mac.octets,
            .sender = sender,
            .target_mac = target_mac.octets,
            .target = target};
}

bool owns(const LocalInterface& ours, const Address& address) {
    return std::ranges::any_of(ours.addresses, [&](const auto& own) { return own.first == address; });
}

bool is_on_link(const LocalInterface& ours, const Address& address) {
    return std::ranges::any_of(ours.addresses, [&](const auto& own) { return own.second.contains(address); });
}

/// Who of us asks for `target`: our address in its network; beyond them the link-local one, or the first there is.
/// Null: the port does not speak its family.
const Address* asker_of(const LocalInterface& ours, const Address& target) {
    const Address* best = nullptr;
    for (const auto& [own, network] : ours.addresses) {
        if (network.contains(target)) return &own;
        if (own.family() == target.family() && (best == nullptr || own.is_link_local())) best = &own;
    }
    return best;
}

/// Whether we answer a request by `asker` for `target`. The host port's stack may believe us everyone but itself and
/// those of its own link; while it looks for a twin of an address it is about to take (RFC 4862 5.4, RFC 5227), nobody.
bool answers_for(const LocalInterface& ours, const Address& asker, const Address& target) {
    if (owns(ours, target)) return true;
    return ours.answers_for_all && target != asker && !asker.is_unspecified() && !target.is_link_local();
}

}  // namespace

std::string_view name_of(NeighbourState state) {
    switch (state) {
        case NeighbourState::incomplete: return "incomplete";
        case NeighbourState::reachable: return "reachable";
        case NeighbourState::probing: return "probing";
        case NeighbourState::failed: return "failed";
        case NeighbourState::fixed: return "static";
    }
    return "unknown";
}

Neighbours::Neighbours(std::vector<LocalInterface> interfaces, std::size_t most_held, NeighbourActions& actions)
    : interfaces_(std::move(interfaces)), most_held_(most_held), actions_(actions) {}

Neighbours::~Neighbours() {
    for (const auto& [name, neighbour] : by_name_)
        for (rte_mbuf* mbuf : neighbour->waiting) actions_.discard(mbuf, Drop::shutting_down);
}

const LocalInterface* Neighbours::interface_at(std::uint16_t port) const {
    const auto at = std::ranges::find(interfaces_, port, &LocalInterface::port);
    return at == interfaces_.end() ? nullptr : &*at;
}

Neighbours::Neighbour* Neighbours::find(const Address& address, std::uint16_t port) const {
    const auto at = by_name_.find({address, port});
    return at == by_name_.end() ? nullptr : at->second;
}

Neighbours::Neighbour* Neighbours::add(const Address& address, std::uint16_t port, SteadyTime now) {
    HopIndex hop;
    if (!free_.empty()) {
        hop = free_.back();
        free_.pop_back();
    } else if (neighbours_.size() < most) {
        neighbours_.emplace_back();
        hop = HopIndex{static_cast<std::uint16_t>(neighbours_.size())};
    } else {
        return nullptr;
    }
    auto& place = neighbours_[static_cast<std::size_t>(hop) - 1];
    place = std::make_unique<Neighbour>();
    place->address = address;
    place->port = port;
    place->hop = hop;
    place->since = now;
    by_name_[{address, port}] = place.get();
    publish(*place);
    return place.get();
}

HopIndex Neighbours::want(const Address& address, std::uint16_t port, SteadyTime now, bool pinned) {
    if (Neighbour* const known = find(address, port)) {
        known->pinned |= pinned;
        if (known->state == NeighbourState::failed && now - known->last_asked >= retry) {
            known->state = NeighbourState::incomplete;
            known->asked = 0;
            ask(*known, now);
        }
        return known->hop;
    }
    Neighbour* const neighbour = add(address, port, now);
    if (neighbour == nullptr) return HopIndex::none;
    neighbour->pinned = pinned;
    ask(*neighbour, now);
    return neighbour->hop;
}

HopIndex Neighbours::fix(const Address& address, std::uint16_t port, const MacAddress& mac) {
    Neighbour* const neighbour = add(address, port, SteadyTime{});
    if (neighbour == nullptr) return HopIndex::none;
    neighbour->state = NeighbourState::fixed;
    neighbour->mac = mac;
    publish(*neighbour);
    return neighbour->hop;
}

void Neighbours::hold(HopIndex hop, rte_mbuf* mbuf, SteadyTime now) {
    const auto index = static_cast<std::size_t>(hop);
    if (index == 0 || index > neighbours_.size() || !neighbours_[index - 1])
        return actions_.discard(mbuf, Drop::no_neighbour);
    Neighbour& neighbour = *neighbours_[index - 1];
    want(neighbour.address, neighbour.port, now);
    if (neighbour.state == NeighbourState::failed) return actions_.discard(mbuf, Drop::no_neighbour);
    if (neighbour.state != NeighbourState::incomplete) return actions_.release(mbuf);  // resolved in the meantime
    if (neighbour.waiting.size() == most_waiting || held_ == most_held_) {
        if (neighbour.waiting.empty()) return actions_.discard(mbuf, Drop::neighbour_queue_full);
        actions_.discard(neighbour.waiting.front(), Drop::neighbour_queue_full);
        neighbour.waiting.pop_front();
        --held_;
    }
    // Requests of before somebody waited are of no account, or the first packet would meet the end of their time.
    if (neighbour.waiting.empty()) neighbour.asked = std::min(neighbour.asked, 1u);
    neighbour.waiting.push_back(mbuf);
    ++held_;
}

std::deque<rte_mbuf*> Neighbours::take_waiting(Neighbour& neighbour) {
    held_ -= neighbour.waiting.size();
    return std::exchange(neighbour.waiting, {});
}

void Neighbours::ask(Neighbour& neighbour, SteadyTime now) {
    ++neighbour.asked;
    neighbour.last_asked = now;
    const LocalInterface* const ours = interface_at(neighbour.port);
    const Address* const asker = ours == nullptr ? nullptr : asker_of(*ours, neighbour.address);
    if (asker == nullptr) return;
    const bool directly = neighbour.state == NeighbourState::probing;  // RFC 1122 2.3.2.1, RFC 4861 7.3.3
    if (neighbour.address.is_v4())
        return actions_.send_arp(
            neighbour.port, directly ? neighbour.mac : broadcast,
            arp_packet(request, ours->mac, asker->v4_number(), nobody, neighbour.address.v4_number()));
    const Address to = directly ? neighbour.address : solicited_node(neighbour.address);
    actions_.send_discovery(neighbour.port, directly ? neighbour.mac : multicast_mac(to),
                            {.type = DiscoveryType::solicitation,
                             .source = *asker,
                             .destination = to,
                             .target = neighbour.address,
                             .mac = ours->mac});
}

Drop Neighbours::arrived(std::uint16_t port, const ArpIpv4& arp, SteadyTime now) {
    const LocalInterface* const ours = interface_at(port);
    const bool ethernet_ipv4 = arp.hardware == 1 && arp.protocol == static_cast<std::uint16_t>(EtherType::ipv4) &&
                               arp.hardware_octets == 6 && arp.protocol_octets == 4;
    const bool group = (arp.sender_mac[0] & 1) != 0;
    if (ours == nullptr || !ethernet_ipv4 || group || arp.sender_mac == nobody.octets) return Drop::bad_arp;
    const Address sender = Address::v4(arp.sender), target = Address::v4(arp.target);
    if (owns(*ours, sender)) return Drop::bad_arp;
    const bool asked_for_us = answers_for(*ours, sender, target);

    const MacAddress sender_mac{arp.sender_mac};
    if (Neighbour* const known = find(sender, port)) {
        // Unasked answers refresh nobody but those we know; a stranger's gratuitous ARP adds nothing (RFC 826).
        if (known->state != NeighbourState::fixed) resolve(*known, sender_mac, now);
    } else if (asked_for_us && is_on_link(*ours, sender) && !ours->answers_for_all) {
        if (Neighbour* const neighbour = add(sender, port, now)) resolve(*neighbour, sender_mac, now);
    }
    if (arp.operation == request && asked_for_us)
        actions_.send_arp(port, sender_mac,
                          arp_packet(reply, ours->mac, target.v4_number(), sender_mac, sender.v4_number()));
    return Drop::none;
}

// ---- neighbour discovery

Drop Neighbours::arrived(std::uint16_t port, const MacAddress& from, std::span<const std::byte> packet,
                         SteadyTime now) {
    const auto type = discovery_type_of(packet);
    if (type && *type != DiscoveryType::solicitation && *type != DiscoveryType::advertisement)
        return Drop::router_discovery;
    const LocalInterface* const ours = interface_at(port);
    const auto message = parse_neighbour_message(packet);
    if (ours == nullptr || !message || owns(*ours, message->source)) return Drop::bad_discovery;
    if (message->type == DiscoveryType::solicitation) {
        solicited(*ours, from, *message, now);
    } else {
        if (owns(*ours, message->target)) return Drop::bad_discovery;  // somebody else has our address
        advertised(*ours, *message, now);
    }
    return Drop::none;
}

/// RFC 4861 7.2.3 and 7.2.4.
void Neighbours::solicited(const LocalInterface& ours, const MacAddress& from, const NeighbourMessage& message,
                           SteadyTime now) {
    if (!answers_for(ours, message.source, message.target)) return;
    if (message.mac) hear_of(ours, message.source, *message.mac, now);
    const bool nameless =
        message.source.is_unspecified();  // looks for twins of its address: all are to hear the answer
    const Address to = nameless ? all_nodes() : message.source;
    actions_.send_discovery(ours.port, nameless ? multicast_mac(to) : message.mac.value_or(from),
                            {.type = DiscoveryType::advertisement,
                             .source = message.target,
                             .destination = to,
                             .target = message.target,
                             .mac = ours.mac,
                             .router = true,
                             .solicited = !nameless,
                             .overrides = owns(ours, message.target)});
}

/// A neighbour tells its MAC by asking for us, which does not say that it hears us: it is used, and asked.
void Neighbours::hear_of(const LocalInterface& ours, const Address& address, const MacAddress& mac, SteadyTime now) {
    Neighbour* neighbour = find(address, ours.port);
    if (neighbour == nullptr && is_on_link(ours, address) && !ours.answers_for_all)
        neighbour = add(address, ours.port, now);
    if (neighbour == nullptr || neighbour->state == NeighbourState::fixed) return;
    const bool known = neighbour->state == NeighbourState::reachable || neighbour->state == NeighbourState::probing;
    if (known && neighbour->mac == mac) return;
    resolve(*neighbour, mac, now);
    doubt(*neighbour, now);
}

/// RFC 4861 7.2.5. Whoever did not answer in time is asked anew before it is believed.
void Neighbours::advertised(const LocalInterface& ours, const NeighbourMessage& message, SteadyTime now) {
    Neighbour* const neighbour = find(message.target, ours.port);
    if (neighbour == nullptr || neighbour->state == NeighbourState::fixed || neighbour->state == NeighbourState::failed)
        return;
    const bool incomplete = neighbour->state == NeighbourState::incomplete;
    if (incomplete && !message.mac) return;
    const MacAddress mac = message.mac.value_or(neighbour->mac);
    const bool another = mac != neighbour->mac;
    if (another && !incomplete && !message.overrides) {
        if (neighbour->state == NeighbourState::reachable) doubt(*neighbour, now);
    } else if (message.solicited) {
        resolve(*neighbour, mac, now);
    } else if (another) {
        resolve(*neighbour, mac, now);
        doubt(*neighbour, now);
    }
}

// ---- the life of a neighbour

void Neighbours::resolve(Neighbour& neighbour, const MacAddress& mac, SteadyTime now) {
    const bool news = neighbour.mac != mac || neighbour.state == NeighbourState::incomplete ||
                      neighbour.state == NeighbourState::failed;
    neighbour.state = NeighbourState::reachable;
    neighbour.mac = mac;
    neighbour.since = now;
    neighbour.asked = 0;
    if (news) publish(neighbour);
    for (rte_mbuf* mbuf : take_waiting(neighbour)) actions_.release(mbuf);
}

/// What we know of it may be wrong: it is asked directly, and its MAC is used meanwhile.
void Neighbours::doubt(Neighbour& neighbour, SteadyTime now) {
    neighbour.state = NeighbourState::probing;
    neighbour.asked = 0;
    ask(neighbour, now);
}

void Neighbours::give_up(Neighbour& neighbour, SteadyTime now) {
    neighbour.state = NeighbourState::failed;
    neighbour.since = now;
    publish(neighbour);
    for (rte_mbuf* mbuf : take_waiting(neighbour)) actions_.discard(mbuf, Drop::no_neighbour);
}

/// Packets may still carry the number of a forgotten neighbour's hop: it waits for reuse(). Every flow is decided anew
/// because of it, so this happens seldom and then for many.
void Neighbours::forget_failed(SteadyTime now) {
    if (most - neighbours_.size() + free_.size() >= spare || now - forgot_ < forget_after) return;
    for (auto& neighbour : neighbours_) {
        if (!neighbour || neighbour->state != NeighbourState::failed || neighbour->pinned ||
            now - neighbour->since <= forget_after)
            continue;
        by_name_.erase({neighbour->address, neighbour->port});
        actions_.retire_hop(neighbour->hop);
        forgot_ = now;
        neighbour.reset();
    }
}

void Neighbours::publish(const Neighbour& neighbour) {
    auto next = std::make_unique<NextHop>();
    const LocalInterface* const ours = interface_at(neighbour.port);
    next->port = neighbour.port;
    next->address = neighbour.address;
    if (ours != nullptr) {
        next->mtu = ours->mtu;
        const EtherType type = neighbour.address.is_v4() ? EtherType::ipv4 : EtherType::ipv6;
        next->ethernet = {neighbour.mac.octets, ours->mac.octets, static_cast<std::uint16_t>(type)};
    }
    next->resolved = neighbour.state != NeighbourState::incomplete && neighbour.state != NeighbourState::failed;
    actions_.publish_hop(neighbour.hop, std::move(next));
}

void Neighbours::tick(SteadyTime now) {
    for (const auto& [name, each] : by_name_) {
        Neighbour& neighbour = *each;
        switch (neighbour.state) {
            case NeighbourState::fixed:
            case NeighbourState::failed: break;
            case NeighbourState::reachable:
                if (now - neighbour.since >= (neighbour.address.is_v4() ? fresh_for : fresh_for_v6))
                    doubt(neighbour, now);
                break;
            case NeighbourState::incomplete:
            case NeighbourState::probing:
                if (now - neighbour.last_asked < retry) break;
                if (neighbour.asked >= attempts)
                    give_up(neighbour, now);
                else
                    ask(neighbour, now);
        }
    }
    forget_failed(now);
}

std::vector<Neighbours::View> Neighbours::all(SteadyTime now) const {
    std::vector<View> out;
    for (const auto& n : neighbours_) {
        if (!n) continue;
        const bool known = n->state != NeighbourState::incomplete && n->state != NeighbourState::failed;
        out.push_back({n->address, known ? std::optional{n->mac} : std::nullopt, n->port, n->state,
                       std::chrono::duration_cast<std::chrono::seconds>(now - n->since), n->waiting.size()});
    }
    return out;
}

}  // namespace torii
