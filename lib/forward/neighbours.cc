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
    for (const auto& [address, neighbour] : by_address_)
        for (rte_mbuf* mbuf : neighbour->waiting) actions_.discard(mbuf, Drop::shutting_down);
}

const LocalInterface* Neighbours::interface_at(std::uint16_t port) const {
    const auto at = std::ranges::find(interfaces_, port, &LocalInterface::port);
    return at == interfaces_.end() ? nullptr : &*at;
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
    by_address_[address] = place.get();
    publish(*place);
    return place.get();
}

HopIndex Neighbours::want(const Address& address, std::uint16_t port, SteadyTime now, bool pinned) {
    if (const auto known = by_address_.find(address); known != by_address_.end()) {
        Neighbour& neighbour = *known->second;
        neighbour.pinned |= pinned;
        if (neighbour.state == NeighbourState::failed && now - neighbour.last_asked >= retry) {
            neighbour.state = NeighbourState::incomplete;
            neighbour.asked = 0;
            ask(neighbour, now);
        }
        return neighbour.hop;
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
    if (ours == nullptr || ours->addresses.empty() || !neighbour.address.is_v4()) return;
    const auto same_network =
        std::ranges::find_if(ours->addresses, [&](const auto& a) { return a.second.contains(neighbour.address); });
    const Address& sender = same_network == ours->addresses.end() ? ours->addresses.front().first : same_network->first;
    const bool refresh = neighbour.state == NeighbourState::probing;  // RFC 1122 2.3.2.1: ask it directly
    actions_.send_arp(neighbour.port, refresh ? neighbour.mac : broadcast,
                      arp_packet(request, ours->mac, sender.v4_number(), nobody, neighbour.address.v4_number()));
}

Drop Neighbours::arrived(std::uint16_t port, const ArpIpv4& arp, SteadyTime now) {
    const LocalInterface* const ours = interface_at(port);
    const bool ethernet_ipv4 = arp.hardware == 1 && arp.protocol == static_cast<std::uint16_t>(EtherType::ipv4) &&
                               arp.hardware_octets == 6 && arp.protocol_octets == 4;
    const bool group = (arp.sender_mac[0] & 1) != 0;
    if (ours == nullptr || !ethernet_ipv4 || group || arp.sender_mac == nobody.octets) return Drop::bad_arp;
    const Address sender = Address::v4(arp.sender), target = Address::v4(arp.target);
    const auto is_ours = [&](const Address& a) {
        return std::ranges::any_of(ours->addresses, [&](const auto& own) { return own.first == a; });
    };
    if (is_ours(sender)) return Drop::bad_arp;
    const bool asked_for_us = is_ours(target) || (ours->answers_for_all && target != sender);
    const bool on_link =
        std::ranges::any_of(ours->addresses, [&](const auto& own) { return own.second.contains(sender); });

    const MacAddress sender_mac{arp.sender_mac};
    const auto known = by_address_.find(sender);
    if (known != by_address_.end() && known->second->port == port) {
        // Unasked answers refresh nobody but those we know; a stranger's gratuitous ARP adds nothing (RFC 826).
        if (known->second->state != NeighbourState::fixed) resolve(*known->second, sender_mac, now);
    } else if (known == by_address_.end() && asked_for_us && on_link && !ours->answers_for_all) {
        if (Neighbour* const neighbour = add(sender, port, now)) resolve(*neighbour, sender_mac, now);
    }
    if (arp.operation == request && asked_for_us)
        actions_.send_arp(port, sender_mac,
                          arp_packet(reply, ours->mac, target.v4_number(), sender_mac, sender.v4_number()));
    return Drop::none;
}

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
        by_address_.erase(neighbour->address);
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
        next->ethernet = {neighbour.mac.octets, ours->mac.octets, static_cast<std::uint16_t>(EtherType::ipv4)};
    }
    next->resolved = neighbour.state != NeighbourState::incomplete && neighbour.state != NeighbourState::failed;
    actions_.publish_hop(neighbour.hop, std::move(next));
}

void Neighbours::tick(SteadyTime now) {
    for (const auto& [address, each] : by_address_) {
        Neighbour& neighbour = *each;
        switch (neighbour.state) {
            case NeighbourState::fixed:
            case NeighbourState::failed: break;
            case NeighbourState::reachable:
                if (now - neighbour.since < fresh_for) break;
                neighbour.state = NeighbourState::probing;
                ask(neighbour, now);
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
