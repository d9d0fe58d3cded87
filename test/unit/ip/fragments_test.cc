// Fragments: what is too big for a link is cut, IPsec for us is put together, and what attackers make of fragments ends
// by name. The test cuts and joins by functions of its own.
#include "ip/fragments.h"
#include "catch.h"
#include "ip/ipv4.h"
#include "test/unit/gateway/office.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr std::uint16_t more = Ipv4Header::more_fragments;

Octets numbered(std::size_t octets, std::string_view source = "10.0.1.5", std::string_view destination = "10.0.2.5",
                const Ipv4Options& options = {}) {
    Octets payload(octets - 28);
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = std::byte(i * 7 + i / 256);
    return ipv4(source, destination, 17, udp(4000, 5000, payload), options);
}
Octets payload_of(const Octets& packet) { return {packet.begin() + header_of(packet).header_octets(), packet.end()}; }

/// Octets [from, to) of the packet's payload as a fragment.
Octets piece(const Octets& packet, std::size_t from, std::size_t to) {
    const Octets payload = payload_of(packet);
    const std::span part = std::span{payload}.subspan(from, to - from);
    Octets out = Octets(packet.begin(), packet.begin() + 20) + Octets(part.begin(), part.end());
    auto& ip = *reinterpret_cast<Ipv4Header*>(out.data());
    ip.total_octets = static_cast<std::uint16_t>(out.size());
    ip.flags_offset = static_cast<std::uint16_t>(from / 8 + (to < payload.size() ? more : 0));
    ip.checksum = 0;
    ip.checksum = internet_checksum(out.data(), 20);
    return out;
}
/// The packet that `fragments`, in order and without gaps, were.
Octets joined(const std::vector<Octets>& fragments) {
    Octets payload;
    for (const Octets& fragment : fragments) {
        CHECK(internet_checksum(fragment.data(), header_of(fragment).header_octets()) == 0);
        CHECK(std::size_t{header_of(fragment).flags_offset & 0x1fffu} * 8 == payload.size());
        CHECK(((header_of(fragment).flags_offset & more) != 0) == (&fragment != &fragments.back()));
        payload = payload + payload_of(fragment);
    }
    Octets out = Octets(fragments[0].begin(), fragments[0].begin() + header_of(fragments[0]).header_octets()) + payload;
    auto& ip = *reinterpret_cast<Ipv4Header*>(out.data());
    ip.total_octets = static_cast<std::uint16_t>(out.size());
    ip.flags_offset = 0;
    ip.checksum = 0;
    ip.checksum = internet_checksum(out.data(), ip.header_octets());
    return out;
}

/// Tokyo encrypts, newyork opens.
struct Pair {
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    Pair() {
        tokyo.setkey(office_setkey);
        newyork.setkey(newyork_setkey);
    }
    explicit Pair(const std::string& setkey) {
        tokyo.setkey(setkey);
        newyork.setkey(setkey);
    }
    std::vector<Octets> sent(const Octets& clear) { return pass(tokyo, office, {clear}, world); }
    std::vector<Octets> received(const std::vector<Octets>& wire) { return pass(newyork, world, wire, office); }
};

Configuration small_office(unsigned mtu) {
    Configuration c = office_configuration();
    c.ports[world].mtu = mtu;
    return c;
}
constexpr std::string_view all_pass =
    "spdadd 0.0.0.0/0 0.0.0.0/0 any -P in none; spdadd 0.0.0.0/0 0.0.0.0/0 any -P out none;";

}  // namespace

