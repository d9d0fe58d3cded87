// Four workers, SAs owned by all of them, packets on every queue: what is handed over arrives once, and in order.
#include <set>

#include "catch.h"
#include "traffic.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr unsigned workers = 4, offices = 8, rounds = 40, together = 6;  // packets of one office and queue in a row
constexpr std::size_t everything = std::size_t{workers} * offices * rounds * together;

/// Sends every office's packets through every queue, a round at a time, and collects what leaves by the world.
std::vector<Frame> through_tokyo(Driven driven) {
    Wires tokyo{crowded_configuration(workers, offices), driven == Driven::by_lcores};
    for (unsigned office_number = 2; office_number < 2 + offices; ++office_number)
        tokyo.setkey(outbound_setkey(office_number));
    std::set<unsigned> owners;
    tokyo.gateway().each_sa([&](const control::SaView& sa) { return owners.insert(sa.worker), true; });
    CHECK(owners.size() == workers);

    std::vector<Frame> out;
    for (unsigned round = 0; round < rounds; ++round) {
        for (unsigned queue = 0; queue < workers; ++queue)
            for (unsigned count = 0; count < together; ++count)
                for (unsigned office_number = 2; office_number < 2 + offices; ++office_number)
                    tokyo.send(office, numbered(office_number, queue, round * together + count), queue);
        const std::size_t due = std::size_t{workers} * offices * together * (round + 1);
        drive(tokyo, driven, [&] {
            for (Frame& frame : tokyo.sent_by(world)) out.push_back(std::move(frame));
            return out.size() >= due;
        });
    }
    std::uint64_t handed_over = 0;
    for (unsigned i = 0; i < workers; ++i) handed_over += tokyo.gateway().worker(i).counters().handed_over.read();
    CHECK(handed_over >= everything / 2);  // three of four packets arrive at a worker that does not own their SA
    CHECK(tokyo.drops(Drop::handover_full) == 0);
    return out;
}

/// The far sides' traffic back to tokyo: the same SAs seen from there, each SA's packets on one queue, as RSS has it.
std::vector<Frame> into_tokyo(const std::vector<Frame>& wire, Driven driven) {
    Configuration c = crowded_configuration(workers, offices);
    c.ports[office].addresses = {{Address::v4(number("10.0.1.1")), 24}};
    Wires tokyo{c, driven == Driven::by_lcores};
    for (unsigned office_number = 2; office_number < 2 + offices; ++office_number)
        tokyo.setkey(inbound_setkey(office_number));
    std::vector<Frame> out;
    for (std::size_t at = 0; at < wire.size();) {
        for (std::size_t i = 0; i < 128 && at < wire.size(); ++i, ++at)
            tokyo.send(world, wire[at], spi_of(wire[at]) / 3 % workers);
        drive(tokyo, driven, [&] {
            for (Frame& frame : tokyo.sent_by(office)) out.push_back(std::move(frame));
            return out.size() >= at;
        });
    }
    CHECK(tokyo.drops(Drop::replayed) == 0);
    CHECK(tokyo.drops(Drop::handover_full) == 0);
    std::uint64_t handed_over = 0;
    for (unsigned i = 0; i < workers; ++i) handed_over += tokyo.gateway().worker(i).counters().handed_over.read();
    CHECK(handed_over > 0);
    return out;
}

/// `frame` as the far office's gateway would send its packet: addresses of both headers exchanged, by a gateway whose
/// keys we have: encryption does not cover the outer header, and the inner one is exchanged before.
std::vector<Frame> from_far_sides(Driven driven) {
    Configuration c = crowded_configuration(workers, 1);
    c.ports[office].addresses = {{Address::v4(number("10.0.77.1")), 24}};
    c.ports[world].addresses = {{Address::v4(number("20.0.0.77")), 24}};
    c.routes = {{Prefix{Address::v4(number("10.0.1.0")), 24}, Address::v4(number("20.0.0.1")), "world"}};
    c.neighbours = {{Address::v4(number("20.0.0.1")), peer_mac, "world"}};
    Wires far{c, driven == Driven::by_lcores};
    for (unsigned n = 2; n < 2 + offices; ++n) {
        const std::string peer = text_of("20.0.0.", n);
        far.setkey("add " + peer + text_of(" 20.0.0.1 esp ", 0x1000 + n) + " -m tunnel -E aes-gcm-16 \"" +
                   gcm_key(0x1000 + n) + "\";\nspdadd " + text_of("10.0.", n, ".0/24") +
                   " 10.0.1.0/24 any -P out ipsec esp/tunnel/" + peer + "-20.0.0.1/require;");
    }
    std::vector<Frame> out;
    for (unsigned round = 0; round < rounds; ++round) {
        for (unsigned count = 0; count < together; ++count)
            for (unsigned n = 2; n < 2 + offices; ++n) {
                const Octets packet = ipv4(text_of("10.0.", n, ".5"), "10.0.1.5", 17,
                                           udp(1000, 5000, octets_of(Big32{round * together + count}) + Octets(20)));
                far.send(office, ethernet(packet), n % workers);
            }
        const std::size_t due = std::size_t{offices} * together * (round + 1);
        drive(far, driven, [&] {
            for (Frame& frame : far.sent_by(world)) out.push_back(std::move(frame));
            return out.size() >= due;
        });
    }
    for (Frame& frame : out) std::memset(frame.data(), 0, 6);
    return out;
}

}  // namespace

TEST_CASE("with four workers every packet leaves once and each SA's sequence numbers leave in order") {
    const Driven driven = GENERATE(Driven::by_hand, Driven::by_lcores);
    const std::vector<Frame> wire = through_tokyo(driven);
    CHECK(wire.size() == everything);
    std::map<std::uint32_t, std::uint32_t> last;
    bool in_order = true;
    for (const Frame& frame : wire) in_order &= sequence_of(frame) == ++last[spi_of(frame)];
    CHECK(in_order);
    CHECK(last.size() == offices);
}

TEST_CASE("with four workers each SA's packets arrive once, in order, and its window of 32 refuses none") {
    const Driven driven = GENERATE(Driven::by_hand, Driven::by_lcores);
    const std::vector<Frame> wire = from_far_sides(driven);
    REQUIRE(wire.size() == std::size_t{offices} * rounds * together);
    const std::vector<Frame> arrived = into_tokyo(wire, driven);
    CHECK(arrived.size() == wire.size());
    std::map<std::uint32_t, std::uint32_t> next;
    bool in_order = true;
    for (const Frame& frame : arrived) in_order &= count_of(frame) == next[ip_of(frame).source]++;
    CHECK(in_order);
    CHECK(next.size() == offices);
}
