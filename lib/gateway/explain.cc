// `torii explain`: a packet that nobody sent is taken through the live tables by the worker's own decide(), and each
// thing that decide() came across is told. Control thread; it reads what it has published itself.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

#include "dataplane/chain_size.h"
#include "dataplane/inbound_check.h"
#include "dataplane/verdict.h"
#include "gateway/gateway.h"

namespace torii {

using control::Explanation;
using control::PolicyMention;
using control::SpdAnswer;

namespace {

std::string upper(std::string_view word) {
    std::string out{word};
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return out;
}

/// As setkey writes it: "esp/tunnel/20.0.0.1-20.0.0.2/require".
std::string text_of(const Request& request) {
    const std::string ends =
        request.endpoints ? request.endpoints->source.text() + "-" + request.endpoints->destination.text() : "";
    const auto id = static_cast<std::uint32_t>(request.reqid);
    return std::string{name_of(request.protocol)} + "/" + std::string{name_of(request.mode)} + "/" + ends + "/" +
           std::string{name_of(request.level)} + (id != 0 ? ":" + std::to_string(id) : "");
}

PolicyMention mention(const Policy& policy, std::size_t place, std::string_view why = {}) {
    std::string text = policy.selector.text() + " " + upper(name_of(policy.action));
    for (const Request& request : policy.requests) text += " " + text_of(request);
    return {policy.id, place, std::move(text), std::string{why}};
}

/// What this direction of the SPD says, with the policies that nearly said something else.
SpdAnswer search(const SpdIndex& spd, Direction direction, PolicyAction otherwise, const PacketSelector& packet) {
    const auto policies = spd.in_order();
    const Policy* const found = spd.find(packet).policy;
    SpdAnswer answer{
        .direction = direction, .action = found != nullptr ? found->action : otherwise, .policies = policies.size()};
    for (std::size_t i = 0; i < policies.size(); ++i) {
        const Policy& policy = *policies[i];
        if (&policy == found) {
            answer.match = mention(policy, i + 1);
        } else if (answer.match) {
            if (answer.hidden.size() < control::most_mentions && matches(policy, packet) == Match::yes)
                answer.hidden.push_back(mention(policy, i + 1));
        } else if (answer.nearly.size() < control::most_mentions) {
            const auto why = near_miss(policy, packet);
            if (!why.empty()) answer.nearly.push_back(mention(policy, i + 1, why));
        }
    }
    return answer;
}

void say(Explanation& out, std::string stage, std::string text) {
    out.steps.push_back({std::move(stage), std::move(text)});
}

void say(Explanation& out, const SpdAnswer& answer, std::string_view why_not_asked) {
    const std::string stage{name_of(answer.direction)};
    const auto of = [&](const PolicyMention& m) {
        return "policy " + std::to_string(m.place) + " of " + std::to_string(answer.policies) + " (id " +
               std::to_string(static_cast<std::uint32_t>(m.id)) + ")";
    };
    const std::string says = answer.match ? of(*answer.match) + " matches: " + answer.match->text
                                          : "none of " + std::to_string(answer.policies) +
                                                " policies matches: def_policy says " + upper(name_of(answer.action));
    say(out, "spd " + stage,
        answer.asked ? says : "not asked, because " + std::string{why_not_asked} + "; it would say: " + says);
    for (const PolicyMention& m : answer.nearly)
        say(out, "", of(m) + " is asked before, and differs in its " + m.why + " alone: " + m.text);
    for (const PolicyMention& m : answer.hidden)
        say(out, "", of(m) + " matches too, but stands behind and is never reached: " + m.text);
}

void say(Explanation& out, const control::SaMention& sa) {
    const auto& ends = *sa.request.endpoints;
    std::string text = std::string{name_of(sa.request.protocol)} + "/" + std::string{name_of(sa.request.mode)} + " " +
                       ends.source.text() + " -> " + ends.destination.text();
    if (sa.id) {
        char spi[16];
        std::snprintf(spi, sizeof spi, "0x%08x", static_cast<unsigned>(sa.id->spi));
        text += std::string{" spi "} + spi;
    }
    say(out, sa.direction == Direction::inbound ? "sa in" : "sa out", text + ", " + sa.state);
}

void drop(Explanation& out, Drop reason) {
    out.fate = Explanation::Fate::drop;
    out.drop = info(reason).name;
    out.advice = info(reason).advice;
}

/// The packet filter's word on a packet with these selectors, by the workers' own code on a sheet of its own.
bool passes(const Filter& filter, control::Hook hook, const PacketSelector& selector, control::Way way,
            std::uint16_t port) {
    std::array<std::byte, sizeof(Ipv6Header) + 4> octets{};
    const bool v4 = selector.source.is_v4();
    const std::size_t header = v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header), addresses = v4 ? 12 : 8;
    octets[0] = v4 ? std::byte{0x45} : std::byte{0x60};
    std::ranges::copy(selector.source.octets(), &octets[addresses]);
    std::ranges::copy(selector.destination.octets(), &octets[addresses + selector.source.octets().size()]);
    if (is_icmp(selector.protocol)) {
        octets[header] = static_cast<std::byte>(selector.source_port);
        octets[header + 1] = static_cast<std::byte>(selector.destination_port);
    } else {
        const Big16 ports[] = {selector.source_port, selector.destination_port};
        std::memcpy(&octets[header], ports, sizeof ports);
    }
    Packet p;
    p.ip = octets.data();
    p.ip_header_octets = static_cast<std::uint8_t>(header);
    p.ip_octets = static_cast<std::uint16_t>(header + 4);
    p.protocol = selector.protocol;
    const auto counts = std::make_unique<FilterCounts>();
    return filter.passes(hook, p, way, port, *counts);
}

/// An SA's packets as the wire shows them.
PacketSelector on_the_wire(const control::SaId& id) {
    return {.source = id.source, .destination = id.destination, .protocol = static_cast<std::uint8_t>(id.protocol)};
}

/// What stands between the fate and the SPD that was not asked.
std::string_view why_not_asked(const SpdAnswer& answer, const Explanation& out, Arrival arrival) {
    if (answer.direction == Direction::inbound && arrival == Arrival::inside) return "it comes by a protected port";
    if (answer.direction == Direction::inbound && arrival != Arrival::outside) return "it comes from this machine";
    if (out.fate == Explanation::Fate::drop) return "the packet does not get so far";
    if (out.fate == Explanation::Fate::deliver) return "it is for this machine";
    return "it leaves by a protected port";
}

}  // namespace

