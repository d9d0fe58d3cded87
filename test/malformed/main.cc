// The malformed suite (test/README.md has its protocol): hostile frames, first one at a time, so that each one's fate
// is known exactly, then in bursts that mix them all. Under AddressSanitizer; a third of the frames lie in buffers of
// exactly their size. With a COUNT a storm of so many mutated packets is all there is, through every transform of
// either family.   torii-malformed [SEED [COUNT]]
#include <algorithm>
#include <chrono>
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
    Configuration c = hostile_configuration();
    c.workers = 2;
    c.burst = 256;
    c.mbufs = 8191;
    c.natt_keepalive_seconds = 0;  // time leaps here
    return c;
}

/// Whether a frame may be followed by nothing that is counted: discovery that is taken, and fragments, of which several
/// end as one packet.
bool may_be_quiet(const Recipe& recipe, const Octets& frame) {
    if (frame.size() < sizeof(EthernetHeader) + sizeof(Ipv4Header) || is_arp(recipe, frame)) return false;
    if (may_be_taken(recipe, frame)) return true;
    if (frame[12] == std::byte{8}) return ip_of(frame).is_fragment();
    constexpr std::byte fragment_header{44};
    return std::find(frame.begin() + 20, frame.begin() + std::min<std::ptrdiff_t>(std::ssize(frame), 300),
                     fragment_header) != frame.begin() + std::min<std::ptrdiff_t>(std::ssize(frame), 300);
}

/// The reasons by which more was dropped than `before`.
std::string news_of(const Account& account, const std::map<std::string, std::uint64_t>& before) {
    std::string out;
    for (const auto& [name, count] : account.drops())
        if (const auto had = before.find(name); had == before.end() || had->second != count) out += " " + name;
    return out;
}

void valid_frames_pass(Peers& peers, Account& account, const std::string& when) {
    std::vector<Recipe> recipes = valid_frames(peers);
    std::ranges::move(valid_frames6(peers), std::back_inserter(recipes));
    for (const Recipe& recipe : recipes) {
        const Octets frame = recipe.make();
        const auto before = account.drops();
        const Outcome o = account.send(recipe, frame);
        const bool passed = o.dropped == 0 && o.forwarded + o.echo_replies + o.arp_frames == 1;
        report(recipe.kind + " passes " + when, passed ? "" : "it did not," + news_of(account, before));
    }
}

void each_has_its_name(Peers& peers, Wires& gateway, Account& account) {
    std::vector<Expectation> rows = expectations(peers);
    std::ranges::move(expectations6(peers), std::back_inserter(rows));
    for (const Expectation& expected : rows) {
        if (expected.drop == Drop::replayed) account.send(expected.recipe, expected.recipe.make());
        const std::uint64_t before = gateway.drops(expected.drop);
        const auto all_before = account.drops();
        const Outcome outcome = account.send(expected.recipe, expected.recipe.make());
        std::string why = wrong_fate(false, outcome);
        if (why.empty() && gateway.drops(expected.drop) != before + 1)
            why = outcome.dropped == 0 ? "it was not dropped" : "it was dropped as" + news_of(account, all_before);
        report(expected.title, why);
    }
}

/// Every frame by itself: exactly one fate.
void one_at_a_time(const std::vector<Recipe>& recipes, Account& account) {
    std::string wrong;
    std::size_t wrong_ones = 0;
    for (const Recipe& recipe : recipes) {
        const Octets frame = recipe.make();
        const std::string why = wrong_fate(may_be_taken(recipe, frame), account.send(recipe, frame));
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
    std::uint64_t sent = 0, arp_frames = 0, quiet = 0;
    Outcome sum;
    for (std::size_t next = 0; next < recipes.size();) {
        const std::size_t end = std::min(recipes.size(), next + 1 + random() % 256);
        for (; next < end; ++next) {
            const Octets frame = recipes[next].make();
            if (!account.offer(recipes[next], frame, static_cast<unsigned>(random() % 2))) continue;
            ++sent;
            arp_frames += is_arp(recipes[next], frame);
            quiet += may_be_quiet(recipes[next], frame);
        }
        const Outcome o = account.settle();
        sum.forwarded += o.forwarded, sum.echo_replies += o.echo_replies, sum.dropped += o.dropped;
        sum.reported += o.reported, sum.arp_refused += o.arp_refused;
    }
    const std::uint64_t fates = sum.forwarded + sum.echo_replies + sum.dropped + arp_frames - sum.arp_refused;
    // An ICMP error may itself be dropped.
    const bool balanced = fates + quiet >= sent && fates <= sent + sum.reported;
    report("in bursts of 1 to 256 that mix " + std::to_string(sent) + " of them the books balance",
           balanced ? "" : std::to_string(sent) + " went in, " + std::to_string(fates) + " met a fate");
}

/// So many mutated packets in bursts, each made when it is sent.
void storm(Peers& peers, Account& account, Random& random, std::uint64_t count) {
    const auto begin = std::chrono::steady_clock::now();
    std::uint64_t sent = 0, arp_frames = 0, quiet = 0, fates = 0, reported = 0, told = 0;
    const auto add = [&](const Outcome& o) {
        fates += o.forwarded + o.echo_replies + o.dropped - o.arp_refused;
        reported += o.reported;
    };
    while (sent < count) {
        const std::size_t port = random() % 8 == 0 ? office : world;
        for (std::size_t burst = 1 + random() % 256; burst != 0; --burst) {
            const Recipe recipe = storm_frame(peers, random, port);
            const Octets frame = recipe.make();
            if (!account.offer(recipe, frame, static_cast<unsigned>(random() % 2))) continue;
            ++sent;
            arp_frames += is_arp(recipe, frame);
            quiet += may_be_quiet(recipe, frame);
        }
        add(account.settle());
        if (port == office) account.excuse_the_office();
        if (!account.malformed().empty() || !account.leaked().empty()) break;
        if (const std::uint64_t steps = sent * 10 / count; steps != told) {
            told = steps;
            const std::chrono::duration<double> so_far = std::chrono::steady_clock::now() - begin;
            std::printf("%llu packets after %.0f s\n", static_cast<unsigned long long>(sent), so_far.count());
            std::fflush(stdout);
        }
    }
    add(account.wait_out());
    fates += arp_frames;
    const bool balanced = fates + quiet >= sent && fates <= sent + reported;
    report("the books balance after " + std::to_string(sent) + " mutated packets over all transforms",
           balanced ? "" : std::to_string(fates) + " met a fate, " + std::to_string(quiet) + " may have met none");
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
        if (count > 2) {
            storm(peers, account, random, std::strtoull(arguments[2], nullptr, 0));
        } else {
            each_has_its_name(peers, gateway, account);
            for (const auto make : {hostile_frames, hostile_frames6}) one_at_a_time(make(peers, random), account);
            in_bursts(hostile_frames(peers, random), account, random);
            in_bursts(hostile_frames6(peers, random), account, random);
        }
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
