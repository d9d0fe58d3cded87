#include "corpus.h"

#include <algorithm>

namespace torii::test {

namespace {

constexpr std::uint8_t tcp = 6, udp_number = 17, esp = 50;

std::size_t below(Random& random, std::size_t limit) { return random() % limit; }

Octets datagram(unsigned from_office, unsigned to_office, std::size_t octets = 24, const Ipv4Options& options = {}) {
    const auto host = [](unsigned number) { return "10.0." + std::to_string(number) + ".5"; };
    return ipv4(host(from_office), host(to_office), udp_number, udp(4000, 5000, Octets(octets, std::byte{0x5a})),
                options);
}

/// Fragmentation needed, by a link of 1,300 octets.
Octets icmp_error(std::string_view source, std::string_view destination, const Octets& quoted) {
    Octets message = octets_of(IcmpHeader{3, 4, 0, 0, 1300}) + quoted;
    const Big16 checksum{internet_checksum(message.data(), message.size())};
    std::memcpy(message.data() + 2, &checksum, 2);
    return ipv4(source, destination, 1, message);
}

Octets nested(Peers& peers, Octets packet, const std::vector<unsigned>& innermost_first) {
    for (const unsigned number : innermost_first) packet = peers.at(number).tunnel(packet);
    return packet;
}

class Writer {
public:
    Writer(Peers& peers, Random& random) : peers_(peers), random_(random), valid_(valid_frames(peers)) {
        valid_.push_back(
            {"an ICMP error about ESP of the gateway", world, Room::pool, [] {
                 const Octets sent = octets_of(EspHeader{0x77777777, 0x1000000}) + Octets(24);  // by nobody
                 const Octets quoted = ipv4("20.0.0.1", "20.0.0.2", esp, sent);
                 return ethernet(icmp_error("20.0.0.9", "20.0.0.1", quoted));
             }});
    }
    std::vector<Recipe> write() {
        for (const Recipe& recipe : valid_) {
            cuts(recipe);
            lying_headers(recipe);
            fragments(recipe);
            addresses(recipe);
        }
        inner_lies();
        trailers();
        ah_headers();
        ipcomp_headers();
        nesting();
        options();
        sizes();
        for (int i = 0; i < 4000; ++i) flips();
        for (int i = 0; i < 1000; ++i) garbage();
        std::ranges::shuffle(out_, random_);
        return std::move(out_);
    }

private:
    Room any_room() { return std::array{Room::pool, Room::exact, Room::snug}[below(random_, 3)]; }
    void add(std::string kind, std::size_t port, std::function<Octets()> make) {
        out_.push_back({std::move(kind), port, any_room(), std::move(make)});
    }
    void edit(const Recipe& recipe, std::string kind, std::function<void(Ipv4Header&)> change) {
        add(std::move(kind), recipe.port, [make = recipe.make, change] { return edited(make(), change); });
    }

    /// Truncations at every octet, by a wire that loses the rest and by a sender that means it.
    void cuts(const Recipe& recipe) {
        const std::size_t octets = recipe.make().size();
        for (std::size_t keep = 0; keep < octets; ++keep) {
            add("cut", recipe.port, [make = recipe.make, keep] {
                Octets frame = make();
                frame.resize(keep);
                return frame;
            });
            if (keep >= 34)
                add("shortened", recipe.port, [make = recipe.make, keep] { return shortened(make(), keep - 14); });
        }
        out_.push_back({"two segments", recipe.port, Room::chained, recipe.make});
    }

