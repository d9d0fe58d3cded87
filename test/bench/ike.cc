// What IKE costs a responder: whole negotiations (IKE_SA_INIT and IKE_AUTH with one child) beside the public-key
// operations alone that no responder can do without; then the same, rekeys, memory and liveness with thousands of IKE
// SAs standing. Only the responder's own work is timed; both ends are in this process, and nothing waits for a network
// or a gateway. The column "first packet" has both ends: beside two round trips it is what a packet that needs an SA
// waits for.   torii-ike-bench [--json] [COUNT [STANDING]]
#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "ike/crypto/key_exchange.h"
#include "ike/v2/engine.h"
#include "unit/ike/credentials/authority.h"

using namespace torii;
using namespace torii::ike;

namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

/// Every SA has been used: nobody waits for a first packet.
class Busy : public Traffic {
public:
    std::uint64_t packets(const control::SaId&) const override { return 1; }
};

/// By what both ends prove themselves; null keys: a pre-shared key.
struct Proof {
    std::shared_ptr<const OwnKey> own;
    std::shared_ptr<const PublicKey> peers;
};

Proof proof_by(CryptoContext& crypto, const std::string& key_name) {
    if (key_name.empty()) return {};
    const auto key = made::key(key_name);
    const auto peers = PublicKey::parse(crypto, made::public_der(key));
    auto own = OwnKey::make(PrivateKey{key}, {});
    if (!peers || !own) std::abort();
    return {std::make_shared<const OwnKey>(std::move(*own)), std::make_shared<const PublicKey>(*peers)};
}

/// A gateway and a crowd of clients, each with an identity and a tunnel of its own; all behind one address, which no
/// part of the engine likes or minds.
class Crowd {
public:
    Crowd(const std::string& proposal, const Proof& proof, std::size_t clients) {
        EngineConfig theirs, ours;
        const auto shared = std::make_shared<SharedKeys>(*SharedKeys::parse("* a bench's key\n", "psk.txt"));
        const auto prove = [&](Connection& connection) {
            connection.shared_keys = shared;
            connection.proposals = {*parse_ike_proposal(proposal, LegacyAlgorithms::refused)};
            if (!proof.own) return;
            connection.local_auth = connection.remote_auth = AuthWay::raw_key;
            connection.own_key = proof.own;
            connection.peers_key = proof.peers;
        };
        ChildConfig child;
        child.name = "child";
        child.proposals = {*parse_child_proposal(ProtocolId::esp, "aes128gcm16", LegacyAlgorithms::refused)};
        for (std::size_t i = 0; i < clients; ++i) {
            auto connection = std::make_shared<Connection>();
            prove(*connection);
            connection->name = name_of(i);
            connection->local = client_;
            connection->remote = gateway_;
            connection->local_id = Id{IdType::fqdn, octets_of(name_of(i) + ".example")};
            connection->dpd_seconds = 0;
            connection->rekey_seconds = 0;
            child.local = {Prefix{Address::v4(10u << 24 | static_cast<unsigned>(i)), 32}};
            child.remote = {Prefix{Address::v4(192u << 24 | 168 << 16), 16}};
            child.rekey_seconds = child.life_seconds = 0;
            connection->children = {child};
            theirs.connections.push_back(std::move(connection));
        }
        auto anybody = std::make_shared<Connection>();
        prove(*anybody);
        anybody->name = "anybody";
        anybody->local = gateway_;
        anybody->dpd_seconds = static_cast<std::uint32_t>(idle_time.count() / 1000);
        anybody->rekey_seconds = 0;
        child.local = {Prefix{Address::v4(192u << 24 | 168 << 16), 16}};
        child.remote = {Prefix{Address::v4(10u << 24), 8}};
        anybody->children = {child};
        ours.connections = {std::move(anybody)};
        clients_side_ = std::make_unique<Engine>(*clients_crypto_, std::move(theirs), busy_);
        gateways_side_ = std::make_unique<Engine>(*gateways_crypto_, std::move(ours), busy_);
    }

    static std::string name_of(std::size_t client) { return "c" + std::to_string(client); }

    /// A client's order, and every message that comes of it. False: the engine refused it.
    bool order(Result<Actions> (Engine::*what)(std::string_view, const Now&), const std::string& name) {
        clock_ += Instant{100};  // the gateway's limits are a second's
        auto actions = (clients_side_.get()->*what)(name, now());
        if (!actions) return false;
        carry(std::move(*actions), gateway_);
        return true;
    }

    /// Lets `time` pass for the gateway.
    void pass(Instant time) {
        const Instant end = clock_ + time;
        while (gateways_side_->next_tick() <= end) {
            clock_ = std::max(clock_, gateways_side_->next_tick());
            carry(timed([&] { return gateways_side_->tick(now()); }), client_);
        }
        clock_ = end;
    }

    std::size_t standing() const { return gateways_side_->size(); }
    /// The gateway's time and memory since this was asked last.
    Clock::duration spent() { return std::exchange(spent_, {}); }
    long octets_held() { return std::exchange(octets_, 0); }
    void weigh(bool on) { weighs_ = on; }

