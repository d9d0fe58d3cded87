// The far ends of the gateway's SAs, honest or not: they hold its keys, so that what is wrong inside a packet arrives
// correctly encrypted. Peer N is 20.0.0.N and speaks to 20.0.0.1, or 2001:db8::N to 2001:db8::1.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/operations.h"
#include "crypto/engine.h"
#include "gateway/configuration.h"
#include "test/support/packets.h"

namespace torii::test {

inline constexpr std::size_t office = 0, world = 1;
inline constexpr MacAddress host_mac{{2, 0, 0, 0, 1, 5}}, peer_mac{{2, 0, 0, 0, 0, 2}};

class Peer {
public:
    struct Identity {
        unsigned number;  // N of its address, of its office 10.0.N.0/24 or 2001:db8:N::/64, and of its SPIs
        IpsecProtocol protocol;
        std::string_view mode;
        Suite suite;  // not of IPComp
        std::string_view cipher_key, auth_key;
        bool old = false;  // ESP of RFC 1827, AH of RFC 1826
        Family outside = Family::ipv4, inside = Family::ipv4;
        bool in_udp = false;  // ESP behind UDP port 4500
    };
    Peer(const CryptoBook& book, CryptoEngine& engine, const Identity& identity);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    const std::string& address() const { return address_; }
    unsigned number() const { return identity_.number; }
    IpsecProtocol protocol() const { return identity_.protocol; }
    bool is_old() const { return identity_.old; }
    /// The gateway's address that it speaks to.
    std::string us() const { return identity_.outside == Family::ipv4 ? "20.0.0.1" : "2001:db8::1"; }
    /// The gateway's SAs from and to this peer, as setkey says them.
    std::string statements() const;
    /// ESP header, IV, `text` encrypted and ICV, under the next sequence number.
    Octets seal(Octets text);
    /// `payload`, padding 1, 2, 3, ... to whole blocks, and the trailer.
    Octets padded(Octets payload, std::uint8_t next_header) const;
    /// A packet to the gateway whose ESP carries `text` as it is, for texts no honest peer writes.
    Octets packet(const Octets& text, const Ipv4Options& options = {});
    /// A packet to the gateway whose AH, with a right ICV, stands before `payload`.
    Octets authenticated(const Octets& payload, std::uint8_t next_header);
    /// A packet to the gateway with `payload` compressed.
    Octets compressed(const Octets& payload, std::uint8_t next_header) const;
    /// `inner`, of whichever family its first octet tells, as this peer's protocol carries it in tunnel mode.
    Octets tunnel(const Octets& inner);

private:
    const CryptoBook& book_;
    CryptoEngine& engine_;
    const Identity identity_;
    std::string address_;
    SuiteIndex suite_;
    std::uint32_t sequence_ = 0;
    alignas(64) std::array<std::byte, key_block_octets> key_{};
};

struct Peers {
    Peers();
    /// By its number; see the table in peers.cc.
    Peer& at(unsigned number);
    Peer& gcm() { return at(2); }
    Peer& cbc() { return at(3); }
    Peer& null() { return at(4); }
    Peer& unauthenticated() { return at(5); }
    Peer& transport() { return at(6); }
    Peer& any_mode() { return at(7); }
    Peer& ah() { return at(14); }
    Peer& ipcomp() { return at(16); }
    Peer& old_esp() { return at(18); }
    Peer& old_ah() { return at(19); }

    std::unique_ptr<CryptoBook> book;
    std::unique_ptr<CryptoEngine> engine;
    std::vector<std::unique_ptr<Peer>> all;
};

/// Every SA and policy of the gateway under test. Behind peer N stands office 10.0.N.0/24 or 2001:db8:N::/64;
/// 10.0.8.0/24 is reached through two nested tunnels, 10.0.9.0/24 through four, 10.0.17.0/24 through one of each
/// protocol, 2001:db8:29::/64 through two of different families; 10.0.11.0/24 and 2001:db8:11::/64 go in clear,
/// 10.0.12.0/24 and 2001:db8:12::/64 not at all.
std::string hostile_setkey(const Peers& peers);
/// That gateway: an office port, a world port, and gif ports to peers 6, whose packets go through transport mode, and
/// 10, whose go in clear.
Configuration hostile_configuration();
/// Host 5 of office N, in IPv6 "2001:db8:N::5".
std::string host_of(unsigned office_number, Family family);

}  // namespace torii::test