TEST_CASE("a packet too big for its link is cut into fragments that fit and make it up (RFC 791 3.2)") {
    const unsigned mtu = GENERATE(576u, 577u, 583u, 1000u, 1499u);
    Wires tokyo{small_office(mtu)};
    tokyo.setkey(all_pass);
    const Octets packet = numbered(1500);
    const auto wire = pass(tokyo, office, {packet}, world);
    REQUIRE(wire.size() >= 2);
    for (const Octets& fragment : wire) CHECK(fragment.size() <= mtu);
    CHECK(joined(wire) == after_hops(packet, 1));
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("a fragment that is cut again keeps its place in its packet") {
    Wires tokyo{small_office(576)};
    tokyo.setkey(all_pass);
    const Octets packet = numbered(2500);
    const auto first = pass(tokyo, office, {piece(packet, 0, 1200)}, world);
    const auto second = pass(tokyo, office, {piece(packet, 1200, 2480)}, world);
    REQUIRE(first.size() == 3);
    REQUIRE(second.size() == 3);
    auto all = first;
    all.insert(all.end(), second.begin(), second.end());
    CHECK(joined(all) == after_hops(packet, 1));
}

TEST_CASE("options are repeated in later fragments when they say so, and only then (RFC 791 3.1)") {
    Wires tokyo{small_office(576)};
    tokyo.setkey(all_pass);
    Octets packet = numbered(1000);
    const Octets options{std::byte{7},    std::byte{3}, std::byte{4}, std::byte{1},   // record route: first only
                         std::byte{0x94}, std::byte{4}, std::byte{0}, std::byte{0}};  // router alert: all
    packet = Octets(packet.begin(), packet.begin() + 20) + options + payload_of(packet);
    auto& ip = *reinterpret_cast<Ipv4Header*>(packet.data());
    ip.version_ihl = 0x47;
    ip.total_octets = static_cast<std::uint16_t>(packet.size());
    ip.checksum = 0;
    ip.checksum = internet_checksum(packet.data(), 28);
    const auto wire = pass(tokyo, office, {packet}, world);
    REQUIRE(wire.size() == 2);
    CHECK(header_of(wire[0]).header_octets() == 28);
    CHECK(header_of(wire[1]).header_octets() == 24);
    CHECK(wire[1][20] == std::byte{0x94});
    CHECK(joined(wire) == after_hops(packet, 1));
}

TEST_CASE("a packet that its tunnel makes too big is cut after ESP, put together, and arrives whole (RFC 4303 3.3.4)") {
    Pair pair;
    const Octets packet = numbered(1500);
    auto wire = pair.sent(packet);
    REQUIRE(wire.size() == 2);
    CHECK(wire[0].size() <= 1500);
    const bool reversed = GENERATE(false, true);
    if (reversed) std::swap(wire[0], wire[1]);
    CHECK(pair.received(wire) == only(after_hops(packet, 2)));
    CHECK(pair.newyork.buffers_missing() == 0);
    CHECK(pair.newyork.gateway().worker(0).reassembling() == 0);
}

TEST_CASE("fragments of many packets come in any order, and each packet finds its own") {
    Pair pair;
    std::vector<Octets> clear, firsts, seconds;
    for (std::uint16_t i = 0; i < 8; ++i)
        clear.push_back(numbered(1500 - i, "10.0.1.5", "10.0.2.5", {.identification = i}));
    for (const Octets& packet : clear) {
        const auto wire = pair.sent(packet);
        REQUIRE(wire.size() == 2);
        firsts.push_back(wire[0]);
        seconds.push_back(wire[1]);
    }
    CHECK(pair.received(firsts).empty());
    std::ranges::reverse(seconds);
    auto arrived = pair.received(seconds);
    std::ranges::reverse(arrived);
    REQUIRE(arrived.size() == clear.size());
    for (std::size_t i = 0; i < clear.size(); ++i) CHECK(arrived[i] == after_hops(clear[i], 2));
}

TEST_CASE("pieces of two SAs between the same gateways are told apart, though both count alike (RFC 791 3.2)") {
    std::string setkey;
    for (const std::string number : {"1", "2"}) {
        const std::string policy = "spdadd 10.0.1.1" + number + " 10.0.2.0/24 any -P ",
                          requests = " ipsec esp/tunnel/20.0.0.1-20.0.0.2/unique:" + number + ";";
        setkey += "add 20.0.0.1 20.0.0.2 esp 0x100" + number + " -m tunnel -u " + number +
                  " -r 8 -E aes-gcm-16 \"tokyo-newyork-key00" + number + "\";" + policy + "out" + requests + policy +
                  "in" + requests;
    }
    Pair pair{"spdflush; flush;" + setkey};
    for (int round = 0; round < 20; ++round) {
        const Octets first = numbered(1500, "10.0.1.11"), second = numbered(1500, "10.0.1.12");
        const auto a = pair.sent(first), b = pair.sent(second);
        REQUIRE(a.size() == 2);
        REQUIRE(b.size() == 2);
        REQUIRE(esp_of(a[0]).sequence_low == esp_of(b[0]).sequence_low.value());
        CHECK(header_of(a[0]).identification != header_of(b[0]).identification.value());
        CHECK(pair.received({a[0], b[0], a[1], b[1]}) ==
              std::vector<Octets>{after_hops(first, 2), after_hops(second, 2)});
    }
    CHECK(pair.newyork.drops(Drop::fragment_overlap) == 0);
}

TEST_CASE("the same fragment twice changes nothing; one that overlaps with other octets spoils the packet (RFC 1858)") {
    Pair pair;
    const auto wire = pair.sent(numbered(1500));
    REQUIRE(wire.size() == 2);
    CHECK(pair.received({wire[0], wire[0]}).empty());
    CHECK(pair.newyork.drops(Drop::fragment_repeated) == 1);
    CHECK(pair.received({wire[1]}).size() == 1);

    const auto next = pair.sent(numbered(1500));
    Octets other = next[0];
    other.back() ^= std::byte{1};
    CHECK(pair.received({next[0], other, next[1]}).empty());
    CHECK(pair.newyork.drops(Drop::fragment_overlap) == 2);  // both first ones; the last waits on its own
    CHECK(pair.newyork.gateway().worker(0).reassembling() == 1);
}

TEST_CASE("fragments that disagree on where their packet ends spoil it") {
    Pair pair;
    const auto wire = pair.sent(numbered(1500));
    const Octets whole = joined(wire);
    const std::size_t end = payload_of(whole).size();
    Octets longer = whole + Octets(16);
    reinterpret_cast<Ipv4Header*>(longer.data())->total_octets = static_cast<std::uint16_t>(longer.size());
    const std::size_t tail = (end - 1) / 8 * 8;
    CHECK(pair.received({piece(whole, tail, end), piece(longer, tail + 8, payload_of(longer).size())}).empty());
    CHECK(pair.newyork.drops(Drop::fragment_overlap) == 2);
    CHECK(pair.newyork.gateway().worker(0).reassembling() == 0);
}

TEST_CASE(
    "fragments without octets, or with odd ones before the end, and packets of more than 64,000 octets are dropped") {
    Pair pair;
    const Octets packet = numbered(1400, "20.0.0.1", "20.0.0.2");
    const auto esp_piece = [&](std::uint16_t flags_offset, std::size_t octets) {
        return ipv4("20.0.0.1", "20.0.0.2", 50, Octets(octets), {.flags_offset = flags_offset});
    };
    CHECK(pair.received({esp_piece(more, 12), esp_piece(more, 0)}).empty());
    CHECK(pair.newyork.drops(Drop::bad_fragment) == 2);
    CHECK(pair.received({esp_piece(8000, 8)}).empty());
    CHECK(pair.newyork.drops(Drop::reassembled_too_big) == 1);
    CHECK(pair.newyork.gateway().worker(0).reassembling() == 0);
}

TEST_CASE("what waits for fragments is bounded, and is given up by name after thirty seconds") {
    Pair pair;
    const auto first_of = [&](std::uint16_t id, const std::string& source) {
        return ipv4(source, "20.0.0.2", 50, Octets(64), {.flags_offset = more, .identification = id});
    };
    for (std::uint16_t id = 0; id < 200; ++id) pair.received({first_of(id, "20.0.0.77")});
    CHECK(pair.newyork.gateway().worker(0).reassembling() == 8);  // one source has its share and no more
    for (int source = 0; source < 200; ++source) pair.received({first_of(1, "20.0.1." + std::to_string(source + 1))});
    const unsigned waiting = pair.newyork.gateway().worker(0).reassembling();
    CHECK(waiting == 64);
    CHECK(pair.newyork.drops(Drop::fragment_timeout) == 400 - waiting);  // pushed out
    CHECK(pair.newyork.buffers_missing() == 0);
    pair.newyork.pass(std::chrono::seconds{31});
    pair.newyork.turn();
    CHECK(pair.newyork.gateway().worker(0).reassembling() == 0);
    CHECK(pair.newyork.drops(Drop::fragment_timeout) == 400);
}

TEST_CASE("who sent only a part is told so after thirty seconds, if it was the first (RFC 792, RFC 1122 3.3.2)") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(all_pass);
    const Octets esp = ipv4("20.0.0.2", "20.0.0.1", 50, Octets(100, std::byte{7}), {.identification = 1});
    const Octets other = ipv4("20.0.0.2", "20.0.0.1", 50, Octets(100), {.identification = 2});
    CHECK(pass(tokyo, world, {piece(esp, 0, 64), piece(other, 64, 100)}, world).empty());
    tokyo.pass(std::chrono::seconds{31});
    tokyo.turn();
    const auto told = packets_of(tokyo.sent_by(world));
    REQUIRE(told.size() == 1);
    const auto& icmp = *reinterpret_cast<const IcmpHeader*>(told[0].data() + 20);
    CHECK(icmp.type == 11);
    CHECK(icmp.code == 1);
    CHECK(internet_checksum(told[0].data() + 20, told[0].size() - 20) == 0);
    CHECK(header_of(told[0]).source == number("20.0.0.1"));
    CHECK(header_of(told[0]).destination == number("20.0.0.2"));
    CHECK(Octets(told[0].begin() + 28, told[0].end()) == piece(esp, 0, 64));
    CHECK(tokyo.drops(Drop::fragment_timeout) == 2);
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("fragments pass a policy with ports by those of their first one (RFC 4301 7.3)") {
    const std::string ends = "ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;";
    const std::string setkey =
        "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 \"tokyo-newyork-key001\";"
        "spdadd 10.0.1.0/24 10.0.2.0/24[5000] udp -P out " +
        ends + "spdadd 10.0.1.0/24 10.0.2.0/24[5000] udp -P in " + ends +
        "spdadd 10.0.1.0/24 10.0.2.0/24[5001] udp -P out discard;";
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
    tokyo.setkey(setkey);
    newyork.setkey(setkey);
    const auto through = [&](const Octets& fragment) {
        return pass(newyork, world, pass(tokyo, office, {fragment}, world), office) == only(after_hops(fragment, 2));
    };
    const Octets packet = numbered(3000);
    CHECK_FALSE(through(piece(packet, 1400, 2800)));  // before the first
    CHECK(through(piece(packet, 0, 1400)));
    CHECK(through(piece(packet, 2800, 2980)));
    CHECK(through(piece(packet, 1400, 2800)));
    CHECK_FALSE(through(piece(numbered(3000, "10.0.1.6"), 1400, 2800)));
    CHECK_FALSE(through(piece(numbered(3000, "10.0.1.5", "10.0.2.5", {.identification = 8}), 1400, 2800)));
    CHECK(tokyo.drops(Drop::fragment_needs_ports) == 3);
    // In clear what came through the SA before does not count, neither as policy nor as port.
    CHECK(pass(newyork, world, {piece(packet, 1400, 2800)}, office).empty());
    CHECK(newyork.drops(Drop::fragment_needs_ports) == 1);
    CHECK(pass(newyork, world, {piece(packet, 0, 1400)}, office).empty());
    CHECK(newyork.drops(Drop::policy_mismatch) == 1);

    const Octets other = ipv4("10.0.1.7", "10.0.2.5", 17, udp(4000, 5001, Octets(1200)));
    CHECK_FALSE(through(piece(other, 0, 800)));
    CHECK_FALSE(through(piece(other, 800, 1208)));
    CHECK(tokyo.drops(Drop::policy_discard) == 2);
    tokyo.pass(std::chrono::seconds{31});
    CHECK_FALSE(through(piece(packet, 2800, 2980)));  // who waits so long uses its number again
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("a tunnel for certain ports whose peer agreed to no later fragments carries the first alone (RFC 4301 7.3)") {
    const bool alone = GENERATE(true, false);
    const bool compressed =
        GENERATE(false, true);  // the tunnel is IPComp's then, and ESP behind it the one that is told
    INFO((alone ? "not agreed" : "agreed") << (compressed ? ", IPComp" : ""));
    const std::string esp = " ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;";
    const std::string both = " ipsec ipcomp/tunnel/20.0.0.1-20.0.0.2/use esp/transport//require;";
    Wires tokyo{office_configuration()};
    tokyo.setkey(
        "add 20.0.0.1 20.0.0.2 ipcomp 0x1 -m tunnel -C deflate;"
        "spdadd 10.0.1.0/24 10.0.2.0/24[5000] udp -P out" +
        (compressed ? both : esp) + "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out none;");
    control::SaSpec spec;
    spec.id = sa_id("20.0.0.1", "20.0.0.2", 0x1001);
    spec.mode = compressed ? Mode::transport : Mode::tunnel;
    spec.cipher = CipherId::aes_gcm_16;
    spec.cipher_key = SecretBytes{std::as_bytes(std::span{"tokyo-newyork-key001", 20})};
    spec.first_fragments_alone = alone;
    std::vector<control::Located> transaction;
    transaction.push_back({control::AddSa{std::move(spec)}, {}});
    REQUIRE(tokyo.gateway().apply(std::move(transaction)));

    const auto leave = [&](const Octets& packet) { return pass(tokyo, office, {packet}, world).size(); };
    const Octets packet = numbered(3000);
    CHECK(leave(piece(packet, 0, 1400)) == 1);
    CHECK(leave(piece(packet, 1400, 2800)) == (alone ? 0 : 1));
    CHECK(leave(numbered(1000)) == 1);  // a whole one
    CHECK(tokyo.drops(Drop::fragment_not_agreed) == (alone ? 1 : 0));
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("fragments outlive a clock that steps back, and the wrap of its seconds") {
    Wires tokyo{office_configuration()};
    Reassembler reassembler{*tokyo.gateway().large_pool(), 8};
    const Octets whole = numbered(1000);
    const auto add = [&](const Octets& fragment, std::uint32_t now_seconds) {
        Packet p;
        p.mbuf = rte_pktmbuf_alloc(tokyo.gateway().pool());
        p.ip = rte_pktmbuf_mtod(p.mbuf, std::byte*);
        std::ranges::copy(fragment, p.ip);
        REQUIRE(parse_ipv4(p, fragment.size()) == Drop::none);
        const bool is_whole = reassembler.add(p, now_seconds);
        rte_pktmbuf_free(p.mbuf);
        return is_whole;
    };
    const std::uint32_t now = GENERATE(1000u, 0u, 10u);
    CHECK_FALSE(add(piece(whole, 0, 480), now));
    unsigned told = 0;
    const auto tell = [&](Packet& first) {
        CHECK(Octets(first.ip, first.ip + first.ip_octets) == piece(whole, 0, 480));
        rte_pktmbuf_free(first.mbuf);
        ++told;
    };
    reassembler.expire(now - 1, tell);
    reassembler.expire(now + 29, tell);
    CHECK(add(piece(whole, 480, 980), now + 29));
    CHECK_FALSE(add(piece(whole, 0, 480), now));
    CHECK_FALSE(add(piece(whole, 480, 800), now));
    reassembler.expire(now + 30, tell);
    CHECK(told == 1);
    CHECK(reassembler.take_abandoned().timed_out == 1);  // the other one
    CHECK(reassembler.waiting() == 0);
}

TEST_CASE("somebody else's fragments of ESP go on as they came") {
    Wires tokyo{office_configuration()};
    tokyo.setkey(all_pass);
    const Octets fragment = ipv4("20.0.0.2", "10.0.1.5", 50, Octets(64), {.flags_offset = more});
    CHECK(pass(tokyo, world, {fragment}, office) == only(after_hops(fragment, 1)));
}