/// The walk itself: what is told is gathered in `out` on the way.
struct Gateway::Walk {
    const Gateway& gateway;
    const Rules& rules;
    const NextHopTable& hops;
    PacketSelector selector;
    Explanation& out;
    Packet p{};
    HopIndex hop{};
    unsigned mtu = 0;

    const SaEntry* entry(std::uint32_t serial) const {
        const auto at = gateway.database_->sas().find(serial);
        return at == gateway.database_->sas().end() ? nullptr : at->second.get();
    }
    void mention(Direction direction, const Request& request, const SaEntry* sa) {
        control::SaMention m{.direction = direction, .request = request, .id = {}, .state = "missing"};
        if (sa != nullptr) {
            m.id = sa->spec.id;
            m.state = name_of(sa->state);
        } else if (request.level == Level::use || request.protocol == IpsecProtocol::ipcomp) {
            m.state = "optional";
        }
        out.sas.push_back(std::move(m));
    }

    /// The packet comes as its inbound policy asks, as far as there are SAs for that: outermost first.
    void come_protected(const Policy& policy) {
        for (std::size_t i = policy.requests.size(); i-- > 0;) {
            Request request = policy.requests[i];
            request.endpoints = ends_of(policy, i, selector);
            const auto sas = gateway.database_->between(*request.endpoints, request.protocol);
            const auto at = std::ranges::find_if(sas, [&](const SaPtr& sa) {
                return sa->inbound != nullptr && answers(*sa->inbound, request, *request.endpoints);
            });
            const SaEntry* const sa = at == sas.end() ? nullptr : (*at).get();
            mention(Direction::inbound, request, sa);
            if (sa != nullptr && request.protocol != IpsecProtocol::ipcomp) p.used[p.opened++] = sa->inbound;
        }
    }

