// ICMP errors that others send: judged by the packet that they quote (RFC 4301 6.2), taken in clear by setting (6.1.1),
// and believed about the path MTU of an SA when they quote what it sent (8.2, RFC 1191, RFC 8201).
#include "catch.h"
#include "test/unit/esp/forge.h"
#include "test/unit/gateway/both_families.h"

using namespace torii;
using namespace torii::test;
using Kind = control::Event::Kind;

namespace {

constexpr std::string_view router = "192.0.2.9";  // on the way, known to no policy

/// An ICMP error that quotes `quoted`.
Octets error(std::string_view source, std::string_view destination, const Octets& quoted, std::uint8_t type = 3,
             std::uint8_t code = 1, std::uint16_t mtu = 0, const Ipv4Options& options = {}) {
    Octets message = octets_of(IcmpHeader{type, code, 0, 0, mtu}) + quoted;
    const Big16 checksum{internet_checksum(message.data(), message.size())};
    std::memcpy(message.data() + 2, &checksum, 2);
    return ipv4(source, destination, 1, message, options);
}
Octets error6(std::string_view source, std::string_view destination, const Octets& quoted, std::uint8_t type = 1,
              std::uint32_t mtu = 0) {
    return summed_icmpv6(ipv6(source, destination, 58, octets_of(Icmpv6Header{type, 0, 0, mtu}) + quoted));
}
Octets first_octets(const Octets& packet, std::size_t octets) {
    return {packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(octets)};
}

/// Tokyo, and newyork's hand with the keys.
struct Tokyo {
    explicit Tokyo(const std::string& setkey = "", PolicyAction otherwise = PolicyAction::discard)
        : gateway([otherwise] {
              Configuration c = office_configuration();
              c.default_policy = otherwise;
              return c;
          }()) {
        gateway.setkey(office_setkey);
        gateway.setkey(setkey);
    }
    /// What reaches the office of a packet out of newyork's SA.
    std::vector<Octets> opened(const Octets& packet) {
        return pass(gateway, world, {newyork.tunnel("20.0.0.2", "20.0.0.1", 0x1002, ++sequence, packet)}, office);
    }
    bool accepts(const Octets& packet) { return opened(packet) == only(after_hops(packet, 1)); }
    bool accepts_in_clear(const Octets& packet) {
        return pass(gateway, world, {packet}, office) == only(after_hops(packet, 1));
    }
    void set(std::string_view name, std::string_view value) { REQUIRE(gateway.gateway().set(name, value)); }
    std::uint64_t drops(Drop reason) { return gateway.drops(reason); }

    Wires gateway;
    Forger newyork{"newyork-tokyo-key002"};
    std::uint32_t sequence = 0;
};

const Octets sent = datagram("10.0.1.5", "10.0.2.5");  // by the office, through its SA
const Octets sent_elsewhere = datagram("10.0.1.5", "10.0.3.5");

}  // namespace

TEST_CASE(
    "an error from a router that no policy knows passes through the SA of the traffic it is about (RFC 4301 6.2)") {
    Tokyo tokyo;
    CHECK(tokyo.accepts(error(router, "10.0.1.5", sent)));
    CHECK(tokyo.accepts(error(router, "10.0.1.5", first_octets(sent, 28), 11, 0)));
    CHECK(tokyo.opened(error(router, "10.0.1.5", sent_elsewhere)).empty());
    CHECK(tokyo.opened(error(router, "10.0.1.6", sent)).empty());                    // to another than who sent
    CHECK(tokyo.opened(error(router, "10.0.1.5", first_octets(sent, 19))).empty());  // no quote to speak of
    CHECK(tokyo.opened(datagram(router, "10.0.1.5")).empty());                       // no error
    CHECK(tokyo.opened(ipv4(router, "10.0.1.5", 1, icmp_echo(1) + sent)).empty());
    CHECK(tokyo.drops(Drop::no_policy) == 5);
    CHECK_FALSE(tokyo.accepts_in_clear(error(router, "10.0.1.5", sent)));
    CHECK(tokyo.accepts(error(router, "10.0.1.5", sent)));  // not after what became of the others
}

