// What is told of messages for whoever looks for a fault by them: of each a line, or each with its payloads, and never
// a secret (EngineConfig::log_messages).
#include "catch.h"
#include "ladder.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

World told_of(MessageLog first, MessageLog second, unsigned dpd_seconds = 0) {
    World world{31};
    for (const unsigned local : {1u, 2u}) {
        const auto c = connection(local, 3 - local);
        c->dpd_seconds = dpd_seconds;
        EngineConfig config = config_of({c});
        config.log_messages = local == 1 ? first : second;
        world.add(local == 1 ? "tokyo" : "newyork", config);
    }
    return world;
}

std::string all(const Node& node) {
    std::string out;
    for (const Tell& tell : node.told) out += tell.text + "\n";
    return out;
}

bool says(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

std::string hex(OctetView octets) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (const std::byte b : octets) {
        out += digits[std::to_integer<unsigned>(b) >> 4];
        out += digits[std::to_integer<unsigned>(b) & 15];
    }
    return out;
}

}  // namespace

TEST_CASE("each message is told in a line, which way it went and what is in it") {
    World world = told_of(MessageLog::brief, MessageLog::brief);
    bring_up(world);
    for (const char* const line :
         {"sent IKE_SA_INIT request 0 to 20.0.0.2[500]: SA KE No N(NAT_DETECTION_SOURCE_IP)",
          "received IKE_SA_INIT response 0 from 20.0.0.2[500]: SA KE No N(NAT_DETECTION_SOURCE_IP)",
          "sent IKE_AUTH request 1 to 20.0.0.2[500]: IDi ",
          "received IKE_AUTH response 1 from 20.0.0.2[500]: IDr AUTH "})
        CHECK(world[0].said(line));
    for (const char* const line : {"received IKE_SA_INIT request 0 from 20.0.0.1[500]: SA KE No ",
                                   "sent IKE_SA_INIT response 0 to 20.0.0.1[500]: SA KE No ",
                                   "received IKE_AUTH request 1 from 20.0.0.1[500]: IDi ",
                                   "sent IKE_AUTH response 1 to 20.0.0.1[500]: IDr AUTH "})
        CHECK(world[1].said(line));
    for (const Tell& tell : world[0].told) {
        CHECK_FALSE(says(tell.text, "\n"));
        if (says(tell.text, "sent ") || says(tell.text, "received ")) CHECK(tell.level == Tell::Level::debug);
    }
}

TEST_CASE("messages in full have a line for each field, and no secret in any") {
    World world = told_of(MessageLog::full, MessageLog::full);
    bring_up(world);
    REQUIRE(order(world, 0, "rekey", "offices-2"));
    REQUIRE(order(world, 0, "rekey", "to-2"));
    const IkeSa& before = *only(world[0]);
    std::vector<std::string> secrets{hex(before.nonce_initiator), hex(before.nonce_responder)};
    for (const SecretBytes* const key : {&before.keys.d, &before.keys.ai, &before.keys.ar, &before.keys.ei,
                                         &before.keys.er, &before.keys.pi, &before.keys.pr})
        if (!key->octets().empty()) secrets.push_back(hex(key->octets()));
    world.run(Instant{20'000});
    secrets.emplace_back("a test's key");
    for (const std::size_t node : {0u, 1u}) {
        const std::string told = all(world[node]);
        CHECK(says(told, "\nIDi: ID_IPV4_ADDR 20.0.0.1\n"));
        CHECK(says(told, "\nKE: CURVE25519, 32 octets\n"));
        CHECK(says(told, "\nNo: 32 octets\n"));
        CHECK(says(told, "\nAUTH: shared key, 32 octets\n"));
        CHECK(says(told, "CREATE_CHILD_SA request "));
        CHECK(says(told, "INFORMATIONAL request "));
        for (const std::string& secret : secrets) CHECK_FALSE(says(told, secret));
    }
}

TEST_CASE("questions whether somebody is there are told in full alone, and nothing is where nobody wants it") {
    World world = told_of(MessageLog::brief, MessageLog::full, 10);
    bring_up(world);
    world.run(Instant{60'000});
    CHECK_FALSE(world[0].said("INFORMATIONAL"));
    CHECK(world[1].said(": nothing"));

    World silent = told_of(MessageLog::none, MessageLog::none, 10);
    bring_up(silent);
    silent.run(Instant{60'000});
    for (const std::size_t node : {0u, 1u})
        for (const char* const word : {"sent ", "received "}) CHECK_FALSE(silent[node].said(word));
}

TEST_CASE("a message that comes or goes once more is told as that, and what is not authentic as nothing else") {
    World world = told_of(MessageLog::brief, MessageLog::brief);
    unsigned lost = 0;
    world.tap = [&](Datagram& datagram) { return parse_header(datagram.octets)->message_id != 1 || ++lost != 2; };
    bring_up(world);
    world.run(Instant{10'000});
    CHECK(world[0].said("sent IKE_AUTH request 1 to 20.0.0.2[500], again"));
    CHECK(world[1].said("received IKE_AUTH request 1 from 20.0.0.1[500], again"));
    world.tap = {};

    world.record.clear();
    REQUIRE(order(world, 0, "rekey", "offices-2"));
    REQUIRE(!world.record.empty());
    Datagram forged = world.record.front();
    forged.octets.back() ^= std::byte{1};
    const std::size_t before = world[1].told.size();
    world.perform(world[1], world[1].engine->receive(forged, world.now()));
    REQUIRE(world[1].told.size() == before + 1);
    CHECK(says(world[1].told.back().text, "is not authentic"));
}

TEST_CASE("the end of an IKE SA is told at level info at the end that wanted it, too, and why at both") {
    World world = told_of(MessageLog::none, MessageLog::none);
    bring_up(world);
    REQUIRE(order(world, 0, "down", "to-2"));
    world.run(Instant{20'000});
    for (const std::size_t node : {0u, 1u})
        CHECK(std::ranges::any_of(world[node].told, [](const Tell& tell) {
            return tell.level == Tell::Level::info && tell.text.starts_with("ends: ");
        }));
}

TEST_CASE("what strangers send is told of a few times a second, and takes no warning's place") {
    World world = told_of(MessageLog::brief, MessageLog::full);
    REQUIRE(order(world, 0, "up", "to-2"));
    const Datagram first = world.record.front();
    for (unsigned i = 0; i < 500; ++i) {
        Datagram stranger = first;
        stranger.remote = {address_of(1), 500};
        stranger.local = {address_of(9), 500};  // where nobody is for them: refused with a warning
        stranger.octets[7] = static_cast<std::byte>(i);
        stranger.octets[6] = static_cast<std::byte>(i >> 8);
        world.perform(world[1], world[1].engine->receive(stranger, world.now()));
    }
    const auto at = [&](Tell::Level level) { return std::ranges::count(world[1].told, level, &Tell::level); };
    CHECK(at(Tell::Level::debug) == 20);
    CHECK(at(Tell::Level::warning) == 20);
}
