// Addresses that a gateway lends to peers for the length of an IKE SA (RFC 7296 2.19). Who comes back gets the address
// that he had, as long as nobody else has needed it: what was given back longest ago goes first. A pool never lends
// more than most_addresses, nor remembers more borrowers, however large its prefix is. Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ike/message/payloads.h"
#include "net/address.h"

namespace torii::ike {

class AddressPools {
public:
    static constexpr std::size_t most_addresses = 65536;

    /// `wanted`: what he asks for, and gets if it is free or his. `shares`: an IKE SA of his that stands lends him its
    /// address for the new one, which takes its place; else he gets it only by asking for it. Nothing: all are lent.
    std::optional<Address> lend(const Prefix& pool, const Id& peer, const std::optional<Address>& wanted, bool shares);
    /// Once for each time that it was lent.
    void give_back(const Address& address);
    /// Forgets who had what of all other pools, where nothing is lent.
    void keep_only(const std::set<Prefix>& pools);
    std::size_t lent() const;  // addresses that somebody has now

private:
    struct Lease {
        std::string peer;
        std::size_t users = 0;         // IKE SAs
        std::uint64_t given_back = 0;  // when, in numbers of give_back()
    };
    struct Pool {
        std::map<Address, Lease> leases;  // those that are given back too
        std::map<std::string, std::vector<Address>> of_peer;
        std::set<std::pair<std::uint64_t, Address>> free;  // given back; the longest ago first
        std::uint64_t next = 0;                            // of the prefix, the first that was never lent
    };
    static std::optional<Address> his_own(const Pool& pool, const std::string& peer,
                                          const std::optional<Address>& wanted, bool shares);
    static std::optional<Address> unused(Pool& pool, const Prefix& prefix, const std::optional<Address>& wanted);
    static void forget(Pool& pool, const Address& address);

    std::map<Prefix, Pool> pools_;
    std::uint64_t given_back_ = 0;
};

}  // namespace torii::ike
