// SpdIndex against find_linear, and find_linear against a model that shares no code with either: it compares addresses
// as written bits. The universe is small, so that rules overlap and packets hit; a failure prints its seed.
#include <bitset>
#include <random>

#include "catch.h"
#include "policy/spd.h"

using namespace torii;

namespace {

// ---- the model

/// "4:00001010..." or "6:...": a prefix holds an address when its writing starts the address's.
std::string written_bits(const Address& address, unsigned length) {
    std::string out;
    for (const std::byte octet : address.octets()) out += std::bitset<8>(std::to_integer<unsigned>(octet)).to_string();
    return (address.is_v4() ? "4:" : "6:") + out.substr(0, length);
}

class Model {
public:
    explicit Model(const std::vector<PolicyPtr>& in_order) {
        for (const auto& policy : in_order) {
            const auto& [source, destination, source_ports, destination_ports, protocol, tag] = policy->selector;
            rows_.push_back({policy.get(), written_bits(source.base(), source.length()),
                             written_bits(destination.base(), destination.length())});
        }
    }

    Found find(const PacketSelector& packet) const {
        const auto source = written_bits(packet.source, 128), destination = written_bits(packet.destination, 128);
        bool open_question = false;
        for (const Row& row : rows_) {
            if (!row.policy->selector.tag.empty()) {
                if (packet.tag != Tag::none && packet.tag == row.policy->tag) return {row.policy, open_question};
                continue;
            }
            if (!source.starts_with(row.source) || !destination.starts_with(row.destination)) continue;
            const auto answer = upper_layers(row.policy->selector, packet);
            if (answer == Answer::yes) return {row.policy, open_question};
            if (answer == Answer::unknown) open_question = true;
        }
        return {nullptr, open_question};
    }

private:
    struct Row {
        const Policy* policy;
        std::string source, destination;
    };
    enum class Answer { no, yes, unknown };

    static Answer upper_layers(const Selector& rule, const PacketSelector& packet) {
        if (rule.protocol.value_or(packet.protocol) != packet.protocol) return Answer::no;
        const auto [from, to] = rule.source_ports;
        const auto [other_from, other_to] = rule.destination_ports;
        if (from == 0 && to == 65535 && other_from == 0 && other_to == 65535) return Answer::yes;
        switch (packet.protocol) {
            case 6:
            case 17:
            case 33:
            case 132:
            case 136: break;
            case 1:
            case 47:
            case 58:
                if (!rule.protocol) return Answer::no;
                break;
            default: return Answer::no;
        }
        if (!packet.ports_known) return Answer::unknown;
        if (packet.source_port < from || packet.source_port > to) return Answer::no;
        if (packet.destination_port < other_from || packet.destination_port > other_to) return Answer::no;
        return Answer::yes;
    }

    std::vector<Row> rows_;
};

// ---- a small universe

class Universe {
public:
    explicit Universe(std::uint64_t seed) : random_(seed) {}

    unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
    bool one_in(unsigned n) { return below(n) == 0; }
    template <std::size_t n>
    unsigned one_of(const unsigned (&choices)[n]) {
        return choices[below(n)];
    }

    Family family() { return one_in(2) ? Family::ipv4 : Family::ipv6; }
    /// One of two places, often with one bit of it turned, so that prefixes of every length tell them apart.
    Address address(Family family) {
        std::array<std::byte, 16> octets{};
        const std::size_t size = family == Family::ipv4 ? 4 : 16;
        octets.fill(static_cast<std::byte>(one_of({0x00, 0x0a})));
        if (one_in(2)) octets[below(static_cast<unsigned>(size))] ^= static_cast<std::byte>(1u << below(8));
        return Address::from_octets(std::span{octets}.first(size));
    }
    Prefix prefix(Family family) {
        const Address base = address(family);
        return {base, one_in(2) ? below(5) : below(base.bits() + 1)};
    }
    std::uint16_t port() { return static_cast<std::uint16_t>(one_of({0, 1, 2, 8, 80, 81, 65534, 65535})); }
    PortRange ports() {
        if (one_in(2)) return PortRange::any();
        return one_in(2) ? PortRange::only(port()) : PortRange{port(), port()};  // empty where it comes out backwards
    }
    std::uint8_t protocol() { return static_cast<std::uint8_t>(one_of({0, 1, 6, 6, 6, 17, 17, 33, 47, 58, 132, 136})); }

