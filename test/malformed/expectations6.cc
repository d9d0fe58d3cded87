// IPv6: one hostile frame of each kind, and the one name it must be dropped under.
#include "expectations.h"

namespace torii::test {

namespace {

constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, options = 60, icmpv6 = 58, udp_number = 17;

Octets plain(unsigned from, unsigned to, std::size_t octets = 24) {
    return ipv6(host_of(from, Family::ipv6), host_of(to, Family::ipv6), udp_number,
                udp(4000, 5000, Octets(octets, std::byte{0x5a})));
}
Octets behind(std::uint8_t first, const Octets& headers) {
    return ipv6(host_of(11, Family::ipv6), host_of(1, Family::ipv6), first,
                headers + udp(4000, 5000, Octets(24, std::byte{0x5a})));
}
/// An extension header of whole words, filled with zeroes behind `start`.
Octets header(std::initializer_list<int> start, std::size_t octets = 8) {
    Octets out = some_octets(start);
    out.resize(octets);
    return out;
}
Octets fragment_of(std::uint8_t next, unsigned offset_more) {
    return octets_of(FragmentHeader{next, 0, static_cast<std::uint16_t>(offset_more), 77});
}
Octets shorter(Octets packet, std::size_t octets) {
    packet.resize(octets);
    reinterpret_cast<Ipv6Header*>(packet.data())->payload_octets = static_cast<std::uint16_t>(octets - 40);
    return packet;
}

class Table {
public:
    explicit Table(Peers& peers) : peers_(peers) {}
    std::vector<Expectation> fill() {
        headers();
        extension_headers();
        fragments();
        ipsec();
        rest();
        return std::move(rows_);
    }

private:
    void row(std::string title, Drop drop, std::function<Octets()> packet, std::size_t port = world,
             Room room = Room::exact) {
        title += " is " + std::string{info(drop).name};
        rows_.push_back(
            {title, {title, port, room, [packet] { return ethernet(packet(), {}, EtherType::ipv6); }}, drop});
    }
    void edit(std::string title, Drop drop, std::function<void(Ipv6Header&)> change, std::size_t port = world) {
        row(
            std::move(title), drop,
            [change] {
                Octets packet = plain(11, 1);
                change(*reinterpret_cast<Ipv6Header*>(packet.data()));
                return packet;
            },
            port);
    }
    static auto from(std::string_view address) {
        return [raw = Address::parse(address).value().raw()](Ipv6Header& ip) { ip.source = raw; };
    }
    static auto to(std::string_view address) {
        return [raw = Address::parse(address).value().raw()](Ipv6Header& ip) { ip.destination = raw; };
    }

    void headers() {
        row("an IPv6 header of 39 octets in a frame", Drop::truncated, [] {
            Octets packet = plain(11, 1);
            packet.resize(39);
            return packet;
        });
        edit("IPv4's version in an IPv6 frame", Drop::bad_ip_version,
             [](Ipv6Header& ip) { ip.version_class_flow = 4u << 28; });
        edit("an IPv6 payload length one beyond the frame", Drop::bad_ip_length,
             [](Ipv6Header& ip) { ip.payload_octets = static_cast<std::uint16_t>(ip.payload_octets + 1); });
        edit("an IPv6 payload length of 65535", Drop::bad_ip_length, [](Ipv6Header& ip) { ip.payload_octets = 65535; });
        edit("an unspecified IPv6 source", Drop::martian, from("::"));
        edit("an IPv6 loopback source", Drop::martian, from("::1"));
        edit("an IPv6 source that is a group", Drop::martian, from("ff02::1"));
        edit("a mapped IPv6 destination", Drop::martian, to("::ffff:10.0.1.5"));
        edit("an IPv6 packet to a group", Drop::multicast, to("ff0e::1"));
        edit("a link-local IPv6 source far from its link", Drop::link_local, from("fe80::5"));
        edit("an IPv6 packet from our own address", Drop::own_source, from("2001:db8::1"));
        edit("an IPv6 packet at its last hop", Drop::ttl_exceeded, [](Ipv6Header& ip) { ip.hop_limit = 1; });
    }