    void leave_protected(const Policy& policy, ChainCell::Value cell) {
        const bool is_chain = cell.kind() == ChainCell::Kind::chain;
        SaChain one;
        if (cell.kind() == ChainCell::Kind::one_sa) one = {.size = 1, .sas = {cell.sa()}, .modes = {cell.sa()->mode}};
        const SaChain& chain = is_chain ? *cell.chain() : one;
        std::size_t next = 0;
        for (std::size_t i = 0; i < policy.requests.size(); ++i) {
            Request request = policy.requests[i];
            request.endpoints = ends_of(policy, i, selector);
            const SaEntry* sa = next < chain.size ? entry(chain.sas[next]->serial) : nullptr;
            const auto fits = [&](const control::SaId& id) {
                return id.protocol == request.protocol && Endpoints{id.source, id.destination} == *request.endpoints;
            };
            if (sa != nullptr && !fits(sa->spec.id)) sa = nullptr;
            mention(Direction::outbound, request, sa);
            if (sa == nullptr) continue;
            const OutboundSa& block = *chain.sas[next];
            if (chain.modes[next++] == Mode::tunnel || hop == HopIndex::none)
                hop = HopIndex{block.next_hop.load(std::memory_order_relaxed)};
            mtu = block.mtu.load(std::memory_order_relaxed);
        }
        if (chain.size == 0) return;
        p.chain = is_chain ? &chain : nullptr;
        p.outbound_sa = chain.sas[0];
        p.family = selector.source.family();
        p.ip_header_octets = p.family == Family::ipv4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
        p.ip_octets = p.ip_header_octets;
        out.largest_octets = fitting_octets(p);
        p.chain = nullptr;
    }

    void decide_fate(const Verdict& verdict, const Trail& trail) {
        if (verdict.kind == Verdict::Kind::drop) return drop(out, verdict.reason);
        hop = verdict.hop;
        if (verdict.kind == Verdict::Kind::local || verdict.kind == Verdict::Kind::ike ||
            verdict.kind == Verdict::Kind::gif) {
            out.fate = Explanation::Fate::deliver;
            return;
        }
        out.fate = Explanation::Fate::forward;
        if (verdict.cell != CellIndex::none) {
            const ChainCell::Value cell = rules.cell(verdict.cell).read();
            leave_protected(*trail.outbound->policy, cell);
            if (cell.kind() == ChainCell::Kind::no_sa) return drop(out, Drop::no_sa);
            if (cell.kind() != ChainCell::Kind::clear) out.fate = Explanation::Fate::protect;
        }
        if (hop == HopIndex::none && verdict.kind != Verdict::Kind::glean) drop(out, Drop::no_route);
    }

    /// The gif port that `index` leads into; null: it leads to a wire or nowhere.
    const Gif* gif_at(HopIndex index) const {
        const NextHop* const next = hops.read(index);
        return next != nullptr && is_gif(next->port) ? &rules.gifs.at(next->port) : nullptr;
    }

    void say_way(const Trail& trail) {
        if (trail.route) {
            const Route* const route = trail.route->route;
            out.route = route ? route->destination.text() : "";
            say(out, "route",
                !route       ? "none leads to " + selector.destination.text()
                : route->via ? out.route + " via " + route->via->text() + " on port " + gateway.port_name(route->port)
                             : out.route + " is a network of port " + gateway.port_name(route->port));
        }
    }

