// The compiled SPD: tuple space search. Rules of one shape, that is of the same prefix lengths and the same choice of
// protocol and single ports, differ only in values, so one hash probe finds the first of them that a packet matches.
// A rule and a packet become the same five words; a shape is a mask over them. Shapes that share the length of their
// source prefix form a group, passed by where the packet's source is no prefix of that length. Groups, and the shapes
// in them, are visited in the order of their best rule, and the walk ends where no better one can follow. Built on the
// control thread, read by any.
#include <algorithm>
#include <bit>
#include <limits>
#include <random>

#include "policy/spd.h"

namespace torii {

namespace {

/// Source address, destination address, and everything else (see upper_word).
using Words = std::array<std::uint64_t, 5>;
constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

constexpr std::uint64_t source_is_ipv6 = 1u << 8, destination_is_ipv6 = 1u << 9;
constexpr std::uint64_t carries_ports = 1u << 10;  // two ports, and no ICMP type and code in their place
constexpr std::uint64_t families = source_is_ipv6 | destination_is_ipv6, protocol_bits = 0xff;
constexpr unsigned source_port_shift = 16, destination_port_shift = 32, tag_shift = 48;
constexpr std::uint64_t any_port = 0xffff, any_tag = 0xff;

Words address_words(const Address& source, const Address& destination) {
    Words words{};
    std::memcpy(&words[0], source.raw().data(), 16);
    std::memcpy(&words[2], destination.raw().data(), 16);
    words[4] = (source.is_v4() ? 0 : source_is_ipv6) | (destination.is_v4() ? 0 : destination_is_ipv6);
    return words;
}

/// Ones over the first `length` bits of the 64 that `word` of an address holds, in the order memory has them.
std::uint64_t mask_word(unsigned length, unsigned word) {
    const unsigned bits = std::clamp(length, 64 * word, 64 * word + 64) - 64 * word;
    const std::uint64_t ones = bits == 0 ? 0 : ~std::uint64_t{0} << (64 - bits);
    static_assert(std::endian::native == std::endian::little);
    return __builtin_bswap64(ones);
}

Words operator&(const Words& a, const Words& b) {
    return {a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3], a[4] & b[4]};
}

Words words_of(const PacketSelector& packet) {
    Words words = address_words(packet.source, packet.destination);
    words[4] |= packet.protocol | (has_ports(packet.protocol) ? carries_ports : 0);
    words[4] |= std::uint64_t{packet.source_port} << source_port_shift;
    words[4] |= std::uint64_t{packet.destination_port} << destination_port_shift;
    words[4] |= static_cast<std::uint64_t>(packet.tag) << tag_shift;
    return words;
}

/// One rule as the tables see it: it matches where (packet & mask) == key and the ports lie in the two ranges.
struct Rule {
    Words mask{}, key{};
    const Policy* policy = nullptr;
    std::uint32_t rank = 0;
    PortRange source_ports, destination_ports;
};

/// The rule without its ports.
Rule rule_of(const Policy& policy, std::uint32_t rank) {
    const Selector& selector = policy.selector;
    Rule rule;
    rule.policy = &policy;
    rule.rank = rank;
    rule.key = address_words(selector.source.base(), selector.destination.base());
    rule.mask = {mask_word(selector.source.length(), 0), mask_word(selector.source.length(), 1),
                 mask_word(selector.destination.length(), 0), mask_word(selector.destination.length(), 1), families};
    if (selector.protocol) {
        rule.key[4] |= *selector.protocol;
        rule.mask[4] |= protocol_bits;
    } else if (selector.asks_for_ports()) {
        rule.key[4] |= carries_ports;
        rule.mask[4] |= carries_ports;
    }
    return rule;
}

/// A rule that asks for a tag asks for nothing else. Without a number it is asked for what no packet bears.
Rule tag_rule_of(const Policy& policy, std::uint32_t rank) {
    Rule rule;
    rule.policy = &policy;
    rule.rank = rank;
    rule.mask[4] = any_tag << tag_shift;
    rule.key[4] = (policy.tag == Tag::none ? any_tag : static_cast<std::uint64_t>(policy.tag)) << tag_shift;
    return rule;
}

/// A single port goes into the key, a range stays to be compared.
void ask_for(const PortRange& ports, unsigned shift, Rule& rule, PortRange& range) {
    if (ports.low == ports.high) {
        rule.key[4] |= std::uint64_t{ports.low} << shift;
        rule.mask[4] |= any_port << shift;
    } else {
        range = ports;
    }
}

Rule with_ports(Rule rule) {
    const Selector& selector = rule.policy->selector;
    ask_for(selector.source_ports, source_port_shift, rule, rule.source_ports);
    ask_for(selector.destination_ports, destination_port_shift, rule, rule.destination_ports);
    return rule;
}

/// Keeps strangers from choosing addresses that meet in one place. Zero words of IPv4 addresses do no harm.
class Hash {
public:
    Hash() {
        std::random_device random;
        for (auto& word : secret_) word = std::uint64_t{random()} << 32 | random();
    }
    std::uint64_t operator()(const Words& words) const {
        const auto addresses =
            fold(words[0] ^ secret_[0], words[2] ^ secret_[1]) ^ fold(words[1] ^ secret_[2], words[3] ^ secret_[3]);
        return fold(addresses ^ secret_[4], words[4] ^ secret_[5]);
    }

private:
    static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
        const auto product = static_cast<unsigned __int128>(a) * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    }
    std::array<std::uint64_t, 6> secret_;
};