    void lying_headers(const Recipe& recipe) {
        for (const unsigned total : {0u, 1u, 19u, 20u, 21u, 27u, 28u, 36u, 44u, 60u, 70u, 1500u, 9000u, 65535u})
            edit(recipe, "total length",
                 [total](Ipv4Header& ip) { ip.total_octets = static_cast<std::uint16_t>(total); });
        for (const int by : {-2, -1, 1, 2})
            edit(recipe, "total length",
                 [by](Ipv4Header& ip) { ip.total_octets = static_cast<std::uint16_t>(ip.total_octets.value() + by); });
        for (unsigned nibble = 0; nibble < 16; ++nibble) {
            edit(recipe, "header length",
                 [nibble](Ipv4Header& ip) { ip.version_ihl = static_cast<std::uint8_t>(0x40 | nibble); });
            edit(recipe, "version",
                 [nibble](Ipv4Header& ip) { ip.version_ihl = static_cast<std::uint8_t>(nibble << 4 | 5); });
        }
        for (const unsigned octets : {0u, 7u, 8u, 9u, 1000u, 65535u})
            add("udp length", recipe.port, [make = recipe.make, octets] {
                Octets frame = make();
                const Big16 value{static_cast<std::uint16_t>(octets)};
                std::memcpy(frame.data() + 38, &value, 2);
                return frame;
            });
        for (unsigned protocol = 0; protocol < 256; protocol += 7)
            edit(recipe, "protocol", [protocol](Ipv4Header& ip) { ip.protocol = static_cast<std::uint8_t>(protocol); });
        for (const unsigned ttl : {0u, 1u, 2u})
            edit(recipe, "ttl", [ttl](Ipv4Header& ip) { ip.ttl = static_cast<std::uint8_t>(ttl); });
        add("checksum", recipe.port, [make = recipe.make] {
            Octets frame = make();
            frame[24] ^= std::byte{1};
            return frame;
        });
    }

    void fragments(const Recipe& recipe) {
        for (const unsigned flags : {0x2000u, 0x2001u, 0x0001u, 0x1fffu, 0x4000u, 0x6000u, 0x8000u, 0x3fffu, 0xffffu})
            edit(recipe, "fragment", [flags](Ipv4Header& ip) { ip.flags_offset = static_cast<std::uint16_t>(flags); });
        for (unsigned ecn = 0; ecn < 4; ++ecn)
            edit(recipe, "ecn", [ecn](Ipv4Header& ip) { ip.dscp_ecn = static_cast<std::uint8_t>(ecn); });
    }

    /// Link and network addresses of somebody else, of nobody and of everybody.
    void addresses(const Recipe& recipe) {
        for (const auto& mac : {host_mac, MacAddress{{1, 0, 94, 0, 0, 1}}, MacAddress{{255, 255, 255, 255, 255, 255}}})
            add("mac", recipe.port, [make = recipe.make, mac] {
                Octets frame = make();
                std::memcpy(frame.data(), mac.octets.data(), 6);
                return frame;
            });
        for (const unsigned type : {0x86ddu, 0x8100u, 0x88a8u, 0x88ccu, 0x0806u, 0x0800u, 0x0000u, 0x05dcu, 0xffffu})
            add("ethertype", recipe.port, [make = recipe.make, type] {
                Octets frame = make();
                const Big16 value{static_cast<std::uint16_t>(type)};
                std::memcpy(frame.data() + 12, &value, 2);
                return frame;
            });
        for (const std::string_view address :
             {"0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "20.0.0.1", "10.0.1.1", "10.0.1.255",
              "20.0.0.255", "10.0.1.77", "10.0.12.5", "192.0.2.1", "10.0.11.5"}) {
            edit(recipe, "source", [address](Ipv4Header& ip) { ip.source = number(address); });
            edit(recipe, "destination", [address](Ipv4Header& ip) { ip.destination = number(address); });
        }
    }

