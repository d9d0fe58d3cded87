// One call of the engine: everything that happens between octets, an event or a timer coming in and the actions going
// out. The exchanges are members of Turn, one file each; engine.cc alone makes Turns. Inside ike/v2 only.
#pragma once

#include <string>

#include "ike/message/message.h"
#include "ike/v2/engine.h"
#include "ike/v2/traffic.h"

namespace torii::ike {

/// A message of an IKE SA, opened and read.
struct Message {
    Header header;
    Payloads payloads;
    Octets covered;  // of IKE_INTERMEDIATE: what AUTH covers of it
};

/// What a responder says when it cannot: a notification, and why for our log.
struct Refused {
    Notify notify;
    std::string why;
};
template <class T>
using Answer = std::expected<T, Refused>;
inline std::unexpected<Refused> refuse(NotifyType type, std::string why, Octets data = {}) {
    return std::unexpected(Refused{notify(type, std::move(data)), std::move(why)});
}

/// A child that is granted and has no keys yet, and what the peer is told.
struct Granted {
    std::unique_ptr<ChildSa> child;
    Exchanged exchanged;
    Payloads answer;
};

struct Turn {
    Engine& engine;
    const Now& now;
    Actions actions;

    Turn(Engine& e, const Now& n) : engine(e), now(n) {}
    /// Forgets IKE SAs that died in this turn, sets the timers of those it touched, and hands over what came of it.
    Actions finish();

    // ---- engine.cc: IKE SAs come and go
    IkeSa& add(std::unique_ptr<IkeSa> sa);
    IkeSpi fresh_spi();
    Spi fresh_child_spi();
    void touch(IkeSa& sa);  // its timer is to be set anew
    void tell(Tell::Level level, const IkeSa* sa, std::string text);
    /// The SA ends without another word: its children go, what is to be started again is noted.
    void destroy(IkeSa& sa, const std::string& why);
    /// The SA has answered, and only repeats its answer until it is forgotten.
    void close(IkeSa& sa, const std::string& why);
    void restart(const IkeSa& sa);
    IkeSa* established(const Connection& connection) const;
    IkeSa* being_made(const Connection& connection) const;  // ours, and not established yet
    void due(IkeSa& sa);
    void leave_half_open(IkeSa& sa);
    void set_lifetimes(IkeSa& sa);
    /// So many seconds, less up to a tenth, so that SAs made together do not end together.
    Instant jittered(std::uint32_t seconds);
    Instant next_of(const IkeSa& sa) const;
    void due_child(IkeSa& sa, ChildSa& child);
    void begin(const Connection& connection);
    void start(const std::shared_ptr<const Connection>& connection, bool all = false);
    void want_child(const std::shared_ptr<const Connection>& connection, CreateChild task);
    std::pair<IkeSa*, ChildSa*> child_of(const control::SaId& id) const;
    static bool wants(const TrafficPair& traffic, const PacketSelector& packet);
    bool is_handing_over(const IkeSa& sa) const;
    void restart_after_delete(IkeSa& sa);
    void send_delete_ike_now(IkeSa& sa);
    void begin_reauth(IkeSa& sa);

    // ---- messages.cc: windows, retransmission, sealing
    void receive(const Datagram& datagram);
    void receive_for(IkeSa& sa, const Datagram& datagram, const Split& split);
    std::optional<Message> open(IkeSa& sa, const Split& split);
    void take_request(IkeSa& sa, const Message& message);
    void take_response(IkeSa& sa, const Message& message);
    /// An error outside of any IKE SA: few a second, and never to a response.
    void complain(const Datagram& about, const Header& header, Notify what);
    /// The same however many there are, for what costs little and is smaller than what it answers: a flood must not
    /// keep cookies from those who are there (2.6).
    void answer_in_clear(const Datagram& about, const Header& header, Notify what);
    void begin_second();  // of what strangers may make us say
    /// What counts as one source: an IPv6 host has a whole /64 to speak from.
    static Address source_of(const Address& address);
    Header header_for(const IkeSa& sa, ExchangeType exchange, bool response, std::uint32_t id) const;
    std::vector<Octets> seal(IkeSa& sa, const Header& header, const Payloads& payloads);
    void send(const IkeSa& sa, const std::vector<Octets>& datagrams);
    enum class Course : std::uint8_t { sent, received };
    /// As the operator wants it (MessageLog). `payloads` null: the same once more. `sa` null: a stranger's, or to one.
    void tell_message(const IkeSa* sa, Course course, const Header& header, const Payloads* payloads,
                      const Endpoint& peer);
    void answer_again(const IkeSa& sa, const Datagram& repeated);
    void request(IkeSa& sa, ExchangeType exchange, const Payloads& payloads, Outstanding what);
    void request_of(IkeSa& sa, ExchangeType exchange, const Payloads& payloads, Task task);
    void respond(IkeSa& sa, const Header& to, const Payloads& payloads);
    void respond(IkeSa& sa, const Header& to, Notify what) { respond(sa, to, Payloads{std::move(what)}); }
    void retransmit(IkeSa& sa);
    /// Begins the next task if the window is free.
    void pump(IkeSa& sa);
    bool must_wait(const IkeSa& sa) const;
    void enqueue(IkeSa& sa, Task task);

