#include "ladder.h"

#include "../credentials/authority.h"
#include "catch.h"
#include "ike/crypto/message_cipher.h"

namespace torii::ike::test {

World two_offices(const std::shared_ptr<Connection>& first, const std::shared_ptr<Connection>& second,
                  std::uint64_t seed) {
    World world{seed};
    world.add("tokyo", config_of({first}));
    world.add("newyork", config_of({second}));
    world.begin();
    return world;
}

World two_offices(std::uint64_t seed) { return two_offices(connection(1, 2), connection(2, 1), seed); }

std::shared_ptr<Connection> with_children(unsigned local, unsigned remote, unsigned n) {
    auto c = connection(local, remote);
    const ChildConfig first = c->children[0];
    c->children.clear();
    for (unsigned i = 0; i < n; ++i) {
        ChildConfig child = first;
        child.name = "child-" + std::to_string(i);
        child.local = {Prefix{Address::v4(10u << 24 | local << 16 | i << 8), 24}};
        child.remote = {Prefix{Address::v4(10u << 24 | remote << 16 | i << 8), 24}};
        c->children.push_back(std::move(child));
    }
    return c;
}

bool order(World& world, std::size_t node, std::string_view verb, const std::string& name) {
    Engine& engine = *world[node].engine;
    auto actions = verb == "up"      ? engine.up(name, world.now())
                   : verb == "down"  ? engine.down(name, world.now())
                   : verb == "rekey" ? engine.rekey(name, world.now())
                                     : engine.reauth(name, world.now());
    world.ladder.push_back("** " + world[node].name + ": " + std::string{verb} + " " + name +
                           (actions ? "" : ": " + actions.error().message));
    if (!actions) return false;
    world.perform(world[node], std::move(*actions));
    return true;
}

void bring_up(World& world) {
    REQUIRE(order(world, 0, "up", "to-2"));
    world.settle();
}

bool both_talk(World& world) {
    return world.ping(0, 1, packet_between(1, 2)) && world.ping(1, 0, packet_between(2, 1));
}

namespace {

std::string disagreement_of(const Node& node, std::size_t ike_sas, std::size_t children) {
    if (node.said("SAD: ")) return node.name + " asked the gateway for what it refuses";
    if (node.engine->size() != ike_sas)
        return node.name + " has " + std::to_string(node.engine->size()) + " IKE SAs, not " + std::to_string(ike_sas);
    if (node.engine->half_open() != 0) return node.name + " has half-open IKE SAs";
    std::string wrong;
    std::size_t there = 0, sas = 0;
    node.engine->each([&](const IkeSa& sa) {
        if (sa.state != IkeState::established) wrong = "an IKE SA is " + std::string{name_of(sa.state)};
        if (sa.outstanding || !sa.queue.empty()) wrong = "something is under way";
        if (sa.superseded) wrong = "an IKE SA is superseded";
        for (const auto& child : sa.children) {
            ++there;
            sas += sas_of(sa, *child).size();
            if (child->state != ChildSa::State::installed) wrong = "a child is " + std::string{name_of(child->state)};
            if (child->pending_outbound || !child->outbound_up || !child->inbound_up) wrong = "a child is half there";
        }
    });
    if (wrong.empty() && there != children)
        wrong = std::to_string(there) + " children, not " + std::to_string(children);
    if (wrong.empty() && node.sad.size() != sas)
        wrong = std::to_string(node.sad.size()) + " SAs in the gateway, not " + std::to_string(sas);
    return wrong.empty() ? wrong : node.name + ": " + wrong;
}

const SecretBytes& encryption_key(const IkeSa& sa, bool of_initiator) { return of_initiator ? sa.keys.ei : sa.keys.er; }
const SecretBytes& integrity_key(const IkeSa& sa, bool of_initiator) { return of_initiator ? sa.keys.ai : sa.keys.ar; }

std::unique_ptr<MessageCipher> cipher_for(World& world, const Header& header) {
    std::unique_ptr<MessageCipher> out;
    for (std::size_t i = 0; i < world.size(); ++i)
        world[i].engine->each([&](const IkeSa& sa) {
            if (out || !sa.opening || sa.spi_initiator != header.initiator_spi ||
                sa.spi_responder != header.responder_spi)
                return;
            auto made =
                MessageCipher::make(made::context(), sa.suite, encryption_key(sa, header.from_initiator).octets(),
                                    integrity_key(sa, header.from_initiator).octets());
            if (made) out = std::move(*made);
        });
    return out;
}

}  // namespace

std::string disagreement(World& world, std::size_t ike_sas, std::size_t children) {
    for (std::size_t i = 0; i < world.size(); ++i)
        if (auto wrong = disagreement_of(world[i], ike_sas, children); !wrong.empty()) return wrong;
    if (ike_sas == 0) return {};
    const IkeSa* const a = only(world[0]);
    const IkeSa* const b = only(world[1]);
    if (a->spi_initiator != b->spi_initiator || a->spi_responder != b->spi_responder || a->initiator == b->initiator)
        return "the ends do not hold the same IKE SA";
    for (const auto& child : a->children) {
        const ChildSa* const other = b->child_by_inbound(child->outbound);
        if (other == nullptr || other->outbound != child->inbound) return "the ends do not hold the same children";
    }
    return children != 0 && !both_talk(world) ? "no packet arrives" : "";
}

std::optional<Opened> open(World& world, const Datagram& datagram) {
    const auto taken = split(datagram.octets);
    if (!taken) return {};
    PayloadType first = taken->first;
    Octets octets(taken->clear.begin(), taken->clear.end());
    if (taken->encrypted) {
        if (taken->encrypted->fragments != 0) return {};
        const auto cipher = cipher_for(world, taken->header);
        if (!cipher) return {};
        auto inner = cipher->open(*taken->encrypted);
        if (!inner) return {};
        first = taken->encrypted->inner_first;
        octets = std::move(*inner);
    }
    auto payloads = parse_payloads(first, octets);
    if (!payloads) return {};
    return Opened{taken->header, std::move(*payloads)};
}

bool rewrite(World& world, Datagram& datagram, const std::function<void(Opened&)>& change) {
    auto opened = open(world, datagram);
    if (!opened) return false;
    const auto cipher = cipher_for(world, opened->header);
    change(*opened);
    if (opened->header.exchange == ExchangeType::ike_sa_init) {
        datagram.octets = build_message(opened->header, opened->payloads);
        return true;
    }
    const PayloadType first = opened->payloads.empty() ? PayloadType::none : type_of(opened->payloads.front());
    auto sealed = cipher->seal(opened->header, first, build_payloads(opened->payloads));
    if (!sealed) return false;
    datagram.octets = std::move(*sealed);
    return true;
}

std::vector<Octets> cut(World& world, const Datagram& datagram, std::size_t octets) {
    const auto opened = open(world, datagram);
    if (!opened || opened->payloads.empty()) return {};
    auto sealed = cipher_for(world, opened->header)
                      ->seal_fragments(opened->header, type_of(opened->payloads.front()),
                                       build_payloads(opened->payloads), octets);
    return sealed ? std::move(*sealed) : std::vector<Octets>{};
}

}  // namespace torii::ike::test
