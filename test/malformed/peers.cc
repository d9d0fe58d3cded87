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
};

IpsecProtocol protocol_of(unsigned number) {
    return std::ranges::find(identities, number, &Peer::Identity::number)->protocol;
}

/// Policies both ways for the packets of office 10.0.N.0/24, through the tunnels of `peers`, innermost first.
std::string tunnels(unsigned office_number, const std::vector<unsigned>& peers) {
    const std::string far = "10.0." + std::to_string(office_number) + ".0/24", near = "10.0.1.0/24", us = "20.0.0.1";
    std::string in, out;
    for (const unsigned peer : peers) {
        const std::string them = "20.0.0." + std::to_string(peer);
        const auto request = [&](const std::string& from, const std::string& to) {
            return std::string{name_of(protocol_of(peer))} + "/tunnel/" + from + "-" + to + "/require ";
        };
        in += request(them, us);
        out += request(us, them);
    }
    return "spdadd " + far + " " + near + " any -P in ipsec " + in + ";\nspdadd " + near + " " + far +
           " any -P out ipsec " + out + ";\n";
}

}  // namespace

Peer::Peer(const CryptoBook& book, CryptoEngine& engine, const Identity& identity)
    : book_(book), engine_(engine), identity_(identity), address_("20.0.0." + std::to_string(identity.number)) {
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
        std::string text = " " + std::string{name_of(identity_.protocol)} + (identity_.old ? "-old " : " ") +
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
    return "add " + address_ + " 20.0.0.1" + with(std::string{there}) + "add 20.0.0.1 " + address_ + with(back);
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
    const auto words = static_cast<std::uint8_t>(ah_octets(icv_octets, Family::ipv4, header_octets) / 4 - 2);
    Octets header = octets_of(AhHeader{next_header, words, 0, 0x1000 + identity_.number, ++sequence_});
    header.resize(header_octets);
    Octets out = ipv4(address_, "20.0.0.1", 51, header + Octets(icv_octets) + payload);
    Octets covered = out + Octets(4);
    zero_mutable_fields(covered.data(), sizeof(Ipv4Header));
    CryptoJob job;
    job.key = key_.data();
    job.head = covered.data();
    job.text_octets = static_cast<std::uint32_t>(out.size() - sizeof(EspHeader));
    job.icv = out.data() + sizeof(Ipv4Header) + header_octets;
    job.suite = suite_;
    engine_.seal({&job, 1});
    return out;
}

Octets Peer::compressed(const Octets& payload, std::uint8_t next_header) const {
    static Deflate deflate;
    const auto packed = deflate.compress(payload, 65536).value();
    return ipv4(address_, "20.0.0.1", 108,
                octets_of(IpCompHeader{next_header, 0, 2}) + Octets(packed.begin(), packed.end()));
}

Octets Peer::tunnel(const Octets& inner) {
    switch (identity_.protocol) {
        case esp: return packet(padded(inner, 4));
        case ah: return authenticated(inner, 4);
        case ipcomp: return compressed(inner, 4);
    }
    std::abort();
}

Peer& Peers::at(unsigned number) {
    return **std::ranges::find(all, "20.0.0." + std::to_string(number), [](const auto& p) { return p->address(); });
}

Peers::Peers() : book(CryptoBook::make({.time_kernels = false, .only = {}}).value()), engine(book->make_engine()) {
    for (const Peer::Identity& identity : identities) all.push_back(std::make_unique<Peer>(*book, *engine, identity));
}

std::vector<PortConfiguration> hostile_gifs() {
    std::vector<PortConfiguration> out;
    for (const unsigned peer : {6u, 10u})
        out.push_back({.name = "gif" + std::to_string(peer),
                       .gif = GifConfiguration{Address::v4(number("20.0.0.1")),
                                               Address::v4(number("20.0.0." + std::to_string(peer)))},
                       .mtu = gif_mtu});
    return out;
}

std::string hostile_setkey(const Peers& peers) {
    std::string text;
    for (const auto& peer : peers.all) text += peer->statements();
    for (const unsigned number : {2u, 3u, 4u, 5u, 7u, 14u, 15u, 18u, 19u}) text += tunnels(number, {number});
    text += tunnels(8, {2, 3});
    text += tunnels(9, {2, 3, 4, 7});
    text += tunnels(17, {16, 2, 14});
    return text + R"(
spdadd 20.0.0.6 20.0.0.1 any -P in ipsec esp/transport//require;
spdadd 20.0.0.1 20.0.0.6 any -P out ipsec esp/transport//require;
spdadd 10.0.16.0/24 10.0.1.0/24 any -P in none;
spdadd 10.0.1.0/24 10.0.16.0/24 any -P out ipsec ipcomp/tunnel/20.0.0.1-20.0.0.16/require;
spdadd 10.0.11.0/24 10.0.1.0/24 any -P in none;
spdadd 10.0.1.0/24 10.0.11.0/24 any -P out none;
spdadd 10.0.12.0/24 10.0.1.0/24 any -P in discard;
spdadd 10.0.1.0/24 10.0.12.0/24 any -P out discard;
spdadd 20.0.0.10 20.0.0.1 4 -P in none;
spdadd 20.0.0.10 20.0.0.1 41 -P in none;
spdadd 0.0.0.0/0 20.0.0.1 icmp -P in none;
spdadd 20.0.0.1 0.0.0.0/0 icmp -P out none;
)";
}

}  // namespace torii::test