TEST_CASE(
    "an error through an SA says nothing about traffic of others, unless icmp_quote is unchecked (RFC 4301 6.2)") {
    Tokyo tokyo;
    Told told{tokyo.gateway};
    const Octets forged = error("10.0.2.9", "10.0.1.5", sent_elsewhere);
    CHECK(tokyo.accepts(error("10.0.2.9", "10.0.1.5", sent)));
    CHECK(tokyo.opened(forged).empty());
    CHECK(tokyo.opened(error("10.0.2.9", "10.0.1.5", Octets(40, std::byte{0xff}))).empty());
    CHECK(tokyo.drops(Drop::icmp_quote) == 2);
    CHECK(told.count(Kind::selector_mismatch) == 2);
    CHECK(told.last(Kind::selector_mismatch).sa == sa_id("20.0.0.2", "20.0.0.1", 0x1002));
    // In fragments neither: the first must tell all.
    const Octets message = error("10.0.2.9", "10.0.1.5", sent_elsewhere, 3, 1, 0, {.flags_offset = 0x2000});
    CHECK(tokyo.opened(message).empty());
    CHECK(tokyo.opened(error("10.0.2.9", "10.0.1.5", {}, 3, 1, 0, {.flags_offset = 0x2000})).empty());
    CHECK(tokyo.drops(Drop::icmp_quote) == 4);
    CHECK(tokyo.accepts(ipv4("10.0.2.9", "10.0.1.5", 1, icmp_echo(1, 72), {.flags_offset = 0x2000})));
    tokyo.set("icmp_quote", "unchecked");
    CHECK(tokyo.accepts(forged));
}

TEST_CASE("an error in clear passes if both it and the answers to what it quotes may come in clear") {
    Tokyo tokyo{"spdadd 0.0.0.0/0 10.0.1.0/24 icmp -P in none; spdadd 10.0.3.0/24 10.0.1.0/24 any -P in none;"};
    CHECK(tokyo.accepts_in_clear(error(router, "10.0.1.5", sent_elsewhere)));
    CHECK_FALSE(tokyo.accepts_in_clear(error(router, "10.0.1.5", sent)));
    CHECK(tokyo.drops(Drop::icmp_quote) == 1);
    CHECK(tokyo.accepts(error(router, "10.0.1.5", sent)));
    CHECK(tokyo.accepts_in_clear(ipv4(router, "10.0.1.5", 1, icmp_echo(1))));
}

