// IKE's messages as the control seam hears and sends them: what is told of each, what is refused by name, and that
// neither policies nor anybody's flood stand between.
#include "test/unit/catch.h"
#include "test/unit/gateway/office6.h"

using namespace torii;
using namespace torii::test;

namespace {

struct Heard {
    Address local, remote;
    std::uint16_t local_port, remote_port;
    Octets octets;
};

/// A gateway whose policies discard everything, and who hears IKE there.
class Speaker {
public:
    explicit Speaker(Configuration configuration = office6_configuration()) : gateway(std::move(configuration)) {
        gateway.setkey(
            "spdadd 0.0.0.0/0 0.0.0.0/0 any -P in discard; spdadd 0.0.0.0/0 0.0.0.0/0 any -P out discard;"
            "spdadd ::/0 ::/0 any -P in discard; spdadd ::/0 ::/0 any -P out discard;");
        handle = receive().value();
    }
    Result<std::shared_ptr<void>> receive() {
        return gateway.gateway().receive_ike([this](const control::IkeDatagram& d) {
            if (heard.size() == room) return false;
            heard.push_back({d.local, d.remote, d.local_port, d.remote_port, {d.octets.begin(), d.octets.end()}});
            return true;
        });
    }
    void arrive(const Octets& packet, std::size_t port = world) {
        const bool v4 = std::to_integer<unsigned>(packet[0]) >> 4 == 4;
        gateway.send(port, ethernet(packet, {}, v4 ? EtherType::ipv4 : EtherType::ipv6));
        gateway.turn();
    }
    Result<void> say(std::string_view local, std::string_view remote, const Octets& message, std::uint16_t port = 500) {
        const auto sent = gateway.gateway().send_ike(
            {Address::parse(local).value(), Address::parse(remote).value(), port, port, message});
        gateway.turn();
        return sent;
    }

    std::vector<Heard> heard;
    std::size_t room = SIZE_MAX;
    Wires gateway;
    std::shared_ptr<void> handle;
};

const Octets message(300, std::byte{0x5a}), marker(4);

/// `packet`, UDP over IP, with the checksum of its UDP made right.
Octets summed(Octets packet) {
    const bool v4 = std::to_integer<unsigned>(packet[0]) >> 4 == 4;
    const std::size_t at = v4 ? 20 : 40, octets = packet.size() - at;
    const auto udp_protocol = IpProtocol::udp;
    const std::uint16_t sum = v4 ? upper_layer_checksum(header_of(packet), udp_protocol, packet.data() + at, octets)
                                 : upper_layer_checksum(header6_of(packet), udp_protocol, packet.data() + at, octets);
    const Big16 checksum{sum};
    std::memcpy(packet.data() + at + 6, &checksum, 2);
    return packet;
}
Octets ike4(std::uint16_t source, std::uint16_t destination, const Octets& payload) {
    return ipv4("20.0.0.2", "20.0.0.1", 17, udp(source, destination, payload));
}
Octets ike6(std::uint16_t source, std::uint16_t destination, const Octets& payload) {
    return ipv6("2001:db8::2", "2001:db8::1", 17, udp(source, destination, payload));
}
/// The pieces of an IPv4 packet, `octets` of payload each.
std::vector<Octets> pieces(const Octets& packet, std::size_t octets) {
    std::vector<Octets> out;
    for (std::size_t at = 20; at < packet.size(); at += octets) {
        const std::size_t end = std::min(packet.size(), at + octets);
        const auto from = packet.begin();
        const auto flags = static_cast<std::uint16_t>((at - 20) / 8 | (end < packet.size() ? 0x2000 : 0));
        out.push_back(ipv4("20.0.0.2", "20.0.0.1", 17,
                           {from + static_cast<std::ptrdiff_t>(at), from + static_cast<std::ptrdiff_t>(end)},
                           {.flags_offset = flags}));
    }
    return out;
}

}  // namespace