    /// Inner packets that lie, correctly encrypted by every tunnel peer.
    void inner_lies() {
        for (const unsigned peer : {2u, 3u, 4u, 5u, 7u, 14u, 15u, 16u}) {
            const auto inside = [this, peer](std::string kind, std::function<Octets()> inner) {
                add("inner " + kind, world,
                    [&peers = peers_, peer, inner] { return ethernet(peers.at(peer).tunnel(inner())); });
            };
            const Recipe whole{"", world, Room::pool, [peer] { return ethernet(datagram(peer, 1)); }};
            const auto changed = [&](std::string kind, std::function<void(Ipv4Header&)> change) {
                inside(std::move(kind), [whole, change] {
                    const Octets frame = edited(whole.make(), change);
                    return Octets(frame.begin() + 14, frame.end());
                });
            };
            for (const unsigned total : {0u, 19u, 20u, 28u, 51u, 53u, 54u, 100u, 1500u, 65535u})
                changed("total length",
                        [total](Ipv4Header& ip) { ip.total_octets = static_cast<std::uint16_t>(total); });
            for (unsigned octet = 0; octet < 256; octet += 5)
                changed("version and length",
                        [octet](Ipv4Header& ip) { ip.version_ihl = static_cast<std::uint8_t>(octet); });
            for (unsigned ecn = 0; ecn < 4; ++ecn)
                changed("ecn", [ecn](Ipv4Header& ip) { ip.dscp_ecn = static_cast<std::uint8_t>(ecn); });
            for (const std::string_view address :
                 {"0.0.0.0", "127.0.0.1", "10.0.1.1", "20.0.0.1", "224.0.0.1", "10.0.1.77"}) {
                changed("source", [address](Ipv4Header& ip) { ip.source = number(address); });
                changed("destination", [address](Ipv4Header& ip) { ip.destination = number(address); });
            }
            for (std::size_t keep = 0; keep < 52; ++keep)
                inside("cut", [peer, keep] {
                    Octets packet = datagram(peer, 1);
                    packet.resize(keep);
                    return packet;
                });
            for (const std::size_t extra : {1u, 2u, 3u, 4u, 16u, 100u, 1000u})  // RFC 4303 2.7: ignored
                inside("traffic flow padding", [peer, extra] { return datagram(peer, 1) + Octets(extra); });
        }
    }

    /// ESP payloads and trailers that no honest peer writes.
    void trailers() {
        for (const unsigned peer : {2u, 3u, 4u, 5u, 6u, 7u}) {
            const auto text = [this, peer](std::string kind, std::function<Octets()> make) {
                add("text " + kind, world,
                    [&peers = peers_, peer, make] { return ethernet(peers.at(peer).packet(make())); });
            };
            for (unsigned next = 0; next < 256; ++next)
                text("next header", [&peers = peers_, peer, next] {
                    return peers.at(peer).padded(datagram(peer, 1), static_cast<std::uint8_t>(next));
                });
            for (unsigned padding = 0; padding < 256; padding += 3)
                text("padding length", [&peers = peers_, peer, padding] {
                    Octets out = peers.at(peer).padded(datagram(peer, 1), 4);
                    out[out.size() - 2] = static_cast<std::byte>(padding);
                    return out;
                });
            text("padding 255", [] {
                Octets out = datagram(2, 1) + Octets(11);
                for (int i = 1; i <= 255; ++i) out.push_back(static_cast<std::byte>(i));
                return out + some_octets({255, 4});
            });
            for (std::size_t octets = 0; octets < 40; ++octets)
                text("short", [octets] { return Octets(octets, std::byte{1}); });
        }
    }

    /// AH whose fields lie, and whose ICV is right where it may be.
    void ah_headers() {
        for (const unsigned peer : {14u, 15u, 19u}) {
            for (unsigned next = 0; next < 256; ++next)
                add("ah next header", world, [&peers = peers_, peer, next] {
                    return ethernet(peers.at(peer).authenticated(datagram(peer, 1), static_cast<std::uint8_t>(next)));
                });
            for (unsigned words = 0; words < 256; ++words)
                add("ah length", world, [&peers = peers_, peer, words] {
                    Octets frame = ethernet(peers.at(peer).tunnel(datagram(peer, 1)));
                    frame[35] = static_cast<std::byte>(words);
                    return frame;
                });
            for (std::size_t octets = 0; octets < 40; ++octets)
                add("ah payload", world, [&peers = peers_, peer, octets] {
                    return ethernet(peers.at(peer).authenticated(Octets(octets, std::byte{0x45}), 4));
                });
        }
    }