    /// Where it leaves, and how large it may be.
    void say_leaving(const Trail& trail) {
        if (out.fate != Explanation::Fate::forward && out.fate != Explanation::Fate::protect) return;
        if (const NextHop* const next = hops.read(hop)) {
            out.neighbour = next->address.text();
            out.port = gateway.port_name(next->port);
            if (next->resolved) out.mac = MacAddress{next->ethernet.destination}.text();
            if (mtu == 0) mtu = next->mtu;
        } else if (trail.route && trail.route->route != nullptr) {
            out.neighbour = trail.route->neighbour.text();
            out.port = gateway.port_name(trail.route->route->port);
            if (mtu == 0) mtu = gateway.mtu_of(trail.route->route->port);
        }
        out.mtu = mtu;
        if (out.fate == Explanation::Fate::forward) out.largest_octets = mtu;
        if (gif_at(hop) != nullptr) {
            out.mac.clear();
            say(out, "next hop", "gif port " + out.port + " toward " + out.neighbour);
        } else {
            say(out, "next hop",
                out.neighbour + " on port " + out.port +
                    (out.mac.empty() ? ", whose MAC is asked for when the first packet comes" : ", MAC " + out.mac));
        }
        say(out, "size",
            "up to " + std::to_string(out.largest_octets) + " octets fit the MTU of " + std::to_string(mtu) +
                (p.outbound_sa != nullptr ? " with what the SAs add" : ""));
    }

    std::uint16_t port_named(const std::string& name) const {
        return gateway.port_named(name).value_or(NumberedRule::any_port);
    }
    /// The port the packet arrives on; none for what this machine sends itself.
    std::uint16_t arrival_port(const control::Question& question) const {
        if (!question.port.empty()) return port_named(question.port);
        const Route* const back = rules.routes->find(selector.source).route;
        const bool comes_from_there = !rules.routes->is_own(selector.source) && back != nullptr;
        return comes_from_there ? back->port : NumberedRule::any_port;
    }

    /// What the filter marks the packet with where it arrives as `packet`, by itself or with IPsec around it.
    void take_tag(const PacketSelector& packet, const control::Question& question) {
        const Filter* const filter = gateway.publisher_->tables().filter.load();
        const std::uint16_t port = arrival_port(question);
        if (filter == nullptr || port == NumberedRule::any_port || p.arrival == Arrival::gif) return;
        selector.tag = filter->tag_of(control::Hook::wire, packet, control::Way::in, port);
        p.tag = selector.tag;
    }
    void say_tag() const {
        if (selector.tag == Tag::none) return;
        say(out, "tag",
            "the packet filter has marked it \"" + std::string{gateway.database_->tags().name_of(selector.tag)} + "\"");
    }
    /// The tag with which it goes into the gif port that it leaves by.
    Tag tag_of_leaving() const {
        const Filter* const filter = gateway.publisher_->tables().filter.load();
        if (filter == nullptr) return selector.tag;
        PacketSelector leaves_as = selector;
        for (const control::SaMention& sa : out.sas)
            if (sa.id && sa.direction == Direction::outbound) leaves_as = on_the_wire(*sa.id);
        const Tag given = filter->tag_of(control::Hook::wire, leaves_as, control::Way::out, port_named(out.port));
        return given != Tag::none ? given : selector.tag;
    }

