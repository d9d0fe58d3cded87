#include "ike/v2/address_pools.h"

#include <algorithm>
#include <array>

namespace torii::ike {

namespace {

struct Range {
    std::uint64_t first, last;  // numbers behind the prefix's own address
};

/// Hosts' addresses: neither a network's own nor its broadcast, nor the anycast address of IPv6's routers (RFC 4291
/// 2.6.1). Of a prefix of one or two addresses all.
Range hosts_of(const Prefix& prefix) {
    const unsigned bits = std::min(prefix.base().bits() - prefix.length(), 32u);
    const std::uint64_t all = (std::uint64_t{1} << bits) - 1;
    if (bits <= 1) return {0, all};
    return {1, prefix.base().is_v4() ? all - 1 : all};
}

Address advanced(const Address& base, std::uint64_t by) {
    auto raw = base.raw();
    for (std::size_t i = base.bits() / 8; i-- > 0 && by != 0; by >>= 8) {
        by += raw[i];
        raw[i] = static_cast<std::uint8_t>(by);
    }
    return Address::from_octets(std::as_bytes(std::span{raw}).first(base.bits() / 8));
}

bool is_host_of(const Prefix& prefix, const Address& address) {
    if (!prefix.contains(address)) return false;
    if (prefix.base().bits() - prefix.length() <= 1) return true;
    return address != prefix.base() &&
           !(address.is_v4() && address == advanced(prefix.base(), hosts_of(prefix).last + 1));
}

std::string name_of_peer(const Id& peer) {
    return std::to_string(static_cast<unsigned>(peer.type)) + ":" +
           std::string{reinterpret_cast<const char*>(peer.data.data()), peer.data.size()};
}

}  // namespace

std::optional<Address> AddressPools::lend(const Prefix& prefix, const Id& id, const std::optional<Address>& wanted,
                                          bool shares) {
    Pool& pool = pools_[prefix];
    const std::string peer = name_of_peer(id);
    auto chosen = his_own(pool, peer, wanted, shares);
    if (!chosen) chosen = unused(pool, prefix, wanted);
    if (!chosen && !pool.free.empty()) {
        chosen = pool.free.begin()->second;
        forget(pool, *chosen);
    }
    if (!chosen) return {};
    const auto [lease, is_new] = pool.leases.try_emplace(*chosen);
    if (is_new) {
        lease->second.peer = peer;
        pool.of_peer[peer].push_back(*chosen);
    }
    if (lease->second.users++ == 0) pool.free.erase({lease->second.given_back, *chosen});
    return chosen;
}

std::optional<Address> AddressPools::his_own(const Pool& pool, const std::string& peer,
                                             const std::optional<Address>& wanted, bool shares) {
    const auto found = pool.of_peer.find(peer);
    if (found == pool.of_peer.end()) return {};
    const std::vector<Address>& his = found->second;
    if (wanted && std::ranges::find(his, *wanted) != his.end()) return wanted;
    const auto idle = std::ranges::find_if(his, [&](const Address& a) { return pool.leases.at(a).users == 0; });
    const auto takes = shares ? his.begin() : idle;
    return takes == his.end() ? std::nullopt : std::optional{*takes};
}

std::optional<Address> AddressPools::unused(Pool& pool, const Prefix& prefix, const std::optional<Address>& wanted) {
    if (pool.leases.size() >= most_addresses) return {};
    if (wanted && is_host_of(prefix, *wanted) && !pool.leases.contains(*wanted)) return wanted;
    const Range hosts = hosts_of(prefix);
    pool.next = std::max(pool.next, hosts.first);
    while (pool.next <= hosts.last) {
        const Address address = advanced(prefix.base(), pool.next++);
        if (!pool.leases.contains(address)) return address;
    }
    return {};
}

void AddressPools::forget(Pool& pool, const Address& address) {
    const auto lease = pool.leases.find(address);
    pool.free.erase({lease->second.given_back, address});
    const auto his = pool.of_peer.find(lease->second.peer);
    std::erase(his->second, address);
    if (his->second.empty()) pool.of_peer.erase(his);
    pool.leases.erase(lease);
}

void AddressPools::give_back(const Address& address) {
    for (auto& [prefix, pool] : pools_) {
        const auto lease = pool.leases.find(address);
        if (lease == pool.leases.end() || lease->second.users == 0) continue;
        if (--lease->second.users == 0) {
            lease->second.given_back = ++given_back_;
            pool.free.emplace(given_back_, address);
        }
        return;
    }
}

void AddressPools::keep_only(const std::set<Prefix>& pools) {
    std::erase_if(pools_, [&](const auto& entry) {
        const Pool& pool = entry.second;
        return !pools.contains(entry.first) && pool.free.size() == pool.leases.size();
    });
}

std::size_t AddressPools::lent() const {
    std::size_t count = 0;
    for (const auto& [prefix, pool] : pools_) count += pool.leases.size() - pool.free.size();
    return count;
}

}  // namespace torii::ike