    // ---- init.cc: IKE_SA_INIT
    /// `replaces`: the IKE SA that is to end once this one stands; 0: none.
    Result<IkeSa*> initiate(std::shared_ptr<const Connection> connection, std::optional<CreateChild> first,
                            IkeSaId replaces = {});
    void send_init(IkeSa& sa, KeMethod method);
    void take_init_response(IkeSa& sa, const Datagram& datagram, const Split& split);
    void take_init_request(const Datagram& datagram, const Split& split);
    bool takes_fragments(const IkeSa& sa) const;
    Payloads init_notifications(const IkeSa& sa) const;
    void read_init_notifications(IkeSa& sa, const Payloads& payloads);
    Result<void> make_ciphers(IkeSa& sa);
    void tell_keys(const IkeSa& sa);

    // ---- intermediate.cc: IKE_INTERMEDIATE (RFC 9242, RFC 9370 2.2.2)
    void go_on(IkeSa& sa);
    bool lacks_exchanges(const IkeSa& sa) const;
    Result<void> note_for_auth(IkeSa& sa, const Header& header, const Payloads& payloads);
    Result<void> note_for_auth(IkeSa& sa, const Message& message);
    Result<void> renew_keys(IkeSa& sa, const SecretBytes& secret);
    void take_intermediate_request(IkeSa& sa, const Message& message);
    void take_intermediate_response(IkeSa& sa, const Message& message, const Outstanding& what);

    // ---- auth.cc: IKE_AUTH
    void send_auth(IkeSa& sa);
    void take_auth_request(IkeSa& sa, const Message& message);
    void take_auth_response(IkeSa& sa, const Message& message);
    void established_now(IkeSa& sa);
    void supersede(IkeSa& sa, Instant lives);
    void forget_others(IkeSa& sa);
    static bool may_be_reauthentication(const IkeSa& sa, const IkeSa& old);
    static bool are_twins(const IkeSa& a, const IkeSa& b);
    void settle_duplicates(IkeSa& sa);

    // ---- ppk.cc: post-quantum pre-shared keys (RFC 8784)
    bool takes_ppk(const IkeSa& sa) const;
    Result<void> name_ppk(IkeSa& sa, Payloads& payloads, const std::function<Result<Auth>()>& prove);
    Result<void> take_ppk_answer(IkeSa& sa, const Payloads& payloads);

    // ---- configuration.cc: addresses by the Configuration payload (2.19, 3.15)
    void ask_for_address(const IkeSa& sa, Payloads& payloads) const;
    Result<void> take_address(IkeSa& sa, const Payloads& payloads);
    void lend_addresses(IkeSa& sa, const Payloads& payloads, Payloads& answer);
    std::optional<Refused> lacks_address(const IkeSa& sa, const ChildConfig& config) const;
    void return_addresses(IkeSa& sa);

    // ---- child.cc: CREATE_CHILD_SA for new children, and what IKE_AUTH has of it
    /// Appends what asks for a child to `payloads`, and notes in `what` what was asked.
    void ask_for_child(IkeSa& sa, const CreateChild& task, Payloads& payloads, Outstanding& what, bool in_auth);
    /// The responder's part: which child it is to be; and, once all keys are there, the child.
    Answer<Granted> grant_child(IkeSa& sa, const Payloads& asked, bool in_auth, ChildSa* replaces);
    Answer<ChildSa*> install_granted(IkeSa& sa, Granted& granted, ChildSa* replaces);
    /// The initiator's part, with the response. Null: it failed, and the reason was told.
    ChildSa* take_child(IkeSa& sa, const Payloads& answered, Outstanding& what, bool in_auth);
    void settle_twins(IkeSa& sa, const ChildSa& child);
    void send_create_child(IkeSa& sa, CreateChild task);
    void take_create_child_request(IkeSa& sa, const Message& message);
    Answer<ChildSa*> rekeyed_child(IkeSa& sa, const Notify& rekeyed);
    void grant_create_child(IkeSa& sa, const Header& to, Granted granted, const std::optional<Notify>& rekeys);
    void take_create_child_response(IkeSa& sa, const Message& message, Outstanding what);
    bool again_for_one_pair(IkeSa& sa, const Payloads& answered, const Outstanding& what, CreateChild& task);

