// Numbered packets between many offices, for tests of order: each carries its number, so that what came out can be held
// against what went in. Office N (2..) stands behind 20.0.0.N, each with an SA of its own each way.
#pragma once

#include <chrono>
#include <map>
#include <thread>

#include "test/unit/gateway/office.h"

namespace torii::test {

using namespace std::chrono_literals;

/// A gateway that is turned by hand, or whose workers run on lcores of their own.
enum class Driven { by_hand, by_lcores };

/// Tokyo with `workers` workers, and offices 2 .. 1 + `offices` behind neighbours that need no ARP.
inline Configuration crowded_configuration(unsigned workers, unsigned offices) {
    Configuration c = office_configuration(workers);
    c.routes = {{Prefix{Address::v4(number("10.0.0.0")), 16}, Address::v4(number("20.0.0.2")), "world"}};
    for (unsigned i = 1; i < offices; ++i)
        c.neighbours.push_back({Address::v4(number("20.0.0.2") + i), peer_mac, "world"});
    return c;
}
inline std::string text_of(std::string_view before, unsigned number, std::string_view behind = "") {
    return std::string{before} + std::to_string(number) + std::string{behind};
}
/// SAs and policies of office `number`, out of tokyo or into it.
inline std::string outbound_setkey(unsigned number) {
    const std::string peer = text_of("20.0.0.", number);
    return "add 20.0.0.1 " + peer + text_of(" esp ", 0x1000 + number) + " -m tunnel -r 4 -E aes-gcm-16 \"" +
           gcm_key(number) + "\";\nspdadd 10.0.1.0/24 " + text_of("10.0.", number, ".0/24") +
           " any -P out ipsec esp/tunnel/20.0.0.1-" + peer + "/require;\n";
}
inline std::string inbound_setkey(unsigned number) {
    const std::string peer = text_of("20.0.0.", number);
    return "add " + peer + text_of(" 20.0.0.1 esp ", 0x1000 + number) + " -m tunnel -r 4 -E aes-gcm-16 \"" +
           gcm_key(0x1000 + number) + "\";\nspdadd " + text_of("10.0.", number, ".0/24") +
           " 10.0.1.0/24 any -P in ipsec esp/tunnel/" + peer + "-20.0.0.1/require;\n";
}
/// Packet `count` toward office `number` that arrives by `queue`.
inline Octets numbered(unsigned number, unsigned queue, std::uint32_t count) {
    return ethernet(ipv4("10.0.1.5", text_of("10.0.", number, ".5"), 17,
                         udp(static_cast<std::uint16_t>(1000 + queue), 5000, octets_of(Big32{count}) + Octets(20))));
}
inline std::uint32_t count_of(const Octets& frame) {
    Big32 count;
    std::memcpy(&count, frame.data() + 14 + 20 + 8, sizeof count);
    return count;
}
inline std::uint32_t spi_of(const Octets& frame) { return reinterpret_cast<const EspHeader*>(frame.data() + 34)->spi; }
inline std::uint32_t sequence_of(const Octets& frame) {
    return reinterpret_cast<const EspHeader*>(frame.data() + 34)->sequence_low;
}

/// Turns the control core, and the workers where nobody else does, until `done()` or until `patience` is over.
template <class Done>
bool drive(Wires& wires, Driven driven, Done done, std::chrono::milliseconds patience = 30s) {
    for (const auto end = std::chrono::steady_clock::now() + patience; std::chrono::steady_clock::now() < end;) {
        if (driven == Driven::by_hand)
            wires.turn(1);
        else
            wires.gateway().poll(std::chrono::steady_clock::now());
        if (done()) return true;
        if (driven == Driven::by_lcores) std::this_thread::yield();
    }
    return false;
}

}  // namespace torii::test