    /// The packet filter's hooks in the order of the way: the first that blocks is the packet's fate.
    void ask_filter(const Filter& filter, const control::Question& question) {
        using control::Hook;
        using control::Way;
        std::optional<PacketSelector> came_as, leaves_as;  // with IPsec around it
        for (const control::SaMention& sa : out.sas) {
            if (!sa.id) continue;
            if (sa.direction == Direction::inbound && !came_as) came_as = on_the_wire(*sa.id);
            if (sa.direction == Direction::outbound) leaves_as = on_the_wire(*sa.id);
        }
        const std::uint16_t port = arrival_port(question);
        const auto ask = [&](Hook hook, const PacketSelector& packet, Way way, std::uint16_t at, Drop reason) {
            if (!filter.active(hook) || out.drop.starts_with("filter_")) return;
            const bool may = passes(filter, hook, packet, way, at);
            say(out, "filter",
                "hook " + std::string{name_of(hook)} + (way == Way::in ? " in" : " out") +
                    (may ? " passes it" : " blocks it"));
            if (!may) drop(out, reason);
        };
        if (port != NumberedRule::any_port && p.arrival != Arrival::gif)
            ask(Hook::wire, came_as.value_or(selector), Way::in, port, Drop::filter_wire);
        if (out.fate == Explanation::Fate::drop) return;
        ask(Hook::clear, selector, p.arrival == Arrival::outside ? Way::in : Way::out, port, Drop::filter_clear);
        const bool leaves =
            out.fate == Explanation::Fate::protect || (out.fate == Explanation::Fate::forward && p.opened == 0);
        if (!leaves) return;
        ask(Hook::wire, leaves_as.value_or(selector), Way::out, port_named(out.port), Drop::filter_wire);
    }

    void say_fate() {
        switch (out.fate) {
            case Explanation::Fate::drop: return say(out, "fate", "DROPPED as " + out.drop + ": " + out.advice);
            case Explanation::Fate::deliver:
                return say(out, "fate",
                           p.arrival == Arrival::host || p.arrival == Arrival::self
                               ? "DELIVERED on this machine itself, without the gateway"
                           : gif_at(hop) != nullptr
                               ? "DELIVERED to gif port " + gateway.port_name(hops.read(hop)->port) +
                                     ", by which what is inside has arrived then"
                           : hop == HopIndex::none ? "DELIVERED to the gateway itself"
                                                   : "DELIVERED by the host port");
            case Explanation::Fate::forward:
                return say(out, "fate",
                           gif_at(hop) != nullptr                           ? "FORWARDED into gif port " + out.port
                           : p.arrival == Arrival::outside && p.opened != 0 ? "FORWARDED as it came out of its SA"
                                                                            : "FORWARDED in clear");
            case Explanation::Fate::protect:
                return say(out, "fate",
                           gif_at(hop) != nullptr ? "PROTECTED, and forwarded into gif port " + out.port
                                                  : "PROTECTED and sent");
        }
    }
};

/// Where the packet comes from: the port that was named, this machine for one of its own addresses, or the port behind
/// which its source is.
Result<Arrival> Gateway::origin_of(const control::Question& question, Explanation& out) const {
    const Rules& rules = *publisher_->tables().rules.load();
    const auto by_port = [&](std::uint16_t id) {
        const Arrival arrival = rules.port_arrival[id];
        say(out, "arrival",
            (arrival == Arrival::outside  ? "from outside, by unprotected port "
             : arrival == Arrival::inside ? "from inside, by protected port "
                                          : "from this machine's programs, by host port ") +
                port_name(id));
        return arrival;
    };
    if (!question.port.empty()) {
        const auto named = port_named(question.port);
        if (!named) return fail(Errc::not_found, "there is no port " + question.port);
        return by_port(*named);
    }
    if (rules.routes->is_own(question.packet.source)) {
        say(out, "arrival", "from this machine: " + question.packet.source.text() + " is an address of the gateway's");
        return host_hop_ != HopIndex::none ? Arrival::host : Arrival::self;
    }
    if (const Route* const back = rules.routes->find(question.packet.source).route; back != nullptr)
        return by_port(back->port);
    say(out, "arrival", "no route leads to " + question.packet.source.text() + ": taken to come from outside");
    return Arrival::outside;
}

Result<Explanation> Gateway::explain(const control::Question& question) const {
    if (question.packet.source.family() != question.packet.destination.family())
        return fail(Errc::bad_value, "source and destination are of different families");
    Explanation out;
    say(out, "packet", question.packet.text());
    TORII_TRY(const Arrival arrival, origin_of(question, out));
    follow(question, arrival, 0, out);
    return out;
}

