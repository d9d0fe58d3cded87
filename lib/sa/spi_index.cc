#include "sa/spi_index.h"

#include <algorithm>
#include <bit>

namespace torii {

SpiIndex::SpiIndex(std::size_t expected, std::uint64_t seed)
    : seed_(seed),
      mask_(std::bit_ceil(std::max<std::size_t>(expected, 16)) / 2 - 1),  // four places per expected SA
      buckets_(std::make_unique<Bucket[]>(mask_ + 1)) {}

template <class Fits>
InboundSa* SpiIndex::find(std::uint64_t hash, Fits fits) const {
    for (const auto& place : bucket(hash).places) {
        const auto value = place.load(std::memory_order_acquire);
        if (value == 0 || (value & tag_mask) != (hash & tag_mask)) continue;
        InboundSa* const sa = pointer(value);
        if (fits(*sa)) return sa;
    }
    return nullptr;
}

InboundSa* SpiIndex::find_exact(const Address& destination, IpsecProtocol protocol, Big32 spi) const {
    return find(hash(destination, protocol, spi),
                [&](const InboundSa& sa) { return sa.spi == spi && sa.protocol == protocol && sa.is_at(destination); });
}

InboundSa* SpiIndex::find_by_ends(const Address& destination, const Address& source) const {
    return find(hash_of_ends(destination, source), [&](const InboundSa& sa) {
        return sa.spi == spi_of_everybody && sa.destination == destination && sa.source == source;
    });
}

bool SpiIndex::insert(InboundSa& sa, const Address& destination) {
    const std::uint64_t h = hash_of_sa(sa, destination);
    const auto value = reinterpret_cast<std::uint64_t>(&sa) | (h & tag_mask);
    const auto is_there = [value](const auto& place) { return place.load(std::memory_order_relaxed) == value; };
    if (std::ranges::any_of(bucket(h).places, is_there)) return true;
    for (auto& place : bucket(h).places) {
        if (place.load(std::memory_order_relaxed) != 0) continue;
        place.store(value, std::memory_order_release);
        return true;
    }
    return false;
}

void SpiIndex::remove(const InboundSa& sa, const Address& destination) {
    const std::uint64_t h = hash_of_sa(sa, destination);
    const auto gone = reinterpret_cast<std::uint64_t>(&sa) | (h & tag_mask);
    for (auto& place : bucket(h).places)
        if (place.load(std::memory_order_relaxed) == gone) place.store(0, std::memory_order_release);
}

}  // namespace torii
