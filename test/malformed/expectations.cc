#include "expectations.h"

namespace torii::test {

namespace {

Octets plain(unsigned from, unsigned to, const Ipv4Options& options = {}, std::size_t octets = 24) {
    const auto host = [](unsigned number) { return "10.0." + std::to_string(number) + ".5"; };
    return ipv4(host(from), host(to), 17, udp(4000, 5000, Octets(octets, std::byte{0x5a})), options);
}

class Table {
public:
    explicit Table(Peers& peers) : peers_(peers) {}
    std::vector<Expectation> fill() {
        frames();
        headers();
        policies();
        esp();
        inside();
        gifs();
        ah();
        ipcomp();
        old_forms();
        return std::move(rows_);
    }

private:
    void row(std::string title, Drop drop, std::size_t port, std::function<Octets()> make, Room room = Room::exact) {
        title += " is " + std::string{info(drop).name};
        rows_.push_back({title, {title, port, room, std::move(make)}, drop});
    }
    void packet(std::string title, Drop drop, std::size_t port, std::function<Octets()> make, Room room = Room::exact) {
        row(
            std::move(title), drop, port, [make] { return ethernet(make()); }, room);
    }
    void edit(std::string title, Drop drop, std::function<void(Ipv4Header&)> change) {
        row(std::move(title), drop, world, [change] { return edited(ethernet(plain(11, 1)), change); });
    }

    void frames() {
        row("a frame of no octets", Drop::truncated, world, [] { return Octets{}; });
        row("a frame of 13 octets", Drop::truncated, world, [] { return Octets(13); });
        row("an Ethernet header without a packet", Drop::truncated, world, [] { return ethernet({}); });
        row("an IPv4 header of 19 octets", Drop::truncated, world, [] {
            Octets frame = ethernet(plain(11, 1));
            frame.resize(14 + 19);
            return frame;
        });
        row("an ARP packet cut short", Drop::bad_arp, world, [] {
            Octets frame = arp(1, peer_mac, "20.0.0.2", {}, "20.0.0.1");
            frame.resize(41);
            return frame;
        });
        row("an ARP packet that claims our address", Drop::bad_arp, world,
            [] { return arp(1, peer_mac, "20.0.0.1", {}, "20.0.0.1"); });
        row(
            "a frame in two buffers", Drop::multi_segment, world, [] { return ethernet(plain(11, 1)); }, Room::chained);
        row("a frame for another station", Drop::not_our_mac, world, [] { return ethernet(plain(11, 1), host_mac); });
        row("a frame for everybody", Drop::multicast, world, [] {
            return ethernet(plain(11, 1), {{255, 255, 255, 255, 255, 255}});
        });
        row("zeroes in an IPv6 frame", Drop::bad_ip_version, world,
            [] { return ethernet(Octets(60), {}, EtherType::ipv6); });
        row("a frame of no known type", Drop::unknown_ethertype, world,
            [] { return ethernet(Octets(60), {}, EtherType{0x88cc}); });
    }

    void headers() {
        edit("IP version 6 in an IPv4 frame", Drop::bad_ip_version, [](Ipv4Header& ip) { ip.version_ihl = 0x65; });
        edit("a header of 16 octets", Drop::bad_ip_header, [](Ipv4Header& ip) { ip.version_ihl = 0x44; });
        edit("a header longer than the packet", Drop::bad_ip_header, [](Ipv4Header& ip) { ip.version_ihl = 0x4f; });
        edit("a total length below the header's", Drop::bad_ip_length, [](Ipv4Header& ip) { ip.total_octets = 19; });
        edit("a total length one beyond the frame", Drop::bad_ip_length,
             [](Ipv4Header& ip) { ip.total_octets = static_cast<std::uint16_t>(ip.total_octets + 1); });
        edit("a source that is everybody", Drop::martian, [](Ipv4Header& ip) { ip.source = 0xffffffff; });
        edit("a packet from our own address", Drop::own_source, [](Ipv4Header& ip) { ip.source = number("20.0.0.1"); });
        edit("a packet for a network's broadcast address", Drop::multicast,
             [](Ipv4Header& ip) { ip.destination = number("10.0.1.255"); });
        edit("a packet at its last hop", Drop::ttl_exceeded, [](Ipv4Header& ip) { ip.ttl = 1; });
        packet("a wrong header checksum", Drop::bad_ip_checksum, world, [] {
            Octets broken = plain(11, 1);
            broken[10] ^= std::byte{1};
            return broken;
        });
        packet("a loose source route", Drop::source_route, world, [] {
            return with_options(plain(11, 1), some_octets({131, 3, 4, 0}));
        });
        packet("a strict source route behind a no-operation", Drop::source_route, world, [] {
            return with_options(plain(11, 1), some_octets({1, 137, 3, 4}));
        });
        packet("an option longer than the header", Drop::bad_ip_header, world, [] {
            return with_options(plain(11, 1), some_octets({7, 5, 4, 0}));
        });
        packet("an option of length 0", Drop::bad_ip_header, world, [] {
            return with_options(plain(11, 1), some_octets({7, 0, 4, 0}));
        });
    }

