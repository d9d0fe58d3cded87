// SAs and policies come and go while packets flow: nobody else's packets notice.
#include "catch.h"
#include "traffic.h"

using namespace torii;
using namespace torii::test;

namespace {

constexpr unsigned changes = 1000, untouched = 2, touched_first = 4, touched = 4;

/// The `n`th change to offices that come and go: an SA added, replaced or deleted, a policy deleted or added.
std::string change(unsigned n) {
    const unsigned office_number = touched_first + n / 5 % touched;
    const std::string peer = text_of("20.0.0.", office_number), spi = text_of(" esp ", 0x2000 + office_number);
    const std::string sa = "20.0.0.1 " + peer + spi, ranges = "10.0.1.0/24 " + text_of("10.0.", office_number, ".0/24");
    const std::string key = " -m tunnel -E aes-cbc \"sixteen-octets-\x30\" -A hmac-sha1 \"twenty-octets-sha1-0\";";
    switch (n % 5) {
        case 0: return "add " + sa + key;
        case 1: return "spdadd " + ranges + " any -P out ipsec esp/tunnel/20.0.0.1-" + peer + "/require;";
        case 2: return "delete " + sa + "; add " + sa + key;
        case 3: return "delete " + sa + ";";
        default: return "spddelete " + ranges + " any -P out;";
    }
}

struct Seen {
    std::map<std::uint32_t, std::uint32_t> last;  // sequence number by SPI
    std::size_t untouched = 0, touched = 0;
    bool in_order = true;
    void take(const std::vector<Frame>& frames) {
        for (const Frame& frame : frames) {
            if (spi_of(frame) >= 0x2000) {
                ++touched;
                continue;
            }
            ++untouched;
            in_order &= sequence_of(frame) == ++last[spi_of(frame)];
        }
    }
};

}  // namespace

TEST_CASE("a thousand changes under load lose and reorder no packet of an untouched SA") {
    const Driven driven = GENERATE(Driven::by_hand, Driven::by_lcores);
    const unsigned workers = 3;
    Wires tokyo{crowded_configuration(workers, 8), driven == Driven::by_lcores};
    for (unsigned i = 0; i < untouched; ++i) tokyo.setkey(outbound_setkey(2 + i));
    Seen seen;
    std::size_t sent = 0;
    for (unsigned n = 0; n < changes; ++n) {
        for (unsigned queue = 0; queue < workers; ++queue) {
            for (unsigned i = 0; i < untouched; ++i) sent += tokyo.send(office, numbered(2 + i, queue, n), queue);
            tokyo.send(office, numbered(touched_first + n / 5 % touched, queue, n), queue);
        }
        tokyo.setkey(change(n));
        drive(tokyo, driven, [&] {
            seen.take(tokyo.sent_by(world));
            return sent - seen.untouched < 200;  // never idle, never more in flight than the rings hold
        });
    }
    drive(tokyo, driven, [&] {
        seen.take(tokyo.sent_by(world));
        return seen.untouched >= sent && tokyo.gateway().retired().empty() && tokyo.buffers_missing() == 0;
    });
    CHECK(seen.untouched == sent);
    CHECK(sent == std::size_t{changes} * workers * untouched);
    CHECK(seen.in_order);
    CHECK(seen.last.size() == untouched);
    CHECK(seen.touched > 0);
    CHECK(tokyo.gateway().retired().empty());
    CHECK(tokyo.buffers_missing() == 0);
}

TEST_CASE("a thousand changes of inbound SAs and policies under load lose and reorder no packet of an untouched one") {
    const Driven driven = GENERATE(Driven::by_hand, Driven::by_lcores);
    Wires tokyo{office_configuration(), driven == Driven::by_lcores}, newyork{newyork_configuration()};
    tokyo.setkey(office_setkey);
    newyork.setkey(newyork_setkey);
    // Another SA of the same peer, and a policy beside the untouched one's, come, are replaced and go.
    const std::string sa = "20.0.0.2 20.0.0.1 esp 0x2002",
                      key = " -m tunnel -r 4 -E aes-cbc \"sixteen-octets-0\" -A hmac-sha1 \"twenty-octets-sha1-";
    const std::string policy = "10.0.3.0/24 10.0.1.0/24 any -P in ";
    const auto change_inbound = [&](unsigned n) -> std::string {
        switch (n % 5) {
            case 0: return "add " + sa + key + "0\";";
            case 1: return "spdadd " + policy + "ipsec esp/tunnel/20.0.0.2-20.0.0.1/require;";
            case 2: return "update " + sa + key + std::to_string(n / 5 % 10) + "\";";
            case 3: return "spddelete " + policy + ";";
            default: return "delete " + sa + ";";
        }
    };
    std::vector<std::uint32_t> arrived;
    const auto collect = [&] {
        for (const Octets& packet : packets_of(tokyo.sent_by(office)))
            arrived.push_back(reinterpret_cast<const Big32*>(packet.data() + 28)->value());
    };
    for (unsigned n = 0; n < changes; ++n) {
        const auto wire =
            pass(newyork, office, {ipv4("10.0.2.5", "10.0.1.5", 17, udp(1, 2, octets_of(Big32{n})))}, world);
        REQUIRE(wire.size() == 1);
        tokyo.send(world, ethernet(wire[0]));
        tokyo.setkey(change_inbound(n));
        drive(tokyo, driven, [&] {
            collect();
            return arrived.size() + 100 > n;
        });
    }
    drive(tokyo, driven, [&] {
        collect();
        return arrived.size() >= changes && tokyo.gateway().retired().empty() && tokyo.buffers_missing() == 0;
    });
    REQUIRE(arrived.size() == changes);
    CHECK(std::ranges::is_sorted(arrived));
    CHECK(tokyo.gateway().retired().empty());
    CHECK(tokyo.buffers_missing() == 0);
}
