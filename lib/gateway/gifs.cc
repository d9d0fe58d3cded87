// Gif ports on the control core: their numbers, next hops, what is told of them, and the size their packets may have.
// What does not fit on the way of a gif's envelope lowers the gif's MTU for a while, so that whoever sends the next
// such packet learns it (RFC 2003 5.1, RFC 4213 3.2.2).
#include "gateway/gateway.h"

namespace torii {

namespace {

constexpr auto mtu_kept = std::chrono::minutes{10};  // RFC 1191 6.3
constexpr unsigned least_mtu = 68;                   // RFC 791 3.2

}  // namespace

std::span<const PortConfiguration> Gateway::devices() const {
    const auto first_gif =
        std::ranges::find_if(configuration_.ports, [](const PortConfiguration& port) { return port.gif.has_value(); });
    return {configuration_.ports.begin(), first_gif};
}

/// Fills in the gifs' sides of `port_arrival`.
Result<Gifs> Gateway::make_gifs(std::vector<Arrival>& port_arrival) {
    std::vector<Gif> gifs;
    for (std::size_t i = ports_.size(); i < configuration_.ports.size(); ++i) {
        const PortConfiguration& wish = configuration_.ports[i];
        const std::uint16_t number = port_number(i);
        if (number >= port_numbers) return fail(Errc::no_room, "at most " + std::to_string(max_gifs) + " gif ports");
        const HopIndex hop = neighbours_->fix(wish.gif->remote, number, {});
        if (hop == HopIndex::none) return fail(Errc::no_room, "no next hop is left for port " + wish.name);
        gif_hops_.push_back(hop);
        publish_gif_hop(number, wish.mtu);
        port_arrival[number] = wish.role == PortRole::protected_port ? Arrival::inside : Arrival::outside;
        gifs.emplace_back(wish.gif->local, wish.gif->remote, hop);
    }
    return Gifs{std::move(gifs)};
}

void Gateway::publish_gif_hop(std::uint16_t port, unsigned mtu) {
    auto hop = std::make_unique<NextHop>();
    hop->port = port;
    hop->mtu = static_cast<std::uint16_t>(mtu);
    hop->resolved = true;
    hop->address = port_numbered(port)->gif->remote;
    publish_hop(gif_hops_[port - max_ports], std::move(hop));
}

/// Of a device's port what is configured, of a gif what is known to pass.
std::uint16_t Gateway::mtu_of(std::uint16_t port) const {
    if (is_gif(port)) return publisher_->tables().hops.read(gif_hops_[port - max_ports])->mtu;
    const PortConfiguration* const wish = port_numbered(port);
    return static_cast<std::uint16_t>(wish ? wish->mtu : PortConfiguration{}.mtu);
}

/// `envelope` did not fit, and `mtu` in it would have. An envelope that SAs have taken tells nothing: what they add to
/// another packet is not known here.
void Gateway::learn_gif_mtu(const Packet& envelope) {
    const unsigned header = envelope.ip_header_octets;
    if (!is_ip_in_ip(envelope.protocol) || envelope.mtu < header + least_mtu) return;
    const unsigned fitting = envelope.mtu - header;
    if (fitting >= mtu_of(envelope.port)) return;
    gif_mtus_learnt_[envelope.port] = now_;
    publish_gif_hop(envelope.port, fitting);
    hops_changed_ = true;  // SAs through this gif look at its MTU as well
}

void Gateway::forget_gif_mtus() {
    std::erase_if(gif_mtus_learnt_, [this](const auto& learnt) {
        if (now_ - learnt.second < mtu_kept) return false;
        publish_gif_hop(learnt.first, port_numbered(learnt.first)->mtu);
        hops_changed_ = true;
        return true;
    });
}

control::PortStatus Gateway::gif_status(std::size_t i) const {
    const PortConfiguration& wish = configuration_.ports[i];
    return {.name = wish.name,
            .device = wish.gif->local.text() + "-" + wish.gif->remote.text(),
            .driver = "gif",
            .mtu = mtu_of(port_number(i)),
            .link_up = routes_->find(wish.gif->remote).route != nullptr};
}

}  // namespace torii
