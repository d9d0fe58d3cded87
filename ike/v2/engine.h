// The IKEv2 engine: every IKE SA of this gateway, what comes from the network and from the gateway, and when something
// is due. Octets, events and time come in, Actions come out; nothing else is touched, so that a simulation can hold
// five of them. RFC 7296. Control thread; one CryptoContext each.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "ike/v2/actions.h"
#include "ike/v2/address_pools.h"
#include "ike/v2/connection.h"
#include "ike/v2/cookies.h"
#include "ike/v2/directory.h"
#include "ike/v2/ike_sa.h"

namespace torii::ike {

/// What the engine may ask about SAs that it made.
class Traffic {
public:
    virtual ~Traffic() = default;
    /// Authentic packets of an SA so far; 0: there is none.
    virtual std::uint64_t packets(const control::SaId& sa) const = 0;
};

class Engine {
public:
    Engine(CryptoContext& crypto, EngineConfig config, const Traffic& traffic);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Policies of trap connections, negotiations of those that start by themselves.
    Actions begin(const Now& now);
    /// A message from the network.
    Actions receive(const Datagram& datagram, const Now& now);
    /// The first thing that is due: it may want a key pair, and the caller decides how long whoever else has the thread
    /// waits for more of them. Call at next_tick() or a little later, until that lies in the future; earlier does no
    /// harm.
    Actions tick(const Now& now);
    Instant next_tick() const;

    /// A policy wants an SA that is not there. `policy`: of the SPD, as the operator or we made it; null: gone.
    Actions acquire(const control::Event& event, const Policy* policy, const Now& now);
    /// A lifetime of an SA of ours ended softly (`hard`: it is gone already).
    Actions expired(const control::SaId& sa, bool hard, const Now& now);
    /// Whether the peer wants to be told that a packet came out of this SA which it is not for (RFC 7296 3.10.1): he
    /// hears of one in a while for each child.
    bool tells_mismatch(const control::SaId& sa, const Now& now) const;
    Actions mismatched(const control::Event& event, const Now& now);
    /// The gateway did not take a child's SAs.
    Actions refused(ChildId child, const Error& why, const Now& now);

    // ---- an operator's orders; Errc::not_found names what there is
    Result<Actions> up(std::string_view name, const Now& now);  // a connection or a child's name
    Result<Actions> down(std::string_view name, const Now& now);
    Result<Actions> rekey(std::string_view name, const Now& now);
    Result<Actions> reauth(std::string_view name, const Now& now);
    /// To another address of ours, children and all (RFC 4555). Errors besides: unsupported, bad_value: it cannot.
    Result<Actions> move(std::string_view name, const Address& local, const Now& now);
    /// Connections that stand in `next` unchanged go on, with its keys and authorities, but for IKE SAs whose key has
    /// changed; others end, new ones begin. Who is established needs no authority until he proves himself again.
    Actions configure(EngineConfig next, const Now& now);
    /// Deletes everything, by Delete messages that nobody waits for.
    Actions shut_down(const Now& now);

    // ---- views
    /// Whether a message names an IKE SA of ours, by the SPI that we gave it: cheap, and no proof of anything.
    bool has_ike_sa_of(OctetView message) const;
    /// Whether an SA, a policy is one of ours.
    bool owns(const control::SaId& sa) const { return child_of_sa_.contains(sa); }
    bool owns(const Policy& policy) const;
    const IkeSa* find(IkeSaId id) const;
    void each(const std::function<void(const IkeSa&)>& visit) const;
    const IkeSas& of(const Connection& connection) const { return directory_.of(connection); }
    /// Whether it is one of the configuration's; false for null.
    bool has(const SharedConnection& connection) const { return connection && connections_.contains(connection); }
    std::size_t size() const { return by_spi_.size(); }
    std::size_t half_open() const { return half_open_; }
    std::size_t addresses_lent() const { return pools_.lent(); }
    const EngineConfig& config() const { return config_; }

private:
    friend struct Turn;

    CryptoContext& crypto_;
    EngineConfig config_;
    Connections connections_;
    const Traffic& traffic_;
    Cookies cookies_;
    AddressPools pools_;
    std::unordered_map<std::uint64_t, std::unique_ptr<IkeSa>> by_spi_;  // by our own SPI
    IkeSas by_id_;
    IkeSaDirectory directory_;
    std::set<std::pair<Instant, IkeSaId>> timers_;
    /// Responder SAs by what opened them, so that a repeated IKE_SA_INIT request finds its answer.
    std::map<std::pair<Endpoint, IkeSpi>, IkeSaId> by_first_request_;
    /// Every child by its number and by what its SAs are called in the gateway.
    std::unordered_map<std::uint64_t, IkeSa*> owner_of_child_;
    std::map<control::SaId, ChildId> child_of_sa_;
    Cpis cpis_;
    std::map<Address, std::size_t> half_open_by_source_;
    std::size_t half_open_ = 0;

    /// Policies that we made, by both selectors. SAs of one pair share its reqid, so that one may follow another.
    struct PolicyPair {
        ReqId reqid{};
        unsigned users = 0;    // children
        bool trapped = false;  // stays without users
        Mode mode{};
        ProtocolId protocol{};
        bool ipcomp = false;
        std::int32_t priority = 0;
        Endpoints ends;  // outbound
        std::string connection, child;
        Id peer;  // whose children the users are
    };
    using SelectorPair = std::pair<std::vector<Selector>, std::vector<Selector>>;  // outbound, inbound
    std::map<SelectorPair, PolicyPair> policies_;
    std::unordered_map<std::uint32_t, const PolicyPair*> policies_by_reqid_;
    void add_pair(const SelectorPair& selectors, PolicyPair pair);
    void erase_pair(std::map<SelectorPair, PolicyPair>::iterator pair);
    /// Children whose outbound SA waits for a sign of the peer, by reqid.
    std::unordered_map<std::uint32_t, std::vector<ChildId>> waiting_;
    Starts starts_;
    std::uint64_t next_id_ = 1;
    static constexpr std::uint32_t first_reqid = 0x10000;  // behind those that setkey may write, and automatic ones
    std::uint32_t next_reqid_ = first_reqid;
    bool shutting_down_ = false;
    static constexpr unsigned most_complaints_a_second = 20;  // errors outside of IKE SAs: an answer to nobody's harm
    unsigned complaints_ = 0, strangers_told_ = 0, strangers_messages_ = 0;
    Instant complaints_since_{};
};

}  // namespace torii::ike