    // ---- followup.cc: IKE_FOLLOWUP_KE (RFC 9370 2.2.4)
    bool follow_up(IkeSa& sa, const Payloads& answered, Outstanding& what);
    bool loses_to_twin(const IkeSa& sa, const Outstanding& what, const Octets& lowest_nonce) const;
    void forget_rival(IkeSa& sa, Outstanding& what);
    void stand_back(IkeSa& sa, Outstanding& what);
    void send_follow_up(IkeSa& sa, const Payloads& answered, Outstanding what);
    void take_follow_up_response(IkeSa& sa, const Message& message, Outstanding what);
    void follow_up_failed(IkeSa& sa, const Payloads& answered, Outstanding what, const std::string& why);
    bool awaits(const IkeSa& sa, const ChildSa* child) const;  // null: the IKE SA itself
    void await_follow_up(IkeSa& sa, const Header& to, Awaited his, Payloads payloads);
    bool is_ours_too(const IkeSa& sa, const Awaited& his) const;
    void take_follow_up_request(IkeSa& sa, const Message& message);

    // ---- ipcomp.cc
    void offer_ipcomp(const ChildConfig& config, Payloads& payloads, Outstanding& what);
    Result<std::optional<Compression>> agreed_ipcomp(const Payloads& answered, Outstanding& what, ReqId reqid);
    std::optional<Compression> grant_ipcomp(const IkeSa& sa, const ChildConfig& config, const Payloads& asked,
                                            ReqId reqid);

    // ---- policies.cc: children in the gateway
    /// `lazily`: what it sends with waits for a sign of the peer. `replaces`: whose outbound SA goes as the new one
    /// comes.
    Result<ChildSa*> install(IkeSa& sa, std::unique_ptr<ChildSa> child, ChildKeys keys, bool lazily, ChildSa* replaces);
    void install_outbound(IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations);
    void remove(IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations);  // `child` is gone afterwards
    void remove_outbound(IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations);
    void install_waiting(const IkeSa& sa, ReqId reqid, std::vector<control::Operation>& operations);
    bool has_other_way(const ChildSa& child) const;
    void retire(IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations);
    void apply(std::vector<control::Operation> operations, std::optional<ChildId> child = {});
    /// True: policies that were there have changed, and SAs of before fit them no more.
    Result<bool> keep_policies(const IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations);
    void drop_policies(ChildSa& child, std::vector<control::Operation>& operations);
    void add_policies(const Engine::SelectorPair& selectors, const Engine::PolicyPair& pair,
                      std::vector<control::Operation>& operations);
    void update_policies(const Engine::SelectorPair& selectors, const Engine::PolicyPair& pair,
                         std::vector<control::Operation>& operations);
    void delete_policies(const Engine::SelectorPair& selectors, std::vector<control::Operation>& operations);
    Result<Engine::SelectorPair> trap_of(const Connection& connection, const ChildConfig& config) const;
    Result<void> trap(const Connection& connection, const ChildConfig& config,
                      std::vector<control::Operation>& operations);
    void untrap(const Connection& connection, std::vector<control::Operation>& operations);

    // ---- rekey.cc
    void rekey_child(IkeSa& sa, ChildSa& child);
    std::unique_ptr<IkeSa> successor(const IkeSa& old, bool initiator) const;
    void send_rekey_ike(IkeSa& sa, RekeyIke task);
    void take_rekey_ike_request(IkeSa& sa, const Message& message);
    void take_rekey_ike_response(IkeSa& sa, const Message& message, Outstanding what);
    void grant_rekey_ike(IkeSa& sa, const Header& to, const NewIke& agreed, const Exchanged& exchanged,
                         const Payloads& answer);
    Result<void> give_keys(const IkeSa& old, IkeSa& made, const Exchanged& exchanged);
    void child_rekeyed(IkeSa& sa, ChildSa& old, ChildSa* ours, Outstanding& what);
    void inherit(IkeSa& from, IkeSa& to);

