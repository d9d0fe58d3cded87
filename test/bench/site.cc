#include "test/bench/site.h"

#include <cstdio>

#include "net/headers.h"

namespace torii::bench {

namespace {

constexpr std::uint32_t our_gateway = 0x14000001, next_gateway = 0x14000002;  // 20.0.0.1, 20.0.0.2
constexpr std::uint32_t office_net = 0xc0a80100;                              // 192.168.1.0/24
constexpr std::uint32_t other_nets = 0x0a000000, other_gateways = 0x15000000;
constexpr unsigned wire_mtu = 1700;  // octets; the mbufs stay as large as they are by default

/// In IPv6 the octets a.b.c.d are 2001:db8:a:bc::1dd.
Address address(std::uint32_t number, Family family) {
    if (family == Family::ipv4) return Address::v4(number);
    std::array<std::uint8_t, 16> octets{0x20, 0x01, 0x0d, 0xb8};
    octets[5] = static_cast<std::uint8_t>(number >> 24);
    octets[6] = static_cast<std::uint8_t>(number >> 16);
    octets[7] = static_cast<std::uint8_t>(number >> 8);
    octets[14] = 1;
    octets[15] = static_cast<std::uint8_t>(number);
    return Address::v6(octets);
}
std::uint8_t network_bits(Family family) { return family == Family::ipv4 ? 24 : 64; }
std::string text(std::uint32_t number, Family family) { return address(number, family).text(); }
std::string network(std::uint32_t number, Family family) {
    return Prefix{address(number, family), network_bits(family)}.text();
}
std::uint32_t net_behind(unsigned tunnel) { return other_nets + (tunnel << 8); }
std::uint32_t gateway_of(unsigned tunnel) { return other_gateways + tunnel; }

/// A key nobody else has: octets of a counter's mixture. Not a secret, and not meant to be one.
std::string key_of(std::uint64_t which, unsigned octets) {
    std::string out = "0x";
    char digits[3];
    for (unsigned i = 0; i < octets; ++i) {
        std::uint64_t x = (which << 8 | i) * 0x9e3779b97f4a7c15u;
        x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
        std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(x >> 56));
        out += digits;
    }
    return out;
}

std::string algorithms(const Layer& layer, std::uint32_t spi) {
    if (layer.protocol == IpsecProtocol::ipcomp) return " -C deflate";
    std::string out = " -r 4";
    if (layer.cipher != CipherId::null)
        out += " -E " + std::string{info(layer.cipher).name} + " " + key_of(spi, layer.cipher_key_octets());
    if (layer.auth != AuthId::null)
        out += " -A " + std::string{info(layer.auth).name} + " " + key_of(~spi, layer.auth_key_octets());
    return out;
}

/// The SAs of one way through a tunnel, one for each layer.
std::string add_sas(const Work& work, std::uint32_t source, std::uint32_t destination, std::uint32_t spi) {
    std::string lines;
    std::string_view mode = "tunnel";
    for (const Layer& layer : work.layers()) {
        lines += "add " + text(source, work.family) + " " + text(destination, work.family) + " " +
                 std::string{name_of(layer.protocol)} + (work.in_udp ? "-udp " : " ") + std::to_string(spi) + " -m " +
                 std::string{mode} + algorithms(layer, spi) + ";\n";
        mode = "transport";
    }
    return lines;
}
std::string add_sas_out(const Work& work, unsigned tunnel) {
    return add_sas(work, our_gateway, gateway_of(tunnel), 0x100000 + tunnel);
}
std::string add_sas_in(const Work& work, unsigned tunnel) {
    return add_sas(work, gateway_of(tunnel), our_gateway, 0x200000 + tunnel);
}

/// `way` is the direction as the policy's gateway sees it; packets between the same networks go both ways.
std::string add_policy(const Work& work, unsigned tunnel, bool to_us, std::string_view way) {
    const std::string there = network(net_behind(tunnel), work.family), here = network(office_net, work.family);
    const std::string far = text(gateway_of(tunnel), work.family), near = text(our_gateway, work.family);
    std::string line =
        "spdadd " + (to_us ? there + " " + here : here + " " + there) + " any -P " + std::string{way} + " ipsec";
    std::string how = "/tunnel/" + (to_us ? far + "-" + near : near + "-" + far) + "/require";
    for (const Layer& layer : work.layers()) {
        line += " " + std::string{name_of(layer.protocol)} + how;
        how = "/transport//require";
    }
    return line + ";\n";
}

/// Two wires with one queue each, since one worker is measured.
Configuration two_wires(const Setting& setting, const InterfaceAddress& inside, const InterfaceAddress& outside) {
    Configuration c;
    c.burst = setting.burst;
    c.mbufs = setting.mbufs;
    c.only_kernels = setting.kernel;
    c.ports = {{.name = "office",
                .device = "",
                .addresses = {inside},
                .mtu = wire_mtu,
                .role = PortRole::protected_port,
                .queues = 1},
               {.name = "world",
                .device = "",
                .addresses = {outside},
                .mtu = wire_mtu,
                .role = PortRole::unprotected_port,
                .queues = 1}};
    return c;
}

}  // namespace