    /// What 20.0.0.10 sends as IP in IP.
    void gifs() {
        const auto inside = [this](std::string title, Drop drop, std::uint8_t protocol, std::function<Octets()> make) {
            packet("in a gif port's packet " + std::move(title), drop, world,
                   [=] { return ipv4("20.0.0.10", "20.0.0.1", protocol, make()); });
        };
        inside("nothing", Drop::truncated, 4, [] { return Octets{}; });
        inside("an IPv4 header of 19 octets", Drop::truncated, 4, [] { return Octets(19, std::byte{0x45}); });
        inside("an IPv6 header of 39 octets", Drop::truncated, 41, [] { return Octets(39, std::byte{0x60}); });
        inside("IPv4 called IPv6", Drop::bad_ip_version, 41, [] { return plain(11, 1); });
        inside("less than it says", Drop::bad_ip_length, 4, [] {
            Octets cut = plain(11, 1);
            cut.pop_back();
            return cut;
        });
        inside("a packet that no policy knows", Drop::no_policy, 4, [] { return plain(13, 1); });
        inside("one that owes a tunnel", Drop::policy_mismatch, 4, [] { return plain(2, 1); });
        inside("five deep, another,", Drop::gif_too_deep, 4, [] {
            Octets deep = plain(11, 1);
            for (int i = 0; i < 4; ++i) deep = ipv4("20.0.0.10", "20.0.0.1", 4, deep);
            return deep;
        });
    }

    void policies() {
        packet("a clear packet where the policy asks for a tunnel", Drop::policy_mismatch, world,
               [] { return plain(2, 1); });
        packet("a packet through another office's tunnel", Drop::policy_mismatch, world,
               [&peers = peers_] { return peers.cbc().tunnel(plain(2, 1)); });
        packet("a packet through one of the two tunnels it owes", Drop::policy_mismatch, world,
               [&peers = peers_] { return peers.gcm().tunnel(plain(8, 1)); });
        packet("a packet through its two tunnels in the wrong order", Drop::policy_mismatch, world,
               [&peers = peers_] { return peers.gcm().tunnel(peers.cbc().tunnel(plain(8, 1))); });
        packet("a tunnelled packet that no policy knows", Drop::no_policy, world,
               [&peers = peers_] { return peers.gcm().tunnel(plain(13, 1)); });
        packet("a packet to a discarded office", Drop::policy_discard, office, [] { return plain(1, 12); });
        packet("a packet to an office without a policy", Drop::no_policy, office, [] { return plain(1, 13); });
        packet(
            "a packet too big for its tunnel that may not be fragmented", Drop::too_big, office,
            [] { return plain(1, 2, {.flags_offset = Ipv4Header::dont_fragment}, 1472); }, Room::pool);
        packet("a packet without room for its tunnel", Drop::no_room, office, [] { return plain(1, 2); });
        packet("a UDP packet for a port of ours that is closed", Drop::local_unwanted, office,
               [] { return ipv4("10.0.1.5", "10.0.1.1", 17, udp(4000, 5000, Octets(8))); });
    }

