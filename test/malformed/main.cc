// The malformed suite (test/README.md has its protocol): hostile frames, first one at a time, so that each one's fate
// is known exactly, then in bursts that mix them all. Under AddressSanitizer; a third of the frames lie in buffers of
// exactly their size.   torii-malformed [SEED]
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "account.h"
#include "expectations.h"

namespace {

using namespace torii;
using namespace torii::test;

bool good = true;

/// One line of the suite's result; `why` is empty for a pass.
void report(const std::string& title, const std::string& why = {}) {
    good &= why.empty();
    std::printf(why.empty() ? "ok %s\n" : "not ok %s - %s\n", title.c_str(), why.c_str());
    std::fflush(stdout);
}

/// The gateway of hostile_setkey: two workers, so that packets are handed over between them.
Configuration configuration() {
    Configuration c;
    c.workers = 2;
    c.burst = 256;
    c.mbufs = 8191;
    c.ports = {{.name = "office",
                .device = "",
                .addresses = {{Address::v4(number("10.0.1.1")), 24}},
                .role = PortRole::protected_port},
               {.name = "world",
                .device = "",
                .addresses = {{Address::v4(number("20.0.0.1")), 24}},
                .role = PortRole::unprotected_port}};
    for (PortConfiguration& gif : hostile_gifs()) c.ports.push_back(std::move(gif));
    c.routes = {{Prefix{Address::v4(number("10.0.0.0")), 16}, Address::v4(number("20.0.0.2")), "world"}};
    c.neighbours = {{Address::v4(number("10.0.1.5")), host_mac, "office"}};
    for (std::uint32_t last = 2; last <= 19; ++last)
        c.neighbours.push_back({Address::v4(number("20.0.0.0") + last), peer_mac, "world"});
    return c;
}

void valid_frames_pass(Peers& peers, Account& account, const std::string& when) {
    for (const Recipe& recipe : valid_frames(peers)) {
        const Octets frame = recipe.make();
        const Outcome o = account.send(recipe, frame);
        const bool passed = o.dropped == 0 && o.forwarded + o.echo_replies + o.arp_frames == 1;
        report(recipe.kind + " passes " + when, passed ? "" : "it did not");
    }
}

void each_has_its_name(Peers& peers, Wires& gateway, Account& account) {
    for (const Expectation& expected : expectations(peers)) {
        if (expected.drop == Drop::replayed) account.send(expected.recipe, expected.recipe.make());
        const std::uint64_t before = gateway.drops(expected.drop);
        const auto all_before = account.drops();
        const Outcome outcome = account.send(expected.recipe, expected.recipe.make());
        std::string why = wrong_fate(false, outcome);
        if (why.empty() && gateway.drops(expected.drop) != before + 1) {
            why = outcome.dropped == 0 ? "it was not dropped" : "it was dropped as";
            for (const auto& [name, count] : account.drops())
                if (const auto had = all_before.find(name); had == all_before.end() || had->second != count)
                    why += " " + name;
        }
        report(expected.title, why);
    }
}

/// Every frame by itself: exactly one fate.
void one_at_a_time(const std::vector<Recipe>& recipes, Account& account) {
    std::string wrong;
    std::size_t wrong_ones = 0;
    for (const Recipe& recipe : recipes) {
        const Octets frame = recipe.make();
        const std::string why = wrong_fate(is_arp(recipe, frame), account.send(recipe, frame));
        if (why.empty()) continue;
        ++wrong_ones;
        if (wrong.empty()) wrong = recipe.kind + ": " + why;
    }
    if (wrong_ones != 0) wrong = std::to_string(wrong_ones) + " did not, the first of them " + wrong;
    report("each of " + std::to_string(recipes.size()) +
               " hostile frames ends as one named drop, one forward or one answer",
           wrong);
}

/// The same kinds in bursts of 1 to 256 over both ports and all queues: the books balance.
void in_bursts(const std::vector<Recipe>& recipes, Account& account, Random& random) {
    std::uint64_t sent = 0, arp_frames = 0;
    Outcome sum;
    for (std::size_t next = 0; next < recipes.size();) {
        const std::size_t end = std::min(recipes.size(), next + 1 + random() % 256);
        for (; next < end; ++next) {
            const Octets frame = recipes[next].make();
            if (!account.offer(recipes[next], frame, static_cast<unsigned>(random() % 2))) continue;
            ++sent;
            arp_frames += is_arp(recipes[next], frame);
        }
        const Outcome o = account.settle();
        sum.forwarded += o.forwarded, sum.echo_replies += o.echo_replies, sum.dropped += o.dropped;
        sum.reported += o.reported, sum.arp_refused += o.arp_refused;
    }
    const std::uint64_t fates = sum.forwarded + sum.echo_replies + sum.dropped + arp_frames - sum.arp_refused;
    const bool balanced = fates >= sent && fates <= sent + sum.reported;  // an ICMP error may itself be dropped
    report("in bursts of 1 to 256 that mix " + std::to_string(sent) + " of them the books balance",
           balanced ? "" : std::to_string(sent) + " went in, " + std::to_string(fates) + " met a fate");
}

void nothing_bad_came_out(const Account& account) {
    const auto first = [](const std::vector<std::string>& lines) {
        return lines.empty() ? "" : std::to_string(lines.size()) + " were not, first " + lines.front();
    };
    report("what leaves has right lengths, a right checksum and one station's MAC", first(account.malformed()));
    report("what leaves is what the policies let out, and never in clear what they protect", first(account.leaked()));
}

}  // namespace

int main(int count, char** arguments) {
    const std::uint64_t seed = count > 1 ? std::strtoull(arguments[1], nullptr, 0) : std::random_device{}();
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    Random random{seed};
    start_test_eal(2);
    {
        Peers peers;
        Wires gateway{configuration()};
        gateway.setkey(hostile_setkey(peers));
        Account account{gateway};
        valid_frames_pass(peers, account, "before the storm");
        each_has_its_name(peers, gateway, account);
        one_at_a_time(hostile_frames(peers, random), account);
        in_bursts(hostile_frames(peers, random), account, random);
        nothing_bad_came_out(account);
        report("every packet buffer is back in its pool",
               gateway.buffers_missing() == 0 ? "" : std::to_string(gateway.buffers_missing()) + " are missing");
        gateway.setkey("spdadd 10.0.13.0/24 10.0.1.0/24 any -P in none;");
        gateway.turn();
        const Outcome after =
            account.send({"", world, Room::exact, {}}, ethernet(ipv4("10.0.13.5", "10.0.1.5", 17, udp(1, 2, {}))));
        report("the control core takes changes after the storm",
               after.forwarded == 1 ? "" : "a new policy has no effect");
        valid_frames_pass(peers, account, "after the storm");
        std::printf("%llu forwarded; drops by name:\n", static_cast<unsigned long long>(account.forwarded()));
        for (const auto& [name, drops] : account.drops())
            std::printf("  %8llu %s\n", static_cast<unsigned long long>(drops), name.c_str());
    }
    return good ? 0 : 1;
}
