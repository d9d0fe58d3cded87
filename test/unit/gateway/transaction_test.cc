// A text is applied whole or not at all: what a failing transaction leaves behind is exactly what was there, in the
// databases and in what workers see.
#include "app/setkey/setkey.h"

#include "catch.h"
#include "gateway/rehearsal.h"
#include "office.h"

using namespace torii;
using namespace torii::test;

namespace {

const Octets outbound = datagram("10.0.1.5", "10.0.2.5");

std::string dump(Wires& gateway) {
    const setkey::DumpOptions options{.show_keys = true, .now_unix_seconds = 1};
    return setkey::dump_sas(gateway.gateway(), options) + setkey::dump_policies(gateway.gateway(), options);
}

/// Tokyo and newyork with the office VPN up.
struct Offices {
    Offices() {
        tokyo.setkey(office_setkey);
        newyork.setkey(newyork_setkey);
    }
    bool talk() {
        const auto there = pass(newyork, world, pass(tokyo, office, {outbound}, world), office);
        const Octets reply = datagram("10.0.2.5", "10.0.1.5");
        const auto back = pass(tokyo, world, pass(newyork, office, {reply}, world), office);
        return there == only(after_hops(outbound, 2)) && back == only(after_hops(reply, 2));
    }
    Wires tokyo{office_configuration()}, newyork{newyork_configuration()};
};

}  // namespace

TEST_CASE("when the third of five statements is wrong, nothing has changed and the error names it") {
    Offices offices;
    const std::string good_sa = "add 20.0.0.1 20.0.0.2 esp 0x3001 -m tunnel -E aes-gcm-16 \"a key of twenty oct.\";\n";
    const std::string good_policy = "spdadd 10.0.1.0/24 10.0.9.0/24 any -P out none;\n";
    const std::string inbound_sa =
        "add 20.0.0.2 20.0.0.1 esp 0x3002 -m tunnel -E aes-gcm-16 \"one more of twenty o\";\n";
    struct Row {
        std::string first, second, third, why;
    };
    const auto row = GENERATE_COPY(values<Row>({
        {good_sa, good_policy, "add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -E aes-gcm-16 \"tokyo-newyork-key001\";",
         "[exists]"},
        {"flush;\n", "spdflush;\n", "delete 20.0.0.1 20.0.0.2 esp 0x1001;", "[not_found]"},
        {"delete 20.0.0.1 20.0.0.2 esp 0x1001;\n", good_sa, "delete 20.0.0.1 20.0.0.2 esp 0x1001;", "[not_found]"},
        {"flush;\n", good_sa, "add 20.0.0.1 20.0.0.2 esp 0x3001 -m tunnel -E aes-gcm-16 \"a key of twenty oct.\";",
         "[exists]"},
        {"update 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -E aes-gcm-16 \"a key of twenty oct.\";\n", inbound_sa,
         "update 20.0.0.1 20.0.0.2 esp 0x4444 -m tunnel -E aes-gcm-16 \"a key of twenty oct.\";", "[not_found]"},
        {"spdupdate 10.0.1.0/24 10.0.2.0/24 any -P out discard;\n", good_policy,
         "spdadd 10.0.1.0/24 10.0.9.0/24 any -P out discard;", "[exists]"},
        {"spddelete 10.0.1.0/24 10.0.2.0/24 any -P out;\n", good_policy,
         "spddelete 10.0.1.0/24 10.0.2.0/24 any -P out;", "[not_found]"},
        {"spdflush;\n", good_policy, "spddelete 10.0.1.0/24 10.0.2.0/24 any -P in;", "[not_found]"},
        {"deleteall 20.0.0.1 20.0.0.2 esp;\n", inbound_sa,
         "add 20.0.0.2 20.0.0.1 esp 0x1002 -m tunnel -E aes-gcm-16 \"a key of twenty oct.\";", "[exists]"},
        {good_sa, inbound_sa, "add 20.0.0.1 20.0.0.2 esp 0x40 -m tunnel -E aes-gcm-16 \"a key of twenty oct.\";", "["},
    }));
    const std::string text = row.first + row.second + row.third + "\n" +
                             "spdadd 10.0.1.0/24 10.0.10.0/24 any -P out none;\n" +
                             "add 20.0.0.1 20.0.0.2 esp 0x3009 -m tunnel -E aes-gcm-16 \"key of twenty octets\";\n";
    INFO(text);
    REQUIRE(offices.talk());
    const std::string before = dump(offices.tokyo);
    const std::string refusal = refusal_of(offices.tokyo, text);
    INFO(refusal);
    CHECK(refusal.starts_with("test:3"));
    CHECK(refusal.find(row.why) != std::string::npos);
    CHECK(dump(offices.tokyo) == before);
    CHECK(offices.talk());
    CHECK(offices.tokyo.drops(Drop::no_sa) + offices.tokyo.drops(Drop::policy_discard) +
              offices.tokyo.drops(Drop::no_policy) + offices.tokyo.drops(Drop::unknown_spi) ==
          0);
    offices.tokyo.turn(8);
    CHECK(offices.tokyo.gateway().retired().empty());
}