    void esp() {
        const auto gcm = [this](std::string title, Drop drop, std::function<void(Octets&)> change) {
            row(std::move(title), drop, world, [&peers = peers_, change] {
                Octets frame = ethernet(peers.gcm().tunnel(plain(2, 1)));
                change(frame);
                return frame;
            });
        };
        gcm("a truncated ESP header", Drop::esp_truncated, [](Octets& frame) { frame = shortened(frame, 27); });
        gcm("an ESP packet that ends behind its header", Drop::esp_truncated,
            [](Octets& frame) { frame = shortened(frame, 28); });
        gcm("an ESP packet that ends inside its IV", Drop::esp_truncated,
            [](Octets& frame) { frame = shortened(frame, 35); });
        gcm("an ESP packet with no text but an ICV", Drop::esp_truncated,
            [](Octets& frame) { frame = shortened(frame, 52); });
        gcm("an ESP text that is not in whole words", Drop::esp_truncated,
            [](Octets& frame) { frame = shortened(frame, frame.size() - 15); });
        gcm("an ESP packet cut by a word", Drop::bad_icv,
            [](Octets& frame) { frame = shortened(frame, frame.size() - 18); });
        gcm("an altered ESP text", Drop::bad_icv, [](Octets& frame) { frame[60] ^= std::byte{1}; });
        gcm("an altered ESP sequence number", Drop::bad_icv, [](Octets& frame) { frame[40] ^= std::byte{1}; });
        gcm("an altered ICV", Drop::bad_icv, [](Octets& frame) { frame.back() ^= std::byte{0x80}; });
        gcm("an SPI nobody has", Drop::unknown_spi, [](Octets& frame) { frame[34] = std::byte{0x7f}; });
        gcm("a fragment of ESP that is not in whole eights", Drop::bad_fragment, [](Octets& frame) {
            frame = edited(shortened(frame, frame.size() - 18),
                           [](Ipv4Header& ip) { ip.flags_offset = Ipv4Header::more_fragments; });
        });
        packet("an ICMP error about ESP that nobody sent", Drop::icmp_unproven, world, [] {
            Octets message = octets_of(IcmpHeader{3, 4, 0, 0, 1300}) +
                             ipv4("20.0.0.1", "20.0.0.2", 50, octets_of(EspHeader{0x77777777, 1}) + Octets(24));
            const Big16 checksum{internet_checksum(message.data(), message.size())};
            std::memcpy(message.data() + 2, &checksum, 2);
            return ipv4("20.0.0.9", "20.0.0.1", 1, message);
        });
        row("an ESP packet sent twice", Drop::replayed, world,
            [frame = ethernet(peers_.null().tunnel(plain(4, 1)))] { return frame; });
        packet("text under another peer's key", Drop::bad_icv, world, [&peers = peers_] {
            Octets sealed = peers.gcm().packet(peers.gcm().padded(plain(2, 1), 4));
            const Octets other = peers.transport().seal(peers.transport().padded(plain(2, 1), 4));
            std::copy(other.begin() + 8, other.end(), sealed.begin() + 28);
            return sealed;
        });
        packet("padding longer than the text", Drop::bad_padding, world, [&peers = peers_] {
            Octets text = peers.gcm().padded(plain(2, 1), 4);
            text[text.size() - 2] = std::byte{255};
            return peers.gcm().packet(text);
        });
        packet("padding that is not 1, 2, 3", Drop::bad_padding, world, [&peers = peers_] {
            return peers.gcm().packet(plain(2, 1) + some_octets({9, 9, 2, 4}));
        });
        packet("a dummy packet (next header 59)", Drop::dummy_packet, world,
               [&peers = peers_] { return peers.gcm().packet(peers.gcm().padded(plain(2, 1), 59)); });
        packet("UDP straight inside tunnel mode", Drop::bad_inner_protocol, world,
               [&peers = peers_] { return peers.gcm().packet(peers.gcm().padded(plain(2, 1), 17)); });
        packet("IPv4 that a tunnel calls IPv6", Drop::bad_ip_version, world,
               [&peers = peers_] { return peers.gcm().packet(peers.gcm().padded(plain(2, 1), 41)); });
    }

