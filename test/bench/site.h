// What the bench's gateways are told: one office (192.168.1.0/24 behind 20.0.0.1) with N tunnels to N other offices
// (10.a.b.0/24 behind 21.x.y.z), each with an SA pair, keys and a policy pair of its own. In IPv6 a network is 2001:db8
// with these octets behind it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "crypto/registry.h"
#include "gateway/configuration.h"
#include "policy/policy.h"

namespace torii::bench {

inline constexpr std::size_t office = 0, world = 1;  // port numbers, on both gateways

enum class Direction : std::uint8_t { outbound, inbound };
inline constexpr std::array directions{Direction::outbound, Direction::inbound};
std::string_view name_of(Direction direction);

/// One request of the policies, and its algorithms.
struct Layer {
    IpsecProtocol protocol = IpsecProtocol::esp;
    CipherId cipher = CipherId::null;
    std::uint16_t cipher_key_bits = 0;  // without the salt
    AuthId auth = AuthId::null;

    bool is_crypto() const { return protocol != IpsecProtocol::ipcomp; }
    unsigned cipher_key_octets() const { return cipher_key_bits / 8u + info(cipher).salt_octets; }
    unsigned auth_key_octets() const { return info(auth).key_bits.low / 8u; }
    unsigned iv_octets() const { return info(cipher).iv_octets; }
    unsigned icv_octets() const { return info(cipher).aead() ? info(cipher).icv_octets : info(auth).icv_octets; }
    /// What the engine is given as the text of a payload of `octets` octets: for ESP padded and with its trailer (RFC
    /// 4303 2.4); for AH all of the packet but what the engine takes for an ESP header.
    unsigned text_octets(unsigned octets) const;
    /// What this layer makes of a payload of `octets` octets, without the IP header in front. Not for IPComp, whose
    /// answer depends on the payload.
    unsigned protected_octets(unsigned octets) const;
};

/// What is measured: the requests of every tunnel's policies, innermost first. The first is in tunnel mode, those
/// around it in transport mode.
struct Work {
    std::string_view name;
    std::string_view suite;  // how CryptoBook calls a lone layer's
    std::array<Layer, 2> all_layers;
    unsigned layer_count = 1;
    Family family = Family::ipv4;  // of the hosts and the gateways
    bool in_udp = false;           // ESP in UDP

    std::span<const Layer> layers() const { return {all_layers.data(), layer_count}; }
    bool compresses() const { return !all_layers[0].is_crypto(); }
    /// Octets of the outer IP packet around an inner one of `ip_octets` octets; the most they may be when it
    /// compresses.
    unsigned tunnel_octets(unsigned ip_octets) const;
};
inline constexpr std::array measured_works{
    Work{"esp tunnel", "aes-gcm-16 128", {Layer{IpsecProtocol::esp, CipherId::aes_gcm_16, 128}}},
    Work{"esp tunnel",
         "aes-cbc 128 + hmac-sha256",
         {Layer{IpsecProtocol::esp, CipherId::aes_cbc, 128, AuthId::hmac_sha256}}},
    Work{"esp tunnel over ipv6",
         "aes-gcm-16 128",
         {Layer{IpsecProtocol::esp, CipherId::aes_gcm_16, 128}},
         1,
         Family::ipv6},
    Work{"esp tunnel in udp",
         "aes-gcm-16 128",
         {Layer{IpsecProtocol::esp, CipherId::aes_gcm_16, 128}},
         1,
         Family::ipv4,
         true},
    Work{"ah tunnel", "null + hmac-sha256", {Layer{IpsecProtocol::ah, CipherId::null, 0, AuthId::hmac_sha256}}},
    Work{"esp tunnel in ah",
         "aes-gcm-16 128, hmac-sha256",
         {Layer{IpsecProtocol::esp, CipherId::aes_gcm_16, 128},
          Layer{IpsecProtocol::ah, CipherId::null, 0, AuthId::hmac_sha256}},
         2},
    Work{"ipcomp tunnel", "deflate", {Layer{IpsecProtocol::ipcomp}}},
};

inline constexpr unsigned most_tunnels = 65536;
inline constexpr unsigned largest_packet = 1518;  // an inner IP packet of the IMIX; the wires' MTU lets its tunnel pass

/// What a row may change of both gateways.
struct Setting {
    std::string kernel;  // the crypto kernel to use, by name
    unsigned tunnels = 1;
    unsigned burst = Configuration{}.burst;
    unsigned mbufs = Configuration{}.mbufs;
};

/// The gateway that is measured.
Configuration gateway_configuration(const Work& work, const Setting& setting);
std::string gateway_setkey(const Work& work, unsigned tunnels);
/// All the other offices' gateways in one: it seals what the measured gateway is to open.
Configuration peers_configuration(const Work& work, const Setting& setting);
std::string peers_setkey(const Work& work, unsigned tunnels);

/// The two ends of the clear packets of a tunnel.
Address our_host(Family family);
Address host_behind(unsigned tunnel, Family family);

}  // namespace torii::bench
