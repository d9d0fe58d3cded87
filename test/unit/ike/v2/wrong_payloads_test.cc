// Messages that are authentic and wrong: whoever has the keys may still send nonsense. Each payload of each message of
// a life (negotiation, rekeys of both kinds, liveness, Delete) is left out, doubled and spoilt in every way that its
// kind allows; both ends must come through, keep nothing, and find together again (RFC 7296 2.5, 2.21, 3.1 to 3.16).
#include "catch.h"

#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

using Spoil = std::function<void(Payloads&, std::size_t)>;
struct Spoiling {
    std::string name;
    Spoil spoil;
};

template <class T>
Spoiling way(std::string name, std::function<void(T&)> change) {
    return {std::move(name), [change](Payloads& payloads, std::size_t i) { change(std::get<T>(payloads[i])); }};
}
void flip(Octets& octets) {
    if (!octets.empty()) octets[octets.size() / 2] ^= std::byte{0x40};
}
/// `T` holds octets under `value`.
template <class T>
void add_octet_ways(std::vector<Spoiling>& ways, Octets& (*value)(T&)) {
    ways.push_back(way<T>("one bit is another", [value](T& t) { flip(value(t)); }));
    ways.push_back(way<T>("empty", [value](T& t) { value(t).clear(); }));
    ways.push_back(way<T>("one octet short", [value](T& t) {
        if (!value(t).empty()) value(t).pop_back();
    }));
    ways.push_back(way<T>("long", [value](T& t) { value(t).resize(257, std::byte{7}); }));
    ways.push_back(way<T>("zeros", [value](T& t) { std::ranges::fill(value(t), std::byte{}); }));
}
template <class T>
void add_selector_ways(std::vector<Spoiling>& ways) {
    ways.push_back(way<T>("no selector", [](T& t) { t.selectors.clear(); }));
    ways.push_back(way<T>("backwards", [](T& t) { std::swap(t.selectors[0].low, t.selectors[0].high); }));
    ways.push_back(way<T>("ports backwards", [](T& t) { t.selectors[0].low_port = 9, t.selectors[0].high_port = 8; }));
    ways.push_back(way<T>("everything", [](T& t) {
        t.selectors = {{0, 0, 65535, Address::v4(0), Address::v4(0xffffffff)}};
    }));
    ways.push_back(way<T>("somebody else's", [](T& t) {
        t.selectors = {{0, 0, 65535, Address::v4(99u << 24), Address::v4(99u << 24 | 255)}};
    }));
}
Octets& octets_of(Ke& ke) { return ke.value; }
Octets& octets_of(Nonce& nonce) { return nonce.value; }
Octets& octets_of(IdInitiator& id) { return id.id.data; }
Octets& octets_of(IdResponder& id) { return id.id.data; }
Octets& octets_of(Auth& auth) { return auth.data; }
Octets& octets_of(Notify& notify) { return notify.data; }

