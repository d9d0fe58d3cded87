#include "forward/routes.h"

#include <algorithm>

namespace torii {

Routes::Routes(std::vector<Route> routes, std::unordered_map<Address, HopIndex, AddressHash> hops,
               std::vector<Address> own)
    : routes_(std::move(routes)), hops_(std::move(hops)), own_(std::move(own)) {
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        const Prefix& prefix = routes_[i].destination;
        auto at = std::find_if(lengths_.begin(), lengths_.end(), [&](const Length& l) {
            return l.family == prefix.family() && l.bits == prefix.length();
        });
        if (at == lengths_.end()) at = lengths_.insert(at, Length{prefix.family(), prefix.length(), {}});
        at->routes.emplace(prefix.base(), i);  // the first of two equal prefixes stays
    }
    std::ranges::sort(lengths_, std::greater{}, &Length::bits);
}

RouteAnswer Routes::find(const Address& destination) const {
    for (const Length& length : lengths_) {
        if (length.family != destination.family()) continue;
        const auto at = length.routes.find(masked(destination, length.bits));
        if (at == length.routes.end()) continue;
        const Route& route = routes_[at->second];
        const Address neighbour = route.via.value_or(destination);
        const auto hop = hops_.find(neighbour);
        return {&route, hop == hops_.end() ? HopIndex::none : hop->second, neighbour};
    }
    return {};
}

bool Routes::is_own(const Address& address) const { return std::ranges::find(own_, address) != own_.end(); }

bool Routes::is_network_broadcast(const Address& address) const {
    if (!address.is_v4()) return false;
    return std::ranges::any_of(routes_, [&](const Route& route) {
        const unsigned length = route.destination.length();
        if (route.via || length > 30 || !route.destination.contains(address)) return false;
        const std::uint32_t host_bits = ~std::uint32_t{0} >> length;
        const std::uint32_t host = address.v4_number() & host_bits;
        return host == 0 || host == host_bits;
    });
}

}  // namespace torii