TEST_CASE("IKE to our address is told with both ends, their real ports and its octets, whatever policies say") {
    Speaker tokyo;
    tokyo.arrive(summed(ike4(61234, 500, message)));
    tokyo.arrive(ike4(500, 500, message));  // IPv4 lets senders leave the checksum out
    tokyo.arrive(summed(ike6(61234, 500, message)));
    REQUIRE(tokyo.heard.size() == 3);
    CHECK(tokyo.heard[0].local == Address::parse("20.0.0.1").value());
    CHECK(tokyo.heard[0].remote == Address::parse("20.0.0.2").value());
    CHECK(tokyo.heard[0].local_port == 500);
    CHECK(tokyo.heard[0].remote_port == 61234);
    CHECK(tokyo.heard[0].octets == message);
    CHECK(tokyo.heard[1].remote_port == 500);
    CHECK(tokyo.heard[2].local == Address::parse("2001:db8::1").value());
    CHECK(tokyo.heard[2].octets == message);
    CHECK(tokyo.gateway.drops(Drop::policy_discard) == 0);
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("IKE on port 4500 loses its four octets of zero on the way in and gets them on the way out (RFC 3948 2.2)") {
    Speaker tokyo;
    tokyo.arrive(summed(ike4(61234, 4500, marker + message)));
    tokyo.arrive(summed(ike6(4500, 4500, marker + message)));
    REQUIRE(tokyo.heard.size() == 2);
    CHECK(tokyo.heard[0].local_port == 4500);
    CHECK(tokyo.heard[0].remote_port == 61234);
    CHECK(tokyo.heard[0].octets == message);
    CHECK(tokyo.heard[1].octets == message);

    REQUIRE(tokyo.say("20.0.0.1", "20.0.0.2", message, 4500));
    const auto sent = packets_of(tokyo.gateway.sent_by(world));
    REQUIRE(sent.size() == 1);
    CHECK(Octets(sent[0].begin() + 28, sent[0].end()) == marker + message);
}

TEST_CASE("what we say to a peer leaves in clear whatever policies say, with right checksums in both families") {
    Speaker tokyo;
    REQUIRE(tokyo.say("20.0.0.1", "20.0.0.2", message));
    REQUIRE(tokyo.say("2001:db8::1", "2001:db8::2", message));
    const auto frames = tokyo.gateway.sent_by(world);
    const auto sent = packets_of(frames), sent6 = packets6_of(frames);
    REQUIRE(sent.size() == 1);
    REQUIRE(sent6.size() == 1);
    CHECK(internet_checksum(sent[0].data(), 20) == 0);
    CHECK(upper_layer_checksum(header_of(sent[0]), IpProtocol::udp, sent[0].data() + 20, sent[0].size() - 20) == 0);
    CHECK(upper_layer_checksum(header6_of(sent6[0]), IpProtocol::udp, sent6[0].data() + 40, sent6[0].size() - 40) == 0);
    const auto& udp = *reinterpret_cast<const UdpHeader*>(sent[0].data() + 20);
    CHECK(udp.checksum != 0);
    CHECK(udp.source_port == 500);
    CHECK(udp.destination_port == 500);
    CHECK(Octets(sent[0].begin() + 28, sent[0].end()) == message);
    CHECK(Octets(sent6[0].begin() + 48, sent6[0].end()) == message);
    CHECK(tokyo.gateway.drops(Drop::policy_discard) == 0);
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("what two gateways say to each other arrives as it was said, in fragments where it is long") {
    Speaker tokyo;
    Speaker newyork{office6_configuration(true)};
    for (const std::size_t octets : {std::size_t{28}, std::size_t{1472}, std::size_t{4000}, std::size_t{63000}}) {
        const Octets said(octets, std::byte{0x42});
        REQUIRE(tokyo.say("20.0.0.1", "20.0.0.2", said));
        REQUIRE(tokyo.say("2001:db8::1", "2001:db8::2", said, 4500));
        for (const Frame& frame : tokyo.gateway.sent_by(world)) {
            CHECK(frame.size() <= 1514);
            Frame addressed = frame;  // to newyork's wire, whose MAC is zeros
            std::fill_n(addressed.begin(), 6, std::byte{0});
            newyork.gateway.send(world, addressed);
            newyork.gateway.turn(1);
        }
        newyork.gateway.turn();
        REQUIRE(newyork.heard.size() == 2);
        CHECK(newyork.heard[0].octets == said);
        CHECK(newyork.heard[1].octets == said);
        CHECK(newyork.heard[1].remote == Address::parse("2001:db8::1").value());
        newyork.heard.clear();
    }
    CHECK(tokyo.gateway.buffers_missing() == 0);
    CHECK(newyork.gateway.buffers_missing() == 0);
}

TEST_CASE("IKE in fragments is put together first, from the office too") {
    Speaker tokyo;
    for (const std::size_t port : {world, office})
        for (const Octets& piece : pieces(summed(ike4(500, 500, message)), 104)) tokyo.arrive(piece, port);
    REQUIRE(tokyo.heard.size() == 2);
    CHECK(tokyo.heard[0].octets == message);
    CHECK(tokyo.heard[1].octets == message);
}

TEST_CASE("IKE that is no right UDP is dropped by name") {
    Speaker tokyo;
    Octets packet = summed(ike4(500, 500, message));
    SECTION("with a wrong checksum") {
        packet.back() ^= std::byte{1};
        tokyo.arrive(packet);
        CHECK(tokyo.gateway.drops(Drop::bad_udp_checksum) == 1);
        Octets packet6 = summed(ike6(500, 4500, marker + message));
        packet6.back() ^= std::byte{1};
        tokyo.arrive(packet6);
        CHECK(tokyo.gateway.drops(Drop::bad_udp_checksum) == 2);
    }
    SECTION("without a checksum over IPv6 (RFC 8200 8.1)") {
        tokyo.arrive(ike6(500, 500, message));
        CHECK(tokyo.gateway.drops(Drop::bad_udp_checksum) == 1);
    }
    SECTION("with a length beyond its packet's, or below its header's") {
        for (const std::uint16_t length : std::to_array<std::uint16_t>({309, 7, 0, 0xffff})) {
            const Big16 octets{length};
            std::memcpy(packet.data() + 24, &octets, 2);
            tokyo.arrive(packet);
        }
        CHECK(tokyo.gateway.drops(Drop::bad_udp_length) == 4);
    }
    SECTION("too short for the marker on port 4500") {
        tokyo.arrive(ike4(4500, 4500, Octets(3)));
        CHECK(tokyo.gateway.drops(Drop::bad_udp_length) == 1);
    }
    SECTION("ESP in UDP from the office, whose IPsec is not for us") {
        tokyo.arrive(ike4(4500, 4500, Octets(40, std::byte{9})), office);
        CHECK(tokyo.gateway.drops(Drop::local_unwanted) == 1);
    }
    SECTION("from an address of ours") {
        tokyo.arrive(ipv4("10.0.1.1", "20.0.0.1", 17, udp(500, 500, message)));
        CHECK(tokyo.gateway.drops(Drop::own_source) == 1);
    }
    CHECK(tokyo.heard.empty());
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("only IKE's own ports pass the policies, and nothing of theirs that came out of an SA or goes elsewhere") {
    Speaker tokyo;
    tokyo.arrive(ike4(500, 501, message));
    tokyo.arrive(ipv4("20.0.0.2", "10.0.1.5", 17, udp(500, 500, message)));
    CHECK(tokyo.gateway.drops(Drop::policy_discard) == 2);
    CHECK(tokyo.heard.empty());
}

TEST_CASE("one receives IKE at a time; without any, it is UDP that nobody here serves") {
    Speaker tokyo;
    CHECK(tokyo.receive().error().code == Errc::exists);
    tokyo.handle.reset();
    tokyo.arrive(summed(ike4(500, 500, message)));
    CHECK(tokyo.gateway.drops(Drop::local_unwanted) == 1);
    CHECK(tokyo.heard.empty());
    tokyo.handle = tokyo.receive().value();
    tokyo.arrive(summed(ike4(500, 500, message)));
    CHECK(tokyo.heard.size() == 1);
}

TEST_CASE("what cannot be sent says why: whose address, which family, how long, where to, how much at a time") {
    Speaker tokyo;
    CHECK(tokyo.say("20.0.0.9", "20.0.0.2", message).error().code == Errc::bad_value);
    CHECK(tokyo.say("20.0.0.1", "10.0.1.1", message).error().code == Errc::bad_value);
    CHECK(tokyo.say("20.0.0.1", "2001:db8::2", message).error().code == Errc::bad_value);
    CHECK(tokyo.say("20.0.0.1", "20.0.0.2", Octets(64000)).error().code == Errc::bad_value);
    CHECK(tokyo.say("20.0.0.1", "198.51.100.7", message).error().code == Errc::not_found);
    unsigned taken = 0;
    const control::IkeDatagram one{Address::parse("20.0.0.1").value(), Address::parse("20.0.0.2").value(), 500, 500,
                                   message};
    while (taken < 2000 && tokyo.gateway.gateway().send_ike(one)) ++taken;
    CHECK(taken > 100);
    CHECK(taken < 1000);
    CHECK(tokyo.gateway.gateway().send_ike(one).error().code == Errc::no_room);
    tokyo.gateway.turn(8);
    CHECK(packets_of(tokyo.gateway.sent_by(world)).size() == taken);
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("what we say to a peer nobody has asked for yet waits for ARP, and then leaves") {
    Configuration configuration = office6_configuration();
    std::erase_if(configuration.neighbours, [](const auto& n) { return n.address.text() == "20.0.0.2"; });
    configuration.routes.clear();
    Speaker tokyo{configuration};
    REQUIRE(tokyo.say("20.0.0.1", "20.0.0.2", message));
    CHECK(packets_of(tokyo.gateway.sent_by(world)).empty());
    tokyo.gateway.send(world, arp(2, peer_mac, "20.0.0.2", {}, "20.0.0.1"));
    tokyo.gateway.turn();
    CHECK(packets_of(tokyo.gateway.sent_by(world)).size() == 1);
}

TEST_CASE("a flood of IKE is bounded by name, and ARP is answered meanwhile") {
    Speaker tokyo;
    const Octets packet = ethernet(summed(ike4(500, 500, message)));
    std::size_t sent = 0;
    for (unsigned round = 0; round < 100; ++round) {
        for (unsigned i = 0; i < 32; ++i) sent += tokyo.gateway.send(world, packet);
        tokyo.gateway.gateway().worker(0).turn();  // and the control core is busy elsewhere
    }
    CHECK(tokyo.gateway.drops(Drop::ike_full) > 0);
    CHECK(tokyo.gateway.drops(Drop::punt_full) == 0);
    (void)tokyo.gateway.sent_by(world);
    tokyo.gateway.send(world, arp(1, peer_mac, "20.0.0.2", {}, "20.0.0.1"));
    tokyo.gateway.turn(2);
    CHECK(tokyo.gateway.sent_by(world).size() == 1);  // the answer, while IKE still waits
    CHECK(tokyo.heard.size() < 512);
    tokyo.gateway.turn(20);
    CHECK(tokyo.heard.size() + tokyo.gateway.drops(Drop::ike_full) == sent);
    CHECK(tokyo.gateway.buffers_missing() == 0);
}

TEST_CASE("IKE that its receiver has no room for is dropped by name") {
    Speaker tokyo;
    tokyo.room = 2;
    for (unsigned i = 0; i < 5; ++i) tokyo.arrive(summed(ike4(500, 500, message)));
    CHECK(tokyo.heard.size() == 2);
    CHECK(tokyo.gateway.drops(Drop::ike_full) == 3);
    CHECK(tokyo.gateway.buffers_missing() == 0);
}
