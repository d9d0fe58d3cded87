// The state of one IKE SA and of the child SAs that it made: data, and who may do what in which state. What changes it
// stands with each exchange (init.cc, auth.cc, child.cc, rekey.cc, informational.cc). RFC 7296 1, 2. Control thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "ike/crypto/key_exchange.h"
#include "ike/crypto/message_cipher.h"
#include "ike/message/fragments.h"
#include "ike/v2/actions.h"
#include "ike/v2/connection.h"
#include "ike/v2/int_auth.h"
#include "ike/v2/ipcomp.h"
#include "ike/v2/mobike.h"
#include "ike/v2/ppk.h"

namespace torii::ike {

enum class IkeState : std::uint8_t {
    init_sent,          // initiator: IKE_SA_INIT is under way
    init_answered,      // responder: waits for IKE_AUTH, or IKE_INTERMEDIATE in front of it
    intermediate_sent,  // initiator: IKE_INTERMEDIATE is under way
    auth_sent,          // initiator: IKE_AUTH is under way
    established,
    rekeyed,   // another IKE SA has its children: it only waits to be deleted
    deleting,  // our Delete is under way
    closed,    // its last answer is repeated for a while, and nothing else is heard
    dead,      // gone at the end of the engine's turn
};
std::string_view name_of(IkeState state);
/// Of an initiator's: it is not established yet.
constexpr bool is_being_made(IkeState state) {
    return state == IkeState::init_sent || state == IkeState::intermediate_sent || state == IkeState::auth_sent;
}

/// Traffic as both ends agreed on it, in our own words.
struct TrafficPair {
    std::vector<TrafficSelector> local, remote;
    friend bool operator==(const TrafficPair&, const TrafficPair&) = default;
};

/// A pair of ESP or AH SAs (RFC 7296 2.9, 2.17).
struct ChildSa {
    enum class State : std::uint8_t {
        installed,
        rekeying,  // our CREATE_CHILD_SA for it is under way or waits
        replaced,  // another one took its traffic: waits to be deleted
        deleting,  // our Delete is under way
    };
    ChildId id{};
    const ChildConfig* config = nullptr;  // in the IKE SA's connection, which outlives it
    ProtocolId protocol = ProtocolId::esp;
    Spi inbound{}, outbound{};  // inbound: ours, chosen by us
    Suite suite;
    Mode mode = Mode::tunnel;
    bool later_fragments = false;       // both ends want them in this tunnel, by the ports of the first (RFC 4301 7.3)
    std::optional<Compression> ipcomp;  // inside its ESP or AH, which is in transport mode then
    TrafficPair traffic;
    ReqId reqid{};
    State state = State::installed;
    bool we_initiated = false;
    /// Until the peer has shown that it receives there, or deletes the old SA, a responder keeps what it would send
    /// with (RFC 7296 2.8: the responder of a rekey may not be heard yet by an initiator that has no answer).
    std::optional<control::SaSpec> pending_outbound;
    bool inbound_up = true, outbound_up = false;
    bool outbound_later = false;       // in a transaction of its own, behind the one with the inbound SA
    std::optional<ChildId> took_over;  // whose outbound SA went in the transaction that brought this one
    std::optional<Endpoints> ends;     // outbound; what its SAs in the gateway are named by, wherever the peer is now
    std::optional<Endpoints>
        moved_from;  // until another transaction: where they are, should the gateway refuse the move
    std::optional<std::pair<std::vector<Selector>, std::vector<Selector>>> policies;  // of the engine's, that it uses
    Octets lowest_nonce;  // of the exchange that made it: decides between twins (2.8.1)
    Instant created{}, rekey_at{}, expires_at{};
    Instant remove_inbound_at{};  // 0: not; the packets under way find it until then
    Instant mismatch_told{};      // when the peer was told last of a packet that it is not for; 0: never
    std::uint64_t packets_seen = 0;
};
std::string_view name_of(ChildSa::State state);

/// What we want of the peer, one exchange each. They wait in a queue, since our window is one (2.3).
struct CreateChild {
    const ChildConfig* config = nullptr;
    std::optional<Spi> rekeys;             // the inbound SPI of the child that it replaces
    std::optional<PacketSelector> packet;  // what asked for it: its own selector goes first (2.9)
    std::optional<TrafficPair> traffic;    // instead of the configuration's: of a rekey, or of an operator's policy
    ReqId reqid{}, ipcomp_reqid{};         // of an operator's policy; 0: the engine's own
    KeMethod method = KeMethod::none;      // after INVALID_KE_PAYLOAD: the one that is wanted
};
struct RekeyIke {
    KeMethod method = KeMethod::none;
};
struct DeleteChildren {
    ProtocolId protocol = ProtocolId::esp;
    std::vector<Spi> inbound;
};
struct DeleteIke {
    std::optional<NotifyType> why;  // told to the peer in front: AUTHENTICATION_FAILED (2.21.2)
};
struct Liveness {};
struct TellInvalidSelectors {  // RFC 7296 3.10.1: a packet came out of a child that is not for it
    ProtocolId protocol = ProtocolId::esp;
    Spi inbound{};
    Octets packet;  // its start
};
struct UpdateAddresses {  // RFC 4555 3.5: we are elsewhere
    unsigned number = 0;  // which of our moves
    Way former;
};
struct CheckRoute {  // RFC 4555 3.7: is the peer where he says
    Way way;
    Octets cookie;
};
using Task = std::variant<CreateChild, RekeyIke, DeleteChildren, DeleteIke, Liveness, TellInvalidSelectors,
                          UpdateAddresses, CheckRoute>;
std::string name_of(const Task& task);

struct IkeSa;

/// What a CREATE_CHILD_SA makes keys of.
struct Exchanged {
    Octets nonce_initiator, nonce_responder;
    SecretBytes secret;   // of its own key exchange; empty: it had none
    SecretBytes further;  // of its additional key exchanges, one behind the other
    Octets lowest_nonce() const;
};

/// The additional key exchanges of a CREATE_CHILD_SA of ours (RFC 9370 2.2.4). What the peer answered to it is looked
/// at once they are done.
struct FollowUp {
    Payloads answered;
    std::vector<KeMethod> methods;  // that are left; the first is under way
    std::unique_ptr<KeyExchange> key_exchange;
    SecretBytes secrets;
};

/// What the peer's rekey of the IKE SA agreed on.
struct NewIke {
    Suite suite;
    IkeSpi spi_initiator{}, spi_responder{};
};

/// A CREATE_CHILD_SA of the peer that was granted, and whose child or IKE SA comes with its last IKE_FOLLOWUP_KE.
struct Awaited {
    Octets link;  // by which the peer goes on
    std::vector<KeMethod> methods;
    Exchanged exchanged;
    Instant expires_at{};
    std::unique_ptr<ChildSa> child;  // the one or the other
    std::optional<NewIke> ike;
    std::optional<Notify> rekeys;  // REKEY_SA
};

/// A request of ours that waits for its response.
struct Outstanding {
    std::uint32_t message_id = 0;
    ExchangeType exchange{};
    std::vector<Octets> datagrams;  // the very octets, again and again (2.1)
    unsigned sent = 1;
    Instant next{};
    // what the exchange needs to go on
    std::optional<Task> task;  // none: IKE_SA_INIT, IKE_AUTH
    Octets nonce;
    std::unique_ptr<KeyExchange> key_exchange;
    std::vector<Proposal> offered;
    Spi spi{};                    // of the child's inbound SA
    IkeSpi ike_spi{};             // of the new IKE SA
    TrafficPair proposed;         // what we sent as TSi and TSr
    bool transport = false;       // we asked for it
    std::optional<CpiLease> cpi;  // that we offered
    bool by_other_ways = false;   // sent there as well, since the usual one finds no answer
    std::string refusal;          // an error that nobody authenticated: the reason, should no better answer come
    /// The peer's rekey of the same SA, answered while ours was under way: its result, and its lowest nonce.
    std::optional<ChildId> twin;
    std::optional<IkeSaId> twin_ike;
    /// The same as long as the peer's waits for its additional key exchanges: its lowest nonce.
    std::optional<Octets> rival;
    std::optional<FollowUp> follow_up;
    /// Outbound SPIs that the peer deleted and we did not know: of what this request makes, should its Delete have been
    /// quicker than its response.
    std::vector<Spi> gone;
};

struct IkeSa {
    IkeSaId id{};
    bool initiator = false;  // of this SA: sets the I flag, and whose SPI comes first
    IkeSpi spi_initiator{}, spi_responder{};
    Endpoint local, remote;
    std::shared_ptr<const Connection> connection;  // of a responder's: once the peer has said who he is
    IkeState state = IkeState::init_sent;

