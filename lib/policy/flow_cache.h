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

#include "policy/selector.h"

namespace torii {

/// A packet's selectors in 40 octets, comparable and hashable as five words. IPv4 addresses fill 4 octets of 16.
struct FlowKey {
    std::array<std::uint8_t, 16> source{}, destination{};
    std::uint16_t source_port = 0, destination_port = 0;  // as on the wire
    std::uint8_t protocol = 0;
    std::uint8_t family = 0;
    std::uint8_t arrival = 0;  // which checks the packet owes: the caller's numbering
    std::uint8_t ports_known = 0;

    using Words = std::array<std::uint64_t, 5>;
    Words words() const { return std::bit_cast<Words>(*this); }
    /// The key of an IPv4 packet, made of whole words, because it is read back as such at once. Addresses and `ports`
    /// are as they stand on the wire.
    static FlowKey ipv4(std::uint32_t source, std::uint32_t destination, std::uint32_t ports, std::uint8_t protocol,
                        std::uint8_t arrival, bool ports_known) {
        const std::uint64_t rest = ports | std::uint64_t{protocol} << 32 | std::uint64_t{4} << 40 |
                                   std::uint64_t{arrival} << 48 | std::uint64_t{ports_known} << 56;
        return std::bit_cast<FlowKey>(Words{source, 0, destination, 0, rest});
    }
    friend bool operator==(const FlowKey& a, const FlowKey& b) {
        const Words x = a.words(), y = b.words();
        return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4])) == 0;
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
        const auto w = key.words();
        std::uint64_t h =
            (w[0] ^ seed_) * 0x9e3779b97f4a7c15u ^ (w[2] + seed_) * 0xc2b2ae3d27d4eb4fu ^ w[4] * 0x165667b19e3779f9u;
        h ^= (w[1] * 0x85ebca77c2b2ae63u) ^ std::rotl(w[3] * 0x27d4eb2f165667c5u, 29);
        h ^= h >> 32;
        h *= 0xd6e8feb86659fd93u;
        return h ^ h >> 29;
    }
    void prefetch(std::uint64_t hash) const { __builtin_prefetch(&entries_[hash & mask_]); }

    /// The entry of `key` as of `generation`, or null. Two neighbours are looked at, so that a pair of flows which
    /// share a place does not take turns.
    Entry* find(std::uint64_t hash, const FlowKey& key, std::uint32_t generation) {
        for (std::uint64_t way = 0; way < 2; ++way) {
            Entry& entry = entries_[(hash ^ way) & mask_];
            if (entry.generation == generation && entry.key == key) [[likely]]
                return &entry;
        }
        return nullptr;
    }
    /// Remembers a verdict in an empty or stale place if there is one, else in the first.
    Entry& remember(std::uint64_t hash, const FlowKey& key, std::uint32_t generation, const Verdict& verdict) {
        Entry* place = &entries_[hash & mask_];
        if (Entry& second = entries_[(hash ^ 1) & mask_];
            place->generation == generation && !(place->key == key) && (second.generation != generation || turn_++ % 2))
            place = &second;
        *place = Entry{key, generation, verdict};
        return *place;
    }

private:
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