    void extension_headers() {
        const auto wrong = [this](std::string title, Drop drop, std::uint8_t first, const Octets& octets) {
            row(std::move(title), drop, [=] { return behind(first, octets); });
        };
        row("an options header that is not there", Drop::bad_extension_header,
            [] { return shorter(behind(options, {}), 40); });
        row("an options header of 7 octets", Drop::bad_extension_header,
            [] { return shorter(behind(options, header({udp_number})), 47); });
        wrong("an option longer than its header", Drop::bad_extension_header, options, header({udp_number, 0, 1, 5}));
        wrong("hop-by-hop options that are not the first", Drop::bad_extension_header, options,
              header({hop_by_hop, 0, 1, 4}) + header({udp_number, 0, 1, 4}));
        wrong("routing of type 0 that is not at its end", Drop::source_route, routing,
              header({udp_number, 2, 0, 1}, 24));
        Octets nine;
        for (int i = 0; i < 9; ++i) nine = nine + header({i == 8 ? udp_number : options, 0, 1, 4});
        wrong("a row of nine extension headers", Drop::too_many_headers, options, nine);
        wrong("extension headers of 216 octets", Drop::too_many_headers, options, header({udp_number, 26}, 216));
    }

    void fragments() {
        row("an IPv6 fragment of ESP without octets", Drop::bad_fragment,
            [] { return ipv6("2001:db8::22", "2001:db8::1", fragment, fragment_of(50, 1)); });
        row("an IPv6 fragment of ESP that is not in whole eights", Drop::bad_fragment,
            [] { return ipv6("2001:db8::22", "2001:db8::1", fragment, fragment_of(50, 1) + Octets(20)); });
        row("an IPv6 fragment beyond all bounds", Drop::reassembled_too_big,
            [] { return ipv6("2001:db8::22", "2001:db8::1", fragment, fragment_of(50, 0xfff8 | 1) + Octets(400)); });
        row("two fragment headers in one packet", Drop::bad_extension_header,
            [] { return behind(fragment, fragment_of(fragment, 1) + fragment_of(udp_number, 1)); });
        row("an IPv6 fragment whose rest does not come", Drop::fragment_timeout,
            [] { return ipv6("2001:db8::22", "2001:db8::1", fragment, fragment_of(50, 1) + Octets(64)); });
    }

