// The IKE daemon between the control seam and the event loop, both by a hand of the test: that public keys do not keep
// the loop from its other work, and what happens when more comes than is worked through.
#include "app/ike/daemon.h"

#include <sys/stat.h>

#include <filesystem>

#include "app/log.h"
#include "catch.h"
#include "test/unit/ike/v2/world.h"
#include "test/unit/rpc/fake_control.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

class Seam final : public torii::test::FixedGateway {
public:
    Result<std::shared_ptr<void>> receive_ike(control::IkeReceiver to) override {
        receiver = std::move(to);
        return std::shared_ptr<void>{this, [](void* me) { static_cast<Seam*>(me)->receiver = {}; }};
    }
    Result<void> send_ike(const control::IkeDatagram& d) override {
        sent.emplace_back(d.octets.begin(), d.octets.end());
        return {};
    }

    Result<std::vector<control::Outcome>> apply(std::vector<control::Located> transaction) override {
        if (!takes) return FixedGateway::apply(std::move(transaction));
        if (!takes(transaction)) return fail(Errc::exists, "refused by the test");
        return std::vector<control::Outcome>(transaction.size());
    }

    std::function<bool(const std::vector<control::Located>&)> takes;
    control::IkeReceiver receiver;
    std::vector<Octets> sent;
};

/// A daemon that takes connections of one peer, and an IKE_SA_INIT of that peer's.
struct Office {
    static EngineConfig config(unsigned local, unsigned remote) {
        const auto c = connection(local, remote);
        c->proposals = {*parse_ike_proposal("aes128gcm16-prfsha256-modp2048", LegacyAlgorithms::refused)};
        EngineConfig made = config_of({c});
        made.retransmit_milliseconds = 20;
        made.limits.half_open = made.limits.half_open_per_source = made.limits.cookies_from = 100'000;
        return made;
    }

    Office() {
        REQUIRE(log::open("", "off"));
        Engine peer{*crypto, config(2, 1), nothing};
        Actions actions = peer.up("to-1", {}).value();
        for (Action& action : actions)
            if (auto* const send = std::get_if<Send>(&action)) first = std::move(send->datagram.octets);
    }
    /// Whether the daemon takes it. `own`: the peer's SPI, `ours`: the daemon's.
    bool arrive(std::uint32_t own, std::uint32_t ours) {
        Octets octets = first;
        for (unsigned i = 0; i < 4; ++i) {
            octets[4 + i] = static_cast<std::byte>(own >> (8 * i));
            octets[12 + i] = static_cast<std::byte>(ours >> (8 * i));
        }
        if (ours != 0) octets[18] = static_cast<std::byte>(ExchangeType::informational);
        return seam.receiver({address_of(1), address_of(2), 500, 500, octets});
    }
    /// A negotiation of the daemon's own is under way; answers to it come from inside. They say nothing of use.
    void begin() {
        REQUIRE(daemon->up("to-2"));
        question = seam.sent.back();
    }
    bool answer() {
        Header header = *parse_header(question);
        header.response = true;
        header.from_initiator = false;
        return seam.receiver({address_of(1), address_of(2), 500, 500, build_message(header, {Nonce{Octets(32)}})});
    }
    std::ptrdiff_t times_told(std::string_view words) const {
        return std::ranges::count_if(daemon->log("", 10'000), [&](const rpc::IkeLogLine& line) {
            return line.text.find(words) != std::string::npos;
        });
    }
    bool was_told(std::string_view words) const { return times_told(words) != 0; }

    std::unique_ptr<CryptoContext> crypto = CryptoContext::deterministic(1).value();
    Sad nothing;
    Octets first, question;
    Seam seam;
    std::unique_ptr<EventLoop> loop = EventLoop::make().value();
    std::unique_ptr<IkeDaemon> daemon = IkeDaemon::start(seam, *loop, *crypto, config(1, 2), "").value();
};

bool is_complaint(const Octets& message) { return parse_header(message)->exchange == ExchangeType::informational; }

}  // namespace

TEST_CASE("negotiations that come all at once leave the event loop its turns, and members go before newcomers") {
    Office office;
    constexpr unsigned newcomers = 200;
    office.begin();
    for (unsigned i = 1; i <= newcomers; ++i) CHECK(office.arrive(i, 0));
    CHECK(office.answer());

    const auto answered = [&] {
        return static_cast<unsigned>(std::ranges::count_if(
            office.seam.sent, [](const Octets& message) { return parse_header(message)->response; }));
    };
    unsigned turns = 0;  // in which there was something to do
    for (unsigned i = 0; i < 1000 && answered() < newcomers; ++i) {
        const unsigned before = answered();
        office.loop->turn();
        if (answered() == before) continue;
        if (turns++ == 0) CHECK(office.was_told("a payload is missing"));
    }
    CHECK(answered() == newcomers);
    CHECK(turns >= 3);  // two public-key operations each: a tenth of a second where they are fast
}

