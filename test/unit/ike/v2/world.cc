#include "world.h"

#include <algorithm>
#include <cstdlib>

#include "ike/message/message.h"

namespace torii::ike::test {

// ---- Sad

Result<void> Sad::apply(std::vector<control::Operation> operations) {
    if (std::exchange(refuse_next, false)) return fail(Errc::exists, "refused by the test");
    for (const control::Operation& operation : operations)  // whole or not at all
        if (const auto* to = std::get_if<control::MoveSa>(&operation)) TORII_CHECK(may_move(*to));
    for (control::Operation& operation : operations) {
        if (auto* add = std::get_if<control::AddSa>(&operation)) {
            const control::SaId id = add->spec.id;
            // destination, protocol and SPI make an SA unique, as in the gateway
            for (const auto& [other, entry] : sas_)
                if (other.destination == id.destination && other.protocol == id.protocol && other.spi == id.spi)
                    return fail(Errc::exists, "there is such an SA");
            const auto key = add->spec.cipher_key.empty() ? add->spec.auth_key.octets() : add->spec.cipher_key.octets();
            const std::vector<std::byte> mine(key.begin(), key.end());
            if (mine.empty() && id.protocol != IpsecProtocol::ipcomp)
                return fail(Errc::bad_key_length, "an SA without keys");
            if (!mine.empty() && !spent_keys_.insert(mine).second)
                return fail(Errc::exists, "an SA had this key before");
            Entry entry{std::move(add->spec), 0, ++order_};
            sas_.emplace(id, std::move(entry));
        } else if (const auto* to = std::get_if<control::MoveSa>(&operation)) {
            move(*to);
        } else if (const auto* del = std::get_if<control::DeleteSa>(&operation)) {
            if (sas_.erase(del->id) == 0) return fail(Errc::not_found, "there is no such SA");
        } else if (const auto* policy = std::get_if<control::AddPolicy>(&operation)) {
            for (const Policy& other : policies_)
                if (other.direction == policy->policy.direction && other.selector == policy->policy.selector)
                    return fail(Errc::exists, "there is such a policy");
            policies_.push_back(policy->policy);
            std::ranges::stable_sort(policies_, std::greater{}, &Policy::priority);
        } else if (const auto* update = std::get_if<control::UpdatePolicy>(&operation)) {
            std::erase_if(policies_, [&](const Policy& other) {
                return other.direction == update->policy.direction && other.selector == update->policy.selector;
            });
            policies_.push_back(update->policy);
            std::ranges::stable_sort(policies_, std::greater{}, &Policy::priority);
        } else if (const auto* gone = std::get_if<control::DeletePolicy>(&operation)) {
            const auto erased = std::erase_if(policies_, [&](const Policy& other) {
                return other.direction == gone->direction && other.selector == gone->selector;
            });
            if (erased == 0) return fail(Errc::not_found, "there is no such policy");
        }
    }
    return {};
}

Result<void> Sad::may_move(const control::MoveSa& to) const {
    if (!sas_.contains(to.id)) return fail(Errc::not_found, "there is no such SA to be moved");
    for (const auto& [other, entry] : sas_)
        if (other != to.id && other.destination == to.destination && other.protocol == to.id.protocol &&
            other.spi == to.id.spi)
            return fail(Errc::exists, "there is such an SA");
    return {};
}

void Sad::move(const control::MoveSa& to) {
    auto node = sas_.extract(to.id);
    Entry& entry = node.mapped();
    entry.former.push_back(to.id.destination);
    entry.spec.id.source = to.source;
    entry.spec.id.destination = to.destination;
    entry.spec.udp = to.udp;
    node.key() = entry.spec.id;
    sas_.insert(std::move(node));
}

void Sad::forget() {
    sas_.clear();
    policies_.clear();
}

std::uint64_t Sad::packets(const control::SaId& sa) const {
    const auto found = sas_.find(sa);
    return found == sas_.end() ? 0 : found->second.packets;
}

const Policy* Sad::policy(Direction direction, const PacketSelector& packet) const {
    for (const Policy& policy : policies_)
        if (policy.direction == direction && matches(policy.selector, packet) == Match::yes) return &policy;
    return nullptr;
}

Sad::Entry* Sad::outbound(const Request& request, const Endpoints& ends) {
    Entry* newest = nullptr;
    for (auto& [id, entry] : sas_) {
        if (id.source != ends.source || id.destination != ends.destination || id.protocol != request.protocol) continue;
        if (entry.spec.reqid != request.reqid || entry.spec.mode != request.mode) continue;
        if (newest == nullptr || entry.order > newest->order) newest = &entry;
    }
    return newest;
}

Sad::Entry* Sad::inbound(const control::SaId& id) {
    const auto found = sas_.find(id);
    return found == sas_.end() ? nullptr : &found->second;
}

std::string World::tail(std::size_t lines) const {
    std::string out;
    for (std::size_t i = ladder.size() > lines ? ladder.size() - lines : 0; i < ladder.size(); ++i)
        out += ladder[i] + "\n";
    return out;
}

bool Node::said(std::string_view text) const {
    return std::ranges::any_of(told, [&](const Tell& t) { return t.text.find(text) != std::string::npos; });
}

// ---- World

World::World(std::uint64_t seed) : random(seed), seed_(seed) {}

Node& World::add(std::string name, EngineConfig config) {
    auto node = std::make_unique<Node>();
    node->name = std::move(name);
    node->crypto = *CryptoContext::deterministic(seed_ * 1000 + nodes_.size());
    configs_.push_back(config);
    node->engine = std::make_unique<Engine>(*node->crypto, std::move(config), node->sad);
    addresses[address_of(static_cast<unsigned>(nodes_.size() + 1))] = nodes_.size();
    nodes_.push_back(std::move(node));
    return *nodes_.back();
}

void World::restart(std::size_t i) {
    Node& node = *nodes_[i];
    ladder.push_back("-- " + node.name + " restarts");
    node.engine.reset();
    node.sad.forget();
    node.crypto = *CryptoContext::deterministic(seed_ * 1000 + i + 100 * ++restarts_);
    node.engine = std::make_unique<Engine>(*node.crypto, configs_[i], node.sad);
    perform(node, node.engine->begin(now()));
}

Node* World::owner(const Address& address) {
    const auto found = addresses.find(address);
    return found == addresses.end() ? nullptr : nodes_[found->second].get();
}

void World::perform(Node& node, Actions actions) {
    for (Action& action : actions) {
        if (auto* send = std::get_if<Send>(&action)) {
            ++sent;
            record.push_back(send->datagram);
            Datagram datagram = send->datagram;
            std::uniform_real_distribution<double> chance{0, 1};
            const bool lost = (tap && !tap(datagram)) || (loss > 0 && chance(random) < loss);
            ladder.push_back(std::to_string(clock.count()) + " " + node.name + (lost ? " --x " : " --> ") +
                             brief(datagram));
            if (lost) continue;
            for (unsigned copies = repeat > 0 && chance(random) < repeat ? 2 : 1; copies > 0; --copies) {
                const auto spread = static_cast<std::uint64_t>((most_delay - least_delay).count()) + 1;
                flights.push_back(
                    {clock + least_delay + Instant{static_cast<std::int64_t>(random() % spread)}, ++order_, datagram});
            }
        } else if (auto* apply = std::get_if<Apply>(&action)) {
            const auto applied = node.sad.apply(std::move(apply->operations));
            if (applied) continue;
            ladder.push_back("!! " + node.name + ": " + applied.error().message);
            node.told.push_back({Tell::Level::error, {}, "", "SAD: " + applied.error().message});
            if (apply->child) perform(node, node.engine->refused(*apply->child, applied.error(), now()));
        } else if (const auto* tell = std::get_if<Tell>(&action)) {
            node.told.push_back(*tell);
            if (tell->level != Tell::Level::debug) ladder.push_back("   " + node.name + ": " + tell->text);
        }
    }
}

void World::begin() {
    for (auto& node : nodes_) perform(*node, node->engine->begin(now()));
}

bool World::step(Instant limit) {
    Instant next = limit;
    const auto flight = std::ranges::min_element(flights, [](const Flight& a, const Flight& b) {
        return std::pair{a.arrives, a.order} < std::pair{b.arrives, b.order};
    });
    if (flight != flights.end()) next = std::min(next, flight->arrives);
    Node* due = nullptr;
    for (auto& node : nodes_)
        if (node->up && node->engine->next_tick() < next) {
            next = node->engine->next_tick();
            due = node.get();
        }
    if (next >= limit) {
        clock = std::max(clock, limit);
        return false;
    }
    clock = std::max(clock, next);
    if (due != nullptr) {
        perform(*due, due->engine->tick(now()));
        return true;
    }
    deliver(static_cast<std::size_t>(flight - flights.begin()));
    return true;
}

void World::deliver(std::size_t flight) {
    Flight arrived = std::move(flights[flight]);
    flights.erase(flights.begin() + static_cast<std::ptrdiff_t>(flight));
    // what was the sender's end is the receiver's other end
    Node* const node = owner(arrived.datagram.remote.address);
    if (node == nullptr || !node->up) return;
    const Datagram datagram{arrived.datagram.remote, arrived.datagram.local, std::move(arrived.datagram.octets)};
    perform(*node, node->engine->receive(datagram, now()));
}

void World::run(Instant time) {
    const Instant end = clock + time;
    while (step(end)) {
    }
}

void World::settle(Instant quiet, Instant limit) {
    const Instant end = clock + limit;
    while (clock < end) {
        Instant next = end;
        for (auto& node : nodes_) next = std::min(next, node->engine->next_tick());
        if (flights.empty() && next > clock + quiet) return;
        step(end);
    }
}

bool World::ping(std::size_t from, std::size_t to, const PacketSelector& packet) {
    Node& sender = *nodes_[from];
    Node& receiver = *nodes_[to];
    const Policy* const policy = sender.sad.policy(Direction::outbound, packet);
    if (policy == nullptr) return false;
    const Policy copy = *policy;
    Endpoints ends{packet.source, packet.destination};
    std::vector<Sad::Entry*> chain;  // as the gateway has it, the innermost first
    for (const Request& request : copy.requests) {
        if (request.endpoints) ends = *request.endpoints;
        Sad::Entry* const out = sender.sad.outbound(request, ends);
        if (out == nullptr) {
            control::Event event;
            event.kind = control::Event::Kind::acquire;
            event.request = request;
            event.packet = packet;
            event.sa = {ends.source, ends.destination, request.protocol, Spi{}};
            perform(sender, sender.engine->acquire(event, &copy, now()));
            return false;
        }
        chain.push_back(out);
    }
    for (Sad::Entry* const out : chain) ++out->packets;
    if (!receiver.up) return false;
    for (const Sad::Entry* const out : chain)
        if (carries && !carries(out->spec)) return false;
    const Policy* const check = receiver.sad.policy(Direction::inbound, packet);
    if (check == nullptr || check->requests.size() != chain.size()) return false;
    for (std::size_t i = 0; i < chain.size(); ++i) {
        Sad::Entry* const in = receives(receiver, chain[i]->spec);
        if (in == nullptr || check->requests[i].reqid != in->spec.reqid) return false;
        ++in->packets;
    }
    return true;
}

/// The receiver's end of an SA: it has the same keys, and packets arrive where it expects them. An address of nobody's
/// is a NAT's.
Sad::Entry* World::receives(Node& receiver, const control::SaSpec& out) {
    for (const auto& [id, entry] : receiver.sad.sas()) {
        const bool arrives =
            addresses.contains(out.id.destination)
                ? id.destination == out.id.destination || std::ranges::count(entry.former, out.id.destination) != 0
                : addresses.contains(id.destination);
        if (id.spi == out.id.spi && id.protocol == out.id.protocol && arrives && owner(id.destination) == &receiver &&
            entry.spec.mode == out.mode && entry.spec.cipher_key.same_as(out.cipher_key) &&
            entry.spec.auth_key.same_as(out.auth_key))
            return receiver.sad.inbound(id);
    }
    return nullptr;
}

// ---- words

Address address_of(unsigned node) { return Address::v4(20u << 24 | node); }

PacketSelector packet_between(unsigned from, unsigned to) {
    PacketSelector packet;
    packet.source = Address::v4(10u << 24 | from << 16 | 5);
    packet.destination = Address::v4(10u << 24 | to << 16 | 5);
    packet.protocol = 17;
    packet.source_port = 4000;
    packet.destination_port = 4001;
    return packet;
}

std::shared_ptr<Connection> connection(unsigned local, unsigned remote, StartAction start) {
    auto made = std::make_shared<Connection>();
    made->name = "to-" + std::to_string(remote);
    made->fingerprint = made->name;
    made->local = address_of(local);
    made->remote = address_of(remote);
    made->shared_keys = std::make_shared<SharedKeys>(*SharedKeys::parse("* a test's key and no other's\n", "psk.txt"));
    made->proposals = {*parse_ike_proposal("aes128gcm16-prfsha256-x25519", LegacyAlgorithms::refused)};
    ChildConfig child;
    child.name = "offices-" + std::to_string(remote);
    child.proposals = {*parse_child_proposal(ProtocolId::esp, "aes128gcm16", LegacyAlgorithms::refused)};
    child.local = {Prefix{Address::v4(10u << 24 | local << 16), 16}};
    child.remote = {Prefix{Address::v4(10u << 24 | remote << 16), 16}};
    child.start = start;
    made->children.push_back(std::move(child));
    return made;
}

EngineConfig config_of(std::vector<std::shared_ptr<const Connection>> connections) {
    EngineConfig config;
    config.connections = std::move(connections);
    config.log_messages = MessageLog::none;  // what nodes said is looked for by its words
    return config;
}

control::Event mismatch(const IkeSa& sa, const ChildSa& child, std::span<const std::byte> packet) {
    control::Event event{.kind = control::Event::Kind::selector_mismatch, .sa = inbound_sa(sa, child)};
    event.start.size = static_cast<std::uint8_t>(std::min(packet.size(), event.start.most));
    std::ranges::copy(packet.first(event.start.size), event.start.octets.begin());
    return event;
}

std::string brief(const Datagram& datagram) {
    const auto header = parse_header(datagram.octets);
    if (!header) return "no IKE message";
    return name_of(header->exchange) + (header->response ? " response " : " request ") +
           std::to_string(header->message_id) + " to " + datagram.remote.text() + ", " +
           std::to_string(datagram.octets.size()) + " octets";
}

std::size_t count(const Node& node, IkeState state) {
    std::size_t n = 0;
    node.engine->each([&](const IkeSa& sa) { n += sa.state == state; });
    return n;
}

std::size_t count_children(const Node& node, ChildSa::State state) {
    std::size_t n = 0;
    node.engine->each([&](const IkeSa& sa) {
        for (const auto& child : sa.children) n += child->state == state && child->remove_inbound_at == Instant{};
    });
    return n;
}

const IkeSa* only(const Node& node) {
    const IkeSa* found = nullptr;
    bool several = false;
    node.engine->each([&](const IkeSa& sa) {
        if (sa.state != IkeState::established) return;
        several = found != nullptr;
        found = &sa;
    });
    return several ? nullptr : found;
}

// ---- lives at random

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string holdings(const Node& node) {
    std::string out;
    node.engine->each([&](const IkeSa& sa) {
        out += std::string{name_of(sa.state)} + (sa.superseded ? ", superseded" : "") +
               (sa.initiator ? ", ours" : ", his") + ", queue " + std::to_string(sa.queue.size()) +
               (sa.outstanding ? ", waits" : "") + ", children:";
        for (const auto& child : sa.children)
            out += " " + text_of(child->inbound) + "/" + text_of(child->outbound) + " " +
                   std::string{name_of(child->state)} + (child->inbound_up ? " in" : "") +
                   (child->outbound_up ? " out" : "") + (child->pending_outbound ? " pending" : "");
        out += "; ";
    });
    return out + std::to_string(node.sad.size()) + " SAs, " + std::to_string(node.sad.policies()) + " policies";
}

std::string complaint(const Node& node) {
    if (node.said("SAD: ")) return node.name + " asked the gateway for what it refuses";
    if (node.engine->half_open() != 0) return node.name + " has half-open IKE SAs";
    std::size_t sas = 0;
    std::string wrong;
    node.engine->each([&](const IkeSa& sa) {
        if (sa.state != IkeState::established)
            wrong = node.name + " holds an IKE SA in state " + std::string{name_of(sa.state)};
        if (sa.outstanding || !sa.queue.empty() || !sa.awaited.empty())
            wrong = node.name + " still waits for something";
        for (const auto& child : sa.children) {
            sas += child->inbound_up + child->outbound_up;
            if (child->ipcomp) sas += child->ipcomp->inbound_up + child->ipcomp->outbound_up;
            if (child->state != ChildSa::State::installed)
                wrong = node.name + " holds a child in state " + std::string{name_of(child->state)};
            if (child->pending_outbound) wrong = node.name + " has a child that never sends";
        }
    });
    if (!wrong.empty()) return wrong;
    if (node.sad.size() != sas)
        return node.name + " has " + std::to_string(node.sad.size()) + " SAs in the gateway and " +
               std::to_string(sas) + " in mind";
    return {};
}

std::string complaint(World& world) {
    for (std::size_t i = 0; i < world.size(); ++i)
        if (auto wrong = complaint(world[i]); !wrong.empty()) return wrong;
    return {};
}

}  // namespace torii::ike::test
