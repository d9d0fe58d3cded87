// What ladders have in common: two offices, orders to them, what must hold at their end, and messages opened and
// written anew by whoever knows the keys.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ike/message/message.h"
#include "world.h"

namespace torii::ike::test {

/// Node 0 is 20.0.0.1 with connection "to-2" and child "offices-2", node 1 the other way around.
World two_offices(const std::shared_ptr<Connection>& first, const std::shared_ptr<Connection>& second,
                  std::uint64_t seed);
World two_offices(std::uint64_t seed);
/// As connection(), with `n` children between networks of their own: "child-0" 10.1.0.0/24 === 10.2.0.0/24, "child-1"
/// 10.1.1.0/24 ...
std::shared_ptr<Connection> with_children(unsigned local, unsigned remote, unsigned n);

/// Orders node 0 or 1 to "up", "down", "rekey" or "reauth"; false: there is nothing of that name to be ordered about.
bool order(World& world, std::size_t node, std::string_view verb, const std::string& name);
/// "up" of the whole connection by node 0, and all that comes of it.
void bring_up(World& world);

bool both_talk(World& world);
/// Empty: both ends hold the same `ike_sas` (0 or 1) established IKE SAs with `children` children, nothing is under
/// way, the gateways hold just their SAs, and if there are children packets go both ways. Else what is wrong.
std::string disagreement(World& world, std::size_t ike_sas, std::size_t children);

/// A message as whoever knows the keys reads it; IKE_SA_INIT as anybody does.
struct Opened {
    Header header;
    Payloads payloads;
};
std::optional<Opened> open(World& world, const Datagram& datagram);
/// Opens it, lets `change` change it, and seals it again; false: it could not be opened.
bool rewrite(World& world, Datagram& datagram, const std::function<void(Opened&)>& change);
/// The same message in fragments of at most so many octets; empty: it could not be opened.
std::vector<Octets> cut(World& world, const Datagram& datagram, std::size_t octets);

template <class T>
T* get(Payloads& payloads) {
    for (Payload& payload : payloads)
        if (T* found = std::get_if<T>(&payload)) return found;
    return nullptr;
}
template <class T>
void drop(Payloads& payloads) {
    std::erase_if(payloads, [](const Payload& payload) { return std::holds_alternative<T>(payload); });
}
/// Every notification of that type.
inline void drop(Payloads& payloads, NotifyType type) {
    std::erase_if(payloads, [type](const Payload& payload) {
        const auto* const n = std::get_if<Notify>(&payload);
        return n != nullptr && n->type == type;
    });
}

}  // namespace torii::ike::test