TEST_CASE("what is due is done while messages wait, not behind them") {
    Office office;
    REQUIRE(office.daemon->up("to-2"));  // nobody answers: due again after 20 ms, and newcomers take ten times as long
    constexpr unsigned newcomers = 1000;
    for (unsigned i = 1; i <= newcomers; ++i) REQUIRE(office.arrive(i, 0));
    const auto sent = [&](bool response) {
        return std::ranges::count_if(
            office.seam.sent, [&](const Octets& message) { return parse_header(message)->response == response; });
    };
    for (unsigned i = 0; i < 1000 && sent(false) < 2 && sent(true) < newcomers; ++i) office.loop->turn();
    CHECK(sent(false) >= 2);
    CHECK(sent(true) < newcomers);
}

TEST_CASE("IKE's messages that nobody could work through are refused, those of newcomers first") {
    Office office;
    office.begin();
    for (unsigned i = 1; i <= Inbox::most; ++i) REQUIRE(office.arrive(i, 0));
    CHECK_FALSE(office.arrive(Inbox::most + 1, 0));
    CHECK(office.answer());
}

TEST_CASE("messages in full are a line a payload, and push no warning out of the log that is kept") {
    Office office;
    EngineConfig config = Office::config(1, 2);
    config.log_messages = MessageLog::full;
    office.daemon->reload(std::move(config));
    control::Event event;
    event.kind = control::Event::Kind::expire_soft;
    for (unsigned i = 0; i < 5000; ++i) office.seam.tell(event);
    office.loop->turn();
    REQUIRE(office.was_told("events of the gateway came faster"));
    constexpr unsigned newcomers = 300;
    for (unsigned i = 1; i <= newcomers; ++i) REQUIRE(office.arrive(i, 0));
    for (unsigned i = 0; i < 1000 && office.seam.sent.size() < newcomers; ++i) office.loop->turn();

    const auto lines = office.daemon->log("", 10'000);
    CHECK(lines.size() > 2500);
    CHECK(office.was_told("events of the gateway came faster"));
    CHECK(office.was_told("received IKE_SA_INIT request 0 from 20.0.0.2[500]: SA KE No N(NAT_DETECTION_SOURCE_IP)"));
    CHECK(std::ranges::any_of(lines, [](const auto& line) { return line.text == "  KE: MODP_2048, 256 octets"; }));
    CHECK(std::ranges::none_of(lines, [](const auto& line) { return line.text.find('\n') != std::string::npos; }));
    CHECK(std::ranges::is_sorted(lines, {}, &rpc::IkeLogLine::unix_milliseconds));
}

TEST_CASE("messages that name IKE SAs which are not there keep nobody out, and are worked through last") {
    Office office;
    office.begin();
    unsigned strays = 0;
    while (strays < 5000 && office.arrive(strays + 1, 77 + strays)) ++strays;
    CHECK(strays <= Inbox::most);
    for (unsigned i = 1; i <= Inbox::most / 8; ++i) CHECK(office.arrive(i, 0));
    CHECK(office.answer());
    office.loop->turn();
    CHECK(office.was_told("a payload is missing"));  // the member's, at once
    for (unsigned i = 0; i < 10'000 && std::ranges::none_of(office.seam.sent, is_complaint); ++i) office.loop->turn();
    const auto complaint = std::ranges::find_if(office.seam.sent, is_complaint);
    REQUIRE(complaint != office.seam.sent.end());
    CHECK(std::count_if(office.seam.sent.begin(), complaint, [](const Octets& message) {
              return parse_header(message)->response;
          }) == Inbox::most / 8);  // the newcomers', before
}

TEST_CASE("one IKE SA's warnings are few a second, and how many were left out is told") {
    Office office;
    office.begin();
    const auto first = EventLoop::Clock::now();
    for (unsigned i = 0; i < 200; ++i) REQUIRE(office.answer());
    for (unsigned i = 0; i < 100; ++i) office.loop->turn();
    CHECK(office.times_told("a payload is missing") >= 10);
    CHECK(office.times_told("a payload is missing") <= 20);  // where a second ends in between
    for (unsigned i = 0; i < 10'000 && !office.was_told("left out"); ++i) office.loop->turn();
    CHECK(office.was_told(" more such lines of one second were left out"));
    CHECK(EventLoop::Clock::now() - first >= std::chrono::milliseconds{900});
}

TEST_CASE("whoever follows events hears IKE's lines from level info up, as they come") {
    Office office;
    std::vector<std::string> heard;
    office.daemon->tell_to([&](const rpc::IkeLogLine& line) { heard.push_back(line.level + " " + line.text); });
    EngineConfig config = Office::config(1, 2);
    config.log_messages = MessageLog::brief;
    office.daemon->reload(std::move(config));
    office.begin();
    REQUIRE(office.answer());
    office.loop->turn();
    CHECK(office.was_told("sent IKE_SA_INIT"));
    CHECK(heard == std::vector<std::string>{"warning IKE_SA_INIT response: a payload is missing"});
    office.daemon->tell_to({});
    REQUIRE(office.answer());
    office.loop->turn();
    CHECK(heard.size() == 1);
}

TEST_CASE("keys are written to no file that others may read, and the error says what to do") {
    const std::string path = (std::filesystem::temp_directory_path() / "torii-keys-test.txt").string();
    const auto start = [&]() -> Result<void> {
        Office office;
        office.daemon.reset();
        TORII_TRY(const auto daemon,
                  IkeDaemon::start(office.seam, *office.loop, *office.crypto, Office::config(1, 2), path));
        return {};
    };
    std::filesystem::remove(path);
    CHECK(start());  // made anew, for its owner alone
    struct stat about {};
    REQUIRE(stat(path.c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
    CHECK(start());
    REQUIRE(chmod(path.c_str(), 0644) == 0);
    const auto refused = start();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find(path + " is open to others than its owner: chmod 600 " + path) !=
          std::string::npos);
    std::filesystem::remove(path);
}

TEST_CASE("events of the gateway that come faster than they are worked through are told of, once a second") {
    Office office;
    control::Event event;
    event.kind = control::Event::Kind::expire_soft;
    const auto come = [&](unsigned count) {
        for (unsigned i = 0; i < count; ++i) office.seam.tell(event);
    };
    come(5000);
    CHECK_FALSE(office.was_told("events of the gateway"));
    office.loop->turn();
    CHECK(office.was_told("904 events of the gateway came faster"));
    const auto first = EventLoop::Clock::now();
    come(5001);
    office.loop->turn();
    CHECK_FALSE(office.was_told("905 events of the gateway came faster"));
    for (unsigned i = 0; i < 10'000 && !office.was_told("905 events of the gateway came faster"); ++i)
        office.loop->turn();
    CHECK(office.was_told("905 events of the gateway came faster"));
    CHECK(EventLoop::Clock::now() - first >= std::chrono::milliseconds{900});
}

TEST_CASE("of a rekey that the gateway refuses nothing is done: the old SA goes once, when its end is agreed on") {
    Office office;
    Engine peer{*office.crypto, Office::config(2, 1), office.nothing};
    Now time;
    const auto talk = [&] {
        for (unsigned turns = 0; turns < 100; ++turns) {
            office.loop->turn();
            time.steady += Instant{1};
            for (const Octets& octets : std::exchange(office.seam.sent, {}))
                for (Action& action : peer.receive({{address_of(2), 500}, {address_of(1), 500}, octets}, time))
                    if (const auto* const send = std::get_if<Send>(&action))
                        office.seam.receiver({address_of(1), address_of(2), 500, 500, send->datagram.octets});
        }
    };
    office.seam.takes = [](const auto&) { return true; };
    REQUIRE(office.daemon->up("to-2"));
    talk();
    REQUIRE(office.daemon->children().size() == 1);
    REQUIRE(office.daemon->children()[0].state == "installed");

    unsigned refused = 0, outbound_ends = 0;
    office.seam.takes = [&](const std::vector<control::Located>& transaction) {
        const auto is_new = [](const control::Located& one) {
            return std::holds_alternative<control::AddSa>(one.operation);
        };
        if (std::ranges::any_of(transaction, is_new)) return ++refused, false;
        for (const control::Located& one : transaction)
            if (const auto* const gone = std::get_if<control::DeleteSa>(&one.operation))
                outbound_ends += gone->id.destination == address_of(2);
        return true;
    };
    REQUIRE(office.daemon->rekey("offices-2"));
    talk();
    CHECK(refused >= 1);
    CHECK(outbound_ends == 1);
    CHECK(office.was_told("the gateway does not take child offices-2"));
}