    /// IPComp headers that lie, data that is none, and data that becomes too much.
    void ipcomp_headers() {
        const auto carried = [this](std::string kind, std::function<Octets()> payload) {
            add("ipcomp " + kind, world, [payload] { return ethernet(ipv4("20.0.0.16", "20.0.0.1", 108, payload())); });
        };
        for (unsigned next = 0; next < 256; ++next)
            add("ipcomp next header", world, [&peers = peers_, next] {
                return ethernet(peers.ipcomp().compressed(datagram(16, 1), static_cast<std::uint8_t>(next)));
            });
        for (unsigned cpi = 0; cpi < 65536; cpi += 251)
            add("ipcomp cpi", world, [&peers = peers_, cpi] {
                Octets frame = ethernet(peers.ipcomp().tunnel(datagram(16, 1)));
                const Big16 value{static_cast<std::uint16_t>(cpi)};
                std::memcpy(frame.data() + 36, &value, 2);
                return frame;
            });
        for (int i = 0; i < 300; ++i) {
            Octets noise(below(random_, 300));
            for (std::byte& octet : noise) octet = static_cast<std::byte>(random_());
            carried("noise", [noise] { return octets_of(IpCompHeader{4, 0, 2}) + noise; });
        }
        for (const std::size_t octets : {1u, 19u, 1500u, 2000u, 9000u, 30000u, 60000u, 65000u})  // bombs, by their size
            for (const unsigned from : {16u, 2u, 11u})
                add("ipcomp bomb", world, [&peers = peers_, octets, from] {
                    return ethernet(peers.ipcomp().tunnel(datagram(from, 1, octets)));
                });
    }

    void nesting() {
        for (const unsigned peer : {2u, 3u, 4u, 5u, 7u, 14u, 15u, 16u})
            for (unsigned depth = 1; depth <= 7; ++depth)
                for (const unsigned from : {2u, 8u, 9u, 11u, 14u, 16u, 17u})
                    add("nested", world, [&peers = peers_, peer, depth, from] {
                        return ethernet(nested(peers, datagram(from, 1), std::vector<unsigned>(depth, peer)));
                    });
        for (int i = 0; i < 600; ++i) {
            std::vector<unsigned> order(1 + below(random_, 6));
            for (unsigned& peer : order) peer = std::array{2u, 3u, 4u, 5u, 6u, 7u, 14u, 15u, 16u}[below(random_, 9)];
            const auto from = static_cast<unsigned>(2 + below(random_, 17));
            add("nested", world,
                [&peers = peers_, order, from] { return ethernet(nested(peers, datagram(from, 1), order)); });
        }
    }

    void options() {
        const std::vector<Octets> lists{some_octets({1, 1, 1, 1}),     some_octets({7, 7, 4, 0, 0, 0, 0, 0}),
                                        some_octets({7, 0, 4, 0}),     some_octets({7, 1, 4, 0}),
                                        some_octets({7, 5, 4, 0}),     some_octets({7, 255, 4, 0}),
                                        some_octets({131, 3, 4, 0}),   some_octets({137, 3, 4, 0}),
                                        some_octets({0, 131, 3, 4}),   some_octets({1, 131, 3, 4}),
                                        some_octets({68, 4, 5, 0}),    some_octets({1, 1, 1, 7}),
                                        some_octets({148, 4, 0, 0}),   some_octets({255, 255, 255, 255}),
                                        Octets(40, std::byte{1}),      Octets(40, std::byte{0}),
                                        some_octets({130, 2, 130, 2}), some_octets({1, 1, 1, 131})};
        for (const Octets& list : lists)
            for (const unsigned far : {2u, 3u, 8u, 9u, 11u}) {
                add("options", office, [list, far] { return ethernet(with_options(datagram(1, far), list)); });
                add("options", world, [list, far] { return ethernet(with_options(datagram(far, 1), list)); });
                if (far < 8)
                    add("inner options", world, [&peers = peers_, list, far] {
                        return ethernet(peers.at(far).tunnel(with_options(datagram(far, 1), list)));
                    });
                add("options on esp", world, [&peers = peers_, list] {
                    return ethernet(with_options(peers.transport().tunnel(datagram(6, 1)), list));
                });
            }
    }