TEST_CASE(
    "a router behind us tells of packets out of an SA through the SA of the answers, never in clear (RFC 4301 6.2)") {
    const PolicyAction otherwise = GENERATE(PolicyAction::discard, PolicyAction::bypass);
    Tokyo tokyo{"", otherwise};
    Wires newyork{newyork_configuration()};
    newyork.setkey(newyork_setkey);
    const Octets opened = datagram("10.0.2.5", "10.0.1.77");
    const Octets unreachable = error(router, "10.0.2.5", opened);
    const auto wire = pass(tokyo.gateway, office, {unreachable}, world);
    REQUIRE(wire.size() == 1);
    CHECK(esp_of(wire[0]).spi == 0x1001);
    CHECK(pass(newyork, world, wire, office) == only(after_hops(unreachable, 2)));
    // What was never in an SA leaves as its own policy says, and so does what is no answer.
    const std::size_t clear = otherwise == PolicyAction::bypass ? 1 : 0;
    for (const Octets& own : {error(router, "10.0.2.5", datagram("10.0.2.5", "10.0.9.1")), datagram(router, "10.0.2.5"),
                              error(router, "10.0.2.6", opened)}) {
        const auto left = pass(tokyo.gateway, office, {own}, world);
        CHECK(left.size() == clear);
        if (!left.empty()) CHECK(left[0] == after_hops(own, 1));
    }
    const std::uint64_t before = tokyo.drops(Drop::no_sa) + tokyo.drops(Drop::no_policy);
    tokyo.gateway.setkey("delete 20.0.0.1 20.0.0.2 esp 0x1001;");
    CHECK(pass(tokyo.gateway, office, {unreachable}, world).empty());
    CHECK(tokyo.drops(Drop::no_sa) + tokyo.drops(Drop::no_policy) == before + 1);
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("IPv6 errors are judged by what they quote, behind extension headers too (RFC 4301 6.2)") {
    constexpr std::string_view here = "2001:db8:1::5", there = "2001:db8:2::5", far_router = "2001:db8:99::1";
    const std::string setkey =
        "add 20.0.0.2 20.0.0.1 esp 0x1002 -m tunnel -E aes-gcm-16 \"newyork-tokyo-key002\";"
        "spdadd 2001:db8:2::/64 2001:db8:1::/64 udp -P in ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;";
    Wires tokyo{tokyo_configuration_of_both()};
    tokyo.setkey(setkey);
    Forger newyork{"newyork-tokyo-key002"};
    std::uint32_t sequence = 0;
    const auto opened = [&](const Octets& packet) {
        const Octets text = esp_text(packet, 41, 4);
        const auto left =
            carry(tokyo, world, {ipv4("20.0.0.2", "20.0.0.1", 50, newyork.esp(0x1002, ++sequence, text))}, office);
        return left == only(hops_on(packet, 1));
    };
    const Octets ports = udp(4000, 5000, Octets(20));
    CHECK(opened(error6(far_router, here, ipv6(here, there, 17, ports))));
    CHECK(opened(error6(far_router, here, ipv6(here, there, 60, options_header(17) + ports), 2, 1280)));
    CHECK_FALSE(opened(error6(far_router, here, ipv6(here, there, 60, options_header(60)))));  // ends before it tells
    CHECK_FALSE(opened(error6(far_router, here, ipv6(here, there, 6, ports))));
    CHECK_FALSE(opened(error6(far_router, here, ipv6(here, far_router, 17, ports))));
    CHECK(tokyo.drops(Drop::no_policy) == 3);
}

TEST_CASE("errors in clear for our own addresses are taken by a setting for each type (RFC 4301 6.1.1)") {
    Tokyo tokyo{"spdadd 0.0.0.0/0 20.0.0.1 any -P in none;"};
    const Octets ours = datagram("20.0.0.1", "20.0.0.9");
    const auto refused = [&](std::uint8_t type, std::uint8_t code) {
        const std::uint64_t before = tokyo.drops(Drop::icmp_refused), unwanted = tokyo.drops(Drop::local_unwanted);
        (void)pass(tokyo.gateway, world, {error(router, "20.0.0.1", ours, type, code)}, world);
        const bool was = tokyo.drops(Drop::icmp_refused) == before + 1;
        CHECK(tokyo.drops(Drop::local_unwanted) == unwanted + (was ? 0 : 1));  // nobody here listens to the rest
        return was;
    };
    struct Row {
        std::string setting;
        std::uint8_t type, code;
        bool refused;
    };
    for (const Row& row : {Row{"icmp_unreachable", 3, 1, false}, Row{"icmp_too_big", 3, 4, false},
                           Row{"icmp_time_exceeded", 11, 0, false}, Row{"icmp_parameter_problem", 12, 0, false},
                           Row{"icmp_source_quench", 4, 0, true}, Row{"icmp_redirect", 5, 1, true}}) {
        INFO(row.setting);
        CHECK(refused(row.type, row.code) == row.refused);
        tokyo.set(row.setting, row.refused ? "accepted" : "refused");
        CHECK(refused(row.type, row.code) == !row.refused);
        tokyo.set(row.setting, row.refused ? "refused" : "accepted");
    }
    CHECK(pass(tokyo.gateway, world, {ipv4("20.0.0.2", "20.0.0.1", 1, icmp_echo(1))}, world).empty());  // no policy out
    CHECK(tokyo.drops(Drop::icmp_refused) == 6);
}

namespace {

/// A tunnel whose path turns out to be narrow somewhere behind `world`.
struct Path {
    Path() { gateway.setkey(office_setkey); }
    Octets esp_of_next(std::size_t octets = 1400) {
        const auto wire = pass(gateway, office, {df(octets)}, world);
        REQUIRE(wire.size() == 1);
        return wire[0];
    }
    static Octets df(std::size_t octets) { return datagram("10.0.1.5", "10.0.2.5", octets, {.flags_offset = 0x4000}); }
    void hear(const Octets& packet) { (void)pass(gateway, world, {packet}, world); }
    /// What a router beyond says of `esp`.
    void too_big(const Octets& esp, std::uint16_t mtu) {
        hear(error(router, "20.0.0.1", first_octets(esp, 28), 3, 4, mtu));
    }
    unsigned path_mtu(std::string_view destination = "20.0.0.2") {
        unsigned found = 0;
        gateway.gateway().each_sa([&](const control::SaView& sa) {
            if (sa.spec.id.destination == Address::parse(destination).value()) found = sa.path_mtu;
            return true;
        });
        return found;
    }
    std::uint64_t unproven() { return gateway.drops(Drop::icmp_unproven); }
    Wires gateway{office_configuration()};
};

}  // namespace

TEST_CASE("an SA learns its path's MTU from a router, and senders are told what fits (RFC 4301 8.2, RFC 1191)") {
    Path path;
    const Octets esp = path.esp_of_next();
    path.too_big(esp, 1300);
    CHECK(path.path_mtu() == 1300);
    const auto told = pass(path.gateway, office, {Path::df(1400)}, office);
    REQUIRE(told.size() == 1);
    const auto& icmp = *reinterpret_cast<const IcmpHeader*>(told[0].data() + 20);
    CHECK(icmp.type == 3);
    CHECK(icmp.code == 4);
    const unsigned fits = icmp.rest_low;
    CHECK(path.esp_of_next(fits).size() <= 1300);
    CHECK(pass(path.gateway, office, {Path::df(fits + 1)}, world).empty());
    (void)path.gateway.sent_by(office);
    // What may be cut is cut for the path, and its pieces are ours.
    const auto pieces = pass(path.gateway, office, {datagram("10.0.1.5", "10.0.2.5", 1400)}, world);
    REQUIRE(pieces.size() == 2);
    for (const Octets& each : pieces) CHECK(each.size() <= 1300);

    path.too_big(esp, 1400);
    CHECK(path.path_mtu() == 1300);  // never wider
    path.too_big(esp, 1200);
    CHECK(path.path_mtu() == 1200);
    path.gateway.pass(std::chrono::seconds{580});  // and twelve more
    CHECK(path.path_mtu() == 1200);
    path.gateway.pass(std::chrono::seconds{10});
    CHECK(path.path_mtu() == 0);  // a wider one is tried again (RFC 1191 6.3)
    CHECK(path.esp_of_next(1400).size() > 1400);
    CHECK(path.unproven() == 0);
    CHECK(path.gateway.buffers_missing() == 0);
}

TEST_CASE("an error that quotes what no SA has sent, or would not have been an error, makes no path narrow") {
    Path path;
    const Octets esp = path.esp_of_next();
    const auto changed = [&](std::size_t at, std::byte by) {
        Octets out = esp;
        out[at] ^= by;
        return out;
    };
    path.too_big(changed(23, std::byte{1}), 1300);  // SPI
    path.too_big(changed(27, std::byte{2}), 1300);  // sequence number of a packet to come
    path.too_big(changed(19, std::byte{1}), 1300);  // another peer
    path.too_big(esp, 1500);                        // it would have passed
    CHECK(path.unproven() == 4);
    path.hear(error(router, "20.0.0.1", first_octets(esp, 27), 3, 4, 1300));  // half a sequence number
    CHECK(path.unproven() == 5);
    Octets damaged = error(router, "20.0.0.1", first_octets(esp, 28), 3, 4, 1300);
    damaged.back() ^= std::byte{1};
    path.hear(damaged);
    path.hear(error(router, "20.0.0.1", first_octets(esp, 28), 3, 1));  // unreachable
    CHECK(path.gateway.drops(Drop::local_unwanted) == 2);
    REQUIRE(path.gateway.gateway().set("icmp_too_big", "refused"));
    path.too_big(esp, 1300);
    CHECK(path.gateway.drops(Drop::icmp_refused) == 1);
    REQUIRE(path.gateway.gateway().set("icmp_too_big", "accepted"));
    REQUIRE(path.gateway.gateway().set("pmtu_lifetime", "0"));
    path.too_big(esp, 1300);
    CHECK(path.path_mtu() == 0);
    CHECK(path.esp_of_next(1400).size() > 1400);
}

TEST_CASE(
    "a path is not made narrower than pmtu_minimum, and routers that tell no MTU mean the next link (RFC 1191 7.1)") {
    Path path;
    const Octets esp = path.esp_of_next();
    path.too_big(esp, 0);
    CHECK(path.path_mtu() == 1006);  // below what was sent, 1,492 was too much for nobody: 1,454 octets
    path.too_big(esp, 40);
    CHECK(path.path_mtu() == 552);
    REQUIRE(path.gateway.gateway().set("pmtu_minimum", "68"));
    path.too_big(esp, 100);
    CHECK(path.path_mtu() == 100);
}

TEST_CASE("a flood of forged errors costs no path and no memory") {
    Path path;
    const Octets esp = path.esp_of_next();
    for (unsigned i = 0; i < 2000; ++i) {
        Octets forged = esp;
        forged[21] = std::byte(1 + i / 255 % 255);
        forged[22] = std::byte(1 + i % 255);
        path.gateway.send(world, ethernet(error(router, "20.0.0.1", first_octets(forged, 28), 3, 4, 600)));
        if (i % 64 == 63) path.gateway.turn(1);
    }
    path.gateway.turn(40);
    CHECK(path.unproven() + path.gateway.drops(Drop::punt_full) == 2000);
    CHECK(path.path_mtu() == 0);
    CHECK(path.gateway.buffers_missing() == 0);
    path.too_big(esp, 1300);
    CHECK(path.path_mtu() == 1300);
}

TEST_CASE("an error cut anywhere, and changed in any octet, is dropped by one name") {
    Wires tokyo{tokyo_configuration_of_both()};
    tokyo.setkey(office_setkey);
    tokyo.setkey(everything_passes);
    std::uint64_t sent = 0;
    const auto send = [&](const Octets& packet) {
        tokyo.send(world, framed(packet), 0, Room::exact);
        if (++sent % 32 == 0) tokyo.turn(2);
    };
    const Octets esp = octets_of(EspHeader{0x77777777, 0x01000000}) + Octets(8);
    const Octets about = ipv4("20.0.0.1", "20.0.0.2", 50, esp);
    const Octets about6 = ipv6("2001:db8:f::1", "2001:db8:f::2", 60, options_header(60) + options_header(50) + esp);
    for (std::size_t octets = 0; octets <= about.size(); ++octets)
        send(error(router, "20.0.0.1", first_octets(about, octets), 3, 4, 1300));
    for (std::size_t octets = 0; octets <= about6.size(); ++octets)
        send(error6("2001:db8:99::1", "2001:db8:f::1", first_octets(about6, octets), 2, 1300));
    for (std::size_t at = 0; at < about6.size(); ++at)
        for (const unsigned by : {0x01u, 0x80u, 0xffu}) {
            const auto changed = [&](Octets packet) {
                packet[at % packet.size()] ^= std::byte(by);
                return packet;
            };
            send(error(router, "20.0.0.1", changed(about), 3, 4, 1300));
            send(error6("2001:db8:99::1", "2001:db8:f::1", changed(about6), 2, 1300));
        }
    tokyo.turn();
    std::uint64_t dropped = 0;
    for (std::size_t i = 1; i < drop_count; ++i) dropped += tokyo.drops(static_cast<Drop>(i));
    std::size_t delivered = tokyo.sent_by(host).size();  // about packets that need no IPsec, for programs
    CHECK(dropped + delivered == sent);
    CHECK(tokyo.drops(Drop::icmp_unproven) > 0);
    CHECK(tokyo.drops(Drop::icmp_quote) > 0);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("an inner SA of a bundle learns its path from an error that came through the outer one (RFC 4301 8.2)") {
    Path path;
    path.gateway.setkey(
        "spdflush;"
        "add 20.0.0.1 30.0.0.1 esp 0x3001 -m tunnel -E aes-gcm-16 \"gcm key of0000003001\";"
        "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-30.0.0.1/require "
        "esp/tunnel/20.0.0.1-20.0.0.2/require;"
        "spdadd 10.0.2.0/24 10.0.1.0/24 any -P in ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;");
    REQUIRE(path.gateway.gateway().set("icmp_too_big", "refused"));  // in clear; this one is authenticated
    (void)path.esp_of_next(1300);
    const Octets inner = ipv4("20.0.0.1", "30.0.0.1", 50, octets_of(EspHeader{0x3001, 1}) + Octets(1340));
    Forger newyork{"newyork-tokyo-key002"};
    const Octets narrow = error(router, "20.0.0.1", first_octets(inner, 28), 3, 4, 1250);
    path.hear(newyork.tunnel("20.0.0.2", "20.0.0.1", 0x1002, 1, narrow));
    CHECK(path.path_mtu("30.0.0.1") == 1250);
    CHECK(path.path_mtu("20.0.0.2") == 0);
    const auto told = pass(path.gateway, office, {Path::df(1300)}, office);
    REQUIRE(told.size() == 1);
    const unsigned fits = reinterpret_cast<const IcmpHeader*>(told[0].data() + 20)->rest_low;
    CHECK(fits < 1250);
    CHECK(fits > 1250 - 80);
    (void)path.esp_of_next(fits);
}

TEST_CASE("an SA in UDP learns its path from errors that quote its datagrams (RFC 4301 8.2, RFC 3948 2.1)") {
    Path path;
    path.gateway.setkey(
        "delete 20.0.0.1 20.0.0.2 esp 0x1001;"
        "add 20.0.0.1[4500] 20.0.0.2[61234] esp-udp 0x1001 -m tunnel -E aes-gcm-16 \"tokyo-newyork-key001\";");
    const Octets esp = path.esp_of_next();
    REQUIRE(header_of(esp).protocol == 17);
    const auto too_big = [&](const Octets& quoted, std::size_t octets = 36) {
        path.hear(error(router, "20.0.0.1", first_octets(quoted, octets), 3, 4, 1300));
    };
    for (const std::size_t at : {23u, 31u, 35u}) {  // port, SPI, sequence number
        Octets other = esp;
        other[at] ^= std::byte{2};
        too_big(other);
    }
    too_big(esp, 28);  // no more than RFC 792 asks for, which is less than proves anything
    CHECK(path.unproven() == 4);
    CHECK(path.path_mtu() == 0);
    too_big(esp);
    CHECK(path.path_mtu() == 1300);
    CHECK(path.unproven() == 4);
    const auto told = pass(path.gateway, office, {Path::df(1400)}, office);
    REQUIRE(told.size() == 1);
    const unsigned fits = reinterpret_cast<const IcmpHeader*>(told[0].data() + 20)->rest_low;
    CHECK(path.esp_of_next(fits).size() <= 1300);
    CHECK(path.gateway.buffers_missing() == 0);
}

TEST_CASE("an error about IKE from our port 4500 is no SA's") {
    Path path;
    const Octets ike = ipv4("20.0.0.1", "20.0.0.2", 17, udp(4500, 4500, Octets(4) + Octets(1400, std::byte{1})));
    path.hear(error(router, "20.0.0.1", first_octets(ike, 36), 3, 4, 1300));
    CHECK(path.unproven() == 1);
    CHECK(path.path_mtu() == 0);
}

TEST_CASE("an SA over IPv6 learns its path too, never below 1,280 octets, and cuts what must fit it (RFC 8201)") {
    constexpr std::string_view ends = "esp/tunnel/2001:db8:f::1-2001:db8:f::2/require;";
    Wires tokyo{tokyo_configuration_of_both()};
    tokyo.setkey(
        "add 2001:db8:f::1 2001:db8:f::2 esp 0x1001 -m tunnel -E aes-gcm-16 \"tokyo-newyork-key001\";"
        "spdadd 2001:db8:1::/64 2001:db8:2::/64 any -P out ipsec " +
        std::string{ends});
    const auto of = [](std::size_t octets) {
        return ipv6("2001:db8:1::5", "2001:db8:2::5", 17, udp(4000, 5000, Octets(octets - 48)));
    };
    const auto mtu = [&] {
        unsigned found = 0;
        tokyo.gateway().each_sa([&](const control::SaView& sa) {
            found = sa.path_mtu;
            return true;
        });
        return found;
    };
    const auto wire = carry(tokyo, office, {of(1400)}, world);
    REQUIRE(wire.size() == 1);
    const auto hear = [&](unsigned told) {
        const Octets quoted = first_octets(wire[0], 1000);
        (void)carry(tokyo, world, {error6("2001:db8:99::1", "2001:db8:f::1", quoted, 2, told)}, world);
    };
    hear(1279);
    CHECK(mtu() == 0);
    hear(0xffffffff);
    CHECK(tokyo.drops(Drop::icmp_unproven) == 1);
    hear(1280);
    CHECK(mtu() == 1280);
    const auto told = carry(tokyo, office, {of(1400)}, office);
    REQUIRE(told.size() == 1);
    CHECK(told[0].at(40) == std::byte{2});
    CHECK(reinterpret_cast<const Icmpv6Header*>(told[0].data() + 40)->rest == 1280);
    const auto pieces = carry(tokyo, office, {of(1280)}, world);
    REQUIRE(pieces.size() == 2);
    for (const Octets& each : pieces) CHECK(each.size() <= 1280);
    tokyo.pass(std::chrono::seconds{602});
    CHECK(mtu() == 0);
}
