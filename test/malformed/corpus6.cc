// The IPv6 half of the corpus: extension headers, fragments, neighbour discovery and quotes, IPsec over IPv6 and
// tunnels of one family in the other; and the storm, which mutates anything of either family before and after it is
// protected.
#include <algorithm>

#include "corpus.h"

namespace torii::test {

namespace {

constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, options = 60, icmpv6 = 58, udp_number = 17;
constexpr std::array extension_headers{hop_by_hop, routing, fragment, options};

std::size_t below(Random& random, std::size_t limit) { return random() % limit; }

Octets datagram(Family family, unsigned from, unsigned to, std::size_t octets = 24) {
    const Octets payload = udp(4000, 5000, Octets(octets, std::byte{0x5a}));
    return family == Family::ipv4 ? ipv4(host_of(from, family), host_of(to, family), udp_number, payload)
                                  : ipv6(host_of(from, family), host_of(to, family), udp_number, payload);
}
Octets datagram6(unsigned from, unsigned to, std::size_t octets = 24) {
    return datagram(Family::ipv6, from, to, octets);
}
Octets framed(const Octets& packet) {
    const bool six = !packet.empty() && std::to_integer<unsigned>(packet[0]) >> 4 == 6;
    return ethernet(packet, {}, six ? EtherType::ipv6 : EtherType::ipv4);
}
bool is_ipv6_frame(const Octets& frame) {
    return frame.size() >= sizeof(EthernetHeader) + sizeof(Ipv6Header) && frame[12] == std::byte{0x86} &&
           frame[13] == std::byte{0xdd};
}

Octets with_headers(const Octets& packet, const Octets& headers, std::uint8_t first) {
    Octets out(packet.begin(), packet.begin() + sizeof(Ipv6Header));
    out = out + headers + Octets(packet.begin() + sizeof(Ipv6Header), packet.end());
    auto& ip = *reinterpret_cast<Ipv6Header*>(out.data());
    ip.next_header = first;
    ip.payload_octets = static_cast<std::uint16_t>(out.size() - sizeof ip);
    return out;
}
Octets some_header(std::uint8_t next, std::size_t words, std::initializer_list<int> body) {
    Octets out = some_octets({next, static_cast<int>(words)}) + some_octets(body);
    out.resize((words + 1) * 8);
    return out;
}
Octets fragment_header(std::uint8_t next, unsigned offset_more, std::uint32_t identification = 7) {
    return octets_of(FragmentHeader{next, 0, static_cast<std::uint16_t>(offset_more), identification});
}
/// One to nine headers in a row, each naming the next; the last names `payload`.
Octets header_chain(Random& random, std::uint8_t payload, std::uint8_t& first) {
    std::vector<std::uint8_t> types(1 + below(random, 9));
    for (std::uint8_t& type : types) type = extension_headers[below(random, extension_headers.size())];
    first = types[0];
    Octets out;
    for (std::size_t i = 0; i < types.size(); ++i) {
        const std::uint8_t next = i + 1 == types.size() ? payload : types[i + 1];
        switch (types[i]) {
            case fragment: out = out + fragment_header(next, static_cast<unsigned>(random() & 0xfff9)); break;
            case routing:
                out = out +
                      some_header(next, 2, {static_cast<int>(below(random, 5)), static_cast<int>(below(random, 3))});
                break;
            default:
                out = out + some_header(next, below(random, 3),
                                        {static_cast<int>(below(random, 256)), static_cast<int>(below(random, 8))});
        }
    }
    return out;
}
Octets icmpv6_error(std::string_view source, std::string_view destination, std::uint8_t type, const Octets& quoted) {
    return summed_icmpv6(ipv6(source, destination, icmpv6, octets_of(Icmpv6Header{type, 0, 0, 1300}) + quoted));
}
Octets solicitation(std::string_view source, std::string_view destination, std::string_view target,
                    std::uint8_t type = 135) {
    const auto asked = Address::parse(target).value().raw();
    const Octets message = octets_of(Icmpv6Header{type, 0, 0, 0}) +
                           Octets(reinterpret_cast<const std::byte*>(asked.data()),
                                  reinterpret_cast<const std::byte*>(asked.data()) + asked.size()) +
                           some_octets({1, 1, 2, 0, 0, 0, 1, 5});
    return summed_icmpv6(ipv6(source, destination, icmpv6, message, {.hop_limit = 255}));
}

/// The frame with what was broken by accident right again: IPv4's header checksum, ICMPv6's behind the first header.
Octets mended(const Octets& frame) {
    if (!is_ipv6_frame(frame)) return edited(frame, [](Ipv4Header&) {});
    const Octets packet(frame.begin() + sizeof(EthernetHeader), frame.end());
    const bool has_checksum = packet[6] == std::byte{icmpv6} && packet.size() >= sizeof(Ipv6Header) + 8;
    return Octets(frame.begin(), frame.begin() + sizeof(EthernetHeader)) +
           (has_checksum ? summed_icmpv6(packet) : packet);
}

class Writer6 {
public:
    Writer6(Peers& peers, Random& random) : peers_(peers), random_(random), valid_(valid_frames6(peers)) {}
    std::vector<Recipe> write() {
        for (const Recipe& recipe : valid_) {
            cuts(recipe);
            fields(recipe);
        }
        headers();
        inside();
        for (int i = 0; i < 1500; ++i) flips();
        std::ranges::shuffle(out_, random_);
        return std::move(out_);
    }

private:
    void add(std::string kind, std::size_t port, std::function<Octets()> make) {
        const Room room = std::array{Room::pool, Room::exact, Room::snug}[below(random_, 3)];
        out_.push_back({std::move(kind), port, room, std::move(make)});
    }
    void edit(const Recipe& recipe, std::string kind, std::function<void(Ipv6Header&)> change) {
        add("IPv6 " + kind, recipe.port, [make = recipe.make, change] {
            Octets frame = make();
            if (is_ipv6_frame(frame)) change(*reinterpret_cast<Ipv6Header*>(frame.data() + sizeof(EthernetHeader)));
            return frame;
        });
    }
    /// At every octet, by a wire that loses the rest and by a sender that means it.
    void cuts(const Recipe& recipe) {
        const std::size_t octets = recipe.make().size();
        for (std::size_t keep = 0; keep < octets; ++keep) {
            add("IPv6 cut", recipe.port, [make = recipe.make, keep] {
                Octets frame = make();
                frame.resize(keep);
                return frame;
            });
            if (keep >= 54)
                add("IPv6 shortened", recipe.port, [make = recipe.make, keep] {
                    Octets frame = make();
                    frame.resize(keep);
                    if (is_ipv6_frame(frame))
                        reinterpret_cast<Ipv6Header*>(frame.data() + 14)->payload_octets =
                            static_cast<std::uint16_t>(keep - 54);
                    return mended(frame);
                });
        }
        out_.push_back({"IPv6 two segments", recipe.port, Room::chained, recipe.make});
    }
    void fields(const Recipe& recipe) {
        for (const unsigned octets : {0u, 1u, 7u, 8u, 9u, 23u, 24u, 40u, 1500u, 9000u, 65535u})
            edit(recipe, "payload length",
                 [octets](Ipv6Header& ip) { ip.payload_octets = static_cast<std::uint16_t>(octets); });
        for (unsigned version = 0; version < 16; ++version)
            edit(recipe, "version", [version](Ipv6Header& ip) { ip.version_class_flow = version << 28; });
        for (unsigned next = 0; next < 256; next += 3)
            edit(recipe, "next header", [next](Ipv6Header& ip) { ip.next_header = static_cast<std::uint8_t>(next); });
        for (const std::uint8_t next : {hop_by_hop, routing, fragment, options, std::uint8_t{50}, std::uint8_t{51},
                                        std::uint8_t{108}, std::uint8_t{59}, icmpv6})
            edit(recipe, "next header", [next](Ipv6Header& ip) { ip.next_header = next; });
        for (const unsigned hops : {0u, 1u, 2u, 255u})
            edit(recipe, "hop limit", [hops](Ipv6Header& ip) { ip.hop_limit = static_cast<std::uint8_t>(hops); });
        for (unsigned ecn = 0; ecn < 4; ++ecn)
            edit(recipe, "class", [ecn](Ipv6Header& ip) { ip.version_class_flow = 6u << 28 | ecn << 20 | 0xfffff; });
        for (const std::string_view address : {"::", "::1", "::ffff:10.0.1.5", "fe80::5", "ff02::1", "ff0e::1",
                                               "2001:db8:1::1", "2001:db8::1", "2001:db8:1::77", "2002::1"}) {
            const auto raw = Address::parse(address).value().raw();
            edit(recipe, "source", [raw](Ipv6Header& ip) { ip.source = raw; });
            edit(recipe, "destination", [raw](Ipv6Header& ip) { ip.destination = raw; });
        }
    }
    /// Extension headers in front of what each port takes, and inside every tunnel.
    void headers() {
        for (int i = 0; i < 1200; ++i) {
            std::uint8_t first = 0;
            const Octets chain = header_chain(random_, udp_number, first);
            const unsigned peer = std::array{11u, 22u, 25u, 26u, 24u}[below(random_, 5)];
            const Octets packet = with_headers(datagram6(peer, 1), chain, first);
            if (peer == 11)
                add("IPv6 headers", world, [packet] { return framed(packet); });
            else
                add("IPv6 headers inside", world,
                    [&peers = peers_, peer, packet] { return framed(peers.at(peer).tunnel(packet)); });
        }
        for (int i = 0; i < 800; ++i) {  // in front of IPsec
            const unsigned peer = std::array{22u, 23u, 25u, 26u, 27u}[below(random_, 5)];
            const Octets inner = datagram(peer == 23 ? Family::ipv4 : Family::ipv6, peer, 1);
            std::uint8_t first = 0;
            const std::uint8_t protocol = std::array<std::uint8_t, 5>{50, 50, 51, 108, 50}[peer == 27 ? 4 : peer - 22];
            const Octets chain = header_chain(random_, protocol, first);
            add("IPv6 headers outside", world, [&peers = peers_, peer, inner, chain, first] {
                return framed(with_headers(peers.at(peer).tunnel(inner), chain, first));
            });
        }
        for (int i = 0; i < 400; ++i) {
            const Octets header = fragment_header(udp_number, static_cast<unsigned>(random_() & 0xffff),
                                                  static_cast<std::uint32_t>(random_()));
            const std::size_t port = below(random_, 2);
            const Octets packet = with_headers(port == office ? datagram6(1, 11) : datagram6(11, 1), header, fragment);
            add("IPv6 fragment", port, [packet] { return framed(packet); });
        }
    }
    /// What is wrong inside a tunnel that is right.
    void inside() {
        for (const unsigned peer : {22u, 24u, 25u, 26u, 27u}) {
            for (std::size_t keep = 0; keep < 72; ++keep)
                add("IPv6 inner cut", world, [&peers = peers_, peer, keep] {
                    Octets packet = datagram6(peer, 1);
                    packet.resize(keep);
                    return framed(peers.at(peer).tunnel(packet));
                });
            for (unsigned next = 0; next < 256; ++next)
                add("IPv6 inner next header", world, [&peers = peers_, peer, next] {
                    Octets packet = datagram6(peer, 1);
                    packet[6] = static_cast<std::byte>(next);
                    return framed(peers.at(peer).tunnel(packet));
                });
        }
        for (const unsigned type : {1u, 2u, 3u, 4u, 128u, 129u, 130u, 133u, 134u, 135u, 136u, 137u, 255u})
            for (const std::string_view to : {"2001:db8::1", "2001:db8:1::5", "2001:db8:1::1"})
                for (std::size_t quoted = 0; quoted <= 72; quoted += 4)
                    add("IPv6 quote", world, [type, to, quoted] {
                        Octets quote = datagram6(1, 22);
                        quote.resize(quoted);
                        return framed(icmpv6_error("2001:db8::22", to, static_cast<std::uint8_t>(type), quote));
                    });
    }
    void flips() {
        const Recipe& victim = valid_[below(random_, valid_.size())];
        std::vector<std::pair<std::size_t, std::byte>> changes(1 + below(random_, 4));
        for (auto& [at, bits] : changes) at = random_(), bits = static_cast<std::byte>(1 + below(random_, 255));
        const bool mend = below(random_, 2) == 0;
        add("IPv6 flipped", victim.port, [make = victim.make, changes, mend] {
            Octets frame = make();
            for (const auto& [at, bits] : changes) frame[at % frame.size()] ^= bits;
            return mend ? mended(frame) : frame;
        });
    }