std::string_view name_of(Direction direction) { return direction == Direction::outbound ? "outbound" : "inbound"; }

unsigned Layer::text_octets(unsigned octets) const {
    if (protocol == IpsecProtocol::ah)
        return unsigned{sizeof(Ipv4Header)} + protected_octets(octets) - unsigned{sizeof(EspHeader)};
    const unsigned block = std::max<unsigned>(info(cipher).block_octets, 4);
    return (octets + unsigned{sizeof(EspTrailer)} + block - 1) / block * block;
}

unsigned Layer::protected_octets(unsigned octets) const {
    if (protocol == IpsecProtocol::ah) return unsigned{sizeof(AhHeader)} + icv_octets() + octets;
    return unsigned{sizeof(EspHeader)} + iv_octets() + text_octets(octets) + icv_octets();
}

unsigned Work::tunnel_octets(unsigned ip_octets) const {
    for (const Layer& layer : layers())
        if (layer.is_crypto()) ip_octets = layer.protected_octets(ip_octets);
    const unsigned outer = family == Family::ipv4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
    return outer + (in_udp ? unsigned{sizeof(UdpHeader)} : 0) + ip_octets;
}

Configuration gateway_configuration(const Work& work, const Setting& setting) {
    const Family family = work.family;
    Configuration c = two_wires(setting, {address(office_net + 1, family), network_bits(family)},
                                {address(our_gateway, family), network_bits(family)});
    const Address next = address(next_gateway, family);
    const std::uint8_t bits = family == Family::ipv4 ? 8 : 48;
    c.routes = {{Prefix{address(other_nets, family), bits}, next, "world"},
                {Prefix{address(other_gateways, family), bits}, next, "world"}};
    c.neighbours = {{next, MacAddress{{2, 0, 0, 0, 0, 2}}, "world"},
                    {our_host(family), MacAddress{{2, 0, 0, 0, 1, 5}}, "office"}};
    return c;
}

std::string gateway_setkey(const Work& work, unsigned tunnels) {
    std::string all;
    for (unsigned tunnel = 0; tunnel < tunnels; ++tunnel)
        all += add_sas_out(work, tunnel) + add_sas_in(work, tunnel) + add_policy(work, tunnel, false, "out") +
               add_policy(work, tunnel, true, "in");
    return all;
}

/// A wire's port has a MAC of zeros, and so the peers' only neighbour has.
Configuration peers_configuration(const Work& work, const Setting& setting) {
    const Family family = work.family;
    const std::uint8_t bits = network_bits(family);
    const Address ours = address(our_gateway, family);
    Configuration c = two_wires(setting, {address(0xac100001, family), bits}, {address(next_gateway, family), bits});
    c.routes = {{Prefix{address(office_net, family), bits}, ours, "world"}};
    c.neighbours = {{ours, MacAddress{}, "world"}};
    return c;
}

std::string peers_setkey(const Work& work, unsigned tunnels) {
    std::string all;
    for (unsigned tunnel = 0; tunnel < tunnels; ++tunnel)
        all += add_sas_in(work, tunnel) + add_policy(work, tunnel, true, "out");
    return all;
}

Address our_host(Family family) { return address(office_net + 5, family); }
Address host_behind(unsigned tunnel, Family family) { return address(net_behind(tunnel) + 5, family); }

}  // namespace torii::bench