    // ---- informational.cc
    void send_delete_children(IkeSa& sa, const DeleteChildren& task);
    void send_delete_ike(IkeSa& sa, const DeleteIke& task);
    void send_liveness(IkeSa& sa);
    void send_invalid_selectors(IkeSa& sa, TellInvalidSelectors task);
    void take_informational_request(IkeSa& sa, const Message& message);
    void take_informational_response(IkeSa& sa, const Message& message, Outstanding what);
    void hear_invalid_selectors(const IkeSa& sa, const Notify& told);
    void delete_children(IkeSa& sa, const Delete& asked, Payloads& answer);
    void child_lost(IkeSa& sa, const ChildConfig* config);

    // ---- mobike.cc: RFC 4555
    void append_mobike(const IkeSa& sa, const Payloads* asked, Payloads& payloads);
    void read_mobike(IkeSa& sa, const Payloads& payloads);
    bool goes_to_4500(const IkeSa& sa, const Payloads& answered) const;
    std::vector<Address> own_addresses(const IkeSa& sa) const;
    std::vector<Way> other_ways(const IkeSa& sa) const;
    void try_other_way(IkeSa& sa, Outstanding& what);
    void answered_by(IkeSa& sa, const Way& way);
    void go_to(IkeSa& sa, const Way& way);
    Result<void> move_local(IkeSa& sa, const Address& local);
    void send_update_addresses(IkeSa& sa, const UpdateAddresses& task);
    void send_check_route(IkeSa& sa, CheckRoute task);
    void ask_how_seen(const IkeSa& sa, Payloads& payloads) const;
    void ask_soon_how_seen(IkeSa& sa);
    void append_nat_detection(const IkeSa& sa, const Way& way, Payloads& payloads) const;
    void detect_nat_on(IkeSa& sa, const Payloads& payloads, const Way& way);
    bool take_mobike_response(IkeSa& sa, const Message& message, const Task& task);
    void hear_mobike(IkeSa& sa, const Payloads& asked, Payloads& answer);
    void pass_on_move(const IkeSa& from, IkeSa& to);
    void move_children(IkeSa& sa);
    bool is_free_at(const IkeSa& sa, ChildSa& child, const Endpoints& ends);
    void note_ends(const IkeSa& sa, ChildSa& child, const std::optional<Endpoints>& ends);
    void move_child(IkeSa& sa, ChildSa& child, const Endpoints& ends);
    void stays(IkeSa& sa, ChildSa& child);

    // ---- nat.cc
    Notify nat_detection(NotifyType type, const IkeSa& sa, const Endpoint& end) const;
    void detect_nat(IkeSa& sa, const Payloads& payloads);
    void follow(IkeSa& sa, const Datagram& authentic);

private:
    std::set<IkeSaId> touched_;
    std::optional<Way> way_;  // by which the message at hand came
};

/// The key exchange that is offered first; none: there is none among these.
KeMethod first_method(const std::vector<Proposal>& proposals);

// ---- ipcomp.cc: the IPComp SAs of a child that has some, as they come and go with the others
void add_inbound_ipcomp(const IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations);
void add_outbound_ipcomp(const IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations);
void remove_outbound_ipcomp(const IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations);
void remove_inbound_ipcomp(const IkeSa& sa, ChildSa& child, std::vector<control::Operation>& operations);

// ---- reload.cc
/// Whether an IKE SA could have been made with the keys of `next` too; true of one that is not established.
bool is_proven_by(const IkeSa& sa, const Connection& next);
/// `connection` has the keys and authorities of `next` from now on.
void renew(const Connection& connection, const Connection& next);

/// How an initiator's AUTH is to be looked at (RFC 8784 3, table 1). The error says which PPK he names, and which we
/// have.
Result<PpkProof> ppk_proof(CryptoContext& crypto, const IkeSa& sa, const Connection& connection, const Auth& auth,
                           const Payloads& payloads);

/// TEMPORARY_FAILURE or STATE_NOT_FOUND: the same may go well in a moment.
bool is_passing(const Payloads& payloads);

/// An SPI of ESP or AH as payloads have it.
Octets octets_of(Spi spi);

/// What a peer is told whose key exchange value cannot be answered: it is wrong, or we cannot do the method after all.
NotifyType refusal_of(const Error& error);

/// A response that says "no": the first error notification in it.
const Notify* first_error(const Payloads& payloads);

}  // namespace torii::ike