TEST_CASE("no two SAs of a counter-mode cipher have one key, whichever way they go (RFC 4106 3.1)") {
    Wires tokyo{office_configuration()};
    const std::string key = " -m tunnel -E aes-gcm-16 \"a key of twenty oct.\";",
                      first = "20.0.0.1 20.0.0.2 esp 0x3001";
    const std::string ends = GENERATE(as<std::string>{}, "20.0.0.1 20.0.0.2", "20.0.0.2 20.0.0.1", "20.0.0.1 20.0.0.3");
    tokyo.setkey("add " + first + key);
    const std::string refusal = refusal_of(tokyo, "add " + ends + " esp 0x3002" + key);
    CHECK(refusal.find("the SA 20.0.0.1 20.0.0.2 spi 12289 has the same key") != std::string::npos);
    CHECK(refusal.ends_with("[denied]"));
    tokyo.setkey("add " + ends + " esp 0x3003 -m tunnel -E aes-gcm-16 \"one more of twenty o\";");
    CHECK(refusal_of(tokyo, "update " + ends + " esp 0x3003" + key).ends_with("[denied]"));
    tokyo.setkey("update " + first + key);  // what it replaces does not count
    tokyo.setkey("delete " + first + "; add " + ends + " esp 0x3002" + key);
    tokyo.setkey("flush;");
    CHECK(refusal_of(tokyo, "add " + first + key + "add " + ends + " esp 0x3002" + key).ends_with("[denied]"));
    tokyo.setkey("add " + first + key);  // nothing of the refused text is remembered
}

TEST_CASE("SAs of other ciphers may share a key: their IVs are drawn by lot") {
    Wires tokyo{office_configuration()};
    const std::string key = " -m tunnel -E aes-cbc \"sixteen octets!!\" -A hmac-sha1 \"twenty octets exactl\";";
    tokyo.setkey("add 20.0.0.1 20.0.0.2 esp 0x3001" + key + "add 20.0.0.2 20.0.0.1 esp 0x3002" + key);
}

TEST_CASE("an SA that a text removes and adds again as it was lives on: a packet it took is refused for ever") {
    const std::string reload =
        GENERATE(as<std::string>{}, "flush; spdflush;" + std::string{newyork_setkey},
                 "deleteall 20.0.0.1 20.0.0.2 esp; flush; spdflush;" + std::string{newyork_setkey},
                 "flush; spdflush;" + std::string{newyork_setkey} + "flush; spdflush;" + std::string{newyork_setkey},
                 "update 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -E aes-gcm-16 "
                 "\"tokyo-newyork-key001\";");
    Offices offices;
    const auto recorded = pass(offices.tokyo, office, {outbound, outbound}, world);
    REQUIRE(pass(offices.newyork, world, recorded, office).size() == 2);
    Told told{offices.newyork};
    offices.newyork.setkey(reload);
    CHECK(pass(offices.newyork, world, recorded, office).empty());
    CHECK(offices.newyork.drops(Drop::replayed) == 2);
    CHECK(told.count(Told::Kind::sa_added) + told.count(Told::Kind::sa_deleted) == 0);
    offices.tokyo.setkey("flush; spdflush;" + std::string{office_setkey});
    const auto next = pass(offices.tokyo, office, {outbound}, world);
    REQUIRE(next.size() == 1);
    CHECK(esp_of(next[0]).sequence_low == 3);
    CHECK(pass(offices.newyork, world, next, office).size() == 1);
    CHECK(offices.talk());
    offices.newyork.turn(8);
    CHECK(offices.newyork.gateway().retired().empty());
    offices.newyork.setkey("flush; spdflush;");
    CHECK(pass(offices.newyork, world, next, office).empty());
    CHECK(offices.newyork.drops(Drop::unknown_spi) == 1);
}

