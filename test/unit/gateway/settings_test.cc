// KAME's sysctl variables while the gateway runs: what a change does, and what may not be set.
#include "catch.h"
#include "office.h"

using namespace torii;
using namespace torii::test;

namespace {

const Octets packet = datagram("10.0.1.5", "10.0.2.5");

struct Tokyo {
    explicit Tokyo(std::string_view setkey = "") {
        if (!setkey.empty()) gateway.setkey(setkey);
    }
    void set(std::string_view name, std::string_view value) { REQUIRE(gateway.gateway().set(name, value)); }
    std::string refusal(std::string_view name, std::string_view value) {
        const auto done = gateway.gateway().set(name, value);
        return done ? "it was not refused" : done.error().text();
    }
    std::string value_of(std::string_view name) {
        for (const auto& setting : gateway.gateway().settings())
            if (setting.name == name) return setting.value;
        return "there is none";
    }
    std::vector<Octets> send() { return pass(gateway, office, {packet}, world); }
    Wires gateway{office_configuration()};
};

}  // namespace

TEST_CASE("def_policy changes at once, for flows that are known too") {
    Tokyo tokyo;
    CHECK(tokyo.send().empty());
    tokyo.set("net.inet.ipsec.def_policy", "none");
    CHECK(tokyo.send() == only(after_hops(packet, 1)));
    tokyo.set("net.inet.ipsec.def_policy", "discard");
    CHECK(tokyo.send().empty());
    CHECK(tokyo.gateway.drops(Drop::no_policy) == 2);
    tokyo.set("net.inet.ipsec.def_policy", "1");  // as sysctl has it
    CHECK(tokyo.send().size() == 1);
    CHECK(tokyo.value_of("net.inet.ipsec.def_policy") == "none");
}

TEST_CASE("a default level changes at once for policies with level default, each protocol and mode by its own name") {
    struct Row {
        std::string_view name, request;
    };
    const auto row = GENERATE(values<Row>({{"net.inet.ipsec.esp_trans_deflev", "esp/transport//default"},
                                           {"net.inet.ipsec.esp_net_deflev", "esp/tunnel/20.0.0.1-20.0.0.2/default"},
                                           {"net.inet.ipsec.ah_trans_deflev", "ah/transport//default"},
                                           {"net.inet.ipsec.ah_net_deflev", "ah/tunnel/20.0.0.1-20.0.0.2/default"}}));
    const std::string policy = " 10.0.1.0/24 10.0.2.0/24 any -P out ipsec " + std::string{row.request} + ";";
    Tokyo tokyo{"spdadd" + policy};
    CHECK(tokyo.send().size() == 1);
    tokyo.set(row.name, "require");
    CHECK(tokyo.send().empty());
    CHECK(tokyo.gateway.drops(Drop::no_sa) == 1);
    tokyo.set(row.name, "use");
    CHECK(tokyo.send().size() == 1);
    SECTION("not for those that say theirs") {
        std::string written = policy;
        written.replace(written.find("default"), 7, "use");
        tokyo.gateway.setkey("spdupdate" + written);
        tokyo.set(row.name, "require");
        CHECK(tokyo.send().size() == 1);
    }
    SECTION("in their place among the others, and they are written as they were") {
        tokyo.gateway.setkey("spdadd 10.0.1.0/24 0.0.0.0/0 any -P out discard;");
        tokyo.set(row.name, "require");
        std::vector<std::string> told;
        tokyo.gateway.gateway().each_policy([&](const control::PolicyView& view) {
            told.push_back(setkey::policy_text(view.policy));
            return true;
        });
        CHECK(told == std::vector{"out ipsec " + std::string{row.request}, std::string{"out discard"}});
        CHECK(tokyo.send().empty());
        CHECK(tokyo.gateway.drops(Drop::no_sa) == 2);
    }
}

TEST_CASE("a default level counts for inbound policies at once as well") {
    Tokyo tokyo{"spdadd 10.0.2.0/24 10.0.1.0/24 any -P in ipsec esp/tunnel/20.0.0.2-20.0.0.1/default;"};
    const auto arrives = [&] { return pass(tokyo.gateway, world, {datagram("10.0.2.5", "10.0.1.5")}, office).size(); };
    CHECK(arrives() == 1);
    tokyo.set("net.inet.ipsec.esp_net_deflev", "require");
    CHECK(arrives() == 0);
    CHECK(tokyo.gateway.drops(Drop::policy_mismatch) == 1);
}

TEST_CASE("prefered_oldsa changes at once which of several SAs sends") {
    Tokyo tokyo{R"(
add 20.0.0.1 20.0.0.2 esp 0x1001 -m tunnel -E aes-gcm-16 "tokyo-newyork-key001";
add 20.0.0.1 20.0.0.2 esp 0x1002 -m tunnel -E aes-gcm-16 "tokyo-newyork-key002";
spdadd 10.0.1.0/24 10.0.2.0/24 any -P out ipsec esp/tunnel/20.0.0.1-20.0.0.2/require;
)"};
    const auto spi = [&] { return esp_of(tokyo.send().at(0)).spi.value(); };
    CHECK(spi() == 0x1002);
    tokyo.set("net.key.prefered_oldsa", "1");
    CHECK(spi() == 0x1001);
    tokyo.set("net.key.prefered_oldsa", "false");
    CHECK(spi() == 0x1002);
}