    void sizes() {
        for (const std::size_t port : {office, world})
            for (std::size_t octets = 0; octets < 14; ++octets)
                add("no header", port, [octets] { return Octets(octets); });
        for (const std::size_t payload :
             {1400u, 1410u, 1420u, 1430u, 1440u, 1450u, 1472u, 1473u, 1600u, 4000u, 8972u, 65000u})
            for (const std::uint16_t flags : {std::uint16_t{0}, Ipv4Header::dont_fragment})
                for (unsigned far = 2; far <= 11; ++far) {
                    out_.push_back({"jumbo", office, payload > 1900 ? Room::snug : any_room(),
                                    [=] { return ethernet(datagram(1, far, payload, {.flags_offset = flags})); }});
                    if (far > 7) continue;
                    out_.push_back({"jumbo", world, Room::snug, [&peers = peers_, payload, far, flags] {
                                        return ethernet(
                                            peers.at(far).tunnel(datagram(far, 1, payload, {.flags_offset = flags})));
                                    }});
                }
        out_.push_back({"jumbo", world, Room::exact, [] { return Octets(65535, std::byte{0x45}); }});
    }

    void flips() {
        const Recipe& victim = valid_[below(random_, valid_.size())];
        std::vector<std::pair<std::size_t, std::byte>> changes(1 + below(random_, 4));
        for (auto& [at, bits] : changes) at = random_(), bits = static_cast<std::byte>(1 + below(random_, 255));
        const bool fix_checksum = below(random_, 2) == 0;
        add("flipped", victim.port, [make = victim.make, changes, fix_checksum] {
            Octets frame = make();
            for (const auto& [at, bits] : changes) frame[at % frame.size()] ^= bits;
            return fix_checksum ? edited(frame, [](Ipv4Header&) {}) : frame;
        });
    }

    void garbage() {
        Octets frame(below(random_, 1600));
        for (std::byte& octet : frame) octet = static_cast<std::byte>(random_());
        const bool looks_right = frame.size() > 34 && below(random_, 4) != 0;
        if (looks_right) {
            const Octets head = ethernet({});
            std::ranges::copy(head, frame.begin());
            frame[14] = std::byte{0x45};
        }
        const std::size_t port = below(random_, 2);
        add("garbage", port, [frame, looks_right] { return looks_right ? edited(frame, [](Ipv4Header&) {}) : frame; });
    }