std::vector<Spoiling> ways_of(const Payload& payload) {
    std::vector<Spoiling> ways{
        {"left out", [](Payloads& all, std::size_t i) { all.erase(all.begin() + static_cast<std::ptrdiff_t>(i)); }},
        {"doubled", [](Payloads& all,
                       std::size_t i) { all.insert(all.begin() + static_cast<std::ptrdiff_t>(i), Payload{all[i]}); }},
        {"doubled at the end", [](Payloads& all, std::size_t i) { all.push_back(Payload{all[i]}); }},
        {"last", [](Payloads& all, std::size_t i) {
             std::rotate(all.begin() + static_cast<std::ptrdiff_t>(i), all.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                         all.end());
         }}};
    if (std::holds_alternative<Sa>(payload)) {
        ways.push_back(way<Sa>("no proposal", [](Sa& sa) { sa.proposals.clear(); }));
        ways.push_back(way<Sa>("no transform", [](Sa& sa) { sa.proposals[0].transforms.clear(); }));
        ways.push_back(way<Sa>("no SPI", [](Sa& sa) { sa.proposals[0].spi.clear(); }));
        ways.push_back(way<Sa>("SPI 0", [](Sa& sa) { std::ranges::fill(sa.proposals[0].spi, std::byte{}); }));
        ways.push_back(way<Sa>("a long SPI", [](Sa& sa) { sa.proposals[0].spi.resize(16, std::byte{1}); }));
        ways.push_back(way<Sa>("proposal 9", [](Sa& sa) { sa.proposals[0].number = 9; }));
        ways.push_back(way<Sa>("AH", [](Sa& sa) { sa.proposals[0].protocol = ProtocolId::ah; }));
        ways.push_back(way<Sa>("protocol 77", [](Sa& sa) { sa.proposals[0].protocol = ProtocolId{77}; }));
        ways.push_back(way<Sa>("an unknown transform", [](Sa& sa) { sa.proposals[0].transforms[0].id = 999; }));
        ways.push_back(way<Sa>("another key length", [](Sa& sa) { sa.proposals[0].transforms[0].key_bits = 192; }));
        ways.push_back(way<Sa>("a transform twice",
                               [](Sa& sa) { sa.proposals[0].transforms.push_back(sa.proposals[0].transforms[0]); }));
        ways.push_back(way<Sa>("two proposals", [](Sa& sa) { sa.proposals.push_back(sa.proposals[0]); }));
    } else if (std::holds_alternative<Ke>(payload)) {
        ways.push_back(way<Ke>("another method", [](Ke& ke) { ke.method = KeMethod::modp2048; }));
        ways.push_back(way<Ke>("no method", [](Ke& ke) { ke.method = KeMethod{0}; }));
        add_octet_ways<Ke>(ways, octets_of);
    } else if (std::holds_alternative<Nonce>(payload)) {
        add_octet_ways<Nonce>(ways, octets_of);
    } else if (std::holds_alternative<IdInitiator>(payload)) {
        ways.push_back(way<IdInitiator>("of no type", [](IdInitiator& id) { id.id.type = IdType{200}; }));
        add_octet_ways<IdInitiator>(ways, octets_of);
    } else if (std::holds_alternative<IdResponder>(payload)) {
        ways.push_back(way<IdResponder>("of no type", [](IdResponder& id) { id.id.type = IdType{200}; }));
        add_octet_ways<IdResponder>(ways, octets_of);
    } else if (std::holds_alternative<Auth>(payload)) {
        ways.push_back(way<Auth>("another method", [](Auth& auth) { auth.method = AuthMethod::digital_signature; }));
        ways.push_back(way<Auth>("no method", [](Auth& auth) { auth.method = AuthMethod{200}; }));
        add_octet_ways<Auth>(ways, octets_of);
    } else if (std::holds_alternative<Notify>(payload)) {
        for (const auto type :
             {NotifyType::invalid_syntax, NotifyType::no_proposal_chosen, NotifyType::temporary_failure,
              NotifyType::child_sa_not_found, NotifyType::invalid_ke_payload, NotifyType::rekey_sa, NotifyType::cookie,
              NotifyType{12'345}, NotifyType{54'321}})
            ways.push_back(way<Notify>(name_of(type), [type](Notify& n) { n.type = type; }));
        ways.push_back(
            way<Notify>("of an SA", [](Notify& n) { n.protocol = ProtocolId::esp, n.spi.assign(4, std::byte{9}); }));
        ways.push_back(way<Notify>("of none", [](Notify& n) { n.protocol = ProtocolId{}, n.spi.clear(); }));
        add_octet_ways<Notify>(ways, octets_of);
    } else if (std::holds_alternative<Delete>(payload)) {
        ways.push_back(way<Delete>("of nothing", [](Delete& gone) { gone.spis.clear(); }));
        ways.push_back(way<Delete>("of a stranger", [](Delete& gone) { gone.spis.assign(200, 0xdeadbeef); }));
        ways.push_back(way<Delete>("many times", [](Delete& gone) {
            if (!gone.spis.empty()) gone.spis.assign(250, gone.spis[0]);
        }));
        ways.push_back(way<Delete>("of AH", [](Delete& gone) { gone.protocol = ProtocolId::ah; }));
        ways.push_back(
            way<Delete>("of the IKE SA", [](Delete& gone) { gone.protocol = ProtocolId::ike, gone.spis.clear(); }));
        ways.push_back(way<Delete>("of the IKE SA, with SPIs", [](Delete& gone) { gone.protocol = ProtocolId::ike; }));
    } else if (std::holds_alternative<TsInitiator>(payload)) {
        add_selector_ways<TsInitiator>(ways);
    } else if (std::holds_alternative<TsResponder>(payload)) {
        add_selector_ways<TsResponder>(ways);
    }
    return ways;
}

/// Negotiation, a rekey of the child and of the IKE SA by either end, liveness, the child's end.
class Life {
public:
    static constexpr std::size_t nobody = ~std::size_t{0};