TEST_CASE("an SA that lives on takes its new lifetimes and reqid, and gives them back when the text is refused") {
    Offices offices;
    const std::string again =
        "update 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -r 8 -u 7 -bh 150 -E aes-gcm-16 \"tokyo-newyork-key001\";";
    REQUIRE(pass(offices.tokyo, office, {outbound}, world).size() == 1);  // 100 octets
    const std::string before = dump(offices.tokyo);
    (void)refusal_of(offices.tokyo, again + "flush;" + again);
    CHECK(dump(offices.tokyo) == before);
    offices.tokyo.setkey(again);
    CHECK(dump(offices.tokyo).find("reqid=7(0x00000007)") != std::string::npos);
    CHECK(pass(offices.tokyo, office, {outbound}, world).empty());
    CHECK(offices.tokyo.drops(Drop::lifetime_exceeded) == 1);
}

TEST_CASE("a policy that wants an SA's reqid finds it once an update gave it that") {
    Wires tokyo{office_configuration()};
    const std::string sa = " 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel";
    const std::string key = " -E aes-gcm-16 \"tokyo-newyork-key001\";";
    tokyo.setkey("spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/unique:7; add" + sa +
                 key);
    CHECK(pass(tokyo, office, {outbound}, world).empty());
    tokyo.setkey("update" + sa + " -u 7" + key);
    CHECK(pass(tokyo, office, {outbound}, world).size() == 1);
    tokyo.setkey("update" + sa + " -u 8" + key);
    CHECK(pass(tokyo, office, {outbound}, world).empty());
}

TEST_CASE("listeners hear of what was applied and nothing of what was not") {
    Wires tokyo{office_configuration()};
    Told told{tokyo};
    (void)refusal_of(tokyo, std::string{office_setkey} + "delete 20.0.0.1 20.0.0.2 esp 0x7777;");
    CHECK(told.count(Told::Kind::sa_added) == 0);
    CHECK(told.count(Told::Kind::policy_added) == 0);
    tokyo.setkey(office_setkey);
    CHECK(told.count(Told::Kind::sa_added) == 2);
    CHECK(told.count(Told::Kind::policy_added) == 2);
    tokyo.setkey("flush; spdflush;");
    CHECK(told.count(Told::Kind::sa_deleted) == 2);
    CHECK(told.count(Told::Kind::policy_deleted) == 2);
}

TEST_CASE("a whole configuration is replaced by itself without losing a packet") {
    Offices offices;
    for (int i = 0; i < 20; ++i) {
        REQUIRE(offices.talk());
        offices.tokyo.setkey("flush; spdflush;" + std::string{office_setkey});
        offices.newyork.setkey("flush; spdflush;" + std::string{newyork_setkey});
    }
    REQUIRE(offices.talk());
    offices.tokyo.turn(8);
    CHECK(offices.tokyo.gateway().retired().empty());
}

TEST_CASE("SAs are dumped in the order of their creation") {
    Wires tokyo{office_configuration()};
    for (const std::string spi : {"0x3009", "0x3001", "0x3005"})
        tokyo.setkey("add 20.0.0.1 20.0.0.2 esp " + spi + " -E aes-gcm-16 \"a key of twent" + spi + "\";");
    std::vector<std::uint32_t> order;
    tokyo.gateway().each_sa([&](const control::SaView& sa) {
        order.push_back(static_cast<std::uint32_t>(sa.spec.id.spi));
        return true;
    });
    CHECK(order == std::vector<std::uint32_t>{0x3009, 0x3001, 0x3005});
}

TEST_CASE("getspi gives an SPI between 0x100 and 0x0fffffff that nobody has, and update makes it an SA") {
    Wires tokyo{office_configuration()};
    const control::SaId wanted = sa_id("20.0.0.2", "20.0.0.1", 0);
    std::vector<control::Located> transaction;
    for (int i = 0; i < 200; ++i) transaction.push_back({control::GetSpi{.id = wanted, .mode = Mode::tunnel}, {}});
    const auto outcomes = tokyo.gateway().apply(std::move(transaction));
    REQUIRE(outcomes);
    std::vector<std::uint32_t> spis;
    for (const auto& outcome : *outcomes) spis.push_back(static_cast<std::uint32_t>(outcome.spi.value()));
    CHECK(std::ranges::all_of(spis, [](std::uint32_t spi) { return spi >= 0x100 && spi <= 0x0fffffff; }));
    std::ranges::sort(spis);
    CHECK(std::ranges::adjacent_find(spis) == spis.end());

    const std::string id = "20.0.0.2 20.0.0.1 esp " + std::to_string(spis[0]);
    CHECK(refusal_of(tokyo, "add " + id + " -m tunnel -E aes-gcm-16 \"a key of twenty oct.\";").ends_with("[exists]"));
    std::vector<control::Located> again;
    again.push_back({control::GetSpi{.id = sa_id("20.0.0.2", "20.0.0.1", spis[0])}, {}});
    CHECK(tokyo.gateway().apply(std::move(again)).error().code == Errc::exists);
    tokyo.setkey("update " + id + " -m tunnel -E aes-gcm-16 \"a key of twenty oct.\";");
    control::SaState state{};
    REQUIRE(tokyo.gateway().with_sa(sa_id("20.0.0.2", "20.0.0.1", spis[0]),
                                    [&](const control::SaView& sa) { state = sa.state; }));
    CHECK(state == control::SaState::mature);
}