/// A rule in its table. Those of one key stand in a chain, best first. One cache line.
struct alignas(64) Entry {
    Words key;
    const Policy* policy;
    std::uint32_t rank;
    std::uint32_t next;  // entry with the same key and a later rank, or `none`
    PortRange source_ports, destination_ports;

    bool has_open_ports() const { return source_ports.is_any() && destination_ports.is_any(); }
    bool takes(const PacketSelector& ports) const {
        return source_ports.contains(ports.source_port) && destination_ports.contains(ports.destination_port);
    }
};
static_assert(sizeof(Entry) == 64);

struct Slot {
    std::uint32_t tag = 0;  // the hash's other half: spares a look at entries of another key
    std::uint32_t entry = none;
};

/// All rules of one shape: the part of the table's slots that they hash into, a power of two at most half full.
struct Tuple {
    Words mask;
    std::uint32_t best_rank;
    std::uint32_t first_slot, slot_mask;
};

/// All tuples of one length of source prefix, by best rank. Its filter is a bitmap of the hashes of those prefixes:
/// most packets come from none of them and pass by all the tuples at the price of one look.
struct Group {
    Words source_mask;
    std::uint32_t best_rank;
    std::uint32_t first_tuple, end_tuple;
    std::uint32_t first_filter_word, filter_mask;
};

/// The mask's words for the source address alone.
Words source_of(const Words& mask) { return {mask[0], mask[1], 0, 0, 0}; }

/// The longest start of `rules` that `key` maps to one value.
template <class Key>
std::span<const Rule> first_run(std::span<const Rule> rules, Key key) {
    const auto end =
        std::ranges::find_if(rules, [&](const Rule& rule) { return key(rule.mask) != key(rules.front().mask); });
    return rules.first(static_cast<std::size_t>(end - rules.begin()));
}

/// An immutable set of rules, asked for the first that matches.
class Table {
public:
    Table(std::vector<Rule> rules, const Hash& hash);

    /// The matching rule of the lowest rank below `limit`; null when there is none.
    const Entry* first(const Words& packet, const PacketSelector& ports, std::uint32_t limit) const {
        const Entry* best = nullptr;
        for (const Group& group : groups_) {
            if (group.best_rank >= limit) break;
            if (!may_hold(group, packet)) continue;
            for (std::uint32_t i = group.first_tuple; i != group.end_tuple && tuples_[i].best_rank < limit; ++i) {
                const Entry* const entry = first_of(tuples_[i], packet, ports, limit);
                if (!entry) continue;
                best = entry;
                limit = entry->rank;
            }
        }
        return best;
    }

private:
    bool may_hold(const Group& group, const Words& packet) const {
        const auto bit = hash_(packet & group.source_mask);
        return (filter_[group.first_filter_word + (bit >> 6 & group.filter_mask)] >> (bit & 63) & 1) != 0;
    }
    const Entry* first_of(const Tuple& tuple, const Words& packet, const PacketSelector& ports,
                          std::uint32_t limit) const {
        const Words key = packet & tuple.mask;
        for (auto i = slots_[slot_of(tuple, key, hash_(key))].entry; i != none && entries_[i].rank < limit;
             i = entries_[i].next)
            if (entries_[i].takes(ports)) return &entries_[i];
        return nullptr;
    }
    std::size_t slot_of(const Tuple& tuple, const Words& key, std::uint64_t hash) const;
    void add_group(std::span<const Rule> rules);
    void add_tuple(std::span<const Rule> descending);
    void insert(const Tuple& tuple, const Rule& rule);

    Hash hash_;
    std::vector<Group> groups_;  // by best rank
    std::vector<std::uint64_t> filter_;
    std::vector<Tuple> tuples_;
    std::vector<Slot> slots_;
    std::vector<Entry> entries_;
};

Table::Table(std::vector<Rule> rules, const Hash& hash) : hash_(hash) {
    std::ranges::sort(
        rules, [](const Rule& a, const Rule& b) { return a.mask != b.mask ? a.mask < b.mask : a.rank > b.rank; });
    entries_.reserve(rules.size());
    for (std::span<const Rule> rest{rules}; !rest.empty();) {
        const auto group = first_run(rest, source_of);
        add_group(group);
        rest = rest.subspan(group.size());
    }
    std::ranges::sort(groups_, {}, &Group::best_rank);
}