    void ipsec() {
        const auto gcm = [this](std::string title, Drop drop, std::function<void(Octets&)> change) {
            row(std::move(title), drop, [&peers = peers_, change] {
                Octets packet = peers.at(22).tunnel(plain(22, 1));
                change(packet);
                return packet;
            });
        };
        gcm("ESP of 7 octets over IPv6", Drop::esp_truncated, [](Octets& packet) { packet = shorter(packet, 47); });
        gcm("ESP over IPv6 that ends in its IV", Drop::esp_truncated,
            [](Octets& packet) { packet = shorter(packet, 55); });
        gcm("an altered ESP text over IPv6", Drop::bad_icv, [](Octets& packet) { packet[80] ^= std::byte{1}; });
        gcm("an SPI nobody has over IPv6", Drop::unknown_spi, [](Octets& packet) { packet[40] = std::byte{0x7f}; });
        row("IPv6 that a tunnel calls IPv4", Drop::bad_ip_version,
            [&peers = peers_] { return peers.at(22).packet(peers.at(22).padded(plain(22, 1), 4)); });
        row("an IPv6 header cut short in a tunnel", Drop::truncated,
            [&peers = peers_] { return peers.at(22).packet(peers.at(22).padded(Octets(39, std::byte{0x60}), 41)); });
        row("an inner IPv6 payload length into the ESP trailer", Drop::bad_ip_length, [&peers = peers_] {
            Octets inner = plain(22, 1);
            inner[5] ^= std::byte{1};
            return peers.at(22).tunnel(inner);
        });
        row("a wrong extension header in a tunnel", Drop::bad_extension_header, [&peers = peers_] {
            Octets inner = plain(22, 1);
            inner[6] = std::byte{options};
            inner[40] = std::byte{udp_number};
            inner[41] = std::byte{200};
            return peers.at(22).tunnel(inner);
        });
        row("an IPv6 packet through another office's tunnel", Drop::policy_mismatch,
            [&peers = peers_] { return peers.at(22).tunnel(plain(25, 1)); });
        row("an IPv6 packet in clear where the policy asks for a tunnel", Drop::policy_mismatch,
            [] { return plain(22, 1); });
        row("an IPv6 packet through one of two tunnels of different families", Drop::policy_mismatch,
            [&peers = peers_] { return peers.at(22).tunnel(plain(29, 1)); });
        row("congestion on the IPv6 tunnel of a packet that cannot say so", Drop::bad_ecn,
            [&peers = peers_] { return peers.at(22).packet(peers.at(22).padded(plain(22, 1), 41), {.dscp_ecn = 3}); });
        row("a packet five IPv6 tunnels deep", Drop::nested_too_deep, [&peers = peers_] {
            Octets packet = plain(22, 1);
            for (int i = 0; i < 5; ++i) packet = peers.at(22).tunnel(packet);
            return packet;
        });
        const auto ah = [this](std::string title, Drop drop, std::function<void(Octets&)> change) {
            row(
                std::move(title), drop,
                [&peers = peers_, change] {
                    Octets packet = peers.at(25).tunnel(plain(25, 1));
                    change(packet);
                    return packet;
                },
                world, Room::snug);
        };
        ah("an AH of 11 octets over IPv6", Drop::bad_ah_header, [](Octets& packet) { packet = shorter(packet, 51); });
        ah("an AH over IPv6 as long as in IPv4", Drop::bad_ah_header,
           [](Octets& packet) { packet[41] = std::byte{28 / 4 - 2}; });
        ah("altered padding of AH over IPv6", Drop::bad_icv, [](Octets& packet) { packet[70] ^= std::byte{1}; });
        ah("an altered source before AH over IPv6", Drop::bad_icv, [](Octets& packet) { packet[23] ^= std::byte{1}; });
        row("a dummy packet over IPv6", Drop::dummy_packet,
            [&peers = peers_] { return peers.at(22).packet(peers.at(22).padded(plain(22, 1), 59)); });
        row("IPComp of 3 octets over IPv6", Drop::bad_ipcomp,
            [] { return ipv6("2001:db8::26", "2001:db8::1", 108, Octets(3)); });
        row("a bomb in IPComp over IPv6", Drop::decompressed_too_big,
            [&peers = peers_] { return peers.at(26).tunnel(plain(26, 1, 60000)); });
        row("an IPComp CPI nobody has over IPv6", Drop::unknown_cpi, [] {
            return ipv6("2001:db8::26", "2001:db8::1", 108, octets_of(IpCompHeader{41, 0, 3}) + Octets(40));
        });
    }

    void rest() {
        row(
            "an IPv6 packet to a discarded office", Drop::policy_discard, [] { return plain(1, 12); }, office);
        row("an IPv6 packet that no policy knows", Drop::no_policy, [] { return plain(13, 1); });
        row(
            "an IPv6 packet too big for its tunnel", Drop::too_big, [] { return plain(1, 22, 1440); }, office,
            Room::pool);
        row(
            "an IPv6 packet without room for its tunnel", Drop::no_room, [] { return plain(1, 22); }, office);
        row("a neighbour solicitation for a group", Drop::bad_discovery, [] {
            const Octets message = octets_of(Icmpv6Header{135, 0, 0, 0}) + Octets(16, std::byte{0xff});
            return summed_icmpv6(ipv6("2001:db8::22", "2001:db8::1", icmpv6, message, {.hop_limit = 255}));
        });
        row("a router's advertisement", Drop::router_discovery, [] {
            const Octets message = octets_of(Icmpv6Header{134, 0, 0, 0}) + Octets(8);
            return summed_icmpv6(ipv6("fe80::22", "2001:db8::1", icmpv6, message, {.hop_limit = 255}));
        });
    }

    Peers& peers_;
    std::vector<Expectation> rows_;
};

}  // namespace

std::vector<Expectation> expectations6(Peers& peers) { return Table{peers}.fill(); }

}  // namespace torii::test
