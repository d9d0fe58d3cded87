// What IKE costs a responder: whole negotiations (IKE_SA_INIT and IKE_AUTH with one child), beside the public-key
// operations alone that no responder can do without. Only the responder's own work is timed; both ends are in this
// process, and nothing waits for a network.   torii-ike-bench [--json] [COUNT]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "ike/crypto/key_exchange.h"
#include "unit/ike/v2/world.h"

using namespace torii;
using namespace torii::ike;
using namespace torii::ike::test;

namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

/// Seconds of the responder's work for `count` negotiations; negative: one of them failed.
double negotiate(const std::string& proposal, unsigned count) {
    Clock::duration spent{};
    for (unsigned i = 0; i < count; ++i) {
        World world{i + 1};
        auto mine = connection(1, 2), other = connection(2, 1);
        mine->proposals = other->proposals = {*parse_ike_proposal(proposal, LegacyAlgorithms::refused)};
        Node& initiator = world.add("initiator", config_of({mine}));
        Node& responder = world.add("responder", config_of({other}));
        auto up = initiator.engine->up("to-2", world.now());
        if (!up) return -1;
        world.perform(initiator, std::move(*up));
        while (!world.flights.empty()) {
            Flight flight = std::move(world.flights.front());
            world.flights.erase(world.flights.begin());
            Datagram datagram{flight.datagram.remote, flight.datagram.local, std::move(flight.datagram.octets)};
            Node& node = *world.owner(datagram.local.address);
            const auto start = Clock::now();
            Actions actions = node.engine->receive(datagram, world.now());
            if (&node == &responder) spent += Clock::now() - start;
            world.perform(node, std::move(actions));
        }
        if (count_children(responder, ChildSa::State::installed) != 1) return -1;
    }
    return seconds(spent);
}

/// The key pair and the secret of `count` negotiations.
double public_keys_alone(CryptoContext& crypto, KeMethod method, unsigned count) {
    const auto peer = KeyExchange::make(crypto, method);
    if (!peer) return -1;
    const auto start = Clock::now();
    for (unsigned i = 0; i < count; ++i) {
        const auto pair = KeyExchange::make(crypto, method);
        if (!pair || !(*pair)->agree((*peer)->public_value())) return -1;
    }
    return seconds(Clock::now() - start);
}

}  // namespace

int main(int argc, char** argv) {
    bool json = false;
    unsigned count = 200;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--json") == 0)
            json = true;
        else
            count = static_cast<unsigned>(std::strtoul(argv[i], nullptr, 10));
    }
    if (count == 0) {
        std::fprintf(stderr, "usage: torii-ike-bench [--json] [COUNT]   COUNT negotiations a row, 200 unless told\n");
        return 2;
    }
    const auto crypto = CryptoContext::deterministic(1);
    if (!crypto) return 1;
    struct Row {
        const char* proposal;
        KeMethod method;
    };
    constexpr Row rows[]{{"aes128gcm16-prfsha256-x25519", KeMethod::x25519},
                         {"aes128gcm16-prfsha256-ecp256", KeMethod::ecp256},
                         {"aes128gcm16-prfsha256-modp2048", KeMethod::modp2048}};
    if (!json)
        std::printf("%-32s %14s %18s %8s\n", "IKE, pre-shared key, responder", "negotiations/s", "public keys alone",
                    "share");
    for (const Row& row : rows) {
        // one after the other, so that both see the same machine
        const double alone = public_keys_alone(**crypto, row.method, count);
        const double whole = negotiate(row.proposal, count);
        if (alone <= 0 || whole <= 0) {
            std::fprintf(stderr, "torii-ike-bench: %s failed\n", row.proposal);
            return 1;
        }
        if (json)
            std::printf("{\"proposal\":\"%s\",\"negotiations_per_second\":%.0f,\"public_keys_per_second\":%.0f}\n",
                        row.proposal, count / whole, count / alone);
        else
            std::printf("%-32s %14.0f %18.0f %7.0f%%\n", row.proposal, count / whole, count / alone,
                        100 * alone / whole);
    }
    return 0;
}