TEST_CASE("getspi refuses the reserved SPIs as add does (RFC 4303 2.1)") {
    Wires tokyo{office_configuration()};
    CHECK(refusal_of(tokyo, "getspi 20.0.0.2 20.0.0.1 esp 255;").ends_with("[bad_value]"));
    CHECK(refusal_of(tokyo, "getspi 20.0.0.2 20.0.0.1 esp 5;").ends_with("[bad_value]"));
    tokyo.setkey("getspi 20.0.0.2 20.0.0.1 esp 256;");
}

TEST_CASE("--check refuses what a start would refuse, with its line, and passes what it would take") {
    const auto said = [](const std::string& text) {
        auto program = setkey::parse(text, "keys");
        const auto rehearsed = rehearse(std::move(program->operations), office_configuration());
        return rehearsed ? std::string{"fine"} : rehearsed.error().text();
    };
    const std::string policy = "spdadd 10.0.1.0/24 10.0.9.0/24 any -P out none;\n";
    CHECK(said(std::string{office_setkey}) == "fine");
    CHECK(said(policy + policy).starts_with("keys:2: an outbound policy"));
    CHECK(said("\nadd 20.0.0.1 20.0.0.2 esp 0x1001 -E null;").starts_with("keys:2: "));
    CHECK(said("add 2001:db8::1 2001:db8::2 esp 0x1001 -E null -A hmac-sha1 \"twenty octets exactl\";") == "fine");
    CHECK(said(std::string{office_setkey} + std::string{office_setkey}).ends_with("[exists]"));
}

TEST_CASE("a larval SA opens nothing and carries nothing") {
    Wires tokyo{office_configuration()};
    tokyo.setkey("spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;");
    std::vector<control::Located> transaction;
    transaction.push_back({control::GetSpi{.id = sa_id("20.0.0.1", "20.0.0.2", 0x3001), .mode = Mode::tunnel}, {}});
    transaction.push_back({control::GetSpi{.id = sa_id("20.0.0.2", "20.0.0.1", 0x3002), .mode = Mode::tunnel}, {}});
    REQUIRE(tokyo.gateway().apply(std::move(transaction)));
    CHECK(pass(tokyo, office, {outbound}, world).empty());
    CHECK(tokyo.drops(Drop::no_sa) == 1);
    const Octets esp = octets_of(EspHeader{.spi = 0x3002, .sequence_low = 1}) + Octets(40);
    CHECK(pass(tokyo, world, {ipv4("20.0.0.2", "20.0.0.1", 50, esp)}, office).empty());
    CHECK(tokyo.drops(Drop::unknown_spi) == 1);
    tokyo.setkey("flush;");
}

TEST_CASE("what is applied while somebody holds takes effect at once when he lets go, but for what was refused") {
    Offices offices;
    Wires& tokyo = offices.tokyo;
    Told told{tokyo};
    auto held = tokyo.gateway().hold();
    auto held_twice = tokyo.gateway().hold();
    tokyo.setkey("spddelete 10.0.1.0/24 10.0.2.0/24 any -P out;");
    CHECK(refusal_of(tokyo, "spdflush; delete 20.0.0.1 20.0.0.2 esp 0x9999;") != "it was not refused");
    tokyo.setkey("spdadd 10.0.1.0/24 10.0.2.0/24 any -P out discard;");
    tokyo.setkey("add 20.0.0.1 20.0.0.2 esp 0x3001 -m tunnel -E aes-gcm-16 \"a key of twenty oct.\";");
    tokyo.setkey("delete 20.0.0.1 20.0.0.2 esp 0x3001;");
    CHECK(offices.talk());
    held_twice.reset();
    CHECK(offices.talk());
    CHECK(told.count(Told::Kind::policy_added) == 0);
    held.reset();
    CHECK(told.count(Told::Kind::policy_added) == 1);
    CHECK(told.count(Told::Kind::sa_deleted) == 1);
    CHECK(pass(tokyo, office, {outbound}, world).empty());
    CHECK(tokyo.drops(Drop::policy_discard) == 1);
    tokyo.setkey("spdupdate 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;");
    CHECK(offices.talk());
    CHECK(tokyo.buffers_missing() == 0);
}
