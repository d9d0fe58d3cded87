#include "peers.h"

#include <algorithm>

#include "ah/ah.h"
#include "ipcomp/ipcomp.h"

namespace torii::test {

namespace {

constexpr IpsecProtocol esp = IpsecProtocol::esp, ah = IpsecProtocol::ah, ipcomp = IpsecProtocol::ipcomp;

constexpr Peer::Identity identities[]{
    {2, esp, "tunnel", {CipherId::aes_gcm_16, AuthId::null, 128}, "tokyo-newyork-key001", ""},
    {3,
     esp,
     "tunnel",
     {CipherId::aes_cbc, AuthId::hmac_sha256, 128},
     "sixteen-octets-3",
     "thirty-two-octets-for-sha256-3-3"},
    {4, esp, "tunnel", {CipherId::null, AuthId::hmac_sha1, 0}, "", "twenty-octets-sha1-4"},
    {5, esp, "tunnel", {CipherId::aes_cbc, AuthId::null, 128}, "sixteen-octets-5", ""},
    {6, esp, "transport", {CipherId::aes_gcm_16, AuthId::null, 128}, "transport-mode-key-6", ""},
    {7, esp, "any", {CipherId::des3_cbc, AuthId::hmac_md5, 192}, "twenty-four-octets-3des7", "sixteen-octets-7"},
    {14, ah, "tunnel", {CipherId::null, AuthId::hmac_sha256, 0}, "", "thirty-two-octets-for-sha256-14-"},
    {15, ah, "any", {CipherId::null, AuthId::hmac_sha1, 0}, "", "twenty-octets-sha-15"},
    {16, ipcomp, "tunnel", {}, "", ""},
    {18, esp, "tunnel", {CipherId::des_cbc, AuthId::null, 64}, "octets-8", "", true},
    {19, ah, "tunnel", {CipherId::null, AuthId::keyed_md5_128, 0}, "", "sixteen-octets19", true},
    {.number = 22,
     .protocol = esp,
     .mode = "tunnel",
     .suite = {CipherId::aes_gcm_16, AuthId::null, 128},
     .cipher_key = "tokyo-newyork-key022",
     .auth_key = "",
     .outside = Family::ipv6,
     .inside = Family::ipv6},
    {.number = 23,
     .protocol = esp,
     .mode = "any",
     .suite = {CipherId::aes_cbc, AuthId::hmac_sha256, 128},
     .cipher_key = "sixteen-octets23",
     .auth_key = "thirty-two-octets-for-sha256-23-",
     .outside = Family::ipv6},
    {.number = 24,
     .protocol = esp,
     .mode = "tunnel",
     .suite = {CipherId::null, AuthId::hmac_sha1, 0},
     .cipher_key = "",
     .auth_key = "twenty-octets-sha-24",
     .inside = Family::ipv6},
    {.number = 25,
     .protocol = ah,
     .mode = "any",
     .suite = {CipherId::null, AuthId::hmac_sha256, 0},
     .cipher_key = "",
     .auth_key = "thirty-two-octets-for-sha256-25-",
     .outside = Family::ipv6,
     .inside = Family::ipv6},
    {.number = 26,
     .protocol = ipcomp,
     .mode = "tunnel",
     .suite = {},
     .cipher_key = "",
     .auth_key = "",
     .outside = Family::ipv6,
     .inside = Family::ipv6},
    {.number = 27,
     .protocol = esp,
     .mode = "transport",
     .suite = {CipherId::aes_gcm_16, AuthId::null, 128},
     .cipher_key = "transport-mode-ke-27",
     .auth_key = "",
     .outside = Family::ipv6},
    {.number = 28,
     .protocol = esp,
     .mode = "tunnel",
     .suite = {CipherId::aes_gcm_16, AuthId::null, 128},
     .cipher_key = "tokyo-newyork-key028",
     .auth_key = "",
     .in_udp = true},
};

const Peer::Identity& identity_of(unsigned number) {
    return *std::ranges::find(identities, number, &Peer::Identity::number);
}
std::string address_of(const Peer::Identity& identity) {
    return (identity.outside == Family::ipv4 ? "20.0.0." : "2001:db8::") + std::to_string(identity.number);
}
/// An IP packet of the family that the addresses are of.
Octets ip_packet(const std::string& source, const std::string& destination, std::uint8_t protocol,
                 const Octets& payload) {
    return source.find(':') == source.npos ? ipv4(source, destination, protocol, payload)
                                           : ipv6(source, destination, protocol, payload);
}
std::uint8_t inner_protocol(const Octets& inner) {
    return !inner.empty() && std::to_integer<unsigned>(inner[0]) >> 4 == 6 ? 41 : 4;
}
std::string network_of(unsigned office_number, Family family) {
    const std::string number = std::to_string(office_number);
    return family == Family::ipv4 ? "10.0." + number + ".0/24" : "2001:db8:" + number + "::/64";
}

/// Policies both ways for the packets of office N, through the tunnels of `peers`, innermost first.
std::string tunnels(unsigned office_number, const std::vector<unsigned>& peers) {
    const Family family = identity_of(peers[0]).inside;
    const std::string far = network_of(office_number, family), near = network_of(1, family);
    std::string in, out;
    for (const unsigned peer : peers) {
        const Peer::Identity& identity = identity_of(peer);
        const std::string them = address_of(identity);
        const std::string us = identity.outside == Family::ipv4 ? "20.0.0.1" : "2001:db8::1";
        const auto request = [&](const std::string& from, const std::string& to) {
            return std::string{name_of(identity.protocol)} + "/tunnel/" + from + "-" + to + "/require ";
        };
        in += request(them, us);
        out += request(us, them);
    }
    return "spdadd " + far + " " + near + " any -P in ipsec " + in + ";\nspdadd " + near + " " + far +
           " any -P out ipsec " + out + ";\n";
}

}  // namespace

Peer::Peer(const CryptoBook& book, CryptoEngine& engine, const Identity& identity)
    : book_(book), engine_(engine), identity_(identity), address_(address_of(identity)) {
    if (identity.protocol == ipcomp) return;
    suite_ = book.suite(identity.suite).value();
    const auto octets = [](std::string_view text) { return std::as_bytes(std::span{text}); };
    book.expand(suite_, octets(identity.cipher_key), octets(identity.auth_key), key_.data()).value();
}

Peer::~Peer() {
    if (identity_.protocol != ipcomp) book_.erase(suite_, key_.data());
}

std::string Peer::statements() const {
    const auto quoted = [](std::string_view key) { return " \"" + std::string{key} + "\""; };
    const Suite& suite = identity_.suite;
    const auto with = [&](std::string cipher_key) {
        std::string text = " " + std::string{name_of(identity_.protocol)} +
                           (identity_.old      ? "-old "
                            : identity_.in_udp ? "-udp "
                                               : " ") +
                           std::to_string(0x1000 + identity_.number) + " -m " + std::string{identity_.mode};
        if (!identity_.old) text += identity_.protocol == ipcomp ? " -C deflate" : " -r 255";
        if (identity_.protocol == esp) text += " -E " + std::string{info(suite.cipher).name};
        if (!cipher_key.empty()) text += quoted(cipher_key);
        if (!identity_.auth_key.empty())
            text +=
                " -A " + std::string{identity_.old ? "keyed-md5" : info(suite.auth).name} + quoted(identity_.auth_key);
        return text + ";\n";
    };
    const std::string_view there = identity_.cipher_key;
    const std::string back{there.rbegin(), there.rend()};  // a key of its own: nobody opens what goes this way
    return "add " + address_ + " " + us() + with(std::string{there}) + "add " + us() + " " + address_ + with(back);
}

Octets Peer::packet(const Octets& text, const Ipv4Options& options) {
    const Octets sealed = seal(text);
    if (identity_.outside == Family::ipv6)
        return ipv6(address_, us(), 50, sealed, {.hop_limit = options.ttl, .traffic_class = options.dscp_ecn});
    if (identity_.in_udp) return ipv4(address_, us(), 17, udp(4500, 4500, sealed), options);
    return ipv4(address_, us(), 50, sealed, options);
}

Octets Peer::seal(Octets text) {
    const CipherInfo& cipher = info(identity_.suite.cipher);
    const std::size_t icv = cipher.aead() ? cipher.icv_octets : info(identity_.suite.auth).icv_octets;
    const std::size_t text_octets = text.size();
    Octets out = octets_of(EspHeader{0x1000 + identity_.number, ++sequence_});
    const std::span<const std::byte> fresh = engine_.fresh_iv(cipher.iv_octets);
    if (cipher.counter_mode)
        out = out + octets_of(Big64{sequence_});
    else
        out.insert(out.end(), fresh.begin(), fresh.end());
    const std::size_t text_at = out.size();
    out = out + text + Octets(icv);
    CryptoJob job;
    job.key = key_.data();
    job.head = out.data();
    job.text_octets = static_cast<std::uint32_t>(text_octets);
    job.icv = out.data() + text_at + text_octets;
    job.suite = suite_;
    engine_.seal({&job, 1});
    if (identity_.old) out.erase(out.begin() + 4, out.begin() + sizeof(EspHeader));  // nothing depends on the number
    return out;
}

Octets Peer::padded(Octets payload, std::uint8_t next_header) const {
    const std::size_t block = std::max<std::size_t>(4, info(identity_.suite.cipher).block_octets);
    std::uint8_t padding = 0;
    while ((payload.size() + 2) % block != 0) payload.push_back(std::byte{++padding});
    payload.push_back(std::byte{padding});
    payload.push_back(std::byte{next_header});
    return payload;
}

Octets Peer::authenticated(const Octets& payload, std::uint8_t next_header) {
    const unsigned icv_octets = info(identity_.suite.auth).icv_octets;
    const unsigned header_octets = identity_.old ? sizeof(AhHeader) - 4 : sizeof(AhHeader);
    const auto words = static_cast<std::uint8_t>(ah_octets(icv_octets, identity_.outside, header_octets) / 4 - 2);
    Octets header = octets_of(AhHeader{next_header, words, 0, 0x1000 + identity_.number, ++sequence_});
    header.resize(header_octets);
    const bool v4 = identity_.outside == Family::ipv4;
    const unsigned ip_octets = v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
    const Octets space(ah_octets(icv_octets, identity_.outside, header_octets) - header_octets);  // ICV and padding
    Octets out = ip_packet(address_, us(), 51, header + space + payload);
    Octets covered = out + Octets(4);
    if (v4)
        zero_mutable_fields(covered.data(), ip_octets);
    else
        zero_mutable_ipv6_fields(covered.data(), ip_octets);
    CryptoJob job;
    job.key = key_.data();
    job.head = covered.data();
    job.text_octets = static_cast<std::uint32_t>(out.size() - sizeof(EspHeader));
    job.icv = out.data() + ip_octets + header_octets;
    job.suite = suite_;
    engine_.seal({&job, 1});
    return out;
}

Octets Peer::compressed(const Octets& payload, std::uint8_t next_header) const {
    static Deflate deflate;
    const auto packed = deflate.compress(payload, 65536).value();
    return ip_packet(address_, us(), 108,
                     octets_of(IpCompHeader{next_header, 0, 2}) + Octets(packed.begin(), packed.end()));
}

Octets Peer::tunnel(const Octets& inner) {
    switch (identity_.protocol) {
        case esp: return packet(padded(inner, inner_protocol(inner)));
        case ah: return authenticated(inner, inner_protocol(inner));
        case ipcomp: return compressed(inner, inner_protocol(inner));
    }
    std::abort();
}

Peer& Peers::at(unsigned number) {
    return **std::ranges::find(all, number, [](const auto& p) { return p->number(); });
}

Peers::Peers() : book(CryptoBook::make({.time_kernels = false, .only = {}}).value()), engine(book->make_engine()) {
    for (const Peer::Identity& identity : identities) all.push_back(std::make_unique<Peer>(*book, *engine, identity));
}

std::string host_of(unsigned office_number, Family family) {
    const std::string number = std::to_string(office_number);
    return family == Family::ipv4 ? "10.0." + number + ".5" : "2001:db8:" + number + "::5";
}

Configuration hostile_configuration() {
    const auto address = [](std::string_view text) { return Address::parse(text).value(); };
    Configuration c;
    c.ports = {{.name = "office",
                .device = "",
                .addresses = {{address("10.0.1.1"), 24}, {address("2001:db8:1::1"), 64}},
                .role = PortRole::protected_port},
               {.name = "world",
                .device = "",
                .addresses = {{address("20.0.0.1"), 24}, {address("2001:db8::1"), 64}},
                .role = PortRole::unprotected_port}};
    for (const unsigned peer : {6u, 10u})
        c.ports.push_back({.name = "gif" + std::to_string(peer),
                           .gif = GifConfiguration{address("20.0.0.1"), address("20.0.0." + std::to_string(peer))},
                           .mtu = gif_mtu});
    c.routes = {{Prefix{address("10.0.0.0"), 16}, address("20.0.0.2"), "world"},
                {Prefix{address("2001:db8::"), 32}, address("2001:db8::22"), "world"}};
    c.neighbours = {{address("10.0.1.5"), host_mac, "office"}, {address("2001:db8:1::5"), host_mac, "office"}};
    for (unsigned last = 2; last <= 29; ++last)
        for (const std::string_view network : {"20.0.0.", "2001:db8::"})
            c.neighbours.push_back({address(std::string{network} + std::to_string(last)), peer_mac, "world"});
    return c;
}

std::string hostile_setkey(const Peers& peers) {
    std::string text;
    for (const auto& peer : peers.all) text += peer->statements();
    for (const unsigned number : {2u, 3u, 4u, 5u, 7u, 14u, 15u, 18u, 19u, 22u, 23u, 24u, 25u, 28u})
        text += tunnels(number, {number});
    text += tunnels(8, {2, 3});
    text += tunnels(9, {2, 3, 4, 7});
    text += tunnels(17, {16, 2, 14});
    text += tunnels(29, {24, 22});
    return text + R"(
spdadd 20.0.0.6 20.0.0.1 any -P in ipsec esp/transport//require;
spdadd 20.0.0.1 20.0.0.6 any -P out ipsec esp/transport//require;
spdadd 10.0.16.0/24 10.0.1.0/24 any -P in none;
spdadd 10.0.1.0/24 10.0.16.0/24 any -P out ipsec ipcomp/tunnel/20.0.0.1-20.0.0.16/require;
spdadd 10.0.11.0/24 10.0.1.0/24 any -P in none;
spdadd 10.0.1.0/24 10.0.11.0/24 any -P out none;
spdadd 10.0.12.0/24 10.0.1.0/24 any -P in discard;
spdadd 10.0.1.0/24 10.0.12.0/24 any -P out discard;
spdadd 2001:db8::27 2001:db8::1 any -P in ipsec esp/transport//require;
spdadd 2001:db8::1 2001:db8::27 any -P out ipsec esp/transport//require;
spdadd 2001:db8:26::/64 2001:db8:1::/64 any -P in none;
spdadd 2001:db8:1::/64 2001:db8:26::/64 any -P out ipsec ipcomp/tunnel/2001:db8::1-2001:db8::26/require;
spdadd 2001:db8:11::/64 2001:db8:1::/64 any -P in none;
spdadd 2001:db8:1::/64 2001:db8:11::/64 any -P out none;
spdadd 2001:db8:12::/64 2001:db8:1::/64 any -P in discard;
spdadd 2001:db8:1::/64 2001:db8:12::/64 any -P out discard;
spdadd ::/0 2001:db8::1 58 -P in none;
spdadd 2001:db8::1 ::/0 58 -P out none;
spdadd 20.0.0.10 20.0.0.1 4 -P in none;
spdadd 20.0.0.10 20.0.0.1 41 -P in none;
spdadd 0.0.0.0/0 20.0.0.1 icmp -P in none;
spdadd 20.0.0.1 0.0.0.0/0 icmp -P out none;
)";
}

}  // namespace torii::test
