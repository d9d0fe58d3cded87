// IKE's messages that wait for the event loop: three bounded queues. A message of an IKE SA that there is goes before
// those that want to open one, which cost the most: who is inside does not wait for a crowd at the door. What names an
// IKE SA that there is not comes last: anybody can write such numbers. Control thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

#include "ike/v2/actions.h"

namespace torii {

class Inbox {
public:
    static constexpr std::size_t most = 1024;  // of each kind

    /// `of_member`: it names an IKE SA of ours. False: so many of its kind wait already.
    bool put(ike::Datagram datagram, bool of_member) {
        std::deque<ike::Datagram>& queue = of_member ? members_ : opens(datagram) ? openers_ : strays_;
        if (queue.size() >= most) return false;
        queue.push_back(std::move(datagram));
        return true;
    }
    std::optional<ike::Datagram> take() {
        std::deque<ike::Datagram>& queue = !members_.empty() ? members_ : !openers_.empty() ? openers_ : strays_;
        if (queue.empty()) return {};
        std::optional out{std::move(queue.front())};
        queue.pop_front();
        return out;
    }
    bool empty() const { return members_.empty() && openers_.empty() && strays_.empty(); }

private:
    /// Whether its responder's SPI is 0 (RFC 7296 3.1): a first message, with or without a cookie.
    static bool opens(const ike::Datagram& datagram) {
        constexpr std::size_t begins = 8, ends = 16;
        const ike::Octets& o = datagram.octets;
        return o.size() < ends ||
               std::all_of(o.begin() + begins, o.begin() + ends, [](std::byte b) { return b == std::byte{}; });
    }

    std::deque<ike::Datagram> members_, openers_, strays_;
};

}  // namespace torii