TEST_CASE("getspi chooses between spi_minval and spi_maxval, and says when none is free") {
    Tokyo tokyo;
    tokyo.set("net.key.spi_minval", "0x5000");
    tokyo.set("net.key.spi_maxval", "0x5003");
    const auto ask = [&](control::GetSpi wish) {
        std::vector<control::Located> transaction;
        transaction.push_back({std::move(wish), {}});
        return tokyo.gateway.gateway().apply(std::move(transaction));
    };
    const control::SaId any = sa_id("20.0.0.2", "20.0.0.1", 0);
    for (int i = 0; i < 4; ++i) {
        const auto given = ask({.id = any});
        REQUIRE(given);
        const auto spi = static_cast<std::uint32_t>(given->at(0).spi.value());
        CHECK((spi >= 0x5000 && spi <= 0x5003));
    }
    CHECK(ask({.id = any}).error().code == Errc::no_room);
    SECTION("unless the asker brings limits of its own") {
        const auto given = ask({.id = any, .lowest = 0x7000, .highest = 0x7000});
        REQUIRE(given);
        CHECK(given->at(0).spi == Spi{0x7000});
        CHECK(ask({.id = any, .lowest = 0x7001, .highest = 0x7000}).error().code == Errc::bad_value);
    }
    SECTION("and a CPI is one of those that are negotiated (RFC 3173 3.3)") {
        control::SaId ipcomp = any;
        ipcomp.protocol = IpsecProtocol::ipcomp;
        tokyo.set("net.key.spi_maxval", "0xffffffff");
        tokyo.set("net.key.spi_minval", "0x100");
        for (int i = 0; i < 50; ++i) {
            const auto given = ask({.id = ipcomp});
            REQUIRE(given);
            CHECK(static_cast<std::uint32_t>(given->at(0).spi.value()) <= 61439);
        }
    }
}

TEST_CASE("what may not be set is refused with what may, and changes nothing") {
    Tokyo tokyo;
    CHECK(tokyo.refusal("net.inet.ipsec.def_policy", "ipsec") ==
          "net.inet.ipsec.def_policy cannot be 'ipsec': def_policy is discard or none [bad_value]");
    CHECK(tokyo.refusal("net.key.larval_lifetime", "0") ==
          "net.key.larval_lifetime cannot be '0': a larval lifetime is 1 to 86400 seconds [bad_value]");
    CHECK(tokyo.refusal("net.key.larval_lifetime", "30s").ends_with("[bad_value]"));
    CHECK(tokyo.refusal("net.key.larval_lifetime", "-1").ends_with("[bad_value]"));
    CHECK(tokyo.refusal("net.key.larval_lifetime", "99999999999").ends_with("[bad_value]"));
    CHECK(tokyo.refusal("net.key.spi_minval", "255").ends_with("[bad_value]"));
    CHECK(tokyo.refusal("net.key.spi_minval", "0x10000000") ==
          "net.key.spi_minval cannot be 0x10000000: net.key.spi_minval would be above net.key.spi_maxval [bad_value]");
    CHECK(tokyo.refusal("net.key.larval_lifetme", "3") ==
          "there is no setting net.key.larval_lifetme: did you mean net.key.larval_lifetime? `torii show settings` "
          "lists them [not_found]");
    for (const auto& setting : tokyo.gateway.gateway().settings())
        if (setting.name != "net.key.acquire_hold") CHECK(setting.value == setting.fallback);
}

TEST_CASE("every setting takes every word it offers, the ends of its range, and its own value back") {
    Tokyo tokyo;
    for (const control::SettingInfo& info : control::setting_table()) {
        INFO(info.name);
        control::Settings settings;
        settings.spi_minimum = 0x100;
        settings.spi_maximum = 0xffffffff;
        for (const auto& word : info.words) {
            REQUIRE(control::set(settings, info.name, word.name));
            CHECK(info.text(settings) == word.name);
            REQUIRE(control::set(settings, info.short_name(), std::to_string(word.value)));
            CHECK(info.text(settings) == word.name);
        }
        if (info.words.empty()) {
            for (const std::uint32_t end : {info.low, info.high}) {
                control::Settings wide{.spi_minimum = 0x100, .spi_maximum = 0xffffffff};
                REQUIRE(control::set(wide, info.name, std::to_string(end)));
                CHECK(info.get(wide) == end);
            }
            CHECK_FALSE(control::set(settings, info.name, std::to_string(std::uint64_t{info.high} + 1)));
        }
    }
}
