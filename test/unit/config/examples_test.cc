// The example configurations and the manual, read where they stand.
#include "catch.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/config/read.h"
#include "app/config/settings.h"
#include "app/setkey/setkey.h"
#include "config/source_root.h"
#include "net/headers.h"
#include "policy/spd.h"

using namespace torii;

namespace {

constexpr unsigned two_cores = 2;
const std::filesystem::path root{TORII_SOURCE_ROOT};

std::string contents(const std::filesystem::path& path) {
    std::ifstream file{path};
    REQUIRE(file);
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
}

/// What a setting may hold, as the manual writes it.
std::string values_of(const config::Setting& s) {
    const std::string range =
        s.right().empty() ? "" : s.right().substr(s.subject.size() + std::string_view{" is "}.size());
    switch (s.kind) {
        case config::Kind::integer: return "integer, " + range;
        case config::Kind::choice: return "string: " + range;
        case config::Kind::flag: return "true or false";
        case config::Kind::list: return "list";
        case config::Kind::group: return "group";
        case config::Kind::text: break;
    }
    return "string";
}

/// The policies that a text adds in one direction, in the order a packet meets them.
std::vector<PolicyPtr> policies_of(const std::string& text, Direction direction) {
    Spd spd;
    auto program = setkey::parse(text, "example");
    REQUIRE(program);
    std::uint32_t id = 0;
    for (control::Located& located : program->operations)
        if (auto* const add = std::get_if<control::AddPolicy>(&located.operation)) {
            add->policy.id = PolicyId{++id};
            REQUIRE(spd.add(std::make_shared<const Policy>(std::move(add->policy))));
        }
    return spd.in_order(direction);
}

/// What the text's policies say about TCP between these two.
PolicyAction said_of(const std::string& text, Direction direction, const char* source, std::uint16_t source_port,
                     const char* destination, std::uint16_t destination_port) {
    const auto policies = policies_of(text, direction);
    const Found found = find_linear(policies, {.source = *Address::parse(source),
                                               .destination = *Address::parse(destination),
                                               .source_port = source_port,
                                               .destination_port = destination_port,
                                               .protocol = static_cast<std::uint8_t>(IpProtocol::tcp)});
    REQUIRE(found.policy != nullptr);
    return found.policy->action;
}

}  // namespace

TEST_CASE("every example reads, its keys lie beside it, and legacy ones have leave") {
    unsigned examples = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{root / "configs"}) {
        if (entry.path().extension() != ".conf") continue;
        if (entry.path().parent_path().filename() == "peers")
            continue;  // of other makes: the suite `ike` has them read
        const auto read = config::read(entry.path().string(), two_cores);
        INFO(entry.path() << ": " << (read ? "" : read.error().message));
        REQUIRE(read);
        ++examples;
        if (read->setkey_file.empty()) {  // its keys are IKE's
            CHECK(std::filesystem::path{read->ike.psk_file}.parent_path() == entry.path().parent_path());
            CHECK(ike::SharedKeys::parse(contents(read->ike.psk_file), "psk.txt"));
            CHECK(!read->ike.connections.empty());
            continue;
        }
        CHECK(std::filesystem::path{read->setkey_file}.parent_path() == entry.path().parent_path());
        CHECK(contents(read->setkey_file).find("add ") != std::string::npos);
        const auto program = setkey::parse(contents(read->setkey_file), read->setkey_file);
        REQUIRE(program);
        CHECK(setkey::check_legacy(*program, read->legacy));
    }
    CHECK(examples == 38);
}

TEST_CASE("the mail server's exceptions for itself hold in front of the policies for all, and are dead behind them") {
    const std::string text = contents(root / "configs/faq/08-mail-server/server.setkey");
    const auto at = text.find("spdadd"), for_all = text.find("spdadd 10.1.1.1[110] 0.0.0.0/0");
    REQUIRE(for_all != text.npos);
    const std::string swapped = text.substr(0, at) + text.substr(for_all) + text.substr(at, for_all - at);
    const char *server = "10.1.1.1", *client = "20.1.1.1";

    CHECK(said_of(text, Direction::outbound, server, 110, server, 1024) == PolicyAction::bypass);
    CHECK(said_of(text, Direction::inbound, server, 1024, server, 110) == PolicyAction::bypass);
    CHECK(said_of(swapped, Direction::outbound, server, 110, server, 1024) == PolicyAction::protect);
    CHECK(said_of(swapped, Direction::inbound, server, 1024, server, 110) == PolicyAction::protect);
    for (const std::string& order : {text, swapped}) {
        CHECK(said_of(order, Direction::outbound, server, 110, client, 1024) == PolicyAction::protect);
        CHECK(said_of(order, Direction::inbound, client, 1024, server, 110) == PolicyAction::protect);
    }
}

TEST_CASE("the office VPN's example is the picture of the manual") {
    const auto tokyo = config::read((root / "configs/office-vpn/tokyo.conf").string(), two_cores);
    REQUIRE(tokyo);
    CHECK(config::summary(*tokyo) ==
          "gateway    tokyo: 1 worker, polling adaptive, bursts of 64, 256 megabytes, 16384 packets\n"
          "port       office     protected   10.0.1.1/24        mtu 1500 net_af_packet0,iface=office0\n"
          "port       wan        unprotected 20.0.0.1/24        mtu 1500 net_af_packet1,iface=wan0\n"
          "route      10.0.2.0/24            via 20.0.0.2 at wan\n"
          "ipsec      packets no policy matches are dropped (def_policy = discard)\n"
          "           default levels: esp transport use, esp tunnel use, ah transport use, ah tunnel use\n"
          "           of several SAs, the newest sends\n"
          "setkey     " +
              (root / "configs/office-vpn/tokyo.setkey").string() +
              "\n"
              "control    /run/torii/tokyo.sock\n"
              "log        standard error, level info\n"
              "crypto     all kernels, the fastest chosen\n");
}

TEST_CASE("the manual has a row for every setting, word for word as the table has it") {
    const auto manual = contents(root / "docs/configuration.md");
    for (const auto& s : config::settings()) {
        if (s.kind == config::Kind::group) continue;
        const auto row = "| `" + std::string{s.path} + "` | " + values_of(s) + " | " +
                         std::string{s.required ? "required" : s.fallback} + " | `" + std::string{s.example} + "` | " +
                         std::string{s.meaning} + " |\n";
        if (manual.find(row) == manual.npos) FAIL_CHECK("docs/configuration.md lacks the row\n" << row);
    }
}