void Table::add_group(std::span<const Rule> rules) {
    const auto filter_words = std::bit_ceil(rules.size() / 4 + 1);  // at least 16 bits for each prefix
    Group group{source_of(rules.front().mask),
                none,
                static_cast<std::uint32_t>(tuples_.size()),
                0,
                static_cast<std::uint32_t>(filter_.size()),
                static_cast<std::uint32_t>(filter_words - 1)};
    filter_.resize(filter_.size() + filter_words);
    for (const Rule& rule : rules) {
        const auto bit = hash_(rule.key & group.source_mask);
        filter_[group.first_filter_word + (bit >> 6 & group.filter_mask)] |= std::uint64_t{1} << (bit & 63);
    }
    for (auto rest = rules; !rest.empty();) {
        const auto tuple = first_run(rest, [](const Words& mask) { return mask; });
        add_tuple(tuple);
        rest = rest.subspan(tuple.size());
    }
    std::ranges::sort(tuples_.begin() + group.first_tuple, tuples_.end(), {}, &Tuple::best_rank);
    group.best_rank = tuples_[group.first_tuple].best_rank;
    group.end_tuple = static_cast<std::uint32_t>(tuples_.size());
    groups_.push_back(group);
}

/// `descending` holds the rules of one shape, the best last.
void Table::add_tuple(std::span<const Rule> descending) {
    const auto size = std::bit_ceil(2 * descending.size());
    const Tuple tuple{descending.front().mask, descending.back().rank, static_cast<std::uint32_t>(slots_.size()),
                      static_cast<std::uint32_t>(size - 1)};
    slots_.resize(slots_.size() + size);
    for (const Rule& rule : descending) insert(tuple, rule);
    tuples_.push_back(tuple);
}

/// Puts the rule before all that came earlier. One whose ports are open leaves nothing to those behind it, which are
/// forgotten, so that a chain is never longer than the port ranges that one pair of prefixes has.
void Table::insert(const Tuple& tuple, const Rule& rule) {
    const auto hash = hash_(rule.key);
    Slot& slot = slots_[slot_of(tuple, rule.key, hash)];
    Entry entry{rule.key, rule.policy, rule.rank, slot.entry, rule.source_ports, rule.destination_ports};
    if (entry.has_open_ports()) entry.next = none;
    slot = {static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(entries_.size())};
    entries_.push_back(entry);
}

/// Where `key` is, or the free place where it would be.
std::size_t Table::slot_of(const Tuple& tuple, const Words& key, std::uint64_t hash) const {
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (auto i = static_cast<std::uint32_t>(hash);; ++i) {
        const std::size_t at = tuple.first_slot + (i & tuple.slot_mask);
        const Slot& slot = slots_[at];
        if (slot.entry == none || (slot.tag == tag && entries_[slot.entry].key == key)) return at;
    }
}

/// Everything for packets whose source is of one family.
struct FamilyTables {
    Table open;          // rules that do not ask for ports
    Table asking;        // rules that do
    Table asking_blind;  // the same rules, their ports left out: which of them a packet without ports might have met
};

FamilyTables tables_of(std::span<const PolicyPtr> in_order, Family family, const Hash& hash) {
    std::vector<Rule> open, asking, asking_blind;
    for (std::uint32_t rank = 0; rank < in_order.size(); ++rank) {
        const Policy& policy = *in_order[rank];
        const Selector& selector = policy.selector;
        if (!selector.tag.empty()) {
            open.push_back(tag_rule_of(policy, rank));
            continue;
        }
        if (selector.source.family() != family) continue;
        const Rule rule = rule_of(policy, rank);
        if (!selector.asks_for_ports()) {
            open.push_back(rule);
        } else if (!selector.protocol || has_ports(*selector.protocol) || is_icmp(*selector.protocol) ||
                   has_gre_key(*selector.protocol)) {
            asking.push_back(with_ports(rule));
            asking_blind.push_back(rule);
        }
    }
    return {Table{std::move(open), hash}, Table{std::move(asking), hash}, Table{std::move(asking_blind), hash}};
}

}  // namespace

struct SpdIndex::Tables {
    explicit Tables(std::span<const PolicyPtr> in_order, const Hash& hash = {})
        : ipv4(tables_of(in_order, Family::ipv4, hash)), ipv6(tables_of(in_order, Family::ipv6, hash)) {}
    FamilyTables ipv4, ipv6;
};

SpdIndex::SpdIndex(std::vector<PolicyPtr> in_order) : in_order_(std::move(in_order)), tables_(new Tables{in_order_}) {}

SpdIndex::~SpdIndex() = default;

Found SpdIndex::find(const PacketSelector& packet) const {
    const FamilyTables& tables = packet.source.is_v4() ? tables_->ipv4 : tables_->ipv6;
    const Words words = words_of(packet);
    const Entry* found = tables.open.first(words, packet, none);
    const std::uint32_t limit = found ? found->rank : none;
    const Table& asking = packet.ports_known ? tables.asking : tables.asking_blind;
    const Entry* const before = asking.first(words, packet, limit);
    if (before && packet.ports_known) found = before;
    return {found ? found->policy : nullptr, before && !packet.ports_known};
}

}  // namespace torii