    void inside() {
        const auto inner = [this](std::string title, Drop drop, std::function<void(Ipv4Header&)> change) {
            packet(std::move(title), drop, world, [&peers = peers_, change] {
                const Octets frame = edited(ethernet(plain(2, 1)), change);
                return peers.gcm().tunnel({frame.begin() + 14, frame.end()});
            });
        };
        inner("an inner total length into the ESP trailer", Drop::bad_ip_length,
              [](Ipv4Header& ip) { ip.total_octets = static_cast<std::uint16_t>(ip.total_octets + 1); });
        inner("an inner total length of 65535", Drop::bad_ip_length, [](Ipv4Header& ip) { ip.total_octets = 65535; });
        inner("an inner version of 5", Drop::bad_ip_version, [](Ipv4Header& ip) { ip.version_ihl = 0x55; });
        inner("an inner header of 4 octets", Drop::bad_ip_header, [](Ipv4Header& ip) { ip.version_ihl = 0x41; });
        inner("an inner loopback source", Drop::martian, [](Ipv4Header& ip) { ip.source = number("127.0.0.1"); });
        inner("an inner source of our own", Drop::own_source, [](Ipv4Header& ip) { ip.source = number("10.0.1.1"); });
        packet("an inner header cut short", Drop::truncated, world, [&peers = peers_] {
            Octets packet = plain(2, 1);
            packet.resize(18);
            return peers.gcm().tunnel(packet);
        });
        packet("congestion on the tunnel of a packet that cannot say so", Drop::bad_ecn, world,
               [&peers = peers_] { return peers.gcm().packet(peers.gcm().padded(plain(2, 1), 4), {.dscp_ecn = 3}); });
        packet("a packet five tunnels deep", Drop::nested_too_deep, world, [&peers = peers_] {
            Octets packet = plain(9, 1);
            for (const unsigned peer : {2u, 3u, 4u, 7u, 5u}) packet = peers.at(peer).tunnel(packet);
            return packet;
        });
        packet("a packet five times in one tunnel", Drop::nested_too_deep, world, [&peers = peers_] {
            Octets packet = plain(2, 1);
            for (int i = 0; i < 5; ++i) packet = peers.gcm().tunnel(packet);
            return packet;
        });
    }

    /// ESP and AH without sequence numbers, whose headers are shorter by four octets.
    void old_forms() {
        const auto cut = [this](std::string title, Drop drop, unsigned peer, std::size_t octets) {
            row(
                std::move(title), drop, world,
                [&peers = peers_, peer, octets] {
                    return shortened(ethernet(peers.at(peer).tunnel(plain(peer, 1))), octets);
                },
                Room::snug);
        };
        cut("an old ESP of 7 octets", Drop::esp_truncated, 18, 27);
        cut("an old ESP that ends in its IV", Drop::esp_truncated, 18, 31);
        cut("an old ESP without a text", Drop::esp_truncated, 18, 32);
        cut("an old ESP that is cut in its second block", Drop::esp_truncated, 18, 44);
        cut("an old AH of 11 octets", Drop::bad_ah_header, 19, 31);
        cut("an old AH that ends in its digest", Drop::bad_ah_header, 19, 43);
        cut("an old AH with nothing behind it", Drop::bad_icv, 19, 44);
        packet("an old ESP whose text is one block of zeroes", Drop::bad_inner_protocol, world,
               [&peers = peers_] { return peers.old_esp().packet(Octets(8)); });
        packet(
            "a dummy packet behind an old AH", Drop::dummy_packet, world,
            [&peers = peers_] { return peers.old_ah().authenticated(plain(19, 1), 59); }, Room::snug);
    }

