#include "forward/routes.h"

#include <algorithm>

namespace torii {

Routes::Routes(std::vector<Route> routes, std::vector<Address> own) : routes_(std::move(routes)), own_(std::move(own)) {
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        const Prefix& prefix = routes_[i].destination;
        auto at = std::find_if(lengths_.begin(), lengths_.end(), [&](const Length& l) {
            return l.family == prefix.family() && l.bits == prefix.length();
        });
        if (at == lengths_.end()) at = lengths_.insert(at, Length{prefix.family(), prefix.length(), {}});
        at->routes.emplace(prefix.base(), i);  // the first of two equal prefixes stays
        if (!routes_[i].via && prefix.family() == Family::ipv4 && prefix.length() <= 30)
            with_broadcast_.push_back(prefix);
    }
    std::ranges::sort(lengths_, std::greater{}, &Length::bits);
}

RouteAnswer Routes::find(const Address& destination) const {
    for (const Length& length : lengths_) {
        if (length.family != destination.family()) continue;
        const auto at = length.routes.find(masked(destination, length.bits));
        if (at == length.routes.end()) continue;
        const Route& route = routes_[at->second];
        return {&route, route.via.value_or(destination)};
    }
    return {};
}

bool Routes::is_own(const Address& address) const { return std::ranges::find(own_, address) != own_.end(); }

bool Routes::is_network_broadcast(const Address& address) const {
    return std::ranges::any_of(with_broadcast_, [&](const Prefix& network) {
        if (!network.contains(address)) return false;
        const std::uint32_t host_bits = ~std::uint32_t{0} >> network.length();
        const std::uint32_t host = address.v4_number() & host_bits;
        return host == 0 || host == host_bits;
    });
}

}  // namespace torii
