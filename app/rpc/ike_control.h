// What the control socket may ask of IKE, as plain values: who is connected, through what, and since when; and to begin
// or end it. Implemented by the IKE daemon, and by a fake in tests. Every call is made on the control thread and
// returns at once; nothing here waits for a peer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace torii::rpc {

/// A pair of SAs that IKE negotiated, or a child that is configured and has none now.
struct IkeChildStatus {
    std::string connection, name;
    std::uint32_t number = 0;  // of this pair, never reused; 0: there is none
    std::uint32_t ike = 0;     // the number of the IKE SA it belongs to
    std::string state;         // "none", "trap", "negotiating", "installed", "rekeying", "old", "deleting"
    std::string protocol, mode;
    bool in_udp = false, ipcomp = false;
    std::uint32_t inbound_spi = 0, outbound_spi = 0;
    std::string suite;                       // "aes128gcm16-x25519-noesn"
    std::vector<std::string> local, remote;  // traffic selectors: "10.0.1.0/24", "10.0.1.5[tcp/110]"
    std::uint64_t age_seconds = 0;
    std::uint64_t rekey_in_seconds = 0, ends_in_seconds = 0;  // 0: not by time
    std::uint64_t inbound_packets = 0, inbound_octets = 0, outbound_packets = 0, outbound_octets = 0;
};

/// An IKE SA, or a connection that is configured and has none now.
struct IkeStatus {
    std::string connection;
    std::uint32_t number = 0;  // of this IKE SA, never reused; 0: there is none
    std::string state;         // "none", "connecting", "established", "rekeying", "rekeyed", "deleting", "closed"
    bool initiator = false;
    std::string local, remote;  // addresses; "any" where none is configured or known
    std::uint16_t local_port = 0, remote_port = 0;
    bool local_nat = false, remote_nat = false;  // behind one
    std::string local_id, remote_id;             // empty: not known yet
    std::string local_auth, remote_auth;         // "psk", "ECDSA P-256", ...
    std::uint64_t initiator_spi = 0, responder_spi = 0;
    std::string suite;                                          // "aes128gcm16-prfsha256-x25519"
    std::vector<std::string> internal_addresses, internal_dns;  // lent to the peer or by him; servers he told us of
    std::string ppk;  // the name of the post-quantum key in its keys; empty: there is none
    std::uint64_t age_seconds = 0;
    std::uint64_t rekey_in_seconds = 0, reauth_in_seconds = 0;  // 0: never
    std::uint64_t silent_seconds = 0;                           // since the peer was last heard
    std::uint32_t children = 0;                                 // pairs of SAs
};

/// One line of the log that IKE keeps in memory.
struct IkeLogLine {
    std::int64_t unix_milliseconds = 0;
    std::string level;         // "error", "info", "debug"
    std::string connection;    // empty: of none
    std::uint32_t number = 0;  // of the IKE SA; 0: of none
    std::string text;
};

class IkeControl {
public:
    virtual ~IkeControl() = default;

    /// In the order of the configuration, each connection's IKE SAs in the order of their numbers.
    virtual std::vector<IkeStatus> list() const = 0;
    virtual std::vector<IkeChildStatus> children() const = 0;
    /// The last `most` lines, oldest first, of one connection, or of all when it is empty.
    virtual std::vector<IkeLogLine> log(std::string_view connection, std::size_t most) const = 0;

    /// Whoever follows events: each line of level info, warning or error as it comes. One at a time; empty: nobody.
    virtual void tell_to(std::function<void(const IkeLogLine&)> hear) = 0;

    /// `name` is a connection, "CONNECTION/CHILD", or "#NUMBER" of an IKE SA. Each begins what it says and returns what
    /// that is, for people: "negotiating newyork". Errors: not_found, with the names there are; bad_value, it makes no
    /// sense now ("newyork has no IKE SA").
    virtual Result<std::string> up(std::string_view name) = 0;
    virtual Result<std::string> down(std::string_view name) = 0;
    virtual Result<std::string> rekey(std::string_view name) = 0;
    virtual Result<std::string> reauth(std::string_view name) = 0;
    /// To another address of ours, with its children (RFC 4555).
    virtual Result<std::string> move(std::string_view name, std::string_view address) = 0;
};

}  // namespace torii::rpc
