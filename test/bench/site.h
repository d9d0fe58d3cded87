// What the bench's gateways are told: one office (192.168.1.0/24 behind 20.0.0.1) with N tunnels to N other offices
// (10.a.b.0/24 behind 21.x.y.z), each with an SA pair, keys and a policy pair of its own.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/registry.h"
#include "gateway/configuration.h"

namespace torii::bench {

inline constexpr std::size_t office = 0, world = 1;  // port numbers, on both gateways

enum class Direction : std::uint8_t { outbound, inbound };
inline constexpr std::array directions{Direction::outbound, Direction::inbound};
std::string_view name_of(Direction direction);

/// `name` is how CryptoBook calls it.
struct MeasuredSuite {
    std::string_view name;
    CipherId cipher;
    std::uint16_t cipher_key_bits;  // without the salt
    AuthId auth;

    unsigned cipher_key_octets() const { return cipher_key_bits / 8u + info(cipher).salt_octets; }
    unsigned auth_key_octets() const { return info(auth).key_bits.low / 8u; }
    unsigned iv_octets() const { return info(cipher).iv_octets; }
    unsigned icv_octets() const { return info(cipher).aead() ? info(cipher).icv_octets : info(auth).icv_octets; }
    /// What is encrypted of a packet of `ip_octets` octets in a tunnel: packet, padding and trailer (RFC 4303 2.4).
    unsigned text_octets(unsigned ip_octets) const;
    /// An outer IP packet around an inner one of `ip_octets` octets.
    unsigned tunnel_octets(unsigned ip_octets) const;
};
inline constexpr std::array measured_suites{
    MeasuredSuite{"aes-gcm-16 128", CipherId::aes_gcm_16, 128, AuthId::null},
    MeasuredSuite{"aes-cbc 128 + hmac-sha256", CipherId::aes_cbc, 128, AuthId::hmac_sha256},
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
Configuration gateway_configuration(const Setting& setting);
std::string gateway_setkey(const MeasuredSuite& suite, unsigned tunnels);
/// All the other offices' gateways in one: it seals what the measured gateway is to open.
Configuration peers_configuration(const Setting& setting);
std::string peers_setkey(const MeasuredSuite& suite, unsigned tunnels);

/// The two ends of the clear packets of a tunnel, IPv4 in host order.
std::uint32_t our_host();
std::uint32_t host_behind(unsigned tunnel);

}  // namespace torii::bench