    Peers& peers_;
    Random& random_;
    std::vector<Recipe> valid_, out_;
};

}  // namespace

std::vector<Recipe> valid_frames(Peers& peers) {
    std::vector<Recipe> out;
    const auto from_office = [&](std::string kind, std::function<Octets()> packet) {
        out.push_back({std::move(kind), office, Room::pool, [packet] { return ethernet(packet()); }});
    };
    const auto from_world = [&](std::string kind, std::function<Octets()> packet) {
        out.push_back({std::move(kind), world, Room::pool, [packet] { return ethernet(packet()); }});
    };
    for (const unsigned far : {2u, 3u, 4u, 5u, 7u, 8u, 9u, 11u, 14u, 15u, 16u, 17u, 18u, 19u})
        from_office("a datagram to office " + std::to_string(far), [far] { return datagram(1, far); });
    from_office("an echo request to office 2", [] { return ipv4("10.0.1.5", "10.0.2.5", 1, icmp_echo(1)); });
    from_office("a TCP segment to office 3", [] { return ipv4("10.0.1.5", "10.0.3.5", tcp, Octets(20)); });
    from_office("an office's own ESP to office 2", [] {
        return ipv4("10.0.1.5", "10.0.2.5", esp, octets_of(EspHeader{77, 1}) + Octets(40));
    });
    from_office("an ICMP error toward office 2", [] { return icmp_error("10.0.1.9", "10.0.2.5", datagram(2, 1)); });
    from_office("an echo request to the gateway", [] { return ipv4("10.0.1.5", "10.0.1.1", 1, icmp_echo(2)); });
    out.push_back({"an ARP request from the office", office, Room::pool,
                   [] { return arp(1, host_mac, "10.0.1.5", {}, "10.0.1.1"); }});

    for (const unsigned far : {2u, 3u, 4u, 5u, 7u, 14u, 15u, 16u, 18u, 19u})
        from_world("a datagram from office " + std::to_string(far),
                   [&peers, far] { return peers.at(far).tunnel(datagram(far, 1)); });
    from_world("a datagram out of two tunnels", [&peers] { return nested(peers, datagram(8, 1), {2, 3}); });
    from_world("a datagram out of four tunnels", [&peers] { return nested(peers, datagram(9, 1), {2, 3, 4, 7}); });
    from_world("a datagram out of IPComp in ESP in AH", [&peers] {
        return nested(peers, datagram(17, 1), {16, 2, 14});
    });
    from_world("an echo request behind AH", [&peers] { return peers.at(15).authenticated(icmp_echo(5), 1); });
    from_world("an echo request in IPComp", [&peers] { return peers.ipcomp().compressed(icmp_echo(6, 200), 1); });
    from_world("a datagram of the office in clear", [] { return datagram(11, 1); });
    from_world("an echo request in transport mode",
               [&peers] { return peers.transport().packet(peers.transport().padded(icmp_echo(3), 1)); });
    from_world("an ICMP error out of a tunnel",
               [&peers] { return peers.at(2).tunnel(icmp_error("10.0.2.9", "10.0.1.5", datagram(1, 2))); });
    from_world("an echo request from the world", [] { return ipv4("20.0.0.2", "20.0.0.1", 1, icmp_echo(4)); });
    from_world("a datagram out of a gif port", [] { return ipv4("20.0.0.10", "20.0.0.1", 4, datagram(11, 1)); });
    from_world("a datagram out of a gif port under transport mode",
               [&peers] { return peers.transport().packet(peers.transport().padded(datagram(11, 1), 4)); });
    out.push_back({"an ARP request from the world", world, Room::pool,
                   [] { return arp(1, peer_mac, "20.0.0.2", {}, "20.0.0.1"); }});
    return out;
}

std::vector<Recipe> hostile_frames(Peers& peers, Random& random) { return Writer{peers, random}.write(); }

Octets edited(Octets frame, const std::function<void(Ipv4Header&)>& edit) {
    if (frame.size() < sizeof(EthernetHeader) + sizeof(Ipv4Header)) return frame;
    auto& ip = *reinterpret_cast<Ipv4Header*>(frame.data() + sizeof(EthernetHeader));
    edit(ip);
    ip.checksum = 0;
    ip.checksum =
        internet_checksum(&ip, std::min<std::size_t>(ip.header_octets(), frame.size() - sizeof(EthernetHeader)));
    return frame;
}

Octets shortened(const Octets& frame, std::size_t octets) {
    Octets out = frame;
    out.resize(sizeof(EthernetHeader) + octets);
    return edited(out, [octets](Ipv4Header& ip) { ip.total_octets = static_cast<std::uint16_t>(octets); });
}

Octets with_options(const Octets& packet, const Octets& options) {
    Octets out(packet.begin(), packet.begin() + sizeof(Ipv4Header));
    out = out + options + Octets(packet.begin() + sizeof(Ipv4Header), packet.end());
    const Octets frame = edited(ethernet(out), [&](Ipv4Header& ip) {
        ip.version_ihl = static_cast<std::uint8_t>(0x45 + options.size() / 4);
        ip.total_octets = static_cast<std::uint16_t>(out.size());
    });
    return {frame.begin() + sizeof(EthernetHeader), frame.end()};
}

Octets some_octets(std::initializer_list<int> values) {
    Octets out;
    for (const int value : values) out.push_back(static_cast<std::byte>(value));
    return out;
}

}  // namespace torii::test
