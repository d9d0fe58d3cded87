// Lifetimes as the control core keeps them: what ends when, by which clock, and what listeners hear of it.
#include "catch.h"
#include "office.h"

using namespace torii;
using namespace torii::test;
using namespace std::chrono_literals;
using Kind = Told::Kind;

namespace {

const Octets packet = datagram("10.0.1.5", "10.0.2.5");
const control::SaId sa = sa_id("20.0.0.1", "20.0.0.2", 0x1001);

std::string add(std::string_view options) {
    return "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel " + std::string{options} +
           " -E aes-gcm-16 \"tokyo-newyork-key001\";";
}
constexpr std::string_view policy =
    "spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;";

std::size_t sas(Wires& gateway) { return gateway.gateway().database().sas().size(); }

}  // namespace

TEST_CASE("an SA whose hard lifetime is over is gone, and its place is free") {
    Wires tokyo{office_configuration()};
    Told told{tokyo};
    tokyo.setkey(add("-lh 5 -ls 3") + std::string{policy});
    tokyo.pass(2s);
    CHECK(pass(tokyo, office, {packet}, world).size() == 1);
    CHECK(told.count(Kind::expire_soft) == 0);
    tokyo.pass(2s);  // by the steady clock: the wall clock has not moved
    CHECK(told.count(Kind::expire_soft) == 1);
    CHECK(told.count(Kind::expire_hard) == 0);
    tokyo.pass(3s);
    CHECK(told.count(Kind::expire_soft) == 1);
    CHECK(told.count(Kind::expire_hard) == 1);
    CHECK(told.last(Kind::expire_hard).sa == sa);
    CHECK(sas(tokyo) == 0);
    CHECK(pass(tokyo, office, {packet}, world).empty());
    CHECK(tokyo.drops(Drop::no_sa) == 1);
    tokyo.turn(8);
    CHECK(tokyo.gateway().retired().empty());
    tokyo.setkey(add(""));
    CHECK(pass(tokyo, office, {packet}, world).size() == 1);
    tokyo.pass(10s);
    CHECK(told.count(Kind::expire_hard) == 1);
}

TEST_CASE("an SA that reached its octets or packets is gone as well, and told of once") {
    const std::string limit = GENERATE(as<std::string>{}, "-bh 250", "-ph 2");
    Wires tokyo{office_configuration()};
    Told told{tokyo};
    tokyo.setkey(add(limit) + std::string{policy});
    CHECK(pass(tokyo, office, {packet, packet}, world).size() == 2);
    tokyo.pass(2s);
    CHECK(pass(tokyo, office, {packet, packet}, world).empty());
    CHECK(told.count(Kind::expire_hard) >= 1);
    CHECK(sas(tokyo) == 0);
    tokyo.pass(2s);
    CHECK(told.count(Kind::expire_hard) <= 2);  // the packets of one burst are folded into one event
}

TEST_CASE("an update with longer lifetimes makes a dying SA mature again") {
    Wires tokyo{office_configuration()};
    Told told{tokyo};
    tokyo.setkey(add("-ls 3 -lh 10"));
    tokyo.pass(5s);
    CHECK(tokyo.gateway().database().find(sa)->state == control::SaState::dying);
    std::string update = add("-ls 8 -lh 20");
    tokyo.setkey(update.replace(0, 3, "update"));
    CHECK(tokyo.gateway().database().find(sa)->state == control::SaState::mature);
    tokyo.pass(2s);
    CHECK(told.count(Kind::expire_soft) == 1);
    tokyo.pass(5s);  // its age went on: 12 seconds
    CHECK(told.count(Kind::expire_soft) == 2);
    CHECK(told.count(Kind::expire_hard) == 0);
}

TEST_CASE("a flood of bad packets hides no soft lifetime, and its own notices are counted where they are lost") {
    Wires tokyo{office_configuration()};
    Told told{tokyo};
    tokyo.setkey(add("-bs 150") + std::string{policy});
    const Octets unknown =
        ipv4("20.0.0.2", "20.0.0.1", 50, octets_of(EspHeader{.spi = 0x7777, .sequence_low = 1}) + Octets(40));
    constexpr unsigned flood = 300;  // more than Notices::share
    for (unsigned i = 0; i < flood; ++i) tokyo.send(world, ethernet(unknown));
    for (unsigned i = 0; i < 20; ++i) tokyo.gateway().worker(0).turn();
    for (int i = 0; i < 2; ++i) tokyo.send(office, ethernet(packet));
    for (unsigned i = 0; i < 4; ++i) tokyo.gateway().worker(0).turn();
    CHECK(packets_of(tokyo.sent_by(world)).size() == 2);
    REQUIRE(tokyo.drops(Drop::unknown_spi) == flood);
    tokyo.pass(2s);
    CHECK(told.count(Kind::expire_soft) == 1);
    CHECK(told.last(Kind::expire_soft).sa == sa);
    CHECK(told.count(Kind::unknown_spi) == Notices::share);
    CHECK(told.count(Kind::notices_lost) == flood - Notices::share);
    tokyo.pass(2s);
    CHECK(told.count(Kind::notices_lost) == flood - Notices::share);
}

TEST_CASE("an SA whose limits an update has raised does not end by what was told of the old ones") {
    const auto [before, after] = GENERATE(std::pair{"-bh 250", "-bh 1000"}, std::pair{"-ph 2", "-ph 10"});
    Wires tokyo{office_configuration()};
    Told told{tokyo};
    tokyo.setkey(add(before) + std::string{policy});
    for (int i = 0; i < 3; ++i) tokyo.send(office, ethernet(packet));
    for (int i = 0; i < 4; ++i) tokyo.gateway().worker(0).turn();  // nobody hears of it yet
    REQUIRE(tokyo.drops(Drop::lifetime_exceeded) == 1);
    std::string update = add(after);
    tokyo.setkey(update.replace(0, 3, "update"));
    tokyo.turn();
    CHECK(told.count(Kind::expire_hard) == 0);
    CHECK(sas(tokyo) == 1);
    (void)tokyo.sent_by(world);
    CHECK(pass(tokyo, office, {packet}, world).size() == 1);
}

TEST_CASE("a flood of one kind of notices leaves the others their room") {
    Notices notices;
    for (unsigned i = 0; i < 1000; ++i) notices.tell({.kind = Kind::acquire});
    notices.tell({.kind = Kind::replayed});
    CHECK(notices.lost() == 1000 - Notices::share);
    Notice notice;
    for (unsigned i = 0; i < Notices::share; ++i) {
        REQUIRE(notices.take(notice));
        CHECK(notice.kind == Kind::acquire);
    }
    notices.tell({.kind = Kind::acquire});  // there is room again
    REQUIRE(notices.take(notice));
    CHECK(notice.kind == Kind::replayed);
    REQUIRE(notices.take(notice));
    CHECK(notice.kind == Kind::acquire);
    CHECK_FALSE(notices.take(notice));
    CHECK(notices.lost() == 1000 - Notices::share);
}
