// What an operator says about a peer and the traffic to him, as values: the configuration of IKEv2. app/ike reads it
// from a file, tests write it down. Shared and immutable while an IKE SA uses it. Control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/operations.h"
#include "ike/credentials/certificates.h"
#include "ike/credentials/postquantum_keys.h"
#include "ike/credentials/shared_keys.h"
#include "ike/crypto/transforms.h"
#include "policy/selector.h"

namespace torii::ike {

enum class StartAction : std::uint8_t {
    none,   // waits for the peer, or for `torii ike up`
    trap,   // policies stand at once, the first packet that needs SAs starts the negotiation
    start,  // negotiates at once, and again when it ends
};
/// What becomes of an older IKE SA with a peer of the same identity (RFC 7296 2.4): it goes; it stays, and the new one
/// is refused unless the peer has begun afresh or comes from the same address (he may prove himself again); or both
/// stay, whatever the peer says.
enum class Uniqueness : std::uint8_t { replace, keep, never };
enum class AuthWay : std::uint8_t { shared_key, certificate, raw_key };
/// Whether a post-quantum pre-shared key goes into the keys (RFC 8784): where the peer has it too, or always.
enum class PpkUse : std::uint8_t { never, prefer, required };

struct ChildConfig {
    std::string name;
    ProtocolId protocol = ProtocolId::esp;  // or ah
    Mode mode = Mode::tunnel;               // never any
    std::vector<Proposal> proposals;        // of parse_child_proposal; SPIs empty
    std::vector<Prefix> local, remote;      // empty: the ends' own addresses (transport mode, host to host)
    std::optional<std::uint8_t> ip_protocol;
    PortRange local_ports, remote_ports;
    bool ipcomp = false;
    StartAction start = StartAction::none;
    /// True: the SPD's entries are made and removed by IKE (connections that make their own policies). False: they are
    /// the operator's, by setkey, and only SAs are made (the FAQ's way); the policy's own selectors and reqid are taken
    /// then.
    bool makes_policies = true;
    std::uint32_t rekey_seconds = 3600;  // soft; jitter takes up to a tenth off
    std::uint64_t rekey_octets = 0, rekey_packets = 0;
    std::uint32_t life_seconds = 4320;  // hard
    std::uint32_t replay_packets = 1024;
    friend bool operator==(const ChildConfig&, const ChildConfig&) = default;
};

struct Connection {
    std::string name;
    std::string fingerprint;        // of its own files: keys are not compared, and may have changed
    std::optional<Address> local;   // none: whichever of ours the peer speaks to
    std::optional<Address> remote;  // none: anybody, who must begin
    std::optional<Id> local_id;     // none: the local address
    std::optional<Id> remote_id;    // none: whoever proves an identity that our credentials know
    AuthWay local_auth = AuthWay::shared_key, remote_auth = AuthWay::shared_key;
    std::shared_ptr<const OwnKey> own_key;       // certificate, raw_key
    std::shared_ptr<const PublicKey> peers_key;  // raw_key
    // What all connections share, mutable for Engine::configure alone: a reload renews it while IKE SAs go on.
    mutable std::shared_ptr<const TrustStore> trust;  // certificate
    mutable std::shared_ptr<const SharedKeys> shared_keys;
    mutable std::shared_ptr<const PostquantumKeys> postquantum_keys;
    bool allow_sha1 = false;  // signatures, for peers without RFC 7427
    PpkUse ppk = PpkUse::never;
    Octets ppk_id;  // of the one that we name and take; empty: whichever of ours the peer names, who must begin
    std::vector<Proposal> proposals;
    std::uint32_t rekey_seconds = 14400;
    std::uint32_t reauth_seconds = 0;  // 0: never
    std::uint32_t dpd_seconds = 30;    // 0: never asks
    Uniqueness uniqueness = Uniqueness::replace;
    bool fragmentation = true;
    bool childless = false;  // the IKE SA alone, each child by an exchange of its own (RFC 6023)
    bool mobike = false;
    std::vector<Address> other_locals;  // ours, to which it may move (RFC 4555)
    // Addresses by the Configuration payload (RFC 7296 2.19): lent to the peer, whose children without `remote` are for
    // them; or asked of the peer, for our children without `local`.
    std::vector<Prefix> pools;
    std::vector<Address> dns;  // told to whom an address is lent
    bool request_address = false;
    std::vector<ChildConfig> children;
};
/// Whether a reload changes nothing about it; what all connections share is not looked at.
bool same(const Connection& a, const Connection& b);

/// What is told of messages, at level debug: of each a line, but for questions whether somebody is there and their
/// answers; or every one with its payloads in full.
enum class MessageLog : std::uint8_t { none, brief, full };

/// Limits that bound what peers can make us keep.
struct EngineLimits {
    std::size_t half_open = 1000;  // responder IKE SAs without IKE_AUTH
    std::size_t half_open_per_source = 20;
    std::size_t cookies_from = 100;  // half-open IKE SAs from which on cookies are asked for (RFC 7296 2.6)
    std::size_t ike_sas_per_peer = 8;
    std::size_t children_per_ike_sa = 256;
    std::size_t queued_requests = 64;      // tasks that wait for the window
    std::size_t requests_per_second = 20;  // CREATE_CHILD_SA of one peer
    std::uint32_t half_open_seconds = 30;
};

struct EngineConfig {
    std::vector<std::shared_ptr<const Connection>> connections;  // searched in order
    EngineLimits limits;
    std::uint32_t retransmit_milliseconds = 2000;  // doubled each time up to a minute
    unsigned retransmissions = 6;
    bool tells_invalid_selectors = true;  // to whom sends what his SA is not for (RFC 7296 3.10.1)
    MessageLog log_messages = MessageLog::brief;
    bool tells_keys = false;                      // each IKE SA's keys as a line of Wireshark's ikev2_decryption_table
    std::uint32_t old_inbound_grace_seconds = 5;  // how long packets that are under way find their old inbound SA
};

}  // namespace torii::ike