    static constexpr Instant idle_time{30'000};

private:
    static Octets octets_of(const std::string& text) {
        const auto view = std::as_bytes(std::span{text});
        return {view.begin(), view.end()};
    }
    Now now() const { return {clock_, made::now}; }

    template <class Work>
    Actions timed(Work work) {
        const std::size_t before = weighs_ ? mallinfo2().uordblks : 0;
        const auto start = Clock::now();
        Actions actions = work();
        spent_ += Clock::now() - start;
        // what is to be sent and applied is not held: measured where it has gone, at the next message
        if (weighs_) weigh_after_ = before;
        return actions;
    }

    void carry(Actions actions, const Address& to) {
        std::deque<Datagram> under_way;
        const auto keep_sends = [&](Actions made, bool by_gateway) {
            for (Action& action : made)
                if (auto* send = std::get_if<Send>(&action)) under_way.push_back(std::move(send->datagram));
            made.clear();
            made.shrink_to_fit();
            if (by_gateway && weighs_) {
                std::size_t queued = 0;
                for (const Datagram& datagram : under_way) queued += datagram.octets.capacity();
                octets_ += static_cast<long>(mallinfo2().uordblks) - static_cast<long>(weigh_after_ + queued);
            }
        };
        keep_sends(std::move(actions), to == client_);
        while (!under_way.empty()) {
            Datagram sent = std::move(under_way.front());
            under_way.pop_front();
            const Datagram received{sent.remote, sent.local, std::move(sent.octets)};
            const bool by_gateway = received.local.address == gateway_;
            keep_sends(by_gateway ? timed([&] { return gateways_side_->receive(received, now()); })
                                  : clients_side_->receive(received, now()),
                       by_gateway);
        }
    }

    const Address gateway_ = Address::v4(20u << 24 | 1), client_ = Address::v4(20u << 24 | 2);
    const Busy busy_;
    std::unique_ptr<CryptoContext> clients_crypto_ = *CryptoContext::deterministic(1),
                                   gateways_crypto_ = *CryptoContext::deterministic(2);
    std::unique_ptr<Engine> clients_side_, gateways_side_;
    Instant clock_{1000};
    Clock::duration spent_{};
    bool weighs_ = false;
    std::size_t weigh_after_ = 0;
    long octets_ = 0;
};

/// What no responder is spared: a key pair and a secret, a signature and the check of one, `count` times.
double public_keys_alone(CryptoContext& crypto, KeMethod method, const Proof& proof, unsigned count) {
    const auto peer = KeyExchange::initiate(crypto, method);
    if (!peer) return -1;
    const Octets text(200);
    constexpr SignatureHash hashes[]{SignatureHash::sha2_256, SignatureHash::identity};
    const auto theirs = proof.own ? sign(crypto, proof.own->key, text, hashes, false) : Result<Auth>{Auth{}};
    if (!theirs) return -1;
    const auto start = Clock::now();
    for (unsigned i = 0; i < count; ++i) {
        const auto pair = KeyExchange::initiate(crypto, method);
        if (!pair || !(*pair)->finish((*peer)->public_value())) return -1;
        if (!proof.own) continue;
        if (!verify(crypto, *proof.peers, *theirs, text, false)) return -1;
        if (!sign(crypto, proof.own->key, text, hashes, false)) return -1;
    }
    return seconds(Clock::now() - start);
}

/// A gateway has run before, and its heap has pages. To be given one for the first time is the machine's doing, took
/// eighteen microseconds in a virtual one, and is no part of what is measured here.
void grow_heap(std::size_t octets) {
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    void* const held = std::malloc(octets);
    if (held == nullptr) return;
    explicit_bzero(held, octets);  // touched, whatever a compiler thinks of it
    std::free(held);
}

constexpr std::size_t octets_of_both_ends = 40'000;  // an IKE SA's here and there, its configuration and its messages

struct Output {
    bool json = false;
    unsigned count = 200;
    std::size_t standing = 10'000;
};

bool negotiations(const Output& out) {
    struct Row {
        const char *label, *proposal;
        KeMethod method;
        const char* key;
    };
    constexpr Row rows[]{{"pre-shared key, x25519", "aes128gcm16-prfsha256-x25519", KeMethod::x25519, ""},
                         {"pre-shared key, ecp256", "aes128gcm16-prfsha256-ecp256", KeMethod::ecp256, ""},
                         {"pre-shared key, modp2048", "aes128gcm16-prfsha256-modp2048", KeMethod::modp2048, ""},
                         {"ECDSA P-256, x25519", "aes128gcm16-prfsha256-x25519", KeMethod::x25519, "P-256"},
                         {"RSA 2048, x25519", "aes128gcm16-prfsha256-x25519", KeMethod::x25519, "RSA 2048"}};
    if (!out.json)
        std::printf("%-28s %14s %18s %8s %16s\n", "responder", "negotiations/s", "public keys alone", "share",
                    "first packet, us");
    const auto crypto = CryptoContext::deterministic(1);
    if (!crypto) return false;
    for (const Row& row : rows) {
        const Proof proof = proof_by(**crypto, row.key);
        // In alternation, so that both see the same machine.
        constexpr unsigned rounds = 10;
        Crowd crowd{row.proposal, proof, out.count};
        double alone = 0;
        Clock::duration both{};
        for (unsigned i = 0; i < out.count; ++i) {
            if (i % (out.count / rounds + 1) == 0)
                alone += public_keys_alone(**crypto, row.method, proof, out.count / rounds + 1);
            const auto start = Clock::now();
            if (!crowd.order(&Engine::up, Crowd::name_of(i))) return false;
            both += Clock::now() - start;
        }
        const unsigned alone_count =
            (out.count + out.count / rounds) / (out.count / rounds + 1) * (out.count / rounds + 1);
        if (alone <= 0 || crowd.standing() != out.count) {
            std::fprintf(stderr, "torii-ike-bench: %s failed\n", row.label);
            return false;
        }
        const double whole_rate = out.count / seconds(crowd.spent()), alone_rate = alone_count / alone;
        const double first_packet_us = 1e6 * seconds(both) / out.count;
        if (out.json)
            std::printf(
                "{\"row\":\"%s\",\"negotiations_per_second\":%.0f,\"public_keys_per_second\":%.0f,"
                "\"first_packet_us\":%.0f}\n",
                row.label, whole_rate, alone_rate, first_packet_us);
        else
            std::printf("%-28s %14.0f %18.0f %7.0f%% %16.0f\n", row.label, whole_rate, alone_rate,
                        100 * whole_rate / alone_rate, first_packet_us);
    }
    return true;
}

bool thousands(const Output& out) {
    Crowd crowd{"aes128gcm16-prfsha256-x25519", {}, out.standing + out.count};
    const auto say = [&](const char* what, const char* unit, double value) {
        if (out.json)
            std::printf("{\"row\":\"%s\",\"standing\":%zu,\"unit\":\"%s\",\"value\":%.4g}\n", what, out.standing, unit,
                        value);
        else
            std::printf("%-44s %12.4g %s\n", what, value, unit);
    };
    const auto all = [&](Result<Actions> (Engine::*what)(std::string_view, const Now&), std::size_t from,
                         const char* suffix) {
        for (std::size_t i = from; i < from + out.count; ++i)
            if (!crowd.order(what, Crowd::name_of(i) + suffix)) return false;
        return true;
    };
    crowd.weigh(true);
    for (std::size_t i = 0; i < out.standing; ++i)
        if (!crowd.order(&Engine::up, Crowd::name_of(i))) return false;
    crowd.weigh(false);
    if (crowd.standing() != out.standing) {
        std::fprintf(stderr, "torii-ike-bench: %zu IKE SAs stand instead of %zu\n", crowd.standing(), out.standing);
        return false;
    }
    if (!out.json) std::printf("\nwith %zu IKE SAs standing, each with a child\n", out.standing);
    say("memory of an IKE SA and its child", "octets",
        static_cast<double>(crowd.octets_held()) / static_cast<double>(out.standing));
    (void)crowd.spent();
    if (!all(&Engine::up, out.standing, "")) return false;
    say("negotiations, pre-shared key, x25519", "a second", out.count / seconds(crowd.spent()));
    if (!all(&Engine::rekey, 0, "/child")) return false;
    say("rekeys of a child", "a second", out.count / seconds(crowd.spent()));
    if (!all(&Engine::rekey, 0, "")) return false;
    say("rekeys of an IKE SA", "a second", out.count / seconds(crowd.spent()));
    crowd.pass(Crowd::idle_time);  // the old ones of the rekeys are gone
    (void)crowd.spent();
    constexpr int times = 3;
    crowd.pass(times * Crowd::idle_time);
    const double idle = seconds(crowd.spent());
    say("liveness of all, each asked every 30 s", "% of a core",
        100 * idle / (times * static_cast<double>(Crowd::idle_time.count()) / 1000));
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    Output out;
    std::vector<unsigned long> numbers;
    for (int i = 1; i < argc; ++i)
        if (std::strcmp(argv[i], "--json") == 0)
            out.json = true;
        else
            numbers.push_back(std::strtoul(argv[i], nullptr, 10));
    if (!numbers.empty()) out.count = static_cast<unsigned>(numbers[0]);
    if (numbers.size() > 1) out.standing = numbers[1];
    if (out.count == 0 || out.standing < out.count) {
        std::fprintf(
            stderr,
            "usage: torii-ike-bench [--json] [COUNT [STANDING]]\n"
            "  COUNT      negotiations a row, 200 unless told\n"
            "  STANDING   IKE SAs that stand while as many more are negotiated, 10000 unless told; COUNT at least\n");
        return 2;
    }
    grow_heap((out.standing + out.count) * octets_of_both_ends);
    return negotiations(out) && thousands(out) ? 0 : 1;
}