    Suite suite;
    IkeKeys keys;
    std::unique_ptr<MessageCipher> sealing, opening;
    std::unique_ptr<MessageCipher> former_opening;  // of the peer's last request, which made new keys (RFC 9370 2.2.2)

    // IKE_SA_INIT and IKE_AUTH
    std::vector<Proposal> offered;
    Octets nonce_initiator, nonce_responder;
    Octets first_message, second_message;  // RealMessage1 and 2 (2.15); empty once authenticated
    Octets cookie;
    std::vector<SignatureHash> peer_hashes;
    std::size_t exchanged = 0;  // additional key exchanges that are done
    IntAuth int_auth;
    bool takes_intermediate = false;        // both ends have said so (RFC 9242 3.1)
    bool takes_childless = false;           // the responder has said so (RFC 6023 3)
    bool uses_ppk = false;                  // both ends have said so (RFC 8784 3)
    std::optional<MixedKeys> keys_instead;  // an initiator's without its PPK, until the peer has chosen
    Octets ppk_id;                          // of the PPK that is in the keys; empty: there is none
    unsigned init_attempts = 0;
    std::optional<std::pair<Endpoint, IkeSpi>> first_request;  // of a responder's: where the engine finds it again
    bool counts_as_half_open = false;
    bool superseded = false;  // another IKE SA with the same peer stands: this one ends soon
    bool began = false;       // we are the initiator of the first of those that were rekeyed into this one
    Id local_id, remote_id;
    std::optional<CreateChild> first_child;  // that goes with IKE_AUTH