/// `gifs`: envelopes that are around the packet already.
void Gateway::follow(const control::Question& question, Arrival arrival, unsigned gifs, Explanation& out) const {
    const Tables& tables = publisher_->tables();
    const Rules& rules = *tables.rules.load();
    Walk walk{.gateway = *this, .rules = rules, .hops = tables.hops, .selector = question.packet, .out = out};
    walk.p.arrival = arrival;
    Trail trail;
    walk.take_tag(walk.selector, question);
    Verdict verdict = decide(rules, tables.hops, walk.selector, walk.p, 0, &trail);
    const bool in_clear_refused = verdict.reason == Drop::policy_mismatch;
    if (in_clear_refused) {
        walk.come_protected(*trail.inbound->policy);
        if (!out.sas.empty() && out.sas.front().id) walk.take_tag(on_the_wire(*out.sas.front().id), question);
        verdict = decide(rules, tables.hops, walk.selector, walk.p, 0, &trail);
    }
    walk.decide_fate(verdict, trail);
    walk.say_tag();

    SpdAnswer inbound = search(*rules.inbound, Direction::inbound, rules.default_action, walk.selector);
    SpdAnswer outbound = search(*rules.outbound, Direction::outbound, rules.default_action, walk.selector);
    inbound.asked = trail.inbound.has_value();
    outbound.asked = trail.outbound.has_value();
    say(out, inbound, why_not_asked(inbound, out, walk.p.arrival));
    if (in_clear_refused) say(out, "", "in clear it is dropped as policy_mismatch; so it is taken to come through:");
    for (const control::SaMention& sa : out.sas)
        if (sa.direction == Direction::inbound) say(out, sa);
    walk.say_way(trail);
    say(out, outbound, why_not_asked(outbound, out, walk.p.arrival));
    for (const control::SaMention& sa : out.sas)
        if (sa.direction == Direction::outbound) say(out, sa);
    walk.say_leaving(trail);
    if (const Filter* const filter = tables.filter.load()) walk.ask_filter(*filter, question);
    walk.say_fate();
    out.spd = {std::move(inbound), std::move(outbound)};
    const bool leaves = out.fate == Explanation::Fate::forward || out.fate == Explanation::Fate::protect;
    if (const Gif* const gif = leaves ? walk.gif_at(walk.hop) : nullptr) {
        const bool tunnelled = !out.sas.empty() && out.sas.back().request.mode == Mode::tunnel;
        const Address& inside = tunnelled ? out.sas.back().request.endpoints->source : question.packet.source;
        follow_envelope(*gif, inside.family(), walk.tag_of_leaving(), gifs, out);
    }
}

/// What a gif port makes of the packet goes its own way, and the packet's fate is its envelope's.
void Gateway::follow_envelope(const Gif& gif, Family inside, Tag tag, unsigned gifs, Explanation& out) const {
    if (gifs == most_nested_gifs) {
        drop(out, Drop::gif_too_deep);
        return say(out, "fate", "DROPPED as " + out.drop + ": " + out.advice);
    }
    const control::Question envelope{
        .packet = {.source = gif.local, .destination = gif.remote, .protocol = protocol_of(inside), .tag = tag},
        .port = out.port};
    say(out, "envelope", envelope.packet.text());
    Explanation further;
    follow(envelope, Arrival::gif, gifs + 1, further);
    if (further.fate != Explanation::Fate::forward) out.fate = further.fate;
    out.drop = further.drop;
    out.advice = further.advice;
    out.port = further.port;
    out.neighbour = further.neighbour;
    out.mac = further.mac;
    std::ranges::move(further.sas, std::back_inserter(out.sas));
    std::ranges::move(further.steps, std::back_inserter(out.steps));
}

}  // namespace torii