    /// The `message`th message that is new, of those under keys, comes to its receiver as `spoil` has it, and so does
    /// each repetition.
    Life(std::size_t message, Spoil spoil, std::size_t payload)
        : message_{message},
          payload_{payload},
          spoil_{std::move(spoil)},
          world_{two_offices(mine(1, 2), mine(2, 1), 5)} {
        world_.tap = [this](Datagram& d) { return pass(d); };
        bring_up(world_);
        after_negotiation_ = world_[0].sad.size() + world_[1].sad.size();
        for (const auto& [node, name] :
             {std::pair{0, "offices-2"}, std::pair{1, "offices-1"}, std::pair{0, "to-2"}, std::pair{1, "to-1"}}) {
            (void)order(world_, static_cast<std::size_t>(node), "rekey", name);
            world_.settle();
        }
        world_.run(Instant{70'000});
        (void)order(world_, 0, "down", "offices-2");
        world_.settle();
    }

    /// What is wrong with the ends afterwards, and with their next life; empty: nothing.
    std::string wrong() {
        world_.tap = nullptr;
        world_.run(Instant{300'000});
        for (std::size_t i = 0; i < 2; ++i) {
            if (auto bad = complaint(world_[i]); !bad.empty()) return bad;
            for (const Policy& policy : world_[i].sad.spd())
                if (!is_the_offices(policy)) return world_[i].name + " has a policy for others' traffic";
        }
        (void)order(world_, 0, "up", "to-2");
        world_.settle();
        world_.run(Instant{10'000});
        return disagreement(world_, 1, 1);
    }
    /// SAs of both ends right after IKE_AUTH.
    std::size_t after_negotiation() const { return after_negotiation_; }
    const std::vector<Opened>& messages() const { return messages_; }
    std::string tail() const { return world_.tail(60); }

private:
    static std::shared_ptr<Connection> mine(unsigned local, unsigned remote) {
        auto c = connection(local, remote);
        c->children[0].proposals = {
            *parse_child_proposal(ProtocolId::esp, "aes128gcm16-x25519", LegacyAlgorithms::refused)};
        c->children[0].rekey_seconds = 0;
        c->children[0].life_seconds = 200;  // what a peer never deletes ends with its lifetime
        return c;
    }
    static bool is_the_offices(const Policy& policy) {
        const Prefix ours{Address::v4(10u << 24), 8};
        const auto within = [&](const Prefix& p) { return p.length() >= 16 && ours.contains(p.base()); };
        return within(policy.selector.source) && within(policy.selector.destination);
    }
    bool pass(Datagram& d) {
        const auto header = parse_header(d.octets);
        if (!header || header->exchange == ExchangeType::ike_sa_init) return true;
        const auto key = std::tuple{header->initiator_spi, header->message_id, header->response, d.local.address};
        const auto [seen, fresh] = order_.try_emplace(key, order_.size());
        if (fresh)
            if (auto opened = open(world_, d)) messages_.push_back(std::move(*opened));
        if (seen->second == message_)
            (void)rewrite(world_, d, [&](Opened& o) {
                if (payload_ < o.payloads.size()) spoil_(o.payloads, payload_);
            });
        return true;
    }

    std::size_t message_, payload_;
    Spoil spoil_;
    std::map<std::tuple<IkeSpi, std::uint32_t, bool, Address>, std::size_t> order_;
    std::vector<Opened> messages_;
    std::size_t after_negotiation_ = 0;
    World world_;
};

}  // namespace

TEST_CASE("authentic messages with payloads left out, doubled or spoilt: both ends come through (RFC 7296 2.5, 2.21)") {
    Life honest{Life::nobody, {}, 0};
    REQUIRE(honest.after_negotiation() == 4);
    const std::vector<Opened> messages = honest.messages();
    REQUIRE(honest.wrong() == "");
    REQUIRE(messages.size() > 20);
    std::size_t lives = 0;
    for (std::size_t m = 0; m < messages.size(); ++m)
        for (std::size_t p = 0; p < messages[m].payloads.size(); ++p)
            for (const Spoiling& how : ways_of(messages[m].payloads[p])) {
                if (++lives % (sanitized ? 12 : 1) != 0) continue;
                Life life{m, how.spoil, p};
                INFO("message " << m << ", " << name_of(messages[m].header.exchange)
                                << (messages[m].header.response ? " response" : " request") << " with "
                                << brief(messages[m].payloads) << ": payload " << p << " " << how.name << "\n"
                                << life.tail());
                CHECK(life.wrong() == "");
                const bool proves = m < 2 && (std::holds_alternative<Auth>(messages[m].payloads[p]) ||
                                              std::holds_alternative<IdInitiator>(messages[m].payloads[p]) ||
                                              std::holds_alternative<IdResponder>(messages[m].payloads[p]));
                // moved or said twice it proves the same
                if (proves && how.name != "last" && !how.name.starts_with("doubled"))
                    CHECK(life.after_negotiation() <= 2);
            }
    CHECK(lives > 300);
}