    // Snug where AH's ICV wants four octets behind the packet or DEFLATE's text its buffer.
    void ah() {
        const auto changed = [this](std::string title, Drop drop, std::function<void(Octets&)> change) {
            row(
                std::move(title), drop, world,
                [&peers = peers_, change] {
                    Octets frame = ethernet(peers.ah().tunnel(plain(14, 1)));
                    change(frame);
                    return frame;
                },
                Room::snug);
        };
        changed("an AH of 11 octets", Drop::bad_ah_header, [](Octets& frame) { frame = shortened(frame, 31); });
        changed("an AH that ends in its ICV", Drop::bad_ah_header, [](Octets& frame) { frame = shortened(frame, 47); });
        changed("an AH longer than its ICV by its own word", Drop::bad_ah_header,
                [](Octets& frame) { frame[35] = std::byte{6}; });
        changed("an AH of no length", Drop::bad_ah_header, [](Octets& frame) { frame[35] = std::byte{0}; });
        changed("an AH with nothing behind it", Drop::bad_icv, [](Octets& frame) { frame = shortened(frame, 48); });
        changed("an altered text behind AH", Drop::bad_icv, [](Octets& frame) { frame.back() ^= std::byte{1}; });
        changed("an altered identification before AH", Drop::bad_icv,
                [](Octets& frame) { frame = edited(frame, [](Ipv4Header& ip) { ip.identification = 8; }); });
        changed("an SPI of AH nobody has", Drop::unknown_spi, [](Octets& frame) { frame[38] = std::byte{0x7f}; });
        packet(
            "UDP straight behind AH in tunnel mode", Drop::bad_inner_protocol, world,
            [&peers = peers_] { return peers.ah().authenticated(plain(14, 1), 17); }, Room::snug);
        packet(
            "a dummy packet behind AH", Drop::dummy_packet, world,
            [&peers = peers_] { return peers.ah().authenticated(plain(14, 1), 59); }, Room::snug);
        row(
            "an AH packet sent twice", Drop::replayed, world,
            [frame = ethernet(peers_.ah().tunnel(plain(14, 1)))] { return frame; }, Room::snug);
        packet(
            "a packet behind AH where ESP is asked for", Drop::policy_mismatch, world,
            [&peers = peers_] { return peers.ah().tunnel(plain(2, 1)); }, Room::snug);
        packet(
            "a packet in AH, ESP, AH, IPComp and AH", Drop::nested_too_deep, world,
            [&peers = peers_] {
                Octets packet = plain(17, 1);
                for (const unsigned peer : {14u, 16u, 14u, 2u, 14u}) packet = peers.at(peer).tunnel(packet);
                return packet;
            },
            Room::pool);
    }

    void ipcomp() {
        const auto carried = [this](std::string title, Drop drop, const Octets& payload) {
            packet(std::move(title), drop, world, [payload] { return ipv4("20.0.0.16", "20.0.0.1", 108, payload); });
        };
        const auto header = [](std::uint16_t cpi) { return octets_of(IpCompHeader{4, 0, cpi}); };
        carried("IPComp of 3 octets", Drop::bad_ipcomp, Octets(3));
        carried("IPComp without data", Drop::bad_ipcomp, header(2));
        carried("IPComp data of a reserved block type", Drop::bad_ipcomp, header(2) + Octets(50, std::byte{0xff}));
        carried("IPComp under another algorithm's CPI", Drop::unknown_cpi, header(3) + Octets(50));
        packet(
            "IPComp data with an octet behind it", Drop::bad_ipcomp, world,
            [&peers = peers_] {
                const Octets frame = ethernet(peers.ipcomp().tunnel(plain(16, 1)) + Octets(1));
                const Octets longer =
                    edited(frame, [](Ipv4Header& ip) { ip.total_octets = std::uint16_t(ip.total_octets + 1); });
                return Octets(longer.begin() + 14, longer.end());
            },
            Room::snug);
        packet(
            "IPComp data cut by an octet", Drop::bad_ipcomp, world,
            [&peers = peers_] {
                const Octets packet = peers.ipcomp().tunnel(plain(16, 1));
                const Octets cut = shortened(ethernet(packet), packet.size() - 1);
                return Octets(cut.begin() + 14, cut.end());
            },
            Room::snug);
        packet("a bomb in IPComp", Drop::decompressed_too_big, world,
               [&peers = peers_] { return peers.ipcomp().tunnel(plain(16, 1, {}, 60000)); });
        packet("a bomb in IPComp in ESP", Drop::decompressed_too_big, world,
               [&peers = peers_] { return peers.gcm().tunnel(peers.ipcomp().tunnel(plain(2, 1, {}, 60000))); });
        packet(
            "clear text in IPComp where ESP is asked for", Drop::policy_mismatch, world,
            [&peers = peers_] { return peers.ipcomp().tunnel(plain(2, 1)); }, Room::pool);
        packet(
            "IPComp five times", Drop::nested_too_deep, world,
            [&peers = peers_] {
                Octets packet = plain(16, 1);
                for (int i = 0; i < 5; ++i) packet = peers.ipcomp().tunnel(packet);
                return packet;
            },
            Room::pool);
    }

    Peers& peers_;
    std::vector<Expectation> rows_;
};

}  // namespace

std::vector<Expectation> expectations(Peers& peers) { return Table{peers}.fill(); }

}  // namespace torii::test
