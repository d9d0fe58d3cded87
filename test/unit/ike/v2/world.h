// A world for engines: nodes with a SAD and an SPD of their own, a network between them that may lose, repeat and
// delay, and a clock that moves when it is told to. One seed makes everything that happens.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "ike/v2/engine.h"

namespace torii::ike::test {

/// Sanitizers make a life ten times as long: the same code is walked, less often.
#ifdef __SANITIZE_ADDRESS__
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

/// What the gateway would hold. Refuses what the gateway refuses.
class Sad : public Traffic {
public:
    struct Entry {
        control::SaSpec spec;
        std::uint64_t packets = 0;
        std::uint64_t order = 0;
        std::vector<Address> former{};  // where it came in before it moved: taken still
    };
    Result<void> apply(std::vector<control::Operation> operations);
    std::uint64_t packets(const control::SaId& sa) const override;
    /// The SA that a packet would leave by for one request of its policy: the newest between `ends` that has its reqid.
    Entry* outbound(const Request& request, const Endpoints& ends);
    Entry* inbound(const control::SaId& id);
    const Policy* policy(Direction direction, const PacketSelector& packet) const;
    std::size_t size() const { return sas_.size(); }
    std::size_t policies() const { return policies_.size(); }
    const std::map<control::SaId, Entry>& sas() const { return sas_; }
    const std::vector<Policy>& spd() const { return policies_; }
    /// As after a restart: all is gone, but a key that was used stays used.
    void forget();
    bool refuse_next = false;

private:
    Result<void> may_move(const control::MoveSa& to) const;
    void move(const control::MoveSa& to);

    std::map<control::SaId, Entry> sas_;
    std::vector<Policy> policies_;
    std::uint64_t order_ = 0;
    /// Every key that was ever used: a second SA with one of them would repeat sequence numbers and nonces.
    std::set<std::vector<std::byte>> spent_keys_;
};

struct Node {
    std::string name;
    std::unique_ptr<CryptoContext> crypto;
    Sad sad;
    std::unique_ptr<Engine> engine;
    std::vector<Tell> told;
    bool up = true;
    bool said(std::string_view text) const;
};

/// One datagram on its way.
struct Flight {
    Instant arrives{};
    std::uint64_t order = 0;
    Datagram datagram;
};

class World {
public:
    explicit World(std::uint64_t seed);

    Node& add(std::string name, EngineConfig config);
    Node& operator[](std::size_t i) { return *nodes_[i]; }
    std::size_t size() const { return nodes_.size(); }
    /// Restarts a node: all that it knew is gone.
    void restart(std::size_t i);

    /// Carries out what an engine asked for.
    void perform(Node& node, Actions actions);
    void begin();
    /// Moves the clock to the next thing that happens; false when nothing does within `limit`.
    bool step(Instant limit);
    /// Brings the flight of that place to its receiver now, whatever its time.
    void deliver(std::size_t flight);
    /// Lets `time` pass.
    void run(Instant time);
    /// Until nothing is under way and no engine has anything due within `quiet`.
    void settle(Instant quiet = Instant{500}, Instant limit = Instant{600'000});

    /// Sends a packet through the SAs; true if it arrived. Raises an acquire where there is no SA.
    bool ping(std::size_t from, std::size_t to, const PacketSelector& packet);

    Now now() const { return {clock, 1'800'000'000 + clock.count() / 1000}; }

    Instant clock{1000};
    std::mt19937_64 random;
    // the network
    double loss = 0, repeat = 0;
    Instant least_delay{1}, most_delay{1};
    /// Looks at a datagram before it is under way; false: it is lost. May change it.
    std::function<bool(Datagram&)> tap;
    /// Whether packets of an SA find their way; without it all do.
    std::function<bool(const control::SaSpec&)> carries;
    std::vector<Flight> flights;
    std::uint64_t sent = 0;
    std::vector<std::string> ladder;  // a line for each message and event, for whoever must understand a failing seed
    std::vector<Datagram> record;     // every datagram that was sent

    std::string tail(std::size_t lines) const;
    Node* owner(const Address& address);
    std::map<Address, std::size_t> addresses;

private:
    Sad::Entry* receives(Node& receiver, const control::SaSpec& out);

    std::vector<std::unique_ptr<Node>> nodes_;
    std::vector<EngineConfig> configs_;
    std::uint64_t seed_;
    std::uint64_t order_ = 0, restarts_ = 0;
};

/// Both offices' connection as `local` sees it, with a pre-shared key. One child "offices" between 10.LOCAL.0.0/16 and
/// 10.REMOTE.0.0/16.
std::shared_ptr<Connection> connection(unsigned local, unsigned remote, StartAction start = StartAction::none);
EngineConfig config_of(std::vector<std::shared_ptr<const Connection>> connections);
Address address_of(unsigned node);  // 20.0.0.NODE
PacketSelector packet_between(unsigned from, unsigned to);

/// What the gateway tells when `packet` came out of a child's inbound SA, which is not for it.
control::Event mismatch(const IkeSa& sa, const ChildSa& child, std::span<const std::byte> packet);

/// "IKE_SA_INIT req 0", from the header alone.
std::string brief(const Datagram& datagram);

/// How many IKE SAs of that state, how many children of that state.
std::size_t count(const Node& node, IkeState state);
std::size_t count_children(const Node& node, ChildSa::State state);
const IkeSa* only(const Node& node);  // the one established IKE SA; null when there are none or several

// ---- lives at random

/// A number of the environment: TORII_SEEDS lives from TORII_FIRST_SEED on.
std::uint64_t from_environment(const char* name, std::uint64_t otherwise);
/// What a node holds, for whoever must understand a failing seed.
std::string holdings(const Node& node);
/// What must not be once it has been quiet for a while; empty: nothing is wrong.
std::string complaint(const Node& node);
std::string complaint(World& world);  // of the first node that has something wrong

}  // namespace torii::ike::test
