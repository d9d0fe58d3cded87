// Finds the inbound SA of an arriving packet: (destination, protocol, SPI) to its block (RFC 4301 4.4.2.1), and
// (destination, source) for IPComp with the CPI that is everybody's (RFC 3173 3.3). A flat
// table of one-line buckets, eight tagged places each, without probing: a look-up costs one line and the SA's own
// first lines, which the packet needs anyway and which confirm the match. One writer (control), any readers; when a
// bucket is full the control thread builds a table of twice the size and publishes that.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "sa/security_association.h"

namespace torii {

class SpiIndex {
public:
    /// Room for about four times `expected` SAs; `seed` keeps buckets from being aimed at.
    SpiIndex(std::size_t expected, std::uint64_t seed);

    std::uint64_t hash(const std::uint8_t* ipv4_destination, IpsecProtocol protocol, Big32 spi) const {
        std::uint32_t address;
        std::memcpy(&address, ipv4_destination, 4);
        return mix(seed_of(protocol) ^ (std::uint64_t{address} << 32 | std::bit_cast<std::uint32_t>(spi)));
    }
    std::uint64_t hash(const Address& destination, IpsecProtocol protocol, Big32 spi) const {
        if (destination.is_v4()) return hash(destination.raw().data(), protocol, spi);
        return mix(hash_of(destination, seed_of(protocol)) ^ std::bit_cast<std::uint32_t>(spi));
    }
    /// Of the SA that counts what comes with DEFLATE's own CPI between these ends.
    std::uint64_t hash_of_ends(const Address& destination, const Address& source) const {
        return mix(hash_of(source, hash_of(destination, seed_of(IpsecProtocol::ipcomp))));
    }
    void prefetch(std::uint64_t hash) const { __builtin_prefetch(&bucket(hash)); }

    /// The first SA whose tag fits, or null. Strangers share a tag about once in a million: the caller compares SPI,
    /// protocol and destination, and on a mismatch asks find_exact.
    InboundSa* find_tag(std::uint64_t hash) const {
        const auto tag = hash & tag_mask;
        for (const auto& place : bucket(hash).places) {
            const auto value = place.load(std::memory_order_acquire);
            if ((value & tag_mask) == tag && value != 0) [[likely]]
                return pointer(value);
        }
        return nullptr;
    }
    InboundSa* find_exact(const Address& destination, IpsecProtocol protocol, Big32 spi) const;
    InboundSa* find_by_ends(const Address& destination, const Address& source) const;

    /// Control thread. The SA is found at `destination`, which is, or was until lately, its own. False when the bucket
    /// is full: publish a larger table instead.
    bool insert(InboundSa& sa, const Address& destination);
    bool insert(InboundSa& sa) { return insert(sa, sa.destination); }
    /// Control thread. The block must not be reused before every reader passed a quiescent state.
    void remove(const InboundSa& sa, const Address& destination);
    void remove(const InboundSa& sa) { remove(sa, sa.destination); }
    /// Control thread. Calls `visit(InboundSa&)` for every SA there is, for one that has moved perhaps twice.
    template <class Visit>
    void each(Visit visit) const {
        for (std::size_t i = 0; i <= mask_; ++i)
            for (const auto& place : buckets_[i].places)
                if (const auto value = place.load(std::memory_order_relaxed); value != 0) visit(*pointer(value));
    }
    std::size_t buckets() const { return mask_ + 1; }

private:
    // A place is the SA's address (48 bits used, 64-aligned) with 16 hash bits above and 6 below: 22 bits of tag.
    static constexpr std::uint64_t tag_mask = 0xffff00000000003fu;
    struct alignas(64) Bucket {
        std::array<std::atomic<std::uint64_t>, 8> places{};
    };
    static InboundSa* pointer(std::uint64_t value) { return reinterpret_cast<InboundSa*>(value & ~tag_mask); }
    std::uint64_t seed_of(IpsecProtocol protocol) const {
        return seed_ + static_cast<std::uint64_t>(protocol) * 0x9e3779b97f4a7c15u;
    }
    static std::uint64_t mix(std::uint64_t x) {
        x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
        x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
        return x ^ x >> 33;
    }
    std::uint64_t hash_of_sa(const InboundSa& sa, const Address& destination) const {
        return sa.spi == spi_of_everybody ? hash_of_ends(destination, sa.source)
                                          : hash(destination, sa.protocol, sa.spi);
    }
    template <class Fits>
    InboundSa* find(std::uint64_t hash, Fits fits) const;
    const Bucket& bucket(std::uint64_t hash) const { return buckets_[hash >> 6 & mask_]; }
    Bucket& bucket(std::uint64_t hash) { return buckets_[hash >> 6 & mask_]; }

    std::uint64_t seed_, mask_;
    std::unique_ptr<Bucket[]> buckets_;
};

}  // namespace torii