    Peers& peers_;
    Random& random_;
    std::vector<Recipe> valid_, out_;
};

// ---- the storm

void mutate(Octets& octets, Random& random) {
    constexpr std::array<unsigned, 12> telling{0, 1, 2, 7, 8, 40, 44, 60, 64, 127, 128, 255};
    for (std::size_t i = 1 + below(random, 3); i != 0 && !octets.empty(); --i) {
        const std::size_t at = below(random, std::min<std::size_t>(octets.size(), 1 + below(random, 120)));
        switch (below(random, 6)) {
            case 0: octets[at] ^= static_cast<std::byte>(1u << below(random, 8)); break;
            case 1: octets[at] = static_cast<std::byte>(random()); break;
            case 2: octets[at] = static_cast<std::byte>(telling[below(random, telling.size())]); break;
            case 3: octets.resize(at); break;
            case 4: octets.insert(octets.end(), below(random, 64), static_cast<std::byte>(random())); break;
            default: octets.insert(octets.begin() + static_cast<std::ptrdiff_t>(at), below(random, 9), std::byte{});
        }
    }
}

/// The lengths and the checksum of the first IP header as its packet has them.
void settle_lengths(Octets& packet) {
    if (packet.size() >= sizeof(Ipv6Header) && std::to_integer<unsigned>(packet[0]) >> 4 == 6)
        reinterpret_cast<Ipv6Header*>(packet.data())->payload_octets =
            static_cast<std::uint16_t>(packet.size() - sizeof(Ipv6Header));
    else if (packet.size() >= sizeof(Ipv4Header))
        reinterpret_cast<Ipv4Header*>(packet.data())->total_octets = static_cast<std::uint16_t>(packet.size());
    const Octets frame = mended(framed(packet));
    packet.assign(frame.begin() + sizeof(EthernetHeader), frame.end());
}

Octets storm_inner(Random& random, bool from_office) {
    constexpr std::array v4_offices{2u, 3u, 4u, 5u, 7u, 8u, 9u, 11u, 12u, 14u, 15u, 16u, 17u, 18u, 19u, 23u, 28u};
    constexpr std::array v6_offices{11u, 12u, 22u, 24u, 25u, 26u, 29u};
    const std::size_t octets = below(random, 8) == 0 ? below(random, 1300) : below(random, 80);
    const bool v4 = below(random, 2) == 0;
    const unsigned far =
        v4 ? v4_offices[below(random, v4_offices.size())] : v6_offices[below(random, v6_offices.size())];
    const Family family = v4 ? Family::ipv4 : Family::ipv6;
    Octets packet = from_office ? datagram(family, 1, far, octets) : datagram(family, far, 1, octets);
    if (packet.size() > 40 && packet[0] == std::byte{0x60} && below(random, 3) == 0) {
        std::uint8_t first = 0;
        const Octets chain = header_chain(random, udp_number, first);
        packet = with_headers(packet, chain, first);
    }
    return packet;
}

/// `text` as the layer of some peer: as a tunnel's packet, or as whatever the transform may carry.
Octets storm_layer(Peers& peers, Random& random, Octets text) {
    Peer& peer = *peers.all[below(random, peers.all.size())];
    if (below(random, 3) != 0) return peer.tunnel(text);
    const auto next_header = std::array<std::uint8_t, 8>{4, 41, 17, 1, 58, 59, 44, 50}[below(random, 8)];
    switch (peer.protocol()) {
        case IpsecProtocol::esp: return peer.packet(below(random, 2) == 0 ? text : peer.padded(text, next_header));
        case IpsecProtocol::ah: return peer.authenticated(text, next_header);
        case IpsecProtocol::ipcomp: return peer.compressed(text, next_header);
    }
    std::abort();
}

}  // namespace

std::vector<Recipe> valid_frames6(Peers& peers) {
    std::vector<Recipe> out;
    const auto add = [&](std::string kind, std::size_t port, std::function<Octets()> packet) {
        out.push_back({std::move(kind), port, Room::pool, [packet] { return framed(packet()); }});
    };
    for (const unsigned far : {11u, 22u, 24u, 25u, 26u, 29u})
        add("an IPv6 datagram to office " + std::to_string(far), office, [far] { return datagram6(1, far); });
    for (const unsigned far : {23u, 28u})
        add("an IPv4 datagram to office " + std::to_string(far), office,
            [far] { return datagram(Family::ipv4, 1, far); });
    for (const unsigned far : {22u, 24u, 25u, 26u})
        add("an IPv6 datagram from office " + std::to_string(far), world,
            [&peers, far] { return peers.at(far).tunnel(datagram6(far, 1)); });
    for (const unsigned far : {23u, 28u})
        add("an IPv4 datagram from office " + std::to_string(far), world,
            [&peers, far] { return peers.at(far).tunnel(datagram(Family::ipv4, far, 1)); });
    add("an IPv6 datagram out of tunnels of both families", world,
        [&peers] { return peers.at(22).tunnel(peers.at(24).tunnel(datagram6(29, 1))); });
    add("an IPv6 datagram of the office in clear", world, [] { return datagram6(11, 1); });
    add("an IPv6 echo request from the world", world, [] { return icmpv6_echo("2001:db8::22", "2001:db8::1", 1); });
    add("an IPv6 echo request in transport mode", world, [&peers] {
        const Octets echo = icmpv6_echo("2001:db8::27", "2001:db8::1", 2);
        Peer& peer = peers.at(27);
        return peer.packet(peer.padded(Octets(echo.begin() + sizeof(Ipv6Header), echo.end()), icmpv6));
    });
    add("an IPv6 datagram with headers of every kind", world, [] {
        const Octets headers = some_header(options, 0, {1, 4}) + some_header(routing, 0, {1, 4}) +
                               some_header(options, 2, {4, 0}) + some_header(udp_number, 0, {1, 4});
        return with_headers(datagram6(11, 1), headers, hop_by_hop);
    });
    add("an ICMPv6 error out of a tunnel", world, [&peers] {
        return peers.at(22).tunnel(icmpv6_error("2001:db8:22::9", host_of(1, Family::ipv6), 2, datagram6(1, 22)));
    });
    add("a neighbour's question", world, [] { return solicitation("2001:db8::22", "2001:db8::1", "2001:db8::1"); });
    return out;
}

std::vector<Recipe> hostile_frames6(Peers& peers, Random& random) { return Writer6{peers, random}.write(); }

Recipe storm_frame(Peers& peers, Random& random, std::size_t port) {
    Octets packet = storm_inner(random, port == office);
    if (below(random, 4) != 0) mutate(packet, random);
    if (below(random, 2) == 0) settle_lengths(packet);
    const std::size_t layers = port == office && below(random, 4) != 0 ? 0 : below(random, 4);
    for (std::size_t i = 0; i < layers; ++i) {
        packet = storm_layer(peers, random, packet);
        if (below(random, 12) == 0) mutate(packet, random);
    }
    const bool outside = below(random, 3) == 0;
    if (outside) mutate(packet, random);
    if (outside && below(random, 2) == 0) settle_lengths(packet);
    Octets frame = framed(packet);
    if (below(random, 64) == 0) mutate(frame, random);
    if (frame.size() > 1900) frame.resize(1900);
    const Room room = std::array{Room::pool, Room::exact, Room::snug}[below(random, 3)];
    return {"storm", port, room, [frame] { return frame; }};
}

}  // namespace torii::test