    // windows of one (2.2, 2.3)
    std::uint32_t next_request = 0, expected_request = 0;
    std::optional<Outstanding> outstanding;
    std::deque<Task> queue;
    std::vector<Awaited> awaited;
    unsigned lost_states = 0;  // STATE_NOT_FOUND one after the other
    std::vector<Octets> last_response;
    FragmentAssembly request_fragments, response_fragments;
    bool fragments = false;  // both ends have said that they take them (RFC 7383 2.3)

    bool behind_nat = false, peer_behind_nat = false;  // 2.23
    // MOBIKE (RFC 4555)
    bool mobike = false;                  // both ends have said so
    std::vector<Address> peer_addresses;  // all that he has told of, and the one that he began with
    Octets seen_as;                       // how the peer last saw us: the hash of our address behind our NAT
    unsigned moves = 0;
    std::size_t ways_tried = 0;
    bool peer_takes_initial_contact = false;

    // by the Configuration payload (2.19): lent to the peer where the connection has a pool, else lent to us
    std::vector<Address> internal_addresses, internal_dns;
    bool out_of_addresses = false;  // none was left for the peer

    std::vector<std::unique_ptr<ChildSa>> children;
    Octets lowest_nonce;    // of the exchange that made it (2.8.2)
    IkeSaId predecessor{};  // of a twin: the IKE SA whose children it may inherit
    IkeSaId replaces{};     // reauthentication: the one that is to end once this one is established; 0: none
    IkeSaId replaced_by{};  // the other way around: the one that was begun to take its place

    Instant created{}, established_at{}, rekey_at{}, expires_at{}, reauth_at{};
    Instant last_heard{};
    Instant not_before{};  // the queue rests until then: after TEMPORARY_FAILURE (2.25)
    std::uint64_t requests_this_second = 0;
    Instant second_began{};
    Instant wake{};  // where it stands in the engine's timers

    IkeSpi our_spi() const { return initiator ? spi_initiator : spi_responder; }
    IkeSpi peer_spi() const { return initiator ? spi_responder : spi_initiator; }
    bool uses_udp() const { return behind_nat || peer_behind_nat; }
    std::string_view connection_name() const { return connection ? std::string_view{connection->name} : "?"; }
    ChildSa* child_by_inbound(Spi spi) const;
    ChildSa* child_by_outbound(Spi spi, ProtocolId protocol) const;
    ChildSa* child(ChildId id) const;
    bool has_pending_rekey() const;  // of the IKE SA itself: our request is under way
    template <class T>
    bool waits_for() const {  // a task of that kind waits or is under way
        if (outstanding && outstanding->task && std::holds_alternative<T>(*outstanding->task)) return true;
        for (const Task& task : queue)
            if (std::holds_alternative<T>(task)) return true;
        return false;
    }
};

/// THE table of what may come in which state (RFC 7296 1.2, 1.3, 1.4, 2.25); everything else meets one refusal.
struct Legal {
    IkeState state;
    bool response;  // to a request of ours of that exchange
    ExchangeType exchange;
    std::string_view section;
};
std::span<const Legal> legal_messages();
bool is_legal(IkeState state, bool response, ExchangeType exchange);

/// What the SAs of a child are called in the gateway.
control::SaId inbound_sa(const IkeSa& sa, const ChildSa& child);
control::SaId outbound_sa(const IkeSa& sa, const ChildSa& child);
/// The same of its IPComp SAs; it has them.
control::SaId inbound_ipcomp(const IkeSa& sa, const ChildSa& child);
control::SaId outbound_ipcomp(const IkeSa& sa, const ChildSa& child);
/// All of them, two or four.
std::vector<control::SaId> sas_of(const IkeSa& sa, const ChildSa& child);
/// The gateway has that one no more.
void note_gone(const IkeSa& sa, ChildSa& child, const control::SaId& gone);
std::string text_of(Spi spi);  // 0x0000abcd
/// What a child's configuration says of its traffic; without prefixes the ends themselves.
TrafficPair configured_traffic(const ChildConfig& config, const Address& local, const Address& remote);
/// The same with the addresses that this IKE SA lends or borrows (configuration.cc).
TrafficPair traffic_between(const IkeSa& sa, const ChildConfig& config);
/// Whether such addresses are a part of its traffic.
bool is_dynamic(const Connection& connection, const ChildConfig& config);

}  // namespace torii::ike
