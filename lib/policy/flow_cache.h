// What a worker remembers about the flows it has seen: an exact-match table in front of the classifier, one cache line
// an entry. Whatever is published new makes every entry stale at once, by a generation number; nothing is ever
// removed. A worker's own; no locks.
#pragma once

#include <sys/mman.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "policy/selector.h"

namespace torii {

/// A packet's selectors in five words, which is how they are written, hashed and compared: a key of smaller fields
/// would be read back before they had reached the cache. IPv6 addresses fill two words each, IPv4 addresses half of the
/// first: one key and one cache serve both.
struct FlowKey {
    std::array<std::uint64_t, 5> words{};  // source, destination, as on the wire; the rest, see rest()

    /// Addresses and `ports` are as they stand on the wire; `arrival` is the caller's numbering of which checks the
    /// packet owes.
    static FlowKey ipv4(std::uint32_t source, std::uint32_t destination, std::uint32_t ports, std::uint8_t protocol,
                        std::uint8_t arrival, bool ports_known, Tag tag = Tag::none) {
        return {{source, 0, destination, 0, rest(Family::ipv4, ports, protocol, arrival, ports_known, tag)}};
    }
    /// The same with the 32 octets of an IPv6 header's two addresses at `addresses`.
    static FlowKey ipv6(const std::byte* addresses, std::uint32_t ports, std::uint8_t protocol, std::uint8_t arrival,
                        bool ports_known, Tag tag = Tag::none) {
        FlowKey key;
        std::memcpy(key.words.data(), addresses, 32);
        key.words[4] = rest(Family::ipv6, ports, protocol, arrival, ports_known, tag);
        return key;
    }
    /// The key as the classifier wants it.
    PacketSelector selector() const {
        const auto ports = static_cast<std::uint32_t>(words[4]);
        const std::size_t octets = Family{static_cast<std::uint8_t>(words[4] >> 40)} == Family::ipv4 ? 4 : 16;
        return {.source = Address::from_octets(std::as_bytes(std::span{words}).first(octets)),
                .destination = Address::from_octets(std::as_bytes(std::span{words}).subspan(16, octets)),
                .source_port = __builtin_bswap16(static_cast<std::uint16_t>(ports)),
                .destination_port = __builtin_bswap16(static_cast<std::uint16_t>(ports >> 16)),
                .protocol = static_cast<std::uint8_t>(words[4] >> 32),
                .ports_known = (words[4] >> 56 & 1) != 0,
                .tag = static_cast<Tag>(words[4] >> tag_shift)};
    }
    friend bool operator==(const FlowKey& a, const FlowKey& b) {
        const auto &x = a.words, &y = b.words;
        return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4])) == 0;
    }

private:
    static constexpr unsigned tag_shift = 57;
    static_assert(last_tag >> (64 - tag_shift) == 0);
    static std::uint64_t rest(Family family, std::uint32_t ports, std::uint8_t protocol, std::uint8_t arrival,
                              bool ports_known, Tag tag) {
        return ports | std::uint64_t{protocol} << 32 | static_cast<std::uint64_t>(family) << 40 |
               std::uint64_t{arrival} << 48 | std::uint64_t{ports_known} << 56 |
               static_cast<std::uint64_t>(tag) << tag_shift;
    }
};
static_assert(sizeof(FlowKey) == 40);

/// `Verdict` is what the caller wants remembered: at most 20 octets, trivially copyable.
template <class Verdict>
class FlowCache {
public:
    struct alignas(64) Entry {
        FlowKey key;
        std::uint32_t generation = 0;  // 0: empty
        Verdict verdict{};
    };
    static_assert(sizeof(Entry) == 64);

    /// `entries` is rounded up to a power of two; `seed` keeps strangers from aiming at one bucket.
    FlowCache(std::size_t entries, std::uint64_t seed)
        : seed_(seed), mask_(std::bit_ceil(entries) - 1), entries_(allocate(mask_ + 1)) {}

    std::uint64_t hash(const FlowKey& key) const {
        const auto& w = key.words;
        std::uint64_t h =
            (w[0] ^ seed_) * 0x9e3779b97f4a7c15u ^ (w[2] + seed_) * 0xc2b2ae3d27d4eb4fu ^ w[4] * 0x165667b19e3779f9u;
        h ^= ((w[1] ^ ~seed_) * 0x85ebca77c2b2ae63u) ^ std::rotl((w[3] - seed_) * 0x27d4eb2f165667c5u, 29);
        h ^= h >> 32;
        h *= 0xd6e8feb86659fd93u;
        return h ^ h >> 29;
    }
    void prefetch(std::uint64_t hash) const { __builtin_prefetch(&entries_[hash & mask_]); }

    /// The entry of `key` as of `generation`, or null. Four neighbours are looked at, so that flows which share a place
    /// do not take turns.
    Entry* find(std::uint64_t hash, const FlowKey& key, std::uint32_t generation) {
        for (std::uint64_t way = 0; way < ways; ++way) {
            Entry& entry = entries_[(hash ^ way) & mask_];
            if (entry.generation == generation && entry.key == key) [[likely]]
                return &entry;
        }
        return nullptr;
    }
    /// Remembers a verdict in the flow's own place, in an empty or stale one, or else in any of the four.
    Entry& remember(std::uint64_t hash, const FlowKey& key, std::uint32_t generation, const Verdict& verdict) {
        Entry* place = &entries_[(hash ^ turn_++ % ways) & mask_];
        for (std::uint64_t way = ways; way-- > 0;)
            if (Entry& entry = entries_[(hash ^ way) & mask_]; entry.generation != generation || entry.key == key)
                place = &entry;
        *place = Entry{key, generation, verdict};
        return *place;
    }

private:
    static constexpr std::uint64_t ways = 4;
    struct Free {
        void operator()(Entry* entries) const { std::free(entries); }
    };
    /// In 2 MiB pages where the system has them: the entries are touched at random.
    static std::unique_ptr<Entry[], Free> allocate(std::size_t count) {
        constexpr std::size_t huge_page = std::size_t{2} << 20;
        const std::size_t octets = (count * sizeof(Entry) + huge_page - 1) / huge_page * huge_page;
        void* const memory = std::aligned_alloc(huge_page, octets);
        if (memory == nullptr) throw std::bad_alloc{};
        madvise(memory, octets, MADV_HUGEPAGE);  // advice: absent support only costs speed
        auto* const entries = static_cast<Entry*>(memory);
        std::uninitialized_default_construct_n(entries, count);
        return std::unique_ptr<Entry[], Free>{entries};
    }
    std::uint64_t seed_;
    std::uint64_t mask_;
    std::uint32_t turn_ = 0;
    std::unique_ptr<Entry[], Free> entries_;
};

}  // namespace torii