    Selector addresses_and_protocol() {
        Selector out;
        const Family from = family();
        out.source = prefix(from);
        out.destination = prefix(one_in(30) ? family() : from);
        if (!one_in(3)) out.protocol = protocol();
        return out;
    }
    /// Every third differs from an earlier one in its ports at most.
    std::vector<PolicyPtr> policies(unsigned count) {
        std::vector<PolicyPtr> out;
        while (out.size() < count) {
            auto next = std::make_shared<Policy>();
            next->selector = !out.empty() && one_in(3) ? out[below(static_cast<unsigned>(out.size()))]->selector
                                                       : addresses_and_protocol();
            if (!one_in(3)) next->selector.source_ports = ports();
            if (!one_in(3)) next->selector.destination_ports = ports();
            if (one_in(15)) {
                next->selector = {.tag = "tag"};
                next->tag = tag();
            }
            out.push_back(std::move(next));
        }
        return out;
    }
    Tag tag() { return Tag{static_cast<std::uint8_t>(one_of({1, 2, 64, 127}))}; }
    PacketSelector packet() {
        PacketSelector out;
        const Family from = family();
        out.source = address(from);
        out.destination = address(one_in(100) ? family() : from);
        out.protocol = protocol();
        out.source_port = port();
        out.destination_port = port();
        out.ports_known = !one_in(4);
        if (one_in(3)) out.tag = tag();
        return out;
    }

private:
    std::mt19937_64 random_;
};

struct Seen {
    unsigned matched_first = 0, matched_later = 0, unmatched = 0, needed_ports = 0, needed_ports_and_matched = 0;

    void count(const Found& found, const std::vector<PolicyPtr>& in_order) {
        if (found.policy) ++(found.policy == in_order.front().get() ? matched_first : matched_later);
        if (!found.policy) ++unmatched;
        if (found.needs_ports) ++(found.policy ? needed_ports_and_matched : needed_ports);
    }
};

bool same(const Found& a, const Found& b) { return a.policy == b.policy && a.needs_ports == b.needs_ports; }

/// What is wrong, with the rules down to the later of the two answers; empty when all three agree.
std::string disagreement(const std::vector<PolicyPtr>& in_order, const PacketSelector& packet, const Found& model,
                         const Found& walked, const Found& looked_up) {
    if (same(model, walked) && same(walked, looked_up)) return {};
    const auto told = [](const Found& found) {
        return (found.policy ? found.policy->selector.text() : "nothing") + (found.needs_ports ? ", needs ports" : "");
    };
    std::string out = packet.text() + "\n  model:  " + told(model) + "\n  linear: " + told(walked) +
                      "\n  index:  " + told(looked_up) + "\n  among:";
    for (const auto& policy : in_order) out += "\n    " + policy->selector.text();
    return out;
}

void compare(Universe& universe, const std::vector<PolicyPtr>& in_order, unsigned packets, Seen& seen) {
    const Model model{in_order};
    const SpdIndex index{in_order};
    for (unsigned i = 0; i < packets; ++i) {
        const auto packet = universe.packet();
        const auto expected = model.find(packet);
        const auto wrong = disagreement(in_order, packet, expected, find_linear(in_order, packet), index.find(packet));
        if (!wrong.empty()) FAIL(wrong);
        seen.count(expected, in_order);
    }
}

}  // namespace

TEST_CASE("the index, the linear walk and a model on written bits agree on small random SPDs") {
    Seen seen;
    for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
        INFO("seed " << seed);
        Universe universe{seed};
        compare(universe, universe.policies(1 + universe.below(40)), 50, seen);
    }
    // every kind of answer was there to disagree about
    CHECK(seen.matched_first > 1000);
    CHECK(seen.matched_later > 1000);
    CHECK(seen.unmatched > 1000);
    CHECK(seen.needed_ports > 1000);
    CHECK(seen.needed_ports_and_matched > 1000);
}

TEST_CASE("the index, the linear walk and the model agree on random SPDs of thousands of policies") {
    Seen seen;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        INFO("seed " << seed);
        Universe universe{seed};
        // no policy for everything in front, which would answer all
        auto in_order = universe.policies(3000);
        std::ranges::stable_sort(in_order, std::greater{}, [](const PolicyPtr& policy) {
            return policy->selector.source.length() + policy->selector.destination.length();
        });
        compare(universe, in_order, 300, seen);
    }
    CHECK(seen.matched_later > 500);
    CHECK(seen.needed_ports_and_matched > 100);
}

TEST_CASE("ten thousand pairs of offices are each found by their own policy") {
    std::vector<PolicyPtr> in_order;
    const auto office = [](std::uint32_t number) { return Prefix{Address::v4(0x0a000000 + number * 256), 24}; };
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        auto policy = std::make_shared<Policy>();
        policy->selector.source = office(2 * i);
        policy->selector.destination = office(2 * i + 1);
        in_order.push_back(std::move(policy));
    }
    const SpdIndex index{in_order};
    const auto inside = [](const Prefix& prefix) { return Address::v4(prefix.base().v4_number() + 77); };
    unsigned found = 0;
    for (const auto& policy : in_order) {
        const PacketSelector there{
            inside(policy->selector.source), inside(policy->selector.destination), 1024, 80, 6, true};
        const PacketSelector back{there.destination, there.source, 80, 1024, 6, true};
        found += index.find(there).policy == policy.get() && index.find(back).policy == nullptr;
    }
    CHECK(found == 10'000);
}
